"""Gradients: as functions, by hand-written rules, checked, and what happens around them."""

from __future__ import annotations

import importlib
from typing import Any

from eager.autograd.gradients import backward, grad
from eager.engine.inference import inference_mode, is_inference_mode_enabled
from eager.engine.mode import enable_grad, is_grad_enabled, no_grad, set_grad_enabled

#: Where names live that are found when they are first asked for.
_HOMES = {
    "eager.autograd.function": ("Function", "FunctionCtx", "once_differentiable"),
    "eager.autograd.gradcheck": ("gradcheck", "gradgradcheck"),
    "eager.autograd.anomaly": ("detect_anomaly", "set_detect_anomaly"),
}
#: What torch has under this roof and we have not, and what does its work.
_ABSENT = {"forward_ad": "eager.func.jvp and eager.func.linearize multiply by tangents",
           "profiler": "time calls with Python's own profilers",
           "Variable": "tensors take requires_grad themselves"}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
_MODULES = ("anomaly", "checkpoint", "function", "functional", "graph")

__all__ = ["backward", "enable_grad", "grad", "inference_mode", "is_grad_enabled",
           "is_inference_mode_enabled", "no_grad", "set_grad_enabled", *_HOME_OF, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        found = getattr(importlib.import_module(_HOME_OF[name]), name)
    elif name in _MODULES:
        found = importlib.import_module(f"eager.autograd.{name}")
    else:
        hint = f"; {_ABSENT[name]}" if name in _ABSENT else ""
        raise AttributeError(f"module 'eager.autograd' has no attribute {name!r}{hint}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
