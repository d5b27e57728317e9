"""Data sets: things with a length and elements by number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eager.engine import streams
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError


class Dataset:
    """Subclasses define ``__getitem__`` and ``__len__``."""

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError


class TensorDataset(Dataset):
    """Rows of tensors of one length."""

    def __init__(self, *tensors: Tensor) -> None:
        if not tensors or any(len(t) != len(tensors[0]) for t in tensors):
            raise OpError(f"TensorDataset: tensors of one length, got "
                          f"{[list(t.shape) for t in tensors]}")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(t[index] for t in self.tensors)

    def __len__(self) -> int:
        return len(self.tensors[0])


class Subset(Dataset):
    """Some elements of a data set."""

    def __init__(self, dataset: Dataset, indices: Sequence[int]) -> None:
        self.dataset, self.indices = dataset, indices

    def __getitem__(self, index: int) -> Any:
        return self.dataset[self.indices[index]]

    def __len__(self) -> int:
        return len(self.indices)


def random_split(dataset: Dataset, lengths: Sequence[int | float],
                 generator: streams.Generator | None = None) -> list[Subset]:
    """Subsets of given lengths (or shares of 1), in random order."""
    n = len(dataset)
    if all(isinstance(x, float) for x in lengths):
        sizes = [int(n * x) for x in lengths]
        for k in range(n - sum(sizes)):
            sizes[k % len(sizes)] += 1
    else:
        sizes = [int(x) for x in lengths]
    if sum(sizes) != n:
        raise OpError(f"random_split: lengths {list(lengths)} do not add up to {n}")
    order = streams.randperm(n, generator=generator).tolist()
    starts = [sum(sizes[:k]) for k in range(len(sizes))]
    return [Subset(dataset, order[a:a + size]) for a, size in zip(starts, sizes, strict=True)]
