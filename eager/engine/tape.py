"""The tape: one node an op, and the walk back over it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from eager.engine.mode import MODE, mode_set
from eager.engine.raw import RAW
from eager.ops.errors import OpError
from eager.ops.op import Op

if TYPE_CHECKING:
    from eager.engine.tensor import Tensor


class Storage:
    """The memory that a tensor, its views and its ``detach()`` share; counts writes."""

    __slots__ = ("version",)

    def __init__(self) -> None:
        self.version = 0


class Ghost:
    """Stands for an operand whose value the gradient does not need."""

    __slots__ = ("dtype", "shape")

    def __init__(self, shape: tuple[Any, ...], dtype: Any) -> None:
        self.shape, self.dtype = shape, dtype


class Node:
    """One op application: where its operands came from and what its gradient needs.

    ``edges`` holds for each operand the node that made it, the leaf tensor itself,
    or None where no gradient flows.
    """

    __slots__ = ("attrs", "edges", "op", "out", "saved", "types", "versions")

    def __init__(self, op: Op, args: tuple[Any, ...], attrs: dict[str, Any],
                 types: list[Any], result: Tensor) -> None:
        self.op = op
        self.attrs = attrs
        self.types = types
        self.edges = [(a._node or a) if getattr(a, "_needs", False) else None for a in args]
        self.saved: Any = None
        self.versions: Any = None
        self.out: Any = None
        if op.saves:
            self._save(op, args, result)

    def _save(self, op: Op, args: tuple[Any, ...], result: Tensor) -> None:
        self.saved = [args[i] for i in op.saved_inputs]
        if any(getattr(t, "_storage", None) is not None for t in self.saved):
            self.versions = [_version(t) for t in self.saved]
        if op.saves_out:
            # Not the tensor itself: it holds this node, and a cycle would outlive its use.
            if result._storage is None:
                result._storage = Storage()
            self.out = (_value(result), result._storage, result._storage.version)

    def check(self) -> None:
        """Raise OpError if a value this node saved was written since."""
        if self.saved:
            for k, t in enumerate(self.saved):
                then = self.versions[k] if self.versions else 0
                self._unchanged(f"operand {self.op.saved_inputs[k]}", then, _version(t))
        if self.out:
            _, storage, then = self.out
            self._unchanged("the result", then, storage.version)

    def _unchanged(self, what: str, then: int, now: int) -> None:
        if then != now:
            raise OpError(
                f"{what} of {self.op.name} {_types(self.types)} was saved for its gradient at "
                f"version {then} and has been modified in place since (version {now}); "
                f"use the op without the trailing underscore, or clone() before the write")

    def inputs(self, value: Any) -> list[Any]:
        """The operands for the gradient rule; ``value`` turns a saved tensor into F's values."""
        saved = dict(zip(self.op.saved_inputs, self.saved or (), strict=False))
        return [
            value(saved[i]) if i in saved else Ghost(*kind) if kind is not None else None
            for i, kind in enumerate(self.types)
        ]


def _version(t: Any) -> int:
    storage = getattr(t, "_storage", None)
    return 0 if storage is None else int(storage.version)


def _value(t: Tensor) -> Any:
    """The array of a tensor, or the handle itself where a recorder holds the values."""
    return t if MODE.get().recorder is not None else t._array


def _types(types: Sequence[Any]) -> str:
    return "(" + ", ".join(f"{k[1]}{list(k[0])}" for k in types if k is not None) + ")"


# --- the walk ----------------------------------------------------------------------------------
def backward(roots: Sequence[Tensor], seeds: Sequence[Any], *, create_graph: bool,
             targets: Sequence[Tensor] | None = None) -> dict[int, tuple[Tensor, Any]]:
    """Gradients of ``sum(seed * root)``: ``{id: (tensor, gradient)}`` of each leaf reached
    (or of each target).

    On raw arrays; on tensors where the gradient must itself be recorded.
    """
    taped = create_graph or MODE.get().recorder is not None
    with mode_set(grad=create_graph):
        return _walk(roots, seeds, _Taped() if taped else _Raw(), targets)


class _Raw:
    """Gradients as NumPy arrays."""

    F: Any = RAW

    def seed(self, t: Tensor) -> Any:
        return t._array

    def value(self, t: Any) -> Any:
        return t._array if hasattr(t, "_array") else t

    def out(self, node: Node) -> Any:
        return node.out[0] if node.out else None


class _Taped:
    """Gradients as tensors, whose ops are taped or recorded in their turn."""

    def __init__(self) -> None:
        from eager.engine.tensor import TAPED

        self.F: Any = TAPED

    def seed(self, t: Tensor) -> Any:
        return t

    def value(self, t: Any) -> Any:
        return t

    def out(self, node: Node) -> Any:
        from eager.engine.tensor import Tensor

        if not node.out:
            return None
        value, storage, _ = node.out
        if isinstance(value, Tensor):
            return value
        out = Tensor(value)
        out._node, out._needs, out._storage = node, True, storage
        return out


def _walk(roots: Sequence[Tensor], seeds: Sequence[Any], way: Any,
          targets: Sequence[Tensor] | None) -> dict[int, tuple[Tensor, Any]]:
    F = way.F
    grads: dict[int, Any] = {}
    wanted = {id(t._node or t): t for t in targets} if targets is not None else None
    found: dict[int, tuple[Tensor, Any]] = {}
    for root, seed in zip(roots, seeds, strict=True):
        _accumulate(F, grads, id(root._node or root), way.seed(seed))
    for entry in _order([r._node or r for r in roots]):
        g = grads.pop(id(entry), None)
        if g is None:
            continue
        if wanted is not None and id(entry) in wanted:
            found[id(wanted[id(entry)])] = (wanted[id(entry)], g)
        if not isinstance(entry, Node):
            if wanted is None:
                found[id(entry)] = (entry, g)
            continue
        entry.check()
        partials = entry.op.grad(F, g, way.out(entry), *entry.inputs(way.value), **entry.attrs)
        for edge, kind, partial in zip(entry.edges, entry.types, partials, strict=True):
            if edge is not None and partial is not None:
                if partial.shape != kind[0]:
                    partial = sum_to(F, partial, kind[0])
                _accumulate(F, grads, id(edge), partial)
    return found


def _accumulate(F: Any, grads: dict[int, Any], key: int, g: Any) -> None:
    # Never in place: a rule may hand the same array to several operands.
    have = grads.get(key)
    grads[key] = g if have is None else F.add(have, g)


def sum_to(F: Any, g: Any, shape: tuple[Any, ...]) -> Any:
    """``g`` summed over the dims along which ``shape`` was broadcast."""
    extra = len(g.shape) - len(shape)
    dims = tuple(range(extra)) + tuple(
        i + extra for i, d in enumerate(shape)
        if type(d) is int and d == 1 and not (type(g.shape[i + extra]) is int
                                              and g.shape[i + extra] == 1))
    if not dims:
        return g
    return F.reshape(F.sum(g, dims=dims, keepdim=False), shape=shape)


def _order(entries: Sequence[Any]) -> list[Any]:
    """Nodes and leaves in reverse topological order, each before what it was made from."""
    done: list[Any] = []
    seen: set[int] = set()
    stack: list[tuple[Any, bool]] = [(e, False) for e in entries]
    while stack:
        entry, ready = stack.pop()
        if ready:
            done.append(entry)
        elif id(entry) not in seen:
            seen.add(id(entry))
            if type(entry) is Node:
                stack.append((entry, True))
                stack.extend((e, False) for e in entry.edges
                             if e is not None and id(e) not in seen)
            else:
                done.append(entry)
    done.reverse()
    return done
