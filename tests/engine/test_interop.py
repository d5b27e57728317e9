"""Tensors in NumPy's functions, and memory shared with others."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import eager
from eager.engine.numpy_functions import ROWS
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError

X = np.random.default_rng(1).uniform(0.2, 0.9, (3, 4))
Y = np.random.default_rng(2).uniform(0.2, 0.9, (4,))
SQUARE = X[:, :3] + 2 * np.eye(3)
AT = np.array([2, 0, 1])

#: Calls of NumPy's that must give a tensor of NumPy's own values.
CALLS: dict[str, Callable[[Any], Any]] = {
    "sin": np.sin, "exp": np.exp, "negative": np.negative, "absolute": np.absolute,
    "power": lambda x: np.power(x, 2.0), "arctan": np.arctan, "rint": np.rint,
    "mixed": lambda x: np.add(X, x), "number": lambda x: np.multiply(2.0, x),
    "operator": lambda x: X * x - np.float64(2) / x, "divmod": lambda x: np.divmod(x, 0.3)[1],
    "compare": lambda x: np.less(x, X + 0.1), "maximum": lambda x: np.maximum(x, Y),
    "matmul": lambda x: np.matmul(x, Y), "logical": lambda x: np.logical_and(x > 0.4, x < 0.8),
    "dtype": lambda x: np.add(x, x, dtype=np.float32),
    "add.reduce": np.add.reduce, "all dims": lambda x: np.add.reduce(x, axis=None),
    "maximum.reduce": lambda x: np.maximum.reduce(x, axis=1, keepdims=True),
    "multiply.reduce": lambda x: np.multiply.reduce(x, axis=(0, 1)),
    "add.accumulate": lambda x: np.add.accumulate(x, axis=1),
    "outer": lambda x: np.multiply.outer(x, Y),
    "sum": np.sum, "sum of rows": lambda x: np.sum(x, axis=1, keepdims=True),
    "sum in f32": lambda x: np.sum(x, dtype=np.float32), "prod": lambda x: np.prod(x, axis=(0, 1)),
    "mean": lambda x: np.mean(x, axis=0), "max": lambda x: np.max(x, axis=1), "min": np.min,
    "amax": lambda x: np.amax(x, axis=0), "amin": np.amin, "any": lambda x: np.any(x > 0.8, axis=0),
    "all": lambda x: np.all(x > 0.1), "std": np.std, "var": lambda x: np.var(x, axis=1, ddof=1),
    "argmax": np.argmax, "argmin": lambda x: np.argmin(x, axis=1), "cumsum": np.cumsum,
    "cumprod": lambda x: np.cumprod(x, axis=0),
    "concatenate": lambda x: np.concatenate([x, X], axis=1),
    "concatenate flat": lambda x: np.concatenate([x, X], axis=None),
    "stack": lambda x: np.stack([x, X], axis=1), "transpose": np.transpose,
    "transpose axes": lambda x: np.transpose(x, (1, 0)), "reshape": lambda x: np.reshape(x, (2, 6)),
    "ravel": np.ravel, "squeeze": lambda x: np.squeeze(x[:1]),
    "expand_dims": lambda x: np.expand_dims(x, (0, 2)), "swapaxes": lambda x: np.swapaxes(x, 0, 1),
    "moveaxis": lambda x: np.moveaxis(x, 0, 1), "flip": np.flip, "fliplr": np.fliplr,
    "flipud": np.flipud, "split": lambda x: np.split(x, 2, axis=1)[1],
    "split at": lambda x: np.split(x, [1, 3], axis=1)[1],
    "broadcast_to": lambda x: np.broadcast_to(x, (2, 3, 4)), "roll": lambda x: np.roll(x, 1),
    "roll rows": lambda x: np.roll(x, 2, axis=0), "where": lambda x: np.where(x > 0.5, x, 0.0),
    "nonzero": lambda x: np.nonzero(x > 0.5)[0], "where alone": lambda x: np.where(x > 0.5)[1],
    "clip": lambda x: np.clip(x, 0.3, 0.6), "dot": lambda x: np.dot(x, Y),
    "take": lambda x: np.take(x, AT, axis=1), "take flat": lambda x: np.take(x, AT),
    "sort": lambda x: np.sort(x, axis=0), "argsort": np.argsort,
    "round": lambda x: np.round(x, 1), "copy": np.copy, "zeros_like": np.zeros_like,
    "ones_like": lambda x: np.ones_like(x, dtype=np.int64),
    "full_like": lambda x: np.full_like(x, 2.5), "vstack": lambda x: np.vstack([x, x]),
    "hstack": lambda x: np.hstack([x, x]), "tril": np.tril, "triu": lambda x: np.triu(x, 1),
    "diag": lambda x: np.diag(x[0]), "repeat": lambda x: np.repeat(x, 2, axis=1),
    "atleast_1d": lambda x: np.atleast_1d(x.sum()), "norm": np.linalg.norm,
}


@pytest.mark.parametrize("name", CALLS)
def test_numpy_of_a_tensor_is_ours(name: str) -> None:
    want, got = CALLS[name](X.copy()), CALLS[name](Tensor(X.copy()))
    assert isinstance(got, Tensor) and tuple(got.shape) == np.shape(want)
    np.testing.assert_allclose(got.numpy(), want, rtol=1e-6 if name.endswith("f32") else 1e-12)


@pytest.mark.parametrize("name", CALLS)
def test_gradients_flow_through_numpy(name: str) -> None:
    x = Tensor(X.copy(), requires_grad=True)
    out = CALLS[name](x)
    if not out.requires_grad:
        assert out.dtype.kind != "f" or name.endswith("_like")
        return
    out.sum().backward()
    assert x.grad is not None and x.grad.shape == x.shape


def test_questions_have_plain_answers() -> None:
    x = Tensor(X.copy())
    assert np.shape(x) == (3, 4) and np.ndim(x) == 2 and np.size(x) == 12 and np.size(x, 1) == 4
    assert np.allclose(x, X) and np.array_equal(x, X) and np.isclose(x, X).all()
    assert not np.iscomplexobj(x)
    buffer = io.BytesIO()
    np.save(buffer, x)
    buffer.seek(0)
    assert np.array_equal(np.load(buffer), X)


def test_arrays_are_written_by_numpy() -> None:
    a, x = X.copy(), Tensor(X.copy())
    a += x
    assert type(a) is np.ndarray and np.array_equal(a, X + X)
    np.copyto(a, x)
    assert np.array_equal(a, X)


@pytest.mark.parametrize("call", [
    lambda x: np.sin(x, out=x), lambda x: np.add(X, x, out=Tensor(X.copy()))])
def test_a_tensor_is_no_out(call: Any) -> None:
    with pytest.raises(OpError, match="out= is a tensor"):
        call(Tensor(X.copy()))


@pytest.mark.parametrize("call", [
    np.spacing, lambda x: np.add.at(x, 0, 1.0), lambda x: np.subtract.reduce(x),
    lambda x: np.add.reduce(x, initial=1.0), lambda x: np.sin(x, where=X > 0.5),
    lambda x: np.apply_along_axis(len, 0, x), lambda x: np.mean(x, out=np.zeros(())),
    lambda x: np.reshape(x, (12,), order="F"), lambda x: np.maximum.accumulate(x),
    lambda x: np.linalg.cond(x)])
def test_what_is_not_there_is_refused_in_words(call: Any) -> None:
    with pytest.raises(TypeError, match=r"np\.|tensors"):
        call(Tensor(X.copy()))


def test_every_row_of_ours_exists() -> None:
    """A row that names a function of ours that is gone would fail only when it is called."""
    x = Tensor(SQUARE.copy())
    missing = []
    for name in ("tile", "trace", "tensordot", "inner", "kron", "einsum", "rot90", "sinc",
                 "nan_to_num", "dstack", "outer", "real"):
        assert name in ROWS
        if not hasattr(eager, name):
            missing.append(name)
    for name in (n for n in ROWS if n.startswith("linalg.")):
        if not hasattr(eager.linalg, name[7:]):
            missing.append(name)
    assert not missing
    np.testing.assert_allclose(np.trace(x).numpy(), np.trace(SQUARE))
    np.testing.assert_allclose(np.linalg.inv(x).numpy(), np.linalg.inv(SQUARE))


# --- memory ------------------------------------------------------------------------------------
def test_dlpack_shares_memory_both_ways() -> None:
    x = Tensor(X.copy())
    a = np.from_dlpack(x)
    x.add_(1.0)
    assert np.array_equal(a, X + 1.0) and x.__dlpack_device__() == (1, 0)
    b = X.copy()
    y = eager.from_dlpack(b)
    b[0, 0] = 7.0
    assert y[0, 0].item() == 7.0
    assert not np.shares_memory(np.from_dlpack(x, copy=True), x.numpy())


def test_dlpack_refuses() -> None:
    with pytest.raises(OpError, match="requires grad"):
        Tensor(X.copy(), requires_grad=True).__dlpack__()
    with pytest.raises(OpError, match="__dlpack__"):
        eager.from_dlpack([1.0])
    with pytest.raises(OpError, match="bfloat16"):
        Tensor(X.copy()).bfloat16().__dlpack__()


def test_torch_shares_memory() -> None:
    torch = pytest.importorskip("torch")
    x = Tensor(X.copy())
    theirs = torch.from_dlpack(x)
    theirs.mul_(2.0)
    np.testing.assert_array_equal(x.numpy(), X * 2.0)
    z = torch.arange(4.0)
    ours = eager.from_dlpack(z)
    ours.add_(1.0)
    assert z.tolist() == [1.0, 2.0, 3.0, 4.0]


def test_numpy_shares_memory() -> None:
    a = X.copy()
    t = eager.from_numpy(a)
    a[0, 0] = 3.0
    assert t[0, 0].item() == 3.0 and np.shares_memory(t.numpy(), a)
    assert np.shares_memory(np.asarray(t), a) and not np.shares_memory(np.array(t), a)
    assert memoryview(t.__buffer__(0)).shape == (3, 4)


def test_copies() -> None:
    x = Tensor(X.copy(), requires_grad=True)
    shallow, deep, pickled = copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x))
    with eager.no_grad():
        x.mul_(2.0)
    assert np.array_equal(shallow.detach().numpy(), X * 2.0)
    for t in (deep, pickled):
        assert np.array_equal(t.detach().numpy(), X) and t.requires_grad and t.is_leaf
    assert copy.copy(x * 1.0).is_leaf and shallow._version == x._version
