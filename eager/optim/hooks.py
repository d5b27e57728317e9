"""What is called round the steps and the saving of an optimiser."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from eager.engine.hooks import RemovableHandle


class Hooks:
    """Functions by the moment at which they are called, in the order of their registration."""

    def __init__(self) -> None:
        self._at: dict[str, OrderedDict[int, Callable[..., Any]]] = {}

    def add(self, moment: str, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call ``hook`` at a moment, last or (``prepend``) first."""
        held = self._at.setdefault(moment, OrderedDict())
        handle = RemovableHandle(held)
        held[handle.id] = hook
        held.move_to_end(handle.id, last=not prepend)
        return handle

    def run(self, moment: str, *args: Any) -> None:
        """Call all hooks of a moment."""
        for hook in list(self._at.get(moment, {}).values()):
            hook(*args)

    def replace(self, moment: str, owner: Any, value: Any) -> Any:
        """Call all with ``owner`` and a value that each may replace by what it returns."""
        for hook in list(self._at.get(moment, {}).values()):
            found = hook(owner, value)
            value = value if found is None else found
        return value
