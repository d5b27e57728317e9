"""Composites applied element by element: activations, clamps and fused arithmetic."""

from __future__ import annotations

import math
from typing import Any

from eager.ops.composite import Composite
from eager.ops.errors import OpError
from eager.ops.op import Spelling


def clamp(F: Any, input: Any, min: Any = None, max: Any = None) -> Any:
    """The input kept within [min, max]; NaN stays NaN, and gradients pass at the ends."""
    if min is None and max is None:
        raise OpError("clamp: give min, max or both")
    if min is not None:
        input = F.where(F.lt(input, min), min, input)
    if max is not None:
        input = F.where(F.gt(input, max), max, input)
    return input


def clamp_min(F: Any, input: Any, min: Any) -> Any:
    """The input, but at least ``min``."""
    return clamp(F, input, min=min)


def clamp_max(F: Any, input: Any, max: Any) -> Any:
    """The input, but at most ``max``."""
    return clamp(F, input, max=max)


def lerp(F: Any, input: Any, end: Any, weight: Any) -> Any:
    """input + weight (end - input)."""
    return F.add(input, F.mul(F.sub(end, input), weight))


def addcmul(F: Any, input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
    """input + value tensor1 tensor2."""
    return F.add(input, F.mul(_scaled(F, tensor1, value), tensor2))


def addcdiv(F: Any, input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
    """input + value tensor1 / tensor2."""
    return F.add(input, F.div(_scaled(F, tensor1, value), tensor2))


def _scaled(F: Any, x: Any, value: Any) -> Any:
    return x if type(value) in (int, float) and value == 1 else F.mul(x, value)


def gelu(F: Any, input: Any, approximate: str = "none") -> Any:
    """x times the normal distribution at x: by erf, or by tanh with ``approximate="tanh"``."""
    if approximate == "none":
        inside = F.erf(F.mul(input, math.sqrt(0.5)))
    elif approximate == "tanh":
        cubic = F.mul(F.mul(input, F.square(input)), 0.044715)
        inside = F.tanh(F.mul(F.add(input, cubic), math.sqrt(2 / math.pi)))
    else:
        raise OpError(f"gelu: approximate is 'none' or 'tanh', got {approximate!r}")
    return F.mul(F.mul(input, 0.5), F.add(inside, 1.0))


def silu(F: Any, input: Any) -> Any:
    """x sigmoid(x)."""
    return F.mul(input, F.sigmoid(input))


def softplus(F: Any, input: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """log(1 + exp(beta x)) / beta; x itself where ``beta x`` is above ``threshold``."""
    x = _scaled(F, input, beta)
    soft = F.add(F.maximum(x, 0), F.log1p(F.exp(F.neg(F.abs(x)))))
    return F.where(F.gt(x, threshold), input, soft if beta == 1 else F.div(soft, beta))


def logsigmoid(F: Any, input: Any) -> Any:
    """log(sigmoid(x))."""
    return F.sub(F.minimum(input, 0), F.log1p(F.exp(F.neg(F.abs(input)))))


def leaky_relu(F: Any, input: Any, negative_slope: float = 0.01) -> Any:
    """x where positive, else ``negative_slope`` x."""
    return F.where(F.gt(input, 0), input, F.mul(input, negative_slope))


def elu(F: Any, input: Any, alpha: float = 1.0) -> Any:
    """x where positive, else alpha (exp(x) - 1)."""
    positive = F.gt(input, 0)
    below = F.where(positive, F.mul(input, 0), input)
    return F.where(positive, input, F.mul(F.expm1(below), alpha))


def relu6(F: Any, input: Any) -> Any:
    """x kept within [0, 6]."""
    return hardtanh(F, input, 0.0, 6.0)


def hardtanh(F: Any, input: Any, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    """x kept within [min_val, max_val]; the gradient at the ends is 0."""
    low = F.where(F.le(input, min_val), min_val, input)
    return F.where(F.ge(low, max_val), max_val, low)


def hardsigmoid(F: Any, input: Any) -> Any:
    """x / 6 + 1/2 kept within [0, 1]."""
    return F.div(relu6(F, F.add(input, 3.0)), 6.0)


def hardswish(F: Any, input: Any) -> Any:
    """x hardsigmoid(x)."""
    return F.mul(input, hardsigmoid(F, input))


def softsign(F: Any, input: Any) -> Any:
    """x / (1 + |x|)."""
    return F.div(input, F.add(F.abs(input), 1.0))


def mish(F: Any, input: Any) -> Any:
    """x tanh(softplus(x))."""
    return F.mul(input, F.tanh(softplus(F, input)))


def exp2(F: Any, input: Any) -> Any:
    """2 to the power x."""
    return F.exp(F.mul(input, math.log(2)))


def log2(F: Any, input: Any) -> Any:
    """The logarithm of x to base 2."""
    return F.div(F.log(input), math.log(2))


def log10(F: Any, input: Any) -> Any:
    """The logarithm of x to base 10."""
    return F.div(F.log(input), math.log(10))


def tan(F: Any, input: Any) -> Any:
    """The tangent of x in radians."""
    return F.div(F.sin(input), F.cos(input))


def frac(F: Any, input: Any) -> Any:
    """The fraction of x, with the sign of x."""
    return F.sub(input, F.trunc(input))


def logical_xor(F: Any, input: Any, other: Any) -> Any:
    """Where exactly one of x and y is nonzero."""
    return F.ne(F.logical_not(input), F.logical_not(other))


def bitwise_not(F: Any, input: Any) -> Any:
    """The bits of x turned over; of bools, their negation."""
    kind = F.typeof(input).dtype.kind
    if kind == "f":
        raise OpError(f"bitwise_not: wants integers or bool, got {F.typeof(input)}")
    return F.logical_not(input) if kind == "b" else F.bitwise_xor(input, -1)


_FUNCTIONAL = Spelling(("nn.functional",))
_PLAIN = (exp2, log2, log10, tan, frac, logical_xor, bitwise_not)
_ACTIVATIONS = (gelu, silu, softplus, logsigmoid, leaky_relu, elu, relu6, hardtanh, hardsigmoid,
                hardswish, softsign, mish)
_INPLACE = Spelling(("eager", "method", "inplace"))
FUNCTIONS = (Composite("clamp", clamp, Spelling(_INPLACE.where, ("clip",))),
             *(Composite(f.__name__, f, _INPLACE)
               for f in (clamp_min, clamp_max, lerp, addcmul, addcdiv)),
             *(Composite(f.__name__, f, Spelling()) for f in _PLAIN),
             *(Composite(f.__name__, f, _FUNCTIONAL) for f in _ACTIVATIONS))
