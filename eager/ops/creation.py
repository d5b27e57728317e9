"""Operators that make tensors out of attributes alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from eager.ops import cartesian
from eager.ops.errors import OpError
from eager.ops.families import DimValue, Fill, Iota
from eager.ops.op import Example, Op
from eager.ops.types import BOOL, F32, F64, I64, DType, Shape, Type


def check_placement(device: Any = None, layout: Any = None, pin_memory: bool = False,
                    memory_format: Any = None) -> None:
    """Raise OpError for where or how a tensor cannot lie: it is dense, on the CPU, row-major."""
    if device is not None and str(device).partition(":")[0] != "cpu":
        raise OpError(f"device {str(device)!r} is not available; eager tensors live on 'cpu', and "
                      f"jit compiles for other targets")
    if layout is not None and not str(layout).endswith("strided"):
        raise OpError(f"layout {layout} is not available; tensors are dense")
    if pin_memory:
        raise OpError("pin_memory: memory is pinned for an accelerator, and tensors live on 'cpu'")
    if memory_format is not None and not str(memory_format).endswith(
            ("preserve_format", "contiguous_format")):
        raise OpError(f"memory_format {memory_format} is not available; elements lie row by row")


def _filled(*, shape: tuple[int, ...], value: Any, dtype: DType) -> Type:
    if type(value) not in (bool, int, float, complex):
        raise OpError(f"the value is a number, got {value!r}")
    return Type(dtype, shape)


def _counted(*, start: Any, step: Any, size: int, dtype: DType) -> Type:
    if dtype is BOOL:
        raise OpError("bools cannot be counted")
    return Type(dtype, (size,))


def _run_iota(*, start: Any, step: Any, size: int, dtype: DType) -> Any:
    if dtype.kind == "i":
        return np.arange(size, dtype=dtype.numpy) * step + np.asarray(start, dtype.numpy)
    return (start + step * np.arange(size, dtype=np.float64)).astype(dtype.numpy)


def _run_full(*, shape: Shape, value: Any, dtype: DType) -> Any:
    return np.full(shape, value, dtype.numpy)


def _scalar(*, value: int) -> Type:
    return Type(I64, ())


full = Op("full", "A tensor of one value.", _filled, Fill(), forward=_run_full, spelling=None,
          split=cartesian.full, onnx="ConstantOfShape", examples=(
              Example((), {"shape": (2, 3), "value": 1.5, "dtype": F32}),
              Example((), {"shape": (), "value": True, "dtype": BOOL}),
              Example((), {"shape": (0, 2), "value": -3, "dtype": I64})))
iota = Op("iota", "start, start + step, ... : size numbers.", _counted, Iota(), forward=_run_iota,
          spelling=None, onnx="Range", examples=(
              Example((), {"start": 2, "step": 3, "size": 5, "dtype": I64}),
              Example((), {"start": 0.5, "step": 0.25, "size": 4, "dtype": F64})))
dim = Op("dim", "A size as a 0-d int64.", _scalar, DimValue(),
         forward=lambda *, value: np.asarray(value, np.int64), spelling=None,
         examples=(Example((), {"value": 7}),))

OPS = (full, iota, dim)
