"""What the compiler made of a program, for people: passes, kernels and what they cost, memory.

Costs are counted from shapes: ``flops`` are scalar operations (a multiply and an add are two, a
call of ``exp`` is one), ``read`` and ``written`` the bytes of the values that a kernel touches,
each once.  A size of dynamic dims is a formula.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from math import prod
from typing import Any

from eager.ops import families as fam
from eager.ops import scalar
from jit.dims import to_index
from jit.graph import Graph, Node, Value, walk
from jit.kernels.index import Index
from jit.kernels.reading import is_inline, same_shape
from jit.kernels.steps import Action, Memory, Scratch, Step, Weights, bytes_of
from jit.kernels.steps import elements as elements_of
from jit.kernels.steps import walk as steps_of
from jit.lowering import Module
from jit.passes.fusion import Call, Unit
from jit.passes.spelling import spoken_size
from jit.passes.weights import hoist
from jit.report.changes import Change, History
from jit.sizes import size_words

NOTHING = Index(())


def explanation(module: Module, history: History) -> str:
    """Sections: what the passes did, what is computed once, each kernel, memory."""
    return "\n".join([*_passes(history), *_hoisted(history[-1].before),
                      *_Kernels(module).lines(), *_memory(module)])


# --- passes ------------------------------------------------------------------------------------
def _passes(history: History) -> Iterator[str]:
    yield "passes:"
    for change in history:
        yield f"  {change}{_traded(change)}"


def _traded(change: Change) -> str:
    """Which ops went and which came, by name."""
    counts = [Counter(n.op.name for n in walk(g)) for g in (change.before, change.after)]
    parts = [f"{words} {_listed(c)}" for words, c in (
        ("without", counts[0] - counts[1]), ("with", counts[1] - counts[0])) if c]
    return "".join(f"; {p}" for p in parts)


def _listed(counts: Counter[str]) -> str:
    return ", ".join(name if k == 1 else f"{k} {name}" for name, k in counts.items())


def _hoisted(graph: Graph) -> Iterator[str]:
    """What is computed when weights are packed, and again when one was written."""
    prologue, _ = hoist(graph)
    if not prologue.outputs:
        return
    yield "computed from weights, once:"
    for k, value in enumerate(prologue.outputs):
        place = getattr(value, "location", "")
        yield f"  folded.{k}: {value.type}" + (f"  # {place}" if str(place) else "")
    yield f"  by {_listed(Counter(n.op.name for n in prologue.nodes))}"


# --- kernels -----------------------------------------------------------------------------------
class _Kernels:
    """The units of a module in the order in which they run, with their costs."""

    def __init__(self, module: Module) -> None:
        self.work = module.work
        self.home: dict[Value, int] = {n: k for k, (unit, _) in enumerate(self.work)
                                       for n in unit.nodes}
        self.sources = [self._sources(unit, k) for k, (unit, _) in enumerate(self.work)]
        self.awaited: list[set[int]] = []  #: of each unit, the units that have to run before it
        for sources in self.sources:
            self.awaited.append({*sources, *(i for j in sources if j < len(self.awaited)
                                             for i in self.awaited[j])})

    def lines(self) -> Iterator[str]:
        yield "kernels:"
        for k, ((unit, _), steps) in enumerate(zip(self.work, _own_steps(self.work), strict=True)):
            read, written = _traffic(unit, steps)
            yield (f"  {k} {', '.join(_functions(steps)) or 'nothing to run'}: "
                   f"{_count(_flops(unit))} flops, {_count(read)} bytes read, "
                   f"{_count(written)} written")
            for node in unit.nodes:
                place = str(node.location)
                yield f"      {node.op.name} {_typed(node.type)}" + (
                    f"  # {place}" if place else "")
            yield from (f"      apart from {j}: {self._reason(j, k)}"
                        for j in self.sources[k])

    def _sources(self, unit: Unit, k: int) -> list[int]:
        """The units whose results this one reads, directly or through views."""
        found: set[int] = set()
        stack: list[Value] = [a for n in unit.nodes for a in n.args]
        while stack:
            value = stack.pop()
            if value in self.home:
                found.add(self.home[value])
            elif isinstance(value, Node) and is_inline(value):
                stack.extend(value.args)
        return sorted(found - {k})

    def _reason(self, j: int, k: int) -> str:
        """Why unit ``k``, which reads what unit ``j`` gives, is not one with it."""
        producer, consumer = self.work[j][0], self.work[k][0]
        for unit in (producer, consumer):
            if isinstance(unit, Call) and isinstance(unit.node.op.kernel, fam.Control):
                return f"{unit.node.op.name} is control flow, with kernels inside"
        if isinstance(consumer, Call):
            return f"{consumer.node.op.name} has a kernel of its own, which reads memory"
        if isinstance(producer, Call):
            product = isinstance(producer.node.op.kernel, (fam.Contract, fam.Convolution))
            return f"{producer.node.op.name} has a kernel of its own" + (
                ", which takes in one bias and one clamp at most" if product else "")
        between = next((i for i in self.sources[k] if j in self.awaited[i]), None)
        if between is not None:
            return f"{between} reads it too, and has to run before this"
        if not same_shape(producer.domain, consumer.domain):
            return f"it loops over {_shape(producer.domain)}, this over {_shape(consumer.domain)}"
        if producer.reduced != consumer.reduced:
            return "a reduction has to end before its result is read in other rows"
        return "its elements are read in another order than they are made in"


def _functions(steps: Sequence[Step]) -> list[str]:
    """What is called for a unit: its kernel, or routines of the library."""
    return list(dict.fromkeys(step.function for step in steps))


def _own_steps(work: Sequence[tuple[Unit, tuple[Action, ...]]]) -> Iterator[list[Step]]:
    """The steps of each unit; those in its regions belong to units of their own, before it."""
    taken: set[int] = set()
    for _, actions in work:
        own = [step for step in steps_of(actions) if id(step) not in taken]
        taken |= set(map(id, own))
        yield own


def _shape(shape: Sequence[Any]) -> str:
    return f"[{', '.join(str(spoken_size(to_index(d))) for d in shape)}]"


def _typed(type_: Any) -> str:
    """A type, or several, in the names that the user gave to dims."""
    if isinstance(type_, tuple):
        return f"({', '.join(map(_typed, type_))})"
    return f"{type_.dtype.name}{_shape(type_.shape)}"


# --- costs -------------------------------------------------------------------------------------
def _traffic(unit: Unit, steps: Sequence[Step]) -> tuple[Index, Index]:
    """Bytes of the values that the steps read and write, each counted once."""
    written = dict.fromkeys(m for s in steps for m in s.writes if not isinstance(m, Scratch))
    touched = dict.fromkeys(m for s in steps for m in s.memories if not isinstance(m, Scratch))
    own = {*written, *unit.nodes}
    return (sum((_bytes(m) for m in touched if m not in own), NOTHING),
            sum(map(_bytes, written), NOTHING))


def _bytes(memory: Memory) -> Index:
    return bytes_of(memory.value if isinstance(memory, Weights) else memory)


def _flops(unit: Unit) -> Index:
    return sum(map(_flops_of, unit.nodes), NOTHING)


def _flops_of(node: Node) -> Index:
    count = _COSTS.get(type(node.op.kernel))
    return NOTHING if count is None else count(node)


def _numel(value: Value) -> Index:
    return elements_of(value.type.shape)


def _pointwise(node: Node) -> Index:
    return _numel(node) * _instructions(node.op.expr)


def _instructions(expr: Any) -> int:
    """How many instructions a scalar body has."""
    if not isinstance(expr, scalar.Expr) or expr.is_arg:
        return 0
    return 1 + sum(map(_instructions, expr.args))


def _contract(node: Node) -> Index:
    return _numel(node) * to_index(node.args[0].type.shape[-1]) * 2


def _convolution(node: Node) -> Index:
    return _numel(node) * elements_of(node.args[1].type.shape[1:]) * 2


def _pool(node: Node) -> Index:
    return _numel(node) * int(prod(node.attrs["kernel"]))


def _operand(node: Node) -> Index:
    return _numel(node.args[0])


#: Operations of a node by its family; families that only move elements have none.
_COSTS: dict[type, Callable[[Node], Index]] = {
    fam.Pointwise: _pointwise, fam.Contract: _contract, fam.Convolution: _convolution,
    fam.Pool: _pool, fam.Reduce: _operand, fam.ArgReduce: _operand, fam.Softmax: _operand,
    fam.Scan: _operand, fam.ArgScan: _operand,
}


def _count(size: Index) -> str:
    """A number with commas, or a formula over dims."""
    return f"{size.constant:,}" if size.constant is not None else f"({spoken_size(size)})"


# --- memory ------------------------------------------------------------------------------------
def _memory(module: Module) -> Iterator[str]:
    layout = module.layout
    yield "memory:"
    yield f"  weights: {layout.weights_size:,} bytes in {len(layout.weights)} pieces"
    yield f"  arena: {size_words(layout.arena)} bytes"
    state = sum((bytes_of(i) for i in module.state), NOTHING)
    if module.state:
        yield f"  state that is written: {_count(state)} bytes in {len(module.state)} tensors"
