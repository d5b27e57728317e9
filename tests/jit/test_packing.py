"""Constants follow the live tensors, and are refused where those changed their type."""

from __future__ import annotations

import numpy as np
import pytest

import eager
import jit
from eager import nn, optim


def test_a_module_converted_after_the_trace_is_refused() -> None:
    model = nn.Linear(3, 2)
    program = jit.trace(model, (eager.randn(1, 3),))
    with eager.no_grad():
        program(eager.randn(1, 3))
        model.double()
        with pytest.raises(eager.OpError, match=r"weight.*traced as f32.*trace again"):
            program(eager.randn(1, 3))


def test_state_that_is_written_keeps_its_type() -> None:
    model = nn.Linear(3, 2)
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def step(x):
        optimizer.zero_grad()
        loss = model(x).sum()
        loss.backward()
        optimizer.step()
        return loss

    program = jit.trace(step, (eager.ones(1, 3),))
    program(eager.ones(1, 3))
    model.double()
    with pytest.raises(eager.OpError, match="traced as f32"):
        program(eager.ones(1, 3))


def test_every_kind_of_write_is_seen() -> None:
    model = nn.Linear(3, 2, bias=False)
    program = jit.trace(model, (eager.ones(1, 3),))
    x = eager.ones(1, 3)
    with eager.no_grad():
        for change in (lambda: model.weight.fill_(1.0), lambda: model.weight.mul_(3.0),
                       lambda: model.weight[0].zero_(),
                       lambda: model.load_state_dict({"weight": eager.ones(2, 3)})):
            change()
            np.testing.assert_array_equal(program(x).numpy(), model(x).numpy())
        model.weight.detach().numpy()[:] = 5.0
        program.refresh()
        np.testing.assert_array_equal(program(x).numpy(), np.full((1, 2), 15, np.float32))
