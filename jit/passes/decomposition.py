"""Ops without a kernel of their own, spelled with ops that have one."""

from __future__ import annotations

from typing import Any

from eager.ops.op import Op
from jit.builder import Builder
from jit.graph import Graph, Node, Value, rewrite
from jit.passes.regions import everywhere


@everywhere
def decompose(graph: Graph) -> Graph:
    """Every op that says how it decomposes becomes that composition; the rest stays."""
    return rewrite(graph, _decomposed)


def _decomposed(node: Node) -> Any:
    if node.op.decompose is None:
        return node
    F = _Decomposer(node.location)
    return F.up_to(F.build(node.op, *node.args, **node.attrs))


class _Decomposer(Builder):
    """A builder that decomposes what it is told to build, until nothing is left to."""

    def build(self, op: Op, /, *operands: Any, **attrs: Any) -> Value:
        if op.decompose is None:
            return super().build(op, *operands, **attrs)
        made: Value = op.decompose(self, *operands, **attrs)
        return made
