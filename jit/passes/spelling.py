"""Dims get names that no variable of a kernel has: a user's ``lo`` is not the loop's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from eager.ops.types import Type
from jit.dims import Dim, SymInt, of_index
from jit.graph import Graph, Input, Node, Value
from jit.kernels.index import Index, Var

#: Kernels use no name that ends like this.
SUFFIX = "_size"


def spell_dims(graph: Graph) -> Graph:
    """The graph with dim ``batch`` called ``batch_size`` wherever a size is written.

    Inputs and nodes whose types hold no dim stay the same objects.
    """
    dims = tuple(Dim(d.name + SUFFIX, d.min, d.max) for d in graph.dims)
    names = {d.name: Index.of(Var(new.name, None, new.min, new.max))
             for d, new in zip(graph.dims, dims, strict=True)}
    return replace(_Speller(names).graph(graph), dims=dims, relations=tuple(
        r.substitute(names) for r in graph.relations)) if dims else graph


def spoken_size(size: Index) -> Index:
    """A size of such a graph in the dims' own names."""
    return size.substitute({n: Var(n.removesuffix(SUFFIX)) for n in size.variables()})


class _Speller:
    """Rebuilds values, each once."""

    def __init__(self, names: Mapping[str, Index]) -> None:
        self.names = names
        self.values: dict[Value, Value] = {}

    def graph(self, graph: Graph) -> Graph:
        inputs = {i: self.input(i) for i in graph.inputs}
        self.values.update((i, made) for i, made in inputs.items())
        nodes = []
        for n in graph.nodes:
            nodes.append(self.node(n))
            self.values[n] = nodes[-1]
        return replace(
            graph, inputs=tuple(inputs.values()), nodes=tuple(nodes),
            outputs=tuple(self.values.get(v, v) for v in graph.outputs),
            updates=tuple((inputs[i], self.values.get(v, v)) for i, v in graph.updates))

    def input(self, i: Input) -> Input:
        kind = self.types(i.type)
        return i if kind is i.type else Input(i.name, kind, i.role)

    def node(self, node: Node) -> Node:
        args = tuple(self.values.get(a, a) for a in node.args)
        kind = self.types(node.type)
        attrs = {k: self.attribute(v) for k, v in node.attrs.items()}
        regions = tuple(map(self.graph, node.regions))
        same = (kind is node.type and not regions
                and all(a is b for a, b in zip(args, node.args, strict=True))
                and all(attrs[k] is v for k, v in node.attrs.items()))
        return node if same else replace(node, args=args, attrs=attrs, type=kind, regions=regions)

    def types(self, kind: Any) -> Any:
        """A type, or the types of the results of a node with regions."""
        if isinstance(kind, tuple):
            return tuple(map(self.types, kind))
        shape = self.attribute(kind.shape)
        return kind if shape is kind.shape else Type(kind.dtype, shape)

    def attribute(self, value: Any) -> Any:
        if isinstance(value, SymInt):
            return of_index(value.index.substitute(self.names))
        if isinstance(value, tuple):
            made = tuple(map(self.attribute, value))
            return value if all(a is b for a, b in zip(made, value, strict=True)) else made
        return value
