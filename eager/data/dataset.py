"""Data sets: things with a length and samples by number."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from eager.engine import streams
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError


class Dataset:
    """Subclasses define ``__getitem__`` and ``__len__``."""

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not define __getitem__()")

    def __len__(self) -> int:
        raise TypeError(f"{type(self).__name__} does not define __len__()")

    def __iter__(self) -> Iterator[Any]:
        return (self[k] for k in range(len(self)))

    def __add__(self, other: Dataset) -> ConcatDataset:
        return ConcatDataset([self, other])


class IterableDataset(Dataset):
    """Subclasses define ``__iter__``; in a worker, `get_worker_info` says which part is its own."""

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} does not define __iter__()")

    def __add__(self, other: Dataset) -> ChainDataset:  # type: ignore[override]
        return ChainDataset([self, other])


class ChainDataset(IterableDataset):
    """Iterable data sets one after another."""

    def __init__(self, datasets: Iterable[Dataset]) -> None:
        self.datasets = list(datasets)

    def __iter__(self) -> Iterator[Any]:
        for part in self.datasets:
            yield from part

    def __len__(self) -> int:
        return sum(len(part) for part in self.datasets)


class StackDataset(Dataset):
    """Samples of several data sets side by side: tuples, or dicts where they have names."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if bool(args) == bool(kwargs):
            raise OpError("StackDataset: give data sets by position, or all by name")
        parts = list(args or kwargs.values())
        if len({len(part) for part in parts}) > 1:
            raise OpError(f"StackDataset: data sets of one length, got "
                          f"{', '.join(str(len(part)) for part in parts)}")
        self.datasets: Any = kwargs or args

    def __getitem__(self, index: Any) -> Any:
        if isinstance(self.datasets, dict):
            return {name: part[index] for name, part in self.datasets.items()}
        return tuple(part[index] for part in self.datasets)

    def __len__(self) -> int:
        parts = self.datasets.values() if isinstance(self.datasets, dict) else self.datasets
        return len(next(iter(parts)))


class TensorDataset(Dataset):
    """Rows of tensors whose first dims are equal."""

    def __init__(self, *tensors: Tensor) -> None:
        if not tensors or any(t.shape[0] != tensors[0].shape[0] for t in tensors):
            raise OpError(f"TensorDataset: wanted tensors of one length, got "
                          f"{', '.join(str(t.spec) for t in tensors) or 'none'}")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(t[index] for t in self.tensors)

    def batch(self, indices: Sequence[int]) -> list[Tensor]:
        """What collating these samples gives, by one selection a tensor."""
        rows = np.asarray(indices, np.int64)
        return [Tensor(t.detach().numpy()[rows]) for t in self.tensors]

    def __len__(self) -> int:
        return int(self.tensors[0].shape[0])


class Subset(Dataset):
    """The samples of a data set at some positions."""

    def __init__(self, dataset: Dataset, indices: Sequence[int]) -> None:
        self.dataset, self.indices = dataset, indices

    def __getitem__(self, index: int) -> Any:
        return self.dataset[self.indices[index]]

    def __len__(self) -> int:
        return len(self.indices)


class ConcatDataset(Dataset):
    """Data sets one after another."""

    def __init__(self, datasets: Iterable[Dataset]) -> None:
        self.datasets = list(datasets)
        self.ends = list(accumulate(len(d) for d in self.datasets))
        if not self.datasets:
            raise OpError("ConcatDataset: no data sets were given")

    def __getitem__(self, index: int) -> Any:
        at = index + len(self) if index < 0 else index
        if not 0 <= at < len(self):
            raise IndexError(f"index {index} is out of range of {len(self)} samples")
        k = bisect_right(self.ends, at)
        return self.datasets[k][at - (self.ends[k - 1] if k else 0)]

    def __len__(self) -> int:
        return self.ends[-1]


def random_split(dataset: Dataset, lengths: Sequence[int | float],
                 generator: streams.Generator | None = None) -> list[Subset]:
    """Subsets of given sizes, or of given shares that add up to 1, in random order."""
    sizes = _sizes(lengths, len(dataset))
    order = streams.randperm(sum(sizes), generator=generator).tolist()
    ends = list(accumulate(sizes))
    return [Subset(dataset, order[end - size:end]) for size, end in zip(sizes, ends, strict=True)]


def _sizes(lengths: Sequence[int | float], n: int) -> list[int]:
    if any(isinstance(x, float) for x in lengths) and math.isclose(sum(lengths), 1.0):
        sizes = [math.floor(n * share) for share in lengths]
        for k in range(n - sum(sizes)):  # what rounding left over goes to the first ones
            sizes[k % len(sizes)] += 1
        return sizes
    if sum(lengths) != n:
        raise OpError(f"random_split: sizes add up to {n} or shares to 1, got {list(lengths)}")
    return [int(x) for x in lengths]
