"""Functions that make tensors out of nothing, out of Python values and out of NumPy arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from eager.engine.dispatch import apply
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError
from eager.ops.table import TABLE
from eager.ops.types import BOOL, F32, I64, DType, as_dtype, scalar_dtype


def tensor(data: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A new tensor with a copy of ``data`` (numbers, nested sequences, an array, a tensor).

    Python floats become float32, ints int64, bools bool.
    """
    if isinstance(data, Tensor):
        array = data.numpy() if not data.requires_grad else data.detach().numpy()
    elif isinstance(data, (np.ndarray, np.generic)):
        array = np.asarray(data)
    else:
        array = _nested(data, exact=dtype is not None)
    want = array.dtype if dtype is None else as_dtype(dtype).numpy
    return Tensor(np.array(array, dtype=want), requires_grad)


def _nested(data: Any, exact: bool) -> np.ndarray[Any, Any]:
    """An array of Python values; ``exact`` keeps NumPy's wide types for a later conversion."""
    try:
        array = np.array(data)
    except ValueError:
        raise OpError(f"nested sequences must have equal lengths: {data!r:.80}") from None
    if array.dtype.kind not in "bif":
        if isinstance(data, Sequence) and any(isinstance(x, Tensor) for x in data):
            return np.array([np.asarray(x) for x in data])
        raise OpError(f"a tensor is made of numbers, got {data!r:.80}")
    if exact:
        return array
    if array.size == 0 and not isinstance(data, np.ndarray):
        return array.astype(F32.numpy)
    return array.astype({"b": BOOL, "i": I64, "f": F32}[array.dtype.kind].numpy)


def as_tensor(data: Any, dtype: Any = None) -> Tensor:
    """A tensor of ``data`` that shares its memory where it can."""
    if isinstance(data, Tensor):
        return data if dtype is None else data.to(as_dtype(dtype))
    if isinstance(data, np.ndarray):
        return Tensor(data if dtype is None else data.astype(as_dtype(dtype).numpy, copy=False))
    return tensor(data, dtype)


def from_numpy(array: np.ndarray[Any, Any]) -> Tensor:
    """A tensor over the memory of ``array``."""
    if not isinstance(array, np.ndarray):
        raise OpError(f"from_numpy wants a numpy.ndarray, got {type(array).__name__}")
    return Tensor(array)


def _shape(size: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = tuple(size[0])
    for d in size:
        if not hasattr(d, "__dim__") and d < 0:
            raise OpError(f"a size is not negative, got {tuple(size)}")
    return tuple(d if hasattr(d, "__dim__") else int(d) for d in size)


def _made(result: Tensor, requires_grad: bool) -> Tensor:
    return result.requires_grad_() if requires_grad else result


def full(size: Any, fill_value: Any, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of shape ``size`` with every element ``fill_value``."""
    kind: DType = scalar_dtype(fill_value) if dtype is None else as_dtype(dtype)
    attrs = {"shape": _shape((size,)), "value": fill_value, "dtype": kind}
    return _made(apply(TABLE["full"], (), attrs), requires_grad)


def zeros(*size: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of zeros."""
    return full(_shape(size), 0, dtype=dtype or F32, requires_grad=requires_grad)


def ones(*size: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of ones."""
    return full(_shape(size), 1, dtype=dtype or F32, requires_grad=requires_grad)


def empty(*size: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor with unspecified contents (zeros: nothing here is ever uninitialised)."""
    return zeros(*size, dtype=dtype, requires_grad=requires_grad)


def arange(start: Any, end: Any = None, step: Any = 1, *, dtype: Any = None,
           requires_grad: bool = False) -> Tensor:
    """Numbers from ``start`` (0 if only one is given) up to but not including ``end``."""
    if end is None:
        start, end = 0, start
    if type(step) in (int, float) and step == 0:
        raise OpError("arange: step must not be 0")
    numbers = (start, end, step)
    floating = any(type(n) is float for n in numbers)
    kind = as_dtype(dtype) if dtype is not None else (F32 if floating else I64)
    size = (int(np.ceil((end - start) / step)) if floating else -((start - end) // step))
    if type(size) is int:
        size = max(size, 0)
    attrs = {"start": start, "step": step, "size": size, "dtype": kind}
    return _made(apply(TABLE["iota"], (), attrs), requires_grad)


def eye(n: int, m: int | None = None, *, dtype: Any = None) -> Tensor:
    """The identity matrix, ``n`` by ``m``."""
    rows = arange(n).reshape(n, 1)
    columns = arange(m if m is not None else n).reshape(1, -1)
    return (rows == columns).to(dtype or F32)


def linspace(start: float, end: float, steps: int, *, dtype: Any = None) -> Tensor:
    """``steps`` numbers from ``start`` to ``end``, both included."""
    return Tensor(np.linspace(start, end, steps).astype(as_dtype(dtype or F32).numpy))
