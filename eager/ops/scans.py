"""Operators that run along a dim and keep every intermediate result, and what is made of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from eager.ops import cartesian
from eager.ops import scalar as s
from eager.ops.composite import Composite
from eager.ops.errors import OpError
from eager.ops.families import ArgScan, Scan
from eager.ops.op import Example, Op, Spelling
from eager.ops.picking import taken
from eager.ops.reductions import in_dtype, values_indices
from eager.ops.types import BOOL, F32, I64, Type, normalize_dim


# --- contracts ---------------------------------------------------------------------------------
def _in_range(x: Type, dim: int) -> None:
    if not 0 <= dim < max(x.ndim, 1):
        raise OpError(f"dim {dim} is out of range of {x}")


def _totalled(x: Type, /, *, dim: int, reverse: bool) -> Type:
    _in_range(x, dim)
    return Type(x.dtype if x.dtype.kind in "fc" else I64, x.shape)


def _floating(x: Type, /, *, dim: int, reverse: bool) -> Type:
    _in_range(x, dim)
    if x.dtype.kind != "f":
        raise OpError(f"the operand must be floating, got {x}")
    return x


def _check_floating(x: Any, *, dim: int, reverse: bool) -> None:
    if x.dtype.kind != "f":
        _floating(Type.of(x), dim=dim, reverse=reverse)


def _placed(x: Type, /, *, dim: int) -> Type:
    _in_range(x, dim)
    if x.dtype.kind == "c":
        raise OpError(f"complex numbers have no order, got {x}")
    return Type(I64, x.shape)


# --- forwards ----------------------------------------------------------------------------------
def _run_scan(accumulate: Any) -> Any:
    def run(x: Any, *, dim: int, reverse: bool) -> Any:
        dtype = x.dtype if x.dtype.kind in "fc" else np.dtype(np.int64)
        if not x.ndim:
            return x.astype(dtype)
        turned = (slice(None),) * dim + (slice(None, None, -1),)
        if reverse:
            x = x[turned]
        # A long float32 total is kept in float64, as torch keeps it.
        wide = np.float64 if dtype.kind == "f" else np.complex128 if dtype.kind == "c" else dtype
        out = accumulate(x, dim, wide).astype(dtype, copy=False)
        return out[turned].copy() if reverse else out
    return run


def _run_places(accumulate: Any, better: Any) -> Any:
    def run(x: Any, *, dim: int) -> Any:
        if not x.ndim:
            return np.asarray(0, np.int64)
        fresh = better(x, accumulate(x, dim))
        if x.dtype.kind not in "biu":
            fresh |= np.isnan(x)
        line = [1] * x.ndim
        line[dim] = -1
        places = np.arange(x.shape[dim]).reshape(line)
        return np.maximum.accumulate(np.where(fresh, places, 0), dim)
    return run


def _log_add(total: Any, x: Any) -> Any:
    """log(exp(total) + exp(x)) without overflow; two equal ones may be infinite."""
    gap = s.call("neg", s.call("abs", total - x))
    more = s.call("maximum", total, x) + s.call("log1p", s.call("exp", gap))
    return s.call("select", s.call("eq", total, x), total + 0.6931471805599453, more)


# --- gradients ---------------------------------------------------------------------------------
def _grad_cumsum(F: Any, g: Any, out: Any, x: Any, *, dim: int, reverse: bool) -> tuple[Any, ...]:
    return (F.cumsum(g, dim=dim, reverse=not reverse),)


def _grad_cumprod(F: Any, g: Any, out: Any, x: Any, *, dim: int, reverse: bool) -> tuple[Any, ...]:
    """Of every product the share of each factor: by division where it is not 0.

    At the first zero the products are taken again with a 1 in its place, and at the second
    likewise (those are 0, but their slopes are not).  Behind a third zero all slopes are 0.
    """
    def share(products: Any) -> Any:
        return F.cumsum(F.mul(g, products), dim=dim, reverse=not reverse)

    zero = F.eq(x, 0)
    one = F.full(shape=(), value=1.0, dtype=F.typeof(x).dtype)
    ordinal = F.cumsum(zero, dim=dim, reverse=reverse)
    result = F.div(share(out), F.where(zero, one, x))
    for k in (1, 2):
        here = F.logical_and(zero, F.eq(ordinal, F.full(shape=(), value=k, dtype=I64)))
        without = F.cumprod(F.where(here, one, x), dim=dim, reverse=reverse)
        result = F.where(here, share(without), result)
    further = F.logical_and(zero, F.gt(ordinal, F.full(shape=(), value=2, dtype=I64)))
    return (F.where(further, F.mul(result, 0), result),)


def _grad_logcumsumexp(F: Any, g: Any, out: Any, x: Any, *, dim: int, reverse: bool
                       ) -> tuple[Any, ...]:
    """exp(x) times the sum of ``g / exp(out)`` from here on, as logarithms of either sign.

    ``lowest`` stands for the logarithm of 0: it is finite, so that no difference of two is NaN.
    """
    dtype = F.typeof(x).dtype
    lowest, zero, one = (F.full(shape=(), value=v, dtype=dtype)
                         for v in (float(np.finfo(dtype.wide.numpy).min), 0.0, 1.0))
    some = F.gt(out, lowest)

    def side(g: Any) -> Any:
        up = F.logical_and(F.gt(g, 0), some)
        logs = F.sub(F.log(F.where(up, g, one)), F.where(some, out, zero))
        logs = F.where(up, logs, lowest)
        return F.exp(F.add(F.logcumsumexp(logs, dim=dim, reverse=not reverse), x))

    return (F.sub(side(g), side(F.neg(g))),)


# --- public signatures -------------------------------------------------------------------------
def _running(name: str) -> Any:
    def public(F: Any, input: Any, dim: int, *, dtype: Any = None) -> Any:
        at = normalize_dim(dim, input.ndim)
        return in_dtype(F, lambda x: getattr(F, name)(x, dim=at, reverse=False), input, dtype)
    return public


def _logcumsumexp(F: Any, input: Any, dim: int) -> Any:
    return F.logcumsumexp(input, dim=normalize_dim(dim, F.typeof(input).ndim), reverse=False)


_EVERYWHERE = Spelling(("eager", "method", "inplace"))
_ROWS = (Example(((2, 5),), {"dim": 1, "reverse": False}),
         Example(((3, 2, 2),), {"dim": 1, "reverse": True}),
         Example(((4, 3),), {"dim": 0, "reverse": False}),
         Example(((),), {"dim": 0, "reverse": False}),
         Example(((0, 3),), {"dim": 0, "reverse": True}))
_FAR = (Example(((2, 3),), {"dim": 2, "reverse": False}),)
_ZEROS = tuple(Example((np.array(x),), {"dim": 0, "reverse": r}) for r in (False, True)
               for x in ([2.0, 0.0, 3.0, 0.5], [2.0, 0.0, 3.0, 0.0, 0.5]))

cumsum = Op("cumsum", "The sums of the elements up to each; integers are summed as int64.",
            _totalled, Scan(lambda total, x: total + x, 0), public=_running("cumsum"),
            complex=True, split=cartesian.each, forward=_run_scan(np.add.accumulate),
            grad=_grad_cumsum,
            spelling=_EVERYWHERE, onnx="CumSum", rejects=_FAR,
            examples=(*_ROWS, Example((((2, 3), "bool"),), {"dim": 1, "reverse": False}),
                      Example((((2, 3), "i32"),), {"dim": 0, "reverse": False})))
cumprod = Op("cumprod", "The products of the elements up to each; of integers as int64.",
             _totalled, Scan(lambda total, x: total * x, 1), public=_running("cumprod"),
             complex=True, forward=_run_scan(np.multiply.accumulate), grad=_grad_cumprod,
             saves=(0, "out"), spelling=_EVERYWHERE, rejects=_FAR, domain=(0.5, 1.5),
             examples=(*_ROWS, *_ZEROS))
logcumsumexp = Op("logcumsumexp", "The logarithms of the sums of exp(x) up to each.", _floating,
                  Scan(_log_add, "lowest"), forward=_run_scan(np.logaddexp.accumulate),
                  precheck=_check_floating, grad=_grad_logcumsumexp,
                  saves=(0, "out"), public=_logcumsumexp, rejects=_FAR, examples=_ROWS)
_PLACES = tuple(Example(e.operands, {"dim": e.attrs["dim"]}) for e in _ROWS) + (
    Example((np.array([1.0, 1.0, np.nan, 3.0, np.nan, 5.0]),), {"dim": 0}),
    Example((np.array([1, 0, 2, 2, 0]),), {"dim": 0}))
cummax_positions = Op(
    "cummax_positions", "Where the largest element up to each is; of equals the latest.", _placed,
    ArgScan("ge"), forward=_run_places(np.maximum.accumulate, np.greater_equal), spelling=None,
    examples=_PLACES)
cummin_positions = Op(
    "cummin_positions", "Where the smallest element up to each is; of equals the latest.", _placed,
    ArgScan("le"), forward=_run_places(np.minimum.accumulate, np.less_equal), spelling=None,
    examples=_PLACES)

OPS = (cumsum, cumprod, logcumsumexp, cummax_positions, cummin_positions)


# --- composites --------------------------------------------------------------------------------
def _cumulative(F: Any, input: Any, dim: int, find: Any) -> values_indices:
    at = normalize_dim(dim, F.typeof(input).ndim)
    place = find(input, dim=at)
    if not F.typeof(input).ndim:
        return values_indices(F.reshape(input, shape=()), place)
    return taken(F, input, place, at)


def cummax(F: Any, input: Any, dim: int) -> values_indices:
    """The largest elements up to each along ``dim``, and their positions; NaN stays."""
    return _cumulative(F, input, dim, F.cummax_positions)


def cummin(F: Any, input: Any, dim: int) -> values_indices:
    """The smallest elements up to each along ``dim``, and their positions; NaN stays."""
    return _cumulative(F, input, dim, F.cummin_positions)


def region(F: Any, x: Any, dim: int, start: int, stop: Any) -> Any:
    """The elements ``start`` to ``stop`` along a dim counted from the front."""
    shape = F.typeof(x).shape
    return F.slice(x, starts=tuple(start if k == dim else 0 for k in range(len(shape))),
                   stops=tuple(stop if k == dim else d for k, d in enumerate(shape)),
                   steps=(1,) * len(shape))


def diff(F: Any, input: Any, n: int = 1, dim: int = -1, prepend: Any = None,
         append: Any = None) -> Any:
    """The differences of neighbours along ``dim``, ``n`` times; of bools whether they differ."""
    t = F.typeof(input)
    if not t.ndim or n < 0:
        raise OpError(f"diff: wanted an input of at least one dim and n at least 0, got {t} "
                      f"and n={n}")
    at = normalize_dim(dim, t.ndim)
    parts = [p for p in (prepend, input, append) if p is not None]
    x = input if len(parts) == 1 else F.concat(*parts, dim=at)
    for _ in range(n):
        size = F.typeof(x).shape[at]
        if type(size) is int and size == 0:
            break
        after, before = region(F, x, at, 1, size), region(F, x, at, 0, size - 1)
        x = F.ne(after, before) if F.typeof(x).dtype is BOOL else F.sub(after, before)
    return x


def _trapezoids(F: Any, name: str, y: Any, x: Any, dx: Any, dim: int) -> tuple[Any, int]:
    """The areas between neighbours along a dim, and that dim."""
    t = F.typeof(y)
    if not t.ndim or t.dtype is BOOL or (x is not None and F.typeof(x).dtype is BOOL):
        raise OpError(f"{name}: wanted numbers along a dim, got {t}")
    at = normalize_dim(dim, t.ndim)
    size = t.shape[at]
    if type(size) is int and size == 0:
        return F.cast(y, dtype=t.dtype if t.dtype.kind in "fc" else F32), at
    pairs = F.add(region(F, y, at, 1, size), region(F, y, at, 0, size - 1))
    if x is None:
        return F.mul(F.div(pairs, 2.0), dx), at
    have = F.typeof(x)
    if have.ndim == 1 and t.ndim > 1:
        if have.shape[0] != size:
            raise OpError(f"{name}: x has {have.shape[0]} points for {size} along dim {dim}")
        x = F.reshape(x, shape=tuple(size if k == at else 1 for k in range(t.ndim)))
    elif have.ndim < t.ndim:
        x = F.reshape(x, shape=(1,) * (t.ndim - have.ndim) + tuple(have.shape))
    return F.mul(F.div(pairs, 2.0), diff(F, x, 1, at - t.ndim)), at


def trapezoid(F: Any, y: Any, x: Any = None, *, dx: float = 1, dim: int = -1) -> Any:
    """The integral of ``y`` over ``x`` (or steps ``dx``) along ``dim`` by the trapezoidal rule."""
    areas, at = _trapezoids(F, "trapezoid", y, x, dx, dim)
    return F.sum(areas, dims=(at,), keepdim=False)


def cumulative_trapezoid(F: Any, y: Any, x: Any = None, *, dx: float = 1, dim: int = -1) -> Any:
    """The running integrals of ``y``: `trapezoid` up to each point but the first."""
    areas, at = _trapezoids(F, "cumulative_trapezoid", y, x, dx, dim)
    return F.cumsum(areas, dim=at, reverse=False)


FUNCTIONS = (Composite("cummax", cummax), Composite("cummin", cummin), Composite("diff", diff),
             Composite("trapezoid", trapezoid, Spelling(("eager",), ("trapz",))),
             Composite("cumulative_trapezoid", cumulative_trapezoid, Spelling(("eager",))))
