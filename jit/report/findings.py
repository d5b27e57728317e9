"""The report of a trace: what a program holds, relies on, writes and draws."""

from __future__ import annotations

from collections.abc import Iterator

from eager.ops import families as fam
from jit.graph import Graph, walk
from jit.tracer import Traced

_SECTIONS = (
    ("dims", "dynamic dimensions"), ("state", "state read"), ("updates", "state written"),
    ("random", "random draws"), ("captured", "captured tensors"), ("baked", "values baked in"),
    ("guard", "relied on, and not looked at again"), ("side effect", "left undone"))


def report(traced: Traced) -> str:
    """Every finding by section, each with its origin; empty sections are left out."""
    rows: dict[str, list[str]] = {key: [] for key, _ in _SECTIONS}
    for key, text in _of_graph(traced.graph):
        rows[key].append(text)
    for f in traced.findings:
        rows[f.kind].append(f.text)
    lines = [f"trace of {traced.graph.name}"]
    for key, title in _SECTIONS:
        if rows[key]:
            lines.append(f"{title}:")
            lines += [f"  {text}" for text in rows[key]]
    return "\n".join(lines)


def _of_graph(graph: Graph) -> Iterator[tuple[str, str]]:
    for d in graph.dims:
        yield "dims", f"{d.name} in [{d.min}, {d.max}]"
    written = {i for i, _ in graph.updates}
    for i in graph.inputs:
        if i.role != "argument" and i not in written:
            yield "state", f"{i.role} {i.name}: {i.type}"
    for i, value in graph.updates:
        place = getattr(value, "location", "")
        yield "updates", f"{i.role} {i.name}: {i.type}" + (f", at {place}" if place else "")
    for node in walk(graph):
        if isinstance(node.op.kernel, fam.Random) and node.op.kernel.distribution != "advance":
            yield "random", f"{node.op.name} {node.type}, at {node.location}"
