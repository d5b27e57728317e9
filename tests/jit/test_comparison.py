"""`jit.diff`: what one graph computes and the other does not."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import eager
import jit
from eager import nn
from eager.ops.table import TABLE
from jit.graph import Const
from jit.passes import PIPELINE, run
from jit.report.changes import changes_of
from jit.tracer import Traced, trace_graph
from tests.graphs import example_graph, examples, read

CHAIN = """
    graph(%x: f32[n, 4], %w: f32[4, 4] parameter, %b: f32[4] parameter) where n in 0..9 {
      %0 = matmul(%x, %w) : f32[n, 4]  # net.py:1 forward
      %1 = exp(%x) : f32[n, 4]  # net.py:2 forward
      %2 = add(%0, %b) : f32[n, 4]  # net.py:3 forward
      %3 = mul(%2, %1) : f32[n, 4]  # net.py:4 forward
      return %3
      update %b = %b
    }"""


@pytest.mark.parametrize("op, example", list(examples(TABLE)), ids=lambda v: getattr(v, "name", ""))
def test_every_example_is_itself_and_not_nothing(op: Any, example: Any) -> None:
    (graph, _), (again, _) = example_graph(op, example), example_graph(op, example)
    assert not jit.diff(graph, again)
    assert jit.diff(graph, replace(graph, nodes=(), outputs=()))


def test_numbers_places_and_the_order_of_independent_nodes_do_not_count() -> None:
    lines = CHAIN.replace("net.py", "other.py").split("\n")
    lines[2], lines[3] = lines[3].replace("%1", "%0"), lines[2].replace("%0", "%1")
    lines[4] = lines[4].replace("%0", "%1")
    lines[5] = lines[5].replace("%2, %1", "%2, %0")
    found = jit.diff(read(CHAIN), read("\n".join(lines)))
    assert not found and str(found) == "no difference"


@pytest.mark.parametrize("old, new, first", [
    ("exp(%x)", "sin(%x)", "%1 = exp(%x) : f32[n, 4] (at net.py:2 forward); then %1 = sin(%x)"),
    ("mul(%2, %1)", "mul(%1, %2)", "%3 = mul(%2, %1)"),
    ("n in 0..9", "n in 1..9", "n in 0..9; then n in 1..9"),
    ("%b: f32[4] parameter", "%b: f32[4] buffer", "%b: f32[4] parameter; then %b: f32[4] buffer"),
    ("return %3", "return %2", "return %3; then return %2"),
    ("update %b = %b", "", "update %b = %b; then nothing"),
    ("add(%0, %b)", "add(%0, 1.0:f32)", "%2 = add(%0, %b)"),
])
def test_the_first_difference_is_named(old: str, new: str, first: str) -> None:
    found = jit.diff(read(CHAIN), read(CHAIN.replace(old, new)))
    assert found
    assert found.first.startswith(f"first difference: {first}")


def test_the_listing_aligns_what_is_the_same() -> None:
    found = jit.diff(read(CHAIN), read(CHAIN.replace("exp", "sin")))
    assert [line for line in found.listing.split("\n") if line[0] in "-+"] == [
        "-  %1 = exp(%x) : f32[n, 4]  # net.py:2 forward",
        "+  %1 = sin(%x) : f32[n, 4]  # net.py:2 forward"]
    assert "   %3 = mul(%2, %1) : f32[n, 4]  # net.py:4 forward" in found.listing


def test_constants_are_compared_by_their_bytes() -> None:
    text = 'graph(%x: f32[2], @0 "t": f32[2]) {\n%0 = add(%x, @0) : f32[2]\nreturn %0\n}'
    graphs = [read(text, [Const(np.array(v, np.float32), "t")])
              for v in ([0, 1], [0, 1], [-0.0, 1])]
    assert not jit.diff(graphs[0], graphs[1])
    assert "add(%x, @0)" in jit.diff(graphs[0], graphs[2]).first


def test_a_difference_inside_a_region_is_named() -> None:
    def traced(scale: float) -> Traced:
        def fn(x: eager.Tensor) -> eager.Tensor:
            return jit.cond(x.sum() > 0, lambda: x * scale, lambda: x - 1.0)

        return trace_graph(fn, (eager.ones(3),))

    assert not jit.diff(traced(2.0), traced(2.0))
    first, second = jit.diff(traced(2.0), traced(3.0)).first.split("; then ")
    assert "2.0:f32" in first and "3.0:f32" in second


def test_traces_of_one_model_are_the_same_and_of_another_are_not() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    x = eager.ones(2, 4)
    assert not jit.diff(trace_graph(model, (x,)), trace_graph(model, (x,)).graph)
    model.append(nn.Tanh())
    assert "tanh" in jit.diff(trace_graph(nn.Sequential(*model[:2]), (x,)),
                              trace_graph(model, (x,))).first


def test_only_graphs_are_compared() -> None:
    with pytest.raises(jit.GraphError, match=r"diff compares programs, traces and graphs, got int"):
        jit.diff(read(CHAIN), 3)


def test_history_tells_what_each_pass_did() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout()).eval()
    traced = trace_graph(model, (eager.ones(1, 1, 4, 4),))
    history = changes_of(traced.graph, PIPELINE)
    assert [c.name for c in history] == [*(p.__name__ for p in PIPELINE), "hoist"]
    assert all(a.after is b.before for a, b in pairwise(history))
    assert not jit.diff(history[-2].after, run(traced.graph))
    scaled = next(c for c in history if c.name == "scale_weights")
    assert scaled.diff and "conv2d" in scaled.diff.listing
    assert history[-1].nodes[1] < history[-1].nodes[0]
    assert "scale_weights" in str(history) and "nothing to do" in str(history)
