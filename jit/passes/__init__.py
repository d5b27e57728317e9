"""Passes are functions ``Graph -> Graph``; the pipeline is a tuple of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jit.graph import Graph
from jit.passes.cse import eliminate_common
from jit.passes.dce import eliminate_dead
from jit.passes.decomposition import decompose
from jit.passes.folding import fold_constants
from jit.passes.regions import Pass
from jit.passes.scaling import scale_weights
from jit.passes.simplification import simplify
from jit.verifier import verify

PIPELINE: tuple[Pass, ...] = (
    decompose, fold_constants, simplify, eliminate_common, eliminate_dead,
    scale_weights, fold_constants, simplify, eliminate_common, eliminate_dead,
)


def run(graph: Graph, passes: Sequence[Pass] = PIPELINE,
        check: Callable[[Graph], object] | None = verify) -> Graph:
    """The graph after all passes; ``check`` sees it before, and after each of them."""
    if check is not None:
        check(graph)
    for one in passes:
        graph = one(graph)
        if check is not None:
            check(graph)
    return graph
