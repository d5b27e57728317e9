"""A while loop in a trace: two regions, the predicate's and the body's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from eager.engine.mode import MODE, mode_set
from eager.engine.tensor import Tensor
from eager.ops.errors import TraceError
from eager.ops.table import TABLE
from jit.control.branches import Conditional, check_predicate
from jit.control.gradients import as_then, attach, bounded, walked_back
from jit.control.regions import Region, emit, floats, written_by
from jit.control.scans import LoopBody, Scan
from jit.graph import Const, Input, Node
from jit.recorder import Outer, Recorder, TracedTensor, recorder_here

Predicate = Callable[[list[Tensor]], Any]
Round = Callable[[list[Tensor]], list[Tensor]]


class Repeat:
    """Builds the node, its results, and its place on the tape."""

    def __init__(self, recorder: Recorder, holds: Predicate, step: Round,
                 carry: Sequence[Tensor], limit: int | None) -> None:
        self.recorder, self.holds, self.step, self.limit = recorder, holds, step, limit
        self.carry = list(carry)
        self.place = recorder.location()

    def build(self) -> list[TracedTensor]:
        """The last carries."""
        pred, body, flows = self._regions()
        n, hidden = len(self.carry), written_by(body)
        read = {**pred.read, **body.read}
        node = self._node(pred, body, hidden, [key for key, o in read.items() if key not in hidden
                                               and o.handle._view is None])
        results = emit(self.recorder, node)
        for o, new in zip(hidden.values(), results[n:], strict=True):
            self.recorder.write(o.handle, new)
        if flows:
            inputs = [t for t in self.carry if t._needs and t.dtype.kind == "f"]
            outer = [o.handle for o in read.values() if o.needs and o.handle.dtype.kind == "f"]
            starts = node.args[:n]
            attach("WhileLoop", results[:n], [*inputs, *outer],
                   lambda gs: self._pull(gs, starts, outer, read))
        return results[:n]

    def _regions(self) -> tuple[Region, Region, bool]:
        grad = MODE.get().grad
        needs = grad and any(t._needs for t in self.carry)
        loops = [LoopBody(self.recorder, "while_loop", self.carry) for _ in range(2)]
        self.loops = loops
        pred = loops[0].record(lambda carry, _: self.holds(carry), needs)
        self._check(pred)
        body = loops[1].record(lambda carry, _: self.step(carry), needs)
        flows = grad and (needs or any(t._needs for t in body.leaves))
        if flows and not needs and body.written:
            body = loops[1].record(lambda carry, _: self.step(carry), True)
        return pred, body, flows

    def _check(self, pred: Region) -> None:
        if pred.written:
            raise TraceError(f"{self.place}: the predicate of while_loop writes to state or draws "
                             f"random numbers; do that in the body")
        leaf = pred.leaves[0] if pred.leaves else None
        if isinstance(leaf, Tensor) and len(pred.leaves) == 1:
            check_predicate(self.recorder, leaf, "while_loop")
        elif isinstance(pred.spec.value, bool):
            pred.values = [Const(np.array(pred.spec.value))]
        else:
            raise TraceError(f"{self.place}: the predicate of while_loop is a bool tensor of no "
                             f"dims, got a {pred.spec.kind}")

    def _node(self, pred: Region, body: Region, hidden: dict[int, Outer],
              outer: list[int]) -> Node:
        """Both regions take the carries, also what the body writes, and all they read."""
        r, n = self.recorder, len(self.carry)
        keys = [*hidden, *outer]
        values = [(pred.read.get(key) or body.read[key]).value for key in keys]
        outputs = ([*pred.values],
                   [*body.values[:n], *(body.value_after(o) for o in hidden.values())])
        regions = []
        for region, loop, name, results in zip((pred, body), self.loops, ("while", "do"), outputs,
                                               strict=True):
            own = [region.read[key].inner if key in region.read
                   else Input(f"unused{k}", v.type)
                   for k, (key, v) in enumerate(zip(keys, values, strict=True))]
            inputs = [*loop.carries, *(i for i in own if isinstance(i, Input))]
            regions.append(region.graph(name, inputs, results))
        kinds = tuple(v.type for v in outputs[1])
        return Node(TABLE["while_loop"], (*map(r.value_of, self.carry), *values),
                    {"carried": len(kinds), "limit": self.limit}, kinds, tuple(regions),
                    self.place)

    # --- gradients -----------------------------------------------------------------------------
    def _pull(self, gs: list[Any], starts: Sequence[Any], outer: list[Tensor],
              read: dict[int, Outer]) -> Sequence[Any]:
        """Gradients of carries and tensors from outside: the loop again as a scan of as many
        steps as there may be, of which those after the last round do nothing, and back."""
        if self.limit is None:
            raise TraceError(f"{self.place}: gradients flow back through while_loop only where "
                             f"max_steps= says how many rounds there can be, since each is kept "
                             f"for the way back; give it, or use scan")
        higher = MODE.get().grad
        with as_then(self.recorder, read) as here:
            carry: list[Tensor] = [self.recorder.handle(v) for v in starts]
            needing = [k for k in floats(carry) if self.carry[k]._needs]
            leaves = [carry[k] for k in needing]
            for k in floats(carry):
                carry[k]._needs = k in needing
            ends = [*(self.carry[k] for k in needing), *outer]
            with bounded([*leaves, *outer], ends), mode_set(grad=True):
                last, _ = Scan(here, self._masked, carry, [], self.limit, what="while_loop",
                               keeps_writes=False).build()
                return walked_back(zip(last, gs, strict=True), [*leaves, *outer], higher)

    def _masked(self, carry: list[Tensor], _: list[Tensor]
                ) -> tuple[list[Tensor], list[Tensor]]:
        here, holds = recorder_here(), self.holds(carry)
        assert here is not None
        if not isinstance(holds, Tensor):
            return self.step(carry) if holds else carry, []
        new = Conditional(here, holds, (lambda: self.step(carry), lambda: list(carry)),
                          draws=True).build()
        return new, []
