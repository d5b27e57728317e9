"""A function recorded as a region of a node: what it returns, reads outside, and writes there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from eager.engine.mode import MODE, mode_set
from eager.engine.tensor import Tensor
from eager.ops.errors import TraceError
from eager.ops.table import TABLE
from jit import pytree
from jit.graph import Const, Graph, Input, Node, Value
from jit.passes.dce import eliminate_dead
from jit.recorder import Outer, Recorder, TracedTensor


class LoopRecorder(Recorder):
    """Records the body of a loop, which is entered with other values round after round.

    Each handle from outside has an input of its own, for a write makes it a carry, and a view is
    taken anew from what it looks into.
    """

    def _capture(self, a: Tensor, value: Value) -> Value:
        inner: Value = (self._view(a) if a._view is not None
                        else Input(f"outer{len(self.outer)}", value.type))
        self.outer[id(a)] = Outer(a, inner, value, a._node, a._needs)
        self.bind(a, inner)
        return inner


class Region:
    """One function, recorded by ``recorder``; ``what`` names it in errors."""

    def __init__(self, recorder: Recorder, what: str, fn: Callable[[], Any]) -> None:
        self.recorder, self.what = recorder, what
        grads = {key: (s.tensor, s.tensor.grad) for key, s in recorder.root.saved.items()}
        with mode_set(recorder=recorder):
            self.leaves, self.spec = pytree.flatten(fn())
            self.values = [recorder.current(x) if isinstance(x, Tensor)
                           else Const(np.array(x, order="C")) for x in self.leaves]
        self._refuse_grads(grads)
        self.read: dict[int, Outer] = recorder.outer
        self.written = {key: o for key, o in self.read.items()
                        if recorder.values[key] is not o.inner}
        self._keep_history()

    def _refuse_grads(self, before: Mapping[int, tuple[Tensor, Any]]) -> None:
        for key, s in self.recorder.root.saved.items():
            t, grad = before.get(key, (s.tensor, s.grad))
            if t.grad is not grad:
                raise TraceError(f"{self.recorder.location()}: {self.what} sets .grad of a tensor "
                                 f"{t.spec}, which would hold whether it runs or not; call "
                                 f"backward() outside, use eager.autograd.grad(...), or clear "
                                 f"the gradients before it ends")

    def _keep_history(self) -> None:
        """A write in a region leaves no history outside; where it would, it is refused."""
        for o in self.written.values():
            flows = MODE.get().grad and (o.node is not None or o.handle._node is not None)
            o.handle._node, o.handle._needs = o.node, o.needs
            if flows:
                raise TraceError(f"{self.recorder.location()}: {self.what} writes in place to a "
                                 f"tensor {o.handle.spec} that gradients flow through; return "
                                 f"the new value")

    def value_after(self, o: Outer) -> Value:
        """What a handle from outside stands for when the region ends."""
        return self.recorder.value_of(o.handle)

    def graph(self, name: str, inputs: Iterable[Input], outputs: Iterable[Value]) -> Graph:
        """The region itself."""
        return eliminate_dead(Graph(tuple(inputs), tuple(self.recorder.nodes), tuple(outputs),
                                    name=name))


def written_by(*regions: Region) -> dict[int, Outer]:
    """What regions write outside; a view is not among it, but follows its source."""
    found: dict[int, Outer] = {}
    for region in regions:
        for key, o in region.written.items():
            if o.handle._view is None:
                found[key] = o
            else:
                o.handle._view.version = -1
    return found


def emit(recorder: Recorder, node: Node) -> list[TracedTensor]:
    """A node with regions, and a handle for each of its results."""
    recorder.nodes.append(node)
    return [recorder.emit(Node(TABLE["result"], (node,), {"index": k}, kind,
                               location=node.location))
            for k, kind in enumerate(node.type)]


def source_of(t: Tensor) -> Tensor:
    """The tensor that a view looks into in the end."""
    while t._view is not None:
        t = t._view.parent
    return t


def zeros(t: Any) -> Tensor:
    """Zeros of the type of ``t``."""
    from eager.engine.tensor import TAPED

    found: Tensor = TAPED.full(shape=tuple(t.shape), value=0.0, dtype=t.dtype)
    return found


def floats(tensors: Sequence[Any]) -> list[int]:
    """The positions of the tensors that gradients can flow through."""
    return [k for k, t in enumerate(tensors) if t.dtype.kind == "f"]
