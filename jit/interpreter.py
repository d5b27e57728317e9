"""What a graph means: every node by its op's own NumPy code.  Slow, and by definition right."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from eager.ops.errors import GraphError, OpError
from eager.ops.families import Control
from eager.ops.types import Type
from jit.dims import SymInt, evaluate
from jit.graph import Const, Graph, Input, Node, Value
from jit.layout import port_of, ranges_of, rules_of
from jit.sizes import bind_dims

Array = np.ndarray[Any, Any]
_REFUSALS = (TypeError, ValueError, IndexError, ZeroDivisionError, OverflowError, OpError)


def interpret(graph: Graph, arrays: Mapping[str, Any] | Sequence[Any]
              ) -> tuple[list[Array], dict[str, Array]]:
    """The outputs, and the new value of each input that the graph updates, by name.

    ``arrays`` are the inputs by name, or in order; they are never written and share no
    memory with the results.  Raises OpError where an argument does not fit or an op
    refuses its operands, with the user's location.
    """
    given = _arguments(graph, arrays)
    dims = dims_of(graph, given)
    values = run_nodes(graph, given, dims)

    def result(value: Value) -> Array:
        return np.array(_look_up(value, values), order="C")

    return [result(v) for v in graph.outputs], {i.name: result(v) for i, v in graph.updates}


def evaluate_attribute(value: Any, dims: Mapping[str, int]) -> Any:
    """An attribute with its symbolic sizes replaced by numbers."""
    if isinstance(value, SymInt):
        return evaluate(value, dims)
    if isinstance(value, tuple):
        return tuple(evaluate_attribute(v, dims) for v in value)
    return value


# --- arguments ---------------------------------------------------------------------------------
def _arguments(graph: Graph, arrays: Mapping[str, Any] | Sequence[Any]) -> dict[Input, Array]:
    names = [i.name for i in graph.inputs]
    if not isinstance(arrays, Mapping):
        if len(arrays) != len(names):
            raise OpError(f"the graph takes {len(names)} arrays ({', '.join(names)}), "
                          f"got {len(arrays)}")
        arrays = dict(zip(names, arrays, strict=True))
    if set(arrays) != set(names):
        raise OpError(f"the graph takes {', '.join(names) or 'nothing'}, "
                      f"got {', '.join(map(str, arrays)) or 'nothing'}")
    return {i: np.asarray(arrays[i.name]) for i in graph.inputs}


def dims_of(graph: Graph, given: Mapping[Input, Array]) -> dict[str, int]:
    """The dims by name, found in the shapes of the arguments and checked against them."""
    for i, array in given.items():
        if Type.of(array).dtype is not i.type.dtype or array.ndim != len(i.type.shape):
            raise OpError(f"argument {i.name!r}: wanted {i.type}, got {Type.of(array)}")
    return bind_dims([port_of(i.name, i) for i in given], [a.shape for a in given.values()],
                     ranges_of(graph), rules_of(graph))


# --- nodes -------------------------------------------------------------------------------------
def run_nodes(graph: Graph, given: Mapping[Any, Any], dims: Mapping[str, int]
              ) -> dict[Value, Any]:
    """The value of every input and node; of a node with regions, a tuple."""
    values: dict[Value, Any] = dict(given)
    with np.errstate(all="ignore"):
        for node in graph.nodes:
            args = [_look_up(a, values) for a in node.args]
            values[node] = _control(node, args, dims) if isinstance(
                node.op.kernel, Control) else run_node(node, args, dims)
    return values


def _look_up(value: Value, values: Mapping[Value, Any]) -> Any:
    return value.array if isinstance(value, Const) else values[value]


def _control(node: Node, args: list[Any], dims: Mapping[str, int]) -> Any:
    """The results of a node with regions, or one of such results."""
    assert isinstance(node.op.kernel, Control)
    return _FORMS[node.op.kernel.form](node, args, dims)


def _run_region(region: Graph, args: Sequence[Any], dims: Mapping[str, int]) -> tuple[Any, ...]:
    values = run_nodes(region, dict(zip(region.inputs, args, strict=True)), dims)
    return tuple(_look_up(v, values) for v in region.outputs)


def _choice(node: Node, args: list[Any], dims: Mapping[str, int]) -> tuple[Any, ...]:
    return _run_region(node.regions[0 if args[0] else 1], args[1:], dims)


def _scan(node: Node, args: list[Any], dims: Mapping[str, int]) -> tuple[Any, ...]:
    n, m = node.attrs["carried"], node.attrs["scanned"]
    carry, items, rest = tuple(args[:n]), args[n:n + m], args[n + m:]
    stacks = tuple(np.empty([evaluate(d, dims) for d in t.shape], t.dtype.numpy)
                   for t in node.type[n:])
    steps = range(evaluate(node.attrs["length"], dims))
    for t in reversed(steps) if node.attrs["reverse"] else steps:
        made = _run_region(node.regions[0], [*carry, *(x[t] for x in items), *rest], dims)
        carry = made[:n]
        for stack, kept in zip(stacks, made[n:], strict=True):
            stack[t] = kept
    return (*carry, *stacks)


def _repeat(node: Node, args: list[Any], dims: Mapping[str, int]) -> tuple[Any, ...]:
    holds, step = node.regions
    n, limit = node.attrs["carried"], node.attrs["limit"]
    carry, rest, rounds = tuple(args[:n]), args[n:], 0
    while (limit is None or rounds < limit) and _run_region(holds, [*carry, *rest], dims)[0]:
        carry, rounds = _run_region(step, [*carry, *rest], dims), rounds + 1
    return carry


def _pick(node: Node, args: list[Any], dims: Mapping[str, int]) -> Any:
    return args[0][node.attrs["index"]]


_FORMS: dict[str, Callable[[Node, list[Any], Mapping[str, int]], Any]] = {
    "choice": _choice, "scan": _scan, "repeat": _repeat, "pick": _pick}


def run_node(node: Node, args: Sequence[Array], dims: Mapping[str, int]) -> Array:
    """One op on arrays; OpError names the op, its operands and the user's location."""
    attrs = {k: evaluate_attribute(v, dims) for k, v in node.attrs.items()}
    try:
        if node.op.precheck is not None:
            node.op.precheck(*args, **attrs)
        out = np.asarray(node.op.run(*args, **attrs))
    except _REFUSALS as error:
        place = f" (at {node.location})" if str(node.location) else ""
        words = str(error).removeprefix(f"{node.op.name}: ")
        operands = ", ".join(str(Type.of(a)) for a in args)
        raise OpError(f"{node.op.name}({operands}): {words}{place}") from None
    wanted = tuple(evaluate(size, dims) for size in node.type.shape)
    if out.dtype != node.type.dtype.numpy or out.shape != wanted:
        raise GraphError(f"{node.op.name}: is typed {node.type}, computed {Type.of(out)}")
    return out
