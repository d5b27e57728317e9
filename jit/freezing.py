"""Programs for inference alone: what the model holds becomes part of the program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from eager.ops.errors import TraceError
from jit.graph import Const, Graph, Input, Node, Value
from jit.interpreter import interpret
from jit.passes import PIPELINE, run
from jit.passes.folding import fold_views
from jit.passes.projection import project
from jit.passes.weights import leaves_of, split, substitute
from jit.program import Program
from jit.recorder import Finding
from jit.tracer import Traced, trace_graph


def freeze(program: Program) -> Program:
    """The program with parameters and buffers as constants: later writes to them are not seen,
    nor is anything else of the model that is changed later.

    What depends on them alone is computed now: eval batch norm vanishes into the convolution or
    the linear layer beside it, scales and shifts into weights.  Results differ by rounding.
    Gradients do not flow through it.  Raises TraceError where the program writes state or draws
    random numbers.
    """
    return Program(frozen(program.traced), level=program.level, passes=program.passes)


def optimize_for_inference(model: Any, args: Sequence[Any] = (),
                           kwargs: Mapping[str, Any] | None = None, **settings: Any) -> Program:
    """A frozen program that also computes convolutions of one pixel as matrix products.

    ``model`` is a program, or what `trace` takes with ``args``, ``kwargs`` and its ``settings``.
    Convolutions of 1 x 1 read the image as it lies instead of copying patches of it.  Raises
    TraceError as `freeze` does.
    """
    traced = model.traced if isinstance(model, Program) else trace_graph(
        model, args, kwargs, **settings)
    level = model.level if isinstance(model, Program) else None
    return Program(frozen(traced), level=level, passes=(project, *PIPELINE))


def frozen(traced: Traced) -> Traced:
    """The same trace without state, and with a graph in which constants are folded."""
    _refuse_writes(traced.graph)
    graph = run(_without(traced.graph, {i: Const(t._array.copy(), i.name)
                                        for i, t in traced.state}))
    prologue, main = split(graph)
    values, _ = interpret(prologue, {})
    folded = main.inputs[len(main.inputs) - len(values):]
    graph = _without(main, {i: Const(array, _origin(v)) for i, v, array in zip(
        folded, prologue.outputs, values, strict=True)})
    found = [Finding("frozen", f"{i.role} {i.name}: {i.type}") for i, _ in traced.state]
    # Without the function: what it does is no longer what the program does.
    return replace(traced, graph=fold_views(graph), state=(), guards=(), fn=None,
                   findings=(*traced.findings, *found))


def _without(graph: Graph, held: Mapping[Value, Value]) -> Graph:
    """The graph with inputs replaced by constants."""
    made = substitute(graph, dict(held))
    return replace(made, inputs=tuple(i for i in graph.inputs if i not in held))


def _origin(value: Value) -> str:
    """The first name among what a value was made of."""
    names = (leaf.name for leaf in leaves_of(value) if isinstance(leaf, (Const, Input)))
    return next(filter(None, names), "")


def _refuse_writes(graph: Graph) -> None:
    for target, value in graph.updates:
        if target.role == "argument":
            continue
        place = f" (at {value.location})" if isinstance(value, Node) else ""
        what = ("draws random numbers" if target.role == "stream"
                else f"writes the {target.role} {target.name}")
        raise TraceError(f"the program {what}{place}, and a frozen program has no state; call "
                         f"eval() on the model before it is traced, or trace what does not write")
