"""``out=``: results written into tensors that the caller has."""

from __future__ import annotations

import numpy as np
import pytest

import eager
from eager.ops.errors import OpError


def test_the_result_is_written_and_returned() -> None:
    out = eager.zeros(3)
    assert eager.add(eager.ones(3), 1.0, out=out) is out
    np.testing.assert_array_equal(out.numpy(), [2, 2, 2])


def test_an_empty_tensor_takes_the_shape() -> None:
    out = eager.empty(0)
    eager.matmul(eager.ones(2, 3), eager.ones(3, 4), out=out)
    assert tuple(out.shape) == (2, 4)


def test_the_dtype_is_the_tensors() -> None:
    out = eager.zeros(2, dtype=eager.float64)
    eager.mul(eager.tensor([1.5, 2.5]), 2, out=out)
    assert out.dtype is eager.float64 and out.tolist() == [3.0, 5.0]


def test_several_results() -> None:
    x = eager.tensor([[1.0, 5.0], [7.0, 2.0]])
    out = eager.empty(2), eager.empty(2, dtype=eager.int64)
    assert eager.max(x, 1, out=out) is out
    assert out[0].tolist() == [5.0, 7.0] and out[1].tolist() == [1, 0]


def test_a_view_is_written_in_its_base() -> None:
    base = eager.zeros(2, 2)
    eager.exp(eager.zeros(2), out=base[1])
    assert base.tolist() == [[0.0, 0.0], [1.0, 1.0]]


@pytest.mark.parametrize(("out", "words"), [
    (lambda: eager.zeros(4), "the result is"), (lambda: np.zeros(3), "wants a tensor"),
    (lambda: eager.zeros(3, requires_grad=True), "requires grad"),
    (lambda: eager.zeros(3, dtype=eager.int64), "cannot be stored")])
def test_what_does_not_fit(out: object, words: str) -> None:
    with pytest.raises(OpError, match=words):
        eager.add(eager.ones(3), 1.0, out=out())  # type: ignore[operator]
