"""Elementwise composites: bounds, fused arithmetic, and numbers taken apart."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from eager.ops.arithmetic import bound, scaled
from eager.ops.composite import Composite
from eager.ops.elementwise import EVERYWHERE, INTS, binary, integral
from eager.ops.errors import OpError
from eager.ops.op import Op, Spelling
from eager.ops.types import BF16, C128, F16, F32, F64, DType

gcd = binary("gcd", "The greatest common divisor of integers.", None, infer=integral,
             examples=INTS, commutative=True)
OPS: tuple[Op, ...] = (gcd,)

_LARGEST: dict[DType, float] = {F16: 65504.0, BF16: 3.3895313892515355e38,
                                F32: float(np.finfo(np.float32).max),
                                F64: float(np.finfo(np.float64).max)}


def clamp(F: Any, input: Any, min: Any = None, max: Any = None) -> Any:
    """The input kept within [min, max]; NaN stays NaN, and gradients pass at the ends."""
    if min is None and max is None:
        raise OpError("clamp: give min, max or both")
    if min is not None:
        input = F.clamp_min(input, bound(F, "clamp", input, min))
    return input if max is None else F.clamp_max(input, bound(F, "clamp", input, max))


def lerp(F: Any, input: Any, end: Any, weight: Any) -> Any:
    """input + weight (end - input), of floating tensors of one dtype."""
    kinds = [F.typeof(t) for t in (input, end, weight) if hasattr(t, "dtype")]
    if kinds[0].dtype.kind not in "fc" or any(k.dtype is not kinds[0].dtype for k in kinds):
        raise OpError(f"lerp: wants floating operands of one dtype, got "
                      f"{', '.join(map(str, kinds))}")
    return F.add(input, F.mul(F.sub(end, input), weight))


def addcmul(F: Any, input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
    """input + value tensor1 tensor2."""
    return F.add(input, F.mul(scaled(F, "addcmul: value", tensor1, value, input), tensor2))


def addcdiv(F: Any, input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
    """input + value tensor1 / tensor2, of which one at least is floating."""
    kinds = [F.typeof(t) for t in (tensor1, tensor2)]
    if all(k.dtype.kind in "bi" for k in kinds):
        raise OpError(f"addcdiv: integers are not divided here, got {kinds[0]} and {kinds[1]}; "
                      f"convert one, or write input + value * (tensor1 // tensor2)")
    return F.add(input, F.div(scaled(F, "addcdiv: value", tensor1, value, input), tensor2))


def rsub(F: Any, input: Any, other: Any, *, alpha: Any = 1) -> Any:
    """other - alpha input."""
    return F.sub(other, scaled(F, "rsub: alpha", input, alpha, other))


def positive(F: Any, input: Any) -> Any:
    """The input itself; bools are refused."""
    if F.typeof(input).dtype.kind == "b":
        raise OpError(f"positive: the operand must be a number, got {F.typeof(input)}")
    return input


def sgn(F: Any, input: Any) -> Any:
    """-1, 0 or 1 by the sign of x; of a complex x the number of size 1 in its direction."""
    kind = F.typeof(input).dtype.kind
    if kind != "c":
        return F.clone(input) if kind == "b" else F.sign(input)
    size = F.abs(input)
    return F.div(input, F.where(F.eq(size, 0), F.add(size, 1.0), size))


def frac(F: Any, input: Any) -> Any:
    """The fraction of x, with the sign of x."""
    if F.typeof(input).dtype.kind != "f":
        raise OpError(f"frac: the operand must be floating, got {F.typeof(input)}")
    return F.sub(input, F.trunc(input))


def deg2rad(F: Any, input: Any) -> Any:
    """Degrees as radians."""
    return F.mul(input, math.pi / 180)


def rad2deg(F: Any, input: Any) -> Any:
    """Radians as degrees."""
    return F.mul(input, 180 / math.pi)


def ldexp(F: Any, input: Any, other: Any) -> Any:
    """input times 2 to the power ``other``."""
    return F.mul(input, F.pow(2.0, other))


def float_power(F: Any, input: Any, exponent: Any) -> Any:
    """x to the power y in float64 (complex128 where one is complex)."""
    def doubled(x: Any) -> Any:
        if not hasattr(x, "dtype"):
            return x if type(x) is complex else float(x)
        return F.cast(x, dtype=C128 if F.typeof(x).dtype.kind == "c" else F64)
    return F.pow(doubled(input), doubled(exponent))


def heaviside(F: Any, input: Any, values: Any) -> Any:
    """0 below 0, 1 above, and ``values`` at 0."""
    kinds = [F.typeof(t) for t in (input, values)]
    if kinds[0].dtype is not kinds[1].dtype:
        raise OpError(f"heaviside: wants operands of one dtype, got {kinds[0]} and {kinds[1]}")
    step = F.cast(F.gt(input, False if kinds[0].dtype.kind == "b" else 0), dtype=kinds[0].dtype)
    return F.where(F.logical_not(input), values, step)


def nan_to_num(F: Any, input: Any, nan: float = 0.0, posinf: float | None = None,
               neginf: float | None = None) -> Any:
    """NaN and infinities replaced; these by the largest and the lowest number of the dtype."""
    kind = F.typeof(input).dtype
    if kind.kind != "f":
        return F.clone(input)
    high = _LARGEST[kind] if posinf is None else posinf
    low = -_LARGEST[kind] if neginf is None else neginf
    x = F.where(F.isnan(input), 0.0 if nan is None else nan, input)
    return F.where(F.eq(input, math.inf), high, F.where(F.eq(input, -math.inf), low, x))


def bitwise_not(F: Any, input: Any) -> Any:
    """The bits of x turned over; of bools, their negation."""
    dtype = F.typeof(input).dtype
    if dtype.kind in "fc":
        raise OpError(f"bitwise_not: wants integers or bool, got {F.typeof(input)}")
    if dtype.kind == "b":
        return F.logical_not(input)
    return F.bitwise_xor(input, -1 if dtype.is_signed else 255)


def lcm(F: Any, input: Any, other: Any) -> Any:
    """The least common multiple of integers, from 0 up."""
    common = F.gcd(input, other)
    safe = F.where(F.eq(common, 0), 1, common)
    return F.abs(F.mul(F.floor_divide(input, safe), other))


_INPLACE = Spelling(EVERYWHERE)
FUNCTIONS = (
    Composite("clamp", clamp, Spelling(EVERYWHERE, ("clip",))),
    Composite("positive", positive, Spelling(("eager", "method", "__pos__"))),
    Composite("rsub", rsub, Spelling(("eager",))),
    *(Composite(f.__name__, f, _INPLACE) for f in (
        lerp, addcmul, addcdiv, sgn, frac, deg2rad, rad2deg, ldexp, float_power, heaviside,
        nan_to_num, bitwise_not, lcm)))
