"""cond: eagerly a branch of Python, in a trace two regions; the same numbers and gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import eager
import jit
from eager import nn, optim
from eager.autograd import grad
from eager.engine.tensor import Tensor
from eager.nn import functional as F
from eager.ops.errors import TraceError
from jit.graph import walk
from jit.text import parse_graph
from jit.tracer import trace_graph
from tests.replay import Compiled, Replay, agrees

rng = np.random.default_rng(0)


def floats(*shape: int) -> Tensor:
    return Tensor(rng.standard_normal(shape).astype(np.float32))


def both(*shape: int, calls: int = 4) -> list[tuple[Tensor]]:
    """Arguments whose sums have both signs, in turn."""
    arrays = [floats(*shape).abs() for _ in range(calls)]
    return [(a if k % 2 else a.neg(),) for k, a in enumerate(arrays)]


def count(graph: Any, name: str) -> int:
    return sum(n.op.name == name for n in walk(graph))


# --- values ------------------------------------------------------------------------------------
def test_eagerly_only_the_branch_that_holds_runs() -> None:
    assert jit.cond(True, lambda: 1, lambda: 1 / 0) == 1
    assert jit.cond(eager.tensor(False), lambda x: 1 / 0, lambda x: x, (2,)) == 2


def test_a_branch_on_data() -> None:
    def fn(x: Tensor) -> Any:
        return jit.cond(x.sum() > 0, lambda a: {"y": (a * 2, 1.5)},
                        lambda a: {"y": (a.exp(), 1.5)}, (x,))

    traced = agrees(fn, *both(3))
    assert count(traced.graph, "cond") == 1
    assert str(parse_graph(str(traced.graph), [c.array for c in traced.graph.consts])) == str(
        traced.graph)


def test_values_from_outside_and_nesting() -> None:
    w = floats(3)

    def fn(x: Tensor) -> Tensor:
        y = x * 3

        def inner(a: Tensor) -> Tensor:
            return jit.cond((a * w).sum() > 0, lambda: a + y, lambda: a * w - x)

        return jit.cond(x.sum() > 0, inner, lambda a: a - y, (x + 1,))

    traced = agrees(fn, *both(3, calls=6))
    assert count(traced.graph, "cond") == 2


def test_a_dynamic_size_inside() -> None:
    def fn(x: Tensor) -> Tensor:
        return jit.cond(x.sum() > 0, lambda: x + x.shape[0], lambda: x.softmax(0))

    traced = trace_graph(fn, (floats(4),), dynamic_shapes={"x": {0: jit.Dim("n", min=1)}})
    assert str(traced.graph.outputs[0].type) == "f32[n]"


# --- state -------------------------------------------------------------------------------------
@pytest.mark.parametrize("run", [Replay, Compiled])
def test_state_is_written_only_by_the_branch_that_holds(run: Any) -> None:
    seen, total = eager.zeros(3), eager.zeros(())

    def fn(x: Tensor) -> Tensor:
        def keep() -> Tensor:
            seen.copy_(x)
            total.add_(x.sum())
            return total * 2

        return jit.cond(x.sum() > 0, keep, lambda: total.add_(1.0) * 1.0) + total

    agrees(fn, *both(3, calls=6), run=run)


def test_a_step_is_left_out_where_the_loss_is_too_large() -> None:
    model = nn.Linear(3, 1)
    optimizer = optim.Adam(model.parameters(), lr=0.1)

    def step(x: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = model(x).sum()
        loss.backward()
        jit.cond(loss < 0, optimizer.step, lambda: None)
        return loss

    agrees(step, *[(floats(4, 3),) for _ in range(8)], rtol=1e-5, atol=1e-5)


def test_both_branches_draw_alike() -> None:
    def fn(x: Tensor) -> Tensor:
        y = jit.cond(x.sum() > 0, lambda: x + eager.rand(3), lambda: x - eager.rand(3))
        return y + eager.rand(3)

    agrees(fn, *both(3))


def test_a_batch_norm_in_a_branch_is_counted_once() -> None:
    norm = nn.BatchNorm1d(3)
    optimizer = optim.SGD(norm.parameters(), lr=0.1)

    def step(x: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = jit.cond(x.sum() > 0, lambda: (norm(x) ** 2 * x).sum(),
                        lambda: (x * norm.weight).sum())
        loss.backward()
        optimizer.step()
        return loss

    agrees(step, *both(4, 3, calls=6), rtol=1e-5, atol=1e-5)


def test_views_follow_what_a_branch_writes() -> None:
    base = floats(3, 3)
    row, column = base[1], base[:, 0]

    def fn(x: Tensor) -> Any:
        def first() -> Tensor:
            base.mul_(1.5)
            return x * 1.0

        def second() -> Tensor:
            column.add_(x)
            return row + x

        y = jit.cond(x.sum() > 0, first, second)
        return y, row + 1, column * 1.0, base[2]

    agrees(fn, *both(3, calls=6), rtol=1e-5)


# --- gradients ---------------------------------------------------------------------------------
def gradients(true: Callable[..., Any], false: Callable[..., Any], w: Tensor) -> Any:
    def fn(x: Tensor) -> Any:
        y = jit.cond(x.sum() > 0, true, false, (x, w))
        return y, grad((y * y + w).sum(), [w])[0]

    return fn


@pytest.mark.parametrize("run", [Replay, Compiled])
def test_gradients_recompute_the_branch(run: Any) -> None:
    w = nn.Parameter(floats(3))
    traced = agrees(gradients(lambda x, w: (x * w).tanh(), lambda x, w: w.exp() - x, w), *both(3),
                    run=run)
    assert count(traced.graph, "cond") == 2


def test_no_gradient_flows_where_a_branch_does_not_use_a_tensor() -> None:
    w = nn.Parameter(floats(3))
    agrees(gradients(lambda x, w: x * w, lambda x, w: x * 1.0, w), *both(3))


def test_gradients_through_what_came_before_and_several_results() -> None:
    w = nn.Parameter(floats(3))

    def fn(x: Tensor) -> Any:
        h = (x * w).tanh()
        a, b = jit.cond(x.sum() > 0, lambda h: (h * w, h.exp()), lambda h: (h + 1, h.sin()), (h,))
        return grad((a * b).sum(), [w])[0]

    agrees(fn, *both(3))


def test_gradients_of_gradients() -> None:
    w = nn.Parameter(floats(3))

    def fn(x: Tensor) -> Any:
        y = jit.cond(x.sum() > 0, lambda: (x * w ** 3).sum(), lambda: (w.exp() * x).sum())
        first, = grad(y, [w], create_graph=True)
        return grad((first * first).sum(), [w])[0]

    agrees(fn, *both(3), rtol=1e-5)


def test_gradients_of_nested_branches() -> None:
    w = nn.Parameter(floats(3))

    def inner(x: Tensor, w: Tensor) -> Tensor:
        return jit.cond(w.sum() > 0, lambda: x * w, lambda: x * w ** 2)

    agrees(gradients(inner, lambda x, w: -w, w), *both(3))


def test_dropout_in_a_branch_has_the_same_mask_on_the_way_back() -> None:
    w = nn.Parameter(floats(64))
    agrees(gradients(lambda x, w: F.dropout(w, 0.5) * x, lambda x, w: F.dropout(w, 0.2), w),
           *both(64))


def test_a_write_after_the_branch_does_not_change_its_gradient() -> None:
    w, scale = nn.Parameter(floats(3)), eager.ones(3)

    def fn(x: Tensor) -> Any:
        flag = x.sum() > 0
        y = jit.cond(flag, lambda: (w * scale.clone()).sum(), lambda: (w.sin() * x).sum())
        flag.fill_(False)
        scale.mul_(2.0)
        return grad(y, [w])[0]

    agrees(fn, *both(3))


def test_a_gradient_inside_a_branch() -> None:
    w = nn.Parameter(floats(3))

    def fn(x: Tensor) -> Any:
        return jit.cond(x.sum() > 0, lambda: grad((w ** 3 * x).sum(), [w])[0], lambda: w.detach())

    agrees(fn, *both(3))


# --- refusals ----------------------------------------------------------------------------------
@pytest.mark.parametrize(("true", "false", "words"), [
    (lambda x: x, lambda x: (x,), "a leaf against a tuple"),
    (lambda x: {"a": x}, lambda x: {"b": x}, r"keys \['a'\] against \['b'\]"),
    (lambda x: x, lambda x: x.sum(), r"result 0 of cond is f32\[3\].*f32\[\]"),
    (lambda x: x, lambda x: x.double(), r"f32\[3\].*f64\[3\]"),
    (lambda x: 1, lambda x: 2, "1 against 2"),
    (lambda x: x + eager.rand(3), lambda x: x, "random"),
    (lambda x: x * float(x.sum()), lambda x: x, "float"),
])
def test_branches_that_do_not_fit_are_refused(true: Any, false: Any, words: str) -> None:
    with pytest.raises(TraceError, match=words) as refused:
        trace_graph(lambda x: jit.cond(x.sum() > 0, true, false, (x,)), (floats(3),))
    assert "test_control.py:" in str(refused.value)


def test_a_predicate_is_a_bool_of_no_dims() -> None:
    with pytest.raises(TraceError, match="the predicate of cond is a bool"):
        trace_graph(lambda x: jit.cond(x > 0, lambda: x, lambda: x), (floats(3),))
    with pytest.raises(TraceError, match="the predicate of cond is a bool"):
        trace_graph(lambda x: jit.cond(x.sum(), lambda: x, lambda: x), (floats(3),))


def test_backward_in_a_branch_is_refused() -> None:
    w = nn.Parameter(floats(3))

    def fn(x: Tensor) -> None:
        jit.cond(x.sum() > 0, lambda: (x * w).sum().backward(), lambda: None)

    with pytest.raises(TraceError, match=r"sets \.grad"):
        trace_graph(fn, (floats(3),))
    assert w.grad is None


def test_a_write_in_a_branch_that_gradients_would_miss_is_refused() -> None:
    w = nn.Parameter(floats(3))

    def fn(x: Tensor) -> Any:
        h = x * w
        jit.cond(x.sum() > 0, lambda: h.mul_(2.0), lambda: h.mul_(3.0))
        return grad(h.sum(), [w])[0]

    with pytest.raises(TraceError, match="return the new value"):
        trace_graph(fn, (floats(3),))


def test_a_tensor_may_not_leave_a_branch_by_the_back_door() -> None:
    def fn(x: Tensor) -> Any:
        kept = []
        jit.cond(x.sum() > 0, lambda: kept.append(x * 2), lambda: None)
        return kept[0] + 1

    with pytest.raises(TraceError, match="in a branch of cond, and kept"):
        trace_graph(fn, (floats(3),))
