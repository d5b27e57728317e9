"""Batches made of samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eager.engine import creation
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError


def default_collate(batch: Sequence[Any]) -> Any:
    """Samples stacked: tensors, arrays and numbers to tensors with a new first dim.

    Inside containers each element on its own: tuples and lists give lists (as in torch), named
    tuples and dicts their own kind.  Strings stay lists.
    """
    first = batch[0]
    for kinds, stack in _STACKS:
        if isinstance(first, kinds):
            return stack(batch)
    raise OpError(f"default_collate: wanted tensors, arrays, numbers, strings or containers of "
                  f"them, got {type(first).__name__}; pass collate_fn")


def default_convert(data: Any) -> Any:
    """NumPy arrays in a sample as tensors; all else as it is."""
    if isinstance(data, (np.ndarray, np.generic)):
        return data if np.asarray(data).dtype.kind in "USO" else (
            creation.from_numpy(np.asarray(data)))
    if isinstance(data, Mapping):
        return {key: default_convert(value) for key, value in data.items()}
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*map(default_convert, data))
    if isinstance(data, (list, tuple)):
        return [default_convert(value) for value in data]
    return data


def _arrays(batch: Sequence[Any]) -> Tensor:
    arrays = [np.asarray(x.detach() if isinstance(x, Tensor) else x) for x in batch]
    shapes = sorted({a.shape for a in arrays})
    if len(shapes) > 1:
        raise OpError(f"default_collate: samples of one shape, got {' and '.join(map(str, shapes))}"
                      f"; pass collate_fn")
    return creation.from_numpy(np.stack(arrays))


def _numbers(batch: Sequence[Any]) -> Tensor:
    wide = isinstance(batch[0], float)  # as in torch, Python floats are float64 here
    return creation.tensor(list(batch), dtype="float64" if wide else None)


def _mappings(batch: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {key: default_collate([sample[key] for sample in batch]) for key in batch[0]}


def _sequences(batch: Sequence[Sequence[Any]]) -> Any:
    if len({len(sample) for sample in batch}) > 1:
        raise OpError("default_collate: samples of one length, got "
                      f"{sorted({len(sample) for sample in batch})}; pass collate_fn")
    columns = [default_collate(column) for column in zip(*batch, strict=True)]
    return type(batch[0])(*columns) if hasattr(batch[0], "_fields") else columns


_STACKS: tuple[tuple[Any, Any], ...] = (
    ((Tensor, np.ndarray, np.generic), _arrays),
    ((bool, int, float), _numbers),
    ((str, bytes), list),
    (Mapping, _mappings),
    (Sequence, _sequences),
)
