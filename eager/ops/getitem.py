"""Indexing with brackets: ints, slices, None, ``...``, integer tensors and bool masks.

An index becomes at most three moves: one strided slice, one reshape (dropped and new dims),
and a selection by each integer tensor.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from eager.ops.errors import OpError
from eager.ops.types import BOOL, I64, Type, broadcast_shapes, product


def _is_size(value: Any) -> bool:
    return hasattr(value, "__dim__") or (
        isinstance(value, (int, np.integer)) and not isinstance(value, bool))


def _expand(index: Any, ndim: int) -> list[Any]:
    """The index as a list with one entry a dim, and None for every new dim."""
    parts = list(index) if isinstance(index, tuple) else [index]
    used = sum(1 if not _is_mask(p) else p.ndim for p in parts if p is not None and p is not ...)
    dots = [k for k, p in enumerate(parts) if p is ...]
    if len(dots) > 1:
        raise OpError("an index has at most one '...'")
    if used > ndim:
        raise OpError(f"too many indices: {used} for a {ndim}-d tensor")
    fill = [slice(None)] * (ndim - used)
    at = dots[0] if dots else len(parts)
    return parts[:at] + fill + parts[at + 1:]


def _is_mask(part: Any) -> bool:
    dtype = getattr(part, "dtype", None)
    return dtype is BOOL or (isinstance(part, np.ndarray) and part.dtype == np.bool_)


def _bounds(part: slice, d: Any) -> tuple[Any, Any, int]:
    step = 1 if part.step is None else part.step
    if type(step) is not int or step < 1:
        raise OpError(f"slice steps are positive, got {step}; use flip() to reverse")
    start = _place(part.start, d, 0)
    stop = _place(part.stop, d, d)
    if not (start is stop or start <= stop):
        stop = start
    return start, stop, step


def _place(value: Any, d: Any, default: Any) -> Any:
    """A bound of a slice within [0, d], negative ones counted from the end."""
    if value is None:
        return default
    if not _is_size(value):
        raise OpError(f"a slice is made of ints, got {value!r}")
    value = int(value) if isinstance(value, np.integer) else value
    if value < 0:
        value = value + d
        return value if not value < 0 else 0
    return value if value is d or value <= d else d


def _position(value: Any, d: Any, dim: int) -> Any:
    value = int(value) if isinstance(value, np.integer) else value
    at = value + d if value < 0 else value
    if not (at >= 0 and at < d):
        raise OpError(f"index {value} is out of range of dim {dim} of size {d}")
    return at


class _Basic:
    """The slice and the reshape of an index; integer tensors are left for later."""

    def __init__(self, shape: Any, index: Any) -> None:
        self.starts: list[Any] = []
        self.stops: list[Any] = []
        self.steps: list[int] = []
        self.shape: list[Any] = []  #: after the reshape
        self.picks: list[tuple[int, Any]] = []  #: (dim after the reshape, integer tensor)
        for part in _expand(index, len(shape)):
            if part is None:
                self.shape.append(1)
                continue
            d = shape[len(self.starts)]
            if isinstance(part, slice):
                self._take(*_bounds(part, d), keep=True)
            elif _is_size(part):
                at = _position(part, d, len(self.starts))
                self._take(at, at + 1, 1, keep=False)
            elif isinstance(part, (bool, np.bool_)):
                raise OpError("a bool is no index; use a mask tensor")
            else:
                self.picks.append((len(self.shape), part))
                self._take(0, d, 1, keep=True)

    def _take(self, start: Any, stop: Any, step: int, keep: bool) -> None:
        self.starts.append(start)
        self.stops.append(stop)
        self.steps.append(step)
        if keep:
            self.shape.append((stop - start + step - 1) // step)

    @property
    def region(self) -> dict[str, Any]:
        return {"starts": tuple(self.starts), "stops": tuple(self.stops),
                "steps": tuple(self.steps)}

    def is_whole(self, shape: Any) -> bool:
        return all(type(a) is int and a == 0 and b is d and s == 1 or
                   (type(b) is int and a == 0 and b == d and s == 1)
                   for a, b, s, d in zip(self.starts, self.stops, self.steps, shape, strict=True))


def getitem(F: Any, input: Any, index: Any) -> Any:
    """``input[index]``."""
    index = _without_masks(F, input, index)
    shape = F.typeof(input).shape
    basic = _Basic(shape, index)
    out = input if basic.is_whole(shape) else F.slice(input, **basic.region)
    if tuple(basic.shape) != tuple(F.typeof(out).shape):
        out = F.reshape(out, shape=tuple(basic.shape))
    if out is input and not basic.picks:
        out = F.reshape(input, shape=tuple(shape))  # a view, never the tensor itself
    return _pick(F, out, basic.picks) if basic.picks else out


def _without_masks(F: Any, input: Any, index: Any) -> Any:
    """Masks become integer tensors of the places where they hold: a read of data."""
    parts = index if isinstance(index, tuple) else (index,)
    if not any(_is_mask(p) for p in parts):
        return index
    found: list[Any] = []
    for p in parts:
        if _is_mask(p):
            array = p if isinstance(p, np.ndarray) else p.detach().numpy()
            at = len([q for q in found if q is not None and q is not ...])
            want = F.typeof(input).shape[at:at + array.ndim] if ... not in found else array.shape
            if array.shape != tuple(want):
                raise OpError(f"the mask has shape {list(array.shape)}, the dims that it indexes "
                              f"{list(want)}")
            found.extend(np.nonzero(array))
        else:
            found.append(p)
    return tuple(found)


def _integers(F: Any, part: Any, like: Any) -> Any:
    if isinstance(part, (list, tuple, np.ndarray)):
        array = np.asarray(part)
        if array.size == 0:
            array = array.astype(np.int64)
        part = type(like)(array)
    kind: Type = F.typeof(part)
    if kind.dtype.kind != "i":
        raise OpError(f"an index tensor is made of integers or bools, got {kind}")
    return part if kind.dtype is I64 else F.cast(part, dtype=I64)


def _pick(F: Any, x: Any, picks: list[tuple[int, Any]]) -> Any:
    """Select by integer tensors, broadcast together, at the place of the first of them."""
    dims = [d for d, _ in picks]
    tensors = [_integers(F, p, x) for _, p in picks]
    shape = F.typeof(x).shape
    together = broadcast_shapes(*(F.typeof(t).shape for t in tensors))
    count = product(together)
    adjacent = dims == list(range(dims[0], dims[0] + len(dims)))
    rest = [k for k in range(len(shape)) if k not in dims]
    x = F.permute(x, dims=(*dims, *rest)) if dims != list(range(len(dims))) else x
    for k, t in enumerate(tensors):
        size = shape[dims[k]]
        t = F.where(F.lt(t, 0), F.add(t, size), t)
        if F.typeof(t).shape != together:
            t = F.broadcast_to(t, shape=together)
        t = F.reshape(t, shape=(count,))
        now = F.typeof(x).shape
        if k == 0:
            x = F.index_select(x, t, dim=0)
            continue
        # now [count, this dim, later picked dims and the rest]: one element of dim 1 a row
        tail = now[2:]
        wide = F.broadcast_to(F.reshape(t, shape=(count,) + (1,) * (len(now) - 1)),
                              shape=(count, 1, *tail))
        x = F.reshape(F.gather(x, wide, dim=1), shape=(count, *tail))
    left = [shape[k] for k in rest]
    x = F.reshape(x, shape=(*together, *left))
    before = len([k for k in rest if k < dims[0]]) if adjacent else 0
    if before:
        n = len(together)
        order = [*range(n, n + before), *range(n), *range(n + before, n + len(left))]
        x = F.permute(x, dims=tuple(order))
    return x


def setitem(F: Any, base: Any, index: Any, value: Any) -> Any:
    """``base`` with ``base[index] = value``."""
    kind: Type = F.typeof(base)
    if not hasattr(value, "dtype"):
        value = F.full(shape=(), value=value, dtype=kind.dtype)
    elif isinstance(value, (np.ndarray, np.generic)):
        value = type(base)(np.asarray(value))
    if F.typeof(value).dtype is not kind.dtype:
        value = F.cast(value, dtype=kind.dtype)
    parts = index if isinstance(index, tuple) else (index,)
    if len(parts) == 1 and _is_mask(parts[0]):
        return _set_mask(F, base, parts[0], value)
    basic = _Basic(kind.shape, index)
    if basic.picks:
        raise OpError("assignment by an index tensor is not supported; use index_add or "
                      "scatter_add, or a bool mask with a single value")
    have, want = F.typeof(value).shape, tuple(basic.shape)
    if have != want:
        while len(have) > len(want) and type(have[0]) is int and have[0] == 1:
            value = F.reshape(value, shape=have[1:])
            have = have[1:]
        value = F.broadcast_to(value, shape=want)
    region = tuple((b - a + s - 1) // s for a, b, s in zip(
        basic.starts, basic.stops, basic.steps, strict=True))
    return F.slice_update(base, F.reshape(value, shape=region), **basic.region)


def _set_mask(F: Any, base: Any, mask: Any, value: Any) -> Any:
    mask = type(base)(mask) if isinstance(mask, np.ndarray) else mask
    shape, own = F.typeof(base).shape, F.typeof(mask).shape
    if own != shape[:len(own)]:
        raise OpError(f"the mask has shape {list(own)}, the tensor {list(shape)}")
    if F.typeof(value).shape != ():
        raise OpError(f"assignment by a mask takes a single value, got {F.typeof(value)}; use "
                      f"where(mask, values, tensor)")
    mask = F.reshape(mask, shape=(*own, *(1,) * (len(shape) - len(own))))
    return F.where(mask, value, base)
