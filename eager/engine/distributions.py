"""Random numbers of named distributions: functions, and methods that fill a tensor.

Each is made of uniform or normal numbers by its inverse distribution function (L. Devroye,
"Non-Uniform Random Variate Generation", 1986, chapter II.2), so it traces and compiles; those that
read their operand say so.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from eager.engine.creation import _shape
from eager.engine.mode import mode_set
from eager.engine.streams import Generator, drawn, whole_numbers
from eager.engine.tensor import TAPED, Tensor
from eager.ops.errors import OpError
from eager.ops.types import F32, F64, broadcast_shapes


def _positive(name: str, what: str, value: float) -> None:
    if not value > 0:
        raise OpError(f"{name}: {what} is positive, got {value}")


# --- functions ---------------------------------------------------------------------------------
def normal(mean: Any, std: Any = 1.0, size: Any = None, *, generator: Generator | None = None,
           dtype: Any = None, layout: Any = None, device: Any = None,
           requires_grad: bool = False, pin_memory: bool = False) -> Tensor:
    """Normal numbers of a mean and a standard deviation: tensors, or numbers beside a ``size``."""
    tensors = [t for t in (mean, std) if isinstance(t, Tensor)]
    if size is None and not tensors:
        raise OpError("normal: of two numbers a size is wanted")
    if type(std) in (int, float) and std < 0:
        raise OpError(f"normal: std is not negative, got {std}")
    shape = _shape((size,)) if size is not None else broadcast_shapes(
        *(tuple(t.shape) for t in tensors))
    kind = dtype or (tensors[0].dtype if tensors else F32)
    z = drawn("normal", shape, kind, False, generator, layout=layout, device=device,
              pin_memory=pin_memory)
    with mode_set(grad=False):
        result: Tensor = TAPED.add(TAPED.mul(z, std), mean)
    return result.requires_grad_() if requires_grad else result


def bernoulli(input: Tensor, p: float | None = None, *,
              generator: Generator | None = None) -> Tensor:
    """1 with the probability that each element of ``input`` (or ``p``) gives, else 0."""
    u = drawn("uniform", tuple(input.shape), F64 if input.dtype is F64 else F32, False, generator)
    chance = input.detach() if p is None else float(p)
    if p is None and input.dtype.kind != "f":
        raise OpError(f"bernoulli: probabilities are floating, got {input.spec}")
    hit: Tensor = TAPED.cast(TAPED.lt(u, chance), dtype=input.dtype)
    return hit


def poisson(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Counts of the Poisson distribution whose rate each element gives; the rates are read."""
    rates = np.asarray(input.detach()._read("poisson"), np.float64)
    if rates.size and not rates.min() >= 0:
        raise OpError("poisson: rates are not negative")
    counts = _numpy_stream("poisson", generator).poisson(rates)
    return Tensor(np.asarray(counts).astype(input.dtype.numpy))


def _numpy_stream(name: str, generator: Generator | None) -> np.random.Generator:
    """A NumPy generator of its own, keyed by the next number of the stream."""
    word = drawn("uniform", (1,), F64, False, generator)._read(name)
    return np.random.Generator(np.random.Philox(key=int(word[0] * 2 ** 53)))


def multinomial(input: Tensor, num_samples: int, replacement: bool = False, *,
                generator: Generator | None = None) -> Tensor:
    """Positions drawn by the weights in each row, which need not add up to 1 and are read."""
    if input.ndim not in (1, 2) or input.dtype.kind != "f":
        raise OpError(f"multinomial: wants floating weights in one or two dims, got {input.spec}")
    weights = np.asarray(input.detach()._read("multinomial"), np.float64)
    rows = np.atleast_2d(weights)
    if not np.all(np.isfinite(rows)) or np.any(rows < 0):
        raise OpError("multinomial: weights are finite and not negative")
    if np.any(rows.sum(1) <= 0):
        raise OpError("multinomial: the weights of a row add up to 0")
    if num_samples < 1:
        raise OpError(f"multinomial: the number of samples is positive, got {num_samples}")
    if not replacement and num_samples > np.count_nonzero(rows, 1).min():
        raise OpError(f"multinomial: {num_samples} samples of "
                      f"{np.count_nonzero(rows, 1).min()} positive weights without replacement")
    found = _with(rows, num_samples, generator) if replacement else _without(
        rows, num_samples, generator)
    return Tensor(found.reshape(*weights.shape[:-1], num_samples))


def _with(rows: Any, count: int, generator: Generator | None) -> Any:
    u = drawn("uniform", (len(rows), count), F64, False, generator)._read("multinomial")
    totals = np.cumsum(rows, 1)
    return np.stack([np.searchsorted(t, x * t[-1], "right")
                     for t, x in zip(totals, u, strict=True)])


def _without(rows: Any, count: int, generator: Generator | None) -> Any:
    """The order of exponential arrival times at these rates."""
    u = drawn("uniform", rows.shape, F64, False, generator)._read("multinomial")
    with np.errstate(divide="ignore", invalid="ignore"):
        times = np.where(rows > 0, -np.log1p(-u) / rows, np.inf)
    return np.argsort(times, 1, kind="stable")[:, :count]


# --- methods that fill -------------------------------------------------------------------------
def _uniform(tensor: Tensor, generator: Generator | None, name: str) -> Tensor:
    if tensor.dtype.kind != "f":
        raise OpError(f"{name}: wants a floating tensor, this is {tensor.spec}")
    return drawn("uniform", tuple(tensor.shape), tensor.dtype, False, generator)


def uniform_(tensor: Tensor, low: float = 0.0, high: float = 1.0, *,
             generator: Generator | None = None) -> Tensor:
    """Fill with numbers from [low, high)."""
    if not low <= high:
        raise OpError(f"uniform_: wants low <= high, got {low} and {high}")
    u = _uniform(tensor, generator, "uniform_")
    return tensor.copy_(TAPED.add(TAPED.mul(u, high - low), low))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, *,
            generator: Generator | None = None) -> Tensor:
    """Fill with numbers of the normal distribution."""
    if std < 0:
        raise OpError(f"normal_: std is not negative, got {std}")
    z = drawn("normal", tuple(tensor.shape), tensor.dtype, False, generator)
    return tensor.copy_(TAPED.add(TAPED.mul(z, std), mean))


def log_normal_(tensor: Tensor, mean: float = 1.0, std: float = 2.0, *,
                generator: Generator | None = None) -> Tensor:
    """Fill with numbers whose logarithms are normal."""
    _positive("log_normal_", "std", std)
    z = drawn("normal", tuple(tensor.shape), tensor.dtype, False, generator)
    return tensor.copy_(TAPED.exp(TAPED.add(TAPED.mul(z, std), mean)))


def exponential_(tensor: Tensor, lambd: float = 1.0, *,
                 generator: Generator | None = None) -> Tensor:
    """Fill with numbers of density ``lambd * exp(-lambd * x)``."""
    _positive("exponential_", "lambd", lambd)
    u = _uniform(tensor, generator, "exponential_")
    return tensor.copy_(TAPED.mul(TAPED.log1p(TAPED.neg(u)), -1.0 / lambd))


def cauchy_(tensor: Tensor, median: float = 0.0, sigma: float = 1.0, *,
            generator: Generator | None = None) -> Tensor:
    """Fill with numbers of the Cauchy distribution."""
    _positive("cauchy_", "sigma", sigma)
    angle = TAPED.mul(TAPED.sub(_uniform(tensor, generator, "cauchy_"), 0.5), math.pi)
    slope = TAPED.div(TAPED.sin(angle), TAPED.cos(angle))
    return tensor.copy_(TAPED.add(TAPED.mul(slope, sigma), median))


def geometric_(tensor: Tensor, p: float, *, generator: Generator | None = None) -> Tensor:
    """Fill with the number of trials, of probability ``p`` each, until one succeeds."""
    if not 0 < p < 1:
        raise OpError(f"geometric_: p lies between 0 and 1, got {p}")
    u = drawn("uniform", tuple(tensor.shape), F64, False, generator)
    trials = TAPED.ceil(TAPED.mul(TAPED.log1p(TAPED.neg(u)), 1.0 / math.log1p(-p)))
    return tensor.copy_(TAPED.maximum(trials, 1.0).to(tensor.dtype))


def bernoulli_(tensor: Tensor, p: Any = 0.5, *, generator: Generator | None = None) -> Tensor:
    """Fill with 1 with probability ``p`` (a number, or a tensor of this shape), else 0."""
    if not isinstance(p, Tensor) and not 0 <= p <= 1:
        raise OpError(f"bernoulli_: p is a probability, got {p}")
    u = drawn("uniform", tuple(tensor.shape), F64, False, generator)
    return tensor.copy_(TAPED.cast(TAPED.lt(u, p), dtype=tensor.dtype))


#: The largest integers that floating dtypes tell apart from their neighbours, by bits.
_EXACT = {"f16": 2 ** 11, "bf16": 2 ** 8, "f32": 2 ** 24, "f64": 2 ** 53}


def random_(tensor: Tensor, low: int = 0, high: int | None = None, *,
            generator: Generator | None = None) -> Tensor:
    """Fill with integers of [low, high): of one number below it, of none all the dtype holds.

    At most 2**53 of them are told apart.
    """
    if high is None and low:
        low, high = 0, low
    if high is None:
        kind = tensor.dtype
        high = 2 if kind.kind == "b" else (
            _EXACT[kind.name] + 1 if kind.kind == "f" else min(int(np.iinfo(kind.numpy).max),
                                                               2 ** 53))
    return tensor.copy_(whole_numbers(low, high, tuple(tensor.shape), generator).to(tensor.dtype))
