"""Tensors as users meet them: operators, promotion, indexing, writes, views, words."""

from __future__ import annotations

import copy
import pickle
import warnings
from typing import Any

import numpy as np
import pytest

from eager.autograd import grad
from eager.engine import creation as c
from eager.engine.inplace import EPOCH
from eager.engine.mode import enable_grad, no_grad
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError
from eager.ops.types import BOOL, F32, F64, I64


def t(values: Any, dtype: Any = None, grad: bool = False) -> Tensor:
    return c.tensor(values, dtype=dtype, requires_grad=grad)


# --- promotion ---------------------------------------------------------------------------------
@pytest.mark.parametrize(("left", "right", "want"), [
    (t([1.0]), t([1]), F32), (t([1]), t([1.0], F64), F64), (t([1]), 2, I64), (t([1]), 2.0, F32),
    (t([True]), 2, I64), (t([1.0]), t(1.0, F64), F32), (t([1]), t(1.0, F64), F64),
    (2.0, t([1.0], F64), F64), (t([True]), t([1.0]), F32), (t(1.0), 2.5, F32),
    (t([1.0]), np.array([1.0]), F64), (t([1.0]), True, F32)])
def test_promotion_of_add(left: Any, right: Any, want: Any) -> None:
    assert (left + right).dtype is want


def test_division_of_integers_is_float32() -> None:
    assert (t([1]) / t([2])).dtype is F32
    assert (t([1]) / 2).tolist() == [0.5]


def test_sums_of_bools_and_integers_are_int64() -> None:
    assert t([True, True]).sum().dtype is I64 and t([True, True]).sum().item() == 2
    assert t([1, 2], "int32").prod().dtype is I64


def test_where_takes_numbers() -> None:
    x = t([1.0, -2.0], grad=True)
    out = c.apply(c.TABLE["where"], (x > 0, x, 0.0))
    assert out.dtype is F32 and out.tolist() == [1.0, 0.0]
    out.sum().backward()
    assert x.grad is not None and x.grad.tolist() == [1.0, 0.0]


def test_no_numpy_warning_escapes() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        x = t([0.0], grad=True)
        (x.log() / x).sum().backward()
        assert (t([1.0]) / 0.0).item() == float("inf")


# --- gradients ---------------------------------------------------------------------------------
def test_gradients_accumulate_and_leave_shared_arrays_alone() -> None:
    x, y = t([1.0, 2.0], grad=True), t([3.0, 4.0], grad=True)
    for _ in range(2):
        (x + y).sum().backward()
    assert x.grad is not None and y.grad is not None
    assert x.grad.tolist() == y.grad.tolist() == [2.0, 2.0]
    x.grad.zero_()
    assert y.grad.tolist() == [2.0, 2.0]


def test_broadcast_operands_get_gradients_of_their_shape() -> None:
    x, y = c.ones(2, 3, requires_grad=True), c.ones(3, requires_grad=True)
    (x * y).sum().backward()
    assert x.grad is not None and y.grad is not None
    assert x.grad.shape == (2, 3) and y.grad.tolist() == [2.0, 2.0, 2.0]


def test_gradient_of_a_gradient() -> None:
    x = t([2.0], F64, grad=True)
    (first,) = grad((x ** 3).sum(), x, create_graph=True)
    assert first is not None
    (second,) = grad(first.sum(), x)
    assert second is not None and second.item() == pytest.approx(12.0)


def test_grad_words_its_errors() -> None:
    x, y = t([1.0], grad=True), t([1.0], grad=True)
    with pytest.raises(OpError, match="do not depend on input 0"):
        grad((x * 2).sum(), y)
    assert grad((x * 2).sum(), y, allow_unused=True) == (None,)
    with pytest.raises(OpError, match="requires no gradient"):
        t([1.0]).sum().backward()
    with pytest.raises(OpError, match="needs a gradient of the same shape"):
        (c.ones(3, requires_grad=True) * 2).backward()
    with pytest.raises(OpError, match="only floating and complex tensors"):
        t([1]).requires_grad_()


def test_no_grad_and_enable_grad() -> None:
    x = t([1.0], grad=True)
    with no_grad():
        assert not (x * 2).requires_grad
        with enable_grad():
            assert (x * 2).requires_grad
    assert not (x * 2).detach().requires_grad


# --- writes and views --------------------------------------------------------------------------
def test_a_write_after_saving_is_an_error() -> None:
    x = t([1.0, 2.0], grad=True)
    a = x * 1.0
    b = a * a
    a.add_(1.0)
    with pytest.raises(OpError, match=r"operand 0 of mul.*version 0.*modified in place"):
        b.sum().backward()
    e = x.exp()
    e.mul_(2.0)
    with pytest.raises(OpError, match="the result of exp"):
        e.sum().backward()


def test_writing_a_leaf_that_requires_grad_is_an_error() -> None:
    x = t([1.0], grad=True)
    with pytest.raises(OpError, match="leaf that requires grad"):
        x.add_(1.0)
    with no_grad():
        x.add_(1.0)
    assert x.tolist() == [2.0] and x.requires_grad


def test_views_share_memory_and_history() -> None:
    base = t([[1.0, 2.0], [3.0, 4.0]])
    row = base[0]
    row.mul_(10.0)
    assert base.tolist() == [[10.0, 20.0], [3.0, 4.0]]
    w = t([5.0, 6.0], grad=True)
    base[1] = w * 2
    assert base.requires_grad
    (base * base).sum().backward()
    assert w.grad is not None and w.grad.tolist() == [40.0, 48.0]


def test_a_view_sees_the_history_of_a_write_to_its_base() -> None:
    x, w = t([1.0, 2.0], grad=True), t(3.0, grad=True)
    base = x * 1.0
    view = base[0:1]
    base.mul_(w)
    (view * 1.0).sum().backward()
    assert w.grad is not None and x.grad is not None
    assert w.grad.item() == 1.0 and x.grad.tolist() == [3.0, 0.0]


def test_a_write_to_a_copy_made_by_reshape_stays_there() -> None:
    base = c.arange(6).reshape(2, 3).float()
    flat = base.T.reshape(-1)
    flat.add_(100.0)
    assert base.tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]


def test_in_place_must_fit() -> None:
    with pytest.raises(OpError, match="does not fit in place"):
        c.ones(2).add_(c.ones(3, 2))
    with pytest.raises(OpError, match="cannot be stored in place"):
        t([1, 2]).mul_(1.5)


def test_in_place_methods_with_keywords() -> None:
    x = t([1.0, 2.0])
    assert x.add_(t([1.0, 1.0]), alpha=2).tolist() == [3.0, 4.0]
    assert x.clamp_(max=3.5).tolist() == [3.0, 3.5]
    assert x.addcmul_(t([1.0, 1.0]), t([2.0, 2.0]), value=0.5).tolist() == [4.0, 4.5]
    assert x.lerp_(t([0.0, 0.0]), 0.5).tolist() == [2.0, 2.25]
    assert x.masked_fill_(x > 2.1, -1.0).tolist() == [2.0, -1.0]


def test_every_write_counts_in_the_epoch() -> None:
    x, before = t([1.0]), EPOCH[0]
    x.add_(1.0)
    x[0] = 5.0
    x.copy_(t([2.0]))
    assert EPOCH[0] == before + 3


# --- indexing against NumPy --------------------------------------------------------------------
A = np.arange(60).reshape(3, 4, 5).astype(np.float32)
INDICES: list[Any] = [
    0, -1, slice(None), slice(1, 3), slice(None, None, 2), slice(-2, None), slice(5, 9),
    slice(2, 1), None, Ellipsis, (0, 1), (slice(None), 2), (Ellipsis, -1),
    (None, 0, Ellipsis, None),
    (1, slice(None), slice(0, 5, 3)), np.array([0, 2, 2]), np.array([-1, 0]),
    (slice(None), np.array([3, 1])), (Ellipsis, np.array([0, 4])), [2, 0],
    np.array([[0, 1], [2, 2]]), (np.array([0, 2]), np.array([1, 3])),
    (slice(None), np.array([0, 2]), np.array([1, 3])), (np.array([0, 2]), slice(None),
    np.array([1, 3])),
    (np.array([[0], [1]]), np.array([1, 3])), (0, np.array([1, 2]), slice(1, 3)),
    A[:, 0, 0] > 10, A > 30, (slice(None), A[0, :, 0] > 4), np.int64(1), np.zeros(0, np.int64)]


def _as_tensors(index: Any) -> Any:
    if isinstance(index, tuple):
        return tuple(map(_as_tensors, index))
    return Tensor(index) if isinstance(index, np.ndarray) else index


@pytest.mark.parametrize("index", INDICES, ids=lambda i: str(i)[:40].replace("\n", ""))
@pytest.mark.parametrize("wrap", [_as_tensors, lambda i: i], ids=["tensors", "arrays"])
def test_indexing_reads_and_writes_as_numpy(index: Any, wrap: Any) -> None:
    x = Tensor(A.copy(), requires_grad=True)
    want = A[index]
    got = x[wrap(index)]
    np.testing.assert_array_equal(got.detach().numpy(), want)
    assert tuple(got.shape) == want.shape
    got.sum().backward()
    counts = np.zeros_like(A)
    np.add.at(counts, index, 1)
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.numpy(), counts)

    y, expected = Tensor(A.copy()), A.copy()
    y[wrap(index)] = -1.0
    expected[index] = -1
    np.testing.assert_array_equal(y.numpy(), expected)

    unique = bool(counts.max() <= 1)
    values = np.random.default_rng(0).normal(size=want.shape).astype(np.float32)
    z, w, expected = Tensor(A.copy()), Tensor(values, requires_grad=True), A.copy()
    z[wrap(index)] = w
    expected[index] = values
    if unique:
        np.testing.assert_array_equal(z.detach().numpy(), expected)
        if z.requires_grad:
            (z * z).sum().backward()
            assert w.grad is not None
            np.testing.assert_allclose(w.grad.numpy(), 2 * values, rtol=1e-6)


def test_slices_are_views() -> None:
    x = Tensor(A.copy())
    x[1:, :, ::2][0, 0].zero_()
    assert x.numpy()[1, 0, ::2].tolist() == [0, 0, 0]


@pytest.mark.parametrize(("index", "words"), [
    (3, "out of range of dim 0"), ((0, -5), "out of range of dim 1"), (slice(None, None, -1),
    "flip"),
    ((0, 0, 0, 0), "4 indices"), ((..., ...), "at most one"), ("a", "an index is an int"),
    (1.5, "an index is an int"), (np.array([3]), "out of range"), (np.array([-4]), "out of range"),
    ((np.array([0]), np.array([4])), "out of range"), (np.array([1.5]), "integers or bools"),
    (np.array([True]), "a mask of size")])
def test_bad_indices_are_worded(index: Any, words: str) -> None:
    x = Tensor(A.copy())
    with pytest.raises(OpError, match=words):
        x[index]
    with pytest.raises(OpError, match=words):
        x[index] = 0.0


# --- the rest of a tensor ----------------------------------------------------------------------
def test_python_protocols() -> None:
    x = t([[1.0, 2.0]])
    assert len(x) == 1 and [r.tolist() for r in x] == [[1.0, 2.0]] and float(t([2.5])) == 2.5
    assert int(t(3)) == 3 and [0, 1, 2][t(1)] == 1 and bool(t([True])) and 2.0 in x
    with pytest.raises(OpError, match="ambiguous"):
        bool(x)
    with pytest.raises(OpError, match="one element"):
        x.item()
    assert (~t([True, False])).tolist() == [False, True] and (~t([0])).tolist() == [-1]
    assert (1 - t([1.0])).tolist() == [0.0] and (2 ** t([3.0])).tolist() == [8.0]
    with pytest.raises(TypeError):
        x + "a"


def test_repr() -> None:
    assert repr(t([1.0, 2.5])) == "tensor([1. , 2.5])"
    assert "requires_grad=True" in repr(t([1.0], grad=True))
    assert "grad_fn=<MulBackward>" in repr(t([1.0], grad=True) * 2)
    assert repr(t([1.0], F64)) == "tensor([1.], dtype=eager.float64)"


def test_copies() -> None:
    x = t([1.0, 2.0], grad=True)
    for y in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert y.tolist() == x.tolist() and y.requires_grad and y is not x
    with pytest.raises(OpError, match="only leaves"):
        copy.deepcopy(x * 2)


def test_conversions() -> None:
    x = t([1.7, -1.7])
    assert x.long().tolist() == [1, -1] and x.bool().dtype is BOOL
    assert x.to(F64).dtype is F64 and x.to(t([1])).dtype is I64 and x.to("cpu") is x
    with pytest.raises(OpError, match="not available"):
        x.to(device="cuda")


def test_creation() -> None:
    assert c.arange(2, 8, 3).tolist() == [2, 5] and c.arange(1.0, 2.0, 0.5).tolist() == [1.0, 1.5]
    assert c.arange(5, 0, -2).tolist() == [5, 3, 1] and c.arange(3, 3).shape == (0,)
    assert c.eye(2).tolist() == [[1.0, 0.0], [0.0, 1.0]] and c.full((2,), 7).dtype is I64
    assert c.zeros(2, 3).shape == c.zeros((2, 3)).shape == (2, 3)
    assert c.linspace(0, 1, 3).tolist() == [0.0, 0.5, 1.0]
    with pytest.raises(OpError, match="not negative"):
        c.zeros(-1)
    with pytest.raises(OpError, match="equal lengths"):
        c.tensor([[1], [1, 2]])
    assert t(np.float64(1.5)).dtype is F64 and c.tensor([]).dtype is F32
