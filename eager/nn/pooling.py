"""Pools of one, two and three dims as modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from eager.engine.tensor import Tensor
from eager.nn import functional as F
from eager.nn.module import Module
from eager.ops.unfolding import tuple_of


class _Showing(Module):
    """A module without weights that shows the attributes ``shown``."""

    shown: ClassVar[tuple[str, ...]] = ()
    rank: ClassVar[int] = 2

    def _call(self, input: Tensor, *args: Any) -> Any:
        """The function that is named as the class is."""
        function: Callable[..., Any] = getattr(F, self.function)
        return function(input, *args)

    function: ClassVar[str] = ""

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={getattr(self, name)}" for name in self.shown)


# --- maxima ------------------------------------------------------------------------------------
class _MaxPool(_Showing):
    shown = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
                 return_indices: bool = False, ceil_mode: bool = False) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation = padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def forward(self, input: Tensor) -> Any:
        return self._call(input, self.kernel_size, self.stride, self.padding, self.dilation,
                          self.ceil_mode, self.return_indices)


class MaxPool1d(_MaxPool):
    """The largest element of each window of lines [N, C, L]."""

    function = "max_pool1d"


class MaxPool2d(_MaxPool):
    """The largest element of each window of images [N, C, H, W]."""

    function = "max_pool2d"


class MaxPool3d(_MaxPool):
    """The largest element of each window of volumes [N, C, D, H, W]."""

    function = "max_pool3d"


class _MaxUnpool(_Showing):
    shown = ("kernel_size", "stride", "padding")

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        self.kernel_size = tuple_of(kernel_size, self.rank, "kernel_size")
        self.stride = tuple_of(kernel_size if stride is None else stride, self.rank, "stride")
        self.padding = tuple_of(padding, self.rank, "padding")

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        result: Tensor = self._call(input, indices, self.kernel_size, self.stride, self.padding,
                                    output_size)
        return result


class MaxUnpool1d(_MaxUnpool):
    """Zeros with the maxima of lines where `MaxPool1d` found them."""

    rank, function = 1, "max_unpool1d"


class MaxUnpool2d(_MaxUnpool):
    """Zeros with the maxima of images where `MaxPool2d` found them."""

    rank, function = 2, "max_unpool2d"


class MaxUnpool3d(_MaxUnpool):
    """Zeros with the maxima of volumes where `MaxPool3d` found them."""

    rank, function = 3, "max_unpool3d"


# --- means and norms ---------------------------------------------------------------------------
class AvgPool1d(_Showing):
    """The mean of each window of lines [N, C, L]."""

    rank, function = 1, "avg_pool1d"
    shown = ("kernel_size", "stride", "padding")

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0,
                 ceil_mode: bool = False, count_include_pad: bool = True) -> None:
        super().__init__()
        self.kernel_size = tuple_of(kernel_size, 1, "kernel_size")
        self.stride = tuple_of(kernel_size if stride is None else stride, 1, "stride")
        self.padding = tuple_of(padding, 1, "padding")
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        result: Tensor = self._call(input, self.kernel_size, self.stride, self.padding,
                                    self.ceil_mode, self.count_include_pad)
        return result


class _AvgPool(_Showing):
    shown = ("kernel_size", "stride", "padding")

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0,
                 ceil_mode: bool = False, count_include_pad: bool = True,
                 divisor_override: int | None = None) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.ceil_mode = padding, ceil_mode
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override

    def forward(self, input: Tensor) -> Tensor:
        result: Tensor = self._call(input, self.kernel_size, self.stride, self.padding,
                                    self.ceil_mode, self.count_include_pad, self.divisor_override)
        return result


class AvgPool2d(_AvgPool):
    """The mean of each window of images [N, C, H, W]."""

    function = "avg_pool2d"


class AvgPool3d(_AvgPool):
    """The mean of each window of volumes [N, C, D, H, W]."""

    function = "avg_pool3d"


class _LPPool(_Showing):
    shown = ("norm_type", "kernel_size", "stride", "ceil_mode")

    def __init__(self, norm_type: float, kernel_size: Any, stride: Any = None,
                 ceil_mode: bool = False) -> None:
        super().__init__()
        self.norm_type, self.kernel_size = norm_type, kernel_size
        self.stride, self.ceil_mode = stride, ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        result: Tensor = self._call(input, float(self.norm_type), self.kernel_size, self.stride,
                                    self.ceil_mode)
        return result


class LPPool1d(_LPPool):
    """The p-norm of each window of lines [N, C, L]."""

    function = "lp_pool1d"


class LPPool2d(_LPPool):
    """The p-norm of each window of images [N, C, H, W]."""

    function = "lp_pool2d"


class LPPool3d(_LPPool):
    """The p-norm of each window of volumes [N, C, D, H, W]."""

    function = "lp_pool3d"


# --- equal parts -------------------------------------------------------------------------------
class _AdaptiveAvg(_Showing):
    shown = ("output_size",)

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        result: Tensor = self._call(input, self.output_size)
        return result


class AdaptiveAvgPool1d(_AdaptiveAvg):
    """Means of equal parts of lines [N, C, L]."""

    function = "adaptive_avg_pool1d"


class AdaptiveAvgPool2d(_AdaptiveAvg):
    """Means of equal parts of images [N, C, H, W]."""

    function = "adaptive_avg_pool2d"


class AdaptiveAvgPool3d(_AdaptiveAvg):
    """Means of equal parts of volumes [N, C, D, H, W]."""

    function = "adaptive_avg_pool3d"


class _AdaptiveMax(_Showing):
    shown = ("output_size",)

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size, self.return_indices = output_size, return_indices

    def forward(self, input: Tensor) -> Any:
        return self._call(input, self.output_size, self.return_indices)


class AdaptiveMaxPool1d(_AdaptiveMax):
    """The largest of equal parts of lines [N, C, L]."""

    function = "adaptive_max_pool1d"


class AdaptiveMaxPool2d(_AdaptiveMax):
    """The largest of equal parts of images [N, C, H, W]."""

    function = "adaptive_max_pool2d"


class AdaptiveMaxPool3d(_AdaptiveMax):
    """The largest of equal parts of volumes [N, C, D, H, W]."""

    function = "adaptive_max_pool3d"
