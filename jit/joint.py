"""A function and its gradient in one graph: traced once more, the tape walked inside the trace."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

from eager.engine import walk
from eager.engine.dispatch import apply
from eager.engine.mode import mode_set
from eager.engine.tensor import Tensor
from eager.ops.errors import TraceError
from eager.ops.table import TABLE
from jit import pytree
from jit.graph import Graph, Input, Value, without_unread_state
from jit.passes import run as run_passes
from jit.passes.dce import eliminate_dead
from jit.passes.partitioning import fresh_names
from jit.passes.weights import substitute
from jit.recorder import Recorder, recorder_here
from jit.tracer import Traced
from jit.verifier import verify


@dataclass(frozen=True)
class Joint:
    """``graph``, optimised, gives the results and then a gradient for each of ``reached``.

    State that is only read is among its arguments: it may change with every call.
    """

    graph: Graph
    results: int  #: how many outputs are results
    roots: tuple[int, ...]  #: the results that gradients flow through
    seeds: tuple[Input, ...]  #: what stands for their gradients
    reached: tuple[int, ...]  #: positions among what gradients were asked for
    state: tuple[tuple[Input, Tensor], ...]


def trace_joint(traced: Traced, arguments: Sequence[int], tensors: Sequence[Tensor]) -> Joint:
    """Trace the function again, with gradients for some arguments and some live tensors.

    Raises TraceError where it does not do any more what was traced.
    """
    again = traced.retrace(_with_gradients(traced, arguments, tensors))
    results, seeds, gradients = again.out_spec.children
    count = results.leaves
    graph = again.graph
    _refuse_changed(traced.graph, replace(graph, outputs=graph.outputs[:count]))
    stood = graph.outputs[count:count + seeds.leaves]
    names = fresh_names("gradient", graph.inputs)
    seeded = tuple(Input(next(names), v.type) for v in stood)
    written = {i for i, _ in graph.updates}
    read: dict[Value, Input] = {i: replace(i, role="argument") for i, _ in again.state
                                if i not in written}
    swap: dict[Value, Value] = {**dict(zip(stood, seeded, strict=True)), **read}
    inputs = (read.get(i, i) for i in graph.inputs)
    outputs = (*graph.outputs[:count], *graph.outputs[count + seeds.leaves:])
    whole = replace(substitute(replace(graph, outputs=outputs), swap), inputs=(*inputs, *seeded))
    return Joint(verify(_settled(whole)), count, seeds.keys, seeded, gradients.keys,
                 tuple((read.get(i, i), t) for i, t in again.state))


def _with_gradients(traced: Traced, arguments: Sequence[int], tensors: Sequence[Tensor]
                    ) -> Callable[..., Any]:
    """A function that returns results, seeds by the result's number, gradients by the target's."""
    fn = traced.fn
    assert fn is not None

    def joint(*args: Any, **kwargs: Any) -> Any:
        recorder = recorder_here()
        assert recorder is not None
        handles = pytree.flatten((args, kwargs))[0]
        targets = [*(handles[k] for k in arguments), *tensors]
        with _as_leaves(recorder, tensors), mode_set(grad=True):
            for k in arguments:
                handles[k]._needs = True
            out = fn(*args, **kwargs)
            roots = _roots(out)
            _refuse_kept_history(recorder)
            seeds = {k: _seed(t) for k, t in roots.items()}
            found = walk.backward(list(roots.values()), list(seeds.values()), create_graph=False,
                                  targets=targets)
        return out, seeds, {k: found[id(t)][1] for k, t in enumerate(targets) if id(t) in found}

    joint.__name__ = traced.graph.name
    joint.__signature__ = traced.signature  # type: ignore[attr-defined]
    return joint


def _roots(out: Any) -> dict[int, Tensor]:
    """The results that gradients flow through, by their numbers."""
    leaves = pytree.flatten(out)[0]
    for t in leaves:
        if isinstance(t, Tensor) and t._view is not None:
            t._view.refresh(t)
    return {k: t for k, t in enumerate(leaves) if isinstance(t, Tensor) and t._needs}


def _seed(root: Tensor) -> Tensor:
    """A value of the root's type that stands for its gradient until the graph is taken out."""
    return apply(TABLE["full"], (), {"shape": tuple(root.shape), "value": 1.0,
                                     "dtype": root.dtype})


@contextmanager
def _as_leaves(recorder: Recorder, tensors: Sequence[Tensor]) -> Iterator[None]:
    """Let the tape end at live tensors; their hooks are for the walk round the program's."""
    hooks = {id(t): t._hooks for t in tensors if hasattr(t, "_hooks")}
    nodes = [t._node for t in tensors]
    for t in tensors:
        recorder.remember(t)  # before the change: this is how the trace found it
        t._node = None
        if id(t) in hooks:
            del t._hooks
    try:
        yield
    finally:
        for t, node in zip(tensors, nodes, strict=True):
            t._node = node
            if id(t) in hooks:
                t._hooks = hooks[id(t)]


def _refuse_kept_history(recorder: Recorder) -> None:
    """State that holds what gradients flow through would carry them into the next call."""
    for made, t in recorder.state.values():
        if t._node is not None:
            raise TraceError(
                f"{made.name} is written in the function with a value that gradients flow "
                f"through, and a program keeps no history from call to call; write "
                f"value.detach(), or write it under no_grad()")


def _refuse_changed(then: Graph, now: Graph) -> None:
    """The results and writes must be those of the program, whose calls have happened."""
    if _lines(then) == _lines(now):
        return
    # A walk may write and take back, as a checkpoint does with the random stream.
    texts = [_lines(_settled(g)) for g in (then, now)]
    for a, b in zip_longest(*texts, fillvalue="nothing"):
        if a != b:
            raise TraceError(
                f"{then.name} is traced again for its gradient, and does not do any more what the "
                f"program does: {a}, now {b}; call backward() before changing what it depends on "
                f"(train(), requires_grad, attributes), or trace it again")


def _settled(graph: Graph) -> Graph:
    """The optimised graph, without writes of what is there already."""
    made = run_passes(graph, check=None)
    return replace(made, updates=tuple((i, v) for i, v in made.updates if v is not i))


def _lines(graph: Graph) -> list[str]:
    """A graph's text without places, and without what nobody reads."""
    bare = without_unread_state(eliminate_dead(graph))
    return [re.sub(r"\s*#.*", "", line) for line in str(bare).splitlines()]
