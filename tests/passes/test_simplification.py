"""Each rewrite rule fires, says what it does, and abstains where it would change a value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eager.ops.types import NATIVE
from jit.passes import simplification as s
from jit.passes.dce import eliminate_dead
from jit.passes.simplification import simplify
from jit.text import parse_graph

# rule, inputs, lines before (the last is where the rule fires), lines after, result
CASES: tuple[tuple[Any, str, str, str, str], ...] = (
    (s.add_nothing, "%x: f32[4]", "%0 = add(-0.0:f32, %x) : f32[4]", "", "%x"),
    (s.add_nothing, "%x: i64[4]", "%0 = add(%x, 0:i64) : i64[4]", "", "%x"),
    (s.subtract_nothing, "%x: f32[4]", "%0 = sub(%x, 0.0:f32) : f32[4]", "", "%x"),
    (s.multiply_by_one, "%x: f32[n]", "%0 = mul(1.0:f32, %x) : f32[n]", "", "%x"),
    (s.multiply_by_one, "%x: f32[n]", """
     %0 = full(shape=(n,), value=1.0, dtype=f32) : f32[n]
     %1 = mul(%x, %0) : f32[n]""", "", "%x"),
    (s.divide_by_one, "%x: f64[4]", "%0 = div(%x, 1.0:f64) : f64[4]", "", "%x"),
    (s.first_power, "%x: f32[4]", "%0 = pow(%x, 1.0:f32) : f32[4]", "", "%x"),
    (s.twice_negated, "%x: f32[4]", """
     %0 = neg(%x) : f32[4]
     %1 = neg(%0) : f32[4]""", "", "%x"),
    (s.twice_clipped, "%x: f32[4]", """
     %0 = relu(%x) : f32[4]
     %1 = relu(%0) : f32[4]""", "%0 = relu(%x) : f32[4]", "%0"),
    (s.same_choice, "%c: bool[4], %x: f32[4]", "%0 = where(%c, %x, %x) : f32[4]", "", "%x"),
    (s.copy, "%x: f32[4]", "%0 = clone(%x) : f32[4]", "", "%x"),
    (s.copy, "%x: f32[4]", "%0 = detach(%x) : f32[4]", "", "%x"),
    (s.cast_to_own_dtype, "%x: f32[4]", "%0 = cast(%x, dtype=f32) : f32[4]", "", "%x"),
    (s.cast_of_cast, "%x: i16[4]", """
     %0 = cast(%x, dtype=f32) : f32[4]
     %1 = cast(%0, dtype=i64) : i64[4]""", "%0 = cast(%x, dtype=i64) : i64[4]", "%0"),
    (s.cast_of_cast, "%x: f32[4]", """
     %0 = cast(%x, dtype=f64) : f64[4]
     %1 = cast(%0, dtype=f32) : f32[4]""", "", "%x"),
    (s.move_nothing, "%x: f32[n, 2]", "%0 = reshape(%x, shape=(n, 2)) : f32[n, 2]", "", "%x"),
    (s.move_nothing, "%x: f32[n, 2]", "%0 = broadcast_to(%x, shape=(n, 2)) : f32[n, 2]", "", "%x"),
    (s.move_nothing, "%x: f32[n]", "%0 = slice(%x, starts=(0,), stops=(n,), steps=(1,)) : f32[n]",
     "", "%x"),
    (s.reshape_of_reshape, "%x: f32[4, 6]", """
     %0 = reshape(%x, shape=(24,)) : f32[24]
     %1 = reshape(%0, shape=(3, 8)) : f32[3, 8]""",
     "%0 = reshape(%x, shape=(3, 8)) : f32[3, 8]", "%0"),
    (s.broadcast_of_broadcast, "%x: f32[4]", """
     %0 = broadcast_to(%x, shape=(1, 4)) : f32[1, 4]
     %1 = broadcast_to(%0, shape=(3, 4)) : f32[3, 4]""",
     "%0 = broadcast_to(%x, shape=(3, 4)) : f32[3, 4]", "%0"),
    (s.permute_nothing, "%x: f32[2, 3]", "%0 = permute(%x, dims=(0, 1)) : f32[2, 3]", "", "%x"),
    (s.permute_of_permute, "%x: f32[2, 3, 5]", """
     %0 = permute(%x, dims=(2, 0, 1)) : f32[5, 2, 3]
     %1 = permute(%0, dims=(0, 2, 1)) : f32[5, 3, 2]""",
     "%0 = permute(%x, dims=(2, 1, 0)) : f32[5, 3, 2]", "%0"),
    (s.slice_of_slice, "%x: f32[20]", """
     %0 = slice(%x, starts=(1,), stops=(20,), steps=(3,)) : f32[7]
     %1 = slice(%0, starts=(2,), stops=(7,), steps=(2,)) : f32[3]""",
     "%0 = slice(%x, starts=(7,), stops=(20,), steps=(6,)) : f32[3]", "%0"),
    (s.flip_of_flip, "%x: f32[2, 3]", """
     %0 = flip(%x, dims=(0, 1)) : f32[2, 3]
     %1 = flip(%0, dims=(1, 0)) : f32[2, 3]""", "", "%x"),
    (s.flip_of_flip, "%x: f32[2, 3]", "%0 = flip(%x, dims=()) : f32[2, 3]", "", "%x"),
    (s.pad_nothing, "%x: f32[4]", "%0 = pad(%x, low=(0,), high=(0,), value=1.0) : f32[4]",
     "", "%x"),
    (s.dilate_nothing, "%x: f32[4]", "%0 = dilate(%x, steps=(1,)) : f32[4]", "", "%x"),
    (s.join_one, "%x: f32[4]", "%0 = concat(%x, dim=0) : f32[4]", "", "%x"),
    (s.view_of_fill, "%x: f32[n]", """
     %0 = full(shape=(1, 4), value=2.0, dtype=f32) : f32[1, 4]
     %1 = broadcast_to(%0, shape=(n, 4)) : f32[n, 4]""",
     "%0 = full(shape=(n, 4), value=2.0, dtype=f32) : f32[n, 4]", "%0"),
    (s.arithmetic_of_fills, "%x: f32[n]", """
     %0 = full(shape=(n,), value=2.0, dtype=f32) : f32[n]
     %1 = div(%0, 4.0:f32) : f32[n]""",
     "%0 = full(shape=(n,), value=0.5, dtype=f32) : f32[n]", "%0"),
    (s.broadcast_operand, "%x: f32[n, 4], %y: f32[4]", """
     %0 = broadcast_to(%y, shape=(n, 4)) : f32[n, 4]
     %1 = sub(%0, %x) : f32[n, 4]""", "%0 = sub(%y, %x) : f32[n, 4]", "%0"),
    (s.broadcast_operand, "%x: f32[n]", """
     %0 = full(shape=(n,), value=3.0, dtype=f32) : f32[n]
     %1 = mul(%x, %0) : f32[n]""", "%0 = mul(%x, 3.0:f32) : f32[n]", "%0"),
)
ALL_RULES = {r for rules in s.RULES.values() for r in rules} | {
    *s.VIEW_RULES, *s.POINTWISE_RULES}

ABSTAINS = (  # inputs, lines, result
    ("%x: f32[4]", "%0 = add(%x, 0.0:f32) : f32[4]", "%0"),
    ("%x: f32[4]", "%0 = sub(%x, -0.0:f32) : f32[4]", "%0"),
    ("%x: f32[4]", "%0 = sub(0.0:f32, %x) : f32[4]", "%0"),
    ("%x: f32[4]", "%0 = mul(%x, 0.0:f32) : f32[4]", "%0"),
    ("%x: f32[], @0: f32[4]", "%0 = mul(%x, @0) : f32[4]", "%0"),
    ("%x: f32[4]", "%0 = div(1.0:f32, %x) : f32[4]", "%0"),
    ("%x: f64[4]", "%0 = cast(%x, dtype=f32) : f32[4]\n%1 = cast(%0, dtype=f64) : f64[4]", "%1"),
    ("%x: i32[4]", "%0 = cast(%x, dtype=f32) : f32[4]\n%1 = cast(%0, dtype=i32) : i32[4]", "%1"),
    ("%x: f32[2, 2]", "%0 = permute(%x, dims=(1, 0)) : f32[2, 2]", "%0"),
    ("%x: f32[4]", "%0 = slice(%x, starts=(1,), stops=(4,), steps=(1,)) : f32[3]", "%0"),
    ("%x: f32[4]", "%0 = flip(%x, dims=(0,)) : f32[4]", "%0"),
    ("%x: f32[4]", "%0 = pad(%x, low=(-1,), high=(1,), value=0.0) : f32[4]", "%0"),
    ("%x: f32[1], %y: f32[n]", """
     %0 = broadcast_to(%x, shape=(n,)) : f32[n]
     %1 = exp(%0) : f32[n]""", "%1"),
    ("%x: f32[4, 4], @0: f32[4, 4]", "%0 = matmul(%x, @0) : f32[4, 4]", "%0"),
)


def graph_text(inputs: str, lines: str, result: str) -> str:
    dims = " where n in 0..9" if "f32[n" in inputs else ""
    body = "".join(f"  {line.strip()}\n" for line in lines.split("\n") if line.strip())
    return f"graph({inputs}){dims} {{\n{body}  return {result}\n}}"


@pytest.mark.parametrize("case", CASES, ids=lambda c: c[0].__name__)
def test_a_rule_fires(case: Any, becomes: Any) -> None:
    rule, inputs, before, after, result = case
    last = before.split("\n")[-1].split("=")[0].strip()
    text = graph_text(inputs, before, last)
    assert rule(parse_graph(text).nodes[-1]) is not None
    becomes(lambda g: eliminate_dead(simplify(g)), text, graph_text(inputs, after, result))


@pytest.mark.parametrize("inputs, lines, result", ABSTAINS)
def test_rules_abstain(inputs: str, lines: str, result: str, stays: Any) -> None:
    consts = [np.eye(4, dtype=np.float32) if "@0: f32[4, 4]" in inputs else np.ones(4, "f4")]
    stays(simplify, graph_text(inputs, lines, result), consts)


def test_every_rule_has_a_case_and_says_what_it_does() -> None:
    assert {c[0] for c in CASES} == ALL_RULES
    assert all("=>" in r.__doc__ for r in ALL_RULES)


def test_a_dtype_holds_another_exactly() -> None:
    held = {(a, b) for a in NATIVE for b in NATIVE if s.holds(NATIVE[a], NATIVE[b])}
    assert ("i16", "f32") in held and ("i32", "f64") in held and ("bool", "u8") in held
    assert not held & {("i32", "f32"), ("i64", "f64"), ("f64", "f32"), ("i8", "u8"),
                       ("f32", "i64"), ("u8", "i8"), ("u8", "bool")}


def test_rules_reach_into_regions(becomes: Any) -> None:
    text = """
        graph(%p: bool[], %x: f32[4]) {{
          %0 = cond(%p, %x) {{
            true(%x: f32[4]) {{
              {line}return {result}
            }}
            false(%x: f32[4]) {{
              return %x
            }}
          }} : (f32[4])
          %1 = result(%0, index=0) : f32[4]
          return %1
        }}"""
    becomes(lambda g: eliminate_dead(simplify(g)),
            text.format(line="%0 = mul(%x, 1.0:f32) : f32[4]\n              ", result="%0"),
            text.format(line="", result="%x"))
