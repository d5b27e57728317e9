"""Mixed precision under torch's names: loss scaling, and why ``autocast`` is not here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from eager.engine.mode import MODE, no_grad
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError, TraceError
from eager.optim.optimizer import Optimizer


class autocast:
    """Accepted where it changes nothing (``enabled=False``); refused where it would.

    Ops here compute in the dtype of their operands: convert a model with ``model.to(dtype)``.
    """

    def __init__(self, device_type: str = "cpu", dtype: Any = None, enabled: bool = True,
                 cache_enabled: bool | None = None) -> None:
        if device_type != "cpu":
            raise OpError(f"autocast: device_type={device_type!r}: tensors live on 'cpu'")
        if enabled:
            raise OpError("autocast: ops compute in the dtype of their operands here; convert the "
                          "model and its inputs with .to(eager.bfloat16), or pass enabled=False")

    def __enter__(self) -> autocast:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def __call__(self, func: Any) -> Any:
        return func


class GradScaler:
    """Scales a loss so that half gradients do not vanish, and skips steps that overflow.

    The scale grows by ``growth_factor`` after ``growth_interval`` steps without an overflow and
    falls by ``backoff_factor`` at each one (Micikevicius et al., "Mixed precision training",
    2018).  With ``enabled=False`` all methods pass through.
    """

    def __init__(self, device: str = "cpu", init_scale: float = 2.0**16,
                 growth_factor: float = 2.0, backoff_factor: float = 0.5,
                 growth_interval: int = 2000, enabled: bool = True) -> None:
        if device != "cpu":
            raise OpError(f"GradScaler: device={device!r}: tensors live on 'cpu'")
        if growth_factor <= 1.0 or backoff_factor >= 1.0:
            raise OpError(f"GradScaler: growth_factor is above 1 and backoff_factor below, got "
                          f"{growth_factor} and {backoff_factor}")
        self._scale, self._growth, self._backoff = float(init_scale), growth_factor, backoff_factor
        self._interval, self._enabled, self._since = growth_interval, enabled, 0
        self._found: dict[int, bool] = {}  #: by optimiser, whether its gradients overflowed
        self._stepped: set[int] = set()

    def scale(self, outputs: Any) -> Any:
        """A tensor, or each of a list or tuple of them, times the scale."""
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):
            return outputs * self._scale
        if isinstance(outputs, (list, tuple)):
            return type(outputs)(self.scale(x) for x in outputs)
        raise OpError(f"GradScaler.scale: wanted tensors, got {type(outputs).__name__}")

    def unscale_(self, optimizer: Optimizer) -> None:
        """Divide the gradients of an optimiser by the scale, in place; once a step."""
        if not self._enabled:
            return
        if MODE.get().recorder is not None:
            raise TraceError("GradScaler decides in Python, by the gradients' data, whether to "
                             "step, which a trace cannot follow; call it outside of the traced "
                             "function, or make it with enabled=False: kernels compute in "
                             "float32 or float64, which need no scaling")
        if id(optimizer) in self._found:
            raise OpError("GradScaler.unscale_: the gradients were divided already since the last "
                          "update()")
        if id(optimizer) in self._stepped:
            raise OpError("GradScaler.unscale_ comes before step()")
        overflow = False
        with no_grad():
            for p in (p for group in optimizer.param_groups for p in group["params"]):
                if p.grad is not None:
                    p.grad.copy_(p.grad.double() / self._scale)
                    overflow |= not bool(np.isfinite(p.grad.double().numpy()).all())
        self._found[id(optimizer)] = overflow

    def step(self, optimizer: Optimizer, *args: Any, **kwargs: Any) -> Any:
        """A step of the optimiser unless a gradient is infinite or NaN; what it returned."""
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs or args:
            raise OpError("GradScaler.step: a closure would compute gradients that are not scaled")
        if id(optimizer) in self._stepped:
            raise OpError("GradScaler.step: called already since the last update()")
        if id(optimizer) not in self._found:
            self.unscale_(optimizer)
        self._stepped.add(id(optimizer))
        return None if self._found[id(optimizer)] else optimizer.step()

    def update(self, new_scale: Any = None) -> None:
        """Set the scale for the next iteration by what was found in this one."""
        if not self._enabled:
            return
        if new_scale is not None:
            self._scale = float(new_scale)
        elif not self._found:
            raise OpError("GradScaler.update: no step() or unscale_() came before")
        elif any(self._found.values()):
            self._scale, self._since = self._scale * self._backoff, 0
        else:
            self._since += 1
            if self._since == self._interval:
                self._scale, self._since = self._scale * self._growth, 0
        self._found.clear()
        self._stepped.clear()

    def get_scale(self) -> float:
        """The scale; 1 where not enabled."""
        return self._scale if self._enabled else 1.0

    def is_enabled(self) -> bool:
        """Whether it does anything."""
        return self._enabled

    def state_dict(self) -> dict[str, Any]:
        """torch's layout."""
        return {"scale": self._scale, "growth_factor": self._growth,
                "backoff_factor": self._backoff, "growth_interval": self._interval,
                "_growth_tracker": self._since} if self._enabled else {}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over another's scale."""
        if not self._enabled:
            return
        if not state_dict:
            raise OpError("GradScaler.load_state_dict: the state is empty: it was saved with "
                          "enabled=False")
        self._scale, self._growth = state_dict["scale"], state_dict["growth_factor"]
        self._backoff, self._interval = (state_dict[k] for k in ("backoff_factor",
                                                                 "growth_interval"))
        self._since = state_dict["_growth_tracker"]


def is_autocast_available(device_type: str) -> bool:
    """False: see `autocast`."""
    return False


__all__ = ["GradScaler", "autocast", "is_autocast_available"]
