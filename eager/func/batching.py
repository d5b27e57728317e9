"""Tensors with a batch that the function being mapped does not see."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from eager.engine.dispatch import apply
from eager.engine.inplace import copy_into
from eager.engine.mode import MODE, Recorder, mode_set
from eager.engine.tensor import TAPED, Size, Tensor
from eager.func.rules import Mapped, apply_mapped, moved
from eager.func.trees import flatten, spread_prefix
from eager.ops.errors import OpError
from eager.ops.families import Random
from eager.ops.op import Op
from eager.ops.types import DType

_REWRITES = {
    "bool": "choose with eager.where instead of if",
    "item": "keep it a tensor: 0-d tensors do arithmetic",
    "int": "keep it a tensor: 0-d tensors do arithmetic",
    "float": "keep it a tensor: 0-d tensors do arithmetic",
    "numpy": "use eager's functions instead of NumPy's",
    "nonzero": "a mask picks a different number of elements in each; use eager.where",
}


class BatchedTensor(Tensor):
    """What a mapped function sees: one member's shape."""

    __slots__ = ("_batching", "_inner")

    _batching: Batching
    _inner: Tensor  #: leads with the batch

    @property
    def _array(self) -> Any:  # type: ignore[override]
        raise OpError(f"the data of {self!r} were asked for: a tensor of vmap lives only while "
                      f"its function is mapped, and stands for many")

    @property
    def shape(self) -> Size:
        return Size(self._inner.shape[1:])

    @property
    def dtype(self) -> DType:
        return self._inner.dtype

    def stride(self, dim: int | None = None) -> Any:
        steps = self._inner.stride()[1:]
        return steps if dim is None else steps[dim]

    def is_contiguous(self, memory_format: Any = None) -> Any:
        return self._inner.is_contiguous()

    def __repr__(self) -> str:
        return f"tensor(one of {self._batching.size} in vmap, {self.spec})"


class VmapInfo(NamedTuple):
    """What a `Function` is told of the map that it is called in."""

    batch_size: Any
    randomness: str


@dataclass(eq=False)
class Batching:
    """Hears every op under a `vmap` and performs it on the whole batch, one level further out."""

    size: Any
    randomness: str
    outer: Recorder | None

    # --- the protocol of the engine ------------------------------------------------------------
    def apply(self, op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> Tensor:
        """Perform one op."""
        if isinstance(op.kernel, Random):
            return self._draw(op, args, attrs)
        mapped = tuple(self.holds(a) for a in args)
        inner = tuple(a._inner if m else a for a, m in zip(args, mapped, strict=True))
        with self._outside():
            if not any(mapped):
                return apply(op, inner, attrs)
            value = apply_mapped(Mapped(TAPED, op, inner, mapped, self.size, attrs))
        return self.wrap(value)

    def write(self, target: Tensor, value: Tensor) -> None:
        """``target`` gets a new value in its own memory."""
        if self.holds(value) and not self.holds(target):
            raise OpError(f"vmap: a tensor {target.spec} from outside of the mapped function is "
                          f"written with one value for each of the {self.size} members; return "
                          f"the value, or map the tensor too")
        with self._outside():
            if self.holds(target):
                target, value = target._inner, self._whole(value)  # type: ignore[attr-defined]
            if not _same_memory(target, value):
                copy_into(target, value)

    def read(self, tensor: Tensor, how: str) -> Any:
        """Data asked for by Python: of a mapped tensor there are many."""
        if self.holds(tensor):
            raise OpError(f"vmap: {how}() of a mapped tensor {tensor.spec} has one answer for "
                          f"each of the {self.size} members; "
                          f"{_REWRITES.get(how, 'keep it a tensor')}")
        return tensor._array if self.outer is None else self.outer.read(tensor, how)

    def made(self, tensor: Tensor) -> None:
        """A tensor made of an array is the same for all members."""
        if self.outer is not None:
            self.outer.made(tensor)

    def aliases(self, op: Op, source: Tensor, result: Tensor) -> bool:
        """Whether a view of one member is a view of the whole batch."""
        if self.holds(source) and self.holds(result):
            return result._inner._view is not None  # type: ignore[attr-defined]
        return False  # one level further out it is known

    def map_function(self, function: Any, args: tuple[Any, ...]) -> Any:
        """A `Function` by the rule for maps of its own, ``vmap(info, in_dims, *args)``."""
        mapped = tuple(self.holds(a) for a in args)
        inner = [a._inner if m else a for a, m in zip(args, mapped, strict=True)]
        with self._outside():
            if not any(mapped):
                return function.apply(*inner)
            info = VmapInfo(self.size, self.randomness)
            out, dims = function.vmap(info, tuple(0 if m else None for m in mapped), *inner)
            outs, tree = flatten(out)
            fronts = [t if d is None else moved(TAPED, t, d % t.ndim, 0) for t, d in
                      zip(outs, spread_prefix(dims, tree, "vmap: out_dims"), strict=True)]
        return tree.build([t if d is None else self.wrap(t) for t, d in
                           zip(fronts, spread_prefix(dims, tree, "vmap: out_dims"), strict=True)])

    # --- in and out ----------------------------------------------------------------------------
    def holds(self, a: Any) -> bool:
        """Whether a value is mapped at this level."""
        return isinstance(a, BatchedTensor) and a._batching is self

    def wrap(self, inner: Tensor) -> BatchedTensor:
        """A tensor that leads with the batch, as one member."""
        t = BatchedTensor.__new__(BatchedTensor)
        t._inner, t._batching = inner, self
        t._node = t._storage = t._view = t.grad = None
        t._needs = inner._needs
        return t

    def unwrap(self, t: Tensor) -> Tensor:
        """The whole batch, leading with its dim; what is the same for all is repeated."""
        if t._view is not None:
            t._view.refresh(t)
        with self._outside():
            return self._whole(t)

    def _whole(self, t: Tensor) -> Tensor:
        if self.holds(t):
            return t._inner  # type: ignore[attr-defined, no-any-return]
        return apply_op("broadcast_to", t, shape=(self.size, *t.shape))

    @contextmanager
    def _outside(self) -> Iterator[None]:
        with mode_set(recorder=self.outer):
            yield

    def _draw(self, op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> Tensor:
        """Random numbers, one draw for all members or one for each."""
        if self.randomness == "error":
            raise OpError("vmap: the mapped function draws random numbers; say "
                          "randomness='different' (each member its own) or 'same'")
        if self.randomness == "same":
            with self._outside():
                return apply(op, args, attrs)
        many = ({"count": attrs["count"] * self.size} if "count" in attrs else
                {"shape": (self.size, *attrs["shape"])})
        with self._outside():
            drawn = apply(op, args, {**attrs, **many})
        return drawn if "count" in attrs else self.wrap(drawn)


def apply_op(name: str, *args: Any, **attrs: Any) -> Tensor:
    """An op of the table by name."""
    result: Tensor = getattr(TAPED, name)(*args, **attrs)
    return result


def _same_memory(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors are one piece of memory already."""
    if MODE.get().recorder is not None:
        return a is b
    x, y = a._array, b._array
    return x.strides == y.strides and x.ctypes.data == y.ctypes.data
