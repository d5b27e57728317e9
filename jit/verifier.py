"""Is a graph well formed?  Every op's own type rule is run again, nothing is taken on trust."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from eager.ops.errors import GraphError, OpError, TraceError
from eager.ops.families import Control
from eager.ops.types import BOOL, Type
from jit.dims import same_size, same_type, to_index
from jit.graph import ROLES, Const, Graph, Input, Node, Value
from jit.relations import assuming
from jit.text import lines_of

CONTEXT = 5  #: lines shown before and after a fault


def verify(graph: Graph) -> Graph:
    """The graph itself, if it is well formed: values are defined once and before their use,
    types are what the ops make of their operands, regions see only their inputs, and updates
    keep their inputs' types.  Raises GraphError with the lines round the fault.
    """
    try:
        with assuming(graph.relations):
            _Scope(graph, {}).check()
    except _Fault as fault:
        raise GraphError(_words(graph, fault)) from None
    return graph


class _Fault(Exception):
    """A broken rule, and the node at which it shows (None: the graph's own lines)."""

    def __init__(self, words: str, node: Node | None = None) -> None:
        super().__init__(words)
        self.node = node


def _words(graph: Graph, fault: _Fault) -> str:
    """The rule and ten lines of text with a marker at the fault."""
    lines = lines_of(graph)
    marked = [k for k, line in enumerate(lines) if fault.node is not None
              and line.node is fault.node]
    at = marked[-1] if marked else len(lines) - 1 if fault.node is None else 0
    shown = range(max(0, at - CONTEXT), min(len(lines), at + CONTEXT))
    text = "\n".join(("> " if k == at else "  ") + lines[k].text for k in shown)
    place = f" (at {fault.node.location})" if fault.node and str(fault.node.location) else ""
    return f"{fault}{place}\n{text}"


class _Scope:
    """The values that are defined so far in one graph or region."""

    def __init__(self, graph: Graph, dims: dict[str, Any]) -> None:
        self.graph = graph
        self.dims = {**dims, **{d.name: d for d in graph.dims}}
        self.defined: set[Value] = set(graph.inputs)

    def check(self) -> None:
        self.check_inputs()
        self.check_relations()
        for node in self.graph.nodes:
            self.check_node(node)
            self.defined.add(node)
        for k, value in enumerate(self.graph.outputs):
            self.see(value, f"output {k}")
        self.check_updates()

    def check_inputs(self) -> None:
        names = [i.name for i in self.graph.inputs]
        for i in self.graph.inputs:
            if names.count(i.name) > 1:
                raise _Fault(f"two inputs are named {i.name!r}")
            if i.role not in ROLES:
                raise _Fault(f"input {i.name!r} has the role {i.role!r}; "
                             f"wanted one of {', '.join(ROLES)}")
            self.check_dims(i.type, f"input {i.name!r}")

    def check_relations(self) -> None:
        dims = self.graph.dims
        for r in self.graph.relations:
            used = r.right.variables() | (set() if r.defines(dims) else r.left.variables())
            unknown = used - {d.name for d in dims}
            if unknown:
                raise _Fault(f"the relation {r} names {', '.join(sorted(unknown))}, which the "
                             f"graph does not declare")

    def check_dims(self, type_: Any, what: str, node: Node | None = None) -> None:
        for t in type_ if isinstance(type_, tuple) else (type_,):
            for d in t.shape:
                unknown = to_index(d).variables() - set(self.dims)
                if unknown:
                    raise _Fault(f"{what} is typed {t}, but the graph declares no dim "
                                 f"{', '.join(sorted(unknown))}", node)

    def see(self, value: Value, what: str, node: Node | None = None) -> None:
        """A value must be defined above, in this very graph."""
        if not isinstance(value, Const) and value not in self.defined:
            known = f"input {value.name!r}" if isinstance(value, Input) else f"node {value}"
            raise _Fault(f"{what} is {known}, which is not defined above in this graph", node)

    def check_node(self, node: Node) -> None:
        if node in self.defined:
            raise _Fault(f"{node.op.name}: the node stands in the graph twice", node)
        for k, a in enumerate(node.args):
            self.see(a, f"operand {k} of {node.op.name}", node)
            many = isinstance(node.op.kernel, Control) and not node.regions
            if isinstance(a.type, tuple) and not many:
                raise _Fault(f"operand {k} of {node.op.name} has several results; "
                             f"pick one with op result", node)
        self.check_dims(node.type, node.op.name, node)
        wanted = self.typed(node)
        if not same_type(wanted, node.type):
            raise _Fault(f"{node.op.name}: is typed {_type(node.type)}, but its operands make it "
                         f"{_type(wanted)}", node)

    def typed(self, node: Node) -> Any:
        """The type that the node's operands give it."""
        if isinstance(node.op.kernel, Control):
            return _FORMS[node.op.kernel.form](self, node)
        if node.regions:
            raise _Fault(f"{node.op.name}: has regions, but is no control op", node)
        try:
            return node.op.result_type([a.type for a in node.args], node.attrs)
        except (OpError, TraceError) as e:
            raise _Fault(str(e), node) from None

    def choice(self, node: Node) -> Any:
        """The type of a choice between regions: a predicate, then the regions' inputs."""
        if not node.args or not _is_predicate(node.args[0].type):
            raise _Fault(f"{node.op.name}: wanted a predicate bool[] first, got {node}", node)
        found = self.regions(node, 2, [[a.type for a in node.args[1:]]] * 2)
        if not same_type(*found):
            raise _Fault(f"{node.op.name}: region 0 gives {_type(found[0])}, region 1 "
                         f"{_type(found[1])}", node)
        return found[0]

    def scan(self, node: Node) -> Any:
        """Carries keep their types; items are one less deep than the operands, and stacks one
        deeper than what the region gives."""
        n, m, length = (node.attrs[k] for k in ("carried", "scanned", "length"))
        types = [a.type for a in node.args]
        for k, t in enumerate(types[n:n + m]):
            if not t.shape or not same_size(t.shape[0], length):
                raise _Fault(f"{node.op.name}: operand {n + k} is {t}, wanted {length} items", node)
        items = [Type(t.dtype, t.shape[1:]) for t in types[n:n + m]]
        (given,) = self.regions(node, 1, [(*types[:n], *items, *types[n + m:])])
        self.keeps(node, given[:n], types[:n])
        return (*given[:n], *(Type(t.dtype, (length, *t.shape)) for t in given[n:]))

    def repeat(self, node: Node) -> Any:
        """The first region gives a predicate, the second the carries, which keep their types."""
        n, limit = node.attrs["carried"], node.attrs["limit"]
        types = tuple(a.type for a in node.args)
        if limit is not None and (type(limit) is not int or limit < 0):
            raise _Fault(f"{node.op.name}: the limit is a number of rounds, got {limit!r}", node)
        holds, given = self.regions(node, 2, [types, types])
        if len(holds) != 1 or not _is_predicate(holds[0]):
            raise _Fault(f"{node.op.name}: region 0 gives {_type(holds)}, wanted a predicate "
                         f"bool[]", node)
        if len(given) != n:
            raise _Fault(f"{node.op.name}: region 1 gives {_type(given)}, wanted {n} carries", node)
        self.keeps(node, given, types[:n])
        return given

    def keeps(self, node: Node, given: Any, begun: Any) -> None:
        if not same_type(tuple(given), tuple(begun)):
            raise _Fault(f"{node.op.name}: carries begin as {_type(tuple(begun))} and become "
                         f"{_type(tuple(given))}", node)

    def regions(self, node: Node, count: int, operands: Sequence[Iterable[Any]]) -> list[Any]:
        """What each region gives, if it takes these operands."""
        if len(node.regions) != count:
            raise _Fault(f"{node.op.name}: has {len(node.regions)} regions, wanted {count}", node)
        found = []
        for k, (region, types) in enumerate(zip(node.regions, operands, strict=True)):
            _Scope(region, self.dims).check()
            wanted, got = tuple(i.type for i in region.inputs), tuple(types)
            if not same_type(wanted, got):
                raise _Fault(f"{node.op.name}: region {k} takes {_type(wanted)}, got operands "
                             f"{_type(got)}", node)
            if region.updates:
                raise _Fault(f"{node.op.name}: region {k} updates state; return the new value "
                             f"from every region and update outside", node)
            found.append(tuple(v.type for v in region.outputs))
        return found

    def pick(self, node: Node) -> Any:
        """The type of ``result``: one of a tuple."""
        k = node.attrs.get("index")
        types = node.args[0].type if node.args else ()
        if not isinstance(types, tuple) or type(k) is not int or not 0 <= k < len(types):
            raise _Fault(f"{node.op.name}: wanted a node with several results and the index of "
                         f"one, got {node} and index {k!r}", node)
        return types[k]

    def check_updates(self) -> None:
        done: set[Input] = set()
        for target, value in self.graph.updates:
            what = f"the update of {target.name!r}"
            if target not in self.graph.inputs:
                raise _Fault(f"{what}: no such input")
            if target in done:
                raise _Fault(f"{what}: there are two")
            done.add(target)
            self.see(value, what)
            if not same_type(target.type, value.type):
                raise _Fault(f"{what} is {value.type}, wanted {target.type}")


_FORMS: dict[str, Callable[[_Scope, Node], Any]] = {
    "choice": _Scope.choice, "scan": _Scope.scan, "repeat": _Scope.repeat, "pick": _Scope.pick}


def _is_predicate(type_: Any) -> bool:
    return isinstance(type_, Type) and type_.dtype is BOOL and type_.shape == ()


def _type(type_: Any) -> str:
    return f"({', '.join(map(str, type_))})" if isinstance(type_, tuple) else str(type_)
