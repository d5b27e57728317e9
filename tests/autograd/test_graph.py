"""What the graph says of itself, what it lets go, and its hooks."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest

import eager
from eager import autograd
from eager.engine.tape import AccumulateGrad
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError


def leaf(*shape: int) -> Tensor:
    return Tensor(np.linspace(0.5, 1.5, int(np.prod(shape))).reshape(shape), requires_grad=True)


def test_a_node_has_a_name_and_leads_on() -> None:
    x = leaf(3)
    y = (x * 2.0 + eager.ones(3, dtype=eager.float64)).sum()
    node = y.grad_fn
    assert node is not None and repr(node) == "<SumBackward>" and node.name() == "SumBackward"
    (add, number), = node.next_functions
    assert add is not None and add.name() == "AddBackward" and number == 0
    mul, nothing = (f for f, _ in add.next_functions)
    assert mul is not None and mul.name() == "MulBackward" and nothing is None
    end = mul.next_functions[0][0]
    assert isinstance(end, AccumulateGrad) and end.variable is x
    assert x.grad_fn is None and repr(end) == "<AccumulateGrad>"
    node.metadata["seen"] = True
    assert y.grad_fn.metadata == {"seen": True}


def test_a_walk_lets_go_of_what_was_saved() -> None:
    x = leaf(3)
    y = x * 2.0
    saved = weakref.ref(y)
    z = (y * y).sum()
    del y
    assert saved() is not None
    z.backward(retain_graph=True)
    assert saved() is not None
    z.backward()
    assert saved() is None
    with pytest.raises(OpError, match="backward through the graph a second time"):
        z.backward()


def test_only_what_leads_to_the_inputs_is_walked_and_let_go() -> None:
    x, w = leaf(3), leaf(3)
    a, b = x * x, w * w
    y = (a + b).sum()
    autograd.grad(y, w)
    b_again = autograd.grad(a.sum(), x)[0]
    assert b_again is not None
    with pytest.raises(OpError, match="second time"):
        autograd.grad(b.sum(), w)


def test_a_write_is_named() -> None:
    y = leaf(3) * 1.0
    z = y.exp() * y
    y.sub_(1.0)
    with pytest.raises(OpError, match=r"operand 1 of mul\(.*since by sub_ \(version 1\)"):
        z.sum().backward()
    with eager.no_grad():
        y = leaf(3) * 1.0
    z = leaf(3) * y
    y[0] = 3.0
    with pytest.raises(OpError, match="by __setitem__"):
        z.sum().backward()


def test_a_handle_undoes_its_hook() -> None:
    x, seen = leaf(3), []
    handle = x.register_hook(seen.append)
    with x.register_hook(lambda g: g * 3.0):
        x.sum().backward()
    handle.remove()
    handle.remove()
    x.sum().backward()
    assert len(seen) == 1 and x.grad is not None and x.grad.tolist() == [4.0] * 3


def test_a_hook_keeps_the_type() -> None:
    x = leaf(3)
    x.register_hook(lambda g: g.sum())
    with pytest.raises(OpError, match=r"a hook returned f64\[\]"):
        x.sum().backward()


def test_an_optimiser_may_live_in_a_hook() -> None:
    layer = eager.nn.Linear(3, 1)
    before = layer.weight.detach().clone()
    for p in layer.parameters():
        def step(p: Any) -> None:
            with eager.no_grad():
                p.sub_(p.grad * 0.5)
            p.grad = None
        p.register_post_accumulate_grad_hook(step)
    layer(eager.ones(2, 3)).sum().backward()
    assert layer.weight.grad is None
    np.testing.assert_allclose(layer.weight.detach().numpy(), before.numpy() - 1.0, rtol=1e-6)


@pytest.mark.parametrize("saved", ["input", "output"])
def test_a_function_holds_no_cycle(saved: str) -> None:
    class Twice(autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            y = x * 2.0
            ctx.save_for_backward(x if saved == "input" else y)
            return y

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * 2.0 + 0.0 * ctx.saved_tensors[0]

    gc.collect()
    gc.disable()
    try:
        y = Twice.apply(leaf(3))
        y.sum().backward()
        seen = weakref.ref(y)
        del y
        assert seen() is None
    finally:
        gc.enable()


def test_a_functions_node_is_its_ctx() -> None:
    class Named(autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, scale: float) -> Any:
            ctx.shape, ctx.scale = tuple(x.shape), scale
            return x * scale

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * ctx.scale, None

    y = Named.apply(leaf(3), 2.0)
    assert repr(y.grad_fn) == "<NamedBackward>" and y.grad_fn.shape == (3,)
    assert y.grad_fn.needs_input_grad == (True, False)
    assert (y + 1.0).grad_fn.next_functions[0] == (y.grad_fn, 0)


def test_the_modes() -> None:
    x = leaf(3)

    @eager.no_grad
    def f() -> bool:
        return (x * 2.0).requires_grad

    assert f() is False
    with eager.inference_mode(False):
        assert (x * 2.0).requires_grad and not (x * 2.0).is_inference()
    with eager.inference_mode():
        y = x * 2.0
        y.add_(1.0)
        assert y._version == 0 and y.is_inference() and y[1:].is_inference()
        with eager.inference_mode(False):
            assert not eager.is_inference_mode_enabled()
    with pytest.raises(OpError, match="inference_mode"):
        x * y
    assert not (x + y).is_inference()


def test_a_generator_is_in_the_mode_at_every_step_and_no_longer() -> None:
    x, caught = leaf(3), []

    @eager.no_grad()
    def numbers() -> Any:
        got = yield (x * 2.0).requires_grad
        try:
            yield got, (x * 2.0).requires_grad
        except ValueError:
            caught.append((x * 2.0).requires_grad)
        return "end"

    g = numbers()
    assert next(g) is False and (x * 2.0).requires_grad
    assert g.send(5) == (5, False) and (x * 2.0).requires_grad
    with pytest.raises(StopIteration, match="end"):
        g.throw(ValueError())
    assert caught == [False] and (x * 2.0).requires_grad
    g = numbers()
    next(g)
    g.close()


def test_what_is_not_there_says_what_is() -> None:
    with pytest.raises(AttributeError, match=r"eager\.func\.jvp"):
        autograd.forward_ad  # noqa: B018
    assert {"Function", "gradcheck", "graph", "detect_anomaly"} <= set(dir(autograd))


def test_saved_values_may_be_disabled() -> None:
    with autograd.graph.disable_saved_tensors_hooks("not here"), pytest.raises(
            OpError, match="not here"), autograd.graph.save_on_cpu():
        pass
