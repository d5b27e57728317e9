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


def test_truncated_normal() -> None:
    eager.manual_seed(0)
    values = filled(init.trunc_normal_, 1.0, 2.0, 0.0, 4.0)
    assert values.min() >= 0 and values.max() <= 4
    # the moments of that distribution, by formula
    a, b = -0.5, 1.5
    density = [math.exp(-z * z / 2) / math.sqrt(2 * math.pi) for z in (a, b)]
    mass = (math.erf(b / math.sqrt(2)) - math.erf(a / math.sqrt(2))) / 2
    assert values.mean() == pytest.approx(1 + 2 * (density[0] - density[1]) / mass, rel=0.01)
    with pytest.warns(UserWarning, match="more than 2 std"):
        init.trunc_normal_(eager.zeros(2), mean=9.0)


def test_identities() -> None:
    assert init.eye_(eager.zeros(2, 3)).tolist() == [[1, 0, 0], [0, 1, 0]]
    weight = init.dirac_(eager.zeros(4, 2, 3, 3), groups=2)
    x = eager.randn(1, 4, 5, 5)
    out = nn.functional.conv2d(x, weight, padding=1, groups=2)
    np.testing.assert_allclose(out.numpy(), x.numpy(), rtol=1e-6)
    for fill, shape, words in ((init.eye_, (2,), "2 dimensions"),
                               (init.dirac_, (2, 2), "3, 4, or 5"),
                               (init.orthogonal_, (2,), "2 or more"),
                               (init.sparse_, (2, 2, 2), "2 dimensions")):
        with pytest.raises(OpError, match=words):
            fill(eager.zeros(*shape), *([0.5] if fill is init.sparse_ else []))
    with pytest.raises(OpError, match="divisible by groups"):
        init.dirac_(eager.zeros(3, 2, 1), 2)


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 2, 2)])
def test_orthogonal(shape: tuple[int, ...]) -> None:
    flat = init.orthogonal_(eager.zeros(*shape, dtype="float64"), gain=3.0).numpy().reshape(
        shape[0], -1)
    np.testing.assert_allclose(np.linalg.svd(flat, compute_uv=False), 3 * np.ones(min(flat.shape)))


def test_sparse_has_zeros_in_each_column() -> None:
    values = init.sparse_(eager.zeros(10, 6), 0.25).numpy()
    assert ((values == 0).sum(0) == 3).all()


def test_a_generator_of_ones_own() -> None:
    for fill in (init.normal_, init.uniform_, init.trunc_normal_, init.kaiming_normal_,
                 init.kaiming_uniform_, init.xavier_normal_, init.xavier_uniform_,
                 init.orthogonal_):
        before = eager.default_generator.get_state()
        drawn = [fill(eager.zeros(3, 3), generator=eager.Generator().manual_seed(4))
                 for _ in range(2)]
        assert eager.equal(*drawn) and drawn[0].any()
        assert eager.equal(before, eager.default_generator.get_state())


def test_older_names_say_so() -> None:
    with pytest.warns(FutureWarning, match=r"in favor of nn\.init\.constant_"):
        assert init.constant(eager.zeros(2), 3.0).tolist() == [3, 3]
