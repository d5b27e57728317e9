"""Steps of training: gradients, optimisers, schedules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import eager
from eager import nn, optim
from tests.liars.table import Liar, Made, nothing

Step = Callable[[nn.Module, Any, Any], Any]


def forward(model: nn.Module, x: Any) -> Any:
    return model(x).square().mean()


def step(model: nn.Module, optimizer: Any, x: Any) -> Any:
    optimizer.zero_grad()
    loss = forward(model, x)
    loss.backward()
    optimizer.step()
    return loss.detach(), model.weight.detach() * 1.0


def clipped(model: nn.Module, optimizer: Any, x: Any) -> Any:
    optimizer.zero_grad()
    forward(model, x).backward()
    norm = nn.utils.clip_grad_norm_(model.parameters(), 0.1)
    optimizer.step()
    return norm, model.weight.detach() * 1.0


def accumulated(model: nn.Module, optimizer: Any, x: Any) -> Any:
    optimizer.zero_grad()
    for part in x.chunk(2):
        (forward(model, part) / 2).backward()
    optimizer.step()
    return model.weight.detach() * 1.0


def never_cleared(model: nn.Module, optimizer: Any, x: Any) -> Any:
    forward(model, x).backward()
    optimizer.step()
    return model.weight.detach() * 1.0


def penalised(model: nn.Module, optimizer: Any, x: Any) -> Any:
    x = x.clone().requires_grad_()
    slope, = eager.autograd.grad(forward(model, x), [x], create_graph=True)
    optimizer.zero_grad()
    slope.square().sum().backward()
    optimizer.step()
    return model.weight.detach() * 1.0


def training(one: Step, optimizer: Callable[[Any], Any] = lambda p: optim.SGD(p, lr=0.1),
             change: Callable[[nn.Module, Any], Any] = lambda model, optimizer: None,
             ) -> Callable[[], Made]:
    """A step of a linear model's training."""
    def make() -> Made:
        model = nn.Linear(3, 3)
        chosen = optimizer(model.parameters())
        return lambda x: one(model, chosen, x), lambda: change(model, chosen)
    return make


def scheduled(inside: bool) -> Callable[[], Made]:
    def make() -> Made:
        model = nn.Linear(3, 3)
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        schedule = optim.lr_scheduler.StepLR(optimizer, 1, 0.5)

        def fn(x: Any) -> Any:
            out = step(model, optimizer, x)
            if inside:
                schedule.step()
            return out

        return fn, nothing if inside else schedule.step
    return make


def tied_step() -> Made:
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    model = nn.Sequential(first, second)
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def fn(x: Any) -> Any:
        optimizer.zero_grad()
        forward(model, x).backward()
        optimizer.step()
        return first.weight.detach() * 1.0

    return fn, nothing


def set_setting(name: str, value: Any) -> Callable[[nn.Module, Any], Any]:
    return lambda model, optimizer: optimizer.param_groups[0].__setitem__(name, value)


def freeze(model: nn.Module, optimizer: Any) -> None:
    model.bias.requires_grad_(False)


ROWS = ((4, 3),)
LIARS = (
    Liar("a step of SGD", training(step), shapes=ROWS),
    Liar("a step with momentum", training(
        step, lambda p: optim.SGD(p, lr=0.1, momentum=0.9)), shapes=ROWS),
    Liar("a step of Adam", training(step, lambda p: optim.Adam(p, lr=0.1)), shapes=ROWS),
    Liar("a step of AdamW", training(step, lambda p: optim.AdamW(p, lr=0.1)), shapes=ROWS),
    Liar("a learning rate that changes", training(step, change=set_setting("lr", 0.5)),
         shapes=ROWS),
    Liar("a momentum that changes", training(
        step, lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
        set_setting("momentum", 0.1)), False, shapes=ROWS),
    Liar("a parameter that is frozen", training(step, change=freeze), False, shapes=ROWS),
    Liar("clipping", training(clipped), shapes=ROWS),
    Liar("gradients of two halves", training(accumulated), shapes=ROWS),
    Liar("gradients that are never cleared", training(never_cleared), shapes=ROWS),
    Liar("a penalty on slopes", training(penalised), shapes=ROWS),
    Liar("a schedule outside", scheduled(False), shapes=ROWS),
    Liar("a schedule inside", scheduled(True), False, shapes=ROWS),
    Liar("a step of tied weights", tied_step, shapes=ROWS),
)
