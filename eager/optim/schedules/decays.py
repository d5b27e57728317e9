"""Rates that follow a formula of the epoch."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence

from eager.ops.errors import OpError
from eager.optim.optimizer import Optimizer
from eager.optim.schedules.base import LRScheduler

Lambdas = Callable[[int], float] | Sequence[Callable[[int], float]]


class LambdaLR(LRScheduler):
    """The first rate times a function of the epoch: one, or one a group."""

    def __init__(self, optimizer: Optimizer, lr_lambda: Lambdas, last_epoch: int = -1) -> None:
        groups = len(optimizer.param_groups)
        self.lr_lambdas = [lr_lambda] * groups if callable(lr_lambda) else list(lr_lambda)
        if len(self.lr_lambdas) != groups:
            raise OpError(f"{type(self).__name__}: wanted one function or {groups}, got "
                          f"{len(self.lr_lambdas)}")
        super().__init__(optimizer, last_epoch)

    def rate(self, epoch: int, base: float, group: int) -> float:
        return base * self.lr_lambdas[group](epoch)


class MultiplicativeLR(LambdaLR):
    """The present rate times a function of the epoch."""

    def next_rate(self, epoch: int, base: float, now: float, group: int) -> float:
        return now * self.lr_lambdas[group](epoch) if epoch > 0 else now

    def rate(self, epoch: int, base: float, group: int) -> float:
        return base * math.prod(self.lr_lambdas[group](k) for k in range(1, epoch + 1))


class StepLR(LRScheduler):
    """The rate times ``gamma`` after every ``step_size`` epochs."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1,
                 last_epoch: int = -1) -> None:
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, epoch: int, base: float, group: int) -> float:
        return float(base * self.gamma ** (epoch // self.step_size))

    def next_rate(self, epoch: int, base: float, now: float, group: int) -> float:
        return now * self.gamma if epoch and epoch % self.step_size == 0 else now


class MultiStepLR(LRScheduler):
    """The rate times ``gamma`` at each of the epochs of ``milestones``."""

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1,
                 last_epoch: int = -1) -> None:
        self.milestones, self.gamma = sorted(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, epoch: int, base: float, group: int) -> float:
        return float(base * self.gamma ** bisect_right(self.milestones, epoch))

    def next_rate(self, epoch: int, base: float, now: float, group: int) -> float:
        return float(now * self.gamma ** self.milestones.count(epoch))


class ConstantLR(LRScheduler):
    """The rate times ``factor`` for ``total_iters`` epochs, then as it is."""

    def __init__(self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5,
                 last_epoch: int = -1) -> None:
        if not 0 <= factor <= 1:
            raise OpError(f"ConstantLR: factor lies in [0, 1], got {factor}")
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def rate(self, epoch: int, base: float, group: int) -> float:
        return base * (self.factor if epoch < self.total_iters else 1.0)

    def next_rate(self, epoch: int, base: float, now: float, group: int) -> float:
        if epoch == 0:
            return now * self.factor
        return now * (1.0 / self.factor) if epoch == self.total_iters else now


class LinearLR(LRScheduler):
    """The rate times what goes from ``start_factor`` to ``end_factor`` in ``total_iters``."""

    def __init__(self, optimizer: Optimizer, start_factor: float = 1.0 / 3,
                 end_factor: float = 1.0, total_iters: int = 5, last_epoch: int = -1) -> None:
        if not 0 < start_factor <= 1 or not 0 <= end_factor <= 1:
            raise OpError(f"LinearLR: start_factor lies in (0, 1] and end_factor in [0, 1], got "
                          f"{start_factor} and {end_factor}")
        self.start_factor, self.end_factor = start_factor, end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _factor(self, epoch: int) -> float:
        share = min(self.total_iters, epoch) / self.total_iters
        return self.start_factor + (self.end_factor - self.start_factor) * share

    def rate(self, epoch: int, base: float, group: int) -> float:
        return base * self._factor(epoch)

    def next_rate(self, epoch: int, base: float, now: float, group: int) -> float:
        if epoch == 0:
            return now * self.start_factor
        if epoch > self.total_iters:
            return now
        return now * (self._factor(epoch) / self._factor(epoch - 1))


class ExponentialLR(LRScheduler):
    """The rate times ``gamma`` every epoch."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, epoch: int, base: float, group: int) -> float:
        return float(base * self.gamma**epoch)

    def next_rate(self, epoch: int, base: float, now: float, group: int) -> float:
        return now * self.gamma if epoch else now


class PolynomialLR(LRScheduler):
    """The rate times ``(1 - epoch / total_iters) ** power``."""

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0,
                 last_epoch: int = -1) -> None:
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def rate(self, epoch: int, base: float, group: int) -> float:
        left = 1.0 - min(self.total_iters, epoch) / self.total_iters
        return float(base * left**self.power)

    def next_rate(self, epoch: int, base: float, now: float, group: int) -> float:
        if epoch == 0 or epoch > self.total_iters:
            return now
        whole = self.total_iters
        share = (1.0 - epoch / whole) / (1.0 - (epoch - 1) / whole)
        return float(now * share**self.power)


class CosineAnnealingLR(LRScheduler):
    """Half a cosine from the first rate to ``eta_min`` over ``T_max`` epochs, and back.

    (Loshchilov and Hutter, "SGDR", 2017, without restarts.)
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0,
                 last_epoch: int = -1) -> None:
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def rate(self, epoch: int, base: float, group: int) -> float:
        return _cosine(base, self.eta_min, epoch / self.T_max)

    def next_rate(self, epoch: int, base: float, now: float, group: int) -> float:
        """From the present rate: what another schedule did to it stays."""
        if epoch == 0:
            return now
        before = 1.0 + math.cos(math.pi * (epoch - 1) / self.T_max)
        if (epoch - 1 - self.T_max) % (2 * self.T_max) == 0:  # the lowest point: no ratio there
            return now + (base - self.eta_min) * (1.0 - math.cos(math.pi / self.T_max)) / 2.0
        after = 1.0 + math.cos(math.pi * epoch / self.T_max)
        return after / before * (now - self.eta_min) + self.eta_min


class CosineAnnealingWarmRestarts(LRScheduler):
    """Half cosines from the first rate down, of ``T_0`` epochs, then ``T_0 * T_mult``, ...

    ``step(epoch)`` takes fractions of epochs.  (Loshchilov and Hutter, "SGDR", 2017.)
    """

    def __init__(self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0,
                 last_epoch: int = -1) -> None:
        if T_0 <= 0 or type(T_0) is not int or T_mult < 1 or type(T_mult) is not int:
            raise OpError(f"CosineAnnealingWarmRestarts: T_0 and T_mult are positive ints, got "
                          f"{T_0!r} and {T_mult!r}")
        self.T_0, self.T_i, self.T_mult, self.eta_min = T_0, T_0, T_mult, eta_min
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def step(self, epoch: float | None = None) -> None:
        """Go on by one epoch, or to a place between epochs."""
        if epoch is not None and epoch < 0:
            raise OpError(f"CosineAnnealingWarmRestarts: epoch is not negative, got {epoch}")
        place = max(self.last_epoch, -1) + 1 if epoch is None else epoch
        self.T_cur, self.T_i = self._within(place)
        super().step(math.floor(place))

    def _within(self, place: float) -> tuple[float, int]:
        """How far into its period a place lies, and how long the period is."""
        if self.T_mult == 1:
            return place % self.T_0, self.T_0
        number = int(math.log(place / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
        before = self.T_0 * (self.T_mult**number - 1) / (self.T_mult - 1)
        return place - before, self.T_0 * self.T_mult**number

    def rate(self, epoch: int, base: float, group: int) -> float:
        return _cosine(base, self.eta_min, self.T_cur / self.T_i)


def _cosine(top: float, bottom: float, share: float) -> float:
    return bottom + (top - bottom) * (1.0 + math.cos(math.pi * share)) / 2.0
