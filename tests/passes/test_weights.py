"""Work on weights alone is split off, and only that."""

from __future__ import annotations

from textwrap import dedent

import numpy as np

from jit.interpreter import interpret
from jit.passes.weights import hoist
from jit.text import parse_graph, print_graph
from jit.verifier import verify
from tests.graphs import arguments


def split(text: str) -> tuple[str, str]:
    """Both graphs' texts, after checking that they compute what the whole did."""
    graph = verify(parse_graph(dedent(text)))
    prologue, main = map(verify, hoist(graph))
    given = dict(zip((i.name for i in graph.inputs), arguments(graph), strict=True))
    expected, writes = interpret(graph, given)
    made, _ = interpret(prologue, {i.name: given[i.name] for i in prologue.inputs})
    folded = main.inputs[len(graph.inputs):] if made else ()
    given.update(zip((i.name for i in folded), made, strict=True))
    found, new_writes = interpret(main, given)
    for a, b in zip([*expected, *writes.values()], [*found, *new_writes.values()], strict=True):
        assert np.array_equal(a, b)
    return print_graph(prologue), print_graph(main)


def test_arithmetic_of_weights_moves_and_views_of_it_stay() -> None:
    prologue, main = split("""
        graph(%x: f32[n, 4], %w: f32[3, 4] parameter, %s: f32[] buffer) where n in 0..9 {
          %0 = sqrt(%s) : f32[]
          %1 = mul(%w, %0) : f32[3, 4]
          %2 = permute(%1, dims=(1, 0)) : f32[4, 3]
          %3 = matmul(%x, %2) : f32[n, 3]
          return %3
        }""")
    assert prologue == dedent("""
        prologue(%w: f32[3, 4] parameter, %s: f32[] buffer) where n in 0..9 {
          %0 = sqrt(%s) : f32[]
          %1 = mul(%w, %0) : f32[3, 4]
          return %1
        }""").strip().replace(" where n in 0..9", "")
    assert main == dedent("""
        graph(
            %x: f32[n, 4],
            %w: f32[3, 4] parameter,
            %s: f32[] buffer,
            %"folded.0": f32[3, 4] parameter,
        ) where n in 0..9 {
          %0 = permute(%"folded.0", dims=(1, 0)) : f32[4, 3]
          %1 = matmul(%x, %0) : f32[n, 3]
          return %1
        }""").strip()


def test_what_changes_or_grows_stays() -> None:
    text = dedent("""
        graph(%x: f32[4], %w: f32[4] parameter, %v: f32[2] parameter, %m: f32[4] optimizer) {
          %0 = neg(%w) : f32[4]
          %1 = permute(%v, dims=(0,)) : f32[2]
          %2 = full(shape=(4,), value=1.0, dtype=f32) : f32[4]
          %3 = reshape(%v, shape=(2, 1)) : f32[2, 1]
          %4 = pad(%3, low=(0, 0), high=(0, 99), value=0.0) : f32[2, 100]
          %5 = neg(%m) : f32[4]
          %6 = add(%x, %0) : f32[4]
          %7 = add(%6, %2) : f32[4]
          %8 = add(%7, %5) : f32[4]
          return %8, %4, %1
          update %w = %8
        }""").strip()
    prologue, main = split(text)
    assert prologue == "prologue() {\n  return\n}"
    assert main == text


def test_a_result_that_grows_gives_its_operands_instead() -> None:
    prologue, main = split("""
        graph(%x: f32[50, 4], %w: f32[4] parameter) {
          %0 = exp(%w) : f32[4]
          %1 = pad(%0, low=(46,), high=(0,), value=0.0) : f32[50]
          %2 = reshape(%1, shape=(50, 1)) : f32[50, 1]
          %3 = mul(%x, %2) : f32[50, 4]
          return %3
        }""")
    assert "exp" in prologue and "pad" not in prologue
    assert "exp" not in main and "pad" in main
