"""Philox4x64-10 and what is made of its bits: the one random stream of every target.

J. Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3" (2011); the bits are those of
``numpy.random.Philox``.  A state is ``int64[3]``: two words of key and the number of blocks
drawn.  A block is four 64-bit words; its eight 32-bit halves are used low half first.

Normal numbers are the inverse of the normal distribution by M. Wichura's AS 241 (PPND16), with
a logarithm of our own: only ``+ - * /`` and ``sqrt`` in a fixed order, so that every target,
which rounds as IEEE 754 says, gets equal bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np

MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
WEYL = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)
ROUNDS = 10

#: AS 241: numerator and denominator, lowest power first, of the middle and the two tails.
MIDDLE = ((3.3871328727963666080e0, 1.3314166789178437745e+2, 1.9715909503065514427e+3,
           1.3731693765509461125e+4, 4.5921953931549871457e+4, 6.7265770927008700853e+4,
           3.3430575583588128105e+4, 2.5090809287301226727e+3),
          (1.0, 4.2313330701600911252e+1, 6.8718700749205790830e+2, 5.3941960214247511077e+3,
           2.1213794301586595867e+4, 3.9307895800092710610e+4, 2.8729085735721942674e+4,
           5.2264952788528545610e+3))
NEAR = ((1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0,
         3.64784832476320460504e0, 1.27045825245236838258e0, 2.41780725177450611770e-1,
         2.27238449892691845833e-2, 7.74545014278341407640e-4),
        (1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
         1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4,
         1.05075007164441684324e-9))
FAR = ((6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0,
        2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
        2.71155556874348757815e-5, 2.01033439929228813265e-7),
       (1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
        7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7,
        2.04426310338993978564e-15))
LN2 = 0.6931471805599453
#: log(m) = 2 s (1 + s^2/3 + s^4/5 + ...) with s = (m - 1) / (m + 1), highest power first.
LOG_SERIES = tuple(1.0 / k for k in range(25, 0, -2))


def halves(state: Any, count: int) -> Any:
    """The next ``count`` 32-bit numbers of a stream, as uint32."""
    key = np.asarray(state[:2]).view(np.uint64)
    counter = np.array([int(state[2]), 0, 0, 0], np.uint64)
    words = np.random.Philox(key=key, counter=counter).random_raw(-(-count // 2))
    return np.ascontiguousarray(words, "<u8").view("<u4")[:count]


def words(state: Any, count: int) -> Any:
    """The next ``count`` 64-bit numbers of a stream."""
    key = np.asarray(state[:2]).view(np.uint64)
    counter = np.array([int(state[2]), 0, 0, 0], np.uint64)
    return np.random.Philox(key=key, counter=counter).random_raw(count)


def uniform(state: Any, count: int, double: bool) -> Any:
    """Numbers in [0, 1): 24 bits of a half each, or 53 bits of a word."""
    if double:
        return (words(state, count) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return (halves(state, count) >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)


def normal(state: Any, count: int) -> Any:
    """Standard normal numbers as float64, one 64-bit word each."""
    p = ((words(state, count) >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    q = p - 0.5
    r = 0.180625 - q * q
    middle = q * (_horner(MIDDLE[0], r) / _horner(MIDDLE[1], r))
    tail = np.where(q < 0.0, p, 1.0 - p)
    t = np.sqrt(-logarithm(tail))
    near, far = t - 1.6, t - 5.0
    outer = np.where(t <= 5.0, _horner(NEAR[0], near) / _horner(NEAR[1], near),
                     _horner(FAR[0], far) / _horner(FAR[1], far))
    outer = np.where(q < 0.0, -outer, outer)
    return np.where(np.abs(q) <= 0.425, middle, outer)


def logarithm(x: Any) -> Any:
    """The natural logarithm of numbers in (0, 1], by exact scaling and the atanh series."""
    mantissa, exponent = np.frexp(x)  # mantissa in [0.5, 1)
    low = mantissa < 0.7071067811865476
    m = np.where(low, mantissa * 2.0, mantissa)
    e = np.where(low, exponent - 1, exponent).astype(np.float64)
    s = (m - 1.0) / (m + 1.0)
    q = s * s
    total = np.full_like(q, LOG_SERIES[0])
    for c in LOG_SERIES[1:]:
        total = total * q + c
    return e * LN2 + (s + s) * total


def _horner(coefficients: tuple[float, ...], x: Any) -> Any:
    total = np.full_like(x, coefficients[-1])
    for c in reversed(coefficients[:-1]):
        total = total * x + c
    return total


def blocks(count: Any, double: bool) -> Any:
    """Blocks that ``count`` numbers use up: eight halves or four words each."""
    per = 4 if double else 8
    return (count + (per - 1)) // per
