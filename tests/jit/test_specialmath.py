"""Special functions in kernels against those of eager, at every level and width."""

from __future__ import annotations

import numpy as np
import pytest

from eager.ops import approximations
from jit.kernels.specialmath import FUNCTIONS
from jit.targets.isa import host_levels
from tests.jit.test_vectormath import compiled, run, ulps

#: Where each is computed, and the largest difference for float32 and float64 in ulp.
RANGES = {
    "atan": ((-40.0, 40.0), 0.6, 1.0), "erfc": ((-5.0, 9.0), 1.0, 8.0),
    "erfcx": ((-4.0, 60.0), 1.0, 6.0), "erfinv": ((-0.99, 0.99), 1.0, 4.0),
    "lgamma": ((2.6, 60.0), 1.0, 6.0), "digamma": ((2.0, 60.0), 1.0, 16.0),
    "i0e": ((-60.0, 60.0), 1.0, 16.0), "i1e": ((0.1, 60.0), 1.0, 16.0)}


@pytest.fixture(scope="module", params=host_levels())
def level(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_function_has_a_range() -> None:
    assert set(RANGES) == set(FUNCTIONS)


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_kernels_are_eager(level: str, dtype: str) -> None:
    kind = np.float32 if dtype == "f32" else np.float64
    functions = compiled(list(RANGES), dtype, level)
    for name, ((low, high), single, double) in RANGES.items():
        x = np.linspace(low, high, 10001).astype(kind)
        wide = x.astype(np.float64)
        want = np.arctan(wide) if name == "atan" else getattr(approximations, name)(wide)
        worst = ulps(run(functions[name], x), want)
        assert worst <= (single if dtype == "f32" else double), f"{name}_{dtype}: {worst:.2f} ulp"


def test_many_float32_are_near_the_exact_ones() -> None:
    """What eager does for arrays of some size, in ulp."""
    x = np.linspace(-6, 6, 20001).astype(np.float32)
    for name, values in (("erf", x), ("expm1", x), ("log1p", np.abs(x))):
        function = getattr(approximations, name)
        assert ulps(function(values), function(values.astype(np.float64))) <= 4.0, name
