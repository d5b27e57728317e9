"""Composites that repeat, shift and turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from eager.ops.composite import Composite
from eager.ops.errors import OpError
from eager.ops.op import Spelling
from eager.ops.shapes import flatten, region, sizes_of, transpose
from eager.ops.types import normalize_dim


def read(tensor: Any, how: str) -> Any:
    """The data of a tensor or array; a recorder refuses with words of its own."""
    reader = getattr(tensor, "_read", None)
    return np.asarray(tensor) if reader is None else reader(how)


def repeat(F: Any, input: Any, *repeats: Any) -> Any:
    """The tensor tiled ``repeats[k]`` times along dim ``k``; more repeats than dims lead."""
    times = sizes_of(repeats)
    shape = F.typeof(input).shape
    extra = len(times) - len(shape)
    if extra < 0 or any(type(n) is int and n < 0 for n in times):
        raise OpError(f"repeat: {list(times)} are no repeats for the {len(shape)} dims of "
                      f"{F.typeof(input)}")
    shape = (1,) * extra + shape
    apart = tuple(d for s in shape for d in (1, s))
    tiled = tuple(d for n, s in zip(times, shape, strict=True) for d in (n, s))
    whole = tuple(n * s for n, s in zip(times, shape, strict=True))
    wide = F.broadcast_to(F.reshape(input, shape=apart), shape=tiled)
    result = F.reshape(wide, shape=whole)
    # where nothing repeats the reshapes alias the input, and torch's repeat is a copy
    return F.clone(result) if all(type(n) is int and n == 1 for n in times) else result


def tile(F: Any, input: Any, *dims: Any) -> Any:
    """`repeat` where fewer numbers than dims count from the last."""
    times = sizes_of(dims)
    return repeat(F, input, (1,) * (F.typeof(input).ndim - len(times)) + times)


def repeat_interleave(F: Any, input: Any, repeats: Any = None, dim: int | None = None, *,
                      output_size: int | None = None) -> Any:
    """Each element ``repeats`` times (a number, or a tensor of one for each), side by side.

    Repeats in a tensor are read.  Alone, a 1-d ``input`` of repeats gives the positions.
    """
    if repeats is None:
        counts = read(input, "repeat_interleave")
        return F.cast(np.repeat(np.arange(len(counts)), counts), dtype=F.typeof(input).dtype)
    if dim is None:
        input, dim = flatten(F, input), 0
    shape = F.typeof(input).shape
    at = normalize_dim(dim, len(shape))
    if type(repeats) is not int and not hasattr(repeats, "__dim__"):
        counts = np.asarray(read(repeats, "repeat_interleave"))
        if counts.size == 1:
            counts = np.broadcast_to(counts.reshape(()), (shape[at],))
        if counts.shape != (shape[at],) or counts.dtype.kind != "i" or counts.min(initial=0) < 0:
            raise OpError(f"repeat_interleave: wants one count for each of the {shape[at]} slices "
                          f"of dim {at}, got {counts.dtype}{list(counts.shape)}")
        return F.index_select(input, np.repeat(np.arange(shape[at]), counts), dim=at)
    if type(repeats) is int and repeats < 0:
        raise OpError(f"repeat_interleave: repeats are not negative, got {repeats}")
    apart = shape[:at + 1] + (1,) + shape[at + 1:]
    wide = F.broadcast_to(F.reshape(input, shape=apart),
                          shape=shape[:at + 1] + (repeats,) + shape[at + 1:])
    return F.reshape(wide, shape=shape[:at] + (shape[at] * repeats,) + shape[at + 1:])


def roll(F: Any, input: Any, shifts: int | Sequence[int],
         dims: int | Sequence[int] | None = None) -> Any:
    """Elements shifted along ``dims``; what leaves at the end comes back at the start."""
    if dims is None or dims == ():
        shape = F.typeof(input).shape
        return F.reshape(roll(F, flatten(F, input), shifts, 0), shape=shape)
    steps = [shifts] if isinstance(shifts, int) else list(shifts)
    along = [dims] if isinstance(dims, int) else list(dims)
    if len(steps) != len(along):
        raise OpError(f"roll: {len(steps)} shifts for {len(along)} dims")
    for shift, dim in zip(steps, along, strict=True):
        at = normalize_dim(dim, F.typeof(input).ndim)
        size = F.typeof(input).shape[at]
        if type(size) is int and size == 0:
            continue
        cut = -shift % size
        input = F.concat(region(F, input, at, cut, size), region(F, input, at, 0, cut), dim=at)
    return input


def fliplr(F: Any, input: Any) -> Any:
    """Columns in reverse order."""
    if F.typeof(input).ndim < 2:
        raise OpError(f"fliplr: wants at least two dims, got {F.typeof(input)}")
    return F.flip(input, dims=(1,))


def flipud(F: Any, input: Any) -> Any:
    """Rows in reverse order."""
    if F.typeof(input).ndim < 1:
        raise OpError("flipud: a 0-d tensor has no rows")
    return F.flip(input, dims=(0,))


def rot90(F: Any, input: Any, k: int = 1, dims: Sequence[int] = (0, 1)) -> Any:
    """The plane of two dims turned by ``k`` quarters, from the first dim towards the second."""
    n = F.typeof(input).ndim
    a, b = (normalize_dim(d, n) for d in dims)
    if a == b or n < 2:
        raise OpError(f"rot90: wants two dims of {F.typeof(input)}, got {tuple(dims)}")
    if k % 4 == 2:
        return F.flip(input, dims=tuple(sorted((a, b))))
    turned = F.flip(input, dims=(b if k % 4 == 1 else a,)) if k % 4 else F.clone(input)
    return transpose(F, turned, a, b) if k % 2 else turned


_SPELLINGS: dict[Any, Spelling] = {repeat: Spelling(("method",))}
FUNCTIONS = tuple(Composite(f.__name__, f, _SPELLINGS.get(f, Spelling()))
                  for f in (repeat, tile, repeat_interleave, roll, fliplr, flipud, rot90))
