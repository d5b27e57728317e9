"""Every call that both libraries make, and every one that both refuse, by family."""

from __future__ import annotations

from tests.ops.cases import (
    activations,
    basics,
    complexes,
    fourier,
    indexing,
    linear_algebra,
    losses,
    pointwise,
    reductions,
    resampling,
    sequences,
    shapes,
    sorting,
    windows,
)
from tests.ops.cases.case import Case

_FAMILIES = (basics, activations, complexes, fourier, linear_algebra, losses, pointwise, reductions,
             sequences, sorting, shapes, indexing, windows,
             resampling)

CASES: tuple[Case, ...] = tuple(c for family in _FAMILIES for c in family.CASES)
#: Calls that torch refuses and so do we.
REJECTS: tuple[Case, ...] = tuple(c for family in _FAMILIES for c in family.REJECTS)
