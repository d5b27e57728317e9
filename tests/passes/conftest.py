"""How passes are tested: text before, text after, and the same meaning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from textwrap import dedent
from typing import Any

import numpy as np
import pytest

from jit.graph import Graph
from jit.interpreter import interpret
from jit.passes.regions import Pass
from jit.text import print_graph
from jit.verifier import verify
from tests.graphs import arguments, read, same_bits


@pytest.fixture
def becomes() -> Callable[..., Graph]:
    """Check that a pass turns one text into another, which computes the same.

    The same to the last bit, or with ``loose`` to rounding: the new graph's error against
    float64 is at most twice the old one's, or 1e-6.
    """

    def check(run: Pass, before: str, after: str, consts: Sequence[Any] = (),
              loose: bool = False) -> Graph:
        old = read(before, consts)
        new = verify(run(old))
        assert print_graph(new) == dedent(after).strip()
        for odd in (False,) if loose else (False, True):
            given = arguments(old, odd)
            was, writes = interpret(old, given)
            now, new_writes = interpret(new, given)
            assert list(writes) == list(new_writes)
            for a, b in zip([*was, *writes.values()], [*now, *new_writes.values()], strict=True):
                assert np.allclose(a, b, rtol=1e-6, atol=1e-6) if loose else same_bits(a, b)
        return new

    return check


@pytest.fixture
def stays(becomes: Callable[..., Graph]) -> Callable[..., None]:
    """Check that a pass changes nothing."""

    def check(run: Pass, text: str, consts: Sequence[Any] = ()) -> None:
        becomes(run, text, text, consts)

    return check
