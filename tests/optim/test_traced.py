"""A step of every method inside a trace: the compiled step does what the eager one does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eager
import jit
from eager import nn, optim
from eager.ops.errors import OpError, TraceError
from tests.optim.trajectories import METHODS

#: The last settings of each method do the most.
LAST = list(dict(METHODS).items()) + [("Muon", {"lr": 0.02})]


def make(name: str, settings: dict[str, Any]) -> tuple[Any, Any, Any]:
    """A matrix, a vector, and a step that moves both."""
    shapes = ((4, 3),) if name == "Muon" else ((4, 3), (3,))
    params = [nn.Parameter(eager.tensor(np.linspace(-1, 1, int(np.prod(s))).reshape(s)))
              for s in shapes]
    optimizer = getattr(optim, name)(params, **settings)

    def step(x: Any) -> Any:
        optimizer.zero_grad()
        out = x @ params[0] + (params[1] if len(params) > 1 else 0.0)
        loss = (out.tanh() * out).sum()
        loss.backward()
        optimizer.step()
        return loss

    return params, optimizer, step


@pytest.mark.parametrize(("name", "settings"), LAST)
def test_a_compiled_step_is_the_eager_one(name: str, settings: dict[str, Any]) -> None:
    mine, _, eagerly = make(name, settings)
    other, _, traced = make(name, settings)
    x = eager.tensor(np.random.default_rng(0).normal(size=(5, 4)))
    compiled = jit.trace(traced, (x,))
    for _ in range(8):
        np.testing.assert_allclose(float(compiled(x).detach()), float(eagerly(x).detach()),
                                   rtol=1e-9)
    for a, b in zip(mine, other, strict=True):
        np.testing.assert_allclose(b.detach().numpy(), a.detach().numpy(), rtol=1e-9, atol=1e-12)


def test_lbfgs_says_that_it_cannot_be_traced() -> None:
    p = nn.Parameter(eager.ones(2))
    optimizer = optim.LBFGS([p])

    def step(x: Any) -> Any:
        return optimizer.step(lambda: (p * x).sum())

    with pytest.raises(TraceError, match="depends on the data"):
        jit.trace(step, (eager.ones(2),))


def test_torch_s_choices_of_implementation() -> None:
    p = [nn.Parameter(eager.ones(2))]
    for flags in ({"foreach": True}, {"fused": True}, {"capturable": True}):
        assert optim.Adam(p, **flags).param_groups[0][next(iter(flags))] is True
    for flags, words in (({"differentiable": True}, "writes in place without history"),
                         ({"fused": True, "foreach": True}, "cannot both be True")):
        with pytest.raises(OpError, match=words):
            optim.Adam(p, **flags)
    with pytest.raises(OpError, match="use Adam"):
        optim.SparseAdam(p)
    with pytest.raises(OpError, match="parameters are matrices"):
        optim.Muon(p)
