"""Hooks: their order, what they replace, and what a compiled program keeps of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eager
import jit
from eager import nn
from eager.ops.errors import OpError


def test_calls_pass_through_hooks_in_order() -> None:
    layer, log = nn.Identity(), []
    layer.register_forward_pre_hook(lambda m, a: log.append(("second", a)))
    layer.register_forward_pre_hook(lambda m, a: a[0] + 1, prepend=True)
    layer.register_forward_hook(lambda m, a, out: out * 10)
    layer.register_forward_hook(lambda m, a, out: log.append(("after", a, out)))
    assert layer(1) == 20
    assert log == [("second", (2,)), ("after", (2,), 20)]


def test_a_module_without_hooks_is_called_directly_again() -> None:
    layer = nn.Identity()
    handle = layer.register_forward_hook(lambda m, a, out: -out)
    assert layer(3) == -3
    handle.remove()
    assert layer(3) == 3 and layer._call_hooks is not None and layer._call_hooks.is_empty()


def test_keyword_arguments_reach_hooks_that_ask() -> None:
    class Scaled(nn.Module):
        def forward(self, x: Any, by: float = 1.0) -> Any:
            return x * by

    layer, log = Scaled(), []
    layer.register_forward_pre_hook(lambda m, a, k: (a, {"by": k["by"] + 1}), with_kwargs=True)
    layer.register_forward_hook(lambda m, a, k, out: log.append((a, k, out)), with_kwargs=True)
    assert layer(2, by=4) == 10 and log == [((2,), {"by": 5}, 10)]
    layer.register_forward_pre_hook(lambda m, a, k: a, with_kwargs=True)
    with pytest.raises(OpError, match=r"returns None or \(args, kwargs\), got tuple"):
        layer(2, by=4)


def test_always_called_hooks_see_failures_and_may_fail_themselves() -> None:
    class Fails(nn.Module):
        def forward(self) -> Any:
            raise KeyError("first")

    layer, log = Fails(), []
    layer.register_forward_hook(lambda m, a, out: log.append("plain"))
    layer.register_forward_hook(lambda m, a, out: log.append(out), always_call=True)
    layer.register_forward_hook(lambda m, a, out: out + 1, always_call=True)
    with pytest.raises(KeyError, match="first"), pytest.warns(UserWarning, match="on its way"):
        layer()
    assert log == [None]


def test_backward_hooks_see_and_replace_gradients() -> None:
    layer, log = nn.Linear(2, 2, bias=False), []
    x = eager.ones(1, 2).requires_grad_()
    layer.register_full_backward_pre_hook(lambda m, go: (go[0] * 2,))
    layer.register_full_backward_hook(lambda m, gi, go: log.append((gi[0], go[0])))
    layer.register_full_backward_hook(lambda m, gi, go: (eager.ones(1, 2) * 7,))
    layer(x).sum().backward()
    assert log[0][1].tolist() == [[2, 2]] and x.grad.tolist() == [[7, 7]]
    np.testing.assert_allclose(log[0][0].numpy(), 2 * layer.weight.detach().numpy().sum(0)[None])
    assert layer.weight.grad.tolist() == [[2, 2], [2, 2]]


def test_backward_hooks_without_a_gradient_at_the_inputs() -> None:
    layer, log = nn.Linear(2, 1), []
    layer.register_full_backward_hook(lambda m, gi, go: log.append((gi, go[0].tolist())))
    layer(eager.ones(1, 2)).sum().backward()
    assert log == [((None,), [[1.0]])]
    with eager.no_grad():
        layer(eager.ones(1, 2))
    layer.register_full_backward_hook(lambda m, gi, go: (None, None))
    with pytest.raises(OpError, match="returned 2 gradients in place of a grad_input of 1"):
        layer(eager.ones(1, 2)).sum().backward()


def test_the_older_backward_hook_is_refused_in_words() -> None:
    with pytest.raises(OpError, match="use register_full_backward_hook"):
        nn.Identity().register_backward_hook(lambda m, gi, go: None)


def test_hooks_are_traced() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    model[0].register_forward_hook(lambda m, a, out: out * 3 + a[0].sum())
    x = eager.tensor([[1.0, -2.0], [0.5, 3.0]])
    np.testing.assert_allclose(jit.trace(model, (x,))(x).detach().numpy(),
                               model(x).detach().numpy(), rtol=1e-5)
