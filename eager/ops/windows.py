"""The largest element of each window of images, where it lies, and how gradients return to it."""

from __future__ import annotations

from typing import Any

import numpy as np

from eager.ops.errors import OpError
from eager.ops.families import Library, Pool
from eager.ops.op import Example, Op
from eager.ops.types import BOOL, I64, Type
from eager.ops.unfolding import bordered, output_size, shifts


def _pooled(x: Type, /, *, kernel: tuple[int, ...], stride: tuple[int, ...],
            padding: tuple[int, ...], dilation: tuple[int, ...]) -> Type:
    if x.ndim not in (3, 4):
        raise OpError(f"images are [N, C, H, W] or [C, H, W], got {x}")
    if x.dtype is BOOL:
        raise OpError(f"images are numbers, got {x}")
    if min(*stride, *dilation) < 1 or min(padding) < 0:
        raise OpError(f"stride and dilation are positive and padding is not negative, got "
                      f"stride={stride}, padding={padding}, dilation={dilation}")
    if min(kernel) < 1 or any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
        raise OpError(f"padding {padding} is at most half of the window {kernel}")
    size = tuple(output_size(x.shape[k - 2], kernel[k], stride[k], padding[k], dilation[k])
                 for k in (0, 1))
    if any(not d >= 1 for d in size):
        raise OpError(f"the window {kernel} does not fit into {x}")
    return Type(x.dtype, (*x.shape[:-2], *size))


def _positions(x: Type, /, *, kernel: tuple[int, ...], stride: tuple[int, ...],
               padding: tuple[int, ...], dilation: tuple[int, ...]) -> Type:
    shape = _pooled(x, kernel=kernel, stride=stride, padding=padding, dilation=dilation).shape
    return Type(I64, shape)


def _returned(g: Type, x: Type, /, *, kernel: tuple[int, ...], stride: tuple[int, ...],
              padding: tuple[int, ...], dilation: tuple[int, ...]) -> Type:
    out = _pooled(x, kernel=kernel, stride=stride, padding=padding, dilation=dilation)
    if g != out:
        raise OpError(f"the gradient of {x} pooled is {out}, got {g}")
    return x


def _lowest(x: Any) -> Any:
    return -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min


def _shape(x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any) -> tuple[int, ...]:
    a, b = (output_size(x.shape[k - 2], kernel[k], stride[k], padding[k], dilation[k])
            for k in (0, 1))
    return a, b


def _run(x: Any, *, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    size = _shape(x, kernel, stride, padding, dilation)
    x = bordered(x, padding, _lowest(x))
    first, *others = shifts(kernel, stride, dilation, size)
    out = x[first].copy()
    for at in others:
        np.maximum(out, x[at], out=out)
    return out


def _winners(x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, size: Any) -> Any:
    """Which place of its window holds the first largest element (or NaN)."""
    x = bordered(x, padding, _lowest(x))
    first, *others = shifts(kernel, stride, dilation, size)
    best = x[first].copy()
    place = np.zeros(best.shape, np.int64)
    for k, at in enumerate(others, 1):
        v = x[at]
        better = v > best
        if x.dtype.kind == "f":
            better |= np.isnan(v) & ~np.isnan(best)
        np.copyto(best, v, where=better)
        np.copyto(place, k, where=better)
    return place


def _run_indices(x: Any, *, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    size = _shape(x, kernel, stride, padding, dilation)
    place = _winners(x, kernel, stride, padding, dilation, size)
    row = np.arange(size[0])[:, None] * stride[0] - padding[0] + place // kernel[1] * dilation[0]
    column = np.arange(size[1]) * stride[1] - padding[1] + place % kernel[1] * dilation[1]
    return row * x.shape[-1] + column


def _run_input(g: Any, x: Any, *, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    size = g.shape[-2:]
    place = _winners(x, kernel, stride, padding, dilation, size)
    (h, w), (ph, pw) = x.shape[-2:], padding
    out = np.zeros((*x.shape[:-2], h + 2 * ph, w + 2 * pw), g.dtype)
    for k, at in enumerate(shifts(kernel, stride, dilation, size)):
        out[at] += np.where(place == k, g, 0)
    return out[..., ph:ph + h, pw:pw + w]


def _flat(F: Any, x: Any) -> Any:
    shape = F.typeof(x).shape
    return F.reshape(x, shape=(*shape[:-2], shape[-2] * shape[-1]))


def _input_composed(F: Any, g: Any, x: Any, **window: Any) -> Any:
    shape = F.typeof(x).shape
    plane = (*shape[:-2], shape[-2] * shape[-1])
    zero = F.full(shape=plane, value=0.0, dtype=F.typeof(g).dtype)
    place = _flat(F, F.max_pool2d_indices(x, **window))
    dx = F.scatter_add(zero, place, _flat(F, g), dim=len(plane) - 1)
    return F.reshape(dx, shape=shape)


def _grad_input(F: Any, v: Any, out: Any, g: Any, x: Any, **window: Any) -> tuple[Any, ...]:
    place = F.max_pool2d_indices(x, **window)
    shape = F.typeof(g).shape
    return F.reshape(F.gather(_flat(F, v), _flat(F, place), dim=len(shape) - 2), shape=shape), None


_POOLS: tuple[dict[str, Any], ...] = (
    {"kernel": (2, 2), "stride": (2, 2), "padding": (0, 0), "dilation": (1, 1)},
    {"kernel": (3, 2), "stride": (2, 1), "padding": (1, 1), "dilation": (1, 2)})
_EXAMPLES = (Example(((2, 3, 6, 6),), _POOLS[0]), Example(((1, 2, 7, 5),), _POOLS[1]))

max_pool2d = Op("max_pool2d", "The largest element of each window.", _pooled, Pool(indices=False),
                forward=_run, saves=(0,), spelling=None, onnx="MaxPool", examples=_EXAMPLES,
                precheck=lambda x, **window: _pooled(Type.of(x), **window),
                grad=lambda F, g, out, x, **window: (F.max_pool2d_input(g, x, **window),),
                rejects=(Example(((1, 1, 2, 2),), {"kernel": (3, 3), "stride": (1, 1),
                                                   "padding": (0, 0), "dilation": (1, 1)}),))
max_pool2d_indices = Op("max_pool2d_indices",
                        "The flat position in its plane of the largest element of each window.",
                        _positions, Pool(indices=True), forward=_run_indices, spelling=None,
                        examples=_EXAMPLES)
max_pool2d_input = Op("max_pool2d_input", "The gradient of max_pool2d: each at its winner.",
                      _returned, Library("max_pool2d_input"), forward=_run_input,
                      grad=_grad_input, saves=(1,), decompose=_input_composed, spelling=None,
                      precheck=lambda g, x, **window: _returned(Type.of(g), Type.of(x), **window),
                      examples=(Example(((2, 3, 3, 3), (2, 3, 6, 6)), _POOLS[0]),
                                Example(((1, 2, 4, 5), (1, 2, 7, 5)), _POOLS[1])),
                      rejects=(Example(((1, 1, 3, 3), (1, 1, 4, 4)), _POOLS[0]),))

OPS = (max_pool2d, max_pool2d_indices, max_pool2d_input)
