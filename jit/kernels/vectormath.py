"""Elementary functions as straight-line IR: no calls, no branches, no tables.

Every function takes and gives a `Number` of float32 or float64, scalar or vector, so LLVM's
vectoriser widens them and all levels share one text.  NaN, infinities, signed zeros and
subnormals are NumPy's.
"""

from __future__ import annotations

from eager.ops.errors import CompileError
from jit.kernels.irvalues import Number, Word, round_to_word, to_float

_LOG2E = 1.4426950408889634
#: ln 2 in two parts; a product of the first with an exponent is exact.
_LN2 = {32: (0.693145751953125, 1.42860682030941723212e-6),
        64: (6.93147180369123816490e-01, 1.90821492927058770002e-10)}

# --- exp and what is made of it ----------------------------------------------------------------
#: exp on |r| <= ln(2)/2: our fit for float32, Taylor's series for float64.
_EXP = {32: (1., 1., 0.4999999403953552, 0.1666652113199234, 0.04166838899254799,
             0.008368710055947304, 0.001381461275741458),
        64: (1., 1., 1 / 2, 1 / 6, 1 / 24, 1 / 120, 1 / 720, 1 / 5040, 1 / 40320, 1 / 362880,
             1 / 3628800, 1 / 39916800, 1 / 479001600, 1 / 6227020800)}
#: Below the first exp is 0, above the second infinite.
_EXP_RANGE = {32: (-104.0, 89.0), 64: (-746.0, 710.0)}


def _reduced(x: Number) -> tuple[Number, Number, Word]:
    """``r, n, n`` with ``x = n ln 2 + r`` and ``|r| <= ln(2)/2``."""
    high, low = _LN2[x.width]
    n, k = round_to_word(x * _LOG2E)
    return n.mul_add(-low, n.mul_add(-high, x)), n, k


def _scaled(y: Number, k: Word) -> Number:
    """``y * 2**k`` in two steps, so that the result alone may overflow or be subnormal."""
    half = k >> 1
    return y * half.power_of_two() * (k - half).power_of_two()


def exp(x: Number) -> Number:
    """e to the power x."""
    low, high = _EXP_RANGE[x.width]
    r, _, k = _reduced(x.at_least(low).at_most(high))
    return _scaled(r.polynomial(_EXP[x.width]), k)


def log(x: Number) -> Number:
    """The natural logarithm; below 0 NaN."""
    if x.width == 64:
        raise CompileError("log of float64")
    subnormal = x < 1.17549435e-38
    m = subnormal.choose(x * 8388608.0, x)
    bits = m.bits()
    e = (bits - 0x3F3504F3) >> 23
    f = (bits - (e << 23)).as_float() - 1.0
    n = to_float(e) - subnormal.otherwise(23.0, x.like(0.0))
    square = f * f
    p = square * f * f.polynomial((
        0.3333333134651184, -0.2500081956386566, 0.20001226663589478, -0.16623356938362122,
        0.14201757311820984, -0.13160182535648346, 0.127615824341774, -0.07634500414133072))
    high, low = _LN2[32]
    y = n.mul_add(high, square.mul_add(-0.5, n.mul_add(low, p)) + f)
    y = x.equals(0.0).otherwise(float("-inf"), y)
    y = (x < 0.0).otherwise(float("nan"), y)
    return (x < float("inf")).choose(y, x)


def sigmoid(x: Number) -> Number:
    """1 / (1 + exp(-x)), with full precision in both tails."""
    e = exp(-abs(x))
    return (x < 0.0).choose(e, 1.0) / (e + 1.0)


#: What `jit.kernels.instructions` offers by name.
FUNCTIONS = ("exp", "log", "sigmoid")
