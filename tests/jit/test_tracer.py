"""Traced functions, interpreted call after call, do what the functions do, and leave no trace."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

import eager
import jit
from eager import nn, optim
from eager.engine.mode import MODE
from eager.engine.tensor import Tensor
from eager.nn import functional as F
from eager.ops.errors import OpError, TraceError
from eager.ops.types import F32, Type
from jit.report.findings import report
from jit.tracer import Traced, trace_graph
from tests.replay import Compiled, Replay, agrees, close

rng = np.random.default_rng(0)


def floats(*shape: int) -> Tensor:
    return Tensor(rng.standard_normal(shape).astype(np.float32))


def labels(n: int, classes: int) -> Tensor:
    return Tensor(rng.integers(0, classes, n))


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))


def convolutional() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(),
                         nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.25), nn.Linear(64, 3))


def training(model: nn.Module, optimizer: Any) -> Callable[[Tensor, Tensor], Tensor]:
    def step(x: Tensor, y: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def kinds(traced: Traced) -> list[tuple[str, str]]:
    return [(i.role, i.name) for i in traced.graph.inputs]


# --- inference ---------------------------------------------------------------------------------
def test_an_mlp() -> None:
    traced = agrees(mlp(), (floats(4, 8),), (floats(4, 8),))
    assert kinds(traced) == [("argument", "input"), ("parameter", "0.weight"),
                             ("parameter", "0.bias"), ("parameter", "2.weight"),
                             ("parameter", "2.bias")]
    assert traced.graph.updates == () and traced.graph.outputs[0].type == Type(F32, (4, 3))


def test_a_convolutional_net_in_evaluation_and_in_training() -> None:
    model = convolutional()
    model.train()
    traced = agrees(model, *[(floats(5, 1, 8, 8),) for _ in range(3)])
    assert {i.name for i, _ in traced.graph.updates} == {
        "1.running_mean", "1.running_var", "1.num_batches_tracked", "random stream"}
    model.eval()
    assert agrees(model, (floats(5, 1, 8, 8),), (floats(5, 1, 8, 8),)).graph.updates == ()


def test_parameters_are_live() -> None:
    model = nn.Linear(2, 2)
    traced = trace_graph(model, (floats(1, 2),))
    with eager.no_grad():
        model.weight.fill_(0.5)
    x = floats(1, 2)
    close(Replay(traced)(x), model(x))


# --- training ----------------------------------------------------------------------------------
OPTIMIZERS = {
    "sgd": lambda p: optim.SGD(p, lr=0.1),
    "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "adam": lambda p: optim.Adam(p, lr=1e-2),
    "adamw": lambda p: optim.AdamW(p, lr=1e-2, weight_decay=0.1),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_training_step(name: str) -> None:
    eager.manual_seed(0)
    model = convolutional()
    step = training(model, OPTIMIZERS[name](model.parameters()))
    batches = [(floats(5, 1, 8, 8), labels(5, 3)) for _ in range(4)]
    agrees(step, *batches, rtol=1e-5, atol=1e-5)


def test_a_step_that_was_trained_eagerly_before() -> None:
    model = mlp()
    step = training(model, optim.Adam(model.parameters()))
    step(floats(4, 8), labels(4, 3))
    agrees(step, *[(floats(4, 8), labels(4, 3)) for _ in range(3)], atol=1e-5)


def test_clipping_and_gradients_as_results() -> None:
    model = mlp()
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def step(x: Tensor) -> Any:
        optimizer.zero_grad()
        model(x).square().sum().backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return norm, [p.grad for p in model.parameters()]

    agrees(step, *[(floats(4, 8),) for _ in range(3)], rtol=1e-5, atol=1e-5)


def test_the_learning_rate_is_live() -> None:
    model = mlp()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    schedule = optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    traced = trace_graph(training(model, optimizer), (floats(4, 8), labels(4, 3)))
    assert ("optimizer", "group.0.lr") in kinds(traced)
    with pytest.raises(TraceError, match="outside of the traced function"):
        trace_graph(lambda x: schedule.step(), (floats(1),))


def test_gradients_that_were_there_are_added_to() -> None:
    model = nn.Linear(3, 1)

    def accumulate(x: Tensor) -> Tensor:
        loss = model(x).sum()
        loss.backward()
        return loss

    accumulate(floats(2, 3))
    held = model.weight.grad
    traced = agrees(accumulate, (floats(2, 3),), (floats(2, 3),))
    assert held is not None and ("buffer", "weight.grad") in kinds(traced)
    assert "adds to" in report(traced)


def test_a_compiled_training_step() -> None:
    model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3))
    model[0].bias.requires_grad_(False)  # its true gradient is 0: what moves it is rounding
    step = training(model, optim.Adam(model.parameters()))
    agrees(step, *[(floats(4, 8), labels(4, 3)) for _ in range(4)], run=Compiled, atol=1e-4)


# --- as found ----------------------------------------------------------------------------------
def _everything(model: nn.Module, optimizer: Any) -> Any:
    tensors = [t for of_one in (model, optimizer) for _, _, t in of_one.traced_state()]
    return ([(id(t), t._array.copy(), id(t.grad), t._node, t._needs, t._view, t._version)
             for t in tensors],
            copy.deepcopy(model.state_dict()), copy.deepcopy(optimizer.state_dict()),
            [dict(m.__dict__) for m in model.modules()],
            eager.engine.streams.default_generator.state._array.copy())


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(_equal, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_equal(v, b[k]) for k, v in a.items())
    if isinstance(a, (np.ndarray, Tensor)):
        x, y = (t._array if isinstance(t, Tensor) else t for t in (a, b))
        return bool(np.array_equal(x, y))
    return a is b or bool(a == b)


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("trained", [False, True])
def test_all_is_left_as_found(fails: bool, trained: bool) -> None:
    model = convolutional()
    optimizer = optim.Adam(model.parameters())
    inner = training(model, optimizer)
    if trained:
        inner(floats(5, 1, 8, 8), labels(5, 3))
    else:
        optimizer.init_state()
    found = _everything(model, optimizer)

    def step(x: Tensor, y: Tensor) -> Any:
        model.train()
        model.memo = inner(x, y)
        model.eval()
        return float(model.memo) if fails else model.memo

    if fails:
        with pytest.raises(TraceError, match="float"):
            trace_graph(step, (floats(5, 1, 8, 8), labels(5, 3)))
    else:
        trace_graph(step, (floats(5, 1, 8, 8), labels(5, 3)))
    assert _equal(found, _everything(model, optimizer))
    assert MODE.get().recorder is None
    inner(floats(5, 1, 8, 8), labels(5, 3))


def test_a_trace_of_a_training_step_is_quick() -> None:
    model = mlp()
    step = training(model, optim.Adam(model.parameters()))
    batch = floats(4, 8), labels(4, 3)
    traced, eagerly = [], []
    for _ in range(5):
        start = time.perf_counter()
        trace_graph(step, batch)
        traced.append(time.perf_counter() - start)
        start = time.perf_counter()
        step(*batch)
        eagerly.append(time.perf_counter() - start)
    assert min(traced) < 300 * min(eagerly)


# --- arguments and results ---------------------------------------------------------------------
class Pair(NamedTuple):
    left: Any
    right: Any


@dataclass
class Output:
    logits: Any
    loss: Any = None


def test_any_tree_goes_in_and_out() -> None:
    def fn(batch: Any, scale: float = 2.0, *rest: Any, flag: bool = False, **more: Any) -> Any:
        y = batch["x"].left * scale + rest[0]
        return {"out": Output(y, more["bias"][0] if flag else None), "n": 3, "pair": Pair(y, "s")}

    batch = {"x": Pair(floats(2), None)}
    traced = trace_graph(fn, (batch, 3.0, floats(2)), {"flag": True, "bias": [floats(2)]})
    assert [i.name for i in traced.graph.inputs] == ["batch.x.left", "rest[0]", "bias[0]"]
    assert [v.type for v in traced.graph.outputs] == [Type(F32, (2,))] * 3
    assert agrees(lambda a: fn(a, 1.0, a["x"].left), (batch,))


def test_arguments_written_in_place_are_updates() -> None:
    def fn(x: Tensor, y: Tensor) -> Tensor:
        x.add_(y)
        x[0] = 5.0
        x[1:].mul_(2.0)
        return x.sum()

    traced = agrees(fn, (floats(3), floats(3)), (floats(3), floats(3)))
    assert [i.name for i, _ in traced.graph.updates] == ["x"]


def test_a_function_and_an_argument_may_share_a_name_with_a_parameter() -> None:
    model = nn.Linear(3, 2)
    traced = agrees(lambda bias: model(bias), (floats(4, 3),))
    assert [i.name for i in traced.graph.inputs] == ["bias", "weight", "bias#2"]


def test_a_graph_knows_the_place_and_the_module_of_every_node() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Sequential(nn.Linear(2, 2))

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x) * 2

    nodes = trace_graph(Block(), (floats(1, 2),)).graph.nodes
    assert {n.location.file for n in nodes} == {"test_tracer.py"}
    assert {n.location.function for n in nodes} == {"forward"}
    scopes = [".".join(n.location.scope) for n in nodes]
    assert "inner.0" in scopes[0] and scopes[-1] == scopes[0].removesuffix("inner.0").rstrip(".")


# --- dynamic sizes -----------------------------------------------------------------------------
def test_dynamic_sizes_are_symbolic() -> None:
    batch = jit.Dim("batch", min=1, max=4096)

    def fn(input: Tensor) -> Any:
        return (input.reshape(input.shape[0] * 2, -1), input.mean(0),
                eager.zeros(input.shape[0], 2) + input.shape[0])

    traced = trace_graph(fn, (floats(4, 6),), dynamic_shapes={"input": {0: batch}})
    replay = Replay(traced)
    for n in (1, 2, 7):
        x = floats(n, 6)
        close(replay(x), fn(x))
    assert "batch in [1, 4096]" in report(traced)
    assert "f32[batch, 6]" in str(traced.graph)


def test_a_training_step_of_any_batch() -> None:
    model = mlp()
    step = training(model, optim.SGD(model.parameters(), lr=0.1))
    sizes = {"x": {0: jit.Dim("n", min=1)}, "y": {0: jit.Dim("n", min=1)}}
    replay = Replay(trace_graph(step, (floats(4, 8), labels(4, 3)), dynamic_shapes=sizes))
    for n in (1, 3, 9):
        batch = floats(n, 8), labels(n, 3)
        close(replay(*batch), step(*batch), atol=1e-5)


def _nested(x: Any, scale: int = 1) -> Any:
    return x["a"][0] + x["a"][1]


D = jit.Dim("n", min=2, max=8)


@pytest.mark.parametrize(("sizes", "words"), [
    ({"y": {0: D}}, "'y', which is no argument"),
    ({"x": {"a": [{2: D}]}}, "axis 2 is out of range"),
    ({"x": {"a": [{0: jit.Dim("n", max=3)}]}}, r"does not fit dynamic_shapes: .* in \[0, 3\]"),
    ({"x": {"a": [{0: D}, {0: jit.Dim("n", max=9)}]}}, "two different Dims"),
    ({"x": {"a": [{0: 4}]}}, "is a jit.Dim"),
    ({"x": {"a": 4}}, "axis: jit.Dim"),
    (({"a": [{0: D}]}, None, None), "3 entries"),
])
def test_wrong_dynamic_shapes_are_refused(sizes: Any, words: str) -> None:
    with pytest.raises(TraceError, match=words):
        trace_graph(_nested, ({"a": [floats(4, 2), floats(4, 2)]},), dynamic_shapes=sizes)


def test_nested_and_positional_dynamic_shapes() -> None:
    args = ({"a": [floats(4, 2), floats(4, 2)]},)
    for sizes in ({"x": {"a": [{0: D}, {0: D}]}}, ({"a": [{0: D}, {0: D}]},)):
        graph = trace_graph(_nested, args, dynamic_shapes=sizes).graph
        assert [str(i.type) for i in graph.inputs] == ["f32[n, 2]"] * 2
        assert graph.dims == (D,)


# --- words -------------------------------------------------------------------------------------
def test_a_wrong_op_says_where() -> None:
    with pytest.raises(OpError, match=r"matmul.*test_tracer.py:\d+ "):
        trace_graph(lambda x: x @ x, (floats(2, 3),))


def test_wrong_arguments_say_what_is_wanted() -> None:
    with pytest.raises(TraceError, match="write \\(x,\\) for one"):
        trace_graph(mlp(), floats(4, 8))  # type: ignore[arg-type]
    with pytest.raises(TraceError, match="does not fit the function"):
        trace_graph(mlp(), (floats(4, 8), 1))
    with pytest.raises(TraceError, match="named in state="):
        trace_graph(lambda m, x: m(x), (mlp(), floats(4, 8)))


def test_a_trace_inside_a_trace_is_refused() -> None:
    model = mlp()
    with pytest.raises(TraceError, match="already going on"):
        trace_graph(lambda x: trace_graph(model, (x,)), (floats(4, 8),))


def test_a_traced_tensor_prints_its_type() -> None:
    def fn(x: Tensor) -> str:
        return repr(x)

    traced = trace_graph(fn, (floats(2, 64),), dynamic_shapes={"x": {0: jit.Dim("batch")}})
    assert traced.out_spec.value == "tensor(traced, f32[batch, 64])"


def test_the_report_names_everything() -> None:
    model = convolutional()
    beside = floats(3)

    def fn(x: Tensor) -> Any:
        model.count = 1
        return model(x) + beside + eager.tensor([1.0, 2.0, 3.0])

    text = report(trace_graph(fn, (floats(5, 1, 8, 8),), dynamic_shapes={"x": {0: jit.Dim("n")}}))
    for words in ("n in [1, ", "parameter 0.weight: f32[4, 1, 3, 3]", "buffer 1.running_mean",
                  "rand_uniform", "captured.", "a constant f32[3] made in the trace",
                  "training is True", "changes Sequential.count", "test_tracer.py:"):
        assert words in text, words
