"""Losses that want scores or distances apart by a margin."""

from __future__ import annotations

from typing import Any

from eager.ops.composite import Composite
from eager.ops.distances import pairwise_distance
from eager.ops.errors import OpError
from eager.ops.likelihoods import tail
from eager.ops.losses import asked, hinge, only_where, reduced
from eager.ops.op import Spelling
from eager.ops.types import I64


def _ranks(F: Any, name: str, *operands: Any) -> None:
    kinds = [F.typeof(x) for x in operands]
    if len({k.ndim for k in kinds}) > 1:
        raise OpError(f"{name}: operands have the same number of dims, got "
                      f"{', '.join(map(str, kinds))}")


# --- of pairs ----------------------------------------------------------------------------------
def margin_ranking_loss(F: Any, input1: Any, input2: Any, target: Any, margin: float = 0,
                        size_average: bool | None = None, reduce: bool | None = None,
                        reduction: str = "mean") -> Any:
    """max(0, margin - target (input1 - input2)), where the target is 1 or -1."""
    _ranks(F, "margin_ranking_loss", input1, input2, target)
    loss = hinge(F, F.add(F.mul(F.neg(target), F.sub(input1, input2)), margin))
    return reduced(F, loss, asked(size_average, reduce, reduction))


def hinge_embedding_loss(F: Any, input: Any, target: Any, margin: float = 1.0,
                         size_average: bool | None = None, reduce: bool | None = None,
                         reduction: str = "mean") -> Any:
    """The distance ``input`` where the target is 1, max(0, margin - input) where it is -1."""
    apart = only_where(F, F.ne(target, 1), hinge(F, F.sub(margin, input)))
    loss = F.add(apart, only_where(F, F.ne(target, -1), input))
    return reduced(F, loss, asked(size_average, reduce, reduction))


def cosine_embedding_loss(F: Any, input1: Any, input2: Any, target: Any, margin: float = 0,
                          size_average: bool | None = None, reduce: bool | None = None,
                          reduction: str = "mean") -> Any:
    """1 - cosine of rows [N, D] (or [D]) where the target is 1, max(0, cosine - margin) at -1."""
    a, b, y = map(F.typeof, (input1, input2, target))
    if a.ndim != b.ndim or a.ndim != y.ndim + 1 or y.ndim > 1:
        raise OpError(f"cosine_embedding_loss: wanted rows [N, D] and targets [N], or [D] and [], "
                      f"got {a}, {b} and {y}")
    at = (y.ndim,)
    sizes = [F.add(F.sum(F.square(x), dims=at, keepdim=False), 1e-12) for x in (input1, input2)]
    dot = F.sum(F.mul(input1, input2), dims=at, keepdim=False)
    cosine = F.div(dot, F.sqrt(F.mul(*sizes)))
    loss = F.add(only_where(F, F.eq(target, 1), F.sub(1.0, cosine)),
                 only_where(F, F.eq(target, -1), hinge(F, F.sub(cosine, margin))))
    return reduced(F, loss, asked(size_average, reduce, reduction))


def _triplet(F: Any, near: Any, far: Any, other: Any, margin: float, reduction: str) -> Any:
    if other is not None:
        far = F.minimum(far, other)
    return reduced(F, hinge(F, F.add(F.sub(near, far), margin)), reduction)


def triplet_margin_loss(F: Any, anchor: Any, positive: Any, negative: Any, margin: float = 1.0,
                        p: float = 2, eps: float = 1e-06, swap: bool = False,
                        size_average: bool | None = None, reduce: bool | None = None,
                        reduction: str = "mean") -> Any:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin) by `pairwise_distance`.

    ``swap``: the negative's distance to the positive counts where that is smaller.
    """
    def distance(x: Any, y: Any) -> Any:
        return pairwise_distance(F, x, y, p, eps)

    reduction = asked(size_average, reduce, reduction)
    return triplet_margin_with_distance_loss(F, anchor, positive, negative,
                                             distance_function=distance, margin=margin, swap=swap,
                                             reduction=reduction)


def triplet_margin_with_distance_loss(
        F: Any, anchor: Any, positive: Any, negative: Any, *, distance_function: Any = None,
        margin: float = 1.0, swap: bool = False, reduction: str = "mean") -> Any:
    """`triplet_margin_loss` by any distance; none given: `pairwise_distance`."""
    if margin <= 0:
        raise OpError(f"triplet_margin_loss: the margin is positive, got {margin}")
    _ranks(F, "triplet_margin_loss", anchor, positive, negative)
    distance = distance_function or (lambda x, y: pairwise_distance(F, x, y))
    other = distance(positive, negative) if swap else None
    return _triplet(F, distance(anchor, positive), distance(anchor, negative), other, margin,
                    reduction)


# --- of classes --------------------------------------------------------------------------------
def soft_margin_loss(F: Any, input: Any, target: Any, size_average: bool | None = None,
                     reduce: bool | None = None, reduction: str = "mean") -> Any:
    """log(1 + exp(-target input)), where the target is 1 or -1."""
    return reduced(F, tail(F, F.mul(target, input)), asked(size_average, reduce, reduction))


def multilabel_soft_margin_loss(F: Any, input: Any, target: Any, weight: Any = None,
                                size_average: bool | None = None, reduce: bool | None = None,
                                reduction: str = "mean") -> Any:
    """The mean over classes [..., C] of minus the log-likelihood of targets in [0, 1]."""
    reduction = asked(size_average, reduce, reduction)
    loss = F.add(F.mul(target, tail(F, input)), F.mul(F.sub(1.0, target), tail(F, F.neg(input))))
    if weight is not None:
        loss = F.mul(loss, weight)
    t = F.typeof(loss)
    mean = F.div(F.sum(loss, dims=(t.ndim - 1,), keepdim=False), t.shape[-1])
    return reduced(F, mean, reduction)


def _rows(F: Any, name: str, input: Any, target: Any, classes: int) -> tuple[Any, Any]:
    """Scores as [N, C] and targets as [N] (``classes`` 0) or [N, C]."""
    x, y = F.typeof(input), F.typeof(target)
    single = x.ndim < 2
    lead = () if single else x.shape[:1]
    wide = (x.shape[-1:] or (1,)) if classes else ()
    scalar = single and (y.shape == () or (not classes and y.shape == (1,)))
    if x.ndim > 2 or y.dtype is not I64 or not (scalar or y.shape == lead + wide):
        raise OpError(f"{name}: wanted scores [N, C] and int64 classes "
                      f"{'[N, C]' if classes else '[N]'}, got {x} and {y}")
    if single:
        input = F.reshape(input, shape=(1, x.numel))
        target = F.reshape(target, shape=(1, y.numel) if classes else (1,))
    return input, target


def multi_margin_loss(F: Any, input: Any, target: Any, p: int = 1, margin: float = 1.0,
                      weight: Any = None, size_average: bool | None = None,
                      reduce: bool | None = None, reduction: str = "mean") -> Any:
    """The mean over the other classes j of max(0, margin - x[y] + x[j]) ** p, times weight[y]."""
    if p not in (1, 2):
        raise OpError(f"multi_margin_loss: p is 1 or 2, got {p}")
    reduction = asked(size_average, reduce, reduction)
    x, y = _rows(F, "multi_margin_loss", input, target, 0)
    rows, classes = F.typeof(x).shape
    index = F.reshape(y, shape=(rows, 1))
    gap = hinge(F, F.add(F.sub(x, F.gather(x, index, dim=1)), margin))
    if weight is not None:
        factor = F.index_select(weight, y, dim=0)
    gap = F.square(gap) if p == 2 else gap
    others = F.ne(F.iota(start=0, step=1, size=classes, dtype=I64), index)
    loss = F.div(F.sum(only_where(F, others, gap), dims=(1,), keepdim=False), classes)
    if weight is not None:
        loss = F.mul(loss, factor)
    return reduced(F, F.reshape(loss, shape=()) if F.typeof(input).ndim < 2 else loss, reduction)


def multilabel_margin_loss(F: Any, input: Any, target: Any, size_average: bool | None = None,
                           reduce: bool | None = None, reduction: str = "mean") -> Any:
    """The mean of max(0, 1 - x[j] + x[i]) over target classes j and all i that are none.

    The target classes stand first in each row of ``target``; -1 ends them.
    """
    reduction = asked(size_average, reduce, reduction)
    x, y = _rows(F, "multilabel_margin_loss", input, target, 1)
    kind, (rows, classes) = F.typeof(x).dtype, F.typeof(x).shape
    ended = F.cumsum(F.cast(F.lt(y, 0), dtype=I64), dim=1, reverse=False)
    named = F.eq(ended, 0)
    index = F.where(named, y, 0)
    ones = F.cast(named, dtype=kind)
    hits = F.scatter_add(F.full(shape=(rows, classes), value=0.0, dtype=kind), index, ones, dim=1)
    gap = F.sub(F.reshape(x, shape=(rows, 1, classes)),
                F.reshape(F.gather(x, index, dim=1), shape=(rows, classes, 1)))
    counted = F.logical_and(F.reshape(named, shape=(rows, classes, 1)),
                            F.reshape(F.eq(hits, 0), shape=(rows, 1, classes)))
    loss = only_where(F, counted, hinge(F, F.add(gap, 1.0)))
    loss = F.div(F.sum(loss, dims=(1, 2), keepdim=False), classes)
    return reduced(F, F.reshape(loss, shape=()) if F.typeof(input).ndim < 2 else loss, reduction)


FUNCTIONS = tuple(Composite(f.__name__, f, Spelling(("nn.functional",))) for f in (
    margin_ranking_loss, hinge_embedding_loss, cosine_embedding_loss, triplet_margin_loss,
    triplet_margin_with_distance_loss, soft_margin_loss, multilabel_soft_margin_loss,
    multi_margin_loss, multilabel_margin_loss))
