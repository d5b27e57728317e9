"""What a graph becomes: which kernels, which memory, and in which order state is written."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import eager
import jit
from eager import nn
from eager.engine.tensor import Tensor
from eager.nn import functional as F
from jit.kernels.steps import Kernel
from jit.lowering import Module, lower
from jit.passes import run
from jit.passes.spelling import SUFFIX
from jit.tracer import trace_graph
from tests.replay import close

rng = np.random.default_rng(0)


def floats(*shape: int) -> Tensor:
    return Tensor(rng.standard_normal(shape).astype(np.float32))


def module_of(fn: Callable[..., Any], *shapes: tuple[Any, ...], **settings: Any) -> Module:
    return lower(run(trace_graph(fn, [floats(*s) for s in shapes], **settings).graph))


def called(module: Module) -> list[str]:
    """The functions that the driver calls, in order, without the hashes of kernels."""
    found = re.findall(r"^ +(?:fork_)?(\w+)\(", module.driver, re.M)
    return [re.sub(r"_[0-9a-f]{8}$", "", name) for name in found]


# --- kernels -----------------------------------------------------------------------------------
def test_a_chain_is_one_kernel_that_keeps_nothing() -> None:
    module = module_of(lambda x, y: ((x * y + 1).tanh() * x).relu(), (3, 4), (3, 4))
    assert len(module.kernels) == 1 and module.layout.arena == 0
    assert module.kernels[0].source.count("[") == 4  # x, y, x again, the result


def test_a_softmax_is_one_kernel() -> None:
    assert len(module_of(lambda x: x.softmax(-1), (5, 9)).kernels) == 1
    assert len(module_of(lambda x: F.layer_norm(x * 2, (9,)), (5, 9)).kernels) == 1


def test_equal_work_shares_a_kernel() -> None:
    def fn(x: Tensor, y: Tensor) -> Any:
        return x.sum(0), y.sum(0), (x.sum(0) * y.sum(0)).sum()

    module = module_of(fn, (4, 300), (4, 300))
    assert called(module).count("sum") == 2
    assert len([k for k in module.kernels if k.name.startswith("sum")]) == 1


def test_comments_name_places_but_not_kernels() -> None:
    def one(x: Tensor) -> Tensor:
        return x.exp() * 2

    def other(x: Tensor) -> Tensor:
        return x.exp() * 2

    a, b = module_of(one, (4,)), module_of(other, (4,))
    assert [k.name for k in a.kernels] == [k.name for k in b.kernels]
    assert a.kernels[0].source != b.kernels[0].source and "test_lowering.py" in str(a.kernels[0])


def test_bias_and_relu_go_into_the_product() -> None:
    model = nn.Sequential(nn.Linear(6, 33), nn.ReLU(), nn.Linear(33, 2))
    module = module_of(model, (4, 6))
    assert called(module) == ["gemm", "gemm"] and not module.kernels
    assert [w.packing for w in module.layout.weights] == ["panels", "row"] * 2


def test_a_product_that_others_see_is_kept() -> None:
    weight, bias = floats(6, 4), floats(4)

    def fn(x: Tensor) -> Any:
        y = x @ weight
        return y, (y + bias).relu()

    assert len(module_of(fn, (3, 6)).kernels) == 1


def test_views_cost_no_kernel() -> None:
    def fn(x: Tensor) -> Tensor:
        return (x.transpose(0, 1).reshape(-1)[2:].flip(0) * 2 + x.flatten()[2:])

    assert len(module_of(fn, (3, 4)).kernels) == 1
    assert called(module_of(lambda x: x.T @ x.T.T, (3, 4)))[-1] == "gemm"


# --- names -------------------------------------------------------------------------------------
def assigned(kernel: Kernel) -> set[str]:
    """Every name that a kernel binds itself: what is not a size that it is given."""
    tree = ast.parse(kernel.source)
    names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(
        n.ctx, ast.Store)}
    names |= {a.arg for n in ast.walk(tree) if isinstance(n, ast.arguments) for a in n.args}
    return names - set(kernel.sizes)


def many(x: Tensor, y: Tensor) -> Any:
    n = x.shape[0]
    columns = x.argmax(1)
    return (x + x.sum(0), x @ y.transpose(0, 1)[:5, :3], x.softmax(0), x.mean(), n * x[:, :1],
            eager.cat([x, x * 2], 0), x.gather(1, columns[:, None]), eager.arange(n) * 2,
            eager.zeros(n, 5).scatter_add(1, columns[:, None], x[:, :1]), F.pad(x, (1, 1, 2, 0)),
            y.sum(0), x.flip(0), x.double() @ x.double().T, eager.tril(x), x.index_select(
                1, columns), (x > 0).any(0), x.amax((0, 1)), eager.stack([x, x], 1) @ y[:5, :2])


def dynamic(*names: str) -> dict[str, Any]:
    return {"x": {0: jit.Dim(names[0], min=1)}, "y": {1: jit.Dim(names[1], min=8)}}


def test_kernels_bind_no_name_like_a_dims() -> None:
    module = module_of(many, (6, 5), (5, 9), dynamic_shapes=dynamic("n", "m"))
    assert len(module.kernels) > 15
    for kernel in module.kernels:
        assert not any(name.endswith(SUFFIX) for name in assigned(kernel)), kernel.name
        assert all(s.endswith(SUFFIX) for s in kernel.sizes if s in ("n_size", "m_size"))
    assert [d.name for d in module.layout.dims] == ["n", "m"]
    assert [p.shape for p in module.layout.inputs] == [("n", 5), (5, "m")]
    assert SUFFIX not in str(module.layout.arena)


@pytest.mark.parametrize("names", [("lo", "i0"), ("row", "m0"), ("rest", "lambda")])
def test_a_dim_may_have_any_name(names: tuple[str, str]) -> None:
    program = jit.trace(several, (floats(4, 5), floats(5, 9)), dynamic_shapes=dynamic(*names))
    for n, m in ((1, 8), (70, 20)):
        x, y = floats(n, 5), floats(5, m)
        close(program(x, y), several(x, y), 1e-5, 1e-5)


def several(x: Tensor, y: Tensor) -> Any:
    return x + x.sum(0), x @ y, eager.cat([x, x], 0), x.sum(1).exp() * x.shape[0], y.T.softmax(0)


# --- state -------------------------------------------------------------------------------------
def _twice(m: Tensor, x: Tensor) -> Any:
    y = x * m
    m.add_(1)
    z = y + m
    m.mul_(z)
    return y, z


def _old_and_new(m: Tensor, x: Tensor) -> Any:
    old = m.clone()
    m.copy_(x)
    return old, old.T, m, m * x


def _rows(m: Tensor, x: Tensor) -> Any:
    m[1].add_(m[0])
    m[:, 2] = x[0]
    return m.sum(0)


UPDATES: dict[str, Callable[[Tensor, Tensor], Any]] = {
    "replaced": lambda m, x: m.copy_(x), "scaled": lambda m, x: m.mul_(0.5).add_(x),
    "turned": lambda m, x: m.copy_(m.T), "with its transpose": lambda m, x: m.add_(m.T),
    "flipped": lambda m, x: m.copy_(m.flip(0)), "product": lambda m, x: m.copy_(m @ x * 0.5),
    "rows' sums": lambda m, x: m.add_(m.sum(1, True)), "softmax": lambda m, x: m.copy_(
        (m + x).softmax(1)), "columns' sums": lambda m, x: m.sub_(m.mean(0)),
    "column by column": lambda m, x: m.copy_((m * x).sum(0).expand(4, -1)),
    "twice": _twice, "old and new": _old_and_new, "rows": _rows, "zero": lambda m, x: m.zero_(),
    "through a view": lambda m, x: m.t().add_(x), "shifted": lambda m, x: m.copy_(m.roll(1, 0) + m),
    "first row": lambda m, x: m.add_(m[:1]), "itself": lambda m, x: m.copy_(m),
    "rank one": lambda m, x: m.add_(x[:, :1] @ m[:1]), "cumulative": lambda m, x: m.copy_(
        eager.cat([m[1:], x[:1]], 0)), "branches": lambda m, x: m.copy_(jit.cond(
            m.sum() > 0, lambda: m - x, lambda: m.T + x)),
    "written in a branch": lambda m, x: jit.cond(m[0, 0] > 0, lambda: m.sub_(0.5).sum(),
                                                 lambda: m.add_(m.T).mean()),
}


def test_state_is_written_as_eagerly() -> None:
    """One program with a state for every way to write it, called again and again."""
    mine, its = ({name: floats(4, 4) for name in UPDATES} for _ in range(2))
    for name in UPDATES:
        its[name].copy_(mine[name])

    def step(states: dict[str, Tensor], x: Tensor) -> Any:
        return {name: f(states[name], x) for name, f in UPDATES.items()}

    program = jit.trace(lambda x: step(its, x), (floats(4, 4),))
    for _ in range(4):
        x = floats(4, 4)
        got, want = program(x), step(mine, x)
        for name in UPDATES:
            close((name, its[name], got[name]), (name, mine[name], want[name]), 1e-5, 1e-5)


def test_two_states_that_read_each_other() -> None:
    mine, its = ([floats(3, 3), floats(3, 3)] for _ in range(2))
    for a, b in zip(mine, its, strict=True):
        b.copy_(a)

    def step(states: list[Tensor], x: Tensor) -> Tensor:
        a, b = states
        old = a * 1
        a.copy_(b * x)
        b.copy_(old - x)
        a.add_(b)
        return old

    program = jit.trace(lambda x: step(its, x), (floats(3, 3),))
    for _ in range(3):
        x = floats(3, 3)
        close(program(x), step(mine, x))
        close(its, mine)


def test_pointwise_updates_are_made_in_place() -> None:
    state = floats(64, 64)

    def fn(x: Tensor) -> Tensor:
        state.mul_(0.9).add_(x)
        return x * state

    module = module_of(fn, (64, 64))
    assert "copy_bytes" not in module.driver and module.layout.arena == 0
    assert any(k.aliases for k in module.kernels)


def test_an_update_that_looks_elsewhere_is_copied() -> None:
    state = floats(64, 64)
    module = module_of(lambda x: state.add_(state.T).sum(), (64, 64))
    assert "copy_bytes" in module.driver


# --- weights -----------------------------------------------------------------------------------
def test_constants_of_the_graph_lie_in_the_weights() -> None:
    table = Tensor(np.ones((2, 3), np.float32))
    graph = trace_graph(lambda x: x + eager.tensor(table.numpy()), (floats(2, 3),)).graph
    (weight,) = lower(graph).layout.weights
    assert (weight.dtype, weight.shape, weight.offset) == ("f32", (2, 3), 0)
    assert lower(graph).layout.weights_size == 64


def test_places_name_what_can_fail() -> None:
    def fn(x: Tensor) -> Any:
        index = (x * 4).long()
        return x.gather(0, index), index // index

    ops = [p.op for p in module_of(fn, (5,)).layout.places]
    assert "gather" in ops and any("test_lowering.py" in p.location for p in module_of(
        fn, (5,)).layout.places)
