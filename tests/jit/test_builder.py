"""The namespace ``F`` over graph values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eager.ops.errors import GraphError, OpError
from eager.ops.types import BOOL, F32, F64, I64, Type
from jit.builder import Builder
from jit.dims import Dim
from jit.graph import Graph, Input, Location
from jit.text import print_graph
from jit.verifier import verify

N = Dim("n")
X = Input("x", Type(F32, (N.size, 4)))
I = Input("i", Type(I64, (4,)))  # noqa: E741


def text(*outputs: Any, F: Builder) -> str:
    return print_graph(verify(Graph((X, I), tuple(F.nodes), outputs, dims=(N,))))


def test_calls_append_typed_nodes_at_a_place() -> None:
    F = Builder(Location("a.py", 3, "f"))
    out = F.sum(F.exp(X), dims=(1,), keepdim=False)
    assert F.typeof(out).shape == (N.size,)
    assert text(out, F=F).split("\n")[1:3] == [
        "  %0 = exp(%x) : f32[n, 4]  # a.py:3 f",
        "  %1 = sum(%0, dims=(1,), keepdim=false) : f32[n]  # a.py:3 f"]


@pytest.mark.parametrize("build, lines", [
    (lambda F: F.mul(X, 2), ["mul(%x, 2.0:f32) : f32[n, 4]"]),
    (lambda F: F.add(0.5, I), ["cast(%i, dtype=f32) : f32[4]", "add(0.5:f32, %0) : f32[4]"]),
    (lambda F: F.div(I, 2), ["cast(%i, dtype=f32) : f32[4]", "div(%0, 2.0:f32) : f32[4]"]),
    (lambda F: F.add(X, I), ["cast(%i, dtype=f32) : f32[4]", "add(%x, %0) : f32[n, 4]"]),
    (lambda F: F.where(F.gt(X, 0), X, 0),
     ["gt(%x, 0.0:f32) : bool[n, 4]", "where(%0, %x, 0.0:f32) : f32[n, 4]"]),
    (lambda F: F.div(X, N.size), ["dim(value=n) : i64[]", "cast(%0, dtype=f32) : f32[]",
                                  "div(%x, %1) : f32[n, 4]"]),
    (lambda F: F.full(shape=(N.size,), value=1.0, dtype=F64),
     ["full(shape=(n,), value=1.0, dtype=f64) : f64[n]"]),
])
def test_operands_meet_as_in_eager_mode(build: Any, lines: list[str]) -> None:
    F = Builder()
    out = build(F)
    got = [line.split(" = ")[1] for line in text(out, F=F).split("\n") if line.startswith("  %")]
    assert got == lines


def test_up_to_gives_what_a_rewrite_takes() -> None:
    F = Builder()
    first = F.exp(X)
    F.neg(first)
    assert F.up_to(first) == [first]
    assert F.up_to(X) is X


def test_what_it_refuses() -> None:
    F = Builder()
    with pytest.raises(AttributeError, match="no op is named 'nope'"):
        F.nope(X)
    with pytest.raises(OpError, match="sum: attribute 'dims' is missing"):
        F.sum(X, keepdim=True)
    with pytest.raises(GraphError, match="operands are graph values or numbers"):
        F.neg(np.ones(3))
    assert F.nodes == [] and F.typeof(X).dtype is not BOOL
