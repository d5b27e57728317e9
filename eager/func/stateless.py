"""Modules as functions of their parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from eager.engine.tensor import TAPED, Tensor
from eager.ops.errors import OpError
from eager.ops.table import FUNCTIONS

State = Mapping[str, Tensor]


def functional_call(module: Any, parameter_and_buffer_dicts: State | Sequence[State],
                    args: Any = None, kwargs: dict[str, Any] | None = None, *,
                    tie_weights: bool = True, strict: bool = False) -> Any:
    """``module(*args, **kwargs)`` with tensors in place of parameters and buffers, by name.

    What is not named stays; with ``strict`` everything is named.  A parameter that has several
    names is replaced at all of them with ``tie_weights``.  An argument that is no tuple is the
    only one.
    """
    given = _merged(parameter_and_buffer_dicts)
    call = () if args is None else args if isinstance(args, tuple) else (args,)
    with _swapped(module, given, tie_weights, strict):
        return module(*call, **(kwargs or {}))


def _merged(dicts: State | Sequence[State]) -> dict[str, Tensor]:
    if isinstance(dicts, Mapping):
        return dict(dicts)
    merged: dict[str, Tensor] = {}
    for d in dicts:
        for name, t in d.items():
            if name in merged:
                raise OpError(f"functional_call: {name!r} is given twice")
            merged[name] = t
    return merged


@contextmanager
def _swapped(module: Any, given: Mapping[str, Tensor], tie: bool, strict: bool) -> Iterator[None]:
    """Other tensors at the places of a module's own, inside a block."""
    places = {name: (holder, key) for name, holder, key in _places(module)}
    unknown = [n for n in given if n not in places]
    missing = [n for n in places if n not in given] if strict else []
    if unknown or missing:
        raise OpError("functional_call: " + "; ".join(
            f"{what} {', '.join(map(repr, names))}"
            for what, names in (("unexpected", unknown), ("missing", missing)) if names))
    swaps = [(*places[name], t) for name, t in given.items()]
    if tie:
        by_id = {id(places[n][0][places[n][1]]): t for n, t in given.items()}
        swaps += [(holder, key, by_id[id(holder[key])]) for n, (holder, key) in places.items()
                  if n not in given and id(holder[key]) in by_id]
    kept = [(holder, key, holder[key]) for holder, key, _ in swaps]
    try:
        for holder, key, t in swaps:
            holder[key] = t
        yield
    finally:
        for holder, key, t in kept:
            holder[key] = t


def _places(module: Any, prefix: str = "") -> Iterator[tuple[str, dict[str, Any], str]]:
    """Name, dictionary and key of every parameter and buffer, shared ones under every name."""
    for kind in ("_parameters", "_buffers"):
        holder = module.__dict__[kind]
        for key, value in holder.items():
            if value is not None:
                yield prefix + key, holder, key
    for name, child in module.named_children():
        yield from _places(child, f"{prefix}{name}.")


def stack_module_state(models: Sequence[Any]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The parameters and the buffers of models of one make, each stacked along a new dim 0.

    The parameters are leaves that require grad where those of the models do.  For ``vmap`` with
    `functional_call`.
    """
    if not models:
        raise OpError("stack_module_state: no models")
    if any(type(m) is not type(models[0]) for m in models):
        raise OpError("stack_module_state: the models are of different classes")
    if any(m.training is not models[0].training for m in models):
        raise OpError("stack_module_state: some models train and some do not")
    params = _stacked([dict(m.named_parameters()) for m in models])
    return params, _stacked([dict(m.named_buffers()) for m in models])


def _stacked(rows: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for name, first in rows[0].items():
        whole = FUNCTIONS["stack"].body(TAPED, [r[name].detach() for r in rows], 0)
        found[name] = whole.requires_grad_() if first.requires_grad else whole
    return found
