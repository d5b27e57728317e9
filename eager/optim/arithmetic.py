"""What methods are written with: lines that mean the same on arrays and on tensors in a trace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from eager.engine import creation
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError
from eager.ops.types import F32


def check(method: type, **numbers: Any) -> None:
    """Refuse settings below 0."""
    for name, value in numbers.items():
        if float(value) < 0:
            raise OpError(f"{method.__name__}: {name} is not negative, got {float(value)}")


def check_betas(method: type, betas: Iterable[Any]) -> tuple[float, float]:
    """Two decay rates in [0, 1), as floats."""
    one, two = map(float, betas)
    if not (0 <= one < 1 and 0 <= two < 1):
        raise OpError(f"{method.__name__}: betas lie in [0, 1), got {(one, two)}")
    return one, two


def zeros_like(p: Tensor) -> Tensor:
    """State of a parameter's shape and dtype, at 0."""
    return creation.zeros(*p.shape, dtype=p.dtype)


def scalar(value: float = 0.0) -> Tensor:
    """State that is one number, float32 as torch keeps it."""
    return creation.full((), value, dtype=F32)


def advanced(step: Any) -> Any:
    """Count a step; the new number, as a float64."""
    step += 1
    return step.double() if isinstance(step, Tensor) else float(step)


def number(x: Any) -> Any:
    """The number that a 0-d state holds, as a float64."""
    return x.double() if isinstance(x, Tensor) else float(x)


def put(target: Any, value: Any) -> None:
    """Replace the values of an array or tensor."""
    if isinstance(target, Tensor):
        target.copy_(value)
    else:
        target[...] = value


def either(F: Any, condition: Any, yes: Any, no: Any) -> Any:
    """One of two numbers, by a bool or a 0-d bool tensor."""
    if isinstance(condition, Tensor):
        return F.where(condition, yes, no)
    return yes if condition else no


def decayed(p: Any, grad: Any, group: Mapping[str, Any]) -> Any:
    """The gradient with the slope of ``weight_decay / 2 * |p|^2`` added."""
    decay = group["weight_decay"]
    return grad + p * decay if isinstance(decay, Tensor) or decay != 0 else grad


def shrink(p: Any, group: Mapping[str, Any]) -> None:
    """Weight decay apart from the gradient (Loshchilov and Hutter, 2019), in place."""
    decay = group["weight_decay"]
    if isinstance(decay, Tensor) or decay != 0:
        p *= 1.0 - group["lr"] * decay


def average(mean: Any, value: Any, weight: Any) -> None:
    """Move a running mean towards ``value`` by a share of ``weight``, in place."""
    step = value - mean
    step *= weight
    mean += step
