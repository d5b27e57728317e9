"""Methods that look into memory: they depend on how the elements of a tensor lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from eager.engine.dispatch import apply
from eager.engine.mode import MODE
from eager.engine.tape import storage_of
from eager.ops.errors import OpError
from eager.ops.movement import resolve_shape
from eager.ops.table import TABLE
from eager.ops.types import as_dtype, normalize_dim

if TYPE_CHECKING:
    from eager.engine.tensor import Tensor


def view(self: Tensor, *shape: Any, dtype: Any = None) -> Tensor:
    """The same memory in another shape (one size may be -1), or read as another dtype.

    Raises OpError where elements would have to move: `reshape` moves them.
    """
    if dtype is not None or (len(shape) == 1 and not isinstance(shape[0], (int, tuple, list))
                             and not hasattr(shape[0], "__dim__")):
        return apply(TABLE["bitcast"], (self,),
                     {"dtype": as_dtype(shape[0] if dtype is None else dtype)})
    sizes = resolve_shape(shape, self.spec.numel)
    if MODE.get().recorder is None and not self._array.flags.c_contiguous:
        _lie_in_order(self, sizes)
    return apply(TABLE["reshape"], (self,), {"shape": sizes})


def _lie_in_order(self: Tensor, sizes: tuple[Any, ...]) -> None:
    """See to it that a view of these sizes needs no copy, or refuse.

    An array of its own that nobody shares may be laid anew: NumPy keeps the order of an
    operand's dims in results where torch does not.
    """
    array = self._array
    if array.size != np.prod(sizes, dtype=int):
        return  # the op has the words
    try:
        np.reshape(array, sizes, copy=False)
    except ValueError:
        if self._storage is None and array.flags.owndata and self._view is None:
            self._array = np.ascontiguousarray(array)
            return
        raise OpError(f"view: size {list(sizes)} is not compatible with the size "
                      f"{list(array.shape)} and stride {list(self.stride())} of the tensor: its "
                      f"elements would have to move; use reshape()") from None


def unfold(self: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """Windows of ``size`` elements along a dim, ``step`` apart, as a new last dim."""
    if self.ndim == 0:
        self = apply(TABLE["reshape"], (self,), {"shape": (1,)})
        return apply(TABLE["select"], (unfold(self, 0, size, step),), {"dim": 0, "index": 0})
    attrs = {"dim": normalize_dim(dimension, self.ndim), "size": size, "step": step}
    return apply(TABLE["windows"], (self,), attrs)


def new_tensor(self: Tensor, data: Any, *, dtype: Any = None, device: Any = None,
               requires_grad: bool = False, layout: Any = None,
               pin_memory: bool = False) -> Tensor:
    """A new tensor with a copy of ``data``, in this one's dtype."""
    from eager.engine.creation import tensor

    return tensor(data, dtype=self.dtype if dtype is None else dtype, device=device,
                  requires_grad=requires_grad, pin_memory=pin_memory)


def _drawing(name: str) -> Any:
    """A method of `distributions`, which makes tensors and so is not there when this is read."""
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        from eager.engine import distributions

        return getattr(distributions, name)(self, *args, **kwargs)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"See `eager.engine.distributions.{name}`."
    return method


def _relaid(name: str) -> Any:
    """The method that gives a tensor another shape over the same memory, in place."""
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        mode = MODE.get()
        if mode.recorder is not None:
            raise OpError(f"{name}_: a traced tensor keeps its shape; use {name}()")
        if mode.grad and self._needs and self._node is None:
            raise OpError(f"{name}_: a leaf that requires grad keeps its shape; use {name}()")
        storage_of(self)
        before = type(self).__new__(type(self))
        for slot in ("_array", "_needs", "_node", "_storage", "_view"):
            setattr(before, slot, getattr(self, slot))
        before.grad = None
        after = getattr(before, name)(*args, **kwargs)
        self._array, self._view = after._array, after._view
        self._node, self._needs = after._node, after._needs
        return self

    method.__name__ = method.__qualname__ = f"{name}_"
    method.__doc__ = f"`{name}`, of this tensor itself; its memory stays."
    return method


class Views:
    """The part of `Tensor` that looks into memory, or draws into it; a mixin without state."""

    __slots__ = ()

    view, unfold, new_tensor = view, unfold, new_tensor
    t_, squeeze_, unsqueeze_ = _relaid("t"), _relaid("squeeze"), _relaid("unsqueeze")
    transpose_, swapaxes_ = _relaid("transpose"), _relaid("swapaxes")
    swapdims_ = _relaid("swapdims")
    uniform_, normal_ = _drawing("uniform_"), _drawing("normal_")
    bernoulli_, exponential_ = _drawing("bernoulli_"), _drawing("exponential_")
    cauchy_, log_normal_ = _drawing("cauchy_"), _drawing("log_normal_")
    geometric_, random_ = _drawing("geometric_"), _drawing("random_")
    bernoulli, multinomial = _drawing("bernoulli"), _drawing("multinomial")
