"""Operators with regions: graphs inside a node, which a tracer builds and a compiler lowers."""

from __future__ import annotations

from typing import Any

from eager.ops.errors import OpError
from eager.ops.families import Control
from eager.ops.op import Op
from eager.ops.types import BOOL, Type


def _branched(predicate: Type, /, *operands: Type) -> Any:
    if predicate != Type(BOOL, ()):
        raise OpError(f"the predicate is a bool of no dims, got {predicate}")
    raise OpError("the regions give its results their types")


def _scanned(*operands: Type, carried: int, scanned: int, length: int, reverse: bool) -> Any:
    raise OpError("the region gives its results their types")


def _repeated(*operands: Type, carried: int, limit: Any) -> Any:
    raise OpError("the regions give its results their types")


def _picked(node: Any, /, *, index: int) -> Any:
    if not isinstance(node, tuple) or not 0 <= index < len(node):
        raise OpError(f"result {index} of {node} does not exist")
    return node[index]


_WHY = "it is lowered with its regions, which an example does not have"

cond = Op("cond", "One of two regions, by a bool; the rest of the operands are the regions'.",
          _branched, Control("choice"), spelling=None, variadic=True, examples=(),
          not_compiled=_WHY)
scan = Op("scan", "A region once for every item: carries, then items, then what stays the same.",
          _scanned, Control("scan"), spelling=None, variadic=True, examples=(), not_compiled=_WHY)
while_loop = Op("while_loop", "The second region while the first holds: carries, then the rest.",
                _repeated, Control("repeat"), spelling=None, variadic=True, examples=(),
                not_compiled=_WHY)
result = Op("result", "One result of a node with regions.", _picked, Control("pick"),
            spelling=None, examples=(), not_compiled=_WHY)

OPS = (cond, scan, while_loop, result)
