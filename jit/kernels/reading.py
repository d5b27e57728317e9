"""How values are read: in memory, through views, as expressions of an index."""

from __future__ import annotations

from typing import Any

from eager.ops import families as fam
from eager.ops.types import Shape
from jit.dims import same_size, to_index
from jit.graph import Node, Value
from jit.kernels.index import Index, Var, linear

#: Families whose value at an index is an expression, without memory of its own.
_INLINE = (fam.View, fam.Fill, fam.Iota, fam.DimValue)


def is_inline(value: Value) -> bool:
    """Whether a value is computed where it is read."""
    return isinstance(value, Node) and isinstance(value.op.kernel, _INLINE)


def root_of(value: Value) -> Value:
    """What a chain of views looks into."""
    while isinstance(value, Node) and isinstance(value.op.kernel, fam.View):
        value = value.args[0]
    return value


def renamed(value: Value) -> Value:
    """The value whose memory this is: reshapes of it only give it another shape."""
    while (isinstance(value, Node) and isinstance(value.op.kernel, fam.View)
           and value.op.kernel.renames):
        value = value.args[0]
    return value


def same_shape(a: Shape, b: Shape) -> bool:
    """Whether two shapes are equal for every value of their dims."""
    return len(a) == len(b) and all(map(same_size, a, b))


def is_one(d: Any) -> bool:
    """Whether a dim is 1 for sure: a dynamic one never counts as it."""
    return type(d) is int and d == 1


def loop_index(shape: Shape, prefix: str = "i") -> tuple[Index, ...]:
    """Loop variables over a shape."""
    return tuple(
        Index.of(Var(f"{prefix}{k}", to_index(d))) if not is_one(d) else Index(())
        for k, d in enumerate(shape))


def through(node: Node, index: tuple[Index, ...]) -> tuple[Index, ...]:
    """The operand's index that a view reads for ``index``."""
    view = node.op.kernel
    assert isinstance(view, fam.View)
    source = tuple(map(to_index, node.args[0].type.shape))
    own = tuple(map(to_index, node.type.shape))
    return tuple(map(Index.of, view.index(index, source, own, **node.attrs)))


def operand_index(node: Node, value: Value, index: tuple[Index, ...]) -> tuple[Index, ...]:
    """The index of an operand of a pointwise node: broadcast dims stay at 0."""
    shape = value.type.shape
    offset = len(node.type.shape) - len(shape)
    return tuple(Index(()) if is_one(d) else index[offset + k] for k, d in enumerate(shape))


def matrix_strides(value: Value) -> tuple[Value, Index, tuple[Index, ...]] | None:
    """(memory, offset, strides) of an operand seen through views, all in elements."""
    index = loop_index(value.type.shape, "m")
    names = [f"m{k}" for k in range(len(index))]
    while isinstance(value, Node) and isinstance(value.op.kernel, fam.View):
        if value.op.kernel.valid is not None:
            return None
        index, value = through(value, index), value.args[0]
    if is_inline(value):
        return None
    flat = linear(index, tuple(map(to_index, value.type.shape)))
    strides = []
    for name in names:
        c = flat.coefficient(name)
        if c is None:
            return None
        strides.append(c)
        flat = flat.substitute({name: 0})
    return value, flat, tuple(strides)
