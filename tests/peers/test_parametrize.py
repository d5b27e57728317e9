"""Parametrizations and the older hooks on weights against torch, from torch's own state."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import eager
from eager import nn

torch = pytest.importorskip("torch")

ready, tools = nn.utils.parametrizations, nn.utils.parametrize
theirs_ready, theirs_tools = torch.nn.utils.parametrizations, torch.nn.utils.parametrize

#: function, keyword arguments, shape [out, in] of the weight
READY: list[tuple[str, dict[str, Any], tuple[int, int]]] = [
    ("weight_norm", {}, (3, 4)), ("weight_norm", {"dim": 1}, (3, 4)),
    ("weight_norm", {"dim": None}, (3, 4)), ("spectral_norm", {}, (3, 4)),
    ("spectral_norm", {"n_power_iterations": 3, "dim": 1}, (3, 4)),
    *(("orthogonal", kwargs, shape) for shape in ((4, 4), (3, 5), (5, 3)) for kwargs in (
        {}, {"orthogonal_map": "cayley"}, {"orthogonal_map": "matrix_exp"},
        {"orthogonal_map": "householder"},
        {"orthogonal_map": "householder", "use_trivialization": False}))]


def layers(shape: tuple[int, int]) -> tuple[Any, Any]:
    torch.manual_seed(0)
    ours, theirs = nn.Linear(*shape[::-1]), torch.nn.Linear(*shape[::-1])
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    return ours, theirs


def close(a: Any, b: Any) -> None:
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-3, atol=2e-5)


def compared(ours: Any, theirs: Any) -> None:
    """Outputs, gradients and what the calls leave behind are the same."""
    for training in (True, True, False):
        data = np.random.default_rng(3).normal(size=(3, ours.in_features)).astype(np.float32)
        out = ours.train(training)(eager.tensor(data))
        wanted = theirs.train(training)(torch.tensor(data))
        close(out, wanted)
        out.square().sum().backward()
        wanted.square().sum().backward()
    for (name, p), (key, q) in zip(ours.named_parameters(), theirs.named_parameters(),
                                   strict=True):
        assert name == key
        close(p.grad, q.grad)
    for a, b in zip(ours.buffers(), theirs.buffers(), strict=True):
        close(a, b)


@pytest.mark.parametrize(("name", "kwargs", "shape"), READY)
def test_ready_ones(name: str, kwargs: dict[str, Any], shape: tuple[int, int]) -> None:
    ours, theirs = layers(shape)
    assert getattr(ready, name)(ours, **kwargs) is ours
    getattr(theirs_ready, name)(theirs, **kwargs)
    assert repr(ours) == repr(theirs) and list(ours.state_dict()) == list(theirs.state_dict())
    if name != "spectral_norm":  # that one starts from random vectors
        close(ours.weight, theirs.weight)
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    compared(ours, theirs)
    twin = copy.deepcopy(ours)
    close(tools.remove_parametrizations(ours, "weight").weight,
          theirs_tools.remove_parametrizations(theirs, "weight").weight)
    assert type(ours) is nn.Linear and list(ours.state_dict()) == list(theirs.state_dict())
    assert tools.is_parametrized(twin, "weight")
    close(twin.weight, theirs.weight)


def test_orthogonal_takes_assignments() -> None:
    for kwargs in ({}, {"orthogonal_map": "householder", "use_trivialization": False}):
        layer = ready.orthogonal(nn.Linear(4, 4), **kwargs)
        target = nn.init.orthogonal_(eager.zeros(4, 4))
        layer.weight = target
        close(layer.weight, target)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(("name", "kwargs"), [
    ("weight_norm", {}), ("weight_norm", {"dim": None}), ("weight_norm", {"dim": 1}),
    ("spectral_norm", {}), ("spectral_norm", {"n_power_iterations": 2})])
def test_older_hooks(name: str, kwargs: dict[str, Any]) -> None:
    ours, theirs = layers((3, 4))
    getattr(nn.utils, name)(ours, **kwargs)
    getattr(torch.nn.utils, name)(theirs, **kwargs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict({k: v.detach().numpy() for k, v in theirs.state_dict().items()})
    compared(ours, theirs)
    for of, layer in ((nn, ours), (torch.nn, theirs)):
        with pytest.raises(Exception, match="Cannot register two"):
            getattr(of.utils, name)(layer)
        getattr(of.utils, f"remove_{name}")(layer)
        with pytest.raises(Exception, match="not found in"):
            getattr(of.utils, f"remove_{name}")(layer)
    close(ours.weight, theirs.weight)
    assert list(ours.state_dict()) == list(theirs.state_dict())


def story(lib: Any, of: Any, tools: Any) -> list[Any]:
    """What users' own parametrizations do."""

    class Symmetric(of.Module):  # type: ignore[misc]
        def forward(self, x: Any) -> Any:
            return x.triu() + x.triu(1).mT

        def right_inverse(self, x: Any) -> Any:
            return x.triu()

    class Doubled(of.Module):  # type: ignore[misc]
        calls = 0

        def forward(self, x: Any) -> Any:
            Doubled.calls += 1
            return x * 2

        def right_inverse(self, x: Any) -> Any:
            return x / 2

    class Cut(of.Module):  # type: ignore[misc]
        def forward(self, x: Any) -> Any:
            return x[:1]

    layer, told = of.Linear(3, 3), []
    with lib.no_grad():
        layer.weight.copy_(lib.arange(9.0).reshape(3, 3))
    parameter = layer.weight
    tools.register_parametrization(layer, "weight", Symmetric())
    tools.register_parametrization(layer, "weight", Doubled())
    told += [type(layer).__name__, tools.type_before_parametrizations(layer) is of.Linear]
    told += [layer.weight.tolist(), list(layer.state_dict()), repr(layer)]
    told.append(layer.parametrizations.weight.original is parameter)
    layer.weight = lib.ones(3, 3)
    told += [layer.weight.tolist(), layer.parametrizations.weight.original.tolist()]
    before = Doubled.calls
    with tools.cached():
        told += [layer.weight is layer.weight, Doubled.calls - before]
    told.append(layer.weight is layer.weight)
    other = of.Linear(3, 3)
    tools.transfer_parametrizations_and_params(layer, other)
    told += [other.weight.tolist(), list(other.state_dict()), tools.is_parametrized(other)]
    for bad in (lambda: tools.register_parametrization(layer, "none", Doubled()),
                lambda: tools.register_parametrization(layer, "bias", Cut()),
                lambda: tools.register_parametrization(layer, "weight", Cut()),
                lambda: tools.remove_parametrizations(layer, "bias")):
        try:
            bad()
            told.append("done")
        except Exception:
            told.append("refused")
    tools.register_parametrization(layer, "bias", Cut(), unsafe=True)
    told += [list(layer.bias.shape), list(layer.state_dict())]
    tools.remove_parametrizations(layer, "bias", leave_parametrized=False)
    tools.remove_parametrizations(layer, "weight")
    told += [layer.weight.tolist(), list(layer.state_dict()), type(layer).__name__, repr(layer)]
    told += [list(layer.bias.shape), layer.weight is parameter, layer.weight.requires_grad]
    return told


def test_users_own() -> None:
    for a, b in zip(story(eager, nn, tools), story(torch, torch.nn, theirs_tools), strict=True):
        assert a == b
