"""Whether a graph does what its function does: at the example, and at other sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from eager.engine.tensor import Tensor
from eager.ops.errors import OpError, TraceError
from jit import pytree
from jit.arguments import array_of
from jit.bisection import first_apart
from jit.dims import evaluate
from jit.graph import Graph
from jit.interpreter import dims_of
from jit.program import Program

#: Sizes that are tried for a dim, besides those next to the example's.
_SIZES = (2, 3, 4, 6, 8)
#: How many sets of sizes are tried until one fulfils all relations.
_TRIES = 500


def check_agreement(program: Program, fn: Callable[..., Any], args: Sequence[Any],
                    kwargs: Mapping[str, Any]) -> None:
    """Run the function eagerly beside the interpreted graph: at the example, and at a second set
    of sizes where there are dynamic ones.

    Raises TraceError that names the first op in which they part, and the line.  State and random
    streams are left as found.
    """
    leaves = program.leaves(args, kwargs)
    for where, arrays in (("the example", leaves), *_resized(program.graph, leaves)):
        call = pytree.unflatten(program.in_spec, iter(arrays))
        try:
            verdict = first_apart(program, fn, call[0], call[1])
        except OpError:  # the function itself refuses these sizes: there is nothing to compare
            continue
        if verdict is not None:
            raise TraceError(f"at {where} the traced graph is not what the function computes: "
                             f"{verdict}")


def needs_second_shape(program: Program) -> bool:
    """Whether a dynamic dim is 0 or 1 in the example, where much looks the same that is not."""
    return any(size <= 1 for size in _example_sizes(program.graph, program.traced.examples)
               .values())


def _example_sizes(graph: Graph, examples: Sequence[Any]) -> dict[str, int]:
    given = {i: np.asarray(a) for i, a in zip(graph.inputs, examples, strict=False)}
    return dims_of(graph, given)


def _resized(graph: Graph, leaves: Sequence[Any]) -> Iterator[tuple[str, list[Any]]]:
    """The arguments with other sizes in all dynamic dims, their data repeated or cut."""
    arrays = list(map(array_of, leaves))
    for sizes in _other_sizes(graph, _example_sizes(graph, arrays)):
        shapes = [tuple(evaluate(s, sizes) for s in i.type.shape)
                  for i, _ in zip(graph.inputs, arrays, strict=False)]
        yield (", ".join(f"{name} = {size}" for name, size in sizes.items()),
               [Tensor(np.resize(a, shape)) for a, shape in zip(arrays, shapes, strict=True)])
        return


def _other_sizes(graph: Graph, example: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """Sizes of the dims, none of which is the example's, that all relations allow."""
    choices = []
    for k, d in enumerate(graph.dims):
        near = (*_SIZES[k % 3:], example[d.name] + 1, example[d.name] * 2, example[d.name] - 1)
        choices.append([s for s in dict.fromkeys(near)
                        if d.min <= s <= d.max and s != example[d.name]])
    for tried, sizes in enumerate(product(*choices)):
        values = dict(zip((d.name for d in graph.dims), sizes, strict=True))
        if tried == _TRIES:
            return
        if values and all(r.holds(values) for r in graph.relations if not r.defines(graph.dims)):
            yield values
