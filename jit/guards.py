"""Guards: what of Python's a program relies on, compared with what it was at the trace.

A number in a global, a closure or an attribute is part of the program, and so is which tensor a
name stands for.  A call for which one of them has changed is refused, in words.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from eager.engine.stateful import ABSENT
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError

#: Values that are compared; all others are the same object or another.
_PLAIN = (bool, int, float, complex, str, bytes, type(None), enum.Enum, slice, range, np.dtype,
          np.generic)
#: How deep containers are looked into.
_DEPTH = 4


@dataclass(frozen=True)
class Guard:
    """One value that a program relies on: where it was read, what it was, how to read it now."""

    name: str  #: in words: ``Net.scale``, ``the global SCALE``
    origin: str  #: file, line and function that read it; empty where it is the package's own
    read: Callable[[], Any]
    was: Any  #: as `picture` made it
    noticed: bool  #: whether a change bumps the engine's count of writes
    inside: bool = False  #: whether it is which parameters and modules a module has
    asker: str = ""  #: the user's function that ran first, where the origin is the package's own

    @property
    def words(self) -> str:
        """What the value was, for people."""
        return words(self.was)

    def holds(self) -> bool:
        """Whether the value is as it was."""
        return same(self.was, picture(self.read()))

    def broken(self) -> str:
        """What changed, in a sentence."""
        read = (f", which was read at {self.origin}," if self.origin else
                f", which {self.asker} relies on," if self.asker else "")
        return f"{self.name}{read} was {self.words} at the trace and is " \
               f"{words(picture(self.read()))}"

    def __str__(self) -> str:
        at = f", at {self.origin}" if self.origin else ""
        return f"{self.name} is {self.words}{at}"


class BrokenGuard(OpError):
    """A value of Python's that a program relies on has changed; nothing has run."""


class Watch:
    """Compares the guards of one program, cheaply."""

    def __init__(self, guards: Iterable[Guard]) -> None:
        self.guards = tuple(guards)
        every_call = [g for g in self.guards if not g.noticed]
        #: While it is the same object nothing changed, but for containers and arrays.
        self.rows = tuple((g.read, g.was) for g in every_call if not isinstance(g.was, _Held))
        self.deep = tuple(g for g in every_call if isinstance(g.was, _Held))

    def before(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call of a program that is held to its guards; most have nothing to compare."""
        if not (self.rows or self.deep):
            return call

        def checked(*arrays: Any) -> Any:
            self.check()
            return call(*arrays)

        return checked

    def check(self) -> None:
        """Refuse a call for which a value that no count tells of has changed."""
        for read, was in self.rows:
            if read() is not was:
                self.check_all()
                break
        for guard in self.deep:
            if not guard.holds():
                self.check_all()

    def check_all(self) -> None:
        """Refuse a call for which anything has changed."""
        broken = self.broken()
        if broken is not None:
            raise BrokenGuard(f"{broken}; the program was made for what it was: trace again")

    def broken(self) -> str | None:
        """The first guard that does not hold, in a sentence."""
        return next((g.broken() for g in self.guards if not g.holds()), None)


# --- values ------------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class _Held:
    """A container (or an array) as it was."""

    kind: type
    elements: tuple[Any, ...]
    keys: tuple[Any, ...] = ()


def picture(value: Any, depth: int = 0) -> Any:
    """What of a value a program relies on: numbers, elements of containers, bytes of arrays."""
    if isinstance(value, np.ndarray):
        return _Held(np.ndarray, (str(value.shape), value.dtype.str, value.tobytes()))
    if depth < _DEPTH and isinstance(value, (list, tuple, set, frozenset, deque)):
        return _Held(type(value), tuple(picture(v, depth + 1) for v in value))
    if depth < _DEPTH and isinstance(value, dict):
        return _Held(type(value), tuple(picture(v, depth + 1) for v in value.values()),
                     tuple(value))
    return value


def same(a: Any, b: Any) -> bool:
    """Whether two pictures are of the same; numbers count with their types."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, _Held):
        return (a.kind is b.kind and a.keys == b.keys and len(a.elements) == len(b.elements)
                and all(map(same, a.elements, b.elements)))
    return isinstance(a, _PLAIN) and repr(a) == repr(b)


def words(a: Any) -> str:
    """A picture for people."""
    if isinstance(a, _Held):
        if a.kind is np.ndarray:
            return f"an array {a.elements[1]}{list(a.elements[0])}"
        inner = ", ".join(f"{words(k)}: {words(v)}" for k, v in zip(a.keys, a.elements, strict=True)
                          ) if a.keys else ", ".join(map(words, a.elements))
        return _short(f"{a.kind.__name__}({inner})")
    if isinstance(a, Tensor):
        return f"a tensor {a.spec}"
    return _short(repr(a) if isinstance(a, _PLAIN) or a is ABSENT else
                  getattr(a, "__qualname__", f"a {type(a).__name__}"))


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."
