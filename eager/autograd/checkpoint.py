"""Checkpoints: what a function saves for its gradients is computed again when it is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from eager.autograd.graph import saved_tensors_hooks
from eager.engine.mode import MODE, mode_set
from eager.engine.streams import default_generator
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError

Contexts = tuple[AbstractContextManager[Any], AbstractContextManager[Any]]
_METADATA = "default"


def checkpoint(function: Callable[..., Any], *args: Any, use_reentrant: bool | None = None,
               context_fn: Callable[[], Contexts] | None = None,
               determinism_check: str = _METADATA, debug: bool = False,
               preserve_rng_state: bool = True, early_stop: bool = True, **kwargs: Any) -> Any:
    """``function(*args, **kwargs)``, which keeps no values for its gradients.

    They are computed again, all at once, when the first of them is needed; random numbers are
    drawn again as they were, unless ``preserve_rng_state`` is off.  ``context_fn`` gives two
    contexts, for the first run and for the second.  There is one way of doing it, which torch
    calls ``use_reentrant=False``: gradients reach every tensor the function uses, and
    ``autograd.grad`` works; ``use_reentrant=True`` gets the same.
    """
    if determinism_check not in (_METADATA, "none"):
        raise OpError(f"checkpoint: determinism_check is 'default' or 'none', got "
                      f"{determinism_check!r}")
    first, second = (nullcontext(), nullcontext()) if context_fn is None else context_fn()
    if not MODE.get().grad:
        with first:
            return function(*args, **kwargs)
    state = default_generator.get_state() if preserve_rng_state else None

    def again() -> None:
        present = default_generator.get_state() if state is not None else None
        if state is not None:
            default_generator.set_state(state)
        try:
            with mode_set(grad=True), second:
                function(*args, **kwargs)
        finally:
            if present is not None:
                default_generator.set_state(present)

    with _Recomputed(again, determinism_check == _METADATA), first:
        return function(*args, **kwargs)


class _Recomputed(saved_tensors_hooks):
    """Keeps for every saved value its number and type; the second run gives the values."""

    def __init__(self, again: Callable[[], None], checked: bool) -> None:
        super().__init__(self._number, self._value)
        self._again, self._checked_types = again, checked
        self._types: list[Any] = []
        self._values: dict[int, Tensor] = {}

    def _number(self, t: Tensor) -> int:
        self._types.append(t.spec)
        return len(self._types) - 1

    def _value(self, number: int) -> Tensor:
        if number not in self._values:
            self._recompute()
        return self._values.pop(number)

    def _recompute(self) -> None:
        values: list[Tensor] = []

        def keep(t: Tensor) -> int:
            values.append(t)
            return len(values) - 1

        with saved_tensors_hooks(keep, values.__getitem__):
            self._again()
        types = [t.spec for t in values]
        if len(types) != len(self._types) or (self._checked_types and types != self._types):
            raise OpError(f"checkpoint: the function saved {_listed(self._types)} when it was "
                          f"called, and {_listed(types)} when it was computed again; it does not "
                          f"do the same twice")
        self._values = dict(enumerate(values))


def _listed(types: Sequence[Any]) -> str:
    words = ", ".join(map(str, types[:8]))
    return f"{len(types)} values ({words}{', ...' if len(types) > 8 else ''})"


def checkpoint_sequential(functions: Any, segments: int, input: Any,
                          use_reentrant: bool | None = None,
                          preserve_rng_state: bool = True) -> Any:
    """The functions (or the modules of a Sequential) one after another, in checkpointed parts.

    The last part is no checkpoint, since its values are needed at once.
    """
    chain = list(functions.children() if hasattr(functions, "children") else functions)
    if not 1 <= segments <= len(chain):
        raise OpError(f"checkpoint_sequential: {segments} segments of {len(chain)} functions")
    size = len(chain) // segments

    def part(start: int, stop: int) -> Callable[[Any], Any]:
        def run(value: Any) -> Any:
            for f in chain[start:stop]:
                value = f(value)
            return value
        return run

    for k in range(segments - 1):
        input = checkpoint(part(k * size, (k + 1) * size), input,
                           preserve_rng_state=preserve_rng_state)
    return part((segments - 1) * size, len(chain))(input)
