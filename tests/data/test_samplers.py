"""Samplers and the further kinds of data sets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import eager
from eager import data
from eager.ops.errors import OpError


class Count(data.IterableDataset):
    def __init__(self, n: int) -> None:
        self.n = n

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.n))

    def __len__(self) -> int:
        return self.n


def test_orders() -> None:
    eager.manual_seed(3)
    assert list(data.SequentialSampler("abc")) == [0, 1, 2]
    order = list(data.RandomSampler(range(50)))
    assert sorted(order) == list(range(50)) != order
    assert len(list(data.RandomSampler(range(4), num_samples=10))) == 10
    drawn = list(data.RandomSampler(range(3), replacement=True, num_samples=60))
    assert set(drawn) == {0, 1, 2} and len(drawn) == 60
    assert sorted(data.SubsetRandomSampler([5, 7, 9])) == [5, 7, 9]
    own = eager.Generator()
    first = list(data.RandomSampler(range(20), generator=own.manual_seed(1)))
    assert first == list(data.RandomSampler(range(20), generator=own.manual_seed(1)))


def test_weights_are_shares() -> None:
    eager.manual_seed(0)
    found = Counter(data.WeightedRandomSampler([1.0, 0.0, 3.0], 4000))
    assert set(found) == {0, 2} and 0.7 < found[2] / 4000 < 0.8
    few = list(data.WeightedRandomSampler(eager.tensor([1.0, 0.0, 3.0, 2.0]), 3, False))
    assert sorted(few) == [0, 2, 3]
    firsts = Counter(next(iter(data.WeightedRandomSampler([1.0, 3.0], 2, False)))
                     for _ in range(800))
    assert 0.68 < firsts[1] / 800 < 0.82


def test_batches() -> None:
    batches = data.BatchSampler(data.SequentialSampler(range(5)), 2, False)
    assert list(batches) == [[0, 1], [2, 3], [4]] and len(batches) == 3
    assert list(data.BatchSampler(range(5), 2, True)) == [[0, 1], [2, 3]]
    loader = data.DataLoader(list(range(10, 15)), batch_sampler=[[4, 0], [1]])
    assert [b.tolist() for b in loader] == [[14, 10], [11]] and len(loader) == 2


def test_shares_of_replicas() -> None:
    shares = [data.DistributedSampler(range(5), 2, rank, shuffle=False) for rank in (0, 1)]
    assert [list(s) for s in shares] == [[0, 2, 4], [1, 3, 0]] and len(shares[0]) == 3
    mixed = [data.DistributedSampler(range(6), 2, rank, seed=3) for rank in (0, 1)]
    first = [list(s) for s in mixed]
    assert sorted(first[0] + first[1]) == list(range(6))
    mixed[0].set_epoch(1)
    assert list(mixed[0]) != first[0]
    assert len(list(data.DistributedSampler(range(5), 2, 1, drop_last=True))) == 2


def test_iterable_and_stacked_data_sets() -> None:
    chain = Count(3) + Count(2)
    assert list(chain) == [0, 1, 2, 0, 1] and len(chain) == 5
    loader = data.DataLoader(chain, batch_size=2, drop_last=True)
    assert [b.tolist() for b in loader] == [[0, 1], [2, 0]] and len(loader) == 2
    pairs = data.StackDataset([1, 2], np.array([3, 4]))
    assert len(pairs) == 2 and pairs[1] == (2, 4)
    named = data.StackDataset(x=[1, 2], y=[5, 6])
    batch = next(iter(data.DataLoader(named, batch_size=2)))
    assert batch["x"].tolist() == [1, 2] and batch["y"].tolist() == [5, 6]


def test_convert() -> None:
    found = data.default_convert({"a": np.ones(2), "b": [1, "x", (np.float32(2),)]})
    assert isinstance(found["a"], eager.Tensor) and found["b"][:2] == [1, "x"]
    assert found["b"][2][0].dtype is eager.float32


@pytest.mark.parametrize(("call", "words"), [
    (lambda: data.WeightedRandomSampler([0.0, 0.0], 1), "not all 0"),
    (lambda: data.WeightedRandomSampler([1.0, 0.0], 2, False), "1 positive weights"),
    (lambda: data.BatchSampler([1], 0, False), "got 0"),
    (lambda: data.RandomSampler([1], num_samples=0), "got 0"),
    (lambda: data.DistributedSampler([1]), "give num_replicas and rank"),
    (lambda: data.DistributedSampler([1], 2, 2), "got 2"),
    (lambda: data.StackDataset([1], [1, 2]), "one length, got 1, 2"),
    (lambda: data.DataLoader(Count(2), shuffle=True), "decides its order itself"),
    (lambda: data.DataLoader([1], prefetch_factor=2), "num_workers above 0"),
    (lambda: data.DataLoader([1], batch_size=2, batch_sampler=[[0]]), "leave batch_size"),
    (lambda: data.DataLoader([1], batch_size=None, drop_last=True), "batch_size is None"),
    (lambda: data.DataLoader([1], num_workers=1, workers="fibre"), "got 'fibre'")])
def test_refusals(call: Any, words: str) -> None:
    with pytest.raises(OpError, match=words):
        call()
