"""Functions with gradients of their own, as in torch."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("torch")

from tests.peers.pairs import Program, W, X, agree, refuse, t

PROGRAMS: list[Program] = []
REFUSALS: list[Program] = []


def program(f: Program) -> Program:
    PROGRAMS.append(f)
    return f


def refused(f: Program) -> Program:
    REFUSALS.append(f)
    return f


# --- functions ---------------------------------------------------------------------------------
def cube(lib: Any) -> Any:
    class Cube(lib.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x * x * x

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            (x,) = ctx.saved_tensors
            return g * 3.0 * x * x

    return Cube


@program
def a_function(lib: Any) -> Any:
    x = t(lib, X)
    y = cube(lib).apply(x * 1.0)
    (g,) = lib.autograd.grad(y.sum(), x, create_graph=True)
    g.sin().sum().backward()
    return y, g, x.grad


@program
def a_function_that_saves_its_result(lib: Any) -> Any:
    class Exp(lib.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            out = x.exp()
            ctx.save_for_backward(out)
            return out

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * ctx.saved_tensors[0]

    x = t(lib, X)
    (g,) = lib.autograd.grad(Exp.apply(x).sum(), x, create_graph=True)
    (h,) = lib.autograd.grad(g.sum(), x, create_graph=True)
    return g, h


@program
def a_function_with_several_results(lib: Any) -> Any:
    class Both(lib.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(x: Any, w: Any, scale: float) -> Any:
            return x * scale, (x * w).sum(), x > 0

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            x, w, ctx.scale = inputs
            ctx.mark_non_differentiable(output[2])
            ctx.save_for_backward(x, w)
            ctx.set_materialize_grads(False)

        @staticmethod
        def backward(ctx: Any, a: Any, b: Any, c: Any) -> Any:
            x, w = ctx.saved_tensors
            assert a is None and ctx.needs_input_grad == (True, True, False)
            return (b * w).expand(4, 3), (b * x).sum(0), None

    x, w = t(lib, X), t(lib, W)
    a, b, c = Both.apply(x, w, 2.0)
    b.backward()
    return x.grad, w.grad, a, c, c.requires_grad


@program
def unused_results_get_zeros(lib: Any) -> Any:
    class Two(lib.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2.0, x * 3.0

        @staticmethod
        def backward(ctx: Any, a: Any, b: Any) -> Any:
            return a * 2.0 + b * 3.0

    x = t(lib, X)
    Two.apply(x)[1].sum().backward()
    return x.grad


@program
def a_function_that_writes(lib: Any) -> Any:
    class Double(lib.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            x.mul_(2.0)
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * 2.0

    x = t(lib, X)
    y = x * 1.0
    z = Double.apply(y)
    (z * z).sum().backward()
    return x.grad, z is y


@program
def an_argument_returned(lib: Any) -> Any:
    class Same(lib.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return -g

    x = t(lib, X)
    y = Same.apply(x)
    y.sum().backward()
    return x.grad, y is x


@program
def a_function_with_a_rule_for_maps(lib: Any) -> Any:
    seen = []

    class Scaled(lib.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(x: Any, w: Any) -> Any:
            return x * w

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            x, w = ctx.saved_tensors
            return g * w, (g * x)

        @staticmethod
        def vmap(info: Any, in_dims: Any, x: Any, w: Any) -> Any:
            seen.append((info.batch_size, info.randomness, in_dims))
            return Scaled.apply(x, w.expand(info.batch_size, 3)), 0

    return lib.func.vmap(Scaled.apply, in_dims=(0, None))(t(lib, X, False), t(lib, W, False)), seen


@program
def saved_values_are_packed(lib: Any) -> Any:
    class Cube(lib.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            out = x * x * x
            ctx.save_for_backward(x, out)
            return out

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            x, out = ctx.saved_tensors
            return g * 3.0 * out / x

    x = t(lib, X)
    with lib.autograd.graph.saved_tensors_hooks(lambda v: v * 2.0, lambda v: v * 0.5):
        y = Cube.apply(x * 1.0)
    (g,) = lib.autograd.grad(y.sum(), x, create_graph=True)
    g.sum().backward()
    return g, x.grad


# --- refusals ----------------------------------------------------------------------------------
@refused
def a_function_walked_twice(lib: Any) -> None:
    y = cube(lib).apply(t(lib, X)).sum()
    y.backward()
    y.backward()


@refused
def a_value_that_a_function_saved_is_written(lib: Any) -> None:
    y = t(lib, X) * 1.0
    z = cube(lib).apply(y)
    y.mul_(2.0)
    z.sum().backward()


@refused
def too_many_gradients(lib: Any) -> None:
    class Wrong(lib.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2.0

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g, g

    Wrong.apply(t(lib, X)).sum().backward()


@refused
def differentiated_twice(lib: Any) -> None:
    class Once(lib.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @lib.autograd.function.once_differentiable
        def backward(ctx: Any, g: Any) -> Any:
            return g * 2.0 * ctx.saved_tensors[0]

    x = t(lib, X)
    (g,) = lib.autograd.grad(Once.apply(x).sum(), x, create_graph=True)
    g.sum().backward()


@pytest.mark.filterwarnings("ignore")  # torch's own
@pytest.mark.parametrize("run", PROGRAMS, ids=lambda f: f.__name__)
def test_both_libraries_agree(run: Program) -> None:
    agree(run)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("run", REFUSALS, ids=lambda f: f.__name__)
def test_both_libraries_refuse(run: Program) -> None:
    refuse(run)
