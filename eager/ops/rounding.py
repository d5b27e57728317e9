"""Rounding to whole numbers.  Integers are whole, and stay integers."""

from __future__ import annotations

from typing import Any

from eager.ops.elementwise import flat, no_bool, number, unary
from eager.ops.errors import OpError
from eager.ops.op import Example, Op

_EXAMPLES = (Example(((2, 3),)), Example(((),)), Example((((4,), "i64"),)))


def _round(F: Any, input: Any, *, decimals: int = 0) -> Any:
    if decimals == 0:
        return F.round(input)
    kind = F.typeof(input)
    if kind.dtype.kind != "f":
        raise OpError(f"round: decimals are of floating tensors, got {kind}")
    power = 10.0 ** (decimals if decimals > 0 else -decimals)
    if decimals > 0:
        return F.div(F.round(F.mul(input, power)), power)
    return F.mul(F.round(F.div(input, power)), power)


def _step(name: str, doc: str, *names: str, **columns: Any) -> Op:
    return unary(name, doc, flat, *names, infer=number, promote="none", precheck=no_bool,
                 examples=_EXAMPLES, **columns)


floor = _step("floor", "The largest integer not above x.", onnx="Floor")
ceil = _step("ceil", "The smallest integer not below x.", onnx="Ceil")
trunc = _step("trunc", "x without its fraction.", "fix")
round = _step("round", "x rounded to the nearest integer, halves to even; to ``decimals`` places.",
              public=_round, special=True, onnx="Round")

OPS: tuple[Op, ...] = (floor, ceil, trunc, round)
