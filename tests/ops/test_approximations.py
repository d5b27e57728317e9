"""Functions that NumPy lacks, against Python's, against identities and at their ends."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from eager.ops import approximations as a
from eager.ops.choice import select

RNG = np.random.default_rng(2)
WIDE = np.concatenate([np.linspace(-9, 9, 3001), RNG.normal(size=3000), [0.0, -0.0]])
POSITIVE = np.concatenate([np.geomspace(1e-8, 1e8, 3001), np.arange(1.0, 40), [1.5, 2.5]])


def python(function: Callable[[float], float], x: Any) -> Any:
    return np.array([function(v) for v in x.astype(float)])


@pytest.mark.parametrize(("function", "exact", "x", "digits"), [
    (a.erf, math.erf, WIDE, 1e-15), (a.erfc, math.erfc, WIDE * 2.9, 2e-15),
    (a.lgamma, math.lgamma, POSITIVE, 3e-14), (a.expm1, math.expm1, WIDE, 1e-15),
    (a.log1p, math.log1p, POSITIVE, 1e-15)], ids=lambda v: getattr(v, "__name__", ""))
def test_python_agrees(function: Any, exact: Any, x: Any, digits: float) -> None:
    want = python(exact, x)
    np.testing.assert_allclose(function(x), want, rtol=digits, atol=1e-300)
    single = x.astype(np.float32)
    out = function(single)
    assert out.dtype == np.float32
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(out, python(exact, single), rtol=4e-7, atol=1e-38)


@pytest.mark.parametrize("size", [1, 200, 300, 20000])
def test_few_and_many_and_shapes_agree(size: int) -> None:
    x = RNG.normal(size=size).astype(np.float32)
    for function in (a.erf, a.erfc, a.expm1, a.log1p, a.digamma, a.i0e):
        safe = np.abs(x) if function is a.log1p else x
        one_by_one = np.array([function(v.reshape(())) for v in safe[:50]], np.float32)
        np.testing.assert_allclose(function(safe)[:50], one_by_one, rtol=5e-7, atol=1e-7)
        np.testing.assert_array_equal(function(safe.reshape(1, -1, 1)).reshape(-1),
                                      function(safe))


def test_log_gamma_of_negative_numbers() -> None:
    x = -RNG.uniform(0.01, 30, 2000)
    # Near whole numbers the function is as steep as the pole there.
    np.testing.assert_allclose(a.lgamma(x), python(math.lgamma, x), rtol=1e-10, atol=1e-12)


def test_digamma_is_the_slope_and_climbs_by_the_reciprocal() -> None:
    x = np.concatenate([RNG.uniform(0.05, 40, 500), -RNG.integers(0, 9, 500) - 0.37])
    np.testing.assert_allclose(a.digamma(x + 1), a.digamma(x) + 1 / x, rtol=1e-11, atol=1e-12)
    assert a.digamma(np.array(1.0)) == pytest.approx(-a.EULER, abs=1e-15)
    assert a.digamma(np.array(0.5)) == pytest.approx(-a.EULER - 2 * math.log(2), abs=1e-14)
    step = (a.lgamma(x[:500] + 1e-6) - a.lgamma(x[:500] - 1e-6)) / 2e-6
    np.testing.assert_allclose(a.digamma(x[:500]), step, rtol=1e-5, atol=1e-6)


def test_erfinv_turns_erf_back() -> None:
    x = np.linspace(-5.5, 5.5, 999)
    small = np.abs(x) < 2
    np.testing.assert_allclose(a.erfinv(a.erf(x))[small], x[small], rtol=1e-13, atol=1e-15)
    y = 1 - np.geomspace(1e-15, 0.5, 200)
    np.testing.assert_allclose(a.erfc(a.erfinv(y)), 1 - y, rtol=1e-10)


def test_erfcx_is_erfc_where_that_is_a_number() -> None:
    x = np.linspace(-5, 25, 999)
    np.testing.assert_allclose(a.erfcx(x) * np.exp(-x * x), a.erfc(x), rtol=1e-13, atol=1e-300)
    assert a.erfcx(np.array(1e6)) == pytest.approx(1 / (1e6 * math.sqrt(math.pi)), rel=1e-11)


def test_bessel_functions_are_numpys_and_their_integrals() -> None:
    x = np.linspace(-60, 60, 1001)
    np.testing.assert_allclose(a.i0e(x), np.i0(x) * np.exp(-np.abs(x)), rtol=1e-13)
    # I_n(x) is the mean of exp(x cos t) cos(n t) over a half turn; its trapezoids are exact.
    t = np.linspace(0, np.pi, 401)
    weights = np.full(401, 1 / 400)
    weights[[0, -1]] /= 2
    want = (np.exp(np.outer(x, np.cos(t)) - np.abs(x)[:, None]) * np.cos(t)) @ weights
    np.testing.assert_allclose(a.i1e(x), want, rtol=1e-12, atol=1e-15)


def test_ends() -> None:
    inf, nan = np.inf, np.nan
    table: tuple[tuple[Any, list[float], list[float]], ...] = (
        (a.erf, [inf, -inf, nan], [1, -1, nan]), (a.erfc, [inf, -inf, nan, 0], [0, 2, nan, 1]),
        (a.erfcx, [inf, -inf, nan, 0], [0, inf, nan, 1]),
        (a.erfinv, [1, -1, 2, nan, 0], [inf, -inf, nan, nan, 0]),
        (a.lgamma, [1, 2, 0, -3, inf, -inf, nan], [0, 0, inf, inf, inf, inf, nan]),
        (a.digamma, [0.0, -0.0, -3, inf, nan], [-inf, inf, nan, inf, nan]),
        (a.i0e, [0, inf, nan], [1, 0, nan]), (a.i1e, [0, -inf, nan], [0, 0, nan]))
    for function, x, want in table:
        for dtype in (np.float32, np.float64):
            with np.errstate(all="ignore"):
                got = function(np.array(x, dtype))
            np.testing.assert_array_equal(got, np.array(want, dtype), err_msg=function.__name__)
    for function in (a.erf, a.expm1, a.log1p, a.erfinv, a.i1e):
        for size in (1, 1000):
            zeros = np.resize(np.array([0.0, -0.0], np.float32), size + 1)
            np.testing.assert_array_equal(np.signbit(function(zeros)), np.signbit(zeros))


def test_select_is_where() -> None:
    c = RNG.random((30, 40)) > 0.5
    for x, y in ((1.0, np.ones((30, 1))), (np.float32(2) * np.ones(40, np.float32), 0.0),
                 (-0.0, np.ones(40)), (np.ones(40), -0.0), (np.arange(40), 7),
                 (np.ones(40) + 1j, 0.0), (c, ~c), (np.full(40, np.nan), np.inf),
                 (np.ones((2, 1, 40)), np.float32(3))):
        got, want = select(c, x, y), np.where(c, x, y)
        assert got.dtype == want.dtype and got.shape == want.shape
        assert got.tobytes() == want.tobytes()
