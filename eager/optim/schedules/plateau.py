"""ReduceLROnPlateau: a rate that falls when a measure stops getting better."""

from __future__ import annotations

import math
from typing import Any

from eager.ops.errors import OpError
from eager.optim.optimizer import Optimizer
from eager.optim.schedules.base import LRScheduler, per_group, refuse_trace


class ReduceLROnPlateau(LRScheduler):
    """The rate times ``factor`` after more than ``patience`` epochs without a better measure.

    Better is below (``mode="min"``) or above the best by ``threshold``, a share of it
    (``threshold_mode="rel"``) or a number (``"abs"``).
    """

    def __init__(self, optimizer: Optimizer, mode: str = "min", factor: float = 0.1,
                 patience: int = 10, threshold: float = 1e-4, threshold_mode: str = "rel",
                 cooldown: int = 0, min_lr: Any = 0, eps: float = 1e-8) -> None:
        if factor >= 1.0:
            raise OpError(f"ReduceLROnPlateau: factor is below 1, got {factor}")
        if mode not in ("min", "max") or threshold_mode not in ("rel", "abs"):
            raise OpError(f"ReduceLROnPlateau: mode is min or max and threshold_mode rel or abs, "
                          f"got {mode!r} and {threshold_mode!r}")
        self.optimizer, self.factor, self.patience = optimizer, factor, patience
        self.mode, self.threshold, self.threshold_mode = mode, threshold, threshold_mode
        self.cooldown, self.eps, self.last_epoch = cooldown, eps, 0
        self.min_lrs = per_group("ReduceLROnPlateau", "min_lr", min_lr,
                                 len(optimizer.param_groups))
        self._last_lr = [float(g["lr"]) for g in optimizer.param_groups]
        self.best = math.inf if mode == "min" else -math.inf
        self.cooldown_counter = self.num_bad_epochs = 0

    def step(self, metrics: Any, epoch: int | None = None) -> None:  # type: ignore[override]
        """Note the measure of an epoch (a number or a tensor of one) and act on it."""
        refuse_trace(self)
        measure = float(metrics.detach() if hasattr(metrics, "detach") else metrics)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self.is_better(measure, self.best):
            self.best, self.num_bad_epochs = measure, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = [float(g["lr"]) for g in self.optimizer.param_groups]

    def is_better(self, a: float, best: float) -> bool:
        """Whether a measure counts as better than the best."""
        if self.threshold_mode == "rel":
            share = self.threshold if self.mode == "max" else -self.threshold
            bound = best * (1.0 + share)
        else:
            bound = best + (self.threshold if self.mode == "max" else -self.threshold)
        return a < bound if self.mode == "min" else a > bound

    def _reduce(self) -> None:
        for group, least in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
            old = float(group["lr"])
            new = max(old * self.factor, least)
            if old - new > self.eps:
                group["lr"] = new
