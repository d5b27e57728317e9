"""Averages of weights along a training (Izmailov et al., 2018), and moving ones."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable
from typing import Any

import eager.nn as nn
from eager.engine.mode import no_grad
from eager.engine.tensor import TAPED, Tensor
from eager.ops.errors import OpError
from eager.optim.optimizer import Optimizer
from eager.optim.schedules.base import LRScheduler, per_group

Average = Callable[[Any, Any, Any], Any]
Averages = Callable[[list[Any], list[Any], Any], None]


def _decay(decay: float) -> float:
    if not 0.0 <= decay <= 1.0:
        raise OpError(f"decay lies in [0, 1], got {decay}")
    return decay


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """The moving average ``decay * mean + (1 - decay) * value`` of one tensor."""
    _decay(decay)
    return lambda mean, value, count: mean * decay + value * (1.0 - decay)


def get_swa_avg_fn() -> Average:
    """The mean of all values so far, of one tensor."""
    return lambda mean, value, count: mean + (value - mean) / (count + 1)


def get_ema_multi_avg_fn(decay: float = 0.999) -> Averages:
    """`get_ema_avg_fn` of lists of tensors, in place."""
    return _of_lists(get_ema_avg_fn(decay))


def get_swa_multi_avg_fn() -> Averages:
    """`get_swa_avg_fn` of lists of tensors, in place."""
    return _of_lists(get_swa_avg_fn())


def _of_lists(average: Average) -> Averages:
    def update(means: list[Any], values: list[Any], count: Any) -> None:
        for mean, value in zip(means, values, strict=True):
            mean.copy_(average(mean, value, count).to(mean.dtype))

    return no_grad()(update)


class AveragedModel(nn.Module):
    """A copy of a model whose parameters are averages of those it is updated with.

    ``use_buffers`` averages buffers too; else they are copied.  ``n_averaged`` counts updates.
    """

    n_averaged: Tensor

    def __init__(self, model: nn.Module, device: Any = None, avg_fn: Average | None = None,
                 multi_avg_fn: Averages | None = None, use_buffers: bool = False) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise OpError("AveragedModel: give avg_fn or multi_avg_fn, not both")
        if str(device) not in ("None", "cpu"):
            raise OpError(f"AveragedModel: device={device!r}: models live on the cpu")
        self.module = copy.deepcopy(model)
        self.register_buffer("n_averaged", eager_count())
        self.use_buffers = use_buffers
        self.multi_avg_fn = multi_avg_fn or _of_lists(avg_fn or get_swa_avg_fn())

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)

    def _averaged(self, model: nn.Module) -> list[Tensor]:
        return [*model.parameters(), *(model.buffers() if self.use_buffers else ())]

    @no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Take the present parameters of ``model`` into the averages, which start as these."""
        means, values = self._averaged(self.module), self._averaged(model)
        first = self.n_averaged == 0
        self.multi_avg_fn([m.detach() for m in means], [v.detach() for v in values],
                          self.n_averaged)
        for mean, value in zip(means, values, strict=True):
            mean.copy_(TAPED.where(first, value, mean))
        if not self.use_buffers:
            for mine, theirs in zip(self.module.buffers(), model.buffers(), strict=True):
                mine.copy_(theirs)
        self.n_averaged.add_(1)


def eager_count() -> Tensor:
    """A count that starts at 0."""
    from eager.engine import creation

    return creation.zeros((), dtype="int64")


@no_grad()
def update_bn(loader: Iterable[Any], model: nn.Module, device: Any = None) -> None:
    """Compute the running statistics of every batch norm anew, from one pass over ``loader``.

    A batch that is a list or tuple counts by its first element.
    """
    norms: list[Any] = [m for m in model.modules()
                        if getattr(m, "running_mean", None) is not None and hasattr(m, "momentum")]
    if not norms:
        return
    was, momenta = model.training, [m.momentum for m in norms]
    model.train()
    for m in norms:
        m.running_mean.zero_()
        m.running_var.fill_(1)
        m.num_batches_tracked.zero_()
        m.momentum = None
    try:
        for batch in loader:
            model(batch[0] if isinstance(batch, (list, tuple)) else batch)
    finally:
        for m, momentum in zip(norms, momenta, strict=True):
            m.momentum = momentum
        model.train(was)


class SWALR(LRScheduler):
    """From the present rates to ``swa_lr`` in ``anneal_epochs``, and there it stays."""

    def __init__(self, optimizer: Optimizer, swa_lr: Any, anneal_epochs: int = 10,
                 anneal_strategy: str = "cos", last_epoch: int = -1) -> None:
        if anneal_strategy not in ("cos", "linear"):
            raise OpError(f"SWALR: anneal_strategy is 'cos' or 'linear', got {anneal_strategy!r}")
        if type(anneal_epochs) is not int or anneal_epochs < 0:
            raise OpError(f"SWALR: anneal_epochs is an int that is not negative, got "
                          f"{anneal_epochs!r}")
        self.anneal_epochs, self.anneal_strategy = anneal_epochs, anneal_strategy
        groups = optimizer.param_groups
        for group, rate in zip(groups, per_group("SWALR", "swa_lr", swa_lr, len(groups))):
            group["swa_lr"] = rate
        super().__init__(optimizer, last_epoch)

    def _share(self, epoch: int) -> float:
        t = max(0.0, min(1.0, epoch / max(1, self.anneal_epochs)))
        return (1.0 - math.cos(math.pi * t)) / 2.0 if self.anneal_strategy == "cos" else t

    def next_rate(self, epoch: int, base: float, now: float, group: int) -> float:
        """From what another schedule may have made of the rate, as torch does."""
        target = float(self.optimizer.param_groups[group]["swa_lr"])
        moved = 1.0 if self.anneal_epochs == 0 else self._share(epoch)
        before = self._share(epoch - 1) if epoch > 0 else 0.0
        start = target if before == 1.0 else (now - before * target) / (1.0 - before)
        return target * moved + start * (1.0 - moved)
