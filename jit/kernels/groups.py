"""From a fused group of nodes to one loop nest, its kernel and the step that calls it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from eager.ops import families as fam
from eager.ops import scalar
from eager.ops.types import BOOL, DType
from jit.dims import to_index
from jit.graph import Const, Node, Value
from jit.kernels.index import Index, Var, linear, product
from jit.kernels.nest import (
    Call,
    Condition,
    Fold,
    FromIndex,
    Guarded,
    Let,
    Literal,
    Load,
    Name,
    Nest,
    Pass,
    Statement,
    Store,
    collapse,
    indices,
)
from jit.kernels.nest import Value as Expression
from jit.kernels.printer import Signature, reports, source
from jit.kernels.reading import is_inline, is_one, loop_index, operand_index, renamed, through
from jit.kernels.steps import Kernel, Memory, Pointer, Scratch, Step
from jit.passes.fusion import Group, row_index

#: Elements below which splitting a kernel over threads costs more than it brings.
GRAIN = 16384


class Lowering:
    """The nest of one group; ``stored`` are the values that must be in memory after it."""

    def __init__(self, group: Group, stored: set[Value]) -> None:
        self.group = group
        self.members = set(group.nodes)
        self.stored = [n for n in group.nodes if n in stored]
        self.pass_of: dict[Node, int] = {}
        self.names: dict[Value, str] = {}
        self.buffers: dict[Any, tuple[str, DType]] = {}
        self.kept: dict[Node, Scratch] = {}

    # --- which pass computes what --------------------------------------------------------------
    def schedule(self) -> None:
        """An element-wise value waits for the row values it reads: they end an earlier pass."""
        for node in self.group.nodes:
            inner = self._is_inner(node)
            index = 0
            for a in self._members_read(node):
                wait = 1 if inner and not self._is_inner(a) else 0
                index = max(index, self.pass_of[a] + wait)
            self.pass_of[node] = index

    def _is_inner(self, node: Node) -> bool:
        return self.group.level(node) == "inner"

    def _members_read(self, node: Node) -> dict[Node, None]:
        """The nodes of the group that a node reads, in an order that every process has."""
        found: dict[Node, None] = {}
        stack: list[Value] = list(node.args)
        while stack:
            v = stack.pop()
            if v in self.members:
                assert isinstance(v, Node)
                found[v] = None
            elif isinstance(v, Node) and is_inline(v):
                stack.extend(v.args)
        return found

    # --- the nest ------------------------------------------------------------------------------
    def nest(self) -> Nest:
        group = self.group
        self.schedule()
        whole = loop_index(group.domain)
        loops = [Var(f"i{k}", to_index(d)) for k, d in enumerate(group.domain) if not is_one(d)]
        inside = {f"i{d}" for d in group.reduced}
        outer = tuple(v for v in loops if v.name not in inside)
        inner = tuple(v for v in loops if v.name in inside)
        folds = any(isinstance(n.op.kernel, fam.Reduce) for n in group.nodes)
        if folds and not inner:  # every reduced dim is 1, or there is none: still one sweep
            inner = (Var("i_one", Index.of(1)),)
        count = max(self.pass_of.values(), default=0) + 1
        self._keep(count)
        passes = tuple(self._pass(k, whole) for k in range(count))
        nest = collapse(Nest(outer, inner, passes, self._columns()))
        if not nest.inner and len(nest.outer) > 1:
            nest = replace(nest, outer=nest.outer[:-1], inner=nest.outer[-1:])
        return nest

    def _columns(self) -> bool:
        """Whether the kept dims go innermost, with the outputs as accumulators."""
        return (self.group.columns and not is_one(self.group.domain[-1])
                and all(n.type.dtype is not BOOL for n in self.group.nodes
                        if isinstance(n.op.kernel, fam.Reduce)))

    def _keep(self, count: int) -> None:
        """Dear values that a later pass needs again go through memory."""
        for node in self.group.nodes:
            if not self._is_inner(node) or isinstance(node.op.kernel, fam.Reduce):
                continue
            later = any(self.pass_of[n] > self.pass_of[node] and node in self._members_read(n)
                        for n in self.group.nodes)
            if later and node not in self.stored and _is_heavy(node):
                shape = product(map(to_index, node.type.shape))
                self.kept[node] = Scratch("kept", node.type.dtype, shape)

    def _pass(self, k: int, whole: tuple[Index, ...]) -> Pass:
        self.names = {n: name for n, name in self.names.items()
                      if isinstance(n, Node) and not self._is_inner(n)}
        inner: list[Statement] = []
        after: list[Statement] = []
        for node in self.group.nodes:
            if self.pass_of[node] != k:
                continue
            if isinstance(node.op.kernel, fam.Reduce):
                inner.extend(self._fold(node, whole, k, inner))
                after.extend(self._stores(node, row_index(self.group, node.type.shape)))
            elif self._is_inner(node):
                self._element(node, whole, k, inner)
            else:
                index = row_index(self.group, node.type.shape)
                after.extend(self._let(node, index, k, after))
                after.extend(self._stores(node, index))
        return Pass(tuple(inner), tuple(after))

    def _element(self, node: Node, whole: tuple[Index, ...], k: int,
                 into: list[Statement]) -> None:
        """Compute an element-wise value in pass ``k`` and store it if this is its own pass."""
        if node in self.names:
            return
        if self.pass_of[node] < k and (node in self.kept or node in self.stored):
            name = self._fresh(node)
            into.append(Let(name, Load(self._buffer(node), self._flat(node, whole),
                                       node.type.dtype)))
            return
        for a in self._members_read(node):
            if self._is_inner(a):
                self._element(a, whole, k, into)
        into.extend(self._let(node, whole, k, into))
        if self.pass_of[node] == k:
            into.extend(self._stores(node, whole))

    def _flat(self, node: Node, index: tuple[Index, ...]) -> Index:
        return linear(index, tuple(map(to_index, node.type.shape)))

    def _stores(self, node: Node, index: tuple[Index, ...]) -> list[Statement]:
        if node not in self.stored and node not in self.kept:
            return []
        value = Name(self.names[node], node.type.dtype)
        return [Store(self._buffer(node), self._flat(node, index), value)]

    def _fold(self, node: Node, whole: tuple[Index, ...], k: int,
              into: list[Statement]) -> list[Statement]:
        kernel = node.op.kernel
        assert isinstance(kernel, fam.Reduce)
        for a in self._members_read(node):
            if self._is_inner(a):
                self._element(a, whole, k, into)
        value = self.read(node.args[0], whole)
        dtype = node.type.dtype
        if value.dtype is not dtype:
            value = _converted(value, dtype)
        name = self._fresh(node)
        return [Fold(name, kernel.combine, value, dtype, start_of(kernel.start, dtype),
                     _comment(node))]

    def _let(self, node: Node, index: tuple[Index, ...], k: int,
             into: list[Statement]) -> list[Statement]:
        if is_inline(node):
            value = self._inline(node, index)
        else:
            args = [self.read(a, operand_index(node, a, index)) for a in node.args]
            value = _scalar(node, args)
        return [Let(self._fresh(node), value, _comment(node))]

    def _fresh(self, node: Node) -> str:
        name = self.names[node] = f"v{self.group.nodes.index(node)}"
        return name

    # --- reading -------------------------------------------------------------------------------
    def _buffer(self, memory: Any) -> str:
        dtype = memory.type.dtype
        key = self.kept.get(memory, memory)
        if key not in self.buffers:
            self.buffers[key] = (f"x{len(self.buffers)}", dtype)
        return self.buffers[key][0]

    def read(self, value: Value, index: tuple[Index, ...]) -> Expression:
        """The value at an index: computed here, in memory, or through views of either."""
        if value in self.names:
            return Name(self.names[value], value.type.dtype)
        if isinstance(value, Const) and value.array.ndim == 0:
            return Literal(value.array.item(), value.type.dtype)
        memory = renamed(value)
        if not is_inline(memory) and not (value is not memory and memory in self.names):
            flat = linear(index, tuple(map(to_index, value.type.shape)))
            return Load(self._buffer(memory), flat, value.type.dtype)
        assert isinstance(value, Node)
        if memory in self.materialised:
            flat = linear(index, tuple(map(to_index, value.type.shape)))
            return Load(self._buffer(memory), flat, value.type.dtype)
        return self._inline(value, index)

    #: Inline values that another unit has put into memory.
    materialised: frozenset[Value] = frozenset()

    def _inline(self, node: Node, index: tuple[Index, ...]) -> Expression:
        kernel, dtype = node.op.kernel, node.type.dtype
        match kernel:
            case fam.View():
                read = self.read(node.args[0], through(node, index))
                if kernel.valid is None:
                    return read
                source_shape = tuple(map(to_index, node.args[0].type.shape))
                own = tuple(map(to_index, node.type.shape))
                valid = tuple(
                    Condition(Index.of(left), relation, Index.of(right))
                    for left, relation, right in kernel.valid(index, source_shape, own,
                                                              **node.attrs))
                fill = Literal(node.attrs.get(kernel.fill, 0), dtype)
                return Guarded(read, valid, fill, dtype) if valid else read
            case fam.Fill():
                return Literal(node.attrs["value"], dtype)
            case fam.Iota():
                return _iota(node, index[0] if index else Index(()))
            case fam.DimValue():
                return FromIndex(to_index(node.attrs["value"]), dtype)
        raise AssertionError(f"{node.op.name} is not inline")


def _iota(node: Node, i: Index) -> Expression:
    start, step, dtype = node.attrs["start"], node.attrs["step"], node.type.dtype
    if all(type(v) is not float for v in (start, step)):
        return FromIndex(i * to_index(step) + to_index(start), dtype)
    count = FromIndex(i, dtype)
    scaled = Call("mul", (count, Literal(step, dtype)), dtype, dtype)
    return Call("add", (Literal(start, dtype), scaled), dtype, dtype)


def _comment(node: Node) -> str:
    place = str(node.location)
    return f"{node.op.name}  {place}" if place else node.op.name


def _is_heavy(node: Node) -> bool:
    kernel = node.op.kernel
    return isinstance(kernel, fam.Pointwise) and any(
        scalar.INSTRS[i].heavy for i in scalar.instructions(node.op.expr))


def start_of(start: int | str, dtype: DType) -> Any:
    """The neutral element of a fold in a dtype."""
    if not isinstance(start, str):
        return start
    if dtype.kind == "f":
        return float("-inf") if start == "lowest" else float("inf")
    if dtype is BOOL:
        return start == "highest"
    import numpy as np

    info = np.iinfo(dtype.numpy)
    return info.min if start == "lowest" else info.max


def _converted(value: Expression, dtype: DType) -> Expression:
    if dtype is BOOL:
        return Call("ne", (value, Literal(0, value.dtype)), BOOL, value.dtype)
    return Call("cast", (value,), dtype, value.dtype)


def _scalar(node: Node, args: Sequence[Expression]) -> Expression:
    """The scalar body of a pointwise node over operand expressions."""
    return _instructions(node.op.expr, args, node.type.dtype)


def scalar_body(body: Callable[..., scalar.Scalar], args: Sequence[Expression],
                dtype: DType) -> Expression:
    """A scalar body over operand expressions, with a result of ``dtype``."""
    return _instructions(body(*map(scalar.arg, range(len(args)))), args, dtype)


def _instructions(expr: scalar.Scalar, args: Sequence[Expression], own: DType) -> Expression:
    def build(e: scalar.Scalar, want: DType) -> Expression:
        if not isinstance(e, scalar.Expr):
            return Literal(e, want)
        if e.is_arg:
            operand_value: Expression = args[e.args[0]]
            return operand_value
        kids = e.args[1:] if e.instr == "select" else e.args
        known = [build(a, want) for a in kids if isinstance(a, scalar.Expr)]
        operand = known[0].dtype if known else want
        values = [build(a, operand) for a in kids]
        if e.instr == "select":
            values.insert(0, build(e.args[0], BOOL))
        result = {"same": operand, "bool": BOOL, "cast": own}[scalar.INSTRS[e.instr].result]
        if e.instr == "cast" and result is BOOL and operand is not BOOL:
            return Call("ne", (values[0], Literal(0, operand)), BOOL, operand)
        return Call(e.instr, tuple(values), result, operand)

    return build(expr, own)


# --- the kernel and its step -------------------------------------------------------------------
def lower_group(group: Group, stored: set[Value], materialised: frozenset[Value],
                name_kernel: Callable[..., Kernel], aliases: bool = False) -> Step:
    """The step that computes a group."""
    lowering = Lowering(group, stored)
    lowering.materialised = materialised
    nest = lowering.nest()
    loop_names = {v.name for v in (*nest.outer, *nest.inner)}
    used = {name for i in indices(nest) for name in i.variables()}
    used |= {name for v in (*nest.outer, *nest.inner) for name in Index.of(v.size).variables()}
    sizes = tuple(sorted(used - loop_names))
    buffers = tuple(lowering.buffers.values())
    signature = Signature("kernel", buffers, sizes, reports(nest))
    total = (Index.of(nest.outer[-1].size) if nest.columns else product(
        Index.of(v.size) for v in nest.outer))
    words = dict.fromkeys(n.op.name for n in group.nodes)
    width = product(Index.of(v.size) for v in nest.inner)
    kernel = name_kernel("_".join(list(words)[-3:]), Kernel(
        "kernel", source(signature, nest), tuple(d for _, d in buffers), sizes,
        signature.reports, aliases, 16 if not nest.inner or nest.columns else 1))
    pointers = tuple(Pointer(memory, dtype) for memory, (_, dtype) in lowering.buffers.items())
    written: tuple[Memory, ...] = (*lowering.stored, *lowering.kept.values())
    return Step(kernel.name, (*pointers, *(Index.of(Var(s)) for s in sizes)), written, kernel,
                f"pieces(({total}) * ({width}), {GRAIN})", total,
                node=group.nodes[-1], reports=kernel.reports)
