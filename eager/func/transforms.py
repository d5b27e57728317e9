"""Gradients of functions, as functions: of one level, or of many inside each other.

Each level differentiates by aliases of its own of the arguments, so levels never mix; the result
has a history of its own where anything outside of the level has one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from eager.engine import walk
from eager.engine.dispatch import apply
from eager.engine.mode import MODE, mode_set
from eager.engine.tape import record
from eager.engine.tensor import Tensor
from eager.func.trees import Tree, flatten, map_leaves
from eager.ops.errors import OpError
from eager.ops.table import TABLE


# --- a level -----------------------------------------------------------------------------------
def own_alias(t: Tensor) -> Tensor:
    """A tensor of the same value that this level differentiates by.

    Its history leads to ``t`` where ``t`` has one.
    """
    if t.dtype.kind not in "fc":
        raise OpError(f"only floating and complex tensors are differentiated, this is {t.spec}")
    if MODE.get().recorder is not None:
        alias = apply(TABLE["clone"], (t,))
    else:
        if t._view is not None:
            t._view.refresh(t)
        alias = Tensor(t._array)
        if t._needs:
            alias._node = record(TABLE["clone"], (t,), {}, t._array)
        alias._storage = t._storage
    alias._needs = True
    return alias


def leads_outside(outs: Sequence[Tensor], own: Sequence[Tensor]) -> bool:
    """Whether anything but ``own`` is behind these results."""
    ids = {id(t) for t in own}
    return any(id(leaf) not in ids
               for leaf in walk.leaves_of([t for t in outs if t.requires_grad]))


def pulled(outs: Sequence[Tensor], seeds: Sequence[Tensor], own: Sequence[Tensor],
           create_graph: bool) -> list[Tensor]:
    """The gradients by ``own``, zero where nothing depends on one."""
    live = [(o, s) for o, s in zip(outs, seeds, strict=True) if o.requires_grad]
    found = walk.backward([o for o, _ in live], [s for _, s in live], targets=own,
                          create_graph=create_graph) if live else {}
    grads = []
    for t in own:
        g: Any = found[id(t)][1] if id(t) in found else zeros_like(t)
        grads.append(g if isinstance(g, Tensor) else Tensor(g))
    return grads


def zeros_like(t: Tensor) -> Tensor:
    """Zeros of the type of a tensor."""
    return apply(TABLE["full"], (), {"shape": tuple(t.shape), "value": 0, "dtype": t.dtype})


def left(nest: Any, outside: bool) -> Any:
    """Results as they leave a level: without its history, if nothing outside has one."""
    return nest if outside else map_leaves(
        lambda x: x.detach() if isinstance(x, Tensor) else x, nest)


def split_aux(name: str, out: Any, has_aux: bool) -> tuple[Any, Any]:
    """What a function returns, and what it returns beside that."""
    if not has_aux:
        return out, None
    if not isinstance(out, tuple) or len(out) != 2:
        raise OpError(f"{name}: with has_aux=True the function returns (output, aux), got "
                      f"{type(out).__name__}")
    return out


def taken(name: str, args: Sequence[Any], argnums: int | Sequence[int]
          ) -> tuple[list[Any], list[Tensor], list[Tree]]:
    """The arguments with those that are differentiated by replaced by aliases; these, and the
    structure of each.
    """
    numbers = (argnums,) if type(argnums) is int else tuple(argnums)  # type: ignore[arg-type]
    call, own, trees = list(args), [], []
    for n in numbers:
        if type(n) is not int or not -len(args) <= n < len(args):
            raise OpError(f"{name}: argnums names argument {n!r} of {len(args)}")
        leaves, tree = flatten(args[n])
        aliases = [own_alias(_tensor(name, n, x)) for x in leaves]
        call[n] = tree.build(aliases)
        own += aliases
        trees.append(tree)
    return call, own, trees


def _tensor(name: str, n: int, x: Any) -> Tensor:
    if not isinstance(x, Tensor):
        raise OpError(f"{name}: argument {n} is differentiated by and holds a "
                      f"{type(x).__name__}; its leaves are tensors")
    return x


def rebuilt(trees: Sequence[Tree], leaves: Sequence[Any], single: bool) -> Any:
    """One nest an argument; of one argument, that alone."""
    rest = iter(leaves)
    nests = tuple(tree.build([next(rest) for _ in range(tree.count)]) for tree in trees)
    return nests[0] if single else nests


# --- gradients ---------------------------------------------------------------------------------
def value_and_grad(func: Callable[..., Any], argnums: int | Sequence[int] = 0,
                   has_aux: bool = False) -> Callable[..., Any]:
    """A function that gives ``(value, gradient)`` of ``func``, which gives one number.

    By the arguments that ``argnums`` names, which may be nests of tensors: one gradient of that
    structure, or a tuple for a tuple of numbers.  With ``has_aux`` ``func`` returns
    ``(value, aux)``, and ``((value, aux), gradient)`` comes back.
    """
    @functools.wraps(func, updated=())
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        given, value, aux = _graded(func, "value_and_grad", argnums, has_aux, args, kwargs)
        return ((value, aux) if has_aux else value), given

    return wrapper


def grad(func: Callable[..., Any], argnums: int | Sequence[int] = 0,
         has_aux: bool = False) -> Callable[..., Any]:
    """A function that gives the gradient of ``func``: `value_and_grad` without the value.

    With ``has_aux`` it gives ``(gradient, aux)``.
    """
    @functools.wraps(func, updated=())
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        given, _, aux = _graded(func, "grad", argnums, has_aux, args, kwargs)
        return (given, aux) if has_aux else given

    return wrapper


def grad_and_value(func: Callable[..., Any], argnums: int | Sequence[int] = 0,
                   has_aux: bool = False) -> Callable[..., Any]:
    """A function that gives ``(gradient, value)``, torch's order."""
    both = value_and_grad(func, argnums, has_aux)

    @functools.wraps(func, updated=())
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        value, given = both(*args, **kwargs)
        return given, value

    return wrapper


def _graded(func: Callable[..., Any], name: str, argnums: int | Sequence[int], has_aux: bool,
            args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[Any, Any, Any]:
    recording = MODE.get().grad
    with mode_set(grad=True):
        call, own, trees = taken(name, args, argnums)
        value, aux = split_aux(name, func(*call, **kwargs), has_aux)
        if not isinstance(value, Tensor) or tuple(value.shape) != ():
            got = value.spec if isinstance(value, Tensor) else type(value).__name__
            raise OpError(f"{name}: the function gives a tensor of no dims, got {got}")
        aux_leaves = [x for x in flatten(aux)[0] if isinstance(x, Tensor)]
        outside = recording and leads_outside([value, *aux_leaves], own)
        one = apply(TABLE["full"], (), {"shape": (), "value": 1.0, "dtype": value.dtype})
        grads = pulled([value], [one], own, outside)
    return (rebuilt(trees, grads, type(argnums) is int), left(value, outside),
            left(aux, outside))


# --- products with the Jacobian ----------------------------------------------------------------
def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """``func(*primals)`` and a function that multiplies a nest like its output by the Jacobian.

    That gives a tuple of one nest like each primal.  With ``has_aux`` a third result: what
    ``func`` returns beside its output.
    """
    recording = MODE.get().grad
    with mode_set(grad=True):
        call, own, trees = taken("vjp", primals, tuple(range(len(primals))))
        out, aux = split_aux("vjp", func(*call), has_aux)
    outs, out_tree = tensors_of("vjp", out)
    outside = recording and leads_outside(outs, own)

    def back(*cotangents: Any) -> Any:
        given = cotangents[0] if len(cotangents) == 1 else cotangents
        seeds, tree = flatten(given)
        if tree != out_tree and tree.count == 1 and out_tree.count == 1:
            tree = out_tree
        checked(f"vjp: the output is {out_tree}", tree == out_tree, seeds, outs)
        create = MODE.get().grad and (outside or any(s.requires_grad for s in seeds))
        with mode_set(grad=create):
            grads = pulled(outs, seeds, own, create)
        return rebuilt(trees, grads, False)

    value = left(out, outside)
    return (value, back, left(aux, outside)) if has_aux else (value, back)


def jvp(func: Callable[..., Any], primals: Any, tangents: Any, *, strict: bool = False,
        has_aux: bool = False) -> Any:
    """``func(*primals)`` and its Jacobian times ``tangents``: `linearize`, called at once."""
    if not isinstance(primals, tuple) or not isinstance(tangents, tuple):
        raise OpError("jvp: primals and tangents are tuples, one entry an argument")
    out, push, aux = linearized("jvp", func, primals, strict, has_aux)
    pushed = push(*tangents)
    return (out, pushed, aux) if has_aux else (out, pushed)


def linearize(func: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """``func(*primals)`` and a function that multiplies its Jacobian by tangents.

    The product ``v J`` is linear in v, so its own vjp multiplies from the other side.
    """
    out, push, _ = linearized("linearize", func, primals, False, False)
    return out, push


def linearized(name: str, func: Callable[..., Any], primals: Sequence[Any], strict: bool,
                has_aux: bool) -> tuple[Any, Callable[..., Any], Any]:
    recording = MODE.get().grad
    with mode_set(grad=True):
        call, own, trees = taken(name, primals, tuple(range(len(primals))))
        out, aux = split_aux(name, func(*call), has_aux)
        outs, out_tree = tensors_of(name, out)
        if strict and not all(o.requires_grad for o in outs):
            raise OpError(f"{name}: an output does not depend on the primals, and strict=True")
        outside = recording and leads_outside(outs, own)
        floating = [o for o in outs if o.dtype.kind in "fc"]
        dummies = [zeros_like(o) for o in floating]
        for u in dummies:
            u._needs = True
        back = pulled(floating, dummies, own, True)

    def push(*tangents: Any) -> Any:
        given, tree = flatten(tuple(tangents))
        wanted = Tree(tuple, (), tuple(trees))
        checked(f"{name}: the primals are {wanted}", tree == wanted, given, own)
        create = MODE.get().grad and (outside or any(t.requires_grad for t in given))
        with mode_set(grad=create):
            found = iter(pulled(back, given, dummies, create))
        return out_tree.build([next(found) if o.dtype.kind in "fc" else zeros_like(o)
                               for o in outs])

    return left(out, outside), push, left(aux, outside)


def tensors_of(name: str, out: Any) -> tuple[list[Tensor], Tree]:
    """The leaves of an output, which are tensors."""
    outs, tree = flatten(out)
    for o in outs:
        if not isinstance(o, Tensor):
            raise OpError(f"{name}: the function returns tensors, got {type(o).__name__}")
    return outs, tree


def checked(what: str, fits: bool, given: Sequence[Any], like: Sequence[Tensor]) -> None:
    """Refuse tangents or cotangents of another structure or other types."""
    if not fits:
        raise OpError(f"{what}, and what it is multiplied by has another structure")
    for g, t in zip(given, like, strict=True):
        if not isinstance(g, Tensor) or tuple(g.shape) != tuple(t.shape):
            got = g.spec if isinstance(g, Tensor) else type(g).__name__
            raise OpError(f"{what}; for a tensor {t.spec} came {got}")
