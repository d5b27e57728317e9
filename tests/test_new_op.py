"""A new op is one value: every layer serves it without having heard of it."""

from __future__ import annotations

import numpy as np
import pytest

import eager
import jit
from eager.engine.dispatch import apply
from eager.ops import scalar as s
from eager.ops.families import Pointwise
from eager.ops.op import Example, Op
from eager.ops.table import TABLE
from jit.text import parse_graph, print_graph


def _doubled(x, /):
    return x


# x / (1 + |x|), as somebody would write it who adds it to the table.
BENT = Op("bent", "x / (1 + |x|).", _doubled, Pointwise(lambda x: x / (1.0 + s.call("abs", x))),
          grad=lambda F, g, out, x: (F.div(g, F.square(F.add(F.abs(x), 1.0))),), saves=(0,),
          promote="float", examples=(Example(((2, 3),)),))
LONGER = {**TABLE, "bent": BENT}


def bent(x: eager.Tensor) -> eager.Tensor:
    return apply(BENT, (x,))


def exact(x: np.ndarray) -> np.ndarray:
    return x / (1 + np.abs(x))


@pytest.fixture(scope="module")
def program() -> jit.Program:
    return jit.trace(lambda x: bent(x) * 2.0, (eager.randn(2, 3),),
                     dynamic_shapes={"x": {0: jit.Dim("n", max=64)}})


def test_eager_and_gradient() -> None:
    x = eager.tensor([-2.0, 0.5, 3.0], requires_grad=True)
    y = bent(x)
    np.testing.assert_allclose(y.detach().numpy(), exact(x.detach().numpy()), rtol=1e-6)
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), (1 + np.abs(x.detach().numpy())) ** -2, rtol=1e-6)


def test_graph_text_goes_there_and_back(program: jit.Program) -> None:
    text = print_graph(program.graph)
    assert "bent(%x)" in text
    assert print_graph(parse_graph(text, table=LONGER)) == text
    with pytest.raises(jit.GraphError, match="bent"):
        parse_graph(text)


def test_native_code(program: jit.Program) -> None:
    assert any("bent" in name for name in program.kernels)
    for n in (0, 1, 33):
        x = eager.randn(n, 3)
        np.testing.assert_allclose(program(x).numpy(), 2 * exact(x.numpy()), rtol=1e-6)


def test_ptx(program: jit.Program) -> None:
    (name,) = (n for n in program.kernels if "bent" in n)
    text = program.kernels.ptx[name]
    assert f".entry {name}_gpu(" in text and "div" in text

