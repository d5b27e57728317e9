"""The history of a program: what each pass made of its graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import overload

from jit.comparison import Difference, diff
from jit.graph import Graph, walk
from jit.passes import Stage, stages
from jit.passes.regions import Pass
from jit.passes.weights import split


@dataclass(frozen=True)
class Change:
    """One pass over one graph; ``hoist``, the last, moves what depends on weights alone."""

    name: str
    before: Graph
    after: Graph

    @property
    def nodes(self) -> tuple[int, int]:
        """How many nodes there were and are, those in regions among them."""
        return sum(1 for _ in walk(self.before)), sum(1 for _ in walk(self.after))

    @cached_property
    def diff(self) -> Difference:
        """What the pass took away and what it put there."""
        return diff(self.before, self.after)

    def __str__(self) -> str:
        before, after = self.nodes
        words = f"{before:6} -> {after}" if self.diff else "nothing to do"
        return f"{self.name:18} {words}"


class History(Sequence[Change]):
    """The changes in order: ``history[2].diff`` is what the third pass did, as text."""

    def __init__(self, changes: Sequence[Change]) -> None:
        self._changes = tuple(changes)

    @overload
    def __getitem__(self, at: int) -> Change: ...

    @overload
    def __getitem__(self, at: slice) -> tuple[Change, ...]: ...

    def __getitem__(self, at: int | slice) -> Change | tuple[Change, ...]:
        return self._changes[at]

    def __len__(self) -> int:
        return len(self._changes)

    def __str__(self) -> str:
        return "\n".join(f"{k:2} {change}" for k, change in enumerate(self._changes))


def changes_of(graph: Graph, passes: Sequence[Pass]) -> History:
    """What ``passes`` and, at the end, `hoist` make of a traced graph."""
    found = list(stages(graph, passes))
    found.append(Stage("hoist", split(found[-1].graph)[1]))
    return History([Change(b.name, a.graph, b.graph)
                    for a, b in pairwise(found)])
