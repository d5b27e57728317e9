"""Work that depends on weights alone is done once.

Only parameters and buffers that the graph does not update count as weights, and constants.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from eager.ops.families import Control, DimValue, Fill, Iota, Random, View
from eager.ops.types import Type
from jit.dims import is_symbolic
from jit.graph import Graph, Input, Node, Value, rebuild, with_args, without_unread_state
from jit.passes.dce import eliminate_dead

WEIGHT_ROLES = ("parameter", "buffer")
MAX_GROWTH = 4  #: how many times the bytes of its operands a hoisted value may take


def weight_only(graph: Graph) -> set[Value]:
    """The values that are the same at every call until somebody writes a weight."""
    written = {i for i, _ in graph.updates}
    found: set[Value] = {i for i in graph.inputs
                         if i.role in WEIGHT_ROLES and i not in written and _is_static(i.type)}
    found.update(graph.consts)
    for node in graph.nodes:
        if (not isinstance(node.op.kernel, (Control, Random)) and _is_static(node.type)
                and not any(is_symbolic(v) for v in node.attrs.values())
                and all(a in found for a in node.args)):
            found.add(node)
    return found


def _is_static(type_: Any) -> bool:
    return isinstance(type_, Type) and not is_symbolic(type_.shape)


# --- once, when weights are packed -------------------------------------------------------------
def hoist(graph: Graph) -> tuple[Graph, Graph]:
    """``(prologue, main)``: the prologue computes from weights what ``main`` takes instead.

    The last inputs of ``main``, named ``folded.0`` … with role ``parameter``, are the outputs
    of the prologue, in order.  Fills, counters and plain views stay in ``main``, whose kernels
    read through them, and so does what would take more than `MAX_GROWTH` times the memory of
    its operands.  Without such work the prologue is empty and ``main`` is ``graph``.
    """
    fixed = weight_only(graph)
    chosen = _chosen(graph, fixed)
    if not chosen:
        return Graph((), (), (), name="prologue"), graph
    used = {i.name for i in graph.inputs}
    names = (n for n in map("folded.{}".format, range(len(graph.inputs) + len(chosen)))
             if n not in used)
    folded: dict[Value, Value] = {
        v: Input(name, v.type, "parameter") for v, name in zip(chosen, names, strict=False)}
    main = replace(substitute(graph, folded),
                   inputs=(*graph.inputs, *folded.values()))  # type: ignore[arg-type]
    return _part_for(graph, tuple(chosen)), main


def split(graph: Graph) -> tuple[Graph, Graph]:
    """The same, and ``main`` without state that the prologue alone reads; arguments stay."""
    prologue, main = hoist(graph)
    main = eliminate_dead(main)
    own = len(main.inputs) - len(prologue.outputs)
    rest = without_unread_state(replace(main, inputs=main.inputs[:own]))
    return prologue, replace(main, inputs=(*rest.inputs, *main.inputs[own:]))


def _chosen(graph: Graph, fixed: set[Value]) -> list[Node]:
    """The weight-only nodes that the rest of the graph reads, through views."""
    found: dict[Node, None] = {}
    stack = [a for n in reversed(graph.nodes) if n not in fixed for a in reversed(n.args)]
    while stack:
        value = stack.pop()
        if not isinstance(value, Node) or value not in fixed or value in found:
            continue
        if _is_read_through(value) or not _is_worth(value):
            stack.extend(reversed(value.args))
        else:
            found[value] = None
    return list(found)


def _is_read_through(node: Node) -> bool:
    kernel = node.op.kernel
    return isinstance(kernel, (Fill, Iota, DimValue)) or (
        isinstance(kernel, View) and kernel.valid is None)


def _is_worth(node: Node) -> bool:
    leaves = leaves_of(node)
    return bool(leaves) and static_bytes(node.type) <= MAX_GROWTH * sum(
        static_bytes(v.type) for v in leaves)


def leaves_of(*values: Value) -> list[Value]:
    """The inputs and constants that values are made of, those of first operands first."""
    found: list[Value] = []
    seen: set[Value] = set()
    stack: list[Value] = [*reversed(values)]
    while stack:
        value = stack.pop()
        if value in seen:
            continue
        seen.add(value)
        if isinstance(value, Node):
            stack.extend(reversed(value.args))
        else:
            found.append(value)
    return found


def static_bytes(type_: Any) -> int:
    """The bytes of a value whose sizes are all known."""
    return int(type_.numel) * int(type_.dtype.itemsize)


def substitute(graph: Graph, swap: Mapping[Value, Value]) -> Graph:
    """The graph with values replaced, without the nodes that are no longer needed."""
    return eliminate_dead(rebuild(
        graph, lambda node, new: swap.get(node) or with_args(node, new), swap))


def _part_for(graph: Graph, outputs: tuple[Value, ...]) -> Graph:
    """What computes ``outputs``, with the inputs it reads."""
    part = eliminate_dead(Graph(graph.inputs, graph.nodes, outputs, name="prologue"))
    read = part.read
    return replace(part, inputs=tuple(i for i in graph.inputs if i in read))
