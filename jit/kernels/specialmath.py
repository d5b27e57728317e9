"""Special functions as straight-line IR, by the formulas and tables of `eager.ops.approximations`.

Everything is computed in float64 and rounded once, so that float32 has the full precision;
of float64 the errors are a few units of the last place, near roots and poles as many as the
condition of the function there.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

from eager.ops import approximations as table
from jit.kernels.irvalues import Number
from jit.kernels.vectormath import INF, NAN, cos, erf, exp, log, log1p, sin

_Function = Callable[[Number], Number]
_PI = math.pi


def _in_double(function: _Function) -> _Function:
    @functools.wraps(function)
    def run(x: Number) -> Number:
        return function(x) if x.width == 64 else function(x.widened()).narrowed()
    return run


def _quotient(x: Number, rows: tuple[tuple[float, ...], tuple[float, ...]]) -> Number:
    return x.polynomial(rows[0]) / x.polynomial(rows[1])


# --- arctangent --------------------------------------------------------------------------------
#: fdlibm's s_atan.c: (atan(r) - r) / r**3 in powers of r**2, and atan(1/2), of 1, 3/2 and infinity
#: in two parts.
_ATAN = (-3.33333333333329318027e-01, 1.99999999998764832476e-01, -1.42857142725034663711e-01,
         1.11111104054623557880e-01, -9.09088713343650656196e-02, 7.69187620504482999495e-02,
         -6.66107313738753120669e-02, 5.83357013379057348645e-02, -4.97687799461593236017e-02,
         3.65315727442169155270e-02, -1.62858201153657823623e-02)
_ATAN_ENDS = ((4.63647609000806093515e-01, 2.26987774529616870924e-17),
              (7.85398163397448278999e-01, 3.06161699786838301793e-17),
              (9.82793723247329054082e-01, 1.39033110312309984516e-17),
              (1.57079632679489655800e+00, 6.12323399573676603587e-17))


@_in_double
def atan(x: Number) -> Number:
    """The arctangent: of the tangent of the angle to the nearest of five."""
    t = abs(x)
    steps = ((t < 19 / 16, t - 1.0, t + 1.0, _ATAN_ENDS[1]),
             (t < 11 / 16, t * 2.0 - 1.0, t + 2.0, _ATAN_ENDS[0]),
             (t < 7 / 16, t, t.like(1.0), (0.0, 0.0)))
    above, below = t - 1.5, t * 1.5 + 1.0
    far = t >= 39 / 16
    above, below = far.choose(t.like(-1.0), above), far.choose(t, below)
    high = far.otherwise(_ATAN_ENDS[3][0], t.like(_ATAN_ENDS[2][0]))
    low = far.otherwise(_ATAN_ENDS[3][1], t.like(_ATAN_ENDS[2][1]))
    for flag, numerator, denominator, (upper, lower) in steps:
        above, below = flag.choose(numerator, above), flag.choose(denominator, below)
        high, low = flag.otherwise(upper, high), flag.otherwise(lower, low)
    r = above / below
    square = r * r
    angle = high + (low + (r + r * square * square.polynomial(_ATAN)))
    return angle.with_sign_of(x)


# --- the error function ------------------------------------------------------------------------
def _scaled_tail(size: Number) -> Number:
    """exp(x**2) erfc(x) for x from 0.46875 up."""
    middle = _quotient(size.at_least(0.46875).at_most(4.0), table.ERF_MIDDLE)
    far = size.at_least(4.0)
    inverse = 1.0 / (far * far)
    large = (1.0 / math.sqrt(_PI) - inverse * _quotient(inverse, table.ERF_LARGE)) / far
    return (size > 4.0).choose(large, middle)


@_in_double
def erfc(x: Number) -> Number:
    """1 - erf(x), with its digits in the tail; the square in the exponent is exact."""
    size = abs(x)
    bounded = size.at_most(30.0)
    rough = (bounded * 16.0).intrinsic("trunc") * 0.0625
    bell = exp(-(rough * rough)) * exp(-((bounded - rough) * (bounded + rough)))
    tail = bell * _scaled_tail(size)
    outer = (x < 0.0).choose(2.0 - tail, tail)
    return (size < 0.46875).choose(1.0 - erf(x), outer)


@_in_double
def erfcx(x: Number) -> Number:
    """exp(x**2) erfc(x)."""
    size = abs(x)
    square = exp(size * size)
    tail = (size < 0.46875).choose(square * (1.0 - erf(size.at_most(0.5))), _scaled_tail(size))
    return (x < 0.0).choose(square * 2.0 - tail, tail)


@_in_double
def erfinv(x: Number) -> Number:
    """The inverse of erf: a guess and two steps of Newton, in the tail by what is missing to 1."""
    size = abs(x)
    rest = 1.0 - size
    centre = size <= 0.7
    depth = (-log(rest * 0.5)).intrinsic("sqrt")
    y = centre.choose(size * _quotient(size * size, table.ERFINV_CENTRE),
                      _quotient(depth, table.ERFINV_TAIL))
    for _ in range(2):
        error = centre.choose(erf(y) - size, rest - erfc(y))
        y = y - error / (exp(-(y * y)) * table.TWO_OVER_ROOT_PI)
    return size.equals(1.0).otherwise(INF, y).with_sign_of(x)


# --- the gamma function ------------------------------------------------------------------------
def _log_gamma_above_half(x: Number) -> Number:
    one = x < 1.5
    rest, product = x, x.like(1.0)
    for _ in range(table.SHIFT - 2):
        above = rest > 2.5
        rest = above.choose(rest - 1.0, rest)
        product = above.choose(product * rest, product)
    w = (rest - one.otherwise(1.0, x.like(2.0))).at_least(-0.5).at_most(0.5)
    near = w * w.polynomial(table.GAMMA_NEAR_TWO) + log(product)
    near = one.choose(near - log1p(w), near)
    inverse = 1.0 / x
    far = ((x - 0.5) * log(x) - x + 0.5 * math.log(2 * _PI)
           + inverse * (inverse * inverse).polynomial(table.STIRLING))
    return (x < float(table.SHIFT)).choose(near, x.equals(INF).choose(x, far))


def _turn(x: Number) -> Number:
    """What is above or below the nearest whole number."""
    return x - x.intrinsic("rint")


@_in_double
def lgamma(x: Number) -> Number:
    """The logarithm of |gamma(x)|; infinite at 0 and the negative integers."""
    mirrored = x < 0.5
    up = _log_gamma_above_half(mirrored.choose(1.0 - x, x))
    sine = sin(abs(_turn(x)) * _PI)
    y = mirrored.choose(log(_PI / sine) - up, up)
    return abs(x).equals(INF).otherwise(INF, y)


@_in_double
def digamma(x: Number) -> Number:
    """The derivative of log gamma; NaN at the negative integers, infinite at 0."""
    mirrored = x < 0.0
    up = mirrored.choose(1.0 - x, x)
    low = up < float(table.SHIFT)
    total = x.like(0.0)
    for k in range(table.SHIFT):
        total = total - 1.0 / (up + float(k))
    y = low.choose(up + float(table.SHIFT), up)
    square = 1.0 / (y * y)
    total = low.choose(total, 0.0) + log(y) - 0.5 / y - square * square.polynomial(table.DIGAMMA)
    angle = _turn(x) * _PI
    y = mirrored.choose(total - _PI * cos(angle) / sin(angle), total)
    y = (mirrored & angle.equals(0.0)).otherwise(NAN, y)
    y = x.equals(INF).choose(x, y)
    return x.equals(0.0).choose(x.like(-INF).with_sign_of(-x), y)


# --- modified Bessel functions -----------------------------------------------------------------
def _bessel(x: Number, order: int) -> Number:
    """exp(-|x|) I(|x|): by the power series, far out by the asymptotic one."""
    near, far = table.BESSEL_SERIES[order]
    size = abs(x)
    low, high = size.at_most(table.BESSEL_FAR), size.at_least(table.BESSEL_FAR)
    small = (low * low * 0.25).polynomial(near) * exp(-low)
    if order:
        small = small * (low * 0.5)
    large = (1.0 / high).polynomial(far) / (high * (2 * _PI)).intrinsic("sqrt")
    return (size < table.BESSEL_FAR).choose(small, large)


@_in_double
def i0e(x: Number) -> Number:
    """The modified Bessel function of order 0, times exp(-|x|)."""
    return _bessel(x, 0)


@_in_double
def i1e(x: Number) -> Number:
    """The modified Bessel function of order 1, times exp(-|x|)."""
    return _bessel(x, 1).with_sign_of(x)


#: What `jit.kernels.instructions` offers by name.
FUNCTIONS = ("atan", "erfc", "erfcx", "erfinv", "lgamma", "digamma", "i0e", "i1e")
