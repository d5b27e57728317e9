"""What a program does to ``.grad``: it adds to one, wants none, clears it, or loses it.

A traced function may leave a gradient in ``.grad`` that a program computes on the way and does
not keep.  Who asks for it after a call is told so: an old gradient there would be a lie.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from eager.engine.mode import no_grad
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError
from jit.typed import TypedTensor


class LostGradient(TypedTensor):
    """Stands in ``.grad`` for a gradient that a program did not keep; reading it is an error."""

    __slots__ = ()

    _has_data = False

    @property
    def _array(self) -> Any:  # type: ignore[override]
        raise OpError(f"this gradient {self._type} was computed inside of a compiled program, "
                      f"which does not keep it; call zero_grad() before the next backward(), or "
                      f"return it from the traced function")

    def __repr__(self) -> str:
        return f"tensor(gradient not kept, {self._type})"


@dataclass(frozen=True)
class Grads:
    """What a traced function does to the gradients of tensors that it found."""

    kept: tuple[tuple[Tensor, Tensor], ...] = ()  #: owners, and the state that is their ``.grad``
    absent: tuple[tuple[Tensor, str], ...] = ()  #: owners whose ``.grad`` is None, and their names
    cleared: tuple[Tensor, ...] = ()
    lost: tuple[Tensor, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.kept or self.absent or self.cleared or self.lost)

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call of a program that does this; most do nothing to gradients."""
        if not self:
            return call

        def called(*arrays: Any) -> Any:
            self.enter()
            found = call(*arrays)
            self.leave()
            return found

        return called

    def enter(self) -> None:
        """Before a call: the state holds what ``.grad`` of its owner is by now, None for 0."""
        for owner, name in self.absent:
            if owner.grad is not None:
                raise OpError(f"{name} has a gradient, and had none when the program was traced, "
                              f"which adds to it: call zero_grad() first, or trace again")
        for owner, held in self.kept:
            if owner.grad is not held:
                with no_grad():
                    held.zero_() if owner.grad is None else held.copy_(owner.grad)
                owner.grad = held

    def leave(self) -> None:
        """After a call."""
        for owner in self.cleared:
            owner.grad = None
        for owner in self.lost:
            owner.grad = LostGradient.of(owner.spec)


@contextmanager
def zeros_as_grads(owners: Sequence[Tensor]) -> Iterator[None]:
    """A block in which tensors without a gradient have one of zeros."""
    for t in owners:
        t.grad = Tensor(np.zeros(t._array.shape, t._array.dtype))
    try:
        yield
    finally:
        for t in owners:
            t.grad = None
