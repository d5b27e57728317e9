"""Compiled programs are held to what of Python's they rely on, and say what has changed."""

from __future__ import annotations

import gc
import time
from typing import Any

import pytest

import eager
import jit
from eager import nn
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError, TraceError

X = eager.tensor([1.0, -2.0, 3.0])


def test_a_number_in_a_closure_is_looked_at_in_every_call() -> None:
    scale = 2.0
    program = jit.trace(lambda x: x * scale, (X,))
    assert program.broken_guard() is None
    scale = 3.0
    with pytest.raises(OpError, match=r"scale, which was read at test_guards.py:\d+ <lambda>, was "
                                      r"2.0 at the trace and is 3.0; .* trace again"):
        program(X)
    assert "scale" in str(program.broken_guard())
    scale = 2.0
    assert program(X).tolist() == [2.0, -4.0, 6.0]


def test_flags_of_modules_are_counted_by_the_engine() -> None:
    class Net(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * 2 if self.training else x

    model = Net()
    program = jit.trace(model, (X,))
    program(X)
    model.eval()
    with pytest.raises(OpError, match=r"Net.training, which was read at test_guards.py"):
        program(X)
    model.train()
    assert program(X).tolist() == [2.0, -4.0, 6.0]
    assert "Net.training is True, at test_guards.py" in program.report()


def _by_type(x: Any) -> Any:
    return x * 2 if type(x) is Tensor else x * 3


def test_a_full_check_runs_the_function_beside_the_graph() -> None:
    jit.trace(nn.Linear(3, 2), (X,), check="full")
    with pytest.raises(TraceError, match=r"mul at test_guards.py:\d+ _by_type is the first"):
        jit.trace(_by_type, (X,), check="full")
    jit.trace(_by_type, (X,))


def test_a_batch_of_one_is_checked_at_other_sizes() -> None:
    batch = {"x": {0: jit.Dim("n")}}
    with pytest.raises(TraceError, match="is not what the function computes"):
        jit.trace(lambda x: x.squeeze(0), (eager.ones(1, 3),), dynamic_shapes=batch)


def test_what_the_collector_calls_is_not_the_functions() -> None:
    def clocked(phase: str, info: Any) -> None:
        time.perf_counter()

    before = gc.get_threshold()
    gc.callbacks.append(clocked)
    gc.set_threshold(1)
    try:
        program = jit.trace(lambda x: [x * k for k in range(50)][-1], (X,))
        assert gc.isenabled()
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(clocked)
    assert program(X).tolist() == [49.0, -98.0, 147.0]
