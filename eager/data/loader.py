"""DataLoader: batches of a data set, in order or shuffled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from eager.data.collate import default_collate
from eager.data.dataset import Dataset, TensorDataset
from eager.engine import streams
from eager.ops.errors import OpError


class DataLoader:
    """Iterates over batches; each iteration is an epoch, shuffled anew if ``shuffle``.

    The order is drawn from ``generator`` (the default stream if None) and so follows
    ``eager.manual_seed``.  ``sampler`` gives the positions of an epoch instead;
    ``batch_size=None`` gives samples as they are.
    """

    def __init__(self, dataset: Dataset, batch_size: int | None = 1, shuffle: bool = False,
                 sampler: Iterable[int] | None = None, num_workers: int = 0,
                 collate_fn: Callable[[list[Any]], Any] | None = None, drop_last: bool = False,
                 generator: streams.Generator | None = None) -> None:
        if batch_size is not None and (type(batch_size) is not int or batch_size < 1):
            raise OpError(f"DataLoader: batch_size is a positive int or None, got {batch_size!r}")
        if num_workers:
            raise OpError(f"DataLoader: num_workers={num_workers} is not supported; batches are "
                          f"made in this process: leave it 0")
        if shuffle and sampler is not None:
            raise OpError("DataLoader: a sampler decides the order; leave shuffle False")
        self.dataset, self.batch_size, self.shuffle = dataset, batch_size, shuffle
        self.sampler, self.collate_fn, self.drop_last = sampler, collate_fn, drop_last
        self.generator = generator

    def __len__(self) -> int:
        n = len(self.dataset if self.sampler is None else self.sampler)  # type: ignore[arg-type]
        if self.batch_size is None:
            return n
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        if self.batch_size is None:
            yield from (self.dataset[k] for k in self._order())
            return
        order = iter(self._order())
        while positions := list(islice(order, self.batch_size)):
            if len(positions) == self.batch_size or not self.drop_last:
                yield self._batch(positions)

    def _order(self) -> Iterable[int]:
        if self.sampler is not None:
            return self.sampler
        n = len(self.dataset)
        if not self.shuffle:
            return range(n)
        order: list[int] = streams.randperm(n, generator=self.generator).tolist()
        return order

    def _batch(self, positions: list[int]) -> Any:
        if isinstance(self.dataset, TensorDataset) and self.collate_fn is None:
            return self.dataset.batch(positions)
        return (self.collate_fn or default_collate)([self.dataset[k] for k in positions])
