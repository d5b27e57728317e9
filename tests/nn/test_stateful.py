"""What a tracer finds behind a function."""

from __future__ import annotations

import functools
from typing import Any

import eager
from eager import nn, optim
from eager.engine.stateful import find_stateful, keep_contents

GLOBAL = nn.Linear(1, 1)
IN_A_DICT = {"layers": [nn.ReLU(), nn.Tanh()]}


def uses_globals(x: Any) -> Any:
    return GLOBAL(x) + helper(x)


def helper(x: Any) -> Any:
    return [layer(x) for layer in IN_A_DICT["layers"]]


def test_a_module_is_found_itself_and_not_what_is_inside_it() -> None:
    model = nn.Sequential(nn.Linear(1, 1))
    assert find_stateful(model) == [model]
    assert find_stateful(model.forward) == [model]


def test_globals_are_found_through_functions() -> None:
    assert find_stateful(uses_globals) == [GLOBAL, *IN_A_DICT["layers"]]


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

    found = find_stateful(functools.partial(wrapped, x=(e,)))
    assert {id(s) for s in found} == {id(s) for s in (a, b, c, d, e, optimizer, GLOBAL)}
    assert len(found) == 7


def test_the_object_behind_a_method() -> None:
    class Trainer:
        def __init__(self) -> None:
            self.model = nn.Linear(1, 1)

        def step(self, x: Any) -> Any:
            return self.model(x)

    trainer = Trainer()
    assert find_stateful(trainer.step) == [trainer.model]


def test_extra_comes_first_and_plain_functions_hold_nothing() -> None:
    model = nn.ReLU()
    assert find_stateful(uses_globals, [model])[0] is model
    assert find_stateful(eager.relu) == []
    assert find_stateful(lambda x: x) == []


def test_a_cell_that_is_not_filled_is_passed_over() -> None:
    def outer() -> Any:
        def inner() -> Any:
            return later

        found = find_stateful(inner)
        later = GLOBAL
        return found, find_stateful(inner), later

    before, after, _ = outer()
    assert before == [] and after == [GLOBAL]


def test_contents_come_back_in_the_same_object() -> None:
    for value, change in (([1, 2], lambda v: v.append(3)), ({"a": 1}, lambda v: v.pop("a")),
                          ({1, 2}, lambda v: v.add(9))):
        before, restore = value.copy(), keep_contents(value)
        change(value)
        assert value != before
        restore()
        assert value == before
