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
from jit.kernels.index import Index, Quotient, Var, product
from jit.relations import common_factor, decide, here, without_remainders

LARGEST = 2**31 - 1
_LARGEST_POWER = 8


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

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """``isinstance(n, int)`` holds of it, as of the size that it stands for."""
        return int

    def __add__(self, other: Any) -> Any:
        return _lift("__add__", self, other)

    def __radd__(self, other: Any) -> Any:
        return _lift("__add__", self, other)

    def __sub__(self, other: Any) -> Any:
        return _lift("__sub__", self, other)

    def __rsub__(self, other: Any) -> Any:
        return _lift("__sub__", other, self)

    def __mul__(self, other: Any) -> Any:
        return _lift("__mul__", self, other)

    def __rmul__(self, other: Any) -> Any:
        return _lift("__mul__", self, other)

    def __floordiv__(self, other: Any) -> Any:
        return _divide(self, other, "//")

    def __rfloordiv__(self, other: Any) -> Any:
        return _divide(other, self, "//")

    def __mod__(self, other: Any) -> Any:
        return _divide(self, other, "%")

    def __rmod__(self, other: Any) -> Any:
        return _divide(other, self, "%")

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    def __lshift__(self, other: int) -> Any:
        return self * (1 << other)

    def __rshift__(self, other: int) -> Any:
        return self // (1 << other)

    def __pow__(self, other: Any) -> Any:
        if type(other) is int and 0 <= other <= _LARGEST_POWER:
            return of_index(product([self] * other))
        return _real("power", self, other)

    def __rpow__(self, other: Any) -> Any:
        if type(other) is float:
            return _real("power", other, self)
        raise self._refuse(f"{other!r} to the power", "pass it as an argument of its own")

    def __truediv__(self, other: Any) -> Any:
        return _real("divided", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return _real("divided", other, self)

    def __neg__(self) -> Any:
        return of_index(-self.index)

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return self if self >= 0 else -self

    def __round__(self, ndigits: int | None = None) -> Any:
        return self

    __trunc__ = __floor__ = __ceil__ = __pos__

    def __eq__(self, other: object) -> bool:
        return is_size(other) and decide("==", self.index, to_index(other))

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        if here():
            raise self._refuse("a look-up", "a table by size is read by eager.tensor(table)[n]")
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

    def _refuse(self, what: str, instead: str) -> TraceError:
        return TraceError(
            f"{here()}{what} of the dynamic size {self} would bake the example's value; {instead}, "
            f"or do not declare the dimension dynamic")

    def __int__(self) -> int:
        raise self._refuse("int()", "leave int() out: it is one, and its arithmetic is recorded")

    def __index__(self) -> int:
        raise self._refuse("the value", "a loop over it is jit.scan or jit.map, a tensor of that "
                                        "size eager.arange(n) or eager.zeros(n)")

    def __float__(self) -> float:
        raise self._refuse("float()", "write n ** 0.5 for math.sqrt(n), eager.tensor(n).log() for "
                                      "math.log(n)")

    def __repr__(self) -> str:
        return str(self.index)

    def __format__(self, spec: str) -> str:
        return format(str(self), spec.rstrip("d"))


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


def _lift(method: str, a: Any, b: Any) -> Any:
    """A sum, difference or product of sizes; beside a float, that of real numbers."""
    if type(a) is float or type(b) is float:
        from jit.reals import real

        return getattr(real(a), method)(b)
    if not (is_size(a) and is_size(b)):
        return NotImplemented
    return of_index(getattr(to_index(a), method)(to_index(b)))


def _divide(a: Any, b: Any, kind: str) -> Any:
    """A quotient or remainder; what divides is held to be no 0, unless nothing is left over."""
    if not (is_size(a) and is_size(b)):
        return NotImplemented
    top, bottom = to_index(a), to_index(b)
    if bottom.constant == 0:
        raise ZeroDivisionError("integer division or modulo by zero")
    top = without_remainders(top, bottom.constant)
    if isinstance(b, SymInt) and top.terms:
        factor, top, bottom = common_factor(top, bottom)
    else:
        factor = Index.of(1)
    found = top // bottom if kind == "//" else top % bottom * factor
    if bottom.constant is None and any(isinstance(x, Quotient) and x.bottom == bottom
                                       for x in found.atoms()) and not of_index(bottom) > 0:
        raise ZeroDivisionError("integer division or modulo by zero")
    return of_index(found)


def _real(function: str, a: Any, b: Any) -> Any:
    """A quotient or power that is no size."""
    from jit import reals

    return getattr(reals, function)(a, b)


def _ordered(more: Any, less: Any, gap: int) -> Any:
    """Whether ``more >= less + gap``."""
    if not (is_size(more) and is_size(less)):
        return NotImplemented
    return decide(">=", to_index(more), to_index(less) + gap)
