"""What the cases of folds and sorts cannot say: accuracy, half floats, ties, traces."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eager
import jit
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError

RNG = np.random.default_rng(5)


# --- accuracy ----------------------------------------------------------------------------------
@pytest.mark.parametrize(("shape", "dim"), [
    ((300_001,), 0), ((300_001, 3), 0), ((3, 300_001), 1), ((1200, 700), 0),
    ((2, 70_000, 2), (0, 1)),
])
def test_long_sums_in_float32_are_as_accurate_as_pairwise_ones(shape: Any, dim: Any) -> None:
    x = RNG.random(shape, np.float32)
    want = x.astype(np.float64).sum(dim)
    for got in (Tensor(x).sum(dim), Tensor(x).mean(dim) * (x.size / want.size)):
        np.testing.assert_allclose(got.numpy(), want, rtol=2e-6)


def test_long_sums_by_compiled_code() -> None:
    x = Tensor(RNG.random((600_001, 3), np.float32))
    program = jit.trace(lambda x: (x.sum(0), x.sum(1).sum(0), x.T.mean(1)), (x,))
    want = x.numpy().astype(np.float64).sum(0)
    columns, whole, means = program(x)
    np.testing.assert_allclose(columns.numpy(), want, rtol=3e-6)
    np.testing.assert_allclose(means.numpy(), want / 600_001, rtol=3e-6)
    np.testing.assert_allclose(whole.numpy(), want.sum(), rtol=1e-6)


def test_running_sums_in_float32_are_totalled_in_float64() -> None:
    x = RNG.random(200_000, np.float32)
    want = np.cumsum(x.astype(np.float64))
    np.testing.assert_allclose(Tensor(x).cumsum(0).numpy(), want, rtol=1e-7)


def test_a_mean_of_half_floats_does_not_overflow() -> None:
    x = eager.full((3000,), 30.0, dtype=eager.float16)
    assert x.mean().item() == 30.0 and x.sum().item() == np.inf
    assert x.mean().dtype is eager.float16
    ones = eager.ones(4097, dtype=eager.float16)
    assert ones.sum().item() == 4096.0  # the nearest half of 4097, not the 2048 of halves added


def test_a_variance_far_from_zero_keeps_its_digits() -> None:
    x = RNG.normal(size=1000) + 1e6
    assert Tensor(x).var().item() == pytest.approx(x.var(ddof=1), rel=1e-9)
    assert Tensor(x.astype(np.float32)).var().item() == pytest.approx(1.0, rel=0.1)


# --- ties and NaN ------------------------------------------------------------------------------
def test_equal_elements_keep_their_order() -> None:
    x = np.repeat([2.0, 1.0, 3.0], 40)[RNG.permutation(120)]
    for descending in (False, True):
        got = Tensor(x).sort(descending=descending).indices.numpy()
        np.testing.assert_array_equal(got, np.argsort(-x if descending else x, kind="stable"))
        top = Tensor(np.tile(x, (2, 5))).topk(20, largest=descending)
        np.testing.assert_array_equal(
            top.indices.numpy()[1],
            np.argsort(np.tile(-x if descending else x, 5), kind="stable")[:20])


def test_a_gradient_goes_to_the_positions_and_is_shared_by_ties() -> None:
    x = eager.tensor([3.0, 1.0, 3.0], requires_grad=True)
    x.amax().backward()
    assert x.grad is not None and x.grad.tolist() == [0.5, 0.0, 0.5]
    y = eager.tensor([3.0, 1.0, 3.0], requires_grad=True)
    y.max(0).values.backward()
    assert y.grad is not None and y.grad.tolist() == [1.0, 0.0, 0.0]


def test_medians_of_nothing_but_nan() -> None:
    x = eager.tensor([np.nan, np.nan])
    assert np.isnan(x.nanmedian().item()) and np.isnan(x.median(0).values.item())


# --- traces ------------------------------------------------------------------------------------
ROWS = jit.Dim("B", min=2, max=400)
EDGES = eager.tensor([-1.0, 0.0, 0.5])

#: Functions of a matrix ``[B, 6]``.
ANY_SIZE: dict[str, Any] = {
    "cumsum": lambda x: x.cumsum(0), "cumprod": lambda x: x.cumprod(1),
    "logcumsumexp": lambda x: x.logcumsumexp(0), "cummax": lambda x: x.cummax(0),
    "cummin": lambda x: x.cummin(1), "diff": lambda x: x.diff(dim=0),
    "trapezoid": lambda x: eager.trapezoid(x, dim=0), "sort": lambda x: x.sort(0),
    "descending": lambda x: x.sort(1, True), "topk": lambda x: x.topk(2, 1),
    "whole median": lambda x: x.median(), "nanmedian": lambda x: x.nanmedian(0),
    "kthvalue": lambda x: x.kthvalue(2, 0), "mode": lambda x: x.round().mode(0),
    "quantile": lambda x: x.quantile(0.3, 0), "nanquantile": lambda x: x.nanquantile(0.7),
    "searchsorted": lambda x: eager.searchsorted(EDGES, x), "isin": lambda x: eager.isin(
        x.round(), EDGES), "is in": lambda x: eager.isin(EDGES, x.round()),
    "histc": lambda x: x.histc(5), "bins": lambda x: x.histc(4, -1, 1),
    "var_mean": lambda x: eager.var_mean(x, 0), "std": lambda x: x.std(),
    "cov": lambda x: x.T.cov(), "corrcoef": lambda x: x.T.corrcoef(),
    "renorm": lambda x: x.renorm(2, 0, 1.0), "norm": lambda x: x.norm(3, 0),
    "max": lambda x: x.max(0),
    "aminmax": lambda x: eager.aminmax(x),
    "nanmean": lambda x: x.nanmean(0), "count": lambda x: (x > 0).count_nonzero(0),
    "slopes": lambda x: slopes(x),
}


def slopes(x: Tensor) -> Any:
    y = x.detach().requires_grad_()
    total = (y.cumprod(1).sum() + y.prod(1).sum() + y.logcumsumexp(0).sum() + y.norm(3)
             + (y.sort(0).values.cumsum(0) * x).sum() + y.median(1).values.sum() + y.var(0).sum())
    total.backward()
    return y.grad


def sized(n: int) -> Tensor:
    return Tensor(np.random.default_rng(n).normal(size=(n, 6)).astype(np.float32))


@pytest.fixture(scope="module")
def of_any_size() -> jit.Program:
    return jit.trace(lambda x: {k: f(x) for k, f in ANY_SIZE.items()}, (sized(4),),
                     dynamic_shapes={"x": {0: ROWS}})


@pytest.mark.parametrize("n", [2, 3, 17, 64, 300])
def test_compiled_at_any_size(of_any_size: jit.Program, n: int) -> None:
    got = of_any_size(sized(n))
    for name, f in ANY_SIZE.items():
        ours, want = got[name], f(sized(n))
        pairs = [(ours, want)] if isinstance(want, Tensor) else zip(ours, want, strict=True)
        for a, b in pairs:
            assert a.dtype is b.dtype and a.shape == b.shape, name
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=3e-5, atol=1e-5, err_msg=name)


def test_long_rows_are_sorted_by_compiled_code() -> None:
    x = RNG.normal(size=(3, 5000)).round(2).astype(np.float32)
    x[0, ::50] = np.nan
    program = jit.trace(lambda x: (x.argsort(1), x.argsort(0, True)), (Tensor(x),))
    for got, want in zip(program(Tensor(x)), (Tensor(x).argsort(1), Tensor(x).argsort(0, True)),
                         strict=True):
        np.testing.assert_array_equal(got.numpy(), want.numpy())


@pytest.mark.parametrize("name", ["unique", "unique_consecutive", "bincount"])
def test_what_reads_the_data_is_not_traced(name: str) -> None:
    with pytest.raises((OpError, jit.TraceError), match=name):
        jit.trace(lambda x: getattr(x, name)(), (eager.tensor([1, 2, 2]),))


def test_scans_sorts_and_searches_are_also_ptx() -> None:
    program = jit.trace(lambda x: (x.cumsum(0), x.logcumsumexp(1), x.cummin(0), x.argsort(0),
                                   x.topk(2), eager.searchsorted(EDGES, x)), (sized(9),))
    names = [n for n in program.kernels.ptx if "gather" not in n]
    assert len(names) == 6
    for name in names:
        text = program.kernels.ptx[name]
        assert f".visible .entry {name}_gpu(" in text and ".extern" not in text
