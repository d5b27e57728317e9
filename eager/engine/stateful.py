"""What holds state between calls: modules and optimisers, as a tracer sees them."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, runtime_checkable

from eager.engine.tensor import Tensor

#: Functions of these packages are not looked into: they hold no state of a user's.
_OURS = ("eager", "jit", "export", "numpy")


@runtime_checkable
class Stateful(Protocol):
    """State that a function may read and replace.

    `traced_state` gives ``(role, name, tensor)`` with the roles ``parameter``, ``buffer`` and
    ``optimizer``; it makes beforehand what the first use would make.  `snapshot` returns a
    function that brings all Python attributes back and names those that had changed; tensors
    keep their identity and their data.
    """

    def traced_state(self) -> Iterator[tuple[str, str, Tensor]]: ...

    def snapshot(self) -> Callable[[], list[str]]: ...


# --- finding it --------------------------------------------------------------------------------
def find_stateful(fn: Any, extra: Iterable[Any] = ()) -> list[Stateful]:
    """The stateful objects that a function can reach, those of ``extra`` first, each once.

    Looks at the function itself, the object it is bound to, closure cells, the globals it names,
    defaults, partials, wrapped and nested functions, and lists, tuples, sets and dicts of these.
    """
    found: dict[int, Stateful] = {}
    seen: dict[int, Any] = {}  # holds what it has seen, so that no id is used twice
    waiting: list[Any] = [fn, *reversed(list(extra))]
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen[id(value)] = value
        if isinstance(value, type):
            continue
        if isinstance(value, Stateful):
            found[id(value)] = value
        else:
            waiting.extend(reversed(list(_reached(value))))
    return list(found.values())


def _reached(value: Any) -> Iterator[Any]:
    """What stands directly behind a value."""
    if isinstance(value, functools.partial):
        yield from (value.func, *value.args, *value.keywords.values())
    elif isinstance(value, types.MethodType):
        yield value.__self__
        if not isinstance(value.__self__, Stateful):
            yield from getattr(value.__self__, "__dict__", {}).values()
        yield value.__func__
    elif isinstance(value, types.FunctionType):
        if value.__module__ is None or value.__module__.split(".")[0] not in _OURS:
            yield from _behind_function(value)
    elif isinstance(value, (list, tuple, set, frozenset)):
        yield from value
    elif isinstance(value, dict):
        yield from value.values()
    elif hasattr(value, "__wrapped__"):
        yield value.__wrapped__


def _behind_function(fn: types.FunctionType) -> Iterator[Any]:
    for cell in fn.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # a cell that is not filled yet
            continue
    for name in _names(fn.__code__):
        named = fn.__globals__.get(name)
        if named is not None and not isinstance(named, types.ModuleType):
            yield named
    yield from fn.__defaults__ or ()
    yield from (fn.__kwdefaults__ or {}).values()
    if hasattr(fn, "__wrapped__"):
        yield fn.__wrapped__


def _names(code: types.CodeType) -> Iterator[str]:
    """The global names of a function and of the functions inside it."""
    yield from code.co_names
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield from _names(const)


# --- keeping it --------------------------------------------------------------------------------
def keep_attributes(holder: dict[str, Any], owner: str = "") -> Callable[[], list[str]]:
    """A function that brings a ``__dict__`` back, and what lists, dicts and sets in it held.

    It returns the names of the attributes that had changed, behind ``owner``.
    """
    attributes = dict(holder)
    contents = {k: keep_contents(v) for k, v in attributes.items()
                if isinstance(v, (list, dict, set))}

    def restore() -> list[str]:
        changed = {k for k in {**attributes, **holder}
                   if not _same(holder.get(k, _ABSENT), attributes.get(k, _ABSENT))}
        holder.clear()
        holder.update(attributes)
        changed |= {k for k, undo in contents.items() if undo()}
        return [f"{owner}.{k}" if owner else k for k in attributes | dict.fromkeys(changed)
                if k in changed]

    return restore


_ABSENT = object()


def keep_contents(value: Any) -> Callable[[], bool]:
    """A function that brings the elements of a list, dict or set back, in the same object.

    It returns whether any had changed.
    """
    kept = value.copy()

    def restore() -> bool:
        changed = _differ(value, kept)
        value.clear()
        if isinstance(value, list):
            value.extend(kept)
        else:
            value.update(kept)
        return changed

    return restore


def _differ(now: Any, then: Any) -> bool:
    if len(now) != len(then):
        return True
    if isinstance(now, set):
        return bool(now != then)
    if isinstance(now, dict):
        return any(not _same(v, then.get(k, _ABSENT)) for k, v in now.items())
    return not all(map(_same, now, then))


def _same(a: Any, b: Any) -> bool:
    """The same object, or an equal plain value: tensors are never asked whether they are equal."""
    return a is b or (type(a) is type(b) and isinstance(a, (bool, int, float, str)) and a == b)
