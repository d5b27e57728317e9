"""What `jit.bisect` found, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from eager.ops.types import Type

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Verdict:
    """The first op that gives something else, and who is to blame; false if nobody is.

    ``stage`` is ``trace``, the name of a pass or the name of a kernel.  ``inputs``, ``wanted``
    and ``got`` are statistics of arrays; ``runs`` counts how often something was run.
    """

    stage: str = ""
    op: str = ""
    place: str = ""
    why: str = ""
    inputs: tuple[str, ...] = ()
    wanted: str = ""
    got: str = ""
    runs: int = 0

    def __bool__(self) -> bool:
        return bool(self.stage)

    def __str__(self) -> str:
        if not self:
            return f"no divergence in {self.runs} runs"
        lines = [f"{self.stage}: {self.op}" + (f" at {self.place}" if self.place else "")
                 + f" is the first that differs ({self.runs} runs)"]
        lines += [f"  {self.why}"] if self.why else []
        lines += [f"  input {k}: {words}" for k, words in enumerate(self.inputs)]
        lines += [f"  {name}: {words}" for name, words in (("wanted", self.wanted),
                                                           ("got", self.got)) if words]
        return "\n".join(lines)


def statistics(x: Any) -> str:
    """Type, range and mean of an array, and how many of its numbers are none."""
    if isinstance(x, tuple):
        return ", ".join(map(statistics, x))
    words = str(Type.of(x))
    if x.dtype.kind not in "fiu" or not x.size:
        return words
    finite = x[np.isfinite(x)]
    if finite.size:
        words += f", {finite.min():.6g} to {finite.max():.6g}, mean {finite.mean():.6g}"
    odd = x.size - finite.size
    return words + (f", {odd} not finite" if odd else "")


def furthest(wanted: Array, got: Array) -> str:
    """Where two arrays are furthest apart."""
    if wanted.shape != got.shape or wanted.dtype != got.dtype or not wanted.size:
        return "the type is another"
    with np.errstate(all="ignore"):
        gap = np.abs(wanted.astype(np.float64) - got.astype(np.float64))
    gap[np.isnan(gap)] = np.inf
    gap[(wanted == got) | (np.isnan(wanted) & np.isnan(got) if wanted.dtype.kind == "f" else False)
        ] = 0
    at = tuple(map(int, np.unravel_index(gap.argmax(), gap.shape)))
    return f"at {list(at)} wanted {wanted[at]:.6g}, got {got[at]:.6g}"
