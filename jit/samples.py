"""Dims found in calls: a size that differs between two of them varies."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from eager.ops.errors import TraceError
from jit.arguments import array_of, bind, name_leaves, signature_of
from jit.dims import Dim

#: The shape of every array among the arguments of one call, by name.
Shapes = Mapping[str, tuple[int, ...]]


def infer_dims(fn: Any, calls: Sequence[Sequence[Any]], kwargs: Mapping[str, Any]
               ) -> dict[str, dict[int, Dim]]:
    """The ``dynamic_shapes`` of ``fn`` by which all calls have the same types.

    ``calls`` are tuples of example arguments.  Sizes that are equal in every call share a Dim;
    what else the function needs of them (``m == n + 1``) the trace finds.
    """
    signature = signature_of(fn)
    samples: list[Shapes] = []
    for args in calls:
        names, leaves, spec = name_leaves(bind(signature, args, kwargs))
        shapes = {n: array_of(x).shape for n, x in zip(names, leaves, strict=True)}
        if not samples:
            first = spec
        elif spec != first or [len(s) for s in shapes.values()] != [
                len(s) for s in samples[0].values()]:
            raise TraceError("the examples differ in more than sizes: give them the same structure "
                             "and numbers of dims, or trace a program for each")
        samples.append(shapes)
    return dims_between(samples, share=True)


def dims_between(samples: Sequence[Shapes], share: bool) -> dict[str, dict[int, Dim]]:
    """A Dim for every axis whose size is not the same in all samples.

    With ``share``, axes that always have the same size have one Dim.
    """
    found: dict[str, dict[int, Dim]] = {}
    known: dict[tuple[int, ...], Dim] = {}
    taken: set[str] = set()
    for name, shape in samples[0].items():
        for axis in range(len(shape)):
            sizes = tuple(s[name][axis] for s in samples)
            if len(set(sizes)) == 1:
                continue
            dim = known.get(sizes) if share else None
            if dim is None:
                dim = known[sizes] = Dim(_fresh(f"{name}_{axis}", taken))
            found.setdefault(name, {})[axis] = dim
    return found


def _fresh(words: str, taken: set[str]) -> str:
    name = re.sub(r"\W+", "_", words, flags=re.ASCII)
    while name in taken:
        name += "_"
    taken.add(name)
    return name
