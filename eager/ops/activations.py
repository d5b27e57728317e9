"""Activations: what networks apply element by element, and the gated ones.

Where a signature has ``inplace``, the engine writes the result into the input; the bodies here
only compute.
"""

from __future__ import annotations

import math
from typing import Any

from eager.ops import scalar as s
from eager.ops.composite import Composite
from eager.ops.elementwise import unary
from eager.ops.errors import OpError
from eager.ops.families import Pointwise
from eager.ops.op import Op, Spelling
from eager.ops.shapes import narrow
from eager.ops.types import as_dtype, normalize_dim


def _log1pexp(x: s.Scalar) -> s.Scalar:
    return s.call("maximum", x, 0.0) + s.call("log1p", s.call("exp", -s.call("abs", x)))


#: An op of its own for its gradient, which is smooth at 0 where its parts have corners.
log1pexp = unary("log1pexp", "log(1 + exp(x)), without overflow on the way.",
                 lambda F, g, out, x: (F.mul(g, F.sigmoid(x)),), saves=(0,), spelling=None,
                 kernel=Pointwise(_log1pexp))
OPS: tuple[Op, ...] = (log1pexp,)


def _scaled(F: Any, x: Any, value: Any) -> Any:
    return x if type(value) in (int, float) and value == 1 else F.mul(x, value)


def _floating(F: Any, name: str, x: Any) -> None:
    if F.typeof(x).dtype.kind not in "fc":
        raise OpError(f"{name}: the input must be floating, got {F.typeof(x)}")


def gelu(F: Any, input: Any, approximate: str = "none") -> Any:
    """x times the normal distribution at x: by erf, or by tanh with ``approximate="tanh"``."""
    _floating(F, "gelu", input)
    if approximate == "none":
        inside = F.erf(F.mul(input, math.sqrt(0.5)))
    elif approximate == "tanh":
        cubic = F.mul(F.mul(input, F.square(input)), 0.044715)
        inside = F.tanh(F.mul(F.add(input, cubic), math.sqrt(2 / math.pi)))
    else:
        raise OpError(f"gelu: approximate is 'none' or 'tanh', got {approximate!r}")
    return F.mul(F.mul(input, 0.5), F.add(inside, 1.0))


def silu(F: Any, input: Any, inplace: bool = False) -> Any:
    """x sigmoid(x)."""
    _floating(F, "silu", input)
    return F.mul(input, F.sigmoid(input))


def softplus(F: Any, input: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """log(1 + exp(beta x)) / beta; x itself where ``beta x`` is above ``threshold``."""
    _floating(F, "softplus", input)
    x = _scaled(F, input, beta)
    soft = F.log1pexp(x)
    return F.where(F.gt(x, threshold), input, soft if beta == 1 else F.div(soft, beta))


def logsigmoid(F: Any, input: Any) -> Any:
    """log(sigmoid(x))."""
    _floating(F, "logsigmoid", input)
    return F.neg(F.log1pexp(F.neg(input)))


def leaky_relu(F: Any, input: Any, negative_slope: float = 0.01, inplace: bool = False) -> Any:
    """x where positive, else ``negative_slope`` x."""
    _floating(F, "leaky_relu", input)
    return F.where(F.gt(input, 0), input, F.mul(input, negative_slope))


def prelu(F: Any, input: Any, weight: Any) -> Any:
    """x where positive, else weight times x; one weight, or one per channel (dim 1)."""
    x, w = F.typeof(input), F.typeof(weight)
    if w.dtype is not x.dtype:
        raise OpError(f"prelu: wants input and weight of one dtype, got {x} and {w}")
    channels = x.shape[1] if x.ndim > 1 else 1
    if w.ndim > 1 or (w.numel != 1 and w.numel != channels):
        raise OpError(f"prelu: wants one weight or one per channel ({channels}), got {w}")
    one = type(w.numel) is int and w.numel == 1
    shape = () if one else (1, w.numel, *(1,) * (x.ndim - 2))
    return F.where(F.gt(input, 0), input, F.mul(input, F.reshape(weight, shape=shape)))


def elu(F: Any, input: Any, alpha: float = 1.0, inplace: bool = False) -> Any:
    """x where positive, else alpha (exp(x) - 1)."""
    _floating(F, "elu", input)
    return _exponential(F, input, 1.0, alpha, 1.0)


def selu(F: Any, input: Any, inplace: bool = False) -> Any:
    """`elu` scaled so that it keeps mean 0 and variance 1 (Klambauer and others, 2017)."""
    _floating(F, "selu", input)
    return _exponential(F, input, 1.0507009873554804934193349852946,
                        1.6732632423543772848170429916717, 1.0)


def celu(F: Any, input: Any, alpha: float = 1.0, inplace: bool = False) -> Any:
    """x where positive, else alpha (exp(x / alpha) - 1)."""
    _floating(F, "celu", input)
    if alpha == 0:
        raise OpError("celu: alpha is not 0")
    return _exponential(F, input, 1.0, alpha, 1.0 / alpha)


def _exponential(F: Any, x: Any, scale: float, alpha: float, inner: float) -> Any:
    """scale x where positive, else scale alpha (exp(inner x) - 1)."""
    positive = F.gt(x, 0)
    below = _scaled(F, F.where(positive, F.mul(x, 0), x), inner)
    return F.where(positive, _scaled(F, x, scale), _scaled(F, F.expm1(below), scale * alpha))


def relu6(F: Any, input: Any, inplace: bool = False) -> Any:
    """x kept within [0, 6]."""
    return hardtanh(F, input, 0.0, 6.0)


def hardtanh(F: Any, input: Any, min_val: float = -1.0, max_val: float = 1.0,
             inplace: bool = False) -> Any:
    """x kept within [min_val, max_val]; the gradient at the ends is 0."""
    if min_val > max_val:
        raise OpError(f"hardtanh: min_val is not above max_val, got {min_val} and {max_val}")
    if F.typeof(input).dtype.kind == "i" and min_val == int(min_val) and max_val == int(max_val):
        min_val, max_val = int(min_val), int(max_val)  # integers stay integers
    low = F.where(F.le(input, min_val), min_val, input)
    return F.where(F.ge(low, max_val), max_val, low)


def threshold(F: Any, input: Any, threshold: float, value: float, inplace: bool = False) -> Any:
    """x where above ``threshold``, else ``value``."""
    return F.where(F.le(input, threshold), value, input)


def hardsigmoid(F: Any, input: Any, inplace: bool = False) -> Any:
    """x / 6 + 1/2 kept within [0, 1]."""
    _floating(F, "hardsigmoid", input)
    return F.div(relu6(F, F.add(input, 3.0)), 6.0)


def hardswish(F: Any, input: Any, inplace: bool = False) -> Any:
    """x hardsigmoid(x)."""
    return F.mul(input, hardsigmoid(F, input))


def hardshrink(F: Any, input: Any, lambd: float = 0.5) -> Any:
    """x, but 0 within [-lambd, lambd]."""
    _floating(F, "hardshrink", input)
    inside = F.logical_and(F.ge(input, -lambd), F.le(input, lambd))
    return F.where(inside, 0.0, input)


def softshrink(F: Any, input: Any, lambd: float = 0.5) -> Any:
    """x moved towards 0 by ``lambd``, 0 within it."""
    _floating(F, "softshrink", input)
    if lambd < 0:
        raise OpError(f"softshrink: lambd is from 0 up, got {lambd}")
    inner = F.where(F.lt(input, -lambd), F.add(input, lambd), F.mul(input, 0))
    return F.where(F.gt(input, lambd), F.sub(input, lambd), inner)


def tanhshrink(F: Any, input: Any) -> Any:
    """x - tanh(x)."""
    return F.sub(input, F.tanh(input))


def softsign(F: Any, input: Any) -> Any:
    """x / (1 + |x|)."""
    return F.div(input, F.add(F.abs(input), 1.0))


def mish(F: Any, input: Any, inplace: bool = False) -> Any:
    """x tanh(softplus(x))."""
    _floating(F, "mish", input)
    return F.mul(input, F.tanh(F.log1pexp(input)))


def glu(F: Any, input: Any, dim: int = -1) -> Any:
    """The first half along ``dim`` times the sigmoid of the second."""
    _floating(F, "glu", input)
    kind = F.typeof(input)
    if kind.ndim == 0:
        raise OpError("glu: wants a dim to halve, got a 0-d tensor")
    at = normalize_dim(dim, kind.ndim)
    if kind.shape[at] % 2:
        raise OpError(f"glu: wants an even size along dim {dim}, got {kind}")
    half = kind.shape[at] // 2
    return F.mul(narrow(F, input, at, 0, half), F.sigmoid(narrow(F, input, at, half, half)))


def softmin(F: Any, input: Any, dim: int | None = None, _stacklevel: int = 3,
            dtype: Any = None) -> Any:
    """The softmax of -x along ``dim``."""
    if dim is None:
        raise OpError("softmin: dim is not given; say along which dim, for example dim=-1")
    x = input if dtype is None else F.cast(input, dtype=as_dtype(dtype))
    return F.softmax(F.neg(x), dim=normalize_dim(dim, F.typeof(x).ndim))


_FUNCTIONAL = Spelling(("nn.functional",))
FUNCTIONS = (
    *(Composite(f.__name__, f, _FUNCTIONAL) for f in (
        gelu, silu, softplus, logsigmoid, leaky_relu, elu, relu6, hardtanh, hardsigmoid,
        hardswish, softshrink, tanhshrink, softsign, mish, glu, softmin)),
    *(Composite(f.__name__, f, Spelling(("eager", "nn.functional"))) for f in (
        selu, celu, threshold)),
    *(Composite(f.__name__, f, Spelling(("eager", "method", "nn.functional"))) for f in (
        prelu, hardshrink)))
