"""How a tensor prints: NumPy's layout under PyTorch's name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eager.engine.mode import MODE
from eager.ops.types import F32, I64

if TYPE_CHECKING:
    from eager.engine.tensor import Tensor


def show(t: Tensor) -> str:
    """``tensor([...], dtype=..., requires_grad=True)``."""
    if MODE.get().recorder is not None:
        return f"tensor(traced, {t.spec})"
    notes = []
    if t.dtype not in (F32, I64) and t.dtype.kind != "b":
        notes.append(f"dtype={t.dtype!r}")
    if t.grad_fn is not None:
        notes.append(f"grad_fn={t.grad_fn!r}")
    elif t.requires_grad:
        notes.append("requires_grad=True")
    if t._array.size == 0 and t.ndim != 1:
        notes.insert(0, f"size={tuple(t.shape)}")
    body = np.array2string(t._array, separator=", ", prefix="tensor(", precision=4,
                           threshold=1000, floatmode="maxprec")
    return "tensor(" + ", ".join([body, *notes]) + ")"
