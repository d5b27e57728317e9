"""Data sets, splits, batches and the digits that the samples use."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import eager
from eager.data import (
    ConcatDataset,
    DataLoader,
    Dataset,
    Subset,
    TensorDataset,
    default_collate,
    random_split,
)
from eager.ops.errors import OpError

DIGITS = Path(__file__).parents[2] / "samples" / "data" / "digits.npz"


class Squares(Dataset):
    def __init__(self, n: int) -> None:
        self.n = n

    def __getitem__(self, index: int) -> int:
        if index >= self.n:
            raise IndexError(index)
        return index * index

    def __len__(self) -> int:
        return self.n


class Point(NamedTuple):
    x: float
    name: str


def rows(n: int) -> TensorDataset:
    return TensorDataset(eager.arange(n * 2).reshape(n, 2), eager.arange(n))


# --- data sets ---------------------------------------------------------------------------------
def test_tensor_dataset() -> None:
    data = rows(5)
    assert len(data) == 5 and [t.tolist() for t in data[3]] == [[6, 7], 3]
    assert [t.tolist() for t in data.batch([4, 0])] == [[[8, 9], [0, 1]], [4, 0]]
    with pytest.raises(OpError, match=r"one length, got i64\[2\], i64\[3\]"):
        TensorDataset(eager.arange(2), eager.arange(3))


def test_subsets_and_concatenation() -> None:
    both = Squares(3) + Subset(Squares(9), [8, 7])
    assert isinstance(both, ConcatDataset) and list(both) == [0, 1, 4, 64, 49] and both[-1] == 49
    with pytest.raises(IndexError, match="index 5 is out of range of 5 samples"):
        _ = both[5]


def test_random_split() -> None:
    eager.manual_seed(1)
    a, b = random_split(Squares(10), [7, 3])
    assert (len(a), len(b)) == (7, 3)
    assert sorted([*a, *b]) == list(Squares(10)) and [*a, *b] != list(Squares(10))
    generator = eager.Generator().manual_seed(4)
    first = random_split(Squares(10), [0.55, 0.25, 0.2], generator)
    assert [len(s) for s in first] == [6, 2, 2]
    again = random_split(Squares(10), [0.55, 0.25, 0.2], generator.manual_seed(4))
    assert [list(s) for s in first] == [list(s) for s in again]
    with pytest.raises(OpError, match=r"add up to 10 or shares to 1, got \[7, 2\]"):
        random_split(Squares(10), [7, 2])


# --- batches -----------------------------------------------------------------------------------
def test_collate_stacks_by_kind() -> None:
    batch = default_collate([{"x": eager.ones(2), "y": (1, 2.5), "p": Point(0.5, "a")},
                             {"x": eager.zeros(2), "y": (3, 4.5), "p": Point(1.5, "b")}])
    assert batch["x"].tolist() == [[1, 1], [0, 0]] and batch["x"].dtype is eager.float32
    assert batch["y"][0].tolist() == [1, 3] and batch["y"][0].dtype is eager.int64
    assert batch["y"][1].dtype is eager.float64
    assert isinstance(batch["p"], Point) and batch["p"].name == ["a", "b"]
    assert default_collate([np.float32(1), np.float32(2)]).dtype is eager.float32
    assert default_collate([True, False]).dtype is eager.bool


def test_collate_refuses_what_does_not_stack() -> None:
    for samples, words in (([eager.ones(2), eager.ones(3)], r"one shape, got \(2,\) and \(3,\)"),
                           ([(1, 2), (1,)], r"one length, got \[1, 2\]"),
                           ([object()], "got object; pass collate_fn")):
        with pytest.raises(OpError, match=words):
            default_collate(samples)


def test_batches_in_order() -> None:
    loader = DataLoader(Squares(5), batch_size=2)
    assert [b.tolist() for b in loader] == [[0, 1], [4, 9], [16]] and len(loader) == 3
    short = DataLoader(Squares(5), batch_size=2, drop_last=True)
    assert [b.tolist() for b in short] == [[0, 1], [4, 9]] and len(short) == 2
    assert list(DataLoader(Squares(3), batch_size=None)) == [0, 1, 4]
    assert list(DataLoader(Squares(4), 3, collate_fn=sum)) == [5, 9]
    assert [b.tolist() for b in DataLoader(Squares(9), 2, sampler=[8, 1, 2])] == [[64, 1], [4]]


def test_shuffling_is_drawn_anew_and_follows_the_seed() -> None:
    loader = DataLoader(rows(20), batch_size=6, shuffle=True)

    def epoch() -> list[int]:
        return [int(label) for _, labels in loader for label in labels]

    eager.manual_seed(2)
    first, second = epoch(), epoch()
    eager.manual_seed(2)
    assert epoch() == first != second and sorted(first) == list(range(20))
    generator = eager.Generator()
    own = DataLoader(rows(20), batch_size=20, shuffle=True, generator=generator.manual_seed(1))
    x, y = next(iter(own))
    assert x[:, 0].tolist() == [2 * k for k in y.tolist()]


def test_a_batch_of_tensors_is_what_collating_gives() -> None:
    data = rows(7)
    fast = list(DataLoader(data, batch_size=3))
    slow = list(DataLoader(data, batch_size=3, collate_fn=default_collate))
    for mine, other in zip(fast, slow, strict=True):
        assert type(mine) is type(other)
        assert all(eager.equal(a, b) for a, b in zip(mine, other, strict=True))


@pytest.mark.parametrize(("settings", "words"), [
    ({"num_workers": -1}, "num_workers is an int"), ({"batch_size": 0}, "got 0"),
    ({"shuffle": True, "sampler": [0]}, "leave shuffle False")])
def test_refusals(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(OpError, match=words):
        DataLoader(Squares(3), **settings)


# --- the digits --------------------------------------------------------------------------------
def test_digits_are_whole() -> None:
    with np.load(DIGITS) as file:
        images, labels = file["images"], file["labels"]
    assert images.shape == (1797, 8, 8) and images.dtype == np.uint8 and images.max() == 16
    assert labels.dtype == np.uint8
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert int(images.astype(np.int64).sum()) == 561718
