"""The table: every op and every composite function, written out by family.

To add an op, define it in its family's module and name it in that module's ``OPS``.
"""

from __future__ import annotations

from eager.ops import (
    complexes,
    composites,
    contraction,
    control,
    convolution,
    creation,
    factorizations,
    fourier,
    indexing,
    moments,
    movement,
    picking,
    pointwise,
    randoms,
    reductions,
    scans,
    sorting,
    views,
    windows,
)
from eager.ops.composite import Composite
from eager.ops.op import Op

_FAMILIES = (pointwise, creation, movement, views, reductions, moments, picking, scans, sorting,
             indexing, contraction, convolution, windows, randoms, complexes, factorizations,
             fourier, control)

TABLE: dict[str, Op] = {op.name: op for family in _FAMILIES for op in family.OPS}
FUNCTIONS: dict[str, Composite] = {f.key: f for f in composites.FUNCTIONS}
