"""`jit.bisect`: faults that are planted are found, with the stage that is guilty."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import eager
import jit
from eager import nn, optim
from eager.engine.tensor import Tensor
from eager.ops.table import TABLE
from jit.graph import Graph, Node, rewrite
from jit.passes import PIPELINE
from jit.program import Program
from jit.tracer import trace_graph


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        eager.manual_seed(0)
        self.first, self.last = nn.Linear(4, 8), nn.Linear(8, 3)
        self.norm = nn.BatchNorm1d(8)
        self.norm.running_var.fill_(2.0)
        self.gain = 2.0

    def forward(self, x: eager.Tensor) -> eager.Tensor:
        x = self.norm(self.first(x)).tanh()
        x = x * self.gain
        return nn.functional.softmax(self.last(x.sin()), 1)


X = (eager.tensor(np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)),)
DIMS = {"x": {0: jit.Dim("batch", min=1)}}


@pytest.fixture(scope="module")
def traced() -> Any:
    return trace_graph(Net().eval(), X, dynamic_shapes=DIMS)


@pytest.fixture(scope="module")
def program(traced: Any) -> Program:
    return Program(traced)


def swapped(old: str, new: str) -> Callable[[Graph], Graph]:
    """A pass that is wrong: every op ``old`` becomes ``new``."""
    def confuse(graph: Graph) -> Graph:
        return rewrite(graph, lambda n: replace(n, op=TABLE[new]) if n.op.name == old else n)

    return confuse


def test_nothing_is_found_where_nothing_is_wrong(program: Program) -> None:
    verdict = jit.bisect(program, Net().eval(), X)
    assert not verdict
    assert str(verdict) == f"no divergence in {verdict.runs} runs" and verdict.runs == 6


@pytest.mark.parametrize("old, new, op", [
    ("sin_f32(", "cos_f32(", "sin"), ("exp_f32(", "expm1_f32(", "div"),
    ("tanh_f32(", "sin_f32(", "sin")])
def test_a_wrong_kernel(program: Program, old: str, new: str, op: str) -> None:
    name = next(k for k, source in program.kernels.items() if old in source)
    wrong = program.with_kernel(name, program.kernels[name].replace(old, new))
    verdict = jit.bisect(wrong, Net().eval(), X)
    assert verdict.stage == name and verdict.op == op
    assert "test_bisection.py:" in verdict.place
    assert verdict.wanted.startswith("f32[3, ") and verdict.got != verdict.wanted
    assert len(verdict.inputs) >= 1 and "mean" in verdict.inputs[0]
    assert name in str(verdict) and "wanted" in str(verdict)


def test_a_wrong_driver(program: Program) -> None:
    source = program.kernels["ej_program"]
    assert "float32(-inf)" in source  # what the products cut off at
    wrong = program.with_kernel("ej_program", source.replace("float32(-inf)", "float32(0.0)"))
    verdict = jit.bisect(wrong, Net().eval(), X)
    assert verdict.stage == "ej_program" and "the driver" in verdict.why


@pytest.mark.parametrize("at", range(len(PIPELINE) + 1))
def test_a_wrong_pass(traced: Any, at: int) -> None:
    wrong = swapped("tanh", "sigmoid")
    passes = (*PIPELINE[:at], wrong, *PIPELINE[at:])
    verdict = jit.bisect(Program(traced, passes=passes), Net().eval(), X)
    assert verdict.stage == "confuse" and verdict.op == "sigmoid"
    assert "test_bisection.py:" in verdict.place and "forward" in verdict.place
    assert verdict.runs <= 10


def test_a_pass_that_loses_a_number(traced: Any) -> None:
    def forget(graph: Graph) -> Graph:
        def swap(node: Node) -> Any:
            return node.args[0] if node.op.name == "sin" else node
        return rewrite(graph, swap)

    verdict = jit.bisect(Program(traced, passes=(*PIPELINE, forget)), Net().eval(), X)
    assert verdict.stage == "forget" and verdict.op == "matmul"


def changed(model: Net, how: str) -> Net:
    """A model that is no more what was traced."""
    if how == "gain":
        model.gain = 3.0
    elif how == "weight":
        model.last.weight = nn.Parameter(model.last.weight.detach() * 2)
    elif how == "training":
        model.train()
    else:
        model.norm = nn.Identity()
    return model


@pytest.mark.parametrize("how, op", [
    ("gain", "mul"), ("weight", "permute"), ("training", "clone"), ("norm", "add")])
def test_a_model_that_was_changed_after_it_was_traced(traced: Any, how: str, op: str) -> None:
    model = Net().eval()
    program = Program(trace_graph(model, X, dynamic_shapes=DIMS))
    verdict = jit.bisect(program, changed(model, how), X)
    assert (verdict.stage, verdict.op) == ("trace", op)
    assert "forward" in verdict.place


def test_state_and_arguments_are_left_as_found() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5))
    step = optim.SGD(model.parameters(), lr=0.25, momentum=0.9)
    step.init_state()

    def train(x: Tensor) -> Tensor:
        step.zero_grad()
        loss = model(x.mul_(2.0)).square().sum()
        loss.backward()
        step.step()
        return loss

    x = eager.tensor(np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4))
    program = jit.trace(train, (x,))
    tensors = [x, *(t for _, t in program.traced.state)]
    before = [t._array.copy() for t in tensors]
    assert not jit.bisect(program, train, (x,))
    for t, was in zip(tensors, before, strict=True):
        assert np.array_equal(t._array, was)
    name = next(k for k, source in program.kernels.items() if "float32(2.0)" in source)
    source = program.kernels[name].replace("float32(2.0)", "float32(3.0)")
    assert jit.bisect(program.with_kernel(name, source), train, (x,)).stage == name


def test_a_branch() -> None:
    def fn(x: Tensor) -> Tensor:
        return jit.cond(x.sum() > 0, lambda: x.exp(), lambda: x.sin()) * 2

    program = jit.trace(fn, X)
    assert not jit.bisect(program, fn, X)
    assert jit.bisect(program, lambda x: fn(x) + 1, X).stage == "trace"


def test_a_wrong_kernel_in_a_loop() -> None:
    def fn(x: Tensor) -> Tensor:
        last, _ = jit.scan(lambda c, v: ((c + v).sin(), c), x[0], x)
        return last * 2

    program = jit.trace(fn, X)
    assert not jit.bisect(program, fn, X)
    name = next(k for k, source in program.kernels.items() if "sin_f32(" in source)
    wrong = program.with_kernel(name, program.kernels[name].replace("sin_f32(", "cos_f32("))
    verdict = jit.bisect(wrong, fn, X)
    assert name in verdict.stage.split(", ") and verdict.op == "result"
    assert "test_bisection.py:" in verdict.place
