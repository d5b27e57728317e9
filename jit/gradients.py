"""The gradient of a program as native code: two graphs, lowered when they are first run.

One runs in the program's place and returns what the gradient needs as well, the other computes
gradients from that.  Weights are arguments of both: they are packed as they are at each call.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from eager.engine.tensor import Tensor
from jit.binding import Binding
from jit.graph import Graph, Input
from jit.guards import Watch
from jit.joint import Joint
from jit.lowering import lower
from jit.passes.dce import eliminate_dead
from jit.passes.partitioning import Partition, partition

_NOTHING = Graph((), (), (), name="prologue")



class Gradient:
    """The gradient of a program for some arguments and live tensors.

    ``graph`` runs back, ``forward_graph`` runs in the program's place and returns what ``graph``
    takes from it as well; ``kernels`` and ``forward_kernels`` are their sources.
    """

    def __init__(self, joint: Joint, level: str, watch: Watch, is_kept: bool) -> None:
        self.joint, self.level, self._watch = joint, level, watch
        self.is_kept = is_kept  #: whether calls run forward here and keep what running back takes
        self._lock = threading.RLock()

    @cached_property
    def _parts(self) -> Partition:
        return partition(self.joint.graph, self.joint.results, self.joint.seeds)

    @property
    def graph(self) -> Graph:
        """From gradients of the results, and what was kept, to gradients."""
        return self._parts.backward

    @property
    def forward_graph(self) -> Graph:
        """From arguments to results, and what is kept."""
        return self._parts.forward

    @property
    def kernels(self) -> Any:
        """The source of every kernel that runs back."""
        return self._backward.kernels

    @property
    def forward_kernels(self) -> Any:
        """The source of every kernel that runs in the program's place."""
        return self._forward.kernels

    # --- running -------------------------------------------------------------------------------
    def run(self, arrays: Sequence[Any]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """The results for the program's arguments, and what is kept of them."""
        with self._lock:
            forward, run = self._forward, self._run_forward
        found = run(*arrays, *(t._array for t in self._read))
        found = found if isinstance(found, tuple) else (found,)
        forward.count_writes()
        return found[:self.joint.results], found[self.joint.results:]

    def pull(self, arrays: Sequence[Any], kept: Sequence[Any], seeds: Sequence[Any]
             ) -> tuple[Any, ...]:
        """The gradient of everything in ``joint.reached``."""
        if not self.joint.reached:
            return ()
        with self._lock:
            backward = self._backward
        sources = (kept, arrays, [t._array for t in self._read], seeds)
        found = backward.call(*(sources[s][k] for s, k in self._takes))
        return found if isinstance(found, tuple) else (found,)

    @cached_property
    def _forward(self) -> Binding:
        return Binding(lower(self.forward_graph), _NOTHING,
                       {i.name: t for i, t in self.joint.state}, self.level,
                       self._watch.check_all)

    @cached_property
    def _run_forward(self) -> Callable[..., Any]:
        return self._watch.before(self._forward.call)

    @cached_property
    def _backward(self) -> Binding:
        return Binding(lower(self.graph), _NOTHING, {}, self.level)

    @cached_property
    def _read(self) -> tuple[Tensor, ...]:
        """The live tensors that the forward graph takes as arguments."""
        return tuple(t for i, t in self.joint.state if i.role == "argument")

    @cached_property
    def _takes(self) -> list[tuple[int, int]]:
        """Where each input of the backward graph comes from: a kind of source, and its number."""
        graph, kept = self.joint.graph, self._parts.kept
        read = {i for i, _ in self.joint.state}
        given = [i for i in graph.inputs if i.role == "argument" and i not in read
                 and i not in self.joint.seeds]
        places = {i: (0, k) for k, i in enumerate(self.graph.inputs[:kept])}
        places |= {i: (1, k) for k, i in enumerate(given)}
        places |= {i: (2, k) for k, i in enumerate(
            i for i, _ in self.joint.state if i.role == "argument")}
        places |= {i: (3, k) for k, i in enumerate(self.joint.seeds)}
        return [places[i] for i in self.graph.inputs]

    @cached_property
    def reads(self) -> frozenset[str]:
        """The names of the program's inputs that running back reads."""
        return _inputs_read(self.graph)

    @cached_property
    def reads_again(self) -> frozenset[str]:
        """Those that it reads where what is kept is computed anew."""
        kept = self.forward_graph.outputs[self.joint.results:]
        return self.reads | _inputs_read(eliminate_dead(
            replace(self.forward_graph, outputs=kept, updates=())))


def _inputs_read(graph: Graph) -> frozenset[str]:
    return frozenset(v.name for v in graph.read if isinstance(v, Input))
