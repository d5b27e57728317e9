"""Functions that make tensors out of nothing, out of Python values and out of NumPy arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from eager.engine.dispatch import apply, constant
from eager.engine.tape import storage_of
from eager.engine.tensor import Tensor
from eager.ops.creation import check_placement
from eager.ops.errors import OpError
from eager.ops.table import TABLE
from eager.ops.types import BOOL, C64, F32, F64, I64, DType, as_dtype, scalar_dtype


# --- out of data -------------------------------------------------------------------------------
def tensor(data: Any, dtype: Any = None, requires_grad: bool = False, *, device: Any = None,
           pin_memory: bool = False) -> Tensor:
    """A new tensor with a copy of ``data`` (numbers, nested sequences, an array, a tensor).

    Python floats become float32, ints int64, bools bool, complex numbers complex64.
    """
    check_placement(device, pin_memory=pin_memory)
    if hasattr(data, "__dim__") or hasattr(data, "__real__"):  # a tracer's number
        kind = as_dtype(dtype or (I64 if hasattr(data, "__dim__") else F32))
        return _made(constant(data, kind), requires_grad)
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
    if isinstance(data, Sequence) and data and isinstance(data[0], (Tensor, np.ndarray)):
        rows = [np.asarray(x.detach() if isinstance(x, Tensor) else x) for x in data]
        if len({r.shape for r in rows}) > 1:
            raise OpError("a sequence of tensors that becomes one has tensors of one shape")
        return np.array(rows)
    try:
        array = np.array(data)
    except ValueError:
        raise OpError(f"nested sequences must have equal lengths: {data!r:.80}") from None
    if array.dtype.kind not in "bifc":
        raise OpError(f"a tensor is made of numbers, got {data!r:.80}")
    if exact:
        return array
    if array.size == 0 and not isinstance(data, np.ndarray):
        return array.astype(F32.numpy)
    return array.astype({"b": BOOL, "i": I64, "f": F32, "c": C64}[array.dtype.kind].numpy)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor of ``data`` that shares its memory where it can."""
    check_placement(device)
    if isinstance(data, Tensor):
        return data if dtype is None else data.to(as_dtype(dtype))
    if isinstance(data, np.ndarray):
        return from_numpy(data if dtype is None
                          else data.astype(as_dtype(dtype).numpy, copy=False))
    return tensor(data, dtype)


def asarray(obj: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None,
            requires_grad: bool = False) -> Tensor:
    """A tensor of ``obj``: a copy if ``copy``, never one if that is False (None: if it must)."""
    given = obj if isinstance(obj, (Tensor, np.ndarray)) else None
    if copy is False and (given is None or (dtype is not None and as_tensor(given).dtype
                                            is not as_dtype(dtype))):
        raise OpError("asarray: this cannot be done without a copy; leave copy out")
    result = as_tensor(obj, dtype, device)
    if isinstance(obj, Tensor) and not requires_grad:
        result = result.detach()
    if copy and given is not None:
        result = result.clone()
    return result.requires_grad_() if requires_grad else result


def from_numpy(ndarray: np.ndarray[Any, Any]) -> Tensor:
    """A tensor over the memory of an array."""
    if not isinstance(ndarray, np.ndarray):
        raise OpError(f"from_numpy wants a numpy.ndarray, got {type(ndarray).__name__}")
    result = Tensor(ndarray)
    storage_of(result)  # shared: never laid anew
    return result


def frombuffer(buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0,
               requires_grad: bool = False) -> Tensor:
    """A vector over the memory of an object with the buffer protocol."""
    kind = as_dtype(dtype)
    size = memoryview(buffer).nbytes
    if not 0 <= offset < max(size, 1):
        raise OpError(f"frombuffer: offset {offset} lies outside of the {size} bytes")
    if count < 0 and (size - offset) % kind.itemsize:
        raise OpError(f"frombuffer: {size - offset} bytes are no whole number of {kind.public}")
    if count * kind.itemsize > size - offset:
        raise OpError(f"frombuffer: {count} elements of {kind.public} want more than "
                      f"{size - offset} bytes")
    result = from_numpy(np.frombuffer(buffer, kind.numpy, count, offset))
    return result.requires_grad_() if requires_grad else result


# --- one value ---------------------------------------------------------------------------------
def _shape(size: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = tuple(size[0])
    for d in size:
        if not hasattr(d, "__dim__") and d < 0:
            raise OpError(f"a size is not negative, got {tuple(size)}")
    return tuple(d if hasattr(d, "__dim__") else int(d) for d in size)


def _made(result: Tensor, requires_grad: bool) -> Tensor:
    return result.requires_grad_() if requires_grad else result


def full(size: Any, fill_value: Any, *, dtype: Any = None, layout: Any = None, device: Any = None,
         requires_grad: bool = False, pin_memory: bool = False) -> Tensor:
    """A tensor of shape ``size`` with every element ``fill_value``."""
    check_placement(device, layout, pin_memory)
    if isinstance(fill_value, (Tensor, np.generic)):
        fill_value = fill_value.item()
    if hasattr(fill_value, "__dim__") or hasattr(fill_value, "__real__"):  # a tracer's number
        value = tensor(fill_value, dtype)
        return _made(full(size, 1, dtype=value.dtype) * value, requires_grad)
    kind: DType = scalar_dtype(fill_value) if dtype is None else as_dtype(dtype)
    value = bool(fill_value) if kind is BOOL else fill_value
    attrs = {"shape": _shape((size,)), "value": value, "dtype": kind}
    return _made(apply(TABLE["full"], (), attrs), requires_grad)


def zeros(*size: Any, dtype: Any = None, layout: Any = None, device: Any = None,
          requires_grad: bool = False, pin_memory: bool = False) -> Tensor:
    """A tensor of zeros."""
    return full(_shape(size), 0, dtype=dtype or F32, layout=layout, device=device,
                requires_grad=requires_grad, pin_memory=pin_memory)


def ones(*size: Any, dtype: Any = None, layout: Any = None, device: Any = None,
         requires_grad: bool = False, pin_memory: bool = False) -> Tensor:
    """A tensor of ones."""
    return full(_shape(size), 1, dtype=dtype or F32, layout=layout, device=device,
                requires_grad=requires_grad, pin_memory=pin_memory)


def empty(*size: Any, dtype: Any = None, layout: Any = None, device: Any = None,
          requires_grad: bool = False, pin_memory: bool = False,
          memory_format: Any = None) -> Tensor:
    """A tensor with unspecified contents (zeros: nothing here is ever uninitialised)."""
    check_placement(memory_format=memory_format)
    return zeros(*size, dtype=dtype, layout=layout, device=device, requires_grad=requires_grad,
                 pin_memory=pin_memory)


def empty_strided(size: Sequence[int], stride: Sequence[int], *, dtype: Any = None,
                  layout: Any = None, device: Any = None, requires_grad: bool = False,
                  pin_memory: bool = False) -> Tensor:
    """A tensor of zeros whose neighbours along dim ``k`` lie ``stride[k]`` elements apart."""
    check_placement(device, layout, pin_memory)
    room = 1 + sum((d - 1) * s for d, s in zip(size, stride, strict=True)) if all(size) else 0
    flat = np.zeros(room, as_dtype(dtype or F32).numpy)
    steps = [s * flat.itemsize for s in stride]
    return Tensor(np.lib.stride_tricks.as_strided(flat, tuple(size), steps), requires_grad)


# --- lines of numbers --------------------------------------------------------------------------
def arange(start: Any, end: Any = None, step: Any = 1, *, dtype: Any = None, layout: Any = None,
           device: Any = None, requires_grad: bool = False, pin_memory: bool = False) -> Tensor:
    """Numbers from ``start`` (0 if only one is given) up to but not including ``end``."""
    check_placement(device, layout, pin_memory)
    if end is None:
        start, end = 0, start
    start, end, step = (n.item() if isinstance(n, (Tensor, np.generic)) else n
                        for n in (start, end, step))
    if type(step) in (int, float) and step == 0:
        raise OpError("arange: step must not be 0")
    numbers = (start, end, step)
    floating = any(type(n) is float for n in numbers)
    kind = as_dtype(dtype) if dtype is not None else F32 if floating else I64
    size = math.ceil((end - start) / step) if floating else -((start - end) // step)
    if type(size) is int and size < 0:
        raise OpError(f"arange: the end {end} lies before the start {start} by the step {step}")
    if floating and kind.kind in "ib":
        start, step = int(start), int(step)
    attrs = {"start": start, "step": step, "size": size, "dtype": kind}
    return _made(apply(TABLE["iota"], (), attrs), requires_grad)


def eye(n: int, m: int | None = None, *, dtype: Any = None, layout: Any = None,
        device: Any = None, requires_grad: bool = False, pin_memory: bool = False) -> Tensor:
    """The identity matrix, ``n`` by ``m``."""
    check_placement(device, layout, pin_memory)
    rows = arange(n).reshape(n, 1)
    columns = arange(m if m is not None else n)
    return _made((rows == columns).to(dtype or F32), requires_grad)


def linspace(start: Any, end: Any, steps: int, *, dtype: Any = None, layout: Any = None,
             device: Any = None, requires_grad: bool = False, pin_memory: bool = False) -> Tensor:
    """``steps`` numbers from ``start`` to ``end``, both included."""
    check_placement(device, layout, pin_memory)
    if steps < 0:
        raise OpError(f"linspace: the number of steps is not negative, got {steps}")
    if hasattr(steps, "__dim__"):
        kth = arange(steps, dtype=F64)
        among = kth * ((end - start) / (steps - 1)) + start
        among[-1] = end
        return _made(among.to(dtype or F32), requires_grad)
    line = np.linspace(float(start), float(end), steps)
    kind = as_dtype(dtype or F32).numpy
    return Tensor((np.trunc(line) if kind.kind in "iu" else line).astype(kind), requires_grad)


def logspace(start: Any, end: Any, steps: int, base: float = 10.0, *, dtype: Any = None,
             layout: Any = None, device: Any = None, requires_grad: bool = False,
             pin_memory: bool = False) -> Tensor:
    """``base`` to the powers that `linspace` gives."""
    check_placement(device, layout, pin_memory)
    if steps < 0:
        raise OpError(f"logspace: the number of steps is not negative, got {steps}")
    line = np.float64(base) ** np.linspace(float(start), float(end), steps)
    return Tensor(line.astype(as_dtype(dtype or F32).numpy), requires_grad)


# --- coordinates of triangles ------------------------------------------------------------------
def _coordinates(found: Any, dtype: Any, device: Any, layout: Any) -> Tensor:
    check_placement(device, layout)
    return Tensor(np.stack(found).astype(as_dtype(dtype or I64).numpy))


def tril_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None,
                 layout: Any = None) -> Tensor:
    """Rows above columns of the elements of a matrix's lower triangle."""
    return _coordinates(np.tril_indices(row, offset, col), dtype, device, layout)


def triu_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None,
                 layout: Any = None) -> Tensor:
    """Rows above columns of the elements of a matrix's upper triangle."""
    return _coordinates(np.triu_indices(row, offset, col), dtype, device, layout)
