"""Composites that find the largest and the smallest, with or without their positions."""

from __future__ import annotations

from typing import Any, NamedTuple

from eager.ops.composite import Composite
from eager.ops.picking import taken_once
from eager.ops.reductions import values_indices
from eager.ops.types import normalize_dim, normalize_dims


class aminmax_result(NamedTuple):
    """The smallest and the largest elements."""

    min: Any
    max: Any


def _extreme(F: Any, input: Any, dim: Any, keepdim: bool, other: Any, fold: Any, find: Any,
             pair: Any) -> Any:
    if other is None and hasattr(dim, "dtype"):
        other = dim
    if other is not None:
        return pair(input, other)
    ndim = input.ndim
    if dim is None:
        return fold(input, dims=tuple(range(ndim)), keepdim=False)
    at = normalize_dim(dim, ndim)
    if not ndim:
        return values_indices(F.reshape(input, shape=()), find(input, dim=0, keepdim=False))
    return taken_once(F, input, find(input, dim=at, keepdim=keepdim), at, keepdim)


def max(F: Any, input: Any, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """The largest element; with ``dim`` also its position; with a tensor, the larger of two.

    Over all elements ties share the gradient; along ``dim`` the position that is returned has it.
    """
    return _extreme(F, input, dim, keepdim, other, F.amax, F.argmax, F.maximum)


def min(F: Any, input: Any, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """The smallest element; with ``dim`` also its position; with a tensor, the smaller of two.

    Over all elements ties share the gradient; along ``dim`` the position that is returned has it.
    """
    return _extreme(F, input, dim, keepdim, other, F.amin, F.argmin, F.minimum)


def aminmax(F: Any, input: Any, *, dim: int | None = None,
            keepdim: bool = False) -> aminmax_result:
    """The smallest and the largest element over ``dim``, or over all dims."""
    dims = normalize_dims(dim, F.typeof(input).ndim)
    return aminmax_result(F.amin(input, dims=dims, keepdim=keepdim),
                          F.amax(input, dims=dims, keepdim=keepdim))


FUNCTIONS = tuple(Composite(f.__name__, f) for f in (max, min, aminmax))
