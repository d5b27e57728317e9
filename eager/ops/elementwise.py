"""What elementwise operators have in common: contracts, examples and builders."""

from __future__ import annotations

from typing import Any

import numpy as np

from eager.ops import scalar as s
from eager.ops.errors import OpError
from eager.ops.families import Pointwise
from eager.ops.op import Example, Op, Spelling
from eager.ops.types import BOOL, Type, broadcast_shapes

PAIRS = (Example(((2, 3), (2, 3))), Example(((2, 3), (3,))), Example(((4, 1), (1, 5))),
         Example(((), (2,))))
NUMBERS = (Example(((2, 3),)), Example(((),)), Example(((0, 3),)))
INTS = (Example((((5,), "i64"), ((5,), "i64"))), Example((((2, 3), "i32"), ((3,), "i32"))))
BOOLS = (Example((((2, 3), "bool"), ((3,), "bool"))),)
ZERO_DIVISOR = (Example((np.array([1, 2]), np.array([1, 0]))),)
EVERYWHERE = ("eager", "method", "inplace")


# --- contracts ---------------------------------------------------------------------------------
def same(x: Type, y: Type, /) -> Type:
    """Two operands of one dtype give that dtype."""
    if x.dtype is not y.dtype:
        raise OpError(f"operands differ in dtype: {x} and {y}")
    return Type(x.dtype, broadcast_shapes(x.shape, y.shape))


def arithmetic(x: Type, y: Type, /) -> Type:
    """`same` of numbers."""
    if x.dtype is BOOL:
        raise OpError(f"bool operands have no such arithmetic: {x} and {y}; cast them first, or "
                      f"use logical_xor and its like")
    return same(x, y)


def integral(x: Type, y: Type, /) -> Type:
    """`same` of integers."""
    if x.dtype.kind != "i":
        raise OpError(f"operands are integers, got {x} and {y}")
    return same(x, y)


def comparison(x: Type, y: Type, /) -> Type:
    return Type(BOOL, same(x, y).shape)


def floating(x: Type, /) -> Type:
    """A floating or complex operand keeps its type."""
    if x.dtype.kind not in "fc":
        raise OpError(f"the operand must be floating, got {x}")
    return x


def floating_pair(x: Type, y: Type, /) -> Type:
    floating(x)
    return same(x, y)


def number(x: Type, /) -> Type:
    """Any operand but a bool keeps its type."""
    if x.dtype is BOOL:
        raise OpError(f"the operand must be a number, got {x}")
    return x


def predicate(x: Type, /) -> Type:
    return Type(BOOL, x.shape)


# --- checks of what NumPy would take ------------------------------------------------------------
def no_bool(x: Any) -> None:
    """Raise OpError for an array of bools."""
    if x.dtype.kind == "b":
        raise OpError(f"the operand must be a number, got {Type.of(x)}")


def no_zero(x: Any, y: Any) -> None:
    """Raise OpError where integers are divided by 0."""
    if np.result_type(x, y).kind in "iu" and not np.all(y):
        raise OpError("integer division by zero")


# --- builders ----------------------------------------------------------------------------------
def unary(name: str, doc: str, grad: Any, *names: str, special: bool = False,
          **columns: Any) -> Op:
    """A function of one floating number; integers are taken as float32.

    ``names`` are its aliases; ``special`` puts it into that namespace as well.
    """
    where = (*EVERYWHERE, "special") if special else EVERYWHERE
    columns.setdefault("infer", floating)
    columns.setdefault("promote", "float")
    columns.setdefault("examples", NUMBERS)
    columns.setdefault("spelling", Spelling(where, names))
    kernel = columns.pop("kernel", Pointwise(lambda x: s.call(name, x)))
    return Op(name, doc, kernel=kernel, grad=grad, **columns)


def binary(name: str, doc: str, grad: Any, operators: tuple[str, ...] = (),
           names: tuple[str, ...] = (), **columns: Any) -> Op:
    """A function of two numbers of one dtype, to which they are promoted."""
    columns.setdefault("infer", arithmetic)
    columns.setdefault("promote", "same")
    columns.setdefault("examples", PAIRS)
    columns.setdefault("spelling", Spelling((*EVERYWHERE, *operators), names))
    instr = columns.pop("instr", name)
    kernel = columns.pop("kernel", Pointwise(lambda x, y: s.call(instr, x, y)))
    return Op(name, doc, kernel=kernel, grad=grad, **columns)


def flat(F: Any, g: Any, out: Any, x: Any) -> tuple[Any, ...]:
    """The gradient of a step function: 0 everywhere."""
    return (F.mul(g, 0),)
