"""Hooks of modules: functions called before and after ``forward``, and when gradients pass."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from eager.autograd.function import Function
from eager.engine.hooks import RemovableHandle
from eager.engine.mode import MODE
from eager.engine.tensor import Tensor
from eager.nn.tree import Tree
from eager.ops.errors import OpError


class Entry(NamedTuple):
    """A hook on calls, and how it is called."""

    hook: Callable[..., Any]
    with_kwargs: bool = False
    always_call: bool = False


Entries = OrderedDict[int, Any]


@dataclass(frozen=True, slots=True)
class Hooks:
    """What a module's call looks for, each in the order of the calls."""

    before: Entries = field(default_factory=OrderedDict)
    after: Entries = field(default_factory=OrderedDict)
    before_backward: Entries = field(default_factory=OrderedDict)
    after_backward: Entries = field(default_factory=OrderedDict)

    def is_empty(self) -> bool:
        """Whether no hook is left."""
        return not (self.before or self.after or self.before_backward or self.after_backward)


def added(hooks: Entries, entry: Any, prepend: bool = False) -> RemovableHandle:
    """Register an entry last, or first with ``prepend``."""
    handle = RemovableHandle(hooks)
    hooks[handle.id] = entry
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


class Hooked(Tree):
    """A tree whose calls pass through hooks."""

    _call_hooks: Hooks | None = None

    def _hooks_made(self) -> Hooks:
        if self._call_hooks is None:
            self._call_hooks = Hooks()
        return self._call_hooks

    def register_forward_pre_hook(self, hook: Callable[..., Any], *, prepend: bool = False,
                                  with_kwargs: bool = False) -> RemovableHandle:
        """Call ``hook(module, args)`` before ``forward``; what it returns replaces the args.

        With ``with_kwargs``: ``hook(module, args, kwargs)``, which returns None or both.
        """
        return added(self._hooks_made().before, Entry(hook, with_kwargs), prepend)

    def register_forward_hook(self, hook: Callable[..., Any], *, prepend: bool = False,
                              with_kwargs: bool = False,
                              always_call: bool = False) -> RemovableHandle:
        """Call ``hook(module, args, output)`` after ``forward``; a result replaces the output.

        With ``with_kwargs``: ``hook(module, args, kwargs, output)``.  With ``always_call`` it is
        called with the output None where the call ends in an exception, too.
        """
        return added(self._hooks_made().after, Entry(hook, with_kwargs, always_call), prepend)

    def register_full_backward_pre_hook(self, hook: Callable[..., Any],
                                        prepend: bool = False) -> RemovableHandle:
        """Call ``hook(module, grad_output)`` when the gradients of the outputs are known.

        What it returns replaces them.
        """
        return added(self._hooks_made().before_backward, hook, prepend)

    def register_full_backward_hook(self, hook: Callable[..., Any],
                                    prepend: bool = False) -> RemovableHandle:
        """Call ``hook(module, grad_input, grad_output)`` when those of the inputs are known.

        Tuples over the positional arguments and the outputs, None where no gradient flows; what
        it returns replaces ``grad_input``.
        """
        return added(self._hooks_made().after_backward, hook, prepend)

    def register_backward_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Refused: it sees the gradients of one op of the module, whichever is the last."""
        raise OpError("register_backward_hook is not built; use register_full_backward_hook")


# --- the call ----------------------------------------------------------------------------------
def call_with_hooks(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``module.forward(*args, **kwargs)`` between the hooks of the module."""
    hooks: Hooks = module._call_hooks
    called: set[int] = set()
    result = None
    try:
        for entry in list(hooks.before.values()):
            args, kwargs = _before(entry, module, args, kwargs)
        passage = None
        if (hooks.before_backward or hooks.after_backward) and MODE.get().grad:
            passage = _Passage(module, hooks)
            args = passage.inputs(args)
        result = module.forward(*args, **kwargs)
        for number, entry in list(hooks.after.items()):
            called.add(number)
            result = _after(entry, module, args, kwargs, result)
        return result if passage is None else passage.outputs(result)
    except Exception:
        for number, entry in list(hooks.after.items()):
            if entry.always_call and number not in called:
                _after_failure(entry, module, args, kwargs, result)
        raise


def _before(entry: Entry, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if not entry.with_kwargs:
        new = entry.hook(module, args)
        return (args if new is None else new if isinstance(new, tuple) else (new,)), kwargs
    new = entry.hook(module, args, kwargs)
    if new is None:
        return args, kwargs
    if not (isinstance(new, tuple) and len(new) == 2):
        raise OpError(f"a forward pre-hook with kwargs returns None or (args, kwargs), got "
                      f"{type(new).__name__}")
    return new


def _after(entry: Entry, module: Any, args: Any, kwargs: Any, result: Any) -> Any:
    new = (entry.hook(module, args, kwargs, result) if entry.with_kwargs
           else entry.hook(module, args, result))
    return result if new is None else new


def _after_failure(entry: Entry, module: Any, args: Any, kwargs: Any, result: Any) -> None:
    try:
        _after(entry, module, args, kwargs, result)
    except Exception as error:
        warnings.warn(f"a forward hook with always_call=True failed while another exception was "
                      f"on its way: {error}", stacklevel=4)


# --- gradients ---------------------------------------------------------------------------------
class _Passage:
    """One call, through whose gates gradients come in at the outputs and leave at the inputs.

    A gate is a function that returns its arguments: the hooks are those of its node on the tape.
    """

    def __init__(self, module: Any, hooks: Hooks) -> None:
        self._module = module
        self._before = list(hooks.before_backward.values())
        self._after = list(hooks.after_backward.values())
        self._places: Sequence[int] | None = None  #: of the arguments with a gradient
        self._count = 0
        self._grad_outputs: tuple[Any, ...] | None = None

    def inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments behind their gate."""
        self._count = len(args)
        if not self._after:
            return args
        args, node, self._places = _gated(args)
        if node is not None:
            node.register_hook(self._leaves)
        return args

    def outputs(self, result: Any) -> Any:
        """The result behind its gate: a tensor, or a tuple or list of anything."""
        single = not isinstance(result, (tuple, list))
        outs = (result,) if single else tuple(result)
        gated, node, places = _gated(outs)
        if node is not None:
            node.register_prehook(lambda grads: self._comes(grads, places, len(outs)))
        if single:
            return gated[0]
        return type(result)(*gated) if hasattr(result, "_fields") else type(result)(gated)

    def _comes(self, grads: Sequence[Any], places: Sequence[int], count: int) -> Any:
        whole = _placed(grads, places, count)
        for hook in self._before:
            new = hook(self._module, whole)
            if new is not None:
                whole = self._checked(new, count, "grad_output")
        self._grad_outputs = whole
        if not self._places:  # no gate at the inputs will tell that the walk came there
            self._tell((None,) * self._count)
        return tuple(whole[k] for k in places)

    def _leaves(self, grad_inputs: Sequence[Any], _: Any) -> Any:
        if self._grad_outputs is None:
            return None  # only another user of the inputs was walked
        assert self._places is not None
        whole = self._tell(_placed(grad_inputs, self._places, self._count))
        return tuple(whole[k] for k in self._places)

    def _tell(self, whole: tuple[Any, ...]) -> tuple[Any, ...]:
        for hook in self._after:
            new = hook(self._module, whole, self._grad_outputs)
            if new is not None:
                whole = self._checked(new, self._count, "grad_input")
        self._grad_outputs = None
        return whole

    def _checked(self, new: Any, count: int, what: str) -> tuple[Any, ...]:
        grads = tuple(new) if isinstance(new, (tuple, list)) else (new,)
        if len(grads) != count:
            raise OpError(f"a backward hook of {self._module._get_name()} returned {len(grads)} "
                          f"gradients in place of a {what} of {count}")
        return grads


class _Gate(Function):
    """Gives its arguments back."""

    @staticmethod
    def forward(ctx: Any, *tensors: Tensor) -> Any:
        return tensors

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return grads


def _placed(grads: Sequence[Any], places: Sequence[int], count: int) -> tuple[Any, ...]:
    found = dict(zip(places, grads, strict=True))
    return tuple(found.get(k) for k in range(count))


def _gated(values: tuple[Any, ...]) -> tuple[tuple[Any, ...], Any, list[int]]:
    """The values, those with a gradient through one node; the node; and their places."""
    places = [k for k, v in enumerate(values) if isinstance(v, Tensor) and v.requires_grad]
    if not places:
        return values, None, places
    through = dict(zip(places, _Gate.apply(*(values[k] for k in places)), strict=True))
    return (tuple(through.get(k, v) for k, v in enumerate(values)),
            through[places[0]].grad_fn, places)
