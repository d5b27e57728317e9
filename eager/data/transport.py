"""Batches between processes: their arrays in shared memory, the rest through a pipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing import resource_tracker, shared_memory
from typing import Any

import numpy as np

from eager.engine.tensor import Tensor

_SMALL = 1 << 14  #: bytes below which a pipe is faster


@dataclass(frozen=True)
class Parcel:
    """An array that lies in shared memory."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    tensor: bool


def rebuilt(value: Any, leaf: Callable[[Any], Any]) -> Any:
    """A nested value with every leaf replaced; containers keep their kind."""
    if isinstance(value, Mapping) and type(value) is dict:
        return {k: rebuilt(v, leaf) for k, v in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(rebuilt(v, leaf) for v in value))
    if type(value) in (list, tuple):
        return type(value)(rebuilt(v, leaf) for v in value)
    return leaf(value)


def packed(value: Any) -> Any:
    """Large arrays and tensors of a batch put into shared memory, for `unpacked`."""
    def leaf(x: Any) -> Any:
        tensor = type(x) is Tensor
        array = x.detach().numpy() if tensor else x
        if type(array) is not np.ndarray or array.nbytes < _SMALL or array.dtype.hasobject:
            return x.detach() if tensor else x
        block = shared_memory.SharedMemory(create=True, size=array.nbytes)
        np.ndarray(array.shape, array.dtype, block.buf)[...] = array
        parcel = Parcel(block.name, array.dtype, array.shape, tensor)
        # Whoever unpacks it deletes it, so this process must not.
        resource_tracker.unregister(block._name, "shared_memory")  # type: ignore[attr-defined]
        block.close()
        return parcel

    return rebuilt(value, leaf)


def unpacked(value: Any) -> Any:
    """The batch; its shared memory is given back."""
    def leaf(x: Any) -> Any:
        if not isinstance(x, Parcel):
            return x
        block = shared_memory.SharedMemory(x.name)
        array = np.ndarray(x.shape, x.dtype, block.buf).copy()
        block.close()
        block.unlink()
        return Tensor(array) if x.tensor else array

    return rebuilt(value, leaf)
