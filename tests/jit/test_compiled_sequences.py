"""Recurrence, attention, bags and alignments, compiled: eager's values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eager
import jit
from eager import nn
from eager.engine.tensor import Tensor
from eager.nn import functional as F
from eager.nn.utils import rnn

WORDS, STARTS = eager.tensor([1, 2, 4, 0, 1, 2]), eager.tensor([0, 2, 2, 5])
MASK = eager.tensor([[True, False, True], [False, False, False], [True, True, True]])
LABELS = eager.tensor([[1, 2, 2], [3, 1, 0]])


def _packed(x: Tensor) -> Any:
    out, state = GRU(rnn.pack_padded_sequence(x, [1, 4, 2], enforce_sorted=False))
    return rnn.pad_packed_sequence(out)[0], state


GRU = nn.GRU(4, 3, bidirectional=True)
CALLS: dict[str, tuple[Any, tuple[Tensor, ...]]] = {
    "lstm": (nn.LSTM(4, 3, proj_size=2, batch_first=True), (eager.randn(2, 3, 4),)),
    "packed": (_packed, (eager.randn(4, 3, 4),)),
    "bags": (nn.EmbeddingBag(5, 3, mode="max", max_norm=0.5), (WORDS, STARTS)),
    "masked": (lambda q, m: F.scaled_dot_product_attention(q, q, q, m),
               (eager.randn(2, 3, 4), MASK)),
    "ctc": (lambda x, y: F.ctc_loss(x.log_softmax(2), y, (4, 3), (3, 2)),
            (eager.randn(4, 2, 5), LABELS)),
}


def _flat(result: Any) -> list[Tensor]:
    if isinstance(result, (tuple, list)):
        return [t for r in result for t in _flat(r)]
    return [result]


@pytest.mark.parametrize("name", CALLS)
def test_compiled_is_eager(name: str) -> None:
    call, args = CALLS[name]
    want = _flat(call(*args))
    got = _flat(jit.compile(call)(*args))
    assert len(got) == len(want)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-4, atol=1e-5)
