"""What is the same in every round of a loop is done once, before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from jit.kernels.index import Index, Var
from jit.kernels.steps import Action, Memory, Pointer, Step, walk


def hoisted(body: Sequence[Action], variable: Var, pinned: set[Memory | None]
            ) -> tuple[list[Action], list[Action]]:
    """The steps that leave the loop, and those that stay in it.

    A step leaves if it depends neither on the round nor on what the loop writes, if nothing else
    writes its results, and if it cannot fail: with no round it would not have run.  ``pinned``
    is what outlives a round: carries and stacks.
    """
    writes = Counter(m for step in walk(body) for m in step.writes)
    early: list[Action] = []
    late: list[Action] = []
    for action in body:
        if isinstance(action, Step) and _is_fixed(action, variable, pinned, writes):
            early.append(action)
            writes.subtract(action.writes)
        else:
            late.append(action)
    return early, late


def _is_fixed(step: Step, variable: Var, pinned: set[Memory | None],
              writes: Counter[Memory]) -> bool:
    own = set(step.writes)
    return (not step.reports and not own & pinned
            and all(writes[m] == 1 for m in own)
            and all(not writes[m] for m in step.memories if m not in own)
            and not any(variable.name in index.variables() for index in _indices(step)))


def _indices(step: Step) -> list[Index]:
    found = [a.offset if isinstance(a, Pointer) else a for a in step.args
             if isinstance(a, (Pointer, Index))]
    return [*found, step.total] if step.total is not None else found
