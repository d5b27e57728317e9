"""Composites that join tensors, take them apart, and put parts back into a whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eager.ops.composite import Composite
from eager.ops.errors import OpError
from eager.ops.op import Spelling
from eager.ops.shapes import atleast_1d, atleast_2d, atleast_3d, region, region_of, unsqueeze
from eager.ops.types import normalize_dim


# --- joining -----------------------------------------------------------------------------------
def stack(F: Any, tensors: Sequence[Any], dim: int = 0) -> Any:
    """Join tensors of one shape along a new dim."""
    parts = tuple(tensors)
    if not parts:
        raise OpError("stack: nothing to join")
    first = F.typeof(parts[0])
    at = normalize_dim(dim, first.ndim + 1)
    for p in parts:
        if F.typeof(p).shape != first.shape:
            raise OpError(f"stack: tensors have one shape, got {first} and {F.typeof(p)}")
    return F.concat(*(unsqueeze(F, p, at) for p in parts), dim=at)


def vstack(F: Any, tensors: Sequence[Any]) -> Any:
    """Join along rows; vectors are rows."""
    return F.concat(*(atleast_2d(F, t) for t in tensors), dim=0)


def hstack(F: Any, tensors: Sequence[Any]) -> Any:
    """Join along columns; vectors end to end."""
    parts = [atleast_1d(F, t) for t in tensors]
    return F.concat(*parts, dim=0 if F.typeof(parts[0]).ndim == 1 else 1)


def dstack(F: Any, tensors: Sequence[Any]) -> Any:
    """Join along the third dim."""
    return F.concat(*(atleast_3d(F, t) for t in tensors), dim=2)


def column_stack(F: Any, tensors: Sequence[Any]) -> Any:
    """Join along columns; vectors and numbers are columns."""
    parts = [t if F.typeof(t).ndim > 1 else F.reshape(t, shape=(F.typeof(t).numel, 1))
             for t in tensors]
    return F.concat(*parts, dim=1)


def block_diag(F: Any, *tensors: Any) -> Any:
    """A matrix with the tensors along its diagonal and zeros elsewhere."""
    blocks = [atleast_2d(F, t) for t in tensors]
    for b in blocks:
        if F.typeof(b).ndim != 2:
            raise OpError(f"block_diag: blocks have at most two dims, got {F.typeof(b)}")
    widths = [F.typeof(b).shape[1] for b in blocks]
    rows = []
    for k, block in enumerate(blocks):
        kind = F.typeof(block).dtype.kind
        rows.append(F.pad(block, low=(0, sum(widths[:k])), high=(0, sum(widths[k + 1:])),
                          value={"b": False, "i": 0}.get(kind, 0.0)))
    return F.concat(*rows, dim=0)


# --- taking apart ------------------------------------------------------------------------------
def _parts(F: Any, input: Any, at: int, sizes: Sequence[Any]) -> tuple[Any, ...]:
    start, result = 0, []
    for size in sizes:
        result.append(region(F, input, at, start, start + size))
        start = start + size
    return tuple(result)


def split(F: Any, input: Any, split_size_or_sections: Any = None, dim: int = 0, *,
          split_size: Any = None) -> tuple[Any, ...]:
    """Parts along ``dim``: of one size (the last may be smaller), or of the sizes listed."""
    shape = F.typeof(input).shape
    if not shape:
        raise OpError("split: a 0-d tensor has no dims")
    at = normalize_dim(dim, len(shape))
    size = split_size if split_size_or_sections is None else split_size_or_sections
    if isinstance(size, (tuple, list)):
        return split_with_sizes(F, input, size, dim)
    if type(shape[at]) is not int:
        count = shape[at] // size if shape[at] % size == 0 else None
        if type(count) is not int:
            raise OpError(f"split: dim {at} of {F.typeof(input)} is dynamic, and so is the number "
                          f"of parts; give their sizes")
        return _parts(F, input, at, [size] * count)
    if size < 1 and not (size == 0 and shape[at] == 0):
        raise OpError(f"split: a size is positive, got {size}")
    sizes = [min(size, shape[at] - k) for k in range(0, shape[at], size or 1)] or [0]
    return _parts(F, input, at, sizes)


def split_with_sizes(F: Any, input: Any, split_sizes: Sequence[int],
                     dim: int = 0) -> tuple[Any, ...]:
    """Parts of the sizes listed along ``dim``."""
    shape = F.typeof(input).shape
    at = normalize_dim(dim, len(shape))
    sizes = list(split_sizes)
    if any(type(s) is int and s < 0 for s in sizes) or sum(sizes) != shape[at]:
        raise OpError(f"split: sizes {sizes} do not add up to {shape[at]}, dim {at} of "
                      f"{F.typeof(input)}")
    return _parts(F, input, at, sizes)


def tensor_split(F: Any, input: Any, indices_or_sections: Any, dim: int = 0) -> tuple[Any, ...]:
    """Parts along ``dim``: so many of almost one size, or cut at the indices listed."""
    kind = F.typeof(input)
    if not kind.ndim:
        raise OpError("tensor_split: a 0-d tensor has no dims")
    at = normalize_dim(dim, kind.ndim)
    given = indices_or_sections
    if hasattr(given, "tolist"):
        given = given.tolist()
    if isinstance(given, (tuple, list)):
        cuts = [min(max(k + kind.shape[at] if k < 0 else k, 0), kind.shape[at]) for k in given]
        ends = [*cuts, kind.shape[at]]
        return tuple(region(F, input, at, a, max(a, b))
                     for a, b in zip([0, *cuts], ends, strict=True))
    if given < 1:
        raise OpError(f"tensor_split: the number of sections is positive, got {given}")
    each, more = divmod(kind.shape[at], given)
    return _parts(F, input, at, [each + (k < more) for k in range(given)])


def _split_along(name: str, least: int, dim: int, doc: str) -> Any:
    def body(F: Any, input: Any, indices_or_sections: Any) -> tuple[Any, ...]:
        kind = F.typeof(input)
        if kind.ndim < least:
            raise OpError(f"{name}: wants at least {least} dims, got {kind}")
        at = 0 if kind.ndim == 1 else dim
        if type(indices_or_sections) is int and (
                indices_or_sections < 1 or kind.shape[at] % indices_or_sections):
            raise OpError(f"{name}: {indices_or_sections} sections do not divide dim {at} of "
                          f"{kind}")
        return tensor_split(F, input, indices_or_sections, at)

    body.__name__, body.__doc__ = name, doc
    return body


hsplit = _split_along("hsplit", 1, 1, "Parts along the columns (of a vector: along it).")
vsplit = _split_along("vsplit", 2, 0, "Parts along the rows.")
dsplit = _split_along("dsplit", 3, 2, "Parts along the third dim.")


def chunk(F: Any, input: Any, chunks: int, dim: int = 0) -> tuple[Any, ...]:
    """At most ``chunks`` parts of equal size along ``dim``; the last may be smaller."""
    if chunks < 1:
        raise OpError(f"chunk: the number of chunks is positive, got {chunks}")
    at = normalize_dim(dim, F.typeof(input).ndim)
    size = F.typeof(input).shape[at]
    if type(size) is not int:
        if size % chunks != 0:
            raise OpError(f"chunk: dim {at} of {F.typeof(input)} is dynamic and no multiple of "
                          f"{chunks}; give the sizes to split")
        return _parts(F, input, at, [size // chunks] * chunks)
    if size == 0:
        return tuple(input for _ in range(chunks))
    return split(F, input, -(-size // chunks), dim)


def unbind(F: Any, input: Any, dim: int = 0) -> tuple[Any, ...]:
    """The slices along ``dim``, which is dropped."""
    kind = F.typeof(input)
    if not kind.ndim:
        raise OpError("unbind: a 0-d tensor has no slices")
    at = normalize_dim(dim, kind.ndim)
    size = kind.shape[at]
    if type(size) is not int:
        raise OpError(f"unbind: dim {at} of {kind} is dynamic")
    return tuple(F.select(input, dim=at, index=k) for k in range(size))


# --- putting back ------------------------------------------------------------------------------
def select_scatter(F: Any, input: Any, src: Any, dim: int, index: int) -> Any:
    """A copy of the input whose slice at ``index`` of ``dim`` is ``src``."""
    shape = F.typeof(input).shape
    at = normalize_dim(dim, len(shape))
    if not (shape[at] > index and index + shape[at] >= 0):
        raise OpError(f"select_scatter: index {index} is out of range of dim {at} of "
                      f"{F.typeof(input)}")
    first = index + shape[at] if index < 0 else index
    if F.typeof(src).shape != shape[:at] + shape[at + 1:]:
        raise OpError(f"select_scatter: a slice of {F.typeof(input)} along dim {at} is not "
                      f"{F.typeof(src)}")
    return F.slice_update(input, unsqueeze(F, _like(F, src, input), at),
                          **region_of(shape, at, first, first + 1))


def slice_scatter(F: Any, input: Any, src: Any, dim: int = 0, start: int | None = None,
                  end: int | None = None, step: int = 1) -> Any:
    """A copy of the input whose region ``start:end:step`` of ``dim`` is ``src``."""
    shape = F.typeof(input).shape
    at = normalize_dim(dim, len(shape))
    if step < 1:
        raise OpError(f"slice_scatter: the step is positive, got {step}")
    first, stop, _ = slice(start, end, step).indices(shape[at])
    where = region_of(shape, at, first, max(first, stop), step)
    have = (max(first, stop) - first + step - 1) // step
    if F.typeof(src).shape != (*shape[:at], have, *shape[at + 1:]):
        raise OpError(f"slice_scatter: the region has {have} elements along dim {at} of "
                      f"{F.typeof(input)}, the source is {F.typeof(src)}")
    return F.slice_update(input, _like(F, src, input), **where)


def _like(F: Any, src: Any, input: Any) -> Any:
    dtype = F.typeof(input).dtype
    return src if F.typeof(src).dtype is dtype else F.cast(src, dtype=dtype)


_FREE = Spelling(("eager",))
_SPELLINGS: dict[Any, Spelling] = {
    vstack: Spelling(("eager",), ("row_stack",)),
    **dict.fromkeys((stack, hstack, dstack, column_stack, block_diag), _FREE),
}
FUNCTIONS = tuple(
    Composite(f.__name__, f, _SPELLINGS.get(f, Spelling()))
    for f in (stack, vstack, hstack, dstack, column_stack, block_diag, split, split_with_sizes,
              tensor_split, hsplit, vsplit, dsplit, chunk, unbind, select_scatter, slice_scatter))
