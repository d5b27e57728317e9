"""Tensors that a module registers when they are assigned to it."""

from __future__ import annotations

from typing import Any

import numpy as np

from eager.engine.device import check_device
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError
from eager.ops.types import F32, as_dtype


class Parameter(Tensor):
    """A leaf tensor that a module registers as its parameter; other attributes may be set on it.

    Shares the memory of ``data`` (none given: an empty tensor).
    """

    def __init__(self, data: Any = None, requires_grad: bool = True) -> None:
        super().__init__(_array_of(data), requires_grad)

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()


class Buffer(Tensor):
    """A tensor that a module registers as state that is no parameter.

    ``persistent`` says whether ``state_dict`` holds it.
    """

    __slots__ = ("persistent",)

    def __init__(self, data: Any = None, *, persistent: bool = True) -> None:
        super().__init__(_array_of(data))
        self.persistent = persistent

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        copy: Any = super().__deepcopy__(memo)
        copy.persistent = self.persistent
        return copy  # type: ignore[no-any-return]

    def __reduce__(self) -> Any:
        rebuild, args = super().__reduce__()
        return rebuild, args, (None, {"persistent": self.persistent})


def _array_of(data: Any) -> Any:
    if data is None:
        return np.zeros(0, np.float32)
    return data._array if isinstance(data, Tensor) else data


class _Uninitialized:
    """What is not known before the first input: everything but the class and the dtype."""

    __slots__ = ()

    def materialize(self: Any, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Become a tensor of this shape, whose values are still to be set, in place."""
        check_device(device)
        kind = self._array.dtype if dtype is None else as_dtype(dtype).numpy
        self.__class__ = self.cls_to_become
        self._array = np.zeros(tuple(shape), kind)

    @property
    def shape(self) -> Any:
        raise OpError(f"the shape of an {type(self).__name__} is not known: call the module on "
                      f"an input first, so that it can infer it")

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class UninitializedParameter(_Uninitialized, Parameter):
    """A parameter whose shape comes with the first input."""

    cls_to_become = Parameter

    def __init__(self, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> None:
        check_device(device)
        super().__init__(np.zeros(0, as_dtype(dtype or F32).numpy), requires_grad)


class UninitializedBuffer(_Uninitialized, Tensor):
    """A buffer whose shape comes with the first input."""

    __slots__ = ()
    cls_to_become = Tensor

    def __init__(self, requires_grad: bool = False, device: Any = None,
                 dtype: Any = None) -> None:
        check_device(device)
        super().__init__(np.zeros(0, as_dtype(dtype or F32).numpy), requires_grad)


def is_lazy(param: Any) -> bool:
    """Whether the shape of a parameter or buffer is still to be inferred."""
    return isinstance(param, _Uninitialized)
