"""Which nodes share a kernel.

A `Group` is a loop nest: every node in it is computed once an element (or once a
row, after a reduction) and only what others need is written to memory.  A `Call`
is a node of a family with a kernel of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from eager.ops import families as fam
from eager.ops import scalar
from eager.ops.types import F32, Shape
from jit.dims import same_size
from jit.graph import Const, Graph, Input, Node, Value, users
from jit.kernels.index import Index
from jit.kernels.reading import (
    is_inline,
    is_one,
    loop_index,
    matrix_strides,
    operand_index,
    renamed,
    same_shape,
    through,
)


@dataclass(eq=False)
class Group:
    """Nodes computed in one loop nest over ``domain``; ``reduced`` are the dims folded away."""

    domain: Shape
    reduced: tuple[int, ...] = ()
    nodes: list[Node] = field(default_factory=list)
    deps: set[Unit] = field(default_factory=set)

    @property
    def columns(self) -> bool:
        """Whether the last dim is kept while others are reduced."""
        return bool(self.reduced) and len(self.domain) - 1 not in self.reduced

    @property
    def kept(self) -> tuple[int, ...]:
        return tuple(d for d in range(len(self.domain)) if d not in self.reduced)

    def level(self, node: Node) -> str:
        """``inner`` for one value an element, ``outer`` for one a row."""
        return "inner" if not self.reduced or (
            same_shape(node.type.shape, self.domain) and not isinstance(node.op.kernel, fam.Reduce)
        ) else "outer"


@dataclass(eq=False)
class Call:
    """One node with a kernel of its own, and what its kernel does on the way out.

    ``bias`` is added along the last dim of a product, or the channels of a convolution;
    ``clamp`` cuts off below 0.  ``absorbed`` are the nodes that this stands for.
    """

    node: Node
    deps: set[Unit] = field(default_factory=set)
    bias: Value | None = None
    clamp: bool = False
    absorbed: tuple[Node, ...] = ()

    @property
    def nodes(self) -> list[Node]:
        return [self.node, *self.absorbed]

    @property
    def result(self) -> Node:
        """The value that is written to memory."""
        return self.nodes[-1]


Unit = Group | Call


def is_projection(node: Node) -> bool:
    """Whether a node picks a result of a node with regions: memory of that node's."""
    return isinstance(node.op.kernel, fam.Control) and not node.regions


def computes(node: Node, instr: str, *args: scalar.Scalar) -> bool:
    """Whether a node is one scalar instruction on just these operands."""
    if not isinstance(node.op.kernel, fam.Pointwise):
        return False
    expr = node.op.expr
    return isinstance(expr, scalar.Expr) and expr.instr == instr and expr.args == args


def is_bias(node: Node, value: Value) -> bool:
    """Whether ``value`` is one number a column of a product, or a channel of a convolution."""
    out, shape = node.type.shape, value.type.shape
    position = 1 if isinstance(node.op.kernel, fam.Convolution) else len(out) - 1
    offset = len(out) - len(shape)
    return (position >= offset and value.type.dtype is node.type.dtype
            and type(out[position]) is int and same_size(shape[position - offset], out[position])
            and all(is_one(d) for k, d in enumerate(shape) if k != position - offset))


# --- grouping ----------------------------------------------------------------------------------
class Fuser:
    """One walk over a graph that puts each node into a unit."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.unit_of: dict[Value, Unit] = {}
        self.units: list[Unit] = []
        self.users = users(graph)
        self.results = {renamed(v) for v in graph.results}

    def run(self) -> list[Unit]:
        for node in self.graph.nodes:
            if is_inline(node) or node in self.unit_of:
                continue
            if is_projection(node):
                self.unit_of[node] = self.unit_of[node.args[0]]
                continue
            if isinstance(node.op.kernel, (fam.Pointwise, fam.Reduce)):
                self._place(node)
            else:
                self._call(node)
        for value in self._wanted():
            self._materialise(value)
        return _sorted(self.units)

    def _wanted(self) -> list[Value]:
        """Inline values that must be in memory: results, and operands of calls."""
        return [v for v in self.graph.results if is_inline(v) and is_inline(renamed(v))]

    def _call(self, node: Node) -> None:
        call = Call(node)
        for a in node.args:
            if is_inline(a) and is_inline(renamed(a)) and not reads_views(node, a):
                self._materialise(renamed(a))
            call.deps |= self._producers(a)
        if isinstance(node.op.kernel, (fam.Contract, fam.Convolution)) and node.type.dtype is F32:
            self._absorb(call)
        for n in call.nodes:
            self.unit_of[n] = call
        self.units.append(call)

    def _absorb(self, call: Call) -> None:
        """Let the kernel of a product add a bias and clamp, where nobody sees the value between."""
        follower = self._only_user(call.result)
        if follower is not None and computes(follower, "add", scalar.arg(0), scalar.arg(1)):
            other = follower.args[1] if follower.args[0] is call.node else follower.args[0]
            if is_bias(call.node, other) and self._ready(other):
                call.bias, call.absorbed = other, (follower,)
                call.deps |= self._producers(other)
                follower = self._only_user(follower)
        if follower is not None and computes(
                follower, "maximum", scalar.arg(0), 0):
            call.clamp, call.absorbed = True, (*call.absorbed, follower)

    def _only_user(self, value: Node) -> Node | None:
        """The one reader of a value that is no result, if it keeps type and shape."""
        readers = self.users.get(value, [])
        if len(readers) != 1 or value in self.results or readers[0].regions or (
                not same_shape(readers[0].type.shape, value.type.shape)) or (
                readers[0].type.dtype is not value.type.dtype):
            return None
        return readers[0]

    def _ready(self, value: Value) -> bool:
        """Whether a value is in memory by now, or is a new shape of one that is."""
        value = renamed(value)
        return not isinstance(value, Node) or (value in self.unit_of and not is_inline(value))

    def _materialise(self, value: Value) -> None:
        """A copy of an inline value into memory, as a group of its own."""
        value = renamed(value)
        if not isinstance(value, Node) or value in self.unit_of:
            return
        group = Group(value.type.shape, nodes=[value])
        for a in value.args:
            group.deps |= self._producers(a)
        self.unit_of[value] = group
        self.units.append(group)

    def _producers(self, value: Value) -> set[Unit]:
        """The units that a read of ``value`` waits for."""
        if value in self.unit_of:
            return {self.unit_of[value]}
        if isinstance(value, Node) and is_inline(value):
            found: set[Unit] = set()
            for a in value.args:
                found |= self._producers(a)
            return found
        return set()

    def _place(self, node: Node) -> None:
        deps: set[Unit] = set()
        for a in node.args:
            deps |= self._producers(a)
        for candidate in reversed(self.units):
            if isinstance(candidate, Group) and candidate in deps and self._joins(
                    node, candidate, deps):
                self._join(node, candidate, deps)
                self._unite(candidate)
                return
        group = new_group(node)
        group.deps |= deps
        self.unit_of[node] = group
        self.units.append(group)

    def _join(self, node: Node, group: Group, deps: set[Unit]) -> None:
        if isinstance(node.op.kernel, fam.Reduce) and not group.reduced:
            group.reduced = node.attrs["dims"]
        group.nodes.append(node)
        group.deps |= deps - {group}
        self.unit_of[node] = group

    def _unite(self, group: Group) -> None:
        """Take in element-wise groups over the same domain that this one waits for directly:
        ``f(x) * g(x)`` is one loop."""
        for other in [u for u in self.units if u in group.deps]:  # a set has no order
            if not (isinstance(other, Group) and same_shape(other.domain, group.domain)
                    and not other.reduced and not group.columns
                    and not is_inline(other.nodes[0])):
                continue
            if any(d is not other and _reaches(d, other) for d in group.deps):
                continue
            moved = set(other.nodes)
            merged = [n for n in self.graph.nodes if n in moved or n in set(group.nodes)]
            before = group.nodes
            group.nodes, group.deps = merged, (group.deps | other.deps) - {other, group}
            for n in other.nodes:
                self.unit_of[n] = group
            if not all(self._reads_in_place(n, group) for n in merged):
                group.nodes = before
                group.deps.add(other)
                for n in other.nodes:
                    self.unit_of[n] = other
                continue
            self.units.remove(other)
            for u in self.units:
                if other in u.deps:
                    u.deps = (u.deps - {other}) | {group}

    def _joins(self, node: Node, group: Group, deps: set[Unit]) -> bool:
        if is_inline(group.nodes[0]):
            return False
        if any(other is not group and _reaches(other, group) for other in deps):
            return False
        if isinstance(node.op.kernel, fam.Reduce):
            if not same_shape(node.args[0].type.shape, group.domain) or not node.attrs["dims"]:
                return False
            if group.reduced and (group.reduced != node.attrs["dims"] or group.columns):
                return False
            turned = node.attrs["dims"]
            if not group.reduced and len(group.domain) - 1 not in turned and not all(
                    _is_whole(n, group) for n in group.nodes):
                return False
        elif group.columns or not self._fits(node, group):
            return False
        return self._reads_in_place(node, group)

    def _fits(self, node: Node, group: Group) -> bool:
        shape = node.type.shape
        if not group.reduced:
            return same_shape(shape, group.domain)
        return same_shape(shape, group.domain) or any(
            same_shape(shape, kept) for kept in kept_shapes(group))

    def _reads_in_place(self, node: Node, group: Group) -> bool:
        """Whether every value of the group that ``node`` reads is at hand when it is computed."""
        reduce = isinstance(node.op.kernel, fam.Reduce)
        inner = reduce or not group.reduced or same_shape(node.type.shape, group.domain)
        shape = node.args[0].type.shape if reduce else node.type.shape
        here = loop_index(group.domain) if inner else row_index(group, shape)
        for a in node.args:
            index = here if reduce else operand_index(node, a, here)
            if not self._at_hand(a, index, group, inner):
                return False
        return True

    def _at_hand(self, value: Value, index: tuple[Index, ...], group: Group,
                 inner: bool) -> bool:
        while isinstance(value, Node) and value not in self.unit_of and isinstance(
                value.op.kernel, fam.View):
            if value.op.kernel.valid is not None and group in self._producers(value):
                return False
            index, value = through(value, index), value.args[0]
        if self.unit_of.get(value) is not group:
            return group not in self._producers(value)
        assert isinstance(value, Node)
        if group.level(value) == "inner":
            return inner and index == loop_index(group.domain)
        return index == row_index(group, value.type.shape)


def _is_whole(node: Node, group: Group) -> bool:
    return same_shape(node.type.shape, group.domain)


def new_group(node: Node) -> Group:
    """A group that starts with ``node``."""
    if isinstance(node.op.kernel, fam.Reduce):
        return Group(node.args[0].type.shape, node.attrs["dims"], [node])
    return Group(node.type.shape, nodes=[node])


def kept_shapes(group: Group) -> tuple[Shape, Shape]:
    """The shape of a reduced value, without and with the reduced dims as 1."""
    return (tuple(group.domain[d] for d in group.kept),
            tuple(1 if d in group.reduced else n for d, n in enumerate(group.domain)))


def row_index(group: Group, shape: Shape) -> tuple[Index, ...]:
    """The index of a once-a-row value of ``shape`` in the group's loop variables."""
    whole = loop_index(group.domain)
    if len(shape) == len(group.domain):
        return tuple(Index(()) if d in group.reduced else whole[d] for d in range(len(shape)))
    return tuple(whole[d] for d in group.kept)


def reads_views(node: Node, value: Value) -> bool:
    """Whether the node's kernel reads this operand through strides, so that a view is no copy."""
    return isinstance(node.op.kernel, fam.Contract) and matrix_strides(value) is not None


def _reaches(unit: Unit, target: Unit) -> bool:
    """Whether ``unit`` waits, directly or not, for ``target``."""
    stack, seen = [unit], {id(unit)}
    while stack:
        for d in stack.pop().deps:
            if d is target:
                return True
            if id(d) not in seen:
                seen.add(id(d))
                stack.append(d)
    return False


def _sorted(units: Sequence[Unit]) -> list[Unit]:
    """Units in an order in which each comes after what it waits for."""
    done: list[Unit] = []
    seen: set[int] = set()

    def visit(u: Unit) -> None:
        if id(u) not in seen:
            seen.add(id(u))
            for d in units:
                if d in u.deps:
                    visit(d)
            done.append(u)

    for u in units:
        visit(u)
    return done


def fuse(graph: Graph) -> list[Unit]:
    """The units of a graph, in the order in which they run."""
    return Fuser(graph).run()


def stored(graph: Graph, units: Sequence[Unit]) -> set[Value]:
    """Values that must be written to memory: read by another unit, or results."""
    home = {n: u for u in units for n in u.nodes}
    needed: set[Value] = {renamed(v) for v in graph.results}
    needed |= {u.result for u in units if isinstance(u, Call)}

    def read(value: Value, by: Unit) -> None:
        if value in home:
            if home[value] is not by:
                needed.add(value)
        elif isinstance(value, Node):
            for a in value.args:
                read(a, by)

    for u in units:
        for n in u.nodes:
            for a in n.args:
                read(a, u)
    return {v for v in needed if not isinstance(v, (Input, Const))}
