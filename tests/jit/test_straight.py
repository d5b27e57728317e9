"""Drivers as IR text do what their Python does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eager
import jit
from jit.compiler import pieces, portable_ir
from jit.kernels.straight import NotStraight, lower
from tests.jit.engine import LEVELS, Loaded

PARAMETERS = (("n", "i64"), ("out", "i64*"))

BODY = """def ej_program(n, out):
    region1 = 64 * n + 8
    m0 = view_i64(out, 8)
    out[0] = region1 // 7 - -n * (n % 3)
    for k in range(n):
        m0[k] = (k - 5) // 3
        for j in range(2):
            if j != k % 2:
                at_i64(m0, 8)[k] = (k - 5) % 3
            else:
                pass
    while True:
        out[20] = out[20] + 1
        if out[20] == 4:
            break
    if out[20] != n:
        out[21] = imin(n, 3) * 100 + imax(n, 3)
        return n - 1
    return 0
"""


def by_python(n: int) -> tuple[int, list[int]]:
    """The same by Python itself, over one list."""
    out = [0] * 24

    class At:
        def __init__(self, first: int) -> None:
            self.first = first

        def __getitem__(self, k: int) -> int:
            return out[self.first + k]

        def __setitem__(self, k: int, value: int) -> None:
            out[self.first + k] = value

    names: dict[str, Any] = {
        "view_i64": lambda p, b: At(p.first + b // 8), "at_i64": lambda p, k: At(p.first + k),
        "imin": min, "imax": max}
    exec(BODY, names)
    return names["ej_program"](n, At(0)), out


@pytest.fixture(scope="module")
def compiled() -> Any:
    code = Loaded([lower(BODY, PARAMETERS, {}, {})], LEVELS[-1])
    return lambda *args: code("ej_program", ("i64", "i64*"), *args, returns="i64")


@pytest.mark.parametrize("n", [0, 1, 4, 7])
def test_arithmetic_loops_and_branches(compiled: Any, n: int) -> None:
    out = np.zeros(24, np.int64)
    assert (compiled(n, out), out.tolist()) == by_python(n)


@pytest.mark.parametrize("text", [
    "    return n + 1.5", "    n = 2", "    x = n if n else 1", "    return n[0]",
    "    print(n)", "    for k in [1]:\n        pass", "    import os", "    return -out",
    "    return n < 2", "    return out[out]"])
def test_what_drivers_do_not_have(text: str) -> None:
    with pytest.raises(NotStraight):
        lower(f"def ej_program(n, out):\n{text}\n", PARAMETERS, {}, {})


def test_the_drivers_of_programs_need_no_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loops, branches, repeats, calls that report, tasks, packed weights."""
    def fn(x: Any, i: Any) -> Any:
        model = x @ weight
        picked = jit.cond(x.sum() > 0, lambda a: a * 2, lambda a: a - 1, (model,))
        return picked[i] + eager.cumsum(x, 0).sum()

    weight = eager.ones(3, 4)
    program = jit.trace(fn, (eager.ones(2, 3), eager.tensor([1, 0])),
                        dynamic_shapes={"x": {0: jit.Dim("n", max=8)}})
    parts = pieces(program._binding.module)
    monkeypatch.setattr("jit.native.cache.get", lambda key: None)
    monkeypatch.setattr("jit.compiler._by_numba", None)
    text = portable_ir(parts[-1], {p.name: p for p in parts})
    assert text.count("call void @ej_parallel_for") >= 3 and "define hidden i64" in text
