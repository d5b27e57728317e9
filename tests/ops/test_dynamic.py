"""Functions traced with symbolic sizes give eager's values and gradients at every size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from eager.autograd import grad
from eager.engine import creation as c
from eager.engine import dropouts, spelling, streams
from eager.engine.tensor import TAPED, Tensor
from jit.dims import Dim
from jit.interpreter import interpret
from jit.tracer import trace_graph

E, F = spelling.namespace("eager", TAPED), spelling.namespace("nn.functional", TAPED)
ROWS, COLUMNS = Dim("B", min=1, max=64), Dim("T", min=1, max=32)
RNG = np.random.default_rng(0)


def f(*shape: int) -> np.ndarray[Any, Any]:
    return RNG.normal(size=shape).astype(np.float32)


WEIGHT, LOOKUP = Tensor(f(5, 6)), Tensor(f(7, 6))
IMAGES, ROW = Tensor(f(3, 4, 3, 3)), Tensor(f(6))


def put_zero(x: Tensor, index: Any) -> Tensor:
    y = x * 1
    y[index] = 0.0
    return y


PLANE, BATCH, SEQUENCE = (4, 6), (4, 4, 6, 6), (4, 5, 6)
FUNCTIONS: dict[str, tuple[Callable[[Tensor], Tensor], tuple[int, ...], int]] = {
    "linear": (lambda x: F["linear"](x, WEIGHT), PLANE, 1),
    "mean": (lambda x: x.mean(0), PLANE, 1), "var": (lambda x: x.var(0), PLANE, 1),
    "batch_norm": (lambda x: F["batch_norm"](x, None, None, training=True), BATCH, 1),
    "layer_norm": (lambda x: F["layer_norm"](x, (6,)), SEQUENCE, 2),
    "group_norm": (lambda x: F["group_norm"](x, 2), BATCH, 1),
    "conv2d": (lambda x: F["conv2d"](x, IMAGES, stride=2, padding=1), BATCH, 1),
    "max_pool2d": (lambda x: F["max_pool2d"](x, 2), BATCH, 1),
    "avg_pool2d": (lambda x: F["avg_pool2d"](x, 2), BATCH, 1),
    "adaptive_avg_pool2d": (lambda x: F["adaptive_avg_pool2d"](x, 1), BATCH, 1),
    "flatten": (lambda x: x.flatten(1), BATCH, 1),
    "joined": (lambda x: x.flatten(0, 1), SEQUENCE, 2),
    "view": (lambda x: x.view(x.shape[0], -1), SEQUENCE, 1),
    "folded": (lambda x: x.view(-1, 6), SEQUENCE, 2),
    "attention": (lambda x: F["scaled_dot_product_attention"](x, x, x, is_causal=True),
                  SEQUENCE, 2),
    "softmax": (lambda x: E["softmax"](x, -1), PLANE, 2), "first": (lambda x: x[0], PLANE, 1),
    "last": (lambda x: x[:, -1], SEQUENCE, 2), "tail": (lambda x: x[:, 1:], PLANE, 2),
    "part": (lambda x: x[:, 1:3], PLANE, 1), "new dim": (lambda x: x[:, None], PLANE, 1),
    "picked": (lambda x: x[:, c.arange(2) - 1], PLANE, 1),
    "arange": (lambda x: c.arange(x.shape[1]) + x, PLANE, 2),
    "zeros": (lambda x: c.zeros(x.shape[0], 6) + x, PLANE, 1),
    "cat": (lambda x: E["cat"]([x, x], 0), PLANE, 1),
    "stack": (lambda x: E["stack"]([x, x], 1), PLANE, 1),
    "split": (lambda x: x.split(2, 1)[0], PLANE, 1), "repeat": (lambda x: x.repeat(2, 1), PLANE, 1),
    "expand": (lambda x: c.ones(1, 6).expand(x.shape[0], -1) + x, PLANE, 1),
    "transpose": (lambda x: x.transpose(0, 1), PLANE, 2),
    "tril": (lambda x: E["tril"](x), PLANE, 2),
    "max": (lambda x: x.max(1)[0], PLANE, 1), "argmax": (lambda x: x.argmax(1), PLANE, 1),
    "norm": (lambda x: x.norm(dim=1), PLANE, 1), "logsumexp": (lambda x: x.logsumexp(1), PLANE, 1),
    "cross_entropy": (lambda x: F["cross_entropy"](x, x.argmax(1), label_smoothing=0.1), PLANE, 1),
    "embedding": (lambda x: F["embedding"](x.argmax(1), LOOKUP), PLANE, 1),
    "one_hot": (lambda x: F["one_hot"](x.argmax(1), 6), PLANE, 1),
    "vector": (lambda x: x @ ROW, PLANE, 1), "pad": (lambda x: F["pad"](x, (1, 2)), PLANE, 1),
    "roll": (lambda x: E["roll"](x, 1, 1), PLANE, 1),
    "numel": (lambda x: x.sum() / x.numel(), PLANE, 1),
    "column": (lambda x: put_zero(x, (slice(None), 0)), PLANE, 1),
    "masked": (lambda x: put_zero(x, x > 0), PLANE, 1),
    "dropout": (lambda x: dropouts.dropout(x, 0.5), PLANE, 1),
    "randn_like": (lambda x: streams.randn_like(x) + x, PLANE, 2),
}


def _differentiated(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Any]:
    def run(x: Tensor) -> Any:
        leaf = (x * 1.0).detach().requires_grad_()
        out = function(leaf)
        return (out, grad((out * out).sum(), leaf)[0]) if out.requires_grad else (out,)
    return run


@pytest.mark.parametrize("name", FUNCTIONS)
def test_any_size(name: str) -> None:
    function, shape, dynamic = FUNCTIONS[name]
    run = _differentiated(function)
    dims = dict(enumerate((ROWS, COLUMNS)[:dynamic]))
    traced = trace_graph(run, (Tensor(f(*shape)),), dynamic_shapes={"x": dims})
    for more in (0, 3):
        array = f(*(d + more if k in dims else d for k, d in enumerate(shape)))
        given = {i.name: t.detach().numpy().copy() for i, t in traced.state}
        got, _ = interpret(traced.graph, {**given, "x": array})
        for g, w in zip(got, run(Tensor(array)), strict=True):
            np.testing.assert_allclose(g, w.detach().numpy(), rtol=2e-5, atol=1e-6)
