"""LRScheduler: counts epochs and writes rates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eager.engine.mode import MODE
from eager.ops.errors import OpError, TraceError
from eager.optim.optimizer import Optimizer


class LRScheduler:
    """Writes ``lr`` of every group in every epoch.

    Subclasses define `rate`, which says it from the epoch and the first rate, or `next_rate`,
    which says it from the present rate too (as torch's chainable forms do).
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise OpError(f"{type(self).__name__}: wanted an Optimizer, got "
                          f"{type(optimizer).__name__}")
        self.optimizer, self.last_epoch = optimizer, last_epoch
        for group in optimizer.param_groups:
            if last_epoch == -1:
                group.setdefault("initial_lr", float(group["lr"]))
            elif "initial_lr" not in group:
                raise OpError(f"{type(self).__name__}: last_epoch={last_epoch} resumes a schedule, "
                              f"but a group has no 'initial_lr'; load the optimiser's state first")
        self.base_lrs: list[float] = [g["initial_lr"] for g in optimizer.param_groups]
        self.step()

    def rate(self, epoch: int, base: float, group: int) -> float:
        """The learning rate of a group in an epoch, by its first one."""
        raise NotImplementedError(f"{type(self).__name__} defines neither rate() nor get_lr()")

    def next_rate(self, epoch: int, base: float, now: float, group: int) -> float:
        """The same, where the present rate is known."""
        return self.rate(epoch, base, group)

    def get_lr(self) -> list[float]:
        """The rates of the epoch ``last_epoch``; subclasses written for torch define this."""
        groups = zip(self.base_lrs, self.optimizer.param_groups, strict=True)
        return [self.next_rate(self.last_epoch, base, float(g["lr"]), k)
                for k, (base, g) in enumerate(groups)]

    def step(self, epoch: int | None = None) -> None:
        """Go on to the next epoch, or to a given one."""
        refuse_trace(self)
        if epoch is None:
            self.last_epoch += 1
            self._write(self.get_lr())
            return
        self.last_epoch = epoch
        closed = type(self).rate is not LRScheduler.rate
        self._write([self.rate(epoch, base, k) for k, base in enumerate(self.base_lrs)]
                    if closed else self.get_lr())

    def _write(self, rates: list[float]) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        self._last_lr = [float(g["lr"]) for g in self.optimizer.param_groups]

    def get_last_lr(self) -> list[float]:
        """The rates that this schedule wrote last."""
        return list(self._last_lr)

    def state_dict(self) -> dict[str, Any]:
        """Every attribute except the optimiser and functions; no tensors."""
        return {k: list(v) if isinstance(v, list) else v for k, v in self.__dict__.items()
                if k != "optimizer" and not callable(v)
                and not (isinstance(v, list) and any(map(callable, v)))}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from where another schedule was; the optimiser's rates follow."""
        self.__dict__.update(state_dict)
        if "_last_lr" in state_dict:
            self._write(list(state_dict["_last_lr"]))


def refuse_trace(schedule: Any) -> None:
    """TraceError inside a trace."""
    if MODE.get().recorder is not None:
        raise TraceError(f"{type(schedule).__name__} counts epochs in Python, which a trace would "
                         f"bake; call its step() outside of the traced function: it writes "
                         f"the learning rate where the program reads it")


def per_group(name: str, what: str, value: Any, groups: int) -> list[Any]:
    """One value a group: a list of them, or one value for all."""
    values = list(value) if isinstance(value, (list, tuple)) else [value] * groups
    if len(values) != groups:
        raise OpError(f"{name}: {what}: wanted one or {groups}, got {len(values)}")
    return values
