"""Composites that fold: means, spreads, extremes with positions, norms and comparisons."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from eager.ops.composite import Composite
from eager.ops.errors import OpError
from eager.ops.op import Spelling
from eager.ops.reductions import values_indices
from eager.ops.types import BOOL, F32, as_dtype, normalize_dim, normalize_dims, product

Dims = int | Sequence[int] | None


def _count(F: Any, x: Any, dims: tuple[int, ...]) -> Any:
    shape = F.typeof(x).shape
    return product(shape[d] for d in dims)


def root(F: Any, x: Any) -> Any:
    """sqrt(x) of ``x >= 0`` whose gradient at 0 is 0, as torch's norms and deviations have it."""
    zero = F.eq(x, 0)
    return F.where(zero, F.mul(x, 0), F.sqrt(F.where(zero, F.add(F.mul(x, 0), 1), x)))


def _floating(F: Any, name: str, x: Any, dtype: Any = None) -> Any:
    if dtype is not None:
        x = F.cast(x, dtype=as_dtype(dtype))
    if F.typeof(x).dtype.kind != "f":
        raise OpError(f"{name}: the operand must be floating, got {F.typeof(x)}; convert it, "
                      f"or give dtype=")
    return x


def mean(F: Any, input: Any, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The mean over ``dim`` (all dims if None) of a floating tensor."""
    x = _floating(F, "mean", input, dtype)
    dims = normalize_dims(dim, F.typeof(x).ndim)
    return F.div(F.sum(x, dims=dims, keepdim=keepdim), _count(F, x, dims))


def var(F: Any, input: Any, dim: Dims = None, unbiased: bool = True, keepdim: bool = False, *,
        correction: float | None = None) -> Any:
    """The variance over ``dim``: squared deviations over the count less ``correction`` (1)."""
    x = _floating(F, "var", input)
    dims = normalize_dims(dim, F.typeof(x).ndim)
    less = (1 if unbiased else 0) if correction is None else correction
    deviation = F.sub(x, mean(F, x, dims, True) if dims else x)
    divisor = _count(F, x, dims) - less
    if type(divisor) in (int, float):
        divisor = divisor if divisor > 0 else 0
    return F.div(F.sum(F.square(deviation), dims=dims, keepdim=keepdim), divisor)


def std(F: Any, input: Any, dim: Dims = None, unbiased: bool = True, keepdim: bool = False, *,
        correction: float | None = None) -> Any:
    """The standard deviation: the root of `var`."""
    return root(F, var(F, input, dim, unbiased, keepdim, correction=correction))


def logsumexp(F: Any, input: Any, dim: Dims, keepdim: bool = False) -> Any:
    """log(sum(exp(x))) over ``dim``, without overflow."""
    x = _floating(F, "logsumexp", input)
    dims = normalize_dims(dim, F.typeof(x).ndim)
    top = F.detach(F.amax(x, dims=dims, keepdim=True))
    top = F.where(F.lt(F.abs(top), math.inf), top, F.full(shape=(), value=0.0,
                                                          dtype=F.typeof(x).dtype))
    total = F.log(F.sum(F.exp(F.sub(x, top)), dims=dims, keepdim=True))
    total = F.add(total, top)
    kept = tuple(d for k, d in enumerate(F.typeof(x).shape) if k not in dims)
    return total if keepdim else F.reshape(total, shape=kept)


def _extreme(F: Any, input: Any, dim: Any, keepdim: bool, other: Any, name: str) -> Any:
    fold, find, pair = (("amax", "argmax", "maximum") if name == "max"
                        else ("amin", "argmin", "minimum"))
    if other is None and hasattr(dim, "dtype"):
        other = dim
    if other is not None:
        return getattr(F, pair)(input, other)
    n = F.typeof(input).ndim
    if dim is None:
        return getattr(F, fold)(input, dims=tuple(range(n)), keepdim=False)
    at = normalize_dim(dim, n)
    if not n:
        return values_indices(input, getattr(F, find)(input, dim=0, keepdim=False))
    place = getattr(F, find)(input, dim=at, keepdim=True)
    value = F.gather(input, place, dim=at)
    if not keepdim:
        kept = tuple(d for k, d in enumerate(F.typeof(input).shape) if k != at)
        value, place = F.reshape(value, shape=kept), F.reshape(place, shape=kept)
    return values_indices(value, place)


def max(F: Any, input: Any, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """The largest element; with ``dim`` also its position; with a tensor, the larger of two."""
    return _extreme(F, input, dim, keepdim, other, "max")


def min(F: Any, input: Any, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """The smallest element; with ``dim`` also its position; with a tensor, the smaller of two."""
    return _extreme(F, input, dim, keepdim, other, "min")


def norm(F: Any, input: Any, p: float | str | None = 2, dim: Dims = None,
         keepdim: bool = False) -> Any:
    """The vector norm of order ``p`` over ``dim``: (sum |x|**p) ** (1/p)."""
    x = _floating(F, "norm", input)
    dims = normalize_dims(dim, F.typeof(x).ndim)
    order = 2.0 if p in (None, "fro") else float(p)
    if order == 2.0:
        return root(F, F.sum(F.square(x), dims=dims, keepdim=keepdim))
    size = F.abs(x)
    if order == math.inf:
        return F.amax(size, dims=dims, keepdim=keepdim)
    if order == -math.inf:
        return F.amin(size, dims=dims, keepdim=keepdim)
    if order == 0.0:
        return F.sum(F.cast(F.ne(x, 0), dtype=F.typeof(x).dtype), dims=dims, keepdim=keepdim)
    if order == 1.0:
        return F.sum(size, dims=dims, keepdim=keepdim)
    return F.pow(F.sum(F.pow(size, order), dims=dims, keepdim=keepdim), 1.0 / order)


def isinf(F: Any, input: Any) -> Any:
    """Where the input is infinite."""
    return F.eq(F.abs(_as_float(F, input)), math.inf)


def isfinite(F: Any, input: Any) -> Any:
    """Where the input is neither infinite nor NaN."""
    return F.lt(F.abs(_as_float(F, input)), math.inf)


def _as_float(F: Any, x: Any) -> Any:
    return x if F.typeof(x).dtype.kind == "f" else F.cast(x, dtype=F32)


def isclose(F: Any, input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08,
            equal_nan: bool = False) -> Any:
    """Where ``|input - other| <= atol + rtol |other|``; infinities are close to themselves."""
    if F.typeof(input).dtype is BOOL:
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


def count_nonzero(F: Any, input: Any, dim: Dims = None) -> Any:
    """How many elements over ``dim`` are not zero."""
    dims = normalize_dims(dim, F.typeof(input).ndim)
    nonzero = input if F.typeof(input).dtype is BOOL else F.ne(input, 0)
    return F.sum(nonzero, dims=dims, keepdim=False)


FUNCTIONS = tuple(Composite(f.__name__, f, Spelling()) for f in (
    mean, var, std, logsumexp, max, min, norm, isinf, isfinite, isclose, allclose, equal,
    count_nonzero))
