"""Arguments against a program's ports: what was wanted, what came, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from eager.ops.errors import OpError
from eager.ops.types import dtype_named, dtype_of
from jit.layout import Layout, Port
from jit.sizes import Misfit, bind_dims, shape_words


def bind_arguments(layout: Layout, arrays: Sequence[Any]) -> dict[str, int]:
    """Check every argument and find the dims; OpError says which argument differs and how."""
    if len(arrays) != len(layout.inputs):
        raise Misfit(f"the program takes {len(layout.inputs)} arrays "
                      f"({', '.join(p.name for p in layout.inputs)}), got {len(arrays)}")
    for port, array in zip(layout.inputs, arrays, strict=True):
        _check_type(port, array)
    return bind_dims(layout.inputs, [a.shape for a in arrays], layout.dims, layout.relations)


def _check_type(port: Port, array: Any) -> None:
    wanted = f"{dtype_named(port.dtype).public} {shape_words(port.shape)}"
    if not isinstance(array, np.ndarray):
        raise Misfit(f"argument {port.name!r}: wanted a tensor or array {wanted}, got "
                      f"{type(array).__name__}")
    if array.dtype != dtype_named(port.dtype).numpy:
        raise Misfit(f"argument {port.name!r}: wanted {wanted}, got dtype "
                      f"{array.dtype}; convert it, for example with .to(eager."
                      f"{dtype_named(port.dtype).public})")
    if array.ndim != len(port.shape):
        raise Misfit(f"argument {port.name!r}: wanted {len(port.shape)} dims, {wanted}, got "
                      f"{array.ndim}: {list(array.shape)} of {dtype_of(array.dtype).public}")


def check_written(arrays: Sequence[np.ndarray[Any, Any]], written: Sequence[int],
                  names: Sequence[str]) -> None:
    """A written argument is written where it lies, and shares no memory with another, since the
    program reads both.
    """
    for k in written:
        if not arrays[k].flags.writeable or not arrays[k].flags.c_contiguous:
            raise OpError(f"argument {names[k]!r} is written by the program and must be contiguous "
                          f"and writable; pass {names[k]}.contiguous(), and use that afterwards")
        for j, other in enumerate(arrays):
            if j != k and np.may_share_memory(arrays[k], other):
                raise OpError(f"argument {names[k]!r} is written by the program and shares memory "
                              f"with {names[j]!r}; pass a copy of one of them")


_CODES = {
    1: "the native code has another ABI version than this package; recompile",
    2: "the arena is too small",
    3: "the CPU lacks the level that was asked for",
    4: "integer division by zero",
    6: "index {value} is out of range",
    8: "a matrix is singular or not positive definite",
    9: "a matrix holds NaN or an infinity, and has no singular values",
    7: "out of memory",
}


def word_error(layout: Layout, code: int, node: int, value: int) -> OpError:
    """The error of a call that native code ended."""
    words = _CODES.get(code, f"error {code}").format(value=value)
    if 0 <= node < len(layout.places):
        place = layout.places[node]
        where = f" (at {place.location})" if place.location else ""
        return OpError(f"{place.op}: {words}{where}")
    return OpError(words)
