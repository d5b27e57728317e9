"""Losses that are minus the logarithm of a likelihood."""

from __future__ import annotations

import math
from typing import Any

from eager.ops.affine import linear
from eager.ops.composite import Composite
from eager.ops.errors import OpError
from eager.ops.losses import REDUCTIONS, asked, only_where, reduced, total
from eager.ops.op import Spelling
from eager.ops.types import product


# --- of classes --------------------------------------------------------------------------------
def _class_dim(F: Any, name: str, scores: Any, target: Any) -> int:
    """Which dim of the scores the classes lie along; the other dims must be the target's."""
    x, y = F.typeof(scores), F.typeof(target)
    dim = 0 if x.ndim == 1 else 1
    if x.ndim == 0 or x.shape[:dim] + x.shape[dim + 1:] != y.shape:
        raise OpError(f"{name}: wanted scores [N, C, ...] and classes [N, ...], got {x} and {y}")
    if y.dtype.name not in ("i64", "i32"):
        raise OpError(f"{name}: classes are int64, got {y}")
    return dim


def _check_class_weight(F: Any, name: str, weight: Any, count: Any) -> None:
    if weight is not None and F.typeof(weight).shape != (count,):
        raise OpError(f"{name}: the weight has one number for each of {count} classes, got "
                      f"{F.typeof(weight)}")


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


def _weighted(F: Any, loss: Any, weights: Any, reduction: str) -> Any:
    loss = F.mul(loss, weights)
    if reduction != "mean":
        return reduced(F, loss, reduction)
    return F.div(total(F, loss), total(F, weights))


def nll_loss(F: Any, input: Any, target: Any, weight: Any = None,
             size_average: bool | None = None, ignore_index: int = -100,
             reduce: bool | None = None, reduction: str = "mean") -> Any:
    """Minus the log-probability (``input``: [N, C, ...] or [C]) of each target class.

    ``mean`` divides by the weight of the targets counted, not by their number.
    """
    reduction = asked(size_average, reduce, reduction)
    dim = _class_dim(F, "nll_loss", input, target)
    _check_class_weight(F, "nll_loss", weight, F.typeof(input).shape[dim])
    picked, counted, safe = _pick(F, input, target, dim, ignore_index)
    weights = _class_weights(F, weight, counted, safe, F.typeof(input).dtype)
    return _weighted(F, only_where(F, counted, F.neg(picked)), weights, reduction)


def cross_entropy(F: Any, input: Any, target: Any, weight: Any = None,
                  size_average: bool | None = None, ignore_index: int = -100,
                  reduce: bool | None = None, reduction: str = "mean",
                  label_smoothing: float = 0.0) -> Any:
    """The cross entropy of logits [N, C, ...] (or [C]) with target classes or probabilities.

    Classes are int64 [N, ...]; probabilities are floating, of the shape of the logits.
    """
    reduction = asked(size_average, reduce, reduction)
    if not 0 <= label_smoothing <= 1:
        raise OpError(f"cross_entropy: label_smoothing lies in [0, 1], got {label_smoothing}")
    x, y = F.typeof(input), F.typeof(target)
    dim = 0 if x.ndim == 1 else 1
    if y.dtype.kind == "f":
        if ignore_index >= 0:
            raise OpError("cross_entropy: no index is ignored among probabilities; give classes, "
                          "or leave ignore_index")
        return _soft_cross_entropy(F, input, target, weight, dim, reduction, label_smoothing)
    _class_dim(F, "cross_entropy", input, target)
    _check_class_weight(F, "cross_entropy", weight, x.shape[dim])
    logs = F.log_softmax(input, dim=dim)
    picked, counted, safe = _pick(F, logs, target, dim, ignore_index)
    weights = _class_weights(F, weight, counted, safe, x.dtype)
    hard = _weighted(F, only_where(F, counted, F.neg(picked)), weights, reduction)
    if not label_smoothing:
        return hard
    if weight is not None:
        logs = F.mul(logs, _along_classes(F, weight, x.ndim, dim))
    smooth = only_where(F, counted, F.neg(F.sum(logs, dims=(dim,), keepdim=False)))
    smooth = reduced(F, smooth, "none" if reduction == "none" else "sum")
    if reduction == "mean":
        smooth = F.div(smooth, total(F, weights))
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
    _check_class_weight(F, "cross_entropy", weight, x.shape[dim])
    if label_smoothing:
        target = F.add(F.mul(target, 1.0 - label_smoothing), label_smoothing / x.shape[dim])
    logs = F.log_softmax(input, dim=dim)
    if weight is not None:
        logs = F.mul(logs, _along_classes(F, weight, x.ndim, dim))
    loss = F.neg(F.sum(F.mul(logs, target), dims=(dim,), keepdim=False))
    return reduced(F, loss, reduction)


def linear_cross_entropy(F: Any, input: Any, linear_weight: Any, target: Any, *,
                         linear_bias: Any = None, weight: Any = None, reduction: str = "mean",
                         ignore_index: int | None = None, label_smoothing: float = 0.0,
                         options: Any = None) -> Any:
    """`cross_entropy` of the logits that a weight [C, ..., in] gives of inputs [N, in] (or [in]).

    ``options`` cuts the batch into chunks in torch; here it must be None.
    """
    x, w = F.typeof(input), F.typeof(linear_weight)
    if x.ndim not in (1, 2) or w.ndim < 2 or (x.ndim == 1 and w.ndim > 2):
        raise OpError(f"linear_cross_entropy: wanted inputs [N, in] (or [in]) and a weight "
                      f"[C, ..., in], got {x} and {w}")
    if options is not None:
        raise OpError("linear_cross_entropy: there is no chunking; leave options=None")
    rows = product(w.shape[:-1])
    flat = F.reshape(linear_weight, shape=(rows, w.shape[-1]))
    bias = None if linear_bias is None else F.reshape(linear_bias, shape=(rows,))
    logits = F.reshape(linear(F, input, flat, bias), shape=(*x.shape[:-1], *w.shape[:-1]))
    return cross_entropy(F, logits, target, weight, reduction=reduction,
                         ignore_index=-100 if ignore_index is None else ignore_index,
                         label_smoothing=label_smoothing)


# --- of yes and no -----------------------------------------------------------------------------
def tail(F: Any, x: Any) -> Any:
    """log(1 + exp(-x)) without overflow."""
    return F.logaddexp(F.neg(x), 0.0)


def _alike(F: Any, name: str, input: Any, target: Any) -> None:
    if F.typeof(input).shape != F.typeof(target).shape:
        raise OpError(f"{name}: shapes differ: {F.typeof(input)} and {F.typeof(target)}")


def binary_cross_entropy_with_logits(F: Any, input: Any, target: Any, weight: Any = None,
                                     size_average: bool | None = None,
                                     reduce: bool | None = None, reduction: str = "mean",
                                     pos_weight: Any = None) -> Any:
    """Minus the log-likelihood of targets in [0, 1] under sigmoid(input), without overflow."""
    _alike(F, "binary_cross_entropy_with_logits", input, target)
    no = tail(F, input)
    if pos_weight is not None:
        no = F.mul(no, F.add(F.mul(F.sub(pos_weight, 1.0), target), 1.0))
    loss = F.add(F.mul(F.sub(1.0, target), input), no)
    return reduced(F, loss if weight is None else F.mul(loss, weight),
                   asked(size_average, reduce, reduction))


def binary_cross_entropy(F: Any, input: Any, target: Any, weight: Any = None,
                         size_average: bool | None = None, reduce: bool | None = None,
                         reduction: str = "mean") -> Any:
    """Minus the log-likelihood of targets in [0, 1] under probabilities; logs end at -100."""
    _alike(F, "binary_cross_entropy", input, target)
    yes = F.maximum(F.log(input), -100.0)
    no = F.maximum(F.log(F.sub(1.0, input)), -100.0)
    loss = F.neg(F.add(F.mul(target, yes), F.mul(F.sub(1.0, target), no)))
    return reduced(F, loss if weight is None else F.mul(loss, weight),
                   asked(size_average, reduce, reduction))


# --- of distributions --------------------------------------------------------------------------
def kl_div(F: Any, input: Any, target: Any, size_average: bool | None = None,
           reduce: bool | None = None, reduction: str = "mean", log_target: bool = False) -> Any:
    """target (log target - input), where ``input`` is a log-probability (Kullback, 1951).

    ``log_target``: the target is one as well.  ``batchmean`` divides the sum by the first size.
    """
    reduction = asked(size_average, reduce, reduction)
    if log_target:
        loss = F.mul(F.exp(target), F.sub(target, input))
    else:
        loss = F.sub(F.xlogy(target, target), F.mul(target, input))
    if reduction != "batchmean":
        return reduced(F, loss, reduction)
    shape = F.typeof(input).shape
    return F.div(total(F, loss), shape[0]) if shape else loss


def gaussian_nll_loss(F: Any, input: Any, target: Any, var: Any, full: bool = False,
                      eps: float = 1e-06, reduction: str = "mean") -> Any:
    """Minus the log-likelihood of targets under a normal distribution: (log v + gap^2 / v) / 2.

    ``var`` is a float or floating: of the shape of the input, or with the last dim absent or 1,
    or with one other dim of 1.  It counts as at least ``eps``; its gradient knows nothing of
    that.  ``full`` adds log(2 pi) / 2.
    """
    if reduction not in REDUCTIONS:
        raise OpError(f"gaussian_nll_loss: reduction is 'mean', 'sum' or 'none', got "
                      f"{reduction!r}")
    x = F.typeof(input)
    if isinstance(var, float):
        if var < 0:
            raise OpError(f"gaussian_nll_loss: a variance is not negative, got {var}")
        var = F.full(shape=x.shape, value=var, dtype=x.dtype)
    v = F.typeof(var)
    if v.shape != x.shape:
        if v.shape == x.shape[:-1]:
            var = F.reshape(var, shape=(*v.shape, 1))
        elif v.ndim != x.ndim or sum(a for a, b in zip(x.shape, v.shape, strict=True)
                                     if a != b and b != 1) or sum(
                                         b for a, b in zip(x.shape, v.shape, strict=True)
                                         if a != b) != 1:
            raise OpError(f"gaussian_nll_loss: var has the shape of the input {x}, or one dim of "
                          f"1, or its last dim absent, got {v}")
    # A floor without a say in the gradient.
    var = F.where(F.lt(var, eps), F.add(F.sub(var, F.detach(var)), eps), var)
    loss = F.mul(F.add(F.log(var), F.div(F.square(F.sub(input, target)), var)), 0.5)
    return reduced(F, F.add(loss, 0.5 * math.log(2 * math.pi)) if full else loss, reduction)


def poisson_nll_loss(F: Any, input: Any, target: Any, log_input: bool = True, full: bool = False,
                     size_average: bool | None = None, eps: float = 1e-08,
                     reduce: bool | None = None, reduction: str = "mean") -> Any:
    """Minus the log-likelihood of counts under a Poisson rate, or its logarithm.

    ``full`` adds Stirling's approximation of log(target!) for targets above 1.
    """
    if log_input:
        loss = F.sub(F.exp(input), F.mul(target, input))
    else:
        loss = F.sub(input, F.mul(target, F.log(F.add(input, eps))))
    if full:
        many = F.gt(target, 1)
        t = F.where(many, target, 1)
        stirling = F.add(F.sub(F.mul(t, F.log(t)), t), F.mul(F.log(F.mul(t, 2 * math.pi)), 0.5))
        loss = F.add(loss, only_where(F, many, stirling))
    return reduced(F, loss, asked(size_average, reduce, reduction))


FUNCTIONS = tuple(Composite(f.__name__, f, Spelling(("nn.functional",))) for f in (
    cross_entropy, nll_loss, linear_cross_entropy, binary_cross_entropy_with_logits,
    binary_cross_entropy, kl_div, gaussian_nll_loss, poisson_nll_loss))
