"""What every op of a table must satisfy.  Each law takes an op, so any table can be judged."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest

from eager.autograd import grad
from eager.engine.dispatch import apply, coerce
from eager.engine.raw import Raw
from eager.engine.tensor import TAPED, Tensor
from eager.ops.errors import OpError
from eager.ops.families import Control, View
from eager.ops.op import Example, Op, operand_arrays
from eager.ops.types import DTYPES, Type, dtype_named, dtype_of

RELATIONS = {"<": operator.lt, ">=": operator.ge, "==": operator.eq}


def drawn(op: Op, example: Example, dtype: str = "f64") -> list[np.ndarray[Any, Any]]:
    """The operands of an example, the same every time."""
    return operand_arrays(op, example, np.random.default_rng(7), dtype)


def type_of(array: Any) -> Type:
    return Type(dtype_of(array.dtype), array.shape)


# --- types, words, refusals --------------------------------------------------------------------
def is_documented(op: Op) -> None:
    assert op.doc.endswith(".") and op.name not in ("", None)
    assert op.examples or isinstance(op.kernel, Control), "no example"


def has_its_inferred_type(op: Op) -> None:
    for example in op.examples:
        for dtype in ("f32", "f64"):
            arrays = drawn(op, example, dtype)
            want = op.result_type([type_of(a) for a in arrays], example.attrs)
            got = np.asarray(op.run(*arrays, **example.attrs))
            assert type_of(got) == want, f"{op.name} {example}: inferred {want}, got {type_of(got)}"


def applies_to_tensors(op: Op) -> None:
    """Through `apply` (twice where no operand is random) the result is `run`'s, bit for bit."""
    for example in op.examples:
        arrays = drawn(op, example, "f32")
        with np.errstate(all="ignore"):
            want = np.asarray(op.run(*arrays, **example.attrs))
        got = apply(op, tuple(map(Tensor, arrays)), dict(example.attrs)).numpy()
        assert got.dtype == want.dtype and got.tobytes() == want.tobytes()


def leaves_its_operands_alone(op: Op) -> None:
    for example in op.examples:
        arrays = drawn(op, example)
        before = [a.copy() for a in arrays]
        op.run(*arrays, **example.attrs)
        for a, b in zip(arrays, before, strict=True):
            np.testing.assert_array_equal(a, b)


def refuses_its_rejects(op: Op) -> None:
    for example in op.rejects:
        tensors = tuple(map(Tensor, drawn(op, example, "f32")))
        with pytest.raises(OpError, match=rf"^{op.name}[:(]"):
            apply(op, tensors, dict(example.attrs))


def refuses_what_its_contract_refuses(op: Op) -> None:
    """With operands of every dtype `apply` gives the inferred type, or refuses as `infer` does."""
    for example, name in product(op.examples, DTYPES):
        if not example.operands or any(isinstance(o, np.ndarray) for o in example.operands):
            continue
        arrays = [np.ones(a.shape, dtype_named(name).numpy) for a in drawn(op, example)]
        try:
            operands = coerce(op, tuple(map(Tensor, arrays)))
        except OpError:
            continue  # refused before they meet
        types = [t.spec for t in operands]
        try:
            want = op.result_type(types, example.attrs)
        except OpError:
            with pytest.raises(OpError, match=rf"^{op.name}[:(]"):
                apply(op, operands, dict(example.attrs))
        else:
            assert apply(op, operands, dict(example.attrs)).spec == want, (op.name, types)


def refuses_a_wrong_call(op: Op) -> None:
    types = [type_of(a) for a in drawn(op, op.examples[0])]
    with pytest.raises(OpError, match="has no attribute 'colour'"):
        op.result_type(types, {**op.examples[0].attrs, "colour": 1})
    if not op.variadic:
        with pytest.raises(OpError, match="operands"):
            op.result_type([*types, Type(dtype_of(np.dtype("f4")), ())], op.examples[0].attrs)


# --- gradients ---------------------------------------------------------------------------------
def differentiable(op: Op) -> Iterator[tuple[Example, list[np.ndarray[Any, Any]]]]:
    """Examples whose result is float64 when their operands are (a cast to float32 has no slope)."""
    for example in op.examples:
        arrays = drawn(op, example)
        out = op.result_type([type_of(a) for a in arrays], example.attrs)
        if out.dtype.name == "f64" and any(a.dtype == np.float64 and a.size for a in arrays):
            yield example, arrays


def _slope(run: Any, arrays: list[Any], at: int, weights: Any, step: float) -> Any:
    """d sum(weights * run(arrays)) / d arrays[at], by central differences."""
    slope = np.zeros_like(arrays[at])
    for place in np.ndindex(arrays[at].shape):
        sides = []
        for sign in (1, -1):
            moved = [a.copy() for a in arrays]
            moved[at][place] += sign * step
            sides.append(np.sum(run(*moved) * weights))
        slope[place] = (sides[0] - sides[1]) / (2 * step)
    return slope


def _leaves(arrays: list[Any]) -> list[Tensor]:
    return [Tensor(a, requires_grad=a.dtype == np.float64) for a in arrays]


def gradient_is_the_slope(op: Op) -> None:
    seen = 0
    for example, arrays in differentiable(op):
        weights = np.random.default_rng(3).normal(
            size=op.result_type([type_of(a) for a in arrays], example.attrs).shape)
        tensors = _leaves(arrays)
        apply(op, tuple(tensors), dict(example.attrs)).backward(Tensor(np.asarray(weights)))
        for k, t in enumerate(tensors):
            if not t.requires_grad or arrays[k].size > 100:
                continue
            slope = _slope(lambda *a, e=example: op.run(*a, **e.attrs), arrays, k, weights, 1e-6)
            got = np.zeros_like(slope) if t.grad is None else t.grad.numpy()
            np.testing.assert_allclose(got, slope, rtol=1e-5, atol=1e-7,
                                       err_msg=f"{op.name} operand {k} of {example}")
            seen += 1
    assert seen, f"{op.name} has a gradient and no example that shows it"


def gradient_needs_no_other_gradient(op: Op) -> None:
    """An operand that alone requires grad gets the gradient it gets in company."""
    for example, arrays in differentiable(op):
        floats = [k for k, a in enumerate(arrays) if a.dtype == np.float64]
        together = _grads_of(op, example, arrays, floats)
        for k in floats:
            (alone,) = _grads_of(op, example, arrays, [k])
            beside = together[floats.index(k)]
            assert (alone is None) == (beside is None)
            if alone is not None and beside is not None:
                np.testing.assert_array_equal(alone.numpy(), beside.numpy())


def _grads_of(op: Op, example: Example, arrays: list[Any], wanted: list[int]) -> Any:
    tensors = [Tensor(a, requires_grad=k in wanted) for k, a in enumerate(arrays)]
    out = apply(op, tuple(tensors), dict(example.attrs))
    seed = Tensor(np.asarray(np.random.default_rng(2).normal(size=tuple(out.shape))))
    return grad(out, [tensors[k] for k in wanted], seed, allow_unused=True)


def gradient_has_a_gradient(op: Op) -> None:
    """The slope of the gradient's product with fixed weights is the gradient of that product."""
    rng = np.random.default_rng(4)
    for example, arrays in differentiable(op):
        if sum(a.size for a in arrays) > 60:
            continue
        shape = op.result_type([type_of(a) for a in arrays], example.attrs).shape
        seed = np.asarray(rng.normal(size=shape))
        weights = [rng.normal(size=a.shape) for a in arrays]

        def first(*values: Any, e: Example = example, seed: Any = seed,
                  weights: Any = weights) -> tuple[Tensor, list[Tensor]]:
            tensors = _leaves(list(values))
            out = apply(op, tuple(tensors), dict(e.attrs))
            leaves = [t for t in tensors if t.requires_grad]
            grads = grad(out, leaves, Tensor(seed), create_graph=True, allow_unused=True)
            total = Tensor(np.zeros(()))
            for t, w in zip(tensors, weights, strict=True):
                g = next((x for leaf, x in zip(leaves, grads, strict=True) if leaf is t), None)
                if g is not None:
                    total = total + (g * Tensor(np.asarray(w))).sum()
            return total, leaves

        total, leaves = first(*arrays)
        if not total.requires_grad:
            continue
        second = grad(total, leaves, allow_unused=True)
        floats = [k for k, a in enumerate(arrays) if a.dtype == np.float64]
        for k, got in zip(floats, second, strict=True):
            slope = _slope(lambda *v, f=first: f(*v)[0].detach().numpy(), arrays, k, 1.0, 1e-5)
            value = np.zeros_like(slope) if got is None else got.detach().numpy()
            np.testing.assert_allclose(value, slope, rtol=1e-4, atol=1e-5,
                                       err_msg=f"{op.name} second, operand {k} of {example}")


def gradient_is_one_on_every_way(op: Op, table: dict[str, Op]) -> None:
    """The rule gives the same bits on raw arrays and on tensors, in both float dtypes."""
    raw = Raw(table)
    for example in op.examples:
        for dtype in ("f32", "f64"):
            arrays = drawn(op, example, dtype)
            with np.errstate(all="ignore"):
                out = np.asarray(op.run(*arrays, **example.attrs))
                if out.dtype.kind != "f":
                    continue
                g = np.random.default_rng(5).normal(size=out.shape).astype(out.dtype)
                bare = op.grad(raw, g, out, *arrays, **example.attrs)  # type: ignore[misc]
            wrapped = op.grad(TAPED, Tensor(g), Tensor(out), *map(Tensor, arrays),
             # type: ignore[misc]
                              **example.attrs)
            assert len(bare) == len(wrapped) == len(arrays)
            for a, b in zip(bare, wrapped, strict=True):
                assert (a is None) == (b is None)
                if a is not None:
                    a, b = np.asarray(a), b.numpy()
                    assert a.dtype == b.dtype == out.dtype or op.name == "cast"
                    assert a.shape == b.shape and a.tobytes() == b.tobytes(), op.name


# --- other columns -----------------------------------------------------------------------------
def decomposition_says_the_same(op: Op, table: dict[str, Op]) -> None:
    for example in op.examples:
        arrays = drawn(op, example)
        parts = op.decompose(Raw(table), *arrays, **example.attrs)  # type: ignore[misc]
        np.testing.assert_allclose(parts, op.run(*arrays, **example.attrs), rtol=1e-12, atol=1e-14)


def commutes(op: Op) -> None:
    for example in op.examples:
        x, y = drawn(op, example)
        np.testing.assert_array_equal(op.run(x, y), op.run(y, x))


def index_map_says_the_same(op: Op) -> None:
    """A view's map from output to operand indices, element by element."""
    assert isinstance(op.kernel, View)
    for example in op.examples:
        (x,) = drawn(op, example)
        out = op.run(x, **example.attrs)
        fill = example.attrs.get(op.kernel.fill, 0)
        for i in product(*map(range, out.shape)):
            args = (i, x.shape, out.shape)
            valid = op.kernel.valid(*args, **example.attrs) if op.kernel.valid else ()
            inside = all(RELATIONS[r](a, b) for a, r, b in valid)
            want = x[op.kernel.index(*args, **example.attrs)] if inside else fill
            assert out[i] == want, (op.name, example, i)


def put_is_seen_through_the_view(op: Op, table: dict[str, Op]) -> None:
    """Writing through a view changes what it shows, and nothing else.

    A view in which elements share memory refuses, and NumPy would not write to it either.
    """
    raw = Raw(table)
    for example in op.examples:
        (base,) = drawn(op, example)
        seen = op.run(base, **example.attrs)
        value = seen + 10.0
        if not seen.flags.writeable:
            with pytest.raises(OpError, match="single memory location"):
                op.put(raw, base, value, **example.attrs)  # type: ignore[misc]
            continue
        whole = op.put(raw, base, value, **example.attrs)  # type: ignore[misc]
        np.testing.assert_array_equal(op.run(whole, **example.attrs), value)
        assert np.sum(whole != base) == seen.size
