"""Where the elements of a traced tensor would lie, so that a view is one where it is one eagerly.

A reshape shares memory only where no element has to move.  Dynamic sizes are taken to be at
least 2: the answer may not depend on the size of the call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from eager.engine.tensor import Tensor
from jit.dims import same_size

Sizes = tuple[Any, ...]


def row_major(shape: Sequence[Any]) -> Sizes:
    """Steps between neighbours, in elements, where nothing is between them."""
    steps: list[Any] = []
    step: Any = 1
    for d in reversed(shape):
        steps.append(step)
        step = step * d
    return tuple(reversed(steps))


def strides_of(t: Tensor) -> Sizes:
    """The steps of a tensor: those of the memory it looks into, or row-major ones."""
    view = t._view
    if view is None:
        return row_major(t.shape)
    parent = strides_of(view.parent)
    if view.op.name == "permute":
        return tuple(parent[d] for d in view.attrs["dims"])
    if view.op.name == "slice":
        return tuple(p * s for p, s in zip(parent, view.attrs["steps"], strict=True))
    if view.op.name in _STEPS:
        return _STEPS[view.op.name](view.parent, parent, view.attrs)
    if view.op.name == "reshape":
        return reshaped(view.parent.shape, parent, t.shape) or row_major(t.shape)
    return parent


def _expanded(x: Tensor, steps: Sizes, attrs: dict[str, Any]) -> Sizes:
    shape = attrs["shape"]
    extra = len(shape) - len(steps)
    return (0,) * extra + tuple(0 if _is(d, 1) and not _is(w, 1) else s
                                for d, s, w in zip(x.shape, steps, shape[extra:], strict=True))


def _selected(x: Tensor, steps: Sizes, attrs: dict[str, Any]) -> Sizes:
    return steps[:attrs["dim"]] + steps[attrs["dim"] + 1:]


def _diagonal(x: Tensor, steps: Sizes, attrs: dict[str, Any]) -> Sizes:
    planes = (attrs["dim1"], attrs["dim2"])
    return (*(s for k, s in enumerate(steps) if k not in planes), sum(steps[k] for k in planes))


def _windowed(x: Tensor, steps: Sizes, attrs: dict[str, Any]) -> Sizes:
    dim = attrs["dim"]
    return (*steps[:dim], steps[dim] * attrs["step"], *steps[dim + 1:], steps[dim])


#: The steps of views, from those of what they look into.
_STEPS: dict[str, Callable[[Tensor, Sizes, dict[str, Any]], Sizes]] = {
    "broadcast_to": _expanded, "select": _selected, "diagonal": _diagonal, "windows": _windowed,
    "as_strided": lambda x, steps, attrs: attrs["stride"]}


def is_row_major(t: Tensor) -> bool:
    """Whether the elements lie in order; steps along dims of size 1 do not count."""
    return all(_is(d, 1) or same_size(s, w)
               for d, s, w in zip(t.shape, strides_of(t), row_major(t.shape), strict=True))


def reshaped(shape: Sequence[Any], strides: Sequence[Any], wanted: Sequence[Any]) -> Sizes | None:
    """The steps of a reshape that moves nothing, or None if there is none.

    Runs of dims that lie in order are one dim, and each must be cut up by dims of the result.
    """
    runs = _runs(shape, strides)
    steps: list[Any] = [0] * len(wanted)
    k = len(wanted)
    for size, stride in reversed(runs):
        inner: Any = 1
        while not same_size(inner, size):
            k -= 1
            if k < 0:
                return None
            steps[k] = stride * inner
            inner = inner * wanted[k]
            if type(inner) is int and type(size) is int and inner > size:
                return None
    return tuple(steps) if all(_is(d, 1) for d in wanted[:k]) else None


def _runs(shape: Sequence[Any], strides: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Size and step of each longest run of dims that lie in order, outermost first."""
    runs: list[tuple[Any, Any]] = []
    for d, s in zip(shape, strides, strict=True):
        if _is(d, 1):
            continue
        if runs and same_size(runs[-1][1], s * d):
            runs[-1] = (runs[-1][0] * d, s)
        else:
            runs.append((d, s))
    return runs


def _is(size: Any, number: int) -> bool:
    return type(size) is int and size == number
