"""The graph as text that people read and `parse_graph` reads back exactly.

Values are ``%name`` (inputs), ``%0`` (nodes) and ``@0`` (arrays beside the text); a 0-d
constant without a name is written out, ``2.0:f32``.  A comment holds a node's location.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from eager.ops.errors import GraphError
from eager.ops.types import DType, Type
from jit.dims import SymInt
from jit.graph import Const, Graph, Node, Value
from jit.parser import parse_graph

__all__ = ["Line", "arrays_beside", "attribute_words", "lines_of", "parse_graph", "print_graph",
           "type_text"]

WIDTH = 100
_WORD = re.compile(r"[A-Za-z_]\w*", re.ASCII)


@dataclass(frozen=True)
class Line:
    """One line of text, the node it starts, and the values that it names as operands."""

    text: str
    node: Node | None = None
    reads: tuple[Value, ...] = ()


def print_graph(graph: Graph) -> str:
    """The text of a graph, without a newline at its end."""
    return "\n".join(line.text for line in lines_of(graph))


def arrays_beside(graph: Graph) -> tuple[Const, ...]:
    """The constants that the text names ``@0``, ``@1`` …, in that order."""
    return tuple(c for c in graph.consts if not _is_literal(c))


def lines_of(graph: Graph) -> list[Line]:
    """The text of a graph line by line."""
    beside = arrays_beside(graph)
    consts = {c: f"@{k}" for k, c in enumerate(beside)}
    return _lines(graph, consts, [_const_port(c, consts) for c in beside], "")


def _lines(graph: Graph, consts: dict[Const, str], ports: list[str], indent: str) -> list[Line]:
    names: dict[Value, str] = {i: f"%{_name(i.name)}" for i in graph.inputs}
    names.update((n, f"%{k}") for k, n in enumerate(graph.nodes))

    def ref(value: Value) -> str:
        if isinstance(value, Const):
            return consts.get(value) or _literal(value)
        return names.get(value, "%?")

    found = [Line(indent + text) for text in _header(graph, ports, len(indent))]
    inner = indent + "  "
    for node in graph.nodes:
        found += _node_lines(node, names[node], ref, consts, inner)
    results = ", ".join(map(ref, graph.outputs))
    found.append(Line(f"{inner}return {results}".rstrip(), reads=graph.outputs))
    found += [Line(f"{inner}update {ref(i)} = {ref(v)}", reads=(i, v)) for i, v in graph.updates]
    found.append(Line(indent + "}"))
    return found


def _header(graph: Graph, consts: list[str], indent: int) -> list[str]:
    ports = [f"%{_name(i.name)}: {i.type}" + (f" {i.role}" if i.role != "argument" else "")
             for i in graph.inputs] + consts
    dims = ", ".join(f"{d.name} in {d.min}..{d.max}" for d in graph.dims)
    if graph.relations:
        return [f"{_name(graph.name)}(", *(f"    {p}," for p in ports), f") where {dims},",
                *_relations(graph), "{"]
    tail = f") where {dims} {{" if dims else ") {"
    whole = f"{_name(graph.name)}({', '.join(ports)}{tail}"
    if len(whole) + indent <= WIDTH:
        return [whole]
    return [f"{_name(graph.name)}(", *(f"    {p}," for p in ports), tail]


def _relations(graph: Graph) -> list[str]:
    """One a line, so that each has its place behind it."""
    last = len(graph.relations) - 1
    return [f"    {r}{',' if k < last else ''}" + (f"  # {r.place}" if r.place else "")
            for k, r in enumerate(graph.relations)]


def _const_port(const: Const, consts: dict[Const, str]) -> str:
    label = f" {json.dumps(const.name)}" if const.name else ""
    return f"{consts[const]}{label}: {const.type}"


def _node_lines(node: Node, name: str, ref: Any, consts: dict[Const, str],
                indent: str) -> list[Line]:
    words = [ref(a) for a in node.args]
    words += attribute_words(node)
    place = " ".join(str(node.location).split())
    tail = f" : {type_text(node.type)}" + (f"  # {place}" if place else "")
    head = f"{indent}{name} = {node.op.name}({', '.join(words)})"
    if not node.regions:
        return [Line(head + tail, node, node.args)]
    found = [Line(head + " {", node, node.args)]
    for region in node.regions:
        found += _lines(region, consts, [], indent + "  ")
    return [*found, Line(f"{indent}}}{tail}")]


def type_text(type_: Any) -> str:
    """A type, or the types of a node with several results."""
    return f"({', '.join(map(type_text, type_))})" if isinstance(type_, tuple) else str(type_)


def _name(name: str) -> str:
    return name if _WORD.fullmatch(name) else json.dumps(name)


def attribute_words(node: Node) -> list[str]:
    """The attributes of a node: ``dims=(1, 0)``."""
    return [f"{k}={_attribute(v, node)}" for k, v in node.attrs.items()]


def _attribute(value: Any, node: Node) -> str:
    if isinstance(value, tuple):
        words = [_attribute(v, node) for v in value]
        return f"({words[0]},)" if len(words) == 1 else f"({', '.join(words)})"
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, DType):
        return value.name
    if isinstance(value, str):
        return json.dumps(value)
    if type(value) in (int, float) or isinstance(value, SymInt):
        return repr(value)
    raise GraphError(f"{node.op.name}: an attribute is of {type(value).__name__}, which has no "
                     f"text; wanted int, float, bool, str, a dtype, a size or a tuple of them")


# --- constants that are written out ------------------------------------------------------------
def _is_literal(const: Const) -> bool:
    return const.array.ndim == 0 and not const.name and const.array.dtype.kind != "c"


def _literal(const: Const) -> str:
    dtype = Type.of(const.array).dtype
    if dtype.kind == "f":
        return f"{_float(const.array)}:{dtype.name}"
    return f"{str(const.array.item()).lower()}:{dtype.name}"


def _float(array: np.ndarray[Any, Any]) -> str:
    """The shortest text that reads back to the same bits; of an unusual NaN, the bits."""
    number = float(array)
    for text in (str(array), repr(number)):
        if text.lstrip("-").isdigit():  # bfloat16's, which would read back as an int
            continue
        if array.dtype.type(float(text)).tobytes() == array.tobytes():
            return text
    return f"0x{int.from_bytes(array.tobytes(), 'little'):x}"
