"""The namespace ``F`` over graph values: a rule written in terms of ``F`` builds nodes here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from eager.ops.errors import GraphError
from eager.ops.op import Op
from eager.ops.types import F32, I64, DType, Type, scalar_dtype, weak_promote
from jit.dims import SymInt
from jit.graph import Const, Input, Location, Node, Value


class Builder:
    """``F.add(x, 2.0)`` appends a node and returns it; numbers become 0-d constants.

    Operands of different dtypes meet as in eager mode (`eager.ops.types.weak_promote`).
    ``nodes`` holds what was built, in order; all of it carries ``location``.
    """

    def __init__(self, location: Location = Location(),  # noqa: B008 (frozen)
                 table: Mapping[str, Op] | None = None) -> None:
        if table is None:
            from eager.ops.table import TABLE

            table = TABLE
        self.location = location
        self.table: Mapping[str, Op] = table
        self.nodes: list[Node] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        op = self.__dict__.get("table", {}).get(name)
        if op is None:
            raise AttributeError(f"no op is named {name!r}")
        return partial(self.build, op)

    @staticmethod
    def typeof(value: Value) -> Type:
        """Dtype and shape of a value."""
        found: Type = value.type
        return found

    def build(self, op: Op, /, *operands: Any, **attrs: Any) -> Value:
        """One node, typed by the op's own rule; OpError where that refuses."""
        args = self._coerce(op, operands)
        node = Node(op, args, attrs, op.result_type([a.type for a in args], attrs),
                    location=self.location)
        self.nodes.append(node)
        return node

    def up_to(self, value: Value) -> Any:
        """What `jit.graph.rewrite` takes: the nodes with ``value`` last, or ``value`` itself
        where it was there before."""
        if value in self.nodes:
            return self.nodes[:self.nodes.index(value) + 1]
        return value

    # --- promotion -----------------------------------------------------------------------------
    def _coerce(self, op: Op, operands: tuple[Any, ...]) -> tuple[Value, ...]:
        if op.promote == "none":
            return tuple(self._constant(a, None) for a in operands)
        fixed = operands[:1] if op.promote == "where" else ()
        rest = operands[len(fixed):]
        types = [a.type for a in rest if isinstance(a, (Input, Const, Node))]
        numbers = [I64 if isinstance(a, SymInt) else scalar_dtype(a) for a in rest
                   if isinstance(a, (bool, int, float, SymInt))]
        target = weak_promote([t.dtype for t in types if t.shape],
                              [t.dtype for t in types if not t.shape], numbers)
        if op.promote in ("float", "floats") and target.kind not in "fc":
            target = F32
        return (*(self._constant(a, None) for a in fixed),
                *(self._constant(a, target) for a in rest))

    def _constant(self, value: Any, dtype: DType | None) -> Value:
        """An operand as a graph value of ``dtype`` (None: of its own)."""
        if isinstance(value, SymInt):
            value = self.dim(value=value)
        if isinstance(value, (Input, Const, Node)):
            return value if dtype in (None, value.type.dtype) else self.cast(value, dtype=dtype)
        if type(value) not in (bool, int, float):
            raise GraphError(f"operands are graph values or numbers, got {value!r:.60}")
        return Const(np.array(value, (dtype or scalar_dtype(value)).numpy))
