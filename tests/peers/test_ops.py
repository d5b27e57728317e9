"""Every case of the ops and composites against torch: values, dtypes, gradients, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eager.autograd import grad
from tests.ops.cases import CASES, REJECTS, Case
from tests.ops.test_composites import FLOWING, called, flat

torch = pytest.importorskip("torch")

#: torch differentiates the first operand of these alone.
FIRST_ONLY = {"batch_norm", "instance_norm", "cross_entropy", "nll_loss",
              "binary_cross_entropy_with_logits"}
#: torch 2.13 hands back a gradient of the index's shape where the source is larger.
NO_GRADIENT = {"scatter_add"}


def _torch(value: Any, leaves: list[Any], fixed: bool) -> Any:
    if isinstance(value, (tuple, list)):
        return type(value)(_torch(v, leaves, fixed) for v in value)
    if isinstance(value, str) and value.startswith("dtype:"):
        return getattr(torch, value[6:])
    if not isinstance(value, np.ndarray):
        return value
    wanted = value.dtype in FLOWING and not (leaves and fixed)
    t = torch.tensor(value, requires_grad=wanted)
    if t.requires_grad:
        leaves.append(t)
    return t


def _function(case: Case) -> Any:
    if case.where == "method":
        return getattr(torch.Tensor, case.name)
    if case.where == "inplace":
        return lambda x, *args, **kwargs: getattr(x.clone(), f"{case.name}_")(*args, **kwargs)
    module = torch
    for part in case.where.split(".") if case.where != "eager" else ():
        module = getattr(module, part)
    return getattr(module, case.name)


def _called(case: Case, fixed: bool = False) -> tuple[Any, list[Any]]:
    leaves: list[Any] = []
    args = tuple(_torch(a, leaves, fixed) for a in case.args)
    kwargs = {k: _torch(v, leaves, fixed) for k, v in case.kwargs.items()}
    return _function(case)(*args, **kwargs), leaves


def _flat(result: Any) -> list[Any]:
    if isinstance(result, (tuple, list)):
        return [t for r in result for t in _flat(r)]
    return [result] if torch.is_tensor(result) else []


def _square(total: Any, t: Any) -> Any:
    return total + (t.abs() ** 2 if t.is_complex() else t * t).sum()


def _close(found: Any, wanted: Any, **tolerances: float) -> None:
    for a, b in zip(found, wanted, strict=True):
        have = 0.0 if a is None else a.detach().numpy()
        want = 0.0 if b is None else b.detach().resolve_conj().numpy()
        np.testing.assert_allclose(have, want, **tolerances)


@pytest.mark.filterwarnings("ignore::UserWarning")  # torch's advice
@pytest.mark.parametrize("case", [c for c in CASES if c.name != "empty_like" and c.peer], ids=str)
def test_torch_agrees(case: Case) -> None:
    result, leaves = called(case)
    fixed = case.name in FIRST_ONLY
    want, peers = _called(case, fixed)
    ours, theirs = flat(result), _flat(want)
    if not ours:
        assert result == want
        return
    assert len(ours) == len(theirs)
    total, peer = 0.0, 0.0
    for a, b in zip(ours, theirs, strict=True):
        assert tuple(a.shape) == tuple(b.shape) and a.dtype.public == str(b.dtype)[6:]
        rough = a.dtype.itemsize < 8 and a.dtype.kind in "fc"
        np.testing.assert_allclose(a.detach().numpy(), b.detach().resolve_conj().numpy(),
                                   rtol=1e-6 if rough else 1e-9, atol=1e-6 if rough else 1e-11)
        assert a.requires_grad == b.requires_grad or fixed
        if b.requires_grad:
            total, peer = _square(total, a), _square(peer, b)
    if isinstance(peer, float) or case.name in NO_GRADIENT:
        return
    first = grad(total, leaves[:len(peers)], allow_unused=True, create_graph=case.second)
    wanted = torch.autograd.grad(peer, peers, allow_unused=True, create_graph=case.second)
    _close(first, wanted, rtol=1e-7, atol=1e-8)
    if not case.second:
        return
    again = [(a, b) for a, b in zip(first, wanted, strict=True)
             if a is not None and b is not None and b.requires_grad]
    if not again:
        return
    total = sum((_square(0.0, a) for a, _ in again), 0.0)
    peer = sum((_square(0.0, b) for _, b in again), 0.0)
    if not peer.requires_grad:
        return
    second = grad(total, leaves[:len(peers)], allow_unused=True)
    wanted = torch.autograd.grad(peer, peers, allow_unused=True)
    _close(second, wanted, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("case", REJECTS, ids=str)
def test_torch_refuses_too(case: Case) -> None:
    with pytest.raises((RuntimeError, TypeError, ValueError, IndexError, NotImplementedError)):
        _called(case)
