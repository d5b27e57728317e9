"""Jacobians, Hessians and products with them, of functions of tensors.  Names are torch's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from eager.autograd.gradients import grad
from eager.engine.dispatch import apply
from eager.engine.mode import enable_grad
from eager.engine.tensor import TAPED, Tensor
from eager.ops.errors import OpError
from eager.ops.table import FUNCTIONS, TABLE

Tensors = Tensor | tuple[Tensor, ...]


def _tuple(name: str, what: str, value: Any) -> tuple[Tensor, ...]:
    values = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if not all(isinstance(v, Tensor) for v in values):
        raise OpError(f"{name}: {what} are tensors, got "
                      f"{', '.join(type(v).__name__ for v in values)}")
    return values


def _prepared(inputs: Sequence[Tensor], create_graph: bool) -> tuple[Tensor, ...]:
    """Inputs of their own: they lead back to those given only if a graph is wanted."""
    if create_graph:
        return tuple(apply(TABLE["clone"], (t,)) if t.requires_grad else
                     t.detach().requires_grad_() for t in inputs)
    return tuple(t.detach().requires_grad_() for t in inputs)


def _called(name: str, func: Callable[..., Any], inputs: Sequence[Tensor]
            ) -> tuple[tuple[Tensor, ...], bool]:
    out = func(*inputs)
    return _tuple(name, "outputs", out), isinstance(out, (tuple, list))


def _grads(name: str, outputs: Sequence[Tensor], inputs: Sequence[Tensor],
           seeds: Sequence[Tensor | None], create_graph: bool, strict: bool) -> list[Tensor]:
    live = [(o, s) for o, s in zip(outputs, seeds, strict=True) if o.requires_grad]
    if strict and len(live) < len(outputs):
        raise OpError(f"{name}: an output does not depend on the inputs, and strict=True")
    grads = grad([o for o, _ in live], inputs, [s for _, s in live], True, create_graph,
                 True) if live else (None,) * len(inputs)
    if strict and any(g is None for g in grads):
        raise OpError(f"{name}: the outputs do not depend on input "
                      f"{next(i for i, g in enumerate(grads) if g is None)}, and strict=True")
    return [t.new_zeros(tuple(t.shape)) if g is None else g
            for g, t in zip(grads, inputs, strict=True)]


def _one(values: Sequence[Any], several: bool) -> Any:
    return tuple(values) if several else values[0]


def vjp(func: Callable[..., Any], inputs: Tensors, v: Tensors | None = None,
        create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """``func(*inputs)``, and ``v`` times its Jacobian."""
    given = _tuple("vjp", "inputs", inputs)
    with enable_grad():
        own = _prepared(given, create_graph)
        outs, several = _called("vjp", func, own)
        seeds = _vector("vjp", v, outs)
        grads = _grads("vjp", outs, own, seeds, create_graph, strict)
    return _finished(outs, several, create_graph), _one(grads, isinstance(inputs, (tuple, list)))


def jvp(func: Callable[..., Any], inputs: Tensors, v: Tensors | None = None,
        create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """``func(*inputs)``, and its Jacobian times ``v``, by differentiating the vjp."""
    given = _tuple("jvp", "inputs", inputs)
    with enable_grad():
        own = _prepared(given, create_graph)
        directions = _vector("jvp", v, own)
        outs, several = _called("jvp", func, own)
        seeds = [o.new_zeros(tuple(o.shape)).requires_grad_() for o in outs]
        back = _grads("jvp", outs, own, seeds, True, strict)
        products = _grads("jvp", back, seeds, directions, create_graph, False)
    return _finished(outs, several, create_graph), _one(products, several)


def vhp(func: Callable[..., Any], inputs: Tensors, v: Tensors | None = None,
        create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """``func(*inputs)``, a single number, and ``v`` times its Hessian."""
    given = _tuple("vhp", "inputs", inputs)
    with enable_grad():
        own = _prepared(given, create_graph)
        directions = _vector("vhp", v, own)
        outs, several = _called("vhp", func, own)
        if several or outs[0].numel() != 1:
            raise OpError("vhp: the function gives a tensor of one element")
        first = _grads("vhp", outs, own, [None], True, strict)
        products = _grads("vhp", first, own, directions, create_graph, strict)
    return (_finished(outs, False, create_graph),
            _one(products, isinstance(inputs, (tuple, list))))


def hvp(func: Callable[..., Any], inputs: Tensors, v: Tensors | None = None,
        create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """``func(*inputs)`` and its Hessian times ``v``: the Hessian is symmetric, so this is `vhp`."""
    return vhp(func, inputs, v, create_graph, strict)


def _vector(name: str, v: Any, like: Sequence[Tensor]) -> list[Tensor | None]:
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise OpError(f"{name}: v is left out only for a single element")
        return [None if name == "vjp" else like[0].new_ones(tuple(like[0].shape))]
    vectors = _tuple(name, "v", v)
    if [tuple(x.shape) for x in vectors] != [tuple(t.shape) for t in like]:
        raise OpError(f"{name}: v has the shapes {[list(x.shape) for x in vectors]}, wanted "
                      f"{[list(t.shape) for t in like]}")
    return list(vectors)


def _finished(outs: Sequence[Tensor], several: bool, create_graph: bool) -> Any:
    return _one([o if create_graph else o.detach() for o in outs], several)


# --- whole matrices ----------------------------------------------------------------------------
def jacobian(func: Callable[..., Any], inputs: Tensors, create_graph: bool = False,
             strict: bool = False, vectorize: bool = False,
             strategy: str = "reverse-mode") -> Any:
    """The derivative of every output element by every input element.

    A tensor ``[*output, *input]``; a tuple of them for several inputs, and a tuple of those for
    several outputs.  Row by row; with ``vectorize`` (or ``strategy="forward-mode"``, which wants
    it) all at once.
    """
    if strategy not in ("reverse-mode", "forward-mode"):
        raise OpError(f"jacobian: strategy is 'reverse-mode' or 'forward-mode', got {strategy!r}")
    if strategy == "forward-mode" and (create_graph or strict or not vectorize):
        raise OpError("jacobian: forward-mode goes with vectorize=True alone")
    given = _tuple("jacobian", "inputs", inputs)
    if vectorize:
        return _vectorized(func, inputs, create_graph, strict, strategy)
    with enable_grad():
        own = _prepared(given, create_graph)
        outs, several = _called("jacobian", func, own)
        rows = [_jacobian_of(o, own, create_graph, strict) for o in outs]
    single = not isinstance(inputs, (tuple, list))
    return _one([_one(r, not single) for r in rows], several)


def _vectorized(func: Callable[..., Any], inputs: Tensors, create_graph: bool, strict: bool,
                strategy: str) -> Any:
    from eager.func.jacobians import jacfwd, jacrev

    if strict:
        raise OpError("jacobian: strict=True does not go with vectorize=True")
    given = _tuple("jacobian", "inputs", inputs)
    find = jacfwd if strategy == "forward-mode" else jacrev
    numbers = tuple(range(len(given))) if isinstance(inputs, (tuple, list)) else 0
    with enable_grad():
        own = given if create_graph else tuple(t.detach() for t in given)
        return find(func, argnums=numbers)(*own)


def _jacobian_of(out: Tensor, inputs: Sequence[Tensor], create_graph: bool,
                 strict: bool) -> list[Tensor]:
    flat = out.reshape(-1)
    columns = [_grads("jacobian", [flat[k]], inputs, [None], create_graph, strict)
               for k in range(out.numel())]
    shape = tuple(out.shape)
    return [FUNCTIONS["stack"].body(TAPED, [c[i] for c in columns], 0).reshape(
        shape + tuple(t.shape)) if columns else t.new_zeros(shape + tuple(t.shape))
        for i, t in enumerate(inputs)]


def hessian(func: Callable[..., Any], inputs: Tensors, create_graph: bool = False,
            strict: bool = False, vectorize: bool = False,
            outer_jacobian_strategy: str = "reverse-mode") -> Any:
    """The second derivatives of a function that gives one element, shaped as `jacobian` says."""

    def first(*values: Tensor) -> Any:
        out = func(*values)
        if not isinstance(out, Tensor) or out.numel() != 1:
            raise OpError("hessian: the function gives a tensor of one element")
        grads = _grads("hessian", [out], values, [None], True, strict)
        return _one(grads, isinstance(inputs, (tuple, list)))

    return jacobian(first, inputs, create_graph, strict, vectorize, outer_jacobian_strategy)
