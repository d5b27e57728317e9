"""Control flow on data: `cond`, which runs eagerly, differentiates, traces and compiles."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from eager.engine import tape, walk
from eager.engine.mode import MODE, mode_set
from eager.engine.tensor import Tensor
from eager.ops.errors import TraceError
from eager.ops.families import Random
from eager.ops.table import TABLE
from eager.ops.types import BOOL, Type
from jit import pytree
from jit.dims import same_type
from jit.graph import Const, Graph, Input, Node, Value
from jit.passes.dce import eliminate_dead
from jit.recorder import Outer, Recorder, TracedTensor, recorder_here

Branch = Callable[..., Any]


def cond(pred: Any, true_fn: Branch, false_fn: Branch, operands: Sequence[Any] = ()) -> Any:
    """``true_fn(*operands)`` where the 0-d bool ``pred`` holds, else ``false_fn(*operands)``.

    Both return trees of the same structure and types.  In a trace both become regions of one
    node, tensors from outside are found by themselves, and writes to state happen only in the
    branch that is taken.  Raises TraceError where the branches do not fit each other.
    """
    recorder = recorder_here()
    if recorder is None or not isinstance(pred, Tensor):
        return true_fn(*operands) if bool(pred) else false_fn(*operands)
    if pred.dtype is not BOOL or pred.ndim:
        raise TraceError(f"{recorder.location()}: the predicate of cond is a bool tensor of no "
                         f"dims, got {pred.spec}; compare, or reduce with .all() or .any()")
    return _Conditional(recorder, pred, (true_fn, false_fn), tuple(operands)).build()


class _Arm:
    """One branch, recorded as a region: what it returns, reads of outside, and writes there."""

    def __init__(self, around: Recorder, fn: Branch, operands: tuple[Any, ...]) -> None:
        self.recorder = Recorder(around.names, parent=around)
        grads = {key: (s.tensor, s.tensor.grad) for key, s in around.root.saved.items()}
        with mode_set(recorder=self.recorder):
            leaves, self.spec = pytree.flatten(fn(*operands))
            self.values = [self.recorder.current(x) if isinstance(x, Tensor)
                           else Const(np.array(x, order="C")) for x in leaves]
        self._refuse_grads(grads)
        self.read = self.recorder.outer
        self.written = {key: o for key, o in self.read.items()
                        if self.recorder.values[key] is not o.inner}
        self._keep_history()

    def _refuse_grads(self, before: Mapping[int, tuple[Tensor, Any]]) -> None:
        for key, s in self.recorder.root.saved.items():
            t, grad = before.get(key, (s.tensor, s.grad))
            if t.grad is not grad:
                raise TraceError(f"{self.recorder.location()}: a branch of cond sets .grad of a "
                                 f"tensor {t.spec}, which would hold for both; call backward() "
                                 f"outside, or return eager.autograd.grad(...) from the branch")

    def _keep_history(self) -> None:
        """A write in a branch leaves no history outside; where it would, it is refused."""
        for o in self.written.values():
            flows = MODE.get().grad and (o.node is not None or o.handle._node is not None)
            o.handle._node, o.handle._needs = o.node, o.needs
            if flows:
                raise TraceError(f"{self.recorder.location()}: a branch of cond writes in place "
                                 f"to a tensor {o.handle.spec} that gradients flow through; "
                                 f"return the new value from both branches")

    def value_after(self, o: Outer) -> Value:
        """What a handle from outside stands for when the branch ends."""
        return self.recorder.value_of(o.handle)


class _Conditional:
    """Builds the node, its results, and its place on the tape."""

    def __init__(self, recorder: Recorder, pred: Tensor, fns: tuple[Branch, Branch],
                 operands: tuple[Any, ...], keeps_writes: bool = True) -> None:
        self.recorder, self.pred, self.fns, self.operands = recorder, pred, fns, operands
        self.keeps_writes = keeps_writes

    def build(self) -> Any:
        arms = [_Arm(self.recorder, fn, self.operands) for fn in self.fns]
        self._check(*arms)
        count = arms[0].spec.leaves
        written = self._written(*arms) if self.keeps_writes else {}
        for arm in arms:
            arm.values += [arm.value_after(o) for o in written.values()]
        node = self._node(arms)
        results = [self.recorder.emit(Node(TABLE["result"], (node,), {"index": k}, kind,
                                           location=node.location))
                   for k, kind in enumerate(node.type)]
        predicate = Outer(self.pred, node.args[0], node.args[0], None, False)
        read = {**arms[0].read, **arms[1].read, id(self.pred): predicate}
        for o, new in zip(written.values(), results[count:], strict=True):
            self.recorder.write(o.handle, new)
        if MODE.get().grad:
            self._tape(read, results[:count])
        return pytree.unflatten(arms[0].spec, iter(results[:count]))

    def _written(self, a: _Arm, b: _Arm) -> dict[int, Outer]:
        """What either branch writes outside; a view is not among it, but follows its source."""
        written = {}
        for key, o in {**a.written, **b.written}.items():
            if o.handle._view is None:
                written[key] = o
            else:
                o.handle._view.version = -1
        return written

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
        """The node; both regions take every value that either of them reads."""
        outer = tuple(dict.fromkeys(v for arm in arms for v in arm.recorder.inputs))
        regions = []
        for arm, name in zip(arms, ("true", "false"), strict=True):
            own = arm.recorder.inputs
            inputs = tuple(own[v] if v in own else Input(f"unused{k}", v.type)
                           for k, v in enumerate(outer))
            regions.append(eliminate_dead(Graph(inputs, tuple(arm.recorder.nodes),
                                                tuple(arm.values), (), (), name)))
        kinds = tuple(v.type for v in arms[0].values)
        node = Node(TABLE["cond"], (self.recorder.value_of(self.pred), *outer), {}, kinds,
                    tuple(regions), self.recorder.location())
        self.recorder.nodes.append(node)
        return node

    # --- gradients -----------------------------------------------------------------------------
    def _tape(self, read: Mapping[int, Outer], results: list[TracedTensor]) -> None:
        """Put each result on the tape; its gradient is a cond that computes its branch again."""
        inputs = tuple(o.handle for o in read.values() if o.needs)
        if not inputs:
            return
        for k, result in enumerate(results):
            if result.dtype.kind == "f":
                op = replace(TABLE["cond"], grad=self._gradient(k, inputs, read))
                result._node = tape.record(op, inputs, {}, result, traced=True)
                result._needs = True

    def _gradient(self, k: int, inputs: tuple[Tensor, ...], read: Mapping[int, Outer]) -> Branch:
        def rule(F: Any, g: Any, out: Any, *_: Any, **attrs: Any) -> Any:
            def again(fn: Branch) -> Branch:
                return lambda: self._gradients(F, g, fn, k, inputs)

            here = recorder_here()
            assert here is not None
            fns = again(self.fns[0]), again(self.fns[1])
            with _as_then(here, self.recorder, read):
                return _Conditional(here, self.pred, fns, (), keeps_writes=False).build()

        return rule

    def _gradients(self, F: Any, g: Any, fn: Branch, k: int, inputs: tuple[Tensor, ...]) -> Any:
        """A branch run again, and back: gradients of result ``k``, zero where none flows."""
        higher = MODE.get().grad
        with _as_leaves(inputs), mode_set(grad=True):
            leaf = pytree.flatten(fn(*self.operands))[0][k]
            found = walk.backward([leaf], [g], create_graph=higher, targets=inputs) if (
                isinstance(leaf, Tensor) and leaf._needs) else {}
        return tuple(found[id(t)][1] if id(t) in found else
                     F.full(shape=tuple(t.shape), value=0.0, dtype=t.dtype) for t in inputs)


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


@contextmanager
def _as_then(here: Recorder, then: Recorder, read: Mapping[int, Outer]) -> Iterator[None]:
    """Let handles stand again for the values that a branch read; writes since are set aside."""
    chain = [here]
    while chain[-1] is not then and chain[-1].parent is not None:
        chain.append(chain[-1].parent)
    kept = [dict(r.values) for r in chain]
    for r in chain:
        for key in read:
            r.values.pop(key, None)
    chain[-1].values.update((key, o.value) for key, o in read.items())
    try:
        yield
    finally:
        for r, values in zip(chain, kept, strict=True):
            for key in read:
                r.values.pop(key, None)
                if key in values:
                    r.values[key] = values[key]


def _draws(nodes: Sequence[Node]) -> list[tuple[str, Type]]:
    """The random numbers that a branch draws, in order."""
    return [(n.op.kernel.distribution, n.type) for n in nodes
            if isinstance(n.op.kernel, Random) and n.op.kernel.distribution != "advance"]
