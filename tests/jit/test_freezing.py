"""`jit.freeze` and `jit.optimize_for_inference`: the same results, with nothing left to fold."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eager
import export
import jit
from eager import nn
from eager.engine.tensor import Tensor
from jit.freezing import frozen
from jit.graph import Graph, walk
from jit.interpreter import interpret
from jit.passes import PIPELINE, run
from jit.passes.fusion import Call, fuse
from jit.passes.projection import project
from jit.passes.weights import split
from jit.tracer import trace_graph
from jit.verifier import verify


def settled(model: nn.Module) -> nn.Module:
    """A model in eval mode whose batch norms have seen something."""
    eager.manual_seed(0)
    for m in model.modules():
        if hasattr(m, "running_var"):
            m.running_mean.copy_(eager.randn(m.num_features))
            m.running_var.copy_(eager.rand(m.num_features) + 0.5)
            m.weight.data.copy_(eager.randn(m.num_features))
            m.bias.data.copy_(eager.randn(m.num_features))
    return model.eval()


def chain(*layers: nn.Module) -> nn.Module:
    return settled(nn.Sequential(*layers))


#: Models, the shape of an image or row, and the ops of one layer that may be left.
ROWS: list[tuple[str, nn.Module, tuple[int, ...], dict[str, int]]] = [
    ("conv1d", chain(nn.Conv1d(2, 20, 3), nn.BatchNorm1d(20)), (2, 9), {"conv2d": 1, "add": 1}),
    ("conv2d", chain(nn.Conv2d(2, 20, 3, padding=1, bias=False), nn.BatchNorm2d(20)), (2, 6, 6),
     {"conv2d": 1, "add": 1}),
    ("conv3d", chain(nn.Conv3d(2, 4, 3), nn.BatchNorm3d(4)), (2, 4, 4, 4),
     {"conv2d": 1, "add": 1}),
    ("grouped", chain(nn.Conv2d(4, 20, 3, groups=2), nn.BatchNorm2d(20)), (4, 5, 5),
     {"conv2d": 2, "add": 2}),
    ("depthwise", chain(nn.Conv2d(3, 3, 3, groups=3), nn.BatchNorm2d(3)), (3, 5, 5),
     {"conv2d": 3, "add": 3}),
    ("transposed", chain(nn.ConvTranspose2d(4, 20, 3, stride=2), nn.BatchNorm2d(20)), (4, 4, 4),
     {"conv2d": 1, "add": 1}),
    ("transposed 1d", chain(nn.ConvTranspose1d(4, 20, 3), nn.BatchNorm1d(20)), (4, 5),
     {"conv2d": 1, "add": 1}),
    ("transposed in groups", chain(nn.ConvTranspose2d(4, 20, 3, groups=2), nn.BatchNorm2d(20)),
     (4, 4, 4), {"conv2d": 2, "add": 2}),
    ("linear", chain(nn.Linear(4, 20), nn.BatchNorm1d(20), nn.Dropout()), (4,),
     {"matmul": 1, "add": 1}),
    ("before a convolution", chain(nn.BatchNorm2d(2), nn.Conv2d(2, 20, 3)), (2, 6, 6),
     {"conv2d": 1, "add": 1}),
    ("before a padded one", chain(nn.BatchNorm2d(2), nn.Conv2d(2, 20, 3, padding=1)), (2, 6, 6),
     {"conv2d": 1, "add": 2, "sub": 1, "mul": 1}),
    ("before linear", chain(nn.BatchNorm1d(20), nn.Linear(20, 4)), (20,),
     {"matmul": 1, "add": 1}),
    ("on both sides", chain(nn.BatchNorm2d(2), nn.Conv2d(2, 20, 3), nn.BatchNorm2d(20),
                            nn.Dropout(), nn.ReLU()), (2, 6, 6),
     {"conv2d": 1, "add": 1, "relu": 1}),
]
COUNTED = ("conv2d", "matmul", "add", "sub", "mul", "div", "rsqrt", "relu")


@pytest.mark.parametrize("model, shape, left", [row[1:] for row in ROWS], ids=[r[0] for r in ROWS])
def test_batch_norm_is_folded(model: Any, shape: tuple[int, ...], left: dict[str, int]) -> None:
    x = eager.randn(3, *shape)
    traced = trace_graph(model, (x[:1],), dynamic_shapes={"input": {0: jit.Dim("n")}})
    made = frozen(traced)
    verify(made.graph)
    assert [i.name for i in made.graph.inputs] == ["input"] and not made.state
    counts = {op: sum(n.op.name == op for n in walk(made.graph)) for op in COUNTED}
    assert {op: k for op, k in counts.items() if k} == left
    for graph in (made.graph, run(made.graph, (project, *PIPELINE))):
        near(graph, model, x)


def near(graph: Graph, model: Any, x: Tensor) -> None:
    """Within a few roundings of what the model gives in float64."""
    (got,), _ = interpret(graph, [x.numpy()])
    single = model(x).detach().numpy()
    exact = copy.deepcopy(model).double()(x.double()).detach().numpy()
    bound = max(2 * np.abs(single - exact).max(), 1e-6 * np.abs(exact).max())
    assert np.abs(got - exact).max() <= bound


def test_a_frozen_program_does_not_see_later_writes() -> None:
    model = chain(nn.Linear(4, 3), nn.ReLU())
    x = eager.randn(2, 4)
    live = jit.trace(model, (x,))
    made = jit.freeze(live)
    before = made(x).numpy().copy()
    with eager.no_grad():
        model[0].weight.add_(1.0)
    assert not np.array_equal(live(x).detach().numpy(), before)
    model.train()
    assert np.array_equal(made(x).numpy(), before)
    assert "constant now: later writes are not seen:\n  parameter 0.weight: f32[3, 4]" in (
        made.report())


def test_the_live_model_is_not_asked_for_gradients_or_inside_a_trace() -> None:
    model = chain(nn.Linear(4, 3))
    made = jit.freeze(jit.trace(model, (eager.randn(2, 4),)))
    with pytest.raises(jit.OpError, match="gradient"):
        made(eager.randn(2, 4, requires_grad=True))
    with pytest.raises(jit.TraceError, match="inside a trace"):
        trace_graph(lambda x: made(x), (eager.randn(2, 4),))


def test_what_writes_state_or_draws_is_refused() -> None:
    x = eager.randn(2, 4)
    with pytest.raises(jit.TraceError, match=r"writes the buffer 0\.num_batches_tracked \(at "
                                             r"test_freezing\.py:\d+ .*eval\(\) on the model"):
        jit.optimize_for_inference(nn.Sequential(nn.BatchNorm1d(4)), (x,))
    with pytest.raises(jit.TraceError, match="draws random numbers"):
        frozen(trace_graph(nn.Dropout(), (x,)))


def test_an_argument_may_be_written() -> None:
    layer = nn.Linear(4, 4)
    made = frozen(trace_graph(lambda x: x.add_(layer(x)), (eager.randn(2, 4),)))
    assert [i.name for i, _ in made.graph.updates] == ["x"]


def test_branches_see_the_constants() -> None:
    layer = nn.Linear(4, 4)

    def fn(x: Tensor) -> Tensor:
        return jit.cond(x.sum() > 0, lambda: layer(x), lambda: x * layer.bias)

    x = eager.randn(2, 4)
    made = frozen(trace_graph(fn, (x,)))
    verify(made.graph)
    for sign in (1.0, -1.0):
        (got,), _ = interpret(made.graph, [x.abs().numpy() * np.float32(sign)])
        np.testing.assert_allclose(got, fn(x.abs() * sign).detach().numpy(), rtol=1e-5, atol=1e-6)


def test_slices_of_a_bias_become_biases_of_kernels() -> None:
    model = settled(nn.MultiheadAttention(8, 2))
    x = eager.randn(3, 2, 8)
    traced = trace_graph(lambda x: model(x, x, x, need_weights=False)[0], (x,))
    live, made = (split(run(t.graph))[1] for t in (traced, frozen(traced)))
    products = [sum(isinstance(unit, Call) and unit.bias is not None for unit in fuse(g))
                for g in (live, made)]
    assert products == [1, 4]  # besides the last: of queries, keys and values
    (got,), _ = interpret(made, [x.numpy()])
    want = model(x, x, x, need_weights=False)[0].detach().numpy()
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_a_net_optimised_exported_and_run(tmp_path: Path) -> None:
    model = chain(nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(),
                  nn.Conv2d(4, 8, 1, stride=2), nn.BatchNorm2d(8), nn.ReLU(),
                  nn.Flatten(), nn.Linear(72, 3))
    x = eager.randn(2, 1, 8, 8)
    made = jit.optimize_for_inference(model, (x,), dynamic_shapes={"input": {0: jit.Dim("n")}})
    assert "conv2d" in made.graph_text and made.graph_text.count("matmul") == 2
    assert jit.optimize_for_inference(jit.trace(model, (x,))).graph_text.count("matmul") == 2
    for n in (1, 2, 5):
        x = eager.randn(n, 1, 8, 8)
        np.testing.assert_allclose(made(x).numpy(), model(x).detach().numpy(), rtol=1e-4,
                                   atol=1e-5)
    export.save(made, tmp_path / "net.art", targets=("x86_64-linux",), levels=(made.level,))
    loaded = export.runner.load(tmp_path / "net.art", trust=True)
    assert loaded.verify() < 1e-5
    assert np.array_equal(loaded(x.numpy()), made(x).numpy())
