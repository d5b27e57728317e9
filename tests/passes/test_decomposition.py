"""Ops that say how they decompose do."""

from __future__ import annotations

from typing import Any

from jit.passes.decomposition import decompose


def test_softmax_becomes_its_parts_at_its_place(becomes: Any) -> None:
    becomes(decompose, """
        graph(%x: f64[n, 5]) where n in 0..9 {
          %0 = softmax(%x, dim=1) : f64[n, 5]  # net.py:7 forward > head
          %1 = exp(%0) : f64[n, 5]
          return %1
        }""", """
        graph(%x: f64[n, 5]) where n in 0..9 {
          %0 = amax(%x, dims=(1,), keepdim=true) : f64[n, 1]  # net.py:7 forward > head
          %1 = sub(%x, %0) : f64[n, 5]  # net.py:7 forward > head
          %2 = exp(%1) : f64[n, 5]  # net.py:7 forward > head
          %3 = sum(%2, dims=(1,), keepdim=true) : f64[n, 1]  # net.py:7 forward > head
          %4 = div(%2, %3) : f64[n, 5]  # net.py:7 forward > head
          %5 = exp(%4) : f64[n, 5]
          return %5
        }""", loose=True)


def test_other_ops_stay(stays: Any) -> None:
    stays(decompose, """
        graph(%x: f32[2, 3], %y: f32[3, 4]) {
          %0 = matmul(%x, %y) : f32[2, 4]
          %1 = relu(%0) : f32[2, 4]
          return %1
        }""")
