"""Special functions, under the names of ``torch.special``."""

from __future__ import annotations

import math
from typing import Any

from eager.ops import scalar as s
from eager.ops.approximations import BERNOULLI, TWO_OVER_ROOT_PI
from eager.ops.composite import Composite
from eager.ops.elementwise import EVERYWHERE, binary, floating_pair, unary
from eager.ops.errors import OpError
from eager.ops.families import Pointwise
from eager.ops.op import Op, Spelling
from eager.ops.types import F32, as_dtype, normalize_dim

_SPECIAL = Spelling(("special",))
_BOTH = Spelling((*EVERYWHERE, "special"))


# --- bodies ------------------------------------------------------------------------------------
def _times_log(log: str) -> Any:
    """x log(y), which is 0 where x is, unless y is NaN."""
    def body(x: s.Scalar, y: s.Scalar) -> s.Scalar:
        product = s.call("select", s.call("eq", x, 0.0), 0.0, x * s.call(log, y))
        return s.call("select", s.call("ne", y, y), y, product)
    return body


def _entropy(x: s.Scalar) -> s.Scalar:
    inside = s.call("select", s.call("eq", x, 0.0), 0.0, -x * s.call("log", x))
    return s.call("select", s.call("lt", x, 0.0), -math.inf, inside)


# --- gradients ---------------------------------------------------------------------------------
def _bell(F: Any, g: Any, x: Any) -> Any:
    return F.mul(g, F.mul(F.exp(F.neg(F.mul(x, x))), TWO_OVER_ROOT_PI))


def _grad_xlogy(F: Any, g: Any, out: Any, x: Any, y: Any) -> tuple[Any, ...]:
    nothing = F.logical_and(F.eq(x, 0), F.le(y, 0))
    return (F.mul(g, F.where(nothing, F.mul(x, 0), F.log(y))), F.mul(g, F.div(x, y)))


def _grad_xlog1py(F: Any, g: Any, out: Any, x: Any, y: Any) -> tuple[Any, ...]:
    nothing = F.logical_and(F.eq(x, 0), F.le(y, -1))
    return (F.mul(g, F.where(nothing, F.mul(x, 0), F.log1p(y))),
            F.mul(g, F.div(x, F.add(y, 1.0))))


def _grad_erfinv(F: Any, g: Any, out: Any, x: Any) -> tuple[Any, ...]:
    return (F.mul(g, F.div(F.exp(F.mul(out, out)), TWO_OVER_ROOT_PI)),)


def _grad_erfcx(F: Any, g: Any, out: Any, x: Any) -> tuple[Any, ...]:
    return (F.mul(g, F.sub(F.mul(F.mul(x, out), 2.0), TWO_OVER_ROOT_PI)),)


def _grad_i0e(F: Any, g: Any, out: Any, x: Any) -> tuple[Any, ...]:
    return (F.mul(g, F.sub(F.i1e(x), F.mul(F.sign(x), out))),)


def _grad_i1e(F: Any, g: Any, out: Any, x: Any) -> tuple[Any, ...]:
    # I1(x) / x is 1/2 at 0.
    zero = F.eq(x, 0)
    ratio = F.where(zero, F.add(F.mul(x, 0), 0.5),
                    F.div(out, F.where(zero, F.add(F.mul(x, 0), 1), x)))
    return (F.mul(g, F.sub(F.sub(F.i0e(x), ratio), F.mul(F.sign(x), out))),)


erf = unary("erf", "The error function of x.", lambda F, g, out, x: (_bell(F, g, x),),
            saves=(0,), special=True, onnx="Erf")
erfc = unary("erfc", "1 - erf(x), with its digits where x is large.",
             lambda F, g, out, x: (F.neg(_bell(F, g, x)),), saves=(0,), special=True)
erfcx = unary("erfcx", "exp(x**2) erfc(x).", _grad_erfcx, saves=(0, "out"), spelling=_SPECIAL)
erfinv = unary("erfinv", "The number whose error function is x.", _grad_erfinv, saves=("out",),
               domain=(-0.9, 0.9), special=True)
lgamma = unary("lgamma", "The logarithm of |gamma(x)|.",
               lambda F, g, out, x: (F.mul(g, F.digamma(x)),), saves=(0,), domain=(0.3, 4.0))
digamma = unary("digamma", "The derivative of `lgamma`.",
                lambda F, g, out, x: (F.mul(g, polygamma(F, 1, x)),), saves=(0,),
                domain=(0.3, 4.0), special=True)
i0e = unary("i0e", "The modified Bessel function of order 0, times exp(-|x|).", _grad_i0e,
            saves=(0, "out"), spelling=_SPECIAL)
i1e = unary("i1e", "The modified Bessel function of order 1, times exp(-|x|).", _grad_i1e,
            saves=(0, "out"), spelling=_SPECIAL)
entr = unary("entr", "-x log(x); 0 at 0 and minus infinity below.",
             lambda F, g, out, x: (F.neg(F.mul(g, F.add(F.log(x), 1.0))),), saves=(0,),
             domain=(0.1, 3.0), spelling=_SPECIAL, kernel=Pointwise(_entropy))
xlogy = binary("xlogy", "x log(y); 0 where x is, unless y is NaN.", _grad_xlogy,
               infer=floating_pair, promote="float", saves=(0, 1), domain=(0.1, 3.0),
               kernel=Pointwise(_times_log("log")), spelling=_BOTH)
xlog1py = binary("xlog1py", "x log(1 + y); 0 where x is, unless y is NaN.", _grad_xlog1py,
                 infer=floating_pair, promote="float", saves=(0, 1), domain=(0.1, 3.0),
                 kernel=Pointwise(_times_log("log1p")), spelling=_SPECIAL)

OPS: tuple[Op, ...] = (erf, erfc, erfcx, erfinv, lgamma, digamma, i0e, i1e, entr, xlogy, xlog1py)


# --- compositions ------------------------------------------------------------------------------
def _floats(F: Any, x: Any) -> Any:
    return x if F.typeof(x).dtype.kind == "f" else F.cast(x, dtype=F32)


def expit(F: Any, input: Any) -> Any:
    """The logistic function, 1 / (1 + exp(-x))."""
    return F.sigmoid(input)


def psi(F: Any, input: Any) -> Any:
    """The derivative of log gamma."""
    return F.digamma(input)


def gammaln(F: Any, input: Any) -> Any:
    """The logarithm of |gamma(x)|."""
    return F.lgamma(input)


def i0(F: Any, input: Any) -> Any:
    """The modified Bessel function of order 0."""
    return F.mul(F.exp(F.abs(_floats(F, input))), F.i0e(input))


def i1(F: Any, input: Any) -> Any:
    """The modified Bessel function of order 1."""
    return F.mul(F.exp(F.abs(_floats(F, input))), F.i1e(input))


def logit(F: Any, input: Any, eps: float | None = None) -> Any:
    """log(x / (1 - x)), of x kept within [eps, 1 - eps]; without ``eps`` NaN beyond [0, 1]."""
    x = _floats(F, input)
    if eps is not None:
        x = F.clamp_max(F.clamp_min(x, eps), 1.0 - eps)
    return F.log(F.div(x, F.sub(1.0, x)))


def sinc(F: Any, input: Any) -> Any:
    """sin(pi x) / (pi x), 1 at 0."""
    turned = F.mul(_floats(F, input), math.pi)
    zero = F.eq(turned, 0)
    one = F.add(F.mul(turned, 0), 1.0)
    return F.where(zero, one, F.div(F.sin(turned), F.where(zero, one, turned)))


def ndtr(F: Any, input: Any) -> Any:
    """The probability of a standard normal number below x."""
    return F.mul(F.erfc(F.mul(input, -math.sqrt(0.5))), 0.5)


def log_ndtr(F: Any, input: Any) -> Any:
    """The logarithm of `ndtr`, also where that is 0."""
    x = _floats(F, input)
    below = F.lt(x, -1.0)
    outside = F.mul(F.where(below, x, -1.0), -math.sqrt(0.5))
    tail = F.sub(F.log(F.mul(F.erfcx(outside), 0.5)), F.mul(outside, outside))
    inside = F.mul(F.where(below, -1.0, x), math.sqrt(0.5))
    return F.where(below, tail, F.log1p(F.mul(F.erfc(inside), -0.5)))


def ndtri(F: Any, input: Any) -> Any:
    """The number below which a standard normal number lies with probability x."""
    return F.mul(F.erfinv(F.sub(F.mul(_floats(F, input), 2.0), 1.0)), math.sqrt(2))


_TERMS = 16  #: summed one by one before the asymptotic series


def zeta(F: Any, input: Any, other: Any) -> Any:
    """Hurwitz's zeta function: the sum of (q + k)**-x over k from 0, with ``q = other``.

    By Euler and Maclaurin's formula (NIST handbook 25.11.28).  NaN for x below 1; below q = 0 x
    is an integer and q above -8.
    """
    power, start = _pair(F, input, other)
    negative = F.neg(power)
    total = F.pow(start, negative)
    for k in range(1, _TERMS):
        total = F.add(total, F.pow(F.add(start, k), negative))
    end = F.add(start, _TERMS)
    last = F.pow(end, negative)
    total = F.add(total, F.add(F.div(F.mul(last, end), F.sub(power, 1)), F.mul(last, 0.5)))
    term = F.div(F.mul(last, power), end)
    for k, bernoulli in enumerate(BERNOULLI[:8], 1):
        total = F.add(total, F.mul(term, bernoulli / math.factorial(2 * k)))
        rising = F.mul(F.add(power, 2 * k - 1), F.add(power, 2 * k))
        term = F.div(F.mul(term, rising), F.mul(end, end))
    whole = F.logical_and(F.le(start, 0), F.eq(start, F.floor(start)))
    total = F.where(F.logical_or(F.eq(power, 1), whole), math.inf, total)
    return F.where(F.lt(power, 1), math.nan, total)


def _pair(F: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """Two operands, of which one may be a number, as floating tensors."""
    like = F.typeof(x if hasattr(x, "dtype") else y).dtype
    like = like if like.kind == "f" else F32
    full = [t if hasattr(t, "dtype") else F.full(shape=(), value=float(t), dtype=like)
            for t in (x, y)]
    return _floats(F, full[0]), _floats(F, full[1])


def polygamma(F: Any, n: int, input: Any) -> Any:
    """The n-th derivative of `digamma`; for n above 1 of x above -8."""
    if type(n) is not int or n < 0:
        raise OpError(f"polygamma: n is an integer from 0 up, got {n!r}")
    if n == 0:
        return F.digamma(input)
    x = _floats(F, input)
    order = F.full(shape=(), value=n + 1.0, dtype=F.typeof(x).dtype)
    if n > 1:
        return F.mul(zeta(F, order, x), (-1.0) ** (n + 1) * math.factorial(n))
    low = F.lt(x, 0.5)  # by the reflection at 1/2
    up = zeta(F, order, F.where(low, F.sub(1.0, x), x))
    sine = F.sin(F.mul(F.where(low, x, 0.5), math.pi))
    return F.where(low, F.sub(F.div(math.pi ** 2, F.mul(sine, sine)), up), up)


def _polygamma_of(F: Any, input: Any, n: Any) -> Any:
    # The method is x.polygamma(n), the function polygamma(n, x).
    return polygamma(F, n, input) if hasattr(input, "dtype") else polygamma(F, input, n)


_polygamma_of.__doc__ = polygamma.__doc__


def mvlgamma(F: Any, input: Any, p: int) -> Any:
    """The logarithm of the multivariate gamma function of dimension ``p``."""
    if p < 1:
        raise OpError(f"mvlgamma: p is an integer from 1 up, got {p}")
    x = _floats(F, input)
    total = F.add(F.lgamma(x), p * (p - 1) / 4 * math.log(math.pi))
    for k in range(1, p):
        total = F.add(total, F.lgamma(F.sub(x, k / 2)))
    return total


def multigammaln(F: Any, input: Any, p: int) -> Any:
    """The logarithm of the multivariate gamma function of dimension ``p``."""
    return mvlgamma(F, input, p)


def softmax(F: Any, input: Any, dim: int, *, dtype: Any = None) -> Any:
    """exp(x) over its sum along ``dim``."""
    x = input if dtype is None else F.cast(input, dtype=as_dtype(dtype))
    return F.softmax(x, dim=normalize_dim(dim, F.typeof(x).ndim))


def log_softmax(F: Any, input: Any, dim: int, *, dtype: Any = None) -> Any:
    """The logarithm of `softmax`."""
    x = input if dtype is None else F.cast(input, dtype=as_dtype(dtype))
    return F.log_softmax(x, dim=normalize_dim(dim, F.typeof(x).ndim))


FUNCTIONS = (
    *(Composite(f.__name__, f, _SPECIAL) for f in (
        expit, psi, gammaln, i1, ndtr, log_ndtr, ndtri, zeta, multigammaln, softmax, log_softmax)),
    *(Composite(f.__name__, f, _BOTH) for f in (i0, logit, sinc)),
    Composite("polygamma", _polygamma_of, _BOTH),
    Composite("mvlgamma", mvlgamma, Spelling(EVERYWHERE)),
)
