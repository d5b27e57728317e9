"""Loss functions."""

from __future__ import annotations

from typing import Any

from eager.ops.composite import Composite
from eager.ops.errors import OpError
from eager.ops.op import Spelling
from eager.ops.statistics import mean


def reduced(F: Any, loss: Any, reduction: str) -> Any:
    """The mean or the sum of the elements, or the elements (``"none"``)."""
    if reduction == "none":
        return loss
    if reduction == "sum":
        return F.sum(loss, dims=tuple(range(F.typeof(loss).ndim)), keepdim=False)
    if reduction == "mean":
        return mean(F, loss)
    raise OpError(f"reduction is 'mean', 'sum' or 'none', got {reduction!r}")


def _class_dim(F: Any, name: str, scores: Any, target: Any) -> int:
    """Which dim of the scores the classes lie along; the other dims must be the target's."""
    x, y = F.typeof(scores), F.typeof(target)
    dim = 0 if x.ndim == 1 else 1
    if x.ndim == 0 or x.shape[:dim] + x.shape[dim + 1:] != y.shape:
        raise OpError(f"{name}: wanted scores [N, C, ...] and classes [N, ...], got {x} and {y}")
    if y.dtype.name not in ("i64", "i32"):
        raise OpError(f"{name}: classes are int64, got {y}")
    return dim


def _pick(F: Any, logs: Any, target: Any, dim: int, ignore_index: int) -> tuple[Any, Any, Any]:
    """The log-probability of each target, the targets to count, and targets safe to look up."""
    shape = F.typeof(target).shape
    counted = F.ne(target, ignore_index)
    safe = F.where(counted, target, 0)
    index = F.reshape(safe, shape=shape[:dim] + (1,) + shape[dim:])
    return F.reshape(F.gather(logs, index, dim=dim), shape=shape), counted, safe


def _class_weights(F: Any, weight: Any, counted: Any, safe: Any, dtype: Any) -> Any:
    """What each target counts: 0 where ignored, else 1 or its class's weight."""
    ones = F.cast(counted, dtype=dtype)
    if weight is None:
        return ones
    t = F.typeof(safe)
    flat = F.reshape(safe, shape=(t.numel,))
    return F.mul(F.reshape(F.index_select(weight, flat, dim=0), shape=t.shape), ones)


def nll_loss(F: Any, input: Any, target: Any, weight: Any = None, *, ignore_index: int = -100,
             reduction: str = "mean") -> Any:
    """Minus the log-probability (``input``: [N, C, ...] or [C]) of each target class.

    ``mean`` divides by the weight of the targets counted, not by their number.
    """
    dim = _class_dim(F, "nll_loss", input, target)
    picked, counted, safe = _pick(F, input, target, dim, ignore_index)
    weights = _class_weights(F, weight, counted, safe, F.typeof(input).dtype)
    return _weighted(F, _where_counted(F, counted, F.neg(picked)), weights, reduction)


def _where_counted(F: Any, counted: Any, loss: Any) -> Any:
    # Not a product with 0: the loss of an ignored target may be infinite.
    return F.where(counted, loss, F.full(shape=(), value=0.0, dtype=F.typeof(loss).dtype))


def _weighted(F: Any, loss: Any, weights: Any, reduction: str) -> Any:
    loss = F.mul(loss, weights)
    if reduction != "mean":
        return reduced(F, loss, reduction)
    return F.div(reduced(F, loss, "sum"), reduced(F, weights, "sum"))


def cross_entropy(F: Any, input: Any, target: Any, weight: Any = None, *,
                  ignore_index: int = -100, reduction: str = "mean",
                  label_smoothing: float = 0.0) -> Any:
    """The cross entropy of logits [N, C, ...] (or [C]) with target classes or probabilities.

    Classes are int64 [N, ...]; probabilities are floating, of the shape of the logits.
    """
    x, y = F.typeof(input), F.typeof(target)
    dim = 0 if x.ndim == 1 else 1
    if y.dtype.kind == "f":
        return _soft_cross_entropy(F, input, target, weight, dim, reduction, label_smoothing)
    _class_dim(F, "cross_entropy", input, target)
    logs = F.log_softmax(input, dim=dim)
    picked, counted, safe = _pick(F, logs, target, dim, ignore_index)
    weights = _class_weights(F, weight, counted, safe, x.dtype)
    hard = _weighted(F, _where_counted(F, counted, F.neg(picked)), weights, reduction)
    if not label_smoothing:
        return hard
    if weight is not None:
        logs = F.mul(logs, _along_classes(F, weight, x.ndim, dim))
    smooth = _where_counted(F, counted, F.neg(F.sum(logs, dims=(dim,), keepdim=False)))
    smooth = reduced(F, smooth, "none" if reduction == "none" else "sum")
    if reduction == "mean":
        smooth = F.div(smooth, reduced(F, weights, "sum"))
    rate = F.div(smooth, x.shape[dim])
    return F.add(F.mul(hard, 1.0 - label_smoothing), F.mul(rate, label_smoothing))


def _along_classes(F: Any, weight: Any, ndim: int, dim: int) -> Any:
    count = F.typeof(weight).shape[0]
    return F.reshape(weight, shape=tuple(count if k == dim else 1 for k in range(ndim)))


def _soft_cross_entropy(F: Any, input: Any, target: Any, weight: Any, dim: int, reduction: str,
                        label_smoothing: float) -> Any:
    x, y = F.typeof(input), F.typeof(target)
    if x.shape != y.shape:
        raise OpError(f"cross_entropy: probabilities have the shape of the logits, got {x} and {y}")
    if label_smoothing:
        target = F.add(F.mul(target, 1.0 - label_smoothing), label_smoothing / x.shape[dim])
    logs = F.log_softmax(input, dim=dim)
    if weight is not None:
        logs = F.mul(logs, _along_classes(F, weight, x.ndim, dim))
    loss = F.neg(F.sum(F.mul(logs, target), dims=(dim,), keepdim=False))
    return reduced(F, loss, reduction)


def mse_loss(F: Any, input: Any, target: Any, reduction: str = "mean") -> Any:
    """The squared difference."""
    return reduced(F, F.square(F.sub(input, target)), reduction)


def l1_loss(F: Any, input: Any, target: Any, reduction: str = "mean") -> Any:
    """The absolute difference."""
    return reduced(F, F.abs(F.sub(input, target)), reduction)


def huber_loss(F: Any, input: Any, target: Any, reduction: str = "mean",
               delta: float = 1.0) -> Any:
    """Half the squared difference up to ``delta``, growing linearly beyond."""
    gap = F.abs(F.sub(input, target))
    loss = F.where(F.lt(gap, delta), F.mul(F.square(gap), 0.5),
                   F.mul(F.sub(gap, 0.5 * delta), delta))
    return reduced(F, loss, reduction)


def smooth_l1_loss(F: Any, input: Any, target: Any, reduction: str = "mean",
                   beta: float = 1.0) -> Any:
    """`huber_loss` over ``beta``; the absolute difference for ``beta = 0``."""
    if beta == 0:
        return l1_loss(F, input, target, reduction)
    return F.div(huber_loss(F, input, target, reduction, beta), beta)


def binary_cross_entropy_with_logits(F: Any, input: Any, target: Any, weight: Any = None,
                                     reduction: str = "mean", pos_weight: Any = None) -> Any:
    """Minus the log-likelihood of targets in [0, 1] under sigmoid(input), without overflow."""
    if F.typeof(input).shape != F.typeof(target).shape:
        raise OpError(f"binary_cross_entropy_with_logits: shapes differ: {F.typeof(input)} and "
                      f"{F.typeof(target)}")
    # softplus(-x), with maximum rather than relu: at 0 its gradient must be a half.
    tail = F.add(F.maximum(F.neg(input), 0), F.log1p(F.exp(F.neg(F.abs(input)))))
    if pos_weight is not None:
        tail = F.mul(tail, F.add(F.mul(F.sub(pos_weight, 1.0), target), 1.0))
    loss = F.add(F.mul(F.sub(1.0, target), input), tail)
    return reduced(F, loss if weight is None else F.mul(loss, weight), reduction)


def binary_cross_entropy(F: Any, input: Any, target: Any, weight: Any = None,
                         reduction: str = "mean") -> Any:
    """Minus the log-likelihood of targets in [0, 1] under probabilities; logs end at -100."""
    yes = F.maximum(F.log(input), -100.0)
    no = F.maximum(F.log(F.sub(1.0, input)), -100.0)
    loss = F.neg(F.add(F.mul(target, yes), F.mul(F.sub(1.0, target), no)))
    return reduced(F, loss if weight is None else F.mul(loss, weight), reduction)


FUNCTIONS = tuple(Composite(f.__name__, f, Spelling(("nn.functional",))) for f in (
    cross_entropy, nll_loss, mse_loss, l1_loss, huber_loss, smooth_l1_loss,
    binary_cross_entropy_with_logits, binary_cross_entropy))
