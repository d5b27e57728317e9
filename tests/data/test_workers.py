"""Workers give what one process gives; their failures are told, and epochs resume."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import eager
from eager import data

KINDS = [{"num_workers": 0}, {"num_workers": 3, "workers": "thread"},
         {"num_workers": 2, "prefetch_factor": 1}]


class Noisy(data.Dataset):
    """Samples with their own random part; large enough for shared memory."""

    def __len__(self) -> int:
        return 11

    def __getitem__(self, k: int) -> Any:
        return {"x": eager.randn(80, 20) + k, "k": k, "name": str(k)}


class Bad(Noisy):
    def __init__(self, how: str) -> None:
        self.how = how

    def __getitem__(self, k: int) -> Any:
        if k == 5:
            if self.how == "exit":
                os._exit(3)
            if self.how == "sleep":
                time.sleep(2)
            raise KeyError("nothing at five")
        return k


class Share(data.IterableDataset):
    """Every worker gives its share."""

    def __iter__(self) -> Iterator[int]:
        info = data.get_worker_info()
        first, step = (0, 1) if info is None else (info.id, info.num_workers)
        return iter(range(first, 10, step))


def epoch(loader: Any) -> list[Any]:
    return [(b["k"].tolist(), b["name"], b["x"].numpy().copy()) for b in loader]


def equal(a: list[Any], b: list[Any]) -> bool:
    return len(a) == len(b) and all(
        x[:2] == y[:2] and (x[2] == y[2]).all() for x, y in zip(a, b, strict=True))


def test_batches_do_not_depend_on_the_workers() -> None:
    found = []
    for kind in KINDS:
        eager.manual_seed(4)
        loader = data.DataLoader(Noisy(), batch_size=3, shuffle=True, **kind)
        found.append([epoch(loader), epoch(loader)])
    first, second = found[0]
    assert not equal(first, second) and sorted(k for b in first for k in b[0]) == list(range(11))
    for others in found[1:]:
        assert equal(others[0], first) and equal(others[1], second)


def test_an_epoch_goes_on_where_it_stopped() -> None:
    for kind in KINDS[:2]:
        eager.manual_seed(1)
        loader = data.DataLoader(Noisy(), batch_size=2, shuffle=True, **kind)
        epoch(loader)
        running = iter(loader)
        next(running)
        next(running)
        state = loader.state_dict()
        rest, following = epoch(running), epoch(loader)
        eager.manual_seed(99)
        other = data.DataLoader(Noisy(), batch_size=2, shuffle=True, **kind)
        other.load_state_dict(state)
        assert equal(epoch(other), rest)
        assert equal(epoch(other), following)


@pytest.mark.parametrize("kind", KINDS[1:])
def test_a_failure_names_worker_index_and_cause(kind: dict[str, Any]) -> None:
    loader = data.DataLoader(Bad("raise"), batch_size=2, **kind)
    with pytest.raises(data.WorkerError, match=r"(?s)worker \d failed at index \[4, 5\].*"
                                               r"__getitem__.*KeyError: 'nothing at five'"):
        list(loader)


def test_a_worker_that_dies_is_an_error() -> None:
    loader = data.DataLoader(Bad("exit"), batch_size=1, num_workers=2)
    with pytest.raises(data.WorkerError, match=r"worker 1 died \(exit code 3\)"):
        list(loader)


def test_a_worker_that_takes_too_long_is_an_error() -> None:
    loader = data.DataLoader(Bad("sleep"), batch_size=1, num_workers=1, workers="thread",
                             timeout=0.5)
    with pytest.raises(data.WorkerError, match=r"worker 0 gave no batch 5 in 0.5 seconds"):
        list(loader)


@pytest.mark.parametrize("kind", KINDS)
def test_iterable_data_sets_are_shared_out(kind: dict[str, Any]) -> None:
    loader = data.DataLoader(Share(), batch_size=2, **kind)
    assert sorted(int(k) for b in loader for k in b) == list(range(10))


def test_workers_may_persist() -> None:
    begun: list[int] = []
    loader = data.DataLoader(Share(), batch_size=5, num_workers=2, workers="thread",
                             persistent_workers=True, worker_init_fn=begun.append)
    for _ in range(3):
        assert [b.tolist() for b in loader] == [[0, 2, 4, 6, 8], [1, 3, 5, 7, 9]]
    next(iter(loader))  # an epoch that is left early
    assert len(list(loader)) == 2 and sorted(begun) == [0, 1]
    loader.close()


def test_the_shared_memory_is_given_back() -> None:
    before = set(os.listdir("/dev/shm")) if os.path.isdir("/dev/shm") else set()
    running = iter(data.DataLoader(Noisy(), batch_size=1, num_workers=1))
    assert isinstance(next(running)["x"].numpy(), np.ndarray)
    running.close()
    after = set(os.listdir("/dev/shm")) if os.path.isdir("/dev/shm") else set()
    assert {n for n in after - before if n.startswith("psm_")} == set()
