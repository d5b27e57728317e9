"""Where a compiled program and its model part: in the trace, in a pass, or in a kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any

import numpy as np

from eager.engine.tensor import Tensor
from eager.ops.errors import GraphError, OpError
from eager.ops.families import Control, DimValue
from eager.ops.types import Type
from jit import pytree
from jit.arguments import array_of
from jit.binding import Binding
from jit.graph import Const, Graph, Node, Value
from jit.interpreter import dims_of, interpret, run_nodes
from jit.kernels.steps import walk
from jit.lowering import Module, lower
from jit.passes import stages
from jit.passes.fusion import fuse, is_projection, stored
from jit.passes.weights import split
from jit.program import Program
from jit.report.verdict import Verdict, furthest, statistics
from jit.witness import Act, Array, witnessed

#: How far apart floats may be, as a part of the largest magnitude that is wanted.
TOLERANCES = {2: 1e-2, 4: 1e-4, 8: 1e-9}
_REFUSALS = (OpError, GraphError)


def bisect(program: Program, model: Callable[..., Any], args: Sequence[Any],
           kwargs: Mapping[str, Any] | None = None, *, tolerance: float | None = None) -> Verdict:
    """Find the first op in which ``program(*args)`` and ``model(*args)`` part.

    The model is run eagerly, op by op, beside the interpreted graph of the trace; then the
    graphs after the passes, of which log2(n) are run; then the kernels, all results of which
    are compared at once.  ``tolerance`` is relative to the largest magnitude of each array (by
    default 1e-4 in float32, 1e-9 in float64); integers have to be equal.  Arguments, state and
    random streams are left as found.
    """
    case = _Case(program, args, kwargs or {}, tolerance)
    found = case.in_trace(model) or case.in_passes() or case.in_kernels() or Verdict()
    return replace(found, runs=case.runs)


def first_apart(program: Program, model: Callable[..., Any], args: Sequence[Any],
                kwargs: Mapping[str, Any]) -> Verdict | None:
    """The first op in which the model and the interpreted graph of the trace part, if any."""
    return _Case(program, args, kwargs, None).in_trace(model)


class _Case:
    """One program, one call of it, and what is known of the results so far."""

    def __init__(self, program: Program, args: Sequence[Any], kwargs: Mapping[str, Any],
                 tolerance: float | None) -> None:
        self.program, self.graph, self.tolerance = program, program.graph, tolerance
        self.leaves = [_copy(x) for x in program.leaves(args, kwargs)]
        arguments = [i.name for i in self.graph.inputs if i.role == "argument"]
        self.given = {n: array_of(x) for n, x in zip(arguments, self.leaves, strict=True)}
        self.given.update((i.name, t._array.copy()) for i, t in program.traced.state)
        self.stages = list(stages(self.graph, program.passes))
        self.prologue, self.main = split(self.stages[-1].graph)
        self.runs = 0

    def apart(self, a: Array, b: Array) -> bool:
        """Whether two arrays are not the same number for number."""
        if a.shape != b.shape or a.dtype != b.dtype:
            return True
        if a.dtype.kind not in "fc":
            return not np.array_equal(a, b)
        finite = np.isfinite(a)
        if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
            return True
        part = self.tolerance if self.tolerance is not None else TOLERANCES[
            a.dtype.itemsize // (2 if a.dtype.kind == "c" else 1)]
        scale = np.abs(a[finite]).max(initial=0)
        return bool(np.any(np.abs(a[finite] - b[finite]) > part * scale + part * 1e-3))

    def differ(self, first: Sequence[Array], second: Sequence[Array]) -> bool:
        return any(self.apart(a, b) for a, b in zip(first, second, strict=True))

    def values(self, graph: Graph) -> dict[Value, Any]:
        """What every node gives."""
        self.runs += 1
        given = {i: np.asarray(self.known(graph)[i.name]) for i in graph.inputs}
        return run_nodes(graph, given, dims_of(graph, given))

    def known(self, graph: Graph) -> dict[str, Array]:
        """The inputs of a graph by name; those of the last stage are computed from weights."""
        if graph is self.main and self.prologue.outputs:
            part = {i.name: self.given[i.name] for i in self.prologue.inputs}
            names = [i.name for i in self.main.inputs[-len(self.prologue.outputs):]]
            folded = dict(zip(names, interpret(self.prologue, part)[0], strict=True))
        else:
            folded = {}
        return {i.name: folded[i.name] if i.name in folded else self.given[i.name]
                for i in graph.inputs}

    def results(self, graph: Graph) -> list[Array]:
        """Outputs and updates."""
        self.runs += 1
        outputs, updates = interpret(graph, self.known(graph))
        return [*outputs, *updates.values()]

    # --- the trace -----------------------------------------------------------------------------
    def in_trace(self, model: Callable[..., Any]) -> Verdict | None:
        """The first op of the model that is not what was traced."""
        call = pytree.unflatten(self.program.in_spec, iter(map(_copy, self.leaves)))
        tensors = [x for x in pytree.flatten(call)[0] if isinstance(x, Tensor)]
        live = [t for _, t in self.program.traced.state]
        acts, outputs, left = witnessed(model, call[0], call[1], self.program.out_spec,
                                        [*live, *tensors])
        self.runs += 1
        names = [*(i.name for i, _ in self.program.traced.state),
                 *(i.name for i, x in zip(self.graph.inputs, self.leaves, strict=False)
                   if isinstance(x, Tensor))]
        after = dict(zip(names, left, strict=True))
        values = self.values(self.graph)
        results = [_value(v, values) for v in self.graph.results]
        wanted = [*outputs, *(after[i.name] for i, _ in self.graph.updates)]
        if len(wanted) == len(results) and not self.differ(wanted, results):
            return None
        return self.first_act(acts, values) or Verdict(
            "trace", self.graph.name, why="the results differ, and no op does: the model returns "
                                          "or writes other tensors than those that were traced")

    def first_act(self, acts: Sequence[Act], values: Mapping[Value, Any]) -> Verdict | None:
        """The first op of the model that was traced otherwise, or gives something else."""
        nodes = [n for n in self.graph.nodes
                 if not isinstance(n.op.kernel, (Control, DimValue))]
        inner = any(n.regions for n in self.graph.nodes)
        matcher = SequenceMatcher(None, [(n.op.name, values[n].shape) for n in nodes],
                                  [(a.op.name, a.result.shape) for a in acts], autojunk=False)
        for tag, i, j, k, m in matcher.get_opcodes():
            if tag == "equal":
                for node, act in zip(nodes[i:j], acts[k:m], strict=True):
                    if self.apart(act.result, values[node]):
                        return _accused("trace", node, values, act.result,
                                        place=str(act.location))
            elif not (tag == "insert" and inner):  # what a branch does is not seen from here
                return _another(nodes[i:j], acts[k:m])
        return None

    # --- passes --------------------------------------------------------------------------------
    def in_passes(self) -> Verdict | None:
        """The pass after which the graph computes something else."""
        graphs = [*(s.graph for s in self.stages), self.main]
        names = [*(s.name for s in self.stages), "hoist"]
        wanted = self.results(graphs[0])

        def good(k: int) -> bool:
            try:
                return not self.differ(wanted, self.results(graphs[k]))
            except _REFUSALS:
                return False

        low, high = 0, len(graphs) - 1
        if good(high):
            return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if good(middle) else (low, middle)
        return self.first_rewritten(names[high], graphs[low], graphs[high])

    def first_rewritten(self, name: str, before: Graph, after: Graph) -> Verdict:
        """The first node after a pass that turns values that were there into one that was not."""
        old = self.values(before)
        try:
            new = self.values(after)
        except _REFUSALS as error:
            return Verdict(name, after.name, why=f"the graph is refused: {error}")
        there = [np.asarray(v) for v in old.values() if not isinstance(v, tuple)]
        there += [c.array for c in before.consts]
        strange = {n for n in after.nodes if not isinstance(new[n], tuple)
                   and all(self.apart(v, new[n]) for v in there if v.shape == new[n].shape)}
        reached = _behind([v for v, w in zip(after.results, before.results, strict=True)
                           if self.apart(_value(w, old), _value(v, new))], strange)
        fresh = [n for n in after.nodes if n in reached and not strange & set(n.args)]
        twins = {(n.op.name, n.location): n for n in before.nodes}
        fresh.sort(key=lambda n: (n.op.name, n.location) not in twins)
        if not fresh:
            return Verdict(name, after.name, why="it returns or updates another value")
        twin = twins.get((fresh[0].op.name, fresh[0].location))
        return _accused(name, fresh[0], new, None if twin is None else old[twin])

    # --- kernels -------------------------------------------------------------------------------
    def in_kernels(self) -> Verdict | None:
        """The first kernel that gives something else than its nodes interpreted."""
        values = self.values(self.main)
        wanted = [_value(v, values) for v in self.main.results]
        module = lower(self.main).edited(self.program.edits)
        try:
            got = self.compiled(module)
        except OpError as error:
            return Verdict("ej_program", self.graph.name, why=f"native code refuses: {error}")
        if not self.differ(wanted, got):
            return None
        return self.first_kernel(values) or Verdict(
            "ej_program", self.graph.name, why="every kernel is right by itself; what is wrong is "
                                               "the driver, or how kernels share memory")

    def first_kernel(self, values: Mapping[Value, Any]) -> Verdict | None:
        """The program compiled so that it also returns what goes from kernel to kernel."""
        results = set(self.main.results)
        made = list(_made_in_order(self.main))
        wide = replace(self.main, outputs=(*self.main.outputs,
                                           *(n for n in made if n not in results)))
        edits = {k: v for k, v in self.program.edits.items() if k != "ej_program"}
        module = lower(wide).edited(edits)
        if edits.keys() - {k.name for k in module.kernels}:
            return None  # an edited kernel reads or writes otherwise here
        got = dict(zip(wide.results, self.compiled(module), strict=True))
        for node in made:
            if self.apart(values[node], got[node]):
                return _accused(_kernel_of(module, wide, node), node, values, values[node],
                                got[node])
        return None

    def compiled(self, module: Module) -> list[Array]:
        """Outputs and updates of native code, run on copies of state."""
        self.runs += 1
        state = {n: Tensor(a.copy()) for n, a in self.given.items()}
        arrays = [state[i.name]._array for i in self.main.inputs if i.role == "argument"]
        found = Binding(module, self.prologue, state, self.program.level).call(*arrays)
        outputs = found if isinstance(found, tuple) else (found,)
        return [*outputs, *(state[i.name]._array for i, _ in self.main.updates)]


# --- pieces ------------------------------------------------------------------------------------
def _made_in_order(graph: Graph) -> Iterator[Node]:
    """The values that units put into memory, for each other or as results."""
    units = fuse(graph)
    needed = stored(graph, units)
    for unit in units:
        yield from (n for n in unit.nodes if n in needed and isinstance(n.type, Type))
        yield from (n for n in graph.nodes if is_projection(n) and n.args[0] in unit.nodes)


def _kernel_of(module: Module, graph: Graph, node: Node) -> str:
    """What computes a node: the kernel, or the routines, of its unit."""
    inside = set(module.graph.nodes)
    work = [actions for unit, actions in module.work if unit.nodes[0] in inside]
    for unit, actions in zip(fuse(graph), work, strict=True):
        if node in unit.nodes or (is_projection(node) and node.args[0] in unit.nodes):
            return ", ".join(dict.fromkeys(s.function for s in walk(actions))) or "ej_program"
    return "ej_program"


def _behind(values: Sequence[Value], among: set[Node]) -> set[Node]:
    """The nodes ``among`` which lead to ``values`` by way of each other."""
    found: set[Node] = set()
    stack = list(values)
    while stack:
        value = stack.pop()
        if isinstance(value, Node) and value in among and value not in found:
            found.add(value)
            stack.extend(value.args)
    return found


def _accused(stage: str, node: Node, values: Mapping[Value, Any], wanted: Array | None,
             got: Array | None = None, place: str = "") -> Verdict:
    """The verdict on a node: ``values`` are what it read, and unless ``got`` is given, gave."""
    result = values[node] if got is None else got
    words = "" if wanted is None else furthest(wanted, result)
    return Verdict(stage, node.op.name, place or str(node.location), words,
                   tuple(statistics(_value(a, values)) for a in node.args),
                   "" if wanted is None else statistics(wanted), statistics(result))


def _another(nodes: Sequence[Node], acts: Sequence[Act]) -> Verdict:
    """The model does something else than what was traced."""
    node, act = next(zip_longest(nodes, acts))
    traced = "nothing" if node is None else f"{node.op.name} (at {node.location})"
    done = "nothing" if act is None else f"{act.op.name} (at {act.location})"
    thing = node if act is None else act
    return Verdict("trace", thing.op.name, str(thing.location),
                   f"{traced} was traced, and the model does {done}",
                   got="" if act is None else statistics(act.result))


def _value(value: Value, values: Mapping[Value, Any]) -> Any:
    return value.array if isinstance(value, Const) else values[value]


def _copy(x: Any) -> Any:
    return Tensor(x._array.copy()) if isinstance(x, Tensor) else np.array(x)
