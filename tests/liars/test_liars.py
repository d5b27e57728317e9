"""Programs that tracers are known to get silently wrong: each is right, refused, or reported."""

from __future__ import annotations

import copy
import math
import random
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import eager
import jit
from eager import nn, optim
from eager.engine.tensor import Tensor
from eager.nn import functional as F
from eager.ops.errors import OpError, TraceError
from jit.report.findings import report
from jit.tracer import trace_graph
from tests.replay import Compiled, Replay, agrees

rng = np.random.default_rng(0)
GLOBAL = eager.tensor([1.0, 2.0, 3.0])
MEMO: dict[str, Tensor] = {}


def floats(*shape: int) -> Tensor:
    return Tensor(rng.standard_normal(shape).astype(np.float32))


# --- reads of data: refused, with the line and what to write instead ---------------------------
def _branches(x: Tensor) -> Any:
    return x if x.sum() > 0 else -x


def _swallows(x: Tensor) -> Any:
    try:
        return x * float(x.mean())
    except Exception:
        return x


READS: dict[str, Callable[[Tensor], Any]] = {
    "if": _branches,
    "and": lambda x: x.sum() > 0 and x,
    "not": lambda x: not x.any(),
    "float": lambda x: x * float(x.mean()),
    "int": lambda x: eager.zeros(int(x.sum())),
    "item": lambda x: x * x.max().item(),
    "tolist": lambda x: eager.tensor(x.tolist()),
    "numpy": lambda x: x + eager.from_numpy(np.sin(x.detach().numpy())),
    "asarray": lambda x: x * np.asarray(x.detach()).max(),
    "math": lambda x: x * math.sqrt(x.sum()),
    "max": lambda x: max(x),
    "sorted": lambda x: sorted(x)[0],
    "in": lambda x: x * (1.0 in x),
    "range": lambda x: sum(x[0] for _ in range(x.sum().long())),
    "index": lambda x: [1, 2, 3][x.argmax()],
    "mask": lambda x: x[x > 0],
    "permutation": lambda x: x[eager.randperm(3)],
    "tensor of tensors": lambda x: eager.tensor([x[0], x[1]]),
    "copy": lambda x: copy.deepcopy(x) + 1,
    "allclose": lambda x: x if eager.allclose(x, x * 2) else -x,
    "swallowed": _swallows,
}


@pytest.mark.parametrize("name", READS)
def test_a_read_of_data_is_refused(name: str) -> None:
    with pytest.raises((TraceError, OpError)) as refused:
        trace_graph(READS[name], (floats(3),))
    assert isinstance(refused.value, TraceError) and "test_liars.py:" in str(refused.value)


SIZES: dict[str, Callable[[Tensor], Any]] = {
    "range": lambda x: sum(x[i] for i in range(x.shape[0])),
    "len": lambda x: x / len(x),
    "iteration": lambda x: sum(x),
    "equality": lambda x: x if x.shape[0] == 3 else -x,
    "numpy": lambda x: x + np.ones(x.shape[0]),
}


@pytest.mark.parametrize("name", SIZES)
def test_a_dynamic_size_is_not_baked(name: str) -> None:
    with pytest.raises(TraceError):
        trace_graph(SIZES[name], (floats(3),), dynamic_shapes={"x": {0: jit.Dim("n")}})


# --- what the arguments do not hold: refused ---------------------------------------------------
def _memoised(x: Tensor) -> Tensor:
    if "scale" not in MEMO:
        MEMO["scale"] = x.abs().max()
    return x / MEMO["scale"]


def _counting() -> Callable[[Tensor], Tensor]:
    calls: list[int] = []

    def fn(x: Tensor) -> Tensor:
        calls.append(1)
        return x * len(calls)

    return fn


def _replacing() -> Callable[[Tensor], Tensor]:
    held = [eager.zeros(3)]

    def fn(x: Tensor) -> Tensor:
        held[0] = held[0] + x
        return held[0]

    return fn


def _generated() -> Callable[[Tensor], Tensor]:
    values = iter(range(100))
    return lambda x: x * next(values)


UNSTEADY: dict[str, Callable[[Tensor], Any]] = {
    "memo": _memoised,
    "counter": _counting(),
    "iterator": _generated(),
    "clock": lambda x: x * time.perf_counter(),
    "random": lambda x: x * random.random(),
    "numpy random": lambda x: x + np.random.standard_normal(3).astype(np.float32),
    "random branch": lambda x: x if next(COIN) else x.exp(),
    "clock in the result": lambda x: (x, time.perf_counter()),
}
COIN = iter([True, False] * 9)


@pytest.mark.parametrize("name", UNSTEADY)
def test_what_changes_from_call_to_call_is_refused(name: str) -> None:
    with pytest.raises(TraceError, match=r"same twice|from call to call|random num|a clock"):
        trace_graph(UNSTEADY[name], (floats(3),))


def test_a_tensor_kept_after_the_trace_says_so() -> None:
    kept: list[Tensor] = []

    def keeps() -> Any:
        while True:
            kept.append((yield))

    keeper = keeps()
    next(keeper)
    trace_graph(lambda x: keeper.send(x + 1), (floats(3),))
    for use in (lambda t: t + 1, lambda t: t.sum(), lambda t: t.numpy(), float, lambda t: t[0]):
        with pytest.raises(TraceError, match="must not be kept after it"):
            use(kept[0])


def test_a_schedule_in_the_step_is_refused() -> None:
    model = nn.Linear(3, 1)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    schedule = optim.lr_scheduler.StepLR(optimizer, 1, 0.5)

    def step(x: Tensor) -> None:
        model(x).sum().backward()
        optimizer.step()
        schedule.step()

    with pytest.raises(TraceError, match=r"call its step\(\) outside"):
        trace_graph(step, (floats(2, 3),))
    assert schedule.last_epoch == 0


# --- state and memory: right -------------------------------------------------------------------
def test_a_captured_tensor_is_live_and_may_be_written() -> None:
    agrees(lambda x: x + GLOBAL, (floats(3),))
    agrees(lambda x: GLOBAL.mul_(2.0) + x, *[(floats(3),) for _ in range(3)])


def test_a_tensor_made_in_the_function_starts_anew_each_call() -> None:
    def fn(x: Tensor) -> Tensor:
        total, count = eager.tensor([0.0, 0.0, 0.0]), eager.zeros(())
        for _ in range(3):
            total.add_(x)
            count += 1
        return total / count

    agrees(fn, *[(floats(3),) for _ in range(3)])


class Running(nn.Module):
    """Keeps a mean in a buffer that it replaces, not writes."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", eager.zeros(3))
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.mean.copy_(self.mean * 0.9 + x * 0.1)
        return x - self.mean


def test_a_buffer_is_state_and_a_counter_is_reported() -> None:
    model = Running()
    assert "changes Running.calls" in report(agrees(model, *[(floats(3),) for _ in range(3)]))


def test_a_buffer_that_is_replaced_is_written() -> None:
    class Replacing(Running):
        def forward(self, x: Tensor) -> Tensor:
            self.mean = self.mean * 0.9 + x * 0.1
            return x - self.mean

    traced = trace_graph(Replacing(), (floats(3),))
    assert [i.name for i, _ in traced.graph.updates] == ["mean"]


def test_the_train_flag_is_reported() -> None:
    model = nn.Sequential(nn.Dropout(0.5))
    assert "training is True" in report(agrees(model, (floats(3),), (floats(3),)))
    model.eval()
    traced = agrees(model, (floats(3),))
    assert "training is False" in report(traced) and traced.graph.nodes == ()


@pytest.mark.parametrize("run", [Replay, Compiled])
def test_dropout_and_seeds(run: Any) -> None:
    agrees(lambda x: F.dropout(x, 0.5) + eager.rand(3), *[(floats(3),) for _ in range(3)], run=run)

    def seeded(x: Tensor) -> Tensor:
        eager.manual_seed(7)
        return x + eager.randn(3)

    agrees(seeded, *[(floats(3),) for _ in range(2)], run=run)
    own = eager.Generator().manual_seed(3)
    agrees(lambda x: x + eager.rand(3, generator=own), *[(floats(3),) for _ in range(3)])


def _through_views(x: Tensor) -> Any:
    x.t()[0].mul_(2.0)
    x[1:].view(-1)[0] = 7.0
    row = x[0]
    x.add_(1.0)
    return row, x.sum(0)


def _through_copies(x: Tensor) -> Any:
    x.t().reshape(-1).add_(100.0)
    x.t().contiguous().add_(100.0)
    x[:, :2].flatten().add_(100.0)
    x.contiguous().mul_(2.0)
    x[1:].reshape(-1).add_(1.0)
    return x.sum()


def _through_detach(x: Tensor) -> Any:
    y = x.detach()
    x.data.mul_(3.0)
    y += 1.0
    return x.sum(), y


@pytest.mark.parametrize("run", [Replay, Compiled])
@pytest.mark.parametrize("fn", [_through_views, _through_copies, _through_detach])
def test_writes_reach_just_what_shares_memory(fn: Any, run: Any) -> None:
    agrees(fn, (floats(3, 3),), (floats(3, 3),), run=run)


@pytest.mark.parametrize("run", [Replay, Compiled])
def test_views_of_captured_tensors(run: Any) -> None:
    base = floats(3, 4)
    row, turned = base[1], base.t()

    def fn(x: Tensor) -> Any:
        before = row * 1.0
        base.add_(1.0)
        row.mul_(x)
        return before, row + x, turned.sum(1)

    agrees(fn, *[(floats(4),) for _ in range(3)], run=run)


def test_parameters_written_through_data() -> None:
    model = nn.Linear(3, 2)

    def fn(x: Tensor) -> Tensor:
        model.weight.data.mul_(0.5)
        return model(x)

    agrees(fn, *[(floats(4, 3),) for _ in range(3)])


def test_two_names_for_one_memory_are_refused_where_one_is_written() -> None:
    held = floats(3)
    other = held.detach()
    agrees(lambda x: held + other + x, (floats(3),))
    with pytest.raises(TraceError, match="shares memory with"):
        trace_graph(lambda x: held.add_(x) + other, (floats(3),))


def test_the_same_tensor_twice_is_reported() -> None:
    x = floats(3)
    assert "were the same tensor" in report(trace_graph(lambda a, b: a + b, (x, x)))


def test_tied_weights_are_one_parameter() -> None:
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    model = nn.Sequential(first, second)
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def step(x: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        optimizer.step()
        return loss

    traced = agrees(step, *[(floats(4, 3),) for _ in range(3)], rtol=1e-5, atol=1e-5)
    assert [i.name for i in traced.graph.inputs if i.role == "parameter"] == [
        "0.weight", "0.bias", "1.bias"]


def test_gradients_left_behind_are_reported() -> None:
    model = nn.Linear(3, 1)

    def fn(x: Tensor) -> None:
        model.zero_grad()
        model(x).sum().backward()

    traced = trace_graph(fn, (floats(2, 3),))
    assert "leaves a gradient in .grad of weight" in report(traced) and model.weight.grad is None


def test_requires_grad_is_put_back_and_reported() -> None:
    model = nn.Linear(3, 1)

    def fn(x: Tensor) -> Tensor:
        model.weight.requires_grad_(False)
        return model(x)

    assert "sets requires_grad of weight" in report(trace_graph(fn, (floats(2, 3),)))
    assert model.weight.requires_grad
