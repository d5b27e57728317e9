"""Programs that two libraries run: written once, over the library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import eager
from eager.ops.errors import OpError

X = np.random.default_rng(3).normal(size=(4, 3))
W = np.random.default_rng(4).normal(size=(3,))
P = np.abs(X) + 0.5
Program = Callable[[Any], Any]


def t(lib: Any, a: Any, grad: bool = True) -> Any:
    """A float64 tensor of either library."""
    return lib.tensor(np.array(a, np.float64), requires_grad=grad)


def agree(run: Program) -> None:
    """Both libraries give the same nest of tensors and plain values."""
    compared(run(eager), run(torch))


def refuse(run: Program) -> None:
    """Both libraries refuse, we in words of our own."""
    for lib, errors in ((torch, (RuntimeError, ValueError, TypeError)), (eager, OpError)):
        try:
            run(lib)
        except errors:
            continue
        raise AssertionError(f"{lib.__name__} does not refuse {run.__name__}")


def compared(ours: Any, theirs: Any) -> None:
    if isinstance(theirs, dict):
        assert set(ours) == set(theirs)
        for key in theirs:
            compared(ours[key], theirs[key])
    elif isinstance(theirs, (tuple, list)):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            compared(a, b)
    elif torch.is_tensor(theirs):
        assert tuple(ours.shape) == tuple(theirs.shape) and str(theirs.dtype)[6:] == \
            ours.dtype.public
        tolerance = 1e-5 if theirs.dtype == torch.float32 else 1e-10
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(),
                                   rtol=tolerance, atol=tolerance)
    else:
        assert ours == theirs
