"""A graph as Python that people read and run: one call of an eager op a line."""

from __future__ import annotations

import keyword
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np

from eager.ops.errors import GraphError
from eager.ops.types import DType, Type
from jit.dims import SymInt, to_index
from jit.graph import Const, Graph, Node, Value
from jit.kernels.index import Index, Var

SMALL = 16  #: elements up to which a constant is written out
_TAKEN = ("constants", "eager", "jit", "ops", "state")


@dataclass(frozen=True)
class Code:
    """Python source and the arrays that it calls ``constants[0]``, ``constants[1]`` …

    The source defines one function of the graph's name.  It takes the arguments of the call by
    position, the rest as ``state`` by name, and gives the list of outputs and the new values
    of state (and of arguments that are written) by name; all of them are eager tensors.
    """

    text: str
    name: str
    constants: tuple[np.ndarray[Any, Any], ...]

    def __str__(self) -> str:
        return self.text

    @cached_property
    def function(self) -> Callable[..., Any]:
        """The function that the source defines, its constants given: ``f(*arguments, state={…})``.

        It runs op by op in eager mode, so gradients flow through it.
        """
        from eager.engine.tensor import Tensor

        scope: dict[str, Any] = {"constants": [Tensor(c) for c in self.constants]}
        exec(compile(self.text, f"<code of {self.name}>", "exec"), scope)
        found: Callable[..., Any] = scope[self.name]
        return found


def code_of(graph: Graph) -> Code:
    """The graph as Python.  Raises GraphError where a dim is the size of no argument."""
    writer = _Writer(graph)
    name, text = writer.name, writer.text()
    return Code(text, name, tuple(c.array for c in writer.beside))


class _Names:
    """Python names, each given once."""

    def __init__(self) -> None:
        self.taken = {*keyword.kwlist, *_TAKEN}

    def take(self, word: str) -> str:
        bare = re.sub(r"\W", "_", word, flags=re.ASCII)
        base = name = bare if bare.isidentifier() else f"_{bare}"
        k = 2
        while name in self.taken:
            name, k = f"{base}_{k}", k + 1
        self.taken.add(name)
        return name


class _Writer:
    """Writes one graph; regions become functions inside the function."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.names = _Names()
        self.name = self.names.take(graph.name)
        self.dims = {d.name: self.names.take(d.name) for d in graph.dims}
        self.variables = {d: Index.of(Var(name)) for d, name in self.dims.items()}
        self.beside: list[Const] = []
        self.values: dict[Value, str] = {}
        self.count = 0

    def text(self) -> str:
        """The module: imports and the function."""
        graph = self.graph
        arguments = [self.define(i, i.name) for i in graph.inputs if i.role == "argument"]
        body = [f"{self.define(i, i.name)} = state[{i.name!r}]" for i in graph.inputs
                if i.role != "argument"]
        body += [f"{name} = {self.size_source(d)}" for d, name in self.dims.items()]
        body += self.lines(graph)
        updates = ", ".join(f"{i.name!r}: {self.ref(v)}" for i, v in graph.updates)
        outputs = ", ".join(map(self.ref, graph.outputs))
        body.append(f"return [{outputs}], {{{updates}}}")
        has_regions = any(n.regions for n in graph.nodes)
        parts = ", ".join([*arguments, "*", "state={}"])
        return "\n".join([
            "import eager", *(["import jit"] if has_regions else []),
            "from eager.engine.tensor import TAPED as ops", "", "",
            f"def {self.name}({parts}):", *(f"    {line}" for line in body), ""])

    def define(self, value: Value, word: str) -> str:
        self.values[value] = self.names.take(word)
        return self.values[value]

    def size_source(self, dim: str) -> str:
        """How a dim is found: from the size ``c * dim + k`` of an argument, best with c = 1."""
        found: list[tuple[int, str]] = []
        for i in self.graph.inputs:
            for axis, size in enumerate(i.type.shape):
                factor = to_index(size).coefficient(dim)
                rest = None if factor is None else to_index(size) - factor * Index.of(Var(dim))
                if factor is None or rest is None or not factor.constant or rest.constant is None:
                    continue
                read = f"{self.values[i]}.shape[{axis}]"
                if rest.constant:
                    read = f"({read} - {rest.constant})"
                found.append((factor.constant, read))
        if not found:
            raise GraphError(f"the dim {dim!r} is in the size of no argument, so no code reads it")
        c, read = min(found)
        return read if c == 1 else f"{read} // {c}"

    # --- lines ---------------------------------------------------------------------------------
    def lines(self, graph: Graph) -> Iterator[str]:
        """The nodes of a graph or region, in order."""
        for node in graph.nodes:
            if node.regions:
                yield from self.control(node)
                continue
            yield self.statement(node, self.call(node))

    def statement(self, node: Node, source: str) -> str:
        place = " ".join(str(node.location).split())
        name = self.define(node, f"v{self.count}")
        self.count += 1
        return f"{name} = {source}" + (f"  # {place}" if place else "")

    def call(self, node: Node) -> str:
        if node.op.name == "result":
            return f"{self.ref(node.args[0])}[{node.attrs['index']}]"
        words = [*map(self.ref, node.args),
                 *(f"{k}={self.attribute(v)}" for k, v in node.attrs.items())]
        return f"ops.{node.op.name}({', '.join(words)})"

    def control(self, node: Node) -> Iterator[str]:
        """A node with regions: a function for each of them, then the call that takes them."""
        write = _CONTROL.get(node.op.name)
        if write is None:
            raise GraphError(f"there is no Python for {node.op.name} with regions")
        yield from write(self, node)

    def region(self, name: str, region: Graph, groups: Mapping[str, int],
               outside: Sequence[Value], results: str) -> Iterator[str]:
        """A function of lists: ``groups`` is how many inputs each has; the rest of the inputs
        are what the function sees ``outside``."""
        lists = [self.names.take(word) for word in groups]
        yield f"def {name}({', '.join(lists)}):"
        inputs = iter(region.inputs)
        for of, count in zip(lists, groups.values(), strict=True):
            own = [self.define(i, i.name) for i in islice(inputs, count)]
            if own:
                yield f"    [{', '.join(own)}] = {of}"
        self.values.update(zip(inputs, map(self.ref, outside), strict=True))
        yield from (f"    {line}" for line in self.lines(region))
        yield f"    return {results.format(*map(self.ref, region.outputs))}"

    def cond(self, node: Node) -> Iterator[str]:
        names = [self.names.take(region.name) for region in node.regions]
        for name, region in zip(names, node.regions, strict=True):
            yield from self.region(name, region, {}, node.args[1:], _listed(len(node.type)))
        yield self.statement(node, f"jit.cond({self.ref(node.args[0])}, {', '.join(names)})")

    def scan(self, node: Node) -> Iterator[str]:
        n, m = node.attrs["carried"], node.attrs["scanned"]
        name = self.names.take(node.regions[0].name)
        yield from self.region(name, node.regions[0], {"carry": n, "items": m}, node.args[n + m:],
                               f"{_listed(n)}, {_listed(len(node.type) - n)}")
        call = (f"jit.scan({name}, {self.refs(node.args[:n])}, {self.refs(node.args[n:n + m])}, "
                f"length={self.attribute(node.attrs['length'])}, "
                f"reverse={node.attrs['reverse']})")
        yield self.statement(node, f"[value for part in {call} for value in part]")

    def while_loop(self, node: Node) -> Iterator[str]:
        n = node.attrs["carried"]
        names = [self.names.take(region.name) for region in node.regions]
        for name, region, results in zip(names, node.regions, ("{}", _listed(n)), strict=True):
            yield from self.region(name, region, {"carry": n}, node.args[n:], results)
        call = (f"jit.while_loop({', '.join(names)}, {self.refs(node.args[:n])}, "
                f"max_steps={self.attribute(node.attrs['limit'])})")
        yield self.statement(node, call)

    # --- operands ------------------------------------------------------------------------------
    def refs(self, values: Sequence[Value]) -> str:
        return f"[{', '.join(map(self.ref, values))}]"

    def ref(self, value: Value) -> str:
        if not isinstance(value, Const):
            return self.values[value]
        if value.array.size <= SMALL and np.isfinite(value.array).all():
            kind = Type.of(value.array).dtype.public
            return f"eager.tensor({value.array.tolist()!r}, dtype=eager.{kind})"
        if value not in self.beside:
            self.beside.append(value)
        return f"constants[{self.beside.index(value)}]"

    def attribute(self, value: Any) -> str:
        if isinstance(value, SymInt):
            return str(value.index.substitute(self.variables))
        if isinstance(value, DType):
            return f"eager.{value.public}"
        if isinstance(value, tuple):
            words = [self.attribute(v) for v in value]
            return f"({words[0]},)" if len(words) == 1 else f"({', '.join(words)})"
        if isinstance(value, float) and not math.isfinite(value):
            return f'float("{value}")'
        return repr(value)


def _listed(count: int) -> str:
    """A place for each of so many results: ``[{}, {}]``."""
    return f"[{', '.join(['{}'] * count)}]"


_CONTROL: dict[str, Callable[[_Writer, Node], Iterator[str]]] = {
    "cond": _Writer.cond, "scan": _Writer.scan, "while_loop": _Writer.while_loop}
