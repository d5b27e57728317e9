"""Layers by their formulas in float64, their settings and their refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eager
from eager import nn
from eager.nn import functional as F
from eager.ops.errors import OpError
from tests.watcher import watched

RNG = np.random.default_rng(0)


def images(*shape: int) -> eager.Tensor:
    return eager.tensor(RNG.normal(size=shape or (4, 3, 5, 5)))


def moments(x: eager.Tensor) -> tuple[Any, Any]:
    """Mean and unbiased variance of each channel."""
    rows = np.moveaxis(x.numpy(), 1, 0).reshape(x.shape[1], -1)
    return rows.mean(1), rows.var(1, ddof=1)


def test_linear() -> None:
    layer, x = nn.Linear(3, 2, dtype="float64"), images(5, 3)
    wanted = x.numpy() @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
    np.testing.assert_allclose(layer(x).detach().numpy(), wanted, rtol=1e-12)
    assert nn.Linear(3, 2, bias=False).bias is None
    with pytest.raises(OpError, match=r"linear: .*\[\.\.\., in\]"):
        layer(images(5, 4))


def test_convolution_is_a_sum_over_its_window() -> None:
    layer = nn.Conv2d(3, 2, (3, 2), stride=2, padding=(1, 0), dtype="float64")
    x = images()
    padded = np.pad(x.numpy(), ((0, 0), (0, 0), (1, 1), (0, 0)))
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    out = layer(x).detach().numpy()
    assert out.shape == (4, 2, 3, 2)
    for i in range(3):
        for j in range(2):
            window = padded[:, :, 2 * i:2 * i + 3, 2 * j:2 * j + 2]
            wanted = np.einsum("nchw,ochw->no", window, weight) + bias
            np.testing.assert_allclose(out[:, :, i, j], wanted, rtol=1e-10)


def test_settings_that_make_no_sense_are_refused() -> None:
    for build, words in (
            (lambda: nn.Conv2d(3, 4, 3, groups=2), "groups=2 does not divide in_channels=3"),
            (lambda: nn.Dropout(1.5), "between 0 and 1, but got 1.5"),
            (lambda: nn.GroupNorm(2, 3), "2 groups do not divide 3 channels"),
            (lambda: nn.Embedding(3, 2, padding_idx=3), "padding_idx=3 is not one of 3 rows")):
        with pytest.raises(OpError, match=words):
            build()


@pytest.mark.parametrize("momentum", [0.3, None])
def test_batch_norm_moves_its_moments(momentum: float | None) -> None:
    layer = nn.BatchNorm2d(3, momentum=momentum, dtype="float64")
    mean, var = np.zeros(3), np.ones(3)
    for k in range(3):
        x = images()
        layer(x)
        now, share = moments(x), momentum if momentum is not None else 1 / (k + 1)
        mean, var = mean * (1 - share) + now[0] * share, var * (1 - share) + now[1] * share
    np.testing.assert_allclose(layer.running_mean.numpy(), mean, rtol=1e-12)
    np.testing.assert_allclose(layer.running_var.numpy(), var, rtol=1e-12)
    assert layer.num_batches_tracked.item() == 3
    x = images()
    wanted = (x.numpy() - mean[:, None, None]) / np.sqrt(var + 1e-5)[:, None, None]
    np.testing.assert_allclose(layer.eval()(x).detach().numpy(), wanted, rtol=1e-10)
    assert layer.num_batches_tracked.item() == 3


def test_batch_norm_normalises_the_batch_it_trains_on() -> None:
    layer, x = nn.BatchNorm1d(6, dtype="float64"), images(8, 6)
    out = layer(x).detach()
    np.testing.assert_allclose(out.numpy().mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(out.numpy().std(0), 1, rtol=1e-4)


def test_batch_norm_refuses_what_it_cannot_normalise() -> None:
    layer = nn.BatchNorm2d(3)
    with pytest.raises(OpError, match=r"BatchNorm2d: wanted 3 channels .* got f64\[2, 3\]"):
        layer(images(2, 3))
    with pytest.raises(OpError, match="more than one value per channel"):
        layer(eager.ones(1, 3, 1, 1))
    assert layer.eval()(eager.ones(1, 3, 1, 1)).shape == (1, 3, 1, 1)


def test_batch_norm_trains_under_a_recorder() -> None:
    layer, other, x = nn.BatchNorm2d(3), nn.BatchNorm2d(3), images().float()
    with watched() as watcher:
        layer(x)
    other(x)
    assert len(watcher.written) == 3
    for mine, theirs in zip(layer.buffers(), other.buffers(), strict=True):
        assert eager.equal(mine, theirs)


def test_functional_batch_norm_leaves_moments_alone_in_evaluation() -> None:
    mean, var = eager.zeros(3), eager.ones(3)
    F.batch_norm(images().float(), mean, var)
    assert not mean.any() and (var == 1).all()
    F.batch_norm(images().float(), mean, var, training=True)
    assert mean.all() and (var != 1).all()


@pytest.mark.parametrize(("layer", "dims"), [
    (nn.LayerNorm((5, 5), dtype="float64"), (2, 3)), (nn.LayerNorm(5, dtype="float64"), (3,)),
    (nn.GroupNorm(1, 3, dtype="float64"), (1, 2, 3))])
def test_norms_over_dims(layer: nn.Module, dims: tuple[int, ...]) -> None:
    x = images()
    centred = x.numpy() - x.numpy().mean(dims, keepdims=True)
    wanted = centred / np.sqrt((centred**2).mean(dims, keepdims=True) + 1e-5)
    np.testing.assert_allclose(layer(x).detach().numpy(), wanted, rtol=1e-10)


def test_embedding_row_of_padding_stays_zero() -> None:
    layer = nn.Embedding(5, 2, padding_idx=-1)
    assert layer.padding_idx == 4 and not layer.weight[4].any()
    layer(eager.tensor([4, 0])).sum().backward()
    assert layer.weight.grad.tolist() == [[1, 1], [0, 0], [0, 0], [0, 0], [0, 0]]
    with pytest.raises(OpError, match="5"):
        layer(eager.tensor([5]))


def test_dropout_keeps_the_mean_and_follows_the_seed() -> None:
    layer, x = nn.Dropout(0.25), eager.ones(100, 100)
    eager.manual_seed(3)
    first = layer(x)
    eager.manual_seed(3)
    assert eager.equal(first, layer(x)) and not eager.equal(first, layer(x))
    assert set(np.unique(first.numpy())) == {np.float32(0), np.float32(1 / 0.75)}
    assert first.mean().item() == pytest.approx(1, abs=0.02)
    assert layer.eval()(x) is x


def test_relu_in_place() -> None:
    x = eager.tensor([-1.0, 2.0])
    out = nn.ReLU(inplace=True)(x)
    assert out is x and x.tolist() == [0, 2]
    assert nn.ReLU()(eager.tensor([-1.0])).tolist() == [0]


def test_losses_hold_their_settings() -> None:
    scores, classes = eager.tensor([[2.0, 1.0, 0.0]]), eager.tensor([1])
    logs = np.log(np.exp([2, 1, 0]) / np.exp([2, 1, 0]).sum())
    assert nn.CrossEntropyLoss()(scores, classes).item() == pytest.approx(-logs[1], rel=1e-6)
    smooth = nn.CrossEntropyLoss(label_smoothing=0.3, reduction="sum")(scores, classes)
    assert smooth.item() == pytest.approx(-0.7 * logs[1] - 0.3 * logs.mean(), rel=1e-6)
    weighted = nn.CrossEntropyLoss(weight=eager.tensor([1.0, 2.0, 1.0]), reduction="none")
    assert weighted(scores, classes).item() == pytest.approx(-2 * logs[1], rel=1e-6)
    assert list(weighted.state_dict()) == ["weight"]
    assert nn.MSELoss(reduction="sum")(scores, scores + 1).item() == 3


@pytest.mark.parametrize("name", ["ELU", "GELU", "Hardsigmoid", "Hardswish", "Hardtanh",
                                  "LeakyReLU", "LogSigmoid", "Mish", "ReLU", "ReLU6", "SiLU",
                                  "Sigmoid", "Softplus", "Softsign", "Tanh"])
def test_an_activation_is_its_function(name: str) -> None:
    spelled = {"LeakyReLU": "leaky_relu"}.get(name, name.lower())
    x = images()
    assert eager.equal(getattr(nn, name)()(x), getattr(F, spelled)(x))


def test_softmax_along_its_dim() -> None:
    x = images(3, 4)
    np.testing.assert_allclose(nn.Softmax(dim=0)(x).numpy().sum(0), 1)
    np.testing.assert_allclose(np.exp(nn.LogSoftmax(1)(x).numpy()), nn.Softmax(1)(x).numpy())


def test_functional_says_what_it_does_not_have() -> None:
    assert {"relu", "batch_norm", "dropout", "cross_entropy"} <= set(dir(F))
    with pytest.raises(AttributeError, match="no attribute 'rleu'"):
        _ = F.rleu
