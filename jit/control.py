"""Control flow on data: `cond`, which runs eagerly, differentiates, traces and compiles."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from eager.engine import tape
from eager.engine.mode import MODE, mode_set
from eager.engine.tensor import Tensor
from eager.ops.errors import TraceError
from eager.ops.families import Random
from eager.ops.table import TABLE
from eager.ops.types import BOOL, Type
from jit import pytree
from jit.dims import same_type
from jit.graph import Graph, Input, Node, Value
from jit.passes.dce import eliminate_dead
from jit.recorder import Recorder, TracedTensor, recorder_here


def cond(pred: Any, true_fn: Callable[..., Any], false_fn: Callable[..., Any],
         operands: Sequence[Any] = ()) -> Any:
    """``true_fn(*operands)`` where the 0-d bool ``pred`` holds, else ``false_fn(*operands)``.

    Both return trees of the same structure and types.  In a trace both become regions of one
    node, tensors from outside are found by themselves, and writes to state happen only in the
    branch that is taken.
    """
    recorder = recorder_here()
    if recorder is None or not isinstance(pred, Tensor):
        return true_fn(*operands) if bool(pred) else false_fn(*operands)
    if pred.dtype is not BOOL or pred.ndim:
        raise TraceError(f"{recorder.location()}: the predicate of cond is a bool tensor of no "
                         f"dims, got {pred.type}; compare, or reduce with .all() or .any()")
    return _Conditional(recorder, pred, (true_fn, false_fn), tuple(operands)).build()


class _Arm:
    """One branch, recorded as a region."""

    def __init__(self, outer: Recorder, fn: Callable[..., Any], operands: tuple[Any, ...],
                 grad: bool) -> None:
        self.recorder = Recorder(outer.names, parent=outer)
        with mode_set(recorder=self.recorder, grad=grad):
            out = fn(*operands)
        leaves, self.spec = pytree.flatten(out)
        self.values = [self.recorder.value_of(x if isinstance(x, Tensor) else Tensor(x))
                       for x in leaves]
        self.written = {
            key: handle for key, handle in self.recorder.handles.items()
            if self._is_outer(key) and not isinstance(self.recorder.values[key], Input)}

    def _is_outer(self, key: int) -> bool:
        handle = self.recorder.handles[key]
        return not (isinstance(handle, TracedTensor) and handle.recorder is self.recorder)

    def value_after(self, key: int, handle: Tensor) -> Value:
        """What a handle from outside stands for when the branch ends."""
        return self.recorder.values.get(key) or self.recorder.value_of(handle)


class _Conditional:
    """Builds the node, its results, and its place on the tape."""

    def __init__(self, recorder: Recorder, pred: Tensor,
                 fns: tuple[Callable[..., Any], Callable[..., Any]], operands: tuple[Any, ...],
                 ) -> None:
        self.recorder, self.pred, self.fns, self.operands = recorder, pred, fns, operands

    def build(self) -> Any:
        arms = [_Arm(self.recorder, fn, self.operands, grad=False) for fn in self.fns]
        self._check(*arms)
        written = {**arms[0].written, **arms[1].written}
        for arm in arms:
            arm.values += [arm.value_after(k, h) for k, h in written.items()]
        node = self._node(arms)
        results = [self.recorder.emit(Node(TABLE["result"], (node,), {"index": k}, kind,
                                           location=node.location))
                   for k, kind in enumerate(node.type)]
        count = arms[0].spec.leaves
        for handle, new in zip(written.values(), results[count:], strict=True):
            self.recorder.write(handle, new)
        if MODE.get().grad:
            self._tape(arms, results[:count])
        return pytree.unflatten(arms[0].spec, iter(results[:count]))

    def _check(self, a: _Arm, b: _Arm) -> None:
        where = self.recorder.location()
        if a.spec != b.spec:
            raise TraceError(f"{where}: the branches of cond return different structures: "
                             f"{pytree.differences(a.spec, b.spec)}")
        for k, (x, y) in enumerate(zip(a.values, b.values, strict=True)):
            if not same_type(x.type, y.type):
                raise TraceError(f"{where}: result {k} of cond is {x.type} in the true branch and "
                                 f"{y.type} in the false one")
        drawn = [_draws(arm.recorder.nodes) for arm in (a, b)]
        if drawn[0] != drawn[1]:
            raise TraceError(f"{where}: the branches of cond draw different amounts of random "
                             f"numbers, so what comes after would depend on the branch; draw "
                             f"before cond and use the numbers inside")

    def _node(self, arms: list[_Arm]) -> Node:
        """The node; both regions take every value that either of them captured."""
        outer: list[Value] = []
        for arm in arms:
            for i in arm.recorder.inputs:
                if not any(v is arm.recorder.captured[id(i)] for v in outer):
                    outer.append(arm.recorder.captured[id(i)])
        regions = []
        for arm, name in zip(arms, ("true", "false"), strict=True):
            own = {id(arm.recorder.captured[id(i)]): i for i in arm.recorder.inputs}
            inputs = tuple(own.get(id(v)) or Input(f"operand{k}", v.type)
                           for k, v in enumerate(outer))
            inputs = tuple(replace(i, name=f"operand{k}") if id(i) not in map(id, own.values())
                           else i for k, i in enumerate(inputs))
            regions.append(eliminate_dead(Graph(inputs, tuple(arm.recorder.nodes),
                                                tuple(arm.values), (), (), name)))
        kinds = tuple(v.type for v in arms[0].values)
        predicate = self.recorder.value_of(self.pred)
        node = Node(TABLE["cond"], (predicate, *outer), {}, kinds, tuple(regions),
                    self.recorder.location())
        self.recorder.nodes.append(node)
        return node

    # --- gradients -----------------------------------------------------------------------------
    def _tape(self, arms: list[_Arm], results: list[TracedTensor]) -> None:
        """Put each result on the tape; its gradient is a cond that computes its branch again."""
        sources: dict[int, Tensor] = {}
        for arm in arms:
            for key, handle in arm.recorder.handles.items():
                if arm._is_outer(key) and handle._needs:
                    sources.setdefault(key, handle)
        if not sources:
            return
        if any(_draws(arm.recorder.nodes) for arm in arms):
            raise TraceError(f"{self.recorder.location()}: a branch of cond that draws random "
                             f"numbers cannot be differentiated; draw before cond")
        inputs = tuple(sources.values())
        types = [(tuple(t.shape), t.dtype) for t in inputs]
        for k, result in enumerate(results):
            if result.dtype.kind != "f":
                continue
            op = replace(TABLE["cond"], grad=self._gradient(k, inputs))
            result._node = tape.Node(op, inputs, {}, types, result)
            result._needs = True

    def _gradient(self, k: int, inputs: tuple[Tensor, ...]) -> Callable[..., Any]:
        def rule(F: Any, g: Any, out: Any, *_: Any, **attrs: Any) -> Any:
            def branch(fn: Callable[..., Any]) -> Callable[[], Any]:
                def run() -> Any:
                    with _as_leaves(inputs), mode_set(grad=True):
                        leaves, _ = pytree.flatten(fn(*self.operands))
                        found = tape.backward([leaves[k]], [g], create_graph=False,
                                              targets=list(inputs)) if leaves[k]._needs else {}
                    return tuple(found[id(t)][1] if id(t) in found else
                                 F.full(shape=tuple(t.shape), value=0.0, dtype=t.dtype)
                                 for t in inputs)
                return run

            arms = [branch(fn) for fn in self.fns]
            return cond(self.pred, arms[0], arms[1])
        return rule


@contextmanager
def _as_leaves(tensors: Sequence[Tensor]) -> Iterator[None]:
    """Let the tape end at these tensors: what they came from is not walked again."""
    nodes = [t._node for t in tensors]
    for t in tensors:
        t._node = None
    try:
        yield
    finally:
        for t, node in zip(tensors, nodes, strict=True):
            t._node = node


def _draws(nodes: Sequence[Node]) -> list[tuple[str, Type]]:
    """The random numbers that a branch draws, in order."""
    return [(n.op.kernel.distribution, n.type) for n in nodes
            if isinstance(n.op.kernel, Random) and n.op.kernel.distribution != "advance"]


