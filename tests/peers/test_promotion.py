"""torch's promotion table: every pair of dtypes, as tensors, 0-d tensors and Python numbers."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

import eager
from eager.ops.errors import OpError

torch = pytest.importorskip("torch")

NAMES = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32",
         "float64", "complex64", "complex128")
NUMBERS = (True, 2, 2.5, 2.5j)
OPS = ("add", "sub", "mul", "div", "pow", "maximum", "eq", "lt", "atan2", "bitwise_and",
       "floor_divide", "remainder", "hypot", "logical_and", "fmod", "where", "cat", "logaddexp")


def _run(L: Any, name: str, a: Any, b: Any) -> Any:
    if name == "where":
        return L.where(L.tensor([True]), a, b)
    if name == "cat":
        return L.cat([a.reshape(1), b.reshape(1)])
    return getattr(L, name)(a, b)


#: Not built for complex numbers.
REAL_ONLY = {"logaddexp", "sigmoid"}


def _is_complex(spec: Any) -> bool:
    return isinstance(spec[1], complex) or str(spec[1]).startswith("complex")


def _half_complex(x: Any, y: Any) -> bool:
    """complex32, which torch makes of float16 and a weaker complex, is not built."""
    return "float16" in (x[1], y[1]) and (_is_complex(x) or _is_complex(y))


def _outcome(L: Any, name: str, make: Any, error: Any) -> str:
    try:
        return str(_run(L, name, *make(L)).dtype).rpartition(".")[2]
    except error:
        return "refused"


def _operand(L: Any, spec: Any) -> Any:
    kind, value = spec
    if kind == "number":
        return value
    one = L.ones(() if kind == "0-d" else (1,), dtype=L.int32)
    return one.to(getattr(L, value))


SPECS = [*(("tensor", n) for n in NAMES), *(("0-d", n) for n in NAMES)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", OPS)
def test_pairs(name: str) -> None:
    numbers = () if name in ("maximum", "atan2", "hypot", "cat", "logaddexp", "logical_and") else (
        ("number", v) for v in NUMBERS)
    pairs = [*itertools.product(SPECS, SPECS), *itertools.product(SPECS, numbers)]
    different = []
    for x, y in pairs:
        want = _outcome(torch, name, lambda L, x=x, y=y: (_operand(L, x), _operand(L, y)),
                        (RuntimeError, TypeError, ValueError))
        got = _outcome(eager, name, lambda L, x=x, y=y: (_operand(L, x), _operand(L, y)),
                       (OpError, TypeError))
        if name in REAL_ONLY and (_is_complex(x) or _is_complex(y)):
            assert got == "refused"
        elif got != want and not _half_complex(x, y):
            different.append(f"{name}({x}, {y}): torch {want}, eager {got}")
    assert not different, f"{len(different)} of {len(pairs)} differ:\n" + "\n".join(different[:20])


UNARY = ("neg", "abs", "exp", "sqrt", "sin", "sigmoid", "floor", "round", "sign", "square",
         "reciprocal", "relu", "isnan", "logical_not", "bitwise_not", "sum", "mean", "prod",
         "cumsum", "any", "amax", "argmax", "log1p", "erf", "trunc", "positive", "std")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", UNARY)
def test_one(name: str) -> None:
    different = []
    for dtype in NAMES[:-2] if name in REAL_ONLY else NAMES:
        def run(L: Any, dtype: str = dtype) -> Any:
            x = L.ones(3, dtype=L.int32).to(getattr(L, dtype))
            return getattr(L, name)(x, 0) if name == "cumsum" else getattr(L, name)(x)
        outcomes = []
        for L, error in ((torch, (RuntimeError, TypeError)), (eager, (OpError, TypeError))):
            try:
                outcomes.append(str(run(L).dtype).rpartition(".")[2])
            except error:
                outcomes.append("refused")
        if outcomes[0] != outcomes[1]:
            different.append(f"{name}({dtype}): torch {outcomes[0]}, eager {outcomes[1]}")
    assert not different, "\n".join(different)
