"""RAW: the namespace ``F`` on NumPy arrays, where gradients run that nobody records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from eager.ops.op import Op
from eager.ops.table import TABLE
from eager.ops.types import DType, Type, dtype_of


class Raw:
    """Every op of a table as a call on arrays, unchecked: its operands were checked going forward.

    Results of 0-d operands may be NumPy scalars.
    """

    def __init__(self, table: Mapping[str, Op]) -> None:
        self._table = table

    def __getattr__(self, name: str) -> Callable[..., Any]:
        try:
            run = self._runner(self._table[name])
        except KeyError:
            raise AttributeError(f"no op is named {name!r}") from None
        setattr(self, name, run)
        return run

    def _runner(self, op: Op) -> Callable[..., Any]:
        return op.run

    @staticmethod
    def typeof(x: Any) -> Type:
        """Element type and shape of an array, or of an operand that was not saved."""
        dtype = x.dtype
        return Type(dtype if isinstance(dtype, DType) else dtype_of(dtype), tuple(x.shape))


class RawWide(Raw):
    """The same where half floats may be among the operands: they are computed in float32."""

    def _runner(self, op: Op) -> Callable[..., Any]:
        def run(*operands: Any, **attrs: Any) -> Any:
            arrays = [np.asarray(a) if isinstance(a, np.generic) else a for a in operands]
            if any(is_half(a.dtype) for a in arrays if isinstance(a, np.ndarray)):
                return op.run_wide(arrays, attrs)
            return op.run(*arrays, **attrs)

        return run


def is_half(dtype: Any) -> bool:
    """Whether a NumPy dtype is float16 or bfloat16."""
    return dtype is _F16 or dtype.kind == "V"  # ml_dtypes' own kind


_F16 = np.dtype(np.float16)
RAW = Raw(TABLE)
RAW_WIDE = RawWide(TABLE)
