"""scan, map and while_loop are the loops of Python that they say they are: values, gradients of
first and second order, state and random streams; eagerly, traced, compiled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import eager
import jit
from eager import nn
from eager.autograd import grad
from eager.engine.tensor import Tensor
from eager.nn import functional as F
from eager.ops.errors import TraceError
from jit.report.source import code_of
from jit.text import arrays_beside, parse_graph
from jit.tracer import trace_graph
from tests.replay import Compiled, Replay, agrees, close

rng = np.random.default_rng(0)


def doubles(*shape: int) -> Tensor:
    return Tensor(rng.standard_normal(shape))


W = nn.Parameter(doubles(3, 3))
B = doubles(3)


def cell(carry: Any, x: Tensor) -> Any:
    """A recurrent cell that counts."""
    h = (carry["h"] @ W + x + B.sin()).tanh()
    return {"h": h, "n": carry["n"] + 1}, (h * 2, carry["n"])


def unrolled(f: Callable[..., Any], carry: Any, xs: Tensor, reverse: bool = False) -> Any:
    """What scan stands for."""
    kept = []
    for t in reversed(range(xs.shape[0])) if reverse else range(xs.shape[0]):
        carry, y = f(carry, xs[t])
        kept.append(y)
    kept = kept[::-1] if reverse else kept
    return carry, tuple(eager.stack(list(column)) for column in zip(*kept, strict=True))


def start(h: Tensor) -> Any:
    return {"h": h, "n": eager.tensor(0)}


# --- values ------------------------------------------------------------------------------------
@pytest.mark.parametrize("reverse", [False, True])
def test_a_scan_is_the_loop_unrolled(reverse: bool) -> None:
    def fn(xs: Tensor, h: Tensor) -> Any:
        return jit.scan(cell, {"h": h, "n": 0}, xs, reverse=reverse)

    xs, h = doubles(5, 3), doubles(3)
    close(fn(xs, h), unrolled(cell, start(h), xs, reverse), 1e-12)
    traced = agrees(fn, (xs, h))
    assert [n.op.name for n in traced.graph.nodes].count("scan") == 1
    text = str(traced.graph)
    assert str(parse_graph(text, [c.array for c in arrays_beside(traced.graph)])) == text


def newton(x: Tensor) -> Any:
    """Square roots of 2, from a start, and the number of rounds."""
    def far(carry: Any) -> Tensor:
        return ((carry[0] * carry[0] - 2).abs() > 1e-9).any()

    return jit.while_loop(far, lambda c: (c[0] - (c[0] * c[0] - 2) / (2 * c[0]), c[1] + 1), (x, 0))


def test_newton_goes_on_as_long_as_it_has_to() -> None:
    close(newton(eager.tensor([1.0, 3.0], dtype=eager.float64))[0], np.full(2, 2 ** 0.5))
    traced = agrees(newton, *[(doubles(3).abs() + 0.1,) for _ in range(4)])
    text = str(traced.graph)
    assert str(parse_graph(text)) == text


@pytest.mark.parametrize("steps", [0, 1, 5])
def test_a_while_loop_stops_at_its_most_steps(steps: int) -> None:
    def fn(x: Tensor) -> Any:
        return jit.while_loop(lambda c: c.sum() < 100, lambda c: c * 2, x, max_steps=steps)

    agrees(fn, (doubles(3).abs() + 0.1,), (doubles(3).abs() + 100,))


def test_map_is_a_scan_without_carry() -> None:
    def fn(xs: Any) -> Any:
        return jit.map(lambda x: {"s": x["a"].sum() * x["b"], "k": x["a"]}, xs)

    agrees(fn, ({"a": doubles(4, 3), "b": doubles(4)},))


@pytest.mark.parametrize("run", [Replay, Compiled])
def test_any_length_zero_and_one_among_them(run: Any) -> None:
    def fn(xs: Tensor, h: Tensor) -> Any:
        return jit.scan(cell, {"h": h, "n": 0}, xs)

    calls = [(doubles(n, 3), doubles(3)) for n in (4, 0, 1, 7)]
    agrees(fn, *calls, run=run, dynamic_shapes={"xs": {0: jit.Dim("n")}})


def test_a_number_of_steps_without_items() -> None:
    agrees(lambda x: jit.scan(lambda c, _: (c * 2, c.sum()), x, length=3), (doubles(2),))


def nested(x: Tensor) -> Tensor:
    """A scan in a while in a branch."""
    def rounds() -> Tensor:
        def once(carry: Any) -> Any:
            h, k = carry
            total, ys = jit.scan(lambda c, row: (c + row * h, (c * row).sum()), h, W)
            return total / (1 + total.abs().max()) + ys, k + 1

        return jit.while_loop(lambda c: c[1] < 3, once, (x, 0))[0]

    return jit.cond(x.sum() > 0, rounds, lambda: x * 2)


@pytest.mark.parametrize("run", [Replay, Compiled])
def test_loops_nest_in_each_other_and_in_branches(run: Any) -> None:
    x = doubles(3).abs()
    agrees(nested, (x,), (-x,), run=run)


def test_carries_that_change_places() -> None:
    def fn(x: Tensor, y: Tensor) -> Any:
        return jit.scan(lambda c, _: ((c[1], c[0], c[2]), c[0]), (x, y, x), length=3)

    agrees(fn, (doubles(2), doubles(2)), run=Compiled)


# --- gradients ---------------------------------------------------------------------------------
def energy(carry: Any, ys: Any) -> Tensor:
    return (ys[0] * ys[0]).sum() + carry["h"].sin().sum()


def slopes(loop: Callable[..., Any], second: bool) -> Callable[..., Any]:
    """Gradients of a scan's energy by what it is made of, through what came before it."""
    def fn(xs: Tensor, h: Tensor) -> Any:
        xs, h = xs * W, (h * W[0]).sin()
        first = grad(energy(*loop(cell, start(h), xs)), [W, xs, h], create_graph=second)
        if not second:
            return first
        return grad(sum((g * g).sum() for g in first), [W])[0]

    return fn


@pytest.mark.parametrize("second", [False, True])
def test_gradients_are_those_of_the_loop_unrolled(second: bool) -> None:
    fn = slopes(jit.scan, second)
    args = doubles(3, 3), doubles(3)
    close(fn(*args), slopes(unrolled, second)(*args), 1e-9, 1e-9)
    agrees(fn, args, rtol=1e-9, atol=1e-9)


def test_gradients_compiled() -> None:
    agrees(slopes(jit.scan, False), *[(doubles(3, 3), doubles(3)) for _ in range(2)], run=Compiled)


def growth(x: Tensor) -> Any:
    x = x * W[0]
    y, k = jit.while_loop(lambda c: c[0].abs().sum() < 50,
                          lambda c: (c[0] * (1 + W[1] * W[1]), c[1] + 1), (x, 0), max_steps=12)
    first = grad(y.sin().sum(), [W, x], create_graph=True)
    return y, k, first, grad(sum((g * g).sum() for g in first), [W])[0]


def test_gradients_of_a_while_loop_know_how_far_it_went() -> None:
    agrees(growth, *[(doubles(3) * scale,) for scale in (1, 10, 100)], rtol=1e-9, atol=1e-9)


def test_gradients_of_a_while_loop_without_an_end_are_refused() -> None:
    def fn(x: Tensor) -> Any:
        y = jit.while_loop(lambda c: c.sum() < 9, lambda c: c * (1 + W[0].abs()), x)
        return grad(y.sum(), [W])[0]

    with pytest.raises(TraceError, match=r"test_loops.py:\d+ fn: .*max_steps="):
        trace_graph(fn, (doubles(3),))
    assert fn(eager.ones(3, dtype=eager.float64)).shape == (3, 3)


def test_gradients_of_a_scan_in_a_scan_and_of_a_branch_in_one() -> None:
    def row(c: Tensor, x: Tensor) -> Any:
        inner, ys = jit.scan(lambda h, w: ((h * w).sin() + x, h.sum()), c, W)
        return jit.cond(inner.sum() > 0, lambda: inner * W[0], lambda: inner - c), ys

    def fn(xs: Tensor, h: Tensor) -> Any:
        xs = xs * W[1]
        last, ys = jit.scan(row, h, xs)
        return grad((ys * ys).sum() + last.sum(), [W, xs])

    agrees(fn, (doubles(4, 3), doubles(3)), rtol=1e-9, atol=1e-9)


def test_a_write_after_the_loop_does_not_change_its_gradient() -> None:
    scale = eager.ones(3, dtype=eager.float64)

    def fn(xs: Tensor) -> Any:
        xs = xs * 1.0
        last, _ = jit.scan(lambda c, x: (c * W[0] * scale.clone() + x, None), B, xs)
        scale.mul_(2.0)
        xs.mul_(3.0)
        return grad(last.sum(), [W])[0]

    agrees(fn, (doubles(4, 3),), (doubles(4, 3),))


# --- what a program says ------------------------------------------------------------------------
def test_loops_are_python_again() -> None:
    def fn(xs: Tensor, h: Tensor) -> Any:
        last, ys = jit.scan(cell, {"h": h, "n": 0}, xs, reverse=True)
        return newton(last["h"].abs() + 0.1), ys

    traced = trace_graph(fn, (doubles(4, 3), doubles(3)), dynamic_shapes={"xs": {0: jit.Dim("n")}})
    given = doubles(2, 3), doubles(3)
    run = code_of(traced.graph).function
    outputs, _ = run(*given, state={i.name: t for i, t in traced.state})
    (square, rounds), (y, n) = fn(*given)
    close(outputs, [square, rounds, y, n], 1e-12)


def test_a_loop_runs_in_the_driver_over_slices_in_place() -> None:
    program = jit.trace(lambda x, w: jit.scan(lambda c, a: ((c @ w).tanh() + a, c), x[0], x),
                        (eager.ones(6, 2, 3), eager.ones(3, 3)))
    lines = str(program.kernels).splitlines()
    loop = lines.index("    for t0 in range(6):")
    inside = [line for line in lines[loop + 1:] if line.startswith("        ")]
    assert any("fork_gemm(" in line for line in inside)
    assert any("at_f32(" in line and "t0)" in line for line in inside)
    assert not any("pack_panels" in line for line in inside)  # the same weights every round
    assert any("pack_panels" in line for line in lines[:loop])


# --- state and random streams ------------------------------------------------------------------
@pytest.mark.parametrize("run", [Replay, Compiled])
def test_state_that_is_written_is_carried(run: Any) -> None:
    seen, row = eager.zeros(2, 3), eager.zeros(())
    view = seen[1]

    def fn(xs: Tensor) -> Any:
        def step(c: Tensor, x: Tensor) -> Any:
            view.add_(x)
            row.add_(seen.sum())
            return c + view, seen.sum()

        return jit.scan(step, eager.zeros(3), xs), view * 1.0

    agrees(fn, *[(Tensor(rng.standard_normal((4, 3)).astype(np.float32)),) for _ in range(3)],
           run=run, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("run", [Replay, Compiled])
def test_draws_are_those_of_eager(run: Any) -> None:
    def fn(x: Tensor) -> Any:
        last, ys = jit.scan(lambda c, _: (c + eager.rand(3), eager.randn(2)), x, length=3)
        far, _ = jit.while_loop(lambda c: c[1] < x.sum(),
                                lambda c: (F.dropout(c[0], 0.5), c[1] + 1), (last, 0.0))
        return last, ys, far, eager.rand(2)

    agrees(fn, *[(eager.ones(3) * k,) for k in (0, 1, 2)], run=run)


def test_dropout_in_a_loop_has_the_same_masks_on_the_way_back() -> None:
    def fn(xs: Tensor) -> Any:
        last, _ = jit.scan(lambda c, x: (F.dropout(c * W[0] + x, 0.5), None), B, xs)
        return grad(last.sum(), [W])[0], eager.rand(2)

    agrees(fn, (doubles(6, 3),), (doubles(6, 3),))


def test_a_training_loop_inside_a_program() -> None:
    model = nn.Linear(3, 1)
    optimizer = eager.optim.Adam(model.parameters(), lr=0.1)

    def fn(xs: Tensor) -> Any:
        def step(_: None, x: Tensor) -> Any:
            loss = (model(x) ** 2).sum()
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            return None, loss

        optimizer.zero_grad()
        return jit.scan(step, None, xs)[1]

    agrees(fn, *[(Tensor(rng.standard_normal((4, 2, 3)).astype(np.float32)),) for _ in range(2)],
           rtol=1e-5, atol=1e-5)


def test_a_loop_ends_with_tensors_of_its_own() -> None:
    def fn(x: Tensor) -> Any:
        y = jit.while_loop(lambda c: c.sum() > 1e9, lambda c: c * 2, x)
        y.add_(1)
        return x, y

    agrees(fn, (doubles(3),))


# --- models ------------------------------------------------------------------------------------
def test_a_greedy_decoder_stops_at_the_end_token() -> None:
    table = nn.Embedding(7, 7)

    def fn(prompt: Tensor) -> Any:
        tokens = eager.zeros(6, dtype=eager.int64)

        def step(carry: Any) -> Any:
            tokens, last, k = carry
            best = table(last).argmax()
            return tokens.scatter(0, k.reshape(1), best.reshape(1)), best, k + 1

        return jit.while_loop(lambda c: (c[1] != 3) & (c[2] < 6), step, (tokens, prompt, 0))

    agrees(fn, *[(eager.tensor(k),) for k in range(7)], run=Compiled)


def test_a_selective_scan() -> None:
    a = -(doubles(4, 2).abs())

    def fn(x: Tensor, delta: Tensor, b: Tensor, c: Tensor) -> Tensor:
        def step(h: Tensor, now: Any) -> Any:
            x, d, b, c = now
            h = (d.unsqueeze(1) * a).exp() * h + (d * x).unsqueeze(1) * b
            return h, (h * c).sum(1)

        return jit.scan(step, eager.zeros(4, 2, dtype=eager.float64), (x, delta, b, c))[1]

    calls = [(doubles(n, 4), doubles(n, 4).abs(), doubles(n, 2), doubles(n, 2)) for n in (5, 1, 9)]
    dims = {name: {0: jit.Dim("time")} for name in ("x", "delta", "b", "c")}
    agrees(fn, *calls, run=Compiled, dynamic_shapes=dims)


# --- errors ------------------------------------------------------------------------------------
def test_an_index_out_of_range_in_a_loop_names_its_line() -> None:
    def fn(table: Tensor, at: Tensor) -> Any:
        return jit.scan(lambda c, k: (c + table.index_select(0, k.reshape(1))[0], None), B, at)[0]

    program = jit.trace(fn, (doubles(4, 3), eager.tensor([0, 1, 3])))
    with pytest.raises(Exception, match=r"test_loops.py:\d+"):
        program(doubles(4, 3), eager.tensor([0, 9, 3]))


@pytest.mark.parametrize(("loop", "words"), [
    (lambda x: jit.scan(lambda c, _: ({"a": c["a"], "b": c["b"].float()}, None),
                        {"a": x, "b": x}, length=2), r"carry\.b f32\[3\].*f64\[3\]"),
    (lambda x: jit.while_loop(lambda c: c[0].sum() >= 0, lambda c: (c[0], c[1].sum()), (x, x)),
     r"while_loop makes carry\[1\] f64\[\].*f64\[3\]"),
    (lambda x: jit.scan(lambda c, _: ((c, c), None), x, length=2), "another structure"),
    (lambda x: jit.scan(lambda c, _: c, x, length=2), r"returns \(carry, y\)"),
    (lambda x: jit.scan(lambda c, _: (c, None), x), "length="),
    (lambda x: jit.scan(lambda c, _: (c, None), x, (x, x[1:])), r"xs\[1\].*number of steps, 3"),
    (lambda x: jit.map(lambda y: y, x.sum()), "xs has none"),
])
def test_loops_that_do_not_fit_are_refused(loop: Any, words: str) -> None:
    for run in (loop, lambda x: trace_graph(loop, (x,))):
        with pytest.raises(TraceError, match=words) as refused:
            run(doubles(3).abs())
        assert "test_loops.py:" in str(refused.value)


@pytest.mark.parametrize(("loop", "words"), [
    (lambda x: jit.scan(lambda c, _: (c.add_(1), None), x, length=2), "what it is given"),
    (lambda x: jit.scan(lambda c, _: (c + B.add_(1), B), x, length=2), "also returns"),
    (lambda x: jit.scan(lambda c, _: (c + x.add_(1), None), x, length=2), "also is given"),
    (lambda x: jit.while_loop(lambda c: B.add_(1).sum() > 0, lambda c: c, x), "in the body"),
    (lambda x: jit.while_loop(lambda c: c > 0, lambda c: c, x), "bool tensor of no dims"),
    (lambda x: jit.while_loop(lambda c: c.sum().item() > 0, lambda c: c, x), "item"),
])
def test_what_a_trace_could_not_keep_is_refused(loop: Any, words: str) -> None:
    with pytest.raises(TraceError, match=words):
        trace_graph(loop, (doubles(3),))
