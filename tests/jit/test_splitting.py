"""Complex numbers in programs: the pass that splits them, and what it makes, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import export
import jit
from eager import fft, linalg
from eager.engine.tensor import Tensor
from eager.ops.errors import TraceError
from eager.ops.table import TABLE
from jit.passes.splitting import has_rule, split_complex
from jit.text import parse_graph
from jit.verifier import verify

RNG = np.random.default_rng(3)


def z(*shape: int, dtype: Any = np.complex64) -> np.ndarray[Any, Any]:
    return (RNG.normal(size=shape) + 1j * RNG.normal(size=shape)).astype(dtype)


# --- the pass ----------------------------------------------------------------------------------
def test_a_product() -> None:
    graph = parse_graph("f(%x: c64[3], %y: c64[3]) {\n  %0 = mul(%x, %y) : c64[3]\n"
                        "  %1 = real(%0) : f32[3]\n  return %1\n}")
    assert str(verify(split_complex(graph))) == """\
f(%x: c64[3], %y: c64[3]) {
  %0 = reshape(%x, shape=(3, 1)) : c64[3, 1]
  %1 = bitcast(%0, dtype=f32) : f32[3, 2]
  %2 = select(%1, dim=1, index=0) : f32[3]
  %3 = select(%1, dim=1, index=1) : f32[3]
  %4 = reshape(%y, shape=(3, 1)) : c64[3, 1]
  %5 = bitcast(%4, dtype=f32) : f32[3, 2]
  %6 = select(%5, dim=1, index=0) : f32[3]
  %7 = select(%5, dim=1, index=1) : f32[3]
  %8 = mul(%2, %6) : f32[3]
  %9 = mul(%3, %7) : f32[3]
  %10 = sub(%8, %9) : f32[3]
  %11 = mul(%2, %7) : f32[3]
  %12 = mul(%3, %6) : f32[3]
  %13 = add(%11, %12) : f32[3]
  return %10
}"""


def test_reals_are_left_alone() -> None:
    graph = parse_graph("f(%x: f32[3]) {\n  %0 = mul(%x, %x) : f32[3]\n  return %0\n}")
    assert split_complex(graph) is graph


def test_rows_of_complex_numbers_say_how_or_are_refused() -> None:
    without = {op.name for op in TABLE.values() if op.complex and not has_rule(op)}
    assert without == {"prod", "cumprod", "scatter_prod", "scatter_amax", "scatter_amin",
                       "cholesky", "solve_triangular", "eigh", "qr", "svd", "det"}


def test_refusal() -> None:
    with pytest.raises(TraceError, match=r"test_splitting.py:\d+ .*: prod of complex64 cannot be "
                                         r"traced: .*real and imaginary parts"):
        jit.trace(lambda x: x.prod(), (Tensor(z(3)),))


# --- compiled ----------------------------------------------------------------------------------
def agrees(fn: Any, *calls: tuple[Any, ...], bound: float = 3e-6, **settings: Any) -> Any:
    program = jit.trace(fn, tuple(map(Tensor, calls[0])), **settings)
    for arrays in calls:
        got, want = (f(*map(Tensor, arrays)) for f in (program, fn))
        for g, w in zip(got, want, strict=True):
            a, b = g.numpy(), w.numpy()
            assert a.dtype == b.dtype and a.shape == b.shape
            np.testing.assert_allclose(a, b, rtol=bound, atol=bound * np.abs(b).max(initial=1))
    return program


def test_arguments_and_results(tmp_path: Any) -> None:
    """Complex in, complex out, scalars, constants, and the same from a file."""
    matrix = Tensor(z(3, 3))

    def fn(x: Tensor, s: Tensor) -> Any:
        y = (x @ matrix).exp() * s + 2j
        return y, y.abs(), x.mean(0), x.conj().T, s, x, linalg.solve(matrix, x.T)

    first, other = (z(2, 3), z()), (z(2, 3), z())
    program = agrees(fn, first, other, bound=2e-5)
    path = tmp_path / "file.art"
    export.save(program, path, targets=("x86_64-linux",), levels=(program.level,))
    model = export.runner.load(path, trust=True)
    for a, b in zip(model(*other), program(*map(Tensor, other)), strict=True):
        np.testing.assert_array_equal(np.asarray(a), b.numpy())
    assert model.verify() < 1e-4
    assert export.runner.Array("c64", (2,), np.array([1j, 2], np.complex64)).tolist() == [1j, 2]


#: Powers of two, products, small primes, and primes that go through a power of two.
POINTS = (1, 2, 3, 5, 8, 12, 61, 67, 100, 134)


def test_transforms() -> None:
    def fn(*xs: Tensor) -> Any:
        return [f(x) for x in xs for f in (fft.fft, fft.ifft)]

    agrees(fn, [z(2, n, dtype=np.complex128) for n in POINTS], bound=1e-13)


def test_transforms_of_a_size_that_only_a_call_knows() -> None:
    def spectrum(x: Tensor) -> Any:
        power = fft.rfft(x).abs().square()
        return power.log1p(), fft.irfft(fft.rfft(x), 32), fft.fft(x, dim=0)

    rows = {"x": {0: jit.Dim("rows", max=64)}}
    agrees(spectrum, *((RNG.normal(size=(n, 32)).astype(np.float32),) for n in (4, 7, 1)),
           dynamic_shapes=rows, bound=2e-5)


def test_state_and_branches() -> None:
    """A complex buffer is read and written; a complex value goes through both arms of cond."""
    phase, total = Tensor(z(3)), Tensor(np.zeros(3, np.complex64))

    def fn(x: Tensor) -> Tensor:
        total.add_(x * phase)
        return jit.cond(x.real.sum() > 0, lambda x: x * 1j, lambda x: x.conj(), (x,))

    program = jit.trace(fn, (Tensor(z(3)),))
    for sign in (1, -1):
        x = Tensor(sign * (np.abs(z(3).real) + 1j).astype(np.complex64))
        before = total.numpy().copy()
        want = x.numpy() * 1j if sign > 0 else x.numpy().conj()
        np.testing.assert_allclose(program(x).numpy(), want, rtol=1e-6)
        np.testing.assert_allclose(total.numpy(), before + x.numpy() * phase.numpy(), rtol=1e-5)


def test_odd_numbers() -> None:
    """Infinities, NaN and zeros go through products and quotients as NumPy's do."""
    line = np.array([0.0, -0.0, 1.0, -2.5, np.inf, -np.inf, np.nan])
    grid = (line[:, None] + 0j).repeat(7, 1)
    grid.imag = line
    x, y = (a.reshape(-1) for a in np.meshgrid(grid.reshape(-1), grid.reshape(-1)))

    def fn(x: Tensor, y: Tensor) -> Any:
        return x * y, x / y, x + y, x == y, x.isnan(), x.abs()

    tensors = Tensor(x), Tensor(y)
    for got, want in zip(jit.trace(fn, tensors)(*tensors), fn(*tensors), strict=True):
        a, b = (t.numpy().view(float) if t.is_complex() else t.numpy() for t in (got, want))
        np.testing.assert_allclose(a, b, rtol=1e-15)
