"""Gradients through programs equal eager's, whatever stands before and after the call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import eager
import jit
from eager import nn
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError, TraceError
from tests.replay import close

rng = np.random.default_rng(0)


def floats(*shape: int) -> Tensor:
    return Tensor(rng.standard_normal(shape).astype(np.float32))


def leaf(*shape: int) -> Tensor:
    return floats(*shape).requires_grad_()


def mlp() -> nn.Module:
    eager.manual_seed(3)
    return nn.Sequential(nn.Linear(6, 40), nn.ReLU(), nn.Linear(40, 5))


def grads_of(tensors: Sequence[Tensor]) -> list[Any]:
    """What stands in ``.grad``, and nothing there any more."""
    found = [None if t.grad is None else t.grad.numpy() for t in tensors]
    for t in tensors:
        t.grad = None
    return found


def same_gradients(fn: Callable[..., Any], program: Callable[..., Any], *calls: Sequence[Tensor],
                   live: Sequence[Tensor] = (), loss: Callable[[Any], Tensor] | None = None
                   ) -> None:
    """Each call of both gives the same values, and the same gradients of arguments and state."""
    loss = loss or (lambda out: (out * out).sum())
    for args in calls:
        found = []
        for f in (fn, program):
            out = f(*args)
            loss(out).backward()
            found.append((out, grads_of([a for a in args if a.requires_grad]), grads_of(live)))
        close(*found, 1e-5, 1e-6)


@pytest.fixture
def model() -> nn.Module:
    return mlp()


@pytest.fixture
def program(model: nn.Module) -> jit.Program:
    return jit.trace(model, (floats(3, 6),), dynamic_shapes={"input": {0: jit.Dim("n", max=64)}})


# --- they are eager's --------------------------------------------------------------------------
def test_of_arguments_and_parameters_at_every_size(model: nn.Module, program: jit.Program) -> None:
    calls = [(leaf(n, 6),) for n in (3, 1, 7, 0)] + [(floats(2, 6),)]
    same_gradients(model, program, *calls, live=list(model.parameters()))


def test_between_eager_ops_and_into_what_is_there() -> None:
    w, x = leaf(4), leaf(3, 4)
    program = jit.trace(lambda x: (x * w).tanh(), (floats(3, 4),))
    found = []
    for f in (lambda x: (x * w).tanh(), program):
        for _ in range(2):  # the first is computed again, the second keeps; .grad adds up
            ((f(x.exp() * 0.5) @ w.reshape(4, 1)).sum() * 2).backward()
        found.append(grads_of([x, w]))
    close(*found, 1e-5, 1e-6)


def test_by_autograd_grad_of_what_is_no_leaf(program: jit.Program, model: nn.Module) -> None:
    for f in (program, program):
        middle = leaf(2, 6) * 2
        got = eager.autograd.grad(f(middle).sum(), [middle, model[0].weight])
        want = eager.autograd.grad(model(middle).sum(), [middle, model[0].weight])
        close(list(got), list(want), 1e-5, 1e-6)


def test_of_several_results_some_of_which_are_not_used() -> None:
    def fn(x: Tensor, k: Tensor) -> Any:
        y = x.sigmoid()
        return {"y": y, "index": y.argmax(1), "sum": y.sum(), "fixed": (x * 3).detach(),
                "same": x, "picked": x[0] * k}

    program = jit.trace(fn, (floats(3, 4), eager.arange(4)))
    assert [t.requires_grad for t in program(leaf(3, 4), eager.arange(4)).values()] == [
        True, False, True, False, True, True]
    for loss in (lambda o: o["sum"] * 2, lambda o: o["same"].sum() + o["picked"].exp().sum(),
                 lambda o: (o["y"] * o["fixed"]).sum() + o["sum"]):
        same_gradients(fn, program, (leaf(3, 4), eager.arange(4)), (leaf(3, 4), eager.arange(4)),
                       loss=loss)


def test_of_two_arguments_that_are_one_tensor() -> None:
    def fn(x: Tensor, y: Tensor) -> Tensor:
        return x * y.exp()

    x = leaf(3)
    same_gradients(fn, jit.trace(fn, (floats(3), floats(3))), (x, x), (x, x), (x, floats(3)))


class Doubled(eager.autograd.Function):
    """Its gradient is not that of what it computes."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * 2

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return g * x * 100


def test_where_the_function_says_what_flows() -> None:
    w = leaf(4)

    def fn(x: Tensor) -> Tensor:
        with eager.no_grad():
            fixed = x * w
        (slope,) = eager.autograd.grad((w * w).sum(), [w])
        return fixed * w + Doubled.apply(x) + x.detach() * slope

    same_gradients(fn, jit.trace(fn, (floats(4),)), (leaf(4),), (leaf(4),), live=[w])


def test_of_branches_and_checkpoints() -> None:
    w = leaf(3)

    def fn(x: Tensor) -> Tensor:
        y = eager.autograd.checkpoint.checkpoint(lambda x: (x * w).exp(), x)
        return jit.cond(x.sum() > 0, lambda: y * 2, lambda: -y * w)

    up = floats(3).abs().requires_grad_()
    same_gradients(fn, jit.trace(fn, (floats(3),)), (up,), ((-up).detach().requires_grad_(),),
                   (up,), live=[w])


def test_flow_on_through_captured_tensors() -> None:
    w = leaf(2, 4)
    middle = w.exp()

    def fn(x: Tensor) -> Tensor:
        return x * middle[0] + w[1]

    program = jit.trace(fn, (floats(4),))
    found = []
    for f in (fn, program, program):
        (f(floats(4) * 0 + 2) ** 2).sum().backward(retain_graph=True)
        found.append(grads_of([w]))
    close(found[1], found[0]), close(found[2], found[0])


def test_of_arrays_of_any_layout_and_no_dims() -> None:
    def fn(x: Tensor, s: Tensor, fixed: Tensor) -> Tensor:
        return (x * s * fixed).exp()

    program = jit.trace(fn, (floats(3, 4), floats(), floats(4)))
    wide, fixed = floats(4, 6), floats(8)
    for _ in range(2):
        x, s = wide.T.detach()[::2].requires_grad_(), leaf()
        program(x, s, fixed.numpy()[::2]).sum().backward()
        found = grads_of([x, s])
        fn(x, s, fixed[::2]).sum().backward()
        close(found, grads_of([x, s]), 1e-5, 1e-6)


# --- state and draws ---------------------------------------------------------------------------
def conv_net() -> nn.Module:
    eager.manual_seed(4)
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(),
                         nn.Dropout(0.4), nn.Flatten(), nn.Linear(64, 5))


def test_statistics_and_draws_are_eagers_bit_for_bit() -> None:
    mine, its = conv_net(), conv_net()
    program = jit.trace(its, (floats(2, 1, 4, 4),))
    data = [floats(2, 1, 4, 4) for _ in range(3)]
    found = []
    for f, net in ((mine, mine), (program, its)):
        eager.manual_seed(5)
        outs = []
        for x in data:
            outs.append(f(x))
            (outs[-1] ** 2).sum().backward()
        found.append(([o.detach() for o in outs], eager.rand(3),
                      grads_of(list(net.parameters())), list(net.buffers())))
    np.testing.assert_array_equal(found[0][1].numpy(), found[1][1].numpy())
    for a, b in zip(found[0][0], found[1][0], strict=True):
        assert ((a.numpy() == 0) == (b.numpy() == 0)).all()
    close(*found, 1e-4, 1e-5)


def test_a_frozen_parameter_gets_none(model: nn.Module, program: jit.Program) -> None:
    x, parameters = floats(2, 6), list(model.parameters())
    same_gradients(model, program, (x,), (x,), live=parameters)
    model[0].requires_grad_(False)
    same_gradients(model, program, (x,), (x,), live=parameters)
    model.requires_grad_(False)
    assert not program(x).requires_grad
    model.requires_grad_(True)
    same_gradients(model, program, (x,), live=parameters)


# --- hooks, modes, walks -----------------------------------------------------------------------
def test_hooks_see_each_gradient_once(model: nn.Module, program: jit.Program) -> None:
    seen: list[str] = []
    model[0].weight.register_hook(lambda g: seen.append("weight"))
    model[0].bias.register_post_accumulate_grad_hook(lambda t: seen.append("bias"))
    for _ in range(2):
        x = leaf(2, 6)
        x.register_hook(lambda g: g * 0)
        out = program(x)
        out.retain_grad()
        out.register_hook(lambda g: seen.append("out"))
        out.grad_fn.register_hook(lambda after, before: seen.append("node"))
        out.sum().backward()
        assert sorted(seen) == ["bias", "node", "out", "weight"] and out.grad is not None
        assert not x.grad.numpy().any()
        seen.clear()


def test_a_graph_is_walked_again_where_it_is_retained(program: jit.Program) -> None:
    for _ in range(2):
        x = leaf(2, 6)
        loss = program(x).sum()
        loss.backward(retain_graph=True)
        first = x.grad.numpy().copy()
        loss.backward()
        close(x.grad, first * 2)
        with pytest.raises(OpError, match=r"kept for its gradient was let go.*retain_graph=True"):
            loss.backward()


def test_without_grad_nothing_is_recorded(program: jit.Program, model: nn.Module) -> None:
    x = leaf(2, 6)
    with eager.no_grad():
        assert not program(x).requires_grad
    with eager.inference_mode():
        out = program(x)
    assert not out.requires_grad and out.is_inference()
    assert program(x.detach()).requires_grad and program(x).grad_fn.name() == "ProgramBackward"


def test_a_second_gradient_is_refused(program: jit.Program) -> None:
    x = leaf(2, 6)
    with pytest.raises(OpError, match="a program has first gradients only"):
        eager.autograd.grad(program(x).sum(), [x], create_graph=True)


# --- what was written since --------------------------------------------------------------------
def test_a_write_to_what_the_gradient_reads_is_refused(program: jit.Program,
                                                       model: nn.Module) -> None:
    for _ in range(2):  # computed again, then kept
        x = floats(2, 6)
        loss = program(x).sum()
        x.mul_(2)
        with pytest.raises(OpError, match=r"'input'.*was at version 0 .*since by mul_ \(version 1"):
            loss.backward()
        loss = program(x).sum()
        with eager.no_grad():
            model[2].weight.add_(1)
        with pytest.raises(OpError, match=r"'2.weight', which the gradient of Sequential reads"):
            loss.backward()
        program(x).sum().backward()


def test_a_write_to_what_it_does_not_read_is_none_of_its_business(program: jit.Program,
                                                                  model: nn.Module) -> None:
    program(floats(2, 6)).sum().backward()
    loss = program(floats(2, 6)).sum()
    with eager.no_grad():
        model[2].bias.add_(1)
        model[0].weight.add_(1)
    loss.backward()


def test_what_is_done_to_the_model_between_call_and_backward_is_seen() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5))
    model.eval()
    loss = jit.trace(model, (floats(2, 3),))(floats(2, 3)).sum()
    model.train()
    with pytest.raises(TraceError, match="Sequential is traced again for its gradient, and does "
                                         "not do any more what the program does"):
        loss.backward()
    model.eval()


# --- where there is no gradient ----------------------------------------------------------------
def test_a_training_step_is_no_function_to_differentiate(model: nn.Module) -> None:
    optimizer = eager.optim.SGD(model.parameters(), lr=0.1)

    def step(x: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = model(x).sum()
        loss.backward()
        optimizer.step()
        return loss

    program = jit.trace(step, (floats(2, 6),))
    losses = [program(floats(2, 6)) for _ in range(3)]
    with pytest.raises(TraceError, match=r"step calls backward\(\) itself.*loss.detach"):
        losses[-1].backward()


def test_state_that_would_carry_history_from_call_to_call() -> None:
    w, total = leaf(3), eager.zeros(3)

    def fn(x: Tensor) -> Tensor:
        total.add_(x * w)
        return total * w

    program = jit.trace(fn, (floats(3),))
    out = program(floats(3))
    assert out.requires_grad
    with pytest.raises(TraceError, match=r"captured.*is written in the function with a value that "
                                         r"gradients flow through.*detach\(\)"):
        out.sum().backward()


def test_an_argument_that_is_written_in_place() -> None:
    def fn(x: Tensor, y: Tensor) -> Tensor:
        x.mul_(2)
        return x * y

    program = jit.trace(fn, (floats(3), floats(3)))
    y = leaf(3)
    for _ in range(2):
        mine, its = eager.ones(3), eager.ones(3)
        found = []
        for f, x in ((fn, mine), (program, its)):
            f(x, y).sum().backward()
            found.append((x, grads_of([y])))
        close(*found)
    with pytest.raises(OpError, match="a leaf that requires grad is written in place"):
        program(y * 1, y).sum().backward()


def test_a_program_with_another_kernel_has_none() -> None:
    program = jit.trace(lambda x: x * 2.0, (floats(3),))
    (name,) = (n for n in program.kernels if n != "ej_program")
    edited = program.with_kernel(name, program.kernels[name])
    with pytest.raises(OpError, match=r"kernel replaced has no gradient.*no_grad"):
        edited(leaf(3))
    with pytest.raises(TraceError, match="kernel replaced is called inside a trace"):
        jit.trace(lambda x: edited(x), (floats(3),))


# --- what it looks like, and where it is used --------------------------------------------------
def test_it_can_be_looked_at(program: jit.Program) -> None:
    gradient = program.gradient("input")
    assert "matmul" in str(gradient.graph) and "relu" in str(gradient.forward_graph)
    assert "ej_program" in gradient.kernels and "ej_program" in gradient.forward_kernels
    assert gradient is program.gradient("input") and gradient is not program.gradient()
    with pytest.raises(OpError, match="no argument 'y'; there are input"):
        program.gradient("y")


def test_a_program_inside_another_trace_is_traced_there(model: nn.Module,
                                                        program: jit.Program) -> None:
    outer = jit.trace(lambda x: program(x * 2).sum(1), (floats(2, 6),))
    same_gradients(lambda x: model(x * 2).sum(1), outer, (leaf(2, 6),), (leaf(2, 6),),
                   live=list(model.parameters()))
    got = eager.func.vmap(program)(floats(4, 2, 6))
    assert got.shape == (4, 2, 5)
