"""Several programs of one module, which share its weights and its state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from eager.ops.errors import TraceError
from jit.program import Program, trace


class EntryPoints:
    """Programs by the names of the methods they were traced from: ``points.decode(x)``.

    All of them work on the live parameters and buffers of the module: what one writes (a cache of
    keys and values), the next call of any reads.
    """

    def __init__(self, name: str, programs: Mapping[str, Program]) -> None:
        self._name, self._programs = name, dict(programs)

    def __getattr__(self, name: str) -> Program:
        if name.startswith("_") or name not in self._programs:
            raise AttributeError(f"there is no entry point {name!r}; there are "
                                 f"{', '.join(self._programs)}")
        return self._programs[name]

    def __getitem__(self, name: str) -> Program:
        return self._programs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._programs)

    def __len__(self) -> int:
        return len(self._programs)

    def report(self) -> str:
        """The reports of all programs."""
        return "\n\n".join(p.report() for p in self._programs.values())

    def __repr__(self) -> str:
        return f"<EntryPoints of {self._name}: {', '.join(self._programs)}>"


def trace_module(module: Any, entries: Mapping[str, Any], *,
                 dynamic_shapes: Mapping[str, Any] | None = None, state: Sequence[Any] = (),
                 check: bool | Literal["full"] = True) -> EntryPoints:
    """Trace several methods of a module: ``{"prefill": (x,), "decode": {"token": t, "pos": p}}``.

    The example arguments are a tuple, or a dict of keywords; ``dynamic_shapes`` and what else
    `trace` takes go by the same names.  Raises TraceError where a method is missing, and as
    `trace` does.
    """
    shapes = dict(dynamic_shapes or {})
    programs = {}
    for name, example in entries.items():
        method = getattr(module, name, None)
        if not callable(method):
            raise TraceError(f"{type(module).__name__} has no method {name!r} to trace")
        args, kwargs = ((), example) if isinstance(example, Mapping) else (example, {})
        programs[name] = trace(method, args, kwargs, dynamic_shapes=shapes.pop(name, None),
                               state=(module, *state), check=check)
    if shapes:
        raise TraceError(f"dynamic_shapes names {', '.join(map(repr, shapes))}, which is no entry "
                         f"point; there are {', '.join(programs)}")
    return EntryPoints(type(module).__name__, programs)
