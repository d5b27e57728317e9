"""Names whose result is no tensor of values alone: creation, conversion, description, draws.

Each row is a function of the library ``L``, torch or eager.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def _into(t: Any, change: Callable[[Any], Any]) -> tuple[Any, Any]:
    """What an in-place method returns, and its tensor."""
    result = change(t)
    return result, t


def needs(L: Any, *values: float) -> Any:
    return L.tensor(list(values), requires_grad=True)


def _slope(L: Any) -> Any:
    x = needs(L, 1.0, 2.0)
    (x * x).sum().backward()
    return x.grad


X = [[1.5, -2.0, 3.0], [0.5, 4.0, -1.0]]
ROWS: dict[str, Callable[[Any], Any]] = {
    # creation
    "tensor": lambda L: [L.tensor(v) for v in (1, 2.5, True, [1, 2], [[1.0], [2.0]], [True], [])]
    + [L.tensor([1, 2], dtype=L.float64), L.tensor([1.7], dtype=L.int32)],
    "as_tensor": lambda L: [L.as_tensor([1, 2]), L.as_tensor(np.arange(3.0)),
                            L.as_tensor([1], dtype=L.float16)],
    "from_numpy": lambda L: [L.from_numpy(np.arange(4, dtype=t)) for t in (
        "i4", "f8", "u1", "i2", "f2", "c8")],
    "zeros": lambda L: [L.zeros(2, 3), L.zeros((2,)), L.zeros([2, 0]), L.zeros(2, dtype=L.int64),
                        L.zeros(1, requires_grad=True), L.zeros(2, device="cpu")],
    "ones": lambda L: [L.ones(2, 3), L.ones((1, 2), dtype=L.bool), L.ones(())],
    "full": lambda L: [L.full((2,), 3), L.full((2,), 3.5), L.full((1,), True),
                       L.full((2, 2), 1, dtype=L.float64)],
    "empty": lambda L: [L.empty(2, 3).shape == (2, 3), L.empty((2,), dtype=L.int32).dtype],
    "zeros_like": lambda L: [L.zeros_like(L.tensor(X)), L.zeros_like(L.tensor([1]),
                                                                   dtype=L.float32)],
    "empty_like": lambda L: [tuple(L.empty_like(L.tensor(X)).shape), L.empty_like(
        L.tensor([1])).dtype],
    "arange": lambda L: [L.arange(5), L.arange(1, 4), L.arange(1, 10, 3), L.arange(0, 1, 0.25),
                         L.arange(5.0), L.arange(3, dtype=L.float64), L.arange(5, 0, -2)],
    "linspace": lambda L: [L.linspace(0, 1, 5), L.linspace(2, -2, 3), L.linspace(0, 4, 1),
                           L.linspace(0, 10, 6, dtype=L.float64)],
    "logspace": lambda L: [L.logspace(0, 2, 3), L.logspace(0, 3, 4, base=2)],
    "eye": lambda L: [L.eye(3), L.eye(2, 3), L.eye(2, dtype=L.int64)],
    "new_zeros": lambda L: [L.tensor([1]).new_zeros(2), L.tensor(X).new_zeros((1, 2))],
    "new_ones": lambda L: [L.tensor([1]).new_ones(2, dtype=L.float32), L.tensor(X).new_ones(2, 1)],
    "new_full": lambda L: [L.tensor([1]).new_full((2,), 7), L.tensor(X).new_full((1, 2), 0.5)],
    "new_empty": lambda L: [tuple(L.tensor([1]).new_empty((2, 1)).shape),
                            L.tensor([1]).new_empty(3).dtype],
    # draws: what is the same in every stream
    "rand": lambda L: [(L.rand(2, 3).shape == (2, 3)), L.rand(2).dtype,
                       bool((L.rand(500) < 1).all()), L.rand(2, dtype=L.float64).dtype],
    "randn": lambda L: [L.randn(2, 3).shape == (2, 3), L.randn((2,)).dtype,
                        bool(L.randn(5000).std() < 1.1)],
    "randint": lambda L: [L.randint(3, (4,)).dtype, bool((L.randint(2, 5, (99,)) >= 2).all()),
                          L.randint(2, (3,), dtype=L.int32).dtype],
    "randperm": lambda L: [L.randperm(7).sort()[0], L.randperm(3, dtype=L.int32).dtype],
    "rand_like": lambda L: [L.rand_like(L.tensor(X)).shape == (2, 3), L.rand_like(
        L.tensor(X), dtype=L.float64).dtype],
    "randn_like": lambda L: [L.randn_like(L.tensor(X)).shape == (2, 3)],
    "manual_seed": lambda L: [_twice(L, lambda: L.rand(3))],
    "bernoulli": lambda L: [L.bernoulli(L.tensor([0.0, 1.0])), L.bernoulli(L.ones(2)).dtype],
    "multinomial": lambda L: [L.multinomial(L.tensor([0.0, 1.0, 0.0]), 1),
                              L.multinomial(L.tensor([1.0, 1.0]), 2).sort()[0],
                              L.multinomial(L.tensor([[0.0, 2.0], [1.0, 0.0]]), 3, True)],
    "poisson": lambda L: [L.poisson(L.zeros(3)), L.poisson(L.ones(2)).dtype],
    "uniform_": lambda L: [bool((L.empty(99).uniform_(2, 3) >= 2).all())],
    "normal_": lambda L: [L.empty(3).normal_().shape == (3,), L.ones(2).normal_(1.0, 0.0)],
    "exponential_": lambda L: [bool((L.empty(99).exponential_() >= 0).all())],
    "random_": lambda L: [bool((L.empty(99).random_(2, 5) < 5).all())],
    "constant_": lambda L: [L.nn.init.constant_(L.empty(2), 3.0)],
    "trunc_normal_": lambda L: [bool((L.nn.init.trunc_normal_(L.empty(99), a=-1, b=1).abs()
                                      <= 1).all())],
    "kaiming_uniform_": lambda L: [bool((L.nn.init.kaiming_uniform_(
        L.empty(4, 6), a=5 ** 0.5).abs() <= 6 ** -0.5).all())],
    "F.dropout": lambda L: [L.nn.functional.dropout(L.ones(4), 0.5, training=False),
                            L.nn.functional.dropout(L.ones(3), 1.0), set(
                                L.nn.functional.dropout(L.ones(99), 0.5).tolist()) == {0.0, 2.0}],
    "F.gumbel_softmax": lambda L: [L.nn.functional.gumbel_softmax(
        L.zeros(2, 3), hard=True).sum(-1)],
    # views and indices
    ".T": lambda L: [L.tensor(X).T, L.tensor([1]).t()],
    "t_": lambda L: _into(L.tensor(X), lambda t: t.t_()),
    "contiguous": lambda L: [L.tensor(X).t().contiguous().is_contiguous()],
    "__getitem__": lambda L: [L.tensor(X)[i] for i in (
        0, -1, slice(None), (slice(None), 1), (..., 0), None, (0, 1), [1, 0], (slice(0, 1), [2, 0]),
        slice(0, 2, 2))] + [L.tensor(X)[L.tensor(X) > 0], L.tensor(X)[L.tensor([True, False])]],
    "__setitem__": lambda L: [_set(L, i, v) for i, v in (
        (0, 1.0), ((slice(None), 1), 9), ([1, 0], 5.0), ((..., 0), 2), (slice(1, 2), 4))],
    "grad": _slope,
    "__eq__": lambda L: [L.tensor(X) == 3.0, L.tensor([1, 2]) == L.tensor([1, 5]),
                         L.tensor([1]) == "a"],
    "__or__": lambda L: [L.tensor([True, False]) | L.tensor([False, False]), L.tensor([5]) | 2],
    "__xor__": lambda L: [L.tensor([True, False]) ^ L.tensor([True, True]), L.tensor([5]) ^ 1],
    "relu": lambda L: [L.relu(L.tensor(X)), L.tensor([-1, 2]).relu(), L.tensor(X).relu_()],
    "_grouped_mm": lambda L: [_rounded(L.nn.functional.grouped_mm(a.to(L.float32), b.to(
        L.float32), offs=L.tensor(ends, dtype=L.int32))) for a, b, ends in (
        (L.arange(32).reshape(8, 4), L.arange(32).reshape(2, 4, 4), [2, 8]),
        (L.arange(32).reshape(4, 8), L.arange(32).reshape(8, 4), [4, 8]))],
    # factors, as far as they are unique
    "eigh": lambda L: [_rounded(v) for v in (L.linalg.eigh(_symmetric(L)).eigenvalues,
                                             L.linalg.eigh(_symmetric(L)).eigenvectors.abs())],
    "lstsq": lambda L: [_rounded(L.linalg.lstsq(L.tensor(X).T, L.ones(3, 1)).solution)],
    # conversion
    "to": lambda L: [L.tensor(X).to(L.float64), L.tensor(X).to("cpu"), L.tensor([1]).to(
        L.tensor(X)), L.tensor([1.7]).to(dtype=L.int64), L.tensor([1]).to("cpu", L.float16)],
    "float": lambda L: L.tensor([1, 0]).float(), "double": lambda L: L.tensor([1]).double(),
    "long": lambda L: L.tensor([1.9, -1.9]).long(), "int": lambda L: L.tensor([2.5]).int(),
    "bool": lambda L: L.tensor([0.0, 0.5, float("nan")]).bool(),
    "half": lambda L: L.tensor([1.0001, 70000.0]).half(),
    "bfloat16": lambda L: L.tensor([1.0001, 3e38]).bfloat16(),
    "type_as": lambda L: L.tensor([1]).type_as(L.tensor(X)),
    "type": lambda L: [L.tensor([1]).type(L.float32), L.tensor([1]).type(L.tensor(X).dtype)],
    "detach": lambda L: needs(L, 1.0).detach(), "clone": lambda L: needs(L, 1.0).clone(),
    "copy_": lambda L: _into(L.zeros(2, 3), lambda t: t.copy_(L.tensor([1, 2, 3]))),
    "item": lambda L: [L.tensor([[2.5]]).item(), L.tensor(3).item(), L.tensor(True).item()],
    "tolist": lambda L: [L.tensor(X).tolist(), L.tensor(1).tolist()],
    "numpy": lambda L: L.tensor(X).numpy().tolist(),
    "size": lambda L: [tuple(L.tensor(X).size()), L.tensor(X).size(-1)],
    "dim": lambda L: L.tensor(X).dim(), "numel": lambda L: [L.tensor(X).numel(), L.numel(
        L.tensor(X))],
    "stride": lambda L: [L.tensor(X).stride(), L.tensor(X).t().stride(), L.tensor(X).stride(0)],
    "is_contiguous": lambda L: [L.tensor(X).is_contiguous(), L.tensor(X).t().is_contiguous()],
    ".shape": lambda L: [tuple(L.tensor(X).shape), L.tensor(X).shape.numel()],
    ".dtype": lambda L: L.tensor(X).dtype, ".device": lambda L: L.tensor(X).device,
    ".ndim": lambda L: L.tensor(X).ndim, ".real": lambda L: L.tensor([1 + 2j]).real,
    "requires_grad_": lambda L: L.tensor(X).requires_grad_(), "backward": _slope,
    "is_floating_point": lambda L: [L.tensor(X).is_floating_point(), L.is_floating_point(
        L.tensor([1]))],
    "is_complex": lambda L: [L.tensor([1j]).is_complex(), L.is_complex(L.tensor([1]))],
    "__bool__": lambda L: [bool(L.tensor([0])), bool(L.tensor(2.0))],
    "__float__": lambda L: float(L.tensor([2])), "__int__": lambda L: int(L.tensor(2.9)),
    "__len__": lambda L: len(L.tensor(X)),
    "__contains__": lambda L: [3.0 in L.tensor(X), 9 in L.tensor(X)],
    "_set_grad_enabled": lambda L: [_disabled(L)],
    # in place
    "zero_": lambda L: _into(L.ones(2), lambda t: t.zero_()),
    "fill_": lambda L: _into(L.ones(2), lambda t: t.fill_(3)),
    "fill_diagonal_": lambda L: [_into(L.zeros(3, 2), lambda t: t.fill_diagonal_(5)), _into(
        L.zeros(7, 2), lambda t: t.fill_diagonal_(5, wrap=True))],
    # sparse
    "sparse_coo_tensor": lambda L: _sparse(L).to_dense(),
    "_sparse_mm": lambda L: L.sparse.mm(_sparse(L), L.tensor([[1.0, 2.0], [3.0, 4.0], [5., 6.]])),
}


def _symmetric(L: Any) -> Any:
    return L.tensor([[2.0, 0.5, 0.0], [0.5, 1.0, -0.25], [0.0, -0.25, 4.0]])


def _rounded(t: Any) -> Any:
    return (tuple(t.shape), np.round(t.numpy().astype(np.float64), 4).tolist())


def _sparse(L: Any) -> Any:
    return L.sparse_coo_tensor(L.tensor([[0, 1, 1], [2, 0, 2]]), L.tensor([3.0, 4.0, 5.0]), (2, 3))


def _twice(L: Any, draw: Callable[[], Any]) -> bool:
    L.manual_seed(5)
    first = draw()
    L.manual_seed(5)
    return bool((first == draw()).all())


def _set(L: Any, index: Any, value: Any) -> Any:
    t = L.tensor(X)
    t[index] = value
    return t


def _disabled(L: Any) -> bool:
    with L.set_grad_enabled(False):
        return bool((needs(L, 1.0) * 2).requires_grad)
