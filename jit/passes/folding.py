"""What is known when the program is made is computed then."""

from __future__ import annotations

import numpy as np

from eager.ops.errors import OpError
from eager.ops.families import Control, View
from eager.ops.types import Type
from jit.dims import is_symbolic
from jit.graph import Const, Graph, Node, rewrite
from jit.interpreter import run_node
from jit.passes.regions import everywhere

SMALL = 16  #: elements up to which a result may be larger than its operands


@everywhere
def fold_constants(graph: Graph) -> Graph:
    """A node whose operands are constants becomes its value, unless that takes more memory.

    Made of nothing, only scalars are folded; large views stay views.  What its op refuses
    (an index out of range) stays too, to be refused when the program runs.
    """
    return rewrite(graph, lambda node: _folded(node) or node)


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
    return size * itemsize <= sum(_bytes(c.type) for c in consts)


def _bytes(type_: Type) -> int:
    return int(type_.numel) * type_.dtype.itemsize
