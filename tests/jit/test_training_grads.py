"""What a program does to ``.grad``: what the traced function does, call after call."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import eager
import jit
from eager import nn, optim
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError
from jit.grads import LostGradient
from jit.interpreter import interpret
from jit.tracer import trace_graph
from tests.replay import Replay, close

X = eager.tensor(np.linspace(-1, 1, 12).reshape(4, 3))


class Interpreted:
    """A program of the interpreter's, over the live tensors."""

    def __init__(self, fn: Callable[[Tensor], Any]) -> None:
        self.traced = trace_graph(fn, (X,))
        self.live = {i.name: t for i, t in self.traced.state}

    def __call__(self, x: Tensor) -> Any:
        self.traced.grads.enter()
        outs, updates = interpret(self.traced.graph, {
            "x": x._array, **{n: t._array for n, t in self.live.items()}})
        for name, array in updates.items():
            self.live[name]._array[...] = array
        self.traced.grads.leave()
        return outs[0]


class Pair:
    """One linear model twice, from the same start."""

    def __init__(self, fn: Callable[[nn.Module, optim.Optimizer, Tensor], Any]) -> None:
        eager.manual_seed(0)
        self.models = [nn.Linear(3, 2, dtype=eager.float64) for _ in range(2)]
        self.models[1].load_state_dict(self.models[0].state_dict())
        self.calls = [partial(fn, m, optim.SGD(m.parameters(), lr=0.1, momentum=0.5))
                      for m in self.models]

    def assert_equal(self) -> None:
        """Parameters and gradients that can be read."""
        for a, b in zip(*(m.parameters() for m in self.models), strict=True):
            close(b.detach(), a.detach(), 1e-12, 1e-14)
            assert (a.grad is None) is (b.grad is None)
            if a.grad is not None and type(b.grad) is not LostGradient:
                close(b.grad, a.grad, 1e-12, 1e-14)


def backward(model: nn.Module, x: Tensor) -> Tensor:
    loss = model(x).square().mean()
    loss.backward()
    return loss


def accumulating(model: nn.Module, optimizer: optim.Optimizer, x: Tensor) -> Tensor:
    return backward(model, x)


def never_cleared(model: nn.Module, optimizer: optim.Optimizer, x: Tensor) -> Tensor:
    loss = backward(model, x)
    optimizer.step()
    return loss


def cleared_last(model: nn.Module, optimizer: optim.Optimizer, x: Tensor) -> Tensor:
    loss = never_cleared(model, optimizer, x)
    optimizer.zero_grad()
    return loss


def zeroed_first(model: nn.Module, optimizer: optim.Optimizer, x: Tensor) -> Tensor:
    optimizer.zero_grad(set_to_none=False)
    return never_cleared(model, optimizer, x)


def cleared_first(model: nn.Module, optimizer: optim.Optimizer, x: Tensor) -> Tensor:
    optimizer.zero_grad()
    return never_cleared(model, optimizer, x)


FORMS = [accumulating, never_cleared, cleared_last, zeroed_first, cleared_first]


@pytest.mark.parametrize("warm", [False, True], ids=["no gradients", "gradients there"])
@pytest.mark.parametrize("fn", FORMS)
def test_gradients_from_call_to_call(fn: Any, warm: bool) -> None:
    pair = Pair(fn)
    if warm:
        for model in pair.models:
            backward(model, X)
    program = Interpreted(pair.calls[1])
    for k in range(3):
        close(program(X + k), pair.calls[0](X + k).detach(), 1e-12, 1e-14)
        pair.assert_equal()


def test_microbatches_then_an_eager_step() -> None:
    pair = Pair(accumulating)
    program = jit.trace(pair.calls[1], (X,))
    steps = [optim.Adam(m.parameters(), lr=0.1) for m in pair.models]
    for _ in range(2):
        for k in range(3):
            pair.calls[0](X + k)
            program(X + k)
        for optimizer in steps:
            optimizer.step()
            optimizer.zero_grad()
        pair.assert_equal()


def test_a_gradient_set_between_calls_is_added_to() -> None:
    pair = Pair(accumulating)
    program = Interpreted(pair.calls[1])
    for k in range(2):
        for model, call in zip(pair.models, (pair.calls[0], program), strict=True):
            model.weight.grad = eager.full((2, 3), float(k), dtype=eager.float64)
            call(X)
        pair.assert_equal()


def test_no_gradient_where_there_was_none() -> None:
    pair = Pair(cleared_last)
    program = Interpreted(pair.calls[1])
    backward(pair.models[1], X)
    with pytest.raises(OpError, match="weight has a gradient, and had none when"):
        program(X)
    pair.models[1].zero_grad()
    program(X)


def test_a_gradient_that_is_not_kept_says_so() -> None:
    pair = Pair(cleared_first)
    model, program = pair.models[1], Interpreted(pair.calls[1])
    backward(model, X)
    program(X)
    grad: Any = model.weight.grad
    assert grad.shape == (2, 3) and "not kept" in repr(grad) and program.traced.grads.lost
    for read in (grad.sum, grad.numpy, optim.SGD([model.weight]).step, grad.zero_,
                 lambda: backward(model, X)):
        with pytest.raises(OpError, match=r"does not keep it; call zero_grad\(\) before"):
            read()
    model.zero_grad()
    backward(model, X)
    assert model.weight.grad.sum().isfinite()


def test_parameters_without_a_gradient_stay_so() -> None:
    used, idle = (nn.Parameter(eager.ones(2)) for _ in range(2))
    optimizer = optim.AdamW([used, idle], lr=0.1)

    def step(x: Tensor) -> Tensor:
        loss = (used * x).sum()
        loss.backward()
        optimizer.step()
        return loss

    traced = trace_graph(step, (eager.ones(2),))
    assert [owner for owner, _ in traced.grads.kept] == [used]
    assert used.grad is None and idle.grad is None
    replay = Replay(traced)
    for _ in range(2):
        close(replay(eager.ones(2)), step(eager.ones(2)).detach())
    close(idle.detach(), np.ones(2, np.float32))


def test_a_gradient_that_was_not_kept_is_in_nobodys_way() -> None:
    model = nn.Linear(3, 2, dtype=eager.float64)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    program = jit.trace(partial(cleared_first, model, optimizer), (X,), state=(model, optimizer))
    program(X)
    assert type(model.weight.grad) is LostGradient
    model.float()
    assert model.weight.dtype is eager.float32
    for holder in (model, optimizer):
        model.weight.grad = LostGradient.of(model.weight.spec)
        holder.zero_grad(set_to_none=False)
        assert model.weight.grad is not None
        assert model.weight.grad.tolist() == [[0.0] * 3] * 2
