"""Transforms among themselves, with random numbers, and under a trace."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eager
import jit
from eager import func
from eager.autograd import Function, grad
from eager.engine.tensor import Tensor
from eager.func.trees import flatten, map_leaves
from eager.ops.errors import OpError

X = np.random.default_rng(0).normal(size=(4, 3))


def test_each_member_draws_its_own_numbers_or_all_the_same() -> None:
    x = Tensor(X)
    for randomness, alike in (("different", False), ("same", True)):
        eager.manual_seed(1)
        got = func.vmap(lambda a: a * 0.0 + eager.rand(3, dtype=eager.float64),
                        randomness=randomness)(x).numpy()
        assert np.array_equal(got[0], got[1]) is alike
        assert len(np.unique(got)) == (3 if alike else 12)
    eager.manual_seed(1)
    once = eager.rand(4, 3, dtype=eager.float64).numpy()
    eager.manual_seed(1)
    mapped = func.vmap(lambda a: eager.rand(3, dtype=eager.float64) + 0.0 * a,
                       randomness="different")(x).numpy()
    np.testing.assert_array_equal(once, mapped)
    assert eager.rand(1).numpy() == _after(once.shape)


def _after(shape: tuple[int, ...]) -> Any:
    eager.manual_seed(1)
    eager.rand(*shape, dtype=eager.float64)
    return eager.rand(1).numpy()


def test_dropout_is_mapped() -> None:
    got = func.vmap(lambda a: eager.nn.functional.dropout(a, 0.5), randomness="different")(
        eager.ones(64, 8)).numpy()
    assert set(np.unique(got)) == {0.0, 2.0} and len({r.tobytes() for r in got}) > 32


@pytest.mark.parametrize(("call", "words"), [
    (lambda x: func.vmap(lambda a: a, in_dims=(0, 0))(x), "2 entries for 1 arguments"),
    (lambda x: func.vmap(lambda a: a, in_dims=2)(x), "gives 2 for an argument"),
    (lambda x: func.vmap(lambda a: a, in_dims=None)(x), "no argument is mapped"),
    (lambda x: func.vmap(lambda a: a, out_dims=None)(x), "differs between members"),
    (lambda x: func.vmap(lambda a: a, out_dims=5)(x), "out_dims gives 5"),
    (lambda x: func.vmap(lambda a: a, randomness="some")(x), "randomness is one of"),
    (lambda x: func.vmap(lambda a: a, chunk_size=0)(x), "chunk_size is positive"),
    (lambda x: func.vmap(lambda a: a.tolist())(x), r"tolist\(\) of a mapped tensor"),
    (lambda x: func.vmap(lambda a: a[a > 0])(x), "mask"),
    (lambda x: func.vmap(lambda a: np.asarray(a.numpy()))(x), "use eager's functions instead"),
    (lambda x: func.grad(lambda a: a.sum(), argnums=1)(x), "argument 1 of 1"),
    (lambda x: func.grad(lambda a: a.sum())(3.0), "leaves are tensors"),
    (lambda x: func.grad(lambda a: a.sum(), has_aux=True)(x), r"returns \(output, aux\)"),
    (lambda x: func.grad(lambda a: a.sum())(x.long()), "only floating"),
    (lambda x: func.vjp(lambda a: a, x)[1](x[0]), "came"),
    (lambda x: func.jvp(lambda a: a, (x,), (x, x)), "another structure"),
    (lambda x: func.jvp(lambda a: x, (x,), (x,), strict=True), "does not depend"),
    (lambda x: func.jacrev(lambda a: a > 0)(x), "only floating ones"),
    (lambda x: func.stack_module_state([]), "no models")])
def test_refusals(call: Any, words: str) -> None:
    with pytest.raises(OpError, match=words):
        call(Tensor(X.copy()))


def test_a_tensor_that_leaves_a_map_is_of_no_use() -> None:
    kept: list[Any] = []
    func.vmap(lambda a: kept.append(a) or a)(Tensor(X))
    with pytest.raises(OpError, match="lives only while"):
        kept[0] + 1.0
    assert "one of 4" in repr(kept[0])


def test_no_history_comes_from_nowhere() -> None:
    x, w = Tensor(X[0].copy()), Tensor(X[1].copy(), requires_grad=True)
    assert not func.grad(lambda a: (a * a).sum())(x).requires_grad
    value = func.value_and_grad(lambda a: (a * w).sum())(x)[0]
    assert value.requires_grad
    with eager.no_grad():
        g = func.grad(lambda a: (a * a * w).sum())(x)
    assert not g.requires_grad
    np.testing.assert_allclose(g.numpy(), 2 * X[0] * X[1])


def test_transforms_are_traced() -> None:
    def run(x: Any, w: Any) -> Any:
        return (func.vmap(func.grad(lambda a: (a * w).sin().sum()))(x),
                func.hessian(lambda a: (a ** 3).sum())(w), func.jacfwd(lambda a: a * a)(w),
                func.vmap(lambda a: a.softmax(0), in_dims=1, out_dims=1)(x))

    x, w = Tensor(X.astype(np.float32)), Tensor(X[0].astype(np.float32))
    for a, b in zip(jit.trace(run, (x, w))(x, w), run(x, w), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-4, atol=1e-5)


def test_a_map_of_any_batch_is_traced() -> None:
    n = jit.Dim("n", min=1, max=64)
    program = jit.trace(lambda x: func.vmap(lambda a: a.softmax(0) * 2.0)(x),
                        (Tensor(X.astype(np.float32)),), dynamic_shapes={"x": {0: n}})
    for rows in (2, 7):
        x = np.random.default_rng(rows).normal(size=(rows, 3)).astype(np.float32)
        e = np.exp(x - x.max(1, keepdims=True))
        np.testing.assert_allclose(program(Tensor(x)).numpy(), 2 * e / e.sum(1, keepdims=True),
                                   rtol=1e-5)


def test_a_function_is_traced_and_mapped() -> None:
    class Cube(Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x * x * x

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * 3.0 * ctx.saved_tensors[0] ** 2

    def run(x: Any) -> Any:
        own = x.clone().requires_grad_()
        return grad(Cube.apply(own).sum(), own)[0]

    x = Tensor(X.astype(np.float32))
    np.testing.assert_allclose(jit.trace(run, (x,))(x).numpy(), 3 * x.numpy() ** 2, rtol=1e-5)
    mapped = func.vmap(func.grad(lambda a: Cube.apply(a).sum()))(Tensor(X))
    np.testing.assert_allclose(mapped.numpy(), 3 * X ** 2)


def test_numpy_s_functions_are_mapped_and_traced() -> None:
    x = Tensor(X.astype(np.float32))
    mapped = func.vmap(lambda a: np.sin(a) * np.sum(a))(x)
    np.testing.assert_allclose(mapped.numpy(), np.sin(X) * X.sum(1, keepdims=True), rtol=1e-5)

    def run(x: Any) -> Any:
        return np.sin(x) + np.mean(x, axis=0) + np.where(x > 0, x, 0.0)

    np.testing.assert_allclose(jit.trace(run, (x,))(x).numpy(), run(X.astype(np.float32)),
                               rtol=1e-5, atol=1e-6)


def test_trees() -> None:
    nest = {"a": [1, (2, None)], "b": 3}
    leaves, tree = flatten(nest)
    assert leaves == [1, 2, None, 3] and tree.build(leaves) == nest
    assert str(tree) == "dict(list(*, tuple(*, *)), *)" and tree.count == 4
    assert map_leaves(lambda v: v and v * 2, nest) == {"a": [2, (4, None)], "b": 6}
