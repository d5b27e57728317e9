"""A traced reshape shares memory exactly where NumPy's does."""

from __future__ import annotations

from itertools import permutations, product
from typing import Any

import numpy as np
import pytest

from eager.engine.tensor import Tensor
from jit.dims import Dim
from jit.strides import reshaped, row_major
from jit.tracer import trace_graph

SHAPES = ((2, 3, 4), (6, 4), (2, 12), (24,), (4, 3, 2), (2, 1, 3, 4, 1), (2, 3, 2, 2), (8, 3))


def layouts() -> list[np.ndarray[Any, Any]]:
    found = [np.zeros(s) for s in SHAPES]
    found += [np.zeros((2, 3, 4)).transpose(p) for p in permutations(range(3))]
    regions = product((slice(0, 2), slice(0, 4, 2)), (slice(0, 3), slice(0, 6, 2)),
                      (slice(4, 8), slice(0, 8, 2)))
    found += [np.zeros((4, 6, 8))[region] for region in regions]
    return [*found, np.zeros((5, 24))[3:4], np.zeros((4, 3, 8))[:, :, 1:2].transpose(2, 1, 0)]


@pytest.mark.parametrize("array", layouts(), ids=lambda a: f"{a.shape}-{a.strides}")
def test_as_numpy(array: np.ndarray[Any, Any]) -> None:
    strides = tuple(s // 8 for s in array.strides)
    for shape in SHAPES:
        if array.size != 24 and np.prod(shape) != array.size:
            continue
        view = array.reshape(shape)
        got = reshaped(array.shape, strides, shape)
        assert (got is not None) == np.shares_memory(view, array)
        if got is not None:
            assert all(d == 1 or s == t // 8 for d, s, t in zip(shape, got, view.strides,
                                                                strict=True))


def test_sizes_may_be_dynamic() -> None:
    n = Dim("n").size
    assert reshaped((n, 2, 3), row_major((n, 2, 3)), (n, 6)) == (6, 1)
    assert str(reshaped((n, 2, 3), row_major((n, 2, 3)), (n * 6,))) == "(1,)"
    assert reshaped((2, n), (1, 2), (n * 2,)) is None


def test_a_traced_tensor_knows_its_steps() -> None:
    def fn(x: Tensor) -> Any:
        y = x.permute(1, 0, 2)
        assert [x.stride(), y.stride(), y.is_contiguous(), x[1:].is_contiguous(),
                x[:, 1].stride(), y.contiguous().is_contiguous()] == [
                    (12, 4, 1), (4, 12, 1), False, True, (12, 1), True]
        return y, "seen"

    assert trace_graph(fn, (Tensor(np.zeros((2, 3, 4))),)).out_spec.children[1].value == "seen"
