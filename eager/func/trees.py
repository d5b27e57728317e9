"""Nested tuples, lists and dicts taken apart into leaves and put together again.

Everything else, None too, is a leaf.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from eager.ops.errors import OpError


@dataclass(frozen=True)
class Tree:
    """The shape of a nest: a leaf (``kind`` None), or a container by its class."""

    kind: type | None = None
    keys: tuple[Any, ...] = ()
    children: tuple[Tree, ...] = ()

    @property
    def count(self) -> int:
        """How many leaves there are."""
        return 1 if self.kind is None else sum(c.count for c in self.children)

    def build(self, leaves: Iterable[Any]) -> Any:
        """A nest of this shape over leaves."""
        return self._build(iter(leaves))

    def _build(self, leaves: Iterator[Any]) -> Any:
        if self.kind is None:
            return next(leaves)
        values = [c._build(leaves) for c in self.children]
        make: Any = self.kind
        if issubclass(self.kind, dict):
            return make(zip(self.keys, values, strict=True))
        return make(*values) if hasattr(make, "_fields") else make(values)

    def __str__(self) -> str:
        if self.kind is None:
            return "*"
        inside = ", ".join(map(str, self.children))
        return f"{self.kind.__name__}({inside})"


LEAF = Tree()
_CONTAINERS = (tuple, list, dict, OrderedDict)


def flatten(nest: Any) -> tuple[list[Any], Tree]:
    """The leaves in order, and the shape."""
    leaves: list[Any] = []
    return leaves, _flatten(nest, leaves)


def _flatten(nest: Any, leaves: list[Any]) -> Tree:
    opened = _open(nest)
    if opened is None:
        leaves.append(nest)
        return LEAF
    keys, values = opened
    return Tree(type(nest), keys, tuple(_flatten(v, leaves) for v in values))


def _open(nest: Any) -> tuple[tuple[Any, ...], list[Any]] | None:
    """Keys and values of a container; None of a leaf."""
    kind = type(nest)
    if kind in (dict, OrderedDict):
        return tuple(nest), list(nest.values())
    if kind in (tuple, list) or (issubclass(kind, tuple) and hasattr(kind, "_fields")):
        return (), list(nest)
    return None


def map_leaves(f: Callable[[Any], Any], nest: Any) -> Any:
    """The nest with every leaf replaced."""
    leaves, tree = flatten(nest)
    return tree.build(map(f, leaves))


def spread_prefix(prefix: Any, tree: Tree, what: str) -> list[Any]:
    """One value of ``prefix`` for every leaf: a value stands for all the leaves below it."""
    if tree.kind is None or _open(prefix) is None:
        return [prefix] * tree.count
    keys, values = _open(prefix) or ((), [])
    if len(values) != len(tree.children) or keys != tree.keys:
        raise OpError(f"{what}: {prefix!r} does not fit a structure {tree}")
    return [leaf for value, child in zip(values, tree.children, strict=True)
            for leaf in spread_prefix(value, child, what)]
