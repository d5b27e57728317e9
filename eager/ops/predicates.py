"""Composites that ask: what is finite, infinite, close or equal."""

from __future__ import annotations

import math
from typing import Any

from eager.ops.composite import Composite
from eager.ops.elementwise import EVERYWHERE
from eager.ops.errors import OpError
from eager.ops.op import Spelling
from eager.ops.types import BOOL, F32


def _real_floats(F: Any, x: Any) -> Any:
    return x if F.typeof(x).dtype.kind in "fc" else F.cast(x, dtype=F32)


def isinf(F: Any, input: Any) -> Any:
    """Where the input is infinite."""
    return F.eq(F.abs(_real_floats(F, input)), math.inf)


def isposinf(F: Any, input: Any) -> Any:
    """Where the input is plus infinity."""
    return F.eq(_real_floats(F, input), math.inf)


def isneginf(F: Any, input: Any) -> Any:
    """Where the input is minus infinity."""
    return F.eq(_real_floats(F, input), -math.inf)


def isfinite(F: Any, input: Any) -> Any:
    """Where the input is neither infinite nor NaN."""
    return F.lt(F.abs(_real_floats(F, input)), math.inf)


def isreal(F: Any, input: Any) -> Any:
    """Where the imaginary part is 0: everywhere of a real tensor."""
    kind = F.typeof(input)
    if kind.dtype.kind == "c":
        return F.eq(F.imag(input), 0)
    return F.full(shape=kind.shape, value=True, dtype=BOOL)


def signbit(F: Any, input: Any) -> Any:
    """Where the sign bit is set: of negative numbers, -0.0 among them."""
    kind = F.typeof(input).dtype.kind
    return F.lt(F.copysign(1.0, input) if kind == "f" else input, False if kind == "b" else 0)


def logical_xor(F: Any, input: Any, other: Any) -> Any:
    """Where exactly one of x and y is nonzero."""
    return F.ne(F.logical_not(input), F.logical_not(other))


def isclose(F: Any, input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08,
            equal_nan: bool = False) -> Any:
    """Where ``|input - other| <= atol + rtol |other|``; infinities are close to themselves."""
    kinds = F.typeof(input).dtype, F.typeof(other).dtype
    if kinds[0] is not kinds[1]:
        raise OpError(f"isclose: wants operands of one dtype, got {kinds[0].public} and "
                      f"{kinds[1].public}; convert one of them")
    if rtol < 0 or atol < 0:
        raise OpError(f"isclose: rtol and atol are from 0 up, got {rtol} and {atol}")
    if kinds[0] is BOOL:
        return F.eq(input, other)
    gap = F.abs(F.sub(input, other))
    # Two tests, so that integers are compared with a float tolerance, and inf - inf with inf.
    near = F.logical_and(F.le(gap, F.add(F.mul(F.abs(other), rtol), atol)), isfinite(F, gap))
    close = F.logical_or(near, F.eq(input, other))
    if equal_nan:
        close = F.logical_or(close, F.logical_and(F.isnan(input), F.isnan(other)))
    return close


def allclose(F: Any, input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08,
             equal_nan: bool = False) -> bool:
    """Whether all elements are close (see `isclose`); reads the data."""
    near = isclose(F, input, other, rtol, atol, equal_nan)
    return bool(F.all(near, dims=tuple(range(F.typeof(near).ndim)), keepdim=False))


def equal(F: Any, input: Any, other: Any) -> bool:
    """Whether two tensors have the same shape and elements; reads the data."""
    if F.typeof(input).shape != F.typeof(other).shape:
        return False
    same = F.eq(input, other)
    return bool(F.all(same, dims=tuple(range(F.typeof(same).ndim)), keepdim=False))


FUNCTIONS = (
    *(Composite(f.__name__, f) for f in (
        isinf, isposinf, isneginf, isfinite, isreal, signbit, isclose, allclose, equal)),
    Composite("logical_xor", logical_xor, Spelling(EVERYWHERE)))
