"""The place of a node with regions on the tape, and how its functions are run again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from eager.engine import walk
from eager.engine.tape import GradFn, Output, edge_of, tick
from eager.engine.tensor import Tensor
from jit.graph import Value
from jit.recorder import Outer, Recorder, TracedTensor, recorder_here

#: Gradients of the results (None where none flows) to gradients of the inputs.
Rule = Callable[[list[Any]], Sequence[Any]]


class RegionGrad(GradFn):
    """One node with regions on the tape: all its results, and the tensors it came from."""

    __slots__ = ("label", "outputs", "rule")

    def __init__(self, label: str, inputs: Sequence[Tensor], outputs: int, rule: Rule) -> None:
        self.label, self.outputs, self.rule = label, outputs, rule
        self.edges, self.extras, self.seq = [edge_of(t, True) for t in inputs], None, tick()

    def name(self) -> str:
        return f"{self.label}Backward"

    def pull(self, way: Any, g: list[Any]) -> Sequence[Any]:
        """The gradients of the inputs."""
        return self.rule(g)

    def release(self) -> None:
        """Nothing is held but handles."""


def attach(label: str, results: Sequence[TracedTensor], inputs: Sequence[Tensor],
           rule: Rule) -> None:
    """Put results on the tape, those that gradients can flow through."""
    node = RegionGrad(label, inputs, len(results), rule)
    for k, result in enumerate(results):
        if result.dtype.kind == "f":
            result._node, result._needs = Output(node, k, result), True  # type: ignore[assignment]


class Boundary(GradFn):
    """Where a walk through functions that run again ends; a walk that comes later passes it."""

    __slots__ = ("dtype", "shape", "storage")

    def __init__(self, t: Tensor) -> None:
        self.shape, self.dtype, self.storage = t.shape, t.dtype, t._storage
        self.edges, self.extras, self.seq = [], None, tick()

    def name(self) -> str:
        return "AliasBackward"

    def pull(self, way: Any, g: Any) -> list[Any]:
        """The gradient as it is."""
        return [g]

    def release(self) -> None:
        """Nothing is held."""


@contextmanager
def bounded(tensors: Sequence[Tensor], ends: Sequence[Tensor] | None = None) -> Iterator[None]:
    """Let the tape end at these tensors; gradients that come there later go on to ``ends``."""
    kept = [t._node for t in tensors]
    rows = [(t, Boundary(t)) for t in tensors]
    for t, boundary in rows:
        t._node = boundary  # type: ignore[assignment]
    try:
        yield
    finally:
        for t, node in zip(tensors, kept, strict=True):
            t._node = node
        for (_, boundary), end in zip(rows, ends or tensors, strict=True):
            boundary.edges = [edge_of(end, True)]


def walked_back(pairs: Iterable[tuple[Any, Any]], targets: Sequence[Tensor],
                create_graph: bool) -> list[Any]:
    """The gradient of each target from pairs of a result and its gradient; None where none flows.

    Pairs without a gradient, and results that none flows through, are passed over.
    """
    flowing = [(t, g) for t, g in pairs
               if g is not None and isinstance(t, Tensor) and t._needs]
    found = walk.backward([t for t, _ in flowing], [g for _, g in flowing],
                          create_graph=create_graph, targets=targets) if flowing else {}
    return [found[id(t)][1] if id(t) in found else None for t in targets]


@contextmanager
def as_then(then: Recorder, read: Mapping[int, Outer]) -> Iterator[Recorder]:
    """Let handles stand again for the values that a region read; writes since are set aside."""
    here = recorder_here()
    assert here is not None
    chain = [here]
    while chain[-1] is not then and chain[-1].parent is not None:
        chain.append(chain[-1].parent)
    kept = [{key: r.values.pop(key) for key in read if key in r.values} for r in chain]
    views = [o.handle._view for o in read.values() if o.handle._view is not None]
    seen = [view.version for view in views]
    chain[-1].values.update((key, o.value) for key, o in read.items())
    for view in views:
        view.version = view.parent._storage.version  # type: ignore[union-attr]
    try:
        yield here
    finally:
        for view, version in zip(views, seen, strict=True):
            view.version = version
        for r, values in zip(chain, kept, strict=True):
            for key in read:
                r.values.pop(key, None)
            r.values.update(values)


def outer_of(t: Tensor, value: Value) -> Outer:
    """A tensor that a node takes as an operand, as if a region had read it."""
    return Outer(t, value, value, t._node, t._needs)
