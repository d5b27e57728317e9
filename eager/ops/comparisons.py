"""Comparisons, truth and bits of elements."""

from __future__ import annotations

from typing import Any

from eager.ops import cartesian
from eager.ops import scalar as s
from eager.ops.elementwise import (
    BOOLS,
    EVERYWHERE,
    INTS,
    PAIRS,
    binary,
    comparison,
    integral,
    predicate,
    same,
    unary,
)
from eager.ops.errors import OpError
from eager.ops.families import Pointwise
from eager.ops.op import Example, Op, Spelling
from eager.ops.types import BOOL, Type, broadcast_shapes


def _bits(x: Type, y: Type, /) -> Type:
    if x.dtype.kind not in "bi":
        raise OpError(f"bitwise operands must be integers or bool, got {x} and {y}")
    return same(x, y)


def _choice(c: Type, x: Type, y: Type, /) -> Type:
    if c.dtype is not BOOL:
        raise OpError(f"the condition must be bool, got {c}")
    if x.dtype is not y.dtype:
        raise OpError(f"operands differ in dtype: {x} and {y}")
    return Type(x.dtype, broadcast_shapes(c.shape, x.shape, y.shape))


def _compare(name: str, doc: str, *names: str, split: Any = None) -> Op:
    return Op(name, doc, comparison, Pointwise(lambda x, y: s.call(name, x, y)), promote="same",
              examples=PAIRS + INTS, spelling=Spelling((*EVERYWHERE, f"__{name}__"), names),
              complex=split is not None, split=split)


def _bitwise(name: str, doc: str, instr: str, *names: str, **columns: Any) -> Op:
    word = {"left_shift": "lshift", "right_shift": "rshift"}.get(instr, instr)
    return binary(name, doc, None, (f"__{word}__", f"__r{word}__"), names, instr=instr, **columns)


def _nonzero(x: s.Scalar) -> s.Scalar:
    return s.call("ne", x, 0)


def _condition(c: Any, x: Any, y: Any) -> None:
    if c.dtype.kind != "b":
        raise OpError(f"the condition must be bool, got {Type.of(c)}")


def _grad_where(F: Any, g: Any, out: Any, c: Any, x: Any, y: Any) -> tuple[Any, ...]:
    return None, F.where(c, g, 0.0), F.where(c, 0.0, g)


eq = _compare("eq", "x == y.", split=cartesian.eq)
ne = _compare("ne", "x != y.", "not_equal", split=cartesian.ne)
lt = _compare("lt", "x < y.", "less")
le = _compare("le", "x <= y.", "less_equal")
gt = _compare("gt", "x > y.", "greater")
ge = _compare("ge", "x >= y.", "greater_equal")
isnan = unary("isnan", "Where x is NaN.", None, infer=predicate, promote="none",
              kernel=Pointwise(lambda x: s.call("ne", x, x)), onnx="IsNaN",
              complex=True, split=cartesian.isnan,
              spelling=Spelling())
logical_not = unary("logical_not", "Where x is zero or False.", None, infer=predicate,
                    promote="none", complex=True, split=cartesian.of_truth,
                    kernel=Pointwise(lambda x: s.call("not", x)))
logical_and = Op("logical_and", "Where x and y are both nonzero.", comparison,
                 Pointwise(lambda x, y: s.call("and", _nonzero(x), _nonzero(y))),
                 complex=True, split=cartesian.of_truth, promote="same", examples=PAIRS + BOOLS,
                 spelling=Spelling(EVERYWHERE))
logical_or = Op("logical_or", "Where x or y is nonzero.", comparison,
                Pointwise(lambda x, y: s.call("or", _nonzero(x), _nonzero(y))),
                complex=True, split=cartesian.of_truth,
                promote="same", examples=PAIRS + BOOLS, spelling=Spelling(EVERYWHERE))
bitwise_and = _bitwise("bitwise_and", "x & y, of integers or bools.", "and", infer=_bits,
                       examples=BOOLS + INTS)
bitwise_or = _bitwise("bitwise_or", "x | y, of integers or bools.", "or", infer=_bits,
                      examples=BOOLS + INTS)
bitwise_xor = _bitwise("bitwise_xor", "x ^ y, of integers or bools.", "xor", infer=_bits,
                       examples=BOOLS + INTS)
bitwise_left_shift = _bitwise(
    "bitwise_left_shift", "x << y; 0 where y is negative or no less than the bits of x.",
    "left_shift", infer=integral, examples=INTS)
bitwise_right_shift = _bitwise(
    "bitwise_right_shift", "x >> y; the sign of x where y is negative or no less than its bits.",
    "right_shift", infer=integral, examples=INTS)


def _where(F: Any, condition: Any, input: Any = None, other: Any = None) -> Any:
    if input is not None and other is not None:
        return F.where(condition, input, other)
    if input is not None or other is not None:
        raise OpError("where: give a condition alone, or a choice of two as well")
    from eager.ops.selection import nonzero

    return nonzero(F, condition, as_tuple=True)


where = Op("where", "x where the condition holds, else y.", _choice,
           Pointwise(lambda c, x, y: s.call("select", c, x, y)), grad=_grad_where, saves=(0,),
           promote="where", precheck=_condition,
           complex=True, split=cartesian.each, onnx="Where", public=_where,
           spelling=Spelling(("eager",)),
           examples=(Example((((2, 3), "bool"), (2, 3), (2, 3))),
                     Example((((3,), "bool"), (2, 3), ()))))

OPS: tuple[Op, ...] = (
    eq, ne, lt, le, gt, ge, isnan, logical_not, logical_and, logical_or, bitwise_and, bitwise_or,
    bitwise_xor, bitwise_left_shift, bitwise_right_shift, where,
)
