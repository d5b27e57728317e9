"""What is computed twice is computed once."""

from __future__ import annotations

from typing import Any

from eager.ops.families import Reduce
from eager.ops.types import DType
from jit.builder import Builder
from jit.dims import SymInt
from jit.graph import Const, Graph, Node, Value, rewrite
from jit.passes.regions import everywhere

SMALL = 16  #: elements up to which constants are compared by their bytes


@everywhere
def eliminate_common(graph: Graph) -> Graph:
    """Nodes with the same op, operands and attributes become the first of them.

    Attributes are the same if their types are too: ``1``, ``1.0`` and ``True`` differ, and so
    do ``0.0`` and ``-0.0``.  Operands of a commutative op may come in either order.  Of two
    reductions that differ in ``keepdim`` the second becomes a reshape of the first.  Nodes
    with regions stay.  A draw is a pure function of its stream's state, so equal draws merge.
    """
    first: dict[Any, Node] = {}

    def swap(node: Node) -> Node:
        if node.regions:
            return node
        found = first.setdefault(_key(node), node)
        same = found.attrs.get("keepdim") is node.attrs.get("keepdim")
        return found if same else _reshaped(found, node)

    return rewrite(graph, swap)


def _key(node: Node) -> Any:
    """What two nodes share exactly if they compute the same elements."""
    operands = [_operand(a) for a in node.args]
    if node.op.commutative:
        operands.sort(key=repr)
    attrs = dict(node.attrs)
    if isinstance(node.op.kernel, Reduce):
        attrs.pop("keepdim", None)
    return node.op.name, id(node.op), tuple(operands), _typed(attrs)


def _reshaped(found: Node, node: Node) -> Node:
    F = Builder(node.location)
    made = F.reshape(found, shape=node.type.shape)
    assert isinstance(made, Node)
    return made


def _operand(value: Value) -> Any:
    if isinstance(value, Const) and value.array.size <= SMALL:
        return value.type.dtype.name, value.array.shape, value.array.tobytes()
    return id(value)


def _typed(value: Any) -> Any:
    """A hashable key of an attribute that keeps types and the signs of zeros apart."""
    if isinstance(value, dict):
        return tuple((k, _typed(v)) for k, v in sorted(value.items()))
    if isinstance(value, tuple):
        return tuple(map(_typed, value))
    if isinstance(value, SymInt):
        return "size", value.index
    if isinstance(value, DType):
        return "dtype", value.name
    return type(value).__name__, repr(value)
