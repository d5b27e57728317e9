"""Composites that rearrange: squeeze, stack, split and their kin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eager.ops.composite import Composite
from eager.ops.errors import OpError
from eager.ops.op import Spelling
from eager.ops.types import I64, normalize_dim, normalize_dims, product


def sizes_of(size: Sequence[Any]) -> tuple[Any, ...]:
    """Sizes given one by one or as a sequence."""
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = size[0]
    return tuple(size)


def region(F: Any, x: Any, dim: int, start: Any, stop: Any) -> Any:
    """``x[..., start:stop, ...]`` along ``dim``."""
    shape = F.typeof(x).shape
    n = len(shape)
    return F.slice(x, starts=tuple(start if k == dim else 0 for k in range(n)),
                   stops=tuple(stop if k == dim else d for k, d in enumerate(shape)),
                   steps=(1,) * n)


def squeeze(F: Any, input: Any, dim: int | Sequence[int] | None = None) -> Any:
    """Drop dims of size 1: all of them, or those named; a dynamic size is never 1."""
    shape = F.typeof(input).shape
    among = normalize_dims(dim, len(shape)) if dim != () else ()
    kept = tuple(d for k, d in enumerate(shape)
                 if not (k in among and type(d) is int and d == 1))
    return F.reshape(input, shape=kept)


def unsqueeze(F: Any, input: Any, dim: int) -> Any:
    """Insert a dim of size 1 before position ``dim``."""
    shape = F.typeof(input).shape
    at = normalize_dim(dim, len(shape) + 1)
    return F.reshape(input, shape=shape[:at] + (1,) + shape[at:])


def flatten(F: Any, input: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """Join the dims from ``start_dim`` to ``end_dim`` into one."""
    shape = F.typeof(input).shape
    if not shape:
        return F.reshape(input, shape=(1,))
    first, last = normalize_dim(start_dim, len(shape)), normalize_dim(end_dim, len(shape))
    if first > last:
        raise OpError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    joined = product(shape[first:last + 1])
    return F.reshape(input, shape=shape[:first] + (joined,) + shape[last + 1:])


def unflatten(F: Any, input: Any, dim: int, sizes: Sequence[int]) -> Any:
    """Split one dim into ``sizes``, of which one may be -1."""
    from eager.ops.movement import resolve_shape

    shape = F.typeof(input).shape
    at = normalize_dim(dim, len(shape))
    parts = resolve_shape((tuple(sizes),), shape[at])
    return F.reshape(input, shape=shape[:at] + parts + shape[at + 1:])


def transpose(F: Any, input: Any, dim0: int, dim1: int) -> Any:
    """Swap two dims."""
    n = F.typeof(input).ndim
    a, b = normalize_dim(dim0, n), normalize_dim(dim1, n)
    order = list(range(n))
    if n:
        order[a], order[b] = b, a
    return F.permute(input, dims=tuple(order))


def t(F: Any, input: Any) -> Any:
    """The transpose of a matrix; a vector is returned as it is."""
    n = F.typeof(input).ndim
    if n > 2:
        raise OpError(f"t: wants at most two dims, got {F.typeof(input)}; use transpose")
    return F.permute(input, dims=tuple(reversed(range(n))))


def movedim(F: Any, input: Any, source: int, destination: int) -> Any:
    """Move the dim ``source`` to position ``destination``; the others keep their order."""
    n = F.typeof(input).ndim
    order = [k for k in range(n) if k != normalize_dim(source, n)]
    order.insert(normalize_dim(destination, n), normalize_dim(source, n))
    return F.permute(input, dims=tuple(order))


def stack(F: Any, tensors: Sequence[Any], dim: int = 0) -> Any:
    """Join tensors of one shape along a new dim."""
    parts = tuple(tensors)
    if not parts:
        raise OpError("stack: nothing to join")
    at = normalize_dim(dim, F.typeof(parts[0]).ndim + 1)
    return F.concat(*(unsqueeze(F, p, at) for p in parts), dim=at)


def split(F: Any, input: Any, split_size_or_sections: Any, dim: int = 0) -> tuple[Any, ...]:
    """Parts along ``dim``: of one size (the last may be smaller), or of the sizes listed."""
    shape = F.typeof(input).shape
    at = normalize_dim(dim, len(shape))
    size = split_size_or_sections
    if isinstance(size, (tuple, list)):
        parts = list(size)
        if sum(parts) != shape[at]:
            raise OpError(f"split: sizes {parts} do not add up to {shape[at]}, dim {at} of "
                          f"{F.typeof(input)}")
    else:
        if type(shape[at]) is not int:
            raise OpError(f"split: dim {at} of {F.typeof(input)} is dynamic; give the sizes")
        if size < 1:
            raise OpError(f"split: a size is positive, got {size}")
        parts = [min(size, shape[at] - k) for k in range(0, shape[at], size)] or [0]
    start, result = 0, []
    for p in parts:
        result.append(region(F, input, at, start, start + p))
        start = start + p
    return tuple(result)


def chunk(F: Any, input: Any, chunks: int, dim: int = 0) -> tuple[Any, ...]:
    """At most ``chunks`` parts of equal size along ``dim``; the last may be smaller."""
    if chunks < 1:
        raise OpError(f"chunk: the number of chunks is positive, got {chunks}")
    size = F.typeof(input).shape[normalize_dim(dim, F.typeof(input).ndim)]
    return split(F, input, max(-(-size // chunks), 1), dim)


def unbind(F: Any, input: Any, dim: int = 0) -> tuple[Any, ...]:
    """The slices along ``dim``, which is dropped."""
    at = normalize_dim(dim, F.typeof(input).ndim)
    size = F.typeof(input).shape[at]
    if type(size) is not int:
        raise OpError(f"unbind: dim {at} of {F.typeof(input)} is dynamic")
    return tuple(select(F, input, at, k) for k in range(size))


def select(F: Any, input: Any, dim: int, index: int) -> Any:
    """The slice at ``index`` of ``dim``, which is dropped."""
    shape = F.typeof(input).shape
    at = normalize_dim(dim, len(shape))
    where = index + shape[at] if index < 0 else index
    if not (where >= 0 and shape[at] > where):
        raise OpError(f"select: index {index} is out of range of dim {at} of {F.typeof(input)}")
    return F.reshape(region(F, input, at, where, where + 1), shape=shape[:at] + shape[at + 1:])


def narrow(F: Any, input: Any, dim: int, start: int, length: int) -> Any:
    """``length`` elements of ``dim`` from ``start`` on."""
    shape = F.typeof(input).shape
    at = normalize_dim(dim, len(shape))
    first = start + shape[at] if start < 0 else start
    if not (first >= 0 and length >= 0 and shape[at] >= first + length):
        raise OpError(f"narrow: {length} elements from {start} do not lie in dim {at} of "
                      f"{F.typeof(input)}")
    return region(F, input, at, first, first + length)


def repeat(F: Any, input: Any, *repeats: Any) -> Any:
    """The tensor tiled ``repeats[k]`` times along dim ``k``; more repeats than dims lead."""
    times = sizes_of(repeats)
    shape = F.typeof(input).shape
    extra = len(times) - len(shape)
    if extra < 0:
        raise OpError(f"repeat: {len(times)} repeats for the {len(shape)} dims of "
                      f"{F.typeof(input)}")
    shape = (1,) * extra + shape
    apart = tuple(d for s in shape for d in (1, s))
    tiled = tuple(d for n, s in zip(times, shape, strict=True) for d in (n, s))
    whole = tuple(n * s for n, s in zip(times, shape, strict=True))
    wide = F.broadcast_to(F.reshape(input, shape=apart), shape=tiled)
    return F.reshape(wide, shape=whole)


def repeat_interleave(F: Any, input: Any, repeats: int, dim: int | None = None) -> Any:
    """Each element ``repeats`` times, next to one another."""
    if dim is None:
        input, dim = flatten(F, input), 0
    shape = F.typeof(input).shape
    at = normalize_dim(dim, len(shape))
    apart = shape[:at + 1] + (1,) + shape[at + 1:]
    wide = F.broadcast_to(F.reshape(input, shape=apart),
                          shape=shape[:at + 1] + (repeats,) + shape[at + 1:])
    return F.reshape(wide, shape=shape[:at] + (shape[at] * repeats,) + shape[at + 1:])


def expand_as(F: Any, input: Any, other: Any) -> Any:
    """The tensor broadcast to the shape of ``other``."""
    return F.broadcast_to(input, shape=F.typeof(other).shape)


def view_as(F: Any, input: Any, other: Any) -> Any:
    """The elements in the shape of ``other``."""
    return F.reshape(input, shape=F.typeof(other).shape)


def roll(F: Any, input: Any, shifts: int | Sequence[int],
         dims: int | Sequence[int] | None = None) -> Any:
    """Elements shifted along ``dims``; what leaves at the end comes back at the start."""
    if dims is None:
        shape = F.typeof(input).shape
        return F.reshape(roll(F, flatten(F, input), shifts, 0), shape=shape)
    pairs = zip([shifts] if isinstance(shifts, int) else shifts,
                [dims] if isinstance(dims, int) else dims, strict=True)
    for shift, dim in pairs:
        at = normalize_dim(dim, F.typeof(input).ndim)
        size = F.typeof(input).shape[at]
        if type(size) is int and size == 0:
            continue
        cut = -shift % size
        input = F.concat(region(F, input, at, cut, size), region(F, input, at, 0, cut), dim=at)
    return input


def _triangle(F: Any, input: Any, diagonal: int, keep: Any) -> Any:
    shape = F.typeof(input).shape
    if len(shape) < 2:
        raise OpError(f"a triangle is cut out of matrices, got {F.typeof(input)}")
    row = F.reshape(F.iota(start=diagonal, step=1, size=shape[-2], dtype=I64),
                    shape=(shape[-2], 1))
    return F.where(keep(F.iota(start=0, step=1, size=shape[-1], dtype=I64), row), input, 0)


def tril(F: Any, input: Any, diagonal: int = 0) -> Any:
    """Matrices with zeros above a diagonal."""
    return _triangle(F, input, diagonal, F.le)


def triu(F: Any, input: Any, diagonal: int = 0) -> Any:
    """Matrices with zeros below a diagonal."""
    return _triangle(F, input, diagonal, F.ge)


def masked_fill(F: Any, input: Any, mask: Any, value: Any) -> Any:
    """``value`` where ``mask`` holds, else the input; the dtype stays the input's."""
    dtype = F.typeof(input).dtype
    if type(value) in (bool, int, float):
        value = F.full(shape=(), value=value, dtype=dtype)
    elif F.typeof(value).dtype is not dtype:
        value = F.cast(value, dtype=dtype)
    return F.where(mask, value, input)


def zeros_like(F: Any, input: Any, *, dtype: Any = None) -> Any:
    """Zeros of the shape (and dtype) of ``input``."""
    return full_like(F, input, 0, dtype=dtype)


def ones_like(F: Any, input: Any, *, dtype: Any = None) -> Any:
    """Ones of the shape (and dtype) of ``input``."""
    return full_like(F, input, 1, dtype=dtype)


def empty_like(F: Any, input: Any, *, dtype: Any = None) -> Any:
    """A tensor of the shape (and dtype) of ``input``; its contents are not promised."""
    return full_like(F, input, 0, dtype=dtype)


def full_like(F: Any, input: Any, fill_value: Any, *, dtype: Any = None) -> Any:
    """One value in the shape (and dtype) of ``input``."""
    from eager.ops.types import as_dtype

    t = F.typeof(input)
    return F.full(shape=t.shape, value=fill_value,
                  dtype=t.dtype if dtype is None else as_dtype(dtype))


_SPELLINGS: dict[Any, Spelling] = {
    transpose: Spelling(("eager", "method"), ("swapaxes",)),
    repeat: Spelling(("method",)),
    expand_as: Spelling(("method",)),
    view_as: Spelling(("method",), ("reshape_as",)),
    stack: Spelling(("eager",)),
    masked_fill: Spelling(("eager", "method", "inplace")),
    **dict.fromkeys((zeros_like, ones_like, empty_like, full_like), Spelling(("eager",))),
}
FUNCTIONS = tuple(
    Composite(f.__name__, f, _SPELLINGS.get(f, Spelling()))
    for f in (squeeze, unsqueeze, flatten, unflatten, transpose, t, movedim, stack, split, chunk,
              unbind, select, narrow, repeat, repeat_interleave, expand_as, view_as, roll, tril,
              triu, masked_fill, zeros_like, ones_like, empty_like, full_like))
