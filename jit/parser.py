"""Reads the text of a graph.  Strict and bounded: the text may come from anywhere.

Nothing is evaluated but integer expressions over declared dims.  Types are taken as
written; `jit.verifier.verify` runs the ops' own rules over the result.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, get_args, get_origin

import numpy as np

from eager.ops.errors import GraphError, TraceError
from eager.ops.op import Op
from eager.ops.types import DTYPES, DType, Type
from jit.dims import Dim, of_index, to_index
from jit.graph import ROLES, Const, Graph, Input, Node, Value
from jit.kernels.index import Index, Var
from jit.lexer import Token, parse_location, tokens_of
from jit.relations import OPERATORS, Relation

MAX_TEXT = 1 << 26  #: characters
MAX_DIGITS = 40  #: of one number
MAX_DEPTH = 16  #: of regions, and of parentheses
MAX_TERMS = 64  #: and operators, of one size expression
MAX_RANK = 64

_FLOATS = {"inf": float("inf"), "nan": float("nan")}
_WORDS: dict[str, Any] = {"true": True, "false": False, "none": None, **_FLOATS, **DTYPES}


def parse_graph(text: str, consts: Sequence[Any] = (),
                table: Mapping[str, Op] | None = None) -> Graph:
    """The graph of a text.

    ``consts`` are the arrays (or `Const` values) that the text calls ``@0``, ``@1`` …;
    ``table`` the ops by name, by default all of them.  Raises GraphError with the line,
    what was expected there and what was found.
    """
    if table is None:
        from eager.ops.table import TABLE

        table = TABLE
    if len(text) > MAX_TEXT:
        raise GraphError(f"a graph's text has at most {MAX_TEXT} characters, got {len(text)}")
    parser = _Parser(text, consts, table)
    graph = parser.graph({}, 0)
    if parser.token.kind != "end":
        parser.fail("the end of the text")
    return graph


class _Parser:
    """One walk over the tokens; each method reads one construct."""

    def __init__(self, text: str, consts: Sequence[Any], table: Mapping[str, Op]) -> None:
        self.source = text
        self.tokens, self.comments = tokens_of(text)
        self.at = 0
        self.table = table
        self.given = consts
        self.consts: dict[str, Const] = {}
        self.dims: dict[str, Any] = {}
        self.operators = 0

    # --- tokens ------------------------------------------------------------------------------
    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def fail(self, wanted: str, token: Token | None = None) -> NoReturn:
        token = token or self.token
        got = repr(token.text[:60]) if token.kind != "end" else "the end of the text"
        raise self.error(f"expected {wanted}, got {got}", token)

    def error(self, words: str, token: Token) -> GraphError:
        lines = self.source.split("\n")
        return GraphError(f"line {token.line + 1}: {words}:\n  {lines[token.line].strip():.100}")

    def take(self, kind: str, wanted: str) -> Token:
        if self.token.kind != kind:
            self.fail(wanted)
        self.at += 1
        return self.tokens[self.at - 1]

    def accept(self, text: str) -> bool:
        """Read a mark or a keyword, if it is next."""
        hit = self.token.kind in ("mark", "word") and self.token.text == text
        self.at += hit
        return hit

    def expect(self, text: str) -> None:
        if not self.accept(text):
            self.fail(repr(text))

    def listed(self, end: str, item: Callable[[], Any]) -> list[Any]:
        """Items with commas between, up to and with ``end``."""
        found: list[Any] = []
        while not self.accept(end):
            if found:
                self.expect(",")
                if self.accept(end):
                    break
            found.append(item())
        return found

    def string(self, text: str) -> str:
        try:
            return str(json.loads(text))
        except ValueError:
            self.fail("a string as in JSON", self.tokens[self.at - 1])

    def name(self, text: str) -> str:
        return self.string(text) if text.startswith('"') else text

    def integer(self, wanted: str) -> int:
        token = self.take("number", wanted)
        if not token.text.isdigit() or len(token.text) > MAX_DIGITS:
            self.fail(wanted, token)
        return int(token.text)

    # --- graphs ------------------------------------------------------------------------------
    def graph(self, dims: dict[str, Any], depth: int) -> Graph:
        if depth > MAX_DEPTH:
            raise self.error(f"regions are nested deeper than {MAX_DEPTH}", self.token)
        name = self.token
        if name.kind not in ("word", "string"):
            self.fail("the name of a graph")
        self.at += 1
        self.expect("(")
        start = self.at
        own = self.find_dims(start)
        outer, self.dims = self.dims, {**dims, **{d.name: d.size for d in own}}
        values: dict[str, Value] = {}
        inputs = [p for p in self.listed(")", lambda: self.port(values, depth)) if p is not None]
        self.read_dims()
        relations = self.read_relations(own)
        self.expect("{")
        nodes = []
        while self.token.kind == "value":
            nodes.append(self.node(values, depth))
        outputs, updates = self.results(values)
        self.dims = outer
        return Graph(tuple(inputs), tuple(nodes), outputs, updates, tuple(own),
                     self.name(name.text), relations)

    def find_dims(self, start: int) -> list[Dim]:
        """The dims declared behind the ports, which use them."""
        while self.token.kind != "end" and self.token.text != "{":
            if self.accept("where"):
                self.at -= 1
                break
            self.at += 1
        found = self.read_dims()
        self.at = start
        return found

    def read_dims(self) -> list[Dim]:
        found: list[Dim] = []
        while self.accept("," if found else "where"):
            if found and self.tokens[min(self.at + 1, len(self.tokens) - 1)].text != "in":
                self.at -= 1  # the relations follow
                break
            token = self.take("word", "the name of a dim")
            self.expect("in")
            low = self.integer("the smallest size")
            self.expect("..")
            high = self.integer("the largest size")
            if any(d.name == token.text for d in found):
                self.fail("a dim that is not declared yet", token)
            try:
                found.append(Dim(token.text, low, high))
            except TraceError as e:
                raise self.error(str(e), token) from None
        return found

    def read_relations(self, dims: list[Dim]) -> tuple[Relation, ...]:
        """``rows >= 3, other == rows``, each with its place in a comment."""
        found: list[Relation] = []
        while dims and self.accept(","):
            token = self.token
            defines = token.kind == "word" and token.text not in self.dims
            left = Index.of(Var(self.take("word", "a dim").text)) if defines else (
                to_index(self.size(0)))
            op = self.take("mark", "one of == != >= <=")
            if op.text not in OPERATORS or (defines and op.text != "=="):
                self.fail("==" if defines else "one of == != >= <=", op)
            right = to_index(self.size(0))
            line = self.tokens[self.at - 1].line
            found.append(Relation(left, op.text, right, self.comments.get(line, "")))
        return tuple(found)

    def port(self, values: dict[str, Value], depth: int) -> Input | None:
        if self.token.kind == "const" and not depth:
            self.const_port()
            return None
        token = self.take("value", "an input such as %x, or an array such as @0")
        self.expect(":")
        made = Input(self.name(token.text[1:]), self.type(), self.role())
        self.define(values, token, made)
        return made

    def role(self) -> str:
        if self.token.kind != "word":
            return "argument"
        token = self.take("word", "a role")
        if token.text not in ROLES:
            self.fail(f"one of {', '.join(ROLES)}", token)
        return token.text

    def const_port(self) -> None:
        token = self.take("const", "an array such as @0")
        label = self.string(self.take("string", "a name").text) if (
            self.token.kind == "string") else ""
        self.expect(":")
        wanted = self.type()
        k = int(token.text[1:])
        if token.text in self.consts or k >= len(self.given):
            raise self.error(f"{token.text} is declared, but {len(self.given)} arrays are given "
                             f"beside the text (or it is declared twice)", token)
        const = self.given[k]
        if not isinstance(const, Const):
            const = Const(np.asarray(const), label)
        if str(const.type) != str(wanted):
            raise self.error(f"{token.text} is declared {wanted}, but the array given for it is "
                             f"{const.type}", token)
        self.consts[token.text] = const

    def define(self, values: dict[str, Value], token: Token, value: Value) -> None:
        if token.text in values:
            self.fail("a value that is not defined yet", token)
        values[token.text] = value

    def results(self, values: dict[str, Value]) -> tuple[Any, Any]:
        self.expect("return")
        outputs: list[Value] = []
        while self.token.text not in ("}", "update"):
            if outputs:
                self.expect(",")
            outputs.append(self.operand(values))
        updates = []
        while self.accept("update"):
            token = self.take("value", "an input such as %x")
            target = values.get(token.text)
            if not isinstance(target, Input):
                self.fail("an input of this graph", token)
            self.expect("=")
            updates.append((target, self.operand(values)))
        self.expect("}")
        return tuple(outputs), tuple(updates)

    # --- nodes -------------------------------------------------------------------------------
    def node(self, values: dict[str, Value], depth: int) -> Node:
        name = self.take("value", "a node such as %0")
        self.expect("=")
        token = self.take("word", "the name of an op")
        op = self.table.get(token.text)
        if op is None:
            self.fail("the name of an op of the table", token)
        self.expect("(")
        args: list[Value] = []
        attrs: dict[str, Any] = {}
        self.listed(")", lambda: self.argument(op, values, args, attrs))
        regions: list[Graph] = []
        if self.accept("{"):
            while not self.accept("}"):
                regions.append(self.graph(self.dims, depth + 1))
        self.expect(":")
        result = self.node_type()
        place = parse_location(self.comments.get(self.tokens[self.at - 1].line, ""))
        made = Node(op, tuple(args), attrs, result, tuple(regions), place)
        self.define(values, name, made)
        return made

    def argument(self, op: Op, values: dict[str, Value], args: list[Value],
                 attrs: dict[str, Any]) -> None:
        token, after = self.token, self.tokens[min(self.at + 1, len(self.tokens) - 1)]
        if token.kind != "word" or after.text != "=":
            if attrs:
                self.fail("operands before attributes")
            args.append(self.operand(values))
            return
        if token.text in attrs or token.text not in op.attrs:
            known = ", ".join(op.attrs) or "none"
            self.fail(f"a new attribute of {op.name} (it has {known})")
        self.at += 2
        attrs[token.text] = self.attribute(op.attrs[token.text].annotation, 0)

    def operand(self, values: dict[str, Value]) -> Value:
        token = self.token
        if token.kind == "value":
            self.at += 1
            if token.text not in values:
                self.fail("a value that is defined above", token)
            return values[token.text]
        if token.kind == "const":
            self.at += 1
            if token.text not in self.consts:
                self.fail("an array that the header declares", token)
            return self.consts[token.text]
        return self.literal()

    def literal(self) -> Const:
        """A 0-d constant such as ``-2.5:f32``, ``true:bool`` or ``0x7fc00001:f32``."""
        start = self.token
        if start.kind == "bits":
            self.at += 1
            number: Any = int(start.text, 16)
        else:
            number = self.attribute(None, 0)
        self.expect(":")
        dtype = self.dtype()
        try:
            if start.kind == "bits":
                raw = number.to_bytes(dtype.itemsize, "little")
                return Const(np.frombuffer(raw, dtype.numpy).reshape(()).copy())
            wanted = {"b": bool, "i": int}.get(dtype.kind, float)
            if type(number) is not wanted:
                raise ValueError
            return Const(np.array(number, dtype.numpy))
        except (OverflowError, ValueError):
            self.fail(f"a number of {dtype.name}", start)

    # --- attributes --------------------------------------------------------------------------
    def attribute(self, annotation: Any, depth: int) -> Any:
        """A value; the op's schema decides what may be a size expression."""
        if annotation is int:
            return self.size(depth)
        token = self.token
        if token.text == "(" and token.kind == "mark":
            return self.parenthesis(annotation, depth)
        if token.kind == "string":
            self.at += 1
            return self.string(token.text)
        if token.kind == "word" and token.text in _WORDS:
            self.at += 1
            return _WORDS[token.text]
        after = self.tokens[min(self.at + 1, len(self.tokens) - 1)]
        if token.text == "-" and (after.text in _FLOATS or _is_float(after)):
            self.at += 1
            return -self.attribute(None, depth)
        if _is_float(token):
            self.at += 1
            return float(token.text)
        return self.size(depth)

    def parenthesis(self, annotation: Any, depth: int) -> Any:
        """A tuple; or, where the schema leaves it open, perhaps a size such as ``(n) // 2``."""
        tuples = [a for a in (annotation, *get_args(annotation)) if get_origin(a) is tuple]
        if not tuples:
            start = self.at
            try:
                return self.size(depth)
            except GraphError:
                self.at = start
        return self.sequence(get_args(tuples[0])[0] if tuples else None, depth)

    def sequence(self, element: Any, depth: int) -> tuple[Any, ...]:
        if depth > MAX_DEPTH:
            raise self.error(f"parentheses are nested deeper than {MAX_DEPTH}", self.token)
        self.expect("(")
        return tuple(self.listed(")", lambda: self.attribute(element, depth + 1)))

    # --- types and sizes ---------------------------------------------------------------------
    def dtype(self) -> DType:
        token = self.take("word", "a dtype")
        if token.text not in DTYPES:
            self.fail(f"one of {', '.join(DTYPES)}", token)
        return DTYPES[token.text]

    def type(self) -> Type:
        dtype = self.dtype()
        self.expect("[")
        start = self.token
        shape = self.listed("]", lambda: self.size(0))
        if len(shape) > MAX_RANK or any(type(d) is int and d < 0 for d in shape):
            self.fail(f"at most {MAX_RANK} sizes, none negative", start)
        return Type(dtype, tuple(shape))

    def node_type(self) -> Any:
        """A type, or of a node with regions the types of its results."""
        return tuple(self.listed(")", self.type)) if self.accept("(") else self.type()

    def size(self, depth: int) -> Any:
        """An integer expression: ``2 * batch + 1``, ``(batch) // 2``."""
        if depth == 0:
            self.operators = 0
        return self.chain(("+", "-"), lambda: self.chain(
            ("*", "//", "%"), lambda: self.atom(depth)))

    def chain(self, operators: tuple[str, ...], item: Callable[[], Any]) -> Any:
        total = item()
        while self.token.kind == "mark" and self.token.text in operators:
            token = self.token
            self.at += 1
            right = item()
            if token.text in ("//", "%") and (type(right) is int and right <= 0):
                self.fail("a positive divisor", token)
            total = self.bounded(_ARITHMETIC[token.text](total, right), token)
        return total

    def bounded(self, size: Any, token: Token) -> Any:
        terms = to_index(size).terms
        self.operators += 1
        if max(self.operators, len(terms)) > MAX_TERMS or any(
                len(m) > MAX_DEPTH or abs(c) >= 1 << 63 for m, c in terms):
            raise self.error("the size expression is too large", token)
        return size

    def atom(self, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise self.error(f"parentheses are nested deeper than {MAX_DEPTH}", self.token)
        if self.accept("-"):
            return -self.atom(depth + 1)
        if self.accept("("):
            inner = self.size(depth + 1)
            self.expect(")")
            return inner
        if self.token.kind != "word":
            return self.integer("an integer or a dim")
        token = self.take("word", "a dim")
        if token.text not in self.dims:
            self.fail("an integer or a declared dim", token)
        return self.dims[token.text]


def _is_float(token: Token) -> bool:
    return (token.kind == "number" and not token.text.isdigit()
            and len(token.text) <= MAX_DIGITS)


_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b,
    # A graph's text divides by what its writer knew to be no 0.
    "//": lambda a, b: of_index(to_index(a) // to_index(b)),
    "%": lambda a, b: of_index(to_index(a) % to_index(b)),
}
