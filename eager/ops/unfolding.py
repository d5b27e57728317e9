"""Windows of images as NumPy arrays: what the forward columns of convolutions and pools share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from eager.ops.errors import OpError
from eager.ops.types import Dim

Pair = tuple[int, int]


def output_size(size: Dim, window: Dim, stride: int, padding: int, dilation: int) -> Dim:
    """How often a window fits: ``(size + 2 padding - dilation (window - 1) - 1) // stride + 1``."""
    return (size + 2 * padding - dilation * (window - 1) - 1) // stride + 1


def tuple_of(value: Any, count: int, name: str) -> tuple[int, ...]:
    """An int for all ``count`` dims, or one each."""
    if type(value) is int:
        return (value,) * count
    if isinstance(value, (tuple, list)) and len(value) in (1, count):
        return tuple(value) if len(value) == count else tuple(value) * count
    raise OpError(f"{name} is an int or {count} of them, got {value!r}")


def pair(value: Any, name: str) -> Pair:
    """An int for both dims, or one each."""
    first, second = tuple_of(value, 2, name)
    return first, second


def bordered(x: Any, padding: Any, fill: float) -> Any:
    """Images ``[..., H, W]`` with a border of ``fill``."""
    ph, pw = padding
    if not (ph or pw):
        return x
    h, w = x.shape[-2:]
    out = np.full((*x.shape[:-2], h + 2 * ph, w + 2 * pw), fill, x.dtype)
    out[..., ph:ph + h, pw:pw + w] = x
    return out


def shifts(kernel: Any, stride: Any, dilation: Any, size: Any) -> Iterator[tuple[Any, ...]]:
    """Index of the elements that each place of the window meets, in row-major order."""
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            y, x = i * dilation[0], j * dilation[1]
            yield (..., slice(y, y + (size[0] - 1) * stride[0] + 1, stride[0]),
                   slice(x, x + (size[1] - 1) * stride[1] + 1, stride[1]))


def patches(x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, size: Any) -> Any:
    """Every window as a column: ``[N, C, H, W]`` to ``[N, C, KH KW, OH OW]``."""
    x = bordered(x, padding, 0)
    n, c = x.shape[:2]
    out = np.empty((n, c, kernel[0] * kernel[1], *size), x.dtype)
    for k, at in enumerate(shifts(kernel, stride, dilation, size)):
        out[:, :, k] = x[at]
    return out.reshape(n, c, kernel[0] * kernel[1], -1)


def overlaid(columns: Any, shape: Any, kernel: Any, stride: Any, padding: Any, dilation: Any,
             size: Any) -> Any:
    """The adjoint of `patches`: columns ``[N, C, KH KW, OH OW]`` added up to ``[N, C, *shape]``."""
    n, c = columns.shape[:2]
    (h, w), (ph, pw) = shape, padding
    out = np.zeros((n, c, h + 2 * ph, w + 2 * pw), columns.dtype)
    columns = columns.reshape(n, c, -1, *size)
    for k, at in enumerate(shifts(kernel, stride, dilation, size)):
        out[at] += columns[:, :, k]
    return out[:, :, ph:ph + h, pw:pw + w]
