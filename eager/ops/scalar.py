"""The scalar instruction set: all that a target has to know about arithmetic.

The body of a pointwise op is an ordinary function of scalars.  Called with
`Expr` leaves it builds a tree; NumPy evaluates the tree on whole arrays, and a
kernel printer prints it in its own language.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eager.ops import approximations
from eager.ops.choice import select

Number = bool | int | float


@dataclass(frozen=True, slots=True)
class Instr:
    """One scalar instruction.

    ``numpy`` evaluates whole arrays.  ``result`` is ``same`` (the operands'
    dtype), ``bool``, or ``cast`` (the dtype is the node's own).
    ``heavy`` marks what is dear enough to be computed once and kept.
    """

    numpy: Callable[..., Any]
    arity: int
    result: str = "same"
    heavy: bool = False


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def _rsqrt(x: Any) -> Any:
    return np.reciprocal(np.sqrt(x))


def _power(x: Any, y: Any) -> Any:
    """NumPy's power; a negative one of an integer is rounded towards 0, where NumPy refuses."""
    if np.result_type(x, y).kind not in "iu" or not np.any(np.less(y, 0)):
        return np.power(x, y)
    size = np.where(np.less(y, 0), np.bitwise_and(y, 1), y)
    inverse = np.where((x == 1) | (x == -1), np.power(x, size), 0)
    return np.where(np.less(y, 0), inverse, np.power(x, size)).astype(np.result_type(x, y))


def _whole(function: Callable[..., Any]) -> Callable[..., Any]:
    """Rounding, which leaves integers as they are."""
    def run(x: Any) -> Any:
        return x.copy() if x.dtype.kind in "iu" else function(x)
    return run


INSTRS: dict[str, Instr] = {
    "add": Instr(np.add, 2),
    "sub": Instr(np.subtract, 2),
    "mul": Instr(np.multiply, 2),
    "div": Instr(np.divide, 2),
    "floordiv": Instr(np.floor_divide, 2),
    "mod": Instr(np.remainder, 2),
    "neg": Instr(np.negative, 1),
    "abs": Instr(np.absolute, 1),
    "sign": Instr(np.sign, 1),
    "maximum": Instr(np.maximum, 2),
    "minimum": Instr(np.minimum, 2),
    "fmod": Instr(np.fmod, 2),
    "gcd": Instr(np.gcd, 2, heavy=True),
    "nextafter": Instr(np.nextafter, 2),
    "copysign": Instr(np.copysign, 2),
    "pow": Instr(_power, 2, heavy=True),
    "exp": Instr(np.exp, 1, heavy=True),
    "expm1": Instr(approximations.expm1, 1, heavy=True),
    "log": Instr(np.log, 1, heavy=True),
    "log1p": Instr(approximations.log1p, 1, heavy=True),
    "tanh": Instr(np.tanh, 1, heavy=True),
    "sigmoid": Instr(_sigmoid, 1, heavy=True),
    "atan": Instr(np.arctan, 1, heavy=True),
    **{name: Instr(getattr(approximations, name), 1, heavy=True) for name in (
        "erf", "erfc", "erfcx", "erfinv", "lgamma", "digamma", "i0e", "i1e")},
    "sin": Instr(np.sin, 1, heavy=True),
    "cos": Instr(np.cos, 1, heavy=True),
    "sqrt": Instr(np.sqrt, 1, heavy=True),
    "rsqrt": Instr(_rsqrt, 1, heavy=True),
    "floor": Instr(_whole(np.floor), 1),
    "ceil": Instr(_whole(np.ceil), 1),
    "trunc": Instr(_whole(np.trunc), 1),
    "round": Instr(_whole(np.rint), 1),
    "eq": Instr(np.equal, 2, "bool"),
    "ne": Instr(np.not_equal, 2, "bool"),
    "lt": Instr(np.less, 2, "bool"),
    "le": Instr(np.less_equal, 2, "bool"),
    "gt": Instr(np.greater, 2, "bool"),
    "ge": Instr(np.greater_equal, 2, "bool"),
    "and": Instr(np.bitwise_and, 2),
    "or": Instr(np.bitwise_or, 2),
    "xor": Instr(np.bitwise_xor, 2),
    "left_shift": Instr(np.left_shift, 2),
    "right_shift": Instr(np.right_shift, 2),
    "not": Instr(np.logical_not, 1, "bool"),
    "select": Instr(select, 3),
    "cast": Instr(lambda x: x, 1, "cast"),
}


class Arithmetic:
    """Operator spelling for scalar expressions."""

    __slots__ = ()

    def __add__(self, o: Any) -> Expr:
        return Expr("add", (self, o))

    def __radd__(self, o: Any) -> Expr:
        return Expr("add", (o, self))

    def __sub__(self, o: Any) -> Expr:
        return Expr("sub", (self, o))

    def __rsub__(self, o: Any) -> Expr:
        return Expr("sub", (o, self))

    def __mul__(self, o: Any) -> Expr:
        return Expr("mul", (self, o))

    def __rmul__(self, o: Any) -> Expr:
        return Expr("mul", (o, self))

    def __truediv__(self, o: Any) -> Expr:
        return Expr("div", (self, o))

    def __rtruediv__(self, o: Any) -> Expr:
        return Expr("div", (o, self))

    def __neg__(self) -> Expr:
        return Expr("neg", (self,))

    def __gt__(self, o: Any) -> Expr:
        return Expr("gt", (self, o))

    def __lt__(self, o: Any) -> Expr:
        return Expr("lt", (self, o))


@dataclass(frozen=True, slots=True)
class Expr(Arithmetic):
    """One scalar expression: an instruction and its operands, or ``arg i``."""

    instr: str
    args: tuple[Any, ...]

    @property
    def is_arg(self) -> bool:
        return self.instr == "arg"


Scalar = Expr | Number


def arg(i: int) -> Expr:
    """Operand ``i`` of the body."""
    return Expr("arg", (i,))


def call(instr: str, *args: Scalar) -> Expr:
    """Apply an instruction that has no operator spelling."""
    if instr not in INSTRS:
        raise KeyError(f"no scalar instruction {instr!r}")
    return Expr(instr, args)


def evaluate(e: Scalar, args: Sequence[Any]) -> Any:
    """Run the tree on whole arrays with NumPy's column."""
    if not isinstance(e, Expr):
        return e
    if e.is_arg:
        return args[e.args[0]]
    return INSTRS[e.instr].numpy(*(evaluate(a, args) for a in e.args))


def evaluator(e: Scalar, arity: int) -> Callable[..., Any]:
    """The tree as one Python function of ``arity`` arrays: `evaluate` without the walk."""
    names: dict[str, Any] = {}

    def text(e: Scalar) -> str:
        if not isinstance(e, Expr):
            name = f"c{len(names)}"
            names[name] = e
            return name
        if e.is_arg:
            return f"a{e.args[0]}"
        names[f"{e.instr}_"] = INSTRS[e.instr].numpy
        return f"{e.instr}_({', '.join(map(text, e.args))})"

    parameters = ", ".join(f"a{i}" for i in range(arity))
    run: Callable[..., Any] = eval(f"lambda {parameters}: {text(e)}", names)
    return run


def instructions(e: Scalar) -> set[str]:
    """Every instruction the tree uses."""
    if not isinstance(e, Expr) or e.is_arg:
        return set()
    return {e.instr}.union(*(instructions(a) for a in e.args))
