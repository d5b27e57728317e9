"""Graphs made into programs, and many one-op graphs made into one."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eager.ops.op import Op
from eager.ops.types import Type
from jit import pytree
from jit.graph import Graph, Input, Node
from jit.program import Program
from jit.tracer import Traced
from jit.verifier import verify

Array = np.ndarray[Any, Any]


def program_of(graph: Graph, arrays: Sequence[Array], level: str | None = None) -> Program:
    """A program that takes the graph's arguments in order and returns its outputs in a tuple."""
    def fn(*args: Any) -> None:
        """Stands for what was traced."""

    _, in_spec = pytree.flatten((tuple(arrays), {}))
    _, out_spec = pytree.flatten(tuple(np.zeros(()) for _ in graph.outputs))
    traced = Traced(verify(graph), inspect.signature(fn), in_spec, out_spec, (), (), tuple(arrays))
    return Program(traced, level=level)


@dataclass(frozen=True)
class Case:
    """One op on given arrays."""

    op: Op
    attrs: dict[str, Any]
    arrays: list[Array]

    def __str__(self) -> str:
        operands = ", ".join(str(Type.of(a)) for a in self.arrays)
        return f"{self.op.name}({operands}, {self.attrs})"

    def typed(self) -> Any:
        return self.op.result_type([Type.of(a) for a in self.arrays], self.attrs)

    def expected(self) -> Array:
        if self.op.precheck is not None:
            self.op.precheck(*self.arrays, **self.attrs)
        with np.errstate(all="ignore"):
            return np.asarray(self.op.run(*self.arrays, **self.attrs))


def batched(cases: Sequence[Case]) -> tuple[Graph, list[Array]]:
    """One graph whose outputs are the cases' results, each of arguments of its own."""
    inputs, nodes, arrays = [], [], []
    for k, case in enumerate(cases):
        own = tuple(Input(f"x{k}_{j}", Type.of(a)) for j, a in enumerate(case.arrays))
        inputs += own
        arrays += case.arrays
        nodes.append(Node(case.op, own, case.attrs, case.typed()))
    return Graph(tuple(inputs), tuple(nodes), tuple(nodes)), arrays
