"""The graph: a straight line of immutable typed nodes; a node *is* the value it defines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from eager.ops.op import Op
from eager.ops.types import Type
from jit.dims import Dim
from jit.relations import Relation

#: What a value from outside is: given by the caller, or state found by name.
ROLES = ("argument", "parameter", "buffer", "optimizer", "stream")


@dataclass(frozen=True, slots=True)
class Location:
    """Where in the user's code a node was made, and in which module."""

    file: str = ""
    line: int = 0
    function: str = ""
    scope: tuple[str, ...] = ()

    def __str__(self) -> str:
        place = f"{self.file}:{self.line} {self.function}".strip() if self.file else ""
        return " > ".join(p for p in (place, ".".join(self.scope)) if p)


@dataclass(frozen=True, slots=True, eq=False)
class Input:
    """A value given from outside: an argument of the call, or state by name."""

    name: str
    type: Type
    role: str = "argument"


@dataclass(frozen=True, slots=True, eq=False)
class Const:
    """An array held beside the graph; prints as ``@k``."""

    array: np.ndarray[Any, Any]
    name: str = ""  #: where it came from

    @property
    def type(self) -> Type:
        return Type.of(self.array)


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One op applied.

    Of an op with regions (``cond``) ``type`` is a tuple and op ``result`` picks from it.
    """

    op: Op
    args: tuple[Value, ...]
    attrs: Mapping[str, Any]
    type: Any
    regions: tuple[Graph, ...] = ()
    location: Location = Location()

    def __str__(self) -> str:
        return f"{self.op.name}({', '.join(str(a.type) for a in self.args)})"


Value = Input | Const | Node


@dataclass(frozen=True, eq=False)
class Graph:
    """Values in, nodes in an order of evaluation, values out, and state that is replaced.

    ``updates`` pairs an input with the value it has after the call; ``relations`` is what the
    sizes of every call meet.
    """

    inputs: tuple[Input, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[Value, ...]
    updates: tuple[tuple[Input, Value], ...] = ()
    dims: tuple[Dim, ...] = ()
    name: str = field(default="graph", compare=False)
    relations: tuple[Relation, ...] = ()

    @property
    def results(self) -> tuple[Value, ...]:
        """Every value wanted at the end."""
        return (*self.outputs, *(v for _, v in self.updates))

    @property
    def read(self) -> set[Value]:
        """Every value that a node reads or that is wanted at the end."""
        return {a for n in self.nodes for a in n.args} | set(self.results)

    @property
    def consts(self) -> tuple[Const, ...]:
        """The arrays beside the graph and its regions, in order of first use."""
        found: dict[Const, None] = {}
        for node in self.nodes:
            found.update((a, None) for a in node.args if isinstance(a, Const))
            for region in node.regions:
                found.update((c, None) for c in region.consts)
        found.update((v, None) for v in self.results if isinstance(v, Const))
        return tuple(found)

    def __str__(self) -> str:
        from jit.text import print_graph

        return print_graph(self)


def rewrite(graph: Graph, swap: Any) -> Graph:
    """The graph with each node replaced by ``swap(node)``, whose operands are already new.

    ``swap`` returns a value (the node itself, an operand, a const, a new node), or a list of
    nodes of which the last takes its place.
    """
    return rebuild(graph, lambda node, new: swap(with_args(node, new)))


def rebuild(graph: Graph, make: Callable[[Node, Mapping[Value, Value]], Any],
            begun: Mapping[Value, Value] | None = None) -> Graph:
    """The graph with ``make(node, new)`` for each node, as `rewrite` takes it.

    The node is the old one; ``new`` tells what took the place of earlier values, and begins as
    ``begun``.
    """
    new: dict[Value, Value] = dict(begun or {})
    nodes: dict[Node, None] = {}
    for node in graph.nodes:
        made = make(node, new)
        if isinstance(made, list):
            nodes.update((n, None) for n in made)
            made = made[-1]
        elif isinstance(made, Node):
            nodes[made] = None
        new[node] = made
    return replace(graph, nodes=tuple(nodes),
                   outputs=tuple(new.get(v, v) for v in graph.outputs),
                   updates=tuple((i, new.get(v, v)) for i, v in graph.updates))


def with_args(node: Node, new: Mapping[Value, Value]) -> Node:
    """The node with operands replaced."""
    args = tuple(new.get(a, a) for a in node.args)
    return node if args == node.args else replace(node, args=args)


def without_unread_state(graph: Graph) -> Graph:
    """The graph without state that it neither reads nor writes; arguments stay."""
    used = graph.read | {i for i, _ in graph.updates}
    return replace(graph, inputs=tuple(
        i for i in graph.inputs if i.role == "argument" or i in used))


def users(graph: Graph) -> dict[Value, list[Node]]:
    """Who reads each value (results are no readers)."""
    found: dict[Value, list[Node]] = {}
    for node in graph.nodes:
        for a in node.args:
            found.setdefault(a, []).append(node)
    return found


def walk(graph: Graph) -> Iterator[Node]:
    """Every node, also inside regions."""
    for node in graph.nodes:
        yield node
        for region in node.regions:
            yield from walk(region)
