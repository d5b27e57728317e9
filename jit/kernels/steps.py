"""What a program does, before it is printed: kernels, and the driver's steps that call them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from eager.ops.types import U8, DType, Type
from jit.dims import to_index
from jit.graph import Node, Value
from jit.kernels.index import Index, Var, product


@dataclass(frozen=True)
class Kernel:
    """One compiled function ``name(buffers..., sizes..., [err], lo, hi)``.

    ``aliases``: a buffer may be written through one parameter and read through another.
    """

    name: str
    source: str
    buffers: tuple[DType, ...]
    sizes: tuple[str, ...] = ()
    reports: bool = False
    aliases: bool = False
    granule: int = 1


@dataclass(frozen=True, eq=False)
class Scratch:
    """Memory that only one step, or the steps of one node, need."""

    name: str
    dtype: DType
    elements: Index


@dataclass(frozen=True, eq=False)
class Weights:
    """A constant of the weights blob in another layout than the value's own."""

    value: Value
    packing: str


#: What has an address at run time.
Memory = Value | Scratch | Weights


NO_OFFSET = Index(())


@dataclass(frozen=True)
class Pointer:
    """An address: an element of a memory; ``memory`` None is the null pointer."""

    memory: Memory | None
    dtype: DType
    offset: Index = NO_OFFSET


Arg = Pointer | Index | str


@dataclass(frozen=True, eq=False)
class Step:
    """One call of the driver.

    ``tasks`` says into how many parts the work may be split (an expression as text); such a
    step is forked.  ``total`` is the range ``lo, hi`` of a kernel.
    """

    function: str
    args: tuple[Arg, ...]
    writes: tuple[Memory, ...]
    kernel: Kernel | None = None
    tasks: str | None = None
    total: Index | None = None
    node: Node | None = None
    reports: bool = False

    @property
    def memories(self) -> tuple[Memory, ...]:
        """Everything the step touches."""
        return tuple(a.memory for a in self.args
                     if isinstance(a, Pointer) and a.memory is not None)


@dataclass(frozen=True, eq=False)
class Loop:
    """Steps repeated for every value of a variable."""

    variable: Var
    body: tuple[Action, ...]


@dataclass(frozen=True, eq=False)
class Branch:
    """One of two lists of steps, by the bool at ``predicate``."""

    predicate: Pointer
    arms: tuple[tuple[Action, ...], tuple[Action, ...]]


@dataclass(frozen=True, eq=False)
class Repeat:
    """``test`` and ``body`` again and again, until ``predicate`` is false after the test; if it is
    ``limited``, for as many rounds as the variable has values.
    """

    variable: Var
    limited: bool
    test: tuple[Action, ...]
    predicate: Pointer
    body: tuple[Action, ...]


Action = Step | Loop | Branch | Repeat


def walk(actions: Iterable[Action]) -> Iterator[Step]:
    """Every step, in an order in which they may run."""
    for action in actions:
        match action:
            case Step():
                yield action
            case Loop():
                yield from walk(action.body)
            case Repeat():
                yield from walk((*action.test, *action.body))
            case Branch():
                for arm in action.arms:
                    yield from walk(arm)


def touches(actions: Iterable[Action]) -> Iterator[tuple[Memory, bool]]:
    """Every use of memory in that order, and whether it is a write."""
    for action in actions:
        match action:
            case Step():
                yield from ((m, m in action.writes) for m in action.memories)
            case Loop():
                yield from touches(action.body)
            case Repeat():
                yield from touches(action.test)
                yield from ((m, False) for m in (action.predicate.memory,) if m is not None)
                yield from touches(action.body)
            case Branch():
                yield from ((m, False) for m in (action.predicate.memory,) if m is not None)
                for arm in action.arms:
                    yield from touches(arm)


def as_bytes(p: Pointer) -> Pointer:
    """The same address, counted in bytes."""
    return Pointer(p.memory, U8, p.offset * p.dtype.itemsize)


def bytes_of(memory: Memory) -> Index:
    """The size of what a step may need room for."""
    if isinstance(memory, Scratch):
        return memory.elements * memory.dtype.itemsize
    assert not isinstance(memory, Weights)
    kind: Type = memory.type
    return elements(kind.shape) * kind.dtype.itemsize


def elements(shape: Sequence[Any]) -> Index:
    """The number of elements of a shape."""
    return product(map(to_index, shape))
