"""The two ways of walking the tape: on arrays, or on tensors that are taped in their turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from eager.engine.raw import RAW, RAW_WIDE
from eager.engine.tape import Node
from eager.ops.types import DType, dtype_of

if TYPE_CHECKING:
    from eager.engine.tensor import Tensor


class OnArrays:
    """Gradients as NumPy arrays."""

    F: Any = RAW
    wide: Any = RAW_WIDE

    def value(self, t: Tensor) -> Any:
        return t._array

    def number(self, number: Any, dtype: Any) -> Any:
        return np.asarray(number, dtype)

    def tensor(self, g: Any) -> Any:
        """A gradient as users see it."""
        from eager.engine.tensor import Tensor

        return Tensor(np.asarray(g))

    def fits(self, have: tuple[Any, ...], entry: Any) -> bool:
        """Whether a gradient has the shape of what it goes to."""
        want: tuple[Any, ...] = getattr(entry, "_array", entry).shape
        return have == want

    def out(self, node: Node) -> Any:
        value = node.out
        return value._array if hasattr(value, "_array") else value


class OnTensors:
    """Gradients as tensors, whose ops are taped or recorded in their turn."""

    def __init__(self) -> None:
        from eager.engine.tensor import TAPED

        self.F: Any = TAPED
        self.wide: Any = TAPED

    def value(self, t: Tensor) -> Any:
        return t

    def number(self, number: Any, dtype: Any) -> Any:
        kind = dtype if isinstance(dtype, DType) else dtype_of(dtype)
        return self.F.full(shape=(), value=number, dtype=kind)

    def tensor(self, g: Any) -> Any:
        return g

    def fits(self, have: tuple[Any, ...], entry: Any) -> bool:
        # Whether a symbolic size is 1 cannot be asked, and a broadcast dim is a plain 1.
        want = entry.shape
        return len(have) == len(want) and all(
            type(a) is type(b) and a == b for a, b in zip(have, want, strict=True))

    def out(self, node: Node) -> Any:
        from eager.engine.tensor import Tensor

        value = node.out
        if value is None or isinstance(value, Tensor):
            return value
        out = Tensor(value)
        out._node, out._needs, out._storage = node, True, node.storage
        return out
