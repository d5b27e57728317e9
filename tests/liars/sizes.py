"""Sizes that vary from call to call, and loops over those that do not."""

from __future__ import annotations

from typing import Any

import eager
import jit
from eager import nn
from tests.liars.table import Liar, nothing, plain

N = {"x": {0: jit.Dim("n", max=64)}}


def loop(x: Any) -> Any:
    total = eager.zeros(())
    for k in range(x.shape[0]):
        total = total + x[k] * k
    return total


def layers(x: Any) -> Any:
    for layer in [eager.tanh, eager.exp, eager.abs]:
        x = layer(x)
    return x


def causal(x: Any) -> Any:
    n = x.shape[0]
    scores = x @ x.t()
    mask = eager.tril(eager.ones(n, n))
    return eager.where(mask > 0, scores, -1e9).softmax(-1) @ x


def make_module() -> Any:
    eager.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))


LIARS = (
    Liar("a loop over a shape", plain(loop)),
    Liar("a loop over functions", plain(layers)),
    Liar("unpacking", plain(lambda x: (lambda a, b, c: a * b + c)(*x))),
    Liar("a mean over a size that varies", plain(lambda x: x.sum(0) / x.shape[0]), dims=N,
         shapes=((2, 4),)),
    Liar("a size that is returned", plain(lambda x: (x * 2, x.shape[0])), dims=N,
         shapes=((2, 4),)),
    Liar("ones of a size that varies", plain(lambda x: x + eager.ones(x.shape[0], 4)), dims=N,
         shapes=((2, 4),)),
    Liar("a reshape", plain(lambda x: x.reshape(x.shape[0] * 2, -1).sum(1)), dims=N,
         shapes=((2, 4),)),
    Liar("a causal mask", plain(causal), dims=N, shapes=((2, 4),)),
    Liar("a batch of one", lambda: ((lambda m: lambda x: m(x).detach())(make_module()), nothing),
         dims=N, shapes=((1, 4),)),
    Liar("a batch of none", lambda: ((lambda m: lambda x: m(x).detach())(make_module()), nothing),
         dims=N, shapes=((0, 4),)),
    Liar("a batch of one, flattened", plain(lambda x: x.transpose(0, 1).reshape(-1)), dims=N,
         shapes=((1, 4),)),
    Liar("squeeze of a batch of one", plain(lambda x: x.squeeze(0).sum(-1)), False, dims=N,
         shapes=((1, 4),)),
    Liar("a loop over a size that varies", plain(lambda x: sum(x[i] for i in range(x.shape[0]))),
         False, dims=N, shapes=((2, 4),)),
    Liar("a branch on a size", plain(lambda x: x * 2 if x.shape[0] == 1 else x), False, dims=N,
         shapes=((1, 4),)),
    Liar("a size as a Python number", plain(lambda x: x * [1, 2, 3, 4, 5][x.shape[0]]), False,
         dims=N, shapes=((2, 4),)),
)
