"""Regions of feature maps brought to one size, and convolutions whose windows bend."""

from __future__ import annotations

from typing import Any

import numpy as np

import eager
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError
from eager.ops.unfolding import pair


def _rows(input: Tensor, name: str) -> Tensor:
    """Images [N, C, H, W] as one row of channels for each pixel: [N H W, C]."""
    if input.ndim != 4:
        raise OpError(f"{name}: images are [N, C, H, W], got {input.spec}")
    n, c, h, w = input.shape
    return input.permute(0, 2, 3, 1).reshape(n * h * w, c)


def _regions(name: str, boxes: Any, dtype: Any) -> tuple[Tensor, Tensor]:
    """Which image each region lies in, int64 [K], and its corners [K, 4]; not differentiated."""
    if isinstance(boxes, (list, tuple)):
        if any(b.ndim != 2 or b.shape[1] != 4 for b in boxes):
            raise OpError(f"{name}: a list of boxes has one [L, 4] for each image")
        image = np.repeat(np.arange(len(boxes)), [b.shape[0] for b in boxes])
        return eager.tensor(image), eager.cat([b.detach().to(dtype) for b in boxes], 0)
    if boxes.ndim != 2 or boxes.shape[1] != 5:
        raise OpError(f"{name}: boxes are [K, 5], the number of the image first, or a list of "
                      f"[L, 4], got {boxes.spec}")
    flat = boxes.detach()
    return flat[:, 0].to(eager.int64), flat[:, 1:].to(dtype)


# --- reading between pixels --------------------------------------------------------------------
def _ends(at: Tensor, size: int, border: bool) -> list[tuple[Tensor, Tensor]]:
    """The two pixels next to positions along one dim, and the weight of each.

    With ``border`` positions to one pixel outside see the outermost pixel, and those further out
    nothing; without it what lies outside is 0.
    """
    if border:
        seen = ((at >= -1) & (at <= size)).to(at.dtype)
        at = at.clamp(0, size - 1)
    low = at.detach().floor()
    part = at - low
    ends = []
    for pixel, weight in ((low, 1 - part), (low + 1, part)):
        inside = (pixel >= 0) & (pixel <= size - 1)
        weight = weight * (seen if border else inside.to(at.dtype))
        ends.append((pixel.clamp(0, size - 1).to(eager.int64), weight))
    return ends


def _read(rows: Tensor, base: Tensor, y: Tensor, x: Tensor, size: tuple[int, int],
          border: bool) -> Tensor:
    """Bilinear values at positions of one shape, as [*shape, C]; ``base`` is the first row."""
    total: Any = None
    columns = _ends(x, size[1], border)
    for line, down in _ends(y, size[0], border):
        for column, along in columns:
            at = base + line * size[1] + column
            got = rows.index_select(0, at.reshape(-1)).reshape(*at.shape, rows.shape[1])
            part = got * (down * along).unsqueeze(-1)
            total = part if total is None else total + part
    result: Tensor = total
    return result


# --- regions of one size -----------------------------------------------------------------------
def _samples(count: Tensor, bins: int, start: Tensor, bin_size: Tensor) -> tuple[Tensor, Tensor]:
    """Positions [K, bins, S] of up to S samples of each bin and which of them count [K, 1, S]."""
    most = max(int(count.max().item()), 1) if count.numel() else 1
    place = eager.arange(most, dtype=start.dtype)
    number = count.to(start.dtype).reshape(-1, 1, 1)
    cell = eager.arange(bins, dtype=start.dtype).reshape(1, -1, 1)
    step = bin_size.reshape(-1, 1, 1)
    at = start.reshape(-1, 1, 1) + cell * step + (place + 0.5) * step / number.clamp(min=1)
    return at, (place < number).to(start.dtype)


def roi_align(input: Tensor, boxes: Any, output_size: Any, spatial_scale: float = 1.0,
              sampling_ratio: int = -1, aligned: bool = False) -> Tensor:
    """The mean of bilinear samples in each of PH x PW bins of regions: [K, C, PH, PW].

    K. He et al., "Mask R-CNN" (2017).  ``boxes`` are [K, 5], the number of the image of ``input``
    [N, C, H, W] first, or a list of [L, 4]; they have no gradient.  A bin has ``sampling_ratio``
    squared samples, or as many as it has pixels.  ``aligned`` moves boxes by half a pixel.
    """
    height, width = pair(output_size, "output_size")
    rows = _rows(input, "roi_align")
    image, b = _regions("roi_align", boxes, input.dtype)
    corners = b * spatial_scale - (0.5 if aligned else 0.0)
    size = corners[:, 2:] - corners[:, :2]
    if not aligned:
        size = size.clamp(min=1.0)
    axes = []
    for column, bins in ((1, height), (0, width)):
        step = size[:, column] / bins
        count = (eager.full(step.shape, sampling_ratio) if sampling_ratio > 0
                 else step.ceil().clamp(min=0)).to(eager.int64)
        axes.append((*_samples(count, bins, corners[:, column], step), count))
    (y, rows_count, down), (x, columns_count, along) = axes
    k, h, w = b.shape[0], input.shape[2], input.shape[3]
    full = (k, height, y.shape[2], width, x.shape[2])
    shown = _read(rows, (image * (h * w)).reshape(k, 1, 1, 1, 1),
                  y.reshape(k, height, -1, 1, 1).expand(full),
                  x.reshape(k, 1, 1, width, -1).expand(full), (h, w), True)
    counts = rows_count.reshape(k, 1, -1, 1, 1) * columns_count.reshape(k, 1, 1, 1, -1)
    total = (shown * counts.unsqueeze(-1)).sum((2, 4))
    number = (down * along).clamp(min=1).to(input.dtype).reshape(k, 1, 1, 1)
    return (total / number).permute(0, 3, 1, 2)


def _rounded(x: Tensor) -> Tensor:
    """To the nearest integer, halves away from 0."""
    return x.sign() * (x.abs() + 0.5).floor()


def _bins(start: Tensor, end: Tensor, bins: int, size: int) -> tuple[Tensor, Tensor]:
    """First pixels and ends [K, bins] of the whole pixels that each bin touches."""
    step = ((end - start + 1).clamp(min=1) / bins).unsqueeze(1)
    cell = eager.arange(bins, dtype=start.dtype)
    low = (cell * step).floor() + start.unsqueeze(1)
    high = ((cell + 1) * step).ceil() + start.unsqueeze(1)
    return low.clamp(0, size).to(eager.int64), high.clamp(0, size).to(eager.int64)


def roi_pool(input: Tensor, boxes: Any, output_size: Any, spatial_scale: float = 1.0) -> Tensor:
    """The largest pixel in each of PH x PW bins of regions, 0 in empty ones: [K, C, PH, PW].

    R. Girshick, "Fast R-CNN" (2015).  ``boxes`` as for `roi_align`, to the nearest pixel.
    """
    height, width = pair(output_size, "output_size")
    rows = _rows(input, "roi_pool")
    image, b = _regions("roi_pool", boxes, input.dtype)
    corners = _rounded(b * spatial_scale)
    h, w = input.shape[2:]
    places, insides = [], []
    for column, bins, size in ((1, height, h), (0, width, w)):
        low, high = _bins(corners[:, column], corners[:, column + 2], bins, size)
        most = max(int((high - low).max().item()), 1) if low.numel() else 1
        at = low.unsqueeze(2) + eager.arange(most)
        places.append(at.clamp(max=size - 1))
        insides.append(at < high.unsqueeze(2))
    (y, x), k = places, b.shape[0]
    at = ((image * (h * w)).reshape(k, 1, 1, 1, 1)
          + y.reshape(k, height, 1, -1, 1) * w + x.reshape(k, 1, width, 1, x.shape[2]))
    inside = (insides[0].reshape(k, height, 1, -1, 1)
              & insides[1].reshape(k, 1, width, 1, x.shape[2]))
    count = y.shape[2] * x.shape[2]
    shown = rows.index_select(0, at.reshape(-1)).reshape(k, height, width, count, -1)
    inside = inside.reshape(k, height, width, count, 1)
    best = shown.masked_fill(~inside, -float("inf")).max(3).values
    result: Tensor = best.masked_fill(~inside.any(3), 0.0).permute(0, 3, 1, 2)
    return result


# --- bent windows ------------------------------------------------------------------------------
def deform_conv2d(input: Tensor, offset: Tensor, weight: Tensor, bias: Tensor | None = None,
                  stride: Any = (1, 1), padding: Any = (0, 0), dilation: Any = (1, 1),
                  mask: Tensor | None = None) -> Tensor:
    """A convolution whose every sample is moved by ``offset`` and, if given, scaled by ``mask``.

    Images [N, C, H, W], weights [O, C / groups, KH, KW], offsets [N, 2 G KH KW, OH, OW] as pairs
    (down, along) for each of G groups of channels, masks [N, G KH KW, OH, OW].  X. Zhu et al.,
    "Deformable ConvNets v2" (2019).
    """
    n, c, h, w = input.shape
    o, per_group, kh, kw = weight.shape
    (sh, sw), (ph, pw), (dh, dw) = (pair(v, name) for v, name in (
        (stride, "stride"), (padding, "padding"), (dilation, "dilation")))
    size = ((h + 2 * ph - dh * (kh - 1) - 1) // sh + 1, (w + 2 * pw - dw * (kw - 1) - 1) // sw + 1)
    bent, places = offset.shape[1] // (2 * kh * kw), kh * kw
    if (bent < 1 or c % per_group or c % bent
            or tuple(offset.shape) != (n, 2 * bent * places, *size)):
        raise OpError(f"deform_conv2d: offsets are [{n}, 2 G {places}, {size[0]}, {size[1]}] where "
                      f"G divides {c} channels, got {offset.spec}")
    if mask is not None and tuple(mask.shape) != (n, bent * places, *size):
        raise OpError(f"deform_conv2d: the mask is {[n, bent * places, *size]}, got {mask.spec}")
    moved = offset.reshape(n, bent, places, 2, *size)
    window = eager.arange(places)
    y = ((eager.arange(size[0]) * sh - ph).reshape(1, 1, 1, -1, 1)
         + (window // kw * dh).reshape(1, 1, -1, 1, 1)).to(input.dtype) + moved[:, :, :, 0]
    x = ((eager.arange(size[1]) * sw - pw).reshape(1, 1, 1, 1, -1)
         + (window % kw * dw).reshape(1, 1, -1, 1, 1)).to(input.dtype) + moved[:, :, :, 1]
    rows = _rows(input.reshape(n * bent, c // bent, h, w), "deform_conv2d")
    base = (eager.arange(n * bent) * (h * w)).reshape(n, bent, 1, 1, 1)
    seen = _read(rows, base, y, x, (h, w), False)
    if mask is not None:
        seen = seen * mask.reshape(n, bent, places, *size, 1)
    groups = c // per_group
    columns = seen.permute(0, 1, 5, 2, 3, 4).reshape(n, groups, per_group * places, -1)
    out = weight.reshape(groups, o // groups, per_group * places) @ columns
    out = out.reshape(n, o, *size)
    return out if bias is None else out + bias.reshape(-1, 1, 1)
