"""A graph that computes results and gradients becomes two: what runs forward, what runs back.

The backward graph takes what the forward one keeps for it.  A value that costs little is
computed again rather than kept, where that keeps fewer bytes: a mask from an activation, a
broadcast from its source, a chain of arithmetic from the product it began with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from math import prod
from typing import Any

from eager.ops.families import DimValue, Fill, Iota, Pointwise, View
from jit.dims import evaluate
from jit.graph import Const, Graph, Input, Node, Value
from jit.passes.dce import eliminate_dead
from jit.passes.weights import substitute

#: What is cheaper to do again than to read from memory.
_CHEAP = (Pointwise, View, Fill, Iota, DimValue)
_TYPICAL = 64  #: of a dynamic size, where bytes are weighed


@dataclass(frozen=True)
class Partition:
    """``forward`` gives the results and then what is kept; ``backward`` takes what is kept, then
    those inputs of the whole graph that it reads, and gives the gradients.
    """

    forward: Graph
    backward: Graph
    kept: int


def partition(graph: Graph, results: int, seeds: Sequence[Input]) -> Partition:
    """Split a graph whose first ``results`` outputs are results, and whose others are gradients.

    ``seeds`` are the inputs that stand for gradients of the results: what depends on one runs
    backward.  State is written forward.  Inputs that are not written are read by both graphs.
    """
    written = {i for i, _ in graph.updates}

    def is_given(value: Value) -> bool:
        return isinstance(value, Const) or (isinstance(value, Input) and value not in written)

    gradients = eliminate_dead(replace(graph, outputs=graph.outputs[results:], updates=()))
    late = _depending(gradients, seeds)
    needed = {v for n in gradients.nodes if n in late for v in n.args} | set(gradients.outputs)
    weigh = _Scales({d.name: max(d.min, min(d.max, _TYPICAL)) for d in graph.dims})
    kept = _fewest_bytes(needed - late, is_given, weigh)
    names = fresh_names("kept", graph.inputs)
    held: dict[Value, Value] = {v: Input(next(names), v.type)
                                for v in (*graph.inputs, *graph.nodes) if v in kept}
    forward = eliminate_dead(replace(graph, outputs=(*graph.outputs[:results], *held)))
    back = substitute(gradients, held)
    return Partition(
        replace(forward, inputs=tuple(i for i in graph.inputs if i not in seeds)),
        replace(back, inputs=_inputs(graph, back, tuple(held.values())),
                name=f"{graph.name}_backward"), len(held))


def _depending(graph: Graph, seeds: Sequence[Input]) -> set[Value]:
    """The seeds and every node that one of them reaches."""
    found: set[Value] = set(seeds)
    for node in graph.nodes:
        if any(a in found for a in node.args):
            found.add(node)
    return found


def _inputs(graph: Graph, back: Graph, held: tuple[Any, ...]) -> tuple[Input, ...]:
    """What is kept, the inputs that are read, and those that tell a dim which no other tells."""
    read = back.read
    found = {i for i in graph.inputs if i in read}
    for dim in graph.dims:
        tells = [i for i in (*held, *graph.inputs) if any(repr(d) == dim.name
                                                          for d in i.type.shape)]
        if not any(i in found or i in held for i in tells):
            found.update(tells[:1])
    return (*held, *(i for i in graph.inputs if i in found))


def fresh_names(stem: str, inputs: Iterable[Input]) -> Iterator[str]:
    """``stem.0``, ``stem.1`` and so on, but for what an input is called."""
    used = {i.name for i in inputs}
    return (name for k in count() if (name := f"{stem}.{k}") not in used)


# --- what to keep ------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Scales:
    """Weighs values in bytes, at these sizes."""

    dims: Mapping[str, int]

    def __call__(self, values: Iterable[Value]) -> int:
        return sum(prod(evaluate(d, self.dims) for d in v.type.shape) * v.type.dtype.itemsize
                   for v in values)


def _fewest_bytes(needed: set[Value], is_given: Callable[[Value], bool],
                  weigh: _Scales) -> set[Value]:
    """What to keep so that all that is needed can be had.

    Values that want the same further ones are swapped for those where that is less, so the sum
    falls until nothing changes.
    """
    kept = {v for v in (_seen_through(v, weigh) for v in needed) if not is_given(v)}
    while True:
        swaps: dict[frozenset[Value], set[Value]] = {}
        for value in kept:
            if _is_cheap(value):
                swaps.setdefault(_sources(value, kept, is_given), set()).add(value)
        chosen = {wants: have for wants, have in swaps.items() if weigh(wants) < weigh(have)}
        if not chosen:
            return kept
        kept = kept.difference(*chosen.values()).union(*chosen)


def _seen_through(value: Value, weigh: _Scales) -> Value:
    """What a view looks into, unless that is larger."""
    while (isinstance(value, Node) and isinstance(value.op.kernel, View)
           and weigh(value.args) <= weigh([value])):
        value = value.args[0]
    return value


def _is_cheap(value: Value) -> bool:
    return isinstance(value, Node) and isinstance(value.op.kernel, _CHEAP)


def _sources(value: Value, kept: set[Value], is_given: Callable[[Value], bool]
             ) -> frozenset[Value]:
    """What a cheap value is computed from, through cheap values, that is not there yet."""
    found: set[Value] = set()
    seen: set[Value] = {value}
    stack = list(value.args) if isinstance(value, Node) else []
    while stack:
        v = stack.pop()
        if v in seen or v in kept or is_given(v):
            continue
        seen.add(v)
        if isinstance(v, Node) and _is_cheap(v):
            stack.extend(v.args)
        else:
            found.add(v)
    return frozenset(found)
