"""`program.code`: a graph as Python computes what the graph computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import eager
import jit
from eager import nn, optim
from eager.engine.tensor import Tensor
from eager.ops.families import Control
from eager.ops.table import TABLE
from eager.ops.types import NATIVE
from jit.comparison import diff
from jit.graph import Graph, walk
from jit.interpreter import interpret
from jit.report.source import code_of
from jit.text import arrays_beside, parse_graph, print_graph
from jit.tracer import trace_graph
from jit.verifier import verify
from tests.graphs import arguments, example_graph, examples, read, same_bits

EXAMPLES = [(op, e) for op, e in examples(TABLE) if not isinstance(op.kernel, Control)]


def is_its_code(graph: Graph, arrays: Sequence[np.ndarray[Any, Any]]) -> str:
    """The code of a graph gives its results, bit by bit, and its text reads back to it."""
    code = code_of(graph)
    given = {i.name: Tensor(a.copy()) for i, a in zip(graph.inputs, arrays, strict=True)}
    positional = [given[i.name] for i in graph.inputs if i.role == "argument"]
    state = {i.name: given[i.name] for i in graph.inputs if i.role != "argument"}
    outputs, updates = code.function(*positional, state=state)
    wanted, writes = interpret(graph, arrays)
    assert list(updates) == list(writes)
    for got, want in zip([*outputs, *updates.values()], [*wanted, *writes.values()], strict=True):
        assert same_bits(got.numpy(), want), code.text
    again = verify(parse_graph(print_graph(graph), arrays_beside(graph)))
    assert print_graph(again) == print_graph(graph)
    assert not diff(again, graph)
    return code.text


@pytest.mark.parametrize("op, example", EXAMPLES, ids=lambda v: getattr(v, "name", ""))
def test_every_example_of_every_op(op: Any, example: Any) -> None:
    graph, arrays = example_graph(op, example)
    if all(t.dtype.name in NATIVE for t in (*(i.type for i in graph.inputs), graph.nodes[0].type)):
        is_its_code(graph, arrays)


def branches(x: eager.Tensor) -> eager.Tensor:
    inner = jit.cond(x.sum() > 2, lambda: x * 2, lambda: jit.cond(x.max() > 0, lambda: x + 1,
                                                                  lambda: x - 1))
    return inner.sum() + x


def windows(x: eager.Tensor) -> eager.Tensor:
    n = x.shape[0]
    return x.reshape(n * 2, -1)[1:] * (n // 2)


def drawn(x: eager.Tensor) -> eager.Tensor:
    x[0] = eager.rand(4)
    return nn.functional.dropout(x, 0.5) + eager.tensor(np.arange(4.0, dtype=np.float32))


def looped(x: eager.Tensor, w: eager.Tensor) -> Any:
    """A scan in a scan, a cond in a map, and loops on data, with and without a bound."""
    def step(carry: Any, v: eager.Tensor) -> Any:
        inner = jit.scan(lambda c, u: (c + u * carry.sum(), c.sin()), v.sum(), v)
        return (carry @ w + v).tanh(), inner

    last, (sums, waves) = jit.scan(step, x[0], x, reverse=True)
    mapped = jit.map(lambda v: jit.cond(v.sum() > 0, lambda: v.exp(), lambda: v), x)
    doubled = jit.while_loop(lambda c: c[0].sum() < 10, lambda c: (c[0] * 2, c[1] + 1),
                             (x.abs() + 0.1, eager.tensor(0)))
    bounded = jit.while_loop(lambda c: c < 100, lambda c: c * last.abs().sum(), x.sum(),
                             max_steps=3)
    return last, sums, waves, mapped, doubled, bounded


MODELS: list[tuple[Callable[..., Any], list[Any], Any]] = [
    (nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten()),
     [(3, 1, 5, 5)], {"input": {0: jit.Dim("for_", min=2)}}),
    (nn.TransformerEncoderLayer(8, 2, 16, 0.1), [(2, 3, 8)], None),
    (nn.LSTM(4, 3), [(3, 2, 4)], None),
    (branches, [(5,)], None),
    (branches, [(5,)], {"x": {0: jit.Dim("ops")}}),
    (windows, [(3, 4)], {"x": {0: jit.Dim("n", min=1)}}),
    (drawn, [(3, 4)], None),
    (looped, [(4, 3), (3, 3)], None),
    (looped, [(4, 3), (3, 3)], {"x": {0: jit.Dim("n", min=1)}}),
]


@pytest.mark.parametrize("model, shapes, dims", MODELS, ids=lambda v: getattr(v, "__name__", ""))
def test_programs(model: Any, shapes: list[Any], dims: Any) -> None:
    eager.manual_seed(0)
    traced = trace_graph(model, [eager.randn(*s) for s in shapes], dynamic_shapes=dims)
    known = {i.name: t._array for i, t in traced.state}
    arrays = iter(traced.examples)
    is_its_code(traced.graph, [known[i.name] if i.name in known else next(arrays)
                               for i in traced.graph.inputs])


def test_a_training_step() -> None:
    model = nn.Linear(4, 2)
    step = optim.AdamW(model.parameters(), lr=0.1)
    step.init_state()

    def train(x: eager.Tensor) -> eager.Tensor:
        step.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        step.step()
        return loss

    traced = trace_graph(train, (eager.randn(3, 4),))
    known = {i.name: t._array for i, t in traced.state}
    text = is_its_code(traced.graph, [*traced.examples, *known.values()])
    assert "state['weight']" in text
    assert sum(1 for _ in walk(traced.graph)) > 20


def test_it_reads_like_this() -> None:
    graph = read("""
        double(%x: f32[n, 4], %"0.weight": f32[4, 4] parameter, %k: i64[] buffer) where n in 0..9 {
          %0 = permute(%"0.weight", dims=(1, 0)) : f32[4, 4]  # net.py:3 forward > 0
          %1 = matmul(%x, %0) : f32[n, 4]
          %2 = full(shape=(2 * n,), value=inf, dtype=f32) : f32[2 * n]
          %3 = mul(%1, 2.0:f32) : f32[n, 4]
          return %3, %2
          update %k = %k
        }""")
    assert is_its_code(graph, arguments(graph)) == '''\
import eager
from eager.engine.tensor import TAPED as ops


def double(x, *, state={}):
    _0_weight = state['0.weight']
    k = state['k']
    n = x.shape[0]
    v0 = ops.permute(_0_weight, dims=(1, 0))  # net.py:3 forward > 0
    v1 = ops.matmul(x, v0)
    v2 = ops.full(shape=(2 * n,), value=float("inf"), dtype=eager.float32)
    v3 = ops.mul(v1, eager.tensor(2.0, dtype=eager.float32))
    return [v3, v2], {'k': k}
'''


def test_gradients_flow_through_code() -> None:
    graph = read("graph(%x: f32[3]) {\n%0 = exp(%x) : f32[3]\nreturn %0\n}")
    x = eager.ones(3, requires_grad=True)
    (y,), _ = code_of(graph).function(x)
    y.sum().backward()
    assert np.array_equal(x.grad.numpy(), np.exp(np.ones(3, np.float32)))


@pytest.mark.parametrize("size, source", [
    ("n", "x.shape[0]"), ("2 * n", "x.shape[0] // 2"), ("n + 1", "(x.shape[0] - 1)"),
    ("3 * n + 2", "(x.shape[0] - 2) // 3")])
def test_where_a_dim_is_read(size: str, source: str) -> None:
    graph = read(f"graph(%x: f32[{size}]) where n in 0..9 {{\n%0 = dim(value=n) : i64[]\n"
                 f"return %0\n}}")
    assert f"    n = {source}\n" in is_its_code(graph, arguments(graph))


def test_a_dim_that_no_argument_tells() -> None:
    graph = read("graph(%x: f32[m * n, m]) where m in 0..9, n in 0..9 {\nreturn %x\n}")
    with pytest.raises(jit.GraphError, match="the dim 'n' is in the size of no argument"):
        code_of(graph)
