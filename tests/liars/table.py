"""A liar: a small program that a tracer may get wrong; what became of it is found by running it.

Each is made twice.  One twin runs eagerly, the other is traced at the first arguments and
interpreted over its live state: for the first arguments, for others, once more, and after the
world has changed as the liar changes it.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import eager
import jit
from eager.engine.inplace import touch
from eager.engine.streams import default_generator
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError, TraceError
from jit import pytree
from jit.guards import Watch
from jit.interpreter import interpret
from jit.tracer import Traced, trace_graph

Made = tuple[Callable[..., Any], Callable[[], Any]]
RIGHT, REFUSED, WRONG = "right", "refused", "wrong"


def nothing() -> None:
    """The world stays as it is."""


@dataclass(frozen=True)
class Liar:
    """``make`` gives the function and what changes the world after two calls of it.

    ``expressible``: a program can say what it does, so it must end right, not refused.
    """

    name: str
    make: Callable[[], Made]
    expressible: bool = True
    shapes: Sequence[tuple[int, ...]] = ((3,),)
    dims: Any = None  #: the dynamic shapes, with which later calls have other sizes
    dtype: str = "float32"


@dataclass(frozen=True)
class Outcome:
    """How a liar ended: right, refused (then in which words), or wrong (then where)."""

    verdict: str
    words: str = ""


def plain(fn: Callable[..., Any]) -> Callable[[], Made]:
    """A liar that holds nothing and changes nothing."""
    return lambda: (fn, nothing)


def with_globals(fn: Any, **names: Any) -> tuple[Any, dict[str, Any]]:
    """A function with globals of its own, and these."""
    held = {**fn.__globals__, **names}
    made = types.FunctionType(fn.__code__, held, fn.__name__, fn.__defaults__, fn.__closure__)
    return made, held


class Live:
    """A traced function that the interpreter runs over the live state, held to its guards."""

    def __init__(self, traced: Traced) -> None:
        self.traced, self.watch = traced, Watch(traced.guards)

    def __call__(self, *args: Any) -> Any:
        traced = self.traced
        self.watch.check_all()
        leaves, _ = pytree.flatten(args)
        live = {i.name: t for i, t in traced.state}
        names = [i.name for i in traced.graph.inputs if i.role == "argument"]
        live.update(zip(names, leaves, strict=True))
        traced.grads.enter()
        outs, updates = interpret(traced.graph, {n: t._array for n, t in live.items()})
        for name, array in updates.items():
            live[name]._array[...] = array
            touch(live[name])
        traced.grads.leave()
        return pytree.unflatten(traced.out_spec, iter(map(Tensor, outs)))


def outcome(liar: Liar) -> Outcome:
    """Run both twins and compare."""
    eager.manual_seed(0)
    fn, change = liar.make()
    eager.manual_seed(0)
    twin, change_twin = liar.make()
    calls = _calls(liar)
    try:
        program = Live(trace_graph(twin, _copied(calls[0])) if liar.dims is None else
                       jit.trace(twin, _copied(calls[0]), dynamic_shapes=liar.dims).traced)
    except (TraceError, OpError) as error:
        return _refused(error)
    for k, args in enumerate(calls):
        if k == 3:
            change()
            change_twin()
        start = default_generator.get_state()
        mine, its = _copied(args), _copied(args)
        wanted = fn(*mine)
        end = default_generator.get_state()
        default_generator.set_state(start)
        try:
            got = program(*its)
        except (TraceError, OpError) as error:
            return _refused(error)
        if not (_equal(got, wanted) and _equal(its, mine)
                and _equal(default_generator.get_state(), end)):
            return Outcome(WRONG, f"call {k}: wanted {wanted}, got {got}")
    return Outcome(RIGHT)


def _refused(error: Exception) -> Outcome:
    """An error is a refusal where it names a line."""
    return Outcome(REFUSED if ".py:" in str(error) else WRONG, str(error))


def _calls(liar: Liar) -> list[list[Tensor]]:
    """The example, other arguments twice, and the same once more after the change."""
    rng = np.random.default_rng(0)
    calls = []
    for k in range(4):
        grown = [tuple(n + (k % 3 if liar.dims and axis == 0 else 0)
                       for axis, n in enumerate(s)) for s in liar.shapes]
        calls.append([Tensor((rng.standard_normal(s) * 3).astype(liar.dtype)) for s in grown])
    return calls


def _copied(args: Sequence[Tensor]) -> list[Tensor]:
    return [Tensor(t._array.copy()) for t in args]


def _equal(got: Any, wanted: Any) -> bool:
    a, b = pytree.flatten(got), pytree.flatten(wanted)
    return a[1] == b[1] and all(
        x.dtype is y.dtype and tuple(x.shape) == tuple(y.shape)
        and np.allclose(x._array, y._array, 1e-5, 1e-6, equal_nan=True)
        for x, y in zip(map(_tensor, a[0]), map(_tensor, b[0]), strict=True))


def _tensor(x: Any) -> Tensor:
    return x if isinstance(x, Tensor) else Tensor(np.asarray(x))
