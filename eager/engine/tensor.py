"""Tensor: a NumPy array with PyTorch's names that remembers how it was made.

Operators, methods and their in-place forms are laid on the class at the end of
this module, from the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from eager.engine import dispatch, spelling
from eager.engine.dispatch import apply
from eager.engine.inplace import copy_into
from eager.engine.mode import MODE
from eager.engine.tape import Node, Storage, backward, storage_of
from eager.ops.errors import OpError
from eager.ops.table import FUNCTIONS, TABLE
from eager.ops.types import BOOL, F32, F64, I32, I64, DType, Type, as_dtype, dtype_of


class Tensor:
    """An n-dimensional array.

    Wraps ``array`` without a copy: writing to one is seen in the other.
    """

    __slots__ = ("__weakref__", "_array", "_needs", "_node", "_storage", "_view", "grad")
    # NumPy leaves operators with a Tensor on the right to the Tensor.
    __array_priority__ = 1000

    _array: np.ndarray[Any, Any]
    _needs: bool  #: whether gradients flow into it
    _node: Node | None  #: the op that made it, where a gradient may be asked for
    _storage: Storage | None  #: shared with views; None: never shared nor written
    _view: dispatch.View | None
    grad: Tensor | None

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
    def type(self) -> Type:
        """Element type and shape together."""
        return Type(self.dtype, tuple(self.shape))

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def device(self) -> str:
        return "cpu"

    @property
    def is_leaf(self) -> bool:
        return self._node is None

    @property
    def grad_fn(self) -> Node | None:
        return self._node

    @property
    def _version(self) -> int:
        return 0 if self._storage is None else self._storage.version

    def dim(self) -> int:
        return self.ndim

    def size(self, dim: int | None = None) -> Any:
        """The shape, or one of its dimensions."""
        return self.shape if dim is None else self.shape[dim]

    def numel(self) -> int:
        return self.shape.numel()

    def element_size(self) -> int:
        return self.dtype.itemsize

    def stride(self, dim: int | None = None) -> Any:
        """Steps between neighbours, in elements."""
        steps = tuple(s // self._array.itemsize for s in self._array.strides)
        return steps if dim is None else steps[dim]

    def is_contiguous(self) -> bool:
        return bool(self._array.flags.c_contiguous)

    def is_floating_point(self) -> bool:
        return self.dtype.kind == "f"

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
        if requires_grad and self.dtype.kind != "f":
            raise OpError(f"only floating tensors can require gradients, this is {self.type}")
        if not requires_grad and self._node is not None:
            raise OpError("requires_grad can only be changed on leaves; use detach()")
        self._needs = bool(requires_grad)
        return self

    def backward(self, gradient: Tensor | None = None, retain_graph: bool | None = None,
                 create_graph: bool = False) -> None:
        """Accumulate the gradient of this tensor into ``.grad`` of every leaf it came from.

        ``gradient`` (of this tensor's shape) may be left out for a single element.
        """
        if not self._needs:
            raise OpError(f"backward() on {self.type} that requires no gradient: nothing it was "
                          f"made from has requires_grad=True")
        seed = spelling.seed_for(self, gradient)
        found = backward([self], [seed], create_graph=create_graph)
        spelling.accumulate_grads(found.values(), seed)

    def detach(self) -> Tensor:
        """The same memory without history."""
        if MODE.get().recorder is not None:
            return apply(TABLE["detach"], (self,))
        result = Tensor(self._array)
        result._storage = storage_of(self)
        return result

    @property
    def data(self) -> Tensor:
        return self.detach()

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
            raise OpError(f"item() wants one element, this is {self.type}")
        value: bool | int | float = array.item()
        return value

    def tolist(self) -> Any:
        return self._read("tolist").tolist()

    def __bool__(self) -> bool:
        array = self._read("bool")
        if array.size != 1:
            raise OpError(f"the truth of {self.type} is ambiguous: use any() or all()")
        return bool(array.reshape(()))

    def __int__(self) -> int:
        return int(spelling.single(self, self._read("int"), "int"))

    def __float__(self) -> float:
        return float(spelling.single(self, self._read("float"), "float"))

    def __index__(self) -> int:
        if self.dtype.kind != "i":
            raise OpError(f"only an integer tensor is an index, this is {self.type}")
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

    # --- conversion ------------------------------------------------------------------------
    def to(self, *args: Any, dtype: Any = None, device: Any = None) -> Tensor:
        """This tensor in another dtype (``dtype``, or the dtype of another tensor)."""
        for a in args:
            if isinstance(a, Tensor):
                dtype = a.dtype
            elif isinstance(a, str) and a in ("cpu",):
                device = a
            else:
                dtype = a
        if device not in (None, "cpu"):
            raise OpError(f"device {device!r} is not available; eager tensors live on 'cpu'")
        if dtype is None or as_dtype(dtype) is self.dtype:
            return self
        return apply(TABLE["cast"], (self,), {"dtype": as_dtype(dtype)})

    def float(self) -> Tensor:
        return self.to(F32)

    def double(self) -> Tensor:
        return self.to(F64)

    def long(self) -> Tensor:
        return self.to(I64)

    def int(self) -> Tensor:
        return self.to(I32)

    def bool(self) -> Tensor:
        return self.to(BOOL)

    def type_as(self, other: Tensor) -> Tensor:
        return self.to(other.dtype)

    def cpu(self) -> Tensor:
        return self

    def clone(self) -> Tensor:
        """A copy that gradients flow through."""
        return apply(TABLE["clone"], (self,))

    def contiguous(self) -> Tensor:
        """This tensor if its elements lie in order, else a copy that does."""
        return self if self.is_contiguous() else self.clone()

    # --- indexing --------------------------------------------------------------------------
    def __getitem__(self, index: Any) -> Tensor:
        result: Tensor = FUNCTIONS["getitem"].body(TAPED, self, index)
        return result

    def __setitem__(self, index: Any, value: Any) -> None:
        spelling.assign(self, index, value)

    # --- in place --------------------------------------------------------------------------
    def copy_(self, source: Any) -> Tensor:
        """Overwrite with ``source``, broadcast to this shape and converted to this dtype."""
        return copy_into(self, source)

    def fill_(self, value: Any) -> Tensor:
        return copy_into(self, value)

    def zero_(self) -> Tensor:
        return copy_into(self, 0)

    # --- like this one ---------------------------------------------------------------------
    def new_zeros(self, *size: Any) -> Tensor:
        return self.new_full(*size, fill_value=0)

    def new_ones(self, *size: Any) -> Tensor:
        return self.new_full(*size, fill_value=1)

    def new_full(self, *size: Any, fill_value: Any) -> Tensor:
        shape = tuple(size[0]) if len(size) == 1 and isinstance(size[0], Sequence) else size
        return apply(TABLE["full"], (),
                     {"shape": shape, "value": fill_value, "dtype": self.dtype})


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
            return x.type
        return Type(x.dtype if isinstance(x.dtype, DType) else dtype_of(x.dtype), tuple(x.shape))


TAPED = Taped()
dispatch.bind(Tensor)
spelling.lay_on(Tensor, TAPED)
