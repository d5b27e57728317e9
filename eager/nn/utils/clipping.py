"""Gradients held within bounds, without a look at their data."""

from __future__ import annotations

from collections.abc import Iterable

from eager.engine import creation
from eager.engine.mode import no_grad
from eager.engine.tensor import TAPED, Tensor


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    owners = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    return [p.grad for p in owners if p.grad is not None]


def clip_grad_norm_(parameters: Tensor | Iterable[Tensor], max_norm: float,
                    norm_type: float = 2.0) -> Tensor:
    """Scale all gradients in place, together, so that their norm is at most ``max_norm``.

    Returns the norm before, 0-d.  A norm that is not finite makes the gradients so, too.
    """
    grads = _gradients(parameters)
    if not grads:
        return creation.zeros(())
    with no_grad():
        norms = [g.norm(norm_type).reshape(1) for g in grads]
        total: Tensor = TAPED.concat(*norms, dim=0).norm(norm_type)
        scale = (max_norm / (total + 1e-6)).clamp(max=1.0)
        for g in grads:
            g.mul_(scale.to(g.dtype))
    return total


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Keep every element of all gradients within [-clip_value, clip_value], in place."""
    with no_grad():
        for g in _gradients(parameters):
            g.copy_(g.clamp(-clip_value, clip_value))
