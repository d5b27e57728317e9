"""Losses over many classes that hold the weights of the scores as well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from eager.engine.device import check_device
from eager.engine.tensor import TAPED, Tensor
from eager.nn import functional as F
from eager.nn.containers import ModuleList, Sequential
from eager.nn.layers import Linear
from eager.nn.module import Module
from eager.ops.errors import OpError
from eager.ops.moments import mean
from eager.ops.types import I64, product


class LinearCrossEntropyLoss(Module):
    """The cross entropy of what a linear layer makes of rows [N, in_features].

    Scores are [N, num_classes, *out_features]; ``options`` (torch's chunks) must be None.
    """

    def __init__(self, in_features: int, num_classes: int, *, out_features: tuple[int, ...] = (),
                 bias: bool = False, device: Any = None, dtype: Any = None,
                 reduction: str = "mean", weight: Tensor | None = None,
                 ignore_index: int | None = None, label_smoothing: float = 0.0,
                 options: Any = None) -> None:
        super().__init__()
        check_device(device)
        if not 0 <= label_smoothing <= 1 or options is not None or (
                weight is not None and tuple(weight.shape) != (num_classes,)):
            raise OpError(f"LinearCrossEntropyLoss: wanted a label_smoothing in [0, 1], a weight "
                          f"[{num_classes}] and options=None, got {label_smoothing}, "
                          f"{None if weight is None else weight.spec} and {options!r}")
        self.register_buffer("weight", weight)
        self.num_classes, self.out_features = num_classes, tuple(out_features)
        self.reduction, self.ignore_index = reduction, ignore_index
        self.label_smoothing, self.options = label_smoothing, options
        self.linear = Linear(in_features, product((num_classes, *self.out_features)), bias=bias,
                             dtype=dtype)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        shape = (self.num_classes, *self.out_features)
        bias = self.linear.bias
        return F.linear_cross_entropy(
            input, self.linear.weight.reshape(*shape, self.linear.in_features), target,
            linear_bias=None if bias is None else bias.reshape(*shape), weight=self.weight,
            reduction=self.reduction, ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing)


class ASMoutput(NamedTuple):
    """Log-probabilities of the targets, and the mean of minus these."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """Log-softmax over frequent classes and clusters of rare ones (Grave et al., 2017).

    Classes are sorted by frequency; those between two cutoffs are a cluster, whose projection is
    ``div_value`` times smaller than the one before.
    """

    def __init__(self, in_features: int, n_classes: int, cutoffs: Sequence[int],
                 div_value: float = 4.0, head_bias: bool = False, device: Any = None,
                 dtype: Any = None) -> None:
        super().__init__()
        check_device(device)
        limits = list(cutoffs)
        if (not limits or limits != sorted(set(limits)) or limits[0] < 1
                or limits[-1] > n_classes - 1 or any(int(c) != c for c in limits)):
            raise OpError(f"AdaptiveLogSoftmaxWithLoss: cutoffs grow, from 1 up to at most "
                          f"{n_classes - 1}, got {limits}")
        self.in_features, self.n_classes = in_features, n_classes
        self.cutoffs = [*limits, n_classes]
        self.div_value, self.head_bias = div_value, head_bias
        self.shortlist_size, self.n_clusters = self.cutoffs[0], len(limits)
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, bias=head_bias, dtype=dtype)
        self.tail = ModuleList()
        for k in range(self.n_clusters):
            inner = int(in_features // div_value ** (k + 1))
            size = self.cutoffs[k + 1] - self.cutoffs[k]
            self.tail.append(Sequential(Linear(in_features, inner, bias=False, dtype=dtype),
                                        Linear(inner, size, bias=False, dtype=dtype)))

    def reset_parameters(self) -> None:
        """Those of all layers inside."""
        self.head.reset_parameters()
        for cluster in self.tail:
            for layer in cluster:
                layer.reset_parameters()

    def forward(self, input: Tensor, target: Tensor) -> ASMoutput:
        """Of rows [N, in_features] and int64 classes [N], or both without N.

        Every row goes through every cluster, so that no data decides what is computed.
        """
        if target.ndim > 1 or input.ndim != target.ndim + 1 or (
                input.shape[:-1] != target.shape) or target.dtype is not I64:
            raise OpError(f"AdaptiveLogSoftmaxWithLoss: wanted rows [N, {self.in_features}] and "
                          f"int64 classes [N], got {input.spec} and {target.spec}")
        if not target.ndim:
            output, loss = self(input.unsqueeze(0), target.unsqueeze(0))
            return ASMoutput(output.squeeze(0), loss)
        f: Any = TAPED
        rows = target.shape[0]
        places = f.full(shape=(self.n_classes,), value=0, dtype=I64)
        # A look-up that refuses targets out of range.
        target = f.add(f.index_select(places, target, dim=0), target)
        logs = f.log_softmax(self.head(input), dim=1)
        first = f.lt(target, self.shortlist_size)
        entry, found = f.where(first, target, 0), None
        for k, cluster in enumerate(self.tail):
            low, high = self.cutoffs[k], self.cutoffs[k + 1]
            here = f.logical_and(f.ge(target, low), f.lt(target, high))
            entry = f.where(here, self.shortlist_size + k, entry)
            index = f.reshape(f.where(here, f.sub(target, low), 0), shape=(rows, 1))
            inner = f.gather(f.log_softmax(cluster(input), dim=1), index, dim=1)
            part = f.where(here, f.reshape(inner, shape=(rows,)),
                           f.full(shape=(), value=0.0, dtype=logs.dtype))
            found = part if found is None else f.add(found, part)
        outer = f.gather(logs, f.reshape(entry, shape=(rows, 1)), dim=1)
        output = f.add(f.reshape(outer, shape=(rows,)), found)
        return ASMoutput(output, mean(f, f.neg(output)))

    def log_prob(self, input: Tensor) -> Tensor:
        """Log-probabilities of all classes, [N, n_classes]."""
        f: Any = TAPED
        logs = F.log_softmax(self.head(input), dim=1)
        parts = [logs[:, :self.shortlist_size]]
        for k, cluster in enumerate(self.tail):
            place = self.shortlist_size + k
            parts.append(F.log_softmax(cluster(input), dim=1) + logs[:, place:place + 1])
        result: Tensor = f.concat(*parts, dim=1)
        return result

    def predict(self, input: Tensor) -> Tensor:
        """The likeliest class of each row: of a cluster only where it beats the frequent ones."""
        f: Any = TAPED
        best = f.argmax(self.head(input), dim=1, keepdim=False)
        full = f.argmax(self.log_prob(input), dim=1, keepdim=False)
        result: Tensor = f.where(f.lt(best, self.shortlist_size), best, full)
        return result
