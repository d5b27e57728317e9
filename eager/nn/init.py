"""Initial values of parameters, in place, drawn from the default stream or from ``generator``."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import numpy as np

from eager.engine import distributions, streams
from eager.engine.mode import no_grad
from eager.engine.streams import Generator
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError
from eager.ops.types import product

_GAINS = {**dict.fromkeys(("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d",
                           "conv_transpose2d", "conv_transpose3d", "sigmoid"), 1.0),
          "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}


def _fans(tensor: Tensor) -> tuple[int, int]:
    """Inputs and outputs of a weight [out, in, *window]."""
    if tensor.ndim < 2:
        raise OpError(f"fan in and fan out can not be computed for a tensor with fewer than 2 "
                      f"dimensions: a weight of at least 2 dims has fans, got {tensor.spec}")
    window = product(tensor.shape[2:])
    return tensor.shape[1] * window, tensor.shape[0] * window


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The gain that keeps variance through a nonlinearity; ``param`` is leaky_relu's slope."""
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            raise OpError(f"negative_slope {slope!r} is not a valid number")
        return math.sqrt(2 / (1 + slope**2))
    if nonlinearity not in _GAINS:
        raise OpError(f"no gain is known for {nonlinearity!r}; there are {', '.join(_GAINS)} and "
                      f"leaky_relu")
    return _GAINS[nonlinearity]


# --- one distribution --------------------------------------------------------------------------
def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0,
             generator: Generator | None = None) -> Tensor:
    """Uniform numbers in [a, b)."""
    with no_grad():
        return distributions.uniform_(tensor, a, b, generator=generator)


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0,
            generator: Generator | None = None) -> Tensor:
    """Normal numbers of a mean and a standard deviation."""
    with no_grad():
        return distributions.normal_(tensor, mean, std, generator=generator)


def trunc_normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0,
                  b: float = 2.0, generator: Generator | None = None) -> Tensor:
    """Normal numbers, of which only those in [a, b] come: uniform ones through the inverse of
    the distribution function (Burkardt, The truncated normal distribution, 2014).
    """
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn("mean is more than 2 std from [a, b] in nn.init.trunc_normal_; the "
                      "distribution of values may be incorrect", stacklevel=2)
    low, high = (math.erf((edge - mean) / std / math.sqrt(2)) for edge in (a, b))
    with no_grad():
        distributions.uniform_(tensor, low, high, generator=generator)
        values = tensor.erfinv() * (std * math.sqrt(2)) + mean
        return tensor.copy_(values.clamp(a, b))


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


# --- the identity ------------------------------------------------------------------------------
def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix, or its upper left or left part."""
    if tensor.ndim != 2:
        raise OpError(f"eye_: only tensors with 2 dimensions are supported, got {tensor.spec}")
    with no_grad():
        return tensor.copy_(Tensor(np.eye(*tensor.shape)))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """A convolution's weight that passes as many channels as it can through, in each group."""
    if tensor.ndim not in (3, 4, 5):
        raise OpError(f"dirac_: only tensors with 3, 4, or 5 dimensions are supported, got "
                      f"{tensor.spec}")
    out = tensor.shape[0]
    if out % groups:
        raise OpError(f"dirac_: dim 0 must be divisible by groups, got {out} and {groups}")
    values = np.zeros(tensor.shape)
    middle = tuple(n // 2 for n in tensor.shape[2:])
    for group in range(groups):
        for k in range(min(out // groups, tensor.shape[1])):
            values[(group * (out // groups) + k, k, *middle)] = 1
    with no_grad():
        return tensor.copy_(Tensor(values))


# --- variance that suits a layer ---------------------------------------------------------------
def _he(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    """The standard deviation of He et al., Delving deep into rectifiers (2015)."""
    if mode not in ("fan_in", "fan_out"):
        raise OpError(f"mode is 'fan_in' or 'fan_out', got {mode!r}")
    fan_in, fan_out = _fans(tensor)
    return calculate_gain(nonlinearity, a) / math.sqrt(fan_in if mode == "fan_in" else fan_out)


def _is_empty(tensor: Tensor) -> bool:
    if 0 in tensor.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
        return True
    return False


def kaiming_uniform_(tensor: Tensor, a: float = 0, mode: str = "fan_in",
                     nonlinearity: str = "leaky_relu",
                     generator: Generator | None = None) -> Tensor:
    """Uniform numbers whose variance keeps that of the inputs (He et al., 2015)."""
    if _is_empty(tensor):
        return tensor
    bound = math.sqrt(3.0) * _he(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(tensor: Tensor, a: float = 0, mode: str = "fan_in",
                    nonlinearity: str = "leaky_relu",
                    generator: Generator | None = None) -> Tensor:
    """Normal numbers whose variance keeps that of the inputs (He et al., 2015)."""
    if _is_empty(tensor):
        return tensor
    return normal_(tensor, 0.0, _he(tensor, a, mode, nonlinearity), generator)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0,
                    generator: Generator | None = None) -> Tensor:
    """Uniform numbers whose variance suits both directions (Glorot and Bengio, 2010)."""
    bound = gain * math.sqrt(6.0 / sum(_fans(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0,
                   generator: Generator | None = None) -> Tensor:
    """Normal numbers whose variance suits both directions (Glorot and Bengio, 2010)."""
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / sum(_fans(tensor))), generator)


# --- whole matrices ----------------------------------------------------------------------------
def orthogonal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """``gain`` times a matrix [d0, d1 * ...] with orthonormal rows or columns (Saxe et al., 2013).

    It is the Q of a normal matrix; with the signs of R's diagonal, all such are equally likely.
    """
    if tensor.ndim < 2:
        raise OpError(f"orthogonal_: only tensors with 2 or more dimensions are supported, got "
                      f"{tensor.spec}")
    if 0 in tensor.shape:
        return tensor
    rows, columns = tensor.shape[0], product(tensor.shape[1:])
    drawn = streams.randn(rows, columns, dtype="float64", generator=generator)
    flat = drawn._read("orthogonal_")
    q, r = np.linalg.qr(flat.T if rows < columns else flat)
    q = q * np.sign(np.diagonal(r))
    with no_grad():
        return tensor.copy_(Tensor(gain * (q.T if rows < columns else q).reshape(tensor.shape)))


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01,
            generator: Generator | None = None) -> Tensor:
    """Normal numbers, of which the given part of each column is 0 (Martens, 2010)."""
    if tensor.ndim != 2:
        raise OpError(f"sparse_: only tensors with 2 dimensions are supported, got {tensor.spec}")
    rows, columns = tensor.shape
    gone = math.ceil(sparsity * rows)
    normal_(tensor, 0.0, std, generator)
    keys = streams.rand(rows, columns, dtype="float64", generator=generator)._read("sparse_")
    absent = np.argsort(np.argsort(keys, 0), 0) < gone
    with no_grad():
        result: Tensor = tensor.masked_fill_(Tensor(absent), 0.0)
    return result


# --- older names -------------------------------------------------------------------------------
def _older(name: str, new: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def old(*args: object, **kwargs: object) -> Tensor:
        warnings.warn(f"nn.init.{name} is now deprecated in favor of nn.init.{name}_.",
                      FutureWarning, stacklevel=2)
        return new(*args, **kwargs)

    old.__name__ = old.__qualname__ = name
    old.__doc__ = f"The older name of `{name}_`."
    return old


uniform = _older("uniform", uniform_)
normal = _older("normal", normal_)
constant = _older("constant", constant_)
eye = _older("eye", eye_)
dirac = _older("dirac", dirac_)
xavier_uniform = _older("xavier_uniform", xavier_uniform_)
xavier_normal = _older("xavier_normal", xavier_normal_)
kaiming_uniform = _older("kaiming_uniform", kaiming_uniform_)
kaiming_normal = _older("kaiming_normal", kaiming_normal_)
orthogonal = _older("orthogonal", orthogonal_)
sparse = _older("sparse", sparse_)
