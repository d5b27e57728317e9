"""The namespace ``F`` on raw NumPy arrays: gradients without tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from eager.ops.table import TABLE
from eager.ops.types import DType, Type, dtype_of


class Raw:
    """Every op of the table as a plain function of arrays and numbers."""

    def __getattr__(self, name: str) -> Any:
        run = TABLE[name].run
        setattr(self, name, run)
        return run

    @staticmethod
    def typeof(x: Any) -> Type:
        """Element type and shape of an array, or of what stands for one that was not saved."""
        if type(x) is np.ndarray:
            return Type(dtype_of(x.dtype), x.shape)
        dtype = x.dtype
        return Type(dtype if isinstance(dtype, DType) else dtype_of(dtype), tuple(x.shape))


RAW = Raw()
