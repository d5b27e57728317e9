"""The exceptions of the product, one class per kind of reader."""

from __future__ import annotations


class OpError(Exception):
    """The caller of an op gave operands or attributes outside its contract."""


class TraceError(Exception):
    """The author of a model did something that a trace cannot capture truthfully."""


class GraphError(Exception):
    """The author of a pass or of a graph text broke a rule of the graph."""


class CompileError(Exception):
    """The compiler met code it must not emit, or a tool below it failed."""
