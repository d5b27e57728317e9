"""The text of a graph: exact there and back, strict and bounded on the way in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eager.ops.errors import GraphError
from eager.ops.op import Op
from eager.ops.table import TABLE
from eager.ops.types import DTYPES
from jit.graph import Const, Graph, Location
from jit.lexer import parse_location
from jit.parser import MAX_DEPTH
from jit.text import arrays_beside, parse_graph, print_graph
from jit.verifier import verify
from tests.graphs import example_graph, examples

MODEL = """\
graph(%input: f32[batch, 64], %"0.weight": f32[8, 64] parameter) where batch in 0..4096 {
  %0 = permute(%"0.weight", dims=(1, 0)) : f32[64, 8]  # digits.py:31 forward > 0
  %1 = matmul(%input, %0) : f32[batch, 8]  # digits.py:31 forward > 0
  %2 = mul(%1, -0.1:f32) : f32[batch, 8]  # digits.py:32 <lambda>
  %3 = sum(%2, dims=(0, 1), keepdim=false) : f32[]
  return %1
  update %"0.weight" = %"0.weight"
}"""

REGIONS = """\
graph(%p: bool[], %x: f32[n, 2], @0 "table": f32[2]) where n in 1..8 {
  %0 = cond(%p, %x) {
    true(%x: f32[n, 2]) {
      %0 = add(%x, @0) : f32[n, 2]  # a.py:3 f
      return %0
    }
    false(%x: f32[n, 2]) {
      return %x
    }
  } : (f32[n, 2])  # a.py:2 f > layers.0
  %1 = result(%0, index=0) : f32[n, 2]
  %2 = mul(%1, @0) : f32[n, 2]
  return %2
}"""

SIZES = """\
graph(%x: f32[n, 2 * n + 1, ((n + 1) // 2), 3 * a * n - 7]) where n in 0..9, a in 2..3 {
  %0 = dim(value=((2 * n + 1) // 3)) : i64[]
  %1 = dim(value=((n) % 4)) : i64[]
  %2 = full(shape=(n + 2,), value=inf, dtype=f32) : f32[n + 2]
  %3 = full(shape=(), value=nan, dtype=f32) : f32[]
  return %0, %1, %2, %3
}"""

RELATIONS = """\
graph(
    %x: f32[2 * n, k],
) where n in 1..9, k in 0..4096,
    m == 2 * n,  # a.py:3 f
    n + k <= 4096,  # a.py:4 f
    k != 7
{
  return %x
}"""

CONSTANTS = """\
graph() {
  %0 = add(true:bool, false:bool) : bool[]
  %1 = add(-3:i8, 255:u8) : i8[]
  %2 = add(0.1:f32, 0.1:f64) : f32[]
  %3 = add(-0.0:f32, inf:f32) : f32[]
  %4 = add(-inf:f64, nan:f64) : f32[]
  %5 = add(1e-45:f32, 1.7976931348623157e+308:f64) : f32[]
  %6 = add(0x7fc00001:f32, 9223372036854775807:i64) : f32[]
  return %0
}"""


@pytest.mark.parametrize("text", [MODEL, REGIONS, SIZES, RELATIONS, CONSTANTS],
                         ids=["model", "regions", "sizes", "relations", "constants"])
def test_text_graph_text(text: str) -> None:
    consts = [np.ones(2, np.float32)] if "@0" in text else []
    assert print_graph(parse_graph(text, consts)) == text


def test_a_long_header_has_a_line_for_each_port() -> None:
    text = "graph(\n" + "".join(f"    %x{k}: f32[4],\n" for k in range(9)) + (
        ") where n in 0..9 {\n  return %x3\n}")
    assert print_graph(parse_graph(text)) == text


def test_values_come_back_to_the_bit() -> None:
    graph = parse_graph(CONSTANTS)
    bits = graph.nodes[6].args[0]
    assert isinstance(bits, Const)
    assert bits.array.tobytes() == (0x7FC00001).to_bytes(4, "little")
    assert parse_graph(MODEL).nodes[0].location == Location("digits.py", 31, "forward", ("0",))
    assert parse_graph(MODEL).dims[0].max == 4096


@pytest.mark.parametrize("place", [
    Location(), Location("a b.py", 3, "f"), Location("a.py", 3, "A.<locals>.f", ("enc", "0")),
    Location(scope=("enc", "0")), Location("a.py", 12)])
def test_locations(place: Location) -> None:
    assert parse_location(str(place)) == place


@pytest.mark.parametrize("op, example", list(examples(TABLE)), ids=lambda v: getattr(v, "name", ""))
def test_every_example_of_every_op(op: Any, example: Any) -> None:
    graph, _ = example_graph(op, example)
    text = print_graph(graph)
    again = verify(parse_graph(text))
    assert print_graph(again) == text
    assert [n.attrs for n in again.nodes] == [n.attrs for n in graph.nodes]
    assert all(type(a) is type(b) for n, m in zip(again.nodes, graph.nodes, strict=True)
               for a, b in zip(n.attrs.values(), m.attrs.values(), strict=True))


def test_a_longer_table_is_read() -> None:
    twice = Op("twice", "2 x", TABLE["neg"].infer, TABLE["neg"].kernel)
    text = "graph(%x: f32[4]) {\n  %0 = twice(%x) : f32[4]\n  return %0\n}"
    assert print_graph(parse_graph(text, table={**TABLE, "twice": twice})) == text
    with pytest.raises(GraphError, match=r"line 2: expected the name of an op"):
        parse_graph(text)


def test_arrays_lie_beside_and_are_checked() -> None:
    graph = parse_graph(REGIONS, [np.ones(2, np.float32)])
    assert [c.name for c in arrays_beside(graph)] == ["table"]
    with pytest.raises(GraphError, match=r"@0 is declared f32\[2\], but .* is f32\[3\]"):
        parse_graph(REGIONS, [np.ones(3, np.float32)])
    with pytest.raises(GraphError, match="0 arrays are given"):
        parse_graph(REGIONS)


HEAD = "graph(%x: f32[4]) {\n  "
TAIL = "\n  return %x\n}"


@pytest.mark.parametrize("text, words", [
    ("", r"line 1: expected the name of a graph, got the end"),
    (HEAD + "%0 = nope(%x) : f32[4]" + TAIL, r"line 2: expected the name of an op.*'nope'"),
    (HEAD + "%0 = exp(%y) : f32[4]" + TAIL, r"line 2: expected a value that is defined above"),
    (HEAD + "%0 = exp(@0) : f32[4]" + TAIL, r"line 2: expected an array that the header"),
    (HEAD + "%x = exp(%x) : f32[4]" + TAIL, r"line 2: expected a value that is not defined"),
    (HEAD + "%0 = exp(%x, k=1) : f32[4]" + TAIL, r"line 2: expected a new attribute of exp"),
    (HEAD + "%0 = exp(%x)" + TAIL, r"line 3: expected ':', got 'return'"),
    (HEAD + "%0 = exp(%x) : f8[4]" + TAIL, r"line 2: expected one of bool"),
    (HEAD + "%0 = exp(%x) : f32[m]" + TAIL, r"line 2: expected an integer or a declared dim"),
    (HEAD + "%0 = exp(%x) : f32[-4]" + TAIL, r"line 2: expected at most"),
    (HEAD + "%0 = add(%x, 2:f32) : f32[4]" + TAIL, r"line 2: expected a number of f32"),
    (HEAD + "%0 = add(%x, 300:u8) : f32[4]" + TAIL, r"line 2: expected a number of u8"),
    (HEAD + "%0 = add(%x, 0xfffffffff:f32) : f32[4]" + TAIL, r"line 2: expected a number of f32"),
    (HEAD + "%0 = exp(dims=1, %x) : f32[4]" + TAIL, r"line 2: expected a new attribute"),
    (HEAD + "%0 = sum(dims=(0,), %x) : f32[]" + TAIL, r"line 2: expected operands before"),
    (HEAD + "%0 = sum(%x, dims=(1 // 0,)) : f32[]" + TAIL, r"expected a positive divisor"),
    (HEAD + "%0 = exp(%x) : f32[4]; import os" + TAIL, r"line 2: no graph text has ';'"),
    (HEAD + "return %x\n  update %y = %x\n}", r"line 3: expected an input of this graph"),
    (HEAD + "return %x", r"line 2: expected ',', got the end"),
    (HEAD + "return %x\n}\nmore", r"line 4: expected the end of the text"),
    ("graph(%x: f32[4] weight) {" + TAIL, r"expected one of argument, parameter"),
    ("graph(%x: f32[n]) where n in 5..2 {" + TAIL, r"line 1: Dim 'n'"),
    ("graph(%x: f32[n]) where n in 0..2, n in 0..3 {" + TAIL, r"a dim that is not declared yet"),
    ("graph(%x: f32[4], %x: f32[4]) {" + TAIL, r"a value that is not defined yet"),
    ('graph(%"\\q": f32[4]) {' + TAIL, r"a string as in JSON"),
])
def test_what_is_wrong_is_named(text: str, words: str) -> None:
    with pytest.raises(GraphError, match=words):
        parse_graph(text)


@pytest.mark.parametrize("size, words", [
    ("(" * 5000 + "1" + ")" * 5000, "nested deeper"),
    ("-" * 5000 + "1", "nested deeper"),
    (" * ".join(["(a + b + 1)"] * 30), "too large"),
    (" // 3 // ".join(["a"] * 5000), "too large"),
    ("9" * 5000, "an integer"),
])
def test_sizes_are_bounded(size: str, words: str) -> None:
    with pytest.raises(GraphError, match=words):
        parse_graph(f"graph(%x: f32[{size}]) where a in 0..9, b in 0..9 {{{TAIL}")


def test_nesting_is_bounded() -> None:
    arm = "a(%x: f32[4]) { return %x }"
    for _ in range(MAX_DEPTH + 1):
        arm = f"a(%x: f32[4]) {{ %0 = cond(%x) {{ {arm} }} : (f32[4]) return %x }}"
    with pytest.raises(GraphError, match="regions are nested deeper"):
        parse_graph(arm)
    with pytest.raises(GraphError, match="nested deeper"):
        parse_graph(HEAD + "%0 = pad(%x, value=" + "(" * 500 + ") : f32[4]" + TAIL)


@pytest.mark.parametrize("text", [MODEL, REGIONS, SIZES, CONSTANTS])
def test_damaged_text_is_a_graph_error_or_a_graph(text: str) -> None:
    rng = np.random.default_rng(1)
    alphabet = sorted(set(text))
    for _ in range(150):
        at, kind = int(rng.integers(len(text))), int(rng.integers(3))
        letter = alphabet[int(rng.integers(len(alphabet)))]
        damaged = (text[:at] + text[at + 1:], text[:at] + letter + text[at + 1:], text[:at])[kind]
        try:
            graph = parse_graph(damaged, [np.ones(2, np.float32)])
        except GraphError:
            continue
        assert isinstance(graph, Graph) and print_graph(graph)


def test_every_dtype_is_read_back() -> None:
    for dtype in (d for d in DTYPES.values() if d.kind != "c"):  # those are given beside
        const = Const(np.ones((), dtype.numpy))
        text = print_graph(Graph((), (), (const,)))
        (again,) = parse_graph(text).outputs
        assert isinstance(again, Const) and again.array.dtype == dtype.numpy
