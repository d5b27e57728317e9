"""Nested containers taken apart into arrays and put together again.

Tensors and NumPy arrays are leaves.  Numbers, strings, enums, slices, dtypes and None are part of
the structure: a program is compiled for their values.
"""

from __future__ import annotations

import dataclasses
import enum
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from eager.engine.tensor import Tensor
from eager.ops.errors import TraceError
from eager.ops.types import DType

_STATIC = (bool, int, float, complex, str, bytes, type(None), enum.Enum, slice, range, np.dtype,
           DType)
_JSON = (bool, int, float, str, type(None))

Flatten = Callable[[Any], tuple[Iterable[Any], Any]]
Unflatten = Callable[[Any, Any], Any]
#: What users registered, by class.
_REGISTERED: dict[type, tuple[Flatten, Unflatten]] = {}


def register_pytree(cls: type, flatten: Flatten, unflatten: Unflatten) -> None:
    """Let objects of a class go into and out of programs.

    ``flatten(object)`` gives its children (any trees) and what else it is made of, which is part
    of the structure and is compared by its ``repr``; ``unflatten(rest, children)`` makes an
    object of both.  Subclasses are registered by themselves.
    """
    if not isinstance(cls, type):
        raise TraceError(f"register_pytree wants a class, got {cls!r}")
    if cls in (tuple, list, dict, Tensor, np.ndarray, *_STATIC):
        raise TraceError(f"register_pytree: {cls.__name__} is known already")
    _REGISTERED[cls] = flatten, unflatten


@dataclass(frozen=True)
class Spec:
    """The shape of a tree: ``leaf``, ``size`` (a leaf that comes back as an int), ``static``
    (with its value), or a container.

    ``keys`` are dict keys and field names; ``cls`` rebuilds objects, with ``value`` besides.
    """

    kind: str
    children: tuple[Spec, ...] = ()
    keys: tuple[Any, ...] = ()
    value: Any = None
    cls: type | None = dataclasses.field(default=None, compare=False)
    cls_name: str = ""

    @property
    def leaves(self) -> int:
        """How many arrays a tree of this shape holds."""
        return 1 if self.kind in ("leaf", "size") else sum(c.leaves for c in self.children)

    def to_json(self) -> Any:
        """Plain data that says the same (without the Python class)."""
        if self.kind in ("leaf", "size"):
            return self.kind
        if self.kind == "static":
            plain = isinstance(self.value, _JSON) and not isinstance(self.value, enum.Enum)
            return {"static": self.value if plain else repr(self.value)}
        found: dict[str, Any] = {"kind": self.kind,
                                 "children": [c.to_json() for c in self.children]}
        if self.keys:
            found["keys"] = [k if isinstance(k, _JSON) else repr(k) for k in self.keys]
        if self.cls_name:
            found["class"] = self.cls_name
        return found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spec) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> Any:
        # 1, True and 1.0 are different structures: a static value counts with its type.
        return (self.kind, tuple(c._key() for c in self.children), self.keys,
                type(self.value), repr(self.value), self.cls_name)


LEAF = Spec("leaf")


def flatten(tree: Any, sizes: bool = False) -> tuple[list[Any], Spec]:
    """The arrays of a tree in order, and its shape; with ``sizes`` symbolic ones are leaves too."""
    leaves: list[Any] = []
    return leaves, _flatten(tree, leaves, sizes)


def _flatten(tree: Any, leaves: list[Any], sizes: bool) -> Spec:
    if isinstance(tree, (Tensor, np.ndarray, np.generic)):
        leaves.append(tree)
        return LEAF
    if sizes and hasattr(tree, "__dim__"):
        leaves.append(tree)
        return Spec("size")
    if isinstance(tree, _STATIC) or hasattr(tree, "__dim__"):
        return Spec("static", value=tree)
    kind, keys, values, rest = _open(tree)
    children = tuple(_flatten(v, leaves, sizes) for v in values)
    cls = None if kind in ("tuple", "list", "dict") else type(tree)
    return Spec(kind, children, keys, rest, cls,
                f"{cls.__module__}.{cls.__qualname__}" if cls else "")


def _open(tree: Any) -> tuple[str, tuple[Any, ...], list[Any], Any]:
    """Kind, keys and values of a container, and what else it is made of."""
    if type(tree) in _REGISTERED:
        children, rest = _REGISTERED[type(tree)][0](tree)
        return "object", (), list(children), rest
    if isinstance(tree, tuple):
        if hasattr(tree, "_fields"):
            return "namedtuple", tuple(tree._fields), list(tree), None
        return "tuple", (), list(tree), None
    if isinstance(tree, list):
        return "list", (), tree, None
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        names = tuple(f.name for f in dataclasses.fields(tree))
        return "dataclass", names, [getattr(tree, n) for n in names], None
    if isinstance(tree, dict):
        kind = _DICTS.get(type(tree), "dict")
        return kind, tuple(tree), list(tree.values()), getattr(tree, "default_factory", None)
    raise TraceError(
        f"a {type(tree).__name__} cannot go into or out of a program: tensors, arrays, numbers, "
        f"strings, None, and tuples, lists, dicts, named tuples and dataclasses of them can, and "
        f"classes told of by jit.register_pytree; the function uses modules and optimisers by "
        f"itself (they may be named in state=)")


_DICTS = {OrderedDict: "ordered dict", defaultdict: "default dict"}


def unflatten(spec: Spec, leaves: Iterator[Any]) -> Any:
    """A tree of this shape over the next arrays."""
    if spec.kind == "leaf":
        return next(leaves)
    if spec.kind == "size":
        return int(next(leaves))
    if spec.kind == "static":
        return spec.value
    values = [unflatten(c, leaves) for c in spec.children]
    if spec.kind in ("tuple", "list"):
        return tuple(values) if spec.kind == "tuple" else values
    return _rebuilt(spec, values)


def _rebuilt(spec: Spec, values: list[Any]) -> Any:
    cls = spec.cls
    named = dict(zip(spec.keys, values, strict=True)) if spec.kind != "object" else {}
    if cls is None:
        return named
    if spec.kind == "object":
        return _REGISTERED[cls][1](spec.value, values)
    if spec.kind == "default dict":
        return cls(spec.value, named)
    if spec.kind != "dataclass" or issubclass(cls, dict):
        return cls(named) if spec.kind == "ordered dict" else cls(**named)
    made = cls.__new__(cls)  # not by __init__: it may compute fields, and they are here
    for name, value in named.items():
        object.__setattr__(made, name, value)
    return made


def leaves_as(spec: Spec, tree: Any) -> list[Any]:
    """The leaves of a tree of this shape, with the numbers that stand where it has sizes."""
    arrays, got = flatten(tree)
    left = iter(arrays)

    def visit(want: Spec, have: Spec) -> Iterator[Any]:
        if have.kind == "leaf":
            yield next(left)
        elif want.kind == "size":
            yield have.value
        else:
            for a, b in zip(want.children, have.children, strict=False):
                yield from visit(a, b)

    return list(visit(spec, got))


def statics(spec: Spec) -> Iterator[Any]:
    """The values that are part of the structure."""
    if spec.kind == "static":
        yield spec.value
    for child in spec.children:
        yield from statics(child)


def paths(spec: Spec, root: str) -> list[str]:
    """A name for every leaf: ``input``, ``input.mask``, ``states[1]``."""
    if spec.kind in ("leaf", "size"):
        return [root]
    found: list[str] = []
    for k, child in enumerate(spec.children):
        key = f".{spec.keys[k]}" if spec.keys else f"[{k}]"
        found += paths(child, root + key if root else key.strip(".[]"))
    return found


def map_leaves(tree: Any, f: Callable[[Any], Any]) -> Any:
    """The tree with every array replaced."""
    leaves, spec = flatten(tree)
    return unflatten(spec, iter([f(x) for x in leaves]))


def differences(wanted: Spec, got: Spec, path: str = "") -> str:
    """The first difference of two shapes, in words."""
    here = path or "the result"
    if wanted.kind != got.kind or wanted.cls_name != got.cls_name:
        return (f"{here}: a {wanted.kind} {wanted.cls_name}".rstrip() +
                f" against a {got.kind} {got.cls_name}".rstrip())
    if wanted.kind == "object" and repr(wanted.value) != repr(got.value):
        return f"{here}: {wanted.value!r} against {got.value!r}"
    if wanted.kind == "static" and wanted != got:
        return f"{here}: {wanted.value!r} against {got.value!r}"
    if wanted.keys != got.keys:
        return f"{here}: keys {list(wanted.keys)} against {list(got.keys)}"
    if len(wanted.children) != len(got.children):
        return f"{here}: {len(wanted.children)} elements against {len(got.children)}"
    for k, (a, b) in enumerate(zip(wanted.children, got.children, strict=True)):
        if a != b:
            key = f".{wanted.keys[k]}" if wanted.keys else f"[{k}]"
            return differences(a, b, path + key)
    return "no difference"
