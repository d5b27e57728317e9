"""Composites that read and write by positions and by masks."""

from __future__ import annotations

from typing import Any

import numpy as np

from eager.ops.composite import Composite
from eager.ops.errors import OpError
from eager.ops.indexing import along
from eager.ops.op import Spelling
from eager.ops.tiling import read
from eager.ops.types import I64, broadcast_shapes, normalize_dim

_NUMBERS = (bool, int, float, complex)


def single_of(F: Any, value: Any, dtype: Any) -> Any:
    """A number or a 0-d tensor as a 0-d tensor of a dtype."""
    if type(value) in _NUMBERS:
        return F.full(shape=(), value=value, dtype=dtype)
    return value if F.typeof(value).dtype is dtype else F.cast(value, dtype=dtype)


# --- scatter -----------------------------------------------------------------------------------
_REDUCES = {"sum": "scatter_add", "prod": "scatter_prod", "amax": "scatter_amax",
            "amin": "scatter_amin", "mean": "scatter_add"}
_OLD = {None: "scatter", "add": "scatter_add", "multiply": "scatter_prod"}


def scatter(F: Any, input: Any, dim: int, index: Any, src: Any = None, *, value: Any = None,
            reduce: str | None = None) -> Any:
    """A copy of the input with ``src`` (a tensor or a number) stored at positions along ``dim``.

    ``reduce`` is ``"add"`` or ``"multiply"`` for what is folded in instead.
    """
    if reduce not in _OLD:
        raise OpError(f"scatter: reduce is 'add' or 'multiply', got {reduce!r}")
    given = value if src is None else src
    if type(given) in _NUMBERS:
        given = F.full(shape=F.typeof(index).shape, value=given, dtype=F.typeof(input).dtype)
    return along(F, _OLD[reduce], input, dim, index, given)


def scatter_reduce(F: Any, input: Any, dim: int, index: Any, src: Any, reduce: str, *,
                   include_self: bool = True) -> Any:
    """``src`` folded into the input at positions along ``dim``: sum, prod, mean, amax or amin.

    Without ``include_self`` the elements that are written to do not take part.
    """
    if reduce not in _REDUCES:
        raise OpError(f"scatter_reduce: reduce is one of {', '.join(_REDUCES)}, got {reduce!r}")
    t = F.typeof(input)
    if not include_self:
        start = F.full(shape=F.typeof(index).shape, value=_neutral(reduce, t.dtype), dtype=t.dtype)
        input = along(F, "scatter", input, dim, index, start)
    total = along(F, _REDUCES[reduce], input, dim, index, src)
    if reduce != "mean":
        return total
    ones = F.full(shape=F.typeof(index).shape, value=1, dtype=t.dtype)
    count = F.full(shape=t.shape, value=1 if include_self else 0, dtype=t.dtype)
    count = F.maximum(along(F, "scatter_add", count, dim, index, ones), 1)
    return F.div(total, count) if t.dtype.kind in "fc" else F.floor_divide(total, count)


def _neutral(reduce: str, dtype: Any) -> Any:
    if reduce in ("sum", "mean", "prod"):
        return int(reduce == "prod")
    sign = -1 if reduce == "amax" else 1
    if dtype.kind == "f":
        return sign * float("inf")
    limits = np.iinfo(dtype.numpy)
    return int(limits.min if sign < 0 else limits.max)


def index_reduce(F: Any, input: Any, dim: int, index: Any, source: Any, reduce: str, *,
                 include_self: bool = True) -> Any:
    """Slices of ``source`` folded in at a 1-d index along ``dim``: prod, mean, amax or amin."""
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise OpError(f"index_reduce: reduce is prod, mean, amax or amin, got {reduce!r}")
    shape = F.typeof(source).shape
    at = normalize_dim(dim, len(shape))
    line = F.reshape(index, shape=tuple(d if k == at else 1 for k, d in enumerate(shape)))
    return scatter_reduce(F, input, at, F.broadcast_to(line, shape=shape), source, reduce,
                          include_self=include_self)


# --- by a 1-d index and by flat positions ------------------------------------------------------
def index_fill(F: Any, input: Any, dim: int, index: Any, value: Any) -> Any:
    """A copy of the input with one number in the slices of ``dim`` that a 1-d index names."""
    t = F.typeof(input)
    at = normalize_dim(dim, t.ndim)
    filler = single_of(F, value, t.dtype)
    if F.typeof(filler).shape != ():
        raise OpError(f"index_fill: the value is a number or 0-d, got {F.typeof(filler)}")
    if not t.ndim:
        return F.broadcast_to(filler, shape=())
    places = wrapped(F, F.reshape(index, shape=(F.typeof(index).numel,)), t.shape[at])
    shape = (*t.shape[:at], F.typeof(places).shape[0], *t.shape[at + 1:])
    return F.index_copy(input, places, F.broadcast_to(filler, shape=shape), dim=at)


def wrapped(F: Any, index: Any, size: Any) -> Any:
    """Positions with negative ones counted from the end."""
    return F.where(F.lt(index, 0), F.add(index, size), index)


def _flat(F: Any, x: Any) -> Any:
    return F.reshape(x, shape=(F.typeof(x).numel,))


def take(F: Any, input: Any, index: Any) -> Any:
    """The elements at positions in the flattened input, in the shape of the index."""
    t = F.typeof(index)
    if t.dtype is not I64:
        raise OpError(f"take: positions are int64, got {t}")
    picked = F.index_select(_flat(F, input), wrapped(F, _flat(F, index), F.typeof(input).numel),
                            dim=0)
    return F.reshape(picked, shape=t.shape)


def put(F: Any, input: Any, index: Any, source: Any, accumulate: bool = False) -> Any:
    """A copy of the input with ``source`` at positions of the flattened tensor."""
    t = F.typeof(input)
    if F.typeof(source).dtype is not t.dtype:
        raise OpError(f"put_: the source is {F.typeof(source)}, the target {t}: dtypes differ")
    if F.typeof(source).numel != F.typeof(index).numel:
        raise OpError(f"put_: wants an element for each position, got {F.typeof(source)} for "
                      f"{F.typeof(index)}")
    fold = F.index_add if accumulate else F.index_copy
    whole = fold(_flat(F, input), wrapped(F, _flat(F, index), t.numel), _flat(F, source), dim=0)
    return F.reshape(whole, shape=t.shape)


def take_along_dim(F: Any, input: Any, indices: Any, dim: int | None = None) -> Any:
    """`gather` with everything but ``dim`` broadcast; without ``dim`` over the flattened input."""
    if F.typeof(indices).dtype.kind != "i":
        raise OpError(f"take_along_dim: positions are int64, got {F.typeof(indices)}")
    if dim is None:
        return F.gather(_flat(F, input), _flat(F, indices), dim=0)
    t, i = F.typeof(input), F.typeof(indices)
    if t.ndim != i.ndim:
        raise OpError(f"take_along_dim: input and indices have as many dims, got {t} and {i}")
    at = normalize_dim(dim, t.ndim)
    rest = broadcast_shapes(*(tuple(1 if k == at else d for k, d in enumerate(s))
                              for s in (t.shape, i.shape)))
    x, index = (F.broadcast_to(a, shape=(*rest[:at], s[at], *rest[at + 1:]))
                for a, s in ((input, t.shape), (indices, i.shape)))
    return F.gather(x, index, dim=at)


# --- masks -------------------------------------------------------------------------------------
def _masked(F: Any, mask: Any, name: str) -> None:
    if F.typeof(mask).dtype.kind != "b":
        raise OpError(f"{name}: the mask is bool, got {F.typeof(mask)}")


def masked_fill(F: Any, input: Any, mask: Any, value: Any) -> Any:
    """``value`` where ``mask`` holds, else the input; the dtype stays the input's."""
    _masked(F, mask, "masked_fill")
    filler = single_of(F, value, F.typeof(input).dtype)
    if F.typeof(filler).shape != ():
        raise OpError(f"masked_fill: the value is a number or 0-d, got {F.typeof(filler)}")
    return F.where(mask, filler, input)


def masked_select(F: Any, input: Any, mask: Any) -> Any:
    """The elements where a mask holds, in one dim; the mask is read."""
    _masked(F, mask, "masked_select")
    shape = broadcast_shapes(F.typeof(input).shape, F.typeof(mask).shape)
    places = np.flatnonzero(np.broadcast_to(read(mask, "masked_select"), shape))
    return F.index_select(_flat(F, F.broadcast_to(input, shape=shape)), places, dim=0)


def masked_scatter(F: Any, input: Any, mask: Any, source: Any) -> Any:
    """The input with the elements of ``source``, in order, in the places where a mask holds."""
    _masked(F, mask, "masked_scatter")
    t = F.typeof(input)
    if F.typeof(source).dtype is not t.dtype:
        raise OpError(f"masked_scatter: the source is {F.typeof(source)}, the target {t}: dtypes "
                      f"differ")
    shape = broadcast_shapes(t.shape, F.typeof(mask).shape)
    on = F.broadcast_to(mask, shape=shape)
    number = F.sub(F.cumsum(F.cast(_flat(F, on), dtype=I64), dim=0, reverse=False), 1)
    picked = F.index_select(_flat(F, source), F.maximum(number, 0), dim=0)
    return F.where(on, F.reshape(picked, shape=shape), input)


def where(F: Any, input: Any, condition: Any, other: Any) -> Any:
    """The input where the condition holds, else ``other``."""
    return F.where(condition, input, other)


def nonzero(F: Any, input: Any, *, as_tuple: bool = False) -> Any:
    """The positions of all elements that are not 0, a row each (or a tensor for each dim)."""
    data = read(input, "nonzero")
    if as_tuple:
        return tuple(F.cast(p, dtype=I64) for p in np.nonzero(np.atleast_1d(data)))
    rows = np.argwhere(data).astype(np.int64)
    return F.cast(rows, dtype=I64)


def argwhere(F: Any, input: Any) -> Any:
    """The positions of all elements that are not 0, a row each."""
    return nonzero(F, input)


_WRITER = Spelling(("eager", "method", "inplace"))
_SPELLINGS: dict[Any, Spelling] = {
    **dict.fromkeys((scatter, scatter_reduce, index_reduce, index_fill, put, masked_fill,
                     masked_scatter), _WRITER),
    where: Spelling(("method",)),
}
FUNCTIONS = tuple(Composite(f.__name__, f, _SPELLINGS.get(f, Spelling()))
                  for f in (scatter, scatter_reduce, index_reduce, index_fill, take, put,
                            take_along_dim, masked_fill, masked_select, masked_scatter, where,
                            nonzero, argwhere))
