"""A model that runs eagerly while every op is written down; state is brought back afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from eager.engine.dispatch import apply
from eager.engine.mode import mode_set
from eager.engine.stateful import reach
from eager.engine.streams import default_generator
from eager.engine.tensor import Tensor
from eager.ops.op import Op
from jit import pytree
from jit.graph import Location
from jit.recorder import location_here

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Act:
    """One op that was performed: the result as it was then, and the user's line."""

    op: Op
    result: Array
    location: Location


@dataclass(eq=False)
class Witness:
    """Stands at the choke point as a recorder, and lets the engine do the work."""

    acts: list[Act] = field(default_factory=list)

    def apply(self, op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> Tensor:
        with mode_set(recorder=None):
            result = apply(op, args, attrs)
        self.acts.append(Act(op, result._array.copy(), location_here()))
        return result

    def write(self, target: Tensor, value: Tensor) -> None:
        np.copyto(target._array, value._array)

    def read(self, tensor: Tensor, how: str) -> Any:
        return tensor._array

    def made(self, tensor: Tensor) -> None:
        pass

    def aliases(self, op: Op, source: Tensor, result: Tensor) -> bool:
        return False  # the engine has linked the view already


def witnessed(fn: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any],
              spec: pytree.Spec, state: Iterable[Tensor],
              ) -> tuple[list[Act], list[Array], list[Array]]:
    """What ``fn(*args, **kwargs)`` does op by op, its results (a tree of shape ``spec``), and what
    it left in ``state``.

    Parameters, buffers, optimiser state, gradients, the default random stream and ``state`` are
    as before in the end.
    """
    kept = list(state)
    world = reach(fn)
    restore = world.snapshot()
    reached = [t for s in world.stateful for _, _, t in s.traced_state()]
    witness = Witness()
    try:
        with _unchanged([*kept, *reached, default_generator.state]):
            with mode_set(recorder=witness):
                leaves = pytree.leaves_as(spec, fn(*args, **kwargs))
            return witness.acts, list(map(_copied, leaves)), list(map(_copied, kept))
    finally:
        restore()


def _copied(x: Any) -> Array:
    return np.array(x._array if isinstance(x, Tensor) else x)


@contextmanager
def _unchanged(tensors: Iterable[Tensor]) -> Iterator[None]:
    """A block after which tensors and their gradients are as they were."""
    held = {id(t): t for t in tensors}
    held.update({id(t.grad): t.grad for t in list(held.values()) if type(t.grad) is Tensor})
    saved = [(t, t._array, t._array.copy(), t.grad, t._node, t._needs) for t in held.values()]
    try:
        yield
    finally:
        for t, array, values, grad, node, needs in saved:
            array[...] = values
            t._array, t.grad, t._node, t._needs = array, grad, node, needs
