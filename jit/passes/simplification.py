"""Rewrite rules that hold for every value, also for NaN, infinities and signed zeros.

A rule takes a node and returns what may stand in its place, or None.  So ``x + 0.0`` stays
(it turns ``-0.0`` into ``0.0``) and so does ``x * 0`` (it may be NaN).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeGuard

import numpy as np

from eager.ops.errors import OpError, TraceError
from eager.ops.families import Fill, Pointwise, View
from eager.ops.types import DType, Type
from jit.dims import same_size, same_type
from jit.graph import Const, Graph, Node, Value, rewrite
from jit.interpreter import run_node
from jit.passes.regions import everywhere

Rule = Callable[[Node], Value | None]
LARGEST_UNIFORM = 4096  #: elements of a constant that is searched for being one number


@everywhere
def simplify(graph: Graph) -> Graph:
    """Apply the rules until none fires."""
    return rewrite(graph, _simplest)


def _simplest(node: Node) -> Value:
    value: Value = node
    while isinstance(value, Node):
        made = _once(value)
        if made is None:
            break
        value = made
    return value


def _once(node: Node) -> Value | None:
    general = POINTWISE_RULES if isinstance(node.op.kernel, Pointwise) else (
        VIEW_RULES if isinstance(node.op.kernel, View) else ())
    for rule in (*RULES.get(node.op.name, ()), *general):
        made = rule(node)
        if made is not None:
            return made
    return None


# --- arithmetic --------------------------------------------------------------------------------
def add_nothing(node: Node) -> Value | None:
    """x + -0.0 => x, and x + 0 => x of integers."""
    wanted = (-0.0,) if node.type.dtype.kind == "f" else (0,)
    return _neutral(node, _either(node), wanted)


def subtract_nothing(node: Node) -> Value | None:
    """x - 0 => x."""
    return _neutral(node, _second(node), (0.0, 0))


def multiply_by_one(node: Node) -> Value | None:
    """x * 1 => x."""
    return _neutral(node, _either(node), (1.0, 1))


def divide_by_one(node: Node) -> Value | None:
    """x / 1 => x."""
    return _neutral(node, _second(node), (1.0, 1))


def first_power(node: Node) -> Value | None:
    """x ** 1 => x."""
    return _neutral(node, _second(node), (1.0,))


def twice_negated(node: Node) -> Value | None:
    """-(-x) => x."""
    return _inner(node, "neg")


def twice_clipped(node: Node) -> Value | None:
    """relu(relu(x)) => relu(x)."""
    return node.args[0] if _is(node.args[0], "relu") else None


def same_choice(node: Node) -> Value | None:
    """where(c, x, x) => x."""
    _, x, y = node.args
    return x if x is y and same_type(x.type, node.type) else None


def copy(node: Node) -> Value | None:
    """clone(x) => x, detach(x) => x."""
    return node.args[0]


# --- dtypes ------------------------------------------------------------------------------------
def cast_to_own_dtype(node: Node) -> Value | None:
    """cast(x, dtype of x) => x."""
    return _if_same(node, node.args[0])


def cast_of_cast(node: Node) -> Value | None:
    """cast(cast(x, b), c) => cast(x, c) where b holds every value of x."""
    inner = node.args[0]
    if _is(inner, "cast") and holds(inner.args[0].type.dtype, inner.type.dtype):
        return replace(node, args=inner.args)
    return None


def holds(a: DType, b: DType) -> bool:
    """Whether every value of dtype ``a`` is exactly a value of ``b``."""
    if a.kind == "i" and b.kind == "f":
        return bool(np.iinfo(a.numpy).bits <= np.finfo(b.numpy).nmant + 1)
    return bool(np.can_cast(a.numpy, b.numpy, "safe"))


# --- movement ----------------------------------------------------------------------------------
def move_nothing(node: Node) -> Value | None:
    """reshape, broadcast_to and a slice of everything to x's own shape => x."""
    if node.op.name == "slice" and any(s != 1 for s in node.attrs["steps"]):
        return None
    return _if_same(node, node.args[0])


def reshape_of_reshape(node: Node) -> Value | None:
    """reshape(reshape(x, s), t) => reshape(x, t)."""
    return _skip(node, "reshape")


def broadcast_of_broadcast(node: Node) -> Value | None:
    """broadcast_to(broadcast_to(x, s), t) => broadcast_to(x, t)."""
    return _skip(node, "broadcast_to")


def permute_nothing(node: Node) -> Value | None:
    """permute(x, (0, 1, …)) => x."""
    dims = node.attrs["dims"]
    return node.args[0] if dims == tuple(range(len(dims))) else None


def permute_of_permute(node: Node) -> Value | None:
    """permute(permute(x, p), q) => permute(x, p[q])."""
    inner = node.args[0]
    if not _is(inner, "permute"):
        return None
    dims = tuple(inner.attrs["dims"][d] for d in node.attrs["dims"])
    return replace(node, args=inner.args, attrs={"dims": dims})


def slice_of_slice(node: Node) -> Value | None:
    """x[a::s][b::t] => x[a + b * s::s * t], where the result's sizes are known."""
    inner = node.args[0]
    if not _is(inner, "slice") or not all(type(n) is int and n > 0 for n in node.type.shape):
        return None
    a, s = inner.attrs["starts"], inner.attrs["steps"]
    b, t = node.attrs["starts"], node.attrs["steps"]
    starts = tuple(i + j * k for i, j, k in zip(a, b, s))
    steps = tuple(i * j for i, j in zip(s, t))
    stops = tuple(i + (n - 1) * j + 1 for i, n, j in zip(starts, node.type.shape, steps))
    return replace(node, args=inner.args,
                   attrs={"starts": starts, "stops": stops, "steps": steps})


def flip_of_flip(node: Node) -> Value | None:
    """flip(flip(x, d), d) => x, and flip(x, ()) => x."""
    if not node.attrs["dims"]:
        return node.args[0]
    inner = node.args[0]
    if _is(inner, "flip") and sorted(inner.attrs["dims"]) == sorted(node.attrs["dims"]):
        return inner.args[0]
    return None


def pad_nothing(node: Node) -> Value | None:
    """pad(x) by 0 everywhere => x."""
    return node.args[0] if _all(0, node.attrs["low"] + node.attrs["high"]) else None


def dilate_nothing(node: Node) -> Value | None:
    """dilate(x) by 1 everywhere => x."""
    return node.args[0] if _all(1, node.attrs["steps"]) else None


def join_one(node: Node) -> Value | None:
    """concat(x) => x."""
    return node.args[0] if len(node.args) == 1 else None


# --- families ----------------------------------------------------------------------------------
def view_of_fill(node: Node) -> Value | None:
    """view(full(s, v)) => full(t, v)."""
    inner, view = node.args[0], node.op.kernel
    if (isinstance(inner, Node) and isinstance(inner.op.kernel, Fill)
            and isinstance(view, View) and view.valid is None):
        return replace(inner, attrs={**inner.attrs, "shape": node.type.shape}, type=node.type)
    return None


def arithmetic_of_fills(node: Node) -> Value | None:
    """f(full(s, v), w) => full(s, f(v, w)) where all operands are one number each."""
    fills = [a for a in node.args if isinstance(a, Node) and isinstance(a.op.kernel, Fill)]
    numbers = [uniform(a) for a in node.args]
    if not fills or any(n is None for n in numbers):
        return None
    scalar = replace(node, type=Type(node.type.dtype, ()))
    try:
        with np.errstate(all="ignore"):
            value = run_node(scalar, [n for n in numbers if n is not None], {})
    except OpError:
        return None
    return replace(fills[0], type=node.type, attrs={
        "shape": node.type.shape, "value": value.item(), "dtype": node.type.dtype})


def broadcast_operand(node: Node) -> Value | None:
    """f(x, broadcast_to(y)) => f(x, y), and f(x, full(v)) => f(x, v), of the same shape."""
    for k, a in enumerate(node.args):
        if not isinstance(a, Node) or not a.type.shape:
            continue
        small: Value
        if a.op.name == "broadcast_to":
            small = a.args[0]
        elif isinstance(a.op.kernel, Fill):
            small = Const(np.array(a.attrs["value"], a.type.dtype.numpy))
        else:
            continue
        args = (*node.args[:k], small, *node.args[k + 1:])
        if _keeps_type(node, args):
            return replace(node, args=args)
    return None


RULES: dict[str, tuple[Rule, ...]] = {
    "add": (add_nothing,),
    "sub": (subtract_nothing,),
    "mul": (multiply_by_one,),
    "div": (divide_by_one,),
    "pow": (first_power,),
    "neg": (twice_negated,),
    "relu": (twice_clipped,),
    "where": (same_choice,),
    "clone": (copy,),
    "detach": (copy,),
    "cast": (cast_to_own_dtype, cast_of_cast),
    "reshape": (move_nothing, reshape_of_reshape),
    "broadcast_to": (move_nothing, broadcast_of_broadcast),
    "permute": (permute_nothing, permute_of_permute),
    "slice": (move_nothing, slice_of_slice),
    "flip": (flip_of_flip,),
    "pad": (pad_nothing,),
    "dilate": (dilate_nothing,),
    "concat": (join_one,),
}
VIEW_RULES: tuple[Rule, ...] = (view_of_fill,)
POINTWISE_RULES: tuple[Rule, ...] = (arithmetic_of_fills, broadcast_operand)


# --- what rules look at ------------------------------------------------------------------------
def uniform(value: Value) -> np.ndarray[Any, Any] | None:
    """The number that every element of a constant or a fill is, as a 0-d array."""
    if isinstance(value, Const):
        flat = value.array.reshape(-1)
        if not 0 < flat.size <= LARGEST_UNIFORM or flat.tobytes() != flat[:1].tobytes() * flat.size:
            return None
        return flat[0:1].reshape(())
    if isinstance(value, Node) and isinstance(value.op.kernel, Fill):
        return np.array(value.attrs["value"], value.type.dtype.numpy)
    return None


def _either(node: Node) -> Iterator[tuple[Value, Value]]:
    yield from (node.args, node.args[::-1])  # type: ignore[misc]


def _second(node: Node) -> Iterator[tuple[Value, Value]]:
    yield node.args  # type: ignore[misc]


def _neutral(node: Node, pairs: Iterator[tuple[Value, Value]], numbers: tuple[Any, ...]
             ) -> Value | None:
    """``x`` of a pair whose other half is one of ``numbers``, to the sign of zero."""
    for x, y in pairs:
        found = uniform(y)
        if found is not None and repr(found.item()) in map(repr, numbers) and same_type(
                x.type, node.type):
            return x
    return None


def _is(value: Value, name: str) -> TypeGuard[Node]:
    return isinstance(value, Node) and value.op.name == name


def _inner(node: Node, name: str) -> Value | None:
    inner = node.args[0]
    return inner.args[0] if _is(inner, name) else None


def _skip(node: Node, name: str) -> Value | None:
    """The node on the operand of its operand, where that is an op ``name``."""
    inner = _inner(node, name)
    return None if inner is None else replace(node, args=(inner,))


def _if_same(node: Node, value: Value) -> Value | None:
    return value if same_type(node.type, value.type) else None


def _all(wanted: int, sizes: tuple[Any, ...]) -> bool:
    return all(same_size(s, wanted) for s in sizes)


def _keeps_type(node: Node, args: tuple[Value, ...]) -> bool:
    try:
        return same_type(node.op.result_type([a.type for a in args], node.attrs), node.type)
    except (OpError, TraceError):
        return False
