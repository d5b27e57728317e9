"""Gradients of given outputs: into ``.grad``, or as a result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eager.engine import walk
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError

Tensors = Tensor | Sequence[Tensor]
Seeds = Tensor | Sequence[Tensor | None] | None


def as_list(tensors: Tensors) -> list[Tensor]:
    """One tensor, or a sequence of them, as a list."""
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def _seeds(name: str, roots: list[Tensor], given: Seeds) -> list[Tensor | None]:
    if given is None:
        return [None] * len(roots)
    seeds: list[Tensor | None] = [given] if isinstance(given, Tensor) else list(given)
    if len(seeds) != len(roots):
        raise OpError(f"{name}: {len(roots)} outputs but {len(seeds)} gradients of them")
    return seeds


def backward(tensors: Tensors, grad_tensors: Seeds = None, retain_graph: bool | None = None,
             create_graph: bool = False, inputs: Tensors | None = None) -> None:
    """Accumulate the gradient of ``tensors`` (seeded by ``grad_tensors``) into ``.grad``.

    Of every leaf that they came from, or of ``inputs`` alone.  The graph lets go of what it saved
    unless ``retain_graph`` (by default: ``create_graph``).
    """
    roots = as_list(tensors)
    for i, r in enumerate(roots):
        if not r.requires_grad:
            raise OpError(f"backward: tensor {i} ({r.spec}) requires no gradient: nothing it was "
                          f"made from has requires_grad=True")
    targets = None if inputs is None else _targets("backward", inputs)
    if targets == []:
        raise OpError("backward: inputs is empty; leave it out to reach every leaf")
    walk.backward_into(roots, _seeds("backward", roots, grad_tensors), retain_graph, create_graph,
                       targets)


def _targets(name: str, inputs: Tensors) -> list[Tensor]:
    targets = as_list(inputs)
    for i, t in enumerate(targets):
        if not t.requires_grad:
            raise OpError(f"{name}: input {i} ({t.spec}) does not require grad")
    return targets


def grad(outputs: Tensors, inputs: Tensors, grad_outputs: Seeds = None,
         retain_graph: bool | None = None, create_graph: bool = False,
         allow_unused: bool | None = None, is_grads_batched: bool = False,
         materialize_grads: bool = False) -> tuple[Tensor | None, ...]:
    """The gradient of ``outputs`` (seeded by ``grad_outputs``) with respect to ``inputs``.

    ``.grad`` is left alone.  With ``create_graph`` the result can be differentiated.  An input
    that the outputs do not depend on is an error; None with ``allow_unused``, zeros with
    ``materialize_grads``.  With ``is_grads_batched`` the first dim of every ``grad_outputs``
    counts gradients that are computed at once, and the results have it too.
    """
    if is_grads_batched:
        return _batched(outputs, inputs, grad_outputs, create_graph, allow_unused,
                        materialize_grads)
    if materialize_grads and allow_unused is False:
        raise OpError("grad: materialize_grads=True makes zeros of unused inputs, which "
                      "allow_unused=False forbids; leave allow_unused out")
    roots, targets = as_list(outputs), _targets("grad", inputs)
    given = _seeds("grad", roots, grad_outputs)
    seeds = [walk.seed_for(r, g) for r, g in zip(roots, given, strict=True)]
    live = [(r, s) for r, s in zip(roots, seeds, strict=True) if r.requires_grad]
    if roots and not live:
        raise OpError(f"grad: no output requires a gradient (the first is {roots[0].spec}): "
                      f"nothing they were made from has requires_grad=True")
    found = walk.backward([r for r, _ in live], [s for _, s in live], create_graph=create_graph,
                          targets=targets,
                          retain_graph=create_graph if retain_graph is None else retain_graph)
    results: list[Tensor | None] = []
    for i, t in enumerate(targets):
        g: Any = found[id(t)][1] if id(t) in found else None
        if g is None and materialize_grads:
            g = t.new_zeros(tuple(t.shape))
        elif g is None and not allow_unused:
            raise OpError(f"grad: the outputs do not depend on input {i} ({t.spec}); pass "
                          f"allow_unused=True to get None for it")
        results.append(g if g is None or isinstance(g, Tensor) else Tensor(g))
    return tuple(results)


def _batched(outputs: Tensors, inputs: Tensors, grad_outputs: Seeds, create_graph: bool,
             allow_unused: bool | None, materialize_grads: bool) -> tuple[Tensor | None, ...]:
    from eager.func.mapping import vmap

    if grad_outputs is None or any(g is None for g in as_list(grad_outputs)):  # type: ignore[arg-type]
        raise OpError("grad: is_grads_batched=True wants a batch of grad_outputs for every output")
    used: list[bool] = []

    def once(*seeds: Tensor) -> tuple[Tensor, ...]:
        grads = grad(outputs, inputs, seeds, True, create_graph, allow_unused, False,
                     materialize_grads)
        used[:] = [g is not None for g in grads]
        return tuple(g for g in grads if g is not None)

    left = iter(vmap(once)(*as_list(grad_outputs)))  # type: ignore[arg-type]
    return tuple(next(left) if use else None for use in used)
