"""Operators that read and write by index."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from eager.ops.errors import OpError
from eager.ops.families import Gather, Scatter
from eager.ops.op import Example, Op, Spelling
from eager.ops.types import Type, normalize_dim


def _indices(index: Type) -> None:
    if index.dtype.name not in ("i64", "i32"):
        raise OpError(f"an index is int64 or int32, got {index}")


def _gathered(x: Type, index: Type, /, *, dim: int) -> Type:
    _indices(index)
    _aligned(x, index, dim)
    return Type(x.dtype, index.shape)


def _aligned(x: Type, index: Type, dim: int) -> None:
    if x.ndim != index.ndim or not 0 <= dim < x.ndim:
        raise OpError(f"{x} and index {index} have the same number of dims, and dim {dim} is "
                      f"one of them")
    for k, (d, n) in enumerate(zip(index.shape, x.shape, strict=True)):
        if k != dim and not (d is n or d <= n):
            raise OpError(f"index {index} is larger than {x} in dim {k}")


def _scattered(x: Type, index: Type, src: Type, /, *, dim: int) -> Type:
    _indices(index)
    _aligned(x, index, dim)
    if src.dtype is not x.dtype:
        raise OpError(f"the source is {src}, the target {x}: dtypes differ")
    if src.ndim != x.ndim or any(not (i is s or i <= s)
                                 for i, s in zip(index.shape, src.shape, strict=True)):
        raise OpError(f"index {index} is larger than the source {src}")
    return x


def _selected(x: Type, index: Type, /, *, dim: int) -> Type:
    _indices(index)
    if index.ndim != 1 or not 0 <= dim < x.ndim:
        raise OpError(f"a 1-d index along a dim of {x}, got {index} along dim {dim}")
    return Type(x.dtype, (*x.shape[:dim], index.shape[0], *x.shape[dim + 1:]))


def _added(x: Type, index: Type, src: Type, /, *, dim: int) -> Type:
    if src != _selected(x, index, dim=dim):
        raise OpError(f"the source {src} is no selection of {x} by index {index} along dim {dim}")
    return x


def _checked(contract: Any) -> Any:
    """The contract (NumPy broadcasts and clips here) and the range of the index."""
    def check(*arrays: Any, dim: int) -> None:
        contract(*map(Type.of, arrays), dim=dim)
        _in_range(*arrays, dim=dim)
    return check


def _in_range(x: Any, index: Any, *rest: Any, dim: int) -> None:
    if x.ndim and index.size and 0 <= dim < x.ndim:
        low, high = index.min(), index.max()
        if low < 0 or high >= x.shape[dim]:
            raise OpError(f"index {low if low < 0 else high} is out of range [0, "
                          f"{x.shape[dim] - 1}] of dim {dim}")


def _run_gather(x: Any, index: Any, *, dim: int) -> Any:
    region = tuple(slice(None) if k == dim else slice(n) for k, n in enumerate(index.shape))
    return np.take_along_axis(x[region], index, dim)


def _add_at(x: Any, index: Any, src: Any, dim: int) -> Any:
    """A copy of ``x`` with ``src`` added where ``index`` (which broadcasts to it) replaces
    coordinate ``dim``.  By flat positions, which ``np.add.at`` takes several times faster.
    """
    out = x.copy()
    strides = [math.prod(x.shape[k + 1:]) for k in range(x.ndim)]
    grid = np.ogrid[tuple(slice(n) for n in src.shape)]
    flat = index * strides[dim]
    for k, coordinate in enumerate(grid):
        if k != dim:
            flat = flat + coordinate * strides[k]
    np.add.at(out.reshape(-1), np.broadcast_to(flat, src.shape).reshape(-1), src.reshape(-1))
    return out


def _run_scatter(x: Any, index: Any, src: Any, *, dim: int) -> Any:
    return _add_at(x, index, src[tuple(slice(n) for n in index.shape)], dim)


def _run_index_add(x: Any, index: Any, src: Any, *, dim: int) -> Any:
    line = [1] * x.ndim
    line[dim] = -1
    return _add_at(x, index.reshape(line), src, dim)


def _zeros_like(F: Any, x: Any, g: Any) -> Any:
    return F.full(shape=F.typeof(x).shape, value=0.0, dtype=F.typeof(g).dtype)


def _grad_scatter(F: Any, g: Any, out: Any, x: Any, index: Any, src: Any, *, dim: int) -> Any:
    back = F.gather(g, index, dim=dim)
    have, want = F.typeof(back).shape, F.typeof(src).shape
    if have != want:
        high = tuple(w - h for h, w in zip(have, want, strict=True))
        back = F.pad(back, low=(0,) * len(want), high=high, value=0.0)
    return g, None, back


def _along(name: str) -> Any:
    def public(F: Any, input: Any, dim: int, index: Any) -> Any:
        return getattr(F, name)(input, index, dim=normalize_dim(dim, F.typeof(input).ndim))
    return public


def _adding(name: str) -> Any:
    def public(F: Any, input: Any, dim: int, index: Any, src: Any) -> Any:
        return getattr(F, name)(input, index, src, dim=normalize_dim(dim, F.typeof(input).ndim))
    return public


_METHOD = Spelling(("eager", "method"))
_PICK = np.array([[0, 2], [1, 1]])
_ROW = np.array([2, 0, 2])

gather = Op("gather", "out[i] = x[i with coordinate dim replaced by index[i]].", _gathered,
            Gather(), forward=_run_gather, precheck=_checked(_gathered), public=_along("gather"),
            grad=lambda F, g, out, x, index, *, dim: (
                F.scatter_add(_zeros_like(F, x, g), index, g, dim=dim), None),
            saves=(1,), spelling=_METHOD, onnx="GatherElements",
            examples=(Example(((2, 3), _PICK), {"dim": 1}),
                      Example(((3, 2), _PICK[:1]), {"dim": 0})),
            rejects=(Example(((2, 2), _PICK), {"dim": 1}),
                     Example(((2, 3), -_PICK), {"dim": 1})))
scatter_add = Op("scatter_add", "A copy of x with src[i] added at index[i] along dim.", _scattered,
                 Scatter(), forward=_run_scatter, precheck=_checked(_scattered), grad=_grad_scatter,
                 saves=(1,), public=_adding("scatter_add"), spelling=_METHOD,
                 examples=(Example(((2, 3), _PICK, (2, 2)), {"dim": 1}),),
                 rejects=(Example(((2, 2), _PICK, (2, 2)), {"dim": 1}),))
index_select = Op("index_select", "Slices of x along dim, by a 1-d index.", _selected,
                  Gather(select=True), precheck=_checked(_selected), public=_along("index_select"),
                  forward=lambda x, index, *, dim: np.take(x, index, dim),
                  grad=lambda F, g, out, x, index, *, dim: (
                      F.index_add(_zeros_like(F, x, g), index, g, dim=dim), None),
                  saves=(1,), spelling=_METHOD, onnx="Gather",
                  examples=(Example(((3, 4), _ROW), {"dim": 0}),
                            Example(((2, 3, 2), _ROW), {"dim": 1})),
                  rejects=(Example(((2, 4), _ROW), {"dim": 0}),
                           Example(((3, 4), _ROW - 1), {"dim": 0})))
index_add = Op("index_add", "A copy of x with slices of src added at a 1-d index.", _added,
               Scatter(select=True), forward=_run_index_add, precheck=_checked(_added),
               grad=lambda F, g, out, x, index, src, *, dim: (
                   g, None, F.index_select(g, index, dim=dim)),
               saves=(1,), public=_adding("index_add"), spelling=_METHOD,
               examples=(Example(((3, 4), _ROW, (3, 4)), {"dim": 0}),),
               rejects=(Example(((2, 4), _ROW, (3, 4)), {"dim": 0}),))

OPS = (gather, scatter_add, index_select, index_add)
