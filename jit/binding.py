"""A lowered module bound to native code, to the live tensors it works on, and to its memory."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, NoReturn

import numpy as np

from eager.engine.inplace import EPOCH, touch
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError
from eager.ops.types import dtype_named
from jit.checks import bind_arguments, check_written, word_error
from jit.graph import Graph, Input
from jit.layout import Layout, Port, evaluate_size
from jit.lowering import Module
from jit.native import abi, entry, loader
from jit.packing import PackedWeights, aligned, checked
from jit.sizes import implied

#: Calls that take longer than this let other Python threads run, in seconds.
_RELEASE_AFTER = 20e-6


class Binding:
    """Native code over live state.

    ``call`` takes arrays in the order of the layout's inputs and gives an array, or a tuple of
    several: the native entry while nothing was written since the last call, else the long way,
    which looks at state again and first calls ``check``.  ``prologue`` computes what is folded
    from weights.
    """

    def __init__(self, module: Module, prologue: Graph, state: Mapping[str, Tensor],
                 level: str, check: Callable[[], None] | None = None) -> None:
        from jit.compiler import shared_object

        self._check = check
        self.module, self.level = module, level
        self.written = tuple(state[i.name] for i in module.state)
        arguments = [i for i in module.graph.inputs if i.role == "argument"]
        updated = {i for i, _ in module.graph.updates}
        self.arguments_written = [k for k, i in enumerate(arguments) if i in updated]
        self.library = loader.load(shared_object(module, (level,)))
        self._run = self.library.ej_run
        self._run.restype, self._run.argtypes = ctypes.c_int32, [ctypes.c_void_p]
        self._running = threading.Lock()
        self._packed = PackedWeights(module, prologue, state)
        # The native entry keeps the address, so it is filled anew rather than replaced.
        self._pointers = abi.pointers([0] * len(self.written))
        self._arena = aligned(0)
        self._roomy: dict[str, int] = {}
        self.entry = self._make_entry()
        self.call: Callable[..., Any] = (
            self.entry.call if self.entry is not None else self._call_checked)
        loader.tell_of_forks(self)

    @property
    def layout(self) -> Layout:
        """Ports, dims, weights and memory."""
        return self.module.layout

    @cached_property
    def kernels(self) -> Any:
        """The source of every kernel and of the driver, as it is compiled."""
        from jit.report.kernels import Kernels

        return Kernels(self.module, self.level)

    def _make_entry(self) -> entry.Entry | None:
        """The native entry, where arguments are only read and ranges of plain sizes say all."""
        names = [d.name for d in self.layout.dims]
        inputs, outputs = (_entry_ports(p, names) for p in (self.layout.inputs,
                                                            self.layout.outputs))
        if self.arguments_written or inputs is None or outputs is None or not all(
                implied(r, self.layout.dims) for r in self.layout.relations):
            return None
        return entry.make_entry(
            loader.address(self.library, "ej_run"), inputs, outputs,
            [(d.min, d.max) for d in self.layout.dims], EPOCH.ctypes.data, loader.pool(), 0,
            self._call_checked, self._fail)

    # --- live state ----------------------------------------------------------------------------
    def repack(self) -> None:
        """Pack the weights again, after a write that this package cannot see (``t.numpy()``)."""
        self._packed.forget()
        self.refresh()

    def refresh(self) -> None:
        """Look at state again: weights that were written since, and where written state lies."""
        if self._check is not None:
            self._check()
        self._packed.refresh()
        self._pointers[:len(self.written)] = [
            _pointer(i, t) for i, t in zip(self.module.state, self.written, strict=True)]

    def count_writes(self) -> None:
        """State was written: whoever saved it for a gradient must hear of it, this code not."""
        for t in self.written:
            touch(t)
        if self.entry is not None:
            # Not EPOCH itself: another thread may have written since.
            self.entry.descriptor[entry.SEEN] += len(self.written)

    def weights(self) -> np.ndarray[Any, Any]:
        """The packed weights as bytes."""
        self.refresh()
        return self._packed.blob

    # --- the long way --------------------------------------------------------------------------
    def _call_checked(self, *arrays: Any) -> Any:
        """One call by the long way: checks in words, memory that grows, errors that say where."""
        layout = self.layout
        dims = bind_arguments(layout, arrays)
        if self.arguments_written:
            check_written(arrays, self.arguments_written, [p.name for p in layout.inputs])
        arrays = tuple(np.ascontiguousarray(a).reshape(a.shape) for a in arrays)
        with self._running:
            epoch = int(EPOCH[0])
            self.refresh()
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
        if self.entry is None:
            self._grow(size)
            yield self._arena
            return
        d = self.entry.descriptor
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
        if self.entry is not None:
            self.entry.descriptor[entry.BUSY] = 0

    def _fail(self, code: int, node: int, value: int) -> NoReturn:
        self.count_writes()  # some may have been done
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
        if self.entry is None:
            return
        d, work = self.entry.descriptor, 1
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


# --- pieces ------------------------------------------------------------------------------------
def _pointer(port: Input, t: Tensor) -> int:
    array = checked(port, t)
    if not array.flags.c_contiguous or not array.flags.writeable:
        raise OpError(f"state {t.spec} that a program writes must be contiguous and writable; "
                      f"replace it by t.contiguous()")
    return int(array.ctypes.data)


def _entry_ports(ports: Sequence[Port], dims: list[str]) -> list[entry.EntryPort] | None:
    found = []
    for p in ports:
        shape = []
        for s in p.shape:
            if isinstance(s, list):
                return None  # a size that is computed: the long way
            shape.append(s if isinstance(s, int) else -1 - dims.index(s))
        found.append(entry.EntryPort(dtype_named(p.dtype).numpy, tuple(shape)))
    return found
