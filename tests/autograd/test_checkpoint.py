"""Checkpoints: the same gradients, computed again, from the same random numbers."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import pytest

import eager
import jit
from eager.autograd import Function, grad
from eager.autograd.checkpoint import checkpoint, checkpoint_sequential
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError


def leaf(*shape: int) -> Tensor:
    return Tensor(np.random.default_rng(0).uniform(0.5, 1.5, shape), requires_grad=True)


def test_the_function_runs_again_when_it_is_asked_for() -> None:
    runs, middle = [], []

    def part(x: Any) -> Any:
        runs.append(1)
        y = x.sin()
        middle.append(weakref.ref(y))
        return y * y

    x = leaf(4)
    z = checkpoint(part, x, use_reentrant=False)
    assert len(runs) == 1 and middle[0]() is None  # what was saved is gone
    z.sum().backward()
    assert len(runs) == 2 and x.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), np.sin(2 * x.detach().numpy()))


def test_random_numbers_are_drawn_again() -> None:
    x = leaf(50)

    def part(x: Any) -> Any:
        return eager.nn.functional.dropout(x * x, 0.5)

    found = []
    for run in (part, lambda x: checkpoint(part, x)):
        eager.manual_seed(5)
        y = run(x)
        after = eager.rand(3)
        (g,) = grad(y.sum(), x)
        found.append((y.detach().numpy(), g.numpy(), after.numpy(), eager.rand(3).numpy()))
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_other_random_numbers_are_noticed_by_their_effect() -> None:
    x = leaf(50)

    def part(x: Any) -> Any:
        return eager.nn.functional.dropout(x * x, 0.5)

    eager.manual_seed(5)
    y = checkpoint(part, x, preserve_rng_state=False)
    (g,) = grad(y.sum(), x)
    kept = y.detach().numpy() != 0
    assert ((g.numpy() != 0) != kept).any()


def test_a_function_that_does_not_do_the_same_twice() -> None:
    runs: list[int] = []

    def part(x: Any) -> Any:
        runs.append(1)
        return x * x if len(runs) == 1 else x.exp() * x.sin()

    y = checkpoint(part, leaf(3))
    with pytest.raises(OpError, match="does not do the same twice"):
        y.sum().backward()


def test_contexts_and_modes() -> None:
    entered: list[str] = []

    class Context:
        def __init__(self, name: str) -> None:
            self.name = name

        def __enter__(self) -> None:
            entered.append(self.name)

        def __exit__(self, *exc: object) -> None:
            pass

    x = leaf(3)
    y = checkpoint(lambda x: x * x, x, context_fn=lambda: (Context("one"), Context("two")))
    y.sum().backward()
    assert entered == ["one", "two"]
    with eager.no_grad():
        assert not checkpoint(lambda x: x * x, x).requires_grad
    with pytest.raises(OpError, match="determinism_check"):
        checkpoint(lambda x: x, x, determinism_check="sometimes")
    with pytest.raises(OpError, match="3 segments of 2"):
        checkpoint_sequential([abs, abs], 3, x)


def test_checkpoints_nest_and_hold_functions() -> None:
    class Cube(Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x * x * x

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * 3.0 * ctx.saved_tensors[0] ** 2

    x = leaf(5)

    def inner(a: Any) -> Any:
        return Cube.apply(a.sin())

    for nested in (lambda a: checkpoint(inner, a).exp(), lambda a: inner(a).exp()):
        (got,) = grad(checkpoint(nested, x).sum(), x)
        (want,) = grad(inner(x).exp().sum(), x)
        np.testing.assert_allclose(got.numpy(), want.numpy(), rtol=1e-12)


def test_a_checkpoint_is_traced() -> None:
    def run(x: Any) -> Any:
        own = x.clone().requires_grad_()
        y = checkpoint(lambda a: (a.sin() * a).exp(), own)
        return grad(y.sum(), own)[0]

    x = eager.rand(4)
    np.testing.assert_allclose(jit.trace(run, (x,))(x).numpy(), run(x).numpy(), rtol=1e-5)
