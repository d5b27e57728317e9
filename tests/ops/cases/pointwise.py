"""Elementwise arithmetic, functions, comparisons and bits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tests.ops.cases.case import C, F, I, M, S, f, i

X, Y, V = f(3, 4), f(3, 4, low=0.5), f(4)
UNIT, POSITIVE, ABOVE = f(6, low=-0.95, high=0.95), f(6, low=0.1, high=4), f(6, low=1.1, high=4)
ENDS = i(1.0, -2.5, 0.0, -0.0, np.inf, -np.inf, np.nan).astype(np.float32)
WHOLE, BITS, BYTES = i(3, -4, 0, 7), i(2, 3, -5, 1), i(3, 250, 0).astype(np.uint8)
TRUTH, LIES = i(True, False, True, False), i(True, True, False, False)
SMALL = i([1, -2], [3, 4]).astype(np.int32)
SINGLE = Y.astype(np.float32)
Z = f(3) + 1j * f(3)


def _trunc_div(x: Any, y: Any, **_: Any) -> Any:
    return np.trunc(x / y)


REJECTS: tuple[Any, ...] = (
    C("neg", TRUTH), C("sub", TRUTH, LIES), C("floor", TRUTH), C("abs", TRUTH), C("relu", TRUTH),
    C("positive", TRUTH), C("pow", TRUTH, LIES), C("pow", WHOLE, -1), C("fmod", TRUTH, LIES),
    C("floor_divide", TRUTH, LIES), C("remainder", TRUTH, LIES), C("floor_divide", WHOLE, 0),
    C("remainder", WHOLE, 0), C("fmod", WHOLE, 0), C("div", WHOLE, 0, rounding_mode="trunc"),
    C("div", X, Y, rounding_mode="up"), C("round", WHOLE, decimals=1), C("frac", WHOLE),
    C("gcd", X, Y), C("lcm", TRUTH, LIES), C("clamp", X), C("clamp", BYTES, 0, 300),
    C("lerp", X, X.astype(np.float32), 0.5),
    C("lerp", WHOLE, WHOLE, 1), C("addcdiv", WHOLE, WHOLE, BITS), C("add", WHOLE, WHOLE, alpha=0.5),
    C("add", WHOLE, WHOLE, alpha=True), C("bitwise_and", X, Y), C("bitwise_xor", WHOLE, X[0]),
    C("bitwise_not", X), C("bitwise_left_shift", X, Y), C("bitwise_right_shift", TRUTH, LIES),
    C("isclose", X, X.astype(np.float32)), C("isclose", X, X, rtol=-1.0),
    C("heaviside", X, X.astype(np.float32)), C("polygamma", -1, Y), C("mvlgamma", Y, 0),
    I("add", WHOLE, 1.5), I("div", WHOLE, 2), I("sqrt", WHOLE), I("add", TRUTH, 1),
    C("atan2", Z, Z), C("floor", Z), C("maximum", Z, Z), C("lt", Z, Z), C("erf", Z),
)
_MATH = (
    C("sqrt", POSITIVE, numpy=np.sqrt), C("rsqrt", POSITIVE), C("reciprocal", Y),
    C("reciprocal", WHOLE), C("square", X, numpy=np.square), C("square", WHOLE), C("square", TRUTH),
    C("exp", X, numpy=np.exp), C("exp", TRUTH), C("exp2", X, numpy=np.exp2), C("expm1", X * 1e-6),
    C("log", POSITIVE), C("log2", POSITIVE, numpy=np.log2), C("log10", POSITIVE, numpy=np.log10),
    C("log1p", POSITIVE * 1e-6), C("sin", X), C("cos", X), C("tan", UNIT, numpy=np.tan),
    C("asin", UNIT, numpy=np.arcsin), C("acos", UNIT, numpy=np.arccos), C("arcsin", UNIT),
    C("atan", X * 3, numpy=np.arctan), C("arccos", UNIT), C("arctan", X),
    C("sinh", X, numpy=np.sinh), C("cosh", X, numpy=np.cosh), C("tanh", X), C("tanh", WHOLE),
    C("asinh", X * 3, numpy=np.arcsinh), C("acosh", ABOVE, numpy=np.arccosh),
    C("atanh", UNIT, numpy=np.arctanh), C("arcsinh", X), C("arccosh", ABOVE), C("arctanh", UNIT),
    C("atan2", X, Y, numpy=np.arctan2), C("arctan2", X, V), C("atan2", ENDS, ENDS[::-1].copy()),
    C("atan2", ENDS[:, None], ENDS), C("hypot", X, V, numpy=np.hypot),
    C("hypot", ENDS[:, None], ENDS), C("sigmoid", X * 9), C("sigmoid", WHOLE),
    C("logaddexp", X, V * 300, numpy=np.logaddexp), C("logaddexp2", X, Y, numpy=np.logaddexp2),
    C("logaddexp", ENDS[:, None], ENDS), C("sinc", X, numpy=np.sinc),
    C("sinc", WHOLE * 0.0).but(second=False),
    C("deg2rad", X, numpy=np.deg2rad), C("rad2deg", X, numpy=np.rad2deg), C("deg2rad", WHOLE),
)
_SPECIAL = (
    C("erf", X * 2), S("erf", ENDS), C("erfc", X * 4), S("erfc", POSITIVE * 6), C("erfinv", UNIT),
    S("erfinv", i(1.0, -1.0, 2.0, 0.999).astype(np.float32)), S("erfcx", X), C("lgamma", X),
    C("lgamma", POSITIVE * 9), C("lgamma", ENDS), C("digamma", X), C("digamma", POSITIVE * 9),
    S("digamma", ENDS), C("polygamma", 1, X), C("polygamma", 0, Y), C("polygamma", 2, Y),
    M("polygamma", Y, 3).but(second=False), S("polygamma", 1, POSITIVE), S("psi", Y),
    S("gammaln", Y), S("zeta", 2.5, POSITIVE), S("zeta", ENDS, ENDS[::-1].copy()),
    C("mvlgamma", ABOVE, 2),
    S("multigammaln", ABOVE, 2), C("i0", X * 4, numpy=np.i0), S("i0", X), S("i0e", X * 15),
    S("i1", X * 4), S("i1e", X * 15), S("i1", i(0.0, 1.0)), S("ndtr", X * 3),
    S("log_ndtr", X * 8), S("ndtri", POSITIVE / 5), C("logit", POSITIVE / 5),
    C("logit", X, eps=0.1), S("logit", POSITIVE / 5, 0.05), S("expit", X),
    S("entr", POSITIVE), S("entr", ENDS), C("xlogy", X, POSITIVE[:4]), C("xlogy", 2, POSITIVE),
    C("xlogy", i(0.0, 1.0), i(2.0, 3.0)), C("xlogy", X, 2),
    S("xlogy", ENDS[:, None], ENDS), S("xlog1py", X, POSITIVE[:4]), S("xlog1py", WHOLE, WHOLE),
    S("softmax", X, 1), S("log_softmax", X, 0), S("logsumexp", X, (0, 1), True),
    S("softmax", SINGLE, -1, dtype="dtype:float64"), S("sinc", X), S("exp2", X), S("expm1", X),
    S("log1p", Y), S("round", X * 9),
)
_ARITHMETIC = (
    C("add", X, V, alpha=3), C("add", TRUTH, LIES, numpy=np.logical_or), C("add", 2, X),
    C("add", TRUTH, LIES, alpha=True), C("add", X, WHOLE), C("sub", X, V, alpha=2),
    C("subtract", 1, X), C("rsub", X, V), C("rsub", X, 2, alpha=3), C("mul", TRUTH, LIES),
    C("multiply", TRUTH, 3), C("mul", SMALL, 2), C("div", WHOLE, BITS),
    C("div", WHOLE, BITS, rounding_mode="trunc", numpy=_trunc_div),
    C("div", WHOLE, BITS, rounding_mode="floor"), C("div", X, Y, rounding_mode="trunc"),
    C("div", WHOLE, 2.5, rounding_mode="trunc"), C("div", BYTES, 2, rounding_mode="trunc"),
    C("true_divide", X, Y), C("divide", X, 2), C("floor_divide", WHOLE, BITS),
    C("floor_divide", WHOLE, -1), C("floor_divide", i(np.iinfo(np.int64).min), -1),
    C("floor_divide", 7, BITS), C("remainder", X, Y, numpy=np.remainder), C("remainder", X, V),
    C("remainder", WHOLE, BITS), C("remainder", 5, SINGLE), C("remainder", X, -0.7),
    C("fmod", X, V, numpy=np.fmod), C("fmod", WHOLE, BITS, numpy=np.fmod), C("fmod", X, 0.7),
    C("fmod", BYTES, 7), C("pow", WHOLE, 2, numpy=np.power), C("pow", WHOLE, BITS),
    C("pow", 2, WHOLE), C("pow", WHOLE, 2.0), C("pow", BYTES, 2), C("pow", Y, X, numpy=np.power),
    C("pow", X, 3), C("pow", X, 4), C("pow", Y, 0.5), C("pow", Y, -0.5), C("pow", Y, -1),
    C("pow", Y, -2.0), C("pow", X, 5), C("pow", SMALL, 3), C("pow", TRUTH, True),
    M("__pow__", TRUTH, False), C("pow", SINGLE, 0.7),
    C("pow", X, 0.0), C("pow", 2.5, X), C("pow", X, 2), C("pow", Y, -1.5),
    C("pow", i(0.0, 0.0, 2.0), i(0.0, 2.0, 0.0)).but(slopes=False, second=False),
    C("float_power", WHOLE, 2), C("float_power", Y, X), C("float_power", 2, X),
    M("__rpow__", X, 3), M("__rsub__", X, 3), M("__rmod__", SINGLE, 3),
    M("__rfloordiv__", SINGLE, 3),
    M("__rtruediv__", Y, 3), M("__pos__", X), M("__neg__", X), M("__abs__", X),
    M("__pow__", X, 2), M("__lshift__", WHOLE, 2), M("__rshift__", WHOLE, 1),
    M("__rlshift__", i(1, 2), 3), M("__and__", WHOLE, BITS), M("__ror__", WHOLE, 8),
    M("__invert__", WHOLE), M("__invert__", TRUTH), M("__mod__", X, 0.7),
    M("__floordiv__", SINGLE, 0.7),
    C("neg", X, numpy=np.negative), C("negative", WHOLE), C("neg", BYTES), C("positive", X),
    C("abs", X), C("absolute", WHOLE), C("sign", X), C("sign", TRUTH), C("sign", WHOLE),
    C("sgn", SINGLE), C("sgn", TRUTH), C("copysign", X, V, numpy=np.copysign),
    C("copysign", WHOLE, -1),
    C("copysign", ENDS[:, None], ENDS), C("nextafter", ENDS[:, None], ENDS),
    C("nextafter", SINGLE, SINGLE[::-1].copy()), C("copysign", i(0.0, 1.0), -2.0).but(
        slopes=False, second=False),
    C("maximum", X, V), C("maximum", TRUTH, LIES), C("minimum", WHOLE, X[0]),
    C("fmax", X, V, numpy=np.fmax), C("fmin", X, V, numpy=np.fmin), C("fmax", ENDS[:, None], ENDS),
    C("fmin", WHOLE, BITS), C("fmax", X, X.copy()).but(slopes=False), C("gcd", WHOLE, BITS,
    numpy=np.gcd), C("lcm", WHOLE, BITS, numpy=np.lcm), C("gcd", BYTES, BYTES[::-1].copy()),
    C("ldexp", X, i(1, 2, 3, 0)), C("ldexp", SINGLE, BITS), C("ldexp", X, V),
    C("ldexp", WHOLE, BITS),
    C("lerp", X, Y, 0.3), C("lerp", X, V, f(3, 1)),
    C("addcmul", X, V, Y, value=2.0), C("addcmul", WHOLE, BITS, BITS, value=2),
    C("addcmul", X, WHOLE, BITS), C("addcmul", X, V, Y), C("addcdiv", X, V, Y, value=0.5),
    C("addcdiv", X, V, Y), C("heaviside", ENDS, np.full_like(ENDS, 3)), C("heaviside", WHOLE, BITS),
    C("heaviside", TRUTH, LIES),
)
_ROUNDING = (
    C("floor", X, numpy=np.floor), C("ceil", X), C("trunc", X), C("fix", X), C("floor", WHOLE),
    C("ceil", BYTES), C("round", SMALL), C("trunc", SMALL), C("round", X), C("frac", X * 3),
    C("round", i(0.5, 1.5, -2.5)).but(slopes=False), C("round", X, decimals=2),
    C("round", X * 90, decimals=-1), C("clamp", X, -1.0, 1.0, numpy=np.clip),
    C("clamp", X, max=0.5), C("clip", X, 0.0), C("clamp", X, min=V, max=Y), C("clamp", WHOLE, 0.5),
    C("clamp", TRUTH, 0, 1), C("clamp", X, 1.0, -1.0), C("clamp", ENDS, math.nan),
    C("clamp", i(1.0, 2.0, 3.0), 1.0, 3.0).but(slopes=False), C("clamp_min", X, 0.0),
    C("clamp_max", X, V), C("clamp_min", WHOLE, 2), C("clamp_max", X, max=0.3),
    C("nan_to_num", ENDS), C("nan_to_num", ENDS, 1.0, 2.0, -3.0), C("nan_to_num", X),
    C("nan_to_num", WHOLE), C("nan_to_num", i(1.0, np.nan, np.inf), posinf=5.0).but(slopes=False),
)
_TRUTH = (
    C("isinf", ENDS, numpy=np.isinf), C("isposinf", ENDS, numpy=np.isposinf), C("isinf", WHOLE),
    C("isneginf", ENDS, numpy=np.isneginf), C("isfinite", ENDS, numpy=np.isfinite),
    C("isneginf", TRUTH), C("isreal", ENDS), C("isnan", ENDS), C("isnan", TRUTH),
    C("signbit", ENDS, numpy=np.signbit),
    C("signbit", WHOLE), C("signbit", TRUTH),
    C("isclose", i(1.0, 2.0, np.inf, np.nan), i(1.0, 2.1, np.inf, np.nan), numpy=np.isclose),
    C("isclose", i(np.nan), i(np.nan), equal_nan=True), C("isclose", X, Y, 0.1, 0.5),
    C("isclose", WHOLE, BITS, atol=1.5), C("isclose", TRUTH, LIES),
    C("allclose", X, X + 1e-9, numpy=np.allclose).but(reads=True),
    C("allclose", X, Y, rtol=0.0, atol=9.0).but(reads=True),
    C("equal", X, X.copy(), numpy=np.array_equal).but(reads=True), C("equal", X, V),
    C("equal", WHOLE, WHOLE * 1.0).but(reads=True),
    *(C(n, WHOLE, BITS) for n in ("eq", "ne", "lt", "le", "gt", "ge", "less", "greater_equal")),
    *(C(n, X, 0.5) for n in ("not_equal", "less_equal", "greater")),
    C("logical_and", X, WHOLE), C("logical_or", TRUTH, LIES), C("logical_not", WHOLE),
    C("logical_xor", X > 0, X > 1, numpy=np.logical_xor), C("logical_xor", WHOLE, X[0]),
    C("bitwise_and", WHOLE, BITS), C("bitwise_or", TRUTH, LIES), C("bitwise_xor", WHOLE, 3),
    C("bitwise_and", WHOLE, True), C("bitwise_not", WHOLE, numpy=np.invert),
    C("bitwise_not", TRUTH, numpy=np.invert), C("bitwise_not", BYTES),
    C("bitwise_left_shift", WHOLE, i(1, 3, 64, -1), numpy=np.left_shift),
    C("bitwise_right_shift", WHOLE, i(1, 70, 2, -1), numpy=np.right_shift),
    C("bitwise_left_shift", BYTES, 3), C("bitwise_right_shift", BYTES, 3),
)
_COMPLEX = (
    C("tan", Z), C("sinh", Z), C("atan", Z), C("exp2", Z), C("log2", Z), C("asinh", Z),
    C("acos", Z), C("sgn", Z), C("isreal", Z), C("isnan", Z), C("isfinite", Z), C("isinf", Z),
    C("eq", Z, Z), C("logical_not", Z), C("pow", Z, 3))
_INPLACE = (
    I("add", X, V, alpha=2), I("sub", X, V), I("mul", SMALL, 3), I("div", X, Y),
    I("div", X, Y, rounding_mode="floor"), I("floor_divide", WHOLE, BITS), I("remainder", X, 0.7),
    I("fmod", X, 0.7), I("pow", X, 3), I("pow", WHOLE, 2), I("sqrt", POSITIVE), I("exp", X),
    I("log", POSITIVE), I("floor", X), I("round", X, decimals=1), I("neg", WHOLE), I("abs", X),
    I("clamp", X, -0.5, 0.5), I("clamp_min", X, 0.0), I("clip", X, max=0.1), I("lerp", X, Y, 0.2),
    I("addcmul", X, V, Y, value=2), I("addcdiv", X, V, Y), I("sin", X), I("atan2", X, Y),
    I("tan", UNIT), I("acos", UNIT), I("sigmoid", X), I("relu", X), I("erfc", X), I("erfinv", UNIT),
    I("lgamma", Y), I("logit", UNIT, 0.1), I("sinc", X), I("frac", X), I("sgn", SINGLE),
    I("nan_to_num", ENDS), I("copysign", X, -1.0), I("hypot", X, Y), I("ldexp", SINGLE, BITS),
    I("eq", WHOLE, 3), I("gt", ENDS, 0.0), I("logical_and", ENDS, ENDS[::-1].copy()),
    I("logical_not", TRUTH), I("bitwise_and", WHOLE, BITS), I("bitwise_not", WHOLE),
    I("bitwise_left_shift", WHOLE, 1), I("gcd", WHOLE, BITS), I("float_power", X, 2.0),
    I("xlogy", X, POSITIVE[:4]), I("deg2rad", X), I("heaviside", ENDS, ENDS), I("square", X),
    I("reciprocal", Y), I("fix", X),
)
CASES = (*_MATH, *_SPECIAL, *_ARITHMETIC, *_ROUNDING, *_TRUTH, *_COMPLEX, *_INPLACE,
         F("tanh", X), F("sigmoid", X), F("relu", X, numpy=lambda x: np.maximum(x, 0)))
