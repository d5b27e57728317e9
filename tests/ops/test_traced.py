"""Every case again inside a trace: the graph, interpreted, gives eager's values and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eager
from eager.autograd import grad
from eager.engine.tensor import Tensor
from eager.ops.errors import TraceError
from jit.interpreter import interpret
from jit.passes.decomposition import decompose
from jit.passes.splitting import split_complex
from jit.tracer import trace_graph
from jit.verifier import verify
from tests.ops.cases import CASES, Case
from tests.ops.test_composites import FLOWING, flat, named, public


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


def _square(x: Tensor) -> Tensor:
    x = eager.view_as_real(x) if x.is_complex() else x
    return x * x


def whole(case: Case, floats: list[bool]) -> Any:
    """Results and the gradients of their squares' sum."""
    def run(*tensors: Tensor) -> list[Tensor]:
        leaves = [(t * 1.0).detach().requires_grad_() if f else t
                  for t, f in zip(tensors, floats, strict=True)]
        outs = flat(_spread(case, leaves))
        wanted = [t for t in leaves if t.requires_grad]
        squares = [_square(o).sum() for o in outs if o.requires_grad]
        found: Any = (grad(sum(squares[1:], squares[0]), wanted, allow_unused=True)
                      if squares else ())
        return [*outs, *(g for g in found if g is not None)]
    return run


@pytest.mark.parametrize("case", CASES, ids=str)
def test_traced_is_eager(case: Case) -> None:
    arrays = arrays_of((case.args, tuple(case.kwargs.values())))
    run = whole(case, [a.dtype in FLOWING for a in arrays])
    tensors = [Tensor(a) for a in arrays]
    if case.name == "equal" and arrays[0].shape != arrays[1].shape:
        return  # decided by the shapes
    if case.reads:
        with pytest.raises(TraceError):
            trace_graph(run, tensors)
        return
    graph = trace_graph(run, tensors).graph
    want = [t.detach().numpy() for t in run(*tensors)]
    compare(interpret(graph, arrays)[0], want, 1e-12)
    apart = verify(split_complex(decompose(graph)))
    if any(w.dtype.kind == "c" for w in (*arrays, *want)):
        compare(interpret(apart, arrays)[0], want, 1e-11)


def compare(got: list[Any], want: list[Any], bound: float) -> None:
    for g, w in zip(got, want, strict=True):
        assert g.dtype == w.dtype and g.shape == w.shape
        np.testing.assert_allclose(g, w, rtol=bound, atol=bound / 100)
