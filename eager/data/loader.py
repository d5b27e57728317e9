"""DataLoader: batches of a data set, in order or shuffled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from eager.data.dataset import Dataset, TensorDataset
from eager.engine import creation, streams
from eager.engine.tensor import TAPED, Tensor
from eager.ops.errors import OpError


def default_collate(batch: list[Any]) -> Any:
    """Elements of a batch stacked: tensors, arrays, numbers, and containers of them."""
    first = batch[0]
    if isinstance(first, Tensor):
        stacked: Tensor = TAPED.concat(*(x.unsqueeze(0) for x in batch), dim=0)
        return stacked
    if isinstance(first, (np.ndarray, np.generic)):
        return creation.from_numpy(np.stack(batch))
    if isinstance(first, (bool, int, float)):
        return creation.tensor(batch)
    if isinstance(first, str):
        return batch
    if isinstance(first, Mapping):
        return {k: default_collate([x[k] for x in batch]) for k in first}
    if isinstance(first, (tuple, list)):
        columns = [default_collate(list(c)) for c in zip(*batch, strict=True)]
        return tuple(columns) if isinstance(first, tuple) else columns
    raise OpError(f"default_collate: no batch of {type(first).__name__}; pass collate_fn")


class DataLoader:
    """Iterates over batches; each iteration is one epoch, shuffled anew."""

    def __init__(self, dataset: Dataset, batch_size: int = 1, shuffle: bool = False,
                 num_workers: int = 0, collate_fn: Callable[[list[Any]], Any] | None = None,
                 drop_last: bool = False, generator: streams.Generator | None = None) -> None:
        if batch_size < 1:
            raise OpError(f"DataLoader: batch_size is positive, got {batch_size}")
        if num_workers:
            raise OpError(f"DataLoader: num_workers={num_workers} is not supported; batches are "
                          f"made in this process (num_workers=0)")
        self.dataset, self.batch_size, self.shuffle = dataset, batch_size, shuffle
        self.collate_fn, self.drop_last, self.generator = collate_fn, drop_last, generator

    def __len__(self) -> int:
        n = len(self.dataset)
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        n = len(self.dataset)
        order = (streams.randperm(n, generator=self.generator).numpy() if self.shuffle
                 else np.arange(n))
        for k in range(len(self)):
            yield self._batch(order[k * self.batch_size:(k + 1) * self.batch_size])

    def _batch(self, chosen: np.ndarray[Any, Any]) -> Any:
        if isinstance(self.dataset, TensorDataset) and self.collate_fn is None:
            # The same batch in one selection a tensor instead of one a row.
            return tuple(Tensor(t.detach().numpy()[chosen]) for t in self.dataset.tensors)
        rows = [self.dataset[int(i)] for i in chosen]
        return (self.collate_fn or default_collate)(rows)
