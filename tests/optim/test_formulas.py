"""The further methods by their formulas in NumPy, their hooks and names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import eager
from eager import nn, optim
from eager.ops.errors import OpError

Array = np.ndarray[Any, Any]
START = np.array([1.0, -2.0])
GRADS = [np.array([0.5, -1.0]), np.array([-0.2, 3.0]), np.array([1.0, 0.1])]


def run(make: Any, **settings: Any) -> Array:
    p = nn.Parameter(eager.tensor(START))
    optimizer = make([p], **settings)
    for g in GRADS:
        p.grad = eager.tensor(g)
        optimizer.step()
    found: Array = p.detach().numpy()
    return found


def adagrad() -> Iterator[Array]:
    total = np.full(2, 0.5)
    for t, g in enumerate(GRADS):
        total = total + g * g
        yield -0.1 / (1 + 0.2 * t) * g / (np.sqrt(total) + 1e-10)


def rmsprop() -> Iterator[Array]:
    square, mean, velocity = np.zeros(2), np.zeros(2), np.zeros(2)
    for g in GRADS:
        square, mean = 0.9 * square + 0.1 * g * g, 0.9 * mean + 0.1 * g
        velocity = 0.5 * velocity + g / (np.sqrt(square - mean * mean) + 1e-8)
        yield -0.1 * velocity


def adadelta() -> Iterator[Array]:
    square, moved = np.zeros(2), np.zeros(2)
    for g in GRADS:
        square = 0.9 * square + 0.1 * g * g
        delta = np.sqrt(moved + 1e-6) / np.sqrt(square + 1e-6) * g
        moved = 0.9 * moved + 0.1 * delta * delta
        yield -delta


def adamax() -> Iterator[Array]:
    mean, top = np.zeros(2), np.zeros(2)
    for t, g in enumerate(GRADS, 1):
        mean = 0.9 * mean + 0.1 * g
        top = np.maximum(0.999 * top, np.abs(g) + 1e-8)
        yield -0.1 / (1 - 0.9**t) * mean / top


def rprop() -> Iterator[Array]:
    size, before = np.full(2, 0.1), np.zeros(2)
    for g in GRADS:
        turn = np.sign(g * before)
        size = size * np.where(turn > 0, 1.2, np.where(turn < 0, 0.5, 1.0))
        before = np.where(turn < 0, 0.0, g)
        yield -np.sign(before) * size


def radam() -> Iterator[Array]:
    mean = np.zeros(2)  # too early for the variance: plain momentum
    for t, g in enumerate(GRADS, 1):
        mean = 0.9 * mean + 0.1 * g
        yield -0.1 * mean / (1 - 0.9**t)


@pytest.mark.parametrize(("method", "moves", "settings"), [
    (optim.Adagrad, adagrad,
     {"lr": 0.1, "lr_decay": 0.2, "initial_accumulator_value": 0.5}),
    (optim.RMSprop, rmsprop, {"lr": 0.1, "alpha": 0.9, "momentum": 0.5, "centered": True}),
    (optim.Adadelta, adadelta, {}), (optim.Adamax, adamax, {"lr": 0.1}),
    (optim.Rprop, rprop, {"lr": 0.1}), (optim.RAdam, radam, {"lr": 0.1})])
def test_the_formula(method: Any, moves: Any, settings: dict[str, Any]) -> None:
    np.testing.assert_allclose(run(method, **settings), START + sum(moves()), rtol=1e-11)


def test_muon_moves_along_an_orthogonal_matrix() -> None:
    p = nn.Parameter(eager.zeros(5, 3, dtype="float64"))
    p.grad = eager.tensor(np.random.default_rng(0).normal(size=(5, 3)))
    optim.Muon([p], lr=1.0, weight_decay=0.0, adjust_lr_fn="original").step()
    sizes = np.linalg.svd(p.detach().numpy() / np.sqrt(5 / 3), compute_uv=False)
    assert ((sizes > 0.6) & (sizes < 1.3)).all()


def test_lbfgs_finds_the_bottom_of_a_curved_valley() -> None:
    p = nn.Parameter(eager.tensor([-1.2, 1.0], dtype="float64"))
    optimizer = optim.LBFGS([p], max_iter=100, line_search_fn="strong_wolfe")

    def rosenbrock() -> Any:
        optimizer.zero_grad()
        loss = (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2
        loss.backward()
        return loss

    optimizer.step(rosenbrock)
    np.testing.assert_allclose(p.detach().numpy(), [1, 1], atol=1e-4)  # where torch stops too
    other = optim.LBFGS([p], line_search_fn="strong_wolfe")
    other.load_state_dict(optimizer.state_dict())
    assert other.memory["n_iter"] == optimizer.memory["n_iter"] > 5
    with pytest.raises(OpError, match=r"wants a function"):
        optimizer.step()


def test_hooks_see_steps_and_state() -> None:
    p = nn.Parameter(eager.ones(1))
    p.grad = eager.ones(1)
    optimizer = optim.SGD([p], lr=0.5)
    seen: list[Any] = []
    before = optimizer.register_step_pre_hook(lambda o, args, kwargs: seen.append(p.item()))
    optimizer.register_step_post_hook(lambda o, args, kwargs: seen.append(p.item()))
    optimizer.step()
    before.remove()
    optimizer.step()
    assert seen == [1.0, 0.5, 0.0]
    optimizer.register_state_dict_post_hook(lambda o, state: {**state, "extra": 1})
    optimizer.register_state_dict_post_hook(lambda o, state: {**state, "first": "extra" in state},
                                            prepend=True)
    found = optimizer.state_dict()
    assert found["extra"] == 1 and found["first"] is False
    optimizer.register_load_state_dict_pre_hook(lambda o, state: {**state, "param_groups": [
        {"params": [0], "lr": 7.0}]})
    optimizer.load_state_dict(found)
    assert float(optimizer.param_groups[0]["lr"]) == 7.0


def test_parameters_may_have_names() -> None:
    model = nn.Linear(2, 1)
    optimizer = optim.Adam(model.named_parameters(), lr=eager.tensor(0.1))
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]
    assert float(optimizer.param_groups[0]["lr"]) == pytest.approx(0.1)
    for params in ({model.weight}, [model.weight, ("b", model.bias)]):
        with pytest.raises(OpError):
            optim.SGD([{"params": params}], lr=0.1)


def test_settings_of_a_loaded_state_say_which_state_there_is() -> None:
    p = nn.Parameter(eager.ones(2))
    p.grad = eager.ones(2)
    saved = optim.SGD([p], lr=0.1, momentum=0.9)
    saved.step()
    plain = optim.SGD([p], lr=0.1)
    plain.load_state_dict(saved.state_dict())
    assert plain.state[p]["momentum_buffer"].tolist() == [1, 1]
    assert plain.param_groups[0]["momentum"] == 0.9


def test_momentum_may_be_set_later() -> None:
    p = nn.Parameter(eager.zeros(1))
    p.grad = eager.ones(1)
    optimizer = optim.SGD([p], lr=1.0)
    optimizer.step()
    optimizer.param_groups[0]["momentum"] = 0.5
    optimizer.step()
    optimizer.step()
    assert p.item() == -1 - 1 - 1.5
