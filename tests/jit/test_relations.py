"""Relations between sizes: proved, or answered by the example and held to in every call."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import eager
import jit
from eager.ops.errors import OpError, TraceError
from jit.interpreter import interpret
from jit.layout import ranges_of, rules_of
from jit.relations import Facts, Relation
from jit.sizes import implied
from jit.text import parse_graph
from jit.tracer import Traced, trace_graph
from jit.verifier import verify

# --- proofs ------------------------------------------------------------------------------------
N, M = jit.Dim("n", min=1, max=9).size, jit.Dim("m", min=0, max=7).size
SIZES: list[Any] = [N, M, N * M, N // 2, N % 3, N + M, N // 2 * 2, (N + 1) // 2, M * M, N - M]


@pytest.mark.parametrize("relations", [(), (">=", N - M - 2), ("!=", N - M), ("==", N - M - 1)],
                         ids=lambda r: r[0] if r else "none")
def test_what_is_proved_is_true_of_every_size(relations: Any) -> None:
    known = [Relation.of(relations[0], relations[1].index)] if relations else []
    facts, proved = Facts(known), 0
    calls = [{"n": n, "m": m} for n in range(1, 10) for m in range(8)
             if all(r.holds({"n": n, "m": m}) for r in known)]
    for a, b in itertools.product(SIZES, [*SIZES, 0, 1, 4]):
        gap = a.index - (b if type(b) is int else b.index)
        values = [gap.evaluate(c) for c in calls]
        for op, held in (("==", [v == 0 for v in values]), (">=", [v >= 0 for v in values])):
            verdict = facts.proves(op, gap)
            proved += verdict is not None
            assert verdict is None or set(held) == {verdict}, (op, a, b)
    assert proved > 40  # the proof is no excuse for proving nothing


@pytest.mark.parametrize("claim", [N >= N // 2, N // 2 * 2 <= N, N % 3 < 3, (N + 1) // 2 >= 1,
                                   N + M >= 1, N * M <= 63, N != 0])
def test_what_must_be_proved(claim: object) -> None:
    assert claim is True


def test_without_a_trace_a_question_is_refused() -> None:
    with pytest.raises(TraceError, match=r"whether n >= 4 depends on the sizes of the call"):
        bool(N >= 4)


# --- asked in a trace --------------------------------------------------------------------------
def f(*shape: int) -> np.ndarray[Any, Any]:
    return np.arange(1, 1 + int(np.prod(shape)), dtype=np.float32).reshape(shape)


def grown(x: Any) -> Any:
    return x * 2 if x.shape[0] > 2 else x


def quarters(x: Any) -> Any:
    return x * 2 if x.shape[0] // 2 // 2 >= 2 else x


def halves(x: Any) -> Any:
    return x.view(x.shape[0] // 2, 2, 3).sum(1)


def even(x: Any) -> Any:
    return x + 1 if x.shape[0] % 2 == 0 else x


def not_four(x: Any) -> Any:
    return x + 1 if x.shape[0] == 4 else x


def something(x: Any) -> Any:
    return x if x.shape[0] else x + 1


def thirds(x: Any) -> Any:
    n = x.shape[0]
    return x.reshape(3, n // 3, 3) if n % 3 == 0 and n % 2 == 0 else x


#: A function of x: f32[n, 3], the example's n, what is recorded, sizes that fit and that do not.
ONE: list[tuple[Callable[[Any], Any], int, list[str], list[int], list[int]]] = [
    (grown, 5, ["n >= 3"], [3, 5, 64], [0, 1, 2, 65]),
    (grown, 2, ["n <= 2"], [0, 1, 2], [3, 64]),
    (quarters, 9, ["n >= 8"], [8, 9, 64], [0, 1, 4, 7]),
    (quarters, 7, ["n <= 7"], [0, 4, 7], [8, 64]),
    (halves, 4, ["n == 2 * n_2"], [0, 2, 4, 64], [1, 3, 63]),
    (even, 5, ["n == 2 * n_2 + 1"], [1, 5, 63], [0, 2, 64]),
    (not_four, 5, ["n != 4"], [0, 1, 3, 5, 64], [4]),
    (something, 5, ["n >= 1"], [1, 5, 64], [0]),
    (thirds, 6, ["n == 6 * n_3_2", "n_3 == 2 * n_3_2"], [0, 6, 12, 60], [3, 4, 8, 64]),
]


@pytest.mark.parametrize(("fn", "example", "recorded", "fits", "other"), ONE)
def test_a_size_is_held_to_what_was_asked(fn: Callable[[Any], Any], example: int,
                                          recorded: list[str], fits: list[int],
                                          other: list[int]) -> None:
    traced = trace_graph(fn, (eager.tensor(f(example, 3)),),
                         dynamic_shapes={"x": {0: jit.Dim("n", max=64)}})
    assert [str(r) for r in traced.graph.relations] == recorded
    assert all(r.place.startswith("test_relations.py:") for r in traced.graph.relations)
    read = same_text(traced)
    for n in fits:
        (out,), _ = interpret(read, [f(n, 3)])
        assert np.array_equal(out, fn(eager.tensor(f(n, 3))).numpy())
    for n in other:
        with pytest.raises(OpError, match=r"dim 0 is|the program is for n") as error:
            interpret(read, [f(n, 3)])
        if n <= 64:
            assert "(asked at test_relations.py:" in str(error.value)


def same_text(traced: Traced) -> Any:
    """The graph read back from its text, verified."""
    text = str(traced.graph)
    read = verify(parse_graph(text))
    assert str(read) == text
    return read


def added(x: Any, y: Any) -> Any:
    return x + y


def joined(x: Any, y: Any) -> Any:
    return eager.cat([x, y], 1)


def product(x: Any, y: Any) -> Any:
    return x.T @ y


def doubled(x: Any, y: Any) -> Any:
    return eager.cat([x, x]) + y


def placed(x: Any, y: Any) -> Any:
    table = eager.arange(20.0)[:, None]
    return table[x.shape[0]:x.shape[0] + y.shape[0]] + y


#: A function of x: f32[n, 3] and y: f32[m, 3], examples, what is recorded, pairs that (do not) fit.
Pairs = list[tuple[int, int]]
TWO: list[tuple[Callable[[Any, Any], Any], tuple[int, int], list[str], Pairs, Pairs]] = [
    (added, (4, 4), ["m == n"], [(0, 0), (1, 1), (7, 7)], [(4, 3), (1, 4), (4, 1)]),
    (joined, (1, 1), ["m == n"], [(0, 0), (1, 1), (7, 7)], [(4, 3), (0, 1)]),
    (product, (0, 0), ["m == n"], [(0, 0), (1, 1), (7, 7)], [(4, 3)]),
    (doubled, (2, 4), ["m == 2 * n"], [(0, 0), (1, 2), (7, 14)], [(2, 3), (4, 4)]),
    (placed, (2, 3), ["n <= 20", "n + m <= 20"], [(0, 0), (3, 1), (1, 19)], [(4, 17)]),
]


@pytest.mark.parametrize(("fn", "example", "recorded", "fits", "other"), TWO)
def test_dims_are_held_to_each_other(fn: Callable[[Any, Any], Any], example: tuple[int, int],
                                     recorded: list[str], fits: Pairs, other: Pairs) -> None:
    traced = trace_graph(fn, tuple(eager.tensor(f(n, 3)) for n in example),
                         dynamic_shapes={"x": {0: jit.Dim("n")}, "y": {0: jit.Dim("m")}})
    assert [str(r) for r in traced.graph.relations] == recorded
    consts = traced.graph.consts
    read = parse_graph(str(traced.graph), [c for c in consts if c.array.ndim])
    for n, m in fits:
        (out,), _ = interpret(read, [f(n, 3), f(m, 3)])
        assert np.array_equal(out, fn(eager.tensor(f(n, 3)), eager.tensor(f(m, 3))).numpy())
    for n, m in other:
        with pytest.raises(OpError, match=r"asked at test_relations.py:\d+"):
            interpret(read, [f(n, 3), f(m, 3)])


def alone(x: Any) -> Any:
    return x * 2 if x.shape[0] == 1 else x


def many(x: Any) -> Any:
    return x.sum(0) if x.shape[0] > 1 else x


def fixed(x: Any) -> Any:
    return x + eager.ones(4, 3)


@pytest.mark.parametrize(("fn", "example"), [(alone, 1), (many, 1), (many, 0), (fixed, 4)])
def test_a_program_for_the_example_alone_is_refused(fn: Callable[[Any], Any], example: int) -> None:
    with pytest.raises(TraceError, match=r"test_relations.py:\d+ .*where n is \d.*declare it "
                                         r"static"):
        trace_graph(fn, (eager.zeros(example, 3),), dynamic_shapes={"x": {0: jit.Dim("n")}})


def test_relations_that_the_function_hides_are_found_all_the_same() -> None:
    def hidden(x: Any) -> Any:
        try:
            return x.view(x.shape[0] // 2, 2, 3)
        except Exception:
            return x

    graph = trace_graph(hidden, (eager.zeros(4, 3),), dynamic_shapes={"x": {0: "n"}}).graph
    assert [str(r) for r in graph.relations] == ["n == 2 * n_2"]


def test_compiled_programs_hold_to_them() -> None:
    program = jit.trace(lambda x, y: grown(x) + y, (eager.zeros(5, 3), eager.zeros(5, 3)),
                        dynamic_shapes={"x": {0: "n"}, "y": {0: "m"}})
    assert np.array_equal(program(eager.tensor(f(4, 3)), eager.ones(4, 3)).numpy(), f(4, 3) * 2 + 1)
    assert all(implied(r, program.layout.dims) for r in program.layout.relations)
    with pytest.raises(OpError, match=r"for n >= 3 \(asked at test_relations.py:\d+ .*n = 2"):
        program(eager.zeros(2, 3), eager.zeros(2, 3))
    with pytest.raises(OpError, match=r"'n' is 4 in an earlier argument; m == n \(asked at"):
        program(eager.zeros(4, 3), eager.zeros(3, 3))


def test_a_relation_that_ranges_do_not_imply_is_checked_at_every_call() -> None:
    program = jit.trace(not_four, (eager.zeros(5, 3),), dynamic_shapes={"x": {0: "n"}})
    for n in (5, 5, 3, 0):
        assert program(eager.zeros(n, 3)).shape == (n, 3)
    with pytest.raises(OpError, match=r"for n != 4"):
        program(eager.zeros(4, 3))


def test_rules_of_a_graph_are_data() -> None:
    graph = trace_graph(halves, (eager.zeros(4, 3),), dynamic_shapes={"x": {0: "n"}}).graph
    (rule,) = rules_of(graph)
    assert (rule.left, rule.op, rule.right) == ("n", "==", ["*", 2, "n_2"])
    assert implied(rule, ranges_of(graph))
