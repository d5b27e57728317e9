"""The scalar instructions of the op table as LLVM IR: what printed kernels call by name.

A name is an instruction and the dtype of its operands (``maximum_f32``); conversions name both
dtypes (``cast_f32_i64``).  Integers wrap and nothing traps: kernels check zero divisors before.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from eager.ops.types import BOOL, NATIVE, DType
from jit.kernels import specialmath, vectormath
from jit.kernels.irvalues import Number

#: ``(builder, operands) -> result``, values of llvmlite's IR.
Emit = Callable[[Any, list[Any]], Any]


@dataclass(frozen=True)
class Instruction:
    """A named instruction; types are names (``f32``, ``bool``)."""

    name: str
    result: str
    operands: tuple[str, ...]
    emit: Emit


@functools.cache
def instruction(name: str) -> Instruction | None:
    """The instruction of a name, or None: ``add_i32``, ``cast_f32_bool``."""
    converted = re.fullmatch(r"cast_(\w+)_(\w+)", name)
    if converted and converted[1] in NATIVE and converted[2] in NATIVE:
        source, target = NATIVE[converted[1]], NATIVE[converted[2]]
        return Instruction(name, target.name, (source.name,), _cast(source, target))
    if name in _UNSIGNED:
        return Instruction(name, "u64", ("u64", "u64"), _UNSIGNED[name])
    stem, _, suffix = name.rpartition("_")
    if suffix not in NATIVE:
        return None
    dtype = NATIVE[suffix]
    if stem in _RELATIONS:
        return Instruction(name, "bool", (suffix, suffix), _compare(_RELATIONS[stem], dtype))
    if stem == "select":
        return Instruction(name, suffix, ("bool", suffix, suffix), lambda b, a: b.select(*a))
    if stem == "not":
        return Instruction(name, "bool", (suffix,), _not(dtype))
    emit = _TABLES[_kind(dtype)].get(stem)
    if emit is None:
        return None
    arity = 3 if stem == "mul_add" else 1 if stem in _UNARY else 2
    return Instruction(name, suffix, (suffix,) * arity, emit)


def _kind(dtype: DType) -> str:
    """``b`` bool, ``u`` unsigned, ``i`` signed, ``f`` floating."""
    return "u" if dtype.name == "u8" else dtype.kind


# --- comparisons and choice --------------------------------------------------------------------
_RELATIONS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


def _compare(relation: str, dtype: DType) -> Emit:
    if dtype.kind == "f":
        # NaN differs from everything, itself too; no other comparison holds for it.
        if relation == "!=":
            return lambda b, a: b.fcmp_unordered("!=", *a)
        return lambda b, a: b.fcmp_ordered(relation, *a)
    if _kind(dtype) in "ub":
        return lambda b, a: b.icmp_unsigned(relation, *a)
    return lambda b, a: b.icmp_signed(relation, *a)


def _not(dtype: DType) -> Emit:
    if dtype.kind == "f":
        return lambda b, a: b.fcmp_ordered("==", a[0], a[0].type(0.0))
    return lambda b, a: b.icmp_signed("==", a[0], a[0].type(0))


# --- integers and bools ------------------------------------------------------------------------
def _pick(relation: str, unsigned: bool) -> Emit:
    def emit(b: Any, a: list[Any]) -> Any:
        compare = b.icmp_unsigned if unsigned else b.icmp_signed
        return b.select(compare(relation, *a), *a)
    return emit


def _divided(b: Any, x: Any, y: Any) -> tuple[Any, Any, Any, Any]:
    """Truncated quotient and remainder by a divisor that is neither 0 nor -1, and which it was."""
    kind = x.type
    zero, minus = b.icmp_signed("==", y, kind(0)), b.icmp_signed("==", y, kind(-1))
    safe = b.select(b.or_(zero, minus), kind(1), y)
    q = b.sdiv(x, safe)
    return q, b.sub(x, b.mul(q, safe)), zero, minus


def _uneven(b: Any, r: Any, y: Any) -> Any:
    """Whether truncation and floor differ: a remainder whose sign is not the divisor's."""
    zero = r.type(0)
    return b.and_(b.icmp_signed("!=", r, zero), b.icmp_signed("<", b.xor(r, y), zero))


def _floordiv(b: Any, a: list[Any]) -> Any:
    x, y = a
    q, r, zero, minus = _divided(b, x, y)
    q = b.select(_uneven(b, r, y), b.sub(q, q.type(1)), q)
    return b.select(zero, q.type(0), b.select(minus, b.neg(x), q))


def _mod(b: Any, a: list[Any]) -> Any:
    x, y = a
    _, r, _, _ = _divided(b, x, y)
    return b.select(_uneven(b, r, y), b.add(r, y), r)


def _truncated_mod(b: Any, a: list[Any]) -> Any:
    return _divided(b, *a)[1]


def _integer_power(b: Any, a: list[Any]) -> Any:
    """By squaring, modulo the size of the dtype."""
    x, y = a
    one = total = x.type(1)
    for k in range(x.type.width):
        odd = b.trunc(b.lshr(y, y.type(k)), _ir_type(BOOL))
        total = b.mul(total, b.select(odd, x, one))
        x = b.mul(x, x)
    return total


def _signed_power(b: Any, a: list[Any]) -> Any:
    """A negative power is rounded towards 0: only of 1 and -1 something is left."""
    x, y = a
    zero, one = x.type(0), x.type(1)
    negative = b.icmp_signed("<", y, zero)
    unit = b.or_(b.icmp_signed("==", x, one), b.icmp_signed("==", x, x.type(-1)))
    inverse = b.select(unit, b.select(b.trunc(y, _ir_type(BOOL)), x, one), zero)
    return b.select(negative, inverse, _integer_power(b, a))


def _shift(direction: str) -> Emit:
    """A shift whose count may be anything: beyond the bits all of them are gone."""
    def emit(b: Any, a: list[Any]) -> Any:
        x, count = a
        bits = x.type.width
        inside = b.icmp_unsigned("<", count, x.type(bits))
        shifted = getattr(b, direction)(x, b.select(inside, count, x.type(0)))
        gone = b.ashr(x, x.type(bits - 1)) if direction == "ashr" else x.type(0)
        return b.select(inside, shifted, gone)
    return emit


def _gcd(b: Any, a: list[Any]) -> Any:
    """Of the absolute values, by the loop in `jit.kernels.loops`."""
    return _euclid(b, [_abs(b, [v]) for v in a])


def _euclid(b: Any, a: list[Any]) -> Any:
    from llvmlite import ir

    word, kind = ir.IntType(64), a[0].type
    f = b.module.globals.get("ej_gcd") or ir.Function(
        b.module, ir.FunctionType(word, [word, word]), "ej_gcd")
    found = b.call(f, [v if kind.width == 64 else b.zext(v, word) for v in a])
    return found if kind.width == 64 else b.trunc(found, kind)


def _unsigned_floordiv(b: Any, a: list[Any]) -> Any:
    zero = b.icmp_unsigned("==", a[1], a[1].type(0))
    return b.select(zero, a[1].type(0), b.udiv(a[0], b.select(zero, a[1].type(1), a[1])))


def _unsigned_mod(b: Any, a: list[Any]) -> Any:
    zero = b.icmp_unsigned("==", a[1], a[1].type(0))
    return b.select(zero, a[1].type(0), b.urem(a[0], b.select(zero, a[1].type(1), a[1])))


def _abs(b: Any, a: list[Any]) -> Any:
    return b.select(b.icmp_signed("<", a[0], a[0].type(0)), b.neg(a[0]), a[0])


def _sign(b: Any, a: list[Any]) -> Any:
    kind = a[0].type
    positive = b.zext(b.icmp_signed(">", a[0], kind(0)), kind)
    return b.select(b.icmp_signed("<", a[0], kind(0)), kind(-1), positive)


def _mulhi(b: Any, a: list[Any]) -> Any:
    """The upper half of the 128-bit product."""
    from llvmlite import ir

    wide = ir.IntType(128)
    product = b.mul(b.zext(a[0], wide), b.zext(a[1], wide))
    return b.trunc(b.lshr(product, wide(64)), ir.IntType(64))


_BITS: dict[str, Emit] = {
    "and": lambda b, a: b.and_(*a),
    "or": lambda b, a: b.or_(*a),
    "xor": lambda b, a: b.xor(*a),
}
_RING: dict[str, Emit] = {
    "add": lambda b, a: b.add(*a),
    "sub": lambda b, a: b.sub(*a),
    "mul": lambda b, a: b.mul(*a),
    "neg": lambda b, a: b.neg(*a),
}
_WHOLE: dict[str, Emit] = {
    name: lambda b, a: a[0] for name in ("floor", "ceil", "trunc", "round")}
_SIGNED: dict[str, Emit] = {
    **_BITS, **_RING, **_WHOLE, "fmod": _truncated_mod, "pow": _signed_power, "gcd": _gcd,
    "left_shift": _shift("shl"), "right_shift": _shift("ashr"),
    "floordiv": _floordiv, "mod": _mod, "abs": _abs, "sign": _sign,
    "maximum": _pick(">", False), "minimum": _pick("<", False),
}
_BYTES: dict[str, Emit] = {
    **_BITS, **_RING, **_WHOLE, "fmod": _unsigned_mod, "pow": _integer_power, "gcd": _euclid,
    "left_shift": _shift("shl"), "right_shift": _shift("lshr"),
    "floordiv": _unsigned_floordiv, "mod": _unsigned_mod,
    "abs": lambda b, a: a[0],
    "sign": lambda b, a: b.zext(b.icmp_unsigned("!=", a[0], a[0].type(0)), a[0].type),
    "maximum": _pick(">", True), "minimum": _pick("<", True),
}
#: NumPy's arithmetic on bools, where it has any.
_TRUTH: dict[str, Emit] = {
    **_BITS, "add": _BITS["or"], "mul": _BITS["and"], "maximum": _BITS["or"],
    "minimum": _BITS["and"],
}
_UNSIGNED: dict[str, Emit] = {"mulhi_u64": _mulhi}


# --- floats ------------------------------------------------------------------------------------
def _function(f: Callable[..., Number]) -> Emit:
    """An elementary function of `vectormath` as an instruction."""
    return lambda b, a: f(*(Number(b, v) for v in a)).value


def _float_sign(x: Number) -> Number:
    negative = (x < 0.0).otherwise(-1.0, x.like(0.0))
    return x.is_nan().choose(x, (x > 0.0).otherwise(1.0, negative))


def _maximum(x: Number, y: Number) -> Number:
    """NaN where either is NaN; the first of equals, as NumPy."""
    return ((x >= y) | x.is_nan()).choose(x, y)


def _minimum(x: Number, y: Number) -> Number:
    return ((x <= y) | x.is_nan()).choose(x, y)


def _remainder(x: Number, y: Number) -> tuple[Number, Number]:
    """C's ``fmod`` and Python's: the latter has the divisor's sign (NumPy's ``npy_divmod``)."""
    if x.width == 32:
        m = Number(x.builder, _fmod(x.builder, x.widened().value, y.widened().value)).narrowed()
    else:
        m = Number(x.builder, _fmod(x.builder, x.value, y.value))
    differs = (m.bits() ^ y.bits()) < 0
    moved = m.equals(0.0).choose(m.like(0.0).with_sign_of(y), differs.choose(m + y, m))
    return m, y.equals(0.0).choose(m, moved)


def _fmod(b: Any, x: Any, y: Any) -> Any:
    from llvmlite import ir

    double = ir.DoubleType()
    f = b.module.globals.get("ej_fmod") or ir.Function(
        b.module, ir.FunctionType(double, [double, double]), "ej_fmod")
    return b.call(f, [x, y])


def _float_mod(x: Number, y: Number) -> Number:
    return _remainder(x, y)[1]


def _float_fmod(x: Number, y: Number) -> Number:
    return _remainder(x, y)[0]


def _float_floordiv(x: Number, y: Number) -> Number:
    m, _ = _remainder(x, y)
    differs = ((m.bits() ^ y.bits()) < 0) & ~m.equals(0.0)
    q = (x - m) / y
    q = differs.choose(q - 1.0, q)
    floor = q.intrinsic("floor")
    floor = (q - floor > 0.5).choose(floor + 1.0, floor)
    whole = q.equals(0.0).choose(q.like(0.0).with_sign_of(x / y), floor)
    return y.equals(0.0).choose(x / y, whole)


def _nextafter(x: Number, y: Number) -> Number:
    """The next number towards y: one step of the bits, away from 0 or to it."""
    outward = ((x < y) & (x > 0.0)) | ((x > y) & (x < 0.0))
    step = outward.choose_word(x.bits() + 1, x.bits() - 1).as_float()
    tiny = (x.bits() & 0) + 1
    step = x.equals(0.0).choose(tiny.as_float().with_sign_of(y), step)
    step = x.equals(y).choose(y, step)
    return (x.is_nan() | y.is_nan()).choose(x + y, step)


_FLOATS: dict[str, Emit] = {
    "nextafter": _function(_nextafter),
    "add": lambda b, a: b.fadd(*a),
    "sub": lambda b, a: b.fsub(*a),
    "mul": lambda b, a: b.fmul(*a),
    "div": lambda b, a: b.fdiv(*a),
    "neg": lambda b, a: b.fneg(*a),
    "mul_add": _function(Number.mul_add),
    "floordiv": _function(_float_floordiv),
    "mod": _function(_float_mod),
    "fmod": _function(_float_fmod),
    "copysign": _function(Number.with_sign_of),
    "maximum": _function(_maximum),
    "minimum": _function(_minimum),
    "abs": _function(abs),
    "sign": _function(_float_sign),
    "sqrt": _function(lambda x: x.intrinsic("sqrt")),
    "rsqrt": _function(lambda x: 1.0 / x.intrinsic("sqrt")),
    "floor": _function(lambda x: x.intrinsic("floor")),
    "ceil": _function(lambda x: x.intrinsic("ceil")),
    "trunc": _function(lambda x: x.intrinsic("trunc")),
    "round": _function(lambda x: x.intrinsic("rint")),
    **{name: _function(getattr(vectormath, name)) for name in vectormath.FUNCTIONS},
    **{name: _function(getattr(specialmath, name)) for name in specialmath.FUNCTIONS},
}
_TABLES = {"b": _TRUTH, "u": _BYTES, "i": _SIGNED, "f": _FLOATS}
_UNARY = {"neg", "abs", "sign", "sqrt", "rsqrt", "floor", "ceil", "trunc", "round",
          *vectormath.FUNCTIONS, *specialmath.FUNCTIONS} - {"pow"}


# --- conversions -------------------------------------------------------------------------------
def _ir_type(dtype: DType) -> Any:
    from llvmlite import ir

    if dtype.kind == "f":
        return ir.FloatType() if dtype.itemsize == 4 else ir.DoubleType()
    return ir.IntType(1 if dtype.kind == "b" else 8 * dtype.itemsize)


def _cast(source: DType, target: DType) -> Emit:
    """A value in another dtype; a float saturates, so that no bits are LLVM's poison."""
    kinds = _kind(source) + _kind(target)
    if source is target:
        return lambda b, a: a[0]
    if kinds[1] == "b":
        zero = 0.0 if kinds[0] == "f" else 0
        compare = _compare("!=", source)
        return lambda b, a: compare(b, [a[0], a[0].type(zero)])
    if kinds == "ff":
        return lambda b, a: (b.fpext if target.itemsize == 8 else b.fptrunc)(
            a[0], _ir_type(target))
    if kinds[1] == "f":
        return lambda b, a: (b.sitofp if kinds[0] == "i" else b.uitofp)(a[0], _ir_type(target))
    if kinds[0] == "f":
        return lambda b, a: _saturated(b, a[0], target)
    if source.kind == "i" and target.itemsize <= source.itemsize:
        same = target.itemsize == source.itemsize
        return lambda b, a: a[0] if same else b.trunc(a[0], _ir_type(target))
    return lambda b, a: (b.sext if kinds[0] == "i" else b.zext)(a[0], _ir_type(target))


def _saturated(b: Any, x: Any, target: DType) -> Any:
    from llvmlite import ir

    kind, operation = _ir_type(target), "fptoui" if _kind(target) == "u" else "fptosi"
    width = 32 if str(x.type) == "float" else 64
    symbol = f"llvm.{operation}.sat.i{kind.width}.f{width}"
    f = b.module.globals.get(symbol) or ir.Function(
        b.module, ir.FunctionType(kind, [x.type]), symbol)
    return b.call(f, [x])
