"""Schedules made of schedules."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from eager.ops.errors import OpError
from eager.optim.optimizer import Optimizer
from eager.optim.schedules.base import LRScheduler, refuse_trace


class _Several(LRScheduler):
    """What both kinds share: the state of their parts is part of theirs."""

    _schedulers: list[Any]

    def _checked(self, optimizer: Optimizer, schedulers: Sequence[Any]) -> list[Any]:
        if not schedulers:
            raise OpError(f"{type(self).__name__}: no schedules were given")
        for k, part in enumerate(schedulers):
            if part.optimizer is not optimizer:
                raise OpError(f"{type(self).__name__}: schedule {k} is of another optimiser")
        return list(schedulers)

    def state_dict(self) -> dict[str, Any]:
        return {**{k: v for k, v in self.__dict__.items() if k not in ("optimizer", "_schedulers")},
                "_schedulers": [s.state_dict() for s in self._schedulers]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        for part, state in zip(self._schedulers, state_dict["_schedulers"], strict=True):
            part.load_state_dict(state)
        self.__dict__.update({k: v for k, v in state_dict.items() if k != "_schedulers"})
        self._write(list(state_dict["_last_lr"]))


class SequentialLR(_Several):
    """One schedule after another; each begins anew at its milestone."""

    def __init__(self, optimizer: Optimizer, schedulers: Sequence[Any],
                 milestones: Sequence[int], last_epoch: int = -1) -> None:
        self._schedulers = self._checked(optimizer, schedulers)
        if len(milestones) != len(schedulers) - 1:
            raise OpError(f"SequentialLR: {len(schedulers)} schedules want "
                          f"{len(schedulers) - 1} milestones, got {len(milestones)}")
        self._milestones, self.optimizer = list(milestones), optimizer
        self.last_epoch = last_epoch + 1
        for group in optimizer.param_groups:  # each part has taken its first step: undo all
            group["lr"] = group["initial_lr"]
        for part in self._schedulers:
            part.last_epoch -= 1
        self._schedulers[0].step()
        self._last_lr = self._schedulers[0].get_last_lr()

    def step(self, epoch: int | None = None) -> None:
        """Go on to the next epoch."""
        refuse_trace(self)
        self.last_epoch += 1
        k = bisect_right(self._milestones, self.last_epoch)
        if k > 0 and self._milestones[k - 1] == self.last_epoch:
            self._schedulers[k].step(0)
        else:
            self._schedulers[k].step()
        self._last_lr = self._schedulers[k].get_last_lr()


class ChainedScheduler(_Several):
    """Schedules that each change the rate the one before it left."""

    def __init__(self, schedulers: Sequence[Any], optimizer: Optimizer | None = None) -> None:
        if not schedulers:
            raise OpError("ChainedScheduler: no schedules were given")
        self.optimizer = optimizer or schedulers[0].optimizer
        self._schedulers = self._checked(self.optimizer, schedulers)
        self._last_lr = [float(g["lr"]) for g in self.optimizer.param_groups]

    def step(self, epoch: int | None = None) -> None:
        """Go on to the next epoch, in all of them."""
        refuse_trace(self)
        for part in self._schedulers:
            part.step()
        self._last_lr = [float(g["lr"]) for g in self.optimizer.param_groups]
