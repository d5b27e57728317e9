"""Every composite function, by family."""

from __future__ import annotations

from eager.ops import activations, layers, losses, shapes, statistics, subscripts
from eager.ops.composite import Composite

FUNCTIONS: tuple[Composite, ...] = (
    *shapes.FUNCTIONS, *subscripts.FUNCTIONS, *statistics.FUNCTIONS, *activations.FUNCTIONS,
    *layers.FUNCTIONS, *losses.FUNCTIONS)
