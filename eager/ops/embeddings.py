"""Look-ups of rows by integer, one by one and in bags."""

from __future__ import annotations

from typing import Any

from eager.ops.composite import Composite
from eager.ops.errors import OpError
from eager.ops.op import Spelling
from eager.ops.shapes import region
from eager.ops.types import I64


def _check(F: Any, name: str, input: Any, weight: Any, max_norm: Any, sparse: bool) -> None:
    t, w = F.typeof(input), F.typeof(weight)
    if w.ndim != 2:
        raise OpError(f"{name}: the weight is [count, size], got {w}")
    if t.dtype.name not in ("i64", "i32"):
        raise OpError(f"{name}: indices are int64 or int32, got {t}")
    if sparse:
        raise OpError(f"{name}: gradients are dense; leave sparse=False")
    if max_norm is not None:
        raise OpError(f"{name}: max_norm writes into the weight; use nn.functional.{name}")


def _row(name: str, padding_idx: int, count: Any) -> int:
    if not (-count <= padding_idx and padding_idx < count):
        raise OpError(f"{name}: padding_idx={padding_idx} is not one of {count} rows")
    return padding_idx + count if padding_idx < 0 else padding_idx


def _rows(F: Any, weight: Any, index: Any, by_frequency: bool) -> Any:
    """Rows at a 1-d index; each one's gradient over how often it is read, if asked for."""
    rows = F.index_select(weight, index, dim=0)
    if not by_frequency:
        return rows
    dtype, n = F.typeof(rows).dtype, F.typeof(index).numel
    zeros = F.full(shape=F.typeof(weight).shape[:1], value=0.0, dtype=dtype)
    ones = F.full(shape=(n,), value=1.0, dtype=dtype)
    counts = F.index_select(F.index_add(zeros, index, ones, dim=0), index, dim=0)
    less = F.div(rows, F.reshape(counts, shape=(n, 1)))
    return F.add(F.detach(rows), F.sub(less, F.detach(less)))  # the rows, with other gradients


def embedding(F: Any, input: Any, weight: Any, padding_idx: int | None = None,
              max_norm: float | None = None, norm_type: float = 2.0,
              scale_grad_by_freq: bool = False, sparse: bool = False) -> Any:
    """Rows of ``weight`` [count, size] at the integers of ``input``.

    The row ``padding_idx`` gets no gradient; ``max_norm`` first scales every row that is read down
    to that norm, in place; ``scale_grad_by_freq`` divides gradients by how often a row is read.
    """
    _check(F, "embedding", input, weight, max_norm, sparse)
    t, w = F.typeof(input), F.typeof(weight)
    rows = _rows(F, weight, F.reshape(input, shape=(t.numel,)), scale_grad_by_freq)
    out = F.reshape(rows, shape=(*t.shape, w.shape[1]))
    if padding_idx is None:
        return out
    row = _row("embedding", padding_idx, w.shape[0])
    still = F.reshape(F.eq(input, row), shape=(*t.shape, 1))
    return F.where(still, F.detach(out), out)


# --- bags --------------------------------------------------------------------------------------
def embedding_bag(F: Any, input: Any, weight: Any, offsets: Any = None,
                  max_norm: float | None = None, norm_type: float = 2,
                  scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False,
                  per_sample_weights: Any = None, include_last_offset: bool = False,
                  padding_idx: int | None = None) -> Any:
    """The sum, mean or maximum of the rows of each bag, [bags, size]; empty bags are 0.

    Bags are the rows of a 2-d ``input``, or begin at ``offsets`` in a 1-d one (whose last offset
    may be the end of all).  Entries ``padding_idx`` do not count.
    """
    _check(F, "embedding_bag", input, weight, max_norm, sparse)
    _check_bags(F, input, offsets, mode, per_sample_weights, scale_grad_by_freq)
    t = F.typeof(input)
    places = F.iota(start=0, step=1, size=t.numel, dtype=I64)
    if t.ndim == 2:
        bags, bag = t.shape[0], F.floor_divide(places, t.shape[1])
    else:
        bags = F.typeof(offsets).shape[0]
        if include_last_offset:
            bags = bags - 1
            offsets = region(F, offsets, 0, 0, bags)
        bag = F.sub(F.searchsorted(F.cast(offsets, dtype=I64), places, right=True), 1)
    index = F.reshape(input, shape=(t.numel,))
    rows = _rows(F, weight, index, scale_grad_by_freq)
    if per_sample_weights is not None:
        rows = F.mul(rows, F.reshape(per_sample_weights, shape=(t.numel, 1)))
    counted = None
    if padding_idx is not None:
        counted = F.ne(index, _row("embedding_bag", padding_idx, F.typeof(weight).shape[0]))
    return _BAGS[mode](F, rows, bag, bags, counted)


def _check_bags(F: Any, input: Any, offsets: Any, mode: str, weights: Any,
                by_frequency: bool) -> None:
    t = F.typeof(input)
    if mode not in _BAGS:
        raise OpError(f"embedding_bag: mode is 'sum', 'mean' or 'max', got {mode!r}")
    if t.ndim not in (1, 2) or (t.ndim == 1) != (offsets is not None):
        raise OpError(f"embedding_bag: wanted indices [bags, n] without offsets, or [n] with "
                      f"offsets, got {t}")
    if offsets is not None and (F.typeof(offsets).ndim != 1
                                or F.typeof(offsets).dtype.kind != "i"):
        raise OpError(f"embedding_bag: offsets are integers [bags], got {F.typeof(offsets)}")
    if weights is not None and (mode != "sum" or F.typeof(weights).shape != t.shape):
        raise OpError(f"embedding_bag: per_sample_weights have the shape of the indices {t} and "
                      f"go with mode='sum', got {F.typeof(weights)} and mode={mode!r}")
    if by_frequency and mode == "max":
        raise OpError("embedding_bag: scale_grad_by_freq does not go with mode='max'")


def _sums(F: Any, rows: Any, bag: Any, bags: Any, counted: Any) -> Any:
    t = F.typeof(rows)
    if counted is not None:
        rows = F.mul(rows, F.cast(F.reshape(counted, shape=(t.shape[0], 1)), dtype=t.dtype))
    return F.index_add(F.full(shape=(bags, t.shape[1]), value=0.0, dtype=t.dtype), bag, rows, dim=0)


def _means(F: Any, rows: Any, bag: Any, bags: Any, counted: Any) -> Any:
    t = F.typeof(rows)
    ones = F.full(shape=(t.shape[0], 1), value=1.0, dtype=t.dtype)
    sizes = _sums(F, ones, bag, bags, counted)
    return F.div(_sums(F, rows, bag, bags, counted), F.clamp_min(sizes, 1))


def _maxima(F: Any, rows: Any, bag: Any, bags: Any, counted: Any) -> Any:
    n, size = F.typeof(rows).shape
    low = F.full(shape=(), value=-float("inf"), dtype=F.typeof(rows).dtype)
    if counted is not None:
        rows = F.where(F.reshape(counted, shape=(n, 1)), rows, low)
    index = F.broadcast_to(F.reshape(bag, shape=(n, 1)), shape=(n, size))
    found = F.scatter_amax(F.broadcast_to(low, shape=(bags, size)), index, rows, dim=0)
    return F.where(F.eq(found, low), F.full(shape=(), value=0.0, dtype=F.typeof(low).dtype), found)


_BAGS = {"sum": _sums, "mean": _means, "max": _maxima}


# --- classes -----------------------------------------------------------------------------------
def one_hot(F: Any, input: Any, num_classes: int = -1) -> Any:
    """int64 [..., num_classes]: 1 at the class each integer names, else 0."""
    t = F.typeof(input)
    if t.dtype is not I64:
        raise OpError(f"one_hot: classes are int64, got {t}")
    if num_classes == -1:
        num_classes = int(F.amax(input, dims=tuple(range(t.ndim)), keepdim=False)) + 1
    line = F.iota(start=0, step=1, size=num_classes, dtype=I64)
    checked = F.reshape(F.index_select(line, F.reshape(input, shape=(t.numel,)), dim=0),
                        shape=(*t.shape, 1))
    return F.cast(F.eq(checked, line), dtype=I64)


FUNCTIONS = tuple(Composite(f.__name__, f, Spelling(("nn.functional",)))
                  for f in (embedding, embedding_bag, one_hot))
