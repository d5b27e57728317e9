"""The tape: one node an op, and what a gradient needs of it.  `walk` goes back over it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

from eager.engine.hooks import Extras
from eager.ops.errors import OpError
from eager.ops.op import Op

if TYPE_CHECKING:
    from eager.engine.tensor import Tensor


class Storage:
    """The memory that a tensor, its views and its ``detach()`` share; counts writes."""

    __slots__ = ("version", "writer")
    inference = False

    def __init__(self) -> None:
        self.version = 0
        self.writer = ""  #: the name of the last write


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


class Seen:
    """Stands for a leaf in the same way: it is looked at only where it is asked."""

    __slots__ = ("_leaf",)

    def __init__(self, leaf: Tensor) -> None:
        self._leaf = leaf

    @property
    def shape(self) -> tuple[Any, ...]:
        return self._leaf.shape

    @property
    def dtype(self) -> Any:
        return self._leaf.dtype


class GradFn:
    """A node of the tape as users look at it, under torch's names."""

    __slots__ = ("__weakref__", "edges", "extras", "seq")

    edges: list[Any]  #: an entry, what an operand without gradient was, or None for a number
    extras: Extras | None
    seq: int  #: nodes in the order they were made

    def name(self) -> str:
        """``AddBackward`` of an add."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{self.name()}>"

    @property
    def next_functions(self) -> tuple[tuple[GradFn | None, int], ...]:
        """For each operand what made it: its node, an `AccumulateGrad` of a leaf, or None."""
        return tuple((_function_of(e), _number_of(e)) for e in self.edges)

    @property
    def metadata(self) -> dict[Any, Any]:
        """A dictionary for whoever walks the graph."""
        return self.own_extras().metadata

    def register_hook(self, hook: Callable[..., Any]) -> Any:
        """Call ``hook(grad_inputs, grad_outputs)`` after this node; it may return new ones."""
        return self.own_extras().register("after", hook)

    def register_prehook(self, hook: Callable[..., Any]) -> Any:
        """Call ``hook(grad_outputs)`` before this node; it may return new ones."""
        return self.own_extras().register("before", hook)

    def own_extras(self) -> Extras:
        """The extras, made when first asked for."""
        if self.extras is None:
            self.extras = Extras()
        return self.extras


class AccumulateGrad(GradFn):
    """What adds a gradient into the ``.grad`` of a leaf; made only to be looked at."""

    __slots__ = ("variable",)

    def __init__(self, variable: Tensor) -> None:
        self.variable, self.edges, self.extras, self.seq = variable, [], None, -1

    def name(self) -> str:
        return "AccumulateGrad"


def _function_of(edge: Any) -> GradFn | None:
    if edge is None or type(edge) is tuple:
        return None
    if isinstance(edge, GradFn):
        return edge.function if isinstance(edge, Output) else edge
    return AccumulateGrad(edge)


def _number_of(edge: Any) -> int:
    return edge.index if isinstance(edge, Output) else 0


class Node(GradFn):
    """One op application: where its operands came from and what its gradient needs.

    ``edges`` holds for each operand the node that made it or the leaf tensor itself; where no
    gradient flows, the operand's shape and dtype (None for a number).  ``shape`` and ``dtype``
    are the result's.  ``storage`` is the result's once it has one: a result that was never shared
    nor written needs none.
    """

    __slots__ = ("attrs", "dtype", "op", "out", "saved", "shape", "storage", "versions")

    op: Op
    attrs: dict[str, Any]
    shape: tuple[Any, ...]
    dtype: Any
    storage: Storage | None
    saved: Sequence[Any] | None
    versions: list[int] | None  #: of what is saved, where any of it was ever shared or written
    out: Any  #: the result's value: not the tensor, which holds this node

    def name(self) -> str:
        return "".join(w.capitalize() for w in self.op.name.split("_")) + "Backward"

    def words(self) -> str:
        """The op and the types of its operands."""
        types = ", ".join(f"{_public(e.dtype)}{list(e.shape)}"
                          for e in map(described, self.edges) if e is not None)
        return f"{self.op.name}({types})"

    def check(self) -> None:
        """Raise OpError if a value this node saved was written since, or has been let go."""
        if self.saved is FREED:
            raise OpError(
                f"the graph is walked a second time, and what {self.words()} saved was let go "
                f"after the first: call backward() or grad() with retain_graph=True to go "
                f"backward through the graph a second time")
        if self.saved is not None and (self.extras is None or self.extras.unpack is None):
            for k, t in enumerate(self.saved):
                then = self.versions[k] if self.versions else 0
                storage = getattr(t, "_storage", None)
                if storage is not None and storage.version != then:
                    self._refuse(f"operand {self.op.saved_inputs[k]}", then, storage)
        if self.out is not None and self.storage is not None and self.storage.version:
            self._refuse("the result", 0, self.storage)

    def _refuse(self, what: str, then: int, storage: Storage) -> None:
        writer = f" by {storage.writer}" if storage.writer else ""
        place = self.extras.place if self.extras is not None else None
        raise OpError(
            f"{what} of {self.words()} was saved for its gradient at version {then} and has been "
            f"modified in place since{writer} (version {storage.version}); use the op without "
            f"the trailing underscore, or clone() before the write"
            + (f"\nThe op was called here:\n{place}" if place else ""))

    def release(self) -> None:
        """Let go of what was saved: the graph has been walked."""
        if self.saved is not None or self.out is not None:
            self.saved, self.out = FREED, None


#: What a node holds in place of the values it saved, after a walk that did not retain them.
FREED: tuple[Any, ...] = ("freed",)


class Output(GradFn):
    """One result of a function with its own gradient: leads to the function's node."""

    __slots__ = ("dtype", "function", "index", "shape", "storage")

    storage: Storage | None

    def __init__(self, function: GradFn, index: int, out: Tensor) -> None:
        self.function, self.index, self.shape = function, index, tuple(out.shape)
        self.dtype, self.edges, self.extras = out.dtype, [function], None
        self.storage, self.seq = out._storage, tick()

    def name(self) -> str:
        return self.function.name()


def _public(dtype: Any) -> str:
    """``float32`` of a dtype of NumPy's or of ours."""
    return str(dtype).rpartition(".")[2]


def described(edge: Any) -> Any:
    """An operand for a gradient rule that reads its shape and dtype alone: it has no more."""
    if type(edge) is tuple:
        return Ghost(*edge)
    return edge if edge is None or isinstance(edge, GradFn) else Seen(edge)


def edge_of(t: Any, traced: bool) -> Any:
    """Where the gradient of an operand goes."""
    if not hasattr(t, "_needs"):
        return None
    if t._needs:
        return t._node or t
    value = t if traced else t._array
    return value.shape, value.dtype


def record(op: Op, args: tuple[Any, ...], attrs: dict[str, Any], out: Any,
           traced: bool = False) -> Node:
    """The node of one application whose result's value is ``out``.

    A plain function over a bare object, since the call of a class costs half an op.
    """
    node: Node = _new(Node)
    node.op = op
    node.attrs = attrs
    node.shape = out.shape
    node.dtype = out.dtype
    node.seq = tick()
    node.storage = node.saved = node.versions = node.extras = None
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
    if MARKS:
        for mark in MARKS:
            mark(node)
    return node


_new: Any = object.__new__
#: The next number of a node.
tick: Callable[[], int] = count().__next__
#: What is done to every node that is recorded: anomaly mode and hooks on saved tensors.
MARKS: list[Callable[[Node], None]] = []


def _version(t: Any) -> int:
    storage = getattr(t, "_storage", None)
    if storage is None:
        return 0
    if storage.inference:
        raise OpError(f"a tensor {t.spec} made in inference_mode cannot be saved for a gradient; "
                      f"clone() it outside of that mode, or make it in no_grad()")
    return int(storage.version)
