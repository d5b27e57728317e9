"""The interpreter: what a graph means, in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eager.ops.errors import OpError
from eager.ops.table import TABLE
from jit.interpreter import interpret
from jit.text import parse_graph
from tests.graphs import example_graph, examples, same_bits

TEXT = """
graph(%x: f32[n, 4], %y: f32[2 * n], %w: f32[4] parameter) where n in 1..8 {
  %0 = add(%x, %w) : f32[n, 4]
  %1 = reshape(%0, shape=(2 * n, 2)) : f32[2 * n, 2]
  %2 = slice(%y, starts=(n,), stops=(2 * n,), steps=(1,)) : f32[n]
  %3 = dim(value=2 * n + 1) : i64[]
  %4 = mul(%w, 2.0:f32) : f32[4]
  return %1, %2, %3, %x
  update %w = %4
}"""


def arrays(n: int) -> list[np.ndarray[Any, Any]]:
    return [np.arange(4 * n, dtype=np.float32).reshape(n, 4), np.arange(2 * n, dtype=np.float32),
            np.ones(4, np.float32)]


@pytest.mark.parametrize("n", [1, 3])
def test_sizes_come_from_the_arguments(n: int) -> None:
    graph, given = parse_graph(TEXT), arrays(n)
    outputs, writes = interpret(graph, given)
    assert np.array_equal(outputs[0], (given[0] + 1).reshape(2 * n, 2))
    assert np.array_equal(outputs[1], given[1][n:])
    assert outputs[2] == 2 * n + 1 and outputs[2].dtype == np.int64
    assert list(writes) == ["w"] and np.array_equal(writes["w"], np.full(4, 2, np.float32))
    by_name, _ = interpret(graph, dict(zip(("x", "y", "w"), given, strict=True)))
    assert all(map(same_bits, outputs, by_name))


def test_results_share_no_memory_with_arguments() -> None:
    given = arrays(2)
    outputs, _ = interpret(parse_graph(TEXT), given)
    for out in outputs:
        assert not any(np.may_share_memory(out, a) for a in given)
        assert out.flags.c_contiguous


@pytest.mark.parametrize("change, words", [
    (lambda a: a[:2], "takes 3 arrays"),
    (lambda a: {"x": a[0], "y": a[1], "v": a[2]}, "takes x, y, w, got x, y, v"),
    (lambda a: [a[0].astype(np.float64), *a[1:]], r"wanted f32\[n, 4\], got f64\[2, 4\]"),
    (lambda a: [a[0][0], *a[1:]], r"wanted f32\[n, 4\], got f32\[4\]"),
    (lambda a: [a[0], a[1][:3], a[2]], r"argument 'y': dim 0 is 3, wanted \(2 \* n\)"),
    (lambda a: [a[0], a[1], a[2][:1]], r"argument 'w': wanted shape \[4\]"),
    (lambda a: [a[0][:0], a[1][:0], a[2]], r"dim 0 is 0, but 'n' was declared in \[1, 8\]"),
])
def test_arguments_are_checked(change: Any, words: str) -> None:
    with pytest.raises(OpError, match=words):
        interpret(parse_graph(TEXT), change(arrays(2)))


def test_a_dim_must_be_the_size_of_something() -> None:
    graph = parse_graph("graph(%x: f32[n * n]) where n in 0..9 { return %x }")
    with pytest.raises(OpError, match="no argument has the dim 'n' as a size of its own"):
        interpret(graph, [np.ones(4, np.float32)])


def test_cond_runs_the_region_that_the_predicate_picks() -> None:
    graph = parse_graph("""graph(%p: bool[], %i: i64[4]) {
      %0 = cond(%p, %i) {
        true(%i: i64[4]) {
          %0 = floor_divide(%i, 0:i64) : i64[4]  # net.py:9 forward > head
          return %0, %i
        }
        false(%i: i64[4]) {
          %0 = neg(%i) : i64[4]
          return %i, %0
        }
      } : (i64[4], i64[4])
      %1 = result(%0, index=1) : i64[4]
      return %1
    }""")
    i = np.arange(4)
    (out,), _ = interpret(graph, [np.array(False), i])
    assert np.array_equal(out, -i)
    with pytest.raises(OpError, match=r"floor_divide\(i64\[4\], i64\[\]\): integer division by "
                                      r"zero \(at net.py:9 forward > head\)"):
        interpret(graph, [np.array(True), i])


@pytest.mark.parametrize("op, example", list(examples(TABLE)), ids=lambda v: getattr(v, "name", ""))
def test_it_is_the_op_itself(op: Any, example: Any) -> None:
    graph, given = example_graph(op, example)
    with np.errstate(all="ignore"):
        expected = np.asarray(op.run(*given, **example.attrs))
    (out,), _ = interpret(graph, given)
    assert same_bits(out, expected)


@pytest.mark.parametrize("op", [op for op in TABLE.values() if op.precheck is not None],
                         ids=lambda op: op.name)
def test_what_an_op_refuses_at_run_time(op: Any) -> None:
    for example in op.rejects:
        try:
            graph, given = example_graph(op, example)
        except OpError:
            continue  # refused by its types already
        with pytest.raises(OpError, match=op.name):
            interpret(graph, given)
