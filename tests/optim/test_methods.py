"""Optimisers by their formulas, their groups and their state."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eager
from eager import nn, optim
from eager.ops.errors import OpError
from tests.watcher import watched

START, GRADS = np.array([1.0, -2.0]), [np.array([0.5, -1.0]), np.array([-0.2, 3.0]),
                                       np.array([1.0, 0.1])]


def run(make: Any, **settings: Any) -> np.ndarray[Any, Any]:
    """A float64 parameter after three steps with known gradients."""
    p = nn.Parameter(eager.tensor(START))
    optimizer = make([p], **settings)
    for g in GRADS:
        p.grad = eager.tensor(g)
        optimizer.step()
    return p.detach().numpy()


def sgd(lr: float, momentum: float = 0.0, dampening: float = 0.0, weight_decay: float = 0.0,
        nesterov: bool = False) -> np.ndarray[Any, Any]:
    p, velocity = START.copy(), None
    for g in GRADS:
        g = g + weight_decay * p
        velocity = g if velocity is None else momentum * velocity + (1 - dampening) * g
        p = p - lr * (g + momentum * velocity if nesterov else velocity if momentum else g)
    return p


def adam(lr: float, betas: Any = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0.0,
         amsgrad: bool = False, decoupled: bool = False) -> np.ndarray[Any, Any]:
    p, m, v, top = START.copy(), 0.0, 0.0, 0.0
    for t, g in enumerate(GRADS, 1):
        if decoupled:
            p = p * (1 - lr * weight_decay)
        else:
            g = g + weight_decay * p
        m, v = betas[0] * m + (1 - betas[0]) * g, betas[1] * v + (1 - betas[1]) * g * g
        top = np.maximum(top, v)
        size = np.sqrt((top if amsgrad else v) / (1 - betas[1]**t)) + eps
        p = p - lr * m / (1 - betas[0]**t) / size
    return p


@pytest.mark.parametrize("settings", [
    {}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
    {"momentum": 0.5, "dampening": 0.3}])
def test_sgd(settings: dict[str, Any]) -> None:
    np.testing.assert_allclose(run(optim.SGD, lr=0.1, **settings), sgd(0.1, **settings),
                               rtol=1e-14)


@pytest.mark.parametrize("settings", [
    {}, {"betas": (0.5, 0.6), "eps": 0.1}, {"weight_decay": 0.2}, {"amsgrad": True}])
def test_adam(settings: dict[str, Any]) -> None:
    np.testing.assert_allclose(run(optim.Adam, lr=0.1, **settings), adam(0.1, **settings),
                               rtol=1e-12)


def test_adamw_shrinks_the_parameter_itself() -> None:
    np.testing.assert_allclose(run(optim.AdamW, lr=0.1, weight_decay=0.3),
                               adam(0.1, weight_decay=0.3, decoupled=True), rtol=1e-12)


def test_maximize_climbs() -> None:
    np.testing.assert_allclose(run(optim.SGD, lr=0.1, maximize=True), START + 0.1 * sum(GRADS))


def test_a_parameter_without_a_gradient_stays() -> None:
    a, b = nn.Parameter(eager.ones(2)), nn.Parameter(eager.ones(2))
    optimizer = optim.Adam([a, b], lr=0.1)
    a.grad = eager.ones(2)
    optimizer.step()
    assert b.tolist() == [1, 1] and a.tolist() != [1, 1]
    assert list(optimizer.state) == [a]


def test_a_closure_computes_loss_and_gradients() -> None:
    p = nn.Parameter(eager.tensor([3.0]))
    optimizer = optim.SGD([p], lr=0.1)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with eager.no_grad():
        assert optimizer.step(closure).item() == 9
    assert p.item() == pytest.approx(3 - 0.1 * 6)


# --- groups ------------------------------------------------------------------------------------
def test_the_learning_rate_is_one_tensor_that_numbers_are_written_into() -> None:
    optimizer = optim.SGD([nn.Parameter(eager.ones(1))], lr=0.1, weight_decay=0.2)
    group = optimizer.param_groups[0]
    rate, decay = group["lr"], group["weight_decay"]
    assert rate.dtype is eager.float64 and rate.shape == () and float(rate) == 0.1
    group["lr"] = 0.25
    group.update({"lr": 0.5, "weight_decay": 0.0, "momentum": 0.3})
    assert group["lr"] is rate and rate.item() == 0.5
    assert group["weight_decay"] is decay and decay.item() == 0.0
    assert group["momentum"] == 0.3


def test_weight_decay_of_zero_costs_nothing_until_it_is_set() -> None:
    group = optim.SGD([nn.Parameter(eager.ones(1))], lr=0.1).param_groups[0]
    assert group["weight_decay"] == 0.0 and not isinstance(group["weight_decay"], eager.Tensor)
    group["weight_decay"] = 0.1
    assert float(group["weight_decay"]) == 0.1 and isinstance(group["weight_decay"], eager.Tensor)


def test_groups_have_settings_of_their_own() -> None:
    a, b = nn.Parameter(eager.ones(1)), nn.Parameter(eager.ones(1))
    optimizer = optim.SGD([{"params": [a]}, {"params": b, "lr": 1.0}], lr=0.1)
    for p in (a, b):
        p.grad = eager.ones(1)
    optimizer.step()
    assert (a.item(), b.item()) == (pytest.approx(0.9), 0.0)
    optimizer.add_param_group({"params": [nn.Parameter(eager.ones(1))], "momentum": 0.5})
    assert [g["momentum"] for g in optimizer.param_groups] == [0.0, 0.0, 0.5]


def test_refusals() -> None:
    p = nn.Parameter(eager.ones(1))
    for build, words in (
            (lambda: optim.SGD([], lr=0.1), "no parameters were given"),
            (lambda: optim.SGD(p, lr=0.1), r"write \[params\]"),
            (lambda: optim.SGD([p * 2], lr=0.1), "wanted leaf tensors"),
            (lambda: optim.SGD([p, p], lr=0.1), "is given twice"),
            (lambda: optim.SGD([p], lr=-1), "SGD: lr is not negative, got -1.0"),
            (lambda: optim.SGD([p], lr=1, nesterov=True), "nesterov wants a momentum"),
            (lambda: optim.AdamW([p], betas=(0.9, 1.0)), r"AdamW: betas lie in \[0, 1\)")):
        with pytest.raises(OpError, match=words):
            build()


# --- state -------------------------------------------------------------------------------------
def stepped(settings: dict[str, Any]) -> tuple[Any, Any]:
    p = nn.Parameter(eager.tensor(START))
    optimizer = optim.Adam([p], **settings)
    for g in GRADS[:2]:
        p.grad = eager.tensor(g)
        optimizer.step()
    return p, optimizer


def test_state_resumes_bit_for_bit_and_in_place() -> None:
    p, optimizer = stepped({"lr": 0.1, "weight_decay": 0.1})
    saved = optimizer.state_dict()
    assert set(saved["state"][0]) == {"step", "exp_avg", "exp_avg_sq"}
    assert saved["param_groups"][0]["lr"] == 0.1 and saved["param_groups"][0]["params"] == [0]
    q = nn.Parameter(p.detach().clone())
    other = optim.Adam([q], lr=9.0, weight_decay=9.0)
    other.init_state()
    held = other.state[q]["exp_avg"]
    arrays = {name: t.numpy().copy() for name, t in saved["state"][0].items()}
    other.load_state_dict({"state": {0: arrays}, "param_groups": saved["param_groups"]})
    assert other.state[q]["exp_avg"] is held and held.any()
    for owner, method in ((p, optimizer), (q, other)):
        owner.grad = eager.tensor(GRADS[2])
        method.step()
    assert eager.equal(p, q)


def test_state_that_does_not_fit_is_refused_and_changes_nothing() -> None:
    p, optimizer = stepped({"lr": 0.1})
    saved = optimizer.state_dict()
    wrong = {"state": {0: {"exp_avg": np.zeros(3)}},
             "param_groups": [{**saved["param_groups"][0], "lr": 5.0}]}
    with pytest.raises(OpError, match=r"'exp_avg' of parameter 0: wanted f64\[2\], got .*\[3\]"):
        optimizer.load_state_dict(wrong)
    with pytest.raises(OpError, match=r"wanted groups of \[1\] parameters, got groups of \[2\]"):
        optimizer.load_state_dict({"state": {}, "param_groups": [{"params": [0, 1]}]})
    assert float(optimizer.param_groups[0]["lr"]) == 0.1 and optimizer.state[p]["exp_avg"].any()


def test_loading_no_state_is_a_fresh_start() -> None:
    p, optimizer = stepped({"lr": 0.1})
    optimizer.load_state_dict({"state": {}, "param_groups": [{"params": [0]}]})
    assert optimizer.state[p]["step"].item() == 0 and not optimizer.state[p]["exp_avg_sq"].any()


# --- under a recorder --------------------------------------------------------------------------
METHODS = [(optim.SGD, {"momentum": 0.9, "dampening": 0.1, "weight_decay": 0.1}),
           (optim.Adam, {"amsgrad": True}), (optim.AdamW, {})]


@pytest.mark.parametrize(("method", "settings"), METHODS)
def test_a_step_reads_no_data_and_does_the_same(method: Any, settings: dict[str, Any]) -> None:
    a, b = nn.Parameter(eager.tensor(START)), nn.Parameter(eager.tensor(START))
    mine, other = method([a], lr=0.1, **settings), method([b], lr=0.1, **settings)
    state = list(mine.traced_state())
    for g in GRADS:
        a.grad, b.grad = eager.tensor(g), eager.tensor(g)
        nn.utils.clip_grad_norm_([b], 1.0)
        other.step()
        with watched() as watcher:
            nn.utils.clip_grad_norm_([a], 1.0)
            mine.step()
        assert {id(t) for t in watcher.written} >= {
            id(t) for _, name, t in state if not name.startswith("group")}
    assert eager.equal(a, b)


def test_traced_state_exists_before_the_first_step() -> None:
    model = nn.Linear(2, 1)
    optimizer = optim.Adam(model.parameters(), lr=0.1, weight_decay=0.2)
    found = [(role, name) for role, name, _ in optimizer.traced_state()]
    state = ("step", "exp_avg", "exp_avg_sq")
    assert found == [
        ("parameter", "param.0"), *(("optimizer", f"state.0.{n}") for n in state),
        ("parameter", "param.1"), *(("optimizer", f"state.1.{n}") for n in state),
        ("optimizer", "group.0.lr"), ("optimizer", "group.0.weight_decay")]


def test_snapshot_brings_groups_and_state_back() -> None:
    p = nn.Parameter(eager.ones(2))
    optimizer = optim.Adam([p], lr=0.1)
    restore = optimizer.snapshot()
    moment, rate = optimizer.state[p]["exp_avg"], optimizer.param_groups[0]["lr"]
    optimizer.state[p]["exp_avg"] = eager.ones(2)
    optimizer.state[p]["new"] = eager.ones(2)
    dict.__setitem__(optimizer.param_groups[0], "lr", 3.0)
    optimizer.add_param_group({"params": [nn.Parameter(eager.ones(1))]})
    optimizer.extra = 1
    restore()
    assert optimizer.state[p]["exp_avg"] is moment and "new" not in optimizer.state[p]
    assert optimizer.param_groups[0]["lr"] is rate and len(optimizer.param_groups) == 1
    assert not hasattr(optimizer, "extra")


def test_repr_lists_the_settings() -> None:
    words = repr(optim.SGD([nn.Parameter(eager.ones(1))], lr=0.1))
    assert words.startswith("SGD (\nParameter Group 0\n    dampening: 0.0\n")
    assert "\n    lr: 0.1\n" in words
