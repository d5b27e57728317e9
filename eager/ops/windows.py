"""Operators that slide a window over images: convolution and pooling, NCHW."""

from __future__ import annotations

from typing import Any

import numpy as np

from eager.ops.errors import OpError
from eager.ops.families import Convolution, Pool
from eager.ops.op import Example, Op, Spelling
from eager.ops.types import BOOL, I64, Dim, Type

Pair = tuple[int, int]


def output_size(size: Dim, window: Dim, stride: int, padding: int, dilation: int) -> Dim:
    """How often a window fits: ``(size + 2 padding - dilation (window - 1) - 1) // stride + 1``."""
    return (size + 2 * padding - dilation * (window - 1) - 1) // stride + 1


def pair(value: Any, name: str) -> Pair:
    """An int for both dims, or one each."""
    if type(value) is int:
        return value, value
    if isinstance(value, (tuple, list)) and len(value) == 2:
        return value[0], value[1]
    if isinstance(value, (tuple, list)) and len(value) == 1:
        return value[0], value[0]
    raise OpError(f"{name} is an int or two, got {value!r}")


def _check_window(stride: Pair, padding: Pair, dilation: Pair) -> None:
    if min(*stride, *dilation) < 1 or min(padding) < 0:
        raise OpError(f"stride and dilation are positive and padding is not negative, got "
                      f"stride={stride}, padding={padding}, dilation={dilation}")


# --- convolution -------------------------------------------------------------------------------
def _convolved(x: Type, w: Type, /, *, stride: tuple[int, ...], padding: tuple[int, ...],
               dilation: tuple[int, ...]) -> Type:
    if x.ndim != 4 or w.ndim != 4:
        raise OpError(f"images are [N, C, H, W] and weights [O, C, KH, KW], got {x} and {w}")
    if x.dtype is not w.dtype or x.dtype.kind != "f":
        raise OpError(f"images and weights are floating of one dtype, got {x} and {w}")
    if x.shape[1] != w.shape[1]:
        raise OpError(f"{x} has {x.shape[1]} channels, the weights {w} want {w.shape[1]}")
    _check_window(stride, padding, dilation)  # type: ignore[arg-type]
    size = tuple(output_size(x.shape[2 + k], w.shape[2 + k], stride[k], padding[k], dilation[k])
                 for k in (0, 1))
    if any(not d >= 0 for d in size):
        raise OpError(f"the window of {w} is larger than {x} with padding {padding}")
    return Type(x.dtype, (x.shape[0], w.shape[0], *size))


def _alike(x: Any, w: Any, **window: Any) -> None:
    if x.dtype is not w.dtype or x.dtype.kind != "f" or x.ndim != 4 or w.ndim != 4:
        _convolved(Type.of(x), Type.of(w), **window)


def _windows(x: Any, window: Pair, stride: Any, padding: Any, dilation: Any, fill: float) -> Any:
    """A view ``[N, C, OH, OW, KH, KW]`` of the padded images."""
    (ph, pw), (sh, sw), (dh, dw) = padding, stride, dilation
    if ph or pw:
        padded = np.full((*x.shape[:2], x.shape[2] + 2 * ph, x.shape[3] + 2 * pw), fill, x.dtype)
        padded[:, :, ph:ph + x.shape[2], pw:pw + x.shape[3]] = x
        x = padded
    span = tuple(d * (k - 1) + 1 for d, k in zip((dh, dw), window, strict=True))
    view = np.lib.stride_tricks.sliding_window_view(x, span, (2, 3))
    return view[:, :, ::sh, ::sw, ::dh, ::dw]


def _run_conv2d(x: Any, w: Any, *, stride: Any, padding: Any, dilation: Any) -> Any:
    n, o = x.shape[0], w.shape[0]
    oh, ow = (output_size(x.shape[2 + k], w.shape[2 + k], stride[k], padding[k], dilation[k])
              for k in (0, 1))
    if 0 in (n, o, oh, ow):
        return np.zeros((n, o, oh, ow), x.dtype)
    view = _windows(x, w.shape[2:], stride, padding, dilation, 0)
    patches = view.transpose(0, 1, 4, 5, 2, 3).reshape(n, -1, oh * ow)
    return np.matmul(w.reshape(o, -1), patches).reshape(n, o, oh, ow)


def _grad_conv2d(F: Any, g: Any, out: Any, x: Any, w: Any, *, stride: Any, padding: Any,
                 dilation: Any) -> tuple[Any, ...]:
    """Both gradients are convolutions again.

    Of the images: the gradient, spread by the stride, convolved with the turned weights.
    Of the weights: the images convolved with the gradient, batch and channels swapped.
    """
    images, weights = F.typeof(x).shape, F.typeof(w).shape
    have = F.typeof(g).shape
    wide = F.dilate(g, steps=(1, 1, *stride)) if tuple(stride) != (1, 1) else g
    low, high = [0, 0], [0, 0]
    for k in (0, 1):
        span = dilation[k] * (weights[2 + k] - 1)
        spread = (have[2 + k] - 1) * stride[k] + 1
        low.append(span - padding[k])
        high.append(images[2 + k] + padding[k] - spread)
    turned = F.permute(F.flip(w, dims=(2, 3)), dims=(1, 0, 2, 3))
    dx = F.conv2d(F.pad(wide, low=tuple(low), high=tuple(high), value=0.0), turned,
                  stride=(1, 1), padding=(0, 0), dilation=tuple(dilation))
    dw = F.conv2d(F.permute(x, dims=(1, 0, 2, 3)), F.permute(g, dims=(1, 0, 2, 3)),
                  stride=tuple(dilation), padding=tuple(padding), dilation=tuple(stride))
    dw = F.permute(dw, dims=(1, 0, 2, 3))
    if F.typeof(dw).shape != weights:  # windows beyond the last one that the stride reached
        dw = F.slice(dw, starts=(0,) * 4, stops=weights, steps=(1,) * 4)
    return dx, dw


# --- pooling -----------------------------------------------------------------------------------
def _pooled(x: Type, /, *, kernel: tuple[int, ...], stride: tuple[int, ...],
            padding: tuple[int, ...], dilation: tuple[int, ...]) -> Type:
    if x.ndim not in (3, 4):
        raise OpError(f"images are [N, C, H, W] or [C, H, W], got {x}")
    if x.dtype is BOOL:
        raise OpError(f"images are numbers, got {x}")
    _check_window(stride, padding, dilation)  # type: ignore[arg-type]
    if min(kernel) < 1 or any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
        raise OpError(f"padding {padding} is at most half of the window {kernel}")
    size = tuple(output_size(x.shape[k - 2], kernel[k], stride[k], padding[k], dilation[k])
                 for k in (0, 1))
    if any(not d >= 1 for d in size):
        raise OpError(f"the window {kernel} does not fit into {x}")
    return Type(x.dtype, (*x.shape[:-2], *size))


def _pooled_positions(x: Type, /, *, kernel: tuple[int, ...], stride: tuple[int, ...],
                      padding: tuple[int, ...], dilation: tuple[int, ...]) -> Type:
    shape = _pooled(x, kernel=kernel, stride=stride, padding=padding, dilation=dilation).shape
    return Type(I64, shape)


def _pool_view(x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    images = x if x.ndim == 4 else x[None]
    view = _windows(images, kernel, stride, padding, dilation, lowest)
    return view if x.ndim == 4 else view[0]


def _run_max_pool(x: Any, *, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    return _pool_view(x, kernel, stride, padding, dilation).max((-2, -1))


def _run_max_pool_indices(x: Any, *, kernel: Any, stride: Any, padding: Any,
                          dilation: Any) -> Any:
    view = _pool_view(x, kernel, stride, padding, dilation)
    best = view.reshape(*view.shape[:-2], -1).argmax(-1)
    oh, ow = view.shape[-4:-2]
    row = np.arange(oh)[:, None] * stride[0] - padding[0] + best // kernel[1] * dilation[0]
    column = np.arange(ow) * stride[1] - padding[1] + best % kernel[1] * dilation[1]
    return row * x.shape[-1] + column


def _grad_max_pool(F: Any, g: Any, out: Any, x: Any, **window: Any) -> tuple[Any, ...]:
    shape, small = F.typeof(x).shape, F.typeof(g).shape
    place = F.max_pool2d_indices(x, **window)
    flat = (*small[:-2], small[-2] * small[-1])
    plane = (*shape[:-2], shape[-2] * shape[-1])
    zero = F.full(shape=plane, value=0.0, dtype=F.typeof(g).dtype)
    dx = F.scatter_add(zero, F.reshape(place, shape=flat), F.reshape(g, shape=flat),
                       dim=len(plane) - 1)
    return (F.reshape(dx, shape=shape),)


def _max_pool2d(F: Any, input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
                dilation: Any = 1, ceil_mode: bool = False, return_indices: bool = False) -> Any:
    if ceil_mode:
        raise OpError("max_pool2d: ceil_mode=True is not supported; pad the input instead")
    kernel = pair(kernel_size, "kernel_size")
    window = {"kernel": kernel, "padding": pair(padding, "padding"),
              "stride": kernel if stride is None else pair(stride, "stride"),
              "dilation": pair(dilation, "dilation")}
    out = F.max_pool2d(input, **window)
    return (out, F.max_pool2d_indices(input, **window)) if return_indices else out


_PLAIN = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1)}
_POOLS = (
    Example(((2, 3, 6, 6),), {"kernel": (2, 2), "stride": (2, 2), "padding": (0, 0),
                              "dilation": (1, 1)}),
    Example(((1, 2, 7, 5),), {"kernel": (3, 2), "stride": (2, 1), "padding": (1, 1),
                              "dilation": (1, 2)}))

conv2d = Op("conv2d", "The cross-correlation of images [N, C, H, W] with weights [O, C, KH, KW].",
            _convolved, Convolution(), forward=_run_conv2d, precheck=_alike, grad=_grad_conv2d,
            saves=(0, 1), spelling=None, onnx="Conv", examples=(
                Example(((2, 3, 5, 6), (4, 3, 3, 2)), _PLAIN),
                Example(((1, 2, 7, 7), (3, 2, 3, 3)), {"stride": (2, 2), "padding": (1, 1),
                                                       "dilation": (1, 1)}),
                Example(((2, 1, 8, 6), (2, 1, 2, 2)), {"stride": (3, 1), "padding": (0, 1),
                                                       "dilation": (2, 1)}),
                Example(((0, 2, 4, 4), (3, 2, 3, 3)), _PLAIN)),
            rejects=(Example(((1, 2, 4, 4), (3, 1, 3, 3)), _PLAIN),
                     Example(((1, 1, 2, 2), (1, 1, 5, 5)), _PLAIN)))
max_pool2d = Op("max_pool2d", "The largest element of each window.", _pooled, Pool(indices=False),
                forward=_run_max_pool, grad=_grad_max_pool, saves=(0,), public=_max_pool2d,
                spelling=Spelling(("nn.functional",)), onnx="MaxPool", examples=_POOLS,
                rejects=(Example(((1, 1, 2, 2),), {"kernel": (3, 3), "stride": (1, 1),
                                                   "padding": (0, 0), "dilation": (1, 1)}),))
max_pool2d_indices = Op("max_pool2d_indices",
                        "The flat position in its plane of the largest element of each window.",
                        _pooled_positions, Pool(indices=True), forward=_run_max_pool_indices,
                        spelling=None, examples=_POOLS)

OPS = (conv2d, max_pool2d, max_pool2d_indices)
