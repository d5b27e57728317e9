"""Where temporaries lie: one plan that is right for every size of the dims.

The arena has a region for every size expression up to a factor (``1``, ``B``, ``B * S`` ...).
Inside a region all buffers are multiples of the same unknown, so offsets are constants times
it, and first-fit over lifetimes works as it does for static sizes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import gcd

from jit.kernels.index import Index
from jit.kernels.steps import Action, Branch, Loop, Memory, Repeat, Step, bytes_of, touches

#: Buffers start at multiples of a cache line, which the microkernels rely on.
ALIGNMENT = 64


@dataclass(frozen=True)
class Room:
    """A place in the arena: byte ``coefficient * unit`` of region ``region``."""

    region: int
    coefficient: int


@dataclass(frozen=True)
class Plan:
    """Every buffer's room, and the regions one after another."""

    rooms: dict[Memory, Room]
    units: tuple[Index, ...]
    lengths: tuple[int, ...]  #: of each region, in its unit

    @property
    def size(self) -> Index:
        """Bytes of the whole arena."""
        total = Index(())
        for unit, length in zip(self.units, self.lengths, strict=True):
            total = total + unit * length
        return total


@dataclass(frozen=True)
class _Life:
    memory: Memory
    first: int
    last: int
    length: int


def plan(actions: Sequence[Action], wanted: Iterable[Memory]) -> Plan:
    """Rooms for ``wanted`` such that buffers alive at the same time do not overlap."""
    keep = set(wanted)
    spans = _lifetimes(actions, keep)
    regions: dict[Index, list[_Life]] = {}
    for memory, (first, last) in spans.items():
        unit, factor = _unit(bytes_of(memory))
        length = -(-factor // ALIGNMENT) * ALIGNMENT
        regions.setdefault(unit, []).append(_Life(memory, first, last, length))
    rooms: dict[Memory, Room] = {}
    lengths = []
    for k, lives in enumerate(regions.values()):
        placed = _first_fit(lives)
        rooms.update({life.memory: Room(k, at) for life, at in placed})
        lengths.append(max(at + life.length for life, at in placed))
    return Plan(rooms, tuple(regions), tuple(lengths))


def _unit(size: Index) -> tuple[Index, int]:
    """A size as an unknown times a number."""
    if size.constant is not None:
        return Index.of(1), size.constant
    factor = gcd(*(c for _, c in size.terms))
    return Index(tuple((m, c // factor) for m, c in size.terms)), factor


def _lifetimes(actions: Sequence[Action], keep: set[Memory]) -> dict[Memory, tuple[int, int]]:
    spans: dict[Memory, tuple[int, int]] = {}
    uses = Counter(m for m, _ in touches(actions))
    clock = 0

    def touch(memory: Memory | None, first: int, last: int) -> None:
        if memory is not None and memory in keep:
            a, b = spans.get(memory, (first, last))
            spans[memory] = (min(a, first), max(b, last))

    def visit(action: Action) -> None:
        nonlocal clock
        start = clock
        match action:
            case Step():
                clock += 1
                for m in action.memories:
                    touch(m, clock, clock)
            case Loop():
                for a in action.body:
                    visit(a)
            case Repeat():
                for a in action.test:
                    visit(a)
                clock += 1
                touch(action.predicate.memory, clock, clock)
                for a in action.body:
                    visit(a)
            case Branch():
                clock += 1
                touch(action.predicate.memory, clock, clock)
                for arm in action.arms:
                    for a in arm:
                        visit(a)
        if isinstance(action, (Loop, Repeat)):
            for m in _outliving(action, uses):
                touch(m, start + 1, clock)

    for action in actions:
        visit(action)
    return spans


def _outliving(loop: Action, uses: Counter[Memory]) -> set[Memory]:
    """What lives from round to round: not what each round writes first and only the loop uses."""
    inside: Counter[Memory] = Counter()
    fresh: set[Memory] = set()
    for m, writes in touches([loop]):
        if m not in inside and writes:
            fresh.add(m)
        inside[m] += 1
    return {m for m in inside if m not in fresh or inside[m] < uses[m]}


def _first_fit(lives: Sequence[_Life]) -> list[tuple[_Life, int]]:
    """Largest first, each at the lowest offset that is free for its whole life."""
    placed: list[tuple[_Life, int]] = []
    for life in sorted(lives, key=lambda x: (-x.length, x.first)):
        taken = sorted((at, at + other.length) for other, at in placed
                       if other.first <= life.last and life.first <= other.last)
        at = 0
        for low, high in taken:
            if at + life.length <= low:
                break
            at = max(at, high)
        placed.append((life, at))
    return placed
