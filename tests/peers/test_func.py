"""What torch.func does, ours does too."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("torch")

from tests.peers.pairs import P, Program, W, X, agree, refuse, t

PROGRAMS: list[Program] = []
REFUSALS: list[Program] = []


def program(f: Program) -> Program:
    PROGRAMS.append(f)
    return f


def refused(f: Program) -> Program:
    REFUSALS.append(f)
    return f


# --- func --------------------------------------------------------------------------------------
def f(x: Any) -> Any:
    return (x.sin() * x).sum()


@program
def func_grads(lib: Any) -> Any:
    x, w = t(lib, X, False), t(lib, W, False)
    nest = {"x": x, "w": [w]}
    both = lib.func.grad(lambda a, b: (a * b).exp().sum(), argnums=(0, 1))
    aux = lib.func.grad(lambda a: (f(a), a * 2.0), has_aux=True)
    return (lib.func.grad(f)(x), both(x, w), aux(x), lib.func.grad_and_value(f)(x),
            lib.func.grad(lambda n: (n["x"] * n["w"][0]).sum() * 2.0)(nest),
            lib.func.grad(lib.func.grad(lambda y: y.exp()))(x[0, 0]),
            lib.func.grad(lambda a: lib.func.grad(lambda b: (a * b * b).sum())(w).sin().sum())(w))


@program
def func_products(lib: Any) -> Any:
    x, w, v = (t(lib, a, False) for a in (X, W, P))
    out, back = lib.func.vjp(lambda a, b: {"y": a * b, "z": b.sum()}, x, w)
    _, back1, aux = lib.func.vjp(lambda a: (a * a, a + 1.0), x, has_aux=True)
    at, push = lib.func.linearize(lambda a, b: (a * b).sin(), x, w)
    return (out, back({"y": v, "z": w.sum()}), back1(v), aux, at, push(v, w),
            lib.func.jvp(lambda a, b: (a * b, b.exp()), (x, w), (v, w)),
            lib.func.jvp(lambda a: (a.sum(0), a), (x,), (v,), has_aux=True))


@program
def func_matrices(lib: Any) -> Any:
    x, w = t(lib, X[:2], False), t(lib, W, False)

    def g(a: Any, b: Any) -> Any:
        return (a * b).sum(1), b.exp()

    return (lib.func.jacrev(g)(x, w), lib.func.jacrev(g, argnums=(0, 1))(x, w),
            lib.func.jacfwd(g, argnums=1)(x, w), lib.func.jacrev(g, chunk_size=1)(x, w),
            lib.func.hessian(lambda a: (a.sin() ** 2).sum() * a.sum())(w),
            lib.func.jacfwd(lambda a: (a * 2.0, a.sum()), has_aux=True)(w))


@program
def func_maps(lib: Any) -> Any:
    x, w = t(lib, X, False), t(lib, W, False)
    vmap = lib.func.vmap
    outer = vmap(vmap(lambda a, b: a * b, in_dims=(None, 0)), in_dims=(0, None))
    return (vmap(lambda a: a.softmax(0))(x), vmap(lambda a: a * 2.0, in_dims=1, out_dims=1)(x),
            vmap(lambda a, b: a @ b, in_dims=(0, None))(x, w), outer(x[:, 0], w),
            vmap(lambda d: d["a"] + d["b"], in_dims=({"a": 0, "b": None},))({"a": x, "b": w}),
            vmap(lambda a: (a.sum(), w), out_dims=(0, 0))(x),
            vmap(lambda a, k: a * k, in_dims=(0, None))(x, 3.0),
            vmap(lambda a: a.cumsum(0), chunk_size=3)(x),
            vmap(lambda a: a[1:].flip(0))(x), vmap(lambda a: lib.where(a > 0, a, w))(x),
            vmap(lambda a, i: a[i])(x, lib.tensor([0, 1, 2, 1])),
            vmap(lambda a, *, b: a + b)(x, b=x))


@program
def func_maps_and_gradients(lib: Any) -> Any:
    x, w = t(lib, X, False), t(lib, W, False)
    vmap, grad = lib.func.vmap, lib.func.grad
    per_sample = vmap(grad(lambda w, a: (a * w).exp().sum()), in_dims=(None, 0))
    leaf = t(lib, W)
    vmap(grad(lambda a: (a * leaf).sin().sum()))(x).square().sum().backward()
    return (per_sample(w, x), grad(lambda w: vmap(lambda a: (a * w).sin().sum())(x).sum())(w),
            grad(lambda w: per_sample(w, x).square().sum())(w), leaf.grad,
            vmap(lib.func.jacrev(lambda a: a * a))(x),
            vmap(lib.func.hessian(lambda a: (a ** 3).sum()))(x))


@program
def writes_in_maps(lib: Any) -> Any:
    x = t(lib, X, False)

    def g(a: Any) -> Any:
        b = a * 1.0
        b[0] = 5.0
        b.mul_(2.0)
        b[1:].add_(1.0)
        return b

    written = x.clone()
    lib.func.vmap(lambda a: a.mul_(3.0))(written)
    return lib.func.vmap(g)(x), written


@program
def an_ensemble(lib: Any) -> Any:
    nn = lib.nn
    models = [nn.Linear(3, 2) for _ in range(3)]
    with lib.no_grad():
        for k, m in enumerate(models):
            m.weight.copy_(lib.tensor(X[:2] * (k + 1), dtype=lib.float32))
            m.bias.copy_(lib.tensor(W[:2], dtype=lib.float32))
    params, buffers = lib.func.stack_module_state(models)
    x = lib.tensor(X, dtype=lib.float32)

    def call(p: Any, b: Any, x: Any) -> Any:
        return lib.func.functional_call(models[0], (p, b), (x,))

    out = lib.func.vmap(call, in_dims=(0, 0, None))(params, buffers, x)
    out.square().sum().backward()
    return out, params["weight"].grad, params["bias"].requires_grad


# --- refusals ----------------------------------------------------------------------------------
@refused
def no_scalar_in_grad(lib: Any) -> None:
    lib.func.grad(lambda x: x * 2.0)(t(lib, X))


@refused
def sizes_differ(lib: Any) -> None:
    lib.func.vmap(lambda a, b: a)(t(lib, X), t(lib, W))


@refused
def no_number_mapped(lib: Any) -> None:
    lib.func.vmap(lambda a, b: a)(t(lib, X), 3.0)


@refused
def read_in_a_map(lib: Any) -> None:
    lib.func.vmap(lambda a: a * a.sum().item())(t(lib, X))


@refused
def branch_in_a_map(lib: Any) -> None:
    lib.func.vmap(lambda a: a if a.sum() > 0 else -a)(t(lib, X))


@refused
def numbers_drawn_in_a_map(lib: Any) -> None:
    lib.func.vmap(lambda a: a + lib.rand(3))(t(lib, X))


@refused
def no_tensor_returned(lib: Any) -> None:
    lib.func.vmap(lambda a: 3)(t(lib, X))


@refused
def written_outside_of_a_map(lib: Any) -> None:
    w = t(lib, W, False)
    lib.func.vmap(lambda a: w.add_(a))(t(lib, X, False))


@refused
def unexpected_parameters(lib: Any) -> None:
    lib.func.functional_call(lib.nn.Linear(3, 2), {"nothing": t(lib, W)}, (t(lib, X),),
                             strict=True)


@pytest.mark.filterwarnings("ignore")  # torch's own
@pytest.mark.parametrize("run", PROGRAMS, ids=lambda f: f.__name__)
def test_both_libraries_agree(run: Program) -> None:
    agree(run)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("run", REFUSALS, ids=lambda f: f.__name__)
def test_both_libraries_refuse(run: Program) -> None:
    refuse(run)
