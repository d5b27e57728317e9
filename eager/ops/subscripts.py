"""``x[index]`` and ``x[index] = value`` in terms of ops.

Ints, slices, None and ``...`` are one slice and one reshape, so views stay views.  Integer
tensors select along their dims; bool masks become integer tensors by reading their data.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

import numpy as np

from eager.ops.composite import Composite
from eager.ops.errors import OpError, OpIndexError
from eager.ops.op import Spelling
from eager.ops.selection import wrapped
from eager.ops.tiling import read
from eager.ops.types import I64, Dim, Shape, product


@dataclass(frozen=True)
class Subscript:
    """An index taken apart.

    The region ``starts:stops:steps`` of the operand, reshaped to ``shape`` (ints dropped, None
    inserted), in which the dims ``chosen`` are then replaced by the integer tensors ``picks``.
    """

    starts: Shape
    stops: Shape
    steps: tuple[int, ...]
    shape: Shape
    chosen: tuple[int, ...]
    picks: tuple[Any, ...]

    @property
    def attrs(self) -> dict[str, Any]:
        return {"starts": self.starts, "stops": self.stops, "steps": self.steps}


# --- taking an index apart ---------------------------------------------------------------------
def _is_array(item: Any) -> bool:
    return isinstance(item, np.ndarray) or (hasattr(item, "dtype")
                                            and not isinstance(item, np.generic))


def _kind(F: Any, item: Any) -> str:
    """``b`` of a mask, ``i`` of positions."""
    return str(F.typeof(item).dtype.kind)


#: Beside an item that indexes a new dim of size 1: what a bool does.
_NEW = "new"


def _array_items(F: Any, item: Any) -> list[tuple[Any, Any]]:
    """A tensor as items: a mask as positions in each of its dims, a 0-d integer as an int."""
    kind = F.typeof(item)
    if kind.dtype.name == "u8":
        raise OpError("an index of uint8 was once a mask: use .bool() for a mask, .long() for "
                      "positions")
    if kind.dtype.kind == "b":
        data = read(item, "nonzero")
        if data.ndim == 0:
            return [(np.zeros(int(data), np.int64), _NEW)]
        return list(zip(np.nonzero(data), data.shape, strict=True))
    if kind.dtype.kind != "i":
        raise OpError(f"an index tensor holds integers or bools, got {kind}")
    return [(int(item) if isinstance(item, np.ndarray) and item.ndim == 0 else item, None)]


def _items(F: Any, index: Any, ndim: int) -> list[tuple[Any, Any]]:
    """One item a dim (and the Nones), with ``...`` written out and masks made positions.

    Beside each the size its dim must have: known where it came from a mask.
    """
    given = list(index) if isinstance(index, tuple) else [index]
    items: list[tuple[Any, Any]] = []
    for item in given:
        if isinstance(item, (list, range)):
            item = _listed(item)
        if isinstance(item, (bool, np.bool_)):
            item = np.asarray(item)
        if _is_array(item):
            items.extend(_array_items(F, item))
        else:
            items.append((item, None))
    used = sum(item is not None and item is not Ellipsis and size != _NEW for item, size in items)
    if used > ndim:
        raise OpError(f"too many indices: {used} indices for the {ndim} dims of the tensor")
    dots = [k for k, (item, _) in enumerate(items) if item is Ellipsis]
    if len(dots) > 1:
        raise OpError("an index has at most one '...'")
    at = dots[0] if dots else len(items)
    return items[:at] + [(slice(None), None)] * (ndim - used) + items[at + 1:]


def _listed(item: Any) -> Any:
    try:
        return np.asarray(item, None if len(item) else np.int64)
    except ValueError:
        raise OpError(f"a list that indexes holds integers or bools in equal rows, got "
                      f"{item!r:.60}") from None


def _bound(value: Any, size: Dim, default: Dim) -> Dim:
    """One end of a slice, counted from the front and clipped to the dim."""
    if value is None:
        return default
    if not hasattr(value, "__dim__"):
        value = operator.index(value)
    if value < 0:
        value = value + size
        if value < 0:
            return 0
    return value if size >= value else size


def _slice(item: slice, size: Dim) -> tuple[Dim, Dim, int]:
    step = 1 if item.step is None else operator.index(item.step)
    if step < 1:
        raise OpError(f"slice step must be positive, got {step}; use flip()")
    start, stop = _bound(item.start, size, 0), _bound(item.stop, size, size)
    return start, (stop if stop is size or stop >= start else start), step


def _position(item: Any, size: Dim, dim: int) -> Dim:
    try:
        at = item if hasattr(item, "__dim__") else operator.index(item)
    except TypeError:
        raise OpError(f"an index is an int, a slice, None, '...' or an integer tensor, got "
                      f"{item!r:.60}") from None
    where = at + size if at < 0 else at
    if not (where >= 0 and size > where):
        raise OpIndexError(f"index {at} is out of range of dim {dim} of size {size}")
    return where


def take_apart(F: Any, shape: Shape, index: Any) -> Subscript:
    """Read ``index`` against a shape.  Raises OpError for what no tensor can be indexed by."""
    starts: list[Dim] = []
    stops: list[Dim] = []
    steps: list[int] = []
    result: list[Dim] = []
    chosen: list[int] = []
    picks: list[Any] = []
    for item, want in _items(F, index, len(shape)):
        if item is None:
            result.append(1)
            continue
        if want == _NEW:
            chosen.append(len(result))
            picks.append(item)
            result.append(1)
            continue
        size = shape[len(starts)]
        if want is not None and want != size:
            raise OpError(f"a mask of size {want} does not index dim {len(starts)} of size {size}")
        start, stop, step = 0, size, 1
        if _is_array(item):
            chosen.append(len(result))
            picks.append(item)
            result.append(size)
        elif isinstance(item, slice):
            start, stop, step = _slice(item, size)
            result.append((stop - start + step - 1) // step if step > 1 else stop - start)
        else:
            start = _position(item, size, len(starts))
            stop = start + 1
        starts.append(start)
        stops.append(stop)
        steps.append(step)
    return Subscript(tuple(starts), tuple(stops), tuple(steps), tuple(result), tuple(chosen),
                     tuple(picks))


# --- reading -----------------------------------------------------------------------------------
def _cut(F: Any, x: Any, at: Subscript) -> Any:
    """The region of ``x``, without the dims of ints: a view."""
    shape = F.typeof(x).shape
    whole = all(_same(a, 0) and _same(b, d) and s == 1
                for a, b, s, d in zip(at.starts, at.stops, at.steps, shape, strict=True))
    region = x if whole else F.slice(x, **at.attrs)
    have = F.typeof(region).shape
    kept = len(have) == len(at.shape) and all(map(_same, have, at.shape))
    if kept:
        return F.reshape(region, shape=at.shape) if region is x else region
    return F.reshape(region, shape=at.shape)


def _same(a: Dim, b: Dim) -> bool:
    # Symbolic sizes are the same where they are written so: to ask more would bind the sizes.
    return a is b or bool(type(a) is type(b) and getattr(a, "index", a) == getattr(b, "index", b))


def _known_picks(at: Subscript, sizes: list[Any]) -> tuple[Any, Shape]:
    """`_flat_picks` of arrays that Python may look at."""
    counted = []
    for pick, size, dim in zip(at.picks, sizes, at.chosen, strict=True):
        pick = pick.astype(np.int64, copy=False)
        low, high = pick.min(initial=0), pick.max(initial=-1)
        if low < -size or high >= size:
            worst = low if low < -size else high
            raise OpIndexError(f"index {worst} is out of range of dim {dim} of size {size}")
        counted.append(np.where(pick < 0, pick + size, pick) if low < 0 else pick)
    try:
        lines = np.broadcast_arrays(*counted)
    except ValueError:
        shapes = ", ".join(str(list(p.shape)) for p in at.picks)
        raise OpError(f"index tensors do not broadcast: their shapes are {shapes}") from None
    total = lines[0]
    for line, size in zip(lines[1:], sizes[1:], strict=True):
        total = total * size + line
    return total.reshape(-1), total.shape


def _flat_picks(F: Any, at: Subscript) -> tuple[Any, Shape]:
    """One flat int64 position into the chosen dims joined, and the shape of the picks.

    With several dims each position is looked up in its own dim first, which checks its range.
    """
    sizes = [at.shape[k] for k in at.chosen]
    if all(isinstance(p, np.ndarray) for p in at.picks) and all(type(d) is int for d in sizes):
        return _known_picks(at, sizes)
    total: Any = None
    for pick, size in zip(at.picks, sizes, strict=True):
        own = F.typeof(pick)
        pick = wrapped(F, pick if own.dtype is I64 else F.cast(pick, dtype=I64), size)
        if len(sizes) > 1:
            count = product(own.shape)
            line = F.iota(start=0, step=1, size=size, dtype=I64)
            looked = F.index_select(line, F.reshape(pick, shape=(count,)), dim=0)
            pick = F.reshape(looked, shape=own.shape)
        total = pick if total is None else F.add(F.mul(total, size), pick)
    shape = F.typeof(total).shape
    return F.reshape(total, shape=(product(shape),)), shape


def _front(at: Subscript, n: int) -> tuple[int, ...] | None:
    """The order of dims that brings scattered chosen dims to the front, as NumPy does."""
    first = at.chosen[0]
    if at.chosen == tuple(range(first, first + len(at.chosen))):
        return None
    return at.chosen + tuple(k for k in range(n) if k not in at.chosen)


def getitem(F: Any, input: Any, index: Any) -> Any:
    """``input[index]``."""
    if isinstance(index, np.ndarray) and index.ndim:
        rows = _rows(F, input, index)
        if rows is not None:
            return F.index_select(*rows, dim=0)
    at = take_apart(F, F.typeof(input).shape, index)
    x = _cut(F, input, at)
    if not at.chosen:
        return x
    order = _front(at, len(at.shape))
    if order is not None:
        x = F.permute(x, dims=order)
    shape = F.typeof(x).shape
    first, count = (0 if order is not None else at.chosen[0]), len(at.chosen)
    flat, own = _flat_picks(F, at)
    joined = shape[:first] + (product(shape[first:first + count]),) + shape[first + count:]
    picked = F.index_select(F.reshape(x, shape=joined), flat, dim=first)
    return F.reshape(picked, shape=shape[:first] + own + shape[first + count:])


# --- writing -----------------------------------------------------------------------------------
def setitem(F: Any, input: Any, index: Any, value: Any) -> Any:
    """A copy of ``input`` in which ``input[index]`` is ``value``, broadcast and converted.

    Where positions repeat, one of their values is stored.
    """
    mask = _mask(F, input, index)
    if mask is not None and _is_single(F, value):
        return F.where(mask, _converted(F, value, F.typeof(input).dtype), input)
    at = take_apart(F, F.typeof(input).shape, index)
    value = _converted(F, value, F.typeof(input).dtype)
    if at.chosen:
        value = _put_picks(F, _cut(F, input, at), at, value)
    else:
        value = _spread(F, value, at.shape)
    own = tuple((b - a + s - 1) // s if s > 1 else b - a
                for a, b, s in zip(at.starts, at.stops, at.steps, strict=True))
    return F.slice_update(input, F.reshape(value, shape=own), **at.attrs)


def _mask(F: Any, x: Any, index: Any) -> Any:
    """The index, where it is a bool mask of leading dims, in a shape that broadcasts to ``x``."""
    if not _is_array(index) or F.typeof(index).shape == () or _kind(F, index) != "b":
        return None
    have, want = F.typeof(index).shape, F.typeof(x).shape
    if len(have) > len(want) or any(a != b for a, b in zip(have, want)):
        raise OpError(f"a mask of size {list(have)} does not index {F.typeof(x)}")
    return F.reshape(index, shape=have + (1,) * (len(want) - len(have)))


def _rows(F: Any, x: Any, index: Any) -> tuple[Any, Any] | None:
    """What a mask, or a line of positions from the front, picks: rows, and which of them."""
    shape = F.typeof(x).shape
    if index.dtype.kind == "b":
        _mask(F, x, index)
        n = index.ndim
        rows = x if n == 1 else F.reshape(x, shape=(product(shape[:n]), *shape[n:]))
        return rows, np.flatnonzero(index)
    if (index.dtype == np.int64 and index.ndim == 1 and shape and type(shape[0]) is int
            and index.min(initial=0) >= 0 and index.max(initial=-1) < shape[0]):
        return x, index
    return None


def _is_single(F: Any, value: Any) -> bool:
    return type(value) in (bool, int, float, complex) or F.typeof(value).shape == ()


def _converted(F: Any, value: Any, dtype: Any) -> Any:
    if type(value) in (bool, int, float, complex):
        return F.full(shape=(), value=value, dtype=dtype)
    return value if F.typeof(value).dtype is dtype else F.cast(value, dtype=dtype)


def _put_picks(F: Any, x: Any, at: Subscript, value: Any, accumulate: bool = False) -> Any:
    """``x`` with ``value`` stored at (or added to) the picked positions."""
    order = _front(at, len(at.shape))
    back = None if order is None else tuple(order.index(k) for k in range(len(order)))
    x = x if order is None else F.permute(x, dims=order)
    first, count = (0 if order is not None else at.chosen[0]), len(at.chosen)
    shape = F.typeof(x).shape
    flat, own = _flat_picks(F, at)
    places, writers = product(shape[first:first + count]), product(own)
    around = shape[:first], shape[first + count:]
    values = F.reshape(_spread(F, value, around[0] + own + around[1]),
                       shape=around[0] + (writers,) + around[1])
    joined = F.reshape(x, shape=around[0] + (places,) + around[1])
    fold = F.index_add if accumulate else F.index_copy
    whole = F.reshape(fold(joined, flat, values, dim=first), shape=shape)
    return whole if back is None else F.permute(whole, dims=back)


def _spread(F: Any, value: Any, shape: Shape) -> Any:
    """A value broadcast to what it is stored in; leading dims of size 1 too many are dropped."""
    have = F.typeof(value).shape
    extra = len(have) - len(shape)
    if extra > 0 and have[:extra] == (1,) * extra:
        value = F.reshape(value, shape=have[extra:])
    return F.broadcast_to(value, shape=shape)


def index_put(F: Any, input: Any, indices: Any, values: Any, accumulate: bool = False) -> Any:
    """A copy of the input with ``values`` at (or, with ``accumulate``, added to) positions.

    ``indices`` is a tuple of integer or bool tensors, one for each leading dim (None: all of it).
    """
    t = F.typeof(input)
    if F.typeof(values).dtype is not t.dtype:
        raise OpError(f"index_put: the values are {F.typeof(values)}, the target {t}: dtypes "
                      f"differ")
    index = tuple(slice(None) if i is None else i for i in indices)
    if not accumulate:
        return setitem(F, input, index, values)
    at = take_apart(F, t.shape, index)
    return F.reshape(_put_picks(F, _cut(F, input, at), at, values, True), shape=t.shape)


FUNCTIONS = (Composite("getitem", getitem, Spelling(())),
             Composite("setitem", setitem, Spelling(())),
             Composite("index_put", index_put, Spelling(("eager", "method", "inplace"))))
