"""What models write with sizes: traced from one row of four, right for every batch and length.

Each row gives the relations that its trace records, so that no size is held to more than the
function asks.  Where eager refuses a size, so may the graph; else it gives eager's result.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import eager
import eager.nn.functional as F
from eager.ops.errors import OpError, TraceError
from jit.interpreter import interpret
from jit.program import Program
from jit.text import arrays_beside, parse_graph
from jit.tracer import Traced, trace_graph
from jit.verifier import verify

RNG = np.random.default_rng(0)
CAUSAL = eager.tril(eager.ones(16, 16))[None]
TABLE = eager.tensor(RNG.normal(size=(32, 4)).astype(np.float32))
KERNEL = TABLE[:12].view(4, 4, 3)
CLS = TABLE[:1][None]


def heads(x: Any) -> Any:
    b, t, c = x.shape
    split = x.view(b, t, 2, c // 2).transpose(1, 2)
    scores = split @ split.transpose(-2, -1) * split.size(-1) ** -0.5
    scores = scores.masked_fill(CAUSAL[None, :, :t, :t] == 0, float("-inf"))
    return (F.softmax(scores, -1) @ split).transpose(1, 2).contiguous().view(b, t, c)


def rotated(x: Any) -> Any:
    angles = eager.outer(eager.arange(x.shape[1]).float(), eager.tensor([1.0, 0.1]))
    even, odd = x[..., ::2], x[..., 1::2]
    return eager.cat([even * angles.cos() - odd * angles.sin(),
                      even * angles.sin() + odd * angles.cos()], -1)


def windows(x: Any) -> Any:
    b, t, c = x.shape
    pad = (4 - t % 4) % 4
    padded = F.pad(x, (0, 0, 0, pad))
    parts = padded.view(b, (t + pad) // 4, 4, c).softmax(2)
    return parts.reshape(b, t + pad, c)[:, :t]


def shifted(x: Any) -> Any:
    y = eager.zeros(x.shape[0], x.shape[1] + 2, 4)
    y[:, 1:x.shape[1] + 1] = x
    return y


def first(x: Any) -> Any:
    y = x * 1
    y[:, 0] = 0.0
    return y


def scattered(x: Any) -> Any:
    return eager.zeros(x.shape[0], 4).scatter_add(1, x.argmax(2), x[:, :, 0])


def image(x: Any) -> Any:
    """[B, T, 4] as images [B, 1, T, 4]."""
    return x[:, None]


def channels(x: Any) -> Any:
    return x.transpose(1, 2)


Function = Callable[[Any], Any]
#: No relation: any batch from 0 and any length from 0.
FREE: dict[str, Function] = {
    "heads of whole rows": lambda x: x.view(x.shape[0], x.shape[1], 2, -1).transpose(1, 2),
    "rotary": rotated, "windows": windows, "shifted": shifted, "scattered": scattered,
    "divided": lambda x: x / x.shape[1], "size()": lambda x: x * x.size(1),
    "arange": lambda x: x + eager.arange(x.shape[1])[:, None],
    "arange from": lambda x: x + eager.arange(3, 3 + x.shape[1])[:, None],
    "zeros": lambda x: x + eager.zeros(x.shape[1], 4), "like": lambda x: x + eager.ones_like(x),
    "new_zeros": lambda x: x + x.new_zeros(x.shape[0], 1, 4),
    "full": lambda x: x + eager.full((x.shape[1], 1), 2.0),
    "full of a size": lambda x: x + eager.full((x.shape[0], 1, 1), x.shape[1]),
    "eye": lambda x: channels(x) @ eager.eye(x.shape[1]),
    "shape": lambda x: eager.zeros(x.shape) + x,
    "rand": lambda x: x + 0 * eager.rand(x.shape[0], x.shape[1], 4),
    "tensor": lambda x: x * eager.tensor(x.shape[1]), "rows": lambda x: x.view(-1, 4) * 2,
    "product": lambda x: x.view(math.prod(x.shape[:2]), 4), "numel": lambda x: x.view(
        x.numel() // 4, 4), "mean of all": lambda x: x.sum() / x.numel(),
    "starred": lambda x: x.reshape(*x.shape[:-1], 2, 2), "joined": lambda x: x.flatten(0, 1),
    "sliced shape": lambda x: x.reshape((*x.shape[:-1], 2, 2)),
    "expand": lambda x: CLS.expand(x.shape[0], x.shape[1], -1) + x,
    "expand_as": lambda x: CLS.expand_as(x) + x, "repeat": lambda x: x.repeat(1, 2, 1),
    "class token": lambda x: eager.cat([CLS.expand(x.shape[0], -1, -1), x], 1),
    "repeated": lambda x: CLS.repeat(x.shape[0], x.shape[1], 1) + x,
    "interleaved": lambda x: x.repeat_interleave(2, 1), "tiled": lambda x: eager.tile(x, (1, 2, 1)),
    "twice": lambda x: eager.cat([x, x], 1).view(x.shape[0], 2, x.shape[1], 4),
    "more rows": lambda x: eager.cat([eager.zeros(x.shape[0], 2, 4), x], 1),
    "stacked": lambda x: eager.stack([x, x * 2], 1).flatten(0, 1),
    "whole": lambda x: x[:, :x.shape[1]] + x, "half": lambda x: x[:, :x.shape[1] // 2],
    "other half": lambda x: x[:, x.shape[1] // 2:], "every second": lambda x: x[:, ::2],
    "tril": lambda x: eager.tril(eager.ones(x.shape[1], x.shape[1])) @ x,
    "triu": lambda x: eager.triu(eager.full((x.shape[1], x.shape[1]), -1.0), 1) @ x,
    "embedding": lambda x: x + F.embedding(eager.arange(x.shape[1]), TABLE),
    "chunks": lambda x: x.chunk(2, -1)[0] * x.split(2, -1)[1], "unbind": lambda x: x.unbind(2)[0],
    "tensor_split": lambda x: eager.tensor_split(x, 2, 2)[0], "unsqueezed": lambda x: image(x),
    "pad": lambda x: F.pad(x, (0, 0, 1, 2)), "causal pad": lambda x: F.pad(channels(x), (2, 0)),
    "conv": lambda x: F.conv1d(channels(x), KERNEL, padding=1),
    "strided conv": lambda x: F.conv1d(channels(x), KERNEL, padding=1, stride=2),
    "transposed conv": lambda x: F.conv_transpose1d(channels(x), KERNEL[:, :, :2], stride=2),
    "padded to eight": lambda x: F.pad(x, (0, 0, 0, 8 - x.shape[1])),
    "avg pool": lambda x: F.avg_pool2d(image(x), 2),
    "flip": lambda x: x.flip(1), "cumsum": lambda x: x.cumsum(1), "sort": lambda x: x.sort(1)[0],
    "topk": lambda x: x.topk(2, 2)[0], "topk of all": lambda x: x.topk(x.shape[1], 1)[0],
    "einsum": lambda x: eager.einsum("btc,bsc->bts", x, x), "diagonal": lambda x: (
        x @ channels(x)).diagonal(0, 1, 2), "bmm": lambda x: eager.bmm(x, channels(x)),
    "attention": lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True),
    "layer norm": lambda x: F.layer_norm(x, (4,)), "sum": lambda x: x.sum(1),
    "mean": lambda x: x.mean(1), "var": lambda x: x.var(2), "max": lambda x: x.max(2)[0],
    "where": lambda x: eager.where(eager.arange(x.shape[1])[:, None] < 2, x, -x),
    "relative": lambda x: (eager.arange(x.shape[1])[:, None]
                           - eager.arange(x.shape[1])).float() @ x,
    "meshgrid": lambda x: eager.meshgrid(eager.arange(x.shape[0]), eager.arange(x.shape[1]),
                                         indexing="ij")[1],
    "one_hot": lambda x: F.one_hot(x.argmax(2), 4), "normalize": lambda x: F.normalize(x, dim=1),
    "squeezed": lambda x: x[:, :, :1].squeeze(-1), "cdist": lambda x: eager.cdist(x, x),
    "is an int": lambda x: x * 2 if isinstance(x.shape[1], int) else x,
    "said": lambda x: x if f"{x.shape[1]:d}" else x * 2,
}
#: Functions that ask about sizes, and what is recorded.
ASKING: dict[str, tuple[Function, str]] = {
    "causal buffer": (heads, "T <= 16"), "positions": (lambda x: x + TABLE[:x.shape[1]], "T <= 32"),
    "last": (lambda x: x[:, -1], "T >= 1"), "first": (first, "T >= 1"),
    "all but one": (lambda x: x[:, :-1] + x[:, 1:], "T >= 1"),
    "picked": (lambda x: x[eager.arange(x.shape[0]), -1], "T >= 1"),
    "in two": (lambda x: x.chunk(2, 1)[1], "T == 2 * T_2"),
    "split in two": (lambda x: x.split([x.shape[1] // 2, x.shape[1] - x.shape[1] // 2], 1)[1], ""),
    "pairs": (lambda x: x.unflatten(1, (-1, 2)), "T == 2 * T_2"),
    "patches": (lambda x: x.view(x.shape[0], x.shape[1] // 2, 2, 4).permute(0, 1, 3, 2).reshape(
        -1, 8), "T == 2 * T_2"),
    "made even": (lambda x: F.pad(x, (0, 0, 0, 1)) if x.shape[1] % 2 else x, "T == 2 * T_2"),
    "short": (lambda x: x if x.shape[1] <= 1024 else -x, "T <= 1024"),
    "at most two": (lambda x: x * min(x.shape[1], 2), "T >= 3"),
    "scaled": (lambda x: x * x.shape[1] ** -0.5, "T >= 1"),
    "valid conv": (lambda x: F.conv1d(channels(x), KERNEL), "T >= 2"),
    "max pool": (lambda x: F.max_pool2d(image(x), 2), "T >= 2"),
    "nearest": (lambda x: F.interpolate(image(x), scale_factor=2), "T >= 1"),
    "to a size": (lambda x: F.interpolate(image(x), size=(2 * x.shape[1], 6)), "T >= 1"),
    "bilinear": (lambda x: F.interpolate(image(x), scale_factor=2, mode="bilinear"), "T >= 1"),
    "batch norm": (lambda x: F.batch_norm(channels(x), eager.zeros(4), eager.ones(4),
                                          training=True), "B * T >= 2"),
    "rolled": (lambda x: x.roll(1, 1), "T >= 1"), "linspace": (
        lambda x: x + eager.linspace(0, 1, x.shape[1])[:, None], "T >= 2"),
    "rolled by half": (lambda x: x.roll(x.shape[1] // 2, 1), "T >= 1"),
    "unfold": (lambda x: x.unfold(1, 2, 2), "T >= 2"),
}
SIZES = [(0, 4), (1, 1), (1, 4), (3, 0), (3, 1), (3, 6), (2, 7), (2, 11), (64, 8)]


def interpreted(traced: Traced) -> Function:
    state = {i.name: t.numpy().copy() for i, t in traced.state}
    return lambda x: interpret(traced.graph, {**state, "x": x})[0][0]


def compiled(traced: Traced) -> Function:
    program = Program(traced)
    return lambda x: program(eager.tensor(x)).detach().numpy()


@pytest.mark.parametrize("run", [interpreted, pytest.param(compiled, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", [*FREE, *ASKING])
def test_every_batch_and_length(name: str, run: Callable[[Traced], Function]) -> None:
    function, wanted = ASKING[name] if name in ASKING else (FREE[name], "")
    traced = trace_graph(function, (eager.tensor(array(1, 4)),),
                         dynamic_shapes={"x": {0: "B", 1: "T"}})
    graph = traced.graph
    assert "; ".join(map(str, graph.relations)) == wanted
    read = verify(parse_graph(str(graph), arrays_beside(graph)))
    assert str(read) == str(graph)
    call = run(traced)
    for b, t in SIZES:
        x = array(b, t)
        try:
            want = function(eager.tensor(x)).numpy()
        except (OpError, ZeroDivisionError, IndexError):
            continue
        try:
            got = call(x)
        except OpError as refused:
            assert "asked at test_sizes.py:" in str(refused) and wanted, (b, t)
            continue
        assert got.dtype == want.dtype and got.shape == want.shape, (b, t)
        np.testing.assert_allclose(got, want, rtol=2e-5, atol=1e-6)


def array(b: int, t: int) -> np.ndarray[Any, Any]:
    return RNG.normal(size=(b, t, 4)).astype(np.float32)


@pytest.mark.parametrize("function", [lambda x: x.split(2, 1)[0], lambda x: x.chunk(3, 1)[0]])
def test_parts_that_depend_on_the_call_are_refused(function: Function) -> None:
    with pytest.raises((OpError, TraceError), match=r"so is the number of parts|no multiple"):
        trace_graph(function, (eager.zeros(1, 4, 4),), dynamic_shapes={"x": {1: "T"}})
