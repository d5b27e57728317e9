"""How a pass reaches into the regions of control flow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps

from jit.graph import Graph, Node, rewrite

Pass = Callable[[Graph], Graph]


def everywhere(run: Pass) -> Pass:
    """The pass that does the same inside every region, innermost first."""

    @wraps(run)
    def whole(graph: Graph) -> Graph:
        return run(_with_regions(graph, whole))

    return whole


def _with_regions(graph: Graph, run: Pass) -> Graph:
    if not any(n.regions for n in graph.nodes):
        return graph

    def swap(node: Node) -> Node:
        made = tuple(map(run, node.regions))
        same = all(a is b for a, b in zip(made, node.regions, strict=True))
        return node if same else replace(node, regions=made)

    return rewrite(graph, swap)
