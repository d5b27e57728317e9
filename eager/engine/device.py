"""Devices: eager tensors live on the CPU, and say so in torch's words."""

from __future__ import annotations

from typing import Any

from eager.ops.errors import OpError


class device(str):
    """Where a tensor lives: ``device("cpu")``; equal to its name."""

    __slots__ = ()

    def __new__(cls, type: Any = "cpu", index: int | None = None) -> device:
        name, _, number = str(type).partition(":")
        if name not in ("cpu", "cuda", "mps", "meta", "xpu"):
            raise OpError(f"no kind of device is named {name!r}; eager tensors live on 'cpu'")
        if index is not None:
            number = str(index)
        return super().__new__(cls, f"{name}:{number}" if number else name)

    @property
    def type(self) -> str:
        """The kind of device: ``cpu``."""
        return str(self).partition(":")[0]

    @property
    def index(self) -> int | None:
        """Which of its kind, where that was said."""
        number = str(self).partition(":")[2]
        return int(number) if number else None

    def __repr__(self) -> str:
        return f"device(type={self.type!r})" if self.index is None else (
            f"device(type={self.type!r}, index={self.index})")


CPU = device("cpu")


def check_device(where: Any) -> None:
    """Raise OpError for a device that is not the CPU (None is)."""
    if where is not None and str(where).partition(":")[0] != "cpu":
        raise OpError(f"device {str(where)!r} is not available; eager tensors live on 'cpu', and "
                      f"jit compiles for other targets")
