"""Gradients held within bounds, without a look at their data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from eager.engine import creation
from eager.engine.mode import MODE, no_grad
from eager.engine.tensor import TAPED, Tensor
from eager.ops.errors import OpError, TraceError

Tensors = Tensor | Iterable[Tensor]


def _listed(tensors: Tensors) -> list[Tensor]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def _gradients(parameters: Tensors) -> list[Tensor]:
    return [p.grad for p in _listed(parameters) if p.grad is not None]


def get_total_norm(tensors: Tensors, norm_type: float = 2.0, error_if_nonfinite: bool = False,
                   foreach: bool | None = None) -> Tensor:
    """The norm, 0-d, of all tensors as one vector.

    ``error_if_nonfinite`` reads it.  ``foreach`` says how torch computes it, and changes nothing.
    """
    several = _listed(tensors)
    if not several:
        return creation.zeros(())
    norms: Sequence[Tensor] = [g.norm(float(norm_type)).reshape(1) for g in several]
    total: Tensor = TAPED.concat(*norms, dim=0).norm(float(norm_type))
    if error_if_nonfinite and MODE.get().recorder is not None:
        raise TraceError("error_if_nonfinite=True looks at the norm in Python, which a trace "
                         "cannot do; return the norm from the traced function and look at it "
                         "after the call")
    if error_if_nonfinite and not total.isfinite():
        raise OpError(f"The total norm of order {norm_type} for gradients is non-finite, so it "
                      f"cannot be clipped; to scale the gradients by it anyway, set "
                      f"error_if_nonfinite=False")
    return total


def clip_grads_with_norm_(parameters: Tensors, max_norm: float, total_norm: Tensor,
                          foreach: bool | None = None) -> None:
    """Scale all gradients in place so that a norm that is ``total_norm`` is at most
    ``max_norm``.
    """
    with no_grad():
        scale = (max_norm / (total_norm + 1e-6)).clamp(max=1.0)
        for g in _gradients(parameters):
            g.mul_(scale.to(g.dtype))


def clip_grad_norm_(parameters: Tensors, max_norm: float, norm_type: float = 2.0,
                    error_if_nonfinite: bool = False, foreach: bool | None = None) -> Tensor:
    """Scale all gradients in place, together, so that their norm is at most ``max_norm``.

    Returns the norm before, 0-d.  A norm that is not finite makes the gradients so, too, unless
    it is an error.
    """
    owners = _listed(parameters)
    with no_grad():
        total = get_total_norm(_gradients(owners), norm_type, error_if_nonfinite, foreach)
    clip_grads_with_norm_(owners, max_norm, total, foreach)
    return total


def clip_grad_value_(parameters: Tensors, clip_value: float, foreach: bool | None = None) -> None:
    """Keep every element of all gradients within [-clip_value, clip_value], in place."""
    bound = float(clip_value)
    with no_grad():
        for g in _gradients(parameters):
            g.copy_(g.clamp(-bound, bound))
