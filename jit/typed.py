"""Tensors that have a type and no data."""

from __future__ import annotations

from typing import Self

from eager.engine.tensor import Size, Tensor
from eager.ops.types import DType, Type


class TypedTensor(Tensor):
    """Stands for data that are not there: shape and dtype can be asked for, nothing else."""

    __slots__ = ("_type",)

    _type: Type

    @classmethod
    def of(cls, kind: Type) -> Self:
        """A tensor of this type, without history."""
        t = cls.__new__(cls)
        t._type = kind
        t._node = t._storage = t._view = t.grad = None
        t._needs = False
        return t

    @property
    def shape(self) -> Size:
        return Size(self._type.shape)

    @property
    def dtype(self) -> DType:
        return self._type.dtype
