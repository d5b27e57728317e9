"""Gradients held against differences of values.  Names and defaults are torch's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from eager.autograd.gradients import grad
from eager.engine.mode import mode_set
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError

Array = np.ndarray[Any, Any]


class GradcheckError(OpError):
    """A gradient is not the slope of its function."""


def gradcheck(func: Callable[..., Any], inputs: Tensor | Sequence[Any], *, eps: float = 1e-6,
              atol: float = 1e-5, rtol: float = 1e-3, raise_exception: bool = True,
              nondet_tol: float = 0.0, check_undefined_grad: bool = True,
              check_grad_dtypes: bool = False, check_batched_grad: bool = False,
              check_forward_ad: bool = False, fast_mode: bool = False) -> bool:
    """Whether the gradients of ``func(*inputs)`` are central differences of its values.

    For every input that requires grad (which should be float64) and every floating output: each
    column of the Jacobian by ``(f(x + eps) - f(x - eps)) / (2 eps)`` against the row that
    backward gives, within ``atol + rtol |difference|``.  Complex numbers count as pairs of real
    ones.  Backward is run twice, and may differ by ``nondet_tol``; with ``fast_mode`` one random
    direction is compared instead of all.
    Raises GradcheckError, or returns False without ``raise_exception``.
    """
    if check_batched_grad or check_forward_ad:
        raise OpError("gradcheck: check_batched_grad and check_forward_ad are not supported")
    args = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    leaves = [a for a in args if isinstance(a, Tensor) and a.requires_grad]
    if not leaves:
        raise OpError("gradcheck: no input requires grad")
    for a in leaves:
        if a.dtype.itemsize < (16 if a.dtype.kind == "c" else 8):
            raise OpError(f"gradcheck: an input is {a.spec}; differences need float64 or "
                          f"complex128")
    try:
        compare = _fast if fast_mode else _slow
        compare(func, args, leaves, eps, atol, rtol, nondet_tol)
        if check_undefined_grad:
            _undefined(func, args, leaves)
        if check_grad_dtypes:
            _dtypes(func, args, leaves)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(func: Callable[..., Any], inputs: Tensor | Sequence[Any],
                  grad_outputs: Tensor | Sequence[Tensor] | None = None, *, eps: float = 1e-6,
                  atol: float = 1e-5, rtol: float = 1e-3, gen_non_contig_grad_outputs: bool = False,
                  raise_exception: bool = True, nondet_tol: float = 0.0,
                  check_undefined_grad: bool = True, check_grad_dtypes: bool = False,
                  check_batched_grad: bool = False, fast_mode: bool = False) -> bool:
    """`gradcheck` of the gradient of ``func``, as a function of inputs and ``grad_outputs``.

    These are drawn at random if they are not given.
    """
    args = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    outs = _outputs(func(*args))
    if grad_outputs is None:
        rng = np.random.default_rng(0)
        seeds = [Tensor(_direction(rng, o).astype(o.dtype.numpy), requires_grad=True)
                 for o in outs]
    else:
        seeds = [grad_outputs] if isinstance(grad_outputs, Tensor) else list(grad_outputs)

    def first(*values: Any) -> tuple[Tensor, ...]:
        given, weights = values[:len(args)], values[len(args):]
        targets = [a for a in given if isinstance(a, Tensor) and a.requires_grad]
        grads = grad(_outputs(func(*given)), targets, weights, create_graph=True,
                     allow_unused=True)
        return tuple(g for g in grads if g is not None and g.requires_grad)

    return gradcheck(first, (*args, *seeds), eps=eps, atol=atol, rtol=rtol,
                     raise_exception=raise_exception, nondet_tol=nondet_tol,
                     check_undefined_grad=check_undefined_grad,
                     check_grad_dtypes=check_grad_dtypes, check_batched_grad=check_batched_grad,
                     fast_mode=fast_mode)


def _outputs(result: Any) -> list[Tensor]:
    """The outputs that have a gradient."""
    outs = result if isinstance(result, (tuple, list)) else [result]
    return [o for o in outs if isinstance(o, Tensor) and o.requires_grad]


# --- the slow way: every direction -------------------------------------------------------------
def _slow(func: Any, args: Any, leaves: Sequence[Tensor], eps: float, atol: float, rtol: float,
          nondet: float) -> None:
    outs = _outputs(func(*args))
    for j, out in enumerate(outs):
        exact, again = _rows(out, leaves), _rows(_outputs(func(*args))[j], leaves)
        for i, leaf in enumerate(leaves):
            if not np.allclose(exact[i], again[i], rtol=0, atol=nondet):
                raise GradcheckError(f"backward is not the same twice: output {j} by input {i}")
            rough = _columns(func, args, leaf, j, eps)
            if not np.allclose(exact[i], rough, rtol, atol):
                raise GradcheckError(
                    f"the gradient of output {j} by input {i} is no slope; by differences\n"
                    f"{rough}\nby backward\n{exact[i]}")


def _rows(out: Tensor, leaves: Sequence[Tensor]) -> list[Array]:
    """The Jacobians ``[out elements, input elements]`` by backward, a row a time."""
    found: list[list[Array]] = [[] for _ in leaves]
    for seed in _steps(out, 1.0):
        grads = grad(out, leaves, Tensor(seed), retain_graph=True, allow_unused=True)
        for rows, leaf, g in zip(found, leaves, grads, strict=True):
            rows.append(_reals(np.zeros_like(leaf._array) if g is None else g.detach().numpy()))
    return [np.array(rows).reshape(-1, _reals(leaf._array).size)
            for rows, leaf in zip(found, leaves, strict=True)]


def _reals(a: Array) -> Array:
    """All numbers in a line, a complex one as two."""
    pairs: Array = np.stack([a.real, a.imag], -1) if a.dtype.kind == "c" else a
    return pairs.ravel()


def _steps(t: Tensor, size: float) -> Iterator[Array]:
    """A step along every direction; of a complex number along its real and imaginary axes."""
    for place in np.ndindex(tuple(t.shape)):
        for unit in (size, 1j * size) if t.dtype.kind == "c" else (size,):
            step = np.zeros(tuple(t.shape), t.dtype.numpy)
            step[place] = unit
            yield step


def _values(func: Any, args: Any, j: int, changed: Tensor, value: Array) -> Array:
    """Output ``j`` where one input has another value."""
    kept = changed._array.copy()
    try:
        changed._array[...] = value
        with mode_set(grad=True):  # so that outputs are counted as they were
            array: Array = _outputs(func(*args))[j].detach().numpy().copy()
        return array
    finally:
        changed._array[...] = kept


def _columns(func: Any, args: Any, leaf: Tensor, j: int, eps: float) -> Array:
    """The same by differences, a column a time."""
    base, columns = leaf._array.copy(), []
    for step in _steps(leaf, eps):
        high, low = (_values(func, args, j, leaf, base + s) for s in (step, -step))
        columns.append(_reals(high - low) / (2 * eps))
    out = columns[0].size if columns else 0
    return np.array(columns).reshape(len(columns), out).T


# --- the fast way, and the rest ----------------------------------------------------------------
def _fast(func: Any, args: Any, leaves: Sequence[Tensor], eps: float, atol: float, rtol: float,
          nondet: float) -> None:
    """``v J u`` for random u and v, of length 1 each."""
    rng = np.random.default_rng(0)
    for j, out in enumerate(_outputs(func(*args))):
        v = _direction(rng, out)
        grads = grad(out, leaves, Tensor(v), retain_graph=True, allow_unused=True)
        for i, (leaf, g) in enumerate(zip(leaves, grads, strict=True)):
            u = _direction(rng, leaf)
            base = leaf._array.copy()
            high, low = (_values(func, args, j, leaf, base + s * u) for s in (eps, -eps))
            rough = float((v.conj() * (high - low)).sum().real / (2 * eps))
            exact = 0.0 if g is None else float((g.detach().numpy().conj() * u).sum().real)
            if not np.isclose(exact, rough, rtol, atol):
                raise GradcheckError(f"the gradient of output {j} by input {i} is no slope: along "
                                     f"a random direction {rough} by differences and {exact} by "
                                     f"backward")


def _direction(rng: np.random.Generator, like: Tensor) -> Array:
    shape = tuple(like.shape)
    v = np.asarray(rng.normal(size=shape))
    if like.dtype.kind == "c":
        v = v + 1j * rng.normal(size=shape)
    return v / max(float(np.sqrt((v * v.conj()).sum().real)), 1e-12)


def _undefined(func: Any, args: Any, leaves: Sequence[Tensor]) -> None:
    """Gradients of zero give zero."""
    for out in _outputs(func(*args)):
        zero = Tensor(np.zeros(tuple(out.shape), out.dtype.numpy))
        for g in grad(out, leaves, zero, retain_graph=True, allow_unused=True):
            if g is not None and np.any(g.detach().numpy()):
                raise GradcheckError("a gradient of zeros came back as something else")


def _dtypes(func: Any, args: Any, leaves: Sequence[Tensor]) -> None:
    for out in _outputs(func(*args)):
        seed = Tensor(np.ones(tuple(out.shape), out.dtype.numpy))
        for leaf, g in zip(leaves, grad(out, leaves, seed, allow_unused=True), strict=True):
            if g is not None and g.dtype is not leaf.dtype:
                raise GradcheckError(f"the gradient of an input {leaf.spec} is {g.spec}")
