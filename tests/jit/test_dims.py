"""Symbolic sizes compute as Python's ints do, and what would bake them is refused."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import eager
import jit
from eager.ops.errors import OpError, TraceError
from jit.interpreter import interpret
from jit.tracer import trace_graph

Sizes = Callable[[Any, Any], Any]

INTS: dict[str, Sizes] = {
    "sum": lambda n, m: n + m + 1 - 2 * n, "reflected": lambda n, m: 7 - n,
    "product": lambda n, m: n * m * 3, "quotient": lambda n, m: n // 3 + 100 // n,
    "remainder": lambda n, m: n % 3 + m % n, "of sizes": lambda n, m: (n * m + n) // n,
    "divmod": lambda n, m: sum(divmod(n, 2)) + sum(divmod(n * 8, 4)), "power": lambda n, m: n ** 3,
    "negative": lambda n, m: -n + +m, "ceiling": lambda n, m: -(-n // 4),
    "to a multiple": lambda n, m: n + (4 - n % 4) % 4, "shifts": lambda n, m: (n << 2) + (m >> 1),
    "rounding": lambda n, m: round(n) + math.floor(n) + math.ceil(n) + math.trunc(n),
    "halves": lambda n, m: math.floor(n / 2) + math.ceil(m / 2) + math.floor(n * 0.75),
    "ratio": lambda n, m: math.floor((n + 1) / n), "prod": lambda n, m: math.prod((n, m, 2)),
    "sum of": lambda n, m: sum((n, m)), "abs": lambda n, m: abs(n) + abs(-n - 1),
    "is int": lambda n, m: n if isinstance(n, int) and isinstance(m, numbers.Integral) else 0,
}
FLOATS: dict[str, Sizes] = {
    "scale": lambda n, m: n ** -0.5, "root": lambda n, m: (n * m) ** 0.5, "inverse": lambda n, m:
    1 / n, "ratio": lambda n, m: n / (m + 1), "sum": lambda n, m: n / 2 + m / 4 - 1,
    "mixed": lambda n, m: 2.5 * n - 0.1 + n, "negative": lambda n, m: -(n / 3),
    "product": lambda n, m: (n / 3) * (m + 0.5) / 7, "power": lambda n, m: (1 / n) ** 2,
    "base": lambda n, m: 0.5 ** n, "is float": lambda n, m: 1.0 if isinstance(n / 2, float) else n,
}


@pytest.mark.parametrize("name", INTS)
def test_ints_are_pythons(name: str) -> None:
    same_as_python(INTS[name], eager.int64, exact=True)


@pytest.mark.parametrize("name", FLOATS)
def test_reals_are_pythons(name: str) -> None:
    same_as_python(FLOATS[name], eager.float64, exact=False)


def same_as_python(fn: Sizes, dtype: Any, exact: bool) -> None:
    """The function's number, made of the sizes of an array, for every small array."""
    graph = trace_graph(lambda x: eager.tensor(fn(x.shape[0], x.shape[1]), dtype=dtype),
                        (eager.zeros(5, 2),), dynamic_shapes={"x": {0: "n", 1: "m"}}).graph
    for n in range(1, 9):
        for m in range(9):
            (out,), _ = interpret(graph, [np.zeros((n, m), np.float32)])
            want = fn(n, m)
            assert out.dtype == dtype.numpy
            assert out == want if exact else abs(out - want) <= 1e-15 * abs(want), (n, m)


def test_a_real_number_decides_no_dtype() -> None:
    x = eager.tensor([1.0, 2.0, 3.0])
    for fn in (lambda x: x * x.shape[0] ** -0.5, lambda x: (1 / x.shape[0]) * x,
               lambda x: (x.long() / x.shape[0]), lambda x: x.double() - x.shape[0] / 7):
        graph = trace_graph(fn, (x,), dynamic_shapes={"x": {0: "n"}}).graph
        (out,), _ = interpret(graph, [x.numpy()])
        want = fn(x).numpy()
        assert out.dtype == want.dtype and np.array_equal(out, want)


REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "range": (lambda x: sum(x[i] for i in range(x.shape[0])), "jit.scan or jit.map"),
    "list": (lambda x: [0.0] * x.shape[0], "jit.scan or jit.map"),
    "rows": (lambda x: [row * 2 for row in x], "jit.map or jit.scan"),
    "int": (lambda x: x * int(x.shape[0] / 2), r"write a // b, or math.floor"),
    "root": (lambda x: x / math.sqrt(x.shape[0]), r"n \*\* 0.5"),
    "numpy": (lambda x: x + np.ones(x.shape[0]), "bake the example's value"),
    "float": (lambda x: x * float(1 / x.shape[0]), "bake the example's"),
    "power": (lambda x: x * 2 ** x.shape[0], "2 to the power"),
    "compared": (lambda x: x if x.shape[0] ** 0.5 > 2 else -x, "compare the sizes"),
    "table": (lambda x: x * {3: 2.0}.get(x.shape[0], 1.0), r"eager.tensor\(table\)\[n\]"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_bake_a_size_is_refused(name: str) -> None:
    fn, words = REFUSED[name]
    with pytest.raises(TraceError, match=words) as refused:
        trace_graph(fn, (eager.zeros(3),), dynamic_shapes={"x": {0: "n"}})
    assert "test_dims.py:" in str(refused.value)


@pytest.mark.parametrize("fn", [lambda n: 5 // n, lambda n: 5 % n, lambda n: 1 / n,
                                lambda n: n ** -1])
def test_a_division_by_nothing_is_pythons(fn: Callable[[Any], Any]) -> None:
    def run(x: Any) -> Any:
        return x * fn(x.shape[0])

    with pytest.raises(TraceError, match="where n is 0"):
        trace_graph(run, (eager.zeros(0),), dynamic_shapes={"x": {0: "n"}})
    graph = trace_graph(run, (eager.zeros(4),), dynamic_shapes={"x": {0: "n"}}).graph
    with pytest.raises(OpError, match=r"for n >= 1"):
        interpret(graph, [np.zeros(0, np.float32)])


# --- declared ----------------------------------------------------------------------------------
BATCH = jit.Dim("batch", min=1, max=64)


def test_sizes_may_follow_from_a_dim() -> None:
    graph = trace_graph(lambda x, y, z: (x * 2, y + 1, z), (
        eager.zeros(3), eager.zeros(6, 4), eager.zeros(2)), dynamic_shapes={
            "x": {0: BATCH}, "y": {0: 2 * BATCH, 1: BATCH + 1}, "z": {0: BATCH - 1}}).graph
    assert [str(i.type) for i in graph.inputs] == [
        "f32[batch]", "f32[2 * batch, batch + 1]", "f32[batch - 1]"]
    arrays = [np.zeros(s, np.float32) for s in (5, (10, 6), 4)]
    assert interpret(graph, arrays)[0][0].shape == (5,)
    with pytest.raises(OpError, match=r"argument 'y': dim 0 is 9, wanted \(2 \* batch\) with "
                                      r"batch = 5"):
        interpret(graph, [arrays[0], np.zeros((9, 6), np.float32), arrays[2]])


def test_a_dim_may_be_known_by_what_follows_from_it() -> None:
    graph = trace_graph(lambda x: x.view(-1, 2), (eager.zeros(6),),
                        dynamic_shapes={"x": {0: 2 * jit.Dim("half")}}).graph
    assert [str(n.type) for n in graph.nodes] == ["f32[half, 2]"]
    assert interpret(graph, [np.zeros(8, np.float32)])[0][0].shape == (4, 2)
    with pytest.raises(OpError, match=r"dim 0 is 7, wanted \(2 \* half\)"):
        interpret(graph, [np.zeros(7, np.float32)])


def test_a_name_is_a_dim() -> None:
    graph = trace_graph(lambda x, y: x + y, (eager.zeros(3), eager.zeros(3)),
                        dynamic_shapes={"x": {0: "n"}, "y": {0: "n"}}).graph
    assert graph.dims == (jit.Dim("n"),) and graph.relations == ()


@pytest.mark.parametrize("size", [lambda: jit.Dim("2n"), lambda: jit.Dim("n", min=3, max=2),
                                  lambda: jit.Dim("n", min=-1)])
def test_wrong_dims_are_refused(size: Callable[[], Any]) -> None:
    with pytest.raises(TraceError, match="Dim"):
        size()


def test_the_example_fits_what_is_declared() -> None:
    with pytest.raises(TraceError, match=r"does not fit dynamic_shapes: .*wanted \(2 \* batch\)"):
        trace_graph(lambda x, y: x, (eager.zeros(3), eager.zeros(5)), dynamic_shapes={
            "x": {0: BATCH}, "y": {0: 2 * BATCH}})
