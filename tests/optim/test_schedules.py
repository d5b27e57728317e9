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
     lambda t: (1 + math.cos(math.pi * t / 5)) / 2)])
def test_rates(make: Any, rate: Any) -> None:
    owner = optimizer(0.4, 2.0)
    tensors = [g["lr"] for g in owner.param_groups]
    schedule = make(owner)
    for epoch in range(7):
        assert schedule.get_last_lr() == pytest.approx([0.4 * rate(epoch), 2.0 * rate(epoch)])
        assert [float(t) for t in tensors] == schedule.get_last_lr()
        schedule.step()


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
    assert lr_scheduler.StepLR(new, 2, last_epoch=3).get_last_lr() == pytest.approx([0.01])
