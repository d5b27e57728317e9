"""Activations with ``inplace=True`` write their input and give it back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eager
import jit
from eager.nn import functional as F
from eager.ops.errors import OpError

#: Name and settings before ``inplace``.
ACTIVATIONS: tuple[tuple[Any, ...], ...] = (
    ("relu",), ("relu6",), ("silu",), ("mish",), ("selu",), ("hardswish",), ("hardsigmoid",),
    ("leaky_relu", 0.2), ("elu", 0.7), ("celu", 1.3), ("threshold", 0.1, -1.0),
    ("hardtanh", -0.5, 0.7))


def numbers() -> eager.Tensor:
    return eager.tensor(np.linspace(-4, 7, 12).reshape(3, 4))


@pytest.mark.parametrize("call", ACTIVATIONS, ids=lambda c: c[0])
@pytest.mark.parametrize("by_name", [True, False])
def test_input_is_written(call: tuple[Any, ...], by_name: bool) -> None:
    name, *settings = call
    x = numbers()
    want = getattr(F, name)(x, *settings)
    np.testing.assert_array_equal(x.numpy(), numbers().numpy())
    out = getattr(F, name)(x, *settings, **({"inplace": True} if by_name else {})) if by_name \
        else getattr(F, name)(x, *settings, True)
    assert out is x
    np.testing.assert_array_equal(x.numpy(), want.numpy())


@pytest.mark.parametrize("call", ACTIVATIONS, ids=lambda c: c[0])
def test_gradient_follows_the_write(call: tuple[Any, ...]) -> None:
    name, *settings = call
    grads = []
    for inplace in (False, True):
        x = numbers().requires_grad_()
        getattr(F, name)(x * 1.5, *settings, inplace=inplace).sum().backward()
        grads.append(x.grad.numpy())
    np.testing.assert_array_equal(*grads)


def test_a_leaf_that_requires_grad_is_not_written() -> None:
    with pytest.raises(OpError, match="leaf"):
        F.silu(numbers().requires_grad_(), inplace=True)


def test_traced() -> None:
    program = jit.trace(lambda x: F.elu(x * 2.0, inplace=True) + 1.0, (numbers(),))
    np.testing.assert_allclose(program(numbers()).numpy(),
                               (F.elu(numbers() * 2.0) + 1.0).numpy(), rtol=1e-12)


def test_functions_with_an_underscore_write_their_input() -> None:
    x = eager.tensor([-1.0, 2.0])
    assert eager.relu_(x) is x and x.tolist() == [0.0, 2.0]
    y = eager.tensor([-1.0, 2.0])
    assert eager.nn.functional.leaky_relu_(y, 0.5) is y and y.tolist() == [-0.5, 2.0]
    z = eager.tensor([-1.0, 2.0])
    assert eager.clamp_(z, max=1.0) is z and z.tolist() == [-1.0, 1.0]
