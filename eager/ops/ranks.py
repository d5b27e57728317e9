"""Composites of what is sorted: medians, quantiles, the k-th value and the most frequent one.

Where several elements are equal, positions are those of a stable sort.
"""

from __future__ import annotations

from typing import Any

from eager.ops.composite import Composite
from eager.ops.errors import OpError
from eager.ops.picking import taken_once
from eager.ops.reductions import values_indices
from eager.ops.scans import region
from eager.ops.sorting import first_places
from eager.ops.types import F32, F64, I64, Type, normalize_dim


def _line(F: Any, name: str, input: Any, dim: int) -> tuple[Any, int]:
    """The input with at least one dim, and ``dim`` counted from the front; never of nothing."""
    t = F.typeof(input)
    at = normalize_dim(dim, t.ndim)
    if t.ndim and type(t.shape[at]) is int and t.shape[at] == 0:
        raise OpError(f"{name}: {t} has no elements along dim {dim}")
    return (input if t.ndim else F.reshape(input, shape=(1,))), at


def _result(F: Any, input: Any, x: Any, place: Any, at: int, keepdim: bool) -> values_indices:
    """The elements at one place a row, which has dim ``at``; of a 0-d input 0-d."""
    if not keepdim or not F.typeof(input).ndim:
        kept = tuple(d for k, d in enumerate(F.typeof(x).shape) if k != at)
        return taken_once(F, x, F.reshape(place, shape=kept), at, False)
    return taken_once(F, x, place, at, True)


def _iota(F: Any, size: Any) -> Any:
    return F.iota(start=0, step=1, size=size, dtype=I64)


def kthvalue(F: Any, input: Any, k: int, dim: int = -1, keepdim: bool = False) -> values_indices:
    """The ``k``-th smallest element along ``dim`` (from 1), and its position."""
    x, at = _line(F, "kthvalue", input, dim)
    size = F.typeof(x).shape[at]
    if type(k) is int and (k < 1 or (type(size) is int and k > size)):
        raise OpError(f"kthvalue: k={k} is not between 1 and the {size} elements along dim {dim}")
    places = first_places(F, x, k, at, False)
    return _result(F, input, x, region(F, places, at, k - 1, k), at, keepdim)


def _middle(F: Any, name: str, input: Any, dim: int | None, keepdim: bool, skip: bool) -> Any:
    t = F.typeof(input)
    if t.dtype.kind not in "if":
        raise OpError(f"{name}: wanted real numbers, got {t}")
    if dim is None:
        if type(t.numel) is int and t.numel == 0:
            return F.full(shape=(), value=float("nan") if t.dtype.kind == "f" else 0,
                          dtype=t.dtype)
        flat = F.reshape(input, shape=(t.numel,))
        return _middle(F, name, flat, 0, False, skip).values
    x, at = _line(F, name, input, dim)
    size = F.typeof(x).shape[at]
    order = F.argsort(x, dim=at, descending=False)
    if t.dtype.kind != "f":
        middle = (size - 1) // 2
        return _result(F, input, x, region(F, order, at, middle, middle + 1), at, keepdim)
    numbers = F.sum(F.logical_not(F.isnan(x)), dims=(at,), keepdim=True)
    # The lower of two middles: (n - 1) // 2 is a shift, also of the 0 numbers of an all-NaN row.
    middle = F.floor_divide(F.maximum(F.sub(numbers, 1), 0), 2)
    if not skip:
        middle = F.where(F.lt(numbers, size), numbers, middle)  # the first NaN comes next
    return _result(F, input, x, F.pick(order, middle, dim=at, squeeze=False), at, keepdim)


def median(F: Any, input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """The median, of an even number of elements the lower; with ``dim`` also its position.

    NaN if any element is NaN.  The gradient goes to the element at the position.
    """
    return _middle(F, "median", input, dim, keepdim, False)


def nanmedian(F: Any, input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """The median of what is not NaN; NaN where nothing is left (see `median`)."""
    return _middle(F, "nanmedian", input, dim, keepdim, True)


def mode(F: Any, input: Any, dim: int = -1, keepdim: bool = False) -> values_indices:
    """The most frequent element along ``dim``, of several the smallest, and its last position."""
    x, at = _line(F, "mode", input, dim)
    shape = F.typeof(x).shape
    size = shape[at]
    order = F.argsort(x, dim=at, descending=False)
    ordered = F.detach(F.pick(x, order, dim=at, squeeze=False))
    places = F.broadcast_to(F.reshape(_iota(F, size), shape=tuple(
        size if k == at else 1 for k in range(len(shape)))), shape=shape)
    if type(size) is int and size == 1:
        best = places
    else:
        # Where a run of equals starts, and so how long it is at each of its elements.
        fresh = F.ne(region(F, ordered, at, 1, size), region(F, ordered, at, 0, size - 1))
        starts = F.where(fresh, region(F, places, at, 1, size), F.full(
            shape=(), value=0, dtype=I64))
        starts = F.concat(region(F, places, at, 0, 1), starts, dim=at)
        latest = F.pick(starts, F.cummax_positions(starts, dim=at), dim=at, squeeze=False)
        best = F.argmax(F.sub(places, latest), dim=at, keepdim=True)
    return _result(F, input, x, F.pick(order, best, dim=at, squeeze=False), at, keepdim)


# --- quantiles ---------------------------------------------------------------------------------
_BETWEEN = ("linear", "lower", "higher", "midpoint", "nearest")


def _quantile_operand(F: Any, name: str, input: Any, q: Any, interpolation: str) -> Any:
    """The quantiles as a tensor of the input's dtype, 0-d or 1-d."""
    t = F.typeof(input)
    if t.dtype not in (F32, F64):
        raise OpError(f"{name}: wanted float32 or float64, got {t}")
    if interpolation not in _BETWEEN:
        raise OpError(f"{name}: interpolation is one of {', '.join(_BETWEEN)}, "
                      f"got {interpolation!r}")
    if type(q) in (int, float):
        if not 0 <= q <= 1:
            raise OpError(f"{name}: q lies in [0, 1], got {q}")
        return F.full(shape=(), value=float(q), dtype=t.dtype)
    have: Type = F.typeof(q)
    if have.dtype is not t.dtype or have.ndim > 1:
        raise OpError(f"{name}: q is a number or a tensor of at most 1 dim and of the input's "
                      f"dtype {t.dtype.name}, got {have}")
    return q


def _quantile(F: Any, name: str, input: Any, q: Any, dim: int | None, keepdim: bool,
              interpolation: str, skip: bool) -> Any:
    q = _quantile_operand(F, name, input, q, interpolation)
    t = F.typeof(input)
    if type(t.numel) is int and t.numel == 0:
        raise OpError(f"{name}: the input has no elements, {t}")
    x = F.reshape(input, shape=(t.numel,)) if dim is None or not t.ndim else input
    at = 0 if dim is None else normalize_dim(dim, t.ndim)
    rank = F.typeof(x).ndim
    last = tuple(d for d in range(rank) if d != at) + (at,)
    x = F.permute(x, dims=last)
    shape = F.typeof(x).shape
    size = shape[-1]
    ordered = F.pick(x, F.argsort(x, dim=rank - 1, descending=False), dim=rank - 1, squeeze=False)
    numbers = F.sum(F.logical_not(F.isnan(x)), dims=(rank - 1,), keepdim=True)
    highest = F.cast(F.maximum(F.sub(numbers, 1), 0), dtype=t.dtype) if skip else size - 1
    count = 1 if F.typeof(q).ndim == 0 else F.typeof(q).shape[0]
    place = F.mul(F.reshape(q, shape=(1,) * (rank - 1) + (count,)), highest)
    if not skip:  # a NaN is sorted last and is the whole result
        end = F.add(F.full(shape=(), value=0.0, dtype=t.dtype), size - 1)
        place = F.where(F.eq(numbers, size), place, end)
    place = F.broadcast_to(place, shape=(*shape[:-1], count))
    found = _between(F, ordered, place, interpolation)
    found = F.permute(found, dims=(rank - 1, *range(rank - 1)))  # quantiles first
    if keepdim:
        kept = (1,) * t.ndim if dim is None else tuple(
            1 if k == at else d for k, d in enumerate(t.shape))
    else:
        kept = shape[:-1]
    return F.reshape(found, shape=kept if F.typeof(q).ndim == 0 else (count, *kept))


def _between(F: Any, ordered: Any, rank: Any, interpolation: str) -> Any:
    """The elements at real positions of what is sorted along its last dim."""
    dim = F.typeof(ordered).ndim - 1
    if interpolation in ("lower", "higher", "nearest"):
        rounded = {"lower": F.floor, "higher": F.ceil, "nearest": F.round}[interpolation](rank)
        return F.pick(ordered, F.cast(rounded, dtype=I64), dim=dim, squeeze=False)
    below = F.floor(rank)
    low = F.pick(ordered, F.cast(below, dtype=I64), dim=dim, squeeze=False)
    high = F.pick(ordered, F.cast(F.ceil(rank), dtype=I64), dim=dim, squeeze=False)
    weight = 0.5 if interpolation == "midpoint" else F.sub(rank, below)
    return F.add(low, F.mul(F.sub(high, low), weight))


def quantile(F: Any, input: Any, q: Any, dim: int | None = None, keepdim: bool = False, *,
             interpolation: str = "linear") -> Any:
    """The ``q``-quantiles along ``dim`` (of all elements if None); NaN if any element is NaN.

    ``q`` is a number in [0, 1] or a 1-d tensor of them, whose dim comes first in the result.
    A position between two elements is interpolated: ``linear``, ``lower``, ``higher``,
    ``midpoint`` or ``nearest`` (of two equally near the even one).
    """
    return _quantile(F, "quantile", input, q, dim, keepdim, interpolation, False)


def nanquantile(F: Any, input: Any, q: Any, dim: int | None = None, keepdim: bool = False, *,
                interpolation: str = "linear") -> Any:
    """The quantiles of what is not NaN (see `quantile`)."""
    return _quantile(F, "nanquantile", input, q, dim, keepdim, interpolation, True)


FUNCTIONS = tuple(Composite(f.__name__, f) for f in (
    kthvalue, median, nanmedian, mode, quantile, nanquantile))
