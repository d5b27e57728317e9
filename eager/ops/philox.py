"""Philox4x64-10 and the numbers made of it, bit for bit the same on every target.

The stream is NumPy's ``Philox``: word ``j`` of a draw is word ``j % 4`` of the block whose
counter is ``position + 1 + j // 4``.  J. Salmon et al., "Parallel random numbers: as easy as
1, 2, 3" (SC 2011).

`normal` is the inverse of the normal distribution by M. Wichura's PPND16 ("Algorithm AS 241",
Applied Statistics 37, 1988), in float64.  It is written with ``+ - * /``, ``sqrt`` and a choice
only, all of them correctly rounded, so whoever computes the same steps in the same order (and
fuses no multiply with an add) gets the same bits; the logarithm of its tails is made here, since
the C library's differs between machines.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

#: u64 words of one block.
WORDS = 4
#: u32 halves of one block: what a stream's position counts eight of.
HALVES = 8

# Numerator and denominator of each region's rational function, highest power first.
_CENTRE = (
    (2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
     13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.387132872796366608),
    (5226.495278852854561, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867,
     5394.1960214247511077, 687.1870074920579083, 42.313330701600911252, 1.0))
_NEAR = (
    (7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177,
     1.27045825245236838258, 3.64784832476320460504, 5.7694972214606914055,
     4.6303378461565452959, 1.42343711074968357734),
    (1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966,
     0.14810397642748007459, 0.68976733498510000455, 1.6763848301838038494,
     2.05319162663775882187, 1.0))
_FAR = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.0012426609473880784386,
     0.026532189526576123093, 0.29656057182850489123, 1.7848265399172913358,
     5.4637849111641143699, 6.6579046435011037772),
    (2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5,
     7.868691311456132591e-4, 0.0148753612908506148525, 0.13692988092273580531,
     0.59983220655588793769, 1.0))
_LN2 = 0.6931471805599453
#: 1/(2k+1) from k = 10 down: atanh's series, exact to float64 for arguments below 0.172.
_ATANH = tuple(1.0 / (2 * k + 1) for k in range(10, -1, -1))

Choose = Callable[[Any, Any, Any], Any]


def _horner(coefficients: tuple[float, ...], x: Any) -> Any:
    total: Any = coefficients[0]
    for c in coefficients[1:]:
        total = total * x + c
    return total


def _ratio(region: tuple[tuple[float, ...], tuple[float, ...]], x: Any) -> Any:
    return _horner(region[0], x) / _horner(region[1], x)


def minus_log(p: Any, choose: Choose) -> Any:
    """``-log(p)`` of float64 ``2**-63 < p <= 0.5``.

    Scaled by powers of two (exactly, so no bits of the number are looked at) into
    ``[sqrt(1/2), sqrt(2))``, then ``log m = 2 atanh((m - 1) / (m + 1))``.
    """
    m, exponent = p, p * 0.0
    for power in (32, 16, 8, 4, 2, 1):
        small = m < 2.0 ** -power
        exponent = choose(small, exponent + float(power), exponent)
        m = choose(small, m * 2.0 ** power, m)
    small = m < 0.7071067811865476
    exponent = choose(small, exponent + 1.0, exponent)
    m = choose(small, m * 2.0, m)
    z = (m - 1.0) / (m + 1.0)
    return exponent * _LN2 - 2.0 * (z * _horner(_ATANH, z * z))


def normal_centre(q: Any) -> Any:
    """The deviate of probability ``0.5 + q`` for ``|q| <= 0.425``."""
    return q * _ratio(_CENTRE, 0.180625 - q * q)


def normal_tail(p: Any, choose: Choose, sqrt: Callable[[Any], Any]) -> Any:
    """The size of the deviate whose tail has probability ``p <= 0.075``."""
    r = sqrt(minus_log(p, choose))
    return choose(r < 5.0, _ratio(_NEAR, r - 1.6), _ratio(_FAR, r - 5.0))


def normal(u: Any, choose: Choose, sqrt: Callable[[Any], Any]) -> Any:
    """The normal deviate of float64 probability ``0 < u < 1``, for numbers of any kind.

    ``choose(condition, a, b)`` and ``sqrt`` are the caller's; a kernel printer hands in values
    that write themselves down.
    """
    q = u - 0.5
    p = choose(q < 0.0, u, 1.0 - u)
    tail = normal_tail(p, choose, sqrt)
    signed = choose(q < 0.0, -tail, tail)
    return choose(p < 0.075, signed, normal_centre(q))


# --- the same on arrays ------------------------------------------------------------------------
def words(state: np.ndarray[Any, Any], count: int) -> np.ndarray[Any, Any]:
    """The next ``count`` u64 words of a stream ``[key, key, position]``."""
    key = state[:2].astype(np.uint64)
    return np.random.Philox(key=key, counter=int(state[2])).random_raw(count)


def halves(state: np.ndarray[Any, Any], count: int) -> np.ndarray[Any, Any]:
    """The next ``count`` u32 halves: of each word the low one first."""
    drawn = words(state, (count + 1) // 2).astype("<u8", copy=False)
    return drawn.view("<u4")[:count]


def uniform_array(state: Any, count: int, double: bool) -> Any:
    """Numbers in [0, 1): 24 bits of a half in float32, 53 bits of a word in float64."""
    if double:
        return (words(state, count) >> np.uint64(11)) * 2.0 ** -53
    return (halves(state, count) >> np.uint32(8)).astype(np.float32) * np.float32(2.0 ** -24)


def normal_array(state: Any, count: int, double: bool) -> Any:
    """Standard normal deviates: of a half in float32, of 52 bits of a word in float64.

    ``u`` is the middle of its interval, so neither 0 nor 1.
    """
    if double:
        u = ((words(state, count) >> np.uint64(12)) + 0.5) * 2.0 ** -52
    else:
        u = (halves(state, count) + 0.5) * 2.0 ** -32
    q = u - 0.5
    out = normal_centre(q)
    p = np.where(q < 0.0, u, 1.0 - u)
    outer = p < 0.075  # the tails alone: an element's bits do not depend on its neighbours
    tail = normal_tail(p[outer], np.where, np.sqrt)
    out[outer] = np.where(q[outer] < 0.0, -tail, tail)
    return out if double else out.astype(np.float32)
