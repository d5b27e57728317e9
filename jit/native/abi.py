"""The C ABI of compiled programs (``c/ej.h``) for ctypes."""

from __future__ import annotations

import ctypes

ABI = 1


class Error(ctypes.Structure):
    """``ej_error``: code 0 is none; ``node`` counts the places of the layout."""

    _fields_ = (("code", ctypes.c_int64), ("node", ctypes.c_int64), ("value", ctypes.c_int64))


class Call(ctypes.Structure):
    """``ej_call``: everything one run needs."""

    _fields_ = (
        ("size", ctypes.c_uint32), ("abi", ctypes.c_uint32), ("weights", ctypes.c_void_p),
        ("state", ctypes.c_void_p), ("arena", ctypes.c_void_p), ("arena_bytes", ctypes.c_int64),
        ("inputs", ctypes.c_void_p), ("outputs", ctypes.c_void_p), ("dims", ctypes.c_void_p),
        ("out_dims", ctypes.c_void_p), ("pool", ctypes.c_void_p), ("error", ctypes.c_void_p),
        ("level", ctypes.c_int64))


def pointers(addresses: list[int]) -> ctypes.Array[ctypes.c_void_p]:
    """A C array of addresses."""
    return (ctypes.c_void_p * max(len(addresses), 1))(*addresses)
