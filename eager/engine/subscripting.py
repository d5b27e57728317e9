"""``x[index]`` and ``x[index] = value`` of tensors: the short ways, then the table's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from eager.engine.dispatch import apply
from eager.engine.inplace import touch, write
from eager.engine.mode import MODE
from eager.ops.table import FUNCTIONS, TABLE
from eager.ops.views import shared

if TYPE_CHECKING:
    from eager.engine.tensor import Tensor

_SELECT = TABLE["select"]
_SLICE = TABLE["slice"]
_KINDS: dict[type, str] = {bool: "b", int: "i", float: "f"}
_GET, _SET = FUNCTIONS["getitem"].body, FUNCTIONS["setitem"].body


def getitem(self: Tensor, index: Any) -> Tensor:
    """``self[index]`` by torch's rules: a view for ints, slices, None and ``...``, else a copy."""
    from eager.engine.tensor import TAPED

    if MODE.get().recorder is None:
        kind = type(index)
        if kind is int:
            shape = self._array.shape
            if shape and -shape[0] <= index < shape[0]:
                return apply(_SELECT, (self,), {
                    "dim": 0, "index": index + shape[0] if index < 0 else index})
        elif kind is slice:
            shape = self._array.shape
            if shape and (index.step is None or (type(index.step) is int and index.step > 0)):
                start, stop, step = index.indices(shape[0])
                rest = len(shape) - 1
                return apply(_SLICE, (self,), {
                    "starts": (start, *(0,) * rest),
                    "stops": (stop if stop > start else start, *shape[1:]),
                    "steps": (step, *(1,) * rest)})
        else:
            index = _known(index)
    result: Tensor = _GET(TAPED, self, index)
    return result


def _known(index: Any) -> Any:
    """An index whose tensors are arrays."""
    if type(index) is tuple:
        return tuple(map(_known, index))
    array = getattr(index, "_array", None)
    if array is not None or type(index) is not list:
        return index if array is None else array
    items = [_known(i) for i in index]
    return np.array(items) if items and all(type(i) is int for i in items) else items


def setitem(self: Tensor, index: Any, value: Any) -> None:
    """``self[index] = value``, broadcast and converted."""
    from eager.engine.tensor import TAPED

    mode = MODE.get()
    if mode.recorder is None:
        index = _known(index)
        if not (mode.grad and (self._needs or getattr(value, "_needs", False))) and _written(
                self, index, value):
            return
    write(self, lambda old: _SET(TAPED, old, index, value), "__setitem__")


def _written(self: Tensor, index: Any, value: Any) -> bool:
    """Whether NumPy could write it, for an index that means the same to it as to torch.

    Where not, the table's way has the words for what is wrong.
    """
    if not _means_the_same(index):
        return False
    new = getattr(value, "_array", value)
    have = self._array.dtype.kind
    if type(new) in _KINDS:
        kind = _KINDS[type(new)]
    elif isinstance(new, np.ndarray):
        kind = new.dtype.kind
    else:
        return False
    if kind != have and (kind == "c" or (have in "iu" and kind in "fV")):
        return False  # numbers that do not fit are refused
    if self._view is not None:
        self._view.refresh(self)
    try:
        self._array[index] = new
    except (IndexError, ValueError, TypeError, OverflowError):
        if not self._array.flags.writeable:
            raise shared("__setitem__") from None
        return False
    touch(self, "__setitem__")
    return True


def _means_the_same(index: Any) -> bool:
    """No bools, no negative steps, and no int beside an array (torch takes ints first)."""
    items = index if type(index) is tuple else (index,)
    ints = arrays = 0
    for item in items:
        kind = type(item)
        if kind is int:
            ints += 1
        elif kind is slice:
            if item.step is not None and not (type(item.step) is int and item.step > 0):
                return False
        elif kind is np.ndarray:
            if item.ndim == 0 or item.dtype.kind not in "bi" or (item.dtype.itemsize == 1 and (
                    item.dtype.kind == "i")):
                return False
            arrays += 1
        elif item is not None and item is not Ellipsis:
            return False
    return not (ints and arrays)
