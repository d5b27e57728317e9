"""Optimisers and schedules against torch, step by step from the same state."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

import eager
from eager import nn, optim
from tests.optim.trajectories import METHODS

torch = pytest.importorskip("torch")

def problem(dtype: str) -> tuple[Any, Any, list[Any]]:
    """The same network of both and batches for it."""
    ours = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3)).to(dtype)
    theirs = torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))
    theirs = theirs.to(getattr(torch, dtype))
    theirs.load_state_dict({k: torch.tensor(v.numpy()) for k, v in ours.state_dict().items()})
    rng = np.random.default_rng(0)
    return ours, theirs, [rng.normal(size=(6, 5)).astype(dtype) for _ in range(20)]


def step(model: Any, optimizer: Any, batch: Any) -> float:
    optimizer.zero_grad()
    loss = (model(batch) - batch[:, :3]).square().mean()
    loss.backward()
    optimizer.step()
    return float(loss.item())


def test_lbfgs() -> None:
    for settings in ({"max_iter": 8}, {"lr": 0.5, "history_size": 3, "max_iter": 12},
                     {"line_search_fn": "strong_wolfe"}):
        ours, theirs, batches = problem("float64")
        mine = optim.LBFGS(ours.parameters(), **settings)
        other = torch.optim.LBFGS(theirs.parameters(), **settings)

        def closure(model: Any, optimizer: Any, x: Any) -> Any:
            optimizer.zero_grad()
            loss = (model(x) - x[:, :3]).square().mean()
            loss.backward()
            return loss

        for _ in range(4):
            x = batches[0]
            a = mine.step(partial(closure, ours, mine, eager.tensor(x)))
            b = other.step(partial(closure, theirs, other, torch.tensor(x)))
            assert float(a.detach()) == pytest.approx(float(b.detach()), rel=1e-9)
        compare(ours, theirs, 1e-6)
        assert mine.state_dict()["state"][0]["func_evals"] == (
            other.state_dict()["state"][0]["func_evals"])


@pytest.mark.parametrize("settings", [
    {}, {"nesterov": False, "adjust_lr_fn": "match_rms_adamw", "weight_decay": 0.3}])
def test_muon_agrees_to_the_precision_of_bfloat16(settings: dict[str, Any]) -> None:
    start = np.random.default_rng(1).normal(size=(6, 4))
    p, q = nn.Parameter(eager.tensor(start)), torch.nn.Parameter(torch.tensor(start))
    mine = optim.Muon([p], lr=0.02, **settings)
    other = torch.optim.Muon([q], lr=0.02, **settings)
    for k in range(5):
        g = np.random.default_rng(k).normal(size=(6, 4))
        p.grad, q.grad = eager.tensor(g), torch.tensor(g)
        mine.step()
        other.step()
    np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), atol=5e-3)
    assert np.abs(p.detach().numpy() - start).max() > 0.05


def compare(ours: Any, theirs: Any, tolerance: float) -> None:
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=tolerance,
                                   atol=tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 5e-5)])
@pytest.mark.parametrize(("name", "settings"), METHODS)
def test_trajectory(name: str, settings: dict[str, Any], dtype: str, tolerance: float) -> None:
    ours, theirs, batches = problem(dtype)
    mine = getattr(optim, name)(ours.parameters(), **settings)
    other = getattr(torch.optim, name)(theirs.parameters(), **settings)
    for batch in batches:
        loss = step(ours, mine, eager.tensor(batch))
        assert loss == pytest.approx(step(theirs, other, torch.tensor(batch)), rel=1e-3)
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


SCHEDULES: list[tuple[str, dict[str, Any]]] = [
    ("StepLR", {"step_size": 3, "gamma": 0.5}), ("CosineAnnealingLR", {"T_max": 7}),
    ("CosineAnnealingLR", {"T_max": 4, "eta_min": 0.01}), ("ExponentialLR", {"gamma": 0.9}),
    ("MultiStepLR", {"milestones": [2, 5, 5], "gamma": 0.3}),
    ("LambdaLR", {"lr_lambda": lambda epoch: 1 / (1 + epoch)}),
    ("MultiplicativeLR", {"lr_lambda": lambda epoch: 0.9 + epoch / 100}),
    ("ConstantLR", {}), ("ConstantLR", {"factor": 0.5, "total_iters": 3}),
    ("LinearLR", {}), ("LinearLR", {"start_factor": 0.2, "end_factor": 0.6, "total_iters": 7}),
    ("PolynomialLR", {}), ("PolynomialLR", {"total_iters": 9, "power": 2.0}),
    ("CosineAnnealingWarmRestarts", {"T_0": 4}),
    ("CosineAnnealingWarmRestarts", {"T_0": 2, "T_mult": 2, "eta_min": 0.01}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.2, "step_size_up": 3}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.2, "step_size_up": 3, "step_size_down": 5,
                  "mode": "triangular2", "cycle_momentum": False}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.2, "step_size_up": 2, "mode": "exp_range",
                  "gamma": 0.9}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.2, "step_size_up": 2,
                  "scale_fn": lambda x: 1 / (1 + x), "scale_mode": "iterations"}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 14}),
    ("OneCycleLR", {"max_lr": 0.5, "epochs": 7, "steps_per_epoch": 2, "anneal_strategy": "linear",
                    "three_phase": True, "pct_start": 0.4, "div_factor": 10.0}),
]


def both_optimizers() -> tuple[Any, Any]:
    """Two groups with momentum, of both libraries."""
    ours = [nn.Parameter(eager.ones(1)) for _ in range(2)]
    theirs = [torch.nn.Parameter(torch.ones(1)) for _ in range(2)]
    for p, q in zip(ours, theirs, strict=True):
        p.grad, q.grad = eager.ones(1), torch.ones(1)
    return (optim.SGD([{"params": [ours[0]], "lr": 0.3}, {"params": [ours[1]]}], lr=0.1,
                      momentum=0.9),
            torch.optim.SGD([{"params": [theirs[0]], "lr": 0.3}, {"params": [theirs[1]]}],
                            lr=0.1, momentum=0.9))


def follow(schedule: Any, wanted: Any, steps: int = 12, measures: Any = None) -> None:
    """Both go on in step; rates and momentums are equal throughout."""
    for k in range(steps):
        np.testing.assert_allclose(schedule.get_last_lr(), wanted.get_last_lr(), rtol=1e-12,
                                   atol=1e-15)
        for ours, theirs in zip(schedule.optimizer.param_groups, wanted.optimizer.param_groups,
                                strict=True):
            np.testing.assert_allclose(float(ours["lr"]), theirs["lr"], rtol=1e-12, atol=1e-15)
            np.testing.assert_allclose(ours["momentum"], theirs["momentum"], rtol=1e-12)
        schedule.optimizer.step()
        wanted.optimizer.step()
        args = () if measures is None else (measures[k],)
        schedule.step(*args)
        wanted.step(*args)


@pytest.mark.parametrize(("name", "settings"), SCHEDULES)
def test_schedule(name: str, settings: dict[str, Any]) -> None:
    mine, other = both_optimizers()
    schedule = getattr(optim.lr_scheduler, name)(mine, **settings)
    wanted = getattr(torch.optim.lr_scheduler, name)(other, **settings)
    follow(schedule, wanted)
    state = schedule.state_dict()
    fresh, _ = both_optimizers()
    again = getattr(optim.lr_scheduler, name)(fresh, **settings)
    again.load_state_dict(state)
    assert again.get_last_lr() == schedule.get_last_lr()
    if name != "OneCycleLR":
        for s in (schedule, again):
            s.step()
        np.testing.assert_allclose(again.get_last_lr(), schedule.get_last_lr(), rtol=1e-12)


@pytest.mark.parametrize("settings", [
    {"patience": 1}, {"mode": "max", "patience": 2, "threshold": 0.2, "threshold_mode": "abs"},
    {"patience": 0, "cooldown": 2, "factor": 0.5, "min_lr": [0.05, 0.01]}])
def test_plateau(settings: dict[str, Any]) -> None:
    mine, other = both_optimizers()
    follow(optim.lr_scheduler.ReduceLROnPlateau(mine, **settings),
           torch.optim.lr_scheduler.ReduceLROnPlateau(other, **settings), 14,
           [3.0, 2.0, 2.0, 2.1, 1.9, 1.9, 1.9, 2.0, 2.5, 1.0, 1.0, 1.0, 1.0, 1.0])


def test_warm_up_and_then_a_cosine() -> None:
    def made(lib: Any, optimizer: Any) -> Any:
        s = lib.lr_scheduler
        return s.SequentialLR(optimizer, [s.LinearLR(optimizer, 0.1, total_iters=3),
                                          s.CosineAnnealingLR(optimizer, 6),
                                          s.ExponentialLR(optimizer, 0.5)], [3, 9])

    mine, other = both_optimizers()
    schedule = made(optim, mine)
    follow(schedule, made(torch.optim, other), 12)
    again = made(optim, both_optimizers()[0])
    again.load_state_dict(schedule.state_dict())
    for s in (schedule, again):
        s.step()
    assert again.get_last_lr() == schedule.get_last_lr()


def test_schedules_chained() -> None:
    def made(lib: Any, optimizer: Any) -> Any:
        s = lib.lr_scheduler
        return s.ChainedScheduler([s.ConstantLR(optimizer, 0.1, 4),
                                   s.ExponentialLR(optimizer, 0.9),
                                   s.CosineAnnealingLR(optimizer, 5, eta_min=0.001)])

    mine, other = both_optimizers()
    follow(made(optim, mine), made(torch.optim, other), 14)
