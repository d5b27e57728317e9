"""Scales and shifts after a product move into its weights, which then hold them for good."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from eager.ops.families import Contract, Convolution, View
from jit.builder import Builder
from jit.dims import same_type
from jit.graph import Graph, Node, Value, users
from jit.passes.weights import weight_only, with_args

#: What a link makes of ``product * scale + shift`` (None: 1 and 0).
State = tuple[Any, Any]


def scale_weights(graph: Graph) -> Graph:
    """``(x @ w + c) * s + t => x @ (w * s) + (c * s + t)``, and the same of a convolution.

    Fires where ``w``, ``c``, ``s`` and ``t`` depend on weights alone (`weight_only`), nobody
    else reads ``w``, and the others hold one number a column (a channel) or one number.  So
    eval batch norm vanishes into the convolution before it, and what is left is one product
    and one bias.  Rounding differs, by about that of one product of each weight.
    """
    fixed = weight_only(graph)
    chains = _chains(graph, fixed)
    new: dict[Value, Value] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        made: Value = with_args(node, new)
        if node in chains:
            chain = chains[node]
            F = Builder(chain.product.location)
            made = _closed(F, chain, with_args(chain.product, new), node)
            nodes += F.nodes
        elif isinstance(made, Node):
            nodes.append(made)
        new[node] = made
    return replace(graph, nodes=tuple(nodes),
                   outputs=tuple(new.get(v, v) for v in graph.outputs),
                   updates=tuple((i, new.get(v, v)) for i, v in graph.updates))


@dataclass(frozen=True)
class _Link:
    """One step: an op with a weight-only operand, which may stand first (``c - x``)."""

    op: str
    other: Value | None = None
    first: bool = False


@dataclass(frozen=True)
class _Chain:
    """A product with weights, and the steps that follow it."""

    product: Node
    links: tuple[_Link, ...] = ()

    @property
    def is_gain(self) -> bool:
        return len(self.links) > 1 or any(link.op not in ("add", "sub") or link.first
                                          for link in self.links)


def _chains(graph: Graph, fixed: set[Value]) -> dict[Node, _Chain]:
    """The chains worth closing, by their last node.  Values inside a chain have one reader."""
    readers = users(graph)
    results = set(graph.results)
    found: dict[Node, _Chain] = {}
    for node in graph.nodes:
        if node not in fixed and _is_product(node, fixed, readers):
            found[node] = _Chain(node)
        for k, a in enumerate(node.args):
            if not isinstance(a, Node) or a not in found or len(readers[a]) > 1 or a in results:
                continue
            chain = found[a]
            link = _link(node, k, chain.product, fixed)
            if link is not None:
                found[node] = _Chain(chain.product, (*chain.links, link))
                del found[a]
    return {n: c for n, c in found.items() if c.is_gain}


def _is_product(node: Node, fixed: set[Value], readers: dict[Value, list[Node]]) -> bool:
    if not isinstance(node.op.kernel, (Contract, Convolution)) or node.type.dtype.kind != "f":
        return False
    weight = node.args[1]
    if weight not in fixed or (isinstance(node.op.kernel, Contract) and weight.type.ndim != 2):
        return False
    while len(readers.get(weight, ())) == 1:
        if not isinstance(weight, Node) or not isinstance(weight.op.kernel, View):
            return True
        weight = weight.args[0]
    return False


def _link(node: Node, k: int, product: Node, fixed: set[Value]) -> _Link | None:
    """The step that ``node`` is for its operand ``k``, if it is one."""
    if node.op.name not in _STEPS or not same_type(node.type, product.type):
        return None
    if len(node.args) == 1:
        return _Link(node.op.name)
    other = node.args[1 - k]
    if other not in fixed or not _is_per_column(other, product):
        return None
    if k == 1 and node.op.name == "div":
        return None
    return _Link(node.op.name, other, first=k == 1 and node.op.name == "sub")


def _is_per_column(value: Value, product: Node) -> bool:
    """Whether a value is one number for each column or channel of the product, or one number."""
    shape, rank = value.type.shape, len(product.type.shape)
    axis = _axis(product) - (rank - len(shape))
    return len(shape) <= rank and all(d == 1 or k == axis for k, d in enumerate(shape))


def _axis(product: Node) -> int:
    return 1 if isinstance(product.op.kernel, Convolution) else len(product.type.shape) - 1


# --- the arithmetic of chains ------------------------------------------------------------------
def _add(F: Any, state: State, link: _Link) -> State:
    scale, shift = state
    return scale, link.other if shift is None else F.add(shift, link.other)


def _sub(F: Any, state: State, link: _Link) -> State:
    if link.first:
        return _add(F, _neg(F, state, link), link)
    scale, shift = state
    return scale, F.neg(link.other) if shift is None else F.sub(shift, link.other)


def _mul(F: Any, state: State, link: _Link) -> State:
    scale, shift = state
    return (link.other if scale is None else F.mul(scale, link.other),
            None if shift is None else F.mul(shift, link.other))


def _div(F: Any, state: State, link: _Link) -> State:
    scale, shift = state
    return (F.div(1.0 if scale is None else scale, link.other),
            None if shift is None else F.div(shift, link.other))


def _neg(F: Any, state: State, link: _Link) -> State:
    scale, shift = state
    return (-1.0 if scale is None else F.neg(scale),
            None if shift is None else F.neg(shift))


_STEPS: dict[str, Callable[[Any, State, _Link], State]] = {
    "add": _add, "sub": _sub, "mul": _mul, "div": _div, "neg": _neg}


def _closed(F: Builder, chain: _Chain, product: Node, last: Node) -> Value:
    """The chain in normal form, built in ``F``."""
    state: State = (None, None)
    for link in chain.links:
        state = _STEPS[link.op](F, state, link)
    scale, shift = state
    x, weight = product.args
    if scale is not None:
        weight = F.mul(weight, _on_weight(F, scale, product))
    out = F.build(product.op, x, weight, **product.attrs)
    if shift is None:
        return out
    F.location = last.location
    return F.build(F.table["add"], out, shift)


def _on_weight(F: Any, scale: Any, product: Node) -> Any:
    """The scale in the shape in which it multiplies the weights."""
    if isinstance(scale, float) or not F.typeof(scale).shape:
        return scale
    numel = F.typeof(scale).numel
    shape = (numel, 1, 1, 1) if isinstance(product.op.kernel, Convolution) else (numel,)
    return F.reshape(scale, shape=shape)
