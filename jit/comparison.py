"""Two graphs side by side: what one computes and the other does not.

Numbers of values and places in the user's code do not count, nor does the order of nodes that
do not need each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from eager.ops.errors import GraphError
from jit.graph import Const, Graph, Input, Node, Value
from jit.text import Line, attribute_words, lines_of, type_text

CONTEXT = 3  #: rows shown round a difference


@dataclass(frozen=True)
class Difference:
    """What tells two graphs apart; false, and ``no difference`` as text, if nothing does.

    ``first`` is the first row in which they part, with the user's lines; ``listing`` has all
    rows: ``-`` of the first graph alone, ``+`` of the second alone, the others of both.
    """

    first: str = ""
    listing: str = ""

    def __bool__(self) -> bool:
        return bool(self.first)

    def __str__(self) -> str:
        return f"{self.first}\n\n{_shortened(self.listing)}" if self else "no difference"


def diff(a: Any, b: Any) -> Difference:
    """What graph ``b`` computes otherwise than ``a``: programs, traces or graphs.

    Of programs and traces the traced graphs are compared: inputs with their types and roles,
    dims, relations, nodes, results and updates.  Constants are compared by their bytes.
    """
    first, second = _graph_of(a), _graph_of(b)
    keys = _Keys()
    if keys.of_graph(first) == keys.of_graph(second):
        return Difference()
    rows, others = _rows(first), _rows(second)
    aligned = list(_aligned(rows, others))
    parted = next((pair for pair in aligned if pair[0] is None or pair[1] is None), None)
    if parted is None:
        return Difference("the order of results, or a constant", _listing(aligned))
    return Difference(_first(aligned), _listing(aligned))


def _graph_of(x: Any) -> Graph:
    graph = x if isinstance(x, Graph) else getattr(x, "graph", None)
    if not isinstance(graph, Graph):
        raise GraphError(f"diff compares programs, traces and graphs, got {type(x).__name__}")
    return graph


# --- equality ----------------------------------------------------------------------------------
class _Keys:
    """A number for every value of both graphs, equal where the same is computed."""

    def __init__(self) -> None:
        self.numbers: dict[Any, int] = {}

    def number(self, key: Any) -> int:
        return self.numbers.setdefault(key, len(self.numbers))

    def of_graph(self, graph: Graph, region: bool = False) -> Any:
        """What two graphs share exactly if they are the same; regions have inputs by position."""
        known: dict[Value, int] = {}
        for k, i in enumerate(graph.inputs):
            known[i] = self.number(("input", k if region else i.name, str(i.type), i.role))

        def of(value: Value) -> int:
            return self.number(_constant(value)) if isinstance(value, Const) else known[value]

        for node in graph.nodes:
            known[node] = self.number((
                _local(node), tuple(map(of, node.args)),
                tuple(self.of_graph(r, region=True) for r in node.regions)))
        return (tuple(known[i] for i in graph.inputs if region or i.role == "argument"),
                tuple(sorted(known[i] for i in graph.inputs)), graph.dims,
                tuple(map(str, graph.relations)),
                tuple(sorted(known[n] for n in graph.nodes)), tuple(map(of, graph.outputs)),
                tuple(sorted((known[i], of(v)) for i, v in graph.updates)))


def _local(node: Node) -> Any:
    """What a node is without its operands."""
    return node.op.name, tuple(attribute_words(node)), type_text(node.type)


def _constant(const: Const) -> Any:
    return "constant", str(const.type), const.array.tobytes()


# --- rows --------------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class _Row:
    """A row of the listing; rows of one ``key`` may stand for each other."""

    line: Line
    key: Any

    @property
    def place(self) -> str:
        return str(self.line.node.location) if self.line.node is not None else ""


_Pair = tuple[_Row | None, _Row | None]


def _rows(graph: Graph) -> list[_Row]:
    """A row for each input, dim, relation, node, result and update."""
    ports = [f"  %{i.name}: {i.type} {i.role}" for i in graph.inputs]
    ports += [f"  {d.name} in {d.min}..{d.max}" for d in graph.dims]
    ports += [f"  {r}" for r in graph.relations]
    lines = lines_of(graph)
    body = next(k for k, line in enumerate(lines) if line.text.endswith("{")) + 1
    return [*(_Row(Line(text), text) for text in ports), *map(_row, lines[body:-1])]


def _row(line: Line) -> _Row:
    if line.node is not None:
        return _Row(line, _local(line.node))
    words = line.text.split("=")[0] if line.text.strip().startswith("update") else (
        "return" if line.text.strip().startswith("return") else line.text)
    return _Row(line, (words, len(line.reads)))


def _aligned(rows: list[_Row], others: list[_Row]) -> Iterator[_Pair]:
    """Both lists in order: pairs of rows that are the same, and rows without such a partner."""
    matcher = SequenceMatcher(None, [r.key for r in rows], [r.key for r in others],
                              autojunk=False)
    partner: dict[Value, Value] = {}
    for tag, i, j, k, m in matcher.get_opcodes():
        if tag != "equal":
            if j - i == m - k:  # each took the place of one: who reads them is the same
                partner.update((a.line.node, b.line.node) for a, b in zip(
                    rows[i:j], others[k:m], strict=True) if a.line.node and b.line.node)
            yield from ((row, None) for row in rows[i:j])
            yield from ((None, row) for row in others[k:m])
            continue
        for a, b in zip(rows[i:j], others[k:m], strict=True):
            if a.line.node is not None and b.line.node is not None:
                partner[a.line.node] = b.line.node
            if _same_reads(a.line, b.line, partner):
                yield a, b
            else:
                yield a, None
                yield None, b


def _same_reads(a: Line, b: Line, partner: dict[Value, Value]) -> bool:
    """Whether the operands of aligned rows are aligned themselves."""
    return len(a.reads) == len(b.reads) and all(
        _same(x, y, partner) for x, y in zip(a.reads, b.reads, strict=True))


def _same(x: Value, y: Value, partner: dict[Value, Value]) -> bool:
    match x, y:
        case Const(), Const():
            return bool(_constant(x) == _constant(y))
        case Input(), Input():
            return x.name == y.name
        case _:
            return partner.get(x) is y


# --- words -------------------------------------------------------------------------------------
def _first(aligned: list[_Pair]) -> str:
    """The first row of each graph that the other has not, up to where they meet again."""
    at = next(k for k, (a, b) in enumerate(aligned) if a is None or b is None)
    run = []
    for pair in aligned[at:]:
        if None not in pair:
            break
        run.append(pair)
    words = [next((_words(row) for row in side if row is not None), "nothing")
             for side in zip(*run, strict=True)]
    return f"first difference: {words[0]}; then {words[1]}"


def _words(row: _Row) -> str:
    text = row.line.text.split("  # ")[0].strip().removesuffix("{").strip()
    return text + (f" (at {row.place})" if row.place else "")


def _listing(aligned: list[_Pair]) -> str:
    found = []
    for a, b in aligned:
        row = a or b
        assert row is not None
        found.append(" -+"[0 if a and b else 1 if a else 2] + row.line.text)
    return "\n".join(found)


def _shortened(listing: str) -> str:
    """The rows near a difference; ``...`` where others are left out."""
    lines = listing.split("\n")
    marked = [k for k, line in enumerate(lines) if line[:1] in ("-", "+")]
    near = {k for m in marked for k in range(m - CONTEXT, m + CONTEXT + 1)}
    found: list[str] = []
    for k, line in enumerate(lines):
        if k in near:
            found.append(line)
        elif not found or found[-1] != " ...":
            found.append(" ...")
    return "\n".join(found)
