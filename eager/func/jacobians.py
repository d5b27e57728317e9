"""Whole Jacobians and Hessians: products with every unit vector, mapped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from eager.engine.tensor import Tensor
from eager.func.mapping import vmap
from eager.func.transforms import linearized, rebuilt, tensors_of, vjp, zeros_like
from eager.func.trees import flatten
from eager.ops.errors import OpError

Numbers = int | Sequence[int]


def jacrev(func: Callable[..., Any], argnums: Numbers = 0, has_aux: bool = False, *,
           chunk_size: int | None = None) -> Callable[..., Any]:
    """A function that gives the Jacobian of ``func``, row by row backward.

    For each tensor of the output a nest like the argument (a tuple of them for a tuple of
    ``argnums``) of tensors ``[*output, *input]``.  ``chunk_size`` rows are computed at a time.
    """
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        run, chosen = _of_arguments(func, argnums, args, kwargs)
        found = vjp(run, *chosen, has_aux=has_aux)
        out, back = found[0], found[1]
        outs, out_tree = tensors_of("jacrev", out)
        _floating("jacrev", outs)
        jacobian = out_tree.build([_rows(back, outs, out_tree, k, chosen, argnums, chunk_size)
                                   for k in range(len(outs))])
        return (jacobian, found[2]) if has_aux else jacobian

    return wrapper


def _rows(back: Any, outs: Sequence[Tensor], out_tree: Any, k: int, chosen: Sequence[Any],
          argnums: Numbers, chunk_size: int | None) -> Any:
    """The Jacobian of output ``k``, as nests of the arguments."""
    def row(seed: Tensor) -> Any:
        seeds = [seed if j == k else zeros_like(o) for j, o in enumerate(outs)]
        return tuple(flatten(back(out_tree.build(seeds)))[0])

    found = vmap(row, chunk_size=chunk_size)(_units(outs[k]))
    shape, trees = tuple(outs[k].shape), [flatten(c)[1] for c in chosen]
    blocks = [g.reshape((*shape, *g.shape[1:])) for g in found]
    return rebuilt(trees, blocks, type(argnums) is int)


def jacfwd(func: Callable[..., Any], argnums: Numbers = 0, has_aux: bool = False, *,
           randomness: str = "error") -> Callable[..., Any]:
    """The same Jacobian column by column: products with tangents, which suit few inputs."""
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        run, chosen = _of_arguments(func, argnums, args, kwargs)
        out, push, aux = linearized("jacfwd", run, chosen, False, has_aux)
        outs, out_tree = tensors_of("jacfwd", out)
        inputs, in_tree = flatten(tuple(chosen))

        def column(k: int) -> list[Tensor]:
            def one(tangent: Tensor) -> Any:
                tangents = [tangent if j == k else zeros_like(t) for j, t in enumerate(inputs)]
                return tuple(flatten(push(*in_tree.build(tangents)))[0])

            found = vmap(one, out_dims=-1, randomness=randomness)(_units(inputs[k]))
            return [g.reshape((*g.shape[:-1], *inputs[k].shape)) for g in found]

        columns = [column(k) for k in range(len(inputs))]
        trees = [flatten(c)[1] for c in chosen]
        jacobian = out_tree.build([rebuilt(trees, [c[j] for c in columns], type(argnums) is int)
                                   for j in range(len(outs))])
        return (jacobian, aux) if has_aux else jacobian

    return wrapper


def hessian(func: Callable[..., Any], argnums: Numbers = 0) -> Callable[..., Any]:
    """A function that gives the second derivatives of ``func``: the Jacobian of its Jacobian."""
    return jacrev(jacrev(func, argnums), argnums)


def _of_arguments(func: Callable[..., Any], argnums: Numbers, args: Sequence[Any],
                  kwargs: dict[str, Any]) -> tuple[Callable[..., Any], list[Any]]:
    """``func`` as a function of the chosen arguments alone, and these."""
    numbers = (argnums,) if type(argnums) is int else tuple(argnums)  # type: ignore[arg-type]
    for n in numbers:
        if type(n) is not int or not -len(args) <= n < len(args):
            raise OpError(f"argnums names argument {n!r} of {len(args)}")

    def run(*chosen: Any) -> Any:
        call = list(args)
        for n, value in zip(numbers, chosen, strict=True):
            call[n] = value
        return func(*call, **kwargs)

    return run, [args[n] for n in numbers]


def _units(t: Tensor) -> Tensor:
    """Every unit vector of the shape of a tensor, ``[numel, *shape]``."""
    n = t.numel()
    return Tensor(np.eye(n, dtype=t.dtype.numpy)).reshape((n, *t.shape))


def _floating(name: str, outs: Sequence[Tensor]) -> None:
    for o in outs:
        if o.dtype.kind not in "fc":
            raise OpError(f"{name}: an output is {o.spec}, and only floating ones have a Jacobian")


