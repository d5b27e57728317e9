"""`jit.compile`: a function that is traced and compiled when it is called."""

from __future__ import annotations

import copy
import functools
import inspect
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eager.engine.mode import MODE
from eager.ops.errors import TraceError
from eager.ops.types import dtype_of
from jit import pytree
from jit.arguments import array_of, bind_call, dims_by_name, name_leaves, signature_of
from jit.dims import Dim
from jit.guards import BrokenGuard
from jit.program import Program, trace
from jit.pytree import Spec
from jit.samples import Shapes, dims_between
from jit.sizes import Misfit, bind_dims

#: Programs of one function, before it says why there are so many.
MAX_VARIANTS = 16
#: An int that varies is a size of the program up to here; beyond, each value has a program.
LARGEST_INT = 1 << 20
_LOG = logging.getLogger("jit")


def compile(fn: Callable[..., Any] | None = None, *, dynamic_shapes: Any = None,
            state: Sequence[Any] = (), max_variants: int = MAX_VARIANTS) -> Any:
    """A function, method or module that runs as native code; a decorator, or a call.

    The first call is traced for its exact shapes.  Where a later one has other sizes (or another
    int argument), what differs becomes dynamic in the next program, so that batches of any size
    need two.  Where a flag or global that a program relies on has changed, there is another one.
    `Compiled.reasons` and the logger ``jit`` (INFO) say why each was made.  Sizes in
    ``dynamic_shapes`` are dynamic from the start.  More than ``max_variants`` programs are a
    TraceError that says what keeps changing.
    """
    if fn is None:
        return functools.partial(compile, dynamic_shapes=dynamic_shapes, state=state,
                                 max_variants=max_variants)
    return Compiled(fn, dynamic_shapes, tuple(state), max_variants)


@dataclass(frozen=True)
class Call:
    """What a program is made for: the arguments of a call without their data.

    Ints among the parameters count as the size of an array, which they may become.
    """

    specs: tuple[tuple[str, Spec], ...]  #: structure and static values, by parameter
    types: tuple[tuple[str, int], ...]  #: dtype and number of dims of every array
    shapes: Shapes
    ints: dict[str, int]

    @staticmethod
    def of(bound: inspect.BoundArguments) -> Call:
        ints = {n: v for n, v in bound.arguments.items()
                if type(v) is int and 0 <= v <= LARGEST_INT}
        carrying = _carrying(bound, tuple(ints))
        names, leaves, _ = name_leaves(carrying)
        arrays = [array_of(x) for x in leaves]
        return Call(tuple((n, pytree.flatten(v)[1]) for n, v in carrying.arguments.items()),
                    tuple((a.dtype.str, a.ndim) for a in arrays),
                    {n: a.shape for n, a in zip(names, arrays, strict=True)}, ints)

    @property
    def form(self) -> Any:
        """What no program is general in: structure, dtypes, numbers of dims, other values."""
        return self.specs, self.types

    def otherness(self, was: Call) -> str:
        """How the form differs from another call's, in words."""
        for (name, old), (_, new) in zip(was.specs, self.specs, strict=True):
            if old != new:
                return pytree.differences(new, old, f"argument {name!r}")
        for name, old_type, new_type in zip(self.shapes, was.types, self.types, strict=True):
            if old_type != new_type:
                return f"argument {name!r} is {_type_words(new_type)}, was {_type_words(old_type)}"
        raise AssertionError("the calls have the same form")


@dataclass(frozen=True)
class Variant:
    """One program, and the int arguments that are sizes of it."""

    number: int
    call: Call  #: that it was traced for
    sizes: tuple[str, ...]
    program: Program

    def misfit(self, call: Call) -> str | None:
        """Why the program does not run a call of the same form; None if it does."""
        for name, value in self.call.ints.items():
            if name not in self.sizes and value != call.ints[name]:
                return f"argument {name!r} is {call.ints[name]}, was {value}"
        layout = self.program.layout
        try:
            bind_dims(layout.inputs, [call.shapes[p.name] for p in layout.inputs], layout.dims,
                      layout.relations)
        except Misfit as error:
            return str(error)
        return None

    def run(self, bound: inspect.BoundArguments) -> Any:
        bound = _carrying(bound, self.sizes)
        return self.program(*bound.args, **bound.kwargs)


class Compiled:
    """A function and the programs it was compiled to, called like the function."""

    def __init__(self, fn: Callable[..., Any], dynamic_shapes: Any = None,
                 state: tuple[Any, ...] = (), max_variants: int = MAX_VARIANTS) -> None:
        functools.update_wrapper(self, fn, updated=())
        self.name = getattr(fn, "__name__", type(fn).__name__)
        self.fn, self.dynamic_shapes, self.state = fn, dynamic_shapes, state
        self.max_variants = max_variants
        self.variants: list[Variant] = []
        #: Why each program after the first was made, in a sentence each.
        self.reasons: list[str] = []
        self._calls: dict[Any, list[Call]] = {}  #: those that were traced, by form
        self._last: Program | None = None  #: what ran the last call, and runs most of the next
        self._lock = threading.RLock()

    @property
    def programs(self) -> list[Program]:
        """What the function was compiled to, in order."""
        return [v.program for v in self.variants]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if MODE.get().recorder is not None:
            return self.fn(*args, **kwargs)  # part of what is being traced
        last = self._last
        if last is not None:
            try:
                return last(*args, **kwargs)
            except (Misfit, BrokenGuard):  # nothing has run
                pass
        return self._call(args, kwargs)

    def program(self, *args: Any, **kwargs: Any) -> Program:
        """The program that a call with these arguments runs; it is made if there is none."""
        return self._variant(self._bind(args, kwargs)).program

    def _call(self, args: Any, kwargs: Any) -> Any:
        bound = self._bind(args, kwargs)
        variant = self._variant(bound)
        self._last = None if variant.sizes else variant.program
        return variant.run(bound)

    def _bind(self, args: Any, kwargs: Any) -> inspect.BoundArguments:
        return bind_call(signature_of(self.fn), self.name, args, kwargs)

    # --- finding and making programs -----------------------------------------------------------
    def _variant(self, bound: inspect.BoundArguments) -> Variant:
        call = Call.of(bound)
        found = self._fitting(call)
        if found is None:
            with self._lock:
                found = self._fitting(call) or self._made(call, bound)
        return found

    def _fitting(self, call: Call) -> Variant | None:
        for variant in reversed(self.variants):
            if variant.call.form == call.form and variant.misfit(call) is None and (
                    variant.program.broken_guard() is None):
                return variant
        return None

    def _made(self, call: Call, bound: inspect.BoundArguments) -> Variant:
        """A new program, dynamic in all that has changed between calls of this form."""
        if len(self.variants) >= self.max_variants:
            raise TraceError(
                f"{self.name} has {len(self.variants)} programs (max_variants), and this call "
                f"fits none: {self._difference(call)[0]}. The last reasons: "
                f"{'; '.join(self.reasons[-3:]) or 'none'}. Declare what varies in "
                f"dynamic_shapes={{name: {{axis: jit.Dim(...)}}}}, pass values that vary as "
                f"tensors, or raise max_variants")
        before = self._calls.get(call.form, [])
        why, varies = self._difference(call)
        varying = dims_between([c.shapes for c in (*before, call)], share=False)
        try:
            variant = self._traced(call, bound, varying)
            why += ": traced with it dynamic" if varies else ""
        except TraceError as error:
            if not varying:
                raise
            variant = self._traced(call, bound, {})
            why += f": traced for it alone, since {error}"
        if self.variants:
            self.reasons.append(f"{self.name}: {why}")
            _LOG.info("%s", self.reasons[-1])
        self._calls.setdefault(call.form, []).append(call)
        self.variants.append(variant)
        return variant

    def _difference(self, call: Call) -> tuple[str, bool]:
        """How a call differs from those before, in words, and whether that can be made dynamic."""
        same = [v for v in self.variants if v.call.form == call.form]
        if same:
            last = same[-1]
            changed = list(_changes(last.call, call))
            if changed:
                return f"{' and '.join(changed)} in variant {last.number}", True
            why = last.misfit(call) or last.program.broken_guard()
            return f"{why} (variant {last.number})", False
        if not self.variants:
            return "the first call", False
        last = self.variants[-1]
        return f"{call.otherness(last.call)} in variant {last.number}", False

    def _traced(self, call: Call, bound: inspect.BoundArguments,
                varying: dict[str, dict[int, Dim]]) -> Variant:
        sizes = tuple(n for n in call.ints if n in varying)
        declared = dims_by_name(bound, self.dynamic_shapes)
        dims = {n: {**varying.get(n, {}), **declared.get(n, {})} for n in {**varying, **declared}}
        bound = _carrying(bound, sizes)
        fn, state = (_with_sizes(self.fn, sizes), (*self.state, self.fn)) if sizes else (
            self.fn, self.state)
        program = trace(fn, bound.args, bound.kwargs, dynamic_shapes=dims or None, state=state)
        return Variant(len(self.variants) + 1, call, sizes, program)

    # --- methods and modules -------------------------------------------------------------------
    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """Of a method: the compiled method of one object, kept in it."""
        if instance is None:
            return self
        bound = Compiled(self.fn.__get__(instance, owner), self.dynamic_shapes, self.state,
                         self.max_variants)
        if not hasattr(instance, "__dict__"):
            raise TraceError(f"{type(instance).__name__} has no __dict__ to keep its compiled "
                             f"{self.name} in; write jit.compile(object.{self.name})")
        instance.__dict__[self.name] = bound
        return bound

    def __getattr__(self, name: str) -> Any:
        """What a compiled module has, the module has: ``parameters()``, ``train()`` …"""
        if name in ("fn", "__wrapped__") or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.fn, name)

    def __deepcopy__(self, memo: dict[int, Any]) -> Compiled:
        return Compiled(copy.deepcopy(self.fn, memo), self.dynamic_shapes,
                        copy.deepcopy(self.state, memo), self.max_variants)

    def __repr__(self) -> str:
        return f"<Compiled {self.name}, {len(self.variants)} programs>"


# --- ints as sizes -----------------------------------------------------------------------------
_ZEROS = np.zeros(0, np.bool_)


def _carrying(bound: inspect.BoundArguments, names: Sequence[str]) -> inspect.BoundArguments:
    """The arguments with each of these ints as the size of an array, as programs take sizes."""
    if not names:
        return bound
    made = inspect.BoundArguments(bound.signature, dict(bound.arguments))
    for name in names:
        made.arguments[name] = _zeros(bound.arguments[name])
    return made


def _zeros(size: int) -> Any:
    global _ZEROS
    zeros = _ZEROS
    if size > len(zeros):
        zeros = _ZEROS = np.zeros(2 * size, np.bool_)
    return zeros[:size]


def _with_sizes(fn: Callable[..., Any], names: Sequence[str]) -> Callable[..., Any]:
    """The function, given arrays for these ints: it sees their sizes."""
    signature = signature_of(fn)

    def sized(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        for name in names:
            bound.arguments[name] = bound.arguments[name].shape[0]
        return fn(*bound.args, **bound.kwargs)

    sized.__name__ = getattr(fn, "__name__", type(fn).__name__)
    sized.__signature__ = signature  # type: ignore[attr-defined]
    return sized


def _type_words(kind: tuple[str, int]) -> str:
    return f"{dtype_of(np.dtype(kind[0])).public} of {kind[1]} dims"


def _changes(was: Call, now: Call) -> list[str]:
    """Each size and int that differs, in words."""
    found = []
    for name, shape in now.shapes.items():
        for axis, (a, b) in enumerate(zip(was.shapes[name], shape, strict=True)):
            if a != b:
                where = "" if name in now.ints else f" dim {axis}"
                found.append(f"argument {name!r}{where} is {b}, was {a}")
    return found
