"""DataLoader: batches of a data set, in order or shuffled, made here or by workers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice, repeat
from typing import Any

from eager.data.collate import default_collate, default_convert
from eager.data.dataset import IterableDataset
from eager.data.fetching import Fetch, IterableFetch
from eager.data.samplers import BatchSampler, RandomSampler, SequentialSampler
from eager.data.workers import Exhausted, Job, Pool
from eager.engine import streams
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError


class DataLoader:
    """Iterates over batches; each iteration is an epoch, shuffled anew if ``shuffle``.

    The order, and a seed for what samples draw, come from ``generator`` (the default stream if
    None) and so follow ``eager.manual_seed``.  ``sampler`` gives the positions of an epoch
    instead, ``batch_sampler`` whole lists of them; ``batch_size=None`` gives samples as they are.

    ``num_workers`` make batches ahead, ``prefetch_factor`` each (2): processes (begun by
    ``multiprocessing_context``, "forkserver" if None, so data set and functions must pickle), or
    threads with ``workers="thread"``.  Batches and what samples draw from eager's streams are
    the same for any number of them.  ``pin_memory`` and ``in_order`` change nothing.

    ``state_dict()`` between two batches and ``load_state_dict()`` go on with the batch after.
    """

    def __init__(self, dataset: Any, batch_size: int | None = 1, shuffle: bool | None = None,
                 sampler: Iterable[Any] | None = None,
                 batch_sampler: Iterable[Any] | None = None, num_workers: int = 0,
                 collate_fn: Callable[[Any], Any] | None = None, pin_memory: bool = False,
                 drop_last: bool = False, timeout: float = 0,
                 worker_init_fn: Callable[[int], Any] | None = None,
                 multiprocessing_context: Any = None,
                 generator: streams.Generator | None = None, *,
                 prefetch_factor: int | None = None, persistent_workers: bool = False,
                 pin_memory_device: str = "", in_order: bool = True,
                 workers: str = "process") -> None:
        _check(locals())
        self.dataset, self.num_workers, self.generator = dataset, num_workers, generator
        self.drop_last, self.timeout, self.worker_init_fn = drop_last, timeout, worker_init_fn
        self.multiprocessing_context, self.workers = multiprocessing_context, workers
        self.prefetch_factor = prefetch_factor or 2
        self.persistent_workers = persistent_workers
        self.batch_size = None if batch_sampler is not None else batch_size
        batched = batch_sampler is not None or batch_size is not None
        self.collate_fn = collate_fn or (default_collate if batched else default_convert)
        self.iterable = isinstance(dataset, IterableDataset)
        self._fetch: Any = (IterableFetch(dataset, self.collate_fn, batch_size, drop_last)
                            if self.iterable else Fetch(dataset, self.collate_fn, batched))
        self.sampler: Any = sampler
        if sampler is None and not self.iterable:
            self.sampler = (RandomSampler(dataset, generator=generator) if shuffle
                            else SequentialSampler(dataset))
        self.batch_sampler: Any = batch_sampler
        if batch_sampler is None and batch_size is not None and not self.iterable:
            self.batch_sampler = BatchSampler(self.sampler, batch_size, drop_last)
        self._pool: Pool | None = None
        self._begin: list[Tensor] | None = None  #: the streams before the epoch that runs
        self._yielded = 0
        self._resumed: Mapping[str, Any] | None = None

    def __len__(self) -> int:
        if self.iterable:
            n = len(self.dataset)
            if self.batch_size is None:
                return n
            return n // self.batch_size if self.drop_last else -(-n // self.batch_size)
        return len(self.sampler if self.batch_sampler is None else self.batch_sampler)

    # --- an epoch ------------------------------------------------------------------------------
    def __iter__(self) -> Iterator[Any]:
        resumed, self._resumed = self._resumed, None
        skip = 0 if resumed is None else resumed["yielded"]
        if resumed is not None and resumed["begin"] is not None:
            self._set_streams(resumed["begin"])
        self._begin, self._yielded = [s.get_state() for s in self._streams()], skip
        seed = int(streams.randint(0, 2**53, (1,), generator=self.generator).item())
        order: Iterator[Any] = iter(repeat(None) if self.iterable
                                    else self.sampler if self.batch_sampler is None
                                    else self.batch_sampler)
        batches = self._batches(order, seed, skip)
        if resumed is not None and resumed["begin"] is not None and skip:
            self._set_streams(resumed["now"])
        return batches

    def _batches(self, order: Iterator[Any], seed: int, skip: int) -> Iterator[Any]:
        """The batches after the first ``skip``; the sampler draws before this returns."""
        if not self.iterable:
            order = islice(order, skip, None)
            skip = 0
            first = list(islice(order, 1))
            order = _chained(first, order)
        return self._counted(islice(self._made(order, seed), skip, None))

    def _counted(self, batches: Iterator[Any]) -> Iterator[Any]:
        for batch in batches:
            self._yielded += 1
            yield batch
        self._begin, self._yielded = None, 0

    def _made(self, order: Iterator[Any], seed: int) -> Iterator[Any]:
        if self.num_workers:
            yield from self._made_by_workers(order, seed)
            return
        fetch = self._fetch.bound()
        for positions in order:
            batch = fetch(positions, seed)
            if batch is Exhausted.ALL:
                return
            yield batch

    def _made_by_workers(self, order: Iterator[Any], seed: int) -> Iterator[Any]:
        pool = self._pool or Pool(
            Job(self._fetch, self.dataset, self.num_workers, self.worker_init_fn,
                self.workers == "process"), self.multiprocessing_context, self.timeout)
        self._pool = pool if self.persistent_workers else None
        try:
            yield from pool.run(order, self.prefetch_factor * self.num_workers, seed)
        except BaseException as error:
            if self._pool is pool and not isinstance(error, GeneratorExit):
                self._pool = None
                pool.close()
            raise
        finally:
            if not self.persistent_workers:
                pool.close()

    def close(self) -> None:
        """End workers that persist; the next epoch begins new ones."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    # --- going on later ------------------------------------------------------------------------
    def _streams(self) -> list[streams.Generator]:
        own = getattr(self.sampler, "generator", None)
        found = [self.generator or streams.default_generator]
        return [*found, own] if own is not None and own is not found[0] else found

    def _set_streams(self, states: list[Any]) -> None:
        for stream, state in zip(self._streams(), states, strict=True):
            stream.set_state(state)

    def state_dict(self) -> dict[str, Any]:
        """Where the epoch is and the random streams behind it, for `eager.save`."""
        return {"begin": self._begin, "yielded": self._yielded,
                "now": [s.get_state() for s in self._streams()]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """The next iteration goes on after the last batch that the other loader gave."""
        self._set_streams(state_dict["now"])
        self._resumed = dict(state_dict)
        self._begin, self._yielded = state_dict["begin"], state_dict["yielded"]


def _chained(first: list[Any], rest: Iterator[Any]) -> Iterator[Any]:
    yield from first
    yield from rest


def _check(given: Mapping[str, Any]) -> None:
    """Refuse settings that contradict each other."""
    g = given
    size, iterable = g["batch_size"], isinstance(g["dataset"], IterableDataset)
    processes = g["num_workers"] and g["workers"] == "process"
    rules = (
        (size is not None and (type(size) is not int or size < 1),
         f"batch_size is a positive int or None, got {size!r}"),
        (type(g["num_workers"]) is not int or g["num_workers"] < 0,
         f"num_workers is an int that is not negative, got {g['num_workers']!r}"),
        (g["timeout"] < 0, f"timeout is not negative, got {g['timeout']}"),
        (g["workers"] not in ("process", "thread"),
         f"workers are 'process' or 'thread', got {g['workers']!r}"),
        (g["shuffle"] and (g["sampler"] is not None or g["batch_sampler"] is not None),
         "a sampler decides the order; leave shuffle False"),
        (iterable and bool(g["shuffle"] or g["sampler"] or g["batch_sampler"]),
         "an IterableDataset decides its order itself: leave shuffle and samplers away"),
        (g["batch_sampler"] is not None
         and (size != 1 or g["sampler"] is not None or g["drop_last"]),
         "a batch_sampler decides the batches: leave batch_size, sampler and drop_last away"),
        (size is None and g["drop_last"], "drop_last wants batches, but batch_size is None"),
        (not g["num_workers"] and g["prefetch_factor"] is not None,
         "prefetch_factor wants num_workers above 0"),
        (not g["num_workers"] and g["timeout"] > 0, "timeout wants num_workers above 0"),
        (not g["num_workers"] and g["persistent_workers"],
         "persistent_workers wants num_workers above 0"),
        (not processes and g["multiprocessing_context"] is not None,
         "multiprocessing_context wants worker processes"),
    )
    for wrong, words in rules:
        if wrong:
            raise OpError(f"DataLoader: {words}")
