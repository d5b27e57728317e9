"""Every op of the table, and every case of the functions over it, as native code beside eager.

    python -m tests.every_op               the ops at their examples, through an artifact
    python -m tests.every_op --functions   the cases of the functions, compiled
    python -m tests.every_op dft svd       some of either, by name

An op is traced with its gradient, compiled, exported, and run by the runner on its examples and
on fresh operands; a function is traced with its gradient and compiled, on its cases.  Prints how
many came to what end, and each that is not equal with the reason.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import export
import jit
from eager.autograd import grad
from eager.engine.dispatch import apply
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError, TraceError
from eager.ops.families import Control
from eager.ops.op import Op, operand_arrays
from eager.ops.table import TABLE
from export import runner
from tests.jit.test_compiled_ops import accepts, agrees, example_cases
from tests.native import Case
from tests.ops import cases as calls
from tests.ops.test_traced import arrays_of, whole

Array = np.ndarray[Any, Any]
EQUAL, REFUSED, WRONG, CONTROL = "equal to eager", "refused", "WRONG", "control flow"


@dataclass(frozen=True)
class Outcome:
    """What became of one op, or of one case of a function."""

    name: str
    end: str
    words: str = ""


# --- ops ---------------------------------------------------------------------------------------
def fresh(case: Case) -> Case:
    """The case on other operands: drawn again, or the given ones turned round where that goes."""
    moved = [np.roll(a, 1) if a.ndim == 1 else
             np.asarray(a * a.dtype.type(1.25)) if a.dtype.kind in "fc" else a
             for a in case.arrays]
    other = replace(case, arrays=moved)
    try:
        other.expected()
    except OpError:
        return case
    return other


def drawn(op: Op, seed: int) -> list[Case]:
    """The examples of an op that float32 and float64 operands fit."""
    if seed == 7:  # what the table's own tests draw
        return [c for d in ("f32", "f64") for c in example_cases(op, d) if accepts(c)]
    return [fresh(Case(op, dict(e.attrs), operand_arrays(op, e, np.random.default_rng(seed), d)))
            for d, few in (("f32", None), ("f64", 2)) for e in op.examples[:few]]


def with_gradients(op: Op, attrs: dict[str, Any], tensors: Sequence[Tensor]) -> list[Tensor]:
    """The result, and the gradients of half the sum of its squares."""
    leaves = [(t * 1).detach().requires_grad_() if t.dtype.kind in "fc" else t for t in tensors]
    out = apply(op, tuple(leaves), attrs)
    wanted = [t for t in leaves if t.requires_grad]
    if not out.requires_grad:
        return [out]
    found = grad(out, wanted, out.detach(), allow_unused=True)
    return [out.detach(), *(g.detach() for g in found if g is not None)]


def together(cases: Sequence[Case]) -> Callable[..., list[list[Tensor]]]:
    """A function of the operands of all cases, one after the other."""
    calls = tuple((c.op, c.attrs, len(c.arrays)) for c in cases)

    def run(*tensors: Tensor) -> list[list[Tensor]]:
        queue = iter(tensors)
        return [with_gradients(op, attrs, [next(queue) for _ in range(n)])
                for op, attrs, n in calls]
    return run


def compare(cases: Sequence[Case], got: Iterator[Array]) -> None:
    """AssertionError where a result or a gradient is not eager's."""
    wanted = together(cases)(*(Tensor(a) for c in cases for a in c.arrays))
    for case, (_, *gradients) in zip(cases, wanted, strict=True):
        agrees(case, np.asarray(next(got)))
        for k, g in enumerate(gradients):
            close(np.asarray(next(got)), g.numpy(), f"gradient {k} of {case}")


def close(got: Array, want: Array, words: str) -> None:
    """Equal to rounding, against the largest number there is."""
    assert got.dtype == want.dtype and got.shape == want.shape, words
    bound = 2e-5 if want.dtype in (np.float32, np.complex64) else 1e-11
    size = np.max(np.abs(want[np.isfinite(want)]), initial=1.0)
    np.testing.assert_allclose(got, want, rtol=bound, atol=bound * size, err_msg=words)


def judge_op(op: Op, folder: Path) -> Outcome:
    """Trace, compile, export, run by the runner, compare."""
    if isinstance(op.kernel, Control):
        return Outcome(op.name, CONTROL, "lowered with its regions: tests/jit/test_control.py")
    cases = drawn(op, 7)
    try:
        program = jit.trace(together(cases), [Tensor(a) for c in cases for a in c.arrays])
    except TraceError as error:
        return Outcome(op.name, REFUSED, str(error))
    path = folder / f"{op.name}.art"
    export.save(program, path, targets=("x86_64-linux",), levels=(program.level,))
    model = runner.load(path, trust=True)
    try:
        for now in (cases, drawn(op, 8)):
            results = model(*(a for c in now for a in c.arrays))
            compare(now, iter(results if isinstance(results, tuple) else (results,)))
    except AssertionError as error:
        return Outcome(op.name, WRONG, str(error))
    return Outcome(op.name, EQUAL)


# --- functions ---------------------------------------------------------------------------------
def judge_function(cases: Sequence[calls.Case]) -> Iterator[Outcome]:
    """The cases of one function in one program; what cannot be traced is left out of it."""
    traced: list[tuple[calls.Case, list[Array], Any]] = []
    for case in cases:
        arrays = arrays_of((case.args, tuple(case.kwargs.values())))
        run = whole(case, [a.dtype.kind in "fc" for a in arrays])
        try:
            jit.tracer.trace_graph(run, [Tensor(a) for a in arrays])
        except TraceError as error:
            yield Outcome(str(case), REFUSED, str(error))
        else:
            traced.append((case, arrays, run))
    if traced:
        yield from _judge_together(traced)


def _judge_together(traced: Sequence[tuple[calls.Case, list[Array], Any]]) -> Iterator[Outcome]:
    def everything(*groups: Any) -> Any:
        return [run(*group) for (_, _, run), group in zip(traced, groups, strict=True)]

    given = [tuple(Tensor(a) for a in arrays) for _, arrays, _ in traced]
    found = jit.trace(everything, given)(*given)
    for (case, _, run), own, got in zip(traced, given, found, strict=True):
        try:
            for g, w in zip(got, run(*own), strict=True):
                close(*(_unsigned(case, t.detach().numpy()) for t in (g, w)), str(case))
        except AssertionError as error:
            yield Outcome(str(case), WRONG, str(error))
        else:
            yield Outcome(str(case), EQUAL)


def _unsigned(case: calls.Case, array: Array) -> Array:
    """Vectors that are free in their sign without it."""
    return np.abs(array) if case.name in ("eigh", "svd") else array


# --- the command -------------------------------------------------------------------------------
def judge_ops(names: Sequence[str] = ()) -> Iterator[Outcome]:
    with tempfile.TemporaryDirectory() as folder:
        for op in TABLE.values():
            if not names or op.name in names:
                yield judge_op(op, Path(folder))


def judge_functions(names: Sequence[str] = ()) -> Iterator[Outcome]:
    groups: dict[tuple[str, str], list[calls.Case]] = {}
    for case in calls.CASES:
        if not names or case.name in names:
            groups.setdefault((case.where, case.name), []).append(case)
    for cases in groups.values():
        yield from judge_function(cases)


def tell(what: str, outcomes: Iterable[Outcome]) -> bool:
    """Print the counts and what is left; whether nothing is wrong."""
    found = list(outcomes)
    counts = Counter(o.end for o in found)
    print(f"{len(found)} {what}: " + ", ".join(f"{n} {end}" for end, n in counts.most_common()))
    for o in found:
        if o.end != EQUAL:
            print(f"  {o.name}: {o.end}: {' '.join(o.words.split())[:300]}")
    return not counts[WRONG]


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.every_op", description=__doc__)
    parser.add_argument("--functions", action="store_true", help="the functions over the table")
    parser.add_argument("names", nargs="*", help="only these")
    args = parser.parse_args()
    judged, what = ((judge_functions, "cases of functions") if args.functions else
                    (judge_ops, "ops"))
    return 0 if tell(what, judged(args.names)) else 1


if __name__ == "__main__":
    raise SystemExit(main())
