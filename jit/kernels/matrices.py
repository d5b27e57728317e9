"""What kernels of whole matrices have in common: float64 inside, whatever the dtype.

Operands come with the strides of their rows and columns; the result lies row-major.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from eager.ops.types import F64, DType
from jit.kernels.steps import Kernel


@dataclass(frozen=True)
class Routine:
    """The kernel of a routine, and how many float64 of room it needs for [m, n] and [n, k]."""

    kernel: Kernel
    room: Callable[[Any, Any, Any], Any]


#: ``(dtype, attributes of the node) -> its routine``.
Maker = Callable[[DType, dict[str, Any]], Routine]


def load(text: str, dtype: DType) -> str:
    """An element of a dtype as float64."""
    return text if dtype is F64 else f"cast_{dtype.name}_f64({text})"


def store(text: str, dtype: DType) -> str:
    """A float64 as an element of a dtype."""
    return text if dtype is F64 else f"cast_f64_{dtype.name}({text})"


def matrix_kernel(body: str, dtype: DType, operands: int) -> Kernel:
    """The kernel that runs ``body`` on one matrix ``a``, or two, with room ``w``."""
    buffers = (dtype,) * (operands + 1) + (F64,)
    sizes = ("m", "n", "ar", "ac") + (("k", "br", "bc") if operands == 2 else ())
    names = ", ".join((*("a", "b")[:operands], "out", "w", *sizes))
    return Kernel("kernel", f"def kernel({names}, err, lo, hi):\n{body}", buffers, sizes,
                  reports=True)
