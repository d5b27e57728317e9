"""What torch's autograd does, ours does too."""

from __future__ import annotations

from typing import Any

import pytest

import eager

pytest.importorskip("torch.utils.checkpoint")


from tests.peers.pairs import P, Program, W, X, agree, refuse, t

PROGRAMS: list[Program] = []
REFUSALS: list[Program] = []


def program(f: Program) -> Program:
    PROGRAMS.append(f)
    return f


def refused(f: Program) -> Program:
    REFUSALS.append(f)
    return f


def checkpoint_of(lib: Any) -> Any:
    return lib.autograd.checkpoint if lib is eager else lib.utils.checkpoint


# --- backward and grad -------------------------------------------------------------------------
@program
def accumulates(lib: Any) -> Any:
    x = t(lib, X)
    for _ in range(2):
        (x * x).sum().backward()
    return x.grad


@program
def to_inputs_alone(lib: Any) -> Any:
    x, w = t(lib, X), t(lib, W)
    y = x * w
    (y * y).sum().backward(inputs=[w])
    return w.grad, x.grad is None


@program
def to_an_input_that_is_no_leaf(lib: Any) -> Any:
    x = t(lib, X)
    y = x.sin()
    (y * y).sum().backward(inputs=[y, x])
    return y.grad, x.grad


@program
def several_roots(lib: Any) -> Any:
    x = t(lib, X)
    lib.autograd.backward([x.sum(), (x * x)], [None, t(lib, P, False)])
    return x.grad


@program
def grad_with_seeds(lib: Any) -> Any:
    x, w = t(lib, X), t(lib, W)
    return lib.autograd.grad([x * w, w.sum()], [w, x], [t(lib, P, False), None])


@program
def unused_inputs(lib: Any) -> Any:
    x, w = t(lib, X), t(lib, W)
    found = lib.autograd.grad(x.sum(), [x, w], allow_unused=True)
    return found[0], found[1] is None


@program
def unused_inputs_as_zeros(lib: Any) -> Any:
    x, w = t(lib, X), t(lib, W)
    return lib.autograd.grad(x.sum(), [x, w], materialize_grads=True)


@program
def batched_seeds(lib: Any) -> Any:
    x, w = t(lib, X), t(lib, W)
    y = (x * w).sum(1)
    seeds = lib.eye(4, dtype=lib.float64)
    return lib.autograd.grad(y, [x, w], seeds, is_grads_batched=True)


@program
def third_derivative(lib: Any) -> Any:
    x = t(lib, W)
    y = (x.sin() * x).sum()
    for _ in range(3):
        (y,) = lib.autograd.grad(y.sum(), x, create_graph=True)
    return y


@program
def grad_by_the_middle(lib: Any) -> Any:
    x = t(lib, X)
    y = x * 2.0
    z = y.exp() + x
    return lib.autograd.grad(z.sum(), [y, x])


@program
def walking_twice_is_fine_where_nothing_was_saved(lib: Any) -> Any:
    x = t(lib, X)
    y = (x + 1.0).sum()
    y.backward()
    y.backward()
    return x.grad


@program
def retained(lib: Any) -> Any:
    x = t(lib, X)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    return x.grad


# --- hooks -------------------------------------------------------------------------------------
@program
def hooks_on_tensors(lib: Any) -> Any:
    x, seen = t(lib, X), []
    y = x * 3.0
    y.register_hook(lambda g: seen.append(g.clone()))
    y.register_hook(lambda g: g * 2.0)
    handle = y.register_hook(lambda g: g * 100.0)
    handle.remove()
    x.register_hook(lambda g: g + 1.0)
    (y * y).sum().backward()
    return seen, x.grad


@program
def hooks_on_nodes(lib: Any) -> Any:
    x, seen = t(lib, X), []
    y = x.exp()
    y.grad_fn.register_prehook(lambda g: (g[0] * 2.0,))
    y.grad_fn.register_hook(lambda gi, go: seen.extend([gi[0], go[0]]))
    y.sum().backward()
    return seen, x.grad


@program
def hook_after_accumulation(lib: Any) -> Any:
    x = t(lib, X)

    def step(p: Any) -> None:
        with lib.no_grad():
            p.sub_(p.grad * 0.1)
        p.grad = None

    x.register_post_accumulate_grad_hook(step)
    (x * x).sum().backward()
    return x, x.grad is None


@program
def retained_gradients(lib: Any) -> Any:
    x = t(lib, X)
    y = x.sin()
    y.retain_grad()
    before = y.retains_grad, x.retains_grad
    y.register_hook(lambda g: g * 2.0)
    (y * y).sum().backward()
    return y.grad, x.grad, before


@program
def hooks_in_the_second_derivative(lib: Any) -> Any:
    x = t(lib, X)
    y = x * x
    y.register_hook(lambda g: g * g)
    (g,) = lib.autograd.grad((y * y).sum(), x, create_graph=True)
    g.sum().backward()
    return x.grad


@program
def hooks_on_several(lib: Any) -> Any:
    x, w, rest, seen, first = t(lib, X), t(lib, W), t(lib, W), [], []
    y = x * w
    graph = lib.autograd.graph
    graph.register_multi_grad_hook((x, w, y, rest), lambda gs: seen.append(
        [None if g is None else g.clone() for g in gs]))
    handle = graph.register_multi_grad_hook((x, w), lambda g: first.append(g.shape), mode="any")
    (y * y).sum().backward(retain_graph=True)
    (y * 2.0).sum().backward(retain_graph=True)
    handle.remove()
    y.sum().backward()
    return [[g is None for g in gs] for gs in seen], len(first), seen[0][:3]


@program
def edges(lib: Any) -> Any:
    x = t(lib, X)
    edge = lib.autograd.graph.get_gradient_edge(x * 2.0)
    before = x._version
    lib.autograd.graph.increment_version(x)
    return edge.output_nr, x._version - before


# --- around ------------------------------------------------------------------------------------
@program
def a_checkpoint(lib: Any) -> Any:
    x, w = t(lib, X), t(lib, W)

    def part(x: Any) -> Any:
        return ((x * w).sin() * x).exp()

    y = checkpoint_of(lib).checkpoint(part, x, use_reentrant=False)
    (g,) = lib.autograd.grad(y.sum(), x, create_graph=True)
    (g * g).sum().backward()
    return y, g, x.grad, w.grad


@program
def a_chain_of_checkpoints(lib: Any) -> Any:
    x = t(lib, X)
    parts = [lambda v: v.sin(), lambda v: v * v, lambda v: v.exp(), lambda v: v + 1.0]
    y = checkpoint_of(lib).checkpoint_sequential(parts, 2, x, use_reentrant=False)
    y.sum().backward()
    return y, x.grad


@program
def packed(lib: Any) -> Any:
    x, seen = t(lib, X), []

    def pack(v: Any) -> Any:
        seen.append(tuple(v.shape))
        return v * 2.0

    with lib.autograd.graph.saved_tensors_hooks(pack, lambda v: v * 0.5):
        y = (x * x).exp()
    (g,) = lib.autograd.grad(y.sum(), x, create_graph=True)
    g.sum().backward()
    return g, x.grad, seen


@program
def modes(lib: Any) -> Any:
    x = t(lib, X)
    with lib.no_grad():
        a = (x * 2.0).requires_grad
        with lib.enable_grad():
            b = (x * 2.0).requires_grad
    with lib.inference_mode():
        y = x * 2.0
        c = y.requires_grad, y.is_inference(), lib.is_inference_mode_enabled()
    with lib.set_grad_enabled(False):
        d = lib.is_grad_enabled()

    @lib.no_grad()
    def f() -> Any:
        return (x * 2.0).requires_grad

    @lib.inference_mode()
    def h() -> Any:
        return (x * 2.0).is_inference()
    return a, b, c, d, f(), h(), (x * 2.0).is_inference(), (x * y.clone()).requires_grad


@program
def functional(lib: Any) -> Any:
    f = lib.autograd.functional
    x, w, v = (t(lib, a, False) for a in (X[0], W, P[0]))

    def g(x: Any, w: Any) -> Any:
        return (x * w).sin(), (x * x).sum()

    def h(x: Any, w: Any) -> Any:
        return (x * x * w.exp()).sum()

    return (f.jacobian(g, (x, w)), f.hessian(h, (x, w)), f.jacobian(h, (x, w), vectorize=True),
            f.jacobian(lambda x: x.sin(), x, vectorize=True, strategy="forward-mode"),
            f.vjp(h, (x, w), t(lib, 2.0, False)), f.jvp(g, (x, w), (v, w)),
            f.vhp(h, (x, w), (v, w)), f.hvp(h, (x, w), (v, w)))


# --- refusals ----------------------------------------------------------------------------------
@refused
def walked_twice(lib: Any) -> None:
    y = (t(lib, X) * t(lib, X)).sum()
    y.backward()
    y.backward()


@refused
def grad_walked_twice(lib: Any) -> None:
    x = t(lib, X)
    y = x.exp().sum()
    lib.autograd.grad(y, x)
    lib.autograd.grad(y, x)


@refused
def a_written_value(lib: Any) -> None:
    x = t(lib, X)
    y = x * 1.0
    z = y.sin()
    y.mul_(2.0)
    z.sum().backward()


@refused
def a_leaf_written(lib: Any) -> None:
    t(lib, X).mul_(2.0)


@refused
def no_gradient_anywhere(lib: Any) -> None:
    t(lib, X, False).sum().backward()


@refused
def no_scalar(lib: Any) -> None:
    (t(lib, X) * 2.0).backward()


@refused
def unused(lib: Any) -> None:
    lib.autograd.grad(t(lib, X).sum(), t(lib, W))


@refused
def a_seed_of_another_shape(lib: Any) -> None:
    (t(lib, X) * 2.0).backward(t(lib, W, False))


@refused
def inference_tensors_saved(lib: Any) -> None:
    with lib.inference_mode():
        y = t(lib, X) * 2.0
    t(lib, X) * y


@refused
def inference_tensors_written(lib: Any) -> None:
    with lib.inference_mode():
        y = t(lib, X, False) * 2.0
    y.add_(1.0)


@refused
def hook_without_gradient(lib: Any) -> None:
    t(lib, X, False).register_hook(lambda g: g)


@refused
def hook_after_accumulation_of_no_leaf(lib: Any) -> None:
    (t(lib, X) * 2.0).register_post_accumulate_grad_hook(lambda p: None)


@refused
def nan_in_anomaly_mode(lib: Any) -> None:
    with lib.autograd.detect_anomaly():
        x = t(lib, [0.0])
        (x.sqrt() * 0.0).sum().backward()


@pytest.mark.filterwarnings("ignore")  # torch's own
@pytest.mark.parametrize("run", PROGRAMS, ids=lambda f: f.__name__)
def test_both_libraries_agree(run: Program) -> None:
    agree(run)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("run", REFUSALS, ids=lambda f: f.__name__)
def test_both_libraries_refuse(run: Program) -> None:
    refuse(run)
