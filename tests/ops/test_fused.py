"""A fused op is its composite: values, gradients, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eager
from eager.autograd import grad
from eager.engine.dispatch import apply
from eager.engine.tensor import TAPED, Tensor
from eager.ops.errors import OpError
from eager.ops.fused import FUSED
from eager.ops.table import FUNCTIONS
from eager.ops.types import as_dtype

SHAPES = {"linear": [((3,), (5, 3), (5,)), ((2, 3), (5, 3)), ((4, 2, 3), (5, 3), (5,)),
                     ((0, 3), (5, 3), (5,))]}
REFUSED = {"linear": [((2, 4), (5, 3)), ((2, 3), (3,)), ((), (5, 3)), ((2, 3), (5, 3), (3,)),
                      ((2, 3), (1, 5, 3))]}
#: How far half floats may be apart: the composite rounds after every op.
NEAR = {"bfloat16": 4e-2, "float16": 4e-3, "float32": 1e-5}


def tensors(shapes: Any, dtype: str) -> list[Tensor]:
    rng = np.random.default_rng(0)
    turned = 1j if dtype.startswith("complex") else 0
    return [Tensor(np.asarray(rng.normal(size=s) + turned * rng.normal(size=s))).to(
        as_dtype(getattr(eager, dtype))).requires_grad_() for s in shapes]


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16", "complex128"])
@pytest.mark.parametrize(("name", "shapes"), [(n, s) for n in FUSED for s in SHAPES[n]])
def test_values_and_gradients(name: str, shapes: Any, dtype: str) -> None:
    found = []
    for run in (lambda *xs: apply(FUSED[name], xs),
                lambda *xs: FUNCTIONS[name].body(TAPED, *xs)):
        xs = tensors(shapes, dtype)
        out = run(*xs)
        first = grad(out, xs, eager.ones_like(out), create_graph=True)
        second = grad(first, xs, [eager.ones_like(g) for g in first], allow_unused=True)
        found.append([out, *first, *(g for g in second if g is not None)])
    ours, theirs = found
    assert len(ours) == len(theirs)
    wide = eager.complex128 if dtype.startswith("complex") else eager.float64
    for a, b in zip(ours, theirs, strict=True):
        assert a.dtype is b.dtype and a.shape == b.shape
        np.testing.assert_allclose(a.detach().to(wide).numpy(), b.detach().to(wide).numpy(),
                                   rtol=NEAR.get(dtype, 1e-12), atol=4 * NEAR.get(dtype, 1e-13))


@pytest.mark.parametrize(("name", "shapes"), [(n, s) for n in FUSED for s in REFUSED[n]])
def test_refusals(name: str, shapes: Any) -> None:
    with pytest.raises(OpError, match=f"{name}: "):
        apply(FUSED[name], tuple(tensors(shapes, "float32")))


def test_it_is_one_node_where_nobody_records() -> None:
    for name in FUSED:
        out = getattr(eager.nn.functional, name)(*tensors(SHAPES[name][0], "float32"))
        assert out.grad_fn is not None and out.grad_fn.op is FUSED[name]
