"""Numbers among the operands: they stay numbers, and the tensors beside them keep their history."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import eager
import jit
from eager.ops.errors import OpError


@pytest.mark.parametrize(("function", "slope"), [
    (lambda v: 1 - v, -2.0), (lambda v: v - 1, 2.0), (lambda v: 3.0 * v, 6.0),
    (lambda v: eager.where(v > 0, 0.5, -v), 0.0), (lambda v: eager.where(v < 0, 0.5, -v), -2.0),
    (lambda v: v + eager.tensor([1, 2]), 2.0)])
def test_a_view_that_was_written_knows_it(function: Callable[[eager.Tensor], eager.Tensor],
                                          slope: float) -> None:
    x = eager.tensor([1.0, 2.0, 3.0], requires_grad=True)
    base = x * 1
    view = base[1:]
    base.mul_(2.0)
    function(view).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [0.0, slope, slope])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int32", "uint8"])
def test_a_choice_with_a_number_keeps_the_dtype(dtype: str) -> None:
    x = eager.arange(6).to(getattr(eager, dtype))
    for out in (eager.where(x > 2, x, 0), eager.where(x > 2, 0, x)):
        assert out.dtype is x.dtype
        assert set(out.tolist()) <= {0, *x.tolist()}


def test_a_choice_of_many_is_that_of_few() -> None:
    rng = np.random.default_rng(0)
    numbers = np.array([0.0, -0.0, np.nan, np.inf, 1.5, -3.0])
    for dtype in (np.float16, np.float32, np.float64, np.int32, np.int64, np.uint8):
        with np.errstate(invalid="ignore"):
            x, y = (rng.choice(numbers, (40, 30)).astype(dtype) for _ in range(2))
        c = rng.random((40, 30)) > 0.5
        for a, b in ((x, y), (x, y[:1]), (x[0], y), (x.T, y.T)):
            chosen = c.T if a.shape == (30, 40) else c
            got = eager.where(eager.tensor(chosen), eager.tensor(a), eager.tensor(b)).numpy()
            assert got.tobytes() == np.where(chosen, a, b).tobytes()


def test_a_number_beyond_small_integers_goes_round() -> None:
    u, i = eager.tensor([3, 44, 255], dtype=eager.uint8), eager.tensor([3, -4], dtype=eager.int8)
    assert (u - 300).tolist() == [215, 0, 211] and (-1 * u).tolist() == [253, 212, 1]
    assert (i + 200).tolist() == [-53, -60] and (u & -1).tolist() == [3, 44, 255]
    assert (u // -1).tolist() == [0, 0, 1] and (u == 300).tolist() == [False, True, False]
    assert eager.where(u > 3, -1, u).tolist() == [3, 255, 255]
    assert (eager.arange(2) - 2**40).tolist() == [-(2**40), 1 - 2**40]
    program = jit.trace(lambda x: x * -1 + 300, (u,))
    assert program(u).tolist() == (u * -1 + 300).tolist()
    with pytest.raises(OpError):
        u + 2**70
