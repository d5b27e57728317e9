"""What a function keeps from call to call."""

from __future__ import annotations

from collections import deque
from typing import Any

import eager
from eager import nn
from eager.engine.tensor import Tensor
from tests.liars.table import Liar, Made, nothing, with_globals

TOTAL: Any = None


def counter() -> Made:
    calls: list[int] = []

    def fn(x: Any) -> Any:
        calls.append(1)
        return x * len(calls)

    return fn, nothing


def counter_unread() -> Made:
    calls: list[int] = []

    def fn(x: Any) -> Any:
        calls.append(1)
        return x * 2

    return fn, nothing


class Counting(nn.Module):
    def __init__(self, read: bool) -> None:
        super().__init__()
        self.read, self.calls = read, 0

    def forward(self, x: Any) -> Any:
        self.calls += 1
        return x * self.calls if self.read else x * 2


def nonlocal_counter() -> Made:
    n = 0

    def fn(x: Any) -> Any:
        nonlocal n
        n += 1
        return x * n

    return fn, nothing


def class_counter() -> Made:
    class Count:
        n = 0

    def fn(x: Any) -> Any:
        Count.n += 1
        return x * Count.n

    return fn, nothing


def iterator() -> Made:
    values = iter(range(1, 100))
    return lambda x: x * next(values), nothing


def memo_of_data() -> Made:
    memo: dict[str, Any] = {}

    def fn(x: Any) -> Any:
        if "scale" not in memo:
            memo["scale"] = x.abs().max()
        return x / memo["scale"]

    return fn, nothing


def memo_of_mask() -> Made:
    memo: dict[int, Any] = {}

    def fn(x: Any) -> Any:
        n = x.shape[-1]
        if n not in memo:
            memo[n] = eager.tril(eager.ones(n, n))
        return memo[n] @ x

    return fn, nothing


class Lazy(nn.Module):
    """Makes its table at the first call."""

    table: Any = None

    def forward(self, x: Any) -> Any:
        if self.table is None:
            self.table = eager.arange(3).float() * 0.5
        return x + self.table


def rebound_in_list() -> Made:
    held = [eager.zeros(3)]

    def fn(x: Any) -> Any:
        held[0] = held[0] * 0.5 + x
        return held[0]

    return fn, nothing


def rebound_in_closure() -> Made:
    total = eager.zeros(3)

    def fn(x: Any) -> Any:
        nonlocal total
        total = total + x
        return total * 1.0

    return fn, nothing


def _adds(x: Any) -> Any:
    global TOTAL
    TOTAL = TOTAL + x
    return TOTAL * 1.0


def rebound_global() -> Made:
    return with_globals(_adds, TOTAL=eager.zeros(3))[0], nothing


class Replacing(nn.Module):
    """Binds its buffer anew."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", eager.zeros(3))

    def forward(self, x: Any) -> Any:
        self.mean = self.mean * 0.9 + x * 0.1
        return x - self.mean


def replaced_from_outside() -> Made:
    model = Replacing()
    return model, lambda: setattr(model, "mean", eager.ones(3))


def first_call() -> Made:
    class Net(nn.Module):
        started = False

        def forward(self, x: Any) -> Any:
            if not self.started:
                self.started = True
                return x * 0
            return x * 2

    return Net(), nothing


def growing_list() -> Made:
    past: list[Any] = []

    def fn(x: Any) -> Any:
        past.append(x)
        return sum(past)

    return fn, nothing


def rolling_window() -> Made:
    past: deque[Any] = deque(maxlen=3)

    def fn(x: Any) -> Any:
        past.append(x * 1.0)
        return sum(past)

    return fn, nothing


def last_is_kept() -> Made:
    class Net(nn.Module):
        last: Any = None

        def forward(self, x: Any) -> Any:
            self.last = x * 2
            return self.last + 1

    return Net(), nothing


def last_is_used() -> Made:
    class Net(nn.Module):
        last: Any = None

        def forward(self, x: Any) -> Any:
            out = x if self.last is None else x + self.last
            self.last = x
            return out * 1.0

    return Net(), nothing


def growing_cache() -> Made:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.keys = eager.zeros(0, 3)

        def forward(self, x: Any) -> Any:
            self.keys = eager.cat([self.keys, x[None]])
            return self.keys.sum(0)

    return Net(), nothing


def train_at_the_end() -> Made:
    model = nn.Dropout(0.5)

    def fn(x: Any) -> Any:
        out = model(x)
        model.eval()
        return out

    return fn, nothing


LIARS = (
    Liar("a counter in a list", counter, False),
    Liar("a counter that nothing follows from", counter_unread),
    Liar("a module's counter", lambda: (Counting(True), nothing), False),
    Liar("a module's counter, unread", lambda: (Counting(False), nothing)),
    Liar("a counter in a closure", nonlocal_counter, False),
    Liar("a counter in a class", class_counter, False),
    Liar("an iterator", iterator, False),
    Liar("a memo of data", memo_of_data, False),
    Liar("a memo of a mask", memo_of_mask),
    Liar("a table made at the first call", lambda: (Lazy(), nothing)),
    Liar("a tensor replaced in a list", rebound_in_list),
    Liar("a tensor replaced in a closure", rebound_in_closure),
    Liar("a tensor replaced in a global", rebound_global),
    Liar("a buffer that is replaced", lambda: (Replacing(), nothing)),
    Liar("a buffer that others replace", replaced_from_outside, False),
    Liar("another first call", first_call, False),
    Liar("a list that grows", growing_list, False),
    Liar("a rolling window", rolling_window, False),
    Liar("the last result, kept", last_is_kept),
    Liar("the last input, used", last_is_used, False),
    Liar("a cache that grows", growing_cache, False),
    Liar("evaluation after the first call", train_at_the_end, False),
)
