"""Parametrizations, weights split and normalised, and what else changes a layer from outside."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import eager
import jit
from eager import nn
from eager.nn import utils
from eager.nn.utils import parametrizations, parametrize
from eager.ops.errors import OpError


class Symmetric(nn.Module):
    def forward(self, x: Any) -> Any:
        return (x + x.mT) / 2


def spectrum(layer: Any) -> Any:
    return np.linalg.svd(layer.weight.detach().numpy(), compute_uv=False)


def test_a_parameter_is_computed_whenever_it_is_read() -> None:
    layer = nn.Linear(3, 3)
    original = layer.weight
    assert parametrize.register_parametrization(layer, "weight", Symmetric()) is layer
    assert type(layer).__name__ == "ParametrizedLinear" and isinstance(layer, nn.Linear)
    assert layer.parametrizations.weight.original is original
    weight = layer.weight
    assert eager.equal(weight, weight.mT) and not layer.weight.is_leaf
    layer(eager.ones(1, 3)).sum().backward()
    assert original.grad is not None
    with parametrize.cached():
        assert layer.weight is layer.weight
    plain = parametrize.remove_parametrizations(layer, "weight")
    assert type(plain) is nn.Linear and plain.weight is original
    assert eager.equal(plain.weight, weight)


def test_what_does_not_fit_is_refused() -> None:
    class Flat(nn.Module):
        def forward(self, x: Any) -> Any:
            return x.flatten()

    layer = nn.Linear(2, 2)
    with pytest.raises(OpError, match=r"unless `unsafe=True`: it was f32\[2, 2\], now f32\[4\]"):
        parametrize.register_parametrization(layer, "weight", Flat())
    assert type(layer) is nn.Linear and layer.weight.shape == (2, 2)
    with pytest.raises(OpError, match="does not have a parameter, a buffer"):
        parametrize.register_parametrization(layer, "none", Flat())
    with pytest.raises(OpError, match="does not have a parametrization on 'weight'"):
        parametrize.remove_parametrizations(layer, "weight")
    parametrize.register_parametrization(layer, "weight", Symmetric())
    with pytest.raises(OpError, match="saved by their state_dict"):
        pickle.dumps(layer)


def test_copies_stand_on_their_own() -> None:
    layer = parametrizations.weight_norm(nn.Linear(3, 2))
    twin = copy.deepcopy(layer)
    parametrize.remove_parametrizations(layer, "weight")
    assert parametrize.is_parametrized(twin) and not parametrize.is_parametrized(layer)
    assert list(twin.state_dict()) == ["bias", "parametrizations.weight.original0",
                                       "parametrizations.weight.original1"]
    np.testing.assert_allclose(twin.weight.detach().numpy(), layer.weight.detach().numpy(),
                               rtol=1e-6)


def test_weight_norm_splits_length_and_direction() -> None:
    layer = parametrizations.weight_norm(nn.Linear(3, 2))
    with eager.no_grad():
        layer.parametrizations.weight.original0.copy_(eager.tensor([[2.0], [5.0]]))
    np.testing.assert_allclose(np.linalg.norm(layer.weight.detach().numpy(), axis=1), [2, 5],
                               rtol=1e-6)


def test_spectral_norm_brings_the_largest_singular_value_to_one() -> None:
    eager.manual_seed(1)
    layer = parametrizations.spectral_norm(nn.Linear(5, 4), n_power_iterations=30)
    layer(eager.ones(1, 5))
    assert spectrum(layer)[0] == pytest.approx(1, rel=1e-4)
    vectors = layer.parametrizations.weight[0]._u.numpy().copy()
    layer.eval()(eager.ones(1, 5))
    assert (layer.parametrizations.weight[0]._u.numpy() == vectors).all()
    with pytest.raises(OpError, match="n_power_iterations to be positive"):
        parametrizations.spectral_norm(nn.Linear(2, 2), n_power_iterations=0)


@pytest.mark.parametrize("kind", ["matrix_exp", "cayley", "householder"])
@pytest.mark.parametrize("shape", [(4, 4), (3, 5), (5, 3)])
def test_orthogonal_stays_so_under_steps(kind: str, shape: tuple[int, int]) -> None:
    layer = parametrizations.orthogonal(nn.Linear(*shape), orthogonal_map=kind)
    optimizer = eager.optim.SGD(layer.parameters(), lr=0.3)
    for _ in range(3):
        optimizer.zero_grad()
        layer(eager.randn(6, shape[0])).square().sum().backward()
        optimizer.step()
    np.testing.assert_allclose(spectrum(layer), np.ones(min(shape)), rtol=1e-4)


def test_a_parametrized_layer_compiles() -> None:
    layer = parametrizations.weight_norm(nn.Linear(3, 2))
    x = eager.randn(4, 3)
    np.testing.assert_allclose(jit.trace(layer, (x,))(x).detach().numpy(),
                               layer(x).detach().numpy(), rtol=1e-5)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_older_forms_give_plain_layers_back() -> None:
    for norm, remove in ((utils.weight_norm, utils.remove_weight_norm),
                         (utils.spectral_norm, utils.remove_spectral_norm)):
        layer = norm(nn.Linear(3, 2))
        wanted = layer.eval()(eager.ones(1, 3))
        assert remove(layer) is layer and list(layer.state_dict()) == ["bias", "weight"]
        np.testing.assert_allclose(layer(eager.ones(1, 3)).detach().numpy(),
                                   wanted.detach().numpy(), rtol=1e-5)


# --- vectors, norms of gradients, fusion -------------------------------------------------------
def test_parameters_travel_as_a_vector() -> None:
    layer = nn.Linear(3, 2)
    vector = utils.parameters_to_vector(layer.parameters())
    assert vector.shape == (8,) and vector.requires_grad
    utils.vector_to_parameters(eager.arange(8.0), layer.parameters())
    assert layer.weight.tolist() == [[0, 1, 2], [3, 4, 5]] and layer.bias.tolist() == [6, 7]
    with pytest.raises(OpError, match="have 8 elements"):
        utils.vector_to_parameters(eager.zeros(9), layer.parameters())


def test_norms_of_gradients() -> None:
    p = nn.Parameter(eager.zeros(2))
    p.grad = eager.tensor([3.0, 4.0])
    assert utils.get_total_norm([p.grad]) == 5 and utils.get_total_norm([]) == 0
    utils.clip_grads_with_norm_(p, 1.0, eager.tensor(10.0))
    np.testing.assert_allclose(p.grad.numpy(), [0.3, 0.4], rtol=1e-5)
    p.grad = eager.tensor([3.0, float("inf")])
    with pytest.raises(OpError, match="is non-finite"):
        utils.clip_grad_norm_([p], 1.0, error_if_nonfinite=True)
    assert p.grad[0] == 3


@pytest.mark.parametrize("bias", [True, False])
def test_batch_norm_folds_into_the_layer_before_it(bias: bool) -> None:
    for layer, norm, x, fuse in (
            (nn.Conv2d(3, 4, 3, bias=bias), nn.BatchNorm2d(4), eager.randn(2, 3, 6, 6),
             utils.fuse_conv_bn_eval),
            (nn.Linear(3, 4, bias=bias), nn.BatchNorm1d(4), eager.randn(5, 3),
             utils.fuse_linear_bn_eval)):
        norm(layer(x))
        with pytest.raises(OpError, match="only for eval"):
            fuse(layer, norm)
        fused = fuse(layer.eval(), norm.eval())
        assert type(fused) is type(layer)
        np.testing.assert_allclose(fused(x).detach().numpy(), norm(layer(x)).detach().numpy(),
                                   rtol=1e-4, atol=1e-5)
