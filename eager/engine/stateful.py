"""What holds state between calls: modules and optimisers, as a tracer sees them."""

from __future__ import annotations

import functools
import operator
import sys
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

from eager.engine.tensor import Tensor

#: What is defined in these packages is not looked into: it holds no state of a user's.
_OURS = frozenset({"eager", "jit", "export", "numpy", *sys.stdlib_module_names} - {"__main__"})
#: Containers of more elements are data, not state: they are not looked into.
_LARGE = 10_000


@runtime_checkable
class Stateful(Protocol):
    """State that a function may read and replace.

    `traced_state` gives ``(role, name, tensor)`` with the roles ``parameter``, ``buffer`` and
    ``optimizer``; it makes beforehand what the first use would make.  `snapshot` returns a
    function that brings all Python attributes back and tells what had changed; tensors keep
    their identity and their data.
    """

    def traced_state(self) -> Iterator[tuple[str, str, Tensor]]: ...

    def snapshot(self) -> Callable[[], list[Change]]: ...


# --- finding it --------------------------------------------------------------------------------
@dataclass(frozen=True)
class Reach:
    """What a function can reach: modules and optimisers, and what else a user may have changed."""

    stateful: tuple[Stateful, ...]
    others: tuple[Any, ...]  #: functions, objects, lists, dicts and sets
    streams: tuple[Any, ...]  #: random streams of Python's and NumPy's

    def snapshot(self) -> Callable[[], list[Change]]:
        """A function that brings all of it back and tells what had changed; also twice."""
        return _together([*(s.snapshot() for s in self.stateful),
                          *(keep(value, name_of(value)) for value in self.others)])


def reach(fn: Any, extra: Iterable[Any] = ()) -> Reach:
    """All that a function can reach, what ``extra`` reaches first, each once.

    Looks at the function itself, the object it is bound to, closure cells, the globals it names,
    defaults, partials, wrapped and nested functions, attributes of objects, and lists, tuples,
    sets and dicts of these.
    """
    stateful: list[Stateful] = []
    others: list[Any] = []
    streams: list[Any] = []
    seen: dict[int, Any] = {}  # holds what it has seen, so that no id is used twice
    waiting: list[Any] = [fn, *reversed(list(extra))]
    while waiting:
        value = waiting.pop()
        if id(value) in seen or isinstance(value, Tensor):
            continue
        seen[id(value)] = value
        if isinstance(value, Stateful) and not isinstance(value, type):
            stateful.append(value)
        elif _is_changeable(value):
            others.append(value)
        elif is_stream(value):
            streams.append(value)
        waiting.extend(reversed(list(_reached(value))))
    return Reach(tuple(stateful), tuple(others), tuple(streams))


def is_users(value: Any) -> bool:
    """Whether a function or a class is defined outside of this package, NumPy and the library."""
    module = getattr(value, "__module__", None)
    return not isinstance(module, str) or not is_library(module)


def is_stream(value: Any) -> bool:
    """Whether a value is a random stream of Python's or NumPy's."""
    cls = type(value)
    return (cls.__name__ in ("Random", "Generator", "RandomState")
            and cls.__module__.partition(".")[0] in ("random", "numpy"))


def is_library(module: str) -> bool:
    """Whether a module of this name is the package's, NumPy's or the standard library's."""
    return module.partition(".")[0] in _OURS


def _is_changeable(value: Any) -> bool:
    return (isinstance(value, (list, dict, set, deque)) or is_object(value) or
            (isinstance(value, (types.FunctionType, type)) and is_users(value)))


def is_object(value: Any) -> bool:
    """Whether a value is an object of a user's class, with attributes, and no class."""
    users = is_users(type(value)) or isinstance(value, types.SimpleNamespace)
    return (users and hasattr(value, "__dict__")
            and not isinstance(value, (type, Tensor, types.ModuleType)))


def _reached(value: Any) -> Iterator[Any]:
    """What stands directly behind a value."""
    if isinstance(value, functools.partial):
        yield from (value.func, *value.args, *value.keywords.values())
    elif isinstance(value, types.MethodType):
        yield value.__self__
        yield value.__func__
    elif isinstance(value, types.FunctionType):
        if is_users(value):
            yield from _behind_function(value)
    elif isinstance(value, type):
        return
    elif isinstance(value, (list, tuple, set, frozenset, deque)):
        yield from value if len(value) <= _LARGE else ()
    elif isinstance(value, dict):
        yield from value.values() if len(value) <= _LARGE else ()
    elif isinstance(value, Stateful):
        for part in getattr(value, "modules", lambda: ())():
            yield from (v for k, v in vars(part).items() if k not in TREE)
    elif is_object(value):
        yield from vars(value).values()
        yield getattr(type(value), "__call__", None)  # noqa: B004 (the method, not whether)
    elif hasattr(value, "__wrapped__"):
        yield value.__wrapped__


#: The attributes of a module that it walks by itself.
TREE = ("_parameters", "_buffers", "_modules")


def _behind_function(fn: types.FunctionType) -> Iterator[Any]:
    yield from (held for held in map(cell_contents, fn.__closure__ or ()) if held is not ABSENT)
    for name in global_names(fn.__code__):
        named = fn.__globals__.get(name)
        if named is not None and not isinstance(named, types.ModuleType):
            yield named
    yield from fn.__defaults__ or ()
    yield from (fn.__kwdefaults__ or {}).values()
    if hasattr(fn, "__wrapped__"):
        yield fn.__wrapped__


def global_names(code: types.CodeType) -> Iterator[str]:
    """The global names (and attributes) of a function and of the functions inside it."""
    yield from code.co_names
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield from global_names(const)


def name_of(value: Any) -> str:
    """What a report calls an object that has no name of its own."""
    if isinstance(value, types.FunctionType):
        return value.__name__
    if isinstance(value, (list, dict, set)):
        return f"a {type(value).__name__}"
    return type(value).__name__


# --- keeping it --------------------------------------------------------------------------------
#: Stands for a name that is not there.
ABSENT: Any = type("Absent", (), {"__repr__": lambda self: "nothing"})()


@dataclass(frozen=True)
class Change:
    """A place of Python's that a function left changed: an item, an attribute, a closure variable,
    or (then ``key`` is None) all elements of a list, a set or a deque.
    """

    name: str
    holder: Any
    key: Any
    before: Any
    after: Any

    def put(self, value: Any) -> None:
        """Set the place to a value."""
        if isinstance(self.holder, types.CellType):
            _put_contents(self.holder, value)
        elif isinstance(self.holder, dict):
            _put_item(self.holder, self.key, value)
        elif isinstance(self.holder, type):
            delattr(self.holder, self.key) if value is ABSENT else setattr(
                self.holder, self.key, value)
        elif self.key is not None:
            self.holder[self.key] = value
        else:
            self.holder.clear()
            (self.holder.update if isinstance(self.holder, set) else self.holder.extend)(value)


def keep(value: Any, name: str) -> Callable[[], list[Change]]:
    """A function that brings back what a value holds, in the same object, and tells the changes."""
    if isinstance(value, list):
        return _keep_list(value, name)
    if isinstance(value, (set, deque)):
        return _keep_elements(value, name)
    if isinstance(value, type):
        return _keep_class(value)
    if isinstance(value, dict):
        return _keep_items(value, name + "[{!r}]")
    if isinstance(value, types.FunctionType):
        return _keep_function(value, name)
    return keep_attributes(vars(value), name)


def keep_attributes(holder: dict[str, Any], owner: str = "") -> Callable[[], list[Change]]:
    """Brings a ``__dict__`` back, and what lists, dicts and sets in it held.

    The changes are told by the names of the attributes, behind ``owner``.
    """
    form = f"{owner}." if owner else ""
    whole = _keep_items(holder, form + "{}")
    inner = [keep(v, f"{form}{k}") for k, v in holder.items()
             if isinstance(v, (list, dict, set, deque))]
    return _together([whole, *inner])


def _together(undos: Sequence[Callable[[], list[Change]]]) -> Callable[[], list[Change]]:
    """One function that does all of these, in order."""
    return lambda: [change for undo in undos for change in undo()]


def _keep_items(holder: dict[Any, Any], form: str) -> Callable[[], list[Change]]:
    kept = dict(holder)

    def restore() -> list[Change]:
        found = dict(holder)
        if found.keys() == kept.keys() and all(v is kept[k] for k, v in found.items()):
            return []
        dict.clear(holder)  # of a subclass too: its own methods may convert
        dict.update(holder, kept)
        pairs = ((k, kept.get(k, ABSENT), found.get(k, ABSENT)) for k in {**kept, **found})
        return [Change(form.format(k), holder, k, then, now)
                for k, then, now in pairs if not _same(then, now)]

    return restore


def _put_item(holder: dict[Any, Any], key: Any, value: Any) -> None:
    if value is ABSENT:
        holder.pop(key, None)
    else:
        dict.__setitem__(holder, key, value)


def _keep_list(held: list[Any], name: str) -> Callable[[], list[Change]]:
    kept = list(held)

    def restore() -> list[Change]:
        found = list(held)
        held[:] = kept
        if len(found) != len(kept):
            return [Change(name, held, None, kept, found)]
        return [Change(f"{name}[{k}]", held, k, a, b)
                for k, (a, b) in enumerate(zip(kept, found, strict=True)) if not _same(a, b)]

    return restore


def _keep_elements(held: Any, name: str) -> Callable[[], list[Change]]:
    """Of a set or a deque."""
    change = Change(name, held, None, held.copy(), None)

    def restore() -> list[Change]:
        found = held.copy()
        if len(found) == len(change.before) and all(map(operator.is_, found, change.before)):
            return []
        change.put(change.before)
        return [replace(change, after=found)]

    return restore


def _keep_class(cls: type) -> Callable[[], list[Change]]:
    kept = dict(vars(cls))

    def restore() -> list[Change]:
        found = dict(vars(cls))
        changes = [Change(f"{cls.__name__}.{k}", cls, k, kept.get(k, ABSENT), found.get(k, ABSENT))
                   for k in {**kept, **found} if found.get(k, ABSENT) is not kept.get(k, ABSENT)]
        for change in changes:
            change.put(change.before)
        return changes

    return restore


def _keep_function(fn: types.FunctionType, name: str) -> Callable[[], list[Change]]:
    """The cells that a function binds, the globals that it names, and its own attributes."""
    kept = [keep_attributes(vars(fn), name)]
    kept += [_keep_cell(cell, variable) for variable, cell in
             zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=True)]
    kept += [_keep_global(fn.__globals__, variable) for variable in global_names(fn.__code__)]
    return _together(kept)


def _keep_cell(cell: types.CellType, name: str) -> Callable[[], list[Change]]:
    kept = cell_contents(cell)

    def restore() -> list[Change]:
        now = cell_contents(cell)
        if now is not kept:
            _put_contents(cell, kept)
        return [] if _same(kept, now) else [Change(name, cell, None, kept, now)]

    return restore


def _put_contents(cell: types.CellType, value: Any) -> None:
    if value is ABSENT:
        del cell.cell_contents
    else:
        cell.cell_contents = value


def cell_contents(cell: types.CellType) -> Any:
    """What a closure variable is bound to."""
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return ABSENT


def _keep_global(holder: dict[str, Any], name: str) -> Callable[[], list[Change]]:
    kept = holder.get(name, ABSENT)

    def restore() -> list[Change]:
        now = holder.get(name, ABSENT)
        if now is not kept:
            _put_item(holder, name, kept)
        return [] if _same(kept, now) else [Change(name, holder, name, kept, now)]

    return restore


def _same(a: Any, b: Any) -> bool:
    """The same object, or an equal plain value: tensors are never asked whether they are equal."""
    return a is b or (type(a) is type(b) and isinstance(a, (bool, int, float, str)) and a == b)
