"""The thread pool: every task once, whoever calls, however often, in children too."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eager.ops.errors import CompileError
from jit import compiler
from jit.native import elf, loader, sources
from jit.targets.isa import ISAS, host_level
from jit.targets.machine import compile_ir

LEVEL = "aarch64" if host_level() == "aarch64" else "v2"

TASKS = """
%pool = type { ptr, i64 }
define void @mark(ptr %table, i64 %k, i64 %n) {
  %p = getelementptr i64, ptr %table, i64 %k
  %old = atomicrmw add ptr %p, i64 %n seq_cst
  ret void
}
; A task that is a region itself: table is (pool, counters), 50 counters a task.
define void @nest(ptr %table, i64 %k, i64 %n) {
  %pool = load ptr, ptr %table
  %at = getelementptr ptr, ptr %table, i64 1
  %all = load ptr, ptr %at
  %start = mul i64 %k, 50
  %mine = getelementptr i64, ptr %all, i64 %start
  call void @ej_parallel_for(ptr %pool, ptr @mark, ptr %mine, i64 50)
  ret void
}
; Waits until all n tasks are inside, or gives up: counters are (arrived, met).
define void @meet(ptr %table, i64 %k, i64 %n) {
  %before = atomicrmw add ptr %table, i64 1 seq_cst
  br label %loop
loop:
  %turn = phi i64 [ 0, %0 ], [ %next, %loop ]
  %next = add i64 %turn, 1
  %arrived = load atomic i64, ptr %table seq_cst, align 8
  %all = icmp eq i64 %arrived, %n
  %late = icmp eq i64 %next, 2000000000
  %stop = or i1 %all, %late
  br i1 %stop, label %done, label %loop
done:
  %one = zext i1 %all to i64
  %at = getelementptr i64, ptr %table, i64 1
  %old = atomicrmw add ptr %at, i64 %one seq_cst
  ret void
}
declare void @ej_parallel_for(ptr, ptr, ptr, i64)
define void @region(ptr %pool, ptr %task, ptr %table, i64 %n) {
  call void @ej_parallel_for(ptr %pool, ptr %task, ptr %table, i64 %n)
  ret void
}
"""


class Pool:
    """A pool of its own, apart from the process's, and the tasks above."""

    def __init__(self, threads: int) -> None:
        self.runtime = loader.load(compiler.runtime_object(), "pool-under-test")
        start = self.runtime.ej_pool_start
        start.restype, start.argtypes = ctypes.c_void_p, [ctypes.c_int64]
        self.start = start
        self.address = start(threads)
        memory = compile_ir(sources.text("memory", sources.machine_of(ISAS[LEVEL].triple)),
                            ISAS[LEVEL], level=0)
        self.tasks = loader.load(elf.link([compile_ir(TASKS, ISAS[LEVEL], level=1), memory],
                                          ["mark", "nest", "meet", "region"], "tasks.so"))

    @property
    def threads(self) -> int:
        return int((ctypes.c_int64 * 2).from_address(self.address)[1])

    def run(self, task: str, table: Any, n: int, pool: int | None = None) -> None:
        self.tasks.region(ctypes.c_void_p(self.address if pool is None else pool),
                          ctypes.c_void_p(loader.address(self.tasks, task)),
                          ctypes.c_void_p(table.ctypes.data), ctypes.c_int64(n))


@pytest.fixture(scope="module")
def four() -> Pool:
    return Pool(4)


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_every_task_runs_once(threads: int) -> None:
    pool = Pool(threads)
    for n in (0, 1, 2, 3, 7, 64, 1000):
        counts = np.zeros(n + 1, np.int64)
        pool.run("mark", counts, n)
        np.testing.assert_array_equal(counts[:n], n)
        assert counts[n] == 0


def test_a_null_pool_is_serial(four: Pool) -> None:
    counts = np.zeros(9, np.int64)
    four.run("mark", counts, 9, pool=0)
    np.testing.assert_array_equal(counts, 9)


def test_tasks_run_at_the_same_time() -> None:
    pool, meeting = Pool(2), np.zeros(2, np.int64)
    pool.run("meet", meeting, 2)
    assert meeting.tolist() == [2, 2]


def test_thousands_of_regions_never_mix(four: Pool) -> None:
    rng = np.random.default_rng(0)
    tables = [np.zeros(n, np.int64) for n in rng.integers(0, 12, 5000)]
    for table in tables:
        four.run("mark", table, len(table))
    assert all((t == len(t)).all() for t in tables)


def test_workers_that_sleep_are_woken(four: Pool) -> None:
    for _ in range(20):
        threading.Event().wait(0.003)  # longer than they spin
        counts = np.zeros(16, np.int64)
        four.run("mark", counts, 16)
        np.testing.assert_array_equal(counts, 16)


def test_a_region_inside_a_task(four: Pool) -> None:
    counts = np.zeros((20, 50), np.int64)
    table = np.array([four.address, counts.ctypes.data], np.int64)
    for turn in range(1, 30):
        four.run("nest", table, 20)
        np.testing.assert_array_equal(counts, 50 * turn)


def test_several_callers_at_once(four: Pool) -> None:
    wrong: list[int] = []

    def call(seed: int) -> None:
        for n in np.random.default_rng(seed).integers(1, 200, 500):
            counts = np.zeros(n, np.int64)
            four.run("mark", counts, int(n))
            if not (counts == n).all():
                wrong.append(int(n))

    threads = [threading.Thread(target=call, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert wrong == []


def test_starting_again_only_adds() -> None:
    pool = Pool(2)
    assert pool.threads == 2
    assert pool.start(4) == pool.address
    assert pool.threads == 4
    assert pool.start(1) == pool.address
    assert pool.threads == 4
    pool.start(100_000)
    assert pool.threads == 256  # never run: threads start at the first region


FORK = """
import faulthandler, os, signal, sys, threading
faulthandler.dump_traceback_later(60, exit=True)
import numpy as np
import eager, jit
from jit.native import loader

x = eager.tensor(np.random.default_rng(0).standard_normal((256, 256)).astype(np.float32))
program = jit.trace(lambda a: ((a @ a).relu() @ a).sum(0), (x,))
want = program(x).numpy().copy()
assert loader.pool() != 0 and np.array_equal(program(x).numpy(), want)

def child():
    signal.alarm(30)  # a child that waits for ever must not outlive the test
    right = all(np.array_equal(program(x).numpy(), want) for _ in range(20))
    os._exit(0 if right else 1)

def fork():
    pid = os.fork()
    if pid == 0:
        child()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

assert [fork() for _ in range(3)] == [0, 0, 0]
stop = False
def keep_running():
    while not stop:
        program(x)
other = threading.Thread(target=keep_running)
other.start()
codes = [fork() for _ in range(20)]  # somebody is inside the program, and the pool, at most of them
stop = True
other.join()
assert codes == [0] * 20, codes
assert np.array_equal(program(x).numpy(), want)
print("fine")
"""


@pytest.mark.parametrize("road", ["native", "ctypes"])
def test_a_child_runs_what_its_parent_was_running(road: str) -> None:
    environment = {**os.environ, "EAGER_JIT_THREADS": "4", "EAGER_JIT_ENTRY": road,
                   "PYTHONWARNINGS": "ignore::DeprecationWarning"}
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True,
                          env=environment, timeout=120, check=False)
    assert done.stdout.strip() == "fine", done.stderr


# --- how many threads --------------------------------------------------------------------------
def test_the_variable_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EAGER_JIT_THREADS", "7")
    assert loader.thread_count() == 7


@pytest.mark.parametrize("wrong", ["0", "-1", "two", "1.5"])
def test_a_number_that_is_none_is_refused(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EAGER_JIT_THREADS", wrong)
    with pytest.raises(CompileError, match="EAGER_JIT_THREADS"):
        loader.thread_count()


def test_affinity_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EAGER_JIT_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 3, 5})
    monkeypatch.setattr(loader, "_quota", lambda: None)
    assert loader.thread_count() == 3
    monkeypatch.setattr(loader, "_quota", lambda: 2)
    assert loader.thread_count() == 2


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(("own", "files", "want"), [
    ("0::/\n", {}, None),
    ("0::/\n", {"cpu.max": "max 100000\n"}, None),
    ("0::/\n", {"cpu.max": "250000 100000\n"}, 2),
    ("0::/\n", {"cpu.max": "50000 100000\n"}, 1),
    ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "300000 100000\n"}, 3),
    ("0::/a/b\n", {"a/b/cpu.max": "400000 100000\n", "cpu.max": "200000 100000\n"}, 2),
    ("0::/not/in/this/namespace\n", {"cpu.max": "200000 100000\n"}, 2),
    ("0::/\n", {"cpu.max": "nonsense\n"}, None),
    ("4:cpu,cpuacct:/x\n", {"cpu/x/cpu.cfs_quota_us": "300000\n",
                            "cpu/x/cpu.cfs_period_us": "100000\n"}, 3),
    ("4:cpu,cpuacct:/x\n", {"cpu/x/cpu.cfs_quota_us": "-1\n",
                            "cpu/x/cpu.cfs_period_us": "100000\n"}, None),
    ("7:memory:/x\n", {"cpu.max": "100000 100000\n"}, None),
])
def test_the_quota_of_a_cgroup(own: str, files: dict[str, str], want: int | None,
                               tmp_path: Path) -> None:
    write(tmp_path / "own", own)
    for name, text in files.items():
        write(tmp_path / "root" / name, text)
    assert loader._quota(str(tmp_path / "own"), str(tmp_path / "root")) == want


def test_no_cgroups_at_all(tmp_path: Path) -> None:
    assert loader._quota(str(tmp_path / "nothing"), str(tmp_path)) is None
