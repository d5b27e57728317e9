"""What nobody needs is not computed."""

from __future__ import annotations

from dataclasses import replace

from jit.graph import Graph, Node, Value
from jit.passes.regions import everywhere


@everywhere
def eliminate_dead(graph: Graph) -> Graph:
    """Nodes that no output and no update needs vanish, also those that could have failed.

    Inputs stay: they are the signature.
    """
    needed: set[Value] = set()
    stack = list(graph.results)
    while stack:
        value = stack.pop()
        if value not in needed:
            needed.add(value)
            if isinstance(value, Node):
                stack.extend(value.args)
    kept = tuple(n for n in graph.nodes if n in needed)
    return graph if len(kept) == len(graph.nodes) else replace(graph, nodes=kept)
