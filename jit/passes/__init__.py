"""Passes are functions ``Graph -> Graph``; the pipeline is a tuple of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from eager.ops.errors import GraphError
from jit.graph import Graph
from jit.passes.cse import eliminate_common
from jit.passes.dce import eliminate_dead
from jit.passes.decomposition import decompose
from jit.passes.folding import fold_constants
from jit.passes.prescaling import scale_inputs
from jit.passes.regions import Pass
from jit.passes.scaling import scale_weights
from jit.passes.simplification import simplify
from jit.passes.splitting import split_complex
from jit.passes.trimming import trim_regions
from jit.relations import assuming
from jit.verifier import verify

PIPELINE: tuple[Pass, ...] = (
    decompose, split_complex, fold_constants, simplify, eliminate_common, eliminate_dead,
    trim_regions, scale_inputs, scale_weights, fold_constants, simplify, eliminate_common,
    eliminate_dead,
)


@dataclass(frozen=True)
class Stage:
    """A graph on its way: what the pass ``name`` made of the one before (first: ``trace``)."""

    name: str
    graph: Graph


def stages(graph: Graph, passes: Sequence[Pass] = PIPELINE,
           check: Callable[[Graph], object] | None = None) -> Iterator[Stage]:
    """The graph, then what each pass makes of it.

    ``check`` sees each of them; the GraphError that it raises names the pass to blame.
    """
    yield _checked(Stage("trace", graph), check)
    for one in passes:
        with assuming(graph.relations):
            graph = one(graph)
        yield _checked(Stage(one.__name__, graph), check)


def _checked(stage: Stage, check: Callable[[Graph], object] | None) -> Stage:
    if check is not None:
        try:
            check(stage.graph)
        except GraphError as error:
            raise GraphError(f"after {stage.name}: {error}") from None
    return stage


def run(graph: Graph, passes: Sequence[Pass] = PIPELINE,
        check: Callable[[Graph], object] | None = verify) -> Graph:
    """The graph after all passes; ``check`` sees it before, and after each of them."""
    *_, last = stages(graph, passes, check)
    return last.graph


def prepare(graph: Graph, passes: Sequence[Pass] = PIPELINE) -> Graph:
    """The verified graph that is lowered.

    Where the environment has ``EAGER_JIT_VERIFY=1`` every stage is verified, not only the last.
    """
    between = os.environ.get("EAGER_JIT_VERIFY") == "1"
    return verify(run(graph, passes, verify if between else None))
