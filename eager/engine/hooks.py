"""Hooks: what users ask to be called when a gradient passes."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

from eager.ops.errors import OpError

if TYPE_CHECKING:
    from eager.engine.tensor import Tensor

Hook = Callable[..., Any]
_numbers = count()


class RemovableHandle:
    """What a registration returns: ``remove()``, or the end of a ``with`` block, undoes it."""

    def __init__(self, hooks: OrderedDict[int, Hook]) -> None:
        self._hooks = weakref.ref(hooks)
        self.id = next(_numbers)

    def remove(self) -> None:
        """Forget the hook; harmless when done twice."""
        hooks = self._hooks()
        if hooks is not None:
            hooks.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()


class Handles:
    """Several handles as one."""

    def __init__(self, handles: Sequence[RemovableHandle]) -> None:
        self._handles = tuple(handles)

    def remove(self) -> None:
        """Forget all of the hooks."""
        for handle in self._handles:
            handle.remove()

    def __enter__(self) -> Handles:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()


class Extras:
    """What few nodes and leaves have: hooks, and notes of anomaly mode and of saved tensors.

    ``tensor`` holds hooks on the gradient of the result, ``before`` and ``after`` those on the
    node, ``accumulated`` those on a leaf whose ``.grad`` was just added to.
    """

    __slots__ = ("accumulated", "after", "before", "metadata", "place", "retained", "tensor",
                 "unpack")

    def __init__(self) -> None:
        self.tensor: OrderedDict[int, Hook] = OrderedDict()
        self.before: OrderedDict[int, Hook] = OrderedDict()
        self.after: OrderedDict[int, Hook] = OrderedDict()
        self.accumulated: OrderedDict[int, Hook] = OrderedDict()
        self.retained: weakref.ref[Tensor] | None = None  #: whose ``.grad`` is kept too
        self.place: str | None = None  #: where in the user's program the op was called
        self.unpack: Callable[[Any], Any] | None = None  #: of what was packed
        self.metadata: dict[Any, Any] = {}

    def register(self, kind: str, hook: Hook) -> RemovableHandle:
        """Add a hook of one kind."""
        if not callable(hook):
            raise OpError(f"a hook is a function, got {type(hook).__name__}")
        hooks = getattr(self, kind)
        handle = RemovableHandle(hooks)
        hooks[handle.id] = hook
        return handle


def extras_of(t: Tensor) -> Extras:
    """The extras of what made a tensor, or of a leaf."""
    if t._node is not None:
        return t._node.own_extras()
    leaf: Any = t
    extras: Extras | None = getattr(leaf, "_hooks", None)  # a slot that few leaves fill
    if extras is None:
        extras = leaf._hooks = Extras()
    return extras


# --- of tensors --------------------------------------------------------------------------------
class Hooked:
    """The part of `Tensor` that hooks are registered on; a mixin without state."""

    __slots__ = ()

    def register_hook(self: Any, hook: Hook) -> RemovableHandle:
        """Call ``hook(grad)`` whenever the gradient of this tensor is known.

        What it returns, if anything, takes the gradient's place.  It must not write to it.
        """
        if not self._needs:
            raise OpError(f"register_hook: {self.spec} requires no gradient, so none will come")
        return extras_of(self).register("tensor", hook)

    def register_post_accumulate_grad_hook(self: Any, hook: Hook) -> RemovableHandle:
        """Call ``hook(tensor)`` after a gradient was added into the ``.grad`` of this leaf."""
        if self._node is not None:
            raise OpError("register_post_accumulate_grad_hook: only a leaf accumulates gradients")
        if not self._needs:
            raise OpError(f"register_post_accumulate_grad_hook: {self.spec} requires no gradient")
        return extras_of(self).register("accumulated", hook)

    def retain_grad(self: Any) -> None:
        """Keep the gradient of a tensor that is no leaf in its ``.grad`` as well."""
        if not self._needs:
            raise OpError(f"retain_grad: {self.spec} requires no gradient, so none will come")
        if self._node is not None:
            extras_of(self).retained = weakref.ref(self)

    @property
    def retains_grad(self: Any) -> bool:
        """Whether `retain_grad` was asked for."""
        extras = None if self._node is None else self._node.extras
        return extras is not None and extras.retained is not None and extras.retained() is self
