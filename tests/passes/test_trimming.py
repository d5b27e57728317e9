"""Loops and branches keep only what is read: text before, text after."""

from __future__ import annotations

import pytest

from jit.passes.trimming import trim_regions
from jit.text import parse_graph
from jit.verifier import verify

SCAN = """\
fn(%x: f32[3], %xs: f32[4, 3], %w: f32[3]) {
  %0 = scan(%x, %x, %w, %x, %xs, %xs, %w, carried=4, scanned=2, length=4, reverse=false) {
    body(%a: f32[3], %b: f32[3], %c: f32[3], %d: f32[3], %i: f32[3], %j: f32[3], %w: f32[3]) {
      %0 = add(%a, %i) : f32[3]
      %1 = mul(%b, %j) : f32[3]
      %2 = mul(%0, %c) : f32[3]
      %3 = mul(%d, %0) : f32[3]
      return %2, %1, %c, %3, %0, %w
    }
  } : (f32[3], f32[3], f32[3], f32[3], f32[4, 3], f32[4, 3])
  %1 = result(%0, index=0) : f32[3]
  %2 = result(%0, index=1) : f32[3]
  %3 = result(%0, index=2) : f32[3]
  %4 = result(%0, index=4) : f32[4, 3]
  %5 = result(%0, index=5) : f32[4, 3]
  return %1, %3, %4
}"""

TRIMMED_SCAN = """\
fn(%x: f32[3], %xs: f32[4, 3], %w: f32[3]) {
  %0 = scan(%x, %xs, %w, carried=1, scanned=1, length=4, reverse=false) {
    body(%a: f32[3], %i: f32[3], %c: f32[3]) {
      %0 = add(%a, %i) : f32[3]
      %1 = mul(%0, %c) : f32[3]
      return %1, %0
    }
  } : (f32[3], f32[4, 3])
  %1 = result(%0, index=0) : f32[3]
  %2 = result(%0, index=1) : f32[4, 3]
  return %1, %w, %2
}"""

WHILE = """\
fn(%x: f32[], %w: f32[]) {
  %0 = while_loop(%x, %x, %x, %w, carried=3, limit=none) {
    while(%a: f32[], %b: f32[], %c: f32[], %w: f32[]) {
      %0 = gt(%a, 0.0:f32) : bool[]
      return %0
    }
    do(%a: f32[], %b: f32[], %c: f32[], %w: f32[]) {
      %0 = sub(%a, 1.0:f32) : f32[]
      %1 = mul(%b, %w) : f32[]
      %2 = add(%c, %b) : f32[]
      return %0, %1, %2
    }
  } : (f32[], f32[], f32[])
  %1 = result(%0, index=1) : f32[]
  return %1
}"""

TRIMMED_WHILE = """\
fn(%x: f32[], %w: f32[]) {
  %0 = while_loop(%x, %x, %w, carried=2, limit=none) {
    while(%a: f32[], %b: f32[], %w: f32[]) {
      %0 = gt(%a, 0.0:f32) : bool[]
      return %0
    }
    do(%a: f32[], %b: f32[], %w: f32[]) {
      %0 = sub(%a, 1.0:f32) : f32[]
      %1 = mul(%b, %w) : f32[]
      return %0, %1
    }
  } : (f32[], f32[])
  %1 = result(%0, index=1) : f32[]
  return %1
}"""

COND = """\
fn(%p: bool[], %x: f32[3], %y: f32[3]) {
  %0 = cond(%p, %x, %y) {
    true(%x: f32[3], %y: f32[3]) {
      return %x, %y
    }
    false(%x: f32[3], %y: f32[3]) {
      %0 = exp(%x) : f32[3]
      return %0, %y
    }
  } : (f32[3], f32[3])
  %1 = result(%0, index=0) : f32[3]
  return %1
}"""

TRIMMED_COND = """\
fn(%p: bool[], %x: f32[3], %y: f32[3]) {
  %0 = cond(%p, %x) {
    true(%x: f32[3]) {
      return %x
    }
    false(%x: f32[3]) {
      %0 = exp(%x) : f32[3]
      return %0
    }
  } : (f32[3])
  %1 = result(%0, index=0) : f32[3]
  return %1
}"""


@pytest.mark.parametrize(("before", "after"), [
    (SCAN, TRIMMED_SCAN), (WHILE, TRIMMED_WHILE), (COND, TRIMMED_COND)])
def test_what_nobody_reads_vanishes_and_the_rest_stays(before: str, after: str) -> None:
    made = trim_regions(verify(parse_graph(before)))
    assert str(verify(made)) == after
    assert str(trim_regions(made)) == after
