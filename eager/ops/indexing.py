"""Operators that read and write by index."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from eager.ops import scalar
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


def _folding(contract: Any) -> Any:
    def infer(x: Type, index: Type, src: Type, /, *, dim: int) -> Type:
        if x.dtype.kind in "bc":
            raise OpError(f"the target must be a real number, got {x}")
        result: Type = contract(x, index, src, dim=dim)
        return result
    return infer


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


def _fold_at(x: Any, index: Any, src: Any, dim: int, combine: str) -> Any:
    """A copy of ``x`` with ``src`` folded in where ``index`` (which broadcasts to it) replaces
    coordinate ``dim``.  By flat positions, which ``np.add.at`` takes several times faster.
    """
    out = np.array(x, order="C")
    strides = [math.prod(x.shape[k + 1:]) for k in range(x.ndim)]
    flat = index * strides[dim]
    for k, coordinate in enumerate(np.ogrid[tuple(slice(n) for n in src.shape)]):
        if k != dim:
            flat = flat + coordinate * strides[k]
    places = np.broadcast_to(flat, src.shape).reshape(-1)
    if combine:
        fold: Any = scalar.INSTRS[combine].numpy
        fold.at(out.reshape(-1), places, src.reshape(-1))
    else:
        out.reshape(-1)[places] = src.reshape(-1)
    return out


def _run_scatter(combine: str) -> Any:
    def run(x: Any, index: Any, src: Any, *, dim: int) -> Any:
        return _fold_at(x, index, src[tuple(slice(n) for n in index.shape)], dim, combine)
    return run


def _run_select(combine: str) -> Any:
    def run(x: Any, index: Any, src: Any, *, dim: int) -> Any:
        return _fold_at(x, index.reshape([-1 if k == dim else 1 for k in range(x.ndim)]), src,
                        dim, combine)
    return run


# --- gradients ---------------------------------------------------------------------------------
def _filled(F: Any, x: Any, g: Any, value: float = 0.0) -> Any:
    return F.full(shape=F.typeof(x).shape, value=value, dtype=F.typeof(g).dtype)


def _to_source(F: Any, back: Any, src: Any) -> Any:
    """A gradient of the index's shape in that of the source, of which the rest was not read."""
    have, want = F.typeof(back).shape, F.typeof(src).shape
    if have == want:
        return back
    high = tuple(w - h for h, w in zip(have, want, strict=True))
    return F.pad(back, low=(0,) * len(want), high=high, value=0.0)


def _read_part(F: Any, src: Any, index: Any) -> Any:
    """The part of a source that an index reads."""
    have, want = F.typeof(src).shape, F.typeof(index).shape
    if have == want:
        return src
    return F.slice(src, starts=(0,) * len(want), stops=want, steps=(1,) * len(want))


def _grad_add(F: Any, g: Any, out: Any, x: Any, index: Any, src: Any, *, dim: int) -> Any:
    return g, None, _to_source(F, F.gather(g, index, dim=dim), src)


def _grad_set(F: Any, g: Any, out: Any, x: Any, index: Any, src: Any, *, dim: int) -> Any:
    # Where an index repeats every writer gets the gradient, as in torch.
    return (F.scatter(g, index, _filled(F, src, g), dim=dim), None,
            _to_source(F, F.gather(g, index, dim=dim), src))


def _grad_prod(F: Any, g: Any, out: Any, x: Any, index: Any, src: Any, *, dim: int) -> Any:
    # Each factor gets the product of the others: of those that are not 0, where none but it is.
    part = _read_part(F, src, index)
    dtype = F.typeof(g).dtype
    zero, null = F.eq(part, 0), F.eq(x, 0)
    safe, own = F.where(zero, F.add(F.mul(part, 0), 1), part), F.where(
        null, F.add(F.mul(x, 0), 1), x)
    zeros = F.gather(F.scatter_add(F.cast(null, dtype=dtype), index, F.cast(zero, dtype=dtype),
                                   dim=dim), index, dim=dim)
    rest = F.gather(F.mul(g, F.scatter_prod(own, index, safe, dim=dim)), index, dim=dim)
    lone = F.logical_or(F.eq(zeros, 0), F.logical_and(zero, F.eq(zeros, 1)))
    back = F.where(lone, F.div(rest, safe), F.mul(rest, 0))
    others = F.scatter_prod(_filled(F, x, g, 1.0), index, part, dim=dim)
    return F.mul(g, others), None, _to_source(F, back, src)


def _grad_extreme(F: Any, g: Any, out: Any, x: Any, index: Any, src: Any, *, dim: int) -> Any:
    # Those that tie share the gradient equally, as in torch.
    part, dtype = _read_part(F, src, index), F.typeof(g).dtype
    own = F.cast(F.eq(x, out), dtype=dtype)
    hit = F.cast(F.eq(part, F.gather(out, index, dim=dim)), dtype=dtype)
    share = F.div(g, F.scatter_add(own, index, hit, dim=dim))
    back = F.mul(F.gather(share, index, dim=dim), hit)
    return F.mul(share, own), None, _to_source(F, back, src)


# --- public signatures -------------------------------------------------------------------------
def along(F: Any, name: str, input: Any, dim: int, index: Any, *source: Any) -> Any:
    """An op of this module along ``dim``, where a 0-d tensor counts as one of one element."""
    t = F.typeof(input)
    at = normalize_dim(dim, t.ndim)
    if t.ndim:
        return getattr(F, name)(input, index, *source, dim=at)
    lines = (F.reshape(a, shape=(1,)) if F.typeof(a).ndim == 0 else a
             for a in (input, index, *source))
    result = getattr(F, name)(*lines, dim=0)
    shape = F.typeof(index).shape if name == "gather" else ()
    return F.reshape(result, shape=shape)


def _gather(F: Any, input: Any, dim: int, index: Any, *, sparse_grad: bool = False) -> Any:
    return along(F, "gather", input, dim, index)


def _index_select(F: Any, input: Any, dim: int, index: Any) -> Any:
    if F.typeof(index).ndim == 0:
        index = F.reshape(index, shape=(1,))
    return along(F, "index_select", input, dim, index)


def _scatter_add(F: Any, input: Any, dim: int, index: Any, src: Any) -> Any:
    return along(F, "scatter_add", input, dim, index, src)


def _index_add(F: Any, input: Any, dim: int, index: Any, source: Any, *, alpha: Any = 1) -> Any:
    source = source if alpha == 1 else F.mul(source, alpha)
    if F.typeof(index).ndim == 0:
        index = F.reshape(index, shape=(1,))
    return along(F, "index_add", input, dim, index, source)


def _index_copy(F: Any, input: Any, dim: int, index: Any, source: Any) -> Any:
    if F.typeof(index).ndim == 0:
        index = F.reshape(index, shape=(1,))
        if F.typeof(source).ndim < F.typeof(input).ndim:
            at = normalize_dim(dim, F.typeof(input).ndim)
            shape = F.typeof(source).shape
            source = F.reshape(source, shape=shape[:at] + (1,) + shape[at:])
    return along(F, "index_copy", input, dim, index, source)


# --- the rows ----------------------------------------------------------------------------------
_METHOD = Spelling(("eager", "method"))
_WRITER = Spelling(("eager", "method", "inplace"))
_PICK = np.array([[0, 2], [1, 1]])
_APART = np.array([[0, 2], [1, 0]])
_ROW = np.array([2, 0, 2])
_ROWS = np.array([2, 0])


def _scatter_op(name: str, doc: str, combine: str, grad: Any, index: Any, **columns: Any) -> Op:
    contract = _scattered if combine in ("", "add") else _folding(_scattered)
    columns.setdefault("spelling", None)
    return Op(name, doc, contract, Scatter(combine=combine), forward=_run_scatter(combine),
              precheck=_checked(contract), grad=grad,
              examples=(Example(((2, 3), index, (2, 2)), {"dim": 1}),
                        Example(((2, 3), index[:, :1], (2, 3)), {"dim": 0})),
              rejects=(Example(((2, 2), index, (2, 2)), {"dim": 1}),), **columns)


gather = Op("gather", "out[i] = x[i with coordinate dim replaced by index[i]].", _gathered,
            Gather(), forward=_run_gather, precheck=_checked(_gathered), public=_gather,
            grad=lambda F, g, out, x, index, *, dim: (
                F.scatter_add(_filled(F, x, g), index, g, dim=dim), None),
            saves=(1,), spelling=_METHOD, onnx="GatherElements",
            examples=(Example(((2, 3), _PICK), {"dim": 1}),
                      Example(((3, 2), _PICK[:1]), {"dim": 0})),
            rejects=(Example(((2, 2), _PICK), {"dim": 1}),
                     Example(((2, 3), -_PICK), {"dim": 1})))
scatter_add = _scatter_op("scatter_add", "A copy of x with src[i] added at index[i] along dim.",
                          "add", _grad_add, _PICK, saves=(1,), public=_scatter_add,
                          spelling=_WRITER)
scatter = _scatter_op("scatter", "A copy of x with src[i] stored at index[i] along dim, the last "
                      "where several are.", "", _grad_set, _APART, saves=(1,))
scatter_prod = _scatter_op("scatter_prod", "A copy of x with src[i] multiplied in at index[i] "
                           "along dim.", "mul", _grad_prod, _PICK, saves=(0, 1, 2))
scatter_amax = _scatter_op("scatter_amax", "A copy of x, or src[i] at index[i] along dim where it "
                           "is larger.", "maximum", _grad_extreme, _PICK, saves=(0, 1, 2, "out"))
scatter_amin = _scatter_op("scatter_amin", "A copy of x, or src[i] at index[i] along dim where it "
                           "is smaller.", "minimum", _grad_extreme, _PICK, saves=(0, 1, 2, "out"))
index_select = Op("index_select", "Slices of x along dim, by a 1-d index.", _selected,
                  Gather(select=True), precheck=_checked(_selected), public=_index_select,
                  forward=lambda x, index, *, dim: np.take(x, index, dim),
                  grad=lambda F, g, out, x, index, *, dim: (
                      F.index_add(_filled(F, x, g), index, g, dim=dim), None),
                  saves=(1,), spelling=_METHOD, onnx="Gather",
                  examples=(Example(((3, 4), _ROW), {"dim": 0}),
                            Example(((2, 3, 2), _ROW), {"dim": 1})),
                  rejects=(Example(((2, 4), _ROW), {"dim": 0}),
                           Example(((3, 4), _ROW - 1), {"dim": 0})))
index_add = Op("index_add", "A copy of x with slices of src added at a 1-d index.", _added,
               Scatter(select=True), forward=_run_select("add"), precheck=_checked(_added),
               grad=lambda F, g, out, x, index, src, *, dim: (
                   g, None, F.index_select(g, index, dim=dim)),
               saves=(1,), public=_index_add, spelling=_WRITER,
               examples=(Example(((3, 4), _ROW, (3, 4)), {"dim": 0}),),
               rejects=(Example(((2, 4), _ROW, (3, 4)), {"dim": 0}),))
index_copy = Op("index_copy", "A copy of x with slices of src stored at a 1-d index, the last "
                "where several are.", _added, Scatter(select=True, combine=""),
                forward=_run_select(""), precheck=_checked(_added),
                grad=lambda F, g, out, x, index, src, *, dim: (
                    F.index_copy(g, index, _filled(F, src, g), dim=dim), None,
                    F.index_select(g, index, dim=dim)),
                saves=(1,), public=_index_copy, spelling=_WRITER,
                examples=(Example(((3, 4), _ROWS, (2, 4)), {"dim": 0}),
                          Example(((2, 3), _ROWS, (2, 2)), {"dim": 1})),
                rejects=(Example(((2, 4), _ROWS, (2, 4)), {"dim": 0}),))

OPS = (gather, scatter_add, scatter, scatter_prod, scatter_amax, scatter_amin, index_select,
       index_add, index_copy)
