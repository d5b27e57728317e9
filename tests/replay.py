"""A traced function, interpreted or compiled, run call after call beside the function itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from eager.engine.mode import mode_set
from eager.engine.tensor import Tensor
from jit import pytree
from jit.arguments import array_of
from jit.grads import Grads
from jit.interpreter import interpret
from jit.program import Program
from jit.tracer import Traced, trace_graph
from jit.verifier import verify


class Replay:
    """The graph with state of its own, which starts as the live tensors are."""

    state: Mapping[str, np.ndarray[Any, Any]]

    def __init__(self, traced: Traced) -> None:
        self.traced, self.graph = traced, verify(traced.graph)
        self.state = {i.name: t._array.copy() for i, t in traced.state}

    def __call__(self, *args: Any) -> Any:
        leaves, _ = pytree.flatten(args)
        names = [i.name for i in self.graph.inputs if i.role == "argument"]
        given = {n: array_of(x) for n, x in zip(names, leaves, strict=True)}
        outs, updates = interpret(self.graph, {**given, **self.state})
        for name, array in updates.items():
            held = array_of(leaves[names.index(name)]) if name in given else self.state[name]
            held[...] = array
        return pytree.unflatten(self.traced.out_spec, iter(outs))


class Compiled:
    """The same as native code."""

    def __init__(self, traced: Traced) -> None:
        own = tuple((i, Tensor(t._array.copy())) for i, t in traced.state)
        self.state = {i.name: t._array for i, t in own}
        self.program = Program(replace(traced, state=own, grads=Grads()))

    def __call__(self, *args: Any) -> Any:
        with mode_set(grad=False):
            return pytree.map_leaves(self.program(*args), array_of)


def agrees(fn: Callable[..., Any], *calls: Sequence[Any], rtol: float = 1e-6, atol: float = 1e-6,
           run: Callable[[Traced], Any] = Replay, **settings: Any) -> Traced:
    """Trace ``fn`` on the first arguments; then every call gives what ``fn`` gives, and leaves
    the same in every state tensor and argument.  ``run`` is `Replay` or `Compiled`.
    """
    traced = trace_graph(fn, tuple(_copied(calls[0])), **settings)
    replay = run(traced)
    for args in calls:
        mine, its = _copied(args), _copied(args)
        got = replay(*its)
        close((got, its), (fn(*mine), mine), rtol, atol)
        # What the function added to is by now the gradient of its owner.
        grads = {id(held): owner.grad for owner, held in traced.grads.kept}
        close(list(replay.state.values()), [grads.get(id(t), t) for _, t in traced.state],
              rtol, atol)
    return traced


def _copied(args: Sequence[Any]) -> list[Any]:
    return [pytree.map_leaves(a, lambda x: Tensor(array_of(x).copy())) for a in args]


def close(got: Any, want: Any, rtol: float = 1e-6, atol: float = 1e-6) -> None:
    """Trees of the same structure, dtypes and shapes, and of nearly the same numbers."""
    a, b = pytree.flatten(got), pytree.flatten(want)
    assert a[1] == b[1], pytree.differences(b[1], a[1])
    for x, y in zip(map(array_of, a[0]), map(array_of, b[0]), strict=True):
        assert x.dtype == y.dtype and x.shape == y.shape
        np.testing.assert_allclose(x, y, rtol=rtol, atol=atol)
