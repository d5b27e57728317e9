"""Workers: threads or processes that make batches ahead of time."""

from __future__ import annotations

import multiprocessing
import queue
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum
from typing import Any

from eager.data import transport
from eager.ops.errors import OpError

_DONE = "done"
_POLL = 0.2  #: seconds between looks whether a worker still lives


@dataclass(frozen=True)
class WorkerInfo:
    """Who a worker is: its number, how many there are, its seed and its data set."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


_INFO: ContextVar[WorkerInfo | None] = ContextVar("worker", default=None)


def get_worker_info() -> WorkerInfo | None:
    """The worker this code runs in; None outside of one."""
    return _INFO.get()


class WorkerError(OpError):
    """A worker failed: which one, at which indices, and its traceback."""


@dataclass(frozen=True)
class Job:
    """What workers are told once: pickled on the way to a process."""

    fetch: Any
    dataset: Any
    num_workers: int
    init: Callable[[int], Any] | None
    processes: bool


class Exhausted(Enum):
    """What a worker gives when its part of an iterable is over."""

    ALL = "all"


def _work(job: Job, number: int, tasks: Any, results: Any) -> None:
    """A worker's life: a task in, a batch or a traceback out, until there is no task."""
    fetch, begun = job.fetch.bound(), False
    while (task := tasks.get()) is not None:
        order, positions, seed, epoch = task
        try:
            _INFO.set(WorkerInfo(number, job.num_workers, seed + number, job.dataset))
            if not begun and job.init is not None:
                job.init(number)
            begun = True
            batch, fault = fetch(positions, seed, epoch), None
            batch = transport.packed(batch) if job.processes else batch
        except BaseException:
            batch, fault = None, traceback.format_exc()
        results.put((order, number, positions, batch, fault))


class Pool:
    """Workers that live for an epoch, or longer; results come in the order of the tasks."""

    def __init__(self, job: Job, context: Any, timeout: float) -> None:
        self.job, self.timeout, self._sent = job, timeout, 0
        if job.processes:
            made: Any = context if context is not None and not isinstance(context, str) else (
                multiprocessing.get_context(context or "forkserver"))
            self.tasks: list[Any] = [made.Queue() for _ in range(job.num_workers)]
            self.results: Any = made.Queue()
            start: Any = made.Process
        else:
            self.tasks = [queue.Queue() for _ in range(job.num_workers)]
            self.results = queue.Queue()
            start = threading.Thread
        self.workers = [start(target=_work, args=(job, k, tasks, self.results), daemon=True)
                        for k, tasks in enumerate(self.tasks)]
        for worker in self.workers:
            worker.start()

    def run(self, batches: Iterator[Any], ahead: int, seed: int) -> Iterator[Any]:
        """The batches of these positions in their order, with ``ahead`` of them under way.

        Ends when all workers have said that their part is exhausted, too.
        """
        ready: dict[int, Any] = {}
        self._sent += -self._sent % len(self.tasks)  # each epoch begins with worker 0
        first = wanted = self._sent
        ended: bool = False
        exhausted: set[int] = set()
        while True:
            while not ended and self._sent - wanted < ahead:
                positions = next(batches, _DONE)
                ended = positions is _DONE
                if not ended:
                    self.tasks[self._sent % len(self.tasks)].put(
                        (self._sent, positions, seed, first))
                    self._sent += 1
            if wanted == self._sent or len(exhausted) == len(self.tasks):
                return
            while wanted not in ready:
                order, batch = self._received(wanted)
                if order >= wanted:  # else of an epoch that was left early
                    ready[order] = batch
            batch = ready.pop(wanted)
            if batch is Exhausted.ALL:
                exhausted.add(wanted % len(self.tasks))
            else:
                yield batch
            wanted += 1

    def _received(self, wanted: int) -> tuple[int, Any]:
        begun = time.monotonic()
        while True:
            try:
                order, number, positions, batch, fault = self.results.get(timeout=_POLL)
            except queue.Empty:
                self._look(wanted, time.monotonic() - begun)
                continue
            if fault is not None:
                if order < wanted:
                    continue
                raise WorkerError(f"DataLoader: worker {number} failed at index {positions}:\n"
                                  f"{fault}")
            return order, transport.unpacked(batch) if self.job.processes else batch

    def _look(self, wanted: int, waited: float) -> None:
        number = next((k for k, w in enumerate(self.workers) if not w.is_alive()), None)
        if number is not None:
            code = getattr(self.workers[number], "exitcode", None)
            raise WorkerError(f"DataLoader: worker {number} died (exit code {code}) while batch "
                              f"{wanted} was waited for; it may have run out of memory, or the "
                              f"data set crashed it")
        if self.timeout and waited > self.timeout:
            late = wanted % len(self.workers)
            raise WorkerError(f"DataLoader: worker {late} gave no batch {wanted} in "
                              f"{self.timeout} seconds")

    def close(self) -> None:
        """End the workers; what they had ready is thrown away."""
        for tasks in self.tasks:
            tasks.put(None)
        if not self.job.processes:
            return
        deadline = time.monotonic() + 5.0
        while any(w.is_alive() for w in self.workers) and time.monotonic() < deadline:
            self._drain()
        for worker in self.workers:
            if worker.is_alive():
                worker.terminate()
            worker.join()
        self._drain()
        for tasks in (*self.tasks, self.results):
            tasks.cancel_join_thread()
            tasks.close()

    def _drain(self) -> None:
        """Free the shared memory of results that nobody will ask for."""
        try:
            while True:
                transport.unpacked(self.results.get(timeout=0.02)[3])
        except queue.Empty:
            return
