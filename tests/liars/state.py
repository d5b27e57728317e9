"""Tensors that are written, shared, and looked into."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import eager
from eager import nn
from eager.engine.tensor import Tensor
from eager.nn import functional as F
from tests.liars.table import Liar, Made, nothing, plain


class Pair(NamedTuple):
    left: Any
    right: Any


def captured() -> Made:
    held = eager.tensor([1.0, 2.0, 3.0])
    return lambda x: x + held, lambda: held.fill_(5.0)


def captured_and_written() -> Made:
    held = eager.tensor([1.0, 2.0, 3.0])
    return lambda x: held.mul_(2.0) + x, lambda: held.fill_(0.5)


def parameters() -> Made:
    model = nn.Linear(3, 3)

    def change() -> None:
        with eager.no_grad():
            model.weight.fill_(0.5)

    return lambda x: model(x).detach(), change


def running() -> Made:
    model = nn.BatchNorm1d(3)
    return lambda x: model(x).detach(), nothing


def data_written() -> Made:
    model = nn.Linear(3, 3)

    def fn(x: Any) -> Any:
        model.weight.data.mul_(0.5)
        return model(x).detach()

    return fn, nothing


def average() -> Made:
    model = nn.Linear(3, 3)
    shadow = model.weight.detach().clone()

    def fn(x: Any) -> Any:
        shadow.mul_(0.9).add_(model.weight.detach(), alpha=0.1)
        return x @ shadow

    return fn, nothing


def cache() -> Made:
    keys, at = eager.zeros(8, 3), eager.zeros((), dtype=eager.int64)

    def fn(x: Any) -> Any:
        here = eager.arange(8) == at
        keys.copy_(eager.where(here[:, None], x, keys))
        at.add_(1)
        return keys.sum(0)

    return fn, nothing


def ring() -> Made:
    held = eager.zeros(4, 3)

    def fn(x: Any) -> Any:
        held.copy_(eager.roll(held, 1, 0))
        held[0] = x
        return held.mean(0)

    return fn, nothing


def view_outside() -> Made:
    base = eager.arange(12).float().reshape(4, 3)
    row = base[1]

    def fn(x: Any) -> Any:
        row.add_(x)
        return base.sum(0)

    return fn, nothing


def views(x: Any) -> Any:
    y = x * 1.0
    y[1:].mul_(2.0)
    y.view(3, 1)[0].fill_(7.0)
    tail = y[2:]
    y.add_(1.0)
    return y, tail * 1.0


def through_detach(x: Any) -> Any:
    y = x.detach()
    y.add_(1.0)
    return x * 2


def copies(x: Any) -> Any:
    y = x.clone()
    y.mul_(3.0)
    return x + y


def fresh(x: Any) -> Any:
    total = eager.zeros(3)
    for _ in range(3):
        total += x
    return total


def generator() -> Made:
    own = eager.Generator().manual_seed(3)
    return lambda x: x + eager.rand(3, generator=own), nothing


def seeded(x: Any) -> Any:
    eager.manual_seed(7)
    return x + eager.randn(3)


def two_names() -> Made:
    held = eager.zeros(3)
    other = held.detach()
    return lambda x: held.add_(x) + other, nothing


def swallowed(x: Any) -> Any:
    try:
        return x * float(x.mean())
    except Exception:
        return x


def tied() -> Made:
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    return lambda x: second(first(x)).detach(), nothing


def kwargs_inside(x: Any) -> Any:
    def inner(a: Any, *rest: Any, scale: float = 2.0, **more: Any) -> Any:
        return a * scale + rest[0] + more["bias"]

    return inner(x, x, bias=x)


LIARS = (
    Liar("a captured tensor", captured),
    Liar("a captured tensor that is written", captured_and_written),
    Liar("parameters", parameters),
    Liar("running statistics", running, shapes=((4, 3),)),
    Liar("parameters written through data", data_written),
    Liar("an average of weights", average),
    Liar("a cache of keys", cache),
    Liar("a ring of inputs", ring),
    Liar("a view of a captured tensor", view_outside),
    Liar("writes through views", plain(views)),
    Liar("a write through detach", plain(through_detach)),
    Liar("a write to a copy", plain(copies)),
    Liar("a total made anew", plain(fresh)),
    Liar("an argument that is written", plain(lambda x: x.add_(1.0) * 2)),
    Liar("dropout", plain(lambda x: F.dropout(x, 0.5))),
    Liar("random numbers", plain(lambda x: x + eager.randn(3))),
    Liar("a generator", generator),
    Liar("a seed inside", plain(seeded)),
    Liar("two names of one memory", two_names, False),
    Liar("tied weights", tied),
    Liar("arguments by name and by star", plain(kwargs_inside)),
    Liar("a named tuple", plain(lambda x: Pair(x * 2, {"a": [x, None, 3]}))),
    Liar("the argument itself", plain(lambda x: (x, x, x[:2]))),
    Liar("if", plain(lambda x: x if x.sum() > 0 else -x), False),
    Liar("where", plain(lambda x: eager.where(x.sum() > 0, x, -x))),
    Liar("float", plain(lambda x: x * float(x.mean())), False),
    Liar("item", plain(lambda x: x * x.max().item()), False),
    Liar("NumPy", plain(lambda x: x + Tensor(np.sin(x.detach().numpy()))), False),
    Liar("a list", plain(lambda x: eager.tensor(x.tolist())), False),
    Liar("a mask", plain(lambda x: x[x > 0]), False),
    Liar("an index", plain(lambda x: [1, 2, 3][x.argmax()] * x), False),
    Liar("a read that is swallowed", plain(swallowed), False),
)
