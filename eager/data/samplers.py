"""Samplers: the order of an epoch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import islice
from typing import Any

import numpy as np

from eager.engine import streams
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError


class Sampler:
    """Subclasses define ``__iter__``, which gives the positions of one epoch."""

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} does not define __iter__()")


class SequentialSampler(Sampler):
    """0, 1, 2, ..."""

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler):
    """Positions in random order, ``num_samples`` of them; with ``replacement`` drawn each anew."""

    def __init__(self, data_source: Sized, replacement: bool = False,
                 num_samples: int | None = None,
                 generator: streams.Generator | None = None) -> None:
        if num_samples is not None and (type(num_samples) is not int or num_samples < 1):
            raise OpError(f"RandomSampler: num_samples is a positive int, got {num_samples!r}")
        self.data_source, self.replacement = data_source, replacement
        self._num_samples, self.generator = num_samples, generator

    @property
    def num_samples(self) -> int:
        """How many positions an epoch has."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        n, left = len(self.data_source), self.num_samples
        if self.replacement:
            yield from streams.randint(0, n, (left,), generator=self.generator).tolist()
            return
        while left > 0:  # more than there are: in rounds, each of all
            order = streams.randperm(n, generator=self.generator).tolist()
            yield from order[:left]
            left -= n

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler):
    """Some positions in random order."""

    def __init__(self, indices: Sequence[int],
                 generator: streams.Generator | None = None) -> None:
        self.indices, self.generator = indices, generator

    def __iter__(self) -> Iterator[int]:
        order = streams.randperm(len(self.indices), generator=self.generator).tolist()
        return (self.indices[k] for k in order)

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler):
    """Positions drawn with given weights, which need not add up to 1.

    Without ``replacement`` the largest keys of log(u) / weight are taken (Efraimidis and
    Spirakis, 2006).
    """

    def __init__(self, weights: Any, num_samples: int, replacement: bool = True,
                 generator: streams.Generator | None = None) -> None:
        plain = weights.detach().numpy() if isinstance(weights, Tensor) else weights
        self.weights = np.asarray(plain, np.float64)
        if self.weights.ndim != 1 or (self.weights < 0).any() or not self.weights.sum() > 0:
            raise OpError("WeightedRandomSampler: weights are one row of numbers that are not "
                          "negative and not all 0")
        if type(num_samples) is not int or num_samples < 1:
            raise OpError(f"WeightedRandomSampler: num_samples is a positive int, got "
                          f"{num_samples!r}")
        if not replacement and num_samples > np.count_nonzero(self.weights):
            raise OpError(f"WeightedRandomSampler: {num_samples} samples without replacement of "
                          f"{np.count_nonzero(self.weights)} positive weights")
        self.num_samples, self.replacement = num_samples, replacement
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        count = self.num_samples if self.replacement else len(self.weights)
        u = streams.rand(count, dtype="float64", generator=self.generator).numpy()
        if self.replacement:
            steps = np.cumsum(self.weights)
            found = np.searchsorted(steps, u * steps[-1], side="right")
        else:
            with np.errstate(divide="ignore"):
                keys = np.where(self.weights > 0, np.log(u) / self.weights, -np.inf)
            found = np.argsort(-keys, kind="stable")[:self.num_samples]
        return iter(found.tolist())

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler):
    """The positions of another sampler in lists of ``batch_size``."""

    def __init__(self, sampler: Iterable[Any], batch_size: int, drop_last: bool) -> None:
        if type(batch_size) is not int or batch_size < 1:
            raise OpError(f"BatchSampler: batch_size is a positive int, got {batch_size!r}")
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last

    def __iter__(self) -> Iterator[list[Any]]:
        positions = iter(self.sampler)
        while batch := list(islice(positions, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def __len__(self) -> int:
        n = len(self.sampler)  # type: ignore[arg-type]
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)


class DistributedSampler(Sampler):
    """One replica's share of the positions: every ``num_replicas``-th, from ``rank`` on.

    Shares have one length: the first positions are repeated to fill the last round, or
    (``drop_last``) the rest left out.  Shuffled by ``seed`` and the epoch that `set_epoch` says.
    There are no process groups here, so ``num_replicas`` and ``rank`` must be given.
    """

    def __init__(self, dataset: Sized, num_replicas: int | None = None, rank: int | None = None,
                 shuffle: bool = True, seed: int = 0, drop_last: bool = False) -> None:
        if num_replicas is None or rank is None:
            raise OpError("DistributedSampler: there are no process groups to ask here: give "
                          "num_replicas and rank")
        if not 0 <= rank < num_replicas:
            raise OpError(f"DistributedSampler: rank lies in [0, {num_replicas}), got {rank}")
        self.dataset, self.num_replicas, self.rank = dataset, num_replicas, rank
        self.shuffle, self.seed, self.drop_last, self.epoch = shuffle, seed, drop_last, 0

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes, so that it has an order of its own."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        n, total = len(self.dataset), len(self) * self.num_replicas
        own = streams.Generator().manual_seed(self.seed + self.epoch)
        order = streams.randperm(n, generator=own).tolist() if self.shuffle else list(range(n))
        rounds = order * -(-total // max(1, n))
        return iter(rounds[:total][self.rank::self.num_replicas])

    def __len__(self) -> int:
        n = len(self.dataset)
        return n // self.num_replicas if self.drop_last else -(-n // self.num_replicas)
