"""Complex values become pairs of real ones, so that every kernel computes in reals.

Where a complex value has memory of its own (arguments, results, what goes in and out of
regions), it is the pairs of numbers next to each other that NumPy has there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from eager.ops.cartesian import Parts
from eager.ops.families import Bitcast, Control
from eager.ops.op import Op
from eager.ops.types import Type
from jit.builder import Builder
from jit.graph import Const, Graph, Node, Value
from jit.passes.regions import everywhere


@everywhere
def split_complex(graph: Graph) -> Graph:
    """Every op on complex numbers becomes what its row says of their parts."""
    if not any(_is_complex(v) for n in graph.nodes for v in (n, *n.args)):
        return graph
    F = _Splitter()
    for node in graph.nodes:
        F.take(node)
    return replace(graph, outputs=tuple(map(F.whole, graph.outputs)),
                   updates=tuple((i, F.whole(v)) for i, v in graph.updates),
                   nodes=tuple(F.nodes))


def has_rule(op: Op) -> bool:
    """Whether kernels compute the op of complex numbers: its row says how, or with which others,
    or it only hands them on."""
    return op.split is not None or op.decompose is not None or _hands_on(op)


def _hands_on(op: Op) -> bool:
    return isinstance(op.kernel, (Control, Bitcast))


def _is_complex(value: Any) -> bool:
    types = value.type if isinstance(value.type, tuple) else (value.type,)
    return any(t.dtype.kind == "c" for t in types)


class _Splitter(Builder):
    """A builder whose operands may be `Parts`; it knows what became of each value."""

    def __init__(self) -> None:
        super().__init__()
        self.new: dict[Value, Value | Parts] = {}

    def take(self, node: Node) -> None:
        """Build what stands for a node."""
        self.location = node.location
        if _hands_on(node.op) or not any(map(_is_complex, (node, *node.args))):
            made = replace(node, args=tuple(map(self.whole, node.args)))
            self.nodes.append(made)
            self.new[node] = made
        else:
            self.new[node] = node.op.of_parts(self, [self.apart(a) for a in node.args], node.attrs)

    def build(self, op: Op, /, *operands: Any, **attrs: Any) -> Any:
        if any(isinstance(a, Parts) for a in operands):
            return op.of_parts(self, operands, attrs)
        return super().build(op, *operands, **attrs)

    def apart(self, value: Value) -> Value | Parts:
        """A value, a complex one in its parts."""
        found = self.new.get(value, value)
        if not isinstance(found, Parts) and _is_complex(found):
            found = self.new[value] = self._parts(found)
        return found

    def whole(self, value: Value) -> Value:
        """A value, a complex one as it lies in memory."""
        found = self.new.get(value, value)
        return self._joined(found, value.type) if isinstance(found, Parts) else found

    def _parts(self, value: Value) -> Parts:
        if isinstance(value, Const):
            return Parts(*(Const(np.array(a, order="C"), value.name)
                           for a in (value.array.real, value.array.imag)))
        kind = value.type
        pairs = self.bitcast(self.reshape(value, shape=(*kind.shape, 1)),
                             dtype=kind.dtype.to_real())
        return Parts(*(self.select(pairs, dim=kind.ndim, index=k) for k in (0, 1)))

    def _joined(self, parts: Parts, kind: Type) -> Value:
        columns = (self.reshape(p, shape=(*kind.shape, 1)) for p in parts)
        pairs = self.concat(*columns, dim=kind.ndim)
        joined: Value = self.reshape(self.bitcast(pairs, dtype=kind.dtype), shape=kind.shape)
        return joined
