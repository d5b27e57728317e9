"""Images and volumes read at the positions of a grid, and grids of affine maps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product as combinations
from typing import Any

from eager.ops.composite import Composite
from eager.ops.errors import OpError
from eager.ops.op import Spelling
from eager.ops.resampling import cubic
from eager.ops.shapes import region
from eager.ops.types import I64, product

_MODES = ("bilinear", "nearest", "bicubic")
_PADDINGS = ("zeros", "border", "reflection")


# --- positions ---------------------------------------------------------------------------------
def _clipped(F: Any, at: Any, size: Any) -> Any:
    return F.minimum(F.maximum(at, 0.0), float(size - 1))


def _reflected(F: Any, at: Any, size: Any, corners: bool) -> Any:
    """Positions mirrored at the outer pixels, or at their outer edges."""
    low, span = (0.0, float(size - 1)) if corners else (-0.5, float(size))
    if span == 0:
        return F.mul(at, 0.0)
    at = F.remainder(F.sub(at, low), 2 * span)
    return F.add(F.minimum(at, F.sub(2 * span, at)), low)


def _inside(F: Any, at: Any, size: Any, padding: str, corners: bool) -> Any:
    """Where a position outside looks instead."""
    if padding == "border":
        return _clipped(F, at, size)
    if padding == "reflection":
        return _clipped(F, _reflected(F, at, size, corners), size)
    return at


def _taps(F: Any, at: Any, size: Any, mode: str, padding: str,
          corners: bool) -> list[tuple[Any, Any]]:
    """The pixels that a position reads along one dim, and the weight of each."""
    if mode == "bicubic":
        low = F.floor(at)
        found = []
        for k in (-1, 0, 1, 2):
            tap = F.add(low, float(k))
            found.append((_inside(F, tap, size, padding, corners),
                          cubic(F, F.sub(at, tap), -0.75)))
        return found
    at = _inside(F, at, size, padding, corners)
    if mode == "nearest":
        return [(F.round(at), None)]
    low = F.floor(at)
    part = F.sub(at, low)
    return [(low, F.sub(1.0, part)), (F.add(low, 1.0), part)]


def _kept(F: Any, pixel: Any, weight: Any, size: Any, dtype: Any) -> tuple[Any, Any]:
    """The pixel as a number of a row, and its weight, 0 outside."""
    inside = F.cast(F.logical_and(F.ge(pixel, 0.0), F.le(pixel, float(size - 1))), dtype=dtype)
    number = F.cast(_clipped(F, pixel, size), dtype=I64)
    return number, inside if weight is None else F.mul(weight, inside)


# --- public ------------------------------------------------------------------------------------
def grid_sample(F: Any, input: Any, grid: Any, mode: str = "bilinear",
                padding_mode: str = "zeros", align_corners: bool | None = None) -> Any:
    """Images [N, C, H, W] at a grid [N, OH, OW, 2] of (x, y), or volumes at (x, y, z).

    -1 and 1 are the outer pixels' centres with ``align_corners``, else their outer edges.  What
    lies outside is 0, or the nearest pixel (``border``), or mirrored (``reflection``).
    """
    x, g = F.typeof(input), F.typeof(grid)
    n = x.ndim - 2
    if x.ndim not in (4, 5) or g.ndim != x.ndim or g.shape[-1] != n or g.shape[0] != x.shape[0]:
        raise OpError(f"grid_sample: wants images [N, C, H, W] and a grid [N, OH, OW, 2], or "
                      f"volumes and a grid of 3 numbers, got {x} and {g}")
    if mode not in _MODES or (mode == "bicubic" and n == 3):
        raise OpError(f"grid_sample: mode is one of {', '.join(_MODES)} (bicubic: of images), "
                      f"got {mode!r}")
    if padding_mode not in _PADDINGS:
        raise OpError(f"grid_sample: padding_mode is one of {', '.join(_PADDINGS)}, got "
                      f"{padding_mode!r}")
    if x.dtype is not g.dtype:
        raise OpError(f"grid_sample: input and grid have one dtype, got {x} and {g}")
    size, corners = x.shape[2:], bool(align_corners)
    axes = []
    for k, d in enumerate(size):
        at = F.reshape(region(F, grid, n + 1, n - 1 - k, n - k), shape=g.shape[:-1])
        at = (F.mul(F.add(at, 1.0), (d - 1) / 2) if corners
              else F.mul(F.sub(F.mul(F.add(at, 1.0), float(d)), 1.0), 0.5))
        axes.append([_kept(F, pixel, weight, d, x.dtype)
                     for pixel, weight in _taps(F, at, d, mode, padding_mode, corners)])
    return _read(F, input, axes, g.shape[1:-1])


def _read(F: Any, input: Any, axes: Sequence[Any], out: Sequence[Any]) -> Any:
    """The weighted sum of what the taps of all dims meet."""
    n, c, *size = F.typeof(input).shape
    flat = F.reshape(input, shape=(n, c, product(size)))
    count = product(out)
    total: Any = None
    for taps in combinations(*axes):
        place: Any = None
        weight: Any = None
        for d, (number, share) in zip(size, taps, strict=True):
            place = number if place is None else F.add(F.mul(place, d), number)
            weight = share if weight is None else F.mul(weight, share)
        index = F.broadcast_to(F.reshape(place, shape=(n, 1, count)), shape=(n, c, count))
        part = F.mul(F.gather(flat, index, dim=2), F.reshape(weight, shape=(n, 1, count)))
        total = part if total is None else F.add(total, part)
    return F.reshape(total, shape=(n, c, *out))


def affine_grid(F: Any, theta: Any, size: Sequence[Any], align_corners: bool | None = None) -> Any:
    """The grid of maps [N, 2, 3] for images of ``size`` (N, C, H, W), or [N, 3, 4] for volumes.

    [N, H, W, 2] of (x, y), as `grid_sample` wants it.
    """
    t, sizes = F.typeof(theta), tuple(size)
    n = len(sizes) - 2
    if n not in (2, 3) or t.shape != (sizes[0], n, n + 1):
        raise OpError(f"affine_grid: wants maps [N, 2, 3] and a size of 4 numbers, or [N, 3, 4] "
                      f"and 5, got {t} and {list(sizes)}")
    spatial = sizes[2:]
    columns = []
    for k in reversed(range(n)):
        d = spatial[k]
        at = F.cast(F.iota(start=0, step=1, size=d, dtype=I64), dtype=t.dtype)
        at = (F.sub(F.mul(at, 2 / (d - 1) if d > 1 else 0.0), 1.0 if d > 1 else 0.0)
              if align_corners else F.sub(F.mul(F.add(at, 0.5), 2 / d), 1.0))
        line = F.reshape(at, shape=(1,) * k + (d,) + (1,) * (n - 1 - k))
        columns.append(F.reshape(F.broadcast_to(line, shape=spatial), shape=(product(spatial), 1)))
    columns.append(F.full(shape=(product(spatial), 1), value=1.0, dtype=t.dtype))
    base = F.concat(*columns, dim=1)
    grid = F.matmul(base, F.permute(theta, dims=(0, 2, 1)))
    return F.reshape(grid, shape=(sizes[0], *spatial, n))


FUNCTIONS = tuple(Composite(f.__name__, f, Spelling(("nn.functional",)))
                  for f in (grid_sample, affine_grid))
