"""Activations that draw random numbers."""

from __future__ import annotations

from typing import Any

from eager.engine.mode import no_grad
from eager.engine.streams import rand_like
from eager.engine.tensor import TAPED, Tensor
from eager.ops.errors import OpError
from eager.ops.types import normalize_dim

#: Half a step of float32's uniform numbers: keeps the logarithm of one from being infinite.
_LEAST = 2.0 ** -25


def rrelu(input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False,
          inplace: bool = False) -> Tensor:
    """x where positive, else x times a slope: in training each drawn from [lower, upper).

    Else the slope is the middle of the two (Xu and others, Empirical evaluation of rectified
    activations, 2015).
    """
    if lower > upper:
        raise OpError(f"rrelu: lower is not above upper, got {lower} and {upper}")
    if training:
        with no_grad():
            slope: Any = rand_like(input) * (upper - lower) + lower
    else:
        slope = (lower + upper) / 2
    result: Tensor = TAPED.where(TAPED.gt(input, 0), input, TAPED.mul(input, slope))
    return input.copy_(result) if inplace else result


def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10,
                   dim: int = -1) -> Tensor:
    """The softmax of ``(logits + g) / tau`` along ``dim``, with g of Gumbel's distribution.

    With ``hard`` the largest is 1 and the rest are 0; the gradient is still the soft one's.
    ``eps`` is there for its place and has no effect, as in torch.
    """
    if logits.dtype.kind != "f":
        raise OpError(f"gumbel_softmax: the logits must be floating, got {logits.spec}")
    with no_grad():
        waited = TAPED.neg(TAPED.log1p(TAPED.neg(TAPED.clamp_min(rand_like(logits), _LEAST))))
        noise = TAPED.neg(TAPED.log(waited))
    at = normalize_dim(dim, logits.ndim)
    soft: Tensor = TAPED.softmax(TAPED.div(TAPED.add(logits, noise), tau), dim=at)
    if not hard:
        return soft
    with no_grad():
        place = TAPED.argmax(soft, dim=at, keepdim=True)
        one = TAPED.full(shape=tuple(place.shape), value=1.0, dtype=soft.dtype)
        chosen = TAPED.sub(TAPED.scatter_add(TAPED.mul(soft, 0.0), place, one, dim=at), soft)
    result: Tensor = TAPED.add(chosen, soft)
    return result
