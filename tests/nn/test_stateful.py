"""What a tracer finds behind a function."""

from __future__ import annotations

import functools
from typing import Any

import eager
from eager import nn, optim
from eager.engine.stateful import keep, reach

GLOBAL = nn.Linear(1, 1)
IN_A_DICT = {"layers": [nn.ReLU(), nn.Tanh()]}


def uses_globals(x: Any) -> Any:
    return GLOBAL(x) + helper(x)


def helper(x: Any) -> Any:
    return [layer(x) for layer in IN_A_DICT["layers"]]


def test_a_module_is_found_itself_and_not_what_is_inside_it() -> None:
    model = nn.Sequential(nn.Linear(1, 1))
    assert list(reach(model).stateful) == [model]
    assert list(reach(model.forward).stateful) == [model]


def test_globals_are_found_through_functions() -> None:
    assert list(reach(uses_globals).stateful) == [GLOBAL, *IN_A_DICT["layers"]]


def test_closures_defaults_partials_and_wrappers() -> None:
    a, b, c, d, e = (nn.Linear(1, 1) for _ in range(5))
    optimizer = optim.SGD(a.parameters(), lr=0.1)

    def step(model: Any, x: Any, loss: Any = b, *, extra: Any = c) -> Any:
        def inner() -> Any:
            return a(x), optimizer, GLOBAL

        return inner()

    @functools.wraps(step)
    def wrapped(*args: Any) -> Any:
        return step(d, *args)

    found = reach(functools.partial(wrapped, x=(e,))).stateful
    assert {id(s) for s in found} == {id(s) for s in (a, b, c, d, e, optimizer, GLOBAL)}
    assert len(found) == 7


def test_the_object_behind_a_method() -> None:
    class Trainer:
        def __init__(self) -> None:
            self.model = nn.Linear(1, 1)

        def step(self, x: Any) -> Any:
            return self.model(x)

    trainer = Trainer()
    assert list(reach(trainer.step).stateful) == [trainer.model]


def test_extra_comes_first_and_plain_functions_hold_nothing() -> None:
    model = nn.ReLU()
    assert reach(uses_globals, [model]).stateful[0] is model
    assert list(reach(eager.relu).stateful) == []
    assert list(reach(lambda x: x).stateful) == []


def test_a_cell_that_is_not_filled_is_passed_over() -> None:
    def outer() -> Any:
        def inner() -> Any:
            return later

        found = list(reach(inner).stateful)
        later = GLOBAL
        return found, list(reach(inner).stateful), later

    before, after, _ = outer()
    assert before == [] and after == [GLOBAL]


def test_contents_come_back_in_the_same_object() -> None:
    for value, change in (([1, 2], lambda v: v.append(3)), ({"a": 1}, lambda v: v.pop("a")),
                          ({1, 2}, lambda v: v.add(9))):
        before, restore = value.copy(), keep(value, "x")
        change(value)
        assert value != before
        restore()
        assert value == before
