"""How a batch is made of a data set, in this process or in a worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from eager.data.collate import default_collate
from eager.data.dataset import TensorDataset
from eager.data.workers import Exhausted
from eager.engine import streams


def sample_seed(seed: int, position: int) -> int:
    """The seed for the draws of one sample or batch (the mixer of SplitMix64, Steele 2014)."""
    mask = 2**64 - 1
    z = (seed + (position + 1) * 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return z ^ (z >> 31)


@dataclass(frozen=True)
class Fetch:
    """Samples by position and batches of them.

    What a sample draws at random depends on the seed of the epoch and on its position, not on
    who makes it.
    """

    dataset: Any
    collate: Callable[[Any], Any]
    batched: bool

    def bound(self) -> Fetch:
        """What one worker calls."""
        return self

    def __call__(self, positions: Any, seed: int, epoch: int = 0) -> Any:
        if not self.batched:
            return self.collate(self._sample(positions, seed))
        if isinstance(self.dataset, TensorDataset) and self.collate is default_collate:
            return self.dataset.batch(positions)
        if hasattr(self.dataset, "__getitems__"):
            return self.collate(self.dataset.__getitems__(positions))
        return self.collate([self._sample(k, seed) for k in positions])

    def _sample(self, position: Any, seed: int) -> Any:
        if type(position) is not int:
            return self.dataset[position]
        with streams.seeded(sample_seed(seed, position)):
            return self.dataset[position]


@dataclass(frozen=True)
class IterableFetch:
    """The next samples of an iterable data set; each worker goes through it by itself."""

    dataset: Any
    collate: Callable[[Any], Any]
    batch_size: int | None
    drop_last: bool

    def bound(self) -> Callable[[Any, int], Any]:
        """What one worker calls; a new epoch begins anew."""
        present: list[Any] = [None, iter(())]

        def fetch(positions: Any, seed: int, epoch: int = 0) -> Any:
            if present[0] != epoch:
                present[:] = epoch, iter(self.dataset)
            return self._next(present[1])

        return fetch

    def _next(self, samples: Iterator[Any]) -> Any:
        if self.batch_size is None:
            found = next(samples, Exhausted.ALL)
            return found if found is Exhausted.ALL else self.collate(found)
        rows = list(islice(samples, self.batch_size))
        if not rows or (self.drop_last and len(rows) < self.batch_size):
            return Exhausted.ALL
        return self.collate(rows)
