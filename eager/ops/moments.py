"""Composites that fold: means, spreads, norms and counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from eager.ops import scalar as s
from eager.ops.composite import Composite
from eager.ops.errors import OpError
from eager.ops.families import Pointwise, Reduce
from eager.ops.op import Example, Op, Spelling
from eager.ops.reductions import FOLDS, in_dtype, reduced_shape, run_sum, spread
from eager.ops.types import (
    BOOL,
    F32,
    I64,
    DType,
    Type,
    as_dtype,
    normalize_dim,
    normalize_dims,
    product,
)

Dims = int | Sequence[int] | None


def count_along(F: Any, x: Any, dims: tuple[int, ...]) -> Any:
    """How many elements are folded into one along ``dims``."""
    shape = F.typeof(x).shape
    return product(shape[d] for d in dims)


def _floating(F: Any, name: str, x: Any, dtype: Any = None) -> Any:
    if dtype is not None:
        x = F.cast(x, dtype=as_dtype(dtype))
    if F.typeof(x).dtype.kind not in "fc":
        raise OpError(f"{name}: the operand must be floating, got {F.typeof(x)}; convert it, "
                      f"or give dtype=")
    return x


def _widened(F: Any, x: Any) -> tuple[Any, Any]:
    """The operand in the dtype that arithmetic is done in, and the dtype of the result."""
    dtype = F.typeof(x).dtype
    return (x if dtype.wide is dtype else F.cast(x, dtype=dtype.wide)), dtype


def _narrowed(F: Any, x: Any, dtype: DType) -> Any:
    """The result in the dtype of the operand; the real one where a modulus was taken."""
    have = F.typeof(x).dtype
    want = dtype if have.kind == dtype.kind else dtype.to_real()
    return x if have is want else F.cast(x, dtype=want)


# --- means and spreads -------------------------------------------------------------------------
def _mean_type(x: Type, /, *, dims: tuple[int, ...], keepdim: bool) -> Type:
    if x.dtype.kind not in "fc":
        raise OpError(f"the operand must be floating, got {x}; convert it, or give dtype=")
    return Type(x.dtype, reduced_shape(x.shape, dims, keepdim))


def _run_mean(x: Any, *, dims: Any, keepdim: bool) -> Any:
    if x.dtype.kind not in "fc":
        _mean_type(Type.of(x), dims=dims, keepdim=keepdim)
    total = run_sum(x, dims=dims, keepdim=keepdim)
    return total / math.prod([x.shape[d] for d in dims])


def _grad_mean(F: Any, g: Any, out: Any, x: Any, *, dims: Any, keepdim: bool) -> tuple[Any, ...]:
    return (spread(F, F.div(g, count_along(F, x, dims)), x, dims),)


def mean(F: Any, input: Any, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The mean over ``dim`` (all dims if None) of a floating tensor."""
    if dtype is not None:
        input = F.cast(input, dtype=as_dtype(dtype))
    return F.mean(input, dims=normalize_dims(dim, input.ndim), keepdim=keepdim)


def _var_type(x: Type, /, *, dims: tuple[int, ...], keepdim: bool, correction: float) -> Type:
    if x.dtype.kind != "f":
        raise OpError(f"the operand must be floating, got {x}")
    return _mean_type(x, dims=dims, keepdim=keepdim)


def _divisor(F: Any, x: Any, dims: tuple[int, ...], correction: float) -> Any:
    """The count less the correction, never below 0 (a dynamic one is taken as it is)."""
    left = count_along(F, x, dims) - correction
    return left if type(left) not in (int, float) or left > 0 else 0


def _run_var(x: Any, *, dims: Any, keepdim: bool, correction: float) -> Any:
    if x.dtype.kind != "f":
        _var_type(Type.of(x), dims=dims, keepdim=keepdim, correction=correction)
    deviation = x - _run_mean(x, dims=dims, keepdim=True)
    number = math.prod([x.shape[d] for d in dims])
    total = run_sum(deviation * deviation, dims=dims, keepdim=keepdim)
    return total / max(number - correction, 0)


def _grad_var(F: Any, g: Any, out: Any, x: Any, *, dims: Any, keepdim: bool, correction: float
              ) -> tuple[Any, ...]:
    deviation = F.sub(x, F.mean(x, dims=dims, keepdim=True))
    share = F.div(F.mul(g, 2), _divisor(F, x, dims, correction))
    return (F.mul(deviation, spread(F, share, x, dims)),)


def _var_parts(F: Any, x: Any, *, dims: Any, keepdim: bool, correction: float) -> Any:
    deviation = F.sub(x, F.mean(x, dims=dims, keepdim=True))
    return F.div(F.sum(F.square(deviation), dims=dims, keepdim=keepdim),
                 _divisor(F, x, dims, correction))


def _root_type(x: Type, /) -> Type:
    return _mean_type(x, dims=(), keepdim=False)


def _grad_root(F: Any, g: Any, out: Any, x: Any) -> tuple[Any, ...]:
    zero = F.eq(out, 0)
    one, nothing = (F.full(shape=(), value=v, dtype=F.typeof(out).dtype) for v in (1.0, 0.0))
    return (F.where(zero, nothing, F.div(g, F.mul(F.where(zero, one, out), 2))),)


def nansum(F: Any, input: Any, dim: Dims = None, keepdim: bool = False, *,
           dtype: Any = None) -> Any:
    """The sum over ``dim`` of what is not NaN."""
    dims = normalize_dims(dim, F.typeof(input).ndim)

    def fold(x: Any) -> Any:
        if F.typeof(x).dtype.kind == "f":
            x = F.where(F.isnan(x), _number(F, x, 0.0), x)
        return F.sum(x, dims=dims, keepdim=keepdim)

    return in_dtype(F, fold, input, dtype)


def nanmean(F: Any, input: Any, dim: Dims = None, keepdim: bool = False, *,
            dtype: Any = None) -> Any:
    """The mean over ``dim`` of what is not NaN; NaN where nothing is left."""
    x, kind = _widened(F, _floating(F, "nanmean", input, dtype))
    dims = normalize_dims(dim, F.typeof(x).ndim)
    number = F.cast(F.logical_not(F.isnan(x)), dtype=F.typeof(x).dtype)
    found = F.div(nansum(F, x, dims or None, keepdim), F.sum(number, dims=dims, keepdim=keepdim))
    return found if kind.wide is kind else F.cast(found, dtype=kind)


def _number(F: Any, x: Any, value: float) -> Any:
    return F.full(shape=(), value=value, dtype=F.typeof(x).dtype)


def var_mean(F: Any, input: Any, dim: Any = None, unbiased: bool = True, keepdim: bool = False, *,
             correction: float | None = None) -> tuple[Any, Any]:
    """The variance over ``dim`` and the mean (see `var`)."""
    spread, attrs = _moments(F, "var_mean", input, dim, unbiased, keepdim, correction)
    return spread, F.mean(input, **attrs)


def std_mean(F: Any, input: Any, dim: Any = None, unbiased: bool = True, keepdim: bool = False, *,
             correction: float | None = None) -> tuple[Any, Any]:
    """The standard deviation over ``dim`` and the mean (see `std`)."""
    spread, attrs = _moments(F, "std_mean", input, dim, unbiased, keepdim, correction)
    return F.root(spread), F.mean(input, **attrs)


def var(F: Any, input: Any, dim: Any = None, unbiased: bool = True, keepdim: bool = False, *,
        correction: float | None = None) -> Any:
    """The variance over ``dim``: squared deviations over the count less ``correction`` (1).

    ``var(x, False)`` is torch's short form of ``unbiased=False`` over all dims.
    """
    return _moments(F, "var", input, dim, unbiased, keepdim, correction)[0]


def std(F: Any, input: Any, dim: Any = None, unbiased: bool = True, keepdim: bool = False, *,
        correction: float | None = None) -> Any:
    """The standard deviation: the root of `var`."""
    return F.root(_moments(F, "std", input, dim, unbiased, keepdim, correction)[0])


def _moments(F: Any, name: str, input: Any, dim: Any, unbiased: bool, keepdim: bool,
             correction: float | None) -> tuple[Any, Any]:
    """The arguments of `var`, read: the input, dims and what the count is lessened by."""
    x = _floating(F, name, input)
    if type(dim) is bool:
        dim, unbiased = None, dim
    less = (1 if unbiased else 0) if correction is None else correction
    dims = normalize_dims(dim, x.ndim)
    attrs = {"dims": dims, "keepdim": keepdim}
    if x.dtype.kind != "c":
        return F.var(x, correction=less, **attrs), attrs
    size = F.abs(F.sub(x, F.mean(x, dims=dims, keepdim=True)))
    return F.div(F.sum(F.square(size), **attrs), _divisor(F, x, dims, less)), attrs


# Ops though they are compositions, since networks call them more often than any other fold; they
# compile as what they are composed of.
_mean = Op("mean", "The mean over dims; of half floats in float32.", _mean_type, Reduce("add", 0),
           forward=_run_mean, grad=_grad_mean, complex=True, public=mean, onnx="ReduceMean",
           decompose=lambda F, x, *, dims, keepdim: F.div(
               F.sum(x, dims=dims, keepdim=keepdim), count_along(F, x, dims)),
           examples=FOLDS,
           rejects=(Example((((2,), "i64"),), {"dims": (0,), "keepdim": False}),))
_var = Op("var", "Squared deviations from the mean over the count less correction.", _var_type,
          Reduce("add", 0), forward=_run_var, grad=_grad_var, saves=(0,), decompose=_var_parts,
          public=var, examples=tuple(Example(e.operands, {**e.attrs, "correction": c})
                                      for e, c in zip(FOLDS[:4], (1, 0, 0.5, 1), strict=True)),
          rejects=(Example((((2,), "i64"),),
                           {"dims": (0,), "keepdim": False, "correction": 1}),))
_root = Op("root", "sqrt(x) whose slope at 0 is 0, as torch's norms and deviations have it.",
           _root_type, Pointwise(lambda x: s.call("sqrt", x)), grad=_grad_root, saves=("out",),
           promote="float", spelling=None, domain=(0.5, 2.0))
OPS = (_mean, _var, _root)


def logsumexp(F: Any, input: Any, dim: Dims, keepdim: bool = False) -> Any:
    """log(sum(exp(x))) over ``dim``, without overflow; integers are taken as float32."""
    x = input if F.typeof(input).dtype.kind in "fc" else F.cast(input, dtype=F32)
    t = F.typeof(x)
    dims = normalize_dims(dim, t.ndim)
    if any(type(t.shape[d]) is int and t.shape[d] == 0 for d in dims):
        return F.log(F.sum(x, dims=dims, keepdim=keepdim))
    top = F.detach(F.amax(x, dims=dims, keepdim=True))
    top = F.where(F.lt(F.abs(top), math.inf), top, _number(F, x, 0.0))
    total = F.log(F.sum(F.exp(F.sub(x, top)), dims=dims, keepdim=True))
    total = F.add(total, top)
    kept = tuple(d for k, d in enumerate(t.shape) if k not in dims)
    return total if keepdim else F.reshape(total, shape=kept)


# --- norms -------------------------------------------------------------------------------------
def norm(F: Any, input: Any, p: float | str | None = "fro", dim: Dims = None,
         keepdim: bool = False, dtype: Any = None) -> Any:
    """The vector norm of order ``p`` over ``dim``: (sum |x|**p) ** (1/p).

    ``fro`` and None are 2; 0 counts what is not zero; the infinities take the extremes.
    """
    if p == "nuc":
        raise OpError("norm: the nuclear norm is of matrices; use linalg.matrix_norm(x, 'nuc')")
    if isinstance(p, str) and p != "fro":
        raise OpError(f"norm: p is a number, inf, -inf or 'fro', got {p!r}")
    x = _floating(F, "norm", input)
    if dtype is not None:
        x = F.cast(x, dtype=as_dtype(dtype))
    order = 2.0 if p is None or isinstance(p, str) else float(p)
    return vector_norm(F, x, order, normalize_dims(dim, F.typeof(x).ndim), keepdim)


def vector_norm(F: Any, x: Any, order: float, dims: tuple[int, ...], keepdim: bool) -> Any:
    """The norm of order ``order`` over dims counted from the front; its gradient at 0 is 0."""
    x, kind = _widened(F, x)
    if order == 2.0 and kind.kind == "f":
        return _narrowed(F, F.root(F.sum(F.square(x), dims=dims, keepdim=keepdim)), kind)
    size = F.abs(x)
    if abs(order) == math.inf:
        found = (F.amax if order > 0 else F.amin)(size, dims=dims, keepdim=keepdim)
    elif order == 2.0:
        found = F.root(F.sum(F.square(size), dims=dims, keepdim=keepdim))
    elif order == 0.0:
        found = F.sum(F.sign(size), dims=dims, keepdim=keepdim)
    elif order == 1.0:
        found = F.sum(size, dims=dims, keepdim=keepdim)
    else:
        found = _power_norm(F, size, order, dims, keepdim)
    return _narrowed(F, found, kind)


def _power_norm(F: Any, size: Any, order: float, dims: tuple[int, ...], keepdim: bool) -> Any:
    if 0 < order < 1:  # the slope of a root at 0 is infinite: an exact zero gets none
        zero = F.eq(size, 0)
        powers = F.where(zero, _number(F, size, 0.0), F.pow(F.where(
            zero, _number(F, size, 1.0), size), order))
    else:
        powers = F.pow(size, order)
    total = F.sum(powers, dims=dims, keepdim=keepdim)
    nothing = F.eq(total, 0)
    safe = F.where(nothing, _number(F, total, 1.0), total)
    return F.where(nothing, F.mul(total, 0), F.pow(safe, 1.0 / order))


def dist(F: Any, input: Any, other: Any, p: float = 2) -> Any:
    """The norm of order ``p`` of ``input - other``."""
    return norm(F, F.sub(input, other), p)


def renorm(F: Any, input: Any, p: float, dim: int, maxnorm: float) -> Any:
    """Each slice along ``dim`` whose norm is above ``maxnorm`` is scaled down to it."""
    t = F.typeof(input)
    at = normalize_dim(dim, t.ndim)
    if t.ndim < 2:
        raise OpError(f"renorm: the input has at least 2 dims, got {t}")
    if p <= 0 or maxnorm < 0:
        raise OpError(f"renorm: p is above 0 and maxnorm at least 0, got {p} and {maxnorm}")
    size = vector_norm(F, input, float(p), tuple(d for d in range(t.ndim) if d != at), True)
    scale = F.div(maxnorm, F.add(size, 1e-7))
    return F.mul(input, F.where(F.gt(size, maxnorm), scale, _number(F, size, 1.0)))


def sum_to_size(F: Any, input: Any, *size: Any) -> Any:
    """The sum over the dims along which a tensor of ``size`` was broadcast to the input."""
    want = tuple(size[0]) if len(size) == 1 and not isinstance(size[0], int) else size
    have = F.typeof(input).shape
    extra = len(have) - len(want)
    one = [type(w) is int and w == 1 for w in want]
    if extra < 0 or any(not (d is w or o or d == w)
                        for d, w, o in zip(have[extra:], want, one, strict=True)):
        raise OpError(f"sum_to_size: {list(want)} does not broadcast to {F.typeof(input)}")
    dims = tuple(k for k in range(len(have)) if k < extra or one[k - extra])
    return F.reshape(F.sum(input, dims=dims, keepdim=False), shape=want) if dims else input


# --- counts and covariances --------------------------------------------------------------------
def count_nonzero(F: Any, input: Any, dim: Dims = None) -> Any:
    """How many elements over ``dim`` are not zero."""
    dims = normalize_dims(dim, F.typeof(input).ndim)
    nonzero = input if F.typeof(input).dtype is BOOL else F.ne(input, 0)
    return F.sum(nonzero, dims=dims, keepdim=False)


def cov(F: Any, input: Any, *, correction: int = 1, fweights: Any = None,
        aweights: Any = None) -> Any:
    """The covariances of the rows of ``input``, whose columns are observations.

    ``fweights`` says how often each was seen, ``aweights`` how much each counts; the sum of
    weights is lessened by ``correction`` as in `numpy.cov`.
    """
    t = F.typeof(input)
    if t.ndim > 2 or t.dtype is BOOL:
        raise OpError(f"cov: the input has at most 2 dims and is not bool, got {t}")
    x = input if t.dtype.kind in "fc" else F.cast(input, dtype=F32)
    x = F.reshape(x, shape=(1, t.numel)) if t.ndim < 2 else x
    weights = _cov_weights(F, x, fweights, aweights)
    columns = F.typeof(x).shape[1]
    if weights is None:
        less: Any = columns - correction
        x = F.sub(x, F.div(F.sum(x, dims=(1,), keepdim=True), columns))
        weighed = x
    else:
        total = F.sum(weights, dims=(0,), keepdim=False)
        x = F.sub(x, F.div(F.sum(F.mul(x, weights), dims=(1,), keepdim=True), total))
        weighed = F.mul(x, weights)
        less = F.sub(total, correction)
        if aweights is not None and correction:
            seen = F.sum(F.mul(weights, aweights), dims=(0,), keepdim=False)
            less = F.sub(total, F.div(F.mul(seen, correction), total))
        less = F.maximum(less, _number(F, less, 0.0))
    less = (less if less > 0 else 0) if type(less) in (int, float) else less
    turned = F.permute(x if t.dtype.kind != "c" else F.conj(x), dims=(1, 0))
    found = F.div(F.matmul(weighed, turned), less)
    return F.reshape(found, shape=()) if t.ndim < 2 else found


def _cov_weights(F: Any, x: Any, fweights: Any, aweights: Any) -> Any:
    columns = F.typeof(x).shape[1]
    weights = None
    for name, given, kind in (("fweights", fweights, "i"), ("aweights", aweights, "f")):
        if given is None:
            continue
        t = F.typeof(given)
        if t.shape != (columns,) or t.dtype.kind != kind:
            words = "integers" if kind == "i" else "floats"
            raise OpError(f"cov: {name} are {columns} {words}, got {t}")
        given = F.cast(given, dtype=F.typeof(x).dtype.to_real())
        weights = given if weights is None else F.mul(weights, given)
    return weights


def corrcoef(F: Any, input: Any) -> Any:
    """The correlation coefficients of the rows of ``input``: `cov` over both deviations."""
    c = cov(F, input)
    t = F.typeof(c)
    if not t.ndim:
        return F.div(c, c)
    n = t.shape[0]
    places = F.iota(start=0, step=1, size=n, dtype=I64)
    variances = F.gather(c, F.reshape(places, shape=(n, 1)), dim=1)
    if t.dtype.kind == "c":
        variances = F.cast(F.real(variances), dtype=t.dtype.to_real())
    spread = F.sqrt(variances)
    return F.div(F.div(c, spread), F.permute(spread, dims=(1, 0)))


FUNCTIONS = (*(Composite(f.__name__, f) for f in (
    nanmean, nansum, std, norm, dist, count_nonzero, cov, corrcoef)),
    Composite("var_mean", var_mean, Spelling(("eager",))),
    Composite("std_mean", std_mean, Spelling(("eager",))),
    Composite("logsumexp", logsumexp, Spelling(("eager", "method", "special"))),
    Composite("sum_to_size", sum_to_size, Spelling(("method",))),
    Composite("renorm", renorm, Spelling(("eager", "method", "inplace"))))
