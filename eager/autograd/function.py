"""Functions with a gradient of their own.  Names and rules are torch's."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from eager.autograd.graph import hooks_here, saved_tensors_hooks
from eager.engine.dispatch import apply
from eager.engine.inplace import touch
from eager.engine.mode import MODE, mode_set
from eager.engine.tape import FREED, GradFn, Output, edge_of, storage_of, tick
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError
from eager.ops.table import TABLE


class FunctionCtx:
    """What ``forward`` leaves for ``backward``; any attribute may be set on it."""

    needs_input_grad: tuple[bool, ...] = ()

    def __init__(self) -> None:
        self._saved: Any = ()
        self._dirty: tuple[Tensor, ...] = ()
        self._fixed: tuple[Tensor, ...] = ()
        self._materialize = True
        self._owner: str = type(self).__name__

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep inputs and outputs (and None) for ``backward``; a later write to one is an error."""
        for t in tensors:
            if t is not None and not isinstance(t, Tensor):
                raise OpError(f"save_for_backward keeps tensors and None, got "
                              f"{type(t).__name__}; set other things as attributes of ctx")
        self._saved = tuple(_Kept(t) for t in tensors)

    @property
    def saved_tensors(self) -> tuple[Tensor | None, ...]:
        """What was saved, with its history."""
        if self._saved is FREED:
            raise OpError(f"what {self._owner} saved was let go after the first walk; call "
                          f"backward() or grad() with retain_graph=True to go backward through "
                          f"the graph a second time")
        return tuple(kept.value(self._owner) for kept in self._saved)

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Name the inputs that ``forward`` writes in place; they must be returned."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Name the outputs that no gradient flows through."""
        self._fixed = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether ``backward`` gets zeros, or None, for an output that is not used."""
        self._materialize = bool(value)


class _Kept:
    """A saved tensor: its value and history, but not the tensor, which may lead back here."""

    def __init__(self, t: Tensor | None) -> None:
        self.tensor = t
        self.version = 0 if t is None else t._version
        self.output: int | None = None  #: which result of the function it is
        self.made: Any = None
        self.packed: Any = None  #: what a hook made of it, and the block the hook is of
        self.hooks: saved_tensors_hooks | None = None

    def turn_into_output(self, node: FunctionNode, index: int) -> None:
        """Let go of a result: it holds the node, which holds this."""
        assert self.tensor is not None
        self.made, self.output = _alias(self.tensor), index
        self.made._storage, self.tensor = self.tensor._storage, None
        self.node = node

    def pack(self, hooks: saved_tensors_hooks) -> None:
        """Keep what the hook of a block makes of the tensor in its place."""
        t = self.tensor if self.output is None else self.made
        if t is not None:
            self.packed, self.hooks = hooks.packed(t), hooks
            self.tensor = self.made = None

    def value(self, owner: str) -> Tensor | None:
        """The tensor again."""
        t: Any = self.tensor if self.output is None else self.made
        if self.hooks is not None:
            t = self.hooks.unpacked(*self.packed)
        elif t is None:
            return None
        elif t._version != self.version:
            writer = f" by {t._storage.writer}" if t._storage and t._storage.writer else ""
            raise OpError(f"a tensor {t.spec} that {owner} saved for its gradient at version "
                          f"{self.version} has been modified in place since{writer} (version "
                          f"{t._version}); clone() it before the write")
        if self.output is not None:
            t = _alias(t)
            _lead_to(t, Output(self.node, self.output, t))
        result: Tensor = t
        return result


def _lead_to(t: Tensor, node: Any) -> None:
    t._node, t._needs = node, True


def _alias(t: Tensor) -> Tensor:
    """The same value without history; a recorder gives it a handle of its own."""
    if MODE.get().recorder is not None:
        return apply(TABLE["detach"], (t,))
    return Tensor(t._array)


class FunctionNode(GradFn):
    """The node of one application of a `Function`: all of its results lead to it.

    Attributes of the ctx can be read from it.
    """

    __slots__ = ("ctx", "function", "outputs", "types")

    def __init__(self, function: type[Function], ctx: FunctionCtx, args: Sequence[Any]) -> None:
        traced = MODE.get().recorder is not None
        self.function, self.ctx, self.extras, self.seq = function, ctx, None, tick()
        self.edges = [edge_of(a, traced) for a in args]
        self.outputs = 0
        self.types: tuple[Any, ...] = ()

    def name(self) -> str:
        return f"{self.function.__name__}Backward"

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ctx, name)

    def pull(self, way: Any, g: list[Any]) -> list[Any]:
        """The gradient of every operand, by the user's rule."""
        grads: list[Any] = [None if x is None else way.tensor(x) for x in g]
        if self.ctx._materialize:
            grads = [apply(TABLE["full"], (), {"shape": t.shape, "value": 0.0, "dtype": t.dtype})
                     if x is None else x for x, t in zip(grads, self.types, strict=True)]
        rule = self.function.backward
        if rule is Function.backward:
            rule = self.function.vjp
        given = rule(self.ctx, *grads)
        given = given if isinstance(given, (tuple, list)) else (given,)
        if len(given) > len(self.edges) and all(x is None for x in given[len(self.edges):]):
            given = given[:len(self.edges)]
        if len(given) != len(self.edges):
            raise OpError(f"{self.name()} returned {len(given)} gradients; forward had "
                          f"{len(self.edges)} arguments, and each gets one, or None")
        return [self._checked(k, x, way) for k, x in enumerate(given)]

    def _checked(self, k: int, x: Any, way: Any) -> Any:
        edge = self.edges[k]
        if x is None or edge is None or type(edge) is tuple:
            return None
        if not isinstance(x, Tensor):
            raise OpError(f"{self.name()}: gradient {k} is a {type(x).__name__}, not a tensor")
        if len(x.shape) < len(edge.shape):
            raise OpError(f"{self.name()}: gradient {k} is {x.spec}, argument {k} has the shape "
                          f"{list(edge.shape)}")
        return way.value(x)

    def release(self) -> None:
        """Let go of what was saved: the graph has been walked."""
        if self.ctx._saved:
            self.ctx._saved = FREED


class Function:
    """A function whose gradient is written by hand.

    Subclasses define static ``forward(ctx, *args)``, or ``forward(*args)`` and
    ``setup_context(ctx, inputs, output)``, and ``backward(ctx, *grads)``, which returns one
    gradient (or None) for each argument.  Call it by ``apply``.  Made of ops it can be
    differentiated again, traced and mapped.
    """

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the outputs."""
        raise NotImplementedError("a Function defines forward()")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> Any:
        """Save for ``backward`` what a ``forward`` without ctx computed."""
        raise NotImplementedError("a Function defines setup_context()")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Return the gradient of every argument."""
        raise NotImplementedError("a Function defines backward() (or vjp()) to be differentiated")

    @staticmethod
    def vjp(ctx: Any, *grad_outputs: Any) -> Any:
        """Another name for ``backward``."""
        raise NotImplementedError("a Function defines backward() (or vjp()) to be differentiated")

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> Any:
        """A rule for `func.vmap`: ``(outputs, out_dims)``; without one the ops are mapped."""
        raise NotImplementedError("a Function defines vmap() to have a rule of its own")

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Call the function and put it on the tape."""
        map_function = getattr(MODE.get().recorder, "map_function", None)
        if map_function is not None and cls.vmap is not Function.vmap:
            return map_function(cls, args)
        ctx = FunctionCtx()
        ctx._owner = cls.__name__
        ctx.needs_input_grad = tuple(isinstance(a, Tensor) and a._needs for a in args)
        for a in args:
            if isinstance(a, Tensor) and a._view is not None:
                a._view.refresh(a)
        taped = MODE.get().grad and any(ctx.needs_input_grad)
        node = FunctionNode(cls, ctx, args) if taped else None
        with mode_set(grad=False):
            if cls.setup_context is Function.setup_context:
                out = cls.forward(ctx, *args)
            else:
                out = cls.forward(*args)
                cls.setup_context(ctx, args, out)
        outs = out if isinstance(out, tuple) else (out,)
        if any(all(d is not o for o in outs) for d in ctx._dirty):
            raise OpError(f"{cls.__name__}: forward marked a tensor dirty that it does not return")
        results = _results(args, ctx, outs)
        if node is not None:
            _tape(node, ctx, results)
        return results if isinstance(out, tuple) else results[0]


def _results(args: Sequence[Any], ctx: FunctionCtx, outs: Sequence[Any]) -> tuple[Any, ...]:
    """The outputs as tensors of their own: an argument that is returned gets an alias."""
    results = []
    for out in outs:
        if isinstance(out, Tensor) and all(out is not d for d in ctx._dirty) and any(
                out is a for a in args):
            alias = _alias(out)
            alias._storage = storage_of(out)
            for kept in ctx._saved:
                kept.tensor = alias if kept.tensor is out else kept.tensor
            out = alias
        results.append(out)
    for d in ctx._dirty:
        touch(d)
    return tuple(results)


def _tape(node: FunctionNode, ctx: FunctionCtx, results: Sequence[Any]) -> None:
    node.outputs = len(results)
    node.types = tuple(r.spec if isinstance(r, Tensor) else None for r in results)
    for k, r in enumerate(results):
        if not isinstance(r, Tensor) or r.dtype.kind not in "fc" or any(
                r is f for f in ctx._fixed):
            continue
        if any(r is d for d in ctx._dirty) and r._node is None and r._needs:
            raise OpError(f"{node.function.__name__}: a leaf that requires grad is written in "
                          f"place; wrap the call in no_grad(), or pass a clone()")
        for kept in ctx._saved:
            if kept.tensor is r:
                kept.turn_into_output(node, k)
        _lead_to(r, Output(node, k, r))
    hooks = hooks_here()
    if hooks is not None:
        for kept in ctx._saved:
            kept.pack(hooks)


def once_differentiable(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a ``backward`` whose gradients cannot be differentiated again."""

    @functools.wraps(fn)
    def wrapper(ctx: Any, *grads: Any) -> Any:
        with mode_set(grad=False):
            outputs = fn(ctx, *grads)
        if not (MODE.get().grad and any(isinstance(g, Tensor) and g._needs for g in grads)):
            return outputs
        outs = outputs if isinstance(outputs, tuple) else (outputs,)
        ends = tuple(_Once.apply(o, *grads) if isinstance(o, Tensor) else o for o in outs)
        return ends if isinstance(outputs, tuple) else ends[0]

    return wrapper


class _Once(Function):
    """A gradient that refuses to be differentiated."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, *grads: Tensor) -> Tensor:
        return value

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        raise OpError("a gradient whose rule is marked once_differentiable is differentiated a "
                      "second time")
