"""Operators that order the elements along a dim, and that search what is ordered."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from eager.ops.composite import Composite
from eager.ops.errors import OpError
from eager.ops.families import Search, Sort
from eager.ops.op import Example, Op, Spelling
from eager.ops.picking import taken
from eager.ops.reductions import values_indices
from eager.ops.scans import region
from eager.ops.types import BOOL, I32, I64, Type, as_dtype, normalize_dim, promote


# --- contracts ---------------------------------------------------------------------------------
def _ordered(x: Type, dim: int) -> None:
    if not 0 <= dim < max(x.ndim, 1):
        raise OpError(f"dim {dim} is out of range of {x}")
    if x.dtype.kind == "c":
        raise OpError(f"complex numbers have no order, got {x}")


def _sorted(x: Type, /, *, dim: int, descending: bool) -> Type:
    _ordered(x, dim)
    return Type(I64, x.shape)


def _foremost(x: Type, /, *, k: int, dim: int, descending: bool) -> Type:
    _ordered(x, dim)
    size = x.shape[dim] if x.ndim else 1
    if type(k) is int and (k < 0 or (type(size) is int and k > size)):
        raise OpError(f"k={k} is not between 0 and the {size} elements along dim {dim} of {x}")
    return Type(I64, (*x.shape[:dim], k, *x.shape[dim + 1:]) if x.ndim else ())


def _searched(sequence: Type, values: Type, /, *, right: bool) -> Type:
    if sequence.dtype is not values.dtype or sequence.dtype.kind == "c":
        raise OpError(f"the sequence is {sequence} and the values are {values}: wanted the same "
                      f"dtype, and one that has an order")
    if not sequence.ndim or (sequence.ndim > 1 and (
            sequence.ndim != values.ndim or sequence.shape[:-1] != values.shape[:-1])):
        raise OpError(f"the sequence is 1-d, or has all dims of the values but the last; got "
                      f"{sequence} and values {values}")
    return Type(I64, values.shape)


# --- forwards ----------------------------------------------------------------------------------
def _run_argsort(x: Any, *, dim: int, descending: bool) -> Any:
    if not x.ndim:
        return np.asarray(0, np.int64)
    if not descending:
        return x.argsort(dim, kind="stable")
    # Backwards, so that equal elements keep their order when the result is turned round.
    turned = (slice(None),) * dim + (slice(None, None, -1),)
    places = x[turned].argsort(dim, kind="stable")
    return (x.shape[dim] - 1) - places[turned]


def _run_foremost(x: Any, *, k: int, dim: int, descending: bool) -> Any:
    if not x.ndim:
        return np.asarray(0, np.int64)
    n = x.shape[dim]
    if k and 16 * k < n > 256 and not (x.dtype.kind not in "biu" and np.isnan(x).any()):
        rows = np.ascontiguousarray(np.moveaxis(x, dim, -1)).reshape(-1, n)
        found = _selected(rows, k, descending).reshape(*x.shape[:dim], *x.shape[dim + 1:], k)
        return np.ascontiguousarray(np.moveaxis(found, -1, dim))
    places = _run_argsort(x, dim=dim, descending=descending)
    return places[(slice(None),) * dim + (slice(k),)].copy()


def _selected(rows: Any, k: int, largest: bool) -> Any:
    """The first ``k`` positions of a stable sort of each row, without sorting the rest."""
    n = rows.shape[1]
    edge = np.partition(rows, n - k if largest else k - 1, 1)[:, [n - k if largest else k - 1]]
    inside = rows > edge if largest else rows < edge
    equal = rows == edge
    wanted = k - np.count_nonzero(inside, 1, keepdims=True)
    if np.any(np.count_nonzero(equal, 1, keepdims=True) > wanted):  # of equals the first
        equal &= np.add.accumulate(equal, 1, np.int64) <= wanted
    inside |= equal
    places = np.nonzero(inside)[1].reshape(-1, k)
    order = _run_argsort(np.take_along_axis(rows, places, 1), dim=1, descending=largest)
    return np.take_along_axis(places, order, 1)


def _run_search(sequence: Any, values: Any, *, right: bool) -> Any:
    side: Any = "right" if right else "left"
    if sequence.ndim == 1:
        return np.asarray(np.searchsorted(sequence, values, side))
    out = np.empty(values.shape, np.int64)
    for row in np.ndindex(sequence.shape[:-1]):
        out[row] = np.searchsorted(sequence[row], values[row], side)
    return out


def _searchable(sequence: Any, values: Any, *, right: bool) -> None:
    if sequence.ndim != 1:
        _searched(Type.of(sequence), Type.of(np.asarray(values)), right=right)


def _enough(x: Any, *, k: int, dim: int, descending: bool) -> None:
    if not 0 <= k <= (x.shape[dim] if x.ndim else 1):
        _foremost(Type.of(x), k=k, dim=dim, descending=descending)


# --- public signatures -------------------------------------------------------------------------
def _argsort(F: Any, input: Any, dim: int = -1, descending: bool = False, *,
             stable: bool = False) -> Any:
    return F.argsort(input, dim=normalize_dim(dim, F.typeof(input).ndim), descending=descending)


def _searchsorted(F: Any, sorted_sequence: Any, input: Any, *, out_int32: bool = False,
                  right: bool = False, side: str | None = None, sorter: Any = None) -> Any:
    if side not in (None, "left", "right"):
        raise OpError(f"searchsorted: side is 'left' or 'right', got {side!r}")
    if side == "left" and right:
        raise OpError("searchsorted: side='left' and right=True say opposite things")
    if sorter is not None:
        t = F.typeof(sorted_sequence)
        have = F.typeof(sorter)
        if have.dtype is not I64 or have.shape != t.shape:
            raise OpError(f"searchsorted: the sorter is int64 of the shape of the sequence {t}, "
                          f"got {have}")
        sorted_sequence = F.gather(sorted_sequence, sorter, dim=t.ndim - 1)
    found = F.searchsorted(sorted_sequence, input, right=right or side == "right")
    return F.cast(found, dtype=I32) if out_int32 else found


_FAR = Example(((2,),), {"dim": 1, "descending": False})
_ORDERS = tuple(Example(((3, 5),), {"dim": d, "descending": r})
                for d in (0, 1) for r in (False, True)) + (
    Example((np.array([2.0, np.nan, 1.0, 2.0, -np.inf, np.nan, 1.0]),),
            {"dim": 0, "descending": True}),
    Example((np.array([2.0, np.nan, 1.0, 2.0, -np.inf, np.nan, 1.0]),),
            {"dim": 0, "descending": False}),
    Example(((2, 40),), {"dim": 1, "descending": False}),
    Example((((2, 40), "i32"),), {"dim": 1, "descending": True}),
    Example((((4, 6), "bool"),), {"dim": 0, "descending": True}),
    Example(((),), {"dim": 0, "descending": False}),
    Example(((0, 2),), {"dim": 0, "descending": False}))
argsort = Op("argsort", "The positions along dim in order; equal elements keep theirs.", _sorted,
             Sort(), forward=_run_argsort, public=_argsort, examples=_ORDERS, rejects=(_FAR,))
foremost = Op("foremost", "The first k positions along dim of a sort.", _foremost,
              Sort(first=True), forward=_run_foremost, precheck=_enough, spelling=None,
              onnx="TopK",
              examples=(Example(((3, 5),), {"k": 2, "dim": 1, "descending": True}),
                        Example(((600, 2),), {"k": 3, "dim": 0, "descending": False}),
                        Example((np.arange(900).reshape(2, 450) % 7,),
                                {"k": 20, "dim": 1, "descending": True}),
                        Example(((),), {"k": 1, "dim": 0, "descending": True}),
                        Example(((2, 3),), {"k": 0, "dim": 1, "descending": True})),
              rejects=(Example(((2, 3),), {"k": 4, "dim": 1, "descending": True}),))
_STEPS = np.array([1.0, 3.0, 3.0, 5.0])
_VALUES = np.array([[0.0, 3.0, 6.0], [np.nan, 1.0, 5.0]])
searchsorted = Op(
    "searchsorted", "Where values belong in a sorted sequence (along its last dim).", _searched,
    Search(), promote="same", forward=_run_search, precheck=_searchable, public=_searchsorted,
    spelling=Spelling(("eager",)),
    examples=(Example((_STEPS, _VALUES), {"right": False}),
              Example((_STEPS, _VALUES), {"right": True}),
              Example((np.array([[1, 2], [4, 5]]), np.array([[2, 2, 9], [0, 4, 5]])),
                      {"right": True})),
    rejects=(Example((_VALUES, _STEPS), {"right": False}),))

OPS = (argsort, foremost, searchsorted)


# --- composites --------------------------------------------------------------------------------
def _in_order(F: Any, input: Any, dim: int, descending: bool) -> values_indices:
    order = F.argsort(input, dim=dim, descending=descending)
    if not input.ndim:
        return values_indices(F.reshape(input, shape=()), order)
    return taken(F, input, order, dim)


def sort(F: Any, input: Any, dim: int = -1, descending: bool = False, *,
         stable: bool | None = False) -> values_indices:
    """The elements along ``dim`` in order, and their positions; NaN is larger than any number.

    Equal elements always keep their order, with ``stable`` or without.
    """
    return _in_order(F, input, normalize_dim(dim, input.ndim), descending)


def first_places(F: Any, x: Any, k: Any, dim: int, descending: bool) -> Any:
    """The first ``k`` positions along a dim of a sort; of many all are sorted."""
    size = x.shape[dim] if x.ndim else 1
    if type(k) is int and k > 256 and (type(size) is not int or k <= size):
        return region(F, F.argsort(x, dim=dim, descending=descending), dim, 0, k)
    return F.foremost(x, k=k, dim=dim, descending=descending)


def msort(F: Any, input: Any) -> Any:
    """The elements along the first dim in ascending order."""
    return _in_order(F, input, 0, False).values


def topk(F: Any, input: Any, k: int, dim: int = -1, largest: bool = True,
         sorted: bool = True) -> values_indices:
    """The ``k`` largest (or smallest) elements along ``dim``, and their positions.

    They always come sorted; of equal elements the first come first.
    """
    at = normalize_dim(dim, input.ndim)
    place = first_places(F, input, k, at, largest)
    if not input.ndim:
        return values_indices(F.reshape(input, shape=()), place)
    return taken(F, input, place, at)


def bucketize(F: Any, input: Any, boundaries: Any, *, out_int32: bool = False,
              right: bool = False) -> Any:
    """The index of the bucket between sorted 1-d ``boundaries`` that each value falls into.

    A value on a boundary belongs below it, or with ``right`` above.
    """
    if F.typeof(boundaries).ndim != 1:
        raise OpError(f"bucketize: the boundaries are 1-d, got {F.typeof(boundaries)}")
    return _searchsorted(F, boundaries, input, out_int32=out_int32, right=right)


def isin(F: Any, elements: Any, test_elements: Any, *, assume_unique: bool = False,
         invert: bool = False) -> Any:
    """Where an element is among ``test_elements``; either may be a number. NaN is nowhere."""
    sides = [F.full(shape=(), value=v, dtype=as_dtype(type(v)))
             if type(v) in (bool, int, float) else v for v in (elements, test_elements)]
    if not hasattr(elements, "dtype") and not hasattr(test_elements, "dtype"):
        raise OpError("isin: wanted a tensor on one side, got two numbers")
    common = promote(*(F.typeof(v).dtype for v in sides))
    x, test = (F.cast(v, dtype=common) for v in sides)
    size = F.typeof(test).numel
    test = F.reshape(test, shape=(size,))
    shape = F.typeof(x).shape
    if type(size) is int and size == 0:
        return F.full(shape=shape, value=invert, dtype=BOOL)
    test = _in_order(F, test, 0, False).values
    flat = F.reshape(x, shape=(math.prod(shape),))
    place = F.minimum(F.searchsorted(test, flat, right=False), size - 1)
    found = F.reshape(F.eq(F.pick(test, place, dim=0, squeeze=False), flat), shape=shape)
    return F.logical_not(found) if invert else found


FUNCTIONS = (Composite("sort", sort), Composite("msort", msort), Composite("topk", topk),
             Composite("bucketize", bucketize, Spelling(("eager",))),
             Composite("isin", isin, Spelling(("eager",))))
