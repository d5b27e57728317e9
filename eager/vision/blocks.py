"""Blocks of vision networks, and the functions that stand behind some of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import eager
from eager import nn
from eager.engine.tensor import Tensor
from eager.nn import functional as F
from eager.ops.errors import OpError
from eager.vision import regions
from eager.vision.boxes import reduced


# --- functions ---------------------------------------------------------------------------------
def sigmoid_focal_loss(inputs: Tensor, targets: Tensor, alpha: float = 0.25, gamma: float = 2,
                       reduction: str = "none") -> Tensor:
    """Cross entropy of logits and targets of one shape, less where the model is sure already.

    ``alpha`` weighs the positive class (negative: not at all).  T.-Y. Lin et al., "Focal loss for
    dense object detection" (2017).
    """
    if not (0 <= alpha <= 1) and alpha != -1:
        raise OpError(f"sigmoid_focal_loss: alpha is in [0, 1], or -1 for none, got {alpha}")
    p = inputs.sigmoid()
    loss = F.binary_cross_entropy_with_logits(inputs, targets, reduction="none")
    sure = p * targets + (1 - p) * (1 - targets)
    loss = loss * (1 - sure) ** gamma
    if alpha >= 0:
        loss = (alpha * targets + (1 - alpha) * (1 - targets)) * loss
    return reduced("sigmoid_focal_loss", loss, reduction)


def stochastic_depth(input: Tensor, p: float, mode: str, training: bool = True) -> Tensor:
    """The input, or with probability ``p`` zeros: of the ``batch`` or of each ``row`` of it.

    What is kept is scaled by 1 / (1 - p).  G. Huang et al., "Deep networks with stochastic depth"
    (2016).
    """
    if not 0 <= p <= 1:
        raise OpError(f"stochastic_depth: p is a probability, got {p}")
    if mode not in ("batch", "row"):
        raise OpError(f"stochastic_depth: mode is 'batch' or 'row', got {mode!r}")
    if not training or p == 0:
        return input
    lead = input.shape[0] if mode == "row" else 1
    kept = eager.rand(lead, *(1,) * (input.ndim - 1), dtype=input.dtype) < 1 - p
    noise = kept.to(input.dtype)
    result: Tensor = input * (noise / (1 - p) if p < 1 else noise)
    return result


# --- modules of those --------------------------------------------------------------------------
class StochasticDepth(nn.Module):
    """`stochastic_depth` in training."""

    def __init__(self, p: float, mode: str) -> None:
        super().__init__()
        self.p, self.mode = p, mode

    def forward(self, input: Tensor) -> Tensor:
        return stochastic_depth(input, self.p, self.mode, self.training)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p}, mode={self.mode})"


class RoIAlign(nn.Module):
    """`roi_align` of feature maps at regions."""

    def __init__(self, output_size: Any, spatial_scale: float, sampling_ratio: int,
                 aligned: bool = False) -> None:
        super().__init__()
        self.output_size, self.spatial_scale = output_size, spatial_scale
        self.sampling_ratio, self.aligned = sampling_ratio, aligned

    def forward(self, input: Tensor, rois: Any) -> Tensor:
        return regions.roi_align(input, rois, self.output_size, self.spatial_scale,
                                 self.sampling_ratio, self.aligned)

    def __repr__(self) -> str:
        return (f"{type(self).__name__}(output_size={self.output_size}, "
                f"spatial_scale={self.spatial_scale}, sampling_ratio={self.sampling_ratio}, "
                f"aligned={self.aligned})")


class RoIPool(nn.Module):
    """`roi_pool` of feature maps at regions."""

    def __init__(self, output_size: Any, spatial_scale: float) -> None:
        super().__init__()
        self.output_size, self.spatial_scale = output_size, spatial_scale

    def forward(self, input: Tensor, rois: Any) -> Tensor:
        return regions.roi_pool(input, rois, self.output_size, self.spatial_scale)

    def __repr__(self) -> str:
        return (f"{type(self).__name__}(output_size={self.output_size}, "
                f"spatial_scale={self.spatial_scale})")


# --- blocks ------------------------------------------------------------------------------------
class FrozenBatchNorm2d(nn.Module):
    """Batch norm by moments, scale and shift that are buffers and never change."""

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, num_features: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        for name, value in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0),
                            ("running_var", 1.0)):
            self.register_buffer(name, eager.full((num_features,), value))

    def forward(self, x: Tensor) -> Tensor:
        scale = self.weight * (self.running_var + self.eps).rsqrt()
        shift = self.bias - self.running_mean * scale
        return x * scale.reshape(1, -1, 1, 1) + shift.reshape(1, -1, 1, 1)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.weight.shape[0]}, eps={self.eps})"


class Conv2dNormActivation(nn.Sequential):
    """A convolution of images that keeps their size at stride 1, a norm and an activation."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any = 3, stride: Any = 1,
                 padding: Any = None, groups: int = 1,
                 norm_layer: Callable[..., nn.Module] | None = nn.BatchNorm2d,
                 activation_layer: Callable[..., nn.Module] | None = nn.ReLU, dilation: Any = 1,
                 inplace: bool | None = True, bias: bool | None = None) -> None:
        if padding is None:
            padding = _centred(kernel_size, dilation)
        layers: list[nn.Module] = [
            nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, dilation=dilation,
                      groups=groups, bias=norm_layer is None if bias is None else bias)]
        if norm_layer is not None:
            layers.append(norm_layer(out_channels))
        if activation_layer is not None:
            layers.append(_activation(activation_layer, inplace))
        super().__init__(*layers)
        self.out_channels = out_channels


def _centred(kernel: Any, dilation: Any) -> Any:
    if isinstance(kernel, int) and isinstance(dilation, int):
        return (kernel - 1) // 2 * dilation
    kernels = (kernel, kernel) if isinstance(kernel, int) else kernel
    steps = (dilation, dilation) if isinstance(dilation, int) else dilation
    return tuple((k - 1) // 2 * d for k, d in zip(kernels, steps, strict=True))


def _activation(layer: Callable[..., nn.Module], inplace: bool | None) -> nn.Module:
    return layer() if inplace is None else layer(inplace=inplace)


class SqueezeExcitation(nn.Module):
    """Channels scaled by what two 1 x 1 convolutions make of their means (J. Hu et al., 2018)."""

    def __init__(self, input_channels: int, squeeze_channels: int,
                 activation: Callable[..., nn.Module] = nn.ReLU,
                 scale_activation: Callable[..., nn.Module] = nn.Sigmoid) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(input_channels, squeeze_channels, 1)
        self.fc2 = nn.Conv2d(squeeze_channels, input_channels, 1)
        self.activation, self.scale_activation = activation(), scale_activation()

    def forward(self, input: Tensor) -> Tensor:
        scale = self.activation(self.fc1(self.avgpool(input)))
        result: Tensor = self.scale_activation(self.fc2(scale)) * input
        return result


class MLP(nn.Sequential):
    """Linear layers with norms, activations and dropout between; the last ends in dropout."""

    def __init__(self, in_channels: int, hidden_channels: Sequence[int],
                 norm_layer: Callable[..., nn.Module] | None = None,
                 activation_layer: Callable[..., nn.Module] | None = nn.ReLU,
                 inplace: bool | None = None, bias: bool = True, dropout: float = 0.0) -> None:
        noise = {} if inplace is None else {"inplace": inplace}
        layers: list[nn.Module] = []
        for width in hidden_channels[:-1]:
            layers.append(nn.Linear(in_channels, width, bias=bias))
            if norm_layer is not None:
                layers.append(norm_layer(width))
            if activation_layer is not None:
                layers.append(_activation(activation_layer, inplace))
            layers.append(nn.Dropout(dropout, **noise))
            in_channels = width
        layers.append(nn.Linear(in_channels, hidden_channels[-1], bias=bias))
        layers.append(nn.Dropout(dropout, **noise))
        super().__init__(*layers)


class Permute(nn.Module):
    """The dims in another order."""

    def __init__(self, dims: Sequence[int]) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(*self.dims)
