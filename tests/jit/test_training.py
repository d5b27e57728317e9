"""Whole training steps as one program: from the eager state, what the eager step does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eager
from eager.engine.streams import default_generator
from jit.lowering import lower
from jit.passes import PIPELINE, prepare
from jit.tracer import Traced, trace_graph
from tests.replay import Compiled, Replay
from tests.trainings import TRAININGS, Training

NAMES = sorted(TRAININGS)


def made(name: str, dtype: Any = eager.float32, **settings: Any) -> Training:
    eager.manual_seed(7)
    return TRAININGS[name](dtype, **settings)


def take(replay: Any, traced: Traced) -> None:
    """Let the traced step start from what the eager one has now."""
    for i, t in traced.state:
        replay.state[i.name][...] = t._array


def start(exact: Training, mine: Training) -> None:
    """Let the step in float64 start there too."""
    for there, here in zip(exact.state(), mine.state(), strict=True):
        there._array[...] = here._array


def errors(traced: Traced, found: Any, loss: Any, mine: Training, wanted: list[Any]) -> list[Any]:
    """Of the loss and of each tensor: the error of the eager step, of the traced one, and 1e-6 of
    the largest number, all against float64 (`wanted`: the loss, then the state).

    Errors are root mean squares: Adam turns a gradient near 0 into a step of any sign, so a
    single element is decided by chance.
    """
    own = [loss.detach()._array, *(t._array for t in mine.state())]
    name_of = {id(t): i.name for i, t in traced.state}
    theirs = [found[0], *(found[1].get(name_of.get(id(t)), t._array) for t in mine.state())]
    return [(np.sqrt(np.mean((a - w) ** 2)), np.sqrt(np.mean((b - w) ** 2)),
             1e-6 * np.abs(w).max()) for a, b, w in zip(own, theirs, wanted, strict=True)
            if np.asarray(w).dtype.kind == "f"]


def worst_step(name: str, run: Any, steps: int, **settings: Any) -> float:
    """Of steps that are each taken from the eager state: the largest error against float64, over
    what is allowed, twice eager's own error or 1e-6 of the largest number.
    """
    worst = 0.0
    mine, exact = made(name, **settings), made(name, eager.float64, **settings)
    eager.manual_seed(11)
    traced = trace_graph(mine.step, mine.batch(0))
    replay = run(traced)
    for k in range(steps):
        take(replay, traced)
        start(exact, mine)
        stream = default_generator.state._array.copy()
        found = replay(*mine.batch(k))
        loss = mine.step(*mine.batch(k))
        after = default_generator.state._array.copy()
        np.testing.assert_array_equal(replay.state.get("random stream", after), after)
        default_generator.state._array[...] = stream
        ideal = exact.step(*(x.to(eager.float64) if x.dtype is eager.float32 else x
                             for x in mine.batch(k)))
        np.testing.assert_array_equal(default_generator.state._array, after)
        wanted = [ideal.detach()._array, *(t._array for t in exact.state())]
        for own, other, least in errors(traced, (found, replay.state), loss, mine, wanted):
            worst = max(worst, other / (max(2 * own, least) or np.inf))
    return worst


def follow(name: str, run: Any, dtype: Any, steps: int, **settings: Any) -> tuple[Any, Any, Any]:
    """Losses of both, and the largest difference of a parameter, after steps from one start."""
    mine = made(name, dtype, **settings)
    eager.manual_seed(11)
    traced = trace_graph(mine.step, mine.batch(0))
    replay = run(traced)
    losses = [(float(replay(*mine.batch(k))), mine.step(*mine.batch(k)).item())
              for k in range(steps)]
    found, wanted = np.transpose(losses)
    gap = max(np.abs(replay.state[i.name] - t._array).max()
              for i, t in traced.state if i.role == "parameter")
    return found, wanted, gap


@pytest.mark.parametrize("name", NAMES)
def test_each_step_from_the_eager_state(name: str) -> None:
    assert worst_step(name, Replay, 3, batch=4) <= 1


@pytest.mark.parametrize("name", NAMES)
def test_float64_stays_within_1e_8(name: str) -> None:
    found, wanted, gap = follow(name, Replay, eager.float64, 5, batch=4)
    np.testing.assert_allclose(found, wanted, atol=1e-10)
    assert gap < 1e-8


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_hundred_compiled_steps(name: str) -> None:
    assert worst_step(name, Compiled, 20) <= 1
    found, wanted, _ = follow(name, Compiled, eager.float32, 100)
    assert wanted[-1] < wanted[0] and np.abs(found - wanted).max() < 1e-5
    found, wanted, gap = follow(name, Compiled, eager.float64, 100)
    assert np.abs(found - wanted).max() < 1e-8 and gap < 1e-8


def test_a_graph_is_lowered_the_same_way_each_time() -> None:
    """Code is cached under its text: the order of a set would make it anew in every process."""
    mine = made("transformer", batch=2)
    graphs = [prepare(trace_graph(mine.step, mine.batch(0)).graph, PIPELINE) for _ in range(2)]
    first, second = ((m.driver, [k.source for k in m.kernels]) for m in map(lower, graphs))
    assert first == second
