"""Composites that count: distinct elements, bins and occurrences.

The sizes of most results depend on the data: those read it, which a trace refuses.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from eager.ops.composite import Composite
from eager.ops.errors import OpError
from eager.ops.scans import region
from eager.ops.types import F32, F64, I64, normalize_dim


def _data(x: Any, name: str) -> Any:
    """The elements of a tensor; a recorder refuses with words of its own."""
    read = getattr(x, "_read", None)
    return np.asarray(x) if read is None else read(name)


def _tensors(F: Any, *arrays: Any) -> tuple[Any, ...]:
    return tuple(F.detach(np.ascontiguousarray(a)) for a in arrays)


def _wanted(F: Any, found: tuple[Any, Any, Any], inverse: bool, counts: bool) -> Any:
    """The distinct elements, and behind them what was asked for."""
    values, places, numbers = _tensors(F, *found)
    result = (values, *((places,) if inverse else ()), *((numbers,) if counts else ()))
    return result if len(result) > 1 else values


def unique(F: Any, input: Any, sorted: bool = True, return_inverse: bool = False,
           return_counts: bool = False, dim: int | None = None) -> Any:
    """The distinct elements (or slices along ``dim``) in ascending order; reads the data.

    With ``return_inverse`` also where each element of the input is among them, with
    ``return_counts`` how often each occurs.  Every NaN is distinct.
    """
    x = _data(input, "unique")
    if dim is not None and x.ndim:
        at = normalize_dim(dim, x.ndim)
        values, places, numbers = _distinct_slices(x, at)
    else:
        values, places, numbers = np.unique(x, return_inverse=True, return_counts=True,
                                            equal_nan=False)
        places = places.reshape(x.shape)
    return _wanted(F, (values, places, numbers), return_inverse, return_counts)


def _distinct_slices(x: Any, at: int) -> tuple[Any, Any, Any]:
    rows = np.moveaxis(x, at, 0).reshape(x.shape[at], -1)
    if not rows.shape[1]:
        rows = np.zeros((len(rows), 1))
    order = np.lexsort(rows.T[::-1])
    first, ranks, numbers = _runs(rows[order])
    places = np.empty(len(rows), np.int64)
    places[order] = ranks
    return np.take(x, order[first], at), places, numbers


def _runs(rows: Any) -> tuple[Any, Any, Any]:
    """Where runs of equal rows start, the run of each row, and how long they are."""
    fresh = np.ones(len(rows), bool)
    fresh[1:] = (rows[1:] != rows[:-1]).reshape(len(rows) - 1, -1).any(1) if len(rows) else False
    first = np.flatnonzero(fresh)
    return first, np.cumsum(fresh) - 1, np.diff(np.append(first, len(rows)))


def unique_consecutive(F: Any, input: Any, return_inverse: bool = False,
                       return_counts: bool = False, dim: int | None = None) -> Any:
    """The elements (or slices along ``dim``) that differ from the one before; reads the data."""
    x = _data(input, "unique_consecutive")
    at = normalize_dim(dim, x.ndim) if dim is not None else 0
    lines = x.reshape(-1, 1) if dim is None or not x.ndim else np.moveaxis(x, at, 0)
    first, ranks, numbers = _runs(lines)
    values = np.moveaxis(lines[first], 0, at) if dim is not None and x.ndim else x.reshape(
        -1)[first]
    places = ranks.reshape(x.shape) if dim is None else ranks
    return _wanted(F, (values, places, numbers), return_inverse, return_counts)


def bincount(F: Any, input: Any, weights: Any = None, minlength: int = 0) -> Any:
    """How often each number occurs in a 1-d tensor of numbers from 0 on; reads the data.

    With ``weights`` their sums instead, in float64 (of float32 weights in float32).
    """
    x = _data(input, "bincount")
    if x.ndim != 1 or x.dtype.kind not in "iu" or (x.size and x.min() < 0):
        raise OpError(f"bincount: wanted a 1-d tensor of integers from 0 on, got "
                      f"{F.typeof(input)}" + (f" with {x.min()}" if x.size else ""))
    if minlength < 0:
        raise OpError(f"bincount: minlength is at least 0, got {minlength}")
    if weights is None:
        return _tensors(F, np.bincount(x, minlength=minlength))[0]
    w = _data(weights, "bincount")
    if w.shape != x.shape:
        raise OpError(f"bincount: the weights have the shape of the input {list(x.shape)}, got "
                      f"{list(w.shape)}")
    found = np.bincount(x, w.astype(np.float64), minlength)
    return F.cast(_tensors(F, found)[0], dtype=F32 if F.typeof(weights).dtype is F32 else F64)


def _edges(F: Any, name: str, x: Any, low: Any, high: Any, margin: float) -> tuple[Any, Any]:
    """The range of the bins as 0-d tensors: the data's where none is given; an empty one gets
    ``margin`` on both sides."""
    dtype = F.typeof(x).dtype
    if low > high:
        raise OpError(f"{name}: min {low} is above max {high}")
    size = F.typeof(x).numel
    if low == high and not (type(size) is int and size == 0):
        least, most = (fold(x, dims=tuple(range(F.typeof(x).ndim)), keepdim=False)
                       for fold in (F.amin, F.amax))
    else:
        least, most = (F.full(shape=(), value=float(v), dtype=dtype) for v in (low, high))
    flat = F.eq(least, most)
    return F.where(flat, F.sub(least, margin), least), F.where(flat, F.add(most, margin), most)


def histc(F: Any, input: Any, bins: int = 100, min: float = 0, max: float = 0) -> Any:
    """How many elements fall into each of ``bins`` equal bins of [``min``, ``max``].

    Where both are equal the range is the data's.  The last bin holds its upper edge; elements
    outside, and NaN, are not counted.
    """
    t = F.typeof(input)
    if t.dtype.kind != "f":
        raise OpError(f"histc: the input must be floating, got {t}")
    if bins <= 0:
        raise OpError(f"histc: bins is at least 1, got {bins}")
    x = F.reshape(F.detach(input), shape=(t.numel,))
    least, most = _edges(F, "histc", x, min, max, 1.0)
    inside = F.logical_and(F.ge(x, least), F.le(x, most))
    scaled = F.div(F.mul(F.sub(x, least), float(bins)), F.sub(most, least))
    scaled = F.where(inside, F.floor(scaled), F.full(shape=(), value=0.0, dtype=t.dtype))
    return _counted(F, F.cast(scaled, dtype=I64), F.cast(inside, dtype=t.dtype), bins)


def _counted(F: Any, place: Any, weights: Any, bins: Any) -> Any:
    """The sum of the weights of each bin; the last one holds its upper edge."""
    none = F.full(shape=(bins,), value=0.0, dtype=F.typeof(weights).dtype)
    return F.scatter_add(none, F.minimum(place, bins - 1), weights, dim=0)


class histogram_result(NamedTuple):
    """What was counted, and the edges of the bins."""

    hist: Any
    bin_edges: Any


def histogram(F: Any, input: Any, bins: Any, *, range: tuple[float, float] | None = None,
              weight: Any = None, density: bool = False) -> histogram_result:
    """How many elements (or how much ``weight``) fall into each bin, and the edges of the bins.

    ``bins`` is a number of equal bins of ``range`` (the data's if None), or a 1-d tensor of
    ascending edges.  With ``density`` the integral over all bins is 1.
    """
    t = F.typeof(input)
    if t.dtype.kind != "f":
        raise OpError(f"histogram: the input must be floating, got {t}")
    x = F.reshape(F.detach(input), shape=(t.numel,))
    edges = _equal_edges(F, x, bins, range) if type(bins) is int else bins
    kind = F.typeof(edges)
    if kind.ndim != 1 or kind.dtype is not t.dtype or (range is not None and edges is bins):
        raise OpError(f"histogram: bins is a number, or edges in 1-d of the input's dtype "
                      f"{t.dtype.name} without a range; got {kind}")
    weights = F.full(shape=(t.numel,), value=1.0, dtype=t.dtype)
    if weight is not None:
        have = F.typeof(weight)
        if have != t:
            raise OpError(f"histogram: the weight has the input's type {t}, got {have}")
        weights = F.reshape(F.detach(weight), shape=(t.numel,))
    number = kind.shape[0] - 1
    place = F.sub(F.searchsorted(edges, x, right=True), 1)
    inside = F.logical_and(F.ge(place, 0), F.le(x, region(F, edges, 0, number, number + 1)))
    weights = F.where(inside, weights, F.full(shape=(), value=0.0, dtype=t.dtype))
    found = _counted(F, F.maximum(place, 0), weights, number)
    if density:
        widths = F.sub(region(F, edges, 0, 1, number + 1), region(F, edges, 0, 0, number))
        found = F.div(found, F.mul(F.sum(found, dims=(0,), keepdim=False), widths))
    return histogram_result(found, edges)


def _equal_edges(F: Any, x: Any, bins: int, range: tuple[float, float] | None) -> Any:
    """The edges of equal bins, from both ends to the middle as torch's linspace rounds them."""
    if bins <= 0:
        raise OpError(f"histogram: bins is at least 1, got {bins}")
    low, high = (0.0, 0.0) if range is None else range
    least, most = _edges(F, "histogram", x, low, high, 0.5)
    count = F.iota(start=0, step=1, size=bins + 1, dtype=F.typeof(x).dtype)
    step = F.div(F.sub(most, least), float(bins))
    upper = F.sub(most, F.mul(step, F.sub(float(bins), count)))
    return F.where(F.lt(count, float((bins + 1) // 2)), F.add(least, F.mul(step, count)), upper)


FUNCTIONS = tuple(Composite(f.__name__, f) for f in (
    unique, unique_consecutive, histc, bincount, histogram))
