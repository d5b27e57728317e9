"""The graph behind a tensor, and what becomes of the values that it saves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from eager.engine import tape, walk
from eager.engine.hooks import Handles
from eager.engine.inplace import touch
from eager.engine.mode import MODE, mode_set
from eager.engine.tape import FREED, AccumulateGrad, GradFn, Node, Output
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError
from eager.ops.table import TABLE

__all__ = ["GradFn", "GradientEdge", "Node", "disable_saved_tensors_hooks", "get_gradient_edge",
           "increment_version", "register_multi_grad_hook", "save_on_cpu", "saved_tensors_hooks"]


class GradientEdge(NamedTuple):
    """Where the gradient of a tensor goes: a node, and which of its results the tensor is."""

    node: Any
    output_nr: int


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """The edge behind a tensor that requires grad."""
    if not tensor.requires_grad:
        raise OpError(f"get_gradient_edge: {tensor.spec} requires no gradient")
    node = tensor._node
    if node is None:
        return GradientEdge(AccumulateGrad(tensor), 0)
    return GradientEdge(tensor.grad_fn, node.index if isinstance(node, Output) else 0)


def increment_version(tensor: Tensor | Iterable[Tensor]) -> None:
    """Count a write to tensors whose memory something else has written."""
    for t in (tensor,) if isinstance(tensor, Tensor) else tensor:
        touch(t, "increment_version()")


def register_multi_grad_hook(tensors: Sequence[Tensor], fn: Callable[..., Any], *,
                             mode: str = "all") -> Handles:
    """Call ``fn`` with the gradients of several tensors (None where there is none) at once.

    With ``mode="any"`` call it with the first gradient alone, once a walk.
    """
    if mode not in ("all", "any"):
        raise OpError(f"register_multi_grad_hook: mode is 'all' or 'any', got {mode!r}")
    state: list[Any] = [None, []]  #: the walk that is going on, and the gradients it brought

    def hook_of(k: int) -> Callable[[Tensor], None]:
        def hook(g: Tensor) -> None:
            reach = walk.REACH.get() or set()
            fresh = state[0] is not reach
            if fresh:
                state[:] = reach, [None] * len(tensors)
            if mode == "any":
                if fresh:
                    fn(g)
                return
            state[1][k] = g
            if all(g is not None or id(t._node or t) not in reach
                   for g, t in zip(state[1], tensors, strict=True)):
                fn(state[1])
        return hook

    return Handles([t.register_hook(hook_of(k)) for k, t in enumerate(tensors)])


class saved_tensors_hooks:
    """A block in which what ops save for their gradients is kept as ``pack_hook(tensor)``.

    ``unpack_hook`` of that gives the tensor back when the gradient needs it.
    """

    def __init__(self, pack_hook: Callable[[Tensor], Any],
                 unpack_hook: Callable[[Any], Tensor]) -> None:
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook

    def __enter__(self) -> None:
        if _REFUSED:
            raise OpError(_REFUSED[-1])
        self._outer, tape.MARKS[:] = list(tape.MARKS), [
            *(m for m in tape.MARKS if not isinstance(getattr(m, "__self__", None),
                                                      saved_tensors_hooks)), self._pack]

    def __exit__(self, *exc: object) -> None:
        tape.MARKS[:] = self._outer

    def _pack(self, node: Node) -> None:
        """Replace what a node saved by what the hook makes of it."""
        if not node.op.saves:
            return
        saved = [self.packed(t) for t in node.saved or ()]
        if node.op.saves_out:
            saved.append(self.packed(node.out if isinstance(node.out, Tensor)
                                     else Tensor(node.out)))
            node.out = None
        node.saved, node.versions = saved, None
        node.own_extras().unpack = self._unpack

    def packed(self, t: Any) -> Any:
        """What is kept of a value, and its history."""
        if not isinstance(t, Tensor):
            return t, None
        value = t.detach()
        with mode_set(grad=False):
            return self.pack_hook(value), _History(t)

    def _unpack(self, saved: Any) -> list[Any]:
        if saved is FREED:
            raise OpError("what the graph saved was let go after the first walk")
        return [self.unpacked(*pair) for pair in saved]

    def unpacked(self, kept: Any, history: Any) -> Any:
        """The value again, with its history."""
        return kept if history is None else history.restored(self._checked(kept))

    def _checked(self, kept: Any) -> Tensor:
        with mode_set(grad=False):
            t = self.unpack_hook(kept)
        if not isinstance(t, Tensor):
            raise OpError(f"an unpack hook returns a tensor, got {type(t).__name__}")
        return t


def hooks_here() -> saved_tensors_hooks | None:
    """The innermost block of `saved_tensors_hooks`, if there is one."""
    owners = (getattr(mark, "__self__", None) for mark in tape.MARKS)
    return next((o for o in owners if isinstance(o, saved_tensors_hooks)), None)


class _History:
    """Where a saved tensor came from, without its value."""

    def __init__(self, t: Tensor) -> None:
        self.leaf = t if t._needs and t._node is None else None
        self.node, self.needs, self.spec = t._node, t._needs, t.spec

    def restored(self, value: Tensor) -> Tensor:
        """The unpacked value with this history, so that it can be differentiated again."""
        result: Tensor = value.detach()
        result._needs, result._node = self.needs, self.node
        if self.leaf is not None:  # the value may be another than the leaf's: a node leads there
            result._node = tape.record(TABLE["clone"], (self.leaf,), {}, value,
                                       MODE.get().recorder is not None)
        return result


class save_on_cpu(saved_tensors_hooks):
    """A block whose saved values live on the CPU, where all tensors are."""

    def __init__(self, pin_memory: bool = False, device_type: str = "cpu") -> None:
        super().__init__(lambda t: t, lambda t: t)


_REFUSED: list[str] = []


class disable_saved_tensors_hooks:
    """A block in which `saved_tensors_hooks` is an error with this message."""

    def __init__(self, error_message: str) -> None:
        self._message = error_message

    def __enter__(self) -> None:
        _REFUSED.append(self._message)

    def __exit__(self, *exc: object) -> None:
        _REFUSED.pop()
