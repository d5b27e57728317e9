"""What is known when the program is made is computed then."""

from __future__ import annotations

import numpy as np

from eager.ops.errors import OpError
from eager.ops.families import Control, View
from jit.dims import is_symbolic
from jit.graph import Const, Graph, Node, Value, rewrite, users
from jit.interpreter import run_node
from jit.passes.regions import everywhere
from jit.passes.weights import static_bytes

SMALL = 16  #: elements up to which a result may be larger than its operands


@everywhere
def fold_constants(graph: Graph) -> Graph:
    """A node whose operands are constants becomes its value, unless that takes more memory.

    Made of nothing, only scalars are folded; large views stay views.  What its op refuses
    (an index out of range) stays too, to be refused when the program runs.
    """
    return rewrite(graph, lambda node: _folded(node) or node)


def fold_views(graph: Graph) -> Graph:
    """Views that are all that is read of a constant become constants in its place.

    So the part of a bias that one product adds is a constant of its own, which its kernel takes
    in.  Constants that are read otherwise stay, and so do those of which more is read than
    there is: no memory is added.
    """
    while True:
        whole = _read_by_views(graph)
        if not whole:
            return graph
        graph = rewrite(graph, lambda node, whole=whole: _seen(node, whole))


def _read_by_views(graph: Graph) -> set[Value]:
    """The constants that views alone read, and no more of them than there is."""
    readers = users(graph)
    found: set[Value] = set()
    for const in graph.consts:
        views = readers.get(const, [])
        if views and const not in graph.results and all(map(_is_view, views)) and sum(
                static_bytes(n.type) for n in views) <= static_bytes(const.type):
            found.add(const)
    return found


def _seen(node: Node, whole: set[Value]) -> Value:
    """A view of one of these constants as a constant."""
    source = node.args[0] if node.args else None
    if not isinstance(source, Const) or source not in whole or not _is_view(node):
        return node
    return Const(np.array(run_node(node, [source.array], {}), order="C"), source.name)


def _is_view(node: Node) -> bool:
    return isinstance(node.op.kernel, View) and len(node.args) == 1 and _is_static(node)


def _folded(node: Node) -> Const | None:
    consts = [a for a in node.args if isinstance(a, Const)]
    if len(consts) < len(node.args) or isinstance(node.op.kernel, Control):
        return None
    if not _is_static(node) or not _is_worth(node, consts):
        return None
    try:
        with np.errstate(all="ignore"):
            value = run_node(node, [c.array for c in consts], {})
    except OpError:
        return None
    return Const(np.array(value, order="C"), next((c.name for c in consts if c.name), ""))


def _is_static(node: Node) -> bool:
    return not any(is_symbolic(v) for v in (*node.attrs.values(), *node.type.shape))


def _is_worth(node: Node, consts: list[Const]) -> bool:
    size = int(node.type.numel)
    itemsize = int(node.type.dtype.itemsize)
    if not consts:
        return not node.type.shape
    if size <= SMALL:
        return True
    if isinstance(node.op.kernel, View):
        return False
    return size * itemsize <= sum(static_bytes(c.type) for c in consts)
