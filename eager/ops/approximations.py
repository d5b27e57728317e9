"""Functions that NumPy lacks, or computes one by one: rational approximations and series.

The tables are read by kernels as well, so that both compute the same formulas.  Sources:
erf below 0.84375 is fdlibm's s_erf.c; from there on W. J. Cody, Rational Chebyshev approximations
for the error function, Math. Comp. 23 (1969).  Everything else is a series with its terms
computed here: Stirling's for the gamma function, Abramowitz and Stegun 9.6.10 and 9.7.1 for the
Bessel functions, 5.7.3 of the NIST handbook for the logarithm of gamma near 1 and 2.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from eager.ops.choice import select

Array = Any
_BLOCK = 16384  #: elements that stay in the cache from one step to the next
_FEW = 256  #: elements up to which Python's own function costs less than many steps of NumPy
TWO_OVER_ROOT_PI = 2.0 / math.sqrt(math.pi)

#: erf(x) / x - 1 as a quotient in x**2, for |x| < 0.84375.
ERF_SMALL = ((1.28379167095512558561e-01, -3.25042107247001499370e-01,
              -2.84817495755985104766e-02, -5.77027029648944159157e-03,
              -2.37630166566501626084e-05),
             (1.0, 3.97917223959155352819e-01, 6.50222499887672944485e-02,
              5.08130628187576562776e-03, 1.32494738004321644526e-04,
              -3.96022827876536812320e-06))
#: For float32: erf(x) / x - 1 in powers of x**2, for |x| < 1; log(1 - erf(x)) for 1 <= x <= 4:
#: our fits.
ERF_SMALL_SINGLE = (0.12837916612625122, -0.3761262595653534, 0.11283600330352783,
                    -0.026854444295167923, 0.005189535208046436, -0.0008020841050893068,
                    7.889119297033176e-05)
ERF_LARGE_SINGLE = (0.00018344282580073923, -1.1295567750930786, -0.6332626342773438,
                    -0.10837246477603912, 0.025178957730531693, -0.004193607252091169,
                    0.0004391054972074926, -2.149603642465081e-05)
#: exp(x**2) erfc(x) as a quotient in x, for 0.46875 <= x <= 4.
ERF_MIDDLE = ((1.23033935479799725e03, 2.05107837782607147e03, 1.71204761263407058e03,
               8.81952221241769090e02, 2.98635138197400131e02, 6.61191906371416295e01,
               8.88314979438837594e0, 5.64188496988670089e-1, 2.15311535474403846e-8),
              (1.23033935480374942e03, 3.43936767414372164e03, 4.36261909014324716e03,
               3.29079923573345963e03, 1.62138957456669019e03, 5.37181101862009858e02,
               1.17693950891312499e02, 1.57449261107098347e01, 1.0))
#: (1 / sqrt(pi) - x exp(x**2) erfc(x)) x**2 as a quotient in 1 / x**2, for x > 4.
ERF_LARGE = ((6.58749161529837803e-4, 1.60837851487422766e-2, 1.25781726111229246e-1,
              3.60344899949804439e-1, 3.05326634961232344e-1, 1.63153871373020978e-2),
             (2.33520497626869185e-3, 6.05183413124413191e-2, 5.27905102951428412e-1,
              1.87295284992346725e0, 2.56852019228982242e0, 1.0))
#: A first guess of erfinv (y (a / b)(y**2) up to 0.7, (c / d)(sqrt(-log((1 - y) / 2))) above),
#: which two steps of Newton bring to full precision.
ERFINV_CENTRE = ((0.886226899, -1.645349621, 0.914624893, -0.140543331),
                 (1.0, -2.118377725, 1.442710462, -0.329097515, 0.012229801))
ERFINV_TAIL = ((-1.970840454, -1.624906493, 3.429567803, 1.641345311),
               (1.0, 3.543889200, 1.637067800))


# --- how arrays are walked ---------------------------------------------------------------------
def blockwise(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """The function block by block, so that its many steps stay in the cache."""
    @functools.wraps(function)
    def run(x: Array) -> Array:
        x = np.asarray(x)
        if x.size <= _BLOCK:
            return np.asarray(function(x))
        flat = x.reshape(-1)
        out = np.empty_like(flat)
        for k in range(0, flat.size, _BLOCK):
            out[k:k + _BLOCK] = function(flat[k:k + _BLOCK])
        return out.reshape(x.shape)
    return run


def in_double(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """The function of float64, rounded to the dtype that came."""
    @functools.wraps(function)
    def run(x: Array) -> Array:
        x = np.asarray(x)
        with np.errstate(all="ignore"):
            out = function(x.astype(np.float64, copy=False))
        return np.asarray(out).astype(x.dtype, copy=False)
    return run


def polynomial(x: Array, coefficients: Sequence[float]) -> Array:
    """By Horner's rule; the lowest coefficient comes first."""
    total = x * coefficients[-1]
    total += coefficients[-2]
    for c in coefficients[-3::-1]:
        total *= x
        total += c
    return total


def _quotient(x: Array, table: tuple[Sequence[float], Sequence[float]]) -> Array:
    return polynomial(x, table[0]) / polynomial(x, table[1])


# --- exp and log near 1, which NumPy computes one by one ---------------------------------------
_EXPM1 = tuple(1.0 / math.factorial(k + 1) for k in range(8))
_ATANH = tuple(2.0 / (2 * k + 1) for k in range(8))


def _single(x: Array) -> bool:
    return type(x) is np.ndarray and x.size > _FEW and x.dtype == np.float32


def expm1(x: Array) -> Array:
    """exp(x) - 1, exact near 0; many float32 by a polynomial there."""
    return _expm1_single(x) if _single(x) else np.expm1(x)


@blockwise
def _expm1_single(x: Array) -> Array:
    far = np.exp(x)
    far -= 1.0
    near = np.clip(x, -0.5, 0.5)
    return select(np.abs(x) < 0.5, near * polynomial(near, _EXPM1), far)


def log1p(x: Array) -> Array:
    """log(1 + x), exact near 0; many float32 by the series of the inverse hyperbolic tangent."""
    return _log1p_single(x) if _single(x) else np.log1p(x)


@blockwise
def _log1p_single(x: Array) -> Array:
    near = np.clip(x, -0.5, 1.0)
    ratio = near / (near + 2.0)
    out = polynomial(ratio * ratio, _ATANH)
    out *= ratio
    inside = near == x
    return out if inside.all() else select(inside, out, np.log(x + 1.0))


# --- the error function ------------------------------------------------------------------------
_erf_of_few = np.frompyfunc(math.erf, 1, 1)


@blockwise
def erf(x: Array) -> Array:
    """The error function, in the dtype of ``x``."""
    if x.size <= _FEW:
        return np.asarray(_erf_of_few(x)).astype(x.dtype)
    size = np.abs(x)
    if x.dtype == np.float32:
        return _erf_single(x, size)
    small = size < 0.84375
    near = np.clip(x, -0.84375, 0.84375)
    out = near * _quotient(near * near, ERF_SMALL) + near
    if small.all():
        return out
    far = np.minimum(size, 6.0)  # from there on erf is 1
    tail = 1.0 - np.exp(-far * far) * _quotient(far, ERF_MIDDLE)
    return select(small, out, np.copysign(tail, x))


def _erf_single(x: Array, size: Array) -> Array:
    np.minimum(size, 4.0, out=size)  # from there on erf is 1 in float32
    tail = polynomial(size, ERF_LARGE_SINGLE)
    np.exp(tail, out=tail)
    np.subtract(1.0, tail, out=tail)
    np.copysign(tail, x, out=tail)
    near = np.minimum(size, 1.0)
    np.copysign(near, x, out=near)
    inner = polynomial(near * near, ERF_SMALL_SINGLE)
    inner *= near
    inner += near
    return select(size < 1.0, inner, tail)


def _scaled_tail(size: Array) -> Array:
    """exp(x**2) erfc(x) for x from 0.46875 up."""
    middle = _quotient(np.clip(size, 0.46875, 4.0), ERF_MIDDLE)
    far = np.maximum(size, 4.0)
    inverse = 1.0 / (far * far)
    large = (1.0 / math.sqrt(math.pi) - inverse * _quotient(inverse, ERF_LARGE)) / far
    return select(size > 4.0, large, middle)


def _bell(size: Array) -> Array:
    """exp(-x**2), whose exponent is exact: the square is taken in two parts."""
    rough = np.trunc(size * 16.0) / 16.0
    return np.exp(-rough * rough) * np.exp(-(size - rough) * (size + rough))


@blockwise
@in_double
def erfc(x: Array) -> Array:
    """1 - erf(x), with its digits in the tail."""
    size = np.abs(x)
    tail = _bell(np.minimum(size, 30.0)) * _scaled_tail(size)
    return select(size < 0.46875, 1.0 - erf(x), select(x < 0, 2.0 - tail, tail))


@blockwise
@in_double
def erfcx(x: Array) -> Array:
    """exp(x**2) erfc(x)."""
    size = np.abs(x)
    tail = _scaled_tail(size)
    near = np.exp(size * size) * (1.0 - erf(np.minimum(size, 0.5)))
    tail = select(size < 0.46875, near, tail)
    return select(x < 0, 2.0 * np.exp(x * x) - tail, tail)


@blockwise
@in_double
def erfinv(x: Array) -> Array:
    """The number whose error function is x: NaN beyond [-1, 1], infinite at its ends."""
    size = np.abs(x)
    rest = 1.0 - size
    depth = np.sqrt(-np.log(rest / 2.0))
    centre = size <= 0.7
    out = select(centre, size * _quotient(size * size, ERFINV_CENTRE),
                   _quotient(depth, ERFINV_TAIL))
    for _ in range(2):  # in the tail by what is missing to 1, which has more digits
        error = select(centre, erf(out) - size, rest - erfc(out))
        out = out - error / (TWO_OVER_ROOT_PI * np.exp(-out * out))
    return np.copysign(select(size == 1.0, np.inf, out), x)


# --- the gamma function ------------------------------------------------------------------------
#: B(2 k), k from 1.
BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510,
             43867 / 798, -174611 / 330)
#: Stirling's series in 1 / x**2: of x (log gamma's rest), and of digamma's, from x = 10 on.
STIRLING = tuple(b / (2 * k * (2 * k - 1)) for k, b in enumerate(BERNOULLI, 1))
DIGAMMA = tuple(b / (2 * k) for k, b in enumerate(BERNOULLI, 1))
SHIFT = 10
EULER = 0.5772156649015329


def _zeta_less_one(k: int) -> float:
    """zeta(k) - 1 = sum of n**-k from n = 2, by Euler and Maclaurin from n = 30 on."""
    n = 30.0
    rest = n ** (1 - k) / (k - 1) + n ** -k / 2 + k * n ** (-k - 1) / 12
    rest -= k * (k + 1) * (k + 2) * n ** (-k - 3) / 720
    rest += math.prod(range(k, k + 5)) * n ** (-k - 5) / 30240
    return math.fsum([*(float(m) ** -k for m in range(2, 30)), rest])


#: log gamma(2 + w) / w in powers of w, for |w| <= 1/2.
GAMMA_NEAR_TWO = (1.0 - EULER, *((-1) ** k * _zeta_less_one(k) / k for k in range(2, 28)))


def _log_gamma_above_half(x: Array) -> Array:
    """Down to about 2 by gamma(x) = (x - 1) gamma(x - 1); from `SHIFT` on by Stirling's series."""
    one = x < 1.5
    rest, product = x, np.ones_like(x)
    for _ in range(SHIFT - 2):
        above = rest > 2.5
        rest = select(above, rest - 1.0, rest)
        product = select(above, product * rest, product)
    w = np.clip(rest - select(one, 1.0, 2.0), -0.5, 0.5)
    near = w * polynomial(w, GAMMA_NEAR_TWO) + np.log(product) - select(one, np.log1p(w), 0.0)
    inverse = 1.0 / x
    far = ((x - 0.5) * np.log(x) - x + 0.5 * math.log(2 * math.pi)
           + inverse * polynomial(inverse * inverse, STIRLING))
    return select(x < SHIFT, near, select(np.isinf(x), x, far))


def _sine_of_turn(x: Array) -> Array:
    """|sin(pi x)|, exact about whole numbers."""
    return np.sin(math.pi * np.abs(x - np.rint(x)))


@blockwise
@in_double
def lgamma(x: Array) -> Array:
    """The logarithm of |gamma(x)|; infinite at 0 and the negative integers."""
    mirrored = x < 0.5
    up = _log_gamma_above_half(select(mirrored, 1.0 - x, x))
    out = select(mirrored, np.log(math.pi / _sine_of_turn(x)) - up, up)
    return select(np.isinf(x), np.inf, out)


@blockwise
@in_double
def digamma(x: Array) -> Array:
    """The derivative of log gamma; NaN at the negative integers, infinite at 0."""
    mirrored = x < 0.0
    up = select(mirrored, 1.0 - x, x)
    low = up < SHIFT
    total = np.zeros_like(x)
    for k in range(SHIFT):
        total = total - select(low, 1.0 / (up + k), 0.0)
    y = select(low, up + SHIFT, up)
    square = 1.0 / (y * y)
    total = total + np.log(y) - 0.5 / y - square * polynomial(square, DIGAMMA)
    turn = x - np.rint(x)
    total = select(mirrored, total - math.pi * np.cos(math.pi * turn)
                     / np.sin(math.pi * turn), total)
    total = select((x < 0) & (turn == 0), np.nan, total)
    return select(x == 0, -np.copysign(np.inf, x), select(x == np.inf, np.inf, total))


# --- modified Bessel functions -----------------------------------------------------------------
BESSEL_FAR = 20.0  #: from there on by the asymptotic series


def _power_series(order: int) -> tuple[float, ...]:
    """Of I(x) (2 / x)**order in powers of x**2 / 4."""
    return tuple(1.0 / (math.factorial(k) * math.factorial(k + order)) for k in range(40))


def _asymptotic_series(order: int) -> tuple[float, ...]:
    """Of sqrt(2 pi x) exp(-x) I(x) in powers of 1 / x."""
    terms = [1.0]
    for k in range(1, 26):
        terms.append(terms[-1] * ((2 * k - 1) ** 2 - 4 * order ** 2) / (8 * k))
    return tuple(terms)


BESSEL_SERIES = {n: (_power_series(n), _asymptotic_series(n)) for n in (0, 1)}


def _bessel(x: Array, order: int) -> Array:
    """exp(-|x|) I(|x|)."""
    near, far = BESSEL_SERIES[order]
    size = np.abs(x)
    low, high = np.minimum(size, BESSEL_FAR), np.maximum(size, BESSEL_FAR)
    small = polynomial(0.25 * low * low, near) * np.exp(-low)
    if order:
        small = small * (0.5 * low)
    large = polynomial(1.0 / high, far) / np.sqrt(2 * math.pi * high)
    return select(size < BESSEL_FAR, small, large)


@blockwise
@in_double
def i0e(x: Array) -> Array:
    """The modified Bessel function of order 0, times exp(-|x|)."""
    return _bessel(x, 0)


@blockwise
@in_double
def i1e(x: Array) -> Array:
    """The modified Bessel function of order 1, times exp(-|x|)."""
    return np.copysign(_bessel(x, 1), x)
