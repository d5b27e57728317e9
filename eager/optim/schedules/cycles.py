"""Rates that rise and fall, with the momentum against them (Smith, 2017 and 2018)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from eager.ops.errors import OpError
from eager.optim.optimizer import Optimizer
from eager.optim.schedules.base import LRScheduler, per_group


def momentum_of(group: dict[str, Any]) -> float | None:
    """The momentum of a group, which Adam's relatives call the first of ``betas``."""
    if "betas" in group:
        return float(group["betas"][0])
    return float(group["momentum"]) if "momentum" in group else None


def set_momentum(group: dict[str, Any], value: float) -> None:
    """Write it."""
    if "betas" in group:
        group["betas"] = (value, *group["betas"][1:])
    else:
        group["momentum"] = value


class CyclicLR(LRScheduler):
    """The rate between ``base_lr`` and ``max_lr`` in triangles of constant frequency.

    ``mode`` scales them: ``triangular`` not at all, ``triangular2`` by half each cycle,
    ``exp_range`` by ``gamma ** iteration``; ``scale_fn`` by what it says of the cycle or the
    iteration (``scale_mode``).
    """

    def __init__(self, optimizer: Optimizer, base_lr: Any, max_lr: Any, step_size_up: int = 2000,
                 step_size_down: int | None = None, mode: str = "triangular",
                 gamma: float = 1.0, scale_fn: Callable[[float], float] | None = None,
                 scale_mode: str = "cycle", cycle_momentum: bool = True,
                 base_momentum: Any = 0.8, max_momentum: Any = 0.9,
                 last_epoch: int = -1) -> None:
        groups = optimizer.param_groups
        if scale_fn is None and mode not in ("triangular", "triangular2", "exp_range"):
            raise OpError(f"CyclicLR: mode is triangular, triangular2 or exp_range, got {mode!r}")
        self.total_size = float(step_size_up + (step_size_down or step_size_up))
        self.step_ratio = step_size_up / self.total_size
        self.mode, self.gamma, self.scale_fn = mode, gamma, scale_fn
        self.scale_mode = scale_mode if scale_fn is not None else (
            "iterations" if mode == "exp_range" else "cycle")
        self.max_lrs = per_group("CyclicLR", "max_lr", max_lr, len(groups))
        lows = per_group("CyclicLR", "base_lr", base_lr, len(groups))
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            if any(momentum_of(g) is None for g in groups):
                raise OpError("CyclicLR: the optimiser has no momentum to cycle; pass "
                              "cycle_momentum=False")
            self.base_momentums = per_group("CyclicLR", "base_momentum", base_momentum,
                                            len(groups))
            self.max_momentums = per_group("CyclicLR", "max_momentum", max_momentum, len(groups))
        if last_epoch == -1:
            for group, low in zip(groups, lows, strict=True):
                group["lr"] = low
                group["initial_lr"] = low
        super().__init__(optimizer, last_epoch)
        self.base_lrs = lows

    def _scale(self, x: float) -> float:
        if self.scale_fn is not None:
            return self.scale_fn(x)
        return float({"triangular": 1.0, "triangular2": 1 / 2.0 ** (x - 1)}.get(
            self.mode, self.gamma**x) if self.scale_mode == "cycle" else self.gamma**x)

    def _height(self, epoch: int) -> tuple[float, float]:
        """How high the triangle is, and by what it is scaled."""
        cycle = math.floor(1 + epoch / self.total_size)
        x = 1.0 + epoch / self.total_size - cycle
        up = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        return up, self._scale(cycle if self.scale_mode == "cycle" else epoch)

    def rate(self, epoch: int, base: float, group: int) -> float:
        up, scale = self._height(epoch)
        return float(base + (self.max_lrs[group] - base) * up * scale)

    def _write(self, rates: list[float]) -> None:
        super()._write(rates)
        if not self.cycle_momentum:
            return
        up, scale = self._height(self.last_epoch)
        bounds = zip(self.optimizer.param_groups, self.base_momentums, self.max_momentums,
                     strict=True)
        for group, low, high in bounds:
            set_momentum(group, high - (high - low) * up * scale)


class OneCycleLR(LRScheduler):
    """Up to ``max_lr`` in the first ``pct_start`` of the steps, then far down.

    From ``max_lr / div_factor`` to that over ``final_div_factor``; ``three_phase`` comes down as
    it went up before it goes further.
    """

    def __init__(self, optimizer: Optimizer, max_lr: Any, total_steps: int | None = None,
                 epochs: int | None = None, steps_per_epoch: int | None = None,
                 pct_start: float = 0.3, anneal_strategy: str = "cos",
                 cycle_momentum: bool = True, base_momentum: Any = 0.85, max_momentum: Any = 0.95,
                 div_factor: float = 25.0, final_div_factor: float = 1e4,
                 three_phase: bool = False, last_epoch: int = -1) -> None:
        groups = optimizer.param_groups
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise OpError("OneCycleLR: give total_steps, or epochs and steps_per_epoch")
            total_steps = epochs * steps_per_epoch
        if total_steps <= 0 or not 0 <= pct_start <= 1:
            raise OpError(f"OneCycleLR: total_steps is positive and pct_start in [0, 1], got "
                          f"{total_steps} and {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise OpError(f"OneCycleLR: anneal_strategy is 'cos' or 'linear', got "
                          f"{anneal_strategy!r}")
        self.total_steps, self.anneal_strategy = total_steps, anneal_strategy
        self.phases = _phases(total_steps, pct_start, three_phase)
        self.cycle_momentum = cycle_momentum
        rates = per_group("OneCycleLR", "max_lr", max_lr, len(groups))
        if last_epoch == -1:
            for group, top in zip(groups, rates, strict=True):
                first = top / div_factor
                group.update({"initial_lr": first, "max_lr": top,
                              "min_lr": first / final_div_factor})
        if cycle_momentum:
            self._begin_momentum(base_momentum, max_momentum, groups, last_epoch)
        super().__init__(optimizer, last_epoch)

    @staticmethod
    def _begin_momentum(low: Any, high: Any, groups: list[Any], last_epoch: int) -> None:
        if any(momentum_of(g) is None for g in groups):
            raise OpError("OneCycleLR: the optimiser has no momentum to cycle; pass "
                          "cycle_momentum=False")
        lows = per_group("OneCycleLR", "base_momentum", low, len(groups))
        highs = per_group("OneCycleLR", "max_momentum", high, len(groups))
        if last_epoch == -1:
            for group, least, most in zip(groups, lows, highs, strict=True):
                set_momentum(group, most)
                group.update({"base_momentum": least, "max_momentum": most})

    def _within(self, epoch: int) -> tuple[tuple[str, ...], float]:
        """The keys between which rate and momentum go now, and how far they are."""
        start = 0.0
        for k, (end, keys) in enumerate(self.phases):
            if epoch <= end or k == len(self.phases) - 1:
                return keys, (epoch - start) / (end - start)
            start = end
        raise AssertionError("the last phase has no end")

    def _between(self, first: float, last: float, share: float) -> float:
        if self.anneal_strategy == "linear":
            return (last - first) * share + first
        return last + (first - last) / 2.0 * (1.0 + math.cos(math.pi * share))

    def rate(self, epoch: int, base: float, group: int) -> float:
        if epoch > self.total_steps:
            raise OpError(f"OneCycleLR: step {epoch} of a schedule of {self.total_steps} steps")
        (first, last, *_), share = self._within(epoch)
        settings = self.optimizer.param_groups[group]
        return self._between(settings[first], settings[last], share)

    def _write(self, rates: list[float]) -> None:
        super()._write(rates)
        if self.cycle_momentum:
            (*_, first, last), share = self._within(self.last_epoch)
            for group in self.optimizer.param_groups:
                set_momentum(group, self._between(group[first], group[last], share))


def _phases(steps: int, share: float, three: bool) -> list[tuple[float, tuple[str, ...]]]:
    """The last step of each phase, and what rate and momentum go from and to."""
    up = float(share * steps) - 1
    rise = ("initial_lr", "max_lr", "max_momentum", "base_momentum")
    if not three:
        return [(up, rise), (steps - 1, ("max_lr", "min_lr", "base_momentum", "max_momentum"))]
    return [(up, rise),
            (float(2 * share * steps) - 2, ("max_lr", "initial_lr", "base_momentum",
                                            "max_momentum")),
            (steps - 1, ("initial_lr", "min_lr", "max_momentum", "max_momentum"))]
