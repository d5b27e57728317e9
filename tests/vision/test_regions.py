"""Regions of feature maps and bent convolutions, against loops over samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eager
from eager.autograd import gradcheck
from eager.nn import functional as F
from eager.vision import ops

RNG = np.random.default_rng(5)
IMAGES = RNG.normal(size=(2, 4, 7, 6))
BOXES = [np.array([[0, 0, 5, 6.0], [1.3, 2.2, 9.5, 11.1], [-3, -2.5, 2, 1]]),
         np.array([[2, 2, 2.2, 2.1]])]
LISTED = [eager.tensor(b) for b in BOXES]
NUMBERED = eager.tensor(np.concatenate([np.c_[np.full(len(b), k), b]
                                        for k, b in enumerate(BOXES)]))


def _bilinear(image: Any, y: float, x: float) -> Any:
    height, width = image.shape[1:]
    if not (-1 <= y <= height and -1 <= x <= width):
        return np.zeros(len(image))
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    top, left = min(int(y), height - 2), min(int(x), width - 2)
    v, u = y - top, x - left
    return ((1 - v) * (1 - u) * image[:, top, left] + (1 - v) * u * image[:, top, left + 1]
            + v * (1 - u) * image[:, top + 1, left] + v * u * image[:, top + 1, left + 1])


def _aligned(image: Any, box: Any, size: Any, scale: float, ratio: int, aligned: bool) -> Any:
    x1, y1, x2, y2 = box * scale - (0.5 if aligned else 0)
    w, h = (x2 - x1, y2 - y1) if aligned else (max(x2 - x1, 1), max(y2 - y1, 1))
    bh, bw = h / size[0], w / size[1]
    gh, gw = (ratio, ratio) if ratio > 0 else (int(np.ceil(bh)), int(np.ceil(bw)))
    out = np.zeros((len(image), *size))
    for i, j in np.ndindex(*size):
        for a, b in np.ndindex(gh, gw):
            out[:, i, j] += _bilinear(image, y1 + i * bh + (a + 0.5) * bh / gh,
                                      x1 + j * bw + (b + 0.5) * bw / gw)
    return out / max(gh * gw, 1)


def _pooled(image: Any, box: Any, size: Any, scale: float) -> Any:
    x1, y1, x2, y2 = (int(np.floor(abs(v) + 0.5) * np.sign(v)) for v in box * scale)
    bh, bw = max(y2 - y1 + 1, 1) / size[0], max(x2 - x1 + 1, 1) / size[1]
    out = np.zeros((len(image), *size))
    for i, j in np.ndindex(*size):
        rows = slice(max(int(np.floor(i * bh)) + y1, 0), max(int(np.ceil((i + 1) * bh)) + y1, 0))
        columns = slice(max(int(np.floor(j * bw)) + x1, 0),
                        max(int(np.ceil((j + 1) * bw)) + x1, 0))
        part = image[:, rows, columns]
        out[:, i, j] = part.max((1, 2)) if part.size else 0
    return out


def _each(one: Any, *args: Any) -> Any:
    return np.stack([one(IMAGES[k], b, *args) for k, boxes in enumerate(BOXES) for b in boxes])


@pytest.mark.parametrize("ratio", [-1, 2])
@pytest.mark.parametrize("aligned", [False, True])
def test_roi_align(ratio: int, aligned: bool) -> None:
    x = eager.tensor(IMAGES, requires_grad=True)
    want = _each(_aligned, (3, 2), 0.7, ratio, aligned)
    for boxes in (LISTED, NUMBERED):
        got = ops.roi_align(x, boxes, (3, 2), 0.7, ratio, aligned)
        assert np.allclose(got.detach().numpy(), want)
    assert gradcheck(lambda x: ops.roi_align(x, LISTED, (3, 2), 0.7, ratio, aligned), (x,))
    layer = ops.RoIAlign((3, 2), 0.7, ratio, aligned)
    assert np.allclose(layer(x, LISTED).detach().numpy(), want)


def test_roi_pool() -> None:
    x = eager.tensor(IMAGES, requires_grad=True)
    assert np.allclose(ops.RoIPool((3, 2), 0.7)(x, LISTED).detach().numpy(),
                       _each(_pooled, (3, 2), 0.7))
    assert gradcheck(lambda x: ops.roi_pool(x, NUMBERED, (3, 2), 0.7), (x,))


def test_what_is_no_region_is_refused() -> None:
    with pytest.raises(eager.OpError, match=r"\[K, 5\]"):
        ops.roi_align(eager.tensor(IMAGES), eager.zeros(2, 4), 2)
    with pytest.raises(eager.OpError, match=r"\[N, C, H, W\]"):
        ops.roi_pool(eager.tensor(IMAGES[0]), NUMBERED, 2)


WEIGHT, BIAS = RNG.normal(size=(6, 2, 3, 2)), RNG.normal(size=6)
WINDOW = {"stride": (2, 3), "padding": (1, 1), "dilation": (1, 2)}
SIZE = (4, 2)


def test_unbent_windows_are_a_convolution() -> None:
    x, w, b = map(eager.tensor, (IMAGES, WEIGHT, BIAS))
    got = ops.deform_conv2d(x, eager.zeros(2, 24, *SIZE, dtype=eager.float64), w, b, **WINDOW)
    assert np.allclose(got.numpy(), F.conv2d(x, w, b, groups=2, **WINDOW).numpy())


def test_windows_bent_by_whole_pixels_and_masked() -> None:
    """One group moves one pixel down and two to the left, the other nowhere."""
    x, w = eager.tensor(IMAGES), eager.tensor(WEIGHT)
    offset = np.zeros((2, 2, 6, 2, *SIZE))
    offset[:, 0, :, 0], offset[:, 0, :, 1] = 1, -2
    mask = np.ones((2, 2, 6, *SIZE))
    mask[:, 1] = 0.5
    got = ops.deform_conv2d(x, eager.tensor(offset.reshape(2, 24, *SIZE)), w, **WINDOW,
                            mask=eager.tensor(mask.reshape(2, 12, *SIZE)))
    moved = np.zeros_like(IMAGES)
    moved[:, :2, :-1, 2:] = IMAGES[:, :2, 1:, :-2]
    moved[:, 2:] = IMAGES[:, 2:] / 2
    # the border that a window of the first group sees is moved too: compare inside
    want = F.conv2d(eager.tensor(moved), w, groups=2, **WINDOW).numpy()
    assert np.allclose(got.numpy()[:, 3:], want[:, 3:])
    assert np.allclose(got.numpy()[:, :3, 1:-1, 1:], want[:, :3, 1:-1, 1:])


def test_slopes_of_bent_windows() -> None:
    drawn = (IMAGES[:1], RNG.uniform(-1, 1, (1, 24, *SIZE)), WEIGHT,
             RNG.uniform(0, 1, (1, 12, *SIZE)))
    inputs = tuple(eager.tensor(v, requires_grad=True) for v in drawn)
    assert gradcheck(lambda x, o, w, m: ops.deform_conv2d(x, o, w, None, **WINDOW, mask=m), inputs)
    with pytest.raises(eager.OpError, match="offsets are"):
        ops.deform_conv2d(inputs[0], inputs[1][:, :-2], inputs[2], **WINDOW)
