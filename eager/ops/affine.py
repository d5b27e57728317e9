"""Products with weights: linear and bilinear maps."""

from __future__ import annotations

from typing import Any

from eager.ops.composite import Composite
from eager.ops.errors import OpError
from eager.ops.fused import FUSED
from eager.ops.op import Spelling
from eager.ops.types import product


def linear(F: Any, input: Any, weight: Any, bias: Any = None) -> Any:
    """``input @ weight.T + bias`` of input [..., in], weight [out, in] and bias [out]."""
    x, w = F.typeof(input), F.typeof(weight)
    if not x.ndim or w.ndim != 2 or x.shape[-1] != w.shape[1]:
        raise OpError(f"linear: wanted an input [..., in] and a weight [out, in], got {x} and {w}")
    rows = F.reshape(input, shape=(1, *x.shape)) if x.ndim == 1 else input
    out = F.matmul(rows, F.permute(weight, dims=(1, 0)))
    if x.ndim == 1:
        out = F.reshape(out, shape=w.shape[:1])
    return out if bias is None else F.add(out, bias)


def bilinear(F: Any, input1: Any, input2: Any, weight: Any, bias: Any = None) -> Any:
    """x1 W[k] x2 + bias[k] of inputs [..., in1] and [..., in2], weight [out, in1, in2]."""
    a, b, w = map(F.typeof, (input1, input2, weight))
    if (w.ndim != 3 or not a.ndim or a.shape[:-1] != b.shape[:-1] or a.shape[-1] != w.shape[1]
            or b.shape[-1] != w.shape[2]):
        raise OpError(f"bilinear: wanted inputs [..., in1] and [..., in2] and a weight "
                      f"[out, in1, in2], got {a}, {b} and {w}")
    out, in1, in2 = w.shape
    rows = product(a.shape[:-1])
    maps = F.reshape(F.permute(weight, dims=(1, 0, 2)), shape=(in1, out * in2))
    half = F.reshape(F.matmul(F.reshape(input1, shape=(rows, in1)), maps), shape=(rows, out, in2))
    whole = F.matmul(half, F.reshape(input2, shape=(rows, in2, 1)))
    result = F.reshape(whole, shape=(*a.shape[:-1], out))
    return result if bias is None else F.add(result, bias)


FUNCTIONS = tuple(Composite(f.__name__, f, Spelling(where), FUSED.get(f.__name__))
                  for f, where in ((linear, ("nn.functional",)),
                                   (bilinear, ("eager", "nn.functional"))))
