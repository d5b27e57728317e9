"""Broadcasting and promotion of random operands: NumPy's shapes, torch's dtypes, and gradients that
are summed back to the operand's own shape."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eager
from eager.ops.errors import OpError
from eager.ops.types import DTYPES, promote, weak_promote

SHAPES = st.lists(st.integers(0, 3), max_size=4).map(tuple)
KINDS = st.sampled_from(list(DTYPES.values()))


def _shapes_that_broadcast(draw: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    whole = draw(st.lists(st.integers(1, 3), max_size=4))
    pair = []
    for _ in range(2):
        shape = [1 if draw(st.booleans()) else d for d in whole]
        pair.append(tuple(shape[draw(st.integers(0, len(shape))):]))
    return pair[0], pair[1]


BROADCASTING = st.composite(_shapes_that_broadcast)()


@settings(deadline=None, max_examples=60)
@given(SHAPES, SHAPES)
def test_shapes_are_numpys(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    x, y = np.ones(a, np.float32), np.ones(b, np.float32)
    try:
        want = (x + y).shape
    except ValueError:
        with pytest.raises(OpError, match="broadcast"):
            eager.tensor(x) + eager.tensor(y)
        return
    assert tuple((eager.tensor(x) + eager.tensor(y)).shape) == want


@settings(deadline=None, max_examples=60)
@given(BROADCASTING, st.integers(0, 2**31))
def test_gradients_have_the_shape_of_their_operand(
        shapes: tuple[tuple[int, ...], tuple[int, ...]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = (eager.tensor(rng.normal(size=s)).requires_grad_() for s in shapes)
    weight = rng.normal(size=np.broadcast_shapes(*shapes))
    (x * y * eager.tensor(weight)).sum().backward()
    for own, other in ((x, y), (y, x)):
        whole = weight * np.broadcast_to(other.detach().numpy(), weight.shape)
        extra = weight.ndim - own.ndim
        axes = (*range(extra), *(k + extra for k, d in enumerate(own.shape) if d == 1))
        want = whole.sum(axes, keepdims=True).reshape(tuple(own.shape))
        np.testing.assert_allclose(own.grad.numpy(), want, rtol=1e-10, atol=1e-12)


@settings(deadline=None, max_examples=100)
@given(KINDS, KINDS, KINDS)
def test_promotion_is_a_join(a: Any, b: Any, c: Any) -> None:
    assert promote(a, a) is a and promote(a, b) is promote(b, a)
    assert promote(promote(a, b), b) is promote(a, b)
    if not {"f16", "bf16"} <= {a.name, b.name, c.name}:  # torch's table is no lattice there
        assert promote(promote(a, b), c) is promote(a, promote(b, c))


@settings(deadline=None, max_examples=100)
@given(KINDS, KINDS)
def test_a_weak_operand_changes_the_dtype_by_its_kind_alone(strong: Any, weak: Any) -> None:
    joined = weak_promote([strong], [weak], [])
    assert joined is strong or "bifc".index(joined.kind) > "bifc".index(strong.kind)
