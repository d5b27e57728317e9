"""Random numbers of named distributions: moments, ranges, streams and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eager
from eager.engine import dropouts, streams
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError

COUNT = 40000


@pytest.fixture(autouse=True)
def seeded() -> None:
    eager.manual_seed(3)


@pytest.mark.parametrize(("name", "args", "mean", "deviation"), [
    ("uniform_", (2.0, 4.0), 3.0, 2 / 12 ** 0.5), ("normal_", (5.0, 0.5), 5.0, 0.5),
    ("bernoulli_", (0.3,), 0.3, 0.21 ** 0.5), ("exponential_", (2.0,), 0.5, 0.5),
    ("geometric_", (0.25,), 4.0, 12 ** 0.5), ("random_", (10,), 4.5, 8.25 ** 0.5),
    ("random_", (-5, 5), -0.5, 8.25 ** 0.5),
    ("log_normal_", (0.0, 0.5), np.exp(0.125), (np.exp(0.5) - np.exp(0.25)) ** 0.5)])
def test_moments(name: str, args: Any, mean: float, deviation: float) -> None:
    for dtype in (eager.float32, eager.float64):
        x = eager.zeros(COUNT, dtype=dtype)
        assert getattr(x, name)(*args) is x
        values = x.numpy()
        assert abs(values.mean() - mean) < 5 * deviation / COUNT ** 0.5
        assert abs(values.std() / deviation - 1) < 0.05


def test_cauchy_has_its_quartiles() -> None:
    values = eager.zeros(COUNT).cauchy_(1.0, 2.0).numpy()
    np.testing.assert_allclose(np.quantile(values, [0.25, 0.5, 0.75]), [-1, 1, 3], atol=0.15)


def test_random_fills_integers() -> None:
    x = eager.zeros(1000, dtype=eager.int8).random_()
    assert x.dtype is eager.int8 and int(x.min()) >= 0 and int(x.max()) > 100
    assert set(eager.zeros(99, dtype=eager.bool).random_().tolist()) == {False, True}


def test_poisson_and_normal() -> None:
    rates = eager.tensor([0.0, 4.0]).expand(COUNT, 2)
    counts = eager.poisson(rates).numpy()
    assert counts[:, 0].max() == 0 and abs(counts[:, 1].mean() - 4) < 0.06
    z = eager.normal(eager.tensor([0.0, 9.0]), eager.tensor([1.0, 0.0]))
    assert z.shape == (2,) and float(z[1]) == 9.0
    assert eager.normal(1.0, 2.0, (3, 2)).shape == (3, 2)


def test_multinomial_follows_its_weights() -> None:
    weights = eager.tensor([1.0, 0.0, 3.0])
    drawn = eager.multinomial(weights, COUNT, replacement=True).numpy()
    np.testing.assert_allclose(np.bincount(drawn, minlength=3) / COUNT, [0.25, 0, 0.75], atol=0.015)
    rows = eager.multinomial(weights.expand(500, 3), 2)
    assert rows.shape == (500, 2) and rows.dtype is eager.int64
    assert set(map(tuple, np.sort(rows.numpy(), 1).tolist())) == {(0, 2)}
    assert 0.68 < (rows.numpy()[:, 0] == 2).mean() < 0.82


def test_streams_go_on_and_fork() -> None:
    state = eager.get_rng_state()
    first = eager.rand(3).tolist()
    eager.set_rng_state(state)
    with streams.fork_rng():
        eager.rand(100)
    assert eager.rand(3).tolist() == first
    generator = eager.Generator()
    assert generator.seed() == generator.initial_seed() != generator.seed()
    assert eager.random.manual_seed(4) is eager.default_generator and eager.initial_seed() == 4


def test_dtypes_of_draws() -> None:
    assert eager.rand(2, dtype=eager.float16).dtype is eager.float16
    z = eager.randn(COUNT, dtype=eager.complex64)
    assert abs(float((z.abs() ** 2).mean()) - 1) < 0.03
    assert eager.randint(5, (2,), dtype=eager.float32).dtype is eager.float32
    assert eager.randint_like(eager.zeros(3), 2, 4).dtype is eager.float32
    assert eager.rand(2, requires_grad=True).requires_grad


@pytest.mark.parametrize("name", ["dropout1d", "dropout2d", "dropout3d"])
def test_dropout_of_channels(name: str) -> None:
    x = eager.ones((200, 5) + (2,) * int(name[7]))
    y = getattr(dropouts, name)(x, 0.25).numpy().reshape(1000, -1)
    assert np.all(y == y[:, :1]) and 0.7 < (y[:, 0] > 0).mean() < 0.8
    assert np.allclose(y[y > 0], 1 / 0.75)
    assert getattr(dropouts, name)(x, 0.25, training=False) is x


def test_alpha_dropout_keeps_moments() -> None:
    x = eager.randn(500, 80)
    for drop in (dropouts.alpha_dropout, dropouts.feature_alpha_dropout):
        y = drop(x, 0.3, training=True).numpy()
        assert abs(y.mean()) < 0.05 and abs(y.std() - 1) < 0.05
    copy = x.clone()
    assert dropouts.alpha_dropout(copy, 0.5, True, inplace=True) is copy
    assert dropouts.alpha_dropout(x, 1.0, True).numpy().any() == np.False_


@pytest.mark.parametrize("call", [
    lambda x: x.uniform_(2, 1), lambda x: x.normal_(0, -1), lambda x: x.exponential_(0),
    lambda x: x.geometric_(1.5), lambda x: x.bernoulli_(2.0), lambda x: x.cauchy_(0, -1),
    lambda x: x.long().uniform_(), lambda x: eager.multinomial(x, 1),
    lambda x: eager.multinomial(x + 1, 5), lambda x: eager.multinomial(-x - 1, 1),
    lambda x: eager.multinomial(x + 1, 0), lambda x: eager.poisson(x - 1),
    lambda x: eager.normal(0.0, 1.0), lambda x: eager.rand(2, dtype=eager.int64),
    lambda x: eager.rand(2, device="cuda"), lambda x: dropouts.dropout(x, 1.5),
    lambda x: dropouts.dropout2d(x), lambda x: eager.randint(3, 3, (1,))])
def test_refusals(call: Any) -> None:
    with pytest.raises(OpError):
        call(eager.zeros(3))


# --- creation ----------------------------------------------------------------------------------
def test_out_of_buffers_and_arrays() -> None:
    data = bytearray(np.array([1, 2, 3], np.int16).tobytes())
    x = eager.frombuffer(data, dtype=eager.int16, count=2, offset=2)
    assert x.tolist() == [2, 3]
    x[0] = 9
    assert np.frombuffer(data, np.int16).tolist() == [1, 9, 3]
    array = np.zeros(2)
    assert np.shares_memory(eager.asarray(array).numpy(), array)
    assert not np.shares_memory(eager.asarray(array, copy=True).numpy(), array)
    for bad in (lambda: eager.frombuffer(data, dtype=eager.float32),
                lambda: eager.asarray([1], copy=False), lambda: eager.zeros(2, device="cuda"),
                lambda: eager.zeros(2, layout="sparse_coo"), lambda: eager.arange(3, 0),
                lambda: eager.empty(2, memory_format="channels_last"),
                lambda: eager.linspace(0, 1, -1), lambda: eager.zeros(2, pin_memory=True)):
        with pytest.raises(OpError):
            bad()


@pytest.mark.parametrize("call", [
    lambda m: m.arange(2, 9, 3), lambda m: m.arange(0, 1, 0.25),
    lambda m: m.arange(5, 0, -2, dtype=m.float64), lambda m: m.linspace(-1, 2, 7),
    lambda m: m.linspace(0, 10, 4, dtype=m.int64), lambda m: m.logspace(0, 2, 5),
    lambda m: m.logspace(0, 3, 4, base=2.0), lambda m: m.eye(2, 3),
    lambda m: m.eye(3, dtype=m.int64), lambda m: m.full((2,), True),
    lambda m: m.full((2, 1), 3), lambda m: m.full((), 2.5, dtype=m.int32),
    lambda m: m.tril_indices(3, 4, -1), lambda m: m.triu_indices(3, 4, 1),
    lambda m: m.tensor([[1, 2], [3, 4]]), lambda m: m.tensor(2.5, dtype=m.int64),
    lambda m: m.tensor([1j]), lambda m: m.ones((2, 3), dtype=m.bool),
    lambda m: m.zeros(1).new_tensor([1, 2]), lambda m: m.empty_strided((2, 3), (1, 2)) * 0])
def test_creation_is_torchs(call: Any) -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = call(eager), call(torch)
    assert isinstance(ours, Tensor) and ours.dtype.public == str(theirs.dtype)[6:]
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-6)
