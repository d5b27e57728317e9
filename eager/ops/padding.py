"""Borders round the last dims: of a value, or of what lies inside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eager.ops.composite import Composite
from eager.ops.errors import OpError
from eager.ops.op import Spelling
from eager.ops.types import I64

MODES = ("constant", "reflect", "replicate", "circular")


def pad(F: Any, input: Any, pad: Sequence[int], mode: str = "constant",
        value: float | None = None) -> Any:
    """A border round the last dims; ``pad`` gives pairs (before, after) from the last dim on.

    ``constant``: of ``value``, 0 if None; negative numbers crop.  ``reflect`` mirrors at the outer
    elements, ``replicate`` repeats them, ``circular`` goes on at the other end.
    """
    t = F.typeof(input)
    if mode not in MODES:
        raise OpError(f"pad: mode is one of {', '.join(MODES)}, got {mode!r}")
    if len(pad) % 2 or len(pad) // 2 > t.ndim:
        raise OpError(f"pad: wants a pair of numbers for at most {t.ndim} dims, got {tuple(pad)}")
    if mode == "constant":
        low, high = [0] * t.ndim, [0] * t.ndim
        for k in range(len(pad) // 2):
            low[t.ndim - 1 - k], high[t.ndim - 1 - k] = pad[2 * k], pad[2 * k + 1]
        fill = 0 if value is None else value
        return F.pad(input, low=tuple(low), high=tuple(high),
                     value=fill if t.dtype.kind in "bi" else float(fill))
    if value:
        raise OpError(f"pad: mode={mode!r} takes no value, got {value}")
    if t.ndim not in (len(pad) // 2 + 1, len(pad) // 2 + 2):
        raise OpError(f"pad: mode={mode!r} with {len(pad)} numbers wants "
                      f"{len(pad) // 2 + 1} or {len(pad) // 2 + 2} dims, got {t}")
    for k in range(len(pad) // 2):
        input = _bordered(F, input, t.ndim - 1 - k, pad[2 * k], pad[2 * k + 1], mode)
    return input


def _bordered(F: Any, x: Any, dim: int, before: int, after: int, mode: str) -> Any:
    """One dim padded, as a selection of its own elements."""
    size = F.typeof(x).shape[dim]
    if before == 0 and after == 0:
        return x
    if type(size) is int:
        most = {"reflect": size - 1, "circular": size}.get(mode)
        if most is not None and max(before, after) > most:
            raise OpError(f"pad: mode={mode!r} takes at most {most} elements of dim {dim} of "
                          f"{F.typeof(x)}, got {before} and {after}")
        if size + before + after < 0 or (size == 0 and before + after > 0):
            raise OpError(f"pad: {before} and {after} leave nothing of dim {dim} of {F.typeof(x)}")
    at = F.iota(start=-before, step=1, size=size + before + after, dtype=I64)
    if mode == "replicate":
        at = F.minimum(F.maximum(at, 0), size - 1)
    elif mode == "circular":
        at = F.remainder(at, size)
    else:  # mirrored at 0 and at the last element
        at = F.abs(at)
        at = F.sub(size - 1, F.abs(F.sub(at, size - 1)))
    return F.index_select(x, at, dim=dim)


FUNCTIONS = (Composite("pad", pad, Spelling(("nn.functional",))),)
