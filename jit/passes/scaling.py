"""Scales and shifts after a product move into its weights, which then hold them for good."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from eager.ops.families import Concat, Contract, Convolution, View
from jit.builder import Builder
from jit.dims import same_size, same_type, to_index
from jit.graph import Graph, Node, Value, rebuild, users, with_args
from jit.kernels.index import product as product_of
from jit.passes.weights import weight_only

#: What a link makes of ``product * scale + shift`` (None: 1 and 0).
State = tuple[Any, Any]


def scale_weights(graph: Graph) -> Graph:
    """``(x @ w + c) * s + t => x @ (w * s) + (c * s + t)``, and the same of a convolution.

    Fires where ``w``, ``c``, ``s`` and ``t`` depend on weights alone (`weight_only`), nobody
    else reads ``w``, and the others hold one number a column (a channel) or one number.  So
    eval batch norm vanishes into the convolution before it, and what is left is one product
    and one bias.  Views that keep the channels apart may stand between (a 1-d convolution is
    a reshaped 2-d one), and so may a concat of products by channel (a convolution in groups).
    Rounding differs, by about that of one product of each weight.
    """
    fixed = weight_only(graph)
    chains = _chains(graph, fixed)

    def make(node: Node, new: Mapping[Value, Value]) -> Any:
        if node not in chains:
            return with_args(node, new)
        chain = chains[node]
        F = Builder(chain.products[0].location)
        return F.up_to(_closed(F, chain, [with_args(p, new) for p in chain.products], node))

    return rebuild(graph, make)


@dataclass(frozen=True)
class _Link:
    """One step: an op with a weight-only operand, which may stand first (``c - x``); or a view."""

    node: Node
    other: Value | None = None
    first: bool = False

    @property
    def is_view(self) -> bool:
        return isinstance(self.node.op.kernel, View)


@dataclass(frozen=True)
class _Chain:
    """A product with weights, or several joined by ``concat``, and the steps that follow.

    ``axis`` is where the channels are in the value that the last step gives.
    """

    products: tuple[Node, ...]
    axis: int
    concat: Node | None = None
    links: tuple[_Link, ...] = ()

    @property
    def last(self) -> Node:
        return self.links[-1].node if self.links else self.concat or self.products[0]

    @property
    def is_gain(self) -> bool:
        """Whether there is more than one plain bias, or a bias that no kernel can take in."""
        steps = [k for k, link in enumerate(self.links) if not link.is_view]
        return len(steps) > 1 or any(
            k > 0 or self.concat is not None or self.links[k].first
            or self.links[k].node.op.name not in ("add", "sub") for k in steps)


def _chains(graph: Graph, fixed: set[Value]) -> dict[Node, _Chain]:
    """The chains worth closing, by their last node.  Values inside a chain have one reader."""
    readers = users(graph)
    results = set(graph.results)
    found: dict[Node, _Chain] = {}
    for node in graph.nodes:
        if node not in fixed and is_product(node, fixed, readers):
            found[node] = _Chain((node,), channels_of(node))
        mine = [found[a] for a in node.args if isinstance(a, Node) and a in found
                and len(readers[a]) == 1 and a not in results]
        chain = _joined(node, mine) or _longer(node, mine, fixed)
        if chain is not None:
            for one in mine:
                del found[one.last]
            found[node] = chain
    return {n: c for n, c in found.items() if c.is_gain}


def _joined(node: Node, chains: list[_Chain]) -> _Chain | None:
    """The chain that a concat of bare products by their channels begins."""
    if not isinstance(node.op.kernel, Concat) or len(chains) < len(node.args) or any(
            c.links or c.concat for c in chains):
        return None
    products = tuple(c.products[0] for c in chains)
    axis = chains[0].axis
    if node.attrs["dim"] != axis or any(c.axis != axis for c in chains) or len(
            {p.op.name for p in products}) > 1:
        return None
    return _Chain(products, axis, node)


def _longer(node: Node, chains: list[_Chain], fixed: set[Value]) -> _Chain | None:
    """The one chain that the node reads, with the node as its next step."""
    if len(chains) != 1:
        return None
    (chain,) = chains
    if isinstance(node.op.kernel, View):
        axis = _moved(node, chain.axis)
        return None if axis is None else replace(
            chain, axis=axis, links=(*chain.links, _Link(node)))
    link = _link(node, chain, fixed)
    return None if link is None else replace(chain, links=(*chain.links, link))


def is_product(node: Node, fixed: set[Value], readers: dict[Value, list[Node]]) -> bool:
    """Whether a node is a product with weights that nobody else reads, or reads another part."""
    if not isinstance(node.op.kernel, (Contract, Convolution)) or node.type.dtype.kind != "f":
        return False
    weight = node.args[1]
    if weight not in fixed or (isinstance(node.op.kernel, Contract) and weight.type.ndim != 2):
        return False
    while len(readers.get(weight, ())) == 1:
        if not isinstance(weight, Node) or not isinstance(weight.op.kernel, View):
            return True
        weight = weight.args[0]
    return all(r.op.name == "slice" for r in readers.get(weight, ()))


def _moved(view: Node, axis: int) -> int | None:
    """Where a view puts the channels, if it keeps them a dim of their own."""
    if view.op.name == "permute":
        at: int = view.attrs["dims"].index(axis)
        return at
    if view.op.name != "reshape":
        return None
    before, after = view.args[0].type.shape, view.type.shape
    ahead = product_of(map(to_index, before[:axis]))
    return next((k for k, size in enumerate(after) if same_size(size, before[axis])
                 and product_of(map(to_index, after[:k])) == ahead), None)


def _link(node: Node, chain: _Chain, fixed: set[Value]) -> _Link | None:
    """The step of arithmetic that ``node`` is, if it is one."""
    if node.op.name not in STEPS or not same_type(node.type, chain.last.type):
        return None
    if len(node.args) == 1:
        return _Link(node)
    k = node.args.index(chain.last)
    other = node.args[1 - k]
    if other not in fixed or not is_per_channel(other, node, chain.axis):
        return None
    if k == 1 and node.op.name == "div":
        return None
    return _Link(node, other, first=k == 1 and node.op.name == "sub")


def is_per_channel(value: Value, node: Node, axis: int) -> bool:
    """Whether a value is one number for each place along ``axis`` of the node, or one number."""
    shape, rank = value.type.shape, len(node.type.shape)
    own = axis - (rank - len(shape))
    return len(shape) <= rank and all((type(d) is int and d == 1) or k == own
                                      for k, d in enumerate(shape))


def channels_of(product: Node) -> int:
    """The dim of a product that its weights give: channels or columns."""
    return 1 if isinstance(product.op.kernel, Convolution) else len(product.type.shape) - 1


# --- the arithmetic of chains ------------------------------------------------------------------
def _add(F: Any, state: State, other: Any, first: bool) -> State:
    scale, shift = state
    return scale, other if shift is None else F.add(shift, other)


def _sub(F: Any, state: State, other: Any, first: bool) -> State:
    if first:
        return _add(F, _neg(F, state, None, False), other, False)
    scale, shift = state
    return scale, F.neg(other) if shift is None else F.sub(shift, other)


def _mul(F: Any, state: State, other: Any, first: bool) -> State:
    scale, shift = state
    return (other if scale is None else F.mul(scale, other),
            None if shift is None else F.mul(shift, other))


def _div(F: Any, state: State, other: Any, first: bool) -> State:
    scale, shift = state
    return (F.div(1.0 if scale is None else scale, other),
            None if shift is None else F.div(shift, other))


def _neg(F: Any, state: State, other: Any, first: bool) -> State:
    scale, shift = state
    return (-1.0 if scale is None else F.neg(scale),
            None if shift is None else F.neg(shift))


STEPS: dict[str, Callable[[Any, State, Any, bool], State]] = {
    "add": _add, "sub": _sub, "mul": _mul, "div": _div, "neg": _neg}


# --- closing -----------------------------------------------------------------------------------
def _closed(F: Builder, chain: _Chain, products: list[Node], last: Node) -> Value:
    """The chain in normal form, built in ``F``: products, biases, a concat, views."""
    parts: list[Value] = []
    offset = 0
    for product in products:
        parts.append(_part(F, chain, product, offset, last))
        offset += int(product.type.shape[channels_of(product)]) if chain.concat else 0
    out = parts[0]
    if chain.concat is not None:
        F.location = chain.concat.location
        out = F.build(chain.concat.op, *parts, **chain.concat.attrs)
    for link in chain.links:
        if link.is_view:
            F.location = link.node.location
            out = F.build(link.node.op, out, **link.node.attrs)
    return out


def _part(F: Builder, chain: _Chain, product: Node, offset: int, last: Node) -> Value:
    """One product with what the chain makes of its channels."""
    F.location = product.location
    state: State = (None, None)
    moved = chain.concat is not None
    for link in chain.links:
        moved = moved or link.is_view
        if not link.is_view:
            other = link.other
            if other is not None and moved:
                other = _own_channels(F, other, product, offset)
            state = STEPS[link.node.op.name](F, state, other, link.first)
    scale, shift = state
    x, weight = product.args
    if scale is not None:
        weight = F.mul(weight, _on_weight(F, scale, product))
    out = F.build(product.op, x, weight, **product.attrs)
    if shift is None:
        return out
    F.location = last.location
    return F.build(F.table["add"], out, shift)


def _own_channels(F: Any, value: Value, product: Node, offset: int) -> Value:
    """The numbers for the channels of one product, in a shape that broadcasts over it."""
    axis = channels_of(product)
    numel, wanted = value.type.numel, product.type.shape[axis]
    if not value.type.shape:
        return value
    flat: Value = F.reshape(value, shape=(numel,))
    if numel == 1:
        return flat
    if numel != wanted:
        flat = F.slice(flat, starts=(offset,), stops=(offset + wanted,), steps=(1,))
    made: Value = F.reshape(flat, shape=(wanted,) + (1,) * (len(product.type.shape) - 1 - axis))
    return made


def _on_weight(F: Any, scale: Any, product: Node) -> Any:
    """The scale in the shape in which it multiplies the weights."""
    if isinstance(scale, float) or not F.typeof(scale).shape:
        return scale
    numel = F.typeof(scale).numel
    shape = (numel, 1, 1, 1) if isinstance(product.op.kernel, Convolution) else (numel,)
    return F.reshape(scale, shape=shape)
