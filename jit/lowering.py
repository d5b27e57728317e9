"""From a graph to what is compiled: kernels, a driver, and what lies where."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from eager.ops.errors import CompileError
from eager.ops.families import Control, Pointwise, View
from eager.ops.types import F32, DType
from jit.dims import Dim, to_index
from jit.graph import Const, Graph, Input, Node, Value
from jit.kernels.calls import lower_call
from jit.kernels.driver import print_driver
from jit.kernels.groups import lower_group
from jit.kernels.index import Index
from jit.kernels.library import ROUTINES
from jit.kernels.reading import (
    is_inline,
    loop_index,
    operand_index,
    renamed,
    root_of,
    same_shape,
    through,
)
from jit.kernels.steps import (
    Action,
    Kernel,
    Loop,
    Memory,
    Pointer,
    Scratch,
    Step,
    Weights,
    elements,
    touches,
    walk,
)
from jit.layout import DimRange, Layout, Place, Port, Weight, rules_of, size_expression
from jit.passes.fusion import Group, Unit, fuse, stored
from jit.passes.planning import Plan, plan
from jit.passes.spelling import spell_dims, spoken_size
from jit.relations import assuming
from jit.structured import copy, lower_control


@dataclass(frozen=True)
class Held:
    """One entry of the weights blob: ``value`` of the graph, laid out by ``packing``."""

    value: Value | None  #: None: zeros
    packing: str
    dtype: DType
    shape: tuple[int, ...]
    offset: int
    size: int  #: bytes


@dataclass(frozen=True)
class Module:
    """A lowered program: everything that a target compiles, and everything a caller needs."""

    graph: Graph
    kernels: tuple[Kernel, ...]
    driver: str
    routines: tuple[str, ...]
    held: tuple[Held, ...]
    layout: Layout
    state: tuple[Input, ...]  #: written state, in the order of ``ej_call.state``
    aliases: dict[Value, Value]  #: what the inputs of regions stand for
    work: tuple[tuple[Unit, tuple[Action, ...]], ...]  #: what each unit became, inner ones first

    def edited(self, sources: Mapping[str, str]) -> Module:
        """The module with the sources of kernels (``ej_program``: of the driver) replaced."""
        kernels = tuple(replace(k, source=sources.get(k.name, k.source)) for k in self.kernels)
        return replace(self, kernels=kernels, driver=sources.get("ej_program", self.driver))


def lower(graph: Graph) -> Module:
    """Lower a graph that the passes have brought to its final form."""
    spelled = spell_dims(graph)
    with assuming(spelled.relations):
        made = _Assembly(spelled, graph.dims).module()
    return replace(made, layout=replace(made.layout, relations=rules_of(graph)))


class _Assembly:
    """Collects the actions of one graph; the context that `jit.kernels.calls` asks."""

    def __init__(self, graph: Graph, dims: tuple[Dim, ...]) -> None:
        self.graph, self.dims = graph, dims
        self.kernels: dict[str, Kernel] = {}
        self.alias: dict[Value, Value] = {}
        self.places: dict[Value, Pointer] = {}
        self.loops = 0
        self.packs: dict[tuple[int, str], Weights] = {}
        self.work: list[tuple[Unit, tuple[Action, ...]]] = []
        self.zero = 0
        self.zero_memory = Scratch("zeros", F32, Index.of(0))
        self.written = {i for i, _ in graph.updates}
        self.arguments = tuple(i for i in graph.inputs if i.role == "argument")
        self.state = tuple(i for i in graph.inputs if i in self.written and i.role != "argument")

    # --- the context of calls ------------------------------------------------------------------
    def resolve(self, value: Value) -> Value:
        """The value whose memory this is."""
        value = renamed(value)
        while value in self.alias:
            value = renamed(self.alias[value])
        return value

    def pointer(self, value: Value) -> Pointer:
        """Where a value lies: memory of its own, or a place in other memory."""
        memory = self.resolve(value)
        return self.places.get(memory) or Pointer(memory, value.type.dtype)

    def name_kernel(self, words: str, kernel: Kernel) -> Kernel:
        bare = re.sub(r"  #.*", "", kernel.source)
        key = hashlib.sha256(repr((bare, kernel.buffers, kernel.aliases)).encode()).hexdigest()
        name = f"{words}_{key[:8]}"
        if name not in self.kernels:
            source = kernel.source.replace("def kernel(", f"def {name}(", 1)
            self.kernels[name] = replace(kernel, name=name, source=source)
        return self.kernels[name]

    def is_constant(self, value: Value) -> bool:
        """Whether a value is known when weights are packed: read-only state, seen through views."""
        root = root_of(value)
        while root in self.alias:
            root = root_of(self.alias[root])
        if root in self.places:
            return False
        if isinstance(root, Input):
            return root.role != "argument" and root not in self.written
        return isinstance(root, Const)

    def packed(self, value: Value, packing: str) -> Memory | None:
        if not self.is_constant(value):
            return None
        key = (id(value), packing)
        return self.packs.setdefault(key, Weights(value, packing))

    def zeros(self, n: int) -> Memory:
        self.zero = max(self.zero, n)
        return self.zero_memory

    # --- actions -------------------------------------------------------------------------------
    def actions(self, graph: Graph) -> list[Action]:
        """The actions that compute a graph, or a region of it."""
        units = fuse(graph)
        return self._in_order(units, stored(graph, units))

    def _in_order(self, units: Sequence[Unit], needed: set[Value]) -> list[Action]:
        made: set[Value] = set()  #: inline values that are in memory by then
        found: list[Action] = []
        for unit in units:
            steps = tuple(self._unit(unit, needed, frozenset(made)))
            self.work.append((unit, steps))
            found += steps
            made |= {n for n in unit.nodes if is_inline(n)}
        return found

    def _unit(self, unit: Unit, needed: set[Value], made: frozenset[Value]) -> Iterable[Action]:
        if isinstance(unit, Group):
            inplace = any(n in self.alias for n in unit.nodes)
            step = lower_group(unit, needed, made, self.name_kernel, aliases=inplace)
            return (self._resolved(step),)
        if isinstance(unit.node.op.kernel, Control):
            return lower_control(unit.node, self)
        return [self._settled(a) for a in lower_call(unit, self)]

    def _resolved(self, step: Step) -> Step:
        args = tuple(self.pointer(a.memory)
                     if isinstance(a, Pointer) and isinstance(a.memory, (Input, Const, Node)) else a
                     for a in step.args)
        return replace(step, args=args, writes=self._memories(step.writes))

    def _settled(self, action: Action) -> Action:
        """A call's action, which says by values what it writes."""
        if isinstance(action, Step):
            return replace(action, writes=self._memories(action.writes))
        assert isinstance(action, Loop)
        return replace(action, body=tuple(map(self._settled, action.body)))

    def _memories(self, written: Iterable[Memory]) -> tuple[Memory, ...]:
        found = (self.pointer(m).memory if isinstance(m, (Input, Const, Node)) else m
                 for m in written)
        return tuple(m for m in found if m is not None)

    # --- results -------------------------------------------------------------------------------
    def _place_results(self) -> tuple[dict[Memory, str], list[tuple[str, Value]]]:
        """Memories that lie outside the arena, and results that must be copied."""
        outside: dict[Memory, str] = {}
        for k, i in enumerate(self.arguments):
            outside[i] = f"ins[{k}], 0"
        for k, i in enumerate(self.state):
            outside[i] = f"state[{k}], 0"
        copies: list[tuple[str, Value]] = []
        for k, value in enumerate(self.graph.outputs):
            memory = self.resolve(value)
            if isinstance(memory, Node) and memory not in outside and not is_inline(memory):
                outside[memory] = f"outs[{k}], 0"
            else:
                copies.append((f"outs[{k}], 0", value))
        for target, value in self.graph.updates:
            memory = self.resolve(value)
            if memory is target:
                continue
            if isinstance(memory, Node) and memory not in outside and self._in_place(
                    target, memory):
                self.alias[memory] = target
            else:
                copies.append((outside[target], value))
        return outside, copies

    def _in_place(self, target: Input, value: Node) -> bool:
        """Whether ``value`` may be written over ``target``: the last reader computes it element by
        element, each from the same element of the old value."""
        if not isinstance(value.op.kernel, Pointwise):
            return False
        unit = self.home.get(value)
        if not isinstance(unit, Group) or unit.reduced or not same_shape(
                unit.domain, target.type.shape):
            return False
        order = {id(u): k for k, u in enumerate(self.units)}
        for reader in self.readers_of(target):
            other = self.home.get(reader)
            if other is None or order[id(other)] > order[id(unit)]:
                return False
            if other is unit and not self._reads_same_element(reader, target):
                return False
        return all(self.resolve(v) is not target for v in self.graph.outputs) and all(
            self.resolve(v) is not target for _, v in self.graph.updates)

    def readers_of(self, target: Input) -> list[Node]:
        """Nodes that read a value, directly or through views."""
        seen: set[Value] = {target}
        readers = []
        for node in self.graph.nodes:
            if any(a in seen for a in node.args):
                if is_inline(node) and node not in self.home:
                    seen.add(node)
                else:
                    readers.append(node)
        return readers

    def _reads_same_element(self, node: Node, target: Input) -> bool:
        if not isinstance(node.op.kernel, Pointwise):
            return False
        whole = loop_index(node.type.shape)
        for a in node.args:
            index, value = operand_index(node, a, whole), a
            while isinstance(value, Node) and isinstance(value.op.kernel, View) and (
                    value not in self.home):
                index, value = through(value, index), value.args[0]
            if value is target and (
                    index != whole or not same_shape(value.type.shape, node.type.shape)):
                return False
        return True

    # --- the module ----------------------------------------------------------------------------
    def module(self) -> Module:
        self.units = fuse(self.graph)
        self.home: dict[Value, Unit] = {n: u for u in self.units for n in u.nodes}
        outside, copies = self._place_results()
        actions = self._in_order(self.units, stored(self.graph, self.units))
        marks: dict[Memory, str] = dict(outside)
        early: list[Action] = []
        for k, (place, value) in enumerate(copies):
            source = self.pointer(value)
            mark = Scratch(f"result{k}", value.type.dtype, Index.of(1))
            marks[mark] = place
            target = Pointer(mark, value.type.dtype)
            if source.memory in self.written:  # its old value: saved before anything is written
                saved = Pointer(Scratch(f"old{k}", value.type.dtype,
                                        elements(value.type.shape)), value.type.dtype)
                early.append(copy(saved, source, value))
                source = saved
            actions.append(copy(target, source, value))
        actions = early + actions
        held = self._held(actions, marks)
        marks.update({m: f"weights, {h.offset}" for m, h in held.items()})
        touched = dict.fromkeys(m for m, _ in touches(actions))
        arena = plan(actions, [m for m in touched if m not in marks])
        return self._module(actions, arena, marks, tuple(held.values()))

    def _held(self, actions: list[Action], marks: dict[Memory, str]) -> dict[Memory, Held]:
        """The weights blob: every constant that a step reads."""
        found: dict[Memory, Held] = {}
        offset = 0
        touched = dict.fromkeys(m for m, _ in touches(actions))
        for memory in touched:
            entry = None
            if isinstance(memory, Weights):
                entry = _entry(memory.value, memory.packing, offset)
            elif memory is self.zero_memory:
                count = -(-self.zero // 16) * 16
                entry = Held(None, "zeros", F32, (count,), offset, 4 * count)
            elif isinstance(memory, (Input, Const)) and memory not in marks:
                entry = _entry(memory, "plain", offset)
            if entry is not None:
                found[memory] = entry
                offset += -(-entry.size // 64) * 64
        return found

    def _module(self, actions: list[Action], arena: Plan, marks: dict[Memory, str],
                held: tuple[Held, ...]) -> Module:
        places: list[Place] = []

        def node_index(step: Step) -> int:
            assert step.node is not None
            places.append(Place(step.node.op.name, str(step.node.location)))
            return len(places) - 1

        graph = self.graph
        driver = print_driver(actions, arena, [d.name for d in graph.dims], marks.get, node_index)
        used = {s.function for s in walk(actions) if s.kernel is None}
        used |= {name for s in walk(actions) for name in ROUTINES
                 if s.tasks is not None and s.tasks.startswith(name + "(")}
        last = held[-1] if held else None
        layout = Layout(
            tuple(DimRange(d.name, d.min, d.max) for d in self.dims),
            tuple(_port(i.name, i) for i in self.arguments),
            tuple(_port(f"output{k}", v) for k, v in enumerate(graph.outputs)),
            tuple(_port(i.name, i) for i in self.state),
            size_expression(spoken_size(arena.size)),
            tuple(Weight(name, h.dtype.name, h.shape, h.offset, h.packing)
                  for name, h in zip(_weight_names(held), held, strict=True)),
            last.offset + -(-last.size // 64) * 64 if last else 0, tuple(places))
        return Module(graph, tuple(self.kernels.values()), driver, tuple(sorted(used)), held,
                      layout, self.state, self.alias, tuple(self.work))


def _weight_names(held: Sequence[Held]) -> list[str]:
    """A name for each entry of the blob: two layouts of one weight are two entries."""
    found: dict[str, None] = {}
    for h in held:
        root = None if h.value is None else root_of(h.value)
        plain = "zeros" if root is None else getattr(root, "name", "") or "constant"
        k, name = 1, plain
        while name in found:
            k, name = k + 1, f"{plain}#{k + 1}"
        found[name] = None
    return list(found)


def _port(name: str, value: Any) -> Port:
    role = value.role if isinstance(value, Input) else "argument"
    shape = tuple(size_expression(spoken_size(to_index(d))) for d in value.type.shape)
    return Port(name, value.type.dtype.name, shape, role)


def _entry(value: Value, packing: str, offset: int) -> Held:
    shape = value.type.shape
    if any(to_index(d).constant is None for d in shape):
        raise CompileError(f"a constant of dynamic shape {value.type} cannot be held")
    itemsize = value.type.dtype.itemsize
    count = int(np.prod(shape, dtype=np.int64))
    if packing == "panels":
        inner, columns = shape
        count = inner * (-(-columns // 16) * 16)
    elif packing == "row":
        count = -(-count // 16) * 16
    return Held(value, packing, value.type.dtype, tuple(shape), offset, count * itemsize)
