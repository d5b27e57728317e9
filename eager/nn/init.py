"""Initial values of parameters, drawn from the default stream (He et al., 2015; Glorot, 2010)."""

from __future__ import annotations

import math

from eager.engine import streams
from eager.engine.mode import no_grad
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError
from eager.ops.types import product

_GAINS = {"linear": 1.0, "conv2d": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2),
          "selu": 3 / 4}


def _fans(tensor: Tensor) -> tuple[int, int]:
    """Inputs and outputs of a weight [out, in, *window]."""
    if tensor.ndim < 2:
        raise OpError(f"a weight of at least 2 dims has fans, got {tensor.type}")
    window = product(tensor.shape[2:])
    return tensor.shape[1] * window, tensor.shape[0] * window


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The gain that keeps variance through a nonlinearity; ``param`` is leaky_relu's slope."""
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        return math.sqrt(2 / (1 + slope**2))
    if nonlinearity not in _GAINS:
        raise OpError(f"no gain is known for {nonlinearity!r}; there are {', '.join(_GAINS)} and "
                      f"leaky_relu")
    return _GAINS[nonlinearity]


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0) -> Tensor:
    """Uniform numbers in [a, b)."""
    with no_grad():
        return streams.uniform_(tensor, a, b)


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """Normal numbers of a mean and a standard deviation."""
    with no_grad():
        return streams.normal_(tensor, mean, std)


def constant_(tensor: Tensor, val: float) -> Tensor:
    """One value."""
    with no_grad():
        return tensor.fill_(val)


def zeros_(tensor: Tensor) -> Tensor:
    """Zeros."""
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """Ones."""
    return constant_(tensor, 1.0)


def _he(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    fan_in, fan_out = _fans(tensor)
    if mode not in ("fan_in", "fan_out"):
        raise OpError(f"mode is 'fan_in' or 'fan_out', got {mode!r}")
    return calculate_gain(nonlinearity, a) / math.sqrt(fan_in if mode == "fan_in" else fan_out)


def kaiming_uniform_(tensor: Tensor, a: float = 0, mode: str = "fan_in",
                     nonlinearity: str = "leaky_relu") -> Tensor:
    """Uniform numbers whose variance keeps that of the inputs (He et al.)."""
    bound = math.sqrt(3.0) * _he(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound)


def kaiming_normal_(tensor: Tensor, a: float = 0, mode: str = "fan_in",
                    nonlinearity: str = "leaky_relu") -> Tensor:
    """Normal numbers whose variance keeps that of the inputs (He et al.)."""
    return normal_(tensor, 0.0, _he(tensor, a, mode, nonlinearity))


def xavier_uniform_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Uniform numbers whose variance suits both directions (Glorot)."""
    bound = gain * math.sqrt(6.0 / sum(_fans(tensor)))
    return uniform_(tensor, -bound, bound)


def xavier_normal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Normal numbers whose variance suits both directions (Glorot)."""
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / sum(_fans(tensor))))
