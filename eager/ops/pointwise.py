"""The elementwise operators, by topic, and those that only carry elements on."""

from __future__ import annotations

from typing import Any

import numpy as np

from eager.ops import (
    activations,
    arithmetic,
    blends,
    cartesian,
    comparisons,
    elementary,
    rounding,
    special,
)
from eager.ops import scalar as s
from eager.ops.elementwise import EVERYWHERE, no_bool, number, unary
from eager.ops.families import Pointwise
from eager.ops.op import Example, Op, Spelling
from eager.ops.types import BOOL, F32, F64, I32, I64, DType, Type


def _converted(x: Type, /, *, dtype: DType) -> Type:
    return Type(dtype, x.shape)


def _grad_cast(F: Any, g: Any, out: Any, x: Any, *, dtype: DType) -> tuple[Any, ...]:
    source = F.typeof(x).dtype
    if source.kind not in "fc" or dtype.kind not in "fc":
        return (None,)
    if dtype.kind == "c" and source.kind == "f":
        g = F.real(g)
    return (F.cast(g, dtype=source),)


def _run_cast(x: Any, *, dtype: DType) -> Any:
    if x.dtype.kind == "f" and dtype.kind == "i":
        return _saturated(x, dtype)
    return (x.real if x.dtype.kind == "c" and dtype.kind in "if" else x).astype(dtype.numpy)


def _saturated(x: Any, dtype: DType) -> Any:
    """Towards zero; the nearest integer that there is beyond the range, 0 for NaN."""
    low, high = np.iinfo(dtype.numpy).min, np.iinfo(dtype.numpy).max
    # float(high) rounds up to 2**63 for int64, so both comparisons decide for what it holds.
    below, above = x <= float(low), x >= float(high)
    inside = ~(below | above | np.isnan(x))
    if np.all(inside):
        return x.astype(dtype.numpy)
    return np.where(below, low, np.where(above, high, np.where(inside, x, 0).astype(dtype.numpy))
                    ).astype(dtype.numpy)


_BEYOND = np.array([0.5, -1.5, 2.0**31, -2.0**40, 1e30, -1e30, np.inf, -np.inf, np.nan])

relu = unary("relu", "max(x, 0).",
             lambda F, g, out, x: (F.where(F.gt(out, 0), g, 0.0),), saves=("out",),
             infer=number, promote="none", precheck=no_bool, onnx="Relu",
             kernel=Pointwise(lambda x: s.call("maximum", x, 0)),
             spelling=Spelling((*EVERYWHERE, "nn.functional")))
cast = Op("cast", "x converted to a dtype; a float beyond all integers becomes the last, NaN 0.",
          _converted, Pointwise(lambda x: s.call("cast", x)), forward=_run_cast, grad=_grad_cast,
          spelling=None, complex=True, split=cartesian.cast, onnx="Cast",
          examples=(Example(((2, 3),), {"dtype": F64}), *(
              Example((((2, 3), a),), {"dtype": d}) for a, d in (
                  ("f32", F64), ("f32", I64), ("i64", F32), ("bool", F32),
                  ("f64", F32), ("i32", I64), ("f32", BOOL))), *(
              Example((_BEYOND.astype(source),), {"dtype": d})
              for source in (np.float32, np.float64) for d in (I32, I64))))
clone = Op("clone", "A copy of x.", lambda x, /: x, Pointwise(lambda x: x),
           forward=lambda x: x.copy(), grad=lambda F, g, out, x: (g,), spelling=None,
           complex=True, split=cartesian.each, onnx="Identity")
detach = Op("detach", "x without its history.", lambda x, /: x, Pointwise(lambda x: x),
            forward=lambda x: x, spelling=None, complex=True, split=cartesian.each, onnx="Identity",
            put=lambda F, base, value: value)

OPS: tuple[Op, ...] = (
    *arithmetic.OPS, *blends.OPS, *elementary.OPS, *special.OPS, *rounding.OPS, relu,
    *activations.OPS, *comparisons.OPS,
    cast, clone, detach,
)
