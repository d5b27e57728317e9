"""What a traced function leaves changed from call to call, and the world that its next call finds.

A program leaves Python as it is.  So a second trace starts from what the first one left: if it
comes out the same, nothing follows from it, and leaving it undone is right.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from eager.engine.stateful import Change
from eager.engine.tensor import Tensor
from jit.dims import evaluate
from jit.recorder import Recorder, TracedTensor

#: How deep in containers traced tensors are looked for.
_DEPTH = 4


def left_by(recorder: Recorder, changes: Sequence[Change], sizes: dict[str, int]
            ) -> tuple[Change, ...]:
    """The changes that a program leaves undone, with real tensors of the same types for traced
    ones.

    A tensor put in the place of a real one like it is a write, and not among them.  Nor is what
    follows from numbers alone, such as a mask that is made once: a program makes it in each call.
    """
    undone = [c for c in changes if not recorder.replaced(c.before, c.after)]
    made = [t for c in undone for t in _traced(c.after)]
    if made and not any(map(recorder.holds_data, made)):
        return ()
    return tuple(replace(c, after=_stand_in(c.after, sizes)) for c in undone)


@contextmanager
def found(left: Sequence[Change]) -> Iterator[None]:
    """A block in which these changes are made; who is inside puts all back."""
    for change in left:
        change.put(change.after)
    yield


def _traced(value: Any, depth: int = 0) -> Iterator[TracedTensor]:
    if isinstance(value, TracedTensor):
        yield value
    elif depth < _DEPTH and isinstance(value, (list, tuple, set, deque)):
        for v in value:
            yield from _traced(v, depth + 1)
    elif depth < _DEPTH and isinstance(value, dict):
        for v in value.values():
            yield from _traced(v, depth + 1)


def _stand_in(value: Any, sizes: dict[str, int], depth: int = 0) -> Any:
    if isinstance(value, TracedTensor):
        shape = tuple(evaluate(s, sizes) for s in value.shape)
        return Tensor(np.zeros(shape, value.dtype.numpy))
    if depth < _DEPTH and type(value) in (list, tuple, set, deque):
        return type(value)(_stand_in(v, sizes, depth + 1) for v in value)
    if depth < _DEPTH and type(value) is dict:
        return {k: _stand_in(v, sizes, depth + 1) for k, v in value.items()}
    return value
