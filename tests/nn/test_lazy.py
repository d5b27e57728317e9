"""Modules that infer shapes from their first input."""

from __future__ import annotations

import copy
import inspect

import numpy as np
import pytest

import eager
from eager import nn
from eager.nn.parameter import is_lazy
from eager.ops.errors import OpError


def network() -> nn.Sequential:
    return nn.Sequential(nn.LazyConv2d(4, 3, padding=1), nn.LazyBatchNorm2d(), nn.Flatten(),
                         nn.LazyLinear(5, bias=False))


def test_the_first_call_gives_shapes() -> None:
    model = network()
    layer = model[3]
    weight = layer.weight
    assert is_lazy(weight) and layer.has_uninitialized_params() and "in_features=0" in repr(layer)
    with pytest.raises(OpError, match="call the module on an input first"):
        _ = weight.shape
    assert model(eager.randn(2, 3, 5, 5)).shape == (2, 5)
    assert [type(m) for m in model] == [nn.Conv2d, nn.BatchNorm2d, nn.Flatten, nn.Linear]
    assert model[3].weight is weight and weight.shape == (5, 100) and type(weight) is nn.Parameter
    assert model[0].in_channels == 3 and weight.requires_grad and weight.any()
    assert model[1].running_mean.shape == (4,) and (model[1].weight == 1).all()
    model(eager.randn(1, 3, 5, 5)).sum().backward()
    assert weight.grad.shape == (5, 100)


def test_a_state_gives_shapes_too() -> None:
    model, twin = network(), network()
    x = eager.randn(2, 3, 5, 5)
    model(x)
    assert list(model.state_dict()) == list(twin.state_dict())
    twin.load_state_dict(model.state_dict())
    np.testing.assert_array_equal(model.eval()(x).detach().numpy(),
                                  twin.eval()(x).detach().numpy())
    assert type(twin[3]) is nn.Linear


def test_a_copy_infers_on_its_own() -> None:
    layer = nn.LazyLinear(2)
    twin = copy.deepcopy(layer)
    layer(eager.ones(1, 3))
    assert twin.has_uninitialized_params()
    for _ in range(2):
        assert twin(eager.ones(1, 4)).shape == (1, 2)
    assert twin.weight.shape == (2, 4) and layer.weight.shape == (2, 3)


def test_arguments_are_those_of_the_class_without_the_first() -> None:
    names = list(inspect.signature(nn.LazyConv2d).parameters)
    assert names == list(inspect.signature(nn.Conv2d).parameters)[1:]
    with pytest.raises(TypeError):
        nn.LazyLinear(2, out=3)
    with pytest.raises(OpError, match="infers its shapes from its first argument"):
        nn.LazyLinear(2)(3)
    half = nn.LazyLinear(2, dtype="float64")
    half(eager.ones(1, 3, dtype="float64"))
    assert half.weight.dtype is eager.float64
