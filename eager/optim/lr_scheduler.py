"""Schedules: they write the learning rate of every group, where a compiled step reads it."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from eager.engine.mode import MODE
from eager.ops.errors import OpError, TraceError
from eager.optim.optimizer import Optimizer


class LRScheduler:
    """Sets ``lr`` of every group to what `rate` says of the epoch and of the first value."""

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer, self.last_epoch = optimizer, last_epoch
        for group in optimizer.param_groups:
            if last_epoch == -1:
                group["initial_lr"] = float(group["lr"])
            elif "initial_lr" not in group:
                raise OpError(f"{type(self).__name__}: last_epoch={last_epoch} resumes a schedule, "
                              f"but a group has no 'initial_lr'; load the optimiser's state first")
        self.base_lrs: list[float] = [g["initial_lr"] for g in optimizer.param_groups]
        self.step()

    def rate(self, epoch: int, base: float, group: int) -> float:
        """The learning rate of a group in an epoch, by its first one."""
        raise NotImplementedError

    def step(self) -> None:
        """Go on to the next epoch."""
        if MODE.get().recorder is not None:
            raise TraceError(f"{type(self).__name__} counts epochs in Python, which a trace would "
                             f"bake; call its step() outside of the traced function: it writes "
                             f"the learning rate where the program reads it")
        self.last_epoch += 1
        self._write()

    def _write(self) -> None:
        groups = zip(self.optimizer.param_groups, self.base_lrs, strict=True)
        for k, (group, base) in enumerate(groups):
            group["lr"] = self.rate(self.last_epoch, base, k)

    def get_last_lr(self) -> list[float]:
        """The present learning rates."""
        return [float(g["lr"]) for g in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Where the schedule is; its settings are not part of it."""
        return {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from where another schedule was."""
        self.last_epoch = state_dict["last_epoch"]
        self.base_lrs = list(state_dict["base_lrs"])
        self._write()


class LambdaLR(LRScheduler):
    """The first rate times a function of the epoch: one, or one a group."""

    def __init__(self, optimizer: Optimizer,
                 lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
                 last_epoch: int = -1) -> None:
        groups = len(optimizer.param_groups)
        self.lr_lambdas = [lr_lambda] * groups if callable(lr_lambda) else list(lr_lambda)
        if len(self.lr_lambdas) != groups:
            raise OpError(f"LambdaLR: wanted one function or {groups}, got {len(self.lr_lambdas)}")
        super().__init__(optimizer, last_epoch)

    def rate(self, epoch: int, base: float, group: int) -> float:
        return base * self.lr_lambdas[group](epoch)


class StepLR(LRScheduler):
    """The rate times ``gamma`` after every ``step_size`` epochs."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1,
                 last_epoch: int = -1) -> None:
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, epoch: int, base: float, group: int) -> float:
        return float(base * self.gamma ** (epoch // self.step_size))


class MultiStepLR(LRScheduler):
    """The rate times ``gamma`` at each of the epochs of ``milestones``."""

    def __init__(self, optimizer: Optimizer, milestones: Sequence[int], gamma: float = 0.1,
                 last_epoch: int = -1) -> None:
        self.milestones, self.gamma = sorted(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, epoch: int, base: float, group: int) -> float:
        return float(base * self.gamma ** bisect_right(self.milestones, epoch))


class ExponentialLR(LRScheduler):
    """The rate times ``gamma`` every epoch."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, epoch: int, base: float, group: int) -> float:
        return float(base * self.gamma**epoch)


class CosineAnnealingLR(LRScheduler):
    """Half a cosine from the first rate to ``eta_min`` over ``T_max`` epochs, and back.

    (Loshchilov and Hutter, "SGDR", 2017, without restarts.)
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0,
                 last_epoch: int = -1) -> None:
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def rate(self, epoch: int, base: float, group: int) -> float:
        share = (1.0 + math.cos(math.pi * epoch / self.T_max)) / 2.0
        return self.eta_min + (base - self.eta_min) * share
