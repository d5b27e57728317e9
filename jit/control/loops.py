"""`scan`, `map` and `while_loop`: a function round after round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from eager.engine.tensor import TAPED, Tensor
from eager.ops.errors import TraceError
from eager.ops.types import scalar_dtype
from jit import pytree
from jit.control.repeats import Repeat
from jit.control.scans import LoopBody, Scan
from jit.dims import same_size, same_type
from jit.pytree import LEAF, Spec
from jit.recorder import Recorder, recorder_here


def scan(f: Callable[[Any, Any], tuple[Any, Any]], init: Any, xs: Any = None, *,
         length: Any = None, reverse: bool = False) -> tuple[Any, Any]:
    """``carry, y = f(carry, x)`` for each ``x`` along the first dim of the tensors of ``xs``.

    Gives the last carry and the ``y`` stacked along a new first dim, which for ``reverse`` are
    computed from the last ``x`` to the first and stand at their places.  ``init``, ``xs`` and
    ``y`` are trees of tensors; numbers in ``init`` and ``y`` are tensors of no dims.  Every carry
    keeps its dtype and shape.  ``length`` is needed where ``xs`` has no tensors.  In a trace the
    loop is one node, over a dynamic length too; state that ``f`` writes is carried along.
    Raises TraceError where a carry changes its type, or lengths differ.
    """
    carry, carry_spec = _open(init)
    items, item_spec = _open(xs)
    size = _length(items, item_spec, length)
    step = _Step(f, carry_spec, item_spec)
    recorder = recorder_here()
    if recorder is None:
        last, ys = _scan_eagerly(step, carry, items, size, reverse)
    else:
        made, stacks = Scan(recorder, step, carry, items, size, reverse).build()
        last, ys = list(made), list(stacks)
    assert step.kept is not None
    return pytree.unflatten(carry_spec, iter(last)), pytree.unflatten(step.kept, iter(ys))


def map(f: Callable[[Any], Any], xs: Any) -> Any:
    """``f(x)`` for each ``x`` along the first dim of the tensors of ``xs``, stacked.

    One after the other, as `scan` does; `eager.func.vmap` does all at once.
    """
    return scan(lambda _, x: (None, f(x)), None, xs)[1]


def while_loop(cond_fn: Callable[[Any], Any], body_fn: Callable[[Any], Any], init: Any, *,
               max_steps: int | None = None) -> Any:
    """``carry = body_fn(carry)`` from ``init`` on, as long as ``cond_fn(carry)`` holds.

    ``cond_fn`` gives a bool of no dims and writes nothing.  Carries are a tree of tensors
    (numbers become tensors of no dims) of which each keeps its dtype and shape.  With
    ``max_steps`` there are at most as many rounds; in a trace gradients flow back only then.
    Raises TraceError where a carry changes its type.
    """
    if max_steps is not None and (type(max_steps) is not int or max_steps < 0):
        raise TraceError(f"while_loop: max_steps is a number of rounds, got {max_steps!r}")
    carry, spec = _open(init)
    step = _Step(lambda c, _: (body_fn(c), None), spec, Spec("static"), "while_loop")
    recorder = recorder_here()
    if recorder is not None:
        made = Repeat(recorder, lambda c: cond_fn(pytree.unflatten(spec, iter(c))),
                      lambda c: step(c, [])[0], carry, max_steps).build()
        return pytree.unflatten(spec, iter(made))
    rounds = 0
    while (max_steps is None or rounds < max_steps) and bool(
            cond_fn(pytree.unflatten(spec, iter(carry)))):
        carry, rounds = step(carry, [])[0], rounds + 1
    return pytree.unflatten(spec, iter(_own(carry)))


# --- trees -------------------------------------------------------------------------------------
def _open(tree: Any) -> tuple[list[Tensor], Spec]:
    """The tensors of a tree, numbers among them, and its shape."""
    leaves, spec = pytree.flatten(tree)
    rest, found = iter(leaves), []

    def visit(s: Spec) -> Spec:
        if s.kind == "leaf":
            x = next(rest)
            found.append(x if isinstance(x, Tensor) else Tensor(np.asarray(x)))
            return s
        if s.kind == "static" and isinstance(s.value, (bool, int, float)):
            found.append(TAPED.full(shape=(), value=s.value, dtype=scalar_dtype(s.value)))
            return LEAF
        return replace(s, children=tuple([visit(c) for c in s.children]))

    opened = visit(spec)
    return found, opened


class _Step:
    """The user's function on flat lists; remembers the tree of what it keeps of a step."""

    def __init__(self, f: Callable[[Any, Any], Any], carry: Spec, items: Spec,
                 what: str = "scan") -> None:
        self.f, self.carry, self.items, self.what = f, carry, items, what
        self.kept: Spec | None = None

    def __call__(self, carry: list[Tensor], items: list[Tensor]
                 ) -> tuple[list[Tensor], list[Tensor]]:
        given = self.f(pytree.unflatten(self.carry, iter(carry)),
                       pytree.unflatten(self.items, iter(items)))
        if not isinstance(given, tuple) or len(given) != 2:
            raise TraceError(f"{_here()}the function of {self.what} returns (carry, y), got "
                             f"{type(given).__name__}")
        new, spec = _open(given[0])
        if spec != self.carry:
            raise TraceError(f"{_here()}the body of {self.what} returns a carry of another "
                             f"structure: {pytree.differences(self.carry, spec, 'carry')}")
        for path, a, b in zip(pytree.paths(spec, "carry"), carry, new, strict=True):
            if not same_type(a.spec, b.spec):
                raise TraceError(f"{_here()}the body of {self.what} makes {path} {b.spec}, and it "
                                 f"begins as {a.spec}; a carry keeps its dtype and shape")
        kept, self.kept = _open(given[1])
        return new, kept


def _here() -> str:
    return f"{(recorder_here() or Recorder({})).location()}: "


def _length(items: Sequence[Tensor], spec: Spec, length: Any) -> Any:
    """The number of steps: the first size of every stack."""
    for path, t in zip(pytree.paths(spec, "xs"), items, strict=True):
        if not t.ndim:
            raise TraceError(f"{_here()}scan goes along the first dim of each tensor of xs, and "
                             f"{path} has none")
        if length is None:
            length = t.shape[0]
        elif not same_size(length, t.shape[0]):
            raise TraceError(f"{_here()}scan: {path} is {t.spec}, of which the first size is not "
                             f"the number of steps, {length}")
    if length is None:
        raise TraceError(f"{_here()}scan: xs holds no tensor, so length= has to say how many "
                         f"steps there are")
    return length


# --- without a trace ---------------------------------------------------------------------------
def _scan_eagerly(step: _Step, carry: list[Tensor], items: list[Tensor], length: int,
                  reverse: bool) -> tuple[list[Tensor], list[Tensor]]:
    kept: list[list[Tensor]] = []
    for t in reversed(range(length)) if reverse else range(length):
        carry, ys = step(carry, [x[t] for x in items])
        kept.append(ys)
    last = _own(carry)
    if not kept:
        return last, _nothing(step, carry, items)
    if reverse:
        kept.reverse()
    return last, [TAPED.concat(*(TAPED.reshape(y, shape=(1, *y.shape)) for y in column), dim=0)
                   for column in zip(*kept, strict=True)]


def _own(carry: Sequence[Tensor]) -> list[Tensor]:
    """Tensors of their own, as a trace has them: neither an item that was kept nor a beginning."""
    return [TAPED.clone(t) for t in carry]


def _nothing(step: _Step, carry: list[Tensor], items: list[Tensor]) -> list[Tensor]:
    """What no step keeps: the function is recorded, not run, for the types alone."""
    recorder = Recorder({})
    try:
        region = LoopBody(recorder, "scan", carry, items).record(step, False)
    finally:
        recorder.restore()
    return [Tensor(np.zeros((0, *v.type.shape), v.type.dtype.numpy))
            for v in region.values[len(carry):]]
