"""Real numbers that follow from symbolic sizes: ``1 / n``, ``n ** -0.5``.

A `SymFloat` is a 0-d float64 tensor of the trace that counts as a Python float: as an operand it
decides no dtype.  What is a ratio of sizes also rounds and compares, exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from eager.engine.dispatch import apply, constant
from eager.engine.mode import MODE
from eager.ops.errors import TraceError
from eager.ops.table import TABLE
from eager.ops.types import F64
from jit.dims import SymInt, is_size
from jit.relations import here

#: Ratios with larger denominators are no longer exact in Python's floats either.
_FINEST = 1 << 20


class SymFloat:
    """A real number that is known only when a program runs."""

    __slots__ = ("ratio", "tensor")
    #: What `eager` recognises a symbolic number by.
    __real__ = True

    def __init__(self, tensor: Any, ratio: tuple[Any, Any] | None = None) -> None:
        self.tensor = tensor
        self.ratio = ratio  #: numerator and positive denominator, sizes or ints, where it is one

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """``isinstance(x, float)`` holds of it, as of the number that it stands for."""
        return float

    def __add__(self, other: Any) -> Any:
        return _combined("add", self, other)

    def __radd__(self, other: Any) -> Any:
        return _combined("add", other, self)

    def __sub__(self, other: Any) -> Any:
        return _combined("sub", self, other)

    def __rsub__(self, other: Any) -> Any:
        return _combined("sub", other, self)

    def __mul__(self, other: Any) -> Any:
        return _combined("mul", self, other)

    def __rmul__(self, other: Any) -> Any:
        return _combined("mul", other, self)

    def __truediv__(self, other: Any) -> Any:
        return _combined("div", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return _combined("div", other, self)

    def __pow__(self, other: Any) -> Any:
        return _combined("pow", self, other)

    def __rpow__(self, other: Any) -> Any:
        return _combined("pow", other, self)

    def __neg__(self) -> Any:
        return self * -1.0

    def __pos__(self) -> SymFloat:
        return self

    def __floor__(self) -> Any:
        numerator, denominator = self._exactly("math.floor()")
        return numerator // denominator

    def __ceil__(self) -> Any:
        numerator, denominator = self._exactly("math.ceil()")
        return -(-numerator // denominator)

    __trunc__ = __floor__  # sizes are not negative

    def __eq__(self, other: object) -> bool:
        return bool(self._compared(other, lambda a, b: a == b, "=="))

    def __hash__(self) -> int:
        return id(self)

    def __lt__(self, other: Any) -> bool:
        return bool(self._compared(other, lambda a, b: a < b, "<"))

    def __le__(self, other: Any) -> bool:
        return bool(self._compared(other, lambda a, b: a <= b, "<="))

    def __gt__(self, other: Any) -> bool:
        return bool(self._compared(other, lambda a, b: a > b, ">"))

    def __ge__(self, other: Any) -> bool:
        return bool(self._compared(other, lambda a, b: a >= b, ">="))

    def __bool__(self) -> bool:
        return self != 0

    def _compared(self, other: Any, compare: Callable[[Any, Any], Any], sign: str) -> Any:
        right = real(other)
        if right is None or right.ratio is None or self.ratio is None:
            raise _refused(f"a comparison {sign} of {self}", "compare the sizes themselves")
        (a, b), (c, d) = self.ratio, right.ratio
        return compare(a * d, c * b)

    def _exactly(self, what: str) -> tuple[Any, Any]:
        if self.ratio is None:
            raise _refused(f"{what} of {self}", "divide sizes with // instead")
        return self.ratio

    def __int__(self) -> int:
        raise _refused(f"int() of {self}", "write a // b, or math.floor(a / b)")

    def __float__(self) -> float:
        raise _refused(f"float() of {self}", "write n ** 0.5 for math.sqrt(n)")

    def __repr__(self) -> str:
        return f"{self.ratio[0]} / {self.ratio[1]}" if self.ratio else "a number made of sizes"

def real(value: Any) -> SymFloat | None:
    """A number, a size or a SymFloat as a SymFloat; None for anything else."""
    if type(value) is SymFloat:
        return value
    if type(value) is float:
        exact = Fraction(value) if value - value == 0 else None
        small = exact is not None and exact.denominator <= _FINEST
        return SymFloat(value, (exact.numerator, exact.denominator) if exact and small else
                        (0, 1) if exact == 0 else None)
    if is_size(value) or type(value) is bool:
        if isinstance(value, SymInt) and MODE.get().recorder is None:
            raise _refused(f"a real number made of {value}", "sizes have them inside a trace")
        return SymFloat(constant(value, F64) if type(value) is SymInt else float(value), (value, 1))
    return None


def divided(left: Any, right: Any) -> Any:
    """``left / right``, of which one is symbolic; a size that may be 0 is held to be at least 1."""
    return _combined("div", left, right)


def power(left: Any, right: Any) -> Any:
    """``left ** right``, of which one is symbolic."""
    return _combined("pow", left, right)


def _refused(what: str, instead: str) -> TraceError:
    return TraceError(f"{here()}{what} depends on the sizes of the call and would bake the "
                      f"example's; {instead}")


# --- arithmetic --------------------------------------------------------------------------------
Ratio = tuple[Any, Any] | None


def _added(x: tuple[Any, Any], y: tuple[Any, Any]) -> Ratio:
    return x[0] * y[1] + y[0] * x[1], x[1] * y[1]


def _subtracted(x: tuple[Any, Any], y: tuple[Any, Any]) -> Ratio:
    return x[0] * y[1] - y[0] * x[1], x[1] * y[1]


def _multiplied(x: tuple[Any, Any], y: tuple[Any, Any]) -> Ratio:
    return x[0] * y[0], x[1] * y[1]


def _quotient(x: tuple[Any, Any], y: tuple[Any, Any]) -> Ratio:
    if y[0] > 0:
        return x[0] * y[1], x[1] * y[0]
    if y[0] == 0:
        raise ZeroDivisionError("division by zero")
    return -x[0] * y[1], -x[1] * y[0]


def _powered(x: tuple[Any, Any], y: tuple[Any, Any]) -> Ratio:
    if y[0] < 0 and x[0] == 0:
        raise ZeroDivisionError("0 cannot be raised to a negative power")
    return None


_RATIOS: dict[str, Callable[[tuple[Any, Any], tuple[Any, Any]], Ratio]] = {
    "add": _added, "sub": _subtracted, "mul": _multiplied, "div": _quotient, "pow": _powered}


def _combined(op: str, left: Any, right: Any) -> Any:
    x, y = real(left), real(right)
    if x is None or y is None:
        return NotImplemented
    ratio = _RATIOS[op](x.ratio, y.ratio) if x.ratio and y.ratio else None
    return SymFloat(apply(TABLE[op], (x.tensor, y.tensor)), ratio)
