"""Convolution of images [N, C, H, W] and its two adjoints, which are each other's gradients.

The sum over all ``g[n, o, y, x] w[o, c, i, j] x[n, c, y s + i d - p, ...]`` is linear in each of
the three; `conv2d`, `conv2d_input` and `conv2d_weight` are its derivatives by g, x and w.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from eager.ops.errors import OpError
from eager.ops.families import Convolution, Library
from eager.ops.op import Example, Op
from eager.ops.types import Type
from eager.ops.unfolding import output_size, overlaid, patches

_WINDOW = ("stride", "padding", "dilation")


# --- contracts ---------------------------------------------------------------------------------
def _check(x: Type, w: Type, stride: Any, padding: Any, dilation: Any, groups: int = 1) -> None:
    if x.ndim != 4 or w.ndim != 4:
        raise OpError(f"images are [N, C, H, W] and weights [O, C, KH, KW], got {x} and {w}")
    if x.dtype is not w.dtype or x.dtype.kind != "f":
        raise OpError(f"images and weights are floating of one dtype, got {x} and {w}")
    if min(*stride, *dilation) < 1 or min(padding) < 0:
        raise OpError(f"stride and dilation are positive and padding is not negative, got "
                      f"stride={stride}, padding={padding}, dilation={dilation}")
    if groups < 1 or w.shape[0] % groups:
        raise OpError(f"{groups} groups do not divide the weights {w}")


def _convolved(x: Type, w: Type, /, *, stride: tuple[int, ...], padding: tuple[int, ...],
               dilation: tuple[int, ...]) -> Type:
    return _grouped(x, w, stride=stride, padding=padding, dilation=dilation, groups=1)


def _grouped(x: Type, w: Type, /, *, stride: tuple[int, ...], padding: tuple[int, ...],
             dilation: tuple[int, ...], groups: int) -> Type:
    _check(x, w, stride, padding, dilation, groups)
    if x.shape[1] != w.shape[1] * groups:
        raise OpError(f"{x} has {x.shape[1]} channels, the weights {w} want "
                      f"{w.shape[1] * groups}")
    size = tuple(output_size(x.shape[2 + k], w.shape[2 + k], stride[k], padding[k], dilation[k])
                 for k in (0, 1))
    if any(not d >= 0 for d in size):
        raise OpError(f"the window of {w} is larger than {x} with padding {padding}")
    return Type(x.dtype, (x.shape[0], w.shape[0], *size))


def _images(g: Type, w: Type, /, *, size: tuple[int, ...], stride: tuple[int, ...],
            padding: tuple[int, ...], dilation: tuple[int, ...], groups: int) -> Type:
    _check(g, w, stride, padding, dilation, groups)
    x = Type(g.dtype, (g.shape[0], w.shape[1] * groups, *size))
    if _grouped(x, w, stride=stride, padding=padding, dilation=dilation, groups=groups) != g:
        raise OpError(f"no images of size {list(size)} become {g} by the weights {w}")
    return x


def _weights(x: Type, g: Type, /, *, kernel: tuple[int, ...], stride: tuple[int, ...],
             padding: tuple[int, ...], dilation: tuple[int, ...], groups: int) -> Type:
    if x.ndim != 4 or g.ndim != 4 or groups < 1 or x.shape[1] % groups:
        raise OpError(f"{groups} groups do not divide images like {x}")
    w = Type(x.dtype, (g.shape[1], x.shape[1] // groups, *kernel))
    if _grouped(x, w, stride=stride, padding=padding, dilation=dilation, groups=groups) != g:
        raise OpError(f"no weights of size {list(kernel)} make {g} of {x}")
    return w


# --- NumPy -------------------------------------------------------------------------------------
def _run_grouped(x: Any, w: Any, *, stride: Any, padding: Any, dilation: Any,
                 groups: int) -> Any:
    n, o, kernel = x.shape[0], w.shape[0], w.shape[2:]
    size = tuple(output_size(x.shape[2 + k], kernel[k], stride[k], padding[k], dilation[k])
                 for k in (0, 1))
    if 0 in (n, o, *size):
        return np.zeros((n, o, *size), x.dtype)
    if kernel == (1, 1) and tuple(stride) == (1, 1) and not any(padding):
        columns = x.reshape(n, groups, -1, size[0] * size[1])
    else:
        columns = patches(x, kernel, stride, padding, dilation, size).reshape(
            n, groups, -1, size[0] * size[1])
    out = np.matmul(w.reshape(groups, o // groups, -1), columns)
    return out.reshape(n, o, *size)


def _run(x: Any, w: Any, *, stride: Any, padding: Any, dilation: Any) -> Any:
    return _run_grouped(x, w, stride=stride, padding=padding, dilation=dilation, groups=1)


def _run_input(g: Any, w: Any, *, size: Any, stride: Any, padding: Any, dilation: Any,
               groups: int) -> Any:
    n, o = g.shape[:2]
    c, kernel = w.shape[1] * groups, w.shape[2:]
    if 0 in (n, o, c, *g.shape[2:], *size):
        return np.zeros((n, c, *size), g.dtype)
    turned = w.reshape(groups, o // groups, -1).swapaxes(-1, -2)
    columns = np.matmul(turned, g.reshape(n, groups, o // groups, -1))
    return overlaid(columns.reshape(n, c, kernel[0] * kernel[1], -1), size, kernel, stride,
                    padding, dilation, g.shape[2:])


def _run_weight(x: Any, g: Any, *, kernel: Any, stride: Any, padding: Any, dilation: Any,
                groups: int) -> Any:
    (n, o), c = g.shape[:2], x.shape[1]
    if 0 in (n, o, c, *g.shape[2:]):
        return np.zeros((o, c // groups, *kernel), x.dtype)
    columns = patches(x, kernel, stride, padding, dilation, g.shape[2:]).reshape(
        n, groups, -1, g.shape[2] * g.shape[3])
    out = np.matmul(g.reshape(n, groups, o // groups, -1), columns.swapaxes(-1, -2)).sum(0)
    return out.reshape(o, c // groups, *kernel)


# --- gradients and compositions ----------------------------------------------------------------
def _by_images(F: Any, g: Any, out: Any, x: Any, w: Any, *, groups: int = 1,
               **window: Any) -> Any:
    return F.conv2d_input(g, w, size=F.typeof(x).shape[2:], groups=groups, **window)


def _by_weights(F: Any, g: Any, out: Any, x: Any, w: Any, *, groups: int = 1,
                **window: Any) -> Any:
    return F.conv2d_weight(x, g, kernel=F.typeof(w).shape[2:], groups=groups, **window)


def convolve(F: Any, x: Any, w: Any, groups: int, **window: Any) -> Any:
    """`conv2d`, with groups where there are several."""
    if groups == 1:
        return F.conv2d(x, w, **window)
    return F.conv2d_groups(x, w, groups=groups, **window)


def _grad_input(F: Any, v: Any, out: Any, g: Any, w: Any, *, size: Any, groups: int,
                **window: Any) -> tuple[Any, ...]:
    return (convolve(F, v, w, groups, **window),
            F.conv2d_weight(v, g, kernel=F.typeof(w).shape[2:], groups=groups, **window))


def _grad_weight(F: Any, u: Any, out: Any, x: Any, g: Any, *, kernel: Any, groups: int,
                 **window: Any) -> tuple[Any, ...]:
    return (F.conv2d_input(g, u, size=F.typeof(x).shape[2:], groups=groups, **window),
            convolve(F, x, u, groups, **window))


def _part(F: Any, x: Any, dim: int, start: Any, stop: Any) -> Any:
    shape = F.typeof(x).shape
    return F.slice(x, starts=tuple(start if k == dim else 0 for k in range(4)),
                   stops=tuple(stop if k == dim else d for k, d in enumerate(shape)),
                   steps=(1,) * 4)


def _shares(F: Any, x: Any, dim: int, groups: int) -> list[Any]:
    """``x`` in as many equal parts as groups."""
    if groups == 1:
        return [x]
    size = F.typeof(x).shape[dim] // groups
    return [_part(F, x, dim, k * size, (k + 1) * size) for k in range(groups)]


def _groups_apart(F: Any, x: Any, w: Any, *, groups: int, **window: Any) -> Any:
    parts = zip(_shares(F, x, 1, groups), _shares(F, w, 0, groups), strict=True)
    return F.concat(*(F.conv2d(a, b, **window) for a, b in parts), dim=1)


def _input_parts(F: Any, g: Any, w: Any, *, size: Any, groups: int, **window: Any) -> Any:
    parts = [_input_composed(F, a, b, size, **window)
             for a, b in zip(_shares(F, g, 1, groups), _shares(F, w, 0, groups), strict=True)]
    return parts[0] if groups == 1 else F.concat(*parts, dim=1)


def _input_composed(F: Any, g: Any, w: Any, size: Any, *, stride: Any, padding: Any,
                    dilation: Any) -> Any:
    """The gradient, spread by the stride, convolved with the turned weights."""
    have, kernel = F.typeof(g).shape, F.typeof(w).shape
    wide = F.dilate(g, steps=(1, 1, *stride)) if tuple(stride) != (1, 1) else g
    low, high = [0, 0], [0, 0]
    for k in (0, 1):
        span = dilation[k] * (kernel[2 + k] - 1)
        low.append(span - padding[k])
        high.append(size[k] + padding[k] - ((have[2 + k] - 1) * stride[k] + 1))
    turned = F.permute(F.flip(w, dims=(2, 3)), dims=(1, 0, 2, 3))
    return F.conv2d(F.pad(wide, low=tuple(low), high=tuple(high), value=0.0), turned,
                    stride=(1, 1), padding=(0, 0), dilation=tuple(dilation))


def _weight_parts(F: Any, x: Any, g: Any, *, kernel: Any, groups: int, **window: Any) -> Any:
    parts = [_weight_composed(F, a, b, kernel, **window)
             for a, b in zip(_shares(F, x, 1, groups), _shares(F, g, 1, groups), strict=True)]
    return parts[0] if groups == 1 else F.concat(*parts, dim=0)


def _weight_composed(F: Any, x: Any, g: Any, kernel: Any, *, stride: Any, padding: Any,
                     dilation: Any) -> Any:
    """The images convolved with the gradient, batch and channels swapped."""
    dw = F.conv2d(F.permute(x, dims=(1, 0, 2, 3)), F.permute(g, dims=(1, 0, 2, 3)),
                  stride=tuple(dilation), padding=tuple(padding), dilation=tuple(stride))
    dw = F.permute(dw, dims=(1, 0, 2, 3))
    shape = (*F.typeof(dw).shape[:2], *kernel)
    if F.typeof(dw).shape == shape:
        return dw
    # windows beyond the last one that the stride reached
    return F.slice(dw, starts=(0,) * 4, stops=shape, steps=(1,) * 4)


def _checked(infer: Any) -> Any:
    def check(a: Any, b: Any, **attrs: Any) -> None:
        infer(Type.of(a), Type.of(b), **attrs)
    return check


def _window(stride: Any = (1, 1), padding: Any = (0, 0), dilation: Any = (1, 1),
            **more: Any) -> dict[str, Any]:
    return {"stride": stride, "padding": padding, "dilation": dilation, **more}


_TWO = _window((2, 2), (1, 1))
_ODD = _window((3, 1), (0, 1), (2, 1))

conv2d = Op("conv2d", "The cross-correlation of images [N, C, H, W] with weights [O, C, KH, KW].",
            _convolved, Convolution(), forward=_run, precheck=_checked(_convolved),
            partials=(_by_images, _by_weights), saves=(0, 1), spelling=None, onnx="Conv", examples=(
                Example(((2, 3, 5, 6), (4, 3, 3, 2)), _window()),
                Example(((1, 2, 7, 7), (3, 2, 3, 3)), _TWO),
                Example(((2, 1, 8, 6), (2, 1, 2, 2)), _ODD),
                Example(((2, 3, 4, 2), (4, 3, 1, 1)), _window()),
                Example(((0, 2, 4, 4), (3, 2, 3, 3)), _window())),
            rejects=(Example(((1, 2, 4, 4), (3, 1, 3, 3)), _window()),
                     Example(((1, 1, 2, 2), (1, 1, 5, 5)), _window())))
conv2d_groups = Op("conv2d_groups", "`conv2d` of each group of channels with its own weights.",
                   _grouped, Library("conv2d_groups"), forward=_run_grouped,
                   partials=(_by_images, _by_weights), saves=(0, 1),
                   precheck=_checked(_grouped), decompose=_groups_apart,
                   spelling=None, onnx="Conv", examples=(
                       Example(((2, 4, 5, 4), (6, 2, 3, 2)), _window(groups=2)),
                       Example(((1, 3, 6, 6), (3, 1, 3, 3)), _window((2, 2), (1, 1), groups=3))),
                   rejects=(Example(((1, 2, 4, 4), (3, 1, 3, 3)), _window(groups=2)),))
conv2d_input = Op("conv2d_input", "The gradient of conv2d by its images of ``size``.", _images,
                  Library("conv2d_input"), forward=_run_input, grad=_grad_input, saves=(0, 1),
                  precheck=_checked(_images), decompose=_input_parts, spelling=None,
                  onnx="ConvTranspose", examples=(
                      Example(((2, 4, 3, 5), (4, 3, 3, 2)), _window(size=(5, 6), groups=1)),
                      Example(((1, 3, 4, 4), (3, 2, 3, 3)), {**_TWO, "size": (8, 7), "groups": 1}),
                      Example(((2, 4, 3, 4), (4, 1, 2, 2)), _window(size=(4, 5), groups=2))),
                  rejects=(Example(((1, 2, 3, 3), (2, 1, 3, 3)), _window(size=(9, 9), groups=1)),))
conv2d_weight = Op("conv2d_weight", "The gradient of conv2d by its weights of size ``kernel``.",
                   _weights, Library("conv2d_weight"), forward=_run_weight, grad=_grad_weight,
                   saves=(0, 1), precheck=_checked(_weights), decompose=_weight_parts,
                   spelling=None, examples=(
                       Example(((2, 3, 5, 6), (2, 4, 3, 5)), _window(kernel=(3, 2), groups=1)),
                       Example(((1, 2, 8, 7), (1, 3, 4, 4)), {**_TWO, "kernel": (3, 3),
                                                             "groups": 1}),
                       Example(((2, 2, 4, 5), (2, 4, 3, 4)), _window(kernel=(2, 2), groups=2))),
                   rejects=(Example(((1, 2, 4, 4), (1, 2, 4, 4)),
                                    _window(kernel=(3, 3), groups=1)),))

OPS = (conv2d, conv2d_groups, conv2d_input, conv2d_weight)
