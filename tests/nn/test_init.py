"""Initial values: their spread, their range and the stream they come from."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import eager
from eager import nn
from eager.nn import init
from eager.ops.errors import OpError

FAN_IN, FAN_OUT = 200 * 9, 100 * 9


def filled(fill: Any, *args: Any, **kwargs: Any) -> np.ndarray[Any, Any]:
    weight = nn.Parameter(eager.zeros(100, 200, 3, 3))
    assert fill(weight, *args, **kwargs) is weight and weight.requires_grad
    return weight.detach().numpy()


@pytest.mark.parametrize(("fill", "args", "std"), [
    (init.kaiming_uniform_, (), math.sqrt(2 / FAN_IN)),
    (init.kaiming_normal_, (0, "fan_out", "relu"), math.sqrt(2 / FAN_OUT)),
    (init.xavier_uniform_, (2.0,), 2 * math.sqrt(2 / (FAN_IN + FAN_OUT))),
    (init.xavier_normal_, (), math.sqrt(2 / (FAN_IN + FAN_OUT))),
    (init.normal_, (0.0, 3.0), 3.0), (init.uniform_, (-1.0, 1.0), 1 / math.sqrt(3))])
def test_spread(fill: Any, args: Any, std: float) -> None:
    eager.manual_seed(0)
    values = filled(fill, *args)
    assert values.std() == pytest.approx(std, rel=0.01)
    assert abs(values.mean()) < 0.01 * std
    if "uniform" in fill.__name__:
        assert np.abs(values).max() == pytest.approx(std * math.sqrt(3), rel=1e-3)


def test_constants() -> None:
    assert (filled(init.constant_, 2.5) == 2.5).all()
    assert (filled(init.ones_) == 1).all() and not filled(init.zeros_).any()


def test_layers_follow_the_seed() -> None:
    eager.manual_seed(5)
    first, second = nn.Linear(4, 4), nn.Linear(4, 4)
    eager.manual_seed(5)
    again = nn.Linear(4, 4)
    assert eager.equal(first.weight, again.weight) and eager.equal(first.bias, again.bias)
    assert not eager.equal(first.weight, second.weight)


def test_gains_and_refusals() -> None:
    assert init.calculate_gain("relu") == math.sqrt(2)
    assert init.calculate_gain("leaky_relu", 1.0) == 1.0
    with pytest.raises(OpError, match="no gain is known for 'swish'"):
        init.calculate_gain("swish")
    with pytest.raises(OpError, match="at least 2 dims"):
        init.xavier_normal_(eager.zeros(3))
    with pytest.raises(OpError, match="'fan_in' or 'fan_out', got 'both'"):
        init.kaiming_normal_(eager.zeros(3, 3), mode="both")
