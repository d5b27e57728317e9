"""Laws of writing in place: in a trace as in eager, in the value, its views and its versions."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import eager
from eager import nn
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError, TraceError
from jit.tracer import trace_graph
from tests.replay import agrees

#: Statements that write to ``y``, float32[4, 3]; ``x`` is another of its type.
WRITES = """
y += 1
y[:, 0] += 1
y[1] = x[2]
y[-1, -2] = 0
y[::2] = x[::2]
y[1::2] *= 3
y[..., -1] = 0
y[None][0, 1] = 7
y[y > 5] = 0
y[x > 5] = x.sum()
y[y[:, 0] > 3] = 1
y[index] += 1
y[index, index] = x[0]
y[[0, 2]] = 5
y[1:] = y[:-1]
y[1:] += y[:-1]
y[0], y[1] = y[1].clone(), y[0].clone()
y.copy_(x[0])
y.zero_().add_(x, alpha=2)
y.mul_(x).sub_(1).div_(2).neg_()
y.addcmul_(x, x, value=0.5).addcdiv_(x, x + 1).lerp_(x, 0.25)
y.clamp_(2, 7).sqrt_().exp_()
y.masked_fill_(x > 5, -1.0)
y.masked_scatter_(x > 5, x)
y.index_fill_(1, index, 9.0)
y.index_copy_(0, index, x[:3])
y.index_add_(0, index, x[:3], alpha=2)
y.index_put_((index, index), x[0])
y.index_put_((index, index), x[0], accumulate=True)
y.scatter_(0, index[None], x[:1])
y.scatter_add_(0, index[None], x[:1])
y.fill_diagonal_(3)
y.diagonal().zero_()
y.diagonal().copy_(x[0])
y.tril_()
y.triu_(1)
y.t()[1:].add_(y.t()[:-1])
y.T[0] = 0
y.mT[1] = 5
y.view(-1)[3:5] = 0
y.view(2, 2, 3).transpose(0, 2)[1] = 4
y.unsqueeze(0).squeeze(0).flatten()[2:4].zero_()
y.reshape(2, 6)[0, 1:3] = 9
y.narrow(1, 1, 2).neg_()
y.select(0, 1).abs_()
y.movedim(0, 1)[2] = 0
y.permute(1, 0).unfold(1, 2, 2)[0] = 1
y.as_strided((2, 2), (3, 1)).zero_()
y.detach().add_(1)
y.data.mul_(2)
y.chunk(2)[0].copy_(y.chunk(2)[1])
y.split([1, 2], 1)[1].sub_(x.split([1, 2], 1)[1])
y.unbind(0)[1].fill_(2)
y[1:][:, 1:].t()[0].add_(1)
for row in y: row.mul_(2)
for k in range(1, 4): y[k] += y[k - 1]
eager.add(x, x, out=y)
eager._foreach_add_([y, y[0]], 1.0)
F.relu(y.sub_(5), inplace=True)
y.normal_()
y.uniform_(0, 2)
y[0].bernoulli_(0.5)
""".strip().splitlines()


def values(k: int = 1) -> Tensor:
    return eager.tensor(np.arange(k, k + 12, dtype=np.float32).reshape(4, 3))


def written(statement: str, y: Tensor, x: Tensor) -> Any:
    """Run a statement; ``y``, views of it that were taken before, a sum, and counts of writes."""
    row, turned, flat = y[1], y.t(), y.view(-1)
    deep = turned[1:][:, 2]
    before = y._version
    exec(statement, {"eager": eager, "F": nn.functional},
         {"y": y, "x": x, "index": eager.tensor([2, 0, 1])})
    return y, row, turned, flat, deep, (flat * deep.sum()).sum(), y._version - before


@pytest.mark.parametrize("statement", WRITES)
def test_writes(statement: str) -> None:
    """To a value of the trace, to an argument, and to a buffer."""
    held = values()
    for fn in (lambda x: written(statement, x + 1, x),
               lambda x: written(statement, held, x)):
        agrees(fn, (values(3),), (values(2),), rtol=0, atol=0)
    agrees(lambda y, x: written(statement, y, x), (values(), values(3)), rtol=0, atol=0)


@pytest.mark.parametrize("statement", [
    "y[:, 0] *= 3; y[0].zero_()", "y[:, 1].mul_(x[:, 1])", "y.t()[1] = x[:, 0]",
    "y[index] = x[:3] * 2", "y.masked_fill_(x > 5, 0.0)", "y.view(-1)[2:].mul_(2)",
    "y.diagonal().copy_(x[0] * x[1])", "y.scatter_add_(0, index[None], x[:1] ** 2)",
    "y[1:] += x[:3] * x[1:]"])
def test_gradients_go_through_writes(statement: str) -> None:
    def fn(x: Tensor) -> Any:
        x = x.detach().requires_grad_()
        y = x * 2
        exec(statement, {}, {"y": y, "x": x, "index": eager.tensor([2, 0, 1])})
        y.square().sum().backward()
        return y, x.grad

    agrees(fn, (values(),), rtol=0, atol=0)


def test_a_view_of_a_parameter_is_written() -> None:
    model = nn.Linear(3, 4)

    def fn(x: Tensor) -> Tensor:
        with eager.no_grad():
            model.weight[1:, 0].mul_(0.5)
            model.weight.t()[2] += x[0, 0]
        return model(x)

    traced = agrees(fn, (values(),), (values(2),), rtol=1e-6)
    assert [i.name for i, _ in traced.graph.updates] == ["weight"]


REFUSED = {
    "y.expand(2, 4, 3).add_(1)": "more than one element of the written tensor refers to a single",
    "y.unfold(0, 2, 1).add_(1)": "more than one element of the written tensor refers to a single",
    "y.long().add_(0.5)": "cannot be stored in place in a int64 tensor",
    "y.add_(y.expand(2, 4, 3))": "does not fit in place into",
    "w.add_(1)": "a leaf that requires grad is written in place",
    "z = w * 1; s = z * z; z.add_(1); s.sum().backward()": "has been modified in place since",
}


@pytest.mark.parametrize("statement", REFUSED)
def test_refused_as_in_eager(statement: str) -> None:
    def fn(y: Tensor) -> None:
        exec(statement, {}, {"y": y, "w": (y * 1).detach().requires_grad_()})

    for run in (fn, lambda y: trace_graph(fn, (y,))):
        with pytest.raises(OpError, match=re.escape(REFUSED[statement])):
            run(values())


@pytest.mark.parametrize("statement", ["y[y > 5] += 1", "y[y > 5].zero_()"])
def test_a_size_that_depends_on_data_names_the_rewrite(statement: str) -> None:
    with pytest.raises(TraceError, match=r"eager\.where\(mask"):
        trace_graph(lambda y: exec(statement, {}, {"y": y}), (values(),))
