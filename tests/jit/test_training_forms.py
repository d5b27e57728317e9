"""Forms that training steps take: each is traced as what it does, or refused in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import eager
import eager.nn.functional as F
import jit
from eager import nn, optim
from eager.amp import GradScaler
from eager.autograd.checkpoint import checkpoint
from eager.engine.tensor import Tensor
from eager.nn.utils import clip_grad_norm_, clip_grad_value_, parametrizations
from eager.ops.errors import TraceError
from eager.optim import lr_scheduler, swa_utils
from jit.tracer import trace_graph
from tests.replay import Replay, agrees, close


def network() -> nn.Sequential:
    eager.manual_seed(3)
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).double()


def batch(*shape: int) -> Tensor:
    return eager.tensor(np.random.default_rng(len(shape)).normal(size=shape))


def trained(model: Any, optimizer: Any, x: Tensor, before: Callable[[], Any] = lambda: None
            ) -> Tensor:
    optimizer.zero_grad()
    loss = model(x).square().sum()
    loss.backward()
    before()
    optimizer.step()
    return loss


# --- right -------------------------------------------------------------------------------------
def clipped(norm: float) -> Any:
    def make(model: Any) -> Any:
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        return lambda x: trained(model, optimizer, x,
                                 lambda: clip_grad_norm_(model.parameters(), 0.5, norm))
    return make


def clipped_by_value(model: Any) -> Any:
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    return lambda x: trained(model, optimizer, x,
                             lambda: clip_grad_value_(model.parameters(), 0.05))


def groups_with_decays(model: Any) -> Any:
    optimizer = optim.AdamW([
        {"params": [model[0].weight, model[2].weight], "weight_decay": 0.1},
        {"params": [model[0].bias, model[2].bias], "weight_decay": 0.0, "lr": 0.03}], lr=0.1)
    return lambda x: trained(model, optimizer, x)


def two_optimizers(model: Any) -> Any:
    first = optim.AdamW(model[0].parameters(), lr=0.1)
    second = optim.SGD(model[2].parameters(), lr=0.01)
    return lambda x: trained(model, first, x, second.step)


def a_frozen_layer(model: Any) -> Any:
    model[0].weight.requires_grad_(False)
    optimizer = optim.AdamW(model.parameters(), lr=0.1)
    return lambda x: trained(model, optimizer, x)


def hooks(model: Any) -> Any:
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    model[0].weight.register_hook(lambda g: g * 2)
    return lambda x: trained(model, optimizer, x)


def a_closure(model: Any) -> Any:
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def step(x: Tensor) -> Any:
        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = model(x).square().sum()
            loss.backward()
            return loss
        return optimizer.step(closure)

    return step


def microbatches(model: Any) -> Any:
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def step(x: Tensor) -> Any:
        optimizer.zero_grad()
        total: Any = 0.0
        for part in x.chunk(3):
            loss = model(part).square().mean() / 3
            loss.backward()
            total = total + loss.detach()
        optimizer.step()
        return total

    return step


def a_rate_written_inside(model: Any) -> Any:
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def step(x: Tensor) -> Any:
        loss = trained(model, optimizer, x)
        optimizer.param_groups[0]["lr"] *= 0.9
        return loss

    return step


def averages(multi: Any, **settings: Any) -> Any:
    def make(model: Any) -> Any:
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        mean = swa_utils.AveragedModel(model, multi_avg_fn=multi, **settings)

        def step(x: Tensor) -> Any:
            loss = trained(model, optimizer, x)
            mean.update_parameters(model)
            return loss

        return step
    return make


def shadows_by_foreach(model: Any) -> Any:
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    shadows = [p.detach().clone() for p in model.parameters()]

    def step(x: Tensor) -> Any:
        loss = trained(model, optimizer, x)
        with eager.no_grad():
            eager._foreach_lerp_(shadows, list(model.parameters()), 0.1)
        return loss

    return step


def a_penalty_on_gradients(model: Any) -> Any:
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def step(x: Tensor) -> Any:
        optimizer.zero_grad()
        x = x.detach().requires_grad_()
        slope, = eager.autograd.grad(model(x).sum(), x, create_graph=True)
        loss = (slope.norm(dim=1) - 1).square().mean()
        loss.backward()
        optimizer.step()
        return loss

    return step


def parametrized(how: Any) -> Any:
    def make(model: Any) -> Any:
        how(model[0])
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        return lambda x: trained(model, optimizer, x)
    return make


def recomputed(model: Any) -> Any:
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    return lambda x: trained(lambda y: checkpoint(model, y, use_reentrant=False), optimizer, x)


def a_scaler_that_is_off(model: Any) -> Any:
    optimizer, scaler = optim.SGD(model.parameters(), lr=0.1), GradScaler(enabled=False)

    def step(x: Tensor) -> Any:
        optimizer.zero_grad()
        loss = model(x).square().sum()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss

    return step


def dropped_out(model: Any) -> Any:
    optimizer = optim.RMSprop(model.parameters(), lr=0.01)

    def noisy(x: Tensor) -> Tensor:
        return F.dropout(model(x + 0.1 * eager.randn_like(x)), 0.3)

    return lambda x: trained(noisy, optimizer, x)


RIGHT: dict[str, Any] = {
    **{f"norm of order {n}": clipped(n) for n in (1.0, 2.0, float("inf"))},
    **{f.__name__: f for f in (
        clipped_by_value, groups_with_decays, two_optimizers, a_frozen_layer, hooks, a_closure,
        microbatches, a_rate_written_inside, shadows_by_foreach, a_penalty_on_gradients,
        recomputed, a_scaler_that_is_off, dropped_out)},
    "mean of weights": averages(None), "with buffers": averages(None, use_buffers=True),
    "moving mean": averages(swa_utils.get_ema_multi_avg_fn(0.9)),
    "weight norm": parametrized(parametrizations.weight_norm),
    "spectral norm": parametrized(parametrizations.spectral_norm),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right(name: str) -> None:
    traced = agrees(RIGHT[name](network()), *[(batch(6, 4),)] * 3, rtol=1e-10, atol=1e-12)
    assert any(i.role == "parameter" for i, _ in traced.graph.updates)


def test_random_streams_at_a_dynamic_batch() -> None:
    model = network()
    dims = {"x": {0: jit.Dim("batch", max=64)}}
    agrees(dropped_out(model), *[(batch(n, 4),) for n in (1, 5, 2)], rtol=1e-10, atol=1e-12,
           dynamic_shapes=dims)


# --- refused in words --------------------------------------------------------------------------
def a_strict_clip(model: Any) -> Any:
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    return lambda x: trained(model, optimizer, x, lambda: clip_grad_norm_(
        model.parameters(), 1.0, error_if_nonfinite=True))


def a_scaler(model: Any) -> Any:
    optimizer, scaler = optim.SGD(model.parameters(), lr=0.1), GradScaler()

    def step(x: Tensor) -> None:
        scaler.scale(model(x).sum()).backward()
        scaler.step(optimizer)

    return step


def a_line_search(model: Any) -> Any:
    optimizer = optim.LBFGS(model.parameters())
    return lambda x: optimizer.step(lambda: model(x).sum())


def a_plateau(model: Any) -> Any:
    schedule = lr_scheduler.ReduceLROnPlateau(optim.SGD(model.parameters(), lr=0.1))
    return lambda x: schedule.step(model(x).sum())


REFUSED = [(a_strict_clip, "return the norm"), (a_scaler, "enabled=False"),
           (a_line_search, "depends on the data"), (a_plateau, "outside of the traced function")]


@pytest.mark.parametrize(("make", "words"), REFUSED)
def test_refused(make: Any, words: str) -> None:
    with pytest.raises(TraceError, match=words):
        trace_graph(make(network()), (batch(6, 4),))


# --- schedules ---------------------------------------------------------------------------------
SCHEDULES: dict[str, dict[str, Any]] = {
    "StepLR": {"step_size": 2}, "MultiStepLR": {"milestones": [1, 3]},
    "ExponentialLR": {"gamma": 0.7}, "LinearLR": {"total_iters": 3},
    "ConstantLR": {"total_iters": 2}, "CosineAnnealingLR": {"T_max": 3},
    "CosineAnnealingWarmRestarts": {"T_0": 2}, "PolynomialLR": {"total_iters": 4},
    "LambdaLR": {"lr_lambda": lambda k: 0.8**k},
    "MultiplicativeLR": {"lr_lambda": lambda k: 0.9},
    "CyclicLR": {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 2, "cycle_momentum": False},
    "OneCycleLR": {"max_lr": 0.2, "total_steps": 6, "cycle_momentum": False},
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_between_steps_is_seen(name: str) -> None:
    """One trace; the rate that it reads is the optimiser's tensor, which the schedule writes."""
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    schedule = getattr(lr_scheduler, name)(optimizer, **SCHEDULES[name])

    def step(x: Tensor) -> Tensor:
        return trained(model, optimizer, x)

    replay = Replay(trace_graph(step, (batch(6, 4),)))
    rate, rates = optimizer.param_groups[0]["lr"], set()
    for _ in range(4):
        replay.state["group.0.lr"][...] = rate._array
        close(replay(batch(6, 4)), step(batch(6, 4)).detach(), 1e-10, 1e-12)
        rates.add(float(rate))
        schedule.step()
    assert len(rates) > 1 and optimizer.param_groups[0]["lr"] is rate
