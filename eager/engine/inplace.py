"""Writes: one value replaces another in the same memory, and history follows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from eager.engine.dispatch import View, apply
from eager.engine.mode import MODE
from eager.engine.tape import storage_of
from eager.ops.errors import OpError
from eager.ops.op import Op
from eager.ops.table import TABLE
from eager.ops.types import KINDS, broadcast_shapes
from eager.ops.views import shared

if TYPE_CHECKING:
    from eager.engine.tensor import Tensor

#: Counts every in-place write of the process, and every setting of a module, a parameter or an
#: optimiser that changes: a compiled program whose packed weights are older than this looks
#: whether its own parameters were written, and whether what it relies on still holds.
EPOCH = np.zeros(1, np.int64)


def count_change() -> None:
    """Count a change that is no write: of an attribute, a flag, a setting."""
    EPOCH[0] += 1


def clear_grad(t: Tensor, set_to_none: bool) -> None:
    """Forget the gradient of a tensor, or make it zero, in its memory where it has one."""
    if set_to_none:
        t.grad = None
    elif t.grad is not None and t.grad._has_data:
        t.grad = t.grad.detach()
        t.grad.zero_()
    elif t.grad is not None:
        t.grad = apply(TABLE["full"], (), {"shape": tuple(t.shape), "value": 0, "dtype": t.dtype})


def apply_inplace(op: Op, target: Tensor, args: tuple[Any, ...], attrs: dict[str, Any]) -> Tensor:
    """``target = op(target, *args)`` in the memory of ``target``."""
    mode = MODE.get()
    others = any(getattr(a, "_needs", False) for a in args)
    _refuse_untracked(target, f"{op.name}_")
    if mode.recorder is None and not (mode.grad and (target._needs or others)):
        run = op.run
        if isinstance(run, np.ufunc) and _plain(target, args):
            run(target._array, *(getattr(a, "_array", a) for a in args), out=target._array)
            touch(target, f"{op.name}_")
            return target
    return write(target, lambda old: apply(op, (old, *args), attrs), op.name + "_")


def _plain(target: Tensor, args: tuple[Any, ...]) -> bool:
    """Whether NumPy's own in-place form means what torch's does."""
    array = target._array
    return array.dtype.kind == "f" and array.flags.writeable and all(
        type(a) in (int, float)
        or (getattr(a, "_array", None) is not None and a._array.dtype is array.dtype
            and broadcast_fits(a._array.shape, array.shape))
        for a in args)


def broadcast_fits(shape: tuple[int, ...], target: tuple[int, ...]) -> bool:
    """Whether ``shape`` broadcasts to exactly ``target``."""
    if shape == target:
        return True
    offset = len(target) - len(shape)
    return offset >= 0 and all(d in (1, target[i + offset]) for i, d in enumerate(shape))


def copy_into(target: Tensor, source: Any, name: str = "copy_") -> Tensor:
    """``target[...] = source``."""

    def value(old: Tensor) -> Tensor:
        new = source
        if hasattr(new, "__dim__"):  # a symbolic size of the tracer
            new = apply(TABLE["dim"], (), {"value": new})
        elif not hasattr(new, "_needs"):
            new = (apply(TABLE["full"], (), {"shape": (), "value": new, "dtype": target.dtype})
                   if type(new) in (bool, int, float, complex) else type(old)(np.asarray(new)))
        if new.dtype is not target.dtype:
            new = apply(TABLE["cast"], (new,), {"dtype": target.dtype})
        if tuple(new.shape) != tuple(target.shape):
            new = apply(TABLE["broadcast_to"], (new,), {"shape": tuple(target.shape)})
        return new

    return write(target, value, name)


def write_out(out: Any, result: Any) -> Any:
    """Write a result, or each of several, into the tensors given as ``out=``.

    An empty tensor takes the result's shape; any other has it, and a dtype that holds the result.
    """
    if isinstance(result, tuple):
        if not isinstance(out, (tuple, list)) or len(out) != len(result):
            raise OpError(f"out: wants {len(result)} tensors, got {out!r:.60}")
        for o, r in zip(out, result, strict=True):
            write_out(o, r)
        return out
    if not hasattr(out, "_needs"):
        raise OpError(f"out: wants a tensor, got {type(out).__name__}")
    if out._needs:
        raise OpError("out: the tensor requires grad, and writing to it records no gradient")
    if tuple(out.shape) != tuple(result.shape):
        if out.numel() or out._view is not None:
            raise OpError(f"out: the result is {result.spec}, the tensor {out.spec}")
        out._array = np.empty(tuple(result.shape), out._array.dtype)
    return write(out, lambda old: result, "out=")


def _refuse_untracked(target: Tensor, name: str) -> None:
    """A tensor of inference mode counts no writes, so outside of the mode there are none."""
    if (target._storage is not None and target._storage.inference
            and MODE.get().storage is None):
        raise OpError(f"{name}: a tensor made in inference_mode is written outside of it; "
                      f"clone() it first")


def write(target: Tensor, compute: Callable[[Tensor], Tensor], name: str) -> Tensor:
    """Replace the value of ``target`` by ``compute(old)``, in memory, history and views."""
    _refuse_untracked(target, name)
    mode = MODE.get()
    if mode.recorder is None and not target._array.flags.writeable:
        raise shared(name)
    if mode.grad and target._needs and target._node is None and not _grad_view(target):
        raise OpError(f"{name}: a leaf that requires grad is written in place; "
                      f"wrap the write in no_grad(), or write to a copy")
    if target._view is not None:
        target._view.refresh(target)
    old = before_write(target)
    new = compute(old)
    _check_fits(target, new, name)
    if new.dtype is not target.dtype:
        new = apply(TABLE["cast"], (new,), {"dtype": target.dtype})
    views = _chain(target)
    bases = [(parent, before_write(parent)) for parent, _ in views]
    if mode.recorder is None:
        np.copyto(target._array, new._array)
    else:
        mode.recorder.write(target, new)
    touch(target, name)
    _adopt(target, new)
    value = new
    for (parent, view), (_, was) in zip(views, bases, strict=True):
        value = _put(parent, view, was, value)
    for _, view in views:
        assert target._storage is not None
        view.version = target._storage.version
    return target


def before_write(target: Tensor) -> Tensor:
    """A tensor with the present value and history: what the tape may save."""
    mode = MODE.get()
    if mode.recorder is not None:
        return apply(TABLE["clone"], (target,))
    old = type(target).__new__(type(target))
    old._array = target._array.copy() if mode.grad else target._array
    old._needs, old._node = target._needs and target._node is not None, target._node
    old._storage = old._view = old.grad = None
    return old


def _put(parent: Tensor, view: View, was: Tensor, value: Tensor) -> Tensor:
    """Let the parent of a written view hold the write too; its value is returned."""
    mode = MODE.get()
    if mode.recorder is None and not (mode.grad and (value._needs or was._needs)):
        return value  # the memory is shared: nothing else to do
    from eager.engine.tensor import TAPED

    assert view.op.put is not None
    whole: Tensor = view.op.put(TAPED, was, value, **view.attrs)
    if mode.recorder is not None:
        mode.recorder.write(parent, whole)
    _adopt(parent, whole)
    return whole


def _chain(target: Tensor) -> list[tuple[Tensor, View]]:
    """The tensors ``target`` is a view of, nearest first."""
    chain = []
    view = target._view
    while view is not None:
        chain.append((view.parent, view))
        view = view.parent._view
    return chain


def _grad_view(target: Tensor) -> bool:
    return target._view is not None and target._node is not None


def _adopt(target: Tensor, value: Tensor) -> None:
    if MODE.get().grad and (value._needs or target._node is not None):
        target._node, target._needs = value._node, value._needs


def touch(target: Tensor, name: str = "") -> None:
    """Count a write to the memory of ``target``, under the name it is called by."""
    storage = storage_of(target)
    storage.version += 1
    storage.writer = name
    EPOCH[0] += 1


def _check_fits(target: Tensor, new: Tensor, name: str) -> None:
    if tuple(new.shape) != tuple(target.shape):
        broadcast_shapes(tuple(new.shape), tuple(target.shape))
        raise OpError(f"{name}: the result is {new.spec}, which does not fit in place into "
                      f"{target.spec}")
    if KINDS.index(new.dtype.kind) > KINDS.index(target.dtype.kind):
        raise OpError(f"{name}: the result is {new.dtype.public}, which cannot be stored in place "
                      f"in a {target.dtype.public} tensor")
