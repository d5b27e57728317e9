"""Random streams: a state tensor that every draw reads and then moves on."""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np

from eager.engine.creation import full
from eager.engine.dispatch import apply
from eager.engine.inplace import write
from eager.engine.mode import MODE
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError
from eager.ops.philox import blocks
from eager.ops.table import TABLE
from eager.ops.types import F32, F64, I64, DType, as_dtype, product


class Generator:
    """A stream of random numbers (Philox4x64-10); its ``state`` is an ``int64[3]`` tensor."""

    def __init__(self, device: str = "cpu") -> None:
        if device != "cpu":
            raise OpError(f"a Generator lives on 'cpu', got {device!r}")
        self.state = Tensor(np.zeros(3, np.int64))
        self.manual_seed(0)

    def manual_seed(self, seed: int) -> Generator:
        """Start the stream that belongs to ``seed``."""
        low = int(seed) & 0xFFFFFFFFFFFFFFFF
        words = np.array([low, 0x5DEECE66D, 0], np.uint64).view(np.int64)
        self.set_state(Tensor(words))
        return self

    def seed(self) -> int:
        """Start at a random place; the seed is returned."""
        seed = secrets.randbits(63)
        self.manual_seed(seed)
        return seed

    def initial_seed(self) -> int:
        return int(self.state.numpy()[:1].view(np.uint64)[0])

    def get_state(self) -> Tensor:
        """A copy of the state."""
        return self.state.clone()

    def set_state(self, state: Tensor) -> Generator:
        """Continue where ``get_state`` was taken."""
        self.state.copy_(state)
        return self

    def draw(self, name: str, shape: tuple[Any, ...], dtype: DType) -> Tensor:
        """The next numbers: ``rand_uniform`` or ``rand_normal`` of a shape."""
        drawn = apply(TABLE[name], (self.state,), {"shape": shape, "dtype": dtype})
        count = blocks(product(shape), name == "rand_normal" or dtype is F64)
        state = self.state
        if MODE.get().recorder is None:
            state._array[2] += count
            return drawn
        write(state, lambda old: apply(TABLE["rand_advance"], (old,), {"count": count}),
              "random draw")
        return drawn


DEFAULT = Generator()


def manual_seed(seed: int) -> Generator:
    """Start the default stream that belongs to ``seed``."""
    return DEFAULT.manual_seed(seed)


def _size(size: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = tuple(size[0])
    for d in size:
        if not hasattr(d, "__dim__") and (not isinstance(d, (int, np.integer)) or d < 0):
            raise OpError(f"a size is made of ints that are not negative, got {size!r}")
    return tuple(d if hasattr(d, "__dim__") else int(d) for d in size)


def _floating(dtype: Any) -> DType:
    kind = F32 if dtype is None else as_dtype(dtype)
    if kind.kind != "f":
        raise OpError(f"random numbers are floating, got {kind.public}")
    return kind


def rand(*size: Any, generator: Generator | None = None, dtype: Any = None,
         requires_grad: bool = False) -> Tensor:
    """Uniform numbers in [0, 1)."""
    t = (generator or DEFAULT).draw("rand_uniform", _size(size), _floating(dtype))
    return t.requires_grad_() if requires_grad else t


def randn(*size: Any, generator: Generator | None = None, dtype: Any = None,
          requires_grad: bool = False) -> Tensor:
    """Standard normal numbers."""
    t = (generator or DEFAULT).draw("rand_normal", _size(size), _floating(dtype))
    return t.requires_grad_() if requires_grad else t


def randint(low: int, high: Any = None, size: Any = None, *, generator: Generator | None = None,
            dtype: Any = None) -> Tensor:
    """Integers in [low, high), or [0, low) if ``high`` is a size."""
    if size is None:
        low, high, size = 0, low, high
    if not high > low:
        raise OpError(f"randint: high must be above low, got [{low}, {high})")
    unit = (generator or DEFAULT).draw("rand_uniform", _size((size,)), F64)
    return (unit * float(high - low)).floor().to(I64).add(low).to(as_dtype(dtype or I64))


def randperm(n: int, *, generator: Generator | None = None) -> Tensor:
    """The numbers below ``n`` in random order."""
    keys = (generator or DEFAULT).draw("rand_uniform", (n,), F64)
    return Tensor(np.argsort(keys.numpy(), kind="stable"))


def rand_like(input: Tensor, *, dtype: Any = None) -> Tensor:
    """Uniform numbers of the shape and dtype of ``input``."""
    return rand(*input.shape, dtype=dtype or input.dtype)


def randn_like(input: Tensor, *, dtype: Any = None) -> Tensor:
    """Standard normal numbers of the shape and dtype of ``input``."""
    return randn(*input.shape, dtype=dtype or input.dtype)


def bernoulli(input: Tensor, *, generator: Generator | None = None) -> Tensor:
    """1 with the probability that each element gives, else 0."""
    drawn = (generator or DEFAULT).draw("rand_uniform", tuple(input.shape), input.dtype)
    return (drawn < input).to(input.dtype)


def dropout(input: Tensor, p: float = 0.5, training: bool = True,
            inplace: bool = False) -> Tensor:
    """Zero elements with probability ``p`` and scale the rest by 1 / (1 - p), while training."""
    if not 0 <= p <= 1:
        raise OpError(f"dropout: p is a probability, got {p}")
    if not training or p == 0:
        return input
    if p == 1:
        kept = input * full((), 0.0, dtype=input.dtype)
    else:
        drawn = DEFAULT.draw("rand_uniform", tuple(input.shape), input.dtype)
        kept = input * ((drawn >= p).to(input.dtype) * (1.0 / (1.0 - p)))
    return input.copy_(kept) if inplace else kept
