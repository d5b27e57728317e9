"""Loading shared objects that were linked here, and the runtime that a process shares."""

from __future__ import annotations

import ctypes
import functools
import os
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from eager.ops.errors import CompileError

_loaded: list[Any] = []  # never unloaded: a thread or a caller may be inside
_one = threading.RLock()  # a process has one runtime and one watch on forks


class Forked(Protocol):
    """What has state of threads that a child of the process lacks."""

    def after_fork(self) -> None: ...


_forked: weakref.WeakSet[Forked] = weakref.WeakSet()


def load(image: bytes, name: str = "program") -> ctypes.CDLL:
    """Map a shared object from memory."""
    try:
        descriptor = os.memfd_create(name, os.MFD_CLOEXEC)
    except (AttributeError, OSError):
        return _load_from_disk(image)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(image)
        library = ctypes.CDLL(_unique_path(descriptor), mode=os.RTLD_NOW | os.RTLD_LOCAL)
    except OSError as error:
        raise CompileError(f"the compiled code could not be loaded: {error}") from None
    finally:
        os.close(descriptor)
    _loaded.append(library)
    return library


def _unique_path(descriptor: int) -> str:
    """A path of an open file that was never loaded: glibc takes a known path for a known object,
    and descriptors are used again.  Every ``./`` makes another path of the same file."""
    more, few = divmod(len(_loaded), 1000)
    return f"/proc/self/{'./' * more}fd/{'./' * (few + 1)}{descriptor}"


def _load_from_disk(image: bytes) -> ctypes.CDLL:
    """Where memory files do not exist: a file that is gone once it is mapped."""
    import tempfile

    handle, path = tempfile.mkstemp(suffix=".so")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(image)
        library = ctypes.CDLL(path, mode=os.RTLD_NOW | os.RTLD_LOCAL)
    except OSError as error:
        raise CompileError(f"the compiled code could not be loaded: {error}") from None
    finally:
        os.unlink(path)
    _loaded.append(library)
    return library


def address(library: ctypes.CDLL, symbol: str) -> int:
    """The address of an exported symbol."""
    value = ctypes.cast(getattr(library, symbol), ctypes.c_void_p).value
    assert value is not None
    return value


def runtime() -> ctypes.CDLL:
    """The thread pool and the entry of this process."""
    with _one:
        return _runtime()


@functools.cache
def _runtime() -> ctypes.CDLL:
    from jit.compiler import runtime_object

    library = load(runtime_object(), "eager-jit-runtime")
    os.register_at_fork(after_in_child=library.ej_pool_after_fork)
    return library


def tell_of_forks(one: Forked) -> None:
    """Have ``one.after_fork()`` called in children of this process, as long as it lives."""
    with _one:
        _watch_forks()
        _forked.add(one)


@functools.cache
def _watch_forks() -> None:
    os.register_at_fork(after_in_child=_after_fork)


def _after_fork() -> None:
    for one in _forked:
        one.after_fork()


@functools.cache
def pool() -> int:
    """The address of the process's pool; 0 for one thread."""
    threads = thread_count()
    if threads == 1:
        return 0
    start = runtime().ej_pool_start
    start.restype, start.argtypes = ctypes.c_void_p, [ctypes.c_int64]
    return int(start(threads))


def thread_count() -> int:
    """Threads to use: EAGER_JIT_THREADS, or the cores that affinity and cgroup leave us."""
    wanted = os.environ.get("EAGER_JIT_THREADS")
    if wanted:
        if not wanted.isdigit() or int(wanted) < 1:
            raise CompileError(f"EAGER_JIT_THREADS is a number from 1, got {wanted!r}")
        return int(wanted)
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    return max(1, min(cores, _quota() or cores))


def _quota(own: str = "/proc/self/cgroup", root: str = "/sys/fs/cgroup") -> int | None:
    """Whole cores that the tightest of the process's cgroups leaves; None for all."""
    try:
        lines = Path(own).read_text().splitlines()
    except OSError:
        return None
    found = [share for line in lines for share in _shares(line, Path(root))]
    return max(1, int(min(found))) if found else None


def _shares(line: str, root: Path) -> Iterator[float]:
    """Cores by each quota from one line of ``/proc/self/cgroup`` up to the root."""
    _, controllers, path = line.split(":", 2)
    for folder in (PurePosixPath(path), *PurePosixPath(path).parents):
        below = str(folder).lstrip("/")
        try:
            if not controllers:  # version 2
                limit, period = (root / below / "cpu.max").read_text().split()
            elif "cpu" in controllers.split(","):
                at = root / "cpu" / below
                limit = (at / "cpu.cfs_quota_us").read_text()
                period = (at / "cpu.cfs_period_us").read_text()
            else:
                return
            if limit != "max" and int(limit) > 0:
                yield int(limit) / int(period)
        except (OSError, ValueError):
            continue
