"""Work that depends on weights alone is done once.

Only parameters and buffers that the graph does not update count as weights, and constants.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from eager.ops.families import Control, DimValue, Fill, Iota, Random, View
from eager.ops.types import Type
from jit.dims import is_symbolic
from jit.graph import Graph, Input, Node, Value
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
    folded = main.inputs[len(main.inputs) - len(prologue.outputs):]
    used = {a for n in main.nodes for a in n.args} | set(main.results) | {
        i for i, _ in main.updates} | set(folded)
    return prologue, replace(main, inputs=tuple(
        i for i in main.inputs if i.role == "argument" or i in used))


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
    return bool(leaves) and _bytes(node.type) <= MAX_GROWTH * sum(_bytes(v.type) for v in leaves)


def leaves_of(value: Value) -> list[Value]:
    """The inputs and constants that a value is made of, those of first operands first."""
    found: list[Value] = []
    seen: set[Value] = set()
    stack: list[Value] = [value]
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


def _bytes(type_: Any) -> int:
    return int(type_.numel) * int(type_.dtype.itemsize)


def substitute(graph: Graph, swap: dict[Value, Value]) -> Graph:
    """The graph with values replaced, without the nodes that are no longer needed."""
    new: dict[Value, Value] = dict(swap)
    nodes = []
    for node in graph.nodes:
        if node in swap:
            continue
        made = with_args(node, new)
        nodes.append(made)
        new[node] = made
    return eliminate_dead(replace(
        graph, nodes=tuple(nodes), outputs=tuple(new.get(v, v) for v in graph.outputs),
        updates=tuple((i, new.get(v, v)) for i, v in graph.updates)))


def with_args(node: Node, new: dict[Value, Value]) -> Node:
    """The node with operands replaced."""
    args = tuple(new.get(a, a) for a in node.args)
    return node if args == node.args else replace(node, args=args)


def _part_for(graph: Graph, outputs: tuple[Value, ...]) -> Graph:
    """What computes ``outputs``, with the inputs it reads."""
    part = eliminate_dead(Graph(graph.inputs, graph.nodes, outputs, name="prologue"))
    read = {a for n in part.nodes for a in n.args}
    return replace(part, inputs=tuple(i for i in graph.inputs if i in read))
