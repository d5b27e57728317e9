"""The whole pipeline, over every example of every op."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from eager.ops.errors import GraphError
from eager.ops.table import TABLE
from jit.graph import Graph, walk
from jit.interpreter import interpret
from jit.passes import PIPELINE, prepare, run
from jit.text import print_graph
from jit.verifier import verify
from tests.graphs import example_graph, examples, read

CASES = list(examples(TABLE))


@pytest.mark.parametrize("op, example", CASES, ids=lambda v: getattr(v, "name", ""))
def test_every_example_keeps_its_meaning(op: Any, example: Any) -> None:
    graph, arrays = example_graph(op, example)
    made = run(graph)
    (before,), _ = interpret(graph, arrays)
    (after,), _ = interpret(made, arrays)
    assert before.dtype == after.dtype and before.shape == after.shape
    np.testing.assert_allclose(after, before, rtol=1e-6, atol=1e-6)
    assert all(n.op.decompose is None for n in walk(made))


def test_the_pipeline_is_at_rest_where_it_ends() -> None:
    text = """
        graph(%x: f32[n, 6], %w: f32[6, 4] parameter, %s: f32[4] buffer) where n in 0..9 {
          %0 = matmul(%x, %w) : f32[n, 4]
          %1 = mul(%0, %s) : f32[n, 4]
          %2 = neg(%1) : f32[n, 4]
          %3 = log_softmax(%2, dim=1) : f32[n, 4]
          %4 = clone(%3) : f32[n, 4]
          %5 = log_softmax(%2, dim=1) : f32[n, 4]
          return %4, %5
        }"""
    once = run(read(text))
    assert print_graph(run(once)) == print_graph(once)
    assert sum(n.op.name == "exp" for n in once.nodes) == 1


def test_check_sees_the_graph_before_and_after_every_pass() -> None:
    seen: list[Graph] = []
    run(read("graph(%x: f32[4]) {\n%0 = exp(%x) : f32[4]\nreturn %0\n}"), check=seen.append)
    assert len(seen) == len(PIPELINE) + 1
    assert all(verify(g) is g for g in seen)


def test_the_pass_that_breaks_a_graph_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def forget(graph: Graph) -> Graph:
        return replace(graph, nodes=())

    def mend(_: Graph) -> Graph:
        return graph

    graph = read("graph(%x: f32[4]) {\n%0 = exp(%x) : f32[4]\nreturn %0\n}")
    with pytest.raises(GraphError, match="after forget: output 0 is node exp"):
        run(graph, (mend, forget, mend))
    assert prepare(graph, (forget, mend)) is graph
    monkeypatch.setenv("EAGER_JIT_VERIFY", "1")
    with pytest.raises(GraphError, match="after forget: output 0 is node exp"):
        prepare(graph, (forget, mend))
