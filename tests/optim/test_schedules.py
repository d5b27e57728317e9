"""Schedules: the rates they give and where they write them."""

from __future__ import annotations

import math
from typing import Any

import pytest

import eager
from eager import nn, optim
from eager.ops.errors import OpError
from eager.optim import lr_scheduler


def optimizer(*rates: float) -> optim.SGD:
    return optim.SGD([{"params": [nn.Parameter(eager.ones(1))], "lr": r} for r in rates], lr=1.0)


@pytest.mark.parametrize(("make", "rate"), [
    (lambda o: lr_scheduler.StepLR(o, 2, gamma=0.1), lambda t: 0.1 ** (t // 2)),
    (lambda o: lr_scheduler.MultiStepLR(o, [4, 1], gamma=0.5),
     lambda t: 0.5 ** ((t >= 1) + (t >= 4))),
    (lambda o: lr_scheduler.ExponentialLR(o, 0.9), lambda t: 0.9**t),
    (lambda o: lr_scheduler.LambdaLR(o, lambda t: 1 / (t + 1)), lambda t: 1 / (t + 1)),
    (lambda o: lr_scheduler.CosineAnnealingLR(o, 5),
     lambda t: (1 + math.cos(math.pi * t / 5)) / 2),
    (lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 3),
     lambda t: (1 + math.cos(math.pi * (t % 3) / 3)) / 2),
    (lambda o: lr_scheduler.MultiplicativeLR(o, lambda t: 0.9), lambda t: 0.9**t),
    (lambda o: lr_scheduler.ConstantLR(o, 0.5, 3), lambda t: 0.5 if t < 3 else 1.0),
    (lambda o: lr_scheduler.LinearLR(o, 0.2, 0.7, 5), lambda t: 0.2 + 0.1 * min(t, 5)),
    (lambda o: lr_scheduler.PolynomialLR(o, 4, 2.0), lambda t: (1 - min(t, 4) / 4) ** 2),
    (lambda o: lr_scheduler.ChainedScheduler([lr_scheduler.ExponentialLR(o, 0.5),
                                              lr_scheduler.ExponentialLR(o, 0.2)]),
     lambda t: 0.1**t)])
def test_rates(make: Any, rate: Any) -> None:
    owner = optimizer(0.4, 2.0)
    tensors = [g["lr"] for g in owner.param_groups]
    schedule = make(owner)
    for epoch in range(7):
        assert schedule.get_last_lr() == pytest.approx([0.4 * rate(epoch), 2.0 * rate(epoch)])
        assert [float(t) for t in tensors] == schedule.get_last_lr()
        schedule.step()


def test_cycles_move_rate_and_momentum_against_each_other() -> None:
    owner = optim.SGD([nn.Parameter(eager.ones(1))], lr=1.0, momentum=0.9)
    group = owner.param_groups[0]
    cyclic = lr_scheduler.CyclicLR(owner, 0.1, 0.5, step_size_up=2, base_momentum=0.7,
                                   max_momentum=0.9)
    seen = []
    for _ in range(5):
        seen.append((float(group["lr"]), group["momentum"]))
        cyclic.step()
    assert seen == [pytest.approx(pair) for pair in (
        (0.1, 0.9), (0.3, 0.8), (0.5, 0.7), (0.3, 0.8), (0.1, 0.9))]
    adam = optim.Adam([nn.Parameter(eager.ones(1))])
    once = lr_scheduler.OneCycleLR(adam, 1.0, total_steps=11, anneal_strategy="linear",
                                   pct_start=0.5, div_factor=10.0)
    for _ in range(10):
        once.step()
    assert float(adam.param_groups[0]["lr"]) == pytest.approx(0.1 / 1e4)
    assert adam.param_groups[0]["betas"] == (pytest.approx(0.95), 0.999)
    once.step()
    with pytest.raises(OpError, match="step 12 of a schedule of 11 steps"):
        once.step()


def test_a_plateau_lowers_the_rate() -> None:
    owner = optimizer(1.0)
    schedule = lr_scheduler.ReduceLROnPlateau(owner, patience=1, factor=0.5)
    for measure in (1.0, 0.5, 0.6, eager.tensor(0.6)):
        schedule.step(measure)
    assert schedule.get_last_lr() == [0.5] and schedule.best == 0.5


def test_a_sequence_changes_at_its_milestones() -> None:
    owner = optimizer(1.0)
    schedule = lr_scheduler.SequentialLR(owner, [
        lr_scheduler.ConstantLR(owner, 0.1, 2), lr_scheduler.ExponentialLR(owner, 0.5)], [2])
    seen = []
    for _ in range(5):
        seen += schedule.get_last_lr()
        schedule.step()
    assert seen == pytest.approx([0.1, 0.1, 1.0, 0.5, 0.25])


def test_refusals() -> None:
    owner = optimizer(1.0)
    for call, words in (
            (lambda: lr_scheduler.ConstantLR(owner, 2.0), r"factor lies in \[0, 1\]"),
            (lambda: lr_scheduler.OneCycleLR(owner, 1.0), "give total_steps"),
            (lambda: lr_scheduler.OneCycleLR(optim.Adagrad([nn.Parameter(eager.ones(1))]), 1.0,
                                             total_steps=3), "no momentum to cycle"),
            (lambda: lr_scheduler.CyclicLR(owner, 0.1, 1.0, mode="round"), "got 'round'"),
            (lambda: lr_scheduler.SequentialLR(owner, [], []), "no schedules"),
            (lambda: lr_scheduler.ChainedScheduler(
                [lr_scheduler.ExponentialLR(optimizer(1.0), 0.5)], owner), "another optimiser"),
            (lambda: lr_scheduler.StepLR("x", 1), "wanted an Optimizer, got str")):
        with pytest.raises(OpError, match=words):
            call()


def test_one_function_a_group() -> None:
    owner = optimizer(1.0, 1.0)
    schedule = lr_scheduler.LambdaLR(owner, [lambda t: 2.0, lambda t: 3.0])
    assert schedule.get_last_lr() == [2.0, 3.0]
    with pytest.raises(OpError, match="wanted one function or 2, got 1"):
        lr_scheduler.LambdaLR(owner, [lambda t: 2.0])


def test_a_schedule_resumes() -> None:
    first = lr_scheduler.StepLR(optimizer(1.0), 2)
    for _ in range(3):
        first.step()
    owner = optimizer(1.0)
    second = lr_scheduler.StepLR(owner, 2)
    second.load_state_dict(first.state_dict())
    assert second.get_last_lr() == first.get_last_lr() == pytest.approx([0.1])
    second.step()
    assert second.get_last_lr() == pytest.approx([0.01])


def test_last_epoch_wants_the_first_rates() -> None:
    with pytest.raises(OpError, match="load the optimiser's state first"):
        lr_scheduler.StepLR(optimizer(1.0), 2, last_epoch=3)
    old = optimizer(1.0)
    lr_scheduler.StepLR(old, 2)
    new = optimizer(1.0)
    new.load_state_dict(old.state_dict())
    assert lr_scheduler.StepLR(new, 2, last_epoch=3).get_last_lr() == pytest.approx([0.1])
