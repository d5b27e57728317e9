"""A scan in a trace: one region, recorded once and run for every item."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from eager.engine.mode import MODE, mode_set
from eager.engine.tensor import Tensor
from eager.ops.errors import TraceError
from eager.ops.table import TABLE
from eager.ops.types import Type
from jit.control.gradients import as_then, attach, bounded, outer_of, walked_back
from jit.control.regions import (
    LoopRecorder,
    Region,
    emit,
    floats,
    source_of,
    written_by,
    zeros,
)
from jit.graph import Input, Node, Value
from jit.recorder import Outer, Recorder, TracedTensor, recorder_here

#: Carries and items of one step to new carries and what is kept of the step.
Step = Callable[[list[Tensor], list[Tensor]], tuple[list[Tensor], list[Tensor]]]


class LoopBody:
    """What every loop records of its functions: what they carry, and what they may not do."""

    def __init__(self, recorder: Recorder, what: str, carry: Sequence[Tensor],
                 items: Sequence[Tensor] = ()) -> None:
        self.around, self.what = recorder, what
        self.given = (*carry, *items)
        self.carries = [Input(f"carry{k}", recorder.current(t).type) for k, t in enumerate(carry)]
        self.items = [Input(f"item{k}", _item(recorder.current(t).type))
                      for k, t in enumerate(items)]

    def record(self, fn: Callable[[list[Tensor], list[Tensor]], Any], needs: bool) -> Region:
        """The function as a region; ``needs``: gradients flow into its carries."""
        recorder = LoopRecorder(self.around.names, parent=self.around)
        handles = [recorder.handle(i) for i in (*self.carries, *self.items)]
        n = len(self.carries)
        for k in floats(handles):
            handles[k]._needs = needs and (k < n or self.given[k]._needs)
        region = Region(recorder, f"the body of {self.what}",
                        lambda: fn(list(handles[:n]), list(handles[n:])))
        for handle, own in zip(handles, (*self.carries, *self.items), strict=True):
            if recorder.values[id(handle)] is not own:
                raise TraceError(f"{self.around.location()}: the body of {self.what} writes in "
                                 f"place to what it is given ({own.name}, {own.type}); return the "
                                 f"new value, or write to a tensor from outside")
        self._refuse_aliases(region)
        return region

    def _refuse_aliases(self, region: Region) -> None:
        """What is written may not go in or out as well: eagerly both would be one tensor."""
        for way, tensors in (("is given", self.given), ("returns", region.leaves)):
            for t in tensors:
                if isinstance(t, Tensor) and id(source_of(t)) in region.written:
                    raise TraceError(f"{self.around.location()}: the body of {self.what} writes in "
                                     f"place to a tensor {t.spec} that it also {way}; use a "
                                     f"clone() in one of the two places")


def _item(stack: Type) -> Type:
    return Type(stack.dtype, stack.shape[1:])


class Scan:
    """Builds the node, its results, and its place on the tape.

    Not ``keeps_writes``: what the step writes outside is dropped when the loop ends.
    """

    def __init__(self, recorder: Recorder, step: Step, carry: Sequence[Tensor],
                 items: Sequence[Tensor], length: Any, reverse: bool = False,
                 what: str = "scan", keeps_writes: bool = True) -> None:
        self.recorder, self.step, self.length, self.reverse = recorder, step, length, reverse
        self.carry, self.items = list(carry), [_now(recorder, t) for t in items]
        self.keeps_writes = keeps_writes
        self.body = LoopBody(recorder, what, carry, items)

    def build(self) -> tuple[list[TracedTensor], list[TracedTensor]]:
        """The last carries, and what each step kept, stacked."""
        region, needs = self._region()
        n, hidden = len(self.carry), written_by(region)
        outer = [o for key, o in region.read.items()
                 if key not in hidden and isinstance(o.inner, Input)]
        kept = region.values[n:]
        starts: list[Value] = [*self.body.carries, *(o.inner for o in hidden.values())]
        stacks = starts if needs else []
        node = self._node(region, hidden, outer, [*kept, *stacks])
        results = emit(self.recorder, node)
        last, rest = results[:len(starts)], results[len(starts):]
        for o, new in zip(hidden.values(), last[n:], strict=True):
            if self.keeps_writes:
                self.recorder.write(o.handle, new)
        ys, held = rest[:len(kept)], rest[len(kept):]
        if needs:
            back = _Backward(self, list(region.read.values()), list(hidden.values()), node, held)
            attach("Scan", (*last[:n], *ys, *held[:n]), back.inputs, back.pull)
        return last[:n], ys

    def _region(self) -> tuple[Region, bool]:
        """The body, and whether gradients flow through it: into a carry perhaps only round by
        round, and that matters where the body writes."""
        grad = MODE.get().grad
        needs = grad and any(t._needs for t in (*self.carry, *self.items))
        region = self.body.record(self.step, needs)
        flows = grad and (needs or any(getattr(t, "_needs", False) for t in region.leaves) or any(
            o.needs for o in region.read.values()))
        if flows and not needs and region.written:
            region = self.body.record(self.step, True)
        return region, flows

    def _node(self, region: Region, hidden: dict[int, Outer], outer: list[Outer],
              kept: list[Value]) -> Node:
        r, n = self.recorder, len(self.carry)
        after = [*region.values[:n], *(region.value_after(o) for o in hidden.values())]
        inputs = [*self.body.carries, *(o.inner for o in hidden.values()), *self.body.items,
                  *(o.inner for o in outer)]
        graph = region.graph("body", [i for i in inputs if isinstance(i, Input)],
                             [*after, *kept])
        args = (*map(r.value_of, self.carry), *(o.value for o in hidden.values()),
                *map(r.value_of, self.items), *(o.value for o in outer))
        kinds = (*(v.type for v in after),
                 *(Type(v.type.dtype, (self.length, *v.type.shape)) for v in kept))
        return Node(TABLE["scan"], args,
                    {"carried": len(after), "scanned": len(self.items), "length": self.length,
                     "reverse": self.reverse}, kinds, (graph,), r.location())


def _now(recorder: Recorder, t: Tensor) -> Tensor:
    """The tensor, or one that keeps its present value where a write may change what it is."""
    if t._view is None and t._node is None:
        return t
    now = recorder.handle(recorder.current(t))
    now._node, now._needs = t._node, t._needs
    return now


class _Backward:
    """The gradient of a scan: a scan the other way, over the carries that each step began with.

    Each step is computed again and walked back; what it gives to tensors from outside is added
    up on the way.
    """

    def __init__(self, scan: Scan, read: list[Outer], hidden: list[Outer], node: Node,
                 held: list[TracedTensor]) -> None:
        self.scan, self.hidden, self.held = scan, hidden, held
        self.floats = floats(scan.carry)
        self.wanted = [k for k in floats(scan.items) if scan.items[k]._needs]
        self.outer = [o.handle for o in read if o.needs and o.handle.dtype.kind == "f"]
        self.starts = [k for k in self.floats if scan.carry[k]._needs]
        self.inputs = (*(scan.carry[k] for k in self.starts),
                       *(scan.items[k] for k in self.wanted), *self.outer)
        n = len(scan.carry) + len(hidden)
        self.read = {id(o.handle): o for o in read}
        self.read.update((id(t), outer_of(t, node.args[n + k])) for k, t in enumerate(scan.items))

    def pull(self, gs: list[Any]) -> list[Any]:
        """Gradients of ``inputs`` from those of the last carries, the stacks, and the carries
        that steps began with."""
        scan = self.scan
        n, m = len(scan.carry), len(scan.items)
        first = [zeros(scan.carry[k]) if gs[k] is None else gs[k] for k in self.floats]
        flowing = [k for k in range(n, len(gs)) if gs[k] is not None]
        stacks = [*self.held, *scan.items, *(gs[k] for k in flowing)]
        count = len(self.held)

        def step(carry: list[Tensor], items: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
            begun, x, given = items[:count], items[count:count + m], items[count + m:]
            seeds: list[Any] = [None] * len(gs)
            for k, g in zip(self.floats, carry, strict=False):
                seeds[k] = g
            for k, g in zip(flowing, given, strict=True):
                seeds[k] = g
            return self._step(begun, x, seeds, carry[len(self.floats):])

        with as_then(scan.recorder, self.read) as here:
            last, ys = Scan(here, step, [*first, *map(zeros, self.outer)], stacks, scan.length,
                            not scan.reverse, keeps_writes=False).build()
        position = {k: j for j, k in enumerate(self.floats)}
        return [*(last[position[k]] for k in self.starts), *ys, *last[len(self.floats):]]

    def _step(self, begun: list[Tensor], x: list[Tensor], seeds: list[Any],
              sums: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        n, higher = len(self.scan.carry), MODE.get().grad
        here = recorder_here()
        assert here is not None
        for o, start in zip(self.hidden, begun[n:], strict=True):
            here.bind(o.handle, here.value_of(start))
        leaves = [*(begun[k] for k in self.floats), *(x[k] for k in self.wanted)]
        for t in leaves:
            t._needs = True
        targets = [*leaves, *self.outer]
        with bounded(self.outer), mode_set(grad=True):
            new, kept = self.scan.step(begun[:n], x)
            found = walked_back(zip([*new, *kept, *begun[:n]], seeds, strict=True), targets,
                                higher)
        grads = [zeros(t) if g is None else g for t, g in zip(leaves, found, strict=False)]
        for o in self.hidden:
            o.handle._node, o.handle._needs = o.node, o.needs
        added = (s if g is None else s + g
                 for s, g in zip(sums, found[len(leaves):], strict=True))
        return [*grads[:len(self.floats)], *added], grads[len(self.floats):]
