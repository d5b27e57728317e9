"""The report of a trace: what a program holds, relies on, writes and draws."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from eager.ops import families as fam
from jit.graph import Const, Graph, walk
from jit.guards import Guard
from jit.tracer import Traced

_SECTIONS = (
    ("dims", "dynamic dimensions"), ("relation", "relations of sizes, held to in every call"),
    ("state", "state read"), ("updates", "state written"),
    ("random", "random draws"), ("captured", "captured tensors"), ("constant", "constants"),
    ("guard", "relied on; a call is refused where it has changed"),
    ("side effect", "left undone"),
    ("frozen", "constant now: later writes are not seen"))


def report(traced: Traced) -> str:
    """Every finding by section, each with its origin; empty sections are left out."""
    rows: dict[str, list[str]] = {key: [] for key, _ in _SECTIONS}
    for key, text in (*_of_graph(traced.graph), *_constants(traced.graph)):
        rows[key].append(text)
    rows["guard"] += _guards(traced.guards)
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
    for r in graph.relations:
        yield "relation", str(r)
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


def _constants(graph: Graph) -> Iterator[tuple[str, str]]:
    """The numbers and arrays that the graph holds, by the line that uses them."""
    by_place: dict[str, dict[str, None]] = {}
    for node in walk(graph):
        for a in node.args:
            if isinstance(a, Const):
                text = str(a.array[()]) if a.array.ndim == 0 else f"an array {a.type}"
                by_place.setdefault(str(node.location), {})[text] = None
    for place, texts in by_place.items():
        yield "constant", f"{', '.join(texts)}, at {place}"


def _guards(guards: Iterable[Guard]) -> Iterator[str]:
    """A line for each value that a user's code reads; of modules' own settings one a class."""
    settings: dict[str, dict[str, None]] = {}
    inside = 0
    for g in guards:
        owner, dot, name = g.name.partition(".")
        if g.origin:
            yield str(g)
        elif g.inside:
            inside += 1
        else:
            settings.setdefault(owner, {})[f"{name} is {g.words}" if dot else str(g)] = None
    for owner, texts in settings.items():
        yield f"{owner}: {', '.join(texts)}"
    if inside:
        yield f"which parameters, buffers and modules stand inside of modules ({inside})"
