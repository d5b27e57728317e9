"""The table: every op and every composite function, written out by family.

To add an op, define it in its family's module and name it in that module's ``OPS``.
"""

from __future__ import annotations

from eager.ops import (
    composites,
    contraction,
    control,
    creation,
    indexing,
    movement,
    pointwise,
    randoms,
    reductions,
    windows,
)
from eager.ops.composite import Composite
from eager.ops.op import Op

_FAMILIES = (pointwise, creation, movement, reductions, indexing, contraction, windows, randoms,
             control)

TABLE: dict[str, Op] = {op.name: op for family in _FAMILIES for op in family.OPS}
FUNCTIONS: dict[str, Composite] = {f.name: f for f in composites.FUNCTIONS}
