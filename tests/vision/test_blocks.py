"""Functions and blocks of vision networks, against their formulas in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eager
from eager.ops.errors import OpError
from eager.vision import ops

RNG = np.random.default_rng(4)
LOGITS, TARGETS = RNG.normal(size=(5, 3)), RNG.integers(0, 2, (5, 3)).astype(np.float64)


def _focal(x: Any, y: Any, alpha: float, gamma: float) -> Any:
    p = 1 / (1 + np.exp(-x))
    sure = np.where(y == 1, p, 1 - p)
    weight = np.where(y == 1, alpha, 1 - alpha) if alpha >= 0 else 1.0
    return -weight * (1 - sure) ** gamma * np.log(sure)


@pytest.mark.parametrize(("alpha", "gamma"), [(0.25, 2.0), (0.7, 1.5), (-1, 0.0)])
def test_focal_loss(alpha: float, gamma: float) -> None:
    x, y = eager.tensor(LOGITS), eager.tensor(TARGETS)
    want = _focal(LOGITS, TARGETS, alpha, gamma)
    for reduction, fold in (("none", lambda v: v), ("mean", np.mean), ("sum", np.sum)):
        got = ops.sigmoid_focal_loss(x, y, alpha, gamma, reduction)
        np.testing.assert_allclose(got.numpy(), fold(want), rtol=1e-10)


def test_focal_loss_refuses_an_alpha_outside() -> None:
    with pytest.raises(OpError, match="alpha"):
        ops.sigmoid_focal_loss(eager.tensor(LOGITS), eager.tensor(TARGETS), 1.5)


def test_stochastic_depth_keeps_or_drops_whole_rows() -> None:
    eager.manual_seed(3)
    x = eager.ones(400, 3, 2)
    rows = ops.stochastic_depth(x, 0.25, "row").numpy().reshape(400, 6)
    assert all(len(set(r)) == 1 for r in rows.tolist())
    np.testing.assert_allclose(sorted(set(rows.ravel().tolist())), [0, 1 / 0.75], rtol=1e-6)
    assert 0.15 < np.mean(rows[:, 0] == 0) < 0.35
    batch = ops.stochastic_depth(x, 0.5, "batch").numpy()
    assert len(set(batch.ravel().tolist())) == 1
    assert ops.stochastic_depth(x, 0.5, "row", training=False) is x
    assert not ops.stochastic_depth(x, 1.0, "row").numpy().any()


def test_frozen_norm_is_an_affine_map_by_its_buffers() -> None:
    layer = ops.FrozenBatchNorm2d(3, eps=0.0)
    state = {"weight": [1.0, 2.0, 3.0], "bias": [0.5, 0.0, -1.0], "running_mean": [0.0, 1.0, 2.0],
             "running_var": [1.0, 4.0, 0.25]}
    layer.load_state_dict({k: eager.tensor(v) for k, v in state.items()})
    assert not list(layer.parameters())
    x = RNG.normal(size=(2, 3, 2, 2)).astype(np.float32)
    w, b, m, v = (np.array(state[k], np.float32).reshape(3, 1, 1) for k in state)
    np.testing.assert_allclose(layer(eager.tensor(x)).numpy(), (x - m) / np.sqrt(v) * w + b,
                               rtol=1e-5, atol=1e-6)


def test_squeeze_and_excitation_scales_channels() -> None:
    layer = ops.SqueezeExcitation(4, 2)
    x = eager.rand(2, 4, 3, 3)
    squeezed = x.mean((2, 3), keepdim=True)
    scale = layer.fc2(layer.fc1(squeezed).relu()).sigmoid()
    np.testing.assert_allclose(layer(x).detach().numpy(), (x * scale).detach().numpy(), rtol=1e-5)


def test_shapes_of_the_other_blocks() -> None:
    block = ops.Conv2dNormActivation(3, 8, kernel_size=3, stride=2)
    assert tuple(block(eager.rand(2, 3, 9, 9)).shape) == (2, 8, 5, 5)
    mlp = ops.MLP(6, [5, 4], dropout=0.0)
    assert tuple(mlp(eager.rand(3, 6)).shape) == (3, 4)
    assert tuple(ops.Permute([0, 2, 1])(eager.rand(2, 3, 4)).shape) == (2, 4, 3)
