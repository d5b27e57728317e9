"""Complex numbers by their real and imaginary parts, which is how kernels compute them.

A rule is written over ``F`` on reals; operands that are complex come as `Parts`, and so goes a
complex result.  Formulas: W. Kahan, "Branch cuts for complex elementary functions" (1987); the
quotient is R. Smith's (1962), as NumPy's.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from eager.ops.types import F64, I64, broadcast_shapes


class Parts(NamedTuple):
    """A complex value as two real ones of one type."""

    real: Any
    imag: Any


def each(F: Any, name: str, *operands: Any, **attrs: Any) -> Parts:
    """An op that takes each part by itself: what moves elements, and what is linear."""
    def part(k: int) -> Any:
        return getattr(F, name)(*(a[k] if isinstance(a, Parts) else a for a in operands), **attrs)

    return Parts(part(0), part(1))


def _like(F: Any, x: Any, value: float) -> Any:
    t = F.typeof(x)
    return F.full(shape=t.shape, value=value, dtype=t.dtype)


def _scaled(F: Any, x: Parts, factor: float) -> Parts:
    return Parts(F.mul(x.real, factor), F.mul(x.imag, factor))


def _turned(F: Any, x: Parts) -> Parts:
    """i x."""
    return Parts(F.neg(x.imag), x.real)


def _turned_back(F: Any, x: Parts) -> Parts:
    """-i x."""
    return Parts(x.imag, F.neg(x.real))


def _beside_one(F: Any, x: Parts) -> tuple[Parts, Parts]:
    """The roots of 1 - x and of 1 + x."""
    less = Parts(F.sub(1.0, x.real), F.neg(x.imag))
    return sqrt(F, less), sqrt(F, Parts(F.add(x.real, 1.0), x.imag))


# --- parts -------------------------------------------------------------------------------------
def real(F: Any, x: Parts) -> Any:
    return x.real


def imag(F: Any, x: Parts) -> Any:
    return x.imag


def conj(F: Any, x: Parts) -> Parts:
    return Parts(x.real, F.neg(x.imag))


def put_together(F: Any, x: Any, y: Any) -> Parts:
    shape = broadcast_shapes(F.typeof(x).shape, F.typeof(y).shape)
    return Parts(F.broadcast_to(x, shape=shape), F.broadcast_to(y, shape=shape))


def cast(F: Any, x: Any, *, dtype: Any) -> Any:
    if dtype.kind != "c":
        return truth(F, x) if dtype.kind == "b" else F.cast(x.real, dtype=dtype)
    if isinstance(x, Parts):
        return each(F, "cast", x, dtype=dtype.to_real())
    made = F.cast(x, dtype=dtype.to_real())
    return Parts(made, _like(F, made, 0.0))


def full(F: Any, *, shape: Any, value: Any, dtype: Any) -> Parts:
    kind = dtype.to_real()
    number = complex(value)
    return Parts(F.full(shape=shape, value=number.real, dtype=kind),
                 F.full(shape=shape, value=number.imag, dtype=kind))


def pad(F: Any, x: Parts, *, low: Any, high: Any, value: Any) -> Parts:
    number = complex(value)
    return Parts(F.pad(x.real, low=low, high=high, value=number.real),
                 F.pad(x.imag, low=low, high=high, value=number.imag))


# --- truth -------------------------------------------------------------------------------------
def truth(F: Any, x: Any) -> Any:
    """Where a number is not 0."""
    return F.logical_or(F.ne(x.real, 0), F.ne(x.imag, 0)) if isinstance(x, Parts) else F.ne(x, 0)


def eq(F: Any, x: Parts, y: Parts) -> Any:
    return F.logical_and(F.eq(x.real, y.real), F.eq(x.imag, y.imag))


def ne(F: Any, x: Parts, y: Parts) -> Any:
    return F.logical_or(F.ne(x.real, y.real), F.ne(x.imag, y.imag))


def isnan(F: Any, x: Parts) -> Any:
    return F.logical_or(F.isnan(x.real), F.isnan(x.imag))


def of_truth(F: Any, name: str, *operands: Any, **attrs: Any) -> Any:
    """An op that asks of its operands only whether they are 0."""
    return getattr(F, name)(*(truth(F, x) for x in operands), **attrs)


# --- arithmetic --------------------------------------------------------------------------------
def mul(F: Any, x: Parts, y: Parts) -> Parts:
    return Parts(F.sub(F.mul(x.real, y.real), F.mul(x.imag, y.imag)),
                 F.add(F.mul(x.real, y.imag), F.mul(x.imag, y.real)))


def div(F: Any, x: Parts, y: Parts) -> Parts:
    wide = F.ge(F.abs(y.real), F.abs(y.imag))
    large, small = F.where(wide, y.real, y.imag), F.where(wide, y.imag, y.real)
    zero, length = F.logical_and(F.eq(large, 0), F.eq(small, 0)), F.abs(large)
    ratio = F.div(small, large)
    scale = F.div(1.0, F.add(large, F.mul(small, ratio)))
    first, second = F.where(wide, x.real, x.imag), F.where(wide, x.imag, x.real)
    slanted = F.sub(second, F.mul(first, ratio))
    straight = Parts(F.mul(F.add(first, F.mul(second, ratio)), scale),
                     F.mul(F.where(wide, slanted, F.neg(slanted)), scale))
    return Parts(F.where(zero, F.div(x.real, length), straight.real),
                 F.where(zero, F.div(x.imag, length), straight.imag))


def reciprocal(F: Any, x: Parts) -> Parts:
    return div(F, Parts(_like(F, x.real, 1.0), _like(F, x.real, 0.0)), x)


def square(F: Any, x: Parts) -> Parts:
    return mul(F, x, x)


def size(F: Any, x: Parts) -> Any:
    return F.hypot(x.real, x.imag)


def power(F: Any, x: Parts, y: Parts) -> Parts:
    made = exp(F, mul(F, y, log(F, x)))
    zero, one = F.logical_not(truth(F, x)), F.logical_not(truth(F, y))
    whole = F.where(one, 1.0, F.where(zero, 0.0, made.real))
    return Parts(whole, F.where(F.logical_or(one, zero), 0.0, made.imag))


def sqrt(F: Any, x: Parts) -> Parts:
    half = F.sqrt(F.mul(F.add(F.abs(x.real), size(F, x)), 0.5))
    zero = F.eq(half, 0)
    other = F.where(zero, F.abs(x.imag),
                    F.div(F.abs(x.imag), F.mul(F.where(zero, 1.0, half), 2.0)))
    right = F.ge(x.real, 0)
    endless = F.eq(F.abs(x.imag), math.inf)
    return Parts(F.where(endless, math.inf, F.where(right, half, other)),
                 F.where(endless, x.imag, F.copysign(F.where(right, other, half), x.imag)))


def rsqrt(F: Any, x: Parts) -> Parts:
    return reciprocal(F, sqrt(F, x))


# --- products ----------------------------------------------------------------------------------
def matmul(F: Any, x: Parts, y: Parts) -> Parts:
    return Parts(F.sub(F.matmul(x.real, y.real), F.matmul(x.imag, y.imag)),
                 F.add(F.matmul(x.real, y.imag), F.matmul(x.imag, y.real)))


def solve(F: Any, a: Parts, b: Parts) -> Parts:
    """The equations of the parts: twice as many, and real."""
    n, last = F.typeof(a.real).shape[-1], F.typeof(a.real).ndim - 1
    whole = F.concat(F.concat(a.real, F.neg(a.imag), dim=last),
                     F.concat(a.imag, a.real, dim=last), dim=last - 1)
    x = F.solve(whole, F.concat(b.real, b.imag, dim=F.typeof(b.real).ndim - 2))
    shape = F.typeof(x).shape
    zero, one = (0,) * len(shape), (1,) * len(shape)
    below = (*(0 for _ in shape[:-2]), n, 0)
    return Parts(F.slice(x, starts=zero, stops=(*shape[:-2], n, shape[-1]), steps=one),
                 F.slice(x, starts=below, stops=shape, steps=one))


# --- elementary functions ----------------------------------------------------------------------
def exp(F: Any, x: Parts) -> Parts:
    length = F.exp(x.real)
    # An infinity times the sine of 0 would be NaN.
    return Parts(F.mul(length, F.cos(x.imag)),
                 F.where(F.eq(x.imag, 0), x.imag, F.mul(length, F.sin(x.imag))))


def exp2(F: Any, x: Parts) -> Parts:
    return exp(F, _scaled(F, x, math.log(2)))


def expm1(F: Any, x: Parts) -> Parts:
    half = F.sin(F.mul(x.imag, 0.5))
    near = F.sub(F.mul(F.expm1(x.real), F.cos(x.imag)), F.mul(F.mul(half, half), 2.0))
    return Parts(near, F.mul(F.exp(x.real), F.sin(x.imag)))


def log(F: Any, x: Parts) -> Parts:
    return Parts(F.log(size(F, x)), F.atan2(x.imag, x.real))


def log2(F: Any, x: Parts) -> Parts:
    return _scaled(F, log(F, x), 1 / math.log(2))


def log10(F: Any, x: Parts) -> Parts:
    return _scaled(F, log(F, x), 1 / math.log(10))


def log1p(F: Any, x: Parts) -> Parts:
    return log(F, Parts(F.add(x.real, 1.0), x.imag))


def sigmoid(F: Any, x: Parts) -> Parts:
    below = exp(F, Parts(F.neg(x.real), F.neg(x.imag)))
    return reciprocal(F, Parts(F.add(below.real, 1.0), below.imag))


def sin(F: Any, x: Parts) -> Parts:
    return Parts(F.mul(F.sin(x.real), F.cosh(x.imag)), F.mul(F.cos(x.real), F.sinh(x.imag)))


def cos(F: Any, x: Parts) -> Parts:
    return Parts(F.mul(F.cos(x.real), F.cosh(x.imag)),
                 F.neg(F.mul(F.sin(x.real), F.sinh(x.imag))))


def tan(F: Any, x: Parts) -> Parts:
    return _turned_back(F, tanh(F, _turned(F, x)))


def sinh(F: Any, x: Parts) -> Parts:
    return Parts(F.mul(F.sinh(x.real), F.cos(x.imag)), F.mul(F.cosh(x.real), F.sin(x.imag)))


def cosh(F: Any, x: Parts) -> Parts:
    return Parts(F.mul(F.cosh(x.real), F.cos(x.imag)), F.mul(F.sinh(x.real), F.sin(x.imag)))


def tanh(F: Any, x: Parts) -> Parts:
    far = F.gt(F.abs(x.real), 20.0)
    s, c = F.sin(x.imag), F.cos(x.imag)
    turn, near = F.mul(s, c), F.where(far, 0.0, x.real)
    rise = F.sinh(near)
    below = F.add(F.mul(rise, rise), F.mul(c, c))
    fall = F.mul(F.exp(F.mul(F.abs(x.real), -2.0)), 4.0)
    return Parts(F.where(far, F.copysign(1.0, x.real), F.div(F.mul(rise, F.cosh(near)), below)),
                 F.where(far, F.mul(turn, fall), F.div(turn, below)))


def asin(F: Any, x: Parts) -> Parts:
    less, more = _beside_one(F, x)
    return Parts(F.atan2(x.real, mul(F, less, more).real),
                 F.asinh(mul(F, conj(F, less), more).imag))


def acos(F: Any, x: Parts) -> Parts:
    less, more = _beside_one(F, x)
    return Parts(F.mul(F.atan2(less.real, more.real), 2.0),
                 F.asinh(mul(F, conj(F, more), less).imag))


def atan(F: Any, x: Parts) -> Parts:
    return _turned_back(F, atanh(F, _turned(F, x)))


def asinh(F: Any, x: Parts) -> Parts:
    return _turned_back(F, asin(F, _turned(F, x)))


def acosh(F: Any, x: Parts) -> Parts:
    less = sqrt(F, Parts(F.sub(x.real, 1.0), x.imag))
    more = sqrt(F, Parts(F.add(x.real, 1.0), x.imag))
    return Parts(F.asinh(mul(F, conj(F, less), more).real),
                 F.mul(F.atan2(less.imag, more.real), 2.0))


def atanh(F: Any, x: Parts) -> Parts:
    less, square = F.sub(1.0, x.real), F.mul(x.imag, x.imag)
    reach = F.div(F.mul(x.real, 4.0), F.add(F.mul(less, less), square))
    across = F.sub(F.mul(less, F.add(x.real, 1.0)), square)
    return Parts(F.mul(F.log1p(reach), 0.25),
                 F.mul(F.atan2(F.mul(x.imag, 2.0), across), 0.5))


# --- Fourier transforms ------------------------------------------------------------------------
#: A prime number of points above this is transformed through a power of two.
_LARGE_PRIME = 61


def dft(F: Any, x: Parts, *, dim: int, inverse: bool) -> Parts:
    n = F.typeof(x.real).shape[dim]
    if type(n) is int and _largest_prime(n) > _LARGE_PRIME:
        return _chirped(F, x, dim, n, inverse)
    shape = (1, *F.typeof(x.real).shape)
    planes = F.concat(F.reshape(x.real, shape=shape), F.reshape(x.imag, shape=shape), dim=0)
    out = F.dft_planes(planes, dim=dim + 1, inverse=inverse)
    return Parts(F.select(out, dim=0, index=0), F.select(out, dim=0, index=1))


def _largest_prime(n: int) -> int:
    factor = 2
    while factor * factor <= n:
        if n % factor:
            factor += 1
        else:
            n //= factor
    return n


def _chirped(F: Any, x: Parts, dim: int, n: int, inverse: bool) -> Parts:
    """A convolution with a chirp: L. Bluestein (1970), in float64.

    ``2 n k = n**2 + k**2 - (k - n)**2`` makes the sums of ``x[n] exp(-2 pi i n k / N)`` one.
    """
    t = F.typeof(x.real)
    m = 1 << (2 * n - 2).bit_length()
    line = F.iota(start=0, step=1, size=n, dtype=I64)
    turn = F.cast(F.remainder(F.mul(line, line), 2 * n), dtype=F64)
    angle = F.reshape(F.mul(turn, (math.pi if inverse else -math.pi) / n),
                      shape=tuple(n if k == dim else 1 for k in range(t.ndim)))
    chirp = Parts(F.cos(angle), F.sin(angle))
    back = conj(F, chirp)

    def grown(part: Any, low: int, high: int) -> Any:
        ends = ((low if k == dim else 0, high if k == dim else 0) for k in range(t.ndim))
        below, above = zip(*ends, strict=True)
        return F.pad(part, low=below, high=above, value=0.0)

    around = Parts(*(F.add(grown(p, 0, m - n), grown(F.flip(grown(p, -1, 0), dims=(dim,)),
                                                     m - n + 1, 0)) for p in back))
    signal = mul(F, each(F, "cast", x, dtype=F64), chirp)
    spectrum = mul(F, dft(F, Parts(*(grown(p, 0, m - n) for p in signal)), dim=dim,
                          inverse=False),
                   dft(F, around, dim=dim, inverse=False))
    folded = dft(F, spectrum, dim=dim, inverse=True)
    out = mul(F, Parts(*(F.mul(grown(p, 0, n - m), 1.0 / m) for p in folded)), chirp)
    return each(F, "cast", out, dtype=t.dtype)
