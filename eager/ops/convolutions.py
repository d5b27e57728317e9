"""Convolutions of one, two and three dims and their transposes, in torch's signatures."""

from __future__ import annotations

from typing import Any

from eager.ops.composite import Composite
from eager.ops.convolution import convolve
from eager.ops.errors import OpError
from eager.ops.op import Spelling
from eager.ops.types import product
from eager.ops.unfolding import tuple_of


def _batched(F: Any, name: str, x: Any, n: int) -> tuple[Any, bool]:
    """An input [N, C, ...], and whether N was missing."""
    t = F.typeof(x)
    if t.ndim == n + 2:
        return x, False
    if t.ndim != n + 1:
        raise OpError(f"{name}: wants an input [N, C, {n} dims] or [C, {n} dims], got {t}")
    return F.reshape(x, shape=(1, *t.shape)), True


def _named_padding(name: str, padding: str, kernel: Any, stride: Any, dilation: Any
                   ) -> list[tuple[int, int]]:
    if padding == "valid":
        return [(0, 0)] * len(kernel)
    if padding != "same" or any(s != 1 for s in stride):
        raise OpError(f"{name}: padding is numbers, 'valid', or 'same' with stride 1, got "
                      f"{padding!r} with stride {tuple(stride)}")
    total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    return [(t // 2, t - t // 2) for t in total]


def _convolved(F: Any, name: str, n: int, input: Any, weight: Any, bias: Any, stride: Any,
               padding: Any, dilation: Any, groups: int) -> Any:
    x, single = _batched(F, name, input, n)
    w = F.typeof(weight)
    if w.ndim != n + 2:
        raise OpError(f"{name}: weights are [O, C / groups, {n} dims], got {w}")
    _check_groups(F, name, x, w, groups)
    step, wide = tuple_of(stride, n, "stride"), tuple_of(dilation, n, "dilation")
    if isinstance(padding, str):
        sides = _named_padding(name, padding, w.shape[2:], step, wide)
    else:
        sides = [(p, p) for p in tuple_of(padding, n, "padding")]
    if any(a != b for a, b in sides):
        x = F.pad(x, low=(0, 0, *(a for a, _ in sides)), high=(0, 0, *(b for _, b in sides)),
                  value=0.0)
        sides = [(0, 0)] * n
    both = tuple(a for a, _ in sides)
    out = _BY_RANK[n](F, x, weight, groups, step, both, wide)
    if bias is not None:
        out = F.add(out, F.reshape(bias, shape=(w.shape[0],) + (1,) * n))
    return F.reshape(out, shape=F.typeof(out).shape[1:]) if single else out


def _check_groups(F: Any, name: str, x: Any, w: Any, groups: int) -> None:
    channels = F.typeof(x).shape[1]
    if groups < 1 or w.shape[0] % groups or (type(channels) is int
                                             and channels != w.shape[1] * groups):
        raise OpError(f"{name}: weights {w} in {groups} groups want {w.shape[1] * groups} "
                      f"channels, got {F.typeof(x)}")


def _plane(F: Any, x: Any) -> Any:
    """[..., L] as [..., 1, L]."""
    shape = F.typeof(x).shape
    return F.reshape(x, shape=(*shape[:-1], 1, shape[-1]))


def _line(F: Any, x: Any) -> Any:
    shape = F.typeof(x).shape
    return F.reshape(x, shape=(*shape[:-2], shape[-1]))


def _of_lines(F: Any, x: Any, w: Any, groups: int, stride: Any, padding: Any,
              dilation: Any) -> Any:
    out = convolve(F, _plane(F, x), _plane(F, w), groups, stride=(1, *stride),
                   padding=(0, *padding), dilation=(1, *dilation))
    return _line(F, out)


def _of_images(F: Any, x: Any, w: Any, groups: int, stride: Any, padding: Any,
               dilation: Any) -> Any:
    return convolve(F, x, w, groups, stride=stride, padding=padding, dilation=dilation)


def _flat_weight(F: Any, w: Any) -> Any:
    """[O, C, KD, KH, KW] as [O, C KD, KH, KW]."""
    o, c, kd, kh, kw = F.typeof(w).shape
    return F.reshape(w, shape=(o, c * kd, kh, kw))


def _of_volumes(F: Any, x: Any, w: Any, groups: int, stride: Any, padding: Any,
                dilation: Any) -> Any:
    """The planes that one output plane meets stand as channels of one image."""
    n, c, d, h, wide = F.typeof(x).shape
    o, _, kd = F.typeof(w).shape[:3]
    (sd, *step), (pd, *sides), (dd, *apart) = stride, padding, dilation
    if pd:
        x = F.pad(x, low=(0, 0, pd, 0, 0), high=(0, 0, pd, 0, 0), value=0.0)
    od = (d + 2 * pd - dd * (kd - 1) - 1) // sd + 1
    planes = [F.slice(x, starts=(0, 0, k * dd, 0, 0),
                      stops=(n, c, k * dd + (od - 1) * sd + 1, h, wide), steps=(1, 1, sd, 1, 1))
              for k in range(kd)]
    stacked = F.concat(*(F.reshape(p, shape=(n, c, 1, od, h, wide)) for p in planes), dim=2)
    images = F.reshape(F.permute(stacked, dims=(0, 3, 1, 2, 4, 5)),
                       shape=(n * od, c * kd, h, wide))
    out = convolve(F, images, _flat_weight(F, w), groups, stride=tuple(step),
                   padding=tuple(sides), dilation=tuple(apart))
    oh, ow = F.typeof(out).shape[2:]
    return F.permute(F.reshape(out, shape=(n, od, o, oh, ow)), dims=(0, 2, 1, 3, 4))


_BY_RANK = {1: _of_lines, 2: _of_images, 3: _of_volumes}


# --- transposes --------------------------------------------------------------------------------
def _transposed(F: Any, name: str, n: int, input: Any, weight: Any, bias: Any, stride: Any,
                padding: Any, output_padding: Any, groups: int, dilation: Any) -> Any:
    g, single = _batched(F, name, input, n)
    w, shape = F.typeof(weight), F.typeof(g).shape
    if w.ndim != n + 2 or groups < 1 or w.shape[0] % groups or (
            type(shape[1]) is int and shape[1] != w.shape[0]):
        raise OpError(f"{name}: weights are [C, O / groups, {n} dims] with the channels of the "
                      f"input, got {w} and {F.typeof(g)} in {groups} groups")
    step, wide = tuple_of(stride, n, "stride"), tuple_of(dilation, n, "dilation")
    sides, more = tuple_of(padding, n, "padding"), tuple_of(output_padding, n, "output_padding")
    if any(m >= max(s, d) for m, s, d in zip(more, step, wide, strict=True)):
        raise OpError(f"{name}: output_padding is smaller than stride or dilation, got {more} "
                      f"with {step} and {wide}")
    whole = tuple((d - 1) * s + r * (k - 1) + 1
                  for d, s, r, k in zip(shape[2:], step, wide, w.shape[2:], strict=True))
    size = tuple(d - 2 * p + m for d, p, m in zip(whole, sides, more, strict=True))
    if all(m < s for m, s in zip(more, step, strict=True)):
        out = _TRANSPOSED[n](F, g, weight, groups, size, step, sides, wide)
    else:  # another window would fit: all of it, cut and filled up with zeros
        out = _TRANSPOSED[n](F, g, weight, groups, whole, step, (0,) * n, wide)
        high = (s - d + p for s, d, p in zip(size, whole, sides, strict=True))
        out = F.pad(out, low=(0, 0, *(-p for p in sides)), high=(0, 0, *high), value=0.0)
    if bias is not None:
        out = F.add(out, F.reshape(bias, shape=(w.shape[1] * groups,) + (1,) * n))
    return F.reshape(out, shape=F.typeof(out).shape[1:]) if single else out


def _lines_back(F: Any, g: Any, w: Any, groups: int, size: Any, stride: Any, padding: Any,
                dilation: Any) -> Any:
    out = F.conv2d_input(_plane(F, g), _plane(F, w), size=(1, *size), groups=groups,
                         stride=(1, *stride), padding=(0, *padding), dilation=(1, *dilation))
    return _line(F, out)


def _images_back(F: Any, g: Any, w: Any, groups: int, size: Any, stride: Any, padding: Any,
                 dilation: Any) -> Any:
    return F.conv2d_input(g, w, size=size, groups=groups, stride=stride, padding=padding,
                          dilation=dilation)


def _volumes_back(F: Any, g: Any, w: Any, groups: int, size: Any, stride: Any, padding: Any,
                  dilation: Any) -> Any:
    n, o, od, oh, ow = F.typeof(g).shape
    c, kd = F.typeof(w).shape[1] * groups, F.typeof(w).shape[2]
    (sd, *step), (pd, *sides), (dd, *apart) = stride, padding, dilation
    images = F.reshape(F.permute(g, dims=(0, 2, 1, 3, 4)), shape=(n * od, o, oh, ow))
    planes = F.conv2d_input(images, _flat_weight(F, w), size=tuple(size[1:]), groups=groups,
                            stride=tuple(step), padding=tuple(sides), dilation=tuple(apart))
    planes = F.reshape(planes, shape=(n, od, c, kd, *size[1:]))
    total = None
    for k in range(kd):
        part = F.slice(planes, starts=(0, 0, 0, k, 0, 0), stops=(n, od, c, k + 1, *size[1:]),
                       steps=(1,) * 6)
        part = F.permute(F.reshape(part, shape=(n, od, c, *size[1:])), dims=(0, 2, 1, 3, 4))
        if sd != 1:
            part = F.dilate(part, steps=(1, 1, sd, 1, 1))
        low = k * dd - pd
        high = size[0] - low - F.typeof(part).shape[2]
        part = F.pad(part, low=(0, 0, low, 0, 0), high=(0, 0, high, 0, 0), value=0.0)
        total = part if total is None else F.add(total, part)
    return total


_TRANSPOSED = {1: _lines_back, 2: _images_back, 3: _volumes_back}


# --- public ------------------------------------------------------------------------------------
def conv1d(F: Any, input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0,
           dilation: Any = 1, groups: int = 1) -> Any:
    """The cross-correlation of lines [N, C, L] with weights [O, C / groups, K]."""
    return _convolved(F, "conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(F: Any, input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0,
           dilation: Any = 1, groups: int = 1) -> Any:
    """The cross-correlation of images [N, C, H, W] with weights [O, C / groups, KH, KW].

    ``padding`` is a number, one each for height and width, ``"valid"`` or ``"same"``.
    """
    return _convolved(F, "conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


def conv3d(F: Any, input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0,
           dilation: Any = 1, groups: int = 1) -> Any:
    """The cross-correlation of volumes [N, C, D, H, W] with weights [O, C / groups, KD, KH, KW]."""
    return _convolved(F, "conv3d", 3, input, weight, bias, stride, padding, dilation, groups)


def conv_transpose1d(F: Any, input: Any, weight: Any, bias: Any = None, stride: Any = 1,
                     padding: Any = 0, output_padding: Any = 0, groups: int = 1,
                     dilation: Any = 1) -> Any:
    """The gradient of `conv1d` by its input, as a layer; weights [C, O / groups, K]."""
    return _transposed(F, "conv_transpose1d", 1, input, weight, bias, stride, padding,
                       output_padding, groups, dilation)


def conv_transpose2d(F: Any, input: Any, weight: Any, bias: Any = None, stride: Any = 1,
                     padding: Any = 0, output_padding: Any = 0, groups: int = 1,
                     dilation: Any = 1) -> Any:
    """The gradient of `conv2d` by its input, as a layer; weights [C, O / groups, KH, KW]."""
    return _transposed(F, "conv_transpose2d", 2, input, weight, bias, stride, padding,
                       output_padding, groups, dilation)


def conv_transpose3d(F: Any, input: Any, weight: Any, bias: Any = None, stride: Any = 1,
                     padding: Any = 0, output_padding: Any = 0, groups: int = 1,
                     dilation: Any = 1) -> Any:
    """The gradient of `conv3d` by its input, as a layer; weights [C, O / groups, KD, KH, KW]."""
    return _transposed(F, "conv_transpose3d", 3, input, weight, bias, stride, padding,
                       output_padding, groups, dilation)


# --- windows as columns ------------------------------------------------------------------------
def unfold(F: Any, input: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0,
           stride: Any = 1) -> Any:
    """Every window of images [N, C, H, W] as a column: [N, C KH KW, windows]."""
    x, single = _batched(F, "unfold", input, 2)
    kernel, wide = tuple_of(kernel_size, 2, "kernel_size"), tuple_of(dilation, 2, "dilation")
    side, step = tuple_of(padding, 2, "padding"), tuple_of(stride, 2, "stride")
    if any(side):
        x = F.pad(x, low=(0, 0, *side), high=(0, 0, *side), value=0.0)
    n, c, h, w = F.typeof(x).shape
    size = tuple((d - r * (k - 1) - 1) // s + 1
                 for d, r, k, s in zip((h, w), wide, kernel, step, strict=True))
    if any(type(d) is int and d < 1 for d in size):
        raise OpError(f"unfold: the window {kernel} does not fit into {F.typeof(input)}")
    places = []
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            y, z = i * wide[0], j * wide[1]
            part = F.slice(x, starts=(0, 0, y, z), stops=(
                n, c, y + (size[0] - 1) * step[0] + 1, z + (size[1] - 1) * step[1] + 1),
                steps=(1, 1, *step))
            places.append(F.reshape(part, shape=(n, c, 1, size[0] * size[1])))
    out = F.reshape(F.concat(*places, dim=2),
                    shape=(n, c * product(kernel), size[0] * size[1]))
    return F.reshape(out, shape=F.typeof(out).shape[1:]) if single else out


def fold(F: Any, input: Any, output_size: Any, kernel_size: Any, dilation: Any = 1,
         padding: Any = 0, stride: Any = 1) -> Any:
    """Columns [N, C KH KW, windows] added up to images [N, C, *output_size]: `unfold`'s adjoint."""
    t = F.typeof(input)
    single = t.ndim == 2
    x = F.reshape(input, shape=(1, *t.shape)) if single else input
    out_size, kernel = tuple_of(output_size, 2, "output_size"), tuple_of(kernel_size, 2,
                                                                         "kernel_size")
    wide, step = tuple_of(dilation, 2, "dilation"), tuple_of(stride, 2, "stride")
    side = tuple_of(padding, 2, "padding")
    n, columns, windows = F.typeof(x).shape
    size = tuple((d + 2 * p - r * (k - 1) - 1) // s + 1 for d, p, r, k, s in zip(
        out_size, side, wide, kernel, step, strict=True))
    if columns % product(kernel) or (type(windows) is int and windows != product(size)):
        raise OpError(f"fold: {t} are not {product(size)} windows {kernel} of images {out_size}")
    c = columns // product(kernel)
    whole = tuple(d + 2 * p for d, p in zip(out_size, side, strict=True))
    x = F.reshape(x, shape=(n, c, product(kernel), *size))
    total = None
    for k in range(product(kernel)):
        part = F.reshape(F.slice(x, starts=(0, 0, k, 0, 0), stops=(n, c, k + 1, *size),
                                 steps=(1,) * 5), shape=(n, c, *size))
        if step != (1, 1):
            part = F.dilate(part, steps=(1, 1, *step))
        at = (k // kernel[1] * wide[0], k % kernel[1] * wide[1])
        have = F.typeof(part).shape[2:]
        part = F.pad(part, low=(0, 0, *at), high=(0, 0, *(
            d - a - b for d, a, b in zip(whole, at, have, strict=True))), value=0.0)
        total = part if total is None else F.add(total, part)
    out = F.slice(total, starts=(0, 0, *side), stops=(
        n, c, *(p + d for p, d in zip(side, out_size, strict=True))), steps=(1,) * 4)
    return F.reshape(out, shape=F.typeof(out).shape[1:]) if single else out


FUNCTIONS = tuple(Composite(f.__name__, f, Spelling(("nn.functional",))) for f in (
    conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d, conv_transpose3d, unfold, fold))
