"""The tape: one node an op, and the walk back over it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from eager.engine.mode import MODE, mode_set
from eager.engine.raw import RAW
from eager.engine.silence import SILENT, errstate_variable
from eager.ops.errors import OpError
from eager.ops.op import Op
from eager.ops.types import DType, dtype_of

if TYPE_CHECKING:
    from eager.engine.tensor import Tensor



class Storage:
    """The memory that a tensor, its views and its ``detach()`` share; counts writes."""

    __slots__ = ("version",)

    def __init__(self) -> None:
        self.version = 0


def storage_of(t: Tensor) -> Storage:
    """The storage of a tensor, made when first shared or written."""
    storage = t._storage
    if storage is None:
        storage = t._storage = Storage()
        if t._node is not None:
            t._node.storage = storage
    return storage


class Ghost:
    """Stands for an operand whose value the gradient does not need."""

    __slots__ = ("dtype", "shape")

    def __init__(self, shape: tuple[Any, ...], dtype: Any) -> None:
        self.shape, self.dtype = shape, dtype


class Node:
    """One op application: where its operands came from and what its gradient needs.

    ``edges`` holds for each operand the node that made it or the leaf tensor itself; where no
    gradient flows, the operand's shape and dtype (None for a number).  ``shape`` and ``dtype``
    are the result's.  ``storage`` is the result's once it has one: a result that was never shared
    nor written needs none.
    """

    __slots__ = ("attrs", "dtype", "edges", "op", "out", "saved", "shape", "storage", "versions")

    op: Op
    attrs: dict[str, Any]
    shape: tuple[Any, ...]
    dtype: Any
    edges: list[Any]
    storage: Storage | None
    saved: Sequence[Any] | None
    versions: list[int] | None  #: of what is saved, where any of it was ever shared or written
    out: Any  #: the result's value: not the tensor, which holds this node

    def check(self) -> None:
        """Raise OpError if a value this node saved was written since."""
        if self.saved is not None:
            for k, t in enumerate(self.saved):
                then = self.versions[k] if self.versions else 0
                self._unchanged(f"operand {self.op.saved_inputs[k]}", then, _version(t))
        if self.out is not None and self.storage is not None:
            self._unchanged("the result", 0, self.storage.version)

    def _unchanged(self, what: str, then: int, now: int) -> None:
        if then != now:
            types = ", ".join(f"{e.dtype}{list(e.shape)}" for e in map(_described, self.edges)
                              if e is not None)
            raise OpError(
                f"{what} of {self.op.name}({types}) was saved for its gradient at "
                f"version {then} and has been modified in place since (version {now}); "
                f"use the op without the trailing underscore, or clone() before the write")

    def inputs(self, way: Any) -> list[Any]:
        """The operands for the gradient rule, as values of the way it is walked.

        A saved number gets the result's dtype: alone it would count as float32 or int64.
        """
        inputs = list(map(_described, self.edges))
        for i, t in zip(self.op.saved_inputs, self.saved or (), strict=False):
            inputs[i] = way.number(t, self.dtype) if type(t) in _NUMBERS else way.value(t)
        return inputs


_NUMBERS = (float, int, bool)


def _described(edge: Any) -> Any:
    return Ghost(*edge) if type(edge) is tuple else edge


def record(op: Op, args: tuple[Any, ...], attrs: dict[str, Any], out: Any,
           traced: bool = False) -> Node:
    """The node of one application whose result's value is ``out``.

    A plain function over a bare object, since the call of a class costs half an op.
    """
    node = _new(Node)
    node.op = op
    node.attrs = attrs
    node.shape = out.shape
    node.dtype = out.dtype
    node.storage = node.saved = node.versions = None
    node.edges = edges = []
    for a in args:
        try:
            if a._needs:
                edges.append(a._node or a)
            else:
                value = a if traced else a._array
                edges.append((value.shape, value.dtype))
        except AttributeError:  # a number
            edges.append(None)
    if op.saves:
        positions = op.saved_inputs
        node.saved = saved = args if len(positions) == len(args) else [args[i] for i in positions]
        for t in saved:
            if getattr(t, "_storage", None) is not None:
                node.versions = [_version(t) for t in saved]
                break
    node.out = out if op.saves_out else None
    return node


_new: Any = object.__new__


def _version(t: Any) -> int:
    storage = getattr(t, "_storage", None)
    return 0 if storage is None else int(storage.version)


# --- the walk ----------------------------------------------------------------------------------
def backward(roots: Sequence[Tensor], seeds: Sequence[Any], *, create_graph: bool,
             targets: Sequence[Tensor] | None = None) -> dict[int, tuple[Tensor, Any]]:
    """Gradients of ``sum(seed * root)``: ``{id: (tensor, gradient)}`` of each leaf reached
    (or of each target).

    On raw arrays; on tensors where the gradient must itself be recorded.
    """
    taped = create_graph or MODE.get().recorder is not None
    token = errstate_variable.set(SILENT)
    try:
        with mode_set(grad=create_graph):
            return _walk(roots, seeds, _Taped() if taped else _Raw(), targets)
    finally:
        errstate_variable.reset(token)


class _Raw:
    """Gradients as NumPy arrays."""

    F: Any = RAW

    def seed(self, t: Tensor) -> Any:
        return t._array

    def value(self, t: Tensor) -> Any:
        return t._array

    def number(self, number: Any, dtype: Any) -> Any:
        return np.asarray(number, dtype)

    def fits(self, have: tuple[Any, ...], want: tuple[Any, ...]) -> bool:
        return have == want

    def out(self, node: Node) -> Any:
        return node.out


class _Taped:
    """Gradients as tensors, whose ops are taped or recorded in their turn."""

    def __init__(self) -> None:
        from eager.engine.tensor import TAPED

        self.F: Any = TAPED

    def seed(self, t: Tensor) -> Any:
        return t

    def value(self, t: Tensor) -> Any:
        return t

    def number(self, number: Any, dtype: Any) -> Any:
        kind = dtype if isinstance(dtype, DType) else dtype_of(dtype)
        return self.F.full(shape=(), value=number, dtype=kind)

    def fits(self, have: tuple[Any, ...], want: tuple[Any, ...]) -> bool:
        # Whether a symbolic size is 1 cannot be asked, and a broadcast dim is a plain 1.
        return len(have) == len(want) and all(
            type(a) is type(b) and a == b for a, b in zip(have, want, strict=True))

    def out(self, node: Node) -> Any:
        from eager.engine.tensor import Tensor

        value = node.out
        if value is None or isinstance(value, Tensor):
            return value
        out = Tensor(value)
        out._node, out._needs, out._storage = node, True, node.storage
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
        partials = entry.op.grad(F, g, way.out(entry), *entry.inputs(way), **entry.attrs)
        for edge, partial in zip(entry.edges, partials, strict=True):
            if partial is None or edge is None or type(edge) is tuple:
                continue
            if not way.fits(partial.shape, edge.shape):
                partial = sum_to(F, partial, tuple(edge.shape))
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
                             if e is not None and type(e) is not tuple and id(e) not in seen)
            else:
                done.append(entry)
    done.reverse()
    return done
