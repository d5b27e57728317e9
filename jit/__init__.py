"""Trace eager models into a static graph and compile it to native kernels."""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "jit.program": ("Program", "trace"),
    "jit.entrypoints": ("EntryPoints", "trace_module"),
    "jit.pytree": ("register_pytree",),
    "jit.dims": ("Dim", "SymInt"),
    "jit.control.branches": ("cond",),
    "jit.control.loops": ("map", "scan", "while_loop"),
    "jit.comparison": ("diff",),
    "jit.bisection": ("bisect",),
    "jit.freezing": ("freeze", "optimize_for_inference"),
    "jit.compiled": ("compile",),
    "eager.ops.errors": ("CompileError", "GraphError", "OpError", "TraceError"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'jit' has no attribute {name!r}")
    found = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(_HOME_OF)
