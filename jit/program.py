"""Program: a traced function compiled to native code, called like the function."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from eager.engine.inplace import touch
from eager.engine.mode import MODE
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError, TraceError
from jit import pytree
from jit.arguments import bind_call
from jit.binding import Binding
from jit.gradients import Gradient
from jit.graph import Graph
from jit.guards import Watch
from jit.interpreter import interpret
from jit.layout import Layout
from jit.lowering import lower
from jit.packing import checked
from jit.passes import PIPELINE, prepare
from jit.passes.regions import Pass
from jit.passes.weights import split
from jit.pytree import Spec
from jit.recorder import Finding
from jit.samples import infer_dims
from jit.sizes import Misfit
from jit.taping import Taping, data_of, tensor_of
from jit.tracer import Traced, trace_graph


def trace(fn: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any] | None = None, *,
          dynamic_shapes: Any = None, state: Sequence[Any] = (),
          examples: Sequence[Sequence[Any]] = (), check: bool | Literal["full"] = True) -> Program:
    """Trace ``fn(*args, **kwargs)`` and compile what it does.

    Nothing is computed while tracing, and parameters, buffers, optimiser state and random
    streams are left as found.  ``dynamic_shapes`` maps parameter names to ``{axis: jit.Dim}``; or
    ``examples`` are more tuples of arguments, and every size that differs among them is dynamic.
    The function is traced twice, and both have to be the same; with ``check="full"`` it is also
    run beside the graph, at the example and at other sizes (always where a dynamic dim is 0 or 1
    in the example); ``check=False`` trusts it.
    Raises TraceError where the function does what a program cannot say, with the line.
    """
    if examples:
        if dynamic_shapes is not None:
            raise TraceError("give dynamic_shapes, or examples that show them, not both")
        dynamic_shapes = infer_dims(fn, (args, *examples), kwargs or {})
    program = Program(trace_graph(fn, args, kwargs, dynamic_shapes, state, bool(check)))
    if check:
        from jit.agreement import check_agreement, needs_second_shape

        if check == "full" or needs_second_shape(program):
            check_agreement(program, fn, args, kwargs or {})
    return program


class Program:
    """Native code for one function and the shapes it was traced for.

    ``graph`` is what was traced, ``kernels`` the source of its kernels, ``report()`` what a
    reader should know.  Parameters stay live: a write to one is seen by the next call.  In grad
    mode results have history, as the function's would; `gradient` is what runs back.
    """

    def __init__(self, traced: Traced, edits: Mapping[str, str] | None = None,
                 level: str | None = None, passes: Sequence[Pass] = PIPELINE) -> None:
        from jit.targets.isa import host_level

        self.traced = traced
        self.graph: Graph = traced.graph
        self.level = level or host_level()
        self.passes = tuple(passes)
        prologue, self._main = split(prepare(traced.graph, self.passes))
        self.edits = dict(edits or {})
        self._state = {i.name: t for i, t in traced.state}
        self._watch = Watch(traced.guards)
        self._binding = Binding(lower(self._main).edited(self.edits), prologue, self._state,
                                self.level, self._watch.check_all)
        self._call = self._watch.before(traced.grads.around(self._binding.call))
        self._taping = None if traced.fn is None or edits else Taping(
            traced, self.level, self._run, self._watch)
        self._learns = self._taping is not None and self._taping.learns
        #: How many tensors a call has that needs no more than their arrays; else -1.
        self._plain = -1 if self.writes else _plain_arguments(self.in_spec)
        self._single = self.out_spec.kind == "leaf"
        folder = os.environ.get("EAGER_JIT_DUMP")
        if folder:
            from jit.report.dump import dump

            dump(self, folder)

    # --- what it is ----------------------------------------------------------------------------
    @property
    def layout(self) -> Layout:
        """Ports, dims, weights and memory."""
        return self._binding.layout

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

    @property
    def kernels(self) -> Any:
        """The source of every kernel and of the driver, as it is compiled."""
        return self._binding.kernels

    def with_kernel(self, name: str, source: str) -> Program:
        """The same program with the source of one kernel (or the driver) replaced."""
        if name not in self.kernels:
            raise TraceError(f"there is no kernel {name!r}; there are {', '.join(self.kernels)}")
        return Program(self.traced, {**self.edits, name: source}, self.level, self.passes)

    def report(self) -> str:
        """Everything the trace captured, guarded, wrote and drew, with its origin."""
        from jit.report.findings import report

        return report(self.traced)

    def explain(self) -> str:
        """What each pass did, which nodes share a kernel and why not more, and what it costs."""
        from jit.report.explanation import explanation

        return explanation(self._binding.module, self.history)

    @property
    def code(self) -> Any:
        """The traced graph as Python that runs: text, and a function made of it."""
        from jit.report.source import code_of

        return code_of(self.graph)

    @property
    def history(self) -> Any:
        """What each pass made of the graph: names, nodes before and after, differences."""
        from jit.report.changes import changes_of

        return changes_of(self.graph, self.passes)

    def broken_guard(self) -> str | None:
        """The first value of Python's that the program relies on and that has changed since the
        trace, in a sentence; a call is refused for it.  None where all hold.
        """
        return self._watch.broken()

    def gradient(self, *arguments: str) -> Gradient:
        """The gradient for these arguments, and for live tensors that require grad, compiled.

        Calls use it by themselves.  ``graph`` and ``kernels`` are what runs back.  Raises
        TraceError or OpError where the function has none.
        """
        names = [i.name for i in self.graph.inputs if i.role == "argument"]
        unknown = [a for a in arguments if a not in names]
        if unknown or self._taping is None:
            raise OpError(f"there is no argument {unknown[0]!r}; there are {', '.join(names)}"
                          if unknown else _NO_GRADIENT)
        return self._taping.gradient(tuple(sorted(map(names.index, arguments))))

    @property
    def writes(self) -> tuple[str, ...]:
        """The arguments that a call writes, by their names in `layout`."""
        return tuple(self.layout.inputs[k].name for k in self._binding.arguments_written)

    @property
    def findings(self) -> tuple[Finding, ...]:
        return self.traced.findings

    def __repr__(self) -> str:
        ports = ", ".join(f"{p.name}: {p.dtype}[{', '.join(map(str, p.shape))}]"
                          for p in self.layout.inputs)
        return (f"<Program {self.graph.name}({ports}), {len(self.kernels) - 1} kernels, "
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
            if not (mode.grad and (needs or self._learns)):
                return self._wrap(self._call(*arrays), mode.storage)
            return self._tree(self._recorded(args, arrays))
        return self._call_general(args, kwargs)

    def _call_general(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Any tree of arguments, in words where it does not fit."""
        mode = MODE.get()
        if mode.recorder is not None:
            return self._inlined(args, kwargs)
        leaves = self.leaves(args, kwargs)
        arrays = list(map(data_of, leaves))
        try:
            if mode.grad and (self._learns or any(getattr(x, "_needs", False) for x in leaves)):
                return self._tree(self._recorded(leaves, arrays))
            return self._wrap(self._call(*arrays), mode.storage)
        finally:  # after an error too: some may have been written
            for k in self._binding.arguments_written:
                if isinstance(leaves[k], Tensor):
                    touch(leaves[k], self.graph.name)

    def _recorded(self, leaves: Sequence[Any], arrays: Sequence[Any]) -> list[Tensor]:
        """The results of a call that goes on the tape."""
        if self._taping is None:
            raise OpError(_NO_GRADIENT)
        return self._taping.call(leaves, arrays)

    def _inlined(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """The program inside of another trace: its function is traced there."""
        if self.traced.fn is None or self.edits:
            raise TraceError("a program made of a graph, frozen, or with a kernel replaced is "
                             "called inside a trace, which needs the function; call that itself")
        return self.traced.fn(*args, **kwargs)

    def leaves(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
        """The arrays among the arguments of a call; Misfit where they are another tree."""
        bound = bind_call(self.traced.signature, self.graph.name, args, kwargs)
        leaves, spec = pytree.flatten((bound.args, bound.kwargs))
        if spec != self.in_spec:
            where = pytree.differences(self.in_spec, spec, "arguments")
            raise Misfit(f"{self.graph.name}: the arguments have another structure than the "
                          f"example: {where}; trace again for this one")
        return leaves

    def _run(self, arrays: Sequence[Any]) -> tuple[Any, ...]:
        """One call on arrays."""
        found = self._call(*arrays)
        if self._binding.written:
            self._binding.count_writes()
        return found if isinstance(found, tuple) else (found,)

    def _wrap(self, found: Any, storage: Any) -> Any:
        """Arrays as the function's result: tensors in the tree that it returned."""
        if self._binding.written:
            self._binding.count_writes()
        if self._single:
            return tensor_of(found, storage)
        arrays = found if isinstance(found, tuple) else (found,)
        return self._tree([tensor_of(a, storage) for a in arrays])

    def _tree(self, tensors: Sequence[Tensor]) -> Any:
        return tensors[0] if self._single else pytree.unflatten(self.out_spec, iter(tensors))

    def refresh(self) -> None:
        """Pack the weights again, after a write that this package cannot see (``t.numpy()``)."""
        self._binding.repack()

    # --- for a writer of artifacts -------------------------------------------------------------
    def weights(self) -> np.ndarray[Any, Any]:
        """The packed weights as bytes."""
        return self._binding.weights()

    def state_arrays(self) -> dict[str, np.ndarray[Any, Any]]:
        """The state that the program writes, as it is now."""
        arrays = {i.name: checked(i, self._state[i.name]) for i in self._binding.module.state}
        # NumPy gives a contiguous 0-d array a dim.
        return {n: np.ascontiguousarray(a).reshape(a.shape) for n, a in arrays.items()}

    def shared_object(self, target: str, levels: Sequence[str]) -> bytes:
        """A ``.so`` that stands alone, for ``x86_64-linux`` or ``aarch64-linux``."""
        from jit.compiler import shared_object

        chosen = tuple(levels) if target == "x86_64-linux" else ("aarch64",)
        return shared_object(self._binding.module, chosen, runtime=True)

    @property
    def example(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The example's arguments, and what the optimised graph gives for them."""
        names = [p.name for p in self.layout.inputs]
        inputs = dict(zip(names, self.traced.examples, strict=True))
        known = {**inputs, **{n: t._array for n, t in self._state.items()}}
        outputs, _ = interpret(self.graph, {i.name: known[i.name] for i in self.graph.inputs})
        return inputs, dict(zip((p.name for p in self.layout.outputs), outputs, strict=True))


_NO_GRADIENT = ("a program that was made of a graph, frozen, or has a kernel replaced has no "
                "gradient; call it under eager.no_grad(), or trace the function")


# --- pieces ------------------------------------------------------------------------------------
def _plain_arguments(spec: Spec) -> int:
    """How many positional tensors a call has, where that is all it has; else -1."""
    positional, keywords = spec.children
    if keywords.children or any(c.kind != "leaf" for c in positional.children):
        return -1
    return len(positional.children)
