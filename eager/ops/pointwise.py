"""Elementwise operators, with NumPy's broadcasting and torch's promotion."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from eager.ops import scalar as s
from eager.ops.errors import OpError
from eager.ops.families import Pointwise
from eager.ops.op import Example, Op, Spelling
from eager.ops.types import BOOL, F32, F64, I32, I64, DType, Type, broadcast_shapes

PAIRS = (Example(((2, 3), (2, 3))), Example(((2, 3), (3,))), Example(((4, 1), (1, 5))),
         Example(((), (2,))))
_NUMBERS = (Example(((2, 3),)), Example(((),)), Example(((0, 3),)))
_INTS = (Example((((5,), "i64"), ((5,), "i64"))), Example((((2, 3), "i32"), ((3,), "i32"))))


# --- contracts ---------------------------------------------------------------------------------
def _same(x: Type, y: Type, /) -> Type:
    if x.dtype is not y.dtype:
        raise OpError(f"operands differ in dtype: {x} and {y}")
    return Type(x.dtype, broadcast_shapes(x.shape, y.shape))


def _arithmetic(x: Type, y: Type, /) -> Type:
    if x.dtype is BOOL:
        raise OpError(f"bool operands have no arithmetic: {x} and {y}; cast them first")
    return _same(x, y)


def _comparison(x: Type, y: Type, /) -> Type:
    return Type(BOOL, _same(x, y).shape)


def _floating(x: Type, /) -> Type:
    if x.dtype.kind != "f":
        raise OpError(f"the operand must be floating, got {x}")
    return x


def _floating_pair(x: Type, y: Type, /) -> Type:
    _floating(x)
    return _same(x, y)


def _number(x: Type, /) -> Type:
    if x.dtype is BOOL:
        raise OpError(f"the operand must be a number, got {x}")
    return x


def _predicate(x: Type, /) -> Type:
    return Type(BOOL, x.shape)


def _bits(x: Type, y: Type, /) -> Type:
    if x.dtype.kind == "f":
        raise OpError(f"bitwise operands must be integers or bool, got {x} and {y}")
    return _same(x, y)


def _choice(c: Type, x: Type, y: Type, /) -> Type:
    if c.dtype is not BOOL:
        raise OpError(f"the condition must be bool, got {c}")
    if x.dtype is not y.dtype:
        raise OpError(f"operands differ in dtype: {x} and {y}")
    return Type(x.dtype, broadcast_shapes(c.shape, x.shape, y.shape))


def _converted(x: Type, /, *, dtype: DType) -> Type:
    return Type(dtype, x.shape)


# --- builders ----------------------------------------------------------------------------------
def _unary(name: str, doc: str, grad: Any, **columns: Any) -> Op:
    columns.setdefault("infer", _floating)
    columns.setdefault("promote", "float")
    columns.setdefault("examples", _NUMBERS)
    columns.setdefault("spelling", Spelling(("eager", "method", "inplace")))
    kernel = columns.pop("kernel", Pointwise(lambda x: s.call(name, x)))
    return Op(name, doc, kernel=kernel, grad=grad, **columns)


def _binary(name: str, doc: str, grad: Any, operators: tuple[str, ...] = (),
            names: tuple[str, ...] = (), **columns: Any) -> Op:
    columns.setdefault("infer", _arithmetic)
    columns.setdefault("promote", "same")
    columns.setdefault("examples", PAIRS)
    instr = columns.pop("instr", name)
    spelling = Spelling(("eager", "method", "inplace", *operators), names)
    kernel = Pointwise(lambda x, y: s.call(instr, x, y))
    return Op(name, doc, kernel=kernel, grad=grad, spelling=spelling, **columns)


def _compare(name: str, doc: str, names: tuple[str, ...] = ()) -> Op:
    return Op(name, doc, _comparison, Pointwise(lambda x, y: s.call(name, x, y)), promote="same",
              examples=PAIRS + _INTS, spelling=Spelling(("eager", "method", f"__{name}__"), names))


def _no_bool(x: Any) -> None:
    if x.dtype.kind == "b":
        raise OpError(f"the operand must be a number, got {Type.of(x)}")


def _condition(c: Any, x: Any, y: Any) -> None:
    if c.dtype.kind != "b":
        raise OpError(f"the condition must be bool, got {Type.of(c)}")


def _raise_on_zero(x: Any, y: Any) -> None:
    if np.result_type(x, y).kind in "iu" and not np.all(y):
        raise OpError("integer division by zero")


_ZERO_DIVISOR = (Example((np.array([1, 2]), np.array([1, 0]))),)


# --- gradients (each is the derivative; broadcast operands are summed by the caller) -----------
def _grad_mod(F: Any, g: Any, out: Any, x: Any, y: Any) -> tuple[Any, ...]:
    return g, F.neg(F.mul(g, F.floor(F.div(x, y))))


def _grad_pow(F: Any, g: Any, out: Any, x: Any, y: Any) -> tuple[Any, ...]:
    # d/dx at y = 0 is 0 even where x = 0; d/dy takes log(0) * 0 as 0 (torch's convention).
    dx = F.where(F.eq(y, 0), F.mul(y, 0), F.mul(y, F.pow(x, F.sub(y, 1))))
    zero_base = F.logical_and(F.eq(x, 0), F.ge(y, 0))
    safe = F.where(zero_base, F.add(F.mul(x, 0), 1), x)
    return F.mul(g, dx), F.mul(g, F.where(zero_base, F.mul(x, 0), F.mul(out, F.log(safe))))


def _grad_extremum(F: Any, g: Any, x: Any, y: Any, wins: Any) -> tuple[Any, ...]:
    # Ties share the gradient equally, as in torch.
    half = F.mul(g, 0.5)
    tie = F.eq(x, y)
    zero = F.mul(g, 0)
    return (F.where(tie, half, F.where(wins(x, y), g, zero)),
            F.where(tie, half, F.where(wins(x, y), zero, g)))


def _grad_where(F: Any, g: Any, out: Any, c: Any, x: Any, y: Any) -> tuple[Any, ...]:
    zero = F.mul(g, 0)
    return None, F.where(c, g, zero), F.where(c, zero, g)


def _grad_cast(F: Any, g: Any, out: Any, x: Any, *, dtype: DType) -> tuple[Any, ...]:
    source = F.typeof(x).dtype
    return (F.cast(g, dtype=source) if source.kind == "f" and dtype.kind == "f" else None,)


def _run_cast(x: Any, *, dtype: DType) -> Any:
    if x.dtype.kind == "f" and dtype.kind == "i":
        low, high = np.iinfo(dtype.numpy).min, np.iinfo(dtype.numpy).max
        # float(high) rounds up to 2**63 for int64, so the upper comparison is strict.
        inside = (x > float(low) - 1) & (x < float(high) + 1) if dtype.itemsize < 8 else (
            (x >= float(low)) & (x < float(high)))
        if not np.all(inside):
            raise OpError(f"a value is out of range for {dtype.public} (or NaN)")
    return x.astype(dtype.numpy)


# --- public signatures -------------------------------------------------------------------------
def _scaling(name: str) -> Any:
    def public(F: Any, input: Any, other: Any, *, alpha: float = 1) -> Any:
        return getattr(F, name)(input, other if alpha == 1 else F.mul(other, alpha))
    return public


def _div(F: Any, input: Any, other: Any, *, rounding_mode: str | None = None) -> Any:
    if rounding_mode is None:
        return F.div(input, other)
    if rounding_mode == "floor":
        return F.floor_divide(input, other)
    if rounding_mode != "trunc":
        raise OpError(f"div: rounding_mode is None, 'floor' or 'trunc', got {rounding_mode!r}")
    if F.typeof(input).dtype.kind != "f":
        raise OpError("div: rounding_mode='trunc' of integers is not supported; use 'floor'")
    return F.trunc(F.div(input, other))


TWO_OVER_SQRT_PI = 2.0 / math.sqrt(math.pi)

add = _binary("add", "x + alpha y.", lambda F, g, out, x, y: (g, g), ("__add__", "__radd__"),
              commutative=True, public=_scaling("add"), onnx="Add", examples=PAIRS + _INTS)
sub = _binary("sub", "x - alpha y.", lambda F, g, out, x, y: (g, F.neg(g)),
              ("__sub__", "__rsub__"), ("subtract",), public=_scaling("sub"), onnx="Sub",
              examples=PAIRS + _INTS)
mul = _binary("mul", "x * y.", lambda F, g, out, x, y: (F.mul(g, y), F.mul(g, x)),
              ("__mul__", "__rmul__"), ("multiply",), saves=(0, 1), commutative=True, onnx="Mul",
              examples=PAIRS + _INTS)
div = _binary("div", "x / y; integers are divided as float32.",
              lambda F, g, out, x, y: (F.div(g, y), F.neg(F.div(F.mul(g, out), y))),
              ("__truediv__", "__rtruediv__"), ("divide", "true_divide"), infer=_floating_pair,
              promote="float", saves=(1, "out"), public=_div, domain=(0.5, 2.0), onnx="Div")
floor_divide = _binary("floor_divide", "The floor of x / y.", lambda F, g, out, x, y: (None, None),
                       ("__floordiv__", "__rfloordiv__"), instr="floordiv", domain=(1.0, 9.0),
                       examples=PAIRS + _INTS, precheck=_raise_on_zero, rejects=_ZERO_DIVISOR)
remainder = _binary("remainder", "x - y * floor(x / y): the sign is the divisor's.", _grad_mod,
                    ("__mod__", "__rmod__"), instr="mod", saves=(0, 1), domain=(1.0, 9.0),
                    examples=PAIRS + _INTS, precheck=_raise_on_zero, rejects=_ZERO_DIVISOR)
pow = _binary("pow", "x to the power y.", _grad_pow, ("__pow__", "__rpow__"),
              infer=_floating_pair, promote="float", saves=(0, 1, "out"), domain=(0.5, 2.0),
              onnx="Pow")
maximum = _binary("maximum", "The larger of x and y; NaN where either is NaN.",
                  lambda F, g, out, x, y: _grad_extremum(F, g, x, y, F.gt), saves=(0, 1),
                  commutative=True, onnx="Max")
minimum = _binary("minimum", "The smaller of x and y; NaN where either is NaN.",
                  lambda F, g, out, x, y: _grad_extremum(F, g, x, y, F.lt), saves=(0, 1),
                  commutative=True, onnx="Min")

neg = _unary("neg", "-x.", lambda F, g, out, x: (F.neg(g),), infer=_number, promote="none",
             onnx="Neg", spelling=Spelling(("eager", "method", "inplace", "__neg__")))
abs = _unary("abs", "The absolute value of x.", lambda F, g, out, x: (F.mul(g, F.sign(x)),),
             infer=_number, promote="none", precheck=_no_bool, saves=(0,), onnx="Abs",
             spelling=Spelling(("eager", "method", "inplace", "__abs__"), ("absolute",)))
sign = _unary("sign", "-1, 0 or 1 by the sign of x; NaN stays NaN.",
              lambda F, g, out, x: (F.mul(g, 0),), infer=_number, promote="none", onnx="Sign")
exp = _unary("exp", "e to the power x.", lambda F, g, out, x: (F.mul(g, out),), saves=("out",),
             onnx="Exp")
expm1 = _unary("expm1", "exp(x) - 1, exact near 0.",
               lambda F, g, out, x: (F.mul(g, F.add(out, 1)),), saves=("out",))
log = _unary("log", "The natural logarithm of x.", lambda F, g, out, x: (F.div(g, x),),
             saves=(0,), domain=(0.1, 3.0), onnx="Log")
log1p = _unary("log1p", "log(1 + x), exact near 0.",
               lambda F, g, out, x: (F.div(g, F.add(x, 1)),), saves=(0,), domain=(-0.5, 2.0))
sqrt = _unary("sqrt", "The square root of x.",
              lambda F, g, out, x: (F.div(F.mul(g, 0.5), out),), saves=("out",),
              domain=(0.1, 3.0), onnx="Sqrt")
rsqrt = _unary("rsqrt", "1 / sqrt(x).",
               lambda F, g, out, x: (F.mul(F.mul(g, -0.5), F.mul(out, F.mul(out, out))),),
               saves=("out",), domain=(0.1, 3.0))
reciprocal = _unary("reciprocal", "1 / x.",
                    lambda F, g, out, x: (F.neg(F.mul(g, F.mul(out, out))),), saves=("out",),
                    kernel=Pointwise(lambda x: 1.0 / x), domain=(0.5, 3.0), onnx="Reciprocal")
square = _unary("square", "x * x.", lambda F, g, out, x: (F.mul(g, F.mul(x, 2)),), saves=(0,),
                infer=_number, promote="none", precheck=_no_bool,
                kernel=Pointwise(lambda x: x * x))
tanh = _unary("tanh", "The hyperbolic tangent of x.",
              lambda F, g, out, x: (F.mul(g, F.sub(1.0, F.mul(out, out))),), saves=("out",),
              onnx="Tanh", spelling=Spelling(("eager", "method", "inplace", "nn.functional")))
sigmoid = _unary("sigmoid", "1 / (1 + exp(-x)).",
                 lambda F, g, out, x: (F.mul(g, F.mul(out, F.sub(1.0, out))),), saves=("out",),
                 onnx="Sigmoid",
                 spelling=Spelling(("eager", "method", "inplace", "nn.functional")))
erf = _unary("erf", "The error function of x.", lambda F, g, out, x: (
    F.mul(g, F.mul(F.exp(F.neg(F.mul(x, x))), TWO_OVER_SQRT_PI)),), saves=(0,), onnx="Erf")
sin = _unary("sin", "The sine of x in radians.", lambda F, g, out, x: (F.mul(g, F.cos(x)),),
             saves=(0,), onnx="Sin")
cos = _unary("cos", "The cosine of x in radians.",
             lambda F, g, out, x: (F.neg(F.mul(g, F.sin(x))),), saves=(0,), onnx="Cos")
floor = _unary("floor", "The largest integer not above x.",
               lambda F, g, out, x: (F.mul(g, 0),), onnx="Floor")
ceil = _unary("ceil", "The smallest integer not below x.",
              lambda F, g, out, x: (F.mul(g, 0),), onnx="Ceil")
trunc = _unary("trunc", "x without its fraction.", lambda F, g, out, x: (F.mul(g, 0),))
round = _unary("round", "x rounded to the nearest integer, halves to even.",
               lambda F, g, out, x: (F.mul(g, 0),), onnx="Round")
relu = _unary("relu", "max(x, 0).",
              lambda F, g, out, x: (F.where(F.gt(out, 0), g, F.mul(g, 0)),), saves=("out",),
              infer=_number, promote="none", precheck=_no_bool,
              kernel=Pointwise(lambda x: s.call("maximum", x, 0)),
              onnx="Relu",
              spelling=Spelling(("eager", "method", "inplace", "nn.functional")))

eq = _compare("eq", "x == y.")
ne = _compare("ne", "x != y.", ("not_equal",))
lt = _compare("lt", "x < y.", ("less",))
le = _compare("le", "x <= y.", ("less_equal",))
gt = _compare("gt", "x > y.", ("greater",))
ge = _compare("ge", "x >= y.", ("greater_equal",))
isnan = _unary("isnan", "Where x is NaN.", None, infer=_predicate, promote="none",
               kernel=Pointwise(lambda x: s.call("ne", x, x)), onnx="IsNaN",
               spelling=Spelling())
logical_not = _unary("logical_not", "Where x is zero or False.", None, infer=_predicate,
                     promote="none", kernel=Pointwise(lambda x: s.call("not", x)),
                     spelling=Spelling())
_BOOLS = (Example((((2, 3), "bool"), ((3,), "bool"))),)
bitwise_and = _binary("bitwise_and", "x & y, of integers or bools.", None,
                      ("__and__", "__rand__"), instr="and", infer=_bits, examples=_BOOLS + _INTS)
bitwise_or = _binary("bitwise_or", "x | y, of integers or bools.", None, ("__or__", "__ror__"),
                     instr="or", infer=_bits, examples=_BOOLS + _INTS)
bitwise_xor = _binary("bitwise_xor", "x ^ y, of integers or bools.", None,
                      ("__xor__", "__rxor__"), instr="xor", infer=_bits, examples=_BOOLS + _INTS)
logical_and = Op("logical_and", "Where x and y are both nonzero.", _comparison,
                 Pointwise(lambda x, y: s.call("and", s.call("ne", x, 0), s.call("ne", y, 0))),
                 promote="same", examples=PAIRS + _BOOLS)
logical_or = Op("logical_or", "Where x or y is nonzero.", _comparison,
                Pointwise(lambda x, y: s.call("or", s.call("ne", x, 0), s.call("ne", y, 0))),
                promote="same", examples=PAIRS + _BOOLS)
where = Op("where", "x where the condition holds, else y.", _choice,
           Pointwise(lambda c, x, y: s.call("select", c, x, y)), grad=_grad_where, saves=(0,),
           promote="where", precheck=_condition, onnx="Where",
           examples=(Example((((2, 3), "bool"), (2, 3), (2, 3))),
                     Example((((3,), "bool"), (2, 3), ()))))
cast = Op("cast", "x converted to a dtype; a float that no integer holds is an error.",
          _converted, Pointwise(lambda x: s.call("cast", x)), forward=_run_cast, grad=_grad_cast,
          spelling=None, onnx="Cast", examples=(Example(((2, 3),), {"dtype": F64}), *(
              Example((((2, 3), a),), {"dtype": d}) for a, d in (
                  ("f32", F64), ("f32", I64), ("i64", F32), ("bool", F32),
                  ("f64", F32), ("i32", I64), ("f32", BOOL)))),
          rejects=(Example((np.array([1e30], np.float32),), {"dtype": I64}),
                   Example((np.array([np.nan], np.float32),), {"dtype": I32})))

clone = Op("clone", "A copy of x.", lambda x, /: x, Pointwise(lambda x: x),
           forward=lambda x: x.copy(), grad=lambda F, g, out, x: (g,), spelling=None,
           onnx="Identity")
detach = Op("detach", "x without its history.", lambda x, /: x, Pointwise(lambda x: x),
            forward=lambda x: x, spelling=None, onnx="Identity",
            put=lambda F, base, value: value)

OPS = (
    add, sub, mul, div, floor_divide, remainder, pow, maximum, minimum,
    neg, abs, sign, exp, expm1, log, log1p, sqrt, rsqrt, reciprocal, square,
    tanh, sigmoid, erf, sin, cos, floor, ceil, trunc, round, relu,
    eq, ne, lt, le, gt, ge, isnan, logical_not, logical_and, logical_or,
    bitwise_and, bitwise_or, bitwise_xor, where, cast, clone, detach,
)
