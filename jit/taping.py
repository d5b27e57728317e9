"""Calls of a program on the tape.

The first backward compiles the gradient.  Until then a call costs hardly more than one without
gradients, and is computed again, once, at its backward; from then on a call keeps what its
gradient needs.  A program that writes or draws could not be computed again, and keeps it always.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from eager.engine.inplace import EPOCH
from eager.engine.mode import MODE
from eager.engine.tape import FREED, GradFn, Output, tick
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError, TraceError
from jit.gradients import Gradient
from jit.guards import Watch
from jit.joint import trace_joint
from jit.tracer import Traced

Run = Callable[[Sequence[Any]], tuple[Any, ...]]
Made = Gradient | OpError | TraceError  #: a gradient, or why there is none


class Taping:
    """Knows when a call of one program has a gradient, and by which code.

    ``run`` computes the results alone.
    """

    def __init__(self, traced: Traced, level: str, run: Run, watch: Watch) -> None:
        self.traced, self.level, self.run, self.watch = traced, level, run, watch
        self.is_pure = not traced.graph.updates
        self.live = Live(tuple(t for _, t in traced.state))
        outputs = range(len(traced.graph.outputs))
        self._floats = tuple(k for k in outputs if traced.graph.outputs[k].type.dtype.kind == "f")
        #: The results that require grad where no argument does.
        self._roots = self._floats if traced.flows is None else tuple(
            k for k in outputs if traced.flows[k])
        #: The live tensors that required it when this was found.
        self._learned = None if traced.flows is None else self.live.learning
        self._made: dict[tuple[int, ...], dict[tuple[int, ...], Made]] = {}
        self._lock = threading.Lock()
        #: Whether a call may have a gradient though no argument requires one.
        self.learns = bool(self.live.tensors and self._roots)

    def gradient(self, arguments: tuple[int, ...], learning: tuple[int, ...] | None = None
                 ) -> Gradient:
        """The gradient for these arguments, and for live tensors (None: that now require grad).

        Raises TraceError or OpError where there can be none.
        """
        if learning is None:
            learning = self.live.look().learning
        made = self._attempt(arguments, learning)
        if isinstance(made, Gradient):
            return made
        raise type(made)(str(made))

    def _attempt(self, arguments: tuple[int, ...], learning: tuple[int, ...]) -> Made:
        with self._lock:
            row = self._made.setdefault(learning, {})
            if arguments not in row:
                try:
                    _refuse_backward(self.traced)
                    joint = trace_joint(self.traced, arguments,
                                        [self.live.tensors[k] for k in learning])
                    row[arguments] = Gradient(joint, self.level, self.watch,
                                              is_kept=not self.is_pure)
                except (OpError, TraceError) as error:
                    row[arguments] = error
            return row[arguments]

    def call(self, leaves: Sequence[Any], arrays: Sequence[Any]) -> list[Tensor]:
        """The results of a call in grad mode, with history where gradients flow through them."""
        live = self.live.look()
        node = ProgramNode(self, live, leaves)
        made, roots = self._looked_up(node.arguments, live.learning)
        if roots and isinstance(made, Gradient) and made.is_kept:
            found, node.kept = made.run(arrays)
        else:
            found = self.run(arrays)
        results = [tensor_of(a) for a in found]
        if roots:
            node.lead([results[k] for k in roots])
        return results

    def _looked_up(self, arguments: tuple[int, ...], learning: tuple[int, ...]
                   ) -> tuple[Made | None, tuple[int, ...]]:
        """What a call knows of its gradient, and the results that require grad.

        Nothing has to be known where the trace saw what is wanted now and the program is pure.
        """
        made = self._made[learning].get(arguments) if learning in self._made else None
        roots = self._floats if arguments else self._roots if learning else ()
        if made is None and roots and not (
                self.is_pure and not arguments and learning == self._learned):
            made = self._attempt(arguments, learning)
        return made, made.joint.roots if isinstance(made, Gradient) else roots


class Live:
    """Live tensors of a program as they were after the last write of the process."""

    def __init__(self, tensors: tuple[Tensor, ...]) -> None:
        self.tensors = tensors
        self.versions: tuple[int, ...] = ()
        self.learning: tuple[int, ...] = ()  #: the positions of those that require grad
        self.edges: list[Any] = []  #: where the gradients of these go
        self._epoch = -1
        self.look()

    def look(self) -> Live:
        """Look again where anything was written since the last time."""
        now = int(EPOCH[0])
        if now != self._epoch:
            self.versions = tuple(t._version for t in self.tensors)
            self.learning = tuple(k for k, t in enumerate(self.tensors) if t._needs)
            self.edges = [t._node or t for t in self.tensors if t._needs]
            self._epoch = now
        return self


class ProgramNode(GradFn):
    """One call: all of its results lead here, and from here to arguments and live tensors."""

    __slots__ = (
        "arguments",
        "kept",
        "learning",
        "leaves",
        "live_versions",
        "outputs",
        "taping",
        "types",
        "versions",
    )

    kept: Any  #: what the gradient needs of the call; None: it is computed again

    def __init__(self, taping: Taping, live: Live, leaves: Sequence[Any]) -> None:
        self.taping, self.leaves, self.kept, self.extras = taping, leaves, None, None
        self.learning, self.live_versions, self.edges = live.learning, live.versions, live.edges
        self.versions: list[int] = []
        self.arguments: tuple[int, ...] = ()
        for k, a in enumerate(leaves):
            storage = None
            if isinstance(a, Tensor):
                storage = a._storage
                if a._view is not None:
                    a._view.refresh(a)
                if a._needs:
                    self.arguments += (k,)
            self.versions.append(0 if storage is None else storage.version)
        if self.arguments:
            self.edges = [leaves[k]._node or leaves[k] for k in self.arguments] + self.edges
        self.seq = tick()

    def lead(self, results: Sequence[Tensor]) -> None:
        """Give results this history."""
        self.outputs = len(results)
        self.types = [(t._array.shape, t._array.dtype) for t in results]
        for k, t in enumerate(results):
            t._needs, t._node = True, Output(self, k, t)  # type: ignore[assignment]

    def name(self) -> str:
        return "ProgramBackward"

    def pull(self, way: Any, g: Sequence[Any]) -> list[Any]:
        """The gradients of arguments and live tensors, computed by native code."""
        taping = self.taping
        name = taping.traced.graph.name
        if self.kept is FREED:
            raise OpError(f"what {name} kept for its gradient was let go after the first walk; "
                          f"call backward() or grad() with retain_graph=True to go backward "
                          f"through the graph a second time")
        mode = MODE.get()
        if mode.recorder is not None or mode.grad:
            raise OpError(f"the gradient of {name} is itself differentiated (create_graph=True) "
                          f"or traced, and a program has first gradients only; call the function "
                          f"it was traced from instead of the program")
        gradient = taping.gradient(self.arguments, self.learning)
        self._check(gradient.reads if self.kept is not None else gradient.reads_again)
        arrays = [data_of(a) for a in self.leaves]
        if self.kept is None:
            _, self.kept = gradient.run(arrays)
            gradient.is_kept = True
        seeds = [np.zeros(*kind) if x is None else _contiguous(x)
                 for x, kind in zip(g, self.types, strict=True)]
        found = gradient.pull(arrays, self.kept, seeds)
        grads: list[Any] = [None] * len(self.edges)
        for k, array in zip(gradient.joint.reached, found, strict=True):
            grads[k] = array
        return grads

    def release(self) -> None:
        """Let go of what was kept: the graph has been walked."""
        self.kept = FREED

    def _check(self, reads: frozenset[str]) -> None:
        """Raise OpError where what the gradient reads was written since the call."""
        traced = self.taping.traced
        arguments = (i.name for i in traced.graph.inputs if i.role == "argument")
        for name, t, then in (
                *zip(arguments, self.leaves, self.versions, strict=True),
                *((i.name, t, v) for (i, t), v in zip(traced.state, self.live_versions,
                                                      strict=True))):
            if name in reads and getattr(t, "_version", 0) != then:
                writer = f" by {t._storage.writer}" if t._storage.writer else ""
                raise OpError(f"{name!r}, which the gradient of {traced.graph.name} reads, was at "
                              f"version {then} when the program was called and has been modified "
                              f"in place since{writer} (version {t._version}); call backward() "
                              f"before the write, or clone() before the call")


def _refuse_backward(traced: Traced) -> None:
    if traced.grads:
        raise TraceError(f"{traced.graph.name} calls backward() itself, or clears gradients, so a "
                         f"program of it has no gradient of its own; return loss.detach() from "
                         f"it, or trace the loss alone")


# --- pieces ------------------------------------------------------------------------------------
def tensor_of(array: Any, storage: Any = None) -> Tensor:
    """A tensor without history."""
    t = Tensor.__new__(Tensor)
    t._array, t._storage = array, storage
    t._node = t._view = t.grad = None
    t._needs = False
    return t


def data_of(x: Any) -> Any:
    """The array of a tensor, or what is given for one."""
    return x._array if isinstance(x, Tensor) else x


def _contiguous(array: Any) -> Any:
    """The gradient in memory of its own: that of a sum is one number seen many times."""
    array = np.asarray(array)
    return array if array.flags.c_contiguous else array.copy()
