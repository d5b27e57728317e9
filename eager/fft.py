"""Discrete Fourier transforms, under the names of ``torch.fft``."""

from __future__ import annotations

from typing import Any

from eager.engine import spelling
from eager.engine.tensor import TAPED

_FUNCTIONS = spelling.namespace("fft", TAPED)


def __getattr__(name: str) -> Any:
    try:
        return _FUNCTIONS[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None


def __dir__() -> list[str]:
    return sorted(_FUNCTIONS)
