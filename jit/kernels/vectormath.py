"""Elementary functions as straight-line IR: no calls, no branches, no tables.

Every function takes and gives a `Number` of float32 or float64, scalar or vector, so LLVM's
vectoriser widens them and all levels share one text.  NaN, infinities, signed zeros and
subnormals are NumPy's.  Errors in units of the last place, tested on every level:

========  =======  =======
function  float32  float64
========  =======  =======
exp           1.25     1.25
expm1         1.5      2.0
log           1.0      1.0
log1p         1.0      1.0
tanh          1.5      2.5
sigmoid       2.0      2.0
erf           1.5      2.0
sin, cos      0.6      2.0
pow           0.6      1.0
========  =======  =======

sin and cos are NaN where ``|x|`` is above 3.3e9, where their reduction ends.
"""

from __future__ import annotations

from eager.ops.approximations import (
    ERF_LARGE_SINGLE,
    ERF_MIDDLE,
    ERF_SMALL,
    ERF_SMALL_SINGLE,
)
from jit.kernels.irvalues import Flag, Number, Word, round_to_word, to_float

INF, NAN = float("inf"), float("nan")

# --- exp and what is made of it ----------------------------------------------------------------
_LOG2E = 1.4426950408889634
#: ln 2 in two parts; a product of the first with an exponent is exact.
_LN2 = {32: (0.693145751953125, 1.42860682030941723212e-6),
        64: (6.93147180369123816490e-01, 1.90821492927058770002e-10)}
#: exp on |r| <= ln(2)/2: our fit for float32, Taylor's series for float64.
_TAYLOR = (1., 1., 1 / 2, 1 / 6, 1 / 24, 1 / 120, 1 / 720, 1 / 5040, 1 / 40320, 1 / 362880,
           1 / 3628800, 1 / 39916800, 1 / 479001600, 1 / 6227020800)
_EXP = {32: (1., 1., 0.4999999403953552, 0.1666652113199234, 0.04166838899254799,
             0.008368710055947304, 0.001381461275741458),
        64: _TAYLOR}
#: (exp(r) - 1 - r) / r**2; Chebyshev's for float32.
_EXPM1 = {32: (0.5, 0.1666666716337204, 0.041666463017463684, 0.00833331048488617,
               0.0013933881418779492, 0.00019891247211489826),
          64: _TAYLOR[2:]}
#: Below the first exp is 0, above the second infinite.
_EXP_RANGE = {32: (-104.0, 89.0), 64: (-746.0, 710.0)}


def _reduced(x: Number) -> tuple[Number, Word]:
    """``r, n`` with ``x = n ln 2 + r`` and ``|r| <= ln(2)/2``."""
    high, low = _LN2[x.width]
    n, k = round_to_word(x * _LOG2E)
    return n.mul_add(-low, n.mul_add(-high, x)), k


def _halves(k: Word) -> tuple[Word, Word]:
    """Two near halves of an exponent: the powers of each are normal numbers."""
    half = (k + 4096).unsigned_shift(1) - 2048
    return half, k - half


def _scaled(y: Number, k: Word) -> Number:
    """``y * 2**k`` in two steps, so that the result alone may overflow or be subnormal."""
    half, rest = _halves(k)
    return y * half.power_of_two() * rest.power_of_two()


def exp(x: Number) -> Number:
    """e to the power x."""
    low, high = _EXP_RANGE[x.width]
    r, k = _reduced(x.at_least(low).at_most(high))
    return _scaled(r.polynomial(_EXP[x.width]), k)


def _exp_between(x: Number) -> Number:
    """`exp` where the caller knows that the result is a normal number."""
    r, k = _reduced(x)
    return r.polynomial(_EXP[x.width]) * k.power_of_two()


def expm1(x: Number) -> Number:
    """exp(x) - 1, exact near 0: ``2**k (expm1(r) + 1) - 1`` with the ones taken first."""
    low, high = _EXP_RANGE[x.width]
    r, k = _reduced(x.at_least(low).at_most(high))
    p = (r * r).mul_add(r.polynomial(_EXPM1[x.width]), r)
    half, rest = _halves(k)
    first = half.power_of_two()
    ones = first - (-rest).power_of_two()
    return x.equals(0.0).choose(x, p.mul_add(first, ones) * rest.power_of_two())


def sigmoid(x: Number) -> Number:
    """1 / (1 + exp(-x)), with full precision in both tails."""
    e = exp(-abs(x))
    return (x < 0.0).choose(e, 1.0) / (e + 1.0)


#: (tanh(x) / x - 1) / x**2 in powers of x**2, for |x| < 0.625: our fit.
_TANH = (-0.3333328366279602, 0.13331490755081177, -0.05374349653720856, 0.020650586113333702,
         -0.00571704376488924)


def tanh(x: Number) -> Number:
    """The hyperbolic tangent: of small numbers an odd polynomial, else by exp."""
    t = abs(x)
    if x.width == 64:  # t / (t + 2) with t = exp(2 x) - 1
        e = expm1(t.at_most(22.0) * 2.0)
        return (e / (e + 2.0)).with_sign_of(x)
    square = x * x
    small = (x * square).mul_add(square.polynomial(_TANH), x)
    e = _exp_between((t + t).at_most(40.0))
    large = 1.0 - 2.0 / (e + 1.0)
    return (t < 0.625).choose(small, large).with_sign_of(x)  # a polynomial loses -0


# --- erf ---------------------------------------------------------------------------------------
def erf(x: Number) -> Number:
    """The error function."""
    if x.width == 64:
        return _erf_rational(x)
    t, square = abs(x), x * x
    small = x.mul_add(square.polynomial(ERF_SMALL_SINGLE), x)
    large = 1.0 - _exp_between(t.at_most(4.0).polynomial(ERF_LARGE_SINGLE))
    return (t < 1.0).choose(small, large.with_sign_of(x))


def _erf_rational(x: Number) -> Number:
    """Two rational functions under one division; from 6 on erf is 1.

    That for 0.5 to 4 goes up to 6: there it loses digits that erf does not have.
    """
    t = abs(x).at_most(6.0)
    small, square = t < 0.84375, t * t
    numerator = small.choose(square.polynomial(ERF_SMALL[0]), t.polynomial(ERF_MIDDLE[0]))
    denominator = small.choose(square.polynomial(ERF_SMALL[1]), t.polynomial(ERF_MIDDLE[1]))
    ratio = numerator / denominator
    tail = 1.0 - _exp_between(-square) * ratio
    return small.choose(x.mul_add(ratio, x), tail.with_sign_of(x))


# --- logarithms --------------------------------------------------------------------------------
#: sqrt(1/2) as bits, the smallest normal number, and a power of two that lifts subnormals.
_HALF_ROOT = {32: 0x3F3504F3, 64: 0x3FE6A09E667F3BCD}
_NORMAL = {32: 1.17549435e-38, 64: 2.2250738585072014e-308}
_LIFT = {32: 23, 64: 52}
#: log(1 + f) = f - f**2/2 + f**3 p(f) for float32: our fit.
_LOG32 = (0.3333333134651184, -0.2500081956386566, 0.20001226663589478, -0.16623356938362122,
          0.14201757311820984, -0.13160182535648346, 0.127615824341774, -0.07634500414133072)
#: In powers of s**2 with s = f / (2 + f) for float64 (fdlibm's e_log.c).
_LOG64 = (6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01,
          2.222219843214978396e-01, 1.818357216161805012e-01, 1.531383769920937332e-01,
          1.479819860511658591e-01)


def _mantissa(x: Number, start: int) -> tuple[Number, Number]:
    """``m, n`` with ``x = m * 2**n`` and m in [s, 2s), where ``start`` are the bits of s.

    For a positive number, subnormal or not.
    """
    width = x.width
    subnormal = x < _NORMAL[width]
    bits = subnormal.choose(x * 2.0 ** _LIFT[width], x).bits()
    exponent = 1023 if width == 64 else 127
    shift = 52 if width == 64 else 23
    e = (bits - (start - (exponent << shift))).unsigned_shift(shift) - exponent
    n = to_float(e) - subnormal.otherwise(float(_LIFT[width]), x.like(0.0))
    return (bits - (e << shift)).as_float(), n


def _log_sum(n: Number, f: Number, correction: Number | None = None) -> Number:
    """``n ln 2 + log(1 + f) + correction``, smallest terms first."""
    high, low = _LN2[n.width]
    rest = n * low if correction is None else n.mul_add(low, correction)
    square = f * f
    if n.width == 32:
        rest = square.mul_add(-0.5, (square * f).mul_add(f.polynomial(_LOG32), rest))
        return n.mul_add(high, f + rest)
    s = f / (f + 2.0)
    half = square * 0.5
    z = s * s
    rest = s.mul_add(z.mul_add(z.polynomial(_LOG64), half), rest)
    return n.mul_add(high, f - (half - rest))


def log(x: Number) -> Number:
    """The natural logarithm; below 0 NaN."""
    m, n = _mantissa(x, _HALF_ROOT[x.width])
    return _log_ends(x, _log_sum(n, m - 1.0))


def _log_ends(x: Number, y: Number) -> Number:
    """-inf at 0, NaN below; NaN and inf stay themselves."""
    y = x.equals(0.0).otherwise(-INF, y)
    y = (x < 0.0).otherwise(NAN, y)
    return (x < INF).choose(y, x)


def log1p(x: Number) -> Number:
    """log(1 + x), exact near 0: what 1 + x rounds away is added again, as a part of it."""
    u = x + 1.0
    lost = (1.0 - (u - (u - 1.0))) + (x - (u - 1.0))
    m, n = _mantissa(u, _HALF_ROOT[x.width])
    near = n.equals(0.0)
    f = near.choose(x, m - 1.0)
    y = _log_sum(n, f, near.otherwise(0.0, lost / u))
    return x.equals(0.0).choose(x, _log_ends(u, y))


# --- powers ------------------------------------------------------------------------------------
# fdlibm's e_pow.c: log2 of the base in two doubles, by products that are exact without fma.
_POW_LOG = (5.99999999999994648725e-01, 4.28571428578550184252e-01, 3.33333329818377432918e-01,
            2.72728123808534006489e-01, 2.30660745775561754067e-01, 2.06975017800338417784e-01)
_POW_EXP = (1.66666666666666019037e-01, -2.77777777770155933842e-03, 6.61375632143793436117e-05,
            -1.65339022054652515390e-06, 4.13813679705723846039e-08)
_LOG2_15 = 5.84962487220764160156e-01, 1.35003920212974897128e-08  # log2(1.5)
_CP = 9.61796693925975554329e-01, 9.61796700954437255859e-01, -7.02846165095275826516e-09
_LG2 = 6.93147180559945286227e-01, 6.93147182464599609375e-01, -1.90465429995776804525e-09
#: sqrt(3)/2 as bits.
_ROOT3_HALF = 0x3FEBB67AE8584CAA


def _upper(x: Number) -> Number:
    """A float64 without its lower 32 bits: products of two such are exact."""
    return (x.bits() & -(1 << 32)).as_float()


def _log2_pair(x: Number) -> tuple[Number, Number]:
    """log2 of a positive float64 as a sum of two."""
    m, n = _mantissa(x, _ROOT3_HALF)
    wide = m >= 1.224744871391589  # sqrt(3/2)
    near = wide.choose(m.like(1.5), 1.0)
    u, v = m - near, 1.0 / (m + near)
    s = u * v
    s_high, t_high = _upper(s), _upper(m + near)
    t_low = m - (t_high - near)
    s_low = v * ((u - s_high * t_high) - s_high * t_low)
    square = s * s
    r = square * square * square.polynomial(_POW_LOG) + s_low * (s_high + s)
    square = s_high * s_high
    t_high = _upper(square + 3.0 + r)
    t_low = r - ((t_high - 3.0) - square)
    u, v = s_high * t_high, s_low * t_high + t_low * s
    p_high = _upper(u + v)
    p_low = v - (p_high - u)
    z_high = p_high * _CP[1]
    z_low = p_high * _CP[2] + p_low * _CP[0] + wide.otherwise(_LOG2_15[1], m.like(0.0))
    offset = wide.otherwise(_LOG2_15[0], m.like(0.0))
    high = _upper(z_high + z_low + offset + n)
    return high, z_low - (((high - n) - offset) - z_high)


def _exp2_pair(high: Number, low: Number) -> Number:
    """2 to the power of a sum of two float64."""
    low = (abs(high) > 1100.0).otherwise(0.0, low)
    high = high.at_least(-1100.0).at_most(1100.0)
    n, k = round_to_word(high + low)
    high = high - n
    t = _upper(low + high)
    u = t * _LG2[1]
    v = (low - (t - high)) * _LG2[0] + t * _LG2[2]
    z = u + v
    w = v - (z - u)
    square = z * z
    t1 = z - square * square.polynomial(_POW_EXP)
    r = (z * t1) / (t1 - 2.0) - (w + z * w)
    return _scaled(1.0 - (r - z), k)


def pow(x: Number, y: Number) -> Number:
    """x to the power y, with the special cases of C99."""
    base = abs(x)
    if x.width == 64:
        size = _power(base, y)
    else:
        wide = base.widened()
        size = exp(log(wide) * y.widened()).narrowed()
    size = base.equals(1.0).otherwise(1.0, size)
    whole, odd = _parity(y)
    size = (_negative(x) & odd).choose(-size, size)
    invalid = (x < 0.0) & (base < INF) & (y - y).equals(0.0) & ~whole
    size = invalid.otherwise(NAN, size)
    size = (x.is_nan() | y.is_nan()).choose(x + y, size)
    return (y.equals(0.0) | x.equals(1.0)).otherwise(1.0, size)


def _power(base: Number, y: Number) -> Number:
    """A nonnegative float64 to a power that is not 0."""
    # Beyond 2**66 every power of a float64 but 1 is 0 or infinite.
    bounded = y.at_least(-2.0 ** 66).at_most(2.0 ** 66)
    log_high, log_low = _log2_pair(base)
    y_high = _upper(bounded)
    low = (bounded - y_high) * log_high + bounded * log_low
    size = _exp2_pair(y_high * log_high, low)
    grows = (base < 1.0).choose(-y, y) > 0.0
    extreme = grows.otherwise(INF, y.like(0.0))
    return (base.equals(0.0) | base.equals(INF)).choose(extreme, size)


def _parity(y: Number) -> tuple[Flag, Flag]:
    """Whether a number is an integer, and an odd one; infinity is even."""
    half = y * 0.5
    whole = y.intrinsic("trunc").equals(y)
    return whole, whole & ~half.intrinsic("trunc").equals(half)


def _negative(x: Number) -> Flag:
    """Whether the sign bit is set."""
    return x.bits() < 0


# --- sine and cosine ---------------------------------------------------------------------------
#: pi/2 in four parts of 22, 22, 22 and 53 bits: products with n < 2**31 are exact.
_HALF_PI = (1.570796012878418, 3.139164164167596e-07, 6.223371969669989e-14, 2.0222662487959506e-21)
_TWO_OVER_PI = 0.6366197723675814
_TRIGONOMETRIC_RANGE = 3.3e9
# fdlibm's k_sin.c and k_cos.c.
_SIN = (-1.66666666666666324348e-01, 8.33333333332248946124e-03, -1.98412698298579493134e-04,
        2.75573137070700676789e-06, -2.50507602534068634195e-08, 1.58969099521155010221e-10)
_COS = (4.16666666666666019037e-02, -1.38888888888741095749e-03, 2.48015872894767294178e-05,
        -2.75573143513906633035e-07, 2.08757232129817482790e-09, -1.13596475577881948265e-11)


def sin(x: Number) -> Number:
    """The sine of an angle in radians."""
    return _circular(x, 0)


def cos(x: Number) -> Number:
    """The cosine of an angle in radians."""
    return _circular(x, 1)


def _circular(x: Number, quarter: int) -> Number:
    """The sine, ``quarter`` turns of 90 degrees further on; float32 is computed in float64."""
    if x.width == 32:
        return _circular(x.widened(), quarter).narrowed()
    n, k = round_to_word(x * _TWO_OVER_PI)
    r = x
    for part in _HALF_PI:
        r = n.mul_add(-part, r)
    k = k + quarter
    square = r * r
    sine = (r * square).mul_add(square.polynomial(_SIN), r).with_sign_of(r)
    half = square * 0.5
    one = 1.0 - half
    cosine = one + (((1.0 - one) - half) + square * square * square.polynomial(_COS))
    y = (k & 1).equals(0).choose(sine, cosine)
    y = (y.bits() ^ ((k & 2) << 62)).as_float()
    return (abs(x) < _TRIGONOMETRIC_RANGE).choose(y, x * NAN)


#: What `jit.kernels.instructions` offers by name.
FUNCTIONS = ("cos", "erf", "exp", "expm1", "log", "log1p", "pow", "sigmoid", "sin", "tanh")
