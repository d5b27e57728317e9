"""Dropout in all its shapes: elements or whole channels left out at random."""

from __future__ import annotations

from typing import Any

from eager.engine.streams import drawn
from eager.engine.tensor import TAPED, Tensor
from eager.ops.errors import OpError
from eager.ops.types import F32

#: What SELU tends to where its argument is most negative: -scale * alpha (Klambauer et al.,
#: "Self-Normalizing Neural Networks", 2017).
_SATURATED = -1.7580993408473766


def _asked(name: str, p: float) -> None:
    if not 0 <= p <= 1:
        raise OpError(f"{name}: p is a probability, got {p}")


def _kept(shape: tuple[Any, ...], p: float, dtype: Any) -> Tensor:
    """1 where an element stays, with probability ``1 - p``, else 0."""
    u = drawn("uniform", shape, F32)
    kept: Tensor = TAPED.cast(TAPED.ge(u, float(p)), dtype=dtype)
    return kept


def _dropped(input: Tensor, shape: tuple[Any, ...], p: float, inplace: bool) -> Tensor:
    scale = 1.0 / (1.0 - p) if p < 1 else 0.0
    result: Tensor = TAPED.mul(input, TAPED.mul(_kept(shape, p, input.dtype), scale))
    return input.copy_(result) if inplace else result


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Each element 0 with probability ``p``, else over ``1 - p``; as it is unless ``training``."""
    _asked("dropout", p)
    if not training or p == 0:
        return input
    return _dropped(input, tuple(input.shape), p, inplace)


def _channels(input: Tensor, dims: int, name: str) -> tuple[Any, ...]:
    """The shape of one number a channel of [N, C, ...] or [C, ...] with ``dims`` dims inside."""
    if input.ndim not in (dims + 1, dims + 2):
        raise OpError(f"{name}: wants {dims + 1} or {dims + 2} dims, got {input.spec}")
    return tuple(input.shape[:input.ndim - dims]) + (1,) * dims


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True,
              inplace: bool = False) -> Tensor:
    """Each channel of [N, C, L] or [C, L] 0 with probability ``p``, else over ``1 - p``."""
    _asked("dropout1d", p)
    shape = _channels(input, 1, "dropout1d")
    return _dropped(input, shape, p, inplace) if training and p else input


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True,
              inplace: bool = False) -> Tensor:
    """Each channel of [N, C, H, W] or [C, H, W] 0 with probability ``p``, else over ``1 - p``."""
    _asked("dropout2d", p)
    shape = _channels(input, 2, "dropout2d")
    return _dropped(input, shape, p, inplace) if training and p else input


def dropout3d(input: Tensor, p: float = 0.5, training: bool = True,
              inplace: bool = False) -> Tensor:
    """Each channel of [N, C, D, H, W] or without N 0 with probability ``p``, else scaled."""
    _asked("dropout3d", p)
    shape = _channels(input, 3, "dropout3d")
    return _dropped(input, shape, p, inplace) if training and p else input


def _alpha(input: Tensor, shape: tuple[Any, ...], p: float, inplace: bool) -> Tensor:
    """Elements left out take SELU's saturated value; mean 0 and variance 1 stay."""
    if p == 1:
        result: Tensor = TAPED.mul(input, 0.0)
        return input.copy_(result) if inplace else result
    kept = _kept(shape, p, input.dtype)
    scale = ((1 - p) * (1 + p * _SATURATED ** 2)) ** -0.5
    filled = TAPED.mul(TAPED.sub(1.0, kept), _SATURATED)
    result = TAPED.add(TAPED.mul(TAPED.add(TAPED.mul(input, kept), filled), scale),
                       -scale * p * _SATURATED)
    return input.copy_(result) if inplace else result


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False,
                  inplace: bool = False) -> Tensor:
    """Dropout that keeps the mean and variance of SELU's self-normalizing networks."""
    _asked("alpha_dropout", p)
    return _alpha(input, tuple(input.shape), p, inplace) if training and p else input


def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False,
                          inplace: bool = False) -> Tensor:
    """`alpha_dropout` of whole channels of [N, C, ...]."""
    _asked("feature_alpha_dropout", p)
    if input.ndim < 2:
        raise OpError(f"feature_alpha_dropout: wants [N, C, ...], got {input.spec}")
    shape = tuple(input.shape[:2]) + (1,) * (input.ndim - 2)
    return _alpha(input, shape, p, inplace) if training and p else input


FUNCTIONS = (dropout, dropout1d, dropout2d, dropout3d, alpha_dropout, feature_alpha_dropout)
