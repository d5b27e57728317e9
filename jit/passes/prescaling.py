"""Scales and shifts before a product move into its weights and into a bias after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eager.ops.families import Convolution
from jit.builder import Builder
from jit.dims import same_size, same_type
from jit.graph import Graph, Node, Value, rebuild, users, with_args
from jit.passes.scaling import STEPS, State, channels_of, is_per_channel, is_product
from jit.passes.weights import weight_only


def scale_inputs(graph: Graph) -> Graph:
    """``(x * s + t) @ w => x @ (s * w) + t @ w``, and the same of a convolution.

    Fires where ``s``, ``t`` and ``w`` depend on weights alone, nobody else reads ``w`` or the
    values between, and ``s`` and ``t`` hold one number for each input column (channel), or one
    number.  A convolution with padding takes scales alone: its zeros are not shifted.  So eval
    batch norm vanishes into what follows it.  Rounding differs as by `scale_weights`.
    """
    fixed = weight_only(graph)
    readers = users(graph)
    results = set(graph.results)

    def make(node: Node, new: Mapping[Value, Value]) -> Any:
        made = with_args(node, new)
        before = _before(node, fixed, readers, results) if is_product(node, fixed, readers) else []
        if not before:
            return made
        F = Builder(node.location)
        start = before[0].node.args[before[0].position]
        return F.up_to(_absorbed(F, made, new.get(start, start), before))

    return rebuild(graph, make)


@dataclass(frozen=True)
class _Step:
    """A node on the way to the product: the operand that it works on, and the other."""

    node: Node
    position: int
    other: Value | None

    @property
    def shifts(self) -> bool:
        return self.node.op.name in ("add", "sub")


def _before(product: Node, fixed: set[Value], readers: dict[Value, list[Node]],
            results: set[Value]) -> list[_Step]:
    """The steps before a product that it can take in, first to last."""
    found: list[_Step] = []
    value = product.args[0]
    axis = _inputs_of(product)
    while isinstance(value, Node) and len(readers[value]) == 1 and value not in results:
        step = _step(value, axis, fixed)
        if step is None or (step.shifts and _pads(product)):
            break
        found.insert(0, step)
        value = value.args[step.position]
    return found


def _step(node: Node, axis: int, fixed: set[Value]) -> _Step | None:
    if node.op.name not in STEPS:
        return None
    if len(node.args) == 1:
        return _Step(node, 0, None)
    for k, other in enumerate(reversed(node.args)):
        if (other in fixed and node.args[k] not in fixed
                and same_type(node.args[k].type, node.type) and is_per_channel(other, node, axis)
                and not (node.op.name == "div" and k == 1)):
            return _Step(node, k, other)
    return None


def _inputs_of(product: Node) -> int:
    """The dim of the first operand that a product sums over."""
    return 1 if isinstance(product.op.kernel, Convolution) else len(product.args[0].type.shape) - 1


def _pads(product: Node) -> bool:
    return not all(same_size(p, 0) for p in product.attrs.get("padding", ()))


def _absorbed(F: Builder, product: Node, start: Value, steps: list[_Step]) -> Value:
    """The product on what the steps began with, its weights scaled, and what they shift it by."""
    state: State = (None, None)
    for step in steps:
        first = step.position == 1 and step.node.op.name == "sub"
        state = STEPS[step.node.op.name](F, state, step.other, first)
    scale, shift = state
    weight = product.args[1]
    scaled = weight if scale is None else F.mul(weight, _on_inputs(F, scale, product))
    out = F.build(product.op, start, scaled, **product.attrs)
    return out if shift is None else F.build(F.table["add"], out, _bias(F, shift, product))


def _on_inputs(F: Any, value: Any, product: Node) -> Any:
    """One number for each input channel, in the shape in which it multiplies the weights."""
    if isinstance(value, float) or not F.typeof(value).shape:
        return value
    numel = F.typeof(value).numel
    shape = (numel, 1, 1) if isinstance(product.op.kernel, Convolution) else (numel, 1)
    return F.reshape(value, shape=shape)


def _bias(F: Any, shift: Any, product: Node) -> Value:
    """What the shift adds to every output channel: its product with the weights."""
    weight = product.args[1]
    moved = F.mul(weight, _on_inputs(F, shift, product))
    inner = (1, 2, 3) if isinstance(product.op.kernel, Convolution) else (0,)
    summed = F.sum(moved, dims=inner, keepdim=False)
    rank = len(product.type.shape)
    made: Value = F.reshape(summed, shape=(F.typeof(summed).numel,)
                            + (1,) * (rank - 1 - channels_of(product)))
    return made
