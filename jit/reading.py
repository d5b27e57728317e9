"""What the code that ran in a trace could read of Python's world, as guards.

Reads are not intercepted: they are found in the byte code of what ran, by name.  So a guard may
be on a value that was not read after all; none that was read by its name is missed.
"""

from __future__ import annotations

import dis
import functools
import os
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from eager.engine.mode import is_grad_enabled
from eager.engine.stateful import (
    ABSENT,
    TREE,
    Change,
    Reach,
    Stateful,
    cell_contents,
    is_library,
    is_object,
    is_users,
)
from eager.engine.tensor import Tensor
from jit.graph import Input
from jit.guards import Guard, picture
from jit.onlooker import Onlooker, place_of

_GLOBAL = ("LOAD_GLOBAL", "LOAD_NAME")
_CELL = ("LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF")
_ATTRIBUTE = ("LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR")


def guards_of(onlooker: Onlooker, reach: Reach, state: Iterable[tuple[Input, Tensor]],
              looked: Iterable[tuple[Tensor, str]], changes: Iterable[Change]
              ) -> tuple[Guard, ...]:
    """Every value of Python's that a trace relies on, in the order in which code ran.

    ``looked`` are tensors from outside whose data became numbers of Python's, and where.  What the
    function itself changes (``changes``) is no guard: the second trace has shown that nothing
    follows from it.
    """
    return _Reading(onlooker, reach, {(id(c.holder), c.key) for c in changes}).all(
        state, looked)


@dataclass
class _Loads:
    """The names that a piece of code loads -> the line of the first load."""

    globals: dict[str, int] = field(default_factory=dict)
    cells: dict[str, int] = field(default_factory=dict)
    attributes: dict[str, int] = field(default_factory=dict)  #: and strings, for ``getattr``


@functools.lru_cache(4096)
def _loads(code: types.CodeType) -> _Loads:
    found, line = _Loads(), code.co_firstlineno
    for i in dis.get_instructions(code):
        line = i.starts_line if type(i.starts_line) is int else line
        kind = (found.globals if i.opname in _GLOBAL else found.cells if i.opname in _CELL else
                found.attributes if i.opname in _ATTRIBUTE or (
                    i.opname == "LOAD_CONST" and isinstance(i.argval, str)) else None)
        if kind is not None:
            kind.setdefault(i.argval, line)
    return found


class _Reading:
    """Collects guards, each place once."""

    def __init__(self, onlooker: Onlooker, reach: Reach, changed: set[tuple[int, Any]]) -> None:
        self.onlooker, self.reach, self.changed = onlooker, reach, changed
        self.found: dict[tuple[int, Any], Guard] = {}
        self.users = [c for key, c in onlooker.codes.items()
                      if not is_library(str(onlooker.globals[key].get("__name__")))]
        self.names = self._attribute_names()
        self.asker = next((place_of(c, c.co_firstlineno) for c in self.users), "")

    def all(self, state: Iterable[tuple[Input, Tensor]],
            looked: Iterable[tuple[Tensor, str]]) -> tuple[Guard, ...]:
        for code in self.users:
            self._globals(code, self.onlooker.globals[id(code)])
        for fn in self._functions():
            self._closure(fn)
        for holder in self._holders():
            self._attributes(holder)
        for name, origin in self.onlooker.environment.items():
            self._add((id(os.environ), name), f"the environment variable {name}", origin,
                      functools.partial(os.environ.get, name, ABSENT))
        for tensor, origin in looked:
            self._add((id(tensor), "data"), f"the data of a tensor {tensor.spec}", origin,
                      functools.partial(getattr, tensor, "_array"))
        self._flags(state)
        return tuple(self.found.values())

    # --- names ---------------------------------------------------------------------------------
    def _attribute_names(self) -> dict[str, str]:
        """Names of attributes that code that ran may read -> where a user's code does."""
        names: dict[str, str] = {}
        for code in self.users:
            for name, line in _loads(code).attributes.items():
                names.setdefault(name, place_of(code, line))
        for code in self.onlooker.codes.values():
            for name in code.co_names:
                names.setdefault(name, "")
        return names

    def _globals(self, code: types.CodeType, held: dict[str, Any]) -> None:
        for name, line in _loads(code).globals.items():
            value = held.get(name, ABSENT)
            origin = place_of(code, line)
            if isinstance(value, types.ModuleType):
                self._module_names(value, origin)
            elif value is not ABSENT and not (
                    _is_library(value) and getattr(value, "__name__", name) == name):
                self._add((id(held), name), f"the global {name}", origin,
                          functools.partial(held.get, name, ABSENT))
                if isinstance(value, type):
                    self._class_names(value, value.__name__)

    def _module_names(self, module: types.ModuleType, origin: str) -> None:
        """``config.SCALE`` of a user's own Python module."""
        if is_library(module.__name__):
            return
        for name, value in vars(module).items():
            if self.names.get(name) and not isinstance(value, types.ModuleType) and (
                    not _is_library(value)):
                self._add((id(vars(module)), name), f"{module.__name__}.{name}",
                          self.names[name], functools.partial(vars(module).get, name, ABSENT))

    # --- functions -----------------------------------------------------------------------------
    def _functions(self) -> Iterator[types.FunctionType]:
        """The functions that ran, as far as they can be found again."""
        wanted = {id(code) for code in self.users}
        known = [f for f in self.reach.others if isinstance(f, types.FunctionType)]
        for value in self.onlooker.selves.values():
            for cls in type(value).__mro__:
                known += map(_unwrapped, vars(cls).values()) if is_users(cls) else []
        yield from (f for f in known if isinstance(f, types.FunctionType)
                    and id(f.__code__) in wanted)

    def _closure(self, fn: types.FunctionType) -> None:
        code = fn.__code__
        loads = _loads(code).cells
        for name, cell in zip(code.co_freevars, fn.__closure__ or (), strict=True):
            value = cell_contents(cell)
            if name != "__class__" and not isinstance(value, types.ModuleType):
                line = loads.get(name, code.co_firstlineno)
                self._add((id(cell), None), f"the closure variable {name}", place_of(code, line),
                          functools.partial(cell_contents, cell))
                if isinstance(value, type):
                    self._class_names(value, value.__name__)
        if fn.__defaults__:
            self._add((id(fn), "__defaults__"), f"the defaults of {fn.__name__}",
                      place_of(code, code.co_firstlineno),
                      functools.partial(getattr, fn, "__defaults__"))

    # --- objects -------------------------------------------------------------------------------
    def _holders(self) -> Iterator[Any]:
        """Objects whose attributes code that ran may have read."""
        seen: set[int] = set()
        modules = (m for s in self.reach.stateful for m in getattr(s, "modules", lambda: ())())
        for value in (*self.onlooker.selves.values(), *self.reach.others, *modules):
            if id(value) not in seen and isinstance(getattr(value, "__dict__", None), dict):
                seen.add(id(value))
                yield value

    def _attributes(self, holder: Any) -> None:
        held, owner = vars(holder), _owner(holder)
        ran = id(holder) in self.onlooker.selves
        stateful = isinstance(holder, Stateful)
        for name, value in held.items():
            origin = self.names.get(name)
            if name in TREE and stateful:
                self._tree(holder, name, ran)
            elif origin or (origin is not None and ran):
                group = name == "param_groups"  # each setting of a group is counted
                self._add((id(held), name), f"{owner}.{name}", origin,
                          functools.partial(dict.get, held, name, ABSENT),
                          stateful and (group or not _changes_inside(value)))
        if is_object(holder) or stateful:
            self._class_names(type(holder), owner, held)

    def _tree(self, module: Any, kind: str, ran: bool) -> None:
        """The parameters, buffers and modules of a module that ran: which ones they are."""
        if not ran:
            return
        held = vars(module)[kind]
        for name in held:
            self._add((id(held), name), f"{_owner(module)}.{name}", self.names.get(name, ""),
                      functools.partial(dict.get, held, name, ABSENT), True, True)
        self._add((id(module), "_call_hooks"), f"{_owner(module)}'s hooks", "",
                  functools.partial(getattr, module, "_call_hooks", None), True, True)
        self._add((id(held), ABSENT), f"{_owner(module)}.{kind}", "",
                  functools.partial(tuple, held), True, True)

    def _class_names(self, cls: type, owner: str, held: Mapping[str, Any] | None = None) -> None:
        """Values that stand in a class, not in the object."""
        for base in cls.__mro__:
            if not is_users(base):
                continue
            for name, value in vars(base).items():
                if self.names.get(name) and not name.startswith("__") and (
                        name not in (held or ())) and _is_value(value):
                    self._add((id(base), name), f"{owner}.{name}", self.names[name],
                              functools.partial(getattr, base, name, ABSENT))

    def _flags(self, state: Iterable[tuple[Input, Tensor]]) -> None:
        """Grad mode where it was asked for; gradients and their flags where the tape was walked."""
        if self.names.get("is_grad_enabled"):
            self._add((0, "grad"), "is_grad_enabled()", self.names["is_grad_enabled"],
                      is_grad_enabled)
        walked = any(self.names.get(n) for n in ("backward", "grad", "requires_grad"))
        for made, tensor in state:
            if walked and made.role == "parameter":
                self._add((id(tensor), "requires_grad"), f"{made.name}.requires_grad", "",
                          functools.partial(getattr, tensor, "requires_grad"), True)

    def _add(self, place: tuple[int, Any], name: str, origin: str, read: Any,
             noticed: bool = False, inside: bool = False) -> None:
        if place not in self.found and place not in self.changed:
            self.found[place] = Guard(name, origin, read, picture(read()), noticed, inside,
                                      self.asker)


# --- what a value is ---------------------------------------------------------------------------
def _owner(holder: Any) -> str:
    return holder.__name__ if isinstance(holder, types.FunctionType) else type(holder).__name__


def _unwrapped(value: Any) -> Any:
    inner = getattr(value, "__func__", None) or getattr(value, "fget", None) or value
    return getattr(inner, "__wrapped__", inner)


def _changes_inside(value: Any) -> bool:
    """Whether a value may change while the attribute stays the same object."""
    return hasattr(value, "__setitem__") and not isinstance(value, Tensor)


def _is_value(value: Any) -> bool:
    """Whether what stands in a class is a value, not a method, a property or a class."""
    return not callable(value) and not hasattr(type(value), "__get__")


def _is_library(value: Any) -> bool:
    """Whether a value is a function, a class or a module that no user changes."""
    if isinstance(value, types.ModuleType):
        return True
    return isinstance(value, (type, types.FunctionType, types.BuiltinFunctionType)) and (
        not is_users(value))
