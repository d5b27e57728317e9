"""Tracing: a function, run once on types, becomes a graph; everything else is left as found."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import zip_longest
from typing import Any

import numpy as np

from eager.engine.mode import MODE, mode_set
from eager.engine.stateful import Change, Reach, Stateful, reach
from eager.engine.streams import default_generator
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError, TraceError
from jit import pytree
from jit.arguments import array_of, bind, dynamic_sizes, make_inputs, name_leaves, signature_of
from jit.assumptions import Assumptions
from jit.chance import Chance
from jit.dims import SymInt
from jit.grads import Grads, zeros_as_grads
from jit.graph import Const, Graph, Input, Value, without_unread_state
from jit.guards import Guard
from jit.memory import found, left_by
from jit.onlooker import Onlooker
from jit.passes.trimming import trim_regions
from jit.pytree import Spec
from jit.reading import guards_of
from jit.recorder import Finding, Recorder, located

#: Sees nothing: a second trace runs the same code as the first.
_NOBODY = nullcontext()


@dataclass(frozen=True)
class Traced:
    """What a trace found.

    ``state`` pairs every state input of the graph with the live tensor behind it.  ``flows`` says
    of each result whether a gradient flows through it to state (None: gradients were off).
    """

    graph: Graph
    signature: inspect.Signature
    in_spec: Spec
    out_spec: Spec
    state: tuple[tuple[Input, Tensor], ...]
    findings: tuple[Finding, ...]
    examples: tuple[np.ndarray[Any, Any], ...]  #: the example arguments
    grads: Grads = field(default_factory=Grads)  #: what the function does to ``.grad``
    guards: tuple[Guard, ...] = ()  #: what of Python's it relies on
    flows: tuple[bool, ...] | None = None
    fn: Callable[..., Any] | None = None  #: the function; None: the graph was made without one
    dynamic_shapes: Any = None  #: as they were given
    named: tuple[Any, ...] = ()  #: the state that was named beside the function

    def retrace(self, fn: Callable[..., Any]) -> Traced:
        """A trace of another function on the same arguments, over the state of this one."""
        args, kwargs = pytree.unflatten(self.in_spec, map(Tensor, self.examples))
        return trace_graph(fn, args, kwargs, self.dynamic_shapes, (*self.named, self.fn),
                           check=False)


def trace_graph(fn: Callable[..., Any], args: Sequence[Any],
                kwargs: Mapping[str, Any] | None = None,
                dynamic_shapes: Mapping[str, Any] | Sequence[Any] | None = None,
                state: Sequence[Any] = (), check: bool = True) -> Traced:
    """Record ``fn(*args, **kwargs)`` without computing anything.

    ``dynamic_shapes`` maps parameter names to ``{axis: jit.Dim}`` (nested as the argument is);
    ``state`` names modules and optimisers that ``fn`` uses but that cannot be found in it.
    With ``check`` the function is run twice, the second time from what a first call leaves, so
    that a clock, a random number or a value kept from call to call is seen.
    """
    if MODE.get().recorder is not None:
        raise TraceError("a trace is already going on in this context; call the function itself")
    world = reach(fn, state)
    chance = Chance(world)
    onlooker = Onlooker(chance.streams.values())
    once = partial(_trace_once, fn, args, kwargs, dynamic_shapes, world, world.snapshot(), chance)
    run = once(onlooker)
    onlooker.check()
    if check:
        try:
            run, again = _as_called_again(once, run)
        except (OpError, TraceError) as error:
            raise TraceError(f"the function fails when it is traced a second time, so it keeps "
                             f"something from call to call{_names(run.left)}: {error}") from None
        chance.check(onlooker.draws)
        _refuse_unsteady(run, again)
    guards = guards_of(onlooker, world, run.traced.state, run.looked, run.left)
    return replace(run.traced, guards=guards, fn=fn, dynamic_shapes=dynamic_shapes,
                   named=tuple(state))


@dataclass(frozen=True)
class _Run:
    """One trace: what it found, the numbers of Python's that went into it, the tensors that Python
    looked into, and what it left changed.
    """

    traced: Traced
    numbers: list[Any]
    looked: list[tuple[Tensor, str]]
    left: tuple[Change, ...]


def _as_called_again(once: Callable[..., _Run], run: _Run) -> tuple[_Run, _Run]:
    """The trace and a second one, which finds what a call after the first one finds.

    A function that adds to what its last call left in ``.grad`` is traced so.
    """
    made = run.traced
    bare = [t for _, t in made.state if t._needs and t._node is None and t.grad is None]
    with zeros_as_grads(bare), found(run.left):
        again = once()
    read = {id(owner) for owner, _ in again.traced.grads.kept} & set(map(id, bare))
    if not read:
        return run, again
    left = [t for t in made.grads.lost if id(t) in read]
    with zeros_as_grads(left):
        run = once()
        with found(run.left):
            again = once()
    unread = tuple((t, i.name) for i, t in made.state
                   if id(t) in read and not any(t is u for u in left))
    grads = replace(run.traced.grads, absent=unread)
    return replace(run, traced=replace(run.traced, grads=grads)), again


def _trace_once(fn: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any] | None,
                dynamic_shapes: Any, world: Reach, restore: Callable[[], list[Change]],
                chance: Chance, onlooker: AbstractContextManager[Any] = _NOBODY) -> _Run:
    """A trace, from the state that is found."""
    signature = signature_of(fn)
    bound = bind(signature, args, kwargs or {})
    names, leaves, in_spec = name_leaves(bound)
    shapes, assumed = dynamic_sizes(bound, names, leaves, dynamic_shapes)
    with chance.shaken():
        return assumed.settle(lambda: _attempt(
            fn, world.stateful, restore, signature, (names, leaves, in_spec), shapes, assumed,
            onlooker))


def _attempt(fn: Callable[..., Any], stateful: Sequence[Stateful],
             restore: Callable[[], list[Change]], signature: inspect.Signature,
             arguments: tuple[list[str], list[Any], Spec], shapes: list[tuple[Any, ...]],
             assumed: Assumptions, onlooker: AbstractContextManager[Any]) -> _Run:
    """A trace under what is assumed of the sizes so far."""
    names, leaves, in_spec = arguments
    recorder = Recorder(_state_names(stateful, names))
    assumed.locate = recorder.location
    try:
        for s in stateful:
            for _, _, tensor in s.traced_state():
                recorder.remember(tensor)
        inputs, handles = make_inputs(recorder, names, leaves,
                                      [assumed.shape(s) for s in shapes])
        call = pytree.unflatten(in_spec, iter(handles))
        with mode_set(recorder=recorder):
            with onlooker, located():
                out = fn(*call[0], **call[1])
            values, out_spec = _results(recorder, out)
            flows = _flows(out)
        if recorder.refused is not None:
            raise recorder.refused
        left = left_by(recorder, restore(), assumed.example)
        grads = recorder.leave_grads()
        graph = _graph(recorder, inputs, handles, values, assumed,
                       getattr(fn, "__name__", type(fn).__name__))
    finally:
        restore()
        recorder.restore()
    findings = (*recorder.findings, *map(_changed, left))
    used = {i for i in graph.inputs if i.role != "argument"}
    held = tuple((i, t) for i, t in recorder.state.values() if i in used)
    return _Run(Traced(graph, signature, in_spec, out_spec, held, findings,
                       tuple(array_of(x) for x in leaves), grads, flows=flows),
                recorder.numbers, recorder.looked, left)


# --- state and results -------------------------------------------------------------------------
def _state_names(stateful: Sequence[Stateful], arguments: Sequence[str]
                 ) -> dict[int, tuple[str, str]]:
    """Role and unique name of every state tensor (and of its gradient), by its id."""
    found: dict[int, tuple[str, str]] = {id(default_generator.state): ("stream", "random stream")}
    taken = set(arguments)
    rows = [list(s.traced_state()) for s in stateful]
    # A module's names for its parameters come before an optimiser's numbers for them.
    rows.sort(key=lambda of_one: any(role == "optimizer" for role, _, _ in of_one))
    for role, name, tensor in (row for of_one in rows for row in of_one):
        if id(tensor) in found:
            continue
        unique, k = name, 2
        while unique in taken:
            unique, k = f"{name}#{k}", k + 1
        taken.add(unique)
        found[id(tensor)] = (role, unique)
        if tensor.grad is not None:
            found[id(tensor.grad)] = ("buffer", f"{unique}.grad")
    return found


def _changed(change: Change) -> Finding:
    return Finding("side effect", f"the function changes {change.name}; the program does not")


def _names(left: Sequence[Change]) -> str:
    return f" ({', '.join(c.name for c in left)})" if left else ""


def _results(recorder: Recorder, out: Any) -> tuple[list[Value], Spec]:
    """The values of what a function returns; a dynamic size comes back as the int of the call."""
    leaves, spec = pytree.flatten(out, sizes=True)
    made = [recorder.size(x) if isinstance(x, SymInt) else x for x in leaves]
    return [recorder.current(x) if isinstance(x, Tensor) else Const(np.array(x, order="C"))
            for x in made], spec


def _flows(out: Any) -> tuple[bool, ...] | None:
    """Which results have a history, where there is one to have."""
    if not MODE.get().grad:
        return None
    return tuple(isinstance(x, Tensor) and x._needs for x in pytree.flatten(out, sizes=True)[0])


def _graph(recorder: Recorder, inputs: list[Input], handles: Sequence[Tensor],
           values: list[Value], assumed: Assumptions, name: str) -> Graph:
    """The graph, with the state that it reads or replaces as further inputs."""
    updates = []
    for key, (made, _) in recorder.state.items():
        if recorder.values[key] is not made:
            updates.append((made, recorder.values[key]))
    for handle, made in zip(handles, inputs, strict=True):
        if recorder.values[id(handle)] is not made:  # an argument that was written in place
            updates.append((made, recorder.values[id(handle)]))
    _refuse_shared(recorder)
    state = (made for made, _ in recorder.state.values())
    return trim_regions(without_unread_state(Graph(
        (*inputs, *state), tuple(recorder.nodes), tuple(values), tuple(updates),
        tuple(assumed.dims.values()), name, tuple(assumed.relations))))


def _refuse_shared(recorder: Recorder) -> None:
    """State that is written may not share memory with other state: each would be kept apart."""
    rows = list(recorder.state.items())
    for key, (made, tensor) in rows:
        if recorder.values[key] is made:
            continue
        for other_key, (other, beside) in rows:
            if other_key != key and np.may_share_memory(tensor._array, beside._array):
                place = getattr(recorder.values[key], "location", "the function")
                raise TraceError(f"{place}: {made.name} is written in the function and shares "
                                 f"memory with {other.name}; use one of the two, or a clone() of "
                                 f"one")


def _refuse_unsteady(first: _Run, second: _Run) -> None:
    """Two traces of one function are the same, or something in it is not in its arguments."""
    differs = _difference(first.traced, second.traced) or next(
        (f"the number {a!r}, then {b!r}" for a, b in zip(first.numbers, second.numbers,
                                                         strict=False)
         if repr(a) != repr(b)), "")
    if differs and first.left:
        raise TraceError(
            f"the function does not do the same twice: {differs}; its next call reads what it "
            f"leaves changed{_names(first.left)}, and a program does not change that: keep it in "
            f"a tensor that is written in place, or pass it in and return it")
    if differs:
        raise TraceError(
            f"the function does not do the same twice: {differs}; a clock, a random number of "
            f"Python's or NumPy's, or a value kept from the last call would be baked into the "
            f"program: pass it as an argument, keep it in a tensor that is written in place, or "
            f"use eager's random functions")


def _difference(first: Traced, second: Traced) -> str:
    """The first difference of two traces, in words; empty if there is none."""
    lines = [str(t.graph).splitlines() for t in (first, second)]
    apart = [(a, b) for a, b in zip_longest(*lines, fillvalue="nothing") if a != b]
    for a, b in sorted(apart, key=lambda pair: "#" not in pair[0] + pair[1]):  # with a place first
        return f"{a.strip()}, then {b.strip()}"
    for x, y in zip(first.graph.consts, second.graph.consts, strict=True):
        if x.array.tobytes() != y.array.tobytes():
            return f"a constant {x.type} with other values"
    for (i, t), (_, u) in zip(first.state, second.state, strict=True):
        if t is not u:
            return f"another tensor for {i.name}"
    if first.out_spec != second.out_spec:
        return pytree.differences(first.out_spec, second.out_spec)
    return ""
