"""Symbolic sizes: integers that are known only when a program runs.

A `SymInt` is not an ``int``: whatever would silently bake its example value
(``int``, ``range``, truth, a comparison that its range does not decide) raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eager.ops.errors import TraceError
from eager.ops.types import Type
from jit.kernels.index import Index, Var
from jit.relations import decide

LARGEST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Dim:
    """A dynamic dimension, as users name it: any size in ``[min, max]``.

    ``2 * dim + 1`` is a size that follows from it.
    """

    name: str
    min: int = 0
    max: int = LARGEST

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise TraceError(f"a Dim is named by an identifier, got {self.name!r}")
        if not 0 <= self.min <= self.max <= LARGEST:
            raise TraceError(f"Dim {self.name!r}: wanted 0 <= min <= max <= {LARGEST}, "
                             f"got min={self.min}, max={self.max}")

    @property
    def size(self) -> SymInt:
        """The dimension as an integer to compute with."""
        return SymInt(Index.of(Var(self.name, None, self.min, self.max)))

    def __add__(self, other: Any) -> Any:
        return self.size + other

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return self.size - other

    def __mul__(self, other: Any) -> Any:
        return self.size * other

    __rmul__ = __mul__

    def __floordiv__(self, other: Any) -> Any:
        return self.size // other


class SymInt:
    """An integer expression over dims, with Python's arithmetic and provable comparisons."""

    __slots__ = ("index",)
    #: What `eager.ops` recognises a symbolic size by.
    __dim__ = True

    def __init__(self, index: Index) -> None:
        self.index = index

    def __add__(self, other: Any) -> Any:
        return _lift(other, lambda o: self.index + o)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return _lift(other, lambda o: self.index - o)

    def __rsub__(self, other: Any) -> Any:
        return _lift(other, lambda o: o - self.index)

    def __mul__(self, other: Any) -> Any:
        return _lift(other, lambda o: self.index * o)

    __rmul__ = __mul__

    def __neg__(self) -> Any:
        return of_index(-self.index)

    def __floordiv__(self, other: Any) -> Any:
        return _lift(other, lambda o: self.index // o)

    def __rfloordiv__(self, other: Any) -> Any:
        return _lift(other, lambda o: o // self.index)

    def __mod__(self, other: Any) -> Any:
        return _lift(other, lambda o: self.index % o)

    def __rmod__(self, other: Any) -> Any:
        return _lift(other, lambda o: o % self.index)

    def __eq__(self, other: object) -> bool:
        return is_size(other) and decide("==", self.index, to_index(other))

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.index)

    def __lt__(self, other: Any) -> Any:
        return _ordered(other, self, 1)

    def __le__(self, other: Any) -> Any:
        return _ordered(other, self, 0)

    def __gt__(self, other: Any) -> Any:
        return _ordered(self, other, 1)

    def __ge__(self, other: Any) -> Any:
        return _ordered(self, other, 0)

    def __bool__(self) -> bool:
        return self != 0

    def _refuse(self, what: str) -> TraceError:
        return TraceError(
            f"{what} of the dynamic size {self} would bake the example's value; keep it symbolic "
            f"(arithmetic with + - * // % is recorded), or do not declare the dimension dynamic")

    def __int__(self) -> int:
        raise self._refuse("int()")

    def __index__(self) -> int:
        raise self._refuse("the value")

    def __float__(self) -> float:
        raise self._refuse("float()")

    def __truediv__(self, other: Any) -> Any:
        raise self._refuse("true division")

    __rtruediv__ = __truediv__

    def __repr__(self) -> str:
        return str(self.index)


def is_size(value: object) -> bool:
    """Whether a value counts as a dimension."""
    return type(value) is int or isinstance(value, SymInt)


def is_symbolic(value: Any) -> bool:
    """Whether an attribute is, or a tuple holds, a size that a call decides."""
    return isinstance(value, SymInt) or (isinstance(value, tuple) and any(map(is_symbolic, value)))


def to_index(size: Any) -> Index:
    """A size, concrete or symbolic, as an expression over dims."""
    return size.index if isinstance(size, SymInt) else Index.of(size)


def of_index(index: Index) -> Any:
    """The size of an expression: an int where it is constant."""
    value = index.constant
    return SymInt(index) if value is None else value


def evaluate(size: Any, values: Mapping[str, int]) -> int:
    """The number of a size for given dims."""
    return int(size.index.evaluate(values)) if isinstance(size, SymInt) else int(size)


def same_size(a: Any, b: Any) -> bool:
    """Whether two sizes are the same expression; unlike ``==`` this never has to know more."""
    return to_index(a) == to_index(b)


def same_type(a: Any, b: Any) -> bool:
    """Whether two types (or tuples of types, as ``cond`` has) are written the same."""
    if isinstance(a, tuple) or isinstance(b, tuple):
        return (isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b)
                and all(map(same_type, a, b)))
    return (isinstance(a, Type) and isinstance(b, Type) and a.dtype is b.dtype
            and len(a.shape) == len(b.shape) and all(map(same_size, a.shape, b.shape)))


def _lift(other: Any, f: Any) -> Any:
    return of_index(f(to_index(other))) if is_size(other) else NotImplemented


def _ordered(more: Any, less: Any, gap: int) -> Any:
    """Whether ``more >= less + gap``."""
    if not (is_size(more) and is_size(less)):
        return NotImplemented
    return decide(">=", to_index(more), to_index(less) + gap)
