"""A loop nest as data: what a fused group computes, before it is printed.

Outer loops run over the kept dims; inside, passes run over the reduced dims.
Statements at the inner level see one element, those at the outer level one row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from eager.ops.types import DType
from jit.kernels.index import Index, Var


# --- expressions -------------------------------------------------------------------------------
@dataclass(frozen=True)
class Load:
    """``buffer[index]``; conditions all of which must hold, else ``fill``."""

    buffer: str
    index: Index
    dtype: DType
    valid: tuple[Condition, ...] = ()
    fill: Any = None


@dataclass(frozen=True)
class Name:
    """A value computed by an earlier statement."""

    name: str
    dtype: DType


@dataclass(frozen=True)
class Literal:
    """A constant."""

    value: Any
    dtype: DType


@dataclass(frozen=True)
class FromIndex:
    """An integer expression as a value."""

    index: Index
    dtype: DType


@dataclass(frozen=True)
class Call:
    """A scalar instruction; ``dtype`` is the result's, ``operand`` the operands'."""

    instr: str
    args: tuple[Value, ...]
    dtype: DType
    operand: DType


@dataclass(frozen=True)
class Guarded:
    """``value`` where the conditions hold, else ``fill``."""

    value: Value
    valid: tuple[Condition, ...]
    fill: Literal
    dtype: DType


Value = Load | Name | Literal | FromIndex | Call | Guarded


@dataclass(frozen=True)
class Condition:
    """``left <relation> right`` between integer expressions."""

    left: Index
    relation: str
    right: Index


# --- statements --------------------------------------------------------------------------------
@dataclass(frozen=True)
class Let:
    """A named value, with the source line it came from."""

    name: str
    value: Value
    comment: str = ""


@dataclass(frozen=True)
class Store:
    """``buffer[index] = value``."""

    buffer: str
    index: Index
    value: Value


@dataclass(frozen=True)
class Fold:
    """Fold ``value`` into accumulator ``name`` with a scalar instruction."""

    name: str
    combine: str
    value: Value
    dtype: DType
    start: Any
    comment: str = ""


Statement = Let | Store | Fold


@dataclass(frozen=True)
class Pass:
    """One sweep over the inner dims, then statements once a row."""

    inner: tuple[Statement, ...]
    after: tuple[Statement, ...] = ()

    @property
    def folds(self) -> tuple[Fold, ...]:
        return tuple(s for s in self.inner if isinstance(s, Fold))


@dataclass(frozen=True)
class Nest:
    """Loops over ``outer`` and, inside, ``inner``; ``columns`` puts the kept dims innermost."""

    outer: tuple[Var, ...]
    inner: tuple[Var, ...]
    passes: tuple[Pass, ...]
    columns: bool = False

    def statements(self) -> Iterator[Statement]:
        for p in self.passes:
            yield from p.inner
            yield from p.after


def indices(nest: Nest) -> Iterator[Index]:
    """Every integer expression of the nest."""
    for s in nest.statements():
        if isinstance(s, Store):
            yield s.index
        yield from _value_indices(s.value)


def _value_indices(value: Value) -> Iterator[Index]:
    if isinstance(value, Load):
        yield value.index
        yield from _condition_indices(value.valid)
    elif isinstance(value, FromIndex):
        yield value.index
    elif isinstance(value, Call):
        for a in value.args:
            yield from _value_indices(a)
    elif isinstance(value, Guarded):
        yield from _condition_indices(value.valid)
        yield from _value_indices(value.value)


def _condition_indices(conditions: Sequence[Condition]) -> Iterator[Index]:
    for c in conditions:
        yield c.left
        yield c.right


def map_indices(nest: Nest, f: Callable[[Index], Index]) -> Nest:
    """The nest with every integer expression replaced."""

    def value(v: Value) -> Value:
        if isinstance(v, Load):
            return replace(v, index=f(v.index), valid=conditions(v.valid))
        if isinstance(v, FromIndex):
            return replace(v, index=f(v.index))
        if isinstance(v, Call):
            return replace(v, args=tuple(map(value, v.args)))
        if isinstance(v, Guarded):
            return replace(v, value=value(v.value), valid=conditions(v.valid))
        return v

    def conditions(cs: Sequence[Condition]) -> tuple[Condition, ...]:
        return tuple(Condition(f(c.left), c.relation, f(c.right)) for c in cs)

    def statement(s: Statement) -> Statement:
        if isinstance(s, Store):
            return replace(s, index=f(s.index), value=value(s.value))
        return replace(s, value=value(s.value))

    return replace(nest, passes=tuple(
        Pass(tuple(map(statement, p.inner)), tuple(map(statement, p.after)))
        for p in nest.passes))


def collapse(nest: Nest) -> Nest:
    """Merge neighbouring loops wherever every access walks them as one."""
    for side in ("outer", "inner"):
        k = 0
        while k + 1 < len(getattr(nest, side)):
            merged = _merge(nest, side, k)
            if merged is None:
                k += 1
            else:
                nest = merged
    return nest


def _merge(nest: Nest, side: str, k: int) -> Nest | None:
    loops: tuple[Var, ...] = getattr(nest, side)
    slow, fast = loops[k], loops[k + 1]
    for index in indices(nest):
        a, b = index.coefficient(slow.name), index.coefficient(fast.name)
        if a is None or b is None or a != b * fast.size:
            return None
    joined = Var(fast.name, Index.of(slow.size) * fast.size)
    swap = {slow.name: Index(()), fast.name: Index.of(joined)}
    nest = map_indices(nest, lambda i: i.substitute(swap))
    merged = (*loops[:k], joined, *loops[k + 2:])
    return replace(nest, outer=merged) if side == "outer" else replace(nest, inner=merged)
