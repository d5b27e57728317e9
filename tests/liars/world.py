"""What a function takes from the world: numbers, flags, clocks, files, chance."""

from __future__ import annotations

import datetime
import enum
import os
import random
import time
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import eager
from eager import nn
from eager.nn import functional as F
from tests.liars.table import Liar, Made, nothing, plain, with_globals

SCALE: Any = 2.0


class Mode(enum.Enum):
    FAST = 1
    EXACT = 2


@dataclass
class Config:
    scale: float = 2.0
    name: str = "add"


def scaled(x: Any) -> Any:
    return x * SCALE


def rebound(old: Any, new: Any) -> Callable[[], Made]:
    """A global that is bound to something else after the trace."""
    def make() -> Made:
        fn, held = with_globals(scaled, SCALE=old)
        return fn, lambda: held.update(SCALE=new)
    return make


def set_attribute(holder: Callable[[], Any], fn: Callable[[Any, Any], Any], **new: Any,
                  ) -> Callable[[], Made]:
    """An object in a closure, an attribute of which changes."""
    def make() -> Made:
        held = holder()
        return lambda x: fn(held, x), lambda: [setattr(held, k, v) for k, v in new.items()]
    return make


def closure_number() -> Made:
    scale = 2.0

    def change() -> None:
        nonlocal scale
        scale = 3.0

    return lambda x: x * scale, change


def list_of_numbers() -> Made:
    scales = [1.0, 2.0]
    return lambda x: x * scales[1], lambda: scales.__setitem__(1, 5.0)


def nested_settings() -> Made:
    settings: dict[str, Any] = {"layers": [{"scale": 2.0}]}
    return (lambda x: x * settings["layers"][0]["scale"],
            lambda: settings["layers"][0].update(scale=4.0))


def array_outside() -> Made:
    table = np.array([1.0, 2.0, 3.0], np.float32)
    return lambda x: x + table, lambda: table.fill(7.0)


def number_from_array() -> Made:
    table = np.array([1.0, 2.0, 3.0], np.float32)
    return lambda x: x * float(table[1]), lambda: table.fill(7.0)


def copied_array() -> Made:
    table = np.array([1.0, 2.0, 3.0], np.float32)
    return lambda x: x + eager.tensor(table), lambda: table.fill(7.0)


def number_from_tensor() -> Made:
    factor = eager.tensor([2.0])
    return lambda x: x * float(factor), lambda: factor.fill_(3.0)


def default_argument() -> Made:
    def fn(x: Any, scale: float = 2.0) -> Any:
        return x * scale

    def inner(x: Any) -> Any:
        return fn(x)

    return inner, lambda: setattr(fn, "__defaults__", (3.0,))


def function_rebound() -> Made:
    act = F.relu

    def change() -> None:
        nonlocal act
        act = eager.tanh

    return lambda x: act(x), change


def class_attribute() -> Made:
    class Holder:
        scale = 2.0

    return lambda x: x * Holder.scale, lambda: setattr(Holder, "scale", 5.0)


def property_of_number() -> Made:
    class Holder:
        def __init__(self) -> None:
            self._scale = 2.0

        @property
        def scale(self) -> float:
            return self._scale

    held = Holder()
    return lambda x: x * held.scale, lambda: setattr(held, "_scale", 5.0)


def by_getattr() -> Made:
    held = Config()
    return lambda x: x * getattr(held, "scale"), lambda: setattr(held, "scale", 5.0)  # noqa: B009


def function_attribute() -> Made:
    def fn(x: Any) -> Any:
        return x * fn.scale  # type: ignore[attr-defined]

    fn.scale = 2.0  # type: ignore[attr-defined]
    return fn, lambda: setattr(fn, "scale", 3.0)


def python_module() -> Made:
    config = types.ModuleType("users_config")
    config.SCALE = 2.0  # type: ignore[attr-defined]
    fn, _ = with_globals(lambda x: x * config_module.SCALE, config_module=config)  # noqa: F821
    return fn, lambda: setattr(config, "SCALE", 3.0)


def environment() -> Made:
    os.environ["A_LIARS_SCALE"] = "2"
    return (lambda x: x * float(os.environ.get("A_LIARS_SCALE", "1")),
            lambda: os.environ.update(A_LIARS_SCALE="3"))


def train_flag() -> Made:
    model = nn.Sequential(nn.Dropout(0.5))
    return lambda x: model(x), lambda: model.eval()


def own_train_flag() -> Made:
    class Net(nn.Module):
        def forward(self, x: Any) -> Any:
            return x * 2 if self.training else x

    model = Net()
    return model, lambda: model.eval()


def module_number() -> Made:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = 2.0

        def forward(self, x: Any) -> Any:
            return x * self.scale

    model = Net()
    return model, lambda: setattr(model, "scale", 3.0)


def dropout_rate() -> Made:
    layer = nn.Dropout(0.5)
    return lambda x: layer(x), lambda: setattr(layer, "p", 0.0)


def layer_appended() -> Made:
    model = nn.Sequential(nn.ReLU())
    return lambda x: model(x), lambda: model.append(nn.Tanh())


def layer_replaced() -> Made:
    model = nn.Sequential(nn.ReLU())
    return lambda x: model(x), lambda: model.__setitem__(0, nn.Tanh())


def hook_added() -> Made:
    model = nn.ReLU()
    return lambda x: model(x), lambda: model.register_forward_hook(lambda m, a, out: out * 2)


def grad_mode() -> Made:
    return lambda x: x * 2 if eager.is_grad_enabled() else x, nothing


def seeded_draw(x: Any) -> Any:
    random.seed(3)
    return x * random.random()


def seeded_numpy(x: Any) -> Any:
    return x + np.random.default_rng(3).standard_normal(3).astype(np.float32)


def held_stream() -> Made:
    stream = random.Random(0)
    return lambda x: x * stream.random(), nothing


def held_numpy_stream() -> Made:
    stream = np.random.default_rng(0)
    return lambda x: x if stream.random() < 2.0 else -x, nothing


LIARS = (
    Liar("a global number", rebound(2.0, 3.0), False),
    Liar("a global number of another type", rebound(1, True), False),
    Liar("a global tensor, rebound", rebound(eager.tensor([1.0]), eager.tensor([2.0])), False),
    Liar("a global that stays", rebound(2.0, 2.0)),
    Liar("a closure variable", closure_number, False),
    Liar("a list of numbers", list_of_numbers, False),
    Liar("settings in settings", nested_settings, False),
    Liar("a config's number", set_attribute(Config, lambda c, x: x * c.scale, scale=3.0), False),
    Liar("a config's string", set_attribute(
        Config, lambda c, x: x + 1 if c.name == "add" else x, name="none"), False),
    Liar("a config's field that is not read", set_attribute(
        Config, lambda c, x: x * c.scale, label="new")),
    Liar("an enum", set_attribute(lambda: types.SimpleNamespace(mode=Mode.FAST),
                                  lambda c, x: x if c.mode is Mode.FAST else -x,
                                  mode=Mode.EXACT), False),
    Liar("a NumPy array from outside", array_outside, False),
    Liar("a number of a NumPy array", number_from_array, False),
    Liar("a tensor copied from an array", copied_array, False),
    Liar("a number of a tensor from outside", number_from_tensor, False),
    Liar("an array made inside", plain(lambda x: x + np.array([1.0, 2.0, 3.0], np.float32))),
    Liar("a default argument", default_argument, False),
    Liar("a function, rebound", function_rebound, False),
    Liar("a class attribute", class_attribute, False),
    Liar("a property", property_of_number, False),
    Liar("getattr", by_getattr, False),
    Liar("a function's attribute", function_attribute, False),
    Liar("a number of a Python module", python_module, False),
    Liar("an environment variable", environment, False),
    Liar("the train flag of a layer", train_flag, False),
    Liar("the train flag of a module", own_train_flag, False),
    Liar("a module's number", module_number, False),
    Liar("the rate of a dropout", dropout_rate, False),
    Liar("a layer that is appended", layer_appended, False),
    Liar("a layer that is replaced", layer_replaced, False),
    Liar("a hook that is added", hook_added, False),
    Liar("grad mode that stays", grad_mode),
    Liar("a clock", plain(lambda x: x * time.perf_counter()), False),
    Liar("a clock in a branch", plain(lambda x: x if time.time() > 0 else -x), False),
    Liar("the date", plain(lambda x: x * datetime.date.today().year), False),
    Liar("a file", plain(lambda x: x * len(Path(__file__).read_text())), False),
    Liar("random", plain(lambda x: x * random.random()), False),
    Liar("random in a branch", plain(lambda x: x if random.random() < 2 else -x), False),
    Liar("random integers", plain(lambda x: x * random.randint(0, 10**6)), False),
    Liar("NumPy's random", plain(lambda x: x * np.random.rand()), False),
    Liar("a stream that is held", held_stream, False),
    Liar("NumPy's stream in a branch", held_numpy_stream, False),
    Liar("random, seeded inside", plain(seeded_draw)),
    Liar("NumPy's random, seeded inside", plain(seeded_numpy)),
)
