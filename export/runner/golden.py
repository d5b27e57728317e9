"""The example inside an artifact: what was put in when it was exported, and what came out."""

from __future__ import annotations

from .errors import ArtifactError
from .tensors import Array

#: How far a float may be off, of the largest magnitude in its output, by the bits of its dtype.
#: Another CPU sums in another order; what is compared went through a whole model.
TOLERANCE = {"f32": 1e-4, "f64": 1e-8, "c64": 1e-4, "c128": 1e-8}


def compare(name: str, found: Array, wanted: Array) -> float:
    """The largest difference of two arrays; ArtifactError where it is more than rounding.

    Integers and booleans are equal or wrong, and so are NaN and infinity.
    """
    if (found.dtype, found.shape) != (wanted.dtype, wanted.shape):
        raise ArtifactError(f"output {name!r} of the example: wanted {wanted!r}, got {found!r}")
    if bytes(found.memory) == bytes(wanted.memory):
        return 0.0
    pairs = list(zip(found.numbers(), wanted.numbers(), strict=True))
    tolerance = TOLERANCE.get(found.dtype)
    scale = max((abs(w) for _, w in pairs if _is_finite(w)), default=0.0)
    worst = 0.0
    for k, (f, w) in enumerate(pairs):
        if f == w or (f != f and w != w):
            continue
        gap = abs(f - w) if _is_finite(f) and _is_finite(w) else float("inf")
        if tolerance is None or gap > tolerance * scale:
            raise ArtifactError(f"output {name!r} of the example: element {k} is {f}, and was {w} "
                                f"when it was exported (the largest magnitude is {scale:.3g})")
        worst = max(worst, gap)
    return worst


def _is_finite(x: float) -> bool:
    return abs(x) < float("inf")  # false for NaN
