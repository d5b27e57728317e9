"""Every case again inside a trace: the graph, interpreted, gives eager's values and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eager.autograd import grad
from eager.engine.tensor import Tensor
from eager.ops.errors import TraceError
from jit.interpreter import interpret
from jit.tracer import trace_graph
from tests.ops.cases import CASES, Case
from tests.ops.test_composites import flat, named, public


def _spread(case: Case, tensors: list[Tensor]) -> Any:
    """The case called with tensors in the places of its arrays."""
    queue = iter(tensors)

    def put(value: Any) -> Any:
        if isinstance(value, (tuple, list)):
            return type(value)(map(put, value))
        return next(queue) if isinstance(value, np.ndarray) else named(value)

    args = tuple(map(put, case.args))
    return public(case.name, case.where)(*args, **{k: put(v) for k, v in case.kwargs.items()})


def arrays_of(value: Any) -> list[np.ndarray[Any, Any]]:
    if isinstance(value, (tuple, list)):
        return [a for v in value for a in arrays_of(v)]
    return [value] if isinstance(value, np.ndarray) else []


def whole(case: Case, floats: list[bool]) -> Any:
    """Results and the gradients of their squares' sum."""
    def run(*tensors: Tensor) -> list[Tensor]:
        leaves = [(t * 1.0).detach().requires_grad_() if f else t
                  for t, f in zip(tensors, floats, strict=True)]
        outs = flat(_spread(case, leaves))
        wanted = [t for t in leaves if t.requires_grad]
        squares = [(o * o).sum() for o in outs if o.requires_grad]
        found: Any = (grad(sum(squares[1:], squares[0]), wanted, allow_unused=True)
                      if squares else ())
        return [*outs, *(g for g in found if g is not None)]
    return run


@pytest.mark.parametrize("case", CASES, ids=str)
def test_traced_is_eager(case: Case) -> None:
    arrays = arrays_of((case.args, tuple(case.kwargs.values())))
    run = whole(case, [a.dtype == np.float64 for a in arrays])
    tensors = [Tensor(a) for a in arrays]
    if case.name == "equal" and arrays[0].shape != arrays[1].shape:
        return  # decided by the shapes
    if case.reads:
        with pytest.raises(TraceError):
            trace_graph(run, tensors)
        return
    graph = trace_graph(run, tensors).graph
    want = [t.detach().numpy() for t in run(*tensors)]
    got, _ = interpret(graph, arrays)
    assert len(got) == len(want)
    for g, w in zip(got, want, strict=True):
        assert g.dtype == w.dtype and g.shape == w.shape
        np.testing.assert_allclose(g, w, rtol=1e-12, atol=1e-14)
