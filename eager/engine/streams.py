"""Random streams: a state tensor that every draw reads and then advances in place.

A draw is an op on the state followed by a write to it, so whoever records ops and writes
sees both, and a compiled program goes on where the eager one stopped.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from eager.engine.creation import _shape
from eager.engine.dispatch import apply
from eager.engine.inplace import write
from eager.engine.mode import mode_set
from eager.engine.tensor import TAPED, Tensor
from eager.ops.errors import OpError
from eager.ops.randoms import halves_of
from eager.ops.table import TABLE
from eager.ops.types import F32, F64, I64, DType, as_dtype, product

#: torch's own seed of a generator that nobody seeded.
FIRST_SEED = 67280421310721


class Generator:
    """A stream of random numbers: Philox4x64-10, whose ``state`` is i64[3] (keys, position)."""

    def __init__(self, device: str = "cpu") -> None:
        if device != "cpu":
            raise OpError(f"generators live on 'cpu', not {device!r}")
        self.state = Tensor(np.array([FIRST_SEED, 0, 0], np.int64))

    def manual_seed(self, seed: int) -> Generator:
        """Start the stream of ``seed`` (any int; taken modulo 2**64)."""
        key = np.array([seed & (2**64 - 1)], np.uint64).view(np.int64)[0]
        fresh = Tensor(np.array([key, 0, 0], np.int64))
        write(self.state, lambda old: fresh, "manual_seed")
        return self

    def initial_seed(self) -> int:
        """The seed this stream was started with."""
        return int(self.state.numpy()[:1].view(np.uint64)[0])

    def get_state(self) -> Tensor:
        """A copy of the state."""
        return self.state.clone()

    def set_state(self, state: Tensor) -> Generator:
        """Go on from a state that `get_state` gave."""
        self.state.copy_(state)
        return self

    def draw(self, distribution: str, shape: tuple[Any, ...], dtype: DType = F32) -> Tensor:
        """``uniform`` numbers in [0, 1) or ``normal`` ones, and advance the stream past them."""
        with mode_set(grad=False):
            drawn = apply(TABLE[f"rand_{distribution}"], (self.state,),
                          {"shape": shape, "dtype": dtype})
            count = halves_of(product(shape), dtype)
            write(self.state, lambda old: apply(TABLE["rand_advance"], (old,), {"count": count}),
                  "a random draw")
        return drawn


default_generator = Generator()


def manual_seed(seed: int) -> Generator:
    """Start the default stream anew from ``seed``."""
    return default_generator.manual_seed(seed)


def _drawn(distribution: str, shape: tuple[Any, ...], dtype: Any, requires_grad: bool,
           generator: Generator | None) -> Tensor:
    kind = F32 if dtype is None else as_dtype(dtype)
    result = (generator or default_generator).draw(distribution, shape, kind)
    return result.requires_grad_() if requires_grad else result


def rand(*size: Any, dtype: Any = None, requires_grad: bool = False,
         generator: Generator | None = None) -> Tensor:
    """Numbers from [0, 1), all equally likely."""
    return _drawn("uniform", _shape(size), dtype, requires_grad, generator)


def randn(*size: Any, dtype: Any = None, requires_grad: bool = False,
          generator: Generator | None = None) -> Tensor:
    """Numbers of the standard normal distribution."""
    return _drawn("normal", _shape(size), dtype, requires_grad, generator)


def rand_like(input: Tensor, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """`rand` in the shape (and dtype) of ``input``."""
    return _drawn("uniform", tuple(input.shape), dtype or input.dtype, requires_grad, None)


def randn_like(input: Tensor, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """`randn` in the shape (and dtype) of ``input``."""
    return _drawn("normal", tuple(input.shape), dtype or input.dtype, requires_grad, None)


def randint(low: int, high: Any = None, size: Any = None, *, dtype: Any = None,
            generator: Generator | None = None) -> Tensor:
    """Integers from ``low`` (0 if only ``high`` is given) up to but not including ``high``.

    At most 2**53 of them are told apart.
    """
    if size is None:
        low, high, size = 0, low, high
    if not isinstance(size, (tuple, list)):
        raise OpError(f"randint: size is a tuple, got {size!r}")
    if not low < high:
        raise OpError(f"randint: nothing lies in [{low}, {high})")
    u = _drawn("uniform", _shape((size,)), F64, False, generator)
    whole = TAPED.cast(TAPED.floor(TAPED.mul(u, float(high - low))), dtype=I64)
    return TAPED.add(whole, low).to(dtype or I64)  # type: ignore[no-any-return]


def randperm(n: int, *, dtype: Any = None, generator: Generator | None = None) -> Tensor:
    """The integers below ``n`` in random order; reads data, so it cannot be traced."""
    keys = _drawn("uniform", _shape((n,)), F64, False, generator)
    order = np.argsort(keys._read("randperm"), kind="stable")
    return Tensor(order.astype(as_dtype(dtype or I64).numpy, copy=False))


def bernoulli(input: Tensor, *, generator: Generator | None = None) -> Tensor:
    """1 with the probability that each element of ``input`` gives, else 0."""
    u = _drawn("uniform", tuple(input.shape), input.dtype, False, generator)
    return TAPED.cast(TAPED.lt(u, input.detach()), dtype=input.dtype)  # type: ignore[no-any-return]


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Each element 0 with probability ``p``, else over ``1 - p``; as it is unless ``training``."""
    if not 0 <= p <= 1:
        raise OpError(f"dropout: p is a probability, got {p}")
    if not training or p == 0:
        return input
    u = _drawn("uniform", tuple(input.shape), F32, False, None)
    kept = TAPED.cast(TAPED.ge(u, float(p)), dtype=input.dtype)
    scale = 1.0 / (1.0 - p) if p < 1 else 0.0
    result: Tensor = TAPED.mul(input, TAPED.mul(kept, scale))
    return input.copy_(result) if inplace else result


def uniform_(tensor: Tensor, low: float = 0.0, high: float = 1.0, *,
             generator: Generator | None = None) -> Tensor:
    """Fill with numbers from [low, high)."""
    u = _drawn("uniform", tuple(tensor.shape), tensor.dtype, False, generator)
    return tensor.copy_(TAPED.add(TAPED.mul(u, high - low), low))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, *,
            generator: Generator | None = None) -> Tensor:
    """Fill with numbers of the normal distribution."""
    z = _drawn("normal", tuple(tensor.shape), tensor.dtype, False, generator)
    return tensor.copy_(TAPED.add(TAPED.mul(z, std), mean))
