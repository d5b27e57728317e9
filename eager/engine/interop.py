"""Tensors among others: NumPy's protocols, DLPack, the buffer protocol, copies."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from eager.ops.errors import OpError

if TYPE_CHECKING:
    from eager.engine.tensor import Tensor

#: NumPy's ufuncs whose names are not ours.
_UFUNCS = {
    "absolute": "abs", "fabs": "abs", "add": "add", "arccos": "acos", "arccosh": "acosh",
    "arcsin": "asin", "arcsinh": "asinh", "arctan": "atan", "arctan2": "atan2",
    "arctanh": "atanh", "conjugate": "conj", "degrees": "rad2deg", "divide": "div",
    "equal": "eq", "greater": "gt", "greater_equal": "ge", "invert": "bitwise_not",
    "left_shift": "bitwise_left_shift", "less": "lt", "less_equal": "le", "multiply": "mul",
    "negative": "neg", "not_equal": "ne", "power": "pow", "radians": "deg2rad",
    "right_shift": "bitwise_right_shift", "rint": "round", "subtract": "sub",
    "true_divide": "div"}
_REDUCED = {"add": "sum", "multiply": "prod", "maximum": "amax", "minimum": "amin",
            "logical_and": "all", "logical_or": "any"}
_ACCUMULATED = {"add": "cumsum", "multiply": "cumprod"}
#: DLPack's number of the CPU.
_CPU = (1, 0)


class Interop:
    """The part of `Tensor` that other libraries talk to; a mixin without state."""

    __slots__ = ()

    def __array_ufunc__(self: Any, ufunc: Any, method: str, *inputs: Any,
                        **kwargs: Any) -> Any:
        """``np.sin(t)``, ``np.add(array, t)`` and their reductions, by our own functions.

        Gradients flow through.  Where NumPy writes into arrays of its own (``out=``, and so
        ``array += t``), it is NumPy that computes.
        """
        out = kwargs.pop("out", ())
        if any(hasattr(o, "_needs") for o in out):
            raise OpError(f"np.{ufunc.__name__}: out= is a tensor, which NumPy cannot write to "
                          f"with its history; use t.copy_(...)")
        if out:
            return getattr(ufunc, method)(*map(as_array, inputs), out=out, **kwargs)
        how = _METHODS.get(method)
        if how is None:
            raise TypeError(f"np.{ufunc.__name__}.{method} of tensors is not supported; convert "
                            f"them by .numpy() first")
        return how(ufunc.__name__, *inputs, **kwargs)

    def __array_function__(self: Any, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """``np.mean(t)``, ``np.concatenate([t, u])``: by our own functions, else a TypeError."""
        from eager.engine.numpy_functions import call

        return call(func, args, kwargs)

    def __dlpack__(self: Any, *, stream: Any = None, max_version: Any = None,
                   dl_device: Any = None, copy: bool | None = None) -> Any:
        """The memory of this tensor as a DLPack capsule: no copy unless asked for."""
        if self._needs:
            raise OpError("a tensor that requires grad is not exported; use detach()")
        if stream is not None:
            raise OpError("tensors on the CPU have no stream")
        array = self._read("numpy")
        if array.dtype.kind == "V":
            raise OpError(f"{self.dtype.public} cannot be exported by NumPy; convert the tensor to "
                          f"float32")
        asked = {"dl_device": dl_device, "copy": copy, "max_version": max_version}
        return array.__dlpack__(**{k: v for k, v in asked.items() if v is not None})

    def __dlpack_device__(self: Any) -> tuple[int, int]:
        """The CPU, as DLPack counts."""
        return _CPU

    def __buffer__(self: Any, flags: int) -> memoryview:
        """The memory of this tensor (from Python 3.12 on: ``memoryview(t)``)."""
        return memoryview(self.numpy())

    def __copy__(self: Any) -> Tensor:
        """Another tensor over the same memory."""
        from eager.engine.spelling import rebuild
        from eager.engine.tape import storage_of

        if self._node is not None:
            leaf: Tensor = self.detach().requires_grad_()
            return leaf
        twin = rebuild(type(self), self._array, self._needs)
        twin._storage = storage_of(self)
        return twin


def as_array(value: Any) -> Any:
    """A tensor as its array; other things as they are."""
    return value.numpy() if hasattr(value, "_needs") else value


def from_dlpack(ext_tensor: Any) -> Tensor:
    """A tensor over the memory of another library's, by its ``__dlpack__``."""
    from eager.engine.tensor import Tensor

    if not hasattr(ext_tensor, "__dlpack__"):
        raise OpError(f"from_dlpack wants an object with __dlpack__, got "
                      f"{type(ext_tensor).__name__}")
    try:
        return Tensor(np.from_dlpack(ext_tensor))
    except (BufferError, RuntimeError, TypeError) as error:
        raise OpError(f"from_dlpack: {error}") from None


# --- ufuncs ------------------------------------------------------------------------------------
def function(name: str, of: str) -> Callable[..., Any]:
    """Our function of a name, or a TypeError in NumPy's terms."""
    import eager

    found: Any = getattr(eager, name, None)
    if found is None:
        raise TypeError(f"{of} of tensors is not supported: there is no eager.{name}; convert "
                        f"them by .numpy() first")
    return found  # type: ignore[no-any-return]


def _refuse(name: str, kwargs: dict[str, Any]) -> None:
    given = [k for k, v in kwargs.items() if v is not None and v is not np._NoValue]
    if given:
        raise TypeError(f"{name} of tensors does not take {', '.join(given)}")


def _call(name: str, *inputs: Any, dtype: Any = None, where: Any = True, **kwargs: Any) -> Any:
    _refuse(f"np.{name}", {**kwargs, "where": None if where is True else where})
    if name == "divmod":
        return tuple(_call(n, *inputs, dtype=dtype) for n in ("floor_divide", "remainder"))
    if name == "square" and not hasattr(inputs[0], "_needs"):
        raise TypeError("np.square wants a tensor")
    result = function(_UFUNCS.get(name, name), f"np.{name}")(*inputs)
    return result if dtype is None else result.to(dtype_named(dtype))


def dtype_named(dtype: Any) -> Any:
    """Our dtype of whatever NumPy takes for one."""
    from eager.ops.types import DType, dtype_of

    return dtype if isinstance(dtype, DType) else dtype_of(np.dtype(dtype))


def _reduce(name: str, a: Any, axis: Any = 0, dtype: Any = None, keepdims: bool = False,
            initial: Any = None, where: Any = True) -> Any:
    _refuse(f"np.{name}.reduce", {"initial": initial, "where": None if where is True else where})
    if name not in _REDUCED:
        raise TypeError(f"np.{name}.reduce of tensors is not supported")
    if dtype is not None:
        a = a.to(dtype_named(dtype))
    dims = tuple(range(a.ndim)) if axis is None else axis
    if _REDUCED[name] == "prod" and type(dims) is tuple:
        for d in sorted((d % a.ndim for d in dims), reverse=True):
            a = a.prod(d, keepdim=keepdims)
        return a
    return getattr(a, _REDUCED[name])(dims, keepdim=keepdims)


def _accumulate(name: str, a: Any, axis: int = 0, dtype: Any = None) -> Any:
    if name not in _ACCUMULATED:
        raise TypeError(f"np.{name}.accumulate of tensors is not supported")
    result = function(_ACCUMULATED[name], f"np.{name}.accumulate")(a, axis)
    return result if dtype is None else result.to(dtype_named(dtype))


def _outer(name: str, a: Any, b: Any, **kwargs: Any) -> Any:
    n = len(np.shape(b))
    return _call(name, a.reshape(tuple(a.shape) + (1,) * n), b, **kwargs)


_METHODS: dict[str, Callable[..., Any]] = {
    "__call__": _call, "reduce": _reduce, "accumulate": _accumulate, "outer": _outer}
