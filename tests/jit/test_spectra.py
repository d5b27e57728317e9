"""Eigenvalues and singular values as kernels: order, orthogonality, and matrices that are hard."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import jit
from eager import linalg
from eager.autograd import grad
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(5)


def symmetric(*shape: int) -> Array:
    a = RNG.normal(size=shape)
    return a + a.swapaxes(-1, -2)


def turned(a: Array) -> Array:
    return a.swapaxes(-1, -2)


HARD = {
    "ordinary": symmetric(12, 12), "diagonal": np.diag([3.0, -1.0, 2.0]), "zero": np.zeros((3, 3)),
    "equal values": np.ones((5, 5)), "graded": np.diag([1e200, 1.0, 1e-200]),
    "batches": symmetric(2, 3, 4, 4), "none": np.zeros((0, 0)), "no batch": np.zeros((0, 2, 2)),
}


@pytest.fixture(scope="module")
def eigen() -> jit.Program:
    return jit.trace(lambda *xs: [linalg.eigh(x) for x in xs], [Tensor(a) for a in HARD.values()])


def test_eigenvalues(eigen: jit.Program) -> None:
    for (name, a), found in zip(HARD.items(), eigen(*map(Tensor, HARD.values())), strict=True):
        values, vectors = (t.numpy() for t in found)
        size = np.abs(a).max(initial=0.0)
        np.testing.assert_allclose(values, np.linalg.eigvalsh(a), rtol=1e-13, atol=1e-13 * size,
                                   err_msg=name)
        np.testing.assert_allclose(turned(vectors) @ vectors - np.eye(a.shape[-1]), 0, atol=1e-13)
        np.testing.assert_allclose(a @ vectors, vectors * values[..., None, :], atol=1e-13 * size)


def test_only_the_lower_half_is_read_and_nan_stays_nan(eigen: jit.Program) -> None:
    others = [Tensor(np.tril(a)) for a in HARD.values()]
    others[1] = Tensor(np.full((3, 3), np.nan))
    (values, _), (none, _), *_ = eigen(*others)
    np.testing.assert_allclose(values.numpy(), np.linalg.eigvalsh(HARD["ordinary"]), rtol=1e-12)
    assert np.isnan(none.numpy()).all()


RECTANGLES = {
    "tall": RNG.normal(size=(7, 4)), "wide": RNG.normal(size=(3, 6)), "zero": np.zeros((4, 2)),
    "of rank 2": RNG.normal(size=(6, 2)) @ RNG.normal(size=(2, 5)),
    "equal columns": np.ones((5, 3)), "graded": RNG.normal(size=(4, 4)) * [1e150, 1, 1e-9, 1e-150],
    "batches": RNG.normal(size=(2, 3, 3, 2)), "no rows": np.zeros((0, 3)),
}


@pytest.fixture(scope="module")
def singular() -> jit.Program:
    return jit.trace(lambda *xs: [linalg.svd(x, full_matrices=False) for x in xs],
                     [Tensor(a) for a in RECTANGLES.values()])


def test_singular_values(singular: jit.Program) -> None:
    whole = singular(*map(Tensor, RECTANGLES.values()))
    for (name, a), found in zip(RECTANGLES.items(), whole, strict=True):
        u, s, vh = (t.numpy() for t in found)
        size = np.abs(a).max(initial=0.0)
        np.testing.assert_allclose(s, np.linalg.svd(a, compute_uv=False), atol=1e-14 * size,
                                   rtol=1e-13, err_msg=name)
        for q in (u, turned(vh)):
            np.testing.assert_allclose(turned(q) @ q - np.eye(q.shape[-1]), 0, atol=1e-13,
                                       err_msg=name)
        np.testing.assert_allclose((u * s[..., None, :]) @ vh, a, atol=3e-14 * size)


def test_no_singular_values_of_nan(singular: jit.Program) -> None:
    with pytest.raises(OpError, match=r"^svd: a matrix holds NaN or an infinity.*test_spectra.py"):
        singular(*(Tensor(a * np.nan) for a in RECTANGLES.values()))


def test_gradients_in_float32() -> None:
    """Of what does not depend on the signs of vectors: the nuclear norm and a projection."""
    def slope(x: Tensor) -> Tensor:
        x = x.detach().requires_grad_()
        square = x.T @ x
        vectors = linalg.eigh(square)[1][:, -1:]
        return grad(linalg.svdvals(x).sum() + (vectors @ vectors.T)[0, 1], [x])[0]

    x = Tensor(RNG.normal(size=(5, 3)).astype(np.float32))
    np.testing.assert_allclose(jit.trace(slope, (x,))(x).numpy(), slope(x).numpy(), atol=2e-5)
