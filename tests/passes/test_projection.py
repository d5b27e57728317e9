"""Convolutions that look at one pixel at a time are matrix products."""

from __future__ import annotations

from typing import Any

import pytest

from jit.passes.projection import project

CONVOLUTION = """
    graph(%x: f32[n, 3, h, 7], %w: f32[4, 3, {k}, {k}] parameter) where h in 1..9, n in 0..9 {{
      %0 = conv2d(%x, %w, stride=(1, 1), padding=({p}, {p}), dilation=(1, 1)) : f32[n, 4, {h}, 7]
      return %0
    }}"""


def test_one_pixel(becomes: Any) -> None:
    becomes(project, CONVOLUTION.format(k=1, p=0, h="h"), """
        graph(%x: f32[n, 3, h, 7], %w: f32[4, 3, 1, 1] parameter) where h in 1..9, n in 0..9 {
          %0 = reshape(%x, shape=(n, 3, 7 * h)) : f32[n, 3, 7 * h]
          %1 = reshape(%w, shape=(4, 3)) : f32[4, 3]
          %2 = matmul(%1, %0) : f32[n, 4, 7 * h]
          %3 = reshape(%2, shape=(n, 4, h, 7)) : f32[n, 4, h, 7]
          return %3
        }""", loose=True)


def test_every_second_pixel(becomes: Any) -> None:
    becomes(project, """
        graph(%x: f32[2, 3, 5, 6], %w: f32[4, 3, 1, 1]) {
          %0 = conv2d(%x, %w, stride=(2, 3), padding=(0, 0), dilation=(1, 1)) : f32[2, 4, 3, 2]
          return %0
        }""", """
        graph(%x: f32[2, 3, 5, 6], %w: f32[4, 3, 1, 1]) {
          %0 = slice(%x, starts=(0, 0, 0, 0), stops=(2, 3, 5, 6), steps=(1, 1, 2, 3)) : f32[2, 3, 3, 2]
          %1 = reshape(%0, shape=(2, 3, 6)) : f32[2, 3, 6]
          %2 = reshape(%w, shape=(4, 3)) : f32[4, 3]
          %3 = matmul(%2, %1) : f32[2, 4, 6]
          %4 = reshape(%3, shape=(2, 4, 3, 2)) : f32[2, 4, 3, 2]
          return %4
        }""", loose=True)  # noqa: E501


@pytest.mark.parametrize("k, p, h", [(3, 1, "h"), (1, 1, "h + 2")])
def test_it_abstains_from_windows_and_padding(k: int, p: int, h: str, stays: Any) -> None:
    text = CONVOLUTION.format(k=k, p=p, h=h)
    stays(project, text.replace(", 7]\n      return", ", 9]\n      return") if k == 1 else text)
