"""Inference mode: no gradients, and results that can have none later."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from eager.engine.mode import MODE, Mode, no_grad
from eager.engine.tape import Storage


class _Untracked(Storage):
    """The storage of every result of inference mode: its writes are not counted."""

    __slots__ = ()
    inference = True
    version = property(lambda self: 0, lambda self, value: None)
    writer = property(lambda self: "", lambda self, value: None)


_UNTRACKED = _Untracked()


class inference_mode(no_grad):
    """A block or function whose results neither record gradients nor can be saved for one.

    ``inference_mode(False)`` is an ordinary block inside of one.
    """

    def __init__(self, mode: bool = True) -> None:
        super().__init__()
        self._inference = mode

    def __new__(cls, mode: Any = True) -> Any:
        if callable(mode):  # @inference_mode without parentheses
            return cls()(mode)
        return super().__new__(cls)

    def _recreate_cm(self) -> inference_mode:
        return type(self)(self._inference)

    def _changed(self, mode: Mode) -> Mode:
        return replace(mode, grad=not self._inference,
                       storage=_UNTRACKED if self._inference else None)


def is_inference_mode_enabled() -> bool:
    """Whether this is inside of `inference_mode`."""
    return MODE.get().storage is not None
