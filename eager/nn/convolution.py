"""Convolutions of lines, images and volumes as modules, and the transposed ones."""

from __future__ import annotations

from typing import Any, ClassVar

from eager.engine.device import check_device
from eager.engine.tensor import Tensor
from eager.nn import functional as F
from eager.nn.layers import Weighted, parameter
from eager.ops.errors import OpError
from eager.ops.unfolding import tuple_of

#: torch's padding modes, under the names that `functional.pad` has for them.
MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "replicate",
         "circular": "circular"}


class _Windowed(Weighted):
    """What convolutions and transposed ones have in common."""

    rank: ClassVar[int] = 2

    def _take(self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any,
              padding: Any, dilation: Any, groups: int, padding_mode: str) -> None:
        name = type(self).__name__
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise OpError(f"{name}: groups={groups} does not divide in_channels={in_channels} "
                          f"and out_channels={out_channels}")
        if padding_mode not in MODES:
            raise OpError(f"{name}: padding_mode is one of {', '.join(MODES)}, got "
                          f"{padding_mode!r}")
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = tuple_of(kernel_size, self.rank, "kernel_size")
        self.stride = tuple_of(stride, self.rank, "stride")
        self.dilation = tuple_of(dilation, self.rank, "dilation")
        self.padding = self._padding(padding)
        self.padding_mode = padding_mode

    def _padding(self, padding: Any) -> Any:
        if not isinstance(padding, str):
            return tuple_of(padding, self.rank, "padding")
        name = type(self).__name__
        if padding not in ("valid", "same"):
            raise OpError(f"{name}: padding is numbers, 'valid' or 'same', got {padding!r}")
        if padding == "same" and any(s != 1 for s in self.stride):
            raise OpError(f"{name}: padding='same' wants stride 1, got {self.stride}")
        return padding

    def extra_repr(self) -> str:
        none, one = (0,) * self.rank, (1,) * self.rank
        shown = [("padding", self.padding, none), ("dilation", self.dilation, one),
                 ("output_padding", getattr(self, "output_padding", none), none),
                 ("groups", self.groups, 1), ("bias", self.bias is not None, True),
                 ("padding_mode", self.padding_mode, "zeros")]
        return (f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
                f"stride={self.stride}"
                + "".join(f", {name}={value}" for name, value, usual in shown if value != usual))


# --- convolutions ------------------------------------------------------------------------------
class _Conv(_Windowed):
    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1,
                 padding: Any = 0, dilation: Any = 1, groups: int = 1, bias: bool = True,
                 padding_mode: str = "zeros", device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        check_device(device)
        self._take(in_channels, out_channels, kernel_size, stride, padding, dilation, groups,
                   padding_mode)
        self._hold((out_channels, in_channels // groups, *self.kernel_size), bias, dtype)

    def _border(self) -> tuple[int, ...]:
        """What `functional.pad` is told: pairs from the last dim on."""
        pairs: list[int] = []
        for k in reversed(range(self.rank)):
            if isinstance(self.padding, str):
                total = self.dilation[k] * (self.kernel_size[k] - 1)
                total = total if self.padding == "same" else 0
                pairs += (total // 2, total - total // 2)
            else:
                pairs += (self.padding[k],) * 2
        return tuple(pairs)

    def forward(self, input: Tensor) -> Tensor:
        padding = self.padding
        if self.padding_mode != "zeros":
            input = F.pad(input, self._border(), MODES[self.padding_mode])
            padding = 0
        result: Tensor = getattr(F, f"conv{self.rank}d")(
            input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)
        return result


class Conv1d(_Conv):
    """Cross-correlation of lines [N, C, L]; weight [out, in / groups, K].

    ``padding`` is a number, ``"valid"`` or ``"same"``; ``padding_mode`` says of what.
    """

    rank = 1


class Conv2d(_Conv):
    """Cross-correlation of images [N, C, H, W]; weight [out, in / groups, KH, KW].

    ``padding`` is a number, one each for height and width, ``"valid"`` or ``"same"``;
    ``padding_mode`` says of what.
    """

    rank = 2


class Conv3d(_Conv):
    """Cross-correlation of volumes [N, C, D, H, W]; weight [out, in / groups, KD, KH, KW]."""

    rank = 3


# --- transposed convolutions -------------------------------------------------------------------
class _ConvTranspose(_Windowed):
    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1,
                 padding: Any = 0, output_padding: Any = 0, groups: int = 1, bias: bool = True,
                 dilation: Any = 1, padding_mode: str = "zeros", device: Any = None,
                 dtype: Any = None) -> None:
        super().__init__()
        check_device(device)
        if padding_mode != "zeros" or isinstance(padding, str):
            raise OpError(f"{type(self).__name__}: padding is numbers of zeros, got {padding!r} "
                          f"with padding_mode={padding_mode!r}")
        self._take(in_channels, out_channels, kernel_size, stride, padding, dilation, groups,
                   padding_mode)
        self.output_padding = tuple_of(output_padding, self.rank, "output_padding")
        self._hold((in_channels, out_channels // groups, *self.kernel_size), bias, dtype)

    def _hold(self, shape: tuple[int, ...], bias: bool, dtype: Any) -> None:
        self.weight = parameter(*shape, dtype=dtype)
        self.register_parameter("bias", parameter(self.out_channels, dtype=dtype) if bias
                                else None)
        self.reset_parameters()

    def _extra(self, input: Tensor, output_size: Any) -> tuple[int, ...]:
        """The output padding that makes the output as large as is asked for."""
        if output_size is None:
            return self.output_padding
        wanted = tuple(output_size)[-self.rank:]
        least = [(d - 1) * s - 2 * p + r * (k - 1) + 1 for d, s, p, r, k in zip(
            input.shape[-self.rank:], self.stride, self.padding, self.dilation,
            self.kernel_size, strict=True)]
        extra = tuple(w - m for w, m in zip(wanted, least, strict=True))
        if any(not 0 <= e < s for e, s in zip(extra, self.stride, strict=True)):
            raise OpError(f"{type(self).__name__}: output_size is {least} or less than a stride "
                          f"more, got {wanted}")
        return extra

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        result: Tensor = getattr(F, f"conv_transpose{self.rank}d")(
            input, self.weight, self.bias, self.stride, self.padding,
            self._extra(input, output_size), self.groups, self.dilation)
        return result


class ConvTranspose1d(_ConvTranspose):
    """The adjoint of `Conv1d`; weight [in, out / groups, K]."""

    rank = 1


class ConvTranspose2d(_ConvTranspose):
    """The adjoint of `Conv2d`; weight [in, out / groups, KH, KW]."""

    rank = 2


class ConvTranspose3d(_ConvTranspose):
    """The adjoint of `Conv3d`; weight [in, out / groups, KD, KH, KW]."""

    rank = 3
