"""Elementary functions as straight-line IR: no calls, no branches, no tables.

Every function takes and gives a `Number` of float32 or float64, scalar or vector, so LLVM's
vectoriser widens them and all levels share one text.  NaN, infinities, signed zeros and
subnormals are NumPy's.
"""

from __future__ import annotations

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


def expm1(x: Number) -> Number:
    """exp(x) - 1 without cancellation: ``2**k (expm1(r) + 1) - 1`` with the ones taken first."""
    low, high = _EXP_RANGE[x.width]
    r, _, k = _reduced(x.at_least(low).at_most(high))
    p = (r * r).mul_add(r.polynomial(_EXP[x.width][2:]), r)
    half = k >> 1
    rest = (k - half)
    first = half.power_of_two()
    ones = first - (rest.like(0) - rest).power_of_two()
    y = p.mul_add(first, ones) * rest.power_of_two()
    return x.equals(0.0).choose(x, y)


# --- log and what is made of it ----------------------------------------------------------------
#: Smallest normal number, 2**shift that makes subnormals normal, and the bits of sqrt(1/2).
_LOG_SCALE = {32: (1.17549435e-38, 23, 0x3F3504F3), 64: (2.2250738585072014e-308, 54,
                                                        0x3FE6A09E667F3BCD)}
_LOG32 = (0.3333333134651184, -0.2500081956386566, 0.20001226663589478, -0.16623356938362122,
          0.14201757311820984, -0.13160182535648346, 0.127615824341774, -0.07634500414133072)
#: fdlibm's fit of (log(1 + f) - f + f**2 / 2) in s = f / (2 + f): powers of s**2 from the first.
_LOG64 = (6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01,
          2.222219843214978396e-01, 1.818357216161805012e-01, 1.531383769920937332e-01,
          1.479819860511658591e-01)


def log(x: Number) -> Number:
    """The natural logarithm; below 0 NaN, of 0 minus infinity."""
    width = x.width
    smallest, shift, root = _LOG_SCALE[width]
    mantissa = 23 if width == 32 else 52
    subnormal = x < smallest
    bits = subnormal.choose(x * 2.0**shift, x).bits()
    e = (bits - root) >> mantissa
    f = (bits - (e << mantissa)).as_float() - 1.0
    n = to_float(e) - subnormal.otherwise(float(shift), x.like(0.0))
    high, low = _LN2[width]
    square = f * f
    if width == 32:
        p = square * f * f.polynomial(_LOG32)
        y = n.mul_add(high, square.mul_add(-0.5, n.mul_add(low, p)) + f)
    else:
        s = f / (f + 2.0)
        z = s * s
        half = square * 0.5
        tail = s * (half + z * z.polynomial(_LOG64))
        y = n * high - ((half - (tail + n * low)) - f)
    y = x.equals(0.0).otherwise(float("-inf"), y)
    y = (x < 0.0).otherwise(float("nan"), y)
    return (x < float("inf")).choose(y, x)


def log1p(x: Number) -> Number:
    """log(1 + x), with what the sum rounded away put back (W. Kahan)."""
    u = x + 1.0
    y = log(u) + (x - (u - 1.0)) / u
    y = u.equals(1.0).choose(x, y)
    y = u.equals(0.0).otherwise(float("-inf"), y)
    return x.equals(float("inf")).choose(x, y)


def sigmoid(x: Number) -> Number:
    """1 / (1 + exp(-x)), with full precision in both tails."""
    e = exp(-abs(x))
    return (x < 0.0).choose(e, 1.0) / (e + 1.0)


_TANH32 = (-0.3333328366279602, 0.13331490755081177, -0.05374349653720856, 0.020650586113333702,
           -0.00571704376488924)


def tanh(x: Number) -> Number:
    """The hyperbolic tangent: near 0 a polynomial in float32, else by exp."""
    t = abs(x)
    if x.width == 64:
        e = expm1(t * -2.0)
        return (-e / (e + 2.0)).with_sign_of(x)
    q = x * x
    small = (x * q).mul_add(q.polynomial(_TANH32), x)
    large = 1.0 - 2.0 / (exp((t + t).at_most(40.0)) + 1.0)
    return (t < 0.625).choose(small, large).with_sign_of(x)


# --- the error function ------------------------------------------------------------------------
_ERF32 = (0.12837916612625122, -0.3761262595653534, 0.11283600330352783, -0.026854444295167923,
          0.005189535208046436, -0.0008020841050893068, 7.889119297033176e-05)
_ERFC32 = (0.00018344282580073923, -1.1295567750930786, -0.6332626342773438, -0.10837246477603912,
           0.025178957730531693, -0.004193607252091169, 0.0004391054972074926,
           -2.149603642465081e-05)
#: fdlibm's rational fits, numerator and denominator: |x| < 0.84375, < 1.25, < 1/0.35, above.
_ERF64 = (
    ((1.28379167095512558561e-01, -3.25042107247001499370e-01, -2.84817495755985104766e-02,
      -5.77027029648944159157e-03, -2.37630166566501626084e-05),
     (1.0, 3.97917223959155352819e-01, 6.50222499887672944485e-02, 5.08130628187576562776e-03,
      1.32494738004321644526e-04, -3.96022827877536812320e-06)),
    ((-2.36211856075265944077e-03, 4.14856118683748331666e-01, -3.72207876035701323847e-01,
      3.18346619901161753674e-01, -1.10894694282396677476e-01, 3.54783043256182359371e-02,
      -2.16637559486879084300e-03),
     (1.0, 1.06420880400844228286e-01, 5.40397917702171048937e-01, 7.18286544141962662868e-02,
      1.26171219808761642112e-01, 1.36370839120290507362e-02, 1.19844998467991074170e-02)),
    ((-9.86494403484714822705e-03, -6.93858572707181764372e-01, -1.05586262253232909814e+01,
      -6.23753324503260060396e+01, -1.62396669462573470355e+02, -1.84605092906711035994e+02,
      -8.12874355063065934246e+01, -9.81432934416914548592e+00),
     (1.0, 1.96512716674392571292e+01, 1.37657754143519042600e+02, 4.34565877475229228821e+02,
      6.45387271733267880336e+02, 4.29008140027567833386e+02, 1.08635005541779435134e+02,
      6.57024977031928170135e+00, -6.04244152148580987438e-02)),
    ((-9.86494292470009928597e-03, -7.99283237680523006574e-01, -1.77579549177547519889e+01,
      -1.60636384855821916062e+02, -6.37566443368389627722e+02, -1.02509513161107724954e+03,
      -4.83519191608651397019e+02),
     (1.0, 3.03380607434824582924e+01, 3.25792512996573918826e+02, 1.53672958608443695994e+03,
      3.19985821950859553908e+03, 2.55305040643316442583e+03, 4.74528541206955367215e+02,
      -2.24409524465858183362e+01)))
_ERF_AT_ONE = 8.45062911510467529297e-01


def _ratio(fit: tuple[tuple[float, ...], tuple[float, ...]], x: Number) -> Number:
    return x.polynomial(fit[0]) / x.polynomial(fit[1])


def erf(x: Number) -> Number:
    """The error function."""
    t = abs(x)
    if x.width == 32:
        q = x * x
        small = x.mul_add(q.polynomial(_ERF32), x)
        large = 1.0 - exp(t.at_most(4.0).polynomial(_ERFC32))
        return (t < 1.0).choose(small, large).with_sign_of(x)
    near, middle, far, last = _ERF64
    small = x.mul_add(_ratio(near, x * x), x)
    around = _ratio(middle, t - 1.0) + _ERF_AT_ONE
    capped = t.at_most(6.0).at_least(1.0)
    inverse = 1.0 / (capped * capped)
    fit = (capped < 1 / 0.35).choose(_ratio(far, inverse), _ratio(last, inverse))
    # exp(-t**2) through a t of few bits, whose square is exact.
    z = (capped.bits() & -(1 << 32)).as_float()
    tail = exp(-z * z - 0.5625) * exp((z - capped) * (z + capped) + fit) / capped
    large = (t < 1.25).choose(around, 1.0 - tail)
    y = (t < 0.84375).choose(small, large).with_sign_of(x)
    return x.is_nan().choose(x, y)


# --- trigonometry ------------------------------------------------------------------------------
#: pi / 2 in three parts of 33 bits: products with a quadrant below 2**20 are exact.
_HALF_PI = (1.57079632673412561417e+00, 6.07710050630396597660e-11, 2.02226624871116645580e-21)
_SIN = (-1.66666666666666324348e-01, 8.33333333332248946124e-03, -1.98412698298579493134e-04,
        2.75573137070700676789e-06, -2.50507602534068634195e-08, 1.58969099521155010221e-10)
_COS = (4.16666666666666019037e-02, -1.38888888888741095749e-03, 2.48015872894767294178e-05,
        -2.75573143513906633035e-07, 2.08757232129817482790e-09, -1.13596475577881948265e-11)


def _turned(x: Number, quarter: int) -> Number:
    """sin(x + quarter pi / 2) in float64: 3 ulp (1 with fma) for |x| < 1e5, worse beyond 1e6."""
    n, k = round_to_word(x * 0.6366197723675814)
    r = n.mul_add(-_HALF_PI[2], n.mul_add(-_HALF_PI[1], n.mul_add(-_HALF_PI[0], x)))
    q = r * r
    sine = (r * q).mul_add(q.polynomial(_SIN), r)
    cosine = (q * q).mul_add(q.polynomial(_COS), q.mul_add(-0.5, 1.0))
    turn = k + quarter
    y = (turn & 1).equals(0).choose(sine, cosine)
    y = (turn & 2).equals(0).choose(y, -y)
    return (abs(x) < float("inf")).choose(y, x - x)


def sin(x: Number) -> Number:
    """The sine of radians; float32 by way of float64."""
    if x.width == 32:
        return sin(x.widened()).narrowed()
    return x.equals(0.0).choose(x, _turned(x, 0))


def cos(x: Number) -> Number:
    """The cosine of radians; float32 by way of float64."""
    return cos(x.widened()).narrowed() if x.width == 32 else _turned(x, 1)


# --- powers ------------------------------------------------------------------------------------
def pow(x: Number, y: Number) -> Number:
    """x to the power y by exp(y log|x|), with C's special cases.

    Float32 goes by way of float64 and is rounded well; float64 is right within
    ``2 + |y log x|`` ulp.
    """
    if x.width == 32:
        return pow(x.widened(), y.widened()).narrowed()
    size = abs(x)
    result = exp(y * log(size))
    whole = y.equals(y.intrinsic("trunc"))
    half = y * 0.5
    odd = whole & ~half.equals(half.intrinsic("trunc"))
    result = (size.equals(1.0) & ~y.is_nan()).otherwise(1.0, result)
    negative = (x.bits() < 0) & odd
    result = negative.choose(-result, result)
    result = ((x < 0.0) & ~whole & (size < float("inf"))).otherwise(float("nan"), result)
    return (x.equals(1.0) | y.equals(0.0)).otherwise(1.0, result)


#: What `jit.kernels.instructions` offers by name.
FUNCTIONS = ("exp", "log", "sigmoid", "expm1", "log1p", "tanh", "erf", "sin", "cos", "pow")
