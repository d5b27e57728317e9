"""Graphs to test with, and arrays for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import dedent
from typing import Any

import numpy as np

from eager.ops.op import Example, Op, operand_arrays
from eager.ops.types import Type
from jit.dims import evaluate
from jit.graph import Graph, Input, Node
from jit.text import parse_graph
from jit.verifier import verify

ODD = (0.0, -0.0, np.inf, -np.inf, np.nan, 1.0)


def arguments(graph: Graph, odd: bool = False) -> list[np.ndarray[Any, Any]]:
    """Arrays for the inputs; ``odd`` puts signed zeros, infinities and NaN among floats."""
    rng = np.random.default_rng(0)
    dims = {d.name: min(max(3, d.min), d.max) for d in graph.dims}
    made = []
    for i in graph.inputs:
        shape = [evaluate(s, dims) for s in i.type.shape]
        values = np.asarray(rng.uniform(0.5, 2, shape))
        if i.type.dtype.kind == "f" and odd and values.size:
            values.reshape(-1)[:] = np.resize(ODD, values.size)
        if i.type.dtype.kind == "b":
            values = values > 1
        made.append((values * (4 if i.type.dtype.kind == "i" else 1)).astype(i.type.dtype.numpy))
    return made


def same_bits(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> bool:
    """Equal type and values, zeros by sign, any NaN like any other."""
    floating = a.dtype.kind == "f"
    return (a.dtype == b.dtype and a.shape == b.shape
            and np.array_equal(a, b, equal_nan=floating)
            and (not floating or bool(np.all((np.signbit(a) == np.signbit(b)) | np.isnan(a)))))


def read(text: str, consts: Sequence[Any] = ()) -> Graph:
    """The verified graph of an indented text."""
    return verify(parse_graph(dedent(text), consts))


def examples(table: Mapping[str, Op]) -> Iterator[tuple[Op, Example]]:
    """Every example of every op that a graph can hold alone."""
    for op in table.values():
        for example in op.examples:
            yield op, example


def example_graph(op: Op, example: Example) -> tuple[Graph, list[np.ndarray[Any, Any]]]:
    """A graph of one node, and arrays for it."""
    arrays = operand_arrays(op, example, np.random.default_rng(0))
    inputs = tuple(Input(f"x{k}", Type.of(a)) for k, a in enumerate(arrays))
    attrs = dict(example.attrs)
    node = Node(op, inputs, attrs, op.result_type([i.type for i in inputs], attrs))
    return Graph(inputs, (node,), (node,)), arrays
