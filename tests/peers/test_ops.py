"""Every case of the composites and public signatures against torch: values, dtypes, gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eager.autograd import grad
from tests.ops.cases import CASES, Case
from tests.ops.test_composites import called, flat

torch = pytest.importorskip("torch")

SPACES = {"eager": torch, "nn.functional": torch.nn.functional}
#: torch differentiates the first operand of these alone.
FIRST_ONLY = {"batch_norm", "cross_entropy", "nll_loss", "binary_cross_entropy_with_logits"}
#: torch 2.13 hands back a gradient of the index's shape where the source is larger.
NO_GRADIENT = {"scatter_add"}


def _torch(value: Any, leaves: list[Any], fixed: bool) -> Any:
    if isinstance(value, tuple):
        return tuple(_torch(v, leaves, fixed) for v in value)
    if isinstance(value, str) and value == "float64":
        return torch.float64
    if not isinstance(value, np.ndarray):
        return value
    wanted = value.dtype == np.float64 and not (leaves and fixed)
    t = torch.tensor(value, requires_grad=wanted)
    if t.requires_grad:
        leaves.append(t)
    return t


def _flat(result: Any) -> list[Any]:
    if isinstance(result, (tuple, list)):
        return [t for r in result for t in _flat(r)]
    return [result] if torch.is_tensor(result) else []


@pytest.mark.filterwarnings("ignore:Using padding")
@pytest.mark.parametrize("case", [c for c in CASES if c.name != "empty_like"], ids=str)
def test_torch_agrees(case: Case) -> None:
    result, leaves = called(case)
    peers: list[Any] = []
    fixed = case.name in FIRST_ONLY
    args = tuple(_torch(a, peers, fixed) for a in case.args)
    kwargs = {k: _torch(v, peers, fixed) for k, v in case.kwargs.items()}
    if case.where == "method":
        want = getattr(args[0], case.name)(*args[1:], **kwargs)
    else:
        want = getattr(SPACES[case.where], case.name)(*args, **kwargs)
    ours, theirs = flat(result), _flat(want)
    if not ours:
        assert result == want
        return
    assert len(ours) == len(theirs)
    total, peer = 0.0, 0.0
    for a, b in zip(ours, theirs, strict=True):
        assert tuple(a.shape) == tuple(b.shape) and a.dtype.public == str(b.dtype)[6:]
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-9, atol=1e-11)
        if b.requires_grad:
            total, peer = total + (a * a).sum(), peer + (b * b).sum()
    if isinstance(peer, float) or case.name in NO_GRADIENT:
        return
    found = grad(total, leaves, allow_unused=True)
    wanted = torch.autograd.grad(peer, peers, allow_unused=True)
    for a, b in zip(found, wanted, strict=not fixed):
        have = 0.0 if a is None else a.numpy()
        np.testing.assert_allclose(have, 0.0 if b is None else b.numpy(), rtol=1e-7, atol=1e-8)
