"""Every op of the table, compiled, against the interpreter: all examples, every dtype it takes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pytest

import eager
import jit
from eager.engine.tensor import Tensor
from eager.nn import functional as F
from eager.ops import scalar
from eager.ops.errors import OpError
from eager.ops.families import (
    Contract,
    Convolution,
    Library,
    Pointwise,
    Random,
    Reduce,
    Softmax,
    Transform,
)
from eager.ops.op import Op, operand_arrays
from eager.ops.table import TABLE
from eager.ops.types import NATIVE
from tests.graphs import ODD, same_bits
from tests.native import Case, batched, program_of

COMPILED = [op for op in TABLE.values() if not op.not_compiled]
FLOATS = ("f32", "f64")
#: Instructions whose result is the nearest float, or no float at all.
EXACT = {"add", "sub", "mul", "div", "neg", "abs", "maximum", "minimum", "sqrt", "floor", "ceil",
         "trunc", "round", "eq", "ne", "lt", "le", "gt", "ge", "and", "or", "xor", "not",
         "select", "cast", "sign", "floordiv", "mod", "fmod", "copysign", "gcd", "nextafter",
         "left_shift",
         "right_shift"}
#: What rounds: a body of several of these is not NumPy's one function to the bit.
ROUNDING = {"add", "sub", "mul", "div", "sqrt"}
#: Of two zeros either may be the larger, in NumPy too.
EXTREMES = {"maximum", "minimum"}


def is_exact(op: Op) -> bool:
    """Whether NumPy and native code must agree to the bit."""
    if isinstance(op.kernel, Pointwise):
        used = scalar.instructions(op.expr)
        return used <= EXACT and not (op.forward and used & ROUNDING)
    if isinstance(op.kernel, Reduce):
        return op.kernel.combine in ("maximum", "minimum", "and", "or")
    if isinstance(op.kernel, Random):
        return "normal" not in op.kernel.distribution
    return not isinstance(op.kernel, (Contract, Convolution, Library, Softmax, Transform))


def signed(case: Case, want: Any) -> Any:
    """The result with the signs that kernels give to eigenvectors and singular vectors."""
    if case.op.name not in ("eigh", "svd"):
        return want
    m, n = case.arrays[0].shape[-2:]
    values = 0 if case.op.name == "eigh" else m
    vectors = want[..., values + 1:, :] if values == 0 or m < n else want[..., :m, :]
    sizes = np.abs(vectors)
    first = np.argmax(sizes > 0.34 * sizes.max(-2, keepdims=True), -2, keepdims=True)
    signs = np.sign(np.take_along_axis(vectors, first, -2))
    is_value = np.arange(want.shape[-2])[:, None] == values
    return np.where(is_value, want, want * signs)


def agrees(case: Case, got: Any) -> None:
    want = signed(case, case.expected())
    assert got.dtype == want.dtype and got.shape == want.shape, str(case)
    if want.dtype.kind not in "fc" or is_exact(case.op):
        if isinstance(case.op.kernel, Pointwise) and scalar.instructions(case.op.expr) & EXTREMES:
            got, want = got + 0.0, want + 0.0
        assert same_bits(got, want), f"{case}\n{got}\nand not\n{want}"
        return
    tiny = 1e-6 if want.real.dtype == np.float32 else 2e-15
    if isinstance(case.op.kernel, (Library, Transform)):
        tiny *= 50  # LAPACK works in another order, and these are no single sums
    with np.errstate(all="ignore"):
        size = np.max(np.abs(want[np.isfinite(want)]), initial=0.0) * tiny
    atol = 0 if isinstance(case.op.kernel, Pointwise) else size
    np.testing.assert_allclose(got, want, rtol=2 * tiny, atol=atol, err_msg=str(case))


def check(cases: Iterable[Case]) -> None:
    """All cases in one program."""
    cases = list(cases)
    graph, arrays = batched(cases)
    for case, got in zip(cases, program_of(graph, arrays)(*arrays), strict=True):
        agrees(case, got.numpy())


def example_cases(op: Op, dtype: str) -> Iterator[Case]:
    """All examples in float32; fewer in other dtypes, whose kernels differ in nothing else."""
    for example in op.examples[:{"f32": None, "f64": 2}.get(dtype, 1)]:
        arrays = operand_arrays(op, example, np.random.default_rng(7), dtype)
        yield Case(op, dict(example.attrs), arrays)


def accepts(case: Case) -> bool:
    """Whether the contract takes operands of these types."""
    try:
        case.typed()
    except OpError:
        return False
    return True


def families() -> dict[str, list[Op]]:
    found: dict[str, list[Op]] = {}
    for op in COMPILED:
        found.setdefault(type(op.kernel).__name__, []).append(op)
    return found


FAMILIES = families()


# --- the examples of the table -----------------------------------------------------------------
@pytest.mark.parametrize("family", FAMILIES)
def test_examples(family: str) -> None:
    dtypes = FLOATS[:1] if family == "Pointwise" else FLOATS  # those see all dtypes below
    cases = [c for op in FAMILIES[family] for d in dtypes for c in example_cases(op, d)]
    assert cases
    check(cases)


def test_what_is_not_compiled_says_why() -> None:
    assert all(op.not_compiled.endswith((".", "`")) or len(op.not_compiled) > 10
               for op in TABLE.values() if op.not_compiled)


# --- numbers that are not ordinary -------------------------------------------------------------
def odd_arrays(op: Op, dtype: str) -> list[Any]:
    """Every pair (triple, ...) of signed zeros, infinities, NaN, large and small numbers."""
    kind = NATIVE[dtype]
    if kind.kind == "f":
        # These end there, as `vectormath` says.
        ends = isinstance(op.kernel, Pointwise) and scalar.instructions(op.expr) & {"sin", "cos"}
        large = 3e9 if ends else 3e38
        line = np.array([*ODD, -1.5, 2.5, 1e-40, large, -7.0], kind.numpy)
    elif kind.kind == "b":
        line = np.array([False, True])
    else:
        info = np.iinfo(kind.numpy)
        line = np.array([0, 1, 2, 3, 7, 100, info.max, info.min, info.max - 1], kind.numpy)
    grid = np.meshgrid(*[line] * op.arity, indexing="ij") if op.arity > 1 else [line]
    return [np.ascontiguousarray(g) for g in grid]


def odd_cases(dtype: str) -> Iterator[Case]:
    for op in FAMILIES["Pointwise"]:
        arrays = odd_arrays(op, dtype)
        if op.name == "where":
            arrays[0] = arrays[0] != 0
        for attrs in {repr(e.attrs): dict(e.attrs) for e in op.examples}.values():
            case = Case(op, attrs, arrays)
            if accepts(case):
                yield from _without_refusals(case)


def _without_refusals(case: Case) -> Iterator[Case]:
    """The case on the elements for which eager has a result."""
    try:
        case.expected()
    except OpError:
        kept = [k for k in range(case.arrays[0].size) if _has_result(case, k)]
        arrays = [a.reshape(-1)[kept].copy() for a in case.arrays]
        yield Case(case.op, case.attrs, arrays)
    else:
        yield case


def _has_result(case: Case, k: int) -> bool:
    try:
        Case(case.op, case.attrs, [a.reshape(-1)[k:k + 1] for a in case.arrays]).expected()
    except OpError:
        return False
    return True


@pytest.mark.parametrize("dtype", [d for d in NATIVE])
def test_odd_numbers(dtype: str) -> None:
    check(odd_cases(dtype))


@pytest.mark.parametrize("dtype", ["bool", "i32", "i64"])
def test_integers_and_bools(dtype: str) -> None:
    """Ops outside of the pointwise family, on small whole numbers."""
    cases = []
    for op in COMPILED:
        if isinstance(op.kernel, (Pointwise, Random)):
            continue
        for case in example_cases(op, dtype):
            if any(a.dtype == NATIVE[dtype].numpy for a in case.arrays) and accepts(case):
                cases.append(case)
    check(cases)


# --- refusals that depend on the data ----------------------------------------------------------
def rejected() -> list[Case]:
    cases = [Case(op, dict(e.attrs), operand_arrays(op, e, np.random.default_rng(7)))
             for op in COMPILED for e in op.rejects]
    return [c for c in cases if accepts(c)]


REJECTED = rejected()


@pytest.mark.parametrize("case", REJECTED, ids=str)
def test_refusals(case: Case) -> None:
    graph, arrays = batched([case])
    program = program_of(graph, arrays)
    for _ in range(2):  # the first call and those after it
        with pytest.raises(OpError, match=rf"^{case.op.name}: "):
            program(*arrays)


def test_there_are_refusals_of_every_kind() -> None:
    assert {"gather", "scatter_add", "floor_divide"} <= {c.op.name for c in REJECTED}


# --- sizes that only a call knows --------------------------------------------------------------
ROWS = jit.Dim("B", max=512)
WEIGHT, BIAS = eager.randn(6, 10), eager.randn(10)
KERNEL, SQUARE = eager.randn(4, 3, 3, 3), eager.randn(6, 6)

#: Functions of a matrix ``[B, 6]``, an image ``[B, 3, 7, 7]`` and labels ``[B]`` below 6.
ANY_SIZE: dict[str, Callable[..., Any]] = {
    "pointwise": lambda x, i, y: x * 2.0 + x.exp(),
    "broadcast": lambda x, i, y: x + BIAS[:6] + y[:, None],
    "expand": lambda x, i, y: eager.ones(1, 6).expand(x.shape[0], -1) + x,
    "outer": lambda x, i, y: x[:, :, None] * x[:, None, :],
    "rows": lambda x, i, y: x[:, None] * x[None, :, :],
    "sum of columns": lambda x, i, y: x.sum(0), "sum of rows": lambda x, i, y: x.sum(1),
    "sum of all": lambda x, i, y: x.sum(), "sum inside": lambda x, i, y: i.sum(2),
    "sum of ends": lambda x, i, y: i.sum((0, 3)), "sum of middle": lambda x, i, y: i.sum((1, 2)),
    "sum of space": lambda x, i, y: i.sum((0, 2, 3)), "kept": lambda x, i, y: x.sum(1, True) * x,
    "kept columns": lambda x, i, y: x - x.sum(0, True),
    "largest of rows": lambda x, i, y: x.amax(1), "all": lambda x, i, y: (x > -9).all(0),
    "any": lambda x, i, y: (x > 1).any(1), "product": lambda x, i, y: x.prod(1),
    "argmax": lambda x, i, y: i.argmax(2), "softmax": lambda x, i, y: x.softmax(1),
    "log softmax": lambda x, i, y: i.log_softmax(1), "norm": lambda x, i, y: F.layer_norm(x, (6,)),
    "linear": lambda x, i, y: (x @ WEIGHT + BIAS).relu(), "gram": lambda x, i, y: x @ x.T,
    "inner": lambda x, i, y: x.T @ x, "batches": lambda x, i, y: i @ i.transpose(2, 3),
    "batched weight": lambda x, i, y: i[:, :, :, :6] @ WEIGHT,
    "in f64": lambda x, i, y: x.double() @ SQUARE.double(),
    "conv": lambda x, i, y: F.conv2d(i, KERNEL, BIAS[:4], stride=2, padding=1).relu(),
    "conv in f64": lambda x, i, y: F.conv2d(i.double(), KERNEL.double(), padding=1, dilation=2),
    "pool": lambda x, i, y: F.max_pool2d(i, 3, 2, 1), "mean pool": lambda x, i, y: F.avg_pool2d(
        i, 2), "cat": lambda x, i, y: eager.cat([x, x * 2, x], 0),
    "cat columns": lambda x, i, y: eager.cat([x, x * 2], 1), "stack": lambda x, i, y: eager.stack(
        [x, -x], 1), "slice": lambda x, i, y: x[:, 1:5:2], "last": lambda x, i, y: i[..., -1],
    "flip": lambda x, i, y: x.flip((0, 1)), "pad": lambda x, i, y: F.pad(x, (1, 2, 3, 0)),
    "permute": lambda x, i, y: i.permute(3, 0, 2, 1), "transpose": lambda x, i, y: x.T + 0,
    "gather": lambda x, i, y: x.gather(1, y[:, None]), "rows picked": lambda x, i, y: WEIGHT[y],
    "picked": lambda x, i, y: x.index_select(1, y), "flat": lambda x, i, y: i.flatten(1) * 2,
    "joined": lambda x, i, y: i.reshape(-1, 7) + 1, "scatter": lambda x, i, y: eager.zeros(
        x.shape[0], 6).scatter_add(1, y[:, None], x[:, :1]),
    "added rows": lambda x, i, y: eager.zeros(6, 6).index_add(0, y, x),
    "update": lambda x, i, y: put(x, 7.0), "arange": lambda x, i, y: eager.arange(x.shape[0]) * 2,
    "size": lambda x, i, y: x.sum() * x.shape[0], "cast": lambda x, i, y: (x * 9).long(),
    "crop": lambda x, i, y: F.pad(x, (-1, -2)), "triangle": lambda x, i, y: eager.tril(x),
    "no dims": lambda x, i, y: x.sum((0, 1), True).reshape(()).exp() * 0.1,
    "where": lambda x, i, y: eager.where(x > 0, x, y[:, None]),
    "loss": lambda x, i, y: F.cross_entropy(x, y, reduction="none"),
}


def put(x: Tensor, value: float) -> Tensor:
    y = x * 1
    y[:, 1:3] = value
    return y


@pytest.fixture(scope="module")
def of_any_size() -> jit.Program:
    def fn(x: Tensor, i: Tensor, y: Tensor) -> Any:
        return {name: f(x, i, y) for name, f in ANY_SIZE.items()}

    return jit.trace(fn, sized(4), dynamic_shapes={n: {0: ROWS} for n in "xiy"})


def sized(n: int) -> tuple[Tensor, Tensor, Tensor]:
    rng = np.random.default_rng(n)
    return (Tensor(rng.normal(size=(n, 6)).astype(np.float32)),
            Tensor(rng.normal(size=(n, 3, 7, 7)).astype(np.float32)),
            Tensor(rng.integers(0, 6, n)))


@pytest.mark.parametrize("n", [0, 1, 3, 64, 200])
def test_any_size(of_any_size: jit.Program, n: int) -> None:
    arguments = sized(n)
    got = of_any_size(*arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        want = {name: f(*arguments) for name, f in ANY_SIZE.items()}
    for name in ANY_SIZE:
        a, b = got[name].numpy(), want[name].numpy()
        assert a.dtype == b.dtype and a.shape == b.shape, name
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5, err_msg=name)


def test_nothing_has_no_position() -> None:
    program = jit.trace(lambda x: x.argmax(0), (sized(4)[0],), dynamic_shapes={"x": {0: ROWS}})
    for n in (3, 0, 5):
        if n:
            x = sized(n)[0]
            np.testing.assert_array_equal(program(x).numpy(), x.argmax(0).numpy())
            continue
        with pytest.raises(OpError, match=r"^argmax: index 0 is out of range"):
            program(sized(0)[0])
