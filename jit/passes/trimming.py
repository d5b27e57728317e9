"""Branches and loops take, carry and give only what somebody needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from eager.ops.families import Control
from jit.graph import Graph, Node, Value, rebuild, with_args
from jit.passes.dce import eliminate_dead
from jit.passes.regions import everywhere
from jit.passes.weights import leaves_of


@everywhere
def trim_regions(graph: Graph) -> Graph:
    """Results that nobody picks vanish, and with them what regions compute for them alone:
    stacks, operands that no region reads, and carries that serve only themselves.  A carry that
    every round leaves as it is, is none: its result is its beginning.
    """
    if not any(n.regions for n in graph.nodes):
        return graph
    read = graph.read
    graph = replace(graph, nodes=tuple(n for n in graph.nodes if not _is_pick(n) or n in read))
    picked: dict[Value, set[int]] = {n: set() for n in graph.nodes if n.regions}
    for n in filter(_is_pick, graph.nodes):
        picked[n.args[0]].add(n.attrs["index"])
    moved: dict[Value, dict[int, int | Value]] = {}  #: of a new node: an index, or the result

    def make(old: Node, new: Mapping[Value, Value]) -> Value:
        node = with_args(old, new)
        if node.regions:
            made, places = _Trimmed(node, picked[old]).node()
            moved[made] = places
            return made
        if not _is_pick(node):
            return node
        place = moved[node.args[0]][node.attrs["index"]]
        return replace(node, attrs={"index": place}) if isinstance(place, int) else place

    return rebuild(graph, make)


def _is_pick(node: Node) -> bool:
    return isinstance(node.op.kernel, Control) and not node.regions


class _Trimmed:
    """Which results and operands of a node stay; ``picked`` are the results that are read."""

    def __init__(self, old: Node, picked: set[int]) -> None:
        self.old = old
        assert isinstance(old.op.kernel, Control)
        tests = 1 if old.op.kernel.form == "repeat" else 0  #: regions that give no results
        self.tests, self.steps = old.regions[:tests], old.regions[tests:]
        self.carried, self.scanned = (old.attrs.get(k, 0) for k in ("carried", "scanned"))
        self.offset = len(old.args) - len(old.regions[0].inputs)  #: a predicate of the node's own
        self.fixed = {k for k in range(self.carried)
                      if self.steps[0].outputs[k] is self.steps[0].inputs[k]}
        self.needed: set[int] = set()  #: inputs of regions
        self.results = self._live(picked)

    def _live(self, picked: set[int]) -> list[int]:
        """Results that are picked, and carries that these depend on, round by round."""
        live, found = picked - self.fixed, {-1}
        while found != live:
            found = set(live)
            self.needed = {k for r in self.tests for k in _read(r, r.outputs)}
            for r in self.steps:
                self.needed |= _read(r, [r.outputs[k] for k in live])
            live |= {k for k in range(self.carried) if k in self.needed} - self.fixed
        return sorted(live)

    def node(self) -> tuple[Node, dict[int, int | Value]]:
        """The node that is left, and where each result is now."""
        n, m, old = self.carried, self.scanned, self.old
        carries = [k for k in self.results if k < n]
        items = [k for k in range(n, n + m) if k in self.needed]
        rest = [k for k in (*range(n), *range(n + m, len(old.regions[0].inputs)))
                if k in self.needed and k not in carries]
        order = [*carries, *items, *rest]
        counts = {"carried": len(carries), "scanned": len(items)}
        made = replace(
            old, type=tuple(old.type[k] for k in self.results),
            args=(*old.args[:self.offset], *(old.args[k + self.offset] for k in order)),
            attrs={k: counts.get(k, v) for k, v in old.attrs.items()},
            regions=tuple([*(_part(r, order, range(len(r.outputs))) for r in self.tests),
                           *(_part(r, order, self.results) for r in self.steps)]))
        places: dict[int, int | Value] = {k: old.args[k] for k in self.fixed}
        places.update((k, j) for j, k in enumerate(self.results))
        return made, places


def _part(region: Graph, inputs: Iterable[int], outputs: Iterable[int]) -> Graph:
    return eliminate_dead(replace(region, inputs=tuple(region.inputs[k] for k in inputs),
                                  outputs=tuple(region.outputs[k] for k in outputs)))


def _read(region: Graph, outputs: Iterable[Value]) -> set[int]:
    """The positions of the inputs that outputs depend on."""
    leaves = set(leaves_of(*outputs))
    return {k for k, i in enumerate(region.inputs) if i in leaves}
