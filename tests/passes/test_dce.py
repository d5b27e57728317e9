"""Dead code goes, everything that a result needs stays."""

from __future__ import annotations

from typing import Any

from jit.passes.dce import eliminate_dead


def test_unread_nodes_go_also_those_that_could_fail(becomes: Any) -> None:
    becomes(eliminate_dead, """
        graph(%x: f32[4], %i: i64[4]) {
          %0 = exp(%x) : f32[4]
          %1 = floor_divide(%i, 0:i64) : i64[4]
          %2 = neg(%0) : f32[4]
          %3 = add(%0, %x) : f32[4]
          return %3
        }""".replace("0:i64", "2:i64"), """
        graph(%x: f32[4], %i: i64[4]) {
          %0 = exp(%x) : f32[4]
          %1 = add(%0, %x) : f32[4]
          return %1
        }""")


def test_updates_are_results(stays: Any) -> None:
    stays(eliminate_dead, """
        graph(%x: f32[4], %w: f32[4] parameter) {
          %0 = exp(%x) : f32[4]
          %1 = sub(%w, %0) : f32[4]
          return
          update %w = %1
        }""")


def test_regions_are_cleaned_too(becomes: Any) -> None:
    text = """
        graph(%p: bool[], %x: f32[4]) {{
          %0 = cond(%p, %x) {{
            true(%x: f32[4]) {{
              {dead}return %x
            }}
            false(%x: f32[4]) {{
              return %x
            }}
          }} : (f32[4])
          %1 = result(%0, index=0) : f32[4]
          return %1
        }}"""
    becomes(eliminate_dead, text.format(dead="%0 = exp(%x) : f32[4]\n              "),
            text.format(dead=""))
