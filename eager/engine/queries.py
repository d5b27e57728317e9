"""Questions about tensors and dtypes, as functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from eager.engine.dispatch import result_dtype
from eager.engine.tensor import Tensor
from eager.ops import types
from eager.ops.errors import OpError
from eager.ops.types import BF16, F32, KINDS, DType, as_dtype


def is_tensor(obj: Any) -> bool:
    """Whether ``obj`` is a Tensor."""
    return isinstance(obj, Tensor)


def is_floating_point(input: Tensor) -> bool:
    """Whether the dtype is a floating one."""
    return input.dtype.kind == "f"


def is_complex(input: Tensor) -> bool:
    """Whether the dtype is complex."""
    return input.dtype.kind == "c"


def is_nonzero(input: Tensor) -> bool:
    """Whether the one element is not 0."""
    if input.numel() != 1:
        raise OpError(f"is_nonzero: wants one element, got {list(input.shape)}")
    return bool(input)


def numel(input: Tensor) -> int:
    """The number of elements."""
    return input.numel()


def result_type(tensor1: Any, tensor2: Any) -> DType:
    """The dtype in which two operands (tensors or numbers) meet."""
    return result_dtype((tensor1, tensor2))


def promote_types(type1: Any, type2: Any) -> DType:
    """The smallest dtype that both convert to, as torch's table has it."""
    return types.promote(as_dtype(type1), as_dtype(type2))


def can_cast(from_: Any, to: Any) -> bool:
    """Whether results of one dtype may be written to tensors of another."""
    return KINDS.index(as_dtype(from_).kind) <= KINDS.index(as_dtype(to).kind)


def get_default_dtype() -> DType:
    """float32: the dtype of Python floats."""
    return F32


def set_default_dtype(d: Any) -> None:
    """float32 is the only default; others are refused."""
    if as_dtype(d) is not F32:
        raise OpError(f"the default dtype is float32, and stays so; ask for {as_dtype(d).public} "
                      f"with dtype= or Module.to()")


@dataclass(frozen=True)
class iinfo:
    """The limits of an integer dtype."""

    dtype: Any

    @property
    def _info(self) -> Any:
        return np.iinfo(as_dtype(self.dtype).numpy)

    @property
    def min(self) -> int:
        return int(self._info.min)

    @property
    def max(self) -> int:
        return int(self._info.max)

    @property
    def bits(self) -> int:
        return int(self._info.bits)


@dataclass(frozen=True)
class finfo:
    """The limits of a floating dtype."""

    dtype: Any = F32

    @property
    def _info(self) -> Any:
        kind = as_dtype(self.dtype).to_real()
        if kind is BF16:
            import ml_dtypes

            return ml_dtypes.finfo(kind.numpy)
        return np.finfo(kind.numpy)

    @property
    def eps(self) -> float:
        return float(self._info.eps)

    @property
    def min(self) -> float:
        return float(self._info.min)

    @property
    def max(self) -> float:
        return float(self._info.max)

    @property
    def tiny(self) -> float:
        return float(self._info.tiny)

    @property
    def smallest_normal(self) -> float:
        return self.tiny

    @property
    def resolution(self) -> float:
        return float(self._info.resolution)

    @property
    def bits(self) -> int:
        return as_dtype(self.dtype).to_real().itemsize * 8
