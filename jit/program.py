"""Program: a traced function compiled to native code, called like the function."""

from __future__ import annotations

import ctypes
import inspect
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, NoReturn

import numpy as np

from eager.engine.inplace import EPOCH, touch
from eager.engine.mode import MODE
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError, TraceError
from eager.ops.types import dtype_named
from jit import pytree
from jit.checks import bind_arguments, refuse_overlap, word_error
from jit.graph import Graph, Input
from jit.interpreter import interpret
from jit.layout import Layout, evaluate_size
from jit.lowering import Module, lower
from jit.native import abi, entry, loader
from jit.packing import PackedWeights, aligned, checked
from jit.passes import run as run_passes
from jit.passes.dce import eliminate_dead
from jit.passes.weights import hoist
from jit.pytree import Spec
from jit.recorder import Finding
from jit.tracer import Traced, trace_graph
from jit.verifier import verify

#: Calls that take longer than this let other Python threads run, in seconds.
_RELEASE_AFTER = 20e-6


def trace(fn: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any] | None = None, *,
          dynamic_shapes: Any = None, state: Sequence[Any] = ()) -> Program:
    """Trace ``fn(*args, **kwargs)`` and compile what it does.

    Nothing is computed while tracing, and parameters, buffers, optimiser state and random
    streams are left as found.  ``dynamic_shapes`` maps parameter names to ``{axis: jit.Dim}``.
    Raises TraceError where the function does what a program cannot say, with the line.
    """
    return Program(trace_graph(fn, args, kwargs, dynamic_shapes, state))


class Program:
    """Native code for one function and the shapes it was traced for.

    ``graph`` is what was traced, ``kernels`` the source of its kernels, ``report()`` what a
    reader should know.  Parameters stay live: a write to one is seen by the next call.
    """

    def __init__(self, traced: Traced, edits: Mapping[str, str] | None = None,
                 level: str | None = None) -> None:
        from jit.targets.isa import host_level

        self.traced = traced
        self.graph: Graph = traced.graph
        self.level = level or host_level()
        prepared = verify(run_passes(traced.graph, check=None))
        prologue, main = hoist(prepared)
        self._prologue, self._main = prologue, _used_inputs(eliminate_dead(main), prologue)
        self._edits = dict(edits or {})
        self._module: Module = _edited(lower(self._main), self._edits)
        self._state = {i.name: t for i, t in traced.state}
        self._running = threading.Lock()
        self._bind()
        loader.tell_of_forks(self)

    # --- what it is ----------------------------------------------------------------------------
    @property
    def layout(self) -> Layout:
        """Ports, dims, weights and memory."""
        return self._module.layout

    @property
    def in_spec(self) -> Spec:
        return self.traced.in_spec

    @property
    def out_spec(self) -> Spec:
        return self.traced.out_spec

    @property
    def graph_text(self) -> str:
        """The optimised graph as text: what the kernels compute."""
        return str(self._main)

    @cached_property
    def kernels(self) -> Any:
        """The source of every kernel and of the driver, as it is compiled."""
        from jit.report.kernels import Kernels

        return Kernels(self._module, self.level)

    def with_kernel(self, name: str, source: str) -> Program:
        """The same program with the source of one kernel (or the driver) replaced."""
        if name not in self.kernels:
            raise TraceError(f"there is no kernel {name!r}; there are {', '.join(self.kernels)}")
        return Program(self.traced, {**self._edits, name: source}, self.level)

    def report(self) -> str:
        """Everything the trace captured, guarded, wrote and drew, with its origin."""
        from jit.report.findings import report

        return report(self.traced)

    @property
    def writes(self) -> tuple[str, ...]:
        """The arguments that a call writes, by their names in `layout`."""
        return tuple(self.layout.inputs[k].name for k in self._arguments_written)

    @property
    def findings(self) -> tuple[Finding, ...]:
        return self.traced.findings

    def __repr__(self) -> str:
        ports = ", ".join(f"{p.name}: {p.dtype}[{', '.join(map(str, p.shape))}]"
                          for p in self.layout.inputs)
        return (f"<Program {self.graph.name}({ports}), {len(self._module.kernels)} kernels, "
                f"level {self.level}>")

    # --- calling -------------------------------------------------------------------------------
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the program; arguments as the traced function takes them."""
        mode = MODE.get()
        if len(args) == self._plain and not kwargs and mode.recorder is None:
            try:
                # One loop instead of two comprehensions: this is the way of every small call.
                arrays, needs = [], False
                for a in args:
                    arrays.append(a._array)
                    needs = needs or a._needs
            except AttributeError:
                return self._call_general(args, kwargs)
            if not (needs and mode.grad):
                return self._wrap(self._call(*arrays))
        return self._call_general(args, kwargs)

    def _call_general(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Any tree of arguments, in words where it does not fit."""
        if MODE.get().recorder is not None:
            raise TraceError("a compiled program is called inside a trace; call the function that "
                             "it was traced from, so that the trace sees what it does")
        leaves = self._leaves(args, kwargs)
        if MODE.get().grad:
            for port, leaf in zip(self.layout.inputs, leaves, strict=False):
                if isinstance(leaf, Tensor) and leaf._needs:
                    raise OpError(f"argument {port.name!r} requires grad, and gradients do not "
                                  f"flow through compiled programs; pass x.detach(), call it "
                                  f"under eager.no_grad(), or trace the whole training step")
        return self._wrap(self._call(*(_as_array(x) for x in leaves)))

    def _leaves(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
        try:
            bound = self.traced.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise OpError(f"{self.graph.name}{self.traced.signature}: {error}") from None
        bound.apply_defaults()
        leaves, spec = pytree.flatten((bound.args, bound.kwargs))
        if spec != self.in_spec:
            where = pytree.differences(self.in_spec, spec, "arguments")
            raise OpError(f"{self.graph.name}: the arguments have another structure than the "
                          f"example: {where}; trace again for this one")
        return leaves

    def _wrap(self, found: Any) -> Any:
        """Arrays as the function's result: tensors in the tree that it returned."""
        if self._written:
            self._count_writes()
        if self._single:
            return _tensor(found)
        arrays = found if isinstance(found, tuple) else (found,)
        return pytree.unflatten(self.out_spec, iter(map(_tensor, arrays)))

    def _count_writes(self) -> None:
        """State was written: whoever saved it for a gradient must hear of it, this program not."""
        for t in self._written:
            touch(t)
        if self._entry is not None:
            # Not EPOCH itself: another thread may have written since.
            self._entry.descriptor[entry.SEEN] += len(self._written)

    # --- binding to native code ----------------------------------------------------------------
    def _bind(self) -> None:
        from jit.compiler import shared_object

        layout = self.layout
        library = loader.load(shared_object(self._module, (self.level,)))
        self._run = library.ej_run
        self._run.restype, self._run.argtypes = ctypes.c_int32, [ctypes.c_void_p]
        self._plain = _plain_arguments(self.in_spec, self.traced.signature)
        self._single = self.out_spec.kind == "leaf"
        self._written = tuple(self._state[i.name] for i in self._module.state)
        self._arguments_written = [
            k for k, i in enumerate(i for i in self._main.inputs if i.role == "argument")
            if i in {j for j, _ in self._main.updates}]
        self._packed = PackedWeights(self._module, self._prologue, self._state)
        # The native entry keeps the address, so it is filled anew rather than replaced.
        self._pointers = abi.pointers([0] * len(self._written))
        self._arena = aligned(0)
        self._roomy: dict[str, int] = {}
        self._entry: entry.Entry | None = None
        if not self._arguments_written:
            names = [d.name for d in layout.dims]
            ports = [_entry_ports(p, names) for p in (layout.inputs, layout.outputs)]
            if ports[0] is not None and ports[1] is not None:
                self._entry = entry.make_entry(
                    loader.address(library, "ej_run"), ports[0], ports[1],
                    [(d.min, d.max) for d in layout.dims], EPOCH.ctypes.data, loader.pool(), 0,
                    self._call_checked, self._fail)
        self._call: Callable[..., Any] = (
            self._entry.call if self._entry is not None else self._call_checked)

    def refresh(self) -> None:
        """Pack the weights again, after a write that this package cannot see (``t.numpy()``)."""
        self._packed.forget()
        self._refresh()

    def _refresh(self) -> None:
        """Look at state again: weights that were written since, and where written state lies."""
        self._packed.refresh()
        self._pointers[:len(self._written)] = [
            _pointer(i, t) for i, t in zip(self._module.state, self._written, strict=True)]

    def _call_checked(self, *arrays: Any) -> Any:
        """One call by the long way: checks in words, memory that grows, errors that say where."""
        layout = self.layout
        dims = bind_arguments(layout, arrays)
        arrays = tuple(np.ascontiguousarray(a).reshape(a.shape) for a in arrays)
        if self._arguments_written:
            refuse_overlap(arrays, self._arguments_written, [p.name for p in layout.inputs])
        with self._running:
            epoch = int(EPOCH[0])
            self._refresh()
            outs = [np.empty(tuple(evaluate_size(s, dims) for s in p.shape),
                             dtype_named(p.dtype).numpy) for p in layout.outputs]
            sizes = np.array([dims[d.name] for d in layout.dims], np.int64)
            error = abi.Error(0, -1, 0)
            with self._claimed(evaluate_size(layout.arena, dims)) as arena:
                call = self._native_call(arrays, outs, sizes, arena, error)
                start = time.perf_counter()
                code = self._run(ctypes.byref(call))
                took = time.perf_counter() - start
            if code:
                self._fail(error.code or code, error.node, error.value)
            self._open(dims, took, epoch)
        return outs[0] if len(outs) == 1 else tuple(outs)

    @contextmanager
    def _claimed(self, size: int) -> Iterator[np.ndarray[Any, Any]]:
        """The arena for one call; memory of its own while a thread is inside the native entry.

        The entry takes its flag with the interpreter lock held, and between looking and taking here
        nothing is called that could give the lock away, so both are one step.
        """
        if self._entry is None:
            self._grow(size)
            yield self._arena
            return
        d = self._entry.descriptor
        if d[entry.BUSY]:
            yield aligned(size)
            return
        d[entry.BUSY] = 1
        try:
            self._grow(size)
            d[entry.ARENA], d[entry.ARENA_BYTES] = self._arena.ctypes.data, self._arena.nbytes
            yield self._arena
        finally:
            d[entry.BUSY] = 0

    def _grow(self, size: int) -> None:
        if size > self._arena.nbytes:
            self._arena = aligned(size)

    def after_fork(self) -> None:
        """In a child: a call that another thread was in is not going on here."""
        self._running = threading.Lock()
        if self._entry is not None:
            self._entry.descriptor[entry.BUSY] = 0

    def _fail(self, code: int, node: int, value: int) -> NoReturn:
        self._count_writes()  # some may have been done
        raise word_error(self.layout, code, node, value)

    def _native_call(self, arrays: Sequence[Any], outs: Sequence[Any], sizes: Any, arena: Any,
                     error: abi.Error) -> abi.Call:
        ins = abi.pointers([a.ctypes.data for a in arrays])
        results = abi.pointers([o.ctypes.data for o in outs])
        call = abi.Call(
            ctypes.sizeof(abi.Call), abi.ABI, self._packed.blob.ctypes.data,
            ctypes.addressof(self._pointers), arena.ctypes.data, arena.nbytes,
            ctypes.addressof(ins), ctypes.addressof(results), sizes.ctypes.data, None,
            loader.pool(), ctypes.addressof(error), 0)
        call.keep = (ins, results)
        return call

    def _open(self, dims: Mapping[str, int], took: float, epoch: int) -> None:
        """Let the native entry serve calls up to the dims of this one, while nothing is written."""
        if self._entry is None:
            return
        d, work = self._entry.descriptor, 1
        d[entry.WEIGHTS] = self._packed.blob.ctypes.data
        d[entry.STATE] = ctypes.addressof(self._pointers)
        for dim in self.layout.dims:
            work *= dims[dim.name]
            self._roomy[dim.name] = max(self._roomy.get(dim.name, -1), dims[dim.name])
        if evaluate_size(self.layout.arena, self._roomy) <= self._arena.nbytes:
            for k, dim in enumerate(self.layout.dims):
                d[entry.ROOMY + k] = self._roomy[dim.name]
        if took > _RELEASE_AFTER:
            d[entry.RELEASE_FROM] = min(int(d[entry.RELEASE_FROM]), work)
        d[entry.SEEN] = epoch

    # --- for a writer of artifacts -------------------------------------------------------------
    def weights(self) -> np.ndarray[Any, Any]:
        """The packed weights as bytes."""
        self._refresh()
        return self._packed.blob

    def state_arrays(self) -> dict[str, np.ndarray[Any, Any]]:
        """The state that the program writes, as it is now."""
        arrays = {i.name: checked(i, self._state[i.name]) for i in self._module.state}
        # NumPy gives a contiguous 0-d array a dim.
        return {n: np.ascontiguousarray(a).reshape(a.shape) for n, a in arrays.items()}

    def shared_object(self, target: str, levels: Sequence[str]) -> bytes:
        """A ``.so`` that stands alone, for ``x86_64-linux`` or ``aarch64-linux``."""
        from jit.compiler import shared_object

        chosen = tuple(levels) if target == "x86_64-linux" else ("aarch64",)
        return shared_object(self._module, chosen, runtime=True)

    @property
    def example(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The example's arguments, and what the optimised graph gives for them."""
        names = [p.name for p in self.layout.inputs]
        inputs = dict(zip(names, self.traced.examples, strict=True))
        known = {**inputs, **{n: t._array for n, t in self._state.items()}}
        outputs, _ = interpret(self.graph, {i.name: known[i.name] for i in self.graph.inputs})
        return inputs, dict(zip((p.name for p in self.layout.outputs), outputs, strict=True))


# --- pieces ------------------------------------------------------------------------------------
def _tensor(array: Any) -> Tensor:
    t = Tensor.__new__(Tensor)
    t._array = array
    t._node = t._storage = t._view = t.grad = None
    t._needs = False
    return t


def _as_array(x: Any) -> Any:
    return x._array if isinstance(x, Tensor) else x


def _pointer(port: Input, t: Tensor) -> int:
    array = checked(port, t)
    if not array.flags.c_contiguous or not array.flags.writeable:
        raise OpError(f"state {t.spec} that a program writes must be contiguous and writable; "
                      f"replace it by t.contiguous()")
    return int(array.ctypes.data)


def _plain_arguments(spec: Spec, signature: inspect.Signature) -> int:
    """How many positional tensors a call has, where that is all it has; else -1."""
    positional, keywords = spec.children
    if keywords.children or any(c.kind != "leaf" for c in positional.children):
        return -1
    return len(positional.children)


def _entry_ports(ports: Sequence[Any], dims: list[str]) -> list[entry.EntryPort] | None:
    found = []
    for p in ports:
        shape = []
        for s in p.shape:
            if isinstance(s, list):
                return None  # a size that is computed: the long way
            shape.append(s if isinstance(s, int) else -1 - dims.index(s))
        found.append(entry.EntryPort(dtype_named(p.dtype).numpy, tuple(shape)))
    return found


def _used_inputs(main: Graph, prologue: Graph) -> Graph:
    """The graph without state that only the prologue reads; its results stay last."""
    from dataclasses import replace

    used = {a for n in main.nodes for a in n.args} | set(main.results) | {
        i for i, _ in main.updates}
    folded = main.inputs[len(main.inputs) - len(prologue.outputs):] if prologue.outputs else ()
    return replace(main, inputs=tuple(
        i for i in main.inputs if i.role == "argument" or i in used or i in folded))


def _edited(module: Module, edits: Mapping[str, str]) -> Module:
    from dataclasses import replace

    kernels = tuple(replace(k, source=edits.get(k.name, k.source)) for k in module.kernels)
    return replace(module, kernels=kernels, driver=edits.get("ej_program", module.driver))


