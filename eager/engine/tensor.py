"""Tensor: a NumPy array with PyTorch's names that remembers how it was made.

Operators, methods and their in-place forms are laid on the class at the end of
this module, from the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from eager.engine import dispatch, hooks, spelling, subscripting, walk
from eager.engine.conversion import Conversions
from eager.engine.dispatch import apply
from eager.engine.inplace import copy_into, count_change, touch
from eager.engine.interop import Interop
from eager.engine.mode import MODE
from eager.engine.tape import GradFn, Node, Output, Storage, storage_of
from eager.engine.views import Views
from eager.ops.errors import OpError
from eager.ops.table import TABLE
from eager.ops.types import DType, Type, dtype_of


class Tensor(Conversions, hooks.Hooked, Interop, Views):
    """An n-dimensional array.

    Wraps ``array`` without a copy: writing to one is seen in the other.
    """

    __slots__ = ("__weakref__", "_array", "_hooks", "_needs", "_node", "_storage", "_view", "grad")
    # NumPy leaves operators with a Tensor on the right to the Tensor.
    __array_priority__ = 1000

    _array: np.ndarray[Any, Any]
    _hooks: hooks.Extras  #: of a leaf that has hooks
    _needs: bool  #: whether gradients flow into it
    _node: Node | None  #: the op that made it, where a gradient may be asked for
    _storage: Storage | None  #: shared with views; None: never shared nor written
    _view: dispatch.View | None
    grad: Tensor | None
    #: False of what only stands for a gradient that was not kept.
    _has_data: ClassVar[bool] = True

    def __init__(self, array: Any, requires_grad: bool = False) -> None:
        self._array = np.asarray(array)
        dtype_of(self._array.dtype)
        self._node = self._storage = self._view = self.grad = None
        self._needs = False
        if requires_grad:
            self.requires_grad_()
        recorder = MODE.get().recorder
        if recorder is not None:
            recorder.made(self)

    # --- what it is ------------------------------------------------------------------------
    @property
    def shape(self) -> Size:
        return Size(self._array.shape)

    @property
    def dtype(self) -> DType:
        return dtype_of(self._array.dtype)

    @property
    def spec(self) -> Type:
        """Element type and shape together."""
        return Type(self.dtype, tuple(self.shape))

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def is_leaf(self) -> bool:
        return self._node is None

    @property
    def grad_fn(self) -> GradFn | None:
        return self._node.function if isinstance(self._node, Output) else self._node

    def is_inference(self) -> bool:
        """Whether this tensor was made in `inference_mode`."""
        return self._storage is not None and self._storage.inference

    @property
    def _version(self) -> int:
        return 0 if self._storage is None else self._storage.version

    def size(self, dim: int | None = None) -> Any:
        """The shape, or one of its dimensions."""
        return self.shape if dim is None else self.shape[dim]

    def numel(self) -> int:
        return self.shape.numel()

    def stride(self, dim: int | None = None) -> Any:
        """Steps between neighbours, in elements."""
        steps = tuple(s // self._array.itemsize for s in self._array.strides)
        return steps if dim is None else steps[dim]

    def data_ptr(self) -> int:
        return int(self._array.ctypes.data)

    # --- gradients -------------------------------------------------------------------------
    @property
    def requires_grad(self) -> bool:
        return self._needs

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set whether gradients are accumulated here; only a leaf may stop them."""
        if requires_grad and self.dtype.kind not in "fc":
            raise OpError(f"only floating and complex tensors can require gradients, this is "
                          f"{self.spec}")
        if not requires_grad and self._node is not None:
            raise OpError("requires_grad can only be changed on leaves; use detach()")
        if self._needs is not bool(requires_grad):
            self._needs = bool(requires_grad)
            count_change()
        return self

    def backward(self, gradient: Tensor | None = None, retain_graph: bool | None = None,
                 create_graph: bool = False,
                 inputs: Tensor | Sequence[Tensor] | None = None) -> None:
        """Accumulate the gradient of this tensor into ``.grad`` of every leaf it came from.

        ``gradient`` (of this tensor's shape) may be left out for a single element; ``inputs``
        are the only tensors to reach.  Unless ``retain_graph`` (by default: ``create_graph``) the
        graph lets go of what it saved, and cannot be walked again.
        """
        if not self._needs:
            raise OpError(f"backward() on {self.spec} that requires no gradient: nothing it was "
                          f"made from has requires_grad=True")
        targets = None if inputs is None else [inputs] if isinstance(inputs, Tensor) else inputs
        walk.backward_into([self], [gradient], retain_graph, create_graph, targets)

    def detach(self) -> Tensor:
        """The same memory without history."""
        if MODE.get().recorder is not None:
            return apply(TABLE["detach"], (self,))
        result = Tensor(self._array)
        result._storage = storage_of(self)
        return result

    @property
    def data(self) -> Tensor:
        """The same memory without history; setting it gives the tensor other memory."""
        return self.detach()

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise OpError(f"data is set to a tensor, got {type(value).__name__}")
        if MODE.get().recorder is not None:
            self.detach().copy_(value)
            return
        touch(self)
        self._array = value._array

    # --- to Python and NumPy ---------------------------------------------------------------
    def _read(self, how: str) -> Any:
        """The array, for Python to look at; a recorder may refuse."""
        recorder = MODE.get().recorder
        return self._array if recorder is None else recorder.read(self, how)

    def numpy(self) -> np.ndarray[Any, Any]:
        """The array itself: no copy."""
        if self._needs:
            raise OpError("numpy() on a tensor that requires grad; use detach().numpy()")
        array: np.ndarray[Any, Any] = self._read("numpy")
        return array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        array = self.numpy()
        if dtype is not None and array.dtype != dtype:
            return array.astype(dtype)
        return array.copy() if copy else array

    def item(self) -> bool | int | float:
        """The only element, as a Python number."""
        array = self._read("item")
        if array.size != 1:
            raise OpError(f"item() wants one element, this is {self.spec}")
        value: bool | int | float = array.item()
        return value

    def tolist(self) -> Any:
        return self._read("tolist").tolist()

    def __bool__(self) -> bool:
        array = self._read("bool")
        if array.size != 1:
            raise OpError(f"the truth of {self.spec} is ambiguous: use any() or all()")
        return bool(array.reshape(()))

    def __int__(self) -> int:
        return int(spelling.single(self, self._read("int"), "int"))

    def __float__(self) -> float:
        return float(spelling.single(self, self._read("float"), "float"))

    def __index__(self) -> int:
        if self.dtype.kind != "i":
            raise OpError(f"only an integer tensor is an index, this is {self.spec}")
        return int(spelling.single(self, self._read("int"), "int"))

    def __len__(self) -> int:
        if self.ndim == 0:
            raise OpError("len() of a 0-d tensor")
        n = self.shape[0]
        return n if type(n) is int else int(MODE.get().recorder.read(self, "len"))  # type: ignore[union-attr]

    def __iter__(self) -> Iterator[Tensor]:
        if self.ndim == 0:
            raise OpError("iteration over a 0-d tensor")
        return (self[i] for i in range(len(self)))

    def __hash__(self) -> int:
        return id(self)

    def __contains__(self, value: Any) -> bool:
        return bool((self == value).any())

    def __repr__(self) -> str:
        from eager.engine.printing import show

        return show(self)

    def __reduce__(self) -> Any:
        # NumPy gives a contiguous 0-d array a dim.
        array = np.ascontiguousarray(self._array).reshape(self._array.shape)
        return spelling.rebuild, (type(self), array, self._needs)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if self._node is not None:
            raise OpError("only leaves can be deep-copied; use detach()")
        copy = spelling.rebuild(type(self), self._array.copy(), self._needs)
        memo[id(self)] = copy
        return copy

    # --- indexing --------------------------------------------------------------------------
    def __getitem__(self, index: Any) -> Tensor:
        return subscripting.getitem(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        subscripting.setitem(self, index, value)

    # --- in place --------------------------------------------------------------------------
    def copy_(self, source: Any) -> Tensor:
        """Overwrite with ``source``, broadcast to this shape and converted to this dtype."""
        return copy_into(self, source)

    def fill_(self, value: Any) -> Tensor:
        return copy_into(self, value, "fill_")

    def zero_(self) -> Tensor:
        return copy_into(self, 0, "zero_")


class Size(tuple[Any, ...]):
    """A shape: a tuple that counts its elements."""

    __slots__ = ()

    def numel(self) -> Any:
        n: Any = 1
        for d in self:
            n = n * d
        return n

    def __repr__(self) -> str:
        return f"eager.Size({list(self)})"


class Taped:
    """The namespace ``F`` on tensors: every op of the table as a taped call."""

    def __getattr__(self, name: str) -> Any:
        op = TABLE.get(name)
        if op is None:
            raise AttributeError(f"there is no op {name!r}")

        def call(*args: Any, **attrs: Any) -> Tensor:
            return apply(op, args, attrs)

        setattr(self, name, call)
        return call

    @staticmethod
    def typeof(x: Any) -> Type:
        """Element type and shape of a tensor or of an operand that was not saved."""
        if isinstance(x, Tensor):
            return x.spec
        return Type(x.dtype if isinstance(x.dtype, DType) else dtype_of(x.dtype), tuple(x.shape))


TAPED = Taped()
dispatch.bind(Tensor)
spelling.lay_on(Tensor, TAPED)
