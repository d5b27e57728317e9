"""The exceptions of the product, one class per kind of reader."""

from __future__ import annotations


class OpError(RuntimeError):
    """The caller of an op gave operands or attributes outside its contract.

    A RuntimeError, as torch's are, so that programs that catch those go on.
    """


class OpIndexError(OpError, IndexError):
    """A position lies outside of a dim."""


class TraceError(Exception):
    """The author of a model did something that a trace cannot capture truthfully."""


class GraphError(Exception):
    """The author of a pass or of a graph text broke a rule of the graph."""


class CompileError(Exception):
    """The compiler met code it must not emit, or a tool below it failed."""
