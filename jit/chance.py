"""Random streams of Python's and NumPy's: a trace may not draw from one that it did not seed."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from eager.engine.stateful import Reach
from eager.ops.errors import TraceError


class Chance:
    """The streams that a function can reach: as they were, and after each trace."""

    def __init__(self, reach: Reach) -> None:
        self.streams = {id(s): s for s in (*_of_modules(), *reach.streams)}
        self._found = {key: _state(s) for key, s in self.streams.items()}
        self._ends: list[dict[int, str]] = []

    @contextmanager
    def shaken(self) -> Iterator[None]:
        """A trace for which every stream starts elsewhere than for the one before."""
        for k, s in enumerate(self.streams.values()):
            _start(s, 7919 * (len(self._ends) + 1) + k)
        starts = {key: _printed(_state(s)) for key, s in self.streams.items()}
        try:
            yield
        finally:
            ends = {key: _printed(_state(s)) for key, s in self.streams.items()}
            self._ends.append({key: end for key, end in ends.items() if end != starts[key]})
            for key, s in self.streams.items():
                _put(s, self._found[key])

    def check(self, draws: Mapping[int, str]) -> None:
        """Refuse draws from a stream that the function did not seed itself: two traces that began
        elsewhere ended elsewhere.  ``draws`` are the lines that drew, by stream.
        """
        for key, place in draws.items():
            ends = {e.get(key) for e in self._ends}
            if key in self.streams and ends != {None} and len(ends) > 1:
                raise TraceError(
                    f"{place}: the function draws random numbers of Python's or NumPy's, which a "
                    f"program would draw once for ever; use eager's random functions, or pass the "
                    f"numbers as an argument")


def _of_modules() -> Iterator[Any]:
    """The streams behind ``random.random`` and ``numpy.random.rand``, where they are loaded."""
    for module, name in (("random", "_inst"), ("numpy.random.mtrand", "_rand")):
        if module in sys.modules:
            yield getattr(sys.modules[module], name)


def _state(stream: Any) -> Any:
    if hasattr(stream, "bit_generator"):
        return stream.bit_generator.state
    return stream.getstate() if hasattr(stream, "getstate") else stream.get_state()


def _printed(state: Any) -> str:
    """A state as text; NumPy would take 20 ms to print an array."""
    parts = state if isinstance(state, tuple) else (state,)
    return repr([p.tobytes() if isinstance(p, np.ndarray) else p for p in parts])


def _put(stream: Any, state: Any) -> None:
    if hasattr(stream, "bit_generator"):
        stream.bit_generator.state = state
    else:
        (stream.setstate if hasattr(stream, "setstate") else stream.set_state)(state)


def _start(stream: Any, seed: int) -> None:
    if hasattr(stream, "bit_generator"):
        stream.bit_generator.state = type(stream.bit_generator)(seed).state
    else:
        stream.seed(seed)
