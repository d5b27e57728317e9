"""Borders round lines, images and volumes as modules."""

from __future__ import annotations

from typing import Any, ClassVar

from eager.engine.tensor import Tensor
from eager.nn import functional as F
from eager.nn.module import Module
from eager.ops.unfolding import tuple_of


class _Pad(Module):
    """``padding`` is one number for all sides, or pairs (before, after) from the last dim on."""

    rank: ClassVar[int]
    mode: ClassVar[str]

    def __init__(self, padding: Any) -> None:
        super().__init__()
        self.padding = tuple_of(padding, 2 * self.rank, "padding")

    def forward(self, input: Tensor) -> Tensor:
        result: Tensor = F.pad(input, self.padding, self.mode)
        return result

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPad(_Pad):
    mode = "constant"

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        result: Tensor = F.pad(input, self.padding, "constant", self.value)
        return result

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class _ZeroPad(_Pad):
    mode = "constant"


class _ReflectionPad(_Pad):
    mode = "reflect"


class _ReplicationPad(_Pad):
    mode = "replicate"


class _CircularPad(_Pad):
    mode = "circular"


class ConstantPad1d(_ConstantPad):
    """A border of ``value`` round lines [N, C, L]."""

    rank = 1


class ConstantPad2d(_ConstantPad):
    """A border of ``value`` round images [N, C, H, W]."""

    rank = 2


class ConstantPad3d(_ConstantPad):
    """A border of ``value`` round volumes [N, C, D, H, W]."""

    rank = 3


class ZeroPad1d(_ZeroPad):
    """A border of zeros round lines [N, C, L]."""

    rank = 1


class ZeroPad2d(_ZeroPad):
    """A border of zeros round images [N, C, H, W]."""

    rank = 2


class ZeroPad3d(_ZeroPad):
    """A border of zeros round volumes [N, C, D, H, W]."""

    rank = 3


class ReflectionPad1d(_ReflectionPad):
    """A border that mirrors lines [N, C, L]."""

    rank = 1


class ReflectionPad2d(_ReflectionPad):
    """A border that mirrors images [N, C, H, W]."""

    rank = 2


class ReflectionPad3d(_ReflectionPad):
    """A border that mirrors volumes [N, C, D, H, W]."""

    rank = 3


class ReplicationPad1d(_ReplicationPad):
    """A border that repeats the outer elements of lines [N, C, L]."""

    rank = 1


class ReplicationPad2d(_ReplicationPad):
    """A border that repeats the outer elements of images [N, C, H, W]."""

    rank = 2


class ReplicationPad3d(_ReplicationPad):
    """A border that repeats the outer elements of volumes [N, C, D, H, W]."""

    rank = 3


class CircularPad1d(_CircularPad):
    """A border that goes on at the other end of lines [N, C, L]."""

    rank = 1


class CircularPad2d(_CircularPad):
    """A border that goes on at the other end of images [N, C, H, W]."""

    rank = 2


class CircularPad3d(_CircularPad):
    """A border that goes on at the other end of volumes [N, C, D, H, W]."""

    rank = 3
