"""Losses that measure differences, and how every loss is reduced."""

from __future__ import annotations

import warnings
from typing import Any

from eager.ops.composite import Composite
from eager.ops.errors import OpError
from eager.ops.moments import mean
from eager.ops.op import Spelling
from eager.ops.types import BOOL

REDUCTIONS = ("mean", "sum", "none")


def reduced(F: Any, loss: Any, reduction: str) -> Any:
    """The mean or the sum of the elements, or the elements (``"none"``)."""
    if reduction == "none":
        return loss
    if reduction == "sum":
        return total(F, loss)
    if reduction == "mean":
        return mean(F, loss)
    raise OpError(f"reduction is 'mean', 'sum' or 'none', got {reduction!r}")


def total(F: Any, x: Any) -> Any:
    """The sum of all elements."""
    return F.sum(x, dims=tuple(range(F.typeof(x).ndim)), keepdim=False)


def asked(size_average: Any, reduce: Any, reduction: str) -> str:
    """The reduction that the two arguments of torch's first years ask for, where they are given.

    Absent beside the other, each counts as True; a DeprecationWarning names the new word.
    """
    if size_average is None and reduce is None:
        return reduction
    for flag in (size_average, reduce):
        if flag not in (None, True, False):
            raise OpError(f"reduction is 'mean', 'sum' or 'none' and goes by name; in this place "
                          f"a bool was wanted, got {flag!r}")
    if reduce is not None and not reduce:
        word = "none"
    else:
        word = "mean" if size_average is None or size_average else "sum"
    warnings.warn(f"size_average and reduce are deprecated: write reduction={word!r}",
                  DeprecationWarning, stacklevel=4)
    return word


def zero_like(F: Any, x: Any) -> Any:
    """A 0-d zero of the dtype of ``x``: a plain number beside a bool condition would be float32."""
    return F.full(shape=(), value=0.0, dtype=F.typeof(x).dtype)


def only_where(F: Any, condition: Any, loss: Any) -> Any:
    """The loss where the condition holds, else 0; not a product, since the loss may be infinite."""
    return F.where(condition, loss, zero_like(F, loss))


def hinge(F: Any, x: Any) -> Any:
    """max(x, 0)."""
    return F.clamp_min(x, 0)


# --- differences -------------------------------------------------------------------------------
def _gap(F: Any, name: str, input: Any, target: Any, weight: Any = None) -> Any:
    x, y = F.typeof(input), F.typeof(target)
    if x.dtype is BOOL and y.dtype is BOOL:
        raise OpError(f"{name}: operands are numbers, got {x} and {y}")
    if x.shape != y.shape:
        warnings.warn(f"{name}: the target {y} is broadcast against the input {x}, which is "
                      f"rarely what is meant; bring both to one shape", stacklevel=4)
    if weight is not None and F.typeof(weight).shape != x.shape:
        raise OpError(f"{name}: the weight has the shape of the input, got {F.typeof(weight)} "
                      f"and {x}")
    return F.sub(input, target)


def _weighted(F: Any, loss: Any, weight: Any, reduction: str) -> Any:
    """The mean of a weighted loss is over the sum of the weights."""
    if weight is None:
        return reduced(F, loss, reduction)
    loss = F.mul(loss, weight)
    if reduction != "mean":
        return reduced(F, loss, reduction)
    return F.div(total(F, loss), total(F, weight))


def mse_loss(F: Any, input: Any, target: Any, size_average: bool | None = None,
             reduce: bool | None = None, reduction: str = "mean", weight: Any = None) -> Any:
    """The squared difference; with a weight the mean is over the sum of the weights."""
    gap = _gap(F, "mse_loss", input, target, weight)
    return _weighted(F, F.square(gap), weight, asked(size_average, reduce, reduction))


def l1_loss(F: Any, input: Any, target: Any, size_average: bool | None = None,
            reduce: bool | None = None, reduction: str = "mean", weight: Any = None) -> Any:
    """The absolute difference; with a weight the mean is over the sum of the weights."""
    gap = _gap(F, "l1_loss", input, target, weight)
    return _weighted(F, F.abs(gap), weight, asked(size_average, reduce, reduction))


def _huber(F: Any, gap: Any, delta: float) -> Any:
    size = F.abs(gap)
    return F.where(F.lt(size, delta), F.mul(F.square(size), 0.5),
                   F.mul(F.sub(size, 0.5 * delta), delta))


def huber_loss(F: Any, input: Any, target: Any, reduction: str = "mean", delta: float = 1.0,
               weight: Any = None) -> Any:
    """Half the squared difference up to ``delta``, growing linearly beyond (Huber, 1964)."""
    if delta <= 0:
        raise OpError(f"huber_loss: delta is positive, got {delta}")
    loss = _huber(F, _gap(F, "huber_loss", input, target, weight), delta)
    return reduced(F, loss if weight is None else F.mul(loss, weight), reduction)


def smooth_l1_loss(F: Any, input: Any, target: Any, size_average: bool | None = None,
                   reduce: bool | None = None, reduction: str = "mean", beta: float = 1.0) -> Any:
    """`huber_loss` over ``beta``; the absolute difference for ``beta = 0``."""
    if beta < 0:
        raise OpError(f"smooth_l1_loss: beta is not negative, got {beta}")
    gap = _gap(F, "smooth_l1_loss", input, target)
    loss = F.abs(gap) if beta == 0 else F.div(_huber(F, gap, beta), beta)
    return reduced(F, loss, asked(size_average, reduce, reduction))


FUNCTIONS = tuple(Composite(f.__name__, f, Spelling(("nn.functional",)))
                  for f in (mse_loss, l1_loss, huber_loss, smooth_l1_loss))
