"""Nodes with regions as what the driver does: branches and loops over their steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from eager.ops.families import Control
from jit.dims import to_index
from jit.graph import Graph, Node, Value, walk
from jit.kernels.index import Index, Var
from jit.kernels.motion import hoisted
from jit.kernels.reading import is_inline, renamed
from jit.kernels.steps import (
    Action,
    Branch,
    Loop,
    Pointer,
    Repeat,
    Scratch,
    Step,
    as_bytes,
    bytes_of,
    elements,
)
from jit.passes.fusion import is_projection


class Assembly(Protocol):
    """What collects the actions of a program."""

    graph: Graph
    alias: dict[Value, Value]  #: what an input of a region stands for
    places: dict[Value, Pointer]  #: what lies inside other memory
    loops: int  #: how many there are so far

    def pointer(self, value: Value) -> Pointer:
        """Where a value lies."""

    def actions(self, graph: Graph) -> list[Action]:
        """What computes a region."""


def lower_control(node: Node, asm: Assembly) -> list[Action]:
    """The actions of a node with regions."""
    assert isinstance(node.op.kernel, Control)
    return _FORMS[node.op.kernel.form](node, asm)


def copy(target: Pointer, source: Pointer, value: Value) -> Step:
    """The step that copies a value."""
    assert target.memory is not None
    return Step("copy_bytes", (as_bytes(target), as_bytes(source), bytes_of(value)),
                (target.memory,))


def _results(node: Node, asm: Assembly) -> dict[int, Node]:
    """The results of a node that anybody picks."""
    return {n.attrs["index"]: n for n in walk(asm.graph)
            if is_projection(n) and n.args[0] is node}


def _choice(node: Node, asm: Assembly) -> list[Action]:
    """Each arm computes its results and copies them to the node's."""
    results = _results(node, asm)
    arms = []
    for region in node.regions:
        asm.alias.update(zip(region.inputs, node.args[1:], strict=True))
        arm = asm.actions(region)
        arm += [copy(asm.pointer(results[k]), asm.pointer(value), value)
                for k, value in enumerate(region.outputs) if k in results]
        arms.append(tuple(arm))
    return [Branch(asm.pointer(node.args[0]), (arms[0], arms[1]))]


def _scan(node: Node, asm: Assembly) -> list[Action]:
    """A loop over the items: each step reads its slice of the stacks, and writes its own."""
    n, m, length = (node.attrs[k] for k in ("carried", "scanned", "length"))
    region = node.regions[0]
    t = _variable(asm, to_index(length))
    at = to_index(length) - 1 - Index.of(t) if node.attrs["reverse"] else Index.of(t)
    results = _results(node, asm)
    carries, before = _begin(node, n, results, asm)
    _give(region.inputs[:n], carries, asm)
    for inner, stack in zip(region.inputs[n:n + m], node.args[n:n + m], strict=True):
        whole = asm.pointer(stack)
        asm.places[inner] = Pointer(whole.memory, whole.dtype,
                                    whole.offset + at * elements(inner.type.shape))
    asm.alias.update(zip(region.inputs[n + m:], node.args[n + m:], strict=True))
    slices = _slices(region, n, results, at, asm)
    body = asm.actions(region)
    body += [copy(p, asm.pointer(v), v) for v, p in slices if asm.pointer(v) != p]
    body += _carried(region.outputs[:n], carries, asm)
    stacks = [asm.pointer(results[k]).memory for k in range(n, len(node.type)) if k in results]
    early, body = hoisted(body, t, {*(p.memory for p in carries), *stacks})
    return [*before, *early, Loop(t, tuple(body))]


def _repeat(node: Node, asm: Assembly) -> list[Action]:
    """A loop that asks the first region whether to go on."""
    n, limit = node.attrs["carried"], node.attrs["limit"]
    t = _variable(asm, Index.of(0) if limit is None else to_index(limit))
    carries, before = _begin(node, n, _results(node, asm), asm)
    rounds: list[list[Action]] = []
    for region in node.regions:
        _give(region.inputs[:n], carries, asm)
        asm.alias.update(zip(region.inputs[n:], node.args[n:], strict=True))
        rounds.append(asm.actions(region))
    holds, step = node.regions
    predicate = asm.pointer(holds.outputs[0])
    rounds[1] += _carried(step.outputs, carries, asm)
    split = len(rounds[0])
    early, rest = hoisted([*rounds[0], *rounds[1]], t, {p.memory for p in carries})
    moved = sum(any(a is e for e in early) for a in rounds[0])
    test, body = rest[:split - moved], rest[split - moved:]
    return [*before, *early, Repeat(t, limit is not None, tuple(test), predicate, tuple(body))]


def _variable(asm: Assembly, size: Index) -> Var:
    asm.loops += 1
    return Var(f"t{asm.loops - 1}", size)


# --- carries -----------------------------------------------------------------------------------
def _begin(node: Node, n: int, results: dict[int, Node], asm: Assembly
           ) -> tuple[list[Pointer], list[Action]]:
    """Memory for each carry, the result's own where it is picked, and its beginning there."""
    found: list[Pointer] = []
    for k, kind in enumerate(node.type[:n]):
        found.append(asm.pointer(results[k]) if k in results else Pointer(
            Scratch(f"carry{k}", kind.dtype, elements(kind.shape)), kind.dtype))
    return found, [copy(p, asm.pointer(a), a) for p, a in zip(found, node.args, strict=False)]


def _give(inputs: Sequence[Value], carries: Sequence[Pointer], asm: Assembly) -> None:
    asm.places.update(zip(inputs, carries, strict=True))


def _carried(values: Sequence[Value], carries: Sequence[Pointer], asm: Assembly) -> list[Action]:
    """The copies that end a round.  A carry that becomes another's is read before it is written."""
    early: list[Action] = []
    late: list[Action] = []
    own = {p.memory: k for k, p in enumerate(carries)}
    for k, (value, target) in enumerate(zip(values, carries, strict=True)):
        source = asm.pointer(value)
        if source == target:
            continue
        if own.get(source.memory, k) != k:
            saved = Pointer(Scratch(f"old{k}", source.dtype, elements(value.type.shape)),
                            source.dtype)
            early.append(copy(saved, source, value))
            source = saved
        late.append(copy(target, source, value))
    return early + late


def _slices(region: Graph, n: int, results: dict[int, Node], at: Index, asm: Assembly
            ) -> list[tuple[Value, Pointer]]:
    """Where each value that a step keeps goes; it is computed right there if it may be."""
    found: list[tuple[Value, Pointer]] = []
    here = set(region.nodes)
    for k, value in enumerate(region.outputs[n:], n):
        if k not in results:
            continue
        stack = asm.pointer(results[k])
        place = Pointer(stack.memory, stack.dtype,
                        stack.offset + at * elements(value.type.shape))
        found.append((value, place))
        made = renamed(value)
        if made in here and made not in asm.places and not is_inline(made):
            asm.places[made] = place
    return found


_FORMS: dict[str, Callable[[Node, Any], list[Action]]] = {
    "choice": _choice, "scan": _scan, "repeat": _repeat}
