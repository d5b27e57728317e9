"""Random streams: NumPy's Philox bit for bit, and draws that whoever records can see."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

from eager.engine import distributions, streams
from eager.engine.dropouts import dropout
from eager.engine.mode import mode_set
from eager.engine.streams import Generator
from eager.engine.tensor import Tensor
from eager.ops import philox
from eager.ops.errors import OpError
from eager.ops.op import Op
from eager.ops.types import F32, F64, I64

MASK = 2**64 - 1


def block(counter: int, k0: int, k1: int) -> list[int]:
    """Philox4x64-10 as Salmon et al. write it, in Python integers."""
    c = [counter, 0, 0, 0]
    for _ in range(10):
        a, b = c[0] * 0xD2E7470EE14C6C93, c[2] * 0xCA5A826395121157
        c = [(b >> 64) ^ c[1] ^ k0, b & MASK, (a >> 64) ^ c[3] ^ k1, a & MASK]
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) & MASK, (k1 + 0xBB67AE8584CAA73B) & MASK
    return c


@pytest.mark.parametrize("state", [[0, 0, 0], [67, 3, 5], [-1, -2, 2**40]])
def test_words_are_the_published_generator(state: list[int]) -> None:
    want = [w for j in range(3) for w in block(state[2] + 1 + j, state[0] & MASK, state[1] & MASK)]
    got = philox.words(np.array(state), 11)
    assert [int(w) for w in got] == want[:11]
    halves = philox.halves(np.array(state), 5)
    assert [int(h) for h in halves] == [w >> s & 0xFFFFFFFF for w in want for s in (0, 32)][:5]


def test_doubles_are_numpys() -> None:
    key = np.array([67, 0], np.uint64)
    want = np.random.Generator(np.random.Philox(key=key, counter=0)).random(9)
    got = Generator().manual_seed(67).draw("uniform", (9,), F64)
    np.testing.assert_array_equal(got.numpy(), want)


def test_normals_are_the_inverse_of_the_distribution() -> None:
    u = np.concatenate([np.logspace(-16, -0.31, 300), 1 - np.logspace(-15, -0.31, 300)])
    want = np.array([NormalDist().inv_cdf(p) for p in u])
    got = philox.normal(u, np.where, np.sqrt)
    np.testing.assert_allclose(got, want, rtol=4e-15, atol=1e-15)


def test_an_element_does_not_depend_on_its_neighbours() -> None:
    state = np.array([9, 0, 0])
    u = (philox.halves(state, 4000) + 0.5) * 2.0**-32
    alone = philox.normal(u, np.where, np.sqrt).astype(np.float32)
    np.testing.assert_array_equal(philox.normal_array(state, 4000, False), alone)


def test_the_logarithm_of_the_tails() -> None:
    p = np.logspace(-18, np.log10(0.5), 5000)
    np.testing.assert_allclose(philox.minus_log(p, np.where), -np.log(p), rtol=5e-16)


@pytest.mark.parametrize("dtype", [F32, F64])
def test_moments(dtype: Any) -> None:
    g = Generator().manual_seed(1)
    z, u = g.draw("normal", (100_000,), dtype).numpy(), g.draw("uniform", (100_000,), dtype).numpy()
    assert z.dtype == u.dtype == dtype.numpy
    assert abs(z.mean()) < 0.01 and abs(z.std() - 1) < 0.01 and abs((z**3).mean()) < 0.05
    assert u.min() >= 0 and u.max() < 1 and abs(u.mean() - 0.5) < 0.005


def test_draws_follow_one_another() -> None:
    g = Generator().manual_seed(3)
    g.draw("uniform", (8,))
    assert g.state.tolist() == [3, 0, 1]
    g.draw("uniform", (9,))
    g.draw("normal", (3,), F64)
    assert g.state.tolist() == [3, 0, 4]
    saved = g.get_state()
    first = g.draw("normal", (5,))
    assert g.set_state(saved).draw("normal", (5,)).tolist() == first.tolist()
    assert g.initial_seed() == 3 and Generator().manual_seed(-1).initial_seed() == MASK


def test_public_draws() -> None:
    streams.manual_seed(5)
    a = streams.randn(2, 3, requires_grad=True)
    streams.manual_seed(5)
    assert streams.randn((2, 3)).tolist() == a.tolist() and a.requires_grad and a.is_leaf
    n = streams.randint(-2, 3, (1000,))
    assert n.dtype is I64 and sorted(set(n.tolist())) == [-2, -1, 0, 1, 2]
    assert sorted(streams.randperm(50).tolist()) == list(range(50))
    p = Tensor(np.array([0.0, 1.0, 0.5], np.float32))
    assert distributions.bernoulli(p).tolist()[:2] == [0.0, 1.0]
    assert streams.rand_like(a).shape == a.shape
    x = Tensor(np.zeros(1000, np.float32))
    assert 2.9 < distributions.uniform_(x, 2, 4).numpy().mean() < 3.1
    assert 4.8 < distributions.normal_(x, 5, 0.5).numpy().mean() < 5.2
    for bad in (lambda: streams.randint(3, 3, (1,)), lambda: Generator("cuda"),
                lambda: streams.rand(2, dtype=I64)):
        with pytest.raises(OpError):
            bad()


def test_dropout() -> None:
    streams.manual_seed(0)
    x = Tensor(np.ones(10_000, np.float32), requires_grad=True)
    y = dropout(x, 0.25)
    assert set(y.tolist()) == {0.0, np.float32(1 / 0.75).item()} and abs(float(y.mean()) - 1) < 0.03
    y.sum().backward()
    assert x.grad is not None and x.grad.tolist() == y.tolist()
    assert dropout(x, 0.5, training=False) is x and set(dropout(x, 1.0).tolist()) == {0.0}
    with pytest.raises(OpError, match="probability"):
        dropout(x, 1.5)


class Watching:
    """A recorder that performs everything and notes the names."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def apply(self, op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> Tensor:
        self.seen.append(op.name)
        return Tensor(op.run(*(a._array if isinstance(a, Tensor) else a for a in args), **attrs))

    def write(self, target: Tensor, value: Tensor) -> None:
        self.seen.append("write")
        np.copyto(target._array, value._array)

    def read(self, tensor: Tensor, how: str) -> Any:
        raise AssertionError(how)

    def made(self, tensor: Tensor) -> None:
        pass

    def aliases(self, op: Op, source: Tensor, result: Tensor) -> bool:
        return True


def test_a_recorder_sees_the_draw_and_the_advance() -> None:
    g, watching = Generator().manual_seed(2), Watching()
    with mode_set(recorder=watching):
        drawn = g.draw("uniform", (4,))
    assert [s for s in watching.seen if s != "clone"] == ["rand_uniform", "rand_advance", "write"]
    assert g.state.tolist() == [2, 0, 1]
    assert drawn.tolist() == Generator().manual_seed(2).draw("uniform", (4,)).tolist()
