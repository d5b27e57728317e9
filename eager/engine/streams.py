"""Random streams: a state tensor that every draw reads and then advances in place.

A draw is an op on the state followed by a write to it, so whoever records ops and writes
sees both, and a compiled program goes on where the eager one stopped.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from eager.engine.creation import _shape
from eager.engine.dispatch import apply
from eager.engine.inplace import write
from eager.engine.mode import mode_set
from eager.engine.tensor import TAPED, Tensor
from eager.ops.creation import check_placement
from eager.ops.errors import OpError
from eager.ops.randoms import halves_of
from eager.ops.table import TABLE
from eager.ops.types import C128, F32, F64, I64, DType, as_dtype, product

#: torch's own seed of a generator that nobody seeded.
FIRST_SEED = 67280421310721


class Generator:
    """A stream of random numbers: Philox4x64-10, whose ``state`` is i64[3] (keys, position)."""

    def __init__(self, device: Any = "cpu") -> None:
        check_placement(device)
        self.state = Tensor(np.array([FIRST_SEED, 0, 0], np.int64))

    def manual_seed(self, seed: int) -> Generator:
        """Start the stream of ``seed`` (any int; taken modulo 2**64)."""
        key = np.array([seed & (2**64 - 1)], np.uint64).view(np.int64)[0]
        fresh = Tensor(np.array([key, 0, 0], np.int64))
        write(self.state, lambda old: fresh, "manual_seed")
        return self

    def seed(self) -> int:
        """Start a stream that nobody can foresee; its seed is returned."""
        number = int.from_bytes(os.urandom(8), "little")
        self.manual_seed(number)
        return number

    @property
    def device(self) -> str:
        return "cpu"

    def clone_state(self) -> Generator:
        """A generator of its own that goes on from the same state."""
        return Generator().set_state(self.state)

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

#: In a `seeded` block: its seed, and its stream once something was drawn.
_SEEDED: ContextVar[list[Any] | None] = ContextVar("seeded stream", default=None)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """A block (of this thread) that draws from a stream of its own instead of the default one."""
    token = _SEEDED.set([seed, None])
    try:
        yield
    finally:
        _SEEDED.reset(token)


def _present() -> Generator:
    """The stream of the block, or the default one."""
    held = _SEEDED.get()
    if held is None:
        return default_generator
    if held[1] is None:
        held[1] = Generator().manual_seed(held[0])
    stream: Generator = held[1]
    return stream


def manual_seed(seed: int) -> Generator:
    """Start the default stream anew from ``seed``."""
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Start the default stream anew from a number that nobody can foresee, which is returned."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed the default stream was started with."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """A copy of the state of the default stream: int64, not torch's bytes."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Let the default stream go on from a state that `get_rng_state` gave."""
    default_generator.set_state(new_state)


@contextmanager
def fork_rng(devices: Any = None, enabled: bool = True,
             device_type: str = "cpu") -> Iterator[None]:
    """A block after which the default stream goes on as if the block had drawn nothing."""
    state = get_rng_state() if enabled else None
    try:
        yield
    finally:
        if state is not None:
            set_rng_state(state)


# --- numbers in a shape ------------------------------------------------------------------------
def drawn(distribution: str, shape: tuple[Any, ...], dtype: Any = None,
          requires_grad: bool = False, generator: Generator | None = None,
          **placement: Any) -> Tensor:
    """``uniform`` or ``normal`` numbers of any floating (or complex) dtype."""
    check_placement(**placement)
    kind = F32 if dtype is None else as_dtype(dtype)
    if kind.kind not in "fc":
        raise OpError(f"random numbers are floating or complex, not {kind.public}")
    stream = generator or _present()
    if kind.kind == "c":
        part = F64 if kind is C128 else F32
        x, y = (stream.draw(distribution, shape, part) for _ in range(2))
        result: Tensor = TAPED.complex(x, y)
        if distribution == "normal":  # of variance 1 in all
            result = TAPED.mul(result, 0.5 ** 0.5)
    else:
        result = stream.draw(distribution, shape, kind.wide)
        result = result if kind is kind.wide else TAPED.cast(result, dtype=kind)
    return result.requires_grad_() if requires_grad else result


def rand(*size: Any, generator: Generator | None = None, dtype: Any = None, layout: Any = None,
         device: Any = None, requires_grad: bool = False, pin_memory: bool = False) -> Tensor:
    """Numbers from [0, 1), all equally likely."""
    return drawn("uniform", _shape(size), dtype, requires_grad, generator, layout=layout,
                 device=device, pin_memory=pin_memory)


def randn(*size: Any, generator: Generator | None = None, dtype: Any = None, layout: Any = None,
          device: Any = None, requires_grad: bool = False, pin_memory: bool = False) -> Tensor:
    """Numbers of the standard normal distribution."""
    return drawn("normal", _shape(size), dtype, requires_grad, generator, layout=layout,
                 device=device, pin_memory=pin_memory)


def rand_like(input: Tensor, *, dtype: Any = None, layout: Any = None, device: Any = None,
              requires_grad: bool = False, memory_format: Any = None,
              generator: Generator | None = None) -> Tensor:
    """`rand` in the shape (and dtype) of ``input``."""
    return drawn("uniform", tuple(input.shape), dtype or input.dtype, requires_grad, generator,
                 layout=layout, device=device, memory_format=memory_format)


def randn_like(input: Tensor, *, dtype: Any = None, layout: Any = None, device: Any = None,
               requires_grad: bool = False, memory_format: Any = None,
               generator: Generator | None = None) -> Tensor:
    """`randn` in the shape (and dtype) of ``input``."""
    return drawn("normal", tuple(input.shape), dtype or input.dtype, requires_grad, generator,
                 layout=layout, device=device, memory_format=memory_format)


def randint(low: int, high: Any = None, size: Any = None, *, generator: Generator | None = None,
            dtype: Any = None, layout: Any = None, device: Any = None,
            requires_grad: bool = False, pin_memory: bool = False) -> Tensor:
    """Integers from ``low`` (0 if only ``high`` is given) up to but not including ``high``.

    At most 2**53 of them are told apart.
    """
    check_placement(device, layout, pin_memory)
    if size is None:
        low, high, size = 0, low, high
    if high is None:
        low, high = 0, low
    if not isinstance(size, (tuple, list)):
        raise OpError(f"randint: size is a tuple, got {size!r}")
    result = whole_numbers(low, high, _shape((size,)), generator).to(dtype or I64)
    return result.requires_grad_() if requires_grad else result


def whole_numbers(low: int, high: int, shape: Sequence[Any],
                  generator: Generator | None = None) -> Tensor:
    """Integers of [low, high) as int64."""
    if not low < high:
        raise OpError(f"randint: nothing lies in [{low}, {high})")
    u = drawn("uniform", tuple(shape), F64, False, generator)
    whole = TAPED.cast(TAPED.floor(TAPED.mul(u, float(high - low))), dtype=I64)
    return TAPED.add(whole, low)  # type: ignore[no-any-return]


def randint_like(input: Tensor, low: int, high: int | None = None, *, dtype: Any = None,
                 layout: Any = None, device: Any = None, requires_grad: bool = False,
                 memory_format: Any = None) -> Tensor:
    """`randint` in the shape (and dtype) of ``input``."""
    check_placement(device, layout, memory_format=memory_format)
    if high is None:
        low, high = 0, low
    result = whole_numbers(low, high, tuple(input.shape)).to(dtype or input.dtype)
    return result.requires_grad_() if requires_grad else result


def randperm(n: int, *, generator: Generator | None = None, dtype: Any = None,
             layout: Any = None, device: Any = None, requires_grad: bool = False,
             pin_memory: bool = False) -> Tensor:
    """The integers below ``n`` in random order; reads data, so it cannot be traced."""
    check_placement(device, layout, pin_memory)
    keys = drawn("uniform", _shape((n,)), F64, False, generator)
    order = np.argsort(keys._read("randperm"), kind="stable")
    return Tensor(order.astype(as_dtype(dtype or I64).numpy, copy=False), requires_grad)
