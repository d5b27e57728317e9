"""Composites: NumPy's values, slopes for gradients, and refusals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import eager
from eager.autograd import grad
from eager.engine import spelling
from eager.engine.tensor import TAPED, Tensor
from eager.ops.errors import OpError
from eager.ops.table import FUNCTIONS
from tests.ops.cases import CASES, REJECTS, Case
from tests.ops.cases.basics import LABELS, X


def public(name: str, where: str) -> Any:
    """The function as users reach it."""
    if where == "method":
        return getattr(Tensor, name)
    if where == "inplace":
        return lambda x, *args, **kwargs: getattr(x.clone(), f"{name}_")(*args, **kwargs)
    module = eager
    for part in where.split(".") if where != "eager" else ():
        module = getattr(module, part)
    return getattr(module, name)


#: The dtypes whose arrays are differentiated.
FLOWING = (np.dtype(np.float64), np.dtype(np.complex128))


def flat(result: Any) -> list[Tensor]:
    """The tensors of a result, in order."""
    if isinstance(result, (tuple, list)):
        return [t for r in result for t in flat(r)]
    return [result] if isinstance(result, Tensor) else []


def named(value: Any) -> Any:
    """A value as it is, or the dtype that ``dtype:float64`` names."""
    if isinstance(value, str) and value.startswith("dtype:"):
        return getattr(eager, value[6:])
    return value


def wrapped(value: Any, leaves: list[Tensor]) -> Any:
    if isinstance(value, (tuple, list)):
        return type(value)(wrapped(v, leaves) for v in value)
    if not isinstance(value, np.ndarray):
        return named(value)
    t = Tensor(value.copy(), requires_grad=value.dtype in FLOWING)
    if t.requires_grad:
        leaves.append(t)
    return t


def called(case: Case) -> tuple[Any, list[Tensor]]:
    leaves: list[Tensor] = []
    args = tuple(wrapped(a, leaves) for a in case.args)
    kwargs = {k: wrapped(v, leaves) for k, v in case.kwargs.items()}
    return public(case.name, case.where)(*args, **kwargs), leaves


@pytest.mark.parametrize("case", [c for c in CASES if c.numpy], ids=str)
def test_values(case: Case) -> None:
    result, _ = called(case)
    want = case.numpy(*case.args, **case.kwargs)  # type: ignore[misc]
    got = result.detach().numpy() if isinstance(result, Tensor) else result
    np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-12)
    assert np.shape(got) == np.shape(want)


def _weighted(outs: list[Tensor]) -> Tensor:
    total = Tensor(np.zeros(()))
    for k, out in enumerate(outs):
        weights = np.random.default_rng(k).normal(size=tuple(out.shape))
        total = total + (out * Tensor(np.asarray(weights))).sum()
    return total


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradients_are_slopes(case: Case) -> None:
    result, leaves = called(case)
    total = _weighted([t for t in flat(result) if t.requires_grad])
    if not total.requires_grad or sum(t.numel() for t in leaves) == 0:
        return
    leaves = [t for t in leaves if t.numel()]
    if any(t.is_complex() for t in (total, *leaves)):
        return  # a slope in two directions: the peers have it
    grads = grad(total, leaves, allow_unused=True)
    if not case.slopes or (case.name in ("embedding", "norm", "normalize") and (
            case.kwargs or not np.any(leaves[0].detach().numpy()))):
        assert all(g is not None and np.all(np.isfinite(g.numpy())) for g in grads)
        return  # no slope: a row without gradient, a norm at 0
    for position, got in enumerate(grads):
        value = leaves[position].detach().numpy()
        for place in list(np.ndindex(value.shape))[:6]:
            sides = []
            for step in (1e-6, -1e-6):
                sides.append(_moved(case, position, place, step))
            slope = (sides[0] - sides[1]) / 2e-6
            have = 0.0 if got is None else got.numpy()[place]
            assert have == pytest.approx(slope, rel=2e-5, abs=2e-6), (case.name, position, place)


def _moved(case: Case, position: int, place: Any, step: float) -> float:
    seen = -1

    def move(value: Any) -> Any:
        nonlocal seen
        if isinstance(value, (tuple, list)):
            return type(value)(map(move, value))
        if isinstance(value, np.ndarray) and value.dtype in FLOWING and value.size:
            seen += 1
            if seen == position:
                value = value.copy()
                value[place] += step
        return value

    moved = replace(case, args=tuple(map(move, case.args)),
                    kwargs={k: move(v) for k, v in case.kwargs.items()}, numpy=None)
    outs = [t for t in flat(called(moved)[0]) if t.requires_grad]
    return float(_weighted(outs).detach().numpy())


def test_every_composite_has_a_case() -> None:
    called = {name for c in CASES for name in (c.name, f"{c.where}.{c.name}")}
    assert set(FUNCTIONS) - called == {"getitem", "setitem", "batch_moments"}


def test_batch_moments() -> None:
    x = np.random.default_rng(0).normal(size=(4, 3, 2))
    centre, spread = FUNCTIONS["batch_moments"].body(TAPED, Tensor(x))
    np.testing.assert_allclose(centre.numpy(), x.mean((0, 2)))
    np.testing.assert_allclose(spread.numpy(), x.var((0, 2)))


@pytest.mark.parametrize("case", REJECTS, ids=str)
def test_what_torch_refuses_too(case: Case) -> None:
    with pytest.raises((OpError, TypeError)):
        called(case)


@pytest.mark.parametrize(("name", "args", "words"), [
    ("cross_entropy", (X, LABELS[:2]), "wanted scores"), ("cross_entropy", (X, LABELS + 1),
    "index 4"),
    ("nll_loss", (X, X), "wanted scores"), ("linear", (X, X[:, :2]), "wanted an input"),
    ("embedding", (LABELS + 1, X), "index 4"), ("one_hot", (LABELS, 3), "index 3"),
    ("split", (X, [1, 1]), "do not add up"), ("chunk", (X, 0), "positive"),
    ("squeeze", (X, 5), "out of range"), ("select", (X, 0, 3), "out of range"),
    ("narrow", (X, 0, 2, 2), "do not lie"), ("layer_norm", (X, (3,)), "last dims"),
    ("mse_loss", (X, X, None, None, "median"), "reduction is"), ("l1_loss", (X, X, "sum"),
    "by name"), ("mean", (LABELS,), "must be floating"),
    ("mm", (X, X[0]), "2-d and 2-d"), ("clamp", (X,), "give min"), ("gelu", (X, "sin"),
    "approximate"),
    ("pad", (X, (1,)), "pair of numbers"), ("group_norm", (X, 3), "do not divide"),
    ("conv2d", (X, X), "wants an input"), ("stack", ((),), "nothing to join")])
def test_refusals(name: str, args: Any, words: str) -> None:
    where = next(w for w in ("eager", "method", "nn.functional")
                 if name in spelling.namespace(w, TAPED))
    tensors = [Tensor(a) if isinstance(a, np.ndarray) else a for a in args]
    with pytest.raises((OpError, TypeError), match=words):
        public(name, where)(*tensors)
