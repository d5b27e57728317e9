"""Scales and shifts before a product move into its weights and a bias."""

from __future__ import annotations

from typing import Any

import pytest

from jit.graph import Graph
from jit.passes.dce import eliminate_dead
from jit.passes.prescaling import scale_inputs


def scale(graph: Graph) -> Graph:
    return eliminate_dead(scale_inputs(graph))


def test_a_scale_and_a_shift_before_a_matrix_product(becomes: Any) -> None:
    becomes(scale, """
        graph(%x: f32[n, 4], %w: f32[4, 3] parameter, %s: f32[4] buffer) where n in 0..9 {
          %0 = sub(2.0:f32, %x) : f32[n, 4]  # net.py:1 forward
          %1 = mul(%0, %s) : f32[n, 4]  # net.py:2 forward
          %2 = matmul(%1, %w) : f32[n, 3]  # net.py:3 forward
          return %2
        }""", """
        graph(%x: f32[n, 4], %w: f32[4, 3] parameter, %s: f32[4] buffer) where n in 0..9 {
          %0 = mul(-1.0:f32, %s) : f32[4]  # net.py:3 forward
          %1 = mul(2.0:f32, %s) : f32[4]  # net.py:3 forward
          %2 = reshape(%0, shape=(4, 1)) : f32[4, 1]  # net.py:3 forward
          %3 = mul(%w, %2) : f32[4, 3]  # net.py:3 forward
          %4 = matmul(%x, %3) : f32[n, 3]  # net.py:3 forward
          %5 = reshape(%1, shape=(4, 1)) : f32[4, 1]  # net.py:3 forward
          %6 = mul(%w, %5) : f32[4, 3]  # net.py:3 forward
          %7 = sum(%6, dims=(0,), keepdim=false) : f32[3]  # net.py:3 forward
          %8 = reshape(%7, shape=(3,)) : f32[3]  # net.py:3 forward
          %9 = add(%4, %8) : f32[n, 3]  # net.py:3 forward
          return %9
        }""", loose=True)


CONVOLUTION = """
    graph(%x: f32[2, 3, 5, 5], %w: f32[4, 3, 3, 3] parameter, %s: f32[3, 1, 1] buffer) {{
      %0 = {step}(%x, %s) : f32[2, 3, 5, 5]
      %1 = conv2d(%0, %w, stride=(2, 2), padding=({pad}, {pad}), dilation=(1, 1)) : f32[2, 4, {n}, {n}]
      return %1
    }}"""  # noqa: E501


def test_a_convolution_with_padding_takes_a_scale(becomes: Any) -> None:
    becomes(scale, CONVOLUTION.format(step="div", pad=1, n=3), """
        graph(%x: f32[2, 3, 5, 5], %w: f32[4, 3, 3, 3] parameter, %s: f32[3, 1, 1] buffer) {
          %0 = div(1.0:f32, %s) : f32[3, 1, 1]
          %1 = reshape(%0, shape=(3, 1, 1)) : f32[3, 1, 1]
          %2 = mul(%w, %1) : f32[4, 3, 3, 3]
          %3 = conv2d(%x, %2, stride=(2, 2), padding=(1, 1), dilation=(1, 1)) : f32[2, 4, 3, 3]
          return %3
        }""", loose=True)


def test_a_convolution_without_padding_takes_a_shift(becomes: Any) -> None:
    becomes(scale, CONVOLUTION.format(step="add", pad=0, n=2), """
        graph(%x: f32[2, 3, 5, 5], %w: f32[4, 3, 3, 3] parameter, %s: f32[3, 1, 1] buffer) {
          %0 = conv2d(%x, %w, stride=(2, 2), padding=(0, 0), dilation=(1, 1)) : f32[2, 4, 2, 2]
          %1 = reshape(%s, shape=(3, 1, 1)) : f32[3, 1, 1]
          %2 = mul(%w, %1) : f32[4, 3, 3, 3]
          %3 = sum(%2, dims=(1, 2, 3), keepdim=false) : f32[4]
          %4 = reshape(%3, shape=(4, 1, 1)) : f32[4, 1, 1]
          %5 = add(%0, %4) : f32[2, 4, 2, 2]
          return %5
        }""", loose=True)


@pytest.mark.parametrize("text", [
    # zeros at the border are not shifted
    CONVOLUTION.format(step="add", pad=1, n=3),
    # somebody else sees the scaled value
    """graph(%x: f32[2, 4], %w: f32[4, 3] parameter, %s: f32[4] buffer) {
      %0 = mul(%x, %s) : f32[2, 4]
      %1 = matmul(%0, %w) : f32[2, 3]
      return %1, %0
    }""",
    # one number a row
    """graph(%x: f32[2, 4], %w: f32[4, 3] parameter, %s: f32[2, 1] buffer) {
      %0 = mul(%x, %s) : f32[2, 4]
      %1 = matmul(%0, %w) : f32[2, 3]
      return %1
    }""",
    # the weights train
    """graph(%x: f32[2, 4], %w: f32[4, 3] parameter, %s: f32[4] buffer) {
      %0 = mul(%x, %s) : f32[2, 4]
      %1 = matmul(%0, %w) : f32[2, 3]
      return %1
      update %w = %w
    }""",
    # the scale depends on the call
    """graph(%x: f32[2, 4], %w: f32[4, 3] parameter, %s: f32[4]) {
      %0 = mul(%x, %s) : f32[2, 4]
      %1 = matmul(%0, %w) : f32[2, 3]
      return %1
    }""",
    # a quotient by the input
    """graph(%x: f32[2, 4], %w: f32[4, 3] parameter, %s: f32[4] buffer) {
      %0 = div(%s, %x) : f32[2, 4]
      %1 = matmul(%0, %w) : f32[2, 3]
      return %1
    }""",
    # what is not linear
    """graph(%x: f32[2, 4], %w: f32[4, 3] parameter) {
      %0 = relu(%x) : f32[2, 4]
      %1 = matmul(%0, %w) : f32[2, 3]
      return %1
    }""",
])
def test_it_abstains(text: str, stays: Any) -> None:
    stays(scale, text if text.startswith("\n") else text.replace("\n    ", "\n"))
