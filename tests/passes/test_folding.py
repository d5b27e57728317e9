"""Constants fold where that takes no more memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from jit.graph import Graph
from jit.passes.dce import eliminate_dead
from jit.passes.folding import fold_constants, fold_views

LARGE = np.arange(64, dtype=np.float32)


def fold(graph: Graph) -> Graph:
    return eliminate_dead(fold_constants(graph))


def test_scalars_fold_through_each_other(becomes: Any) -> None:
    becomes(fold, """
        graph(%x: f32[4]) {
          %0 = full(shape=(), value=2.0, dtype=f32) : f32[]
          %1 = sqrt(%0) : f32[]
          %2 = mul(%x, %1) : f32[4]
          return %2
        }""", """
        graph(%x: f32[4]) {
          %0 = mul(%x, 1.4142135:f32) : f32[4]
          return %0
        }""")


def test_an_array_folds_into_one_no_larger(becomes: Any) -> None:
    made = becomes(fold, """
        graph(%x: f32[64], @0 "table": f32[64]) {
          %0 = exp(@0) : f32[64]
          %1 = mul(%x, %0) : f32[64]
          return %1
        }""", """
        graph(%x: f32[64], @0 "table": f32[64]) {
          %0 = mul(%x, @0) : f32[64]
          return %0
        }""", [LARGE])
    assert np.array_equal(made.consts[0].array, np.exp(LARGE))


def test_folding_never_grows_memory(stays: Any) -> None:
    stays(fold, """
        graph(%x: f32[n], @0: f32[64]) where n in 0..9 {
          %0 = full(shape=(8,), value=1.0, dtype=f32) : f32[8]
          %1 = iota(start=0, step=1, size=8, dtype=i64) : i64[8]
          %2 = broadcast_to(@0, shape=(9, 64)) : f32[9, 64]
          %3 = reshape(@0, shape=(8, 8)) : f32[8, 8]
          %4 = permute(%3, dims=(1, 0)) : f32[8, 8]
          %5 = cast(@0, dtype=f64) : f64[64]
          %6 = dim(value=n) : i64[]
          return %0, %1, %2, %4, %5, %6
        }""", [LARGE])


def test_what_an_op_refuses_stays() -> None:
    from jit.text import parse_graph

    graph = parse_graph("""graph() {
        %0 = floor_divide(1:i64, 0:i64) : i64[]
        return %0
    }""")
    assert fold(graph).nodes == graph.nodes


def test_views_that_are_all_that_is_read_of_a_constant(becomes: Any) -> None:
    made = becomes(fold_views, """
        graph(%x: f32[4, 32], @0 "bias": f32[64]) {
          %0 = slice(@0, starts=(0,), stops=(32,), steps=(1,)) : f32[32]
          %1 = slice(@0, starts=(32,), stops=(64,), steps=(1,)) : f32[32]
          %2 = flip(%1, dims=(0,)) : f32[32]
          %3 = add(%x, %0) : f32[4, 32]
          %4 = add(%3, %2) : f32[4, 32]
          return %4
        }""", """
        graph(%x: f32[4, 32], @0 "bias": f32[32], @1 "bias": f32[32]) {
          %0 = add(%x, @0) : f32[4, 32]
          %1 = add(%0, @1) : f32[4, 32]
          return %1
        }""", [LARGE])
    assert np.array_equal(made.consts[1].array, LARGE[:31:-1])


def test_a_constant_that_is_read_otherwise_or_twice_stays(stays: Any) -> None:
    stays(fold_views, """
        graph(%x: f32[32], %y: f32[64], @0 "a": f32[64], @1 "b": f32[64]) {
          %0 = slice(@0, starts=(0,), stops=(32,), steps=(1,)) : f32[32]
          %1 = add(%x, %0) : f32[32]
          %2 = add(%y, @0) : f32[64]
          %3 = broadcast_to(@1, shape=(2, 64)) : f32[2, 64]
          return %1, %2, %3
        }""", [LARGE, LARGE])
