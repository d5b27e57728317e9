"""Composites over triangles and diagonals of matrices, and grids of coordinates."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from eager.ops.composite import Composite
from eager.ops.errors import OpError
from eager.ops.op import Spelling
from eager.ops.shapes import flatten, tensors_of
from eager.ops.types import BOOL, I64, normalize_dim
from eager.ops.views import spread


def _triangle(F: Any, input: Any, diagonal: int, keep: Any) -> Any:
    t = F.typeof(input)
    if t.ndim < 2:
        raise OpError(f"a triangle is cut out of matrices, got {t}")
    row = F.reshape(F.iota(start=diagonal, step=1, size=t.shape[-2], dtype=I64),
                    shape=(t.shape[-2], 1))
    zero = F.full(shape=(), value=False, dtype=BOOL) if t.dtype is BOOL else 0
    return F.where(keep(F.iota(start=0, step=1, size=t.shape[-1], dtype=I64), row), input, zero)


def tril(F: Any, input: Any, diagonal: int = 0) -> Any:
    """Matrices with zeros above a diagonal."""
    return _triangle(F, input, diagonal, F.le)


def triu(F: Any, input: Any, diagonal: int = 0) -> Any:
    """Matrices with zeros below a diagonal."""
    return _triangle(F, input, diagonal, F.ge)


def diag_embed(F: Any, input: Any, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """Matrices of zeros in two new dims with the last dim of the input on a diagonal."""
    t = F.typeof(input)
    if not t.ndim:
        raise OpError("diag_embed: a 0-d tensor has no diagonal")
    a, b = normalize_dim(dim1, t.ndim + 1), normalize_dim(dim2, t.ndim + 1)
    if a == b:
        raise OpError(f"diag_embed: two dims differ, got {dim1} and {dim2}")
    if a > b:
        a, b, offset = b, a, -offset
    size = t.shape[-1] + abs(offset)
    rest = iter(t.shape[:-1])
    shape = tuple(size if k in (a, b) else next(rest) for k in range(t.ndim + 1))
    return spread(F, input, F.full(shape=shape, value=0, dtype=t.dtype), offset, a, b)


def diag(F: Any, input: Any, diagonal: int = 0) -> Any:
    """A vector as the diagonal of a matrix; of a matrix its diagonal."""
    n = F.typeof(input).ndim
    if n not in (1, 2):
        raise OpError(f"diag: wants a vector or a matrix, got {F.typeof(input)}")
    if n == 1:
        return diag_embed(F, input, diagonal)
    return F.clone(F.diagonal(input, offset=diagonal, dim1=0, dim2=1))


def diagflat(F: Any, input: Any, offset: int = 0) -> Any:
    """All elements as the diagonal of a matrix."""
    return diag_embed(F, flatten(F, input), offset)


def diagonal_scatter(F: Any, input: Any, src: Any, offset: int = 0, dim1: int = 0,
                     dim2: int = 1) -> Any:
    """A copy of the input whose diagonals are ``src``."""
    n = F.typeof(input).ndim
    at = {"offset": offset, "dim1": normalize_dim(dim1, n), "dim2": normalize_dim(dim2, n)}
    want = F.typeof(F.diagonal(input, **at))
    if F.typeof(src).shape != want.shape:
        raise OpError(f"diagonal_scatter: the diagonals are {want}, the source "
                      f"{F.typeof(src)}")
    if F.typeof(src).dtype is not want.dtype:
        src = F.cast(src, dtype=want.dtype)
    return spread(F, src, input, offset, at["dim1"], at["dim2"])


def fill_diagonal(F: Any, input: Any, fill_value: Any, wrap: bool = False) -> Any:
    """One number on the diagonal of all dims at once; ``wrap``: again below a tall matrix."""
    t = F.typeof(input)
    if t.ndim < 2 or (t.ndim > 2 and len(set(t.shape)) > 1):
        raise OpError(f"fill_diagonal_: wants a matrix, or more dims of one size, got {t}")
    if t.ndim > 2 or wrap:
        return _filled_flat(F, input, t, fill_value, wrap)
    row = F.reshape(F.iota(start=0, step=1, size=t.shape[0], dtype=I64), shape=(t.shape[0], 1))
    on = F.eq(row, F.iota(start=0, step=1, size=t.shape[1], dtype=I64))
    return F.where(on, F.full(shape=(), value=fill_value, dtype=t.dtype), input)


def _filled_flat(F: Any, input: Any, t: Any, fill_value: Any, wrap: bool) -> Any:
    step = sum(int(np.prod(t.shape[k + 1:])) for k in range(t.ndim))
    end = t.numel if wrap and t.ndim == 2 else min(t.numel, step * min(t.shape))
    places = np.arange(0, end, step)
    line = F.reshape(input, shape=(t.numel,))
    value = F.full(shape=(len(places),), value=fill_value, dtype=t.dtype)
    return F.reshape(F.index_copy(line, places, value, dim=0), shape=t.shape)


# --- grids -------------------------------------------------------------------------------------
def meshgrid(F: Any, *tensors: Any, indexing: str = "ij") -> tuple[Any, ...]:
    """Coordinates of a grid over vectors: ``ij`` by rows first, ``xy`` by columns first."""
    if indexing not in ("ij", "xy"):
        raise OpError(f"meshgrid: indexing is 'ij' or 'xy', got {indexing!r}")
    lines = [F.reshape(t, shape=(F.typeof(t).numel,)) for t in tensors_of(tensors)
             if _is_line(F, t)]
    sizes = [F.typeof(t).shape[0] for t in lines]
    order = list(range(len(lines)))
    if indexing == "xy" and len(lines) > 1:
        order[:2] = 1, 0
    whole = tuple(sizes[k] for k in order)
    return tuple(F.broadcast_to(
        F.reshape(t, shape=tuple(sizes[k] if j == k else 1 for j in order)), shape=whole)
        for k, t in enumerate(lines))


def _is_line(F: Any, t: Any) -> bool:
    if F.typeof(t).ndim > 1:
        raise OpError(f"meshgrid: wants vectors, got {F.typeof(t)}")
    return True


def cartesian_prod(F: Any, *tensors: Any) -> Any:
    """Every choice of one element from each vector, a row each."""
    given = tensors_of(tensors)
    if len(given) == 1:
        return given[0]
    grids = meshgrid(F, *given)
    count = F.typeof(grids[0]).numel
    return F.concat(*(F.reshape(g, shape=(count, 1)) for g in grids), dim=1)


def combinations(F: Any, input: Any, r: int = 2, with_replacement: bool = False) -> Any:
    """Every choice of ``r`` elements of a vector, a row each."""
    t = F.typeof(input)
    if t.ndim != 1 or r < 0:
        raise OpError(f"combinations: wants a vector and r >= 0, got {t} and {r}")
    choose = itertools.combinations_with_replacement if with_replacement else (
        itertools.combinations)
    if r == 0:
        return F.slice(input, starts=(0,), stops=(0,), steps=(1,))
    rows = np.array(list(choose(range(t.shape[0]), r)), np.int64).reshape(-1, r)
    return F.reshape(F.index_select(input, rows.reshape(-1), dim=0), shape=rows.shape)


_FREE = Spelling(("eager",))
_SPELLINGS: dict[Any, Spelling] = {
    **dict.fromkeys((tril, triu), Spelling(("eager", "method", "inplace"))),
    **dict.fromkeys((meshgrid, cartesian_prod, combinations), _FREE),
    fill_diagonal: Spelling(("inplace",)),
}
FUNCTIONS = tuple(Composite(f.__name__, f, _SPELLINGS.get(f, Spelling()))
                  for f in (tril, triu, diag_embed, diag, diagflat, diagonal_scatter,
                            fill_diagonal, meshgrid, cartesian_prod, combinations))
