"""The verifier names each broken rule and shows where."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eager.ops.errors import GraphError
from eager.ops.table import TABLE
from eager.ops.types import F32, Type
from jit.dims import Dim
from jit.graph import Const, Graph, Input, Node
from jit.text import parse_graph
from jit.verifier import verify

X = Input("x", Type(F32, (4,)))
EXP = Node(TABLE["exp"], (X,), {}, X.type)
REGIONS = """
graph(%p: bool[], %x: f32[4]) {
  %0 = cond(%p, %x) {
    true(%x: f32[4]) {
      %0 = exp(%x) : f32[4]
      return %0
    }
    false(%x: f32[4]) {
      return %x
    }
  } : (f32[4])
  %1 = result(%0, index=0) : f32[4]
  return %1
}"""


def test_a_sound_graph_comes_back() -> None:
    for graph in (Graph((X,), (EXP,), (EXP,)), parse_graph(REGIONS)):
        assert verify(graph) is graph


@pytest.mark.parametrize("old, new, words", [
    ("%x) : f32[4]\n      return %0", "%x) : f32[5]\n      return %0",
     r"exp: is typed f32\[5\], but its operands make it f32\[4\]"),
    ("%x) : f32[4]\n      return %0", "%x) : f64[4]\n      return %0",
     r"exp: is typed f64\[4\]"),
    ("return %0", "return %0, %0", r"region 0 gives \(f32\[4\], f32\[4\]\), region 1 \(f32\[4\]\)"),
    ("true(%x: f32[4])", "true(%x: f32[4], %y: f32[4])", r"region 0 takes \(f32\[4\], f32\[4\]\)"),
    ("return %x\n    }", "return %x\n update %x = %x\n    }", r"region 1 updates state"),
    ("} : (f32[4])", "} : (f32[5])", r"cond: is typed \(f32\[5\]\)"),
    ("%p: bool[]", "%p: i64[]", r"wanted a predicate bool\[\]"),
    ("index=0", "index=1", r"result: wanted a node with several results"),
    ("return %1", "return %x\n update %x = %p", r"the update of 'x' is bool\[\], wanted f32\[4\]"),
    ("return %1", "return %x\n update %x = %1\n update %x = %1", r"the update of 'x': there are"),
    ("%1 = result(%0, index=0) : f32[4]", "%1 = exp(%0) : f32[4]", r"has several results"),
    ("exp(%x) : f32[4]\n", "softmax(%x, dim=3) : f32[4]\n", r"softmax: dim 3 is out of range"),
    ("exp(%x) : f32[4]\n", "softmax(%x) : f32[4]\n", r"attribute 'dim' is missing"),
    ("exp(%x) : f32[4]\n", "add(%x, 1.0:f64) : f32[4]\n", r"add: operands differ in dtype"),
])
def test_each_rule(old: str, new: str, words: str) -> None:
    assert old in REGIONS
    with pytest.raises(GraphError, match=words):
        verify(parse_graph(REGIONS.replace(old, new, 1)))


def test_values_are_defined_once_above_and_in_this_graph() -> None:
    late = Node(TABLE["neg"], (EXP,), {}, X.type)
    outer = Graph((X,), (EXP,), (EXP,))
    pred = Const(np.array(True))
    cond = Node(TABLE["cond"], (pred,), {}, (X.type,), (Graph((), (), (EXP,)),) * 2)
    faults = {
        "operand 0 of neg is node exp": Graph((X,), (late, EXP), (late,)),
        "stands in the graph twice": Graph((X,), (EXP, EXP), (EXP,)),
        "output 0 is node exp": Graph((X,), (), (EXP,)),
        "operand 0 of exp is input 'x'": Graph((), (EXP,), (EXP,)),
        "output 0 is input 'y'": replace(outer, outputs=(Input("y", X.type),)),
        "two inputs are named 'x'": replace(outer, inputs=(X, Input("x", X.type))),
        "has the role 'weight'": Graph((Input("x", X.type, "weight"),), (), ()),
        "no such input": replace(outer, updates=((Input("z", X.type), EXP),)),
        "declares no dim n": Graph((Input("x", Type(F32, (Dim("n").size,))),), (), ()),
        "output 0 is node exp(f32[4]), which is not defined above": Graph((X,), (EXP, cond), ()),
    }
    for words, graph in faults.items():
        with pytest.raises(GraphError) as caught:
            verify(graph)
        assert words in str(caught.value)


def test_a_symbolic_size_is_compared_as_written() -> None:
    n, m = Dim("n"), Dim("m")
    x = Input("x", Type(F32, (n.size,)))
    wrong = Node(TABLE["exp"], (x,), {}, Type(F32, (m.size,)))
    with pytest.raises(GraphError, match=r"is typed f32\[m\], but its operands make it f32\[n\]"):
        verify(Graph((x,), (wrong,), (wrong,), dims=(n, m)))


def test_the_fault_is_shown_with_ten_lines_round_it() -> None:
    lines = [f"%{k} = exp({f'%{k - 1}' if k else '%x'}) : f32[{5 if k == 20 else 4}]"
             f"  # net.py:{k} forward" for k in range(40)]
    text = "graph(%x: f32[4]) {\n" + "\n".join(lines) + "\nreturn %39\n}"
    with pytest.raises(GraphError) as caught:
        verify(parse_graph(text))
    words, *shown = str(caught.value).split("\n")
    assert words.endswith("(at net.py:20 forward)")
    assert len(shown) == 10
    assert [line for line in shown if line.startswith(">")] == [f">   {lines[20]}"]
