"""A model's programs beside eager and float64, at every size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import eager
from eager.engine.mode import mode_set
from eager.engine.tensor import Tensor
from jit import pytree
from jit.program import Program
from jit.tracer import Traced, trace_graph
from tests.models.cases import Built, Case, arguments, built, dynamic_shapes, sizes
from tests.replay import Replay

#: What an error may be: so many times eager's own, or this part of the largest magnitude.
TIMES, PART = 2.0, 1e-6


@dataclass(frozen=True)
class Deviation:
    """The largest distance from float64 at one size, in parts of an output's magnitude."""

    batch: int
    length: int
    ours: float
    eagers: float

    @property
    def right(self) -> bool:
        return self.ours <= max(TIMES * self.eagers, PART)


def traces(case: Case, live: Built) -> list[Traced]:
    """Each entry traced from a batch of one."""
    example = arguments(case, *sizes(case)[0])
    return [trace_graph(fn, tensors(args), dynamic_shapes=dims) for fn, args, dims in zip(
        live.entries.values(), example, dynamic_shapes(case), strict=True)]


def interpreted(traced: Traced) -> Callable[..., Any]:
    """The graph on the live state."""
    replay = Replay(traced)
    replay.state = {i.name: t._array for i, t in traced.state}
    return replay


def compiled(traced: Traced) -> Callable[..., Any]:
    program = Program(traced)

    def call(*args: Any) -> Any:
        with mode_set(grad=False):
            return program(*args)

    return call


def deviations(case: Case, live: Built, programs: Sequence[Callable[..., Any]],
               where: Sequence[tuple[int, int]]) -> Iterator[Deviation]:
    """How far the programs, which run on the state of ``live``, are from float64 at each size.

    The buffers after a call count as its outputs.  Raises AssertionError where the structure, a
    dtype, a shape or an integer differs from eager's.
    """
    peer, exact = built(case), built(case, double=True)
    for batch, length in where:
        ours = eagers = 0.0
        every = zip(programs, peer.entries.values(), exact.entries.values(),
                    arguments(case, batch, length, seed=1), strict=True)
        for program, fn, in_double, args in every:
            got = leaves(program(*tensors(args)), live)
            want = leaves(fn(*tensors(args)), peer)
            truth = leaves(in_double(*tensors(args, np.float64)), exact)
            assert got[1] == want[1], pytree.differences(want[1], got[1])
            for g, w, t in zip(got[0], want[0], truth[0], strict=True):
                assert g.dtype == w.dtype and g.shape == w.shape, (g.dtype, w.dtype, g.shape,
                                                                   w.shape)
                ours, eagers = max(ours, distance(g, t)), max(eagers, distance(w, t))
        yield Deviation(batch, length, ours, eagers)


def distance(a: np.ndarray[Any, Any], truth: np.ndarray[Any, Any]) -> float:
    """The largest difference as a part of the largest finite magnitude; of integers, 0 or inf."""
    finite = np.isfinite(truth)
    if a.dtype.kind != "f" or not np.array_equal(finite, np.isfinite(a)):
        return 0.0 if np.array_equal(a, truth) else np.inf
    if not finite.any():
        return 0.0
    size = np.abs(truth[finite]).max()
    return float(np.abs(a[finite] - truth[finite]).max() / (size or 1.0))


def tensors(args: Any, floats: Any = np.float32) -> Any:
    return pytree.map_leaves(args, lambda x: eager.tensor(
        x.astype(floats) if x.dtype.kind == "f" else x))


def leaves(out: Any, model: Built) -> Any:
    flat, spec = pytree.flatten((out, [b for _, b in model.model.named_buffers()]))
    return [np.array(x.detach().numpy() if isinstance(x, Tensor) else x) for x in flat], spec
