"""Programs drawn at random: compiled they give what eager gives, at every size.

Each draws ops whose results meet again, so that fusion, views of what is fused, memory that is
shared, and state that is replaced are put together in ways that nobody thought of.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import eager
import jit
from eager.engine.tensor import Tensor
from jit.interpreter import interpret
from tests.replay import close

SEEDS = range(4)
ROWS = jit.Dim("B", min=2, max=64)

Step = Callable[[random.Random, list[Tensor]], Tensor]


def of_dims(values: list[Tensor], *ndims: int) -> list[Tensor]:
    return [v for v in values if v.ndim in ndims]


def same(a: Any, b: Any) -> bool:
    """Whether two sizes are written alike: a draw may not depend on the size of a call."""
    return repr(a) == repr(b)


def pointwise(r: random.Random, values: list[Tensor]) -> Tensor:
    x = r.choice(values)
    return r.choice([
        lambda: x.tanh(), lambda: x * 0.5 + 1.0, lambda: x.abs().sqrt(), lambda: (-x).sigmoid(),
        lambda: eager.where(x > 0.25, x, 1.0 - x), lambda: x.relu() - 0.3, lambda: x.clamp(-1, 1),
    ])()


def pair(r: random.Random, values: list[Tensor]) -> Tensor:
    x = r.choice(values)
    others = [y for y in values if y.ndim <= x.ndim and all(
        same(a, b) or same(b, 1) for a, b in zip(x.shape[x.ndim - y.ndim:], y.shape))]
    y = r.choice(others)
    return r.choice([lambda: x + y, lambda: x * y, lambda: x - y, lambda: eager.maximum(x, y),
                     lambda: x / (y.abs() + 1.0)])()


def reduced(r: random.Random, values: list[Tensor]) -> Tensor:
    x = r.choice(of_dims(values, 1, 2, 3) or values)
    if x.ndim == 0:
        return x.exp()
    dims = tuple(sorted(r.sample(range(x.ndim), r.randint(1, x.ndim))))
    keep = r.random() < 0.6
    return r.choice([lambda: x.sum(dims, keep) * 0.1, lambda: x.mean(dims, keep),
                     lambda: x.amax(dims, keep), lambda: x.softmax(dims[-1])])()


def moved(r: random.Random, values: list[Tensor]) -> Tensor:
    x = r.choice(of_dims(values, 2, 3))
    order = r.sample(range(x.ndim), x.ndim)
    dim = r.randrange(x.ndim)
    return r.choice([
        lambda: x.permute(*order), lambda: x.flip((dim,)), lambda: x.reshape(-1),
        lambda: x.unsqueeze(dim), lambda: x.flatten(0, 1), lambda: x[..., 1:],
        lambda: x[..., ::2], lambda: x.transpose(0, -1).flatten(1),
        lambda: eager.nn.functional.pad(x, (1, 2), value=0.5),
    ])()


def joined(r: random.Random, values: list[Tensor]) -> Tensor:
    x = r.choice(of_dims(values, 1, 2, 3))
    alike = [y for y in values if y.ndim == x.ndim and all(map(same, x.shape, y.shape))]
    y, dim = r.choice(alike), r.randrange(x.ndim)
    return r.choice([lambda: eager.cat([x, y], dim), lambda: eager.stack([x, y], dim)])()


def product(r: random.Random, values: list[Tensor]) -> Tensor:
    matrices = of_dims(values, 2, 3)
    x = r.choice(matrices)
    fits = [y for y in matrices if y.ndim == 2 and same(y.shape[0], x.shape[-1])]
    y = r.choice(fits) if fits else x.transpose(-2, -1)
    return r.choice([lambda: x @ y * 0.1, lambda: (x @ y).relu() * 0.1,
                     lambda: ((x @ y) * 0.1 + 0.5).tanh()])()


def branched(r: random.Random, values: list[Tensor]) -> Tensor:
    x, y, z = r.choice(values), r.choice(values), r.choice(values)
    a, b = pointwise(r, [x]), pointwise(r, [x])
    return jit.cond(y.mean() > 0.1, lambda: (a * 2).tanh() + z.mean(), lambda: b - x * 0.5)


def picked(r: random.Random, values: list[Tensor]) -> Tensor:
    x = r.choice(of_dims(values, 2, 3))
    dim = r.randrange(x.ndim)
    best = x.argmax(dim, keepdim=True)
    return r.choice([lambda: x.gather(dim, best), lambda: (best > 0).float() * x,
                     lambda: (x > 0).all(dim).float(), lambda: best.float() * 0.1,
                     lambda: eager.zeros_like(x).scatter_add(dim, best, x)])()


STEPS: tuple[Step, ...] = (pointwise, pointwise, pair, pair, reduced, reduced, moved, joined,
                           product, branched, picked)


def size(x: Tensor) -> int:
    """Elements where every dynamic size counts as 8."""
    total = 1
    for d in x.shape:
        total *= d if type(d) is int else 8 * max(1, len(str(d)) // 2)
    return total


def drawn(seed: int, state: Tensor) -> Callable[..., Any]:
    """A function of a matrix and a stack of matrices that also replaces ``state``."""
    def fn(x: Tensor, y: Tensor) -> list[Tensor]:
        r = random.Random(seed)
        values = [x, y, x[:, 0], y.sum(2) * 0.1, state]
        while len(values) < 30:
            try:
                made = r.choice(STEPS)(r, values)
            except (eager.TraceError, IndexError):
                continue
            if made.ndim <= 4 and size(made) <= 4000:
                values.append(made)
        state.copy_(state * 0.5 + values[r.randrange(5, 30)].mean() * 0.1)
        return [values[k] for k in sorted(r.sample(range(3, 30), 14))]
    return fn


def sized(n: int) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(n)
    return (Tensor(rng.normal(size=(n, 5)).astype(np.float32)),
            Tensor(rng.normal(size=(n, 4, 5)).astype(np.float32)))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("dynamic", [False, True])
def test_a_program_drawn_at_random(seed: int, dynamic: bool) -> None:
    live, beside = (Tensor(np.linspace(-1, 1, 5, dtype=np.float32)) for _ in range(2))
    dims = {"x": {0: ROWS}, "y": {0: ROWS}} if dynamic else None
    fn = drawn(seed, live)
    program = jit.trace(fn, sized(3), dynamic_shapes=dims)
    for n in (3, 2, 20) if dynamic else (3, 3):
        arguments = sized(n)
        if dynamic:
            given = [a.numpy() for a in arguments] + [t.numpy() for _, t in program.traced.state]
            want, updates = interpret(program.graph, given)
            got = program(*arguments)
            close(got, [Tensor(a) for a in want], 1e-4, 1e-5)
            close(live, Tensor(next(iter(updates.values()))), 1e-4, 1e-5)
        else:
            close(program(*arguments), drawn(seed, beside)(*arguments), 1e-4, 1e-5)
            close(live, beside, 1e-4, 1e-5)
