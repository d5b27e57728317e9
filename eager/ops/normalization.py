"""Normalisation: values brought to mean 0 and variance 1 over some dims, then scaled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from eager.ops.composite import Composite
from eager.ops.errors import OpError
from eager.ops.moments import mean
from eager.ops.op import Spelling
from eager.ops.types import product


def batch_moments(F: Any, input: Any) -> tuple[Any, Any]:
    """The mean and the biased variance of each channel of [N, C, ...], both [C]."""
    n = F.typeof(input).ndim
    if n < 2:
        raise OpError(f"batch_norm: wants an input [N, C, ...], got {F.typeof(input)}")
    dims = (0, *range(2, n))
    centre = mean(F, input, dims, True)
    spread = mean(F, F.square(F.sub(input, centre)), dims)
    return F.reshape(centre, shape=F.typeof(spread).shape), spread


def batch_norm(F: Any, input: Any, running_mean: Any, running_var: Any, weight: Any = None,
               bias: Any = None, training: bool = False, momentum: float = 0.1,
               eps: float = 1e-05) -> Any:
    """Channels of [N, C, ...] brought to mean 0 and variance 1, then scaled and shifted.

    By the moments of the batch in training (or without running ones), else by the running ones.
    Those are not written: what updates them is the layer that owns them.
    """
    if training or running_mean is None:
        running_mean, running_var = batch_moments(F, input)
    n = F.typeof(input).ndim
    scale = F.rsqrt(F.add(running_var, eps))
    if weight is not None:
        scale = F.mul(scale, weight)
    out = F.mul(F.sub(input, _channels(F, running_mean, n)), _channels(F, scale, n))
    return out if bias is None else F.add(out, _channels(F, bias, n))


def _channels(F: Any, x: Any, ndim: int) -> Any:
    return F.reshape(x, shape=(F.typeof(x).shape[0],) + (1,) * (ndim - 2))


def layer_norm(F: Any, input: Any, normalized_shape: Sequence[int], weight: Any = None,
               bias: Any = None, eps: float = 1e-05) -> Any:
    """The last dims brought to mean 0 and variance 1, then scaled and shifted."""
    shape, want = F.typeof(input).shape, tuple(normalized_shape)
    if not want or shape[len(shape) - len(want):] != want:
        raise OpError(f"layer_norm: the last dims of {F.typeof(input)} are not {list(want)}")
    dims = tuple(range(len(shape) - len(want), len(shape)))
    centred = F.sub(input, mean(F, input, dims, True))
    spread = mean(F, F.square(centred), dims, True)
    out = F.mul(centred, F.rsqrt(F.add(spread, eps)))
    out = out if weight is None else F.mul(out, weight)
    return out if bias is None else F.add(out, bias)


def rms_norm(F: Any, input: Any, normalized_shape: Sequence[int], weight: Any = None,
             eps: float | None = None) -> Any:
    """The last dims over their root mean square, then scaled; ``eps`` is the dtype's if None."""
    if eps is None:
        eps = float(np.finfo(F.typeof(input).dtype.wide.numpy).eps)
    n, count = F.typeof(input).ndim, len(tuple(normalized_shape))
    power = mean(F, F.square(input), tuple(range(n - count, n)), True)
    out = F.mul(input, F.rsqrt(F.add(power, eps)))
    return out if weight is None else F.mul(out, weight)


def group_norm(F: Any, input: Any, num_groups: int, weight: Any = None, bias: Any = None,
               eps: float = 1e-05) -> Any:
    """Groups of channels of [N, C, ...] brought to mean 0 and variance 1."""
    shape = F.typeof(input).shape
    if len(shape) < 2 or shape[1] % num_groups:
        raise OpError(f"group_norm: {num_groups} groups do not divide the channels of "
                      f"{F.typeof(input)}")
    rest = product(shape[2:]) * (shape[1] // num_groups)
    flat = F.reshape(input, shape=(shape[0], num_groups, rest))
    out = F.reshape(layer_norm(F, flat, (rest,), eps=eps), shape=shape)
    n = len(shape)
    out = out if weight is None else F.mul(out, _channels(F, weight, n))
    return out if bias is None else F.add(out, _channels(F, bias, n))


def instance_norm(F: Any, input: Any, running_mean: Any = None, running_var: Any = None,
                  weight: Any = None, bias: Any = None, use_input_stats: bool = True,
                  momentum: float = 0.1, eps: float = 1e-05) -> Any:
    """Each channel of each element of [N, C, ...] brought to mean 0 and variance 1.

    By its own moments, or by the running ones; those are not written here: the layer does.
    """
    if not use_input_stats:
        return batch_norm(F, input, running_mean, running_var, weight, bias, False, momentum, eps)
    shape = F.typeof(input).shape
    if len(shape) < 3:
        raise OpError(f"instance_norm: wants an input [N, C, ...], got {F.typeof(input)}")
    return group_norm(F, input, shape[1], weight, bias, eps)


def local_response_norm(F: Any, input: Any, size: int, alpha: float = 1e-4, beta: float = 0.75,
                        k: float = 1.0) -> Any:
    """The input over ``(k + alpha mean of squares of near channels)^beta``, channels in dim 1.

    A. Krizhevsky et al., "ImageNet classification with deep convolutional networks" (2012).
    """
    t = F.typeof(input)
    if t.ndim < 3:
        raise OpError(f"local_response_norm: wants an input [N, C, ...], got {t}")
    n, c = t.shape[:2]
    rest = t.shape[2:]
    squares = F.reshape(F.square(input), shape=(n, c, product(rest)))
    low, high = size // 2, (size - 1) // 2
    padded = F.pad(squares, low=(0, low, 0), high=(0, high, 0), value=0.0)
    total = None
    for i in range(size):
        part = F.slice(padded, starts=(0, i, 0), stops=(n, i + c, product(rest)), steps=(1, 1, 1))
        total = part if total is None else F.add(total, part)
    scale = F.pow(F.add(F.mul(total, alpha / size), k), -beta)
    return F.mul(input, F.reshape(scale, shape=t.shape))


_NORMS = (batch_moments, batch_norm, layer_norm, rms_norm, group_norm, instance_norm,
          local_response_norm)
FUNCTIONS = tuple(Composite(f.__name__, f, Spelling(("nn.functional",))) for f in _NORMS)
