"""The arena: what is alive at the same time never overlaps, at any size; what is not, may."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import eager
import jit
from eager.engine.tensor import Tensor
from eager.ops.types import F32, F64, U8
from jit.kernels.index import Index, Var
from jit.kernels.steps import (
    Action,
    Branch,
    Loop,
    Memory,
    Pointer,
    Repeat,
    Scratch,
    Step,
    bytes_of,
)
from jit.layout import evaluate_size
from jit.passes.planning import ALIGNMENT, Plan, plan

BATCH, LENGTH = Index.of(Var("B")), Index.of(Var("T"))


def room(name: str, elements: Any, dtype: Any = F32) -> Scratch:
    return Scratch(name, dtype, Index.of(elements))


def step(*memories: Memory) -> Step:
    """A step that touches memories; it writes the last."""
    return Step("f", tuple(Pointer(m, F32) for m in memories), memories[-1:])


def spans(found: Plan, dims: dict[str, int]) -> dict[Memory, tuple[int, int]]:
    """First byte and end of every buffer."""
    starts = [0]
    for unit, length in zip(found.units, found.lengths, strict=True):
        starts.append(starts[-1] + unit.evaluate(dims) * length)
    assert starts[-1] == found.size.evaluate(dims)
    made = {}
    for memory, r in found.rooms.items():
        at = starts[r.region] + r.coefficient * found.units[r.region].evaluate(dims)
        made[memory] = (at, at + bytes_of(memory).evaluate(dims))
    return made


def overlap(a: tuple[int, int], b: tuple[int, int]) -> bool:
    return max(a[0], b[0]) < min(a[1], b[1])


# --- the plan alone ----------------------------------------------------------------------------
def test_a_chain_needs_two_buffers() -> None:
    chain = [room(f"t{k}", 100) for k in range(10)]
    actions = [step(*pair) for pair in itertools.pairwise(chain)]
    found = plan(actions, chain)
    assert found.size.constant == 2 * 448  # 400 bytes, in whole cache lines
    for a, b in itertools.pairwise(chain):
        assert not overlap(spans(found, {})[a], spans(found, {})[b])


def test_only_what_is_wanted_gets_room() -> None:
    a, b = room("a", 4), room("b", 4)
    found = plan([step(a, b)], [b])
    assert set(found.rooms) == {b} and plan([], []).size.constant == 0


def test_every_buffer_starts_at_a_cache_line() -> None:
    rooms = [room("a", 3), room("b", BATCH * 3), room("c", BATCH, U8), room("d", BATCH + 1, F64)]
    found = plan([step(*rooms)], rooms)
    for batch in (0, 1, 5, 17):
        for start, _ in spans(found, {"B": batch}).values():
            assert start % ALIGNMENT == 0


@pytest.mark.parametrize("repeat", [False, True])
def test_what_outlives_a_round_has_its_room_for_all_rounds(repeat: bool) -> None:
    carry, a, b, c, read, flag = (room(n, 64) for n in ("carry", "a", "b", "c", "read", "flag"))
    body = (step(carry, a), step(a, b), step(b, read, c), step(c, carry))
    t = Var("t0", Index.of(4))
    loop = Repeat(t, True, (step(carry, flag),), Pointer(flag, U8), body) if repeat else Loop(
        t, body)
    rooms = [carry, a, b, c, read, *[flag] * repeat]
    found = spans(plan([step(read), step(carry), loop, step(carry)], rooms), {})
    for lasting in (carry, read):
        assert not any(overlap(found[lasting], found[m]) for m in rooms if m is not lasting)
    assert overlap(found[a], found[c]) and not overlap(found[a], found[b])


def test_what_a_round_leaves_to_the_next_keeps_its_room() -> None:
    left, a = room("left", 64), room("a", 64)
    found = spans(plan([Loop(Var("t0", Index.of(4)), (step(left, a), step(left)))], [left, a]), {})
    assert not overlap(found[left], found[a])


def test_a_predicate_lives_until_it_is_read_and_arms_may_share() -> None:
    predicate, a, b, after = (room(n, 64) for n in ("predicate", "a", "b", "after"))
    branch = Branch(Pointer(predicate, U8), ((step(a),), (step(b),)))
    found = spans(plan([step(predicate), step(after), branch, step(after)],
                       [predicate, a, b, after]), {})
    assert not overlap(found[predicate], found[after])
    assert not overlap(found[a], found[after]) and not overlap(found[b], found[after])
    assert overlap(found[a], found[b])


def touched(actions: list[Action]) -> Iterator[set[Memory]]:
    for action in actions:
        assert isinstance(action, Step)
        yield set(action.memories)


@pytest.mark.parametrize("seed", range(40))
def test_no_two_live_buffers_overlap(seed: int) -> None:
    r = random.Random(seed)
    sizes = (7, 100, BATCH, BATCH * 12, BATCH * LENGTH, BATCH * 5 + 3, BATCH * BATCH, LENGTH)
    rooms = [room(f"t{k}", r.choice(sizes), r.choice((F32, F64, U8))) for k in range(25)]
    actions: list[Action] = [step(*r.sample(rooms, r.randint(1, 4))) for _ in range(40)]
    found = plan(actions, rooms)
    lives: dict[Memory, list[int]] = {}
    for k, memories in enumerate(touched(actions)):
        for m in memories:
            lives.setdefault(m, []).append(k)
    for dims in ({"B": 1, "T": 1}, {"B": 3, "T": 50}, {"B": 64, "T": 2}, {"B": 0, "T": 9}):
        placed = spans(found, dims)
        for a in lives:
            for b in lives:
                if a is not b and lives[a][0] <= lives[b][-1] and lives[b][0] <= lives[a][-1]:
                    assert not overlap(placed[a], placed[b]), (a, b, dims)


# --- whole programs ----------------------------------------------------------------------------
def test_a_deep_network_needs_little_memory() -> None:
    weight = eager.randn(64, 64) * 0.1

    def deep(x: Tensor) -> Tensor:
        for _ in range(20):
            x = (x @ weight).tanh()
        return x

    program = jit.trace(deep, (eager.randn(8, 64),),
                        dynamic_shapes={"x": {0: jit.Dim("batch", max=64)}})
    assert evaluate_size(program.layout.arena, {"batch": 64}) <= 3 * 64 * 64 * 4
    assert evaluate_size(program.layout.arena, {"batch": 0}) == 0


def test_dirty_memory_changes_nothing() -> None:
    """A program reads nothing of its arena that it has not written in this call."""
    weight, image = eager.randn(7, 30), eager.randn(5, 3, 3, 3)

    def fn(x: Tensor) -> Tensor:
        y = eager.nn.functional.conv2d(x, image, padding=1).relu()
        y = eager.nn.functional.max_pool2d(y, 2, 2, 1).flatten(1).tanh()
        z = (y[:, :7] @ weight).softmax(1)
        return eager.cat([z[:, ::2], y @ y.T @ y, z.sum(0, True).expand(z.shape[0], -1)], 1)

    program = jit.trace(fn, (eager.randn(2, 3, 9, 9),),
                        dynamic_shapes={"x": {0: jit.Dim("n", max=40)}})
    x = eager.randn(33, 3, 9, 9)
    want = program(x).numpy().copy()
    for dirt in (0xFF, 0x7F, 0x01):
        program._binding._arena[...] = dirt
        np.testing.assert_array_equal(program(x).numpy(), want)
