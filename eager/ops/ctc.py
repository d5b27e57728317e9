"""Connectionist temporal classification: the likelihood of labels under all their alignments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eager.ops.composite import Composite
from eager.ops.errors import OpError
from eager.ops.losses import reduced
from eager.ops.op import Spelling
from eager.ops.types import F32, F64, I64

#: A log-probability of nothing: finite, so that differences of two have gradients.
_NEVER = -1e30


def ctc_loss(F: Any, log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any,
             blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> Any:
    """Minus the log-likelihood of label sequences, whatever their alignment (Graves et al., 2006).

    ``log_probs`` are [T, N, C] (or [T, C]); the targets int64 [N, S], or all behind one another
    [sum of lengths]; lengths are int64 [N] or tuples of ints.  ``mean`` divides each loss by its
    target's length first.  Labels that do not fit into their input cost infinity, or 0 with
    ``zero_infinity``; either has no gradient.  The gradient is the slope in the log-probabilities;
    through log_softmax it is torch's.
    """
    x = F.typeof(log_probs)
    if x.ndim not in (2, 3) or x.dtype not in (F32, F64) or type(x.shape[0]) is not int:
        raise OpError(f"ctc_loss: log-probabilities are float32 or float64, [T, N, C] or [T, C] "
                      f"with T known, got {x}")
    if not 0 <= blank < x.shape[-1]:
        raise OpError(f"ctc_loss: blank is one of {x.shape[-1]} classes, got {blank}")
    if x.ndim == 2:
        one = ctc_loss(F, F.reshape(log_probs, shape=(x.shape[0], 1, x.shape[1])),
                       F.reshape(targets, shape=(1, F.typeof(targets).numel)),
                       _one(F, input_lengths), _one(F, target_lengths), blank, reduction,
                       zero_infinity)
        return F.reshape(one, shape=()) if reduction == "none" else one
    batch = x.shape[1]
    frames = _lengths(F, "input_lengths", input_lengths, batch, x.shape[0])
    labels, counts = _labels(F, targets, target_lengths, batch, blank)
    loss = _losses(F, log_probs, labels, frames, counts, blank)
    impossible = F.gt(loss, -_NEVER / 2)
    limit = F.full(shape=(), value=0.0 if zero_infinity else float("inf"), dtype=x.dtype)
    loss = F.where(impossible, limit, loss)
    if reduction == "mean":
        loss = F.div(loss, F.cast(F.clamp_min(counts, 1), dtype=x.dtype))
    return reduced(F, loss, reduction)


# --- operands ----------------------------------------------------------------------------------
def _one(F: Any, length: Any) -> Any:
    if isinstance(length, int):
        return (length,)
    return length if isinstance(length, (tuple, list)) else F.reshape(length, shape=(1,))


def _numbers(F: Any, values: Sequence[int]) -> Any:
    """Python ints as an int64 vector."""
    return F.concat(*(F.full(shape=(1,), value=int(v), dtype=I64) for v in values), dim=0)


def _lengths(F: Any, name: str, lengths: Any, batch: Any, most: Any) -> Any:
    if isinstance(lengths, (tuple, list)):
        if any(n < 0 or n > most for n in lengths):
            raise OpError(f"ctc_loss: {name} lie in [0, {most}], got {tuple(lengths)}")
        lengths = _numbers(F, lengths)
    t = F.typeof(lengths)
    if t.shape != (batch,) or t.dtype.kind != "i":
        raise OpError(f"ctc_loss: {name} are integers [{batch}], got {t}")
    return F.cast(lengths, dtype=I64)


def _labels(F: Any, targets: Any, lengths: Any, batch: Any, blank: int) -> tuple[Any, Any]:
    """Labels [N, S], blank behind their ends, and how many each row has."""
    t = F.typeof(targets)
    if t.ndim not in (1, 2) or t.dtype.kind != "i":
        raise OpError(f"ctc_loss: targets are integers [N, S] or [sum of lengths], got {t}")
    most = t.shape[-1]
    counts = _lengths(F, "target_lengths", lengths, batch, most)
    if t.ndim == 1 and isinstance(lengths, (tuple, list)):
        if sum(lengths) != most:
            raise OpError(f"ctc_loss: target_lengths add up to {sum(lengths)}, there are {most} "
                          f"targets")
        most = max(lengths, default=0)
    place = F.iota(start=0, step=1, size=most, dtype=I64)
    column = F.reshape(counts, shape=(batch, 1))
    valid = F.lt(place, column)
    if t.ndim == 1:
        first = F.sub(F.cumsum(counts, dim=0, reverse=False), counts)
        index = F.where(valid, F.add(F.reshape(first, shape=(batch, 1)), place), 0)
        flat = F.index_select(targets, F.reshape(index, shape=(batch * most,)), dim=0)
        targets = F.reshape(flat, shape=(batch, most))
    return F.where(valid, F.cast(targets, dtype=I64), blank), counts


# --- the recursion -----------------------------------------------------------------------------
def _losses(F: Any, log_probs: Any, labels: Any, frames: Any, counts: Any, blank: int) -> Any:
    """Minus log of the summed probability of all alignments, [N].

    ``ways[n, s]`` is the log-probability of having reached state s of blank, label, blank, ...;
    a state is reached from itself, from the one before, and over a blank from another label.
    """
    steps, batch = F.typeof(log_probs).shape[:2]
    kind = F.typeof(log_probs).dtype
    size = F.typeof(labels).shape[1]
    never = F.full(shape=(), value=_NEVER, dtype=kind)
    blanks = F.full(shape=(batch, size, 1), value=blank, dtype=I64)
    pairs = F.concat(blanks, F.reshape(labels, shape=(batch, size, 1)), dim=2)
    states = F.reshape(pairs, shape=(batch, 2 * size))
    states = F.concat(states, F.full(shape=(batch, 1), value=blank, dtype=I64), dim=1)
    width = 2 * size + 1
    index = F.broadcast_to(F.reshape(states, shape=(1, batch, width)), shape=(steps, batch, width))
    seen = F.clamp_min(F.gather(log_probs, index, dim=2), _NEVER)
    earlier = _shifted(F, states, 2, F.full(shape=(), value=blank, dtype=I64))
    leaps = F.logical_and(F.ne(states, blank), F.ne(states, earlier))
    place = F.iota(start=0, step=1, size=width, dtype=I64)
    # One frame before the first, in a state of its own: what follows it may be state 0 or 1.
    ways = F.where(F.lt(place, 2), F.select(seen, dim=0, index=0), never) if steps else F.full(
        shape=(batch, width), value=_NEVER, dtype=kind)
    column = F.reshape(frames, shape=(batch, 1))
    ways = F.where(F.gt(column, 0), ways, F.where(F.eq(place, 0), 0.0, never))
    for step in range(1, steps):
        before = _shifted(F, ways, 1, never)
        over = F.where(leaps, _shifted(F, ways, 2, never), never)
        now = F.add(_log_sum(F, ways, before, over), F.select(seen, dim=0, index=step))
        ways = F.where(F.gt(column, step), F.clamp_min(now, _NEVER), ways)
    ends = F.reshape(F.mul(counts, 2), shape=(batch, 1))
    last = F.gather(ways, ends, dim=1)
    label = F.gather(ways, F.clamp_min(F.sub(ends, 1), 0), dim=1)
    label = F.where(F.gt(ends, 0), label, never)
    return F.neg(F.reshape(_log_sum(F, last, label), shape=(batch,)))


def _shifted(F: Any, x: Any, by: int, fill: Any) -> Any:
    """The columns moved right by ``by``, ``fill`` before them."""
    rows, width = F.typeof(x).shape
    if type(width) is int and width <= by:
        return F.broadcast_to(fill, shape=(rows, width))
    kept = F.slice(x, starts=(0, 0), stops=(rows, width - by), steps=(1, 1))
    return F.concat(F.broadcast_to(fill, shape=(rows, by)), kept, dim=1)


def _log_sum(F: Any, *parts: Any) -> Any:
    """log of the sum of exp of parts that are all finite."""
    top = parts[0]
    for part in parts[1:]:
        top = F.maximum(top, part)
    top = F.detach(top)
    shares = [F.exp(F.sub(part, top)) for part in parts]
    whole = shares[0]
    for share in shares[1:]:
        whole = F.add(whole, share)
    return F.add(F.log(whole), top)


FUNCTIONS = (Composite("ctc_loss", ctc_loss, Spelling(("eager", "nn.functional"))),)
