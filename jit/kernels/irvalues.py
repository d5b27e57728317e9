"""IR values with Python's operators, so that formulas of `vectormath` read as formulas.

The same code emits scalars (in Numba, where LLVM's vectoriser widens them) and vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

#: Bits of the mantissa, and of the exponent's bias, by width.
_MANTISSA = {32: 23, 64: 52}
_BIAS = {32: 127, 64: 1023}


@dataclass(frozen=True, eq=False, slots=True)
class Flag:
    """A truth value (or a vector of them)."""

    builder: Any
    value: Any

    def __and__(self, other: Flag) -> Flag:
        return Flag(self.builder, self.builder.and_(self.value, other.value))

    def __or__(self, other: Flag) -> Flag:
        return Flag(self.builder, self.builder.or_(self.value, other.value))

    def __invert__(self) -> Flag:
        return Flag(self.builder, self.builder.not_(self.value))

    def choose(self, yes: Number, no: Number | float) -> Number:
        """``yes`` where it holds, else ``no``; both are computed."""
        chosen = self.builder.select(self.value, yes.value, yes.like(no).value)
        return Number(self.builder, chosen)

    def otherwise(self, yes: Number | float, no: Number) -> Number:
        """`choose`, where ``yes`` may be a constant."""
        return self.choose(no.like(yes), no)

    def choose_word(self, yes: Word, no: Word | int) -> Word:
        chosen = self.builder.select(self.value, yes.value, yes.like(no).value)
        return Word(self.builder, chosen)


@dataclass(frozen=True, eq=False, slots=True)
class Word:
    """An integer as wide as the float it was made of."""

    builder: Any
    value: Any

    def like(self, n: Word | int) -> Word:
        if isinstance(n, Word):
            return n
        return Word(self.builder, _constant(self.value.type, n))

    def __add__(self, o: Word | int) -> Word:
        return Word(self.builder, self.builder.add(self.value, self.like(o).value))

    def __sub__(self, o: Word | int) -> Word:
        return Word(self.builder, self.builder.sub(self.value, self.like(o).value))

    def __and__(self, o: Word | int) -> Word:
        return Word(self.builder, self.builder.and_(self.value, self.like(o).value))

    def __or__(self, o: Word | int) -> Word:
        return Word(self.builder, self.builder.or_(self.value, self.like(o).value))

    def __xor__(self, o: Word | int) -> Word:
        return Word(self.builder, self.builder.xor(self.value, self.like(o).value))

    def __lshift__(self, o: int) -> Word:
        return Word(self.builder, self.builder.shl(self.value, self.like(o).value))

    def __neg__(self) -> Word:
        return Word(self.builder, self.builder.neg(self.value))

    def unsigned_shift(self, o: int) -> Word:
        """Shift right, zeros in: AVX2 has no arithmetic shift of 64 bits."""
        return Word(self.builder, self.builder.lshr(self.value, self.like(o).value))

    def __lt__(self, o: Word | int) -> Flag:
        return Flag(self.builder, self.builder.icmp_signed("<", self.value, self.like(o).value))

    def __gt__(self, o: Word | int) -> Flag:
        return Flag(self.builder, self.builder.icmp_signed(">", self.value, self.like(o).value))

    def equals(self, o: Word | int) -> Flag:
        return Flag(self.builder, self.builder.icmp_signed("==", self.value, self.like(o).value))

    def as_float(self) -> Number:
        """The float of these bits."""
        return Number(self.builder, self.builder.bitcast(self.value, _float_like(self.value.type)))

    def power_of_two(self) -> Number:
        """``2**n`` for an ``n`` whose power is a normal number."""
        width = _width(self.value.type)
        return ((self + _BIAS[width]) << _MANTISSA[width]).as_float()


@dataclass(frozen=True, eq=False, slots=True)
class Number:
    """A float32 or float64.  Operands may be Python numbers, rounded to its type."""

    builder: Any
    value: Any

    @property
    def width(self) -> int:
        """32 or 64 bits."""
        return _width(self.value.type)

    def like(self, v: Number | float) -> Number:
        if isinstance(v, Number):
            return v
        return Number(self.builder, _constant(self.value.type, v))

    def __add__(self, o: Number | float) -> Number:
        return Number(self.builder, self.builder.fadd(self.value, self.like(o).value))

    def __radd__(self, o: float) -> Number:
        return self.like(o) + self

    def __sub__(self, o: Number | float) -> Number:
        return Number(self.builder, self.builder.fsub(self.value, self.like(o).value))

    def __rsub__(self, o: float) -> Number:
        return self.like(o) - self

    def __mul__(self, o: Number | float) -> Number:
        return Number(self.builder, self.builder.fmul(self.value, self.like(o).value))

    __rmul__ = __mul__

    def __truediv__(self, o: Number | float) -> Number:
        return Number(self.builder, self.builder.fdiv(self.value, self.like(o).value))

    def __rtruediv__(self, o: float) -> Number:
        return self.like(o) / self

    def __neg__(self) -> Number:
        return Number(self.builder, self.builder.fneg(self.value))

    def __abs__(self) -> Number:
        return self.intrinsic("fabs")

    def __lt__(self, o: Number | float) -> Flag:
        return self._ordered("<", o)

    def __le__(self, o: Number | float) -> Flag:
        return self._ordered("<=", o)

    def __gt__(self, o: Number | float) -> Flag:
        return self._ordered(">", o)

    def __ge__(self, o: Number | float) -> Flag:
        return self._ordered(">=", o)

    def equals(self, o: Number | float) -> Flag:
        return self._ordered("==", o)

    def _ordered(self, relation: str, o: Number | float) -> Flag:
        """Comparisons are False where an operand is NaN."""
        b = self.builder
        return Flag(b, b.fcmp_ordered(relation, self.value, self.like(o).value))

    def is_nan(self) -> Flag:
        return Flag(self.builder, self.builder.fcmp_unordered("uno", self.value, self.value))

    def intrinsic(self, name: str, *others: Number) -> Number:
        """``llvm.<name>`` of numbers of one type."""
        from llvmlite import ir

        kind = self.value.type
        lanes = f"v{kind.count}" if hasattr(kind, "count") else ""
        symbol = f"llvm.{name}.{lanes}f{self.width}"
        declared = self.builder.module.globals.get(symbol) or ir.Function(
            self.builder.module, ir.FunctionType(kind, [kind] * (1 + len(others))), symbol)
        return Number(self.builder, self.builder.call(
            declared, [self.value, *(o.value for o in others)]))

    def mul_add(self, factor: Number | float, addend: Number | float) -> Number:
        """``self * factor + addend``: fused where the level has it.

        Never ``llvm.fma``: without the instruction that is a call of libm, forty times slower.
        """
        return self.intrinsic("fmuladd", self.like(factor), self.like(addend))

    def with_sign_of(self, o: Number) -> Number:
        return self.intrinsic("copysign", o)

    def at_least(self, low: float) -> Number:
        """The larger of a number and a constant; NaN stays NaN."""
        return (self < low).otherwise(low, self)

    def at_most(self, high: float) -> Number:
        """The smaller of a number and a constant; NaN stays NaN."""
        return (self > high).otherwise(high, self)

    def bits(self) -> Word:
        """The bits as an integer."""
        return Word(self.builder, self.builder.bitcast(self.value, _word_like(self.value.type)))

    def polynomial(self, coefficients: Sequence[float]) -> Number:
        """By Horner's rule; the lowest coefficient comes first."""
        total = self.like(coefficients[-1])
        for c in reversed(coefficients[:-1]):
            total = total.mul_add(self, c)
        return total

    def widened(self) -> Number:
        """As float64."""
        from llvmlite import ir

        kind = _lanes_of(self.value.type, ir.DoubleType())
        return Number(self.builder, self.builder.fpext(self.value, kind))

    def narrowed(self) -> Number:
        """As float32, rounded."""
        from llvmlite import ir

        kind = _lanes_of(self.value.type, ir.FloatType())
        return Number(self.builder, self.builder.fptrunc(self.value, kind))


def to_float(word: Word) -> Number:
    """A small signed integer as a float of its width, exact below ``2**22`` (``2**51``).

    By arithmetic on a magic constant: AVX2 has no conversion of 64-bit integers.
    """
    width = _width(word.value.type)
    magic = 1.5 * 2.0 ** _MANTISSA[width]
    biased = Number(word.builder, _constant(_float_like(word.value.type), magic)).bits() + word
    return biased.as_float() - magic


def round_to_word(x: Number) -> tuple[Number, Word]:
    """The nearest integer as a float and as a word, for ``|x| < 2**22`` (``2**51``).

    Any bits for a NaN, but never LLVM's poison, which ``fptosi`` would be.
    """
    magic = 1.5 * 2.0 ** _MANTISSA[x.width]
    biased = x + magic
    return biased - magic, biased.bits() - biased.like(magic).bits()


def _width(kind: Any) -> int:
    element = getattr(kind, "element", kind)
    return getattr(element, "width", 0) or {"float": 32, "double": 64}[str(element)]


def _lanes_of(kind: Any, element: Any) -> Any:
    from llvmlite import ir

    return ir.VectorType(element, kind.count) if hasattr(kind, "count") else element


def _word_like(kind: Any) -> Any:
    from llvmlite import ir

    return _lanes_of(kind, ir.IntType(_width(kind)))


def _float_like(kind: Any) -> Any:
    from llvmlite import ir

    return _lanes_of(kind, ir.FloatType() if _width(kind) == 32 else ir.DoubleType())


def _constant(kind: Any, value: float) -> Any:
    """A constant of a type; a float32 rounds to nearest."""
    import struct

    from llvmlite import ir

    element = getattr(kind, "element", kind)
    if str(element) == "float" and abs(value) < 3.5e38:
        value = struct.unpack("f", struct.pack("f", value))[0]
    one = element(value)
    return ir.Constant(kind, [one] * kind.count) if hasattr(kind, "count") else one
