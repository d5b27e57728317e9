"""Scales and shifts after a product move into its weights."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

import numpy as np
import pytest

from jit.graph import Graph
from jit.interpreter import interpret
from jit.passes import run
from jit.passes.dce import eliminate_dead
from jit.passes.scaling import scale_weights
from jit.passes.weights import hoist
from jit.text import parse_graph, print_graph
from jit.verifier import verify
from tests.graphs import arguments

BATCH_NORM = """
    graph(
        %x: f32[n, 2, 5, 5],
        %w: f32[3, 2, 3, 3] parameter,
        %c: f32[3] parameter,
        %mean: f32[3] buffer,
        %var: f32[3] buffer,
        %gain: f32[3] parameter,
        %bias: f32[3] parameter,
    ) where n in 0..9 {
      %0 = conv2d(%x, %w, stride=(1, 1), padding=(0, 0), dilation=(1, 1)) : f32[n, 3, 3, 3]
      %1 = reshape(%c, shape=(1, 3, 1, 1)) : f32[1, 3, 1, 1]
      %2 = add(%0, %1) : f32[n, 3, 3, 3]
      %3 = reshape(%mean, shape=(3, 1, 1)) : f32[3, 1, 1]
      %4 = sub(%2, %3) : f32[n, 3, 3, 3]
      %5 = add(%var, 1e-05:f32) : f32[3]
      %6 = rsqrt(%5) : f32[3]
      %7 = reshape(%6, shape=(1, 3, 1, 1)) : f32[1, 3, 1, 1]
      %8 = mul(%4, %7) : f32[n, 3, 3, 3]
      %9 = reshape(%gain, shape=(1, 3, 1, 1)) : f32[1, 3, 1, 1]
      %10 = mul(%9, %8) : f32[n, 3, 3, 3]
      %11 = reshape(%bias, shape=(1, 3, 1, 1)) : f32[1, 3, 1, 1]
      %12 = add(%10, %11) : f32[n, 3, 3, 3]
      %13 = relu(%12) : f32[n, 3, 3, 3]
      return %13
    }"""


def scale(graph: Graph) -> Graph:
    return eliminate_dead(scale_weights(graph))


def test_a_scaled_matrix_product(becomes: Any) -> None:
    becomes(scale, """
        graph(%x: f32[n, 4], %w: f32[4, 3] parameter, %s: f32[3] buffer) where n in 0..9 {
          %0 = matmul(%x, %w) : f32[n, 3]  # net.py:1 forward
          %1 = sub(1.0:f32, %0) : f32[n, 3]  # net.py:2 forward
          %2 = div(%1, %s) : f32[n, 3]  # net.py:3 forward
          return %2
        }""", """
        graph(%x: f32[n, 4], %w: f32[4, 3] parameter, %s: f32[3] buffer) where n in 0..9 {
          %0 = div(-1.0:f32, %s) : f32[3]  # net.py:1 forward
          %1 = div(1.0:f32, %s) : f32[3]  # net.py:1 forward
          %2 = reshape(%0, shape=(3,)) : f32[3]  # net.py:1 forward
          %3 = mul(%w, %2) : f32[4, 3]  # net.py:1 forward
          %4 = matmul(%x, %3) : f32[n, 3]  # net.py:1 forward
          %5 = add(%4, %1) : f32[n, 3]  # net.py:3 forward
          return %5
        }""", loose=True)


@pytest.mark.parametrize("step, expected", [
    ("neg(%0)", "mul(%w, -1.0:f32)"), ("mul(%0, 2.0:f32)", "mul(%w, 2.0:f32)"),
    ("div(%0, 2.0:f32)", "mul(%w, %0)"),
])
def test_every_step(step: str, expected: str) -> None:
    made = scale(parse_graph(f"""graph(%x: f32[2, 4], %w: f32[4, 3] parameter) {{
        %0 = matmul(%x, %w) : f32[2, 3]
        %1 = {step} : f32[2, 3]
        return %1
    }}"""))
    assert expected in print_graph(verify(made))


def test_batch_norm_vanishes_into_the_convolution(becomes: Any) -> None:
    graph = verify(parse_graph(dedent(BATCH_NORM)))
    made = run(graph)
    _, main = hoist(made)
    assert print_graph(main).split(") where")[1] == dedent("""\
         n in 0..9 {
          %0 = conv2d(%x, %"folded.0", stride=(1, 1), padding=(0, 0), dilation=(1, 1)) : f32[n, 3, 3, 3]
          %1 = add(%0, %"folded.1") : f32[n, 3, 3, 3]
          %2 = relu(%1) : f32[n, 3, 3, 3]
          return %2
        }""").replace("\n        ", "\n")  # noqa: E501
    becomes(run, BATCH_NORM, print_graph(made), loose=True)


@pytest.mark.parametrize("text", [
    # a bias alone is the normal form
    """graph(%x: f32[2, 4], %w: f32[4, 3] parameter, %c: f32[3] parameter) {
      %0 = matmul(%x, %w) : f32[2, 3]
      %1 = add(%0, %c) : f32[2, 3]
      return %1
    }""",
    # the scale depends on the call
    """graph(%x: f32[2, 4], %w: f32[4, 3] parameter, %s: f32[3]) {
      %0 = matmul(%x, %w) : f32[2, 3]
      %1 = mul(%0, %s) : f32[2, 3]
      return %1
    }""",
    # the weights train
    """graph(%x: f32[2, 4], %w: f32[4, 4] parameter) {
      %0 = matmul(%x, %w) : f32[2, 4]
      %1 = mul(%0, 2.0:f32) : f32[2, 4]
      return %1
      update %w = %w
    }""",
    # somebody else sees the product
    """graph(%x: f32[2, 4], %w: f32[4, 3] parameter) {
      %0 = matmul(%x, %w) : f32[2, 3]
      %1 = mul(%0, 2.0:f32) : f32[2, 3]
      return %0, %1
    }""",
    # somebody else reads the weights
    """graph(%x: f32[2, 4], %w: f32[4, 3] parameter) {
      %0 = matmul(%x, %w) : f32[2, 3]
      %1 = mul(%0, 2.0:f32) : f32[2, 3]
      %2 = neg(%w) : f32[4, 3]
      return %1, %2
    }""",
    # one number a row, not a column
    """graph(%x: f32[2, 4], %w: f32[4, 3] parameter, %s: f32[2, 1] parameter) {
      %0 = matmul(%x, %w) : f32[2, 3]
      %1 = mul(%0, %s) : f32[2, 3]
      return %1
    }""",
    # a quotient by the product
    """graph(%x: f32[2, 4], %w: f32[4, 3] parameter) {
      %0 = matmul(%x, %w) : f32[2, 3]
      %1 = div(2.0:f32, %0) : f32[2, 3]
      return %1
    }""",
])
def test_scaling_abstains(text: str, stays: Any) -> None:
    stays(scale, text.replace("\n    ", "\n"))


def test_the_error_against_float64_does_not_grow() -> None:
    graph = parse_graph(dedent(BATCH_NORM))
    exact = parse_graph(dedent(BATCH_NORM).replace("f32", "f64"))
    given = arguments(graph)
    (truth,), _ = interpret(exact, [a.astype(np.float64) for a in given])
    (before,), _ = interpret(graph, given)
    (after,), _ = interpret(run(graph), given)
    old, new = np.abs(before - truth).max(), np.abs(after - truth).max()
    assert new <= max(2 * old, 1e-6 * np.abs(truth).max())


def test_views_that_keep_the_channels_apart_come_after_the_bias(becomes: Any) -> None:
    becomes(scale, """
        graph(%x: f32[n, 2, 1, 8], %w: f32[3, 2, 1, 3] parameter, %c: f32[3, 1] parameter) where n in 0..9 {
          %0 = conv2d(%x, %w, stride=(1, 1), padding=(0, 0), dilation=(1, 1)) : f32[n, 3, 1, 6]
          %1 = reshape(%0, shape=(n, 3, 6)) : f32[n, 3, 6]
          %2 = add(%1, %c) : f32[n, 3, 6]
          %3 = permute(%2, dims=(0, 2, 1)) : f32[n, 6, 3]
          %4 = mul(%3, 2.0:f32) : f32[n, 6, 3]
          return %4
        }""", """
        graph(%x: f32[n, 2, 1, 8], %w: f32[3, 2, 1, 3] parameter, %c: f32[3, 1] parameter) where n in 0..9 {
          %0 = reshape(%c, shape=(3,)) : f32[3]
          %1 = reshape(%0, shape=(3, 1, 1)) : f32[3, 1, 1]
          %2 = mul(%1, 2.0:f32) : f32[3, 1, 1]
          %3 = mul(%w, 2.0:f32) : f32[3, 2, 1, 3]
          %4 = conv2d(%x, %3, stride=(1, 1), padding=(0, 0), dilation=(1, 1)) : f32[n, 3, 1, 6]
          %5 = add(%4, %2) : f32[n, 3, 1, 6]
          %6 = reshape(%5, shape=(n, 3, 6)) : f32[n, 3, 6]
          %7 = permute(%6, dims=(0, 2, 1)) : f32[n, 6, 3]
          return %7
        }""", loose=True)  # noqa: E501


def test_a_concat_of_products_takes_each_its_channels(becomes: Any) -> None:
    becomes(scale, """
        graph(%x: f32[2, 4], %w: f32[4, 3] parameter, %v: f32[4, 2] parameter, %s: f32[5] buffer) {
          %0 = matmul(%x, %w) : f32[2, 3]
          %1 = matmul(%x, %v) : f32[2, 2]
          %2 = concat(%0, %1, dim=1) : f32[2, 5]
          %3 = mul(%2, %s) : f32[2, 5]
          return %3
        }""", """
        graph(%x: f32[2, 4], %w: f32[4, 3] parameter, %v: f32[4, 2] parameter, %s: f32[5] buffer) {
          %0 = reshape(%s, shape=(5,)) : f32[5]
          %1 = slice(%0, starts=(0,), stops=(3,), steps=(1,)) : f32[3]
          %2 = reshape(%1, shape=(3,)) : f32[3]
          %3 = reshape(%2, shape=(3,)) : f32[3]
          %4 = mul(%w, %3) : f32[4, 3]
          %5 = matmul(%x, %4) : f32[2, 3]
          %6 = reshape(%s, shape=(5,)) : f32[5]
          %7 = slice(%6, starts=(3,), stops=(5,), steps=(1,)) : f32[2]
          %8 = reshape(%7, shape=(2,)) : f32[2]
          %9 = reshape(%8, shape=(2,)) : f32[2]
          %10 = mul(%v, %9) : f32[4, 2]
          %11 = matmul(%x, %10) : f32[2, 2]
          %12 = concat(%5, %11, dim=1) : f32[2, 5]
          return %12
        }""", loose=True)


@pytest.mark.parametrize("text", [
    # a view that takes the channels apart
    """graph(%x: f32[2, 4], %w: f32[4, 6] parameter, %s: f32[3] parameter) {
      %0 = matmul(%x, %w) : f32[2, 6]
      %1 = reshape(%0, shape=(2, 2, 3)) : f32[2, 2, 3]
      %2 = mul(%1, %s) : f32[2, 2, 3]
      return %2
    }""",
    # a bias before a view is where it should be
    """graph(%x: f32[2, 4], %w: f32[4, 6] parameter, %c: f32[6] parameter) {
      %0 = matmul(%x, %w) : f32[2, 6]
      %1 = add(%0, %c) : f32[2, 6]
      %2 = reshape(%1, shape=(2, 1, 6)) : f32[2, 1, 6]
      return %2
    }""",
    # joined by rows, not by columns
    """graph(%x: f32[2, 4], %w: f32[4, 3] parameter, %v: f32[4, 3] parameter, %s: f32[3] buffer) {
      %0 = matmul(%x, %w) : f32[2, 3]
      %1 = matmul(%x, %v) : f32[2, 3]
      %2 = concat(%0, %1, dim=0) : f32[4, 3]
      %3 = mul(%2, %s) : f32[4, 3]
      return %3
    }""",
    # not all of what is joined is a product
    """graph(%x: f32[2, 4], %w: f32[4, 3] parameter, %s: f32[7] buffer) {
      %0 = matmul(%x, %w) : f32[2, 3]
      %1 = concat(%0, %x, dim=1) : f32[2, 7]
      %2 = mul(%1, %s) : f32[2, 7]
      return %2
    }""",
])
def test_scaling_abstains_from_views_and_concats(text: str, stays: Any) -> None:
    stays(scale, text.replace("\n    ", "\n"))
