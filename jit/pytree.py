"""Nested containers taken apart into arrays and put together again.

Tensors and NumPy arrays are leaves.  Numbers, strings and None are part of the structure: a
program is compiled for their values.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from eager.engine.tensor import Tensor
from eager.ops.errors import TraceError

_STATIC = (bool, int, float, str, type(None))


@dataclass(frozen=True)
class Spec:
    """The shape of a tree: ``leaf``, ``static`` (with its value), or a container.

    ``keys`` are dict keys and field names; ``cls`` rebuilds named tuples and dataclasses.
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
        return 1 if self.kind == "leaf" else sum(c.leaves for c in self.children)

    def to_json(self) -> Any:
        """Plain data that says the same (without the Python class)."""
        if self.kind == "leaf":
            return "leaf"
        if self.kind == "static":
            return {"static": self.value}
        found: dict[str, Any] = {"kind": self.kind,
                                 "children": [c.to_json() for c in self.children]}
        if self.keys:
            found["keys"] = list(self.keys)
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


def flatten(tree: Any) -> tuple[list[Any], Spec]:
    """The arrays of a tree in order, and its shape."""
    leaves: list[Any] = []
    return leaves, _flatten(tree, leaves)


def _flatten(tree: Any, leaves: list[Any]) -> Spec:
    if isinstance(tree, (Tensor, np.ndarray, np.generic)):
        leaves.append(tree)
        return LEAF
    if isinstance(tree, _STATIC) or hasattr(tree, "__dim__"):
        return Spec("static", value=tree)
    kind, keys, values = _open(tree)
    children = tuple(_flatten(v, leaves) for v in values)
    cls = type(tree) if kind in ("namedtuple", "dataclass") else None
    name = f"{cls.__module__}.{cls.__qualname__}" if cls else ""
    return Spec(kind, children, keys, None, cls, name)


def _open(tree: Any) -> tuple[str, tuple[Any, ...], list[Any]]:
    """Kind, keys and values of a container."""
    if isinstance(tree, tuple):
        if hasattr(tree, "_fields"):
            return "namedtuple", tuple(tree._fields), list(tree)
        return "tuple", (), list(tree)
    if isinstance(tree, list):
        return "list", (), tree
    if isinstance(tree, dict):
        return "dict", tuple(tree), list(tree.values())
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        names = tuple(f.name for f in dataclasses.fields(tree))
        return "dataclass", names, [getattr(tree, n) for n in names]
    raise TraceError(
        f"a {type(tree).__name__} cannot go into or out of a program: tensors, arrays, numbers, "
        f"strings, None, and tuples, lists, dicts, named tuples and dataclasses of them can; the "
        f"function uses modules and optimisers by itself (they may be named in state=)")


def unflatten(spec: Spec, leaves: Iterator[Any]) -> Any:
    """A tree of this shape over the next arrays."""
    if spec.kind == "leaf":
        return next(leaves)
    if spec.kind == "static":
        return spec.value
    values = [unflatten(c, leaves) for c in spec.children]
    if spec.kind == "tuple":
        return tuple(values)
    if spec.kind == "list":
        return values
    named = dict(zip(spec.keys, values, strict=True))
    return named if spec.kind == "dict" or spec.cls is None else spec.cls(**named)


def statics(spec: Spec) -> Iterator[Any]:
    """The values that are part of the structure."""
    if spec.kind == "static":
        yield spec.value
    for child in spec.children:
        yield from statics(child)


def paths(spec: Spec, root: str) -> list[str]:
    """A name for every leaf: ``input``, ``input.mask``, ``states[1]``."""
    if spec.kind == "leaf":
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
        return f"{here}: a {wanted.kind} against a {got.kind}"
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
