"""Elementary functions against the float64 (or the C library's) ones, in ulp, at every level."""

from __future__ import annotations

import ctypes
import math

import numpy as np
import pytest

from jit.compiler import Piece, _native, _object, portable_ir
from jit.native import elf, loader
from jit.targets.isa import host_levels

#: function -> (largest error in ulp for float32, for float64, range of the grid)
BOUNDS = {
    "exp": (1.25, 1.25, (-80.0, 80.0)),
    "expm1": (1.5, 2.0, (-5.0, 60.0)),
    "log": (1.0, 1.0, (1e-6, 1e6)),
    "log1p": (1.0, 1.0, (-0.99, 50.0)),
    "tanh": (1.5, 2.5, (-9.0, 9.0)),
    "sigmoid": (2.0, 2.0, (-30.0, 30.0)),
    "erf": (1.5, 2.0, (-5.0, 5.0)),
    "sin": (0.6, 2.0, (-1e6, 1e6)),
    "cos": (0.6, 2.0, (-1e6, 1e6)),
    "sqrt": (0.5001, 0.5001, (0.0, 1e6)),
    "rsqrt": (1.5, 1.5, (1e-3, 1e6)),
}
#: In long double, whose own errors do not count: 64 bits of mantissa or more.
EXACT = {
    "erf": lambda x: np.array([math.erf(v) for v in x.astype(float)], np.longdouble),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "rsqrt": lambda x: 1 / np.sqrt(x),
}
_POSITIVE = (np.inf, 0.0, 5e-324, 1.5e-45, 1e-40, 1.2e-38, 1e-30, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0,
             20.0, 87.0, 88.5, 103.5, 710.0, 745.2, 1e9, 3e38)
SPECIAL = np.array([np.nan, *_POSITIVE, *(-v for v in _POSITIVE)])


def compiled(names: list[str], dtype: str, level: str) -> dict[str, ctypes._CFuncPtr]:
    """Each function as a loop over an array, linked into one object."""
    objects, found = [], []
    for name in names:
        args = "x[i], y[i]" if name == "pow" else "x[i]"
        source = (f"def loop_{name}(x, y, out, n):\n    for i in range(n):\n"
                  f"        out[i] = {name}_{dtype}({args})\n")
        piece = Piece(f"loop_{name}", source, (f"{dtype}*",) * 3 + ("i64",))
        text = portable_ir(piece, {}).replace("define hidden", "define")
        objects.append(_object(text, level, 3))
        found.append(piece.name)
    library = loader.load(elf.link([*objects, _native("memory", level)], found, "math.so"))
    return {n: getattr(library, f"loop_{n}") for n in names}


def run(function: ctypes._CFuncPtr, *arrays: np.ndarray) -> np.ndarray:
    x = np.ascontiguousarray(arrays[0])
    y = np.ascontiguousarray(arrays[-1])
    out = np.empty_like(x)
    function.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_int64]
    function.restype = None
    function(x.ctypes.data, y.ctypes.data, out.ctypes.data, x.size)
    return out


def exact(name: str, *arrays: np.ndarray) -> np.ndarray:
    """The function in long double (erf is the C library's, within its own ulp)."""
    function = EXACT.get(name) or getattr(np, name)
    return np.asarray(function(*(a.astype(np.longdouble) for a in arrays)))


def ulps(found: np.ndarray, wanted: np.ndarray) -> float:
    spacing = np.spacing(np.abs(wanted.astype(found.dtype))).astype(np.longdouble)
    return float(np.max(np.abs(found.astype(np.longdouble) - wanted) / spacing))


@pytest.fixture(scope="module", params=host_levels())
def level(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_errors_are_within_the_documented_ulps(level: str, dtype: str) -> None:
    kind = np.float32 if dtype == "f32" else np.float64
    functions = compiled(list(BOUNDS), dtype, level)
    rng = np.random.default_rng(0)
    for name, (single, double, (low, high)) in BOUNDS.items():
        grid = np.concatenate([np.linspace(low, high, 20001),
                               rng.uniform(max(low, -1), min(high, 1), 20000)])
        x = grid[(grid >= low) & (grid <= high)].astype(kind)
        x = x[(x > 0) | (name not in ("log", "rsqrt"))]
        worst = ulps(run(functions[name], x), exact(name, x))
        assert worst <= (single if dtype == "f32" else double), f"{name}_{dtype}: {worst:.2f} ulp"


def same_within(found: np.ndarray, wanted: np.ndarray, ulp: float) -> None:
    """NaN, infinities, zeros and their signs equal, everything else within some ulp."""
    np.testing.assert_array_equal(np.isnan(found), np.isnan(wanted))
    np.testing.assert_array_equal(np.isinf(found), np.isinf(wanted))
    ends = np.isinf(wanted) | (wanted == 0)
    np.testing.assert_array_equal(np.signbit(found)[ends], np.signbit(wanted)[ends])
    number = np.isfinite(wanted)
    error = np.abs(found[number].astype(float) - wanted[number])
    assert (error <= ulp * np.spacing(np.abs(wanted[number]))).all()


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_special_values_are_those_of_numpy(level: str, dtype: str) -> None:
    kind = np.float32 if dtype == "f32" else np.float64
    names = [n for n in BOUNDS if n not in ("sigmoid", "rsqrt", "erf")]
    functions = compiled(list(BOUNDS), dtype, level)
    with np.errstate(all="ignore"):
        x = SPECIAL.astype(kind)
    for name in names:
        some = x[(abs(x) < 3e9) | ~np.isfinite(x)] if name in ("sin", "cos") else x
        with np.errstate(all="ignore"):
            wanted = getattr(np, name)(some)
        same_within(run(functions[name], some), wanted, 3.0)


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_angles_beyond_the_reduction_are_nan_not_wrong(level: str, dtype: str) -> None:
    functions = compiled(list(BOUNDS), dtype, level)
    x = np.array([3.2e9, 3.4e9, -1e30], np.float32 if dtype == "f32" else np.float64)
    for name in ("sin", "cos"):
        assert np.isnan(run(functions[name], x)).tolist() == [False, True, True]


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_pow_is_numpys_with_its_special_cases(level: str, dtype: str) -> None:
    kind = np.float32 if dtype == "f32" else np.float64
    power = compiled(["pow"], dtype, level)["pow"]
    rng = np.random.default_rng(1)
    # Results over the whole range: y log x up to the ends of the exponent.
    x = np.exp(rng.uniform(-80, 80, 5000)).astype(kind)
    reach = 86 if dtype == "f32" else 700
    y = (rng.uniform(-reach, reach, 5000) / np.log(x.astype(float))).astype(kind)
    x = np.concatenate([x, rng.uniform(0.01, 10, 5000).astype(kind)])
    y = np.concatenate([y, rng.uniform(-5, 5, 5000).astype(kind)])
    assert ulps(run(power, x, y), exact("power", x, y)) <= (0.6 if dtype == "f32" else 1.0)
    with np.errstate(all="ignore"):
        values = SPECIAL.astype(kind)
        a, b = (v.reshape(-1) for v in np.meshgrid(values, values))
        wanted = np.power(a, b)
    same_within(run(power, a, b), wanted, 2.0)


def test_levels_agree_within_an_ulp_and_lanes_do_not_matter(level: str) -> None:
    functions = compiled(["exp", "tanh"], "f32", level)
    x = np.random.default_rng(2).normal(size=1001).astype(np.float32)
    for function in functions.values():
        whole = run(function, x)
        single = np.concatenate([run(function, x[k:k + 1]) for k in range(0, 1001, 37)])
        assert np.array_equal(whole[::37], single)
