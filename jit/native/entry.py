"""The native entry: a Python function made of ``c/entry.c`` and a descriptor.

Where this Python or NumPy lays its objects out differently than the entry expects, or the
variable EAGER_JIT_ENTRY says ``ctypes``, there is none and the caller goes its own way.
"""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jit.native import loader

MOST_PORTS, MOST_DIMS = 64, 8
_PORT = 2 + MOST_DIMS
#: Offsets into the descriptor, in 64-bit words; the order of ``Descriptor`` in ``c/entry.c``.
(RUN, WEIGHTS, STATE, ARENA, ARENA_BYTES, FALLBACK, FAILED, BUSY, EPOCH, SEEN, RELEASE_FROM, POOL,
 LEVEL, INPUTS, OUTPUTS, NDIMS) = range(16)
LOW = 16
HIGH = LOW + MOST_DIMS
ROOMY = HIGH + MOST_DIMS
PORTS = ROOMY + MOST_DIMS

_METH_FASTCALL = 0x80
_EMPTY = 184  #: PyArray_Empty in NumPy's C API table


class _Method(ctypes.Structure):
    _fields_ = (("name", ctypes.c_char_p), ("meth", ctypes.c_void_p), ("flags", ctypes.c_int),
                ("doc", ctypes.c_char_p))


@dataclass(frozen=True)
class EntryPort:
    """A dtype and a shape whose dims are sizes, or ``-1 - k`` for dim ``k``."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Entry:
    """The function, and the descriptor that it looks at on every call."""

    call: Callable[..., Any]
    descriptor: np.ndarray[Any, Any]
    keep: tuple[Any, ...]  #: what the descriptor points to


def make_entry(run: int, inputs: Sequence[EntryPort], outputs: Sequence[EntryPort],
               ranges: Sequence[tuple[int, int]], epoch: int, pool: int, level: int,
               fallback: Callable[..., Any], failed: Callable[[int, int, int], Any]
               ) -> Entry | None:
    """A native function over arrays, or None where there can be none.

    Weights, state, arena and ``roomy`` are set in the descriptor before the first call is
    served; until then everything goes to ``fallback``, and so does what the ports do not say.
    ``failed(code, node, value)`` raises for a run that reported an error.
    """
    ports = [*inputs, *outputs]
    if (not available() or not outputs or len(inputs) > MOST_PORTS or len(outputs) > MOST_PORTS
            or len(ranges) > MOST_DIMS or any(len(p.shape) > MOST_DIMS for p in ports)):
        return None
    d = np.zeros(PORTS + _PORT * len(ports), np.int64)
    d[RUN], d[FALLBACK], d[FAILED] = run, id(fallback), id(failed)
    d[EPOCH], d[SEEN] = epoch, -1
    d[POOL], d[LEVEL] = pool, level
    d[INPUTS], d[OUTPUTS], d[NDIMS] = len(inputs), len(outputs), len(ranges)
    d[RELEASE_FROM] = np.iinfo(np.int64).max
    for k, (low, high) in enumerate(ranges):
        d[LOW + k], d[HIGH + k], d[ROOMY + k] = low, high, -1
    for k, port in enumerate(ports):
        at = PORTS + _PORT * k
        d[at], d[at + 1] = id(port.dtype), len(port.shape)
        d[at + 2:at + 2 + len(port.shape)] = port.shape
    method = _Method(b"program", loader.address(loader.runtime(), "ej_entry"), _METH_FASTCALL, None)
    new = ctypes.pythonapi.PyCFunction_NewEx
    new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.py_object,
                                                   ctypes.c_void_p]
    call = new(ctypes.addressof(method), d, None)
    return Entry(call, d, (method, fallback, failed, ports))


@functools.cache
def available() -> bool:
    """Whether the native entry can be used in this process."""
    if os.environ.get("EAGER_JIT_ENTRY") == "ctypes":
        return False
    if platform.machine() != "x86_64" or sys.implementation.name != "cpython":
        return False
    if getattr(sys, "_is_gil_enabled", lambda: True)() is False or not _layout_is_known():
        return False
    slots = (ctypes.c_void_p * 2).from_address(loader.address(loader.runtime(), "ej_entry_slots"))
    slots[0], slots[1] = id(np.ndarray), _numpy_api(_EMPTY)
    return True


def _layout_is_known() -> bool:
    """NumPy's array object, and an int64 array's data pointer, against a known array."""
    a = np.zeros((3, 5), np.float32)
    words = (ctypes.c_int64 * 9).from_address(id(a))
    return bool(
        words[1] == id(np.ndarray) and words[2] == a.ctypes.data
        and words[3] & 0xFFFFFFFF == 2
        and tuple((ctypes.c_int64 * 2).from_address(words[4])) == (3, 5)
        and words[7] == id(a.dtype) and words[8] & 0x501 == 0x501)


def _numpy_api(index: int) -> int:
    from numpy._core import _multiarray_umath  # type: ignore[attr-defined]

    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    table = ctypes.cast(get(_multiarray_umath._ARRAY_API, None), ctypes.POINTER(ctypes.c_void_p))
    return int(table[index])
