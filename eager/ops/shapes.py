"""Composites that give the same elements another shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eager.ops.composite import Composite
from eager.ops.errors import OpError
from eager.ops.movement import resolve_shape
from eager.ops.op import Spelling
from eager.ops.types import broadcast_shapes, normalize_dim, normalize_dims, product


def sizes_of(size: Sequence[Any]) -> tuple[Any, ...]:
    """Sizes given one by one or as a sequence."""
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = size[0]
    return tuple(size)


def tensors_of(tensors: Sequence[Any]) -> tuple[Any, ...]:
    """Tensors given one by one or as a sequence."""
    return sizes_of(tensors)


def region(F: Any, x: Any, dim: int, start: Any, stop: Any, step: int = 1) -> Any:
    """``x[..., start:stop:step, ...]`` along ``dim``."""
    return F.slice(x, **region_of(F.typeof(x).shape, dim, start, stop, step))


def region_of(shape: Sequence[Any], dim: int, start: Any, stop: Any,
              step: int = 1) -> dict[str, Any]:
    """The attributes of a slice along one dim."""
    return {"starts": tuple(start if k == dim else 0 for k in range(len(shape))),
            "stops": tuple(stop if k == dim else d for k, d in enumerate(shape)),
            "steps": tuple(step if k == dim else 1 for k in range(len(shape)))}


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


def ravel(F: Any, input: Any) -> Any:
    """The elements in one dim."""
    return flatten(F, input)


def unflatten(F: Any, input: Any, dim: int, sizes: Sequence[int]) -> Any:
    """Split one dim into ``sizes``, of which one may be -1."""
    shape = F.typeof(input).shape
    at = normalize_dim(dim, len(shape))
    if not tuple(sizes):
        raise OpError("unflatten: give at least one size")
    parts = resolve_shape((tuple(sizes),), shape[at])
    if product(parts) != shape[at]:
        raise OpError(f"unflatten: sizes {list(parts)} do not multiply to {shape[at]}, dim {at} "
                      f"of {F.typeof(input)}")
    return F.reshape(input, shape=shape[:at] + parts + shape[at + 1:])


def transpose(F: Any, input: Any, dim0: int, dim1: int) -> Any:
    """Swap two dims."""
    n = F.typeof(input).ndim
    a, b = normalize_dim(dim0, n), normalize_dim(dim1, n)
    order = list(range(n))
    if n:
        order[a], order[b] = b, a
    return F.permute(input, dims=tuple(order))


def swapaxes(F: Any, input: Any, axis0: int, axis1: int) -> Any:
    """Swap two dims."""
    return transpose(F, input, axis0, axis1)


def t(F: Any, input: Any) -> Any:
    """The transpose of a matrix; a vector is returned as it is."""
    n = F.typeof(input).ndim
    if n > 2:
        raise OpError(f"t: wants at most two dims, got {F.typeof(input)}; use transpose")
    return F.permute(input, dims=tuple(reversed(range(n))))


def adjoint(F: Any, input: Any) -> Any:
    """The last two dims swapped, and complex elements conjugated."""
    kind = F.typeof(input)
    if kind.ndim < 2:
        raise OpError(f"adjoint: wants matrices, got {kind}")
    swapped = transpose(F, input, -2, -1)
    return F.conj(swapped) if kind.dtype.kind == "c" else swapped


def movedim(F: Any, input: Any, source: int | Sequence[int],
            destination: int | Sequence[int]) -> Any:
    """Move dims ``source`` to positions ``destination``; the others keep their order."""
    n = F.typeof(input).ndim
    sources, targets = ([normalize_dim(d, n) for d in ([dims] if isinstance(dims, int) else dims)]
                        for dims in (source, destination))
    if len(sources) != len(targets) or any(len(set(d)) != len(d) for d in (sources, targets)):
        raise OpError(f"movedim: sources and destinations are as many distinct dims, got {source} "
                      f"and {destination}")
    order = [k for k in range(n) if k not in sources]
    for place, dim in sorted(zip(targets, sources, strict=True)):
        order.insert(place, dim)
    return F.permute(input, dims=tuple(order[:n]))


def narrow(F: Any, input: Any, dim: int, start: Any, length: int) -> Any:
    """``length`` elements of ``dim`` from ``start`` (an int or a 0-d int tensor) on."""
    shape = F.typeof(input).shape
    if not shape:
        raise OpError("narrow: a 0-d tensor has no dims")
    at = normalize_dim(dim, len(shape))
    start = start if hasattr(start, "__dim__") or type(start) is int else int(start)
    first = start + shape[at] if start < 0 else start
    if not (first >= 0 and length >= 0 and shape[at] >= first + length):
        raise OpError(f"narrow: {length} elements from {start} do not lie in dim {at} of "
                      f"{F.typeof(input)}")
    return region(F, input, at, first, first + length)


def expand_as(F: Any, input: Any, other: Any) -> Any:
    """The tensor broadcast to the shape of ``other``."""
    return F.broadcast_to(input, shape=F.typeof(other).shape)


def view_as(F: Any, input: Any, other: Any) -> Any:
    """The elements in the shape of ``other``."""
    return F.reshape(input, shape=F.typeof(other).shape)


def broadcast_tensors(F: Any, *tensors: Any) -> tuple[Any, ...]:
    """Every tensor broadcast to the shape they have in common."""
    given = tensors_of(tensors)
    shape = broadcast_shapes(*(F.typeof(t).shape for t in given))
    return tuple(t if F.typeof(t).shape == shape else F.broadcast_to(t, shape=shape)
                 for t in given)


def _at_least(n: int) -> Any:
    def body(F: Any, *tensors: Any) -> Any:
        given = tensors_of(tensors)
        grown = tuple(_grown(F, t, n) for t in given)
        return grown[0] if len(tensors) == 1 and given is not tensors[0] and not isinstance(
            tensors[0], (tuple, list)) else grown

    body.__name__ = f"atleast_{n}d"
    body.__doc__ = (f"Tensors with fewer than {n} dims given dims of size 1; several come back as "
                    f"a tuple.")
    return body


def _grown(F: Any, x: Any, n: int) -> Any:
    shape = F.typeof(x).shape
    if len(shape) >= n:
        return x
    if n == 3 and len(shape) == 2:
        return F.reshape(x, shape=(*shape, 1))  # torch's and NumPy's choice
    if n == 3 and len(shape) == 1:
        return F.reshape(x, shape=(1, *shape, 1))
    return F.reshape(x, shape=(1,) * (n - len(shape)) + shape)


atleast_1d, atleast_2d, atleast_3d = map(_at_least, (1, 2, 3))

_SPELLINGS: dict[Any, Spelling] = {
    swapaxes: Spelling(("eager", "method"), ("swapdims",)),
    movedim: Spelling(("eager", "method"), ("moveaxis",)),
    expand_as: Spelling(("method",)),
    view_as: Spelling(("method",), ("reshape_as",)),
    **dict.fromkeys((broadcast_tensors, atleast_1d, atleast_2d, atleast_3d), Spelling(("eager",))),
}
FUNCTIONS = tuple(
    Composite(f.__name__, f, _SPELLINGS.get(f, Spelling()))
    for f in (squeeze, unsqueeze, flatten, ravel, unflatten, transpose, swapaxes, t, adjoint,
              movedim, narrow, expand_as, view_as, broadcast_tensors, atleast_1d, atleast_2d,
              atleast_3d))
