"""Arithmetic of numbers: sums, products, quotients, remainders, powers and extremes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from eager.ops import cartesian
from eager.ops import scalar as s
from eager.ops.elementwise import (
    EVERYWHERE,
    INTS,
    PAIRS,
    ZERO_DIVISOR,
    binary,
    flat,
    floating_pair,
    no_bool,
    no_zero,
    number,
    same,
    unary,
)
from eager.ops.errors import OpError
from eager.ops.families import Pointwise
from eager.ops.op import Op, Spelling
from eager.ops.types import BOOL, I64, Type


# --- gradients (each is the derivative; broadcast operands are summed by the caller) -----------
def _grad_mod(F: Any, g: Any, out: Any, x: Any, y: Any) -> tuple[Any, ...]:
    return g, F.neg(F.mul(g, F.floor(F.div(x, y))))


def _grad_fmod(F: Any, g: Any, out: Any, x: Any, y: Any) -> tuple[Any, ...]:
    return g, F.neg(F.mul(g, F.trunc(F.div(x, y))))


def _grad_pow(F: Any, g: Any, out: Any, x: Any, y: Any) -> tuple[Any, ...]:
    # d/dx at y = 0 is 0 even where x = 0; d/dy takes log(0) * 0 as 0 (torch's convention).
    dx = F.where(F.eq(y, 0), F.mul(y, 0), F.mul(y, F.pow(x, F.sub(y, 1))))
    if F.typeof(x).dtype.kind == "c":
        zero_base = F.eq(x, 0)
    else:
        zero_base = F.logical_and(F.eq(x, 0), F.ge(y, 0))
    safe = F.where(zero_base, F.add(F.mul(x, 0), 1), x)
    return F.mul(g, dx), F.mul(g, F.where(zero_base, F.mul(x, 0), F.mul(out, F.log(safe))))


def _grad_extremum(F: Any, g: Any, x: Any, y: Any, wins: Any) -> tuple[Any, ...]:
    # Ties share the gradient equally, as in torch.
    half = F.mul(g, 0.5)
    tie = F.eq(x, y)
    return (F.where(tie, half, F.where(wins(x, y), g, 0.0)),
            F.where(tie, half, F.where(wins(x, y), 0.0, g)))


def _grad_choosing(F: Any, g: Any, x: Any, y: Any, wins: Any) -> tuple[Any, ...]:
    # The first of equals has the whole gradient, and a number has it beside NaN.
    first = F.logical_or(wins(x, y), F.isnan(y))
    return F.where(first, g, 0.0), F.where(first, 0.0, g)


def _grad_bound(F: Any, g: Any, x: Any, bound: Any, inside: Any) -> tuple[Any, ...]:
    kept = inside(x, bound)
    return F.where(kept, g, 0.0), F.where(kept, 0.0, g)


def _grad_abs(F: Any, g: Any, out: Any, x: Any) -> tuple[Any, ...]:
    if F.typeof(x).dtype.kind != "c":
        return (F.mul(g, F.sign(x)),)
    size = F.abs(x)
    direction = F.div(x, F.where(F.eq(size, 0), F.add(size, 1.0), size))  # 0 at 0
    return (F.mul(F.complex(g, F.mul(g, 0.0)), direction),)


def _grad_copysign(F: Any, g: Any, out: Any, x: Any, y: Any) -> tuple[Any, ...]:
    zero = F.eq(x, 0)
    turned = F.div(out, F.where(zero, F.add(F.mul(out, 0), 1), x))
    return F.mul(g, F.where(zero, F.mul(out, 0), turned)), F.mul(F.mul(g, 0), y)


# --- bodies ------------------------------------------------------------------------------------
def _hypot(x: s.Scalar, y: s.Scalar) -> s.Scalar:
    """No overflow on the way: the larger times sqrt(1 + (smaller / larger)**2)."""
    x, y = s.call("abs", x), s.call("abs", y)
    large, small = s.call("maximum", x, y), s.call("minimum", x, y)
    ratio = small / large
    length = large * s.call("sqrt", 1.0 + ratio * ratio)
    endless = s.call("or", s.call("eq", x, math.inf), s.call("eq", y, math.inf))
    return s.call("select", endless, math.inf,
                  s.call("select", s.call("eq", large, 0.0), large, length))


def _or_number(instr: str) -> Any:
    """The extremum where a number counts more than NaN."""
    def body(x: s.Scalar, y: s.Scalar) -> s.Scalar:
        return s.call("select", s.call("ne", x, x), y,
                      s.call("select", s.call("ne", y, y), x, s.call(instr, x, y)))
    return body


# --- public signatures -------------------------------------------------------------------------
def _scaling(name: str) -> Any:
    def public(F: Any, input: Any, other: Any, *, alpha: float = 1) -> Any:
        return getattr(F, name)(input, scaled(F, f"{name}: alpha", other, alpha, input))
    return public


def scaled(F: Any, name: str, x: Any, factor: Any, beside: Any) -> Any:
    """``factor x``, where ``factor`` may be a number that leaves the dtypes as they are.

    Raises OpError for a fraction beside integers and a bool beside numbers, as torch does; the
    words call the factor ``name``.
    """
    if type(factor) is int and factor == 1:
        return x
    if not hasattr(factor, "dtype"):
        kinds = {F.typeof(t).dtype.kind for t in (x, beside) if hasattr(t, "dtype")}
        if type(factor) is bool and kinds - {"b"}:
            raise OpError(f"{name} is a number; only of bool tensors it is a bool")
        if type(factor) is float and not kinds & {"f", "c"}:
            raise OpError(f"{name} of integer tensors is an integer, got {factor}")
    return F.mul(x, factor) if hasattr(x, "dtype") or hasattr(factor, "dtype") else x * factor


def _div(F: Any, input: Any, other: Any, *, rounding_mode: str | None = None) -> Any:
    if rounding_mode is None:
        return F.div(input, other)
    if rounding_mode == "floor":
        return F.floor_divide(input, other)
    if rounding_mode != "trunc":
        raise OpError(f"div: rounding_mode is None, 'floor' or 'trunc', got {rounding_mode!r}")
    if all(F.typeof(t).dtype.kind in "bi" if hasattr(t, "dtype") else type(t) in (bool, int)
           for t in (input, other)):
        return F.floor_divide(F.sub(input, F.fmod(input, other)), other)
    return F.trunc(F.div(input, other))


def _pow(F: Any, input: Any, exponent: Any) -> Any:
    """By the cheapest op: what multiplies and divides needs no logarithm, nor does its gradient."""
    if type(exponent) not in (int, float, bool) or not hasattr(input, "dtype"):
        return F.pow(input, exponent)
    kind = F.typeof(input).dtype.kind
    if type(exponent) is bool and kind == "b":
        return F.clone(input) if exponent else F.logical_or(input, True)
    if kind in "fc" and exponent in _ROOTS:
        return _ROOTS[exponent](F, input)
    if exponent in (2, 3, 4) and (kind in "fc" or (kind == "i" and type(exponent) is int)):
        square = F.square(input)
        if exponent == 2:
            return square
        return F.mul(square, input) if exponent == 3 else F.square(square)
    return F.pow(input, exponent)


#: Of numbers that are neither integers nor bools.
_ROOTS: dict[float, Any] = {
    0.5: lambda F, x: F.sqrt(x), -0.5: lambda F, x: F.rsqrt(x), -1: lambda F, x: F.reciprocal(x),
    -2: lambda F, x: F.reciprocal(F.square(x))}


def _clamp_min(F: Any, input: Any, min: Any) -> Any:
    return F.clamp_min(input, bound(F, "clamp_min", input, min))


def _clamp_max(F: Any, input: Any, max: Any) -> Any:
    return F.clamp_max(input, bound(F, "clamp_max", input, max))


def bound(F: Any, name: str, x: Any, number: Any) -> Any:
    """A bound as it is; OpError for an int that the integers of ``x`` do not hold."""
    kind = F.typeof(x).dtype
    if type(number) is int and kind.kind == "i":
        limits = np.iinfo(kind.numpy)
        if not limits.min <= number <= limits.max:
            raise OpError(f"{name}: {number} is no {kind.public}; convert the input, or bound it "
                          f"within [{limits.min}, {limits.max}]")
    return number


def _sign(F: Any, input: Any) -> Any:
    return F.clone(input) if F.typeof(input).dtype is BOOL else F.sign(input)


def _square(F: Any, input: Any) -> Any:
    return F.square(F.cast(input, dtype=I64) if F.typeof(input).dtype is BOOL else input)


# --- checks ------------------------------------------------------------------------------------
def _no_negative_power(x: Any, y: Any) -> None:
    if type(y) is int and y < 0 and x.dtype.kind in "iu":
        raise OpError("integers have no negative integer powers; use float_power")


add = binary("add", "x + alpha y; of bools, whether either holds.",
             lambda F, g, out, x, y: (g, g), ("__add__", "__radd__"), infer=same,
             commutative=True, public=_scaling("add"),
             complex=True, split=cartesian.each, onnx="Add",
             examples=PAIRS + INTS)
sub = binary("sub", "x - alpha y.", lambda F, g, out, x, y: (g, F.neg(g)),
             ("__sub__", "__rsub__"), ("subtract",), public=_scaling("sub"),
             complex=True, split=cartesian.each,
             promote="numbers", onnx="Sub", examples=PAIRS + INTS)
mul = binary("mul", "x * y; of bools, whether both hold.",
             lambda F, g, out, x, y: (F.mul(g, y), F.mul(g, x)), ("__mul__", "__rmul__"),
             ("multiply",), infer=same, saves=(0, 1), commutative=True,
             complex=True, split=cartesian.mul, onnx="Mul",
             examples=PAIRS + INTS)
div = binary("div", "x / y; integers are divided as float32.",
             lambda F, g, out, x, y: (F.div(g, y), F.neg(F.div(F.mul(g, out), y))),
             ("__truediv__", "__rtruediv__"), ("divide", "true_divide"), infer=floating_pair,
             promote="float", saves=(1, "out"), public=_div, domain=(0.5, 2.0),
             complex=True, split=cartesian.div,
             onnx="Div")
floor_divide = binary("floor_divide", "The floor of x / y.", lambda F, g, out, x, y: (None, None),
                      ("__floordiv__", "__rfloordiv__"), instr="floordiv", domain=(1.0, 9.0),
                      examples=PAIRS + INTS, precheck=no_zero, rejects=ZERO_DIVISOR)
remainder = binary("remainder", "x - y * floor(x / y): the sign is the divisor's.", _grad_mod,
                   ("__mod__", "__rmod__"), instr="mod", saves=(0, 1), domain=(1.0, 9.0),
                   examples=PAIRS + INTS, precheck=no_zero, rejects=ZERO_DIVISOR)
fmod = binary("fmod", "x - y * trunc(x / y): the sign is the dividend's.", _grad_fmod,
              saves=(0, 1), domain=(1.0, 9.0), examples=PAIRS + INTS, precheck=no_zero,
              rejects=ZERO_DIVISOR)
pow = binary("pow", "x to the power y; a negative power of an integer is rounded towards 0.",
             _grad_pow, ("__pow__", "__rpow__"), saves=(0, 1, "out"), domain=(0.5, 2.0),
             precheck=_no_negative_power, public=_pow,
             complex=True, split=cartesian.power, onnx="Pow", examples=PAIRS + INTS)
maximum = binary("maximum", "The larger of x and y; NaN where either is NaN.",
                 lambda F, g, out, x, y: _grad_extremum(F, g, x, y, F.gt), infer=same,
                 saves=(0, 1), commutative=True, onnx="Max")
minimum = binary("minimum", "The smaller of x and y; NaN where either is NaN.",
                 lambda F, g, out, x, y: _grad_extremum(F, g, x, y, F.lt), infer=same,
                 saves=(0, 1), commutative=True, onnx="Min")
fmax = binary("fmax", "The larger of x and y; the other where one is NaN.",
              lambda F, g, out, x, y: _grad_choosing(F, g, x, y, F.ge), infer=same, saves=(0, 1),
              commutative=True, kernel=Pointwise(_or_number("maximum")), forward=np.fmax)
fmin = binary("fmin", "The smaller of x and y; the other where one is NaN.",
              lambda F, g, out, x, y: _grad_choosing(F, g, x, y, F.le), infer=same, saves=(0, 1),
              commutative=True, kernel=Pointwise(_or_number("minimum")), forward=np.fmin)
clamp_min = binary("clamp_min", "x, but at least y; the gradient at the bound is x's.",
                   lambda F, g, out, x, y: _grad_bound(F, g, x, y, F.ge), instr="maximum",
                   public=_clamp_min, saves=(0, 1), examples=PAIRS + INTS)
clamp_max = binary("clamp_max", "x, but at most y; the gradient at the bound is x's.",
                   lambda F, g, out, x, y: _grad_bound(F, g, x, y, F.le), instr="minimum",
                   public=_clamp_max, saves=(0, 1), examples=PAIRS + INTS)
hypot = binary("hypot", "sqrt(x * x + y * y), without overflow on the way.",
               lambda F, g, out, x, y: (F.mul(g, F.div(x, out)), F.mul(g, F.div(y, out))),
               infer=floating_pair, promote="floats", saves=(0, 1, "out"), commutative=True,
               kernel=Pointwise(_hypot), forward=np.hypot)
copysign = binary("copysign", "The size of x with the sign of y, which may be a zero's.",
                  _grad_copysign, infer=floating_pair, promote="float", saves=(0, 1, "out"))

nextafter = binary("nextafter", "The number after x on the way to y.", None,
                   infer=floating_pair, promote="float")

neg = unary("neg", "-x.", lambda F, g, out, x: (F.neg(g),), infer=number, promote="none",
            complex=True, split=cartesian.each,
            onnx="Neg", spelling=Spelling((*EVERYWHERE, "__neg__"), ("negative",)))


def _magnitude(x: Type, /) -> Type:
    return Type(number(x).dtype.to_real(), x.shape)


abs = unary("abs", "The absolute value of x; of a complex x a real number.", _grad_abs,
            infer=_magnitude, promote="none", precheck=no_bool, saves=(0,), onnx="Abs",
            complex=True, split=cartesian.size, holomorphic=False,
            spelling=Spelling((*EVERYWHERE, "__abs__"), ("absolute",)))
sign = unary("sign", "-1, 0 or 1 by the sign of x; NaN stays NaN.", flat, infer=number,
             promote="none", precheck=no_bool, public=_sign, onnx="Sign")
reciprocal = unary("reciprocal", "1 / x.",
                   lambda F, g, out, x: (F.neg(F.mul(g, F.mul(out, out))),), saves=("out",),
                   kernel=Pointwise(lambda x: 1.0 / x), domain=(0.5, 3.0),
                   complex=True, split=cartesian.reciprocal,
                   onnx="Reciprocal")
square = unary("square", "x * x.", lambda F, g, out, x: (F.mul(g, F.mul(x, 2)),),
               complex=True, split=cartesian.square,
               saves=(0,), infer=number, promote="none", precheck=no_bool, public=_square,
               kernel=Pointwise(lambda x: x * x))

OPS: tuple[Op, ...] = (
    add, sub, mul, div, floor_divide, remainder, fmod, pow, maximum, minimum, fmax, fmin,
    clamp_min, clamp_max, hypot, copysign, nextafter, neg, abs, sign, reciprocal, square,
)
