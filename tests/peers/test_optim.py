"""Optimisers and schedules against torch, step by step from the same state."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eager
from eager import nn, optim

torch = pytest.importorskip("torch")

METHODS = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.4}),
    ("SGD", {"lr": 0.003, "maximize": True}),
    ("Adam", {"lr": 0.01}),
    ("Adam", {"lr": 0.01, "weight_decay": 0.1, "betas": (0.8, 0.95), "eps": 1e-4}),
    ("Adam", {"lr": 0.01, "amsgrad": True}),
    ("AdamW", {"lr": 0.01}),
    ("AdamW", {"lr": 0.01, "weight_decay": 0.3, "maximize": True}),
]


def problem(dtype: str) -> tuple[Any, Any, list[Any]]:
    """The same network of both and batches for it."""
    ours = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3)).to(dtype)
    theirs = torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))
    theirs = theirs.to(getattr(torch, dtype))
    theirs.load_state_dict({k: torch.tensor(v.numpy()) for k, v in ours.state_dict().items()})
    rng = np.random.default_rng(0)
    return ours, theirs, [rng.normal(size=(6, 5)).astype(dtype) for _ in range(30)]


def step(model: Any, optimizer: Any, batch: Any) -> float:
    optimizer.zero_grad()
    loss = (model(batch) - batch[:, :3]).square().mean()
    loss.backward()
    optimizer.step()
    return float(loss.item())


def compare(ours: Any, theirs: Any, tolerance: float) -> None:
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=tolerance,
                                   atol=tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-8), ("float32", 2e-5)])
@pytest.mark.parametrize(("name", "settings"), METHODS)
def test_trajectory(name: str, settings: dict[str, Any], dtype: str, tolerance: float) -> None:
    ours, theirs, batches = problem(dtype)
    mine = getattr(optim, name)(ours.parameters(), **settings)
    other = getattr(torch.optim, name)(theirs.parameters(), **settings)
    for batch in batches:
        loss = step(ours, mine, eager.tensor(batch))
        assert loss == pytest.approx(step(theirs, other, torch.tensor(batch)), rel=1e-5)
    compare(ours, theirs, tolerance)


@pytest.mark.parametrize(("name", "settings"), METHODS)
def test_state_goes_to_torch_and_back(name: str, settings: dict[str, Any]) -> None:
    ours, theirs, batches = problem("float64")
    mine = getattr(optim, name)(ours.parameters(), **settings)
    other = getattr(torch.optim, name)(theirs.parameters(), **{**settings, "lr": 9.0})
    for batch in batches[:5]:
        step(ours, mine, eager.tensor(batch))
    state = mine.state_dict()
    state["state"] = {k: {n: torch.tensor(t.numpy()) for n, t in s.items()}
                      for k, s in state["state"].items()}
    other.load_state_dict(state)
    theirs.load_state_dict({k: torch.tensor(v.numpy()) for k, v in ours.state_dict().items()})
    for batch in batches[5:10]:
        step(ours, mine, eager.tensor(batch))
        step(theirs, other, torch.tensor(batch))
    compare(ours, theirs, 1e-8)

    fresh = getattr(optim, name)(ours.parameters(), **settings)
    fresh.load_state_dict(other.state_dict())
    for batch in batches[10:15]:
        step(ours, fresh, eager.tensor(batch))
        step(theirs, other, torch.tensor(batch))
    compare(ours, theirs, 1e-8)


SCHEDULES = [
    ("StepLR", {"step_size": 3, "gamma": 0.5}), ("CosineAnnealingLR", {"T_max": 7}),
    ("CosineAnnealingLR", {"T_max": 4, "eta_min": 0.01}), ("ExponentialLR", {"gamma": 0.9}),
    ("MultiStepLR", {"milestones": [2, 5], "gamma": 0.3}),
    ("LambdaLR", {"lr_lambda": lambda epoch: 1 / (1 + epoch)}),
]


@pytest.mark.parametrize(("name", "settings"), SCHEDULES)
def test_schedule(name: str, settings: dict[str, Any]) -> None:
    ours, theirs, batches = problem("float64")
    mine = optim.SGD([{"params": [p]} for p in ours.parameters()], lr=0.1)
    other = torch.optim.SGD([{"params": [p]} for p in theirs.parameters()], lr=0.1)
    schedule = getattr(optim.lr_scheduler, name)(mine, **settings)
    wanted = getattr(torch.optim.lr_scheduler, name)(other, **settings)
    for batch in batches[:12]:
        np.testing.assert_allclose(schedule.get_last_lr(), wanted.get_last_lr(), rtol=1e-12,
                                   atol=1e-12)
        step(ours, mine, eager.tensor(batch))
        step(theirs, other, torch.tensor(batch))
        schedule.step()
        wanted.step()
    compare(ours, theirs, 1e-8)
