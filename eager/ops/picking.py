"""The operator that takes elements at positions which other operators found."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from eager.ops.errors import OpError
from eager.ops.families import Gather
from eager.ops.op import Example, Op
from eager.ops.reductions import values_indices
from eager.ops.types import Shape, Type


def _lined(index: Shape, dim: int, squeeze: bool) -> Shape:
    """The index's shape with ``dim`` in it."""
    return (*index[:dim], 1, *index[dim:]) if squeeze else index


def _taken(x: Type, index: Type, /, *, dim: int, squeeze: bool) -> Type:
    shape = _lined(index.shape, dim, squeeze)
    if index.dtype.name != "i64" or not 0 <= dim < x.ndim or len(shape) != x.ndim or any(
            k != dim and not (a is b or a == b)
            for k, (a, b) in enumerate(zip(shape, x.shape, strict=True))):
        raise OpError(f"positions along dim {dim} of {x} are int64 and agree with it in every "
                      f"other dim, got {index}")
    return Type(x.dtype, index.shape)


def _run_pick(x: Any, index: Any, *, dim: int, squeeze: bool) -> Any:
    # By flat positions: NumPy's take checks them, and costs half of take_along_axis.
    shape = x.shape
    n, after = shape[dim], math.prod(shape[dim + 1:])
    before = math.prod(shape[:dim])
    flat = index.reshape(before, -1, after) if index.size else index.reshape(-1)
    if flat.size == 0:
        return np.empty(index.shape, x.dtype)
    if after > 1:
        flat = flat * after + np.arange(after)
    if before > 1:
        flat = flat + np.arange(0, x.size, n * after).reshape(-1, 1, 1)
    return x.reshape(-1).take(flat).reshape(index.shape)


def _grad_pick(F: Any, g: Any, out: Any, x: Any, index: Any, *, dim: int, squeeze: bool) -> Any:
    if squeeze:
        shape = _lined(F.typeof(index).shape, dim, True)
        index, g = F.reshape(index, shape=shape), F.reshape(g, shape=shape)
    nothing = F.full(shape=F.typeof(x).shape, value=0.0, dtype=F.typeof(g).dtype)
    return F.scatter_add(nothing, index, g, dim=dim), None


def _parts(F: Any, x: Any, index: Any, *, dim: int, squeeze: bool) -> Any:
    if not squeeze:
        return F.gather(x, index, dim=dim)
    shape = F.typeof(index).shape
    found = F.gather(x, F.reshape(index, shape=_lined(shape, dim, True)), dim=dim)
    return F.reshape(found, shape=shape)


_ROW = np.array([2, 0])
pick = Op("pick", "The elements along dim at positions that are known to be in range.", _taken,
          Gather(), forward=_run_pick, grad=_grad_pick, saves=(1,), decompose=_parts,
          spelling=None, complex=True,
          examples=(Example(((2, 3), _ROW), {"dim": 1, "squeeze": True}),
                    Example(((3, 2), _ROW), {"dim": 0, "squeeze": True}),
                    Example(((2, 3), np.array([[2, 0], [1, 1]])), {"dim": 1, "squeeze": False}),
                    Example(((2, 3, 2), np.array([[[2, 0]], [[1, 1]]])),
                            {"dim": 1, "squeeze": False}),
                    Example(((0, 3), np.zeros(0, np.int64)), {"dim": 1, "squeeze": True})))

OPS = (pick,)


def taken(F: Any, x: Any, places: Any, dim: int) -> values_indices:
    """The elements at ``places`` along ``dim``, and the places."""
    return values_indices(F.pick(x, places, dim=dim, squeeze=False), places)


def taken_once(F: Any, x: Any, place: Any, dim: int, keepdim: bool) -> values_indices:
    """The one element a row at ``place``, which has no dim ``dim`` unless ``keepdim``."""
    return values_indices(F.pick(x, place, dim=dim, squeeze=not keepdim), place)
