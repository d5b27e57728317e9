"""Elementary functions: roots, exponentials, logarithms, and the circular and hyperbolic ones.

The bodies with several instructions are what kernels compute; eager has NumPy's own functions.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from eager.ops import cartesian
from eager.ops import scalar as s
from eager.ops.elementwise import EVERYWHERE, binary, floating_pair, unary
from eager.ops.families import Pointwise
from eager.ops.op import Op, Spelling

_FUNCTIONAL = Spelling((*EVERYWHERE, "nn.functional"))
_LN2, _LN10 = math.log(2), math.log(10)
Scalar = s.Scalar


# --- bodies ------------------------------------------------------------------------------------
def _with_sign(size: Scalar, x: Scalar) -> Scalar:
    return s.call("copysign", size, x)


def _asin(x: Scalar) -> Scalar:
    return s.call("atan", x / s.call("sqrt", (1.0 - x) * (1.0 + x)))


def _acos(x: Scalar) -> Scalar:
    return 2.0 * s.call("atan", s.call("sqrt", (1.0 - x) / (1.0 + x)))


def _atan2(y: Scalar, x: Scalar) -> Scalar:
    """The angle in the first octant, by the smaller over the larger, then turned in place."""
    a, b = s.call("abs", y), s.call("abs", x)
    large, small = s.call("maximum", a, b), s.call("minimum", a, b)
    both = s.call("or", s.call("eq", large, 0.0), s.call("eq", small, math.inf))
    angle = s.call("atan", s.call("select", s.call("eq", large, 0.0), small,
                                  s.call("select", both, 1.0, small / large)))
    angle = s.call("select", s.call("gt", a, b), math.pi / 2 - angle, angle)
    left = s.call("lt", s.call("copysign", 1.0, x), 0.0)
    return _with_sign(s.call("select", left, math.pi - angle, angle), y)


def _sinh(x: Scalar) -> Scalar:
    size = s.call("abs", x)
    e, half = s.call("expm1", size), s.call("exp", 0.5 * size)
    near = 0.5 * (e + e / (e + 1.0))
    return _with_sign(s.call("select", s.call("lt", size, 20.0), near, (0.5 * half) * half), x)


def _cosh(x: Scalar) -> Scalar:
    size = s.call("abs", x)
    e, half = s.call("exp", size), s.call("exp", 0.5 * size)
    near = 0.5 * (e + 1.0 / e)
    return s.call("select", s.call("lt", size, 20.0), near, (0.5 * half) * half)


def _asinh(x: Scalar) -> Scalar:
    size = s.call("abs", x)
    square = size * size
    near = s.call("log1p", size + square / (1.0 + s.call("sqrt", 1.0 + square)))
    far = s.call("log", size) + _LN2
    return _with_sign(s.call("select", s.call("lt", size, 1e8), near, far), x)


def _acosh(x: Scalar) -> Scalar:
    above = x - 1.0
    near = s.call("log1p", above + s.call("sqrt", above * (x + 1.0)))
    return s.call("select", s.call("gt", x, 1e8), s.call("log", x) + _LN2, near)


def _atanh(x: Scalar) -> Scalar:
    size = s.call("abs", x)
    return _with_sign(0.5 * s.call("log1p", 2.0 * size / (1.0 - size)), x)


def _logaddexp(x: Scalar, y: Scalar) -> Scalar:
    gap = s.call("log1p", s.call("exp", -s.call("abs", x - y)))
    # Equals apart: of two infinities the gap is NaN.
    return s.call("select", s.call("eq", x, y), x + _LN2, s.call("maximum", x, y) + gap)


def _logaddexp2(x: Scalar, y: Scalar) -> Scalar:
    gap = s.call("log1p", s.call("exp", s.call("abs", x - y) * -_LN2)) * (1 / _LN2)
    return s.call("select", s.call("eq", x, y), x + 1.0, s.call("maximum", x, y) + gap)


# --- gradients ---------------------------------------------------------------------------------
def _over(F: Any, g: Any, x: Any, sign: float, root: bool = True) -> Any:
    """``g / (1 + sign x**2)``, or over its root."""
    below = F.add(F.mul(F.mul(x, x), sign), 1.0)
    return F.div(g, F.sqrt(below) if root else below)


def _grad_atan2(F: Any, g: Any, out: Any, y: Any, x: Any) -> tuple[Any, ...]:
    turned = F.div(g, F.add(F.mul(x, x), F.mul(y, y)))
    return F.mul(turned, x), F.neg(F.mul(turned, y))


def _grad_logaddexp(F: Any, g: Any, out: Any, x: Any, y: Any) -> tuple[Any, ...]:
    gap = F.sub(x, y)
    return F.mul(g, F.sigmoid(gap)), F.mul(g, F.sigmoid(F.neg(gap)))


def _grad_logaddexp2(F: Any, g: Any, out: Any, x: Any, y: Any) -> tuple[Any, ...]:
    gap = F.mul(F.sub(x, y), _LN2)
    return F.mul(g, F.sigmoid(gap)), F.mul(g, F.sigmoid(F.neg(gap)))


sqrt = unary("sqrt", "The square root of x.",
             lambda F, g, out, x: (F.div(F.mul(g, 0.5), out),), saves=("out",),
             domain=(0.1, 3.0), complex=True, split=cartesian.sqrt, onnx="Sqrt")
rsqrt = unary("rsqrt", "1 / sqrt(x).",
              lambda F, g, out, x: (F.mul(F.mul(g, -0.5), F.mul(out, F.mul(out, out))),),
              saves=("out",), domain=(0.1, 3.0), complex=True, split=cartesian.rsqrt)
exp = unary("exp", "e to the power x.", lambda F, g, out, x: (F.mul(g, out),), saves=("out",),
            complex=True, split=cartesian.exp, onnx="Exp")
exp2 = unary("exp2", "2 to the power x.",
             lambda F, g, out, x: (F.mul(g, F.mul(out, _LN2)),), saves=("out",),
             complex=True, split=cartesian.exp2,
             special=True, kernel=Pointwise(lambda x: s.call("pow", 2.0, x)), forward=np.exp2)
expm1 = unary("expm1", "exp(x) - 1, exact near 0.",
              lambda F, g, out, x: (F.mul(g, F.add(out, 1)),), saves=("out",),
              complex=True, split=cartesian.expm1,
              special=True)
log = unary("log", "The natural logarithm of x.", lambda F, g, out, x: (F.div(g, x),),
            saves=(0,), domain=(0.1, 3.0), complex=True, split=cartesian.log, onnx="Log")
log2 = unary("log2", "The logarithm of x to base 2.",
             lambda F, g, out, x: (F.div(g, F.mul(x, _LN2)),), saves=(0,), domain=(0.1, 3.0),
             complex=True, split=cartesian.log2,
             kernel=Pointwise(lambda x: s.call("log", x) * (1 / _LN2)),
             forward=np.log2)
log10 = unary("log10", "The logarithm of x to base 10.",
              lambda F, g, out, x: (F.div(g, F.mul(x, _LN10)),), saves=(0,), domain=(0.1, 3.0),
              complex=True, split=cartesian.log10,
              kernel=Pointwise(lambda x: s.call("log", x) * (1 / _LN10)),
              forward=np.log10)
log1p = unary("log1p", "log(1 + x), exact near 0.",
              lambda F, g, out, x: (F.div(g, F.add(x, 1)),), saves=(0,), domain=(-0.5, 2.0),
              complex=True, split=cartesian.log1p, special=True)
tanh = unary("tanh", "The hyperbolic tangent of x.",
             lambda F, g, out, x: (F.mul(g, F.sub(1.0, F.mul(out, out))),), saves=("out",),
             complex=True, split=cartesian.tanh, onnx="Tanh", spelling=_FUNCTIONAL)
sigmoid = unary("sigmoid", "1 / (1 + exp(-x)).",
                lambda F, g, out, x: (F.mul(g, F.mul(out, F.sub(1.0, out))),), saves=("out",),
                complex=True, split=cartesian.sigmoid, onnx="Sigmoid", spelling=_FUNCTIONAL)
sin = unary("sin", "The sine of x in radians.", lambda F, g, out, x: (F.mul(g, F.cos(x)),),
            saves=(0,), complex=True, split=cartesian.sin, onnx="Sin")
cos = unary("cos", "The cosine of x in radians.",
            lambda F, g, out, x: (F.neg(F.mul(g, F.sin(x))),), saves=(0,),
            complex=True, split=cartesian.cos,
            onnx="Cos")
tan = unary("tan", "The tangent of x in radians.",
            lambda F, g, out, x: (F.mul(g, F.add(F.mul(out, out), 1.0)),), saves=("out",),
            domain=(-1.0, 1.0), complex=True, split=cartesian.tan, onnx="Tan",
            kernel=Pointwise(lambda x: s.call("sin", x) / s.call("cos", x)), forward=np.tan)
asin = unary("asin", "The angle in [-pi/2, pi/2] whose sine is x.",
             lambda F, g, out, x: (_over(F, g, x, -1.0),), "arcsin", saves=(0,),
             domain=(-0.9, 0.9),
             complex=True, split=cartesian.asin, onnx="Asin", kernel=Pointwise(_asin),
             forward=np.arcsin)
acos = unary("acos", "The angle in [0, pi] whose cosine is x.",
             lambda F, g, out, x: (F.neg(_over(F, g, x, -1.0)),), "arccos", saves=(0,),
             domain=(-0.9, 0.9),
             complex=True, split=cartesian.acos, onnx="Acos", kernel=Pointwise(_acos),
             forward=np.arccos)
atan = unary("atan", "The angle in [-pi/2, pi/2] whose tangent is x.",
             lambda F, g, out, x: (_over(F, g, x, 1.0, root=False),), "arctan", saves=(0,),
             complex=True, split=cartesian.atan, onnx="Atan")
sinh = unary("sinh", "The hyperbolic sine of x.",
             lambda F, g, out, x: (F.mul(g, F.cosh(x)),), saves=(0,),
             complex=True, split=cartesian.sinh,
             kernel=Pointwise(_sinh), forward=np.sinh)
cosh = unary("cosh", "The hyperbolic cosine of x.",
             lambda F, g, out, x: (F.mul(g, F.sinh(x)),), saves=(0,),
             complex=True, split=cartesian.cosh,
             kernel=Pointwise(_cosh), forward=np.cosh)
asinh = unary("asinh", "The number whose hyperbolic sine is x.",
              lambda F, g, out, x: (_over(F, g, x, 1.0),), "arcsinh", saves=(0,),
              complex=True, split=cartesian.asinh,
              kernel=Pointwise(_asinh), forward=np.arcsinh)
acosh = unary("acosh", "The number from 0 up whose hyperbolic cosine is x.",
              lambda F, g, out, x: (F.div(g, F.mul(F.sqrt(F.sub(x, 1.0)),
                                                   F.sqrt(F.add(x, 1.0)))),),
              "arccosh", saves=(0,), domain=(1.2, 4.0),
              complex=True, split=cartesian.acosh, kernel=Pointwise(_acosh),
              forward=np.arccosh)
atanh = unary("atanh", "The number whose hyperbolic tangent is x.",
              lambda F, g, out, x: (_over(F, g, x, -1.0, root=False),), "arctanh", saves=(0,),
              domain=(-0.9, 0.9),
              complex=True, split=cartesian.atanh, kernel=Pointwise(_atanh), forward=np.arctanh)
atan2 = binary("atan2", "The angle in [-pi, pi] of the point (y, x), given in this order.",
               _grad_atan2, names=("arctan2",), infer=floating_pair, promote="float",
               saves=(0, 1), domain=(0.2, 2.0), kernel=Pointwise(_atan2), forward=np.arctan2)
logaddexp = binary("logaddexp", "log(exp(x) + exp(y)), without overflow on the way.",
                   _grad_logaddexp, infer=floating_pair, promote="floats", saves=(0, 1),
                   commutative=True, spelling=Spelling(("eager", "method")),
                   kernel=Pointwise(_logaddexp), forward=np.logaddexp)
logaddexp2 = binary("logaddexp2", "log2(2**x + 2**y), without overflow on the way.",
                    _grad_logaddexp2, infer=floating_pair, promote="floats", saves=(0, 1),
                    commutative=True, spelling=Spelling(("eager", "method")),
                    kernel=Pointwise(_logaddexp2), forward=np.logaddexp2)

OPS: tuple[Op, ...] = (
    sqrt, rsqrt, exp, exp2, expm1, log, log2, log10, log1p, tanh, sigmoid, sin, cos, tan, asin,
    acos, atan, sinh, cosh, asinh, acosh, atanh, atan2, logaddexp, logaddexp2,
)
