"""The walk back over the tape: gradients of leaves, or of chosen tensors."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from eager.engine.dispatch import apply
from eager.engine.hooks import Extras
from eager.engine.inplace import touch
from eager.engine.mode import MODE, Mode
from eager.engine.silence import SILENT, errstate_variable
from eager.engine.tape import Node, Output, described
from eager.engine.ways import OnArrays, OnTensors
from eager.ops.errors import OpError
from eager.ops.table import TABLE

if TYPE_CHECKING:
    from eager.engine.tensor import Tensor

Found = dict[int, tuple["Tensor", Any]]
#: What looks at the gradients that a node gives: anomaly mode.
CHECKS: list[Any] = []
#: The ids of the nodes and leaves that the present walk comes to.
REACH: ContextVar[set[int] | None] = ContextVar("reach of the walk", default=None)
_NUMBERS = (float, int, bool, complex)
_F32 = np.dtype(np.float32)
_made = attrgetter("seq")
_ON_ARRAYS = OnArrays()


def backward(roots: Sequence[Tensor], seeds: Sequence[Any], *, create_graph: bool,
             targets: Sequence[Tensor] | None = None, retain_graph: bool = True) -> Found:
    """Gradients of ``sum(seed * root)``: ``{id: (tensor, gradient)}`` of each leaf reached
    (or of each target).

    On raw arrays; on tensors where the gradient must itself be recorded.  Without
    ``retain_graph`` the nodes walked let go of what they saved.
    """
    mode = MODE.get()
    way = OnTensors() if create_graph or mode.recorder is not None else _ON_ARRAYS
    quiet = errstate_variable.set(SILENT)
    inside = MODE.set(Mode(create_graph, mode.recorder, mode.scope, mode.storage))
    outer = REACH.get()
    try:
        return _walk(roots, seeds, way, targets, retain_graph)
    finally:
        REACH.set(outer)
        MODE.reset(inside)
        errstate_variable.reset(quiet)


# --- the walk ----------------------------------------------------------------------------------
def _walk(roots: Sequence[Tensor], seeds: Sequence[Any], way: Any,
          targets: Sequence[Tensor] | None, retain: bool) -> Found:
    grads: dict[int, Any] = {}
    for root, seed in zip(roots, seeds, strict=True):
        key = id(root._node or root)
        grads[key] = way.value(seed) if key not in grads else way.F.add(grads[key],
                                                                        way.value(seed))
    nodes, leaves, seen = _reached([r._node or r for r in roots])
    wanted = None if targets is None else _wanted(targets)
    led = None if wanted is None else _leading_to(nodes, wanted)
    REACH.set(seen if wanted is None or led is None else seen & (wanted.keys() | led))
    found: Found = {}
    for node in nodes:
        g = grads.pop(id(node), None)
        if g is None:
            continue
        if node.extras is not None:
            g = _passed(node.extras, way, g)
        if led is not None:
            for t in wanted.get(id(node), ()):  # type: ignore[union-attr]
                found[id(t)] = t, g
            if id(node) not in led:
                continue
        if type(node) is Output:
            _deliver(way.F, grads, node, g)
            continue
        partials = _partials(way, node, g) if type(node) is Node else node.pull(way, g)
        if node.extras is not None or CHECKS:
            partials = _looked_at(way, node, g, partials)
        _spread(way, grads, node, partials)
        if not retain:
            node.release()
    for leaf in leaves:
        if id(leaf) in grads and (wanted is None or id(leaf) in wanted):
            g = grads.pop(id(leaf))
            extras = getattr(leaf, "_hooks", None)
            if extras is not None:
                g = _passed(extras, way, g)
            for t in (leaf,) if wanted is None else wanted[id(leaf)]:
                found[id(t)] = t, g
    return found


def _reached(entries: Sequence[Any]) -> tuple[list[Any], list[Any], set[int]]:
    """The nodes in the order they are walked, latest first, the leaves, and the ids of both."""
    nodes: list[Any] = []
    leaves: list[Any] = []
    seen: set[int] = set()
    waiting = list(entries)
    while waiting:
        entry = waiting.pop()
        if id(entry) in seen:
            continue
        seen.add(id(entry))
        if hasattr(entry, "seq"):
            nodes.append(entry)
            waiting += [e for e in entry.edges if e is not None and type(e) is not tuple]
        else:
            leaves.append(entry)
    nodes.sort(key=_made, reverse=True)
    return nodes, leaves, seen


def leaves_of(roots: Sequence[Tensor]) -> list[Any]:
    """The leaves that gradients of these would reach."""
    return _reached([r._node or r for r in roots])[1]


def _wanted(targets: Sequence[Tensor]) -> dict[int, list[Tensor]]:
    wanted: dict[int, list[Tensor]] = {}
    for t in targets:
        wanted.setdefault(id(t._node or t), []).append(t)
    return wanted


def _leading_to(nodes: Sequence[Any], wanted: dict[int, Any]) -> set[int]:
    """The nodes from which a target is reached: the others are not walked."""
    led: set[int] = set()
    for node in reversed(nodes):
        if any(id(e) in wanted or id(e) in led for e in node.edges):
            led.add(id(node))
    return led


def _partials(way: Any, node: Node, g: Any) -> Any:
    """The gradients of the operands of one node.

    Half floats are computed in float32.  Of a holomorphic f the gradient is ``g conj(f')``
    (torch's convention: the conjugate Wirtinger derivative), which is the rule's own, ``g f'``,
    between two conjugations.
    """
    if node.saved is not None or node.out is not None:
        node.check()
    rule: Any = node.op.grad if node.op.partials is None else _wanted_rules(node)
    out, inputs = (_operands(way, node) if node.extras is None or node.extras.unpack is None
                   else _unpacked(way, node))
    if node.dtype is _F32:
        return rule(way.F, g, out, *inputs, **node.attrs)
    kind = node.dtype.kind
    F = way.F if kind in "fc" and node.dtype.itemsize > 2 else way.wide
    turned = kind == "c" and node.op.holomorphic
    if turned:
        g = F.conj(g)
    partials = rule(F, g, out, *inputs, **node.attrs)
    if not turned:
        return partials
    return tuple(p if p is None or p.dtype.kind != "c" else F.conj(p) for p in partials)


def _wanted_rules(node: Node) -> Any:
    """The rule of an op that gives its partials apart: those that flow on."""
    edges = node.edges
    partials: Any = node.op.partials

    def rule(*args: Any, **attrs: Any) -> tuple[Any, ...]:
        return tuple(None if p is None or edge is None or type(edge) is tuple
                     else p(*args, **attrs) for p, edge in zip(partials, edges, strict=True))

    return rule


def _operands(way: Any, node: Node) -> tuple[Any, list[Any]]:
    """The result and the operands for the gradient rule, as values of the way it is walked.

    A saved number gets the result's dtype: alone it would count as float32 or int64.
    """
    out = None if node.out is None else way.out(node)
    saved = node.saved
    if saved is None:
        return out, list(map(described, node.edges))
    return out, _placed(node, _values(way, node, saved))


def _values(way: Any, node: Node, saved: Sequence[Any]) -> list[Any]:
    """What was saved, as values of the way; a number in the result's dtype."""
    return [way.number(t, node.dtype) if type(t) in _NUMBERS else way.value(t) for t in saved]


def _unpacked(way: Any, node: Node) -> tuple[Any, list[Any]]:
    """The same of a node whose saved values were packed by a hook."""
    unpack: Any = node.extras.unpack  # type: ignore[union-attr]
    saved = unpack(node.saved)
    values = _values(way, node, saved)
    if not node.op.saves_out:
        return None, _placed(node, values)
    saved[-1]._needs, saved[-1]._node = True, node
    return values[-1], _placed(node, values[:-1])


def _placed(node: Node, values: list[Any]) -> list[Any]:
    """The saved values at their positions, and what the other operands were."""
    if len(values) == len(node.edges):
        return values
    inputs = list(map(described, node.edges))
    for i, value in zip(node.op.saved_inputs, values, strict=True):
        inputs[i] = value
    return inputs


def _spread(way: Any, grads: dict[int, Any], node: Any, partials: Any) -> None:
    """Add the gradient of each operand to those of what it was made by."""
    F = way.F
    for edge, partial in zip(node.edges, partials, strict=True):
        if partial is None or edge is None or type(edge) is tuple:
            continue
        if not way.fits(partial.shape, edge):
            summing = F if partial.dtype.itemsize > 2 else way.wide  # half floats are summed wide
            partial = sum_to(summing, partial, tuple(edge.shape))
        key = id(edge)
        have = grads.get(key)  # never added to in place: a rule may give one array to several
        grads[key] = partial if have is None else F.add(have, partial)


def _deliver(F: Any, grads: dict[int, Any], output: Output, g: Any) -> None:
    """Keep the gradient of one result until the function that made it has all of them."""
    function: Any = output.function
    slots = grads.setdefault(id(function), [None] * function.outputs)
    have = slots[output.index]
    slots[output.index] = g if have is None else F.add(have, g)


def sum_to(F: Any, g: Any, shape: tuple[Any, ...]) -> Any:
    """``g`` summed over the dims along which ``shape`` was broadcast."""
    extra = len(g.shape) - len(shape)
    dims = tuple(range(extra)) + tuple(
        i + extra for i, d in enumerate(shape)
        if type(d) is int and d == 1 and not (type(g.shape[i + extra]) is int
                                              and g.shape[i + extra] == 1))
    if not dims:
        return g
    return F.reshape(F.sum(g, dims=dims, keepdim=False), shape=shape)


# --- hooks -------------------------------------------------------------------------------------
def _passed(extras: Extras, way: Any, g: Any) -> Any:
    """A gradient after the hooks on the tensor and those before its node."""
    if not (extras.tensor or extras.before or extras.retained):
        return g
    grads = [None if x is None else way.tensor(x) for x in (g if type(g) is list else [g])]
    for hook in list(extras.tensor.values()):
        grads[0] = _replaced(hook(grads[0]), grads[0])
    if extras.before:
        for hook in list(extras.before.values()):
            new = hook(tuple(grads))
            if new is not None:
                grads = list(new) if isinstance(new, (tuple, list)) else [new]
    keeper = None if extras.retained is None else extras.retained()
    if keeper is not None:
        kept = grads[0]
        keeper.grad = kept if keeper.grad is None else keeper.grad + kept
    values = [None if t is None else way.value(t) for t in grads]
    return values if type(g) is list else values[0]


def _replaced(new: Any, old: Any) -> Any:
    if new is None:
        return old
    if tuple(new.shape) != tuple(old.shape) or new.dtype is not old.dtype:
        raise OpError(f"a hook returned {new.spec} in place of a gradient {old.spec}")
    return new


def _looked_at(way: Any, node: Any, g: Any, partials: Any) -> Any:
    """The gradients of the operands after the checks, and the hooks, behind a node."""
    for check in CHECKS:
        check(node, partials)
    if node.extras is None or not node.extras.after:
        return partials
    grads = tuple(None if p is None or edge is None or type(edge) is tuple else way.tensor(p)
                  for p, edge in zip(partials, node.edges, strict=True))
    seeds = tuple(None if x is None else way.tensor(x) for x in (g if type(g) is list else [g]))
    for hook in list(node.extras.after.values()):
        new = hook(grads, seeds)
        if new is not None:
            grads = tuple(new) if isinstance(new, (tuple, list)) else (new,)
    return [None if t is None else way.value(t) for t in grads]


# --- into .grad --------------------------------------------------------------------------------
def backward_into(roots: Sequence[Tensor], gradients: Sequence[Any],
                  retain_graph: bool | None = None, create_graph: bool = False,
                  inputs: Sequence[Tensor] | None = None) -> None:
    """Accumulate gradients of the roots, seeded by ``gradients`` (None: 1), into ``.grad``.

    Of every leaf they came from, or of ``inputs`` alone.
    """
    seeds = [seed_for(r, g) for r, g in zip(roots, gradients, strict=True)]
    found = backward(roots, seeds, create_graph=create_graph, targets=inputs,
                     retain_graph=create_graph if retain_graph is None else retain_graph)
    quiet = errstate_variable.set(SILENT)
    try:
        _accumulate_grads(found, seeds)
    finally:
        errstate_variable.reset(quiet)


def seed_for(root: Tensor, gradient: Any) -> Tensor:
    """The gradient to start from: given, or 1 for a single element."""
    from eager.engine.tensor import Tensor

    if gradient is None:
        if tuple(root.shape) != () and root.spec.numel != 1:
            raise OpError(f"backward() of {root.spec} needs a gradient of the same shape; only a "
                          f"single element has an implied one")
        if MODE.get().recorder is None:
            return Tensor(np.ones(root._array.shape, root._array.dtype))
        return apply(TABLE["full"], (), {"shape": tuple(root.shape), "value": 1.0,
                                         "dtype": root.dtype})
    if not isinstance(gradient, Tensor):
        raise OpError(f"the gradient is a tensor, got {type(gradient).__name__}")
    if tuple(gradient.shape) != tuple(root.shape) or gradient.dtype is not root.dtype:
        raise OpError(f"the gradient of {root.spec} has its type, got {gradient.spec}")
    return gradient


def _add_into(have: Tensor, g: Any) -> None:
    """``have += g``, which costs a plain tensor one call of NumPy's."""
    from eager.engine.tensor import Tensor

    array = have._array
    if have._view is None and not have._needs and array.dtype is _F32 and g.dtype is _F32:
        np.add(array, g, out=array)
        touch(have, "backward()")
    else:
        have.add_(Tensor(np.asarray(g)))


def _accumulate_grads(found: Found, seeds: Sequence[Any]) -> None:
    """Add each gradient into its tensor's ``.grad``, and call the hooks on that."""
    from eager.engine.tensor import Tensor

    # Arrays that somebody else holds: one array may be the gradient of several leaves.
    taken = set() if MODE.get().recorder is not None else {id(s._array) for s in seeds}
    for leaf, g in found.values():
        have = leaf.grad
        if isinstance(g, Tensor):
            leaf.grad = g if have is None else have + g
        elif have is not None:
            _add_into(have, g)
        else:
            shared = id(g) in taken or getattr(g, "base", None) is not None
            taken.add(id(g))
            leaf.grad = Tensor(g.copy() if shared else g)
        extras = getattr(leaf, "_hooks", None)
        if extras is not None and leaf._node is None:
            for hook in list(extras.accumulated.values()):
                hook(leaf)
