"""Every function, mapped, does what a loop does, and so does its gradient by each member."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import eager
from eager import func
from eager.engine.tensor import Tensor
from tests.ops.cases import CASES, Case
from tests.ops.test_composites import flat, public

#: Functions whose result is Python's: one answer, where a map has many.
READ = {"allclose", "equal"}


def numbers(value: Any) -> Iterator[np.ndarray[Any, Any]]:
    """The float64 arrays in arguments."""
    if isinstance(value, (tuple, list)):
        for v in value:
            yield from numbers(v)
    elif isinstance(value, dict):
        yield from numbers(list(value.values()))
    elif isinstance(value, np.ndarray) and value.dtype == np.float64:
        yield value


def refilled(value: Any, tensors: Iterator[Tensor]) -> Any:
    """Arguments with tensors in place of their float64 arrays."""
    if isinstance(value, (tuple, list)):
        return type(value)(refilled(v, tensors) for v in value)
    if isinstance(value, dict):
        return {k: refilled(v, tensors) for k, v in value.items()}
    if isinstance(value, str) and value.startswith("dtype:"):
        return getattr(eager, value[6:])
    if not isinstance(value, np.ndarray):
        return value
    return next(tensors) if value.dtype == np.float64 else Tensor(value.copy())


def mappable(case: Case) -> bool:
    return case.where != "inplace" and case.name not in READ and not case.reads and any(
        True for _ in numbers([case.args, case.kwargs]))


@pytest.mark.parametrize("case", [c for c in CASES if mappable(c)], ids=str)
def test_a_map_is_a_loop(case: Case) -> None:
    pairs = [np.stack([a, a * 0.9]) for a in numbers([case.args, case.kwargs])]

    def run(*tensors: Tensor) -> tuple[Tensor, ...]:
        args, kwargs = refilled([case.args, case.kwargs], iter(tensors))
        return tuple(flat(public(case.name, case.where)(*args, **kwargs)))

    def total(*tensors: Tensor) -> Any:
        return sum(((o * o).sum() for o in run(*tensors) if o.dtype.kind == "f"),
                   Tensor(np.zeros(())))

    members = [[Tensor(p[k].copy()) for p in pairs] for k in range(2)]
    wanted = [run(*m) for m in members]
    if not wanted[0] or any(a.shape != b.shape for a, b in zip(*wanted, strict=True)):
        return
    _compare(func.vmap(run)(*map(Tensor, pairs)), wanted)
    if case.slopes and any(o.dtype.kind == "f" for o in wanted[0]):
        gradient = func.grad(total, tuple(range(len(pairs))))
        _compare(func.vmap(gradient)(*map(Tensor, pairs)), [gradient(*m) for m in members])


def _compare(mapped: Any, looped: Any) -> None:
    for j, whole in enumerate(mapped):
        for k in range(2):
            np.testing.assert_allclose(whole.numpy()[k], looped[k][j].numpy(), rtol=1e-6,
                                       atol=1e-8)
