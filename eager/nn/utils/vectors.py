"""Parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

from eager.engine.mode import no_grad
from eager.engine.tensor import TAPED, Tensor
from eager.ops.errors import OpError


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All elements one after another, [n]; gradients flow through."""
    parts = [p.reshape(-1) for p in parameters]
    if not parts:
        raise OpError("parameters_to_vector: there are no parameters")
    result: Tensor = TAPED.concat(*parts, dim=0)
    return result


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Give each parameter its part of a vector [n] as its data."""
    if not isinstance(vec, Tensor):
        raise OpError(f"vector_to_parameters: wanted a tensor, got {type(vec).__name__}")
    owners = list(parameters)
    count = sum(p.numel() for p in owners)
    if tuple(vec.shape) != (count,):
        raise OpError(f"vector_to_parameters: the parameters have {count} elements, the vector "
                      f"is {vec.spec}")
    start = 0
    with no_grad():
        for p in owners:
            p.data = vec[start:start + p.numel()].detach().reshape(p.shape)
            start += p.numel()
