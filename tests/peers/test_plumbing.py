"""Every row of `tests.peers.plumbing` called with torch and with eager: the same Python values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import eager
from eager.ops.errors import OpError
from tests.peers.plumbing import ROWS, X, needs

torch = pytest.importorskip("torch")


def plain(value: Any) -> Any:
    """A result as Python values that compare across the libraries."""
    if hasattr(value, "requires_grad") and hasattr(value, "tolist"):
        data = value.detach()
        text = str(value.dtype).rpartition(".")[2]
        if text == "bfloat16":
            data = data.float()
        return (text, tuple(value.shape), np.asarray(data.tolist(), dtype=object).tolist(),
                value.requires_grad)
    if isinstance(value, (tuple, list)):
        return tuple(map(plain, value))
    if type(value).__name__ in ("dtype", "DType"):
        return str(value).rpartition(".")[2]
    if type(value).__name__ == "device":
        return str(value)
    return value


@pytest.mark.filterwarnings("ignore:Sparse invariant checks")
@pytest.mark.parametrize("name", ROWS)
def test_the_same(name: str) -> None:
    want, got = plain(ROWS[name](torch)), plain(ROWS[name](eager))
    assert repr(got) == repr(want)


REFUSED: dict[str, Callable[[Any], Any]] = {
    "tensor": lambda L: L.tensor([[1], [2, 3]]), "zeros": lambda L: L.zeros(-1),
    "arange": lambda L: L.arange(0, 5, 0), "item": lambda L: L.tensor(X).item(),
    "numpy": lambda L: needs(L, 1.0).numpy(), "__bool__": lambda L: bool(L.tensor(X)),
    "requires_grad_": lambda L: L.tensor([1]).requires_grad_(),
    "backward": lambda L: needs(L, 1.0, 2.0).exp().backward(),
    "copy_": lambda L: L.zeros(2).copy_(L.zeros(3)), "__len__": lambda L: len(L.tensor(1)),
    "__getitem__": lambda L: L.tensor(X)[5], "negative step": lambda L: L.tensor(X)[::-1],
    "randint": lambda L: L.randint(5, 2, (3,)), "leaf": lambda L: needs(L, 1.0).add_(1),
    "multinomial": lambda L: L.multinomial(L.tensor([1.0]), 2),
    "add": lambda L: L.zeros(2) + L.zeros(3), "matmul": lambda L: L.zeros(2, 3) @ L.zeros(2, 3),
    "integers": lambda L: L.tensor([1]).add_(0.5), "view": lambda L: L.zeros(2, 3).t().view(6),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_both(name: str) -> None:
    with pytest.raises((RuntimeError, TypeError, ValueError, IndexError)):
        REFUSED[name](torch)
    with pytest.raises((OpError, TypeError, IndexError)):
        REFUSED[name](eager)
