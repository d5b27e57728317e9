"""`cond`: one of two functions, by a bool."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from eager.engine.mode import MODE, mode_set
from eager.engine.tensor import Tensor
from eager.ops.errors import TraceError
from eager.ops.families import Random
from eager.ops.table import TABLE
from eager.ops.types import BOOL, Type
from jit import pytree
from jit.control.gradients import as_then, attach, bounded, outer_of, walked_back
from jit.control.regions import Region, emit, written_by, zeros
from jit.dims import same_type
from jit.graph import Input, Node
from jit.recorder import Recorder, recorder_here

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
    check_predicate(recorder, pred, "cond")
    return Conditional(recorder, pred, (true_fn, false_fn), tuple(operands)).build()


def check_predicate(recorder: Recorder, pred: Tensor, what: str) -> None:
    """Raise TraceError unless ``pred`` is a bool of no dims."""
    if pred.dtype is not BOOL or pred.ndim:
        raise TraceError(f"{recorder.location()}: the predicate of {what} is a bool tensor of no "
                         f"dims, got {pred.spec}; compare, or reduce with .all() or .any()")


class Conditional:
    """Builds the node, its results, and its place on the tape.

    Not ``keeps_writes``: what the branches write outside is dropped.  ``draws``: one may draw
    random numbers that the other does not.
    """

    def __init__(self, recorder: Recorder, pred: Tensor, fns: tuple[Branch, Branch],
                 operands: tuple[Any, ...] = (), keeps_writes: bool = True,
                 draws: bool = False) -> None:
        self.recorder, self.pred, self.fns, self.operands = recorder, pred, fns, operands
        self.keeps_writes, self.draws = keeps_writes, draws

    def build(self) -> Any:
        """The tree of results."""
        true, false = (self._arm(fn) for fn in self.fns)
        self._check(true, false)
        count = true.spec.leaves
        written = written_by(true, false) if self.keeps_writes else {}
        for arm in (true, false):
            arm.values += [arm.value_after(o) for o in written.values()]
        node = self._node((true, false))
        results = emit(self.recorder, node)
        for o, new in zip(written.values(), results[count:], strict=True):
            self.recorder.write(o.handle, new)
        read = {**true.read, **false.read}
        inputs = tuple(o.handle for o in read.values() if o.needs)
        if MODE.get().grad and inputs:
            read[id(self.pred)] = outer_of(self.pred, node.args[0])
            attach("Cond", results[:count], inputs,
                   lambda gs: self._pull(gs, inputs, read))
        return pytree.unflatten(true.spec, iter(results[:count]))

    def _arm(self, fn: Branch) -> Region:
        return Region(Recorder(self.recorder.names, parent=self.recorder), "a branch of cond",
                      lambda: fn(*self.operands))

    def _check(self, a: Region, b: Region) -> None:
        where = self.recorder.location()
        if a.spec != b.spec:
            raise TraceError(f"{where}: the branches of cond return different structures: "
                             f"{pytree.differences(a.spec, b.spec)}")
        for k, (x, y) in enumerate(zip(a.values, b.values, strict=True)):
            if not same_type(x.type, y.type):
                raise TraceError(f"{where}: result {k} of cond is {x.type} in the true branch and "
                                 f"{y.type} in the false one")
        drawn = [_draws(arm.recorder.nodes) for arm in (a, b)]
        if drawn[0] != drawn[1] and not self.draws:
            raise TraceError(f"{where}: the branches of cond draw different amounts of random "
                             f"numbers, so what comes after would depend on the branch; draw "
                             f"before cond and use the numbers inside")

    def _node(self, arms: tuple[Region, Region]) -> Node:
        """The node; both regions take every value that either of them reads."""
        outer = tuple(dict.fromkeys(v for arm in arms for v in arm.recorder.inputs))
        regions = []
        for arm, name in zip(arms, ("true", "false"), strict=True):
            own = arm.recorder.inputs
            inputs = (own[v] if v in own else Input(f"unused{k}", v.type)
                      for k, v in enumerate(outer))
            regions.append(arm.graph(name, inputs, arm.values))
        kinds = tuple(v.type for v in arms[0].values)
        return Node(TABLE["cond"], (self.recorder.value_of(self.pred), *outer), {}, kinds,
                    tuple(regions), self.recorder.location())

    # --- gradients -----------------------------------------------------------------------------
    def _pull(self, gs: list[Any], inputs: tuple[Tensor, ...], read: Any) -> Sequence[Any]:
        """Gradients of the inputs: a cond that computes its branch again, and goes back."""
        def again(fn: Branch) -> Branch:
            return lambda: self._gradients(gs, fn, inputs)

        fns = again(self.fns[0]), again(self.fns[1])
        with as_then(self.recorder, read) as here:
            found: Sequence[Any] = Conditional(here, self.pred, fns, keeps_writes=False,
                                               draws=self.draws).build()
            return found

    def _gradients(self, gs: list[Any], fn: Branch, inputs: tuple[Tensor, ...]) -> Any:
        """A branch run again, and back: zero where no gradient flows."""
        higher = MODE.get().grad
        with bounded(inputs), mode_set(grad=True):
            leaves = pytree.flatten(fn(*self.operands))[0]
            found = walked_back(zip(leaves, gs, strict=True), inputs, higher)
        return tuple(zeros(t) if g is None else g for t, g in zip(inputs, found, strict=True))


def _draws(nodes: Sequence[Node]) -> list[tuple[str, Type]]:
    """The random numbers that a branch draws, in order."""
    return [(n.op.kernel.distribution, n.type) for n in nodes
            if isinstance(n.op.kernel, Random) and n.op.kernel.distribution != "advance"]
