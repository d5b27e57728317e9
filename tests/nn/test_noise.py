"""Activations that draw random numbers: their distributions, gradients and settings."""

from __future__ import annotations

import numpy as np
import pytest

import eager
import jit
from eager.nn import functional as F
from eager.ops.errors import OpError


def test_rrelu_draws_each_slope() -> None:
    eager.manual_seed(3)
    x = eager.full((4000,), -2.0).requires_grad_()
    y = F.rrelu(x, 0.2, 0.6, training=True)
    slopes = (y / x).detach().numpy()
    assert slopes.min() >= 0.2 and slopes.max() < 0.6
    assert abs(slopes.mean() - 0.4) < 0.01 and abs(slopes.std() - 0.4 / np.sqrt(12)) < 0.01
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), slopes)


def test_rrelu_outside_of_training_is_fixed() -> None:
    x = eager.tensor([-3.0, 0.0, 2.0])
    np.testing.assert_allclose(F.rrelu(x).numpy(), [-3 * (1 / 8 + 1 / 3) / 2, 0, 2], rtol=1e-6)
    assert F.rrelu(x, 0.5, 0.5, False, True) is x
    assert x.tolist() == [-1.5, 0.0, 2.0]
    with pytest.raises(OpError, match="lower"):
        F.rrelu(x, 0.5, 0.1)


def test_gumbel_softmax_chooses_by_the_softmax() -> None:
    eager.manual_seed(5)
    weights = np.array([0.1, 0.2, 0.7])
    logits = eager.tensor(np.log(weights)).expand(20000, 3)
    hard = F.gumbel_softmax(logits, hard=True).numpy()
    assert set(np.unique(hard)) == {0.0, 1.0} and (hard.sum(1) == 1).all()
    np.testing.assert_allclose(hard.mean(0), weights, atol=0.015)
    soft = F.gumbel_softmax(logits, tau=0.5).numpy()
    np.testing.assert_allclose(soft.sum(1), 1, rtol=1e-12)


def test_the_hard_choice_has_the_soft_gradient() -> None:
    grads = []
    for hard in (False, True):
        eager.manual_seed(1)
        x = eager.tensor([[0.3, -1.0, 0.5]], requires_grad=True)
        (F.gumbel_softmax(x, 2.0, hard, dim=1) * eager.tensor([1.0, 2.0, 3.0])).sum().backward()
        grads.append(x.grad.numpy())
    np.testing.assert_allclose(*grads, rtol=1e-5)
    with pytest.raises(OpError, match="floating"):
        F.gumbel_softmax(eager.tensor([1, 2]))


def test_traced() -> None:
    x = eager.randn(5, 4)
    eager.manual_seed(9)
    want = F.gumbel_softmax(x, 0.7).numpy()
    program = jit.trace(lambda x: F.gumbel_softmax(x, 0.7), (x,))
    eager.manual_seed(9)
    np.testing.assert_allclose(program(x).numpy(), want, rtol=1e-4)
