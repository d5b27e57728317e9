"""The arguments of a trace: bound, named, taken apart, and given their dynamic sizes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from eager.engine.tensor import Tensor
from eager.ops.errors import OpError, TraceError
from eager.ops.types import Type
from jit import pytree
from jit.assumptions import Assumptions
from jit.dims import Dim, SymInt
from jit.graph import Input
from jit.kernels.index import Var
from jit.layout import DimRange, Port, size_expression
from jit.pytree import Spec
from jit.recorder import Finding, Recorder, TracedTensor
from jit.sizes import Misfit, bind_dims


def signature_of(fn: Callable[..., Any]) -> inspect.Signature:
    """The parameters that arguments are bound to: of a module, those of ``forward``."""
    forward = getattr(fn, "forward", None)
    return inspect.signature(forward if callable(forward) else fn)


def bind(signature: inspect.Signature, args: Sequence[Any],
          kwargs: Mapping[str, Any]) -> inspect.BoundArguments:
    if not isinstance(args, (tuple, list)):
        raise TraceError(f"args is a tuple of the example arguments, got "
                         f"{type(args).__name__}; write (x,) for one")
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        raise TraceError(f"the example does not fit the function{signature}: {error}") from None
    bound.apply_defaults()
    return bound


def bind_call(signature: inspect.Signature, name: str, args: Sequence[Any],
              kwargs: Mapping[str, Any]) -> inspect.BoundArguments:
    """The arguments of a call of what ``name`` names, with defaults; Misfit where they do not fit
    its signature."""
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        raise Misfit(f"{name}{signature}: {error}") from None
    bound.apply_defaults()
    return bound


def name_leaves(bound: inspect.BoundArguments) -> tuple[list[str], list[Any], Spec]:
    """Names, arrays and shape of all arguments as ``(args, kwargs)``."""
    leaves, spec = pytree.flatten((bound.args, bound.kwargs))
    names: list[str] = []
    positional = _positional_names(bound)
    for name, child in zip(positional, spec.children[0].children, strict=True):
        names += pytree.paths(child, name)
    keywords = spec.children[1]
    for key, child in zip(keywords.keys, keywords.children, strict=True):
        names += pytree.paths(child, key)
    return names, leaves, spec


def _positional_names(bound: inspect.BoundArguments) -> list[str]:
    names: list[str] = []
    for name, value in bound.arguments.items():
        kind = bound.signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            names += [f"{name}[{k}]" for k in range(len(value))]
        elif kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD):
            names.append(name)
    return names[:len(bound.args)]


def array_of(x: Any) -> np.ndarray[Any, Any]:
    return x._array if isinstance(x, Tensor) else np.asarray(x)


def make_inputs(recorder: Recorder, names: list[str], leaves: list[Any],
               sizes: list[tuple[Any, ...]]) -> tuple[list[Input], list[TracedTensor]]:
    inputs, handles = [], []
    seen: dict[int, str] = {}
    for name, leaf, shape in zip(names, leaves, sizes, strict=True):
        array = array_of(leaf)
        if id(leaf) in seen:
            recorder.findings.append(Finding(
                "guard", f"{name} and {seen[id(leaf)]} were the same tensor in the example; the "
                         f"program takes them as two"))
        seen[id(leaf)] = name
        made = Input(name, Type(Type.of(array).dtype, shape))
        handle = recorder.handle(made)
        handle._needs = False
        inputs.append(made)
        handles.append(handle)
    return inputs, handles


# --- dynamic shapes ----------------------------------------------------------------------------
def dynamic_sizes(bound: inspect.BoundArguments, names: list[str], leaves: list[Any],
                  dynamic_shapes: Any) -> tuple[list[tuple[Any, ...]], Assumptions]:
    """The shape of every argument with its dynamic sizes; all dims, with the example's sizes."""
    wanted = dims_by_name(bound, dynamic_shapes)
    dims: dict[str, Dim] = {}
    shapes = []
    for name, leaf in zip(names, leaves, strict=True):
        array = array_of(leaf)
        shape = list(array.shape)
        for axis, size in wanted.pop(name, {}).items():
            if type(axis) is not int or not -array.ndim <= axis < array.ndim:
                raise TraceError(f"dynamic_shapes of {name!r}: axis {axis!r} is out of range of "
                                 f"its {array.ndim} dims")
            shape[axis] = _declared(name, axis, size, dims)
        shapes.append(tuple(shape))
    if wanted:
        raise TraceError(f"dynamic_shapes names {', '.join(map(repr, wanted))}, which is no "
                         f"argument that holds an array; there are "
                         f"{', '.join(map(repr, names)) or 'none'}")
    example = _example_sizes(names, leaves, shapes, dims)
    return shapes, Assumptions(dims=dims, example=example)


def _declared(name: str, axis: int, size: Any, dims: dict[str, Dim]) -> Any:
    """The size that one axis is declared to have: a Dim, its name, or an expression of Dims."""
    if isinstance(size, str):
        size = dims[size] if size in dims else Dim(size)
    if isinstance(size, Dim):
        size = size.size
    if not isinstance(size, SymInt):
        raise TraceError(f"dynamic_shapes of {name!r}: axis {axis} is a jit.Dim, a name for one, "
                         f"or an expression such as 2 * dim, got {size!r}")
    for atom in size.index.atoms():
        if isinstance(atom, Var) and atom.high is not None:
            dim = Dim(atom.name, atom.low, atom.high)
            if dims.setdefault(dim.name, dim) != dim:
                raise TraceError(f"two different Dims are named {dim.name!r}: {dims[dim.name]} "
                                 f"and {dim}")
    return size


def _example_sizes(names: list[str], leaves: list[Any], shapes: list[tuple[Any, ...]],
                   dims: dict[str, Dim]) -> dict[str, int]:
    """The dims in the example, which must fit what is declared."""
    ports = [Port(n, "", tuple(map(size_expression, s)))
             for n, s in zip(names, shapes, strict=True)]
    ranges = [DimRange(d.name, d.min, d.max) for d in dims.values()]
    try:
        return bind_dims(ports, [array_of(x).shape for x in leaves], ranges, ())
    except OpError as error:
        raise TraceError(f"the example does not fit dynamic_shapes: {error}") from None


def dims_by_name(bound: inspect.BoundArguments, dynamic_shapes: Any) -> dict[str, dict[Any, Any]]:
    """``{leaf name: {axis: Dim}}`` from a nest that mirrors the arguments."""
    if dynamic_shapes is None:
        return {}
    if isinstance(dynamic_shapes, (tuple, list)):
        positional = _positional_names(bound)
        if len(dynamic_shapes) > len(positional):
            raise TraceError(f"dynamic_shapes has {len(dynamic_shapes)} entries for the arguments "
                             f"{', '.join(positional) or '(none)'}")
        dynamic_shapes = dict(zip(positional, dynamic_shapes, strict=False))
    found: dict[str, dict[Any, Any]] = {}

    def visit(path: str, node: Any) -> None:
        if node is None:
            return
        if isinstance(node, dict) and all(type(k) is int for k in node):
            found[path] = node
        elif isinstance(node, dict):
            for key, value in node.items():
                visit(f"{path}.{key}", value)
        elif isinstance(node, (tuple, list)):
            for k, value in enumerate(node):
                visit(f"{path}[{k}]", value)
        else:
            raise TraceError(f"dynamic_shapes of {path!r} is {{axis: jit.Dim}}, got {node!r}")

    for name, node in dynamic_shapes.items():
        visit(name, node)
    return found
