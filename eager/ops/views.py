"""Operators that look into their operand: a slice at an index, diagonals, windows, strides, bits.

Each knows how a write through it changes the operand (``put``), or refuses where elements of
the view share memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from eager.ops.errors import OpError
from eager.ops.families import Bitcast, View
from eager.ops.op import Example, Op, Spelling
from eager.ops.types import BOOL, F32, F64, I64, DType, Type, normalize_dim, product


def shared(what: str) -> OpError:
    """The refusal of a write to elements that share memory."""
    return OpError(f"{what}: more than one element of the written tensor refers to a single "
                   f"memory location; clone() the tensor before writing to it")


def zeros_of(F: Any, x: Any, g: Any) -> Any:
    """Zeros in the shape of an operand and the dtype of its gradient."""
    return F.full(shape=F.typeof(x).shape, value=0.0, dtype=F.typeof(g).dtype)


# --- the slice at an index ---------------------------------------------------------------------
def _selected(x: Type, /, *, dim: int, index: int) -> Type:
    if not 0 <= dim < x.ndim:
        raise OpError(f"dim {dim} is out of range of {x}")
    if not (index >= 0 and x.shape[dim] > index):
        raise OpError(f"index {index} is out of range of dim {dim} of {x}")
    return Type(x.dtype, x.shape[:dim] + x.shape[dim + 1:])


def _in_range(x: Any, *, dim: int, index: int) -> None:
    _selected(Type.of(x), dim=dim, index=index)


def _index_select(i: Any, source: Any, own: Any, *, dim: int, index: Any) -> tuple[Any, ...]:
    return (*i[:dim], index, *i[dim:])


def _one(shape: tuple[Any, ...], dim: int, index: Any) -> dict[str, Any]:
    return {"starts": tuple(index if k == dim else 0 for k in range(len(shape))),
            "stops": tuple(index + 1 if k == dim else d for k, d in enumerate(shape)),
            "steps": (1,) * len(shape)}


def _unsqueezed(F: Any, x: Any, dim: int) -> Any:
    shape = F.typeof(x).shape
    return F.reshape(x, shape=shape[:dim] + (1,) + shape[dim:])


def _grad_select(F: Any, g: Any, out: Any, x: Any, *, dim: int, index: Any) -> tuple[Any, ...]:
    shape = F.typeof(x).shape
    low = tuple(index if k == dim else 0 for k in range(len(shape)))
    high = tuple(d - index - 1 if k == dim else 0 for k, d in enumerate(shape))
    return (F.pad(_unsqueezed(F, g, dim), low=low, high=high, value=0.0),)


def _put_select(F: Any, base: Any, value: Any, *, dim: int, index: Any) -> Any:
    return F.slice_update(base, _unsqueezed(F, value, dim),
                          **_one(F.typeof(base).shape, dim, index))


def _select(F: Any, input: Any, dim: int, index: int) -> Any:
    shape = F.typeof(input).shape
    if not shape:
        raise OpError("select: a 0-d tensor has no slices")
    at = normalize_dim(dim, len(shape))
    if not (shape[at] > index and index + shape[at] >= 0):
        raise OpError(f"select: index {index} is out of range of dim {at} of {F.typeof(input)}")
    return F.select(input, dim=at, index=index + shape[at] if index < 0 else index)


# --- diagonals ---------------------------------------------------------------------------------
def _diagonal_size(x: Type, offset: int, dim1: int, dim2: int) -> Any:
    rows, columns = x.shape[dim1], x.shape[dim2]
    if rows is columns and offset == 0:
        return rows
    if type(rows) is not int or type(columns) is not int:
        raise OpError(f"the diagonal {offset} of {x} has no known size: dims {dim1} and {dim2} "
                      f"are dynamic")
    return max(min(rows + min(offset, 0), columns - max(offset, 0)), 0)


def _diagonals(x: Type, /, *, offset: int, dim1: int, dim2: int) -> Type:
    if not (0 <= dim1 < x.ndim and 0 <= dim2 < x.ndim) or dim1 == dim2:
        raise OpError(f"diagonals lie in two dims of {x}, got {dim1} and {dim2}")
    rest = tuple(d for k, d in enumerate(x.shape) if k not in (dim1, dim2))
    return Type(x.dtype, (*rest, _diagonal_size(x, offset, dim1, dim2)))


def _run_diagonal(x: Any, *, offset: int, dim1: int, dim2: int) -> Any:
    size = _diagonals(Type.of(x), offset=offset, dim1=dim1, dim2=dim2).shape[-1]
    row, column = (0, 0) if size == 0 else (max(-offset, 0), max(offset, 0))
    at = tuple(slice(row, None) if k == dim1 else slice(column, None) if k == dim2
               else slice(None) for k in range(x.ndim))
    rest = [k for k in range(x.ndim) if k not in (dim1, dim2)]
    return np.lib.stride_tricks.as_strided(
        x[at], [x.shape[k] for k in rest] + [size],
        [x.strides[k] for k in rest] + [x.strides[dim1] + x.strides[dim2]])


def _index_diagonal(i: Any, source: Any, own: Any, *, offset: int, dim1: int,
                    dim2: int) -> tuple[Any, ...]:
    rest, k = iter(i[:-1]), i[-1]
    places = {dim1: k + max(-offset, 0), dim2: k + max(offset, 0)}
    return tuple(places[d] if d in places else next(rest) for d in range(len(source)))


def spread(F: Any, value: Any, base: Any, offset: int, dim1: int, dim2: int) -> Any:
    """``base`` with ``value`` [..., k] on a diagonal of its dims ``dim1`` and ``dim2``."""
    shape = F.typeof(base).shape
    rows, columns = shape[dim1], shape[dim2]
    have = F.typeof(value).shape
    n = len(have)
    above = max(-offset, 0)
    line = F.pad(value, low=(0,) * (n - 1) + (above,),
                 high=(0,) * (n - 1) + (rows - above - have[-1],),
                 value=False if F.typeof(value).dtype is BOOL else 0)
    cells = F.broadcast_to(_unsqueezed(F, line, n), shape=(*have[:-1], rows, columns))
    rest = [k for k in range(n + 1) if k not in (dim1, dim2)]
    order = [rest.index(k) if k in rest else n - 1 if k == dim1 else n for k in range(n + 1)]
    row = F.reshape(F.iota(start=offset, step=1, size=rows, dtype=I64), shape=(rows, 1))
    on = F.eq(row, F.iota(start=0, step=1, size=columns, dtype=I64))
    if dim1 > dim2:
        on = F.permute(on, dims=(1, 0))
    low, high = sorted((dim1, dim2))
    on = F.reshape(on, shape=tuple(shape[k] if k in (low, high) else 1 for k in range(low, n + 1)))
    return F.where(on, F.permute(cells, dims=tuple(order)), base)


def _diagonal(F: Any, input: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    n = F.typeof(input).ndim
    a, b = normalize_dim(dim1, n), normalize_dim(dim2, n)
    if a == b or n < 2:
        raise OpError(f"diagonal: wants two dims of {F.typeof(input)}, got {dim1} and {dim2}")
    return F.diagonal(input, offset=offset, dim1=a, dim2=b)


# --- windows along a dim -----------------------------------------------------------------------
def _windows(x: Type, /, *, dim: int, size: int, step: int) -> Type:
    if not 0 <= dim < x.ndim or size < 1 or step < 1:
        raise OpError(f"windows lie along a dim of {x} in positive steps, got size {size} and "
                      f"step {step} along dim {dim}")
    if not x.shape[dim] >= size:
        raise OpError(f"a window of {size} is longer than dim {dim} of {x}")
    count = (x.shape[dim] - size) // step + 1
    return Type(x.dtype, (*x.shape[:dim], count, *x.shape[dim + 1:], size))


def _run_windows(x: Any, *, dim: int, size: int, step: int) -> Any:
    wanted = _windows(Type.of(x), dim=dim, size=size, step=step).shape
    strides = [s * step if k == dim else s for k, s in enumerate(x.strides)]
    return np.lib.stride_tricks.as_strided(x, wanted, [*strides, x.strides[dim]],
                                           writeable=size <= step)


def _index_windows(i: Any, source: Any, own: Any, *, dim: int, size: int,
                   step: int) -> tuple[Any, ...]:
    return tuple(k * step + i[-1] if d == dim else k for d, k in enumerate(i[:-1]))


def _window_places(F: Any, g: Any, dim: int, size: int, step: int) -> tuple[Any, Any]:
    """Positions along ``dim`` and the windows [..., count * size, ...] that lie there."""
    shape = F.typeof(g).shape
    n, count = len(shape) - 1, shape[dim]
    first = F.reshape(F.iota(start=0, step=step, size=count, dtype=I64), shape=(count, 1))
    places = F.add(first, F.iota(start=0, step=1, size=size, dtype=I64))
    order = (*range(dim + 1), n, *range(dim + 1, n))
    joined = shape[:dim] + (count * size,) + shape[dim + 1:n]
    return (F.reshape(places, shape=(count * size,)),
            F.reshape(F.permute(g, dims=order), shape=joined))


def _grad_windows(F: Any, g: Any, out: Any, x: Any, *, dim: int, size: int,
                  step: int) -> tuple[Any, ...]:
    places, lines = _window_places(F, g, dim, size, step)
    return (F.index_add(zeros_of(F, x, g), places, lines, dim=dim),)


def _put_windows(F: Any, base: Any, value: Any, *, dim: int, size: int, step: int) -> Any:
    if size > step:
        raise shared("unfold")
    places, lines = _window_places(F, value, dim, size, step)
    return F.index_copy(base, places, lines, dim=dim)


# --- any strides -------------------------------------------------------------------------------
def _strided(x: Type, /, *, size: tuple[int, ...], stride: tuple[int, ...],
             offset: int) -> Type:
    if len(size) != len(stride) or any(d < 0 for d in (*size, *stride, offset)):
        raise OpError(f"sizes and strides are as many, and none negative, got {size}, {stride} "
                      f"and offset {offset}")
    last = offset + sum((d - 1) * s for d, s in zip(size, stride, strict=True))
    if all(d > 0 for d in size) and last >= x.numel:
        raise OpError(f"sizes {size}, strides {stride} and offset {offset} reach element {last} "
                      f"of {x}, which has {x.numel}")
    return Type(x.dtype, size)


def _run_strided(x: Any, *, size: Any, stride: Any, offset: int) -> Any:
    _strided(Type.of(x), size=size, stride=stride, offset=offset)
    flat = np.ascontiguousarray(x).reshape(-1)[offset:]
    return np.lib.stride_tricks.as_strided(flat, size, [s * x.itemsize for s in stride],
                                           writeable=not _overlaps(size, stride))


def _overlaps(size: Any, stride: Any) -> bool:
    reach = 0  # sufficient: each dim steps over all that the smaller steps reach
    for s, d in sorted(zip(stride, size, strict=True)):
        if d > 1:
            if s <= reach:
                return True
            reach += s * (d - 1)
    return False


def _index_strided(i: Any, source: Any, own: Any, *, size: Any, stride: Any,
                   offset: Any) -> tuple[Any, ...]:
    place: Any = offset
    for k, s in zip(i, stride, strict=True):
        place = place + k * s
    result = []
    for k in range(len(source)):
        below = product(source[k + 1:])
        result.append(place // below)
        place = place % below
    return tuple(result)


def _strided_places(F: Any, size: Any, stride: Any, offset: Any) -> Any:
    places = F.iota(start=offset, step=1, size=1, dtype=I64)
    for d, s in zip(size, stride, strict=True):
        line = F.iota(start=0, step=s, size=d, dtype=I64) if s else F.full(
            shape=(d,), value=0, dtype=I64)
        before = F.typeof(places).shape[0]
        places = F.reshape(F.add(F.reshape(places, shape=(before, 1)), line), shape=(before * d,))
    return places


def _flat(F: Any, x: Any) -> Any:
    return F.reshape(x, shape=(product(F.typeof(x).shape),))


def _grad_strided(F: Any, g: Any, out: Any, x: Any, *, size: Any, stride: Any,
                  offset: Any) -> tuple[Any, ...]:
    places = _strided_places(F, size, stride, offset)
    total = F.index_add(_flat(F, zeros_of(F, x, g)), places, _flat(F, g), dim=0)
    return (F.reshape(total, shape=F.typeof(x).shape),)


def _put_strided(F: Any, base: Any, value: Any, *, size: Any, stride: Any, offset: Any) -> Any:
    if _overlaps(size, stride):
        raise shared("as_strided")
    places = _strided_places(F, size, stride, offset)
    whole = F.index_copy(_flat(F, base), places, _flat(F, value), dim=0)
    return F.reshape(whole, shape=F.typeof(base).shape)


def _as_strided(F: Any, input: Any, size: Any, stride: Any, storage_offset: int = 0) -> Any:
    return F.as_strided(input, size=tuple(size), stride=tuple(stride), offset=storage_offset or 0)


# --- the same bits -----------------------------------------------------------------------------
def _bits(x: Type, /, *, dtype: DType) -> Type:
    have, want = x.dtype.itemsize, dtype.itemsize
    if have == want:
        return Type(dtype, x.shape)
    if x.ndim == 0 or (x.shape[-1] * have) % want:
        raise OpError(f"the last dim of {x} is no whole number of {dtype.public}")
    return Type(dtype, (*x.shape[:-1], x.shape[-1] * have // want))


def _run_bits(x: Any, *, dtype: DType) -> Any:
    _bits(Type.of(x), dtype=dtype)
    return x.view(dtype.numpy)


_METHOD = Spelling(("eager", "method"))
_MATRIX = {"offset": 0, "dim1": 0, "dim2": 1}
select = Op("select", "The slice of x at an index of dim, which is dropped.", _selected,
            View(_index_select), precheck=_in_range, grad=_grad_select, put=_put_select,
            forward=lambda x, *, dim, index: x[(slice(None),) * dim + (index, ...)],
            public=_select, spelling=_METHOD,
            examples=(Example(((3, 4),), {"dim": 1, "index": 2}),
                      Example(((3,),), {"dim": 0, "index": 1}),
                      Example(((2, 3, 2),), {"dim": 0, "index": 0})),
            rejects=(Example(((3,),), {"dim": 0, "index": 3}),))
diagonal = Op("diagonal", "Diagonals of the matrices in two dims of x, as its last dim.",
              _diagonals, View(_index_diagonal), forward=_run_diagonal, public=_diagonal,
              grad=lambda F, g, out, x, *, offset, dim1, dim2: (
                  spread(F, g, zeros_of(F, x, g), offset, dim1, dim2),),
              put=lambda F, base, value, *, offset, dim1, dim2: spread(
                  F, value, base, offset, dim1, dim2), spelling=_METHOD,
              examples=(Example(((3, 4),), _MATRIX), Example(((4, 3),), {**_MATRIX, "offset": -1}),
                        Example(((2, 3, 4),), {"offset": 1, "dim1": 2, "dim2": 0})),
              rejects=(Example(((3, 4),), {"offset": 0, "dim1": 0, "dim2": 2}),))
windows = Op("windows", "Windows of x along dim, step apart, as the last dim.", _windows,
             View(_index_windows), forward=_run_windows, grad=_grad_windows, put=_put_windows,
             spelling=None, examples=(Example(((7, 2),), {"dim": 0, "size": 3, "step": 2}),
                                      Example(((2, 7),), {"dim": 1, "size": 2, "step": 3})),
             rejects=(Example(((3,),), {"dim": 0, "size": 4, "step": 1}),))
as_strided = Op("as_strided", "Elements of x, counted in row-major order, by sizes and steps.",
                _strided, View(_index_strided), forward=_run_strided, grad=_grad_strided,
                put=_put_strided, public=_as_strided, spelling=_METHOD,
                examples=(Example(((3, 4),), {"size": (2, 3), "stride": (2, 1), "offset": 1}),
                          Example(((3, 4),), {"size": (2, 2), "stride": (5, 2), "offset": 0})),
                rejects=(Example(((3, 4),), {"size": (3, 4), "stride": (4, 1), "offset": 1}),))
bitcast = Op("bitcast", "The bits of x read as another dtype.", _bits, Bitcast(),
             forward=_run_bits, spelling=None, complex=True, domain=(1.0, 4.0),
             put=lambda F, base, value, *, dtype: F.bitcast(value, dtype=F.typeof(base).dtype),
             examples=(Example((((2, 4), "i32"),), {"dtype": F32}),
                       Example((((3,), "i64"),), {"dtype": F64})),
             rejects=(Example((((3,), "u8"),), {"dtype": F32}),))

OPS = (select, diagonal, windows, as_strided, bitcast)
