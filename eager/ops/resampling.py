"""Lines, images and volumes at another size, each dim as a product with a matrix of weights."""

from __future__ import annotations

import math
from typing import Any

from eager.ops import pooling
from eager.ops.composite import Composite
from eager.ops.errors import OpError
from eager.ops.op import Spelling
from eager.ops.types import F32, F64, I64, product

#: How many spatial dims a mode has; None: any of 1 to 3.
_RANKS = {"nearest": None, "nearest-exact": None, "area": None, "linear": 1, "bilinear": 2,
          "bicubic": 2, "trilinear": 3}
_SMOOTH = ("linear", "bilinear", "bicubic", "trilinear")


# --- weights of one dim ------------------------------------------------------------------------
def _count(F: Any, size: Any, dtype: Any, column: bool = False) -> Any:
    numbers = F.iota(start=0, step=1, size=size, dtype=dtype)
    return F.reshape(numbers, shape=(size, 1)) if column else numbers


def _places(F: Any, size: Any, out: Any, scale: float, corners: bool, dtype: Any) -> Any:
    """Where the elements of the result lie in the input, [out, 1]."""
    at = _count(F, out, dtype, column=True)
    if corners:
        return F.mul(at, (size - 1) / (out - 1) if out > 1 else 0.0)
    return F.sub(F.mul(F.add(at, 0.5), scale), 0.5)


def cubic(F: Any, x: Any, a: float) -> Any:
    """The weight at distance ``x``: R. Keys, "Cubic convolution interpolation" (1981)."""
    x = F.abs(x)
    near = F.add(F.mul(F.mul(F.sub(F.mul(x, a + 2), a + 3), x), x), 1.0)
    far = F.mul(F.sub(F.mul(F.add(F.mul(F.sub(x, 5.0), x), 8.0), x), 4.0), a)
    nothing = F.mul(x, 0.0)
    return F.where(F.le(x, 1.0), near, F.where(F.lt(x, 2.0), far, nothing))


def _hat(F: Any, x: Any) -> Any:
    return F.relu(F.sub(1.0, F.abs(x)))


def _linear(F: Any, size: Any, out: Any, scale: float, corners: bool, dtype: Any) -> Any:
    at = _places(F, size, out, scale, corners, dtype)
    at = F.minimum(F.maximum(at, 0.0), size - 1)
    return _hat(F, F.sub(at, _count(F, size, dtype)))


def _cubic(F: Any, size: Any, out: Any, scale: float, corners: bool, dtype: Any) -> Any:
    at = _places(F, size, out, scale, corners, dtype)
    low, pixels = F.floor(at), _count(F, size, dtype)
    total: Any = None
    for k in (-1, 0, 1, 2):
        tap = F.add(low, float(k))
        weight = cubic(F, F.sub(at, tap), -0.75)
        met = F.eq(F.minimum(F.maximum(tap, 0.0), size - 1), pixels)
        part = F.mul(weight, F.cast(met, dtype=dtype))
        total = part if total is None else F.add(total, part)
    return total


def _smoothed(F: Any, mode: str, size: Any, out: Any, scale: float, corners: bool,
              dtype: Any) -> Any:
    """Weights as wide as the step where that is larger than 1, each row of sum 1."""
    if corners:
        scale = (size - 1) / (out - 1) if out > 1 else 0.0
    centre = F.mul(F.add(_count(F, out, dtype, column=True), 0.5), scale)
    apart = F.mul(F.sub(F.add(_count(F, size, dtype), 0.5), centre), 1.0 / max(scale, 1.0))
    weight = cubic(F, apart, -0.5) if mode == "bicubic" else _hat(F, apart)
    return F.div(weight, F.sum(weight, dims=(1,), keepdim=True))


def _weighted(F: Any, x: Any, dim: int, weight: Any) -> Any:
    """The elements along ``dim`` mixed by a matrix [out, size]."""
    shape = F.typeof(x).shape
    out, size = F.typeof(weight).shape
    before, after = shape[:dim], shape[dim + 1:]
    if not after:
        rows = F.reshape(x, shape=(product(before), size))
        mixed = F.matmul(rows, F.permute(weight, dims=(1, 0)))
    else:
        mixed = F.matmul(weight, F.reshape(x, shape=(product(before), size, product(after))))
    return F.reshape(mixed, shape=(*before, out, *after))


def _nearest(F: Any, x: Any, dim: int, out: Any, scale: float, exact: bool) -> Any:
    size = F.typeof(x).shape[dim]
    at = _count(F, out, F32)
    at = F.floor(F.mul(F.add(at, 0.5) if exact else at, scale))
    at = F.minimum(F.cast(at, dtype=I64), size - 1)
    return F.index_select(x, at, dim=dim)


# --- sizes -------------------------------------------------------------------------------------
def _sizes(F: Any, input: Any, size: Any, scale_factor: Any,
           recompute: bool | None) -> tuple[tuple[Any, ...], list[float]]:
    """The size of the result and how far apart its elements lie in the input."""
    spatial = F.typeof(input).shape[2:]
    n = len(spatial)
    if (size is None) == (scale_factor is None):
        raise OpError("interpolate: wants either size or scale_factor, got "
                      + ("both" if size is not None else "neither"))
    given = size if size is not None else scale_factor
    values = tuple(given) if isinstance(given, (tuple, list)) else (given,) * n
    if len(values) != n:
        raise OpError(f"interpolate: wants {n} numbers for {F.typeof(input)}, got {given!r}")
    if size is not None:
        if recompute:
            raise OpError("interpolate: recompute_scale_factor is for a scale_factor")
        wanted = values
    else:
        wanted = tuple(math.floor(d * s) for d, s in zip(spatial, values, strict=True))
    if any(d < 1 for d in (*wanted, *spatial)):
        raise OpError(f"interpolate: sizes are positive, got {list(spatial)} to {list(wanted)}")
    if size is not None or recompute:
        return wanted, [d / w for d, w in zip(spatial, wanted, strict=True)]
    return wanted, [1.0 / s for s in values]


def interpolate(F: Any, input: Any, size: Any = None, scale_factor: Any = None,
                mode: str = "nearest", align_corners: bool | None = None,
                recompute_scale_factor: bool | None = None, antialias: bool = False) -> Any:
    """Lines [N, C, L], images [N, C, H, W] or volumes at another ``size`` (or times a factor).

    ``mode``: ``nearest``, ``nearest-exact``, ``area``, ``linear`` (lines), ``bilinear`` and
    ``bicubic`` (images), ``trilinear`` (volumes).  ``align_corners`` puts the outer elements on
    each other; ``antialias`` widens the weights where the result is smaller.
    """
    t = F.typeof(input)
    if mode not in _RANKS:
        raise OpError(f"interpolate: mode is one of {', '.join(_RANKS)}, got {mode!r}")
    if t.ndim not in (3, 4, 5) or _RANKS[mode] not in (None, t.ndim - 2):
        raise OpError(f"interpolate: mode={mode!r} does not fit an input {t}")
    if align_corners is not None and mode not in _SMOOTH:
        raise OpError(f"interpolate: align_corners is for {', '.join(_SMOOTH)}, got {mode!r}")
    if antialias and mode not in ("bilinear", "bicubic"):
        raise OpError(f"interpolate: antialias is for bilinear and bicubic, got {mode!r}")
    wanted, scales = _sizes(F, input, size, scale_factor, recompute_scale_factor)
    if mode == "area":
        pool = (pooling.adaptive_avg_pool1d, pooling.adaptive_avg_pool2d,
                pooling.adaptive_avg_pool3d)[t.ndim - 3]
        return pool(F, input, wanted)
    for k, (out, scale) in enumerate(zip(wanted, scales, strict=True)):
        if mode in _SMOOTH:
            weight = _matrix(F, mode, t, k, out, scale, bool(align_corners), antialias)
            input = _weighted(F, input, k + 2, weight)
        else:
            input = _nearest(F, input, k + 2, out, scale, mode == "nearest-exact")
    return input


def _matrix(F: Any, mode: str, t: Any, k: int, out: Any, scale: float, corners: bool,
            antialias: bool) -> Any:
    dtype = F64 if t.dtype is F64 else F32
    size = t.shape[k + 2]
    if antialias:
        weight = _smoothed(F, mode, size, out, scale, corners, dtype)
    else:
        make = _cubic if mode == "bicubic" else _linear
        weight = make(F, size, out, scale, corners, dtype)
    return weight if t.dtype is dtype else F.cast(weight, dtype=t.dtype)


def upsample(F: Any, input: Any, size: Any = None, scale_factor: Any = None,
             mode: str = "nearest", align_corners: bool | None = None) -> Any:
    """`interpolate` under its old name."""
    return interpolate(F, input, size, scale_factor, mode, align_corners)


# --- pixels and channels -----------------------------------------------------------------------
def _blocks(F: Any, name: str, input: Any, factor: int, fits: bool) -> tuple[Any, ...]:
    t = F.typeof(input)
    if t.ndim < 3 or factor < 1 or not fits:
        raise OpError(f"{name}: a factor of {factor} does not fit an input {t} [..., C, H, W]")
    return tuple(range(t.ndim - 3))


def pixel_shuffle(F: Any, input: Any, upscale_factor: int) -> Any:
    """Channels as pixels: [..., C r^2, H, W] to [..., C, H r, W r]."""
    shape, r = F.typeof(input).shape, upscale_factor
    lead = _blocks(F, "pixel_shuffle", input, r,
                   len(shape) > 2 and r > 0 and shape[-3] % (r * r) == 0)
    c, h, w = shape[-3:]
    n = len(lead)
    apart = F.reshape(input, shape=(*shape[:-3], c // (r * r), r, r, h, w))
    mixed = F.permute(apart, dims=(*lead, n, n + 3, n + 1, n + 4, n + 2))
    return F.reshape(mixed, shape=(*shape[:-3], c // (r * r), h * r, w * r))


def pixel_unshuffle(F: Any, input: Any, downscale_factor: int) -> Any:
    """Pixels as channels: [..., C, H r, W r] to [..., C r^2, H, W]."""
    shape, r = F.typeof(input).shape, downscale_factor
    lead = _blocks(F, "pixel_unshuffle", input, r,
                   len(shape) > 2 and r > 0 and shape[-2] % r == 0 and shape[-1] % r == 0)
    c, h, w = shape[-3:]
    n = len(lead)
    apart = F.reshape(input, shape=(*shape[:-3], c, h // r, r, w // r, r))
    mixed = F.permute(apart, dims=(*lead, n, n + 2, n + 4, n + 1, n + 3))
    return F.reshape(mixed, shape=(*shape[:-3], c * r * r, h // r, w // r))


def channel_shuffle(F: Any, input: Any, groups: int) -> Any:
    """The channels of [N, C, ...] dealt out: one of each of the groups in turn."""
    shape = F.typeof(input).shape
    if len(shape) < 3 or groups < 1 or shape[1] % groups:
        raise OpError(f"channel_shuffle: {groups} groups do not divide the channels of "
                      f"{F.typeof(input)}")
    rest = product(shape[2:])
    apart = F.reshape(input, shape=(shape[0], groups, shape[1] // groups, rest))
    return F.reshape(F.permute(apart, dims=(0, 2, 1, 3)), shape=shape)


FUNCTIONS = (
    *(Composite(f.__name__, f, Spelling(("nn.functional",))) for f in (interpolate, upsample)),
    *(Composite(f.__name__, f, Spelling(("eager", "nn.functional")))
      for f in (pixel_shuffle, pixel_unshuffle, channel_shuffle)))
