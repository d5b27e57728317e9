"""``vmap``: a function of one member, called for a whole batch at once."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from eager.engine.mode import MODE, mode_set
from eager.engine.tensor import Tensor
from eager.func.batching import Batching, apply_op
from eager.func.rules import moved as moved_dim
from eager.func.trees import Tree, flatten, spread_prefix
from eager.ops.errors import OpError

_RANDOMNESS = ("error", "different", "same")


def vmap(func: Callable[..., Any], in_dims: Any = 0, out_dims: Any = 0,
         randomness: str = "error", *, chunk_size: int | None = None) -> Callable[..., Any]:
    """``func`` over a dim of its arguments.

    ``in_dims`` names that dim: one int (or None: the same for all members) for all arguments, or
    one an argument, or a nest of the arguments' structure; keyword arguments are the same for
    all.  ``out_dims`` says where the dim stands in the results.  ``chunk_size`` members are
    computed at a time.  ``randomness`` is ``"different"`` (each member draws its own numbers),
    ``"same"`` or ``"error"``.

    Ops are mapped by rules of their kernel families, and one by one where there is none.  Maps
    nest, differentiate and are differentiated.  The data of a mapped tensor cannot be read.
    """
    if randomness not in _RANDOMNESS:
        raise OpError(f"vmap: randomness is one of {', '.join(_RANDOMNESS)}, got {randomness!r}")
    if chunk_size is not None and chunk_size < 1:
        raise OpError(f"vmap: chunk_size is positive, got {chunk_size}")

    @functools.wraps(func, updated=())
    def mapped(*args: Any, **kwargs: Any) -> Any:
        leaves, tree = flatten((args, kwargs))
        dims = _in_dims(in_dims, args, kwargs)
        size = _size(leaves, dims)
        moved = [x if d is None else _front(x, d) for x, d in zip(leaves, dims, strict=True)]
        flags = [d is not None for d in dims]
        if chunk_size is None or size <= chunk_size:
            return _run(func, tree, moved, flags, size, randomness, out_dims)
        parts = []
        for start in range(0, size, chunk_size):
            stop = min(start + chunk_size, size)
            part = [_rows(x, start, stop) if f else x for x, f in zip(moved, flags, strict=True)]
            parts.append(_run(func, tree, part, flags, stop - start, randomness, out_dims))
        return _concatenated(parts, out_dims)

    return mapped


# --- arguments ---------------------------------------------------------------------------------
def _in_dims(in_dims: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[int | None]:
    """The dim of every leaf, counted from the front."""
    tree = flatten(args)[1]
    if isinstance(in_dims, list):
        in_dims = tuple(in_dims)
    if not (in_dims is None or isinstance(in_dims, (int, tuple))):
        raise OpError(f"vmap: in_dims is an int, None or a tuple of them, got {in_dims!r}")
    if isinstance(in_dims, tuple) and len(in_dims) != len(args):
        raise OpError(f"vmap: in_dims has {len(in_dims)} entries for {len(args)} arguments")
    dims = spread_prefix(in_dims, tree, "vmap: in_dims") + [None] * len(flatten(kwargs)[0])
    found: list[int | None] = []
    for leaf, d in zip(flatten((args, kwargs))[0], dims, strict=True):
        if d is None:
            found.append(None)
            continue
        if not isinstance(leaf, Tensor):
            raise OpError(f"vmap: in_dims gives {d} for an argument that is a "
                          f"{type(leaf).__name__}; only tensors are mapped, use None for it")
        if type(d) is not int or not -leaf.ndim <= d < leaf.ndim:
            raise OpError(f"vmap: in_dims gives {d!r} for an argument {leaf.spec}")
        found.append(d % leaf.ndim)
    return found


def _size(leaves: Sequence[Any], dims: Sequence[int | None]) -> Any:
    sizes = [x.shape[d] for x, d in zip(leaves, dims, strict=True) if d is not None]
    if not sizes:
        raise OpError("vmap: no argument is mapped; in_dims are all None, or there is no tensor")
    if any(s is not sizes[0] and s != sizes[0] for s in sizes):
        raise OpError(f"vmap: the mapped dims have different sizes: {sizes}")
    return sizes[0]


def _front(x: Tensor, d: int) -> Tensor:
    from eager.engine.tensor import TAPED

    moved: Tensor = moved_dim(TAPED, x, d, 0)
    return moved


def _rows(x: Tensor, start: int, stop: int) -> Tensor:
    n = x.ndim
    return apply_op("slice", x, starts=(start,) + (0,) * (n - 1),
                    stops=(stop, *x.shape[1:]), steps=(1,) * n)


# --- the call, and its results -----------------------------------------------------------------
def _run(func: Callable[..., Any], tree: Tree, leaves: Sequence[Any], flags: Sequence[bool],
         size: Any, randomness: str, out_dims: Any) -> Any:
    batching = Batching(size, randomness, MODE.get().recorder)
    with mode_set(recorder=batching):
        args, kwargs = tree.build([batching.wrap(x) if f else x
                                   for x, f in zip(leaves, flags, strict=True)])
        outs, out_tree = flatten(func(*args, **kwargs))
        for out in outs:
            if not isinstance(out, Tensor):
                raise OpError(f"vmap: the function returns tensors, got {type(out).__name__}")
        wholes = [batching.unwrap(t) for t in outs]
    dims = spread_prefix(out_dims, out_tree, "vmap: out_dims")
    return out_tree.build([_placed(batching, out, whole, d)
                           for out, whole, d in zip(outs, wholes, dims, strict=True)])


def _placed(batching: Batching, out: Tensor, whole: Tensor, d: Any) -> Tensor:
    from eager.engine.tensor import TAPED

    if d is None:
        if batching.holds(out):
            raise OpError("vmap: out_dims gives None for a result that differs between members")
        return out
    n = whole.ndim
    if type(d) is not int or not -n <= d < n:
        raise OpError(f"vmap: out_dims gives {d!r} for a result {whole.spec}")
    placed: Tensor = moved_dim(TAPED, whole, 0, d % n)
    return placed


def _concatenated(parts: Sequence[Any], out_dims: Any) -> Any:
    taken = [flatten(p) for p in parts]
    tree = taken[0][1]
    dims = spread_prefix(out_dims, tree, "vmap: out_dims")
    columns = zip(*(leaves for leaves, _ in taken), strict=True)
    return tree.build([column[0] if d is None else
                       apply_op("concat", *column, dim=d % column[0].ndim)
                       for column, d in zip(columns, dims, strict=True)])
