"""Common subexpressions: what merges and what must not."""

from __future__ import annotations

from typing import Any

import pytest

from jit.graph import Graph
from jit.passes.cse import eliminate_common
from jit.passes.dce import eliminate_dead
from jit.text import parse_graph


def merge(graph: Graph) -> Graph:
    return eliminate_dead(eliminate_common(graph))


def test_equal_nodes_merge_through_commuted_operands(becomes: Any) -> None:
    becomes(merge, """
        graph(%x: f32[4], %y: f32[4]) {
          %0 = mul(%x, %y) : f32[4]  # a.py:1 f
          %1 = mul(%y, %x) : f32[4]  # a.py:2 f
          %2 = sub(%0, %1) : f32[4]
          return %2
        }""", """
        graph(%x: f32[4], %y: f32[4]) {
          %0 = mul(%x, %y) : f32[4]  # a.py:1 f
          %1 = sub(%0, %0) : f32[4]
          return %1
        }""")


def test_small_constants_merge_by_their_bytes(becomes: Any) -> None:
    becomes(merge, """
        graph(%x: f32[4]) {
          %0 = mul(%x, 2.0:f32) : f32[4]
          %1 = mul(%x, 2.0:f32) : f32[4]
          %2 = add(%0, %1) : f32[4]
          return %2
        }""", """
        graph(%x: f32[4]) {
          %0 = mul(%x, 2.0:f32) : f32[4]
          %1 = add(%0, %0) : f32[4]
          return %1
        }""")


def test_draws_from_one_state_merge(becomes: Any) -> None:
    becomes(merge, """
        graph(%s: i64[3] stream) {
          %0 = rand_uniform(%s, shape=(4,), dtype=f32) : f32[4]
          %1 = rand_uniform(%s, shape=(4,), dtype=f32) : f32[4]
          return %0, %1
        }""", """
        graph(%s: i64[3] stream) {
          %0 = rand_uniform(%s, shape=(4,), dtype=f32) : f32[4]
          return %0, %0
        }""")


@pytest.mark.parametrize("first, second", [
    ("sub(%x, %y)", "sub(%y, %x)"),
    ("add(%x, 0.0:f32)", "add(%x, -0.0:f32)"),
    ("pad(%x, low=(0,), high=(0,), value=1)", "pad(%x, low=(0,), high=(0,), value=1.0)"),
    ("pad(%x, low=(0,), high=(0,), value=0.0)", "pad(%x, low=(0,), high=(0,), value=-0.0)"),
    ("pad(%x, low=(0,), high=(0,), value=1)", "pad(%x, low=(0,), high=(0,), value=true)"),
])
def test_what_differs_stays(first: str, second: str, stays: Any) -> None:
    stays(merge, f"""
        graph(%x: f32[4], %y: f32[4]) {{
          %0 = {first} : f32[4]
          %1 = {second} : f32[4]
          return %0, %1
        }}""")


def test_nodes_with_regions_never_merge() -> None:
    arm = "cond(%p, %x) { a(%x: f32[4]) { return %x } b(%x: f32[4]) { return %x } } : (f32[4])"
    graph = parse_graph(f"""graph(%p: bool[], %x: f32[4]) {{
        %0 = {arm}
        %1 = {arm}
        %2 = result(%0, index=0) : f32[4]
        %3 = result(%1, index=0) : f32[4]
        return %2, %3
    }}""")
    assert len(merge(graph).nodes) == 4


def test_a_reduction_with_and_without_keepdim_is_one(becomes: Any) -> None:
    becomes(merge, """
        graph(%x: f32[n, 4]) where n in 0..9 {
          %0 = sum(%x, dims=(1,), keepdim=false) : f32[n]
          %1 = sum(%x, dims=(1,), keepdim=true) : f32[n, 1]
          %2 = sum(%x, dims=(1,), keepdim=true) : f32[n, 1]
          %3 = sub(%x, %1) : f32[n, 4]
          return %0, %3, %2
        }""", """
        graph(%x: f32[n, 4]) where n in 0..9 {
          %0 = sum(%x, dims=(1,), keepdim=false) : f32[n]
          %1 = reshape(%0, shape=(n, 1)) : f32[n, 1]
          %2 = reshape(%0, shape=(n, 1)) : f32[n, 1]
          %3 = sub(%x, %1) : f32[n, 4]
          return %0, %3, %2
        }""")
