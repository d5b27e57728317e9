"""Values that a program refuses while it runs: the op and the user's line, and no harm done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eager
import export
import jit
from eager import nn
from export.runner import ArtifactError, load

F32 = np.float32


def select(table, rows):
    return eager.index_select(table, 0, rows)


def embed(table, rows):
    return nn.functional.embedding(rows, table)


def divide(x, y):
    return x // y


def remainder(x, y):
    return x % y


def loss(logits, labels):
    return nn.functional.cross_entropy(logits, labels)


@dataclass(frozen=True)
class Case:
    """A function, arguments that are fine, and arguments that are not with what is said."""

    function: Callable[..., Any]
    good: tuple[np.ndarray, ...]
    bad: tuple[tuple[tuple[np.ndarray, ...], str], ...]


def integers(*values: int, dtype=np.int64) -> np.ndarray:
    return np.array(values, dtype)


TABLE = np.arange(20, dtype=F32).reshape(5, 4)
CASES = {case.function.__name__: case for case in (
    Case(select, (TABLE, integers(4, 0)), (
        ((TABLE, integers(0, 5)), "index 5 is out of range"),
        ((TABLE, integers(-1, 0)), "index -1 is out of range"),
        ((TABLE, integers(0, 1 << 62)), f"index {1 << 62} is out of range"))),
    Case(embed, (TABLE, integers(4, 0)), (
        ((TABLE, integers(5, 0)), "index 5 is out of range"),
        ((TABLE, integers(0, -6)), "index -6 is out of range"))),
    Case(divide, (integers(7, -8), integers(2, 3)), (
        ((integers(7, 8), integers(0, 3)), "integer division by zero"),
        ((integers(7, 8), integers(3, 0)), "integer division by zero"))),
    Case(remainder, (integers(7, -8, dtype=np.int32), integers(2, 3, dtype=np.int32)), (
        ((integers(7, 8, dtype=np.int32), integers(2, 0, dtype=np.int32)),
         "integer division by zero"),)),
    Case(loss, (TABLE[:2], integers(3, 0)), (
        ((TABLE[:2], integers(4, 0)), "index 4 is out of range"),
        ((TABLE[:2], integers(0, -7)), "index -7 is out of range"))),
)}


@pytest.fixture(scope="module", params=CASES)
def refused(request, folder):
    case = CASES[request.param]
    path: Path = folder / f"{request.param}.art"
    program = jit.trace(case.function, tuple(map(eager.from_numpy, case.good)))
    export.save(program, path, targets=("x86_64-linux", "aarch64-linux"))
    return case, load(path, trust=True)


def test_bad_values_are_refused_and_good_ones_still_work(refused):
    case, runner = refused
    wanted = case.function(*map(eager.from_numpy, case.good)).numpy()
    held = runner(*case.good)
    for arguments, words in case.bad:
        with pytest.raises(ArtifactError) as caught:
            runner(*arguments)
        text = str(caught.value)
        line = case.function.__code__.co_firstlineno + 1
        assert words in text
        assert f"test_refusals.py:{line}" in text and case.function.__name__ in text
        np.testing.assert_allclose(held, wanted, rtol=1e-6)
        np.testing.assert_allclose(runner(*case.good), wanted, rtol=1e-6)
