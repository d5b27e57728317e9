"""Look-ups that may first scale rows of their table down, in place."""

from __future__ import annotations

from typing import Any

from eager.engine.mode import no_grad
from eager.engine.tensor import TAPED, Tensor
from eager.ops import embeddings
from eager.ops.moments import norm


def _shorten(weight: Tensor, index: Tensor, max_norm: float, norm_type: float) -> None:
    """Scale every row that is read and longer than ``max_norm`` down to it, in place."""
    F: Any = TAPED
    with no_grad():
        count, n = weight.shape[0], index.numel()
        zeros = F.full(shape=(count,), value=0.0, dtype=weight.dtype)
        ones = F.full(shape=(n,), value=1.0, dtype=weight.dtype)
        read = F.gt(F.index_add(zeros, F.reshape(index, shape=(n,)), ones, dim=0), 0)
        sizes = norm(F, weight, norm_type, (1,))
        scale = F.where(F.logical_and(read, F.gt(sizes, max_norm)),
                        F.div(max_norm, F.add(sizes, 1e-7)), F.add(zeros, 1.0))
        weight.copy_(F.mul(weight, F.reshape(scale, shape=(count, 1))))


def embedding(input: Tensor, weight: Tensor, padding_idx: int | None = None,
              max_norm: float | None = None, norm_type: float = 2.0,
              scale_grad_by_freq: bool = False, sparse: bool = False) -> Tensor:
    """Rows of ``weight`` [count, size] at the integers of ``input``.

    The row ``padding_idx`` gets no gradient; ``max_norm`` first scales every row that is read down
    to that norm, in place; ``scale_grad_by_freq`` divides gradients by how often a row is read.
    """
    if max_norm is not None:
        _shorten(weight, input, max_norm, norm_type)
    result: Tensor = embeddings.embedding(
        TAPED, input, weight, padding_idx, None, norm_type, scale_grad_by_freq, sparse)
    return result


def embedding_bag(input: Tensor, weight: Tensor, offsets: Tensor | None = None,
                  max_norm: float | None = None, norm_type: float = 2,
                  scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False,
                  per_sample_weights: Tensor | None = None, include_last_offset: bool = False,
                  padding_idx: int | None = None) -> Tensor:
    """The sum, mean or maximum of the rows of each bag, [bags, size]; empty bags are 0.

    Bags are the rows of a 2-d ``input``, or begin at ``offsets`` in a 1-d one (whose last offset
    may be the end of all).  Entries ``padding_idx`` do not count.  ``max_norm`` as in `embedding`.
    """
    if max_norm is not None:
        _shorten(weight, input, max_norm, norm_type)
    result: Tensor = embeddings.embedding_bag(
        TAPED, input, weight, offsets, None, norm_type, scale_grad_by_freq, mode, sparse,
        per_sample_weights, include_last_offset, padding_idx)
    return result
