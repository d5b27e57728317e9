"""Loading shared objects that were linked here, and the runtime that a process shares."""

from __future__ import annotations

import ctypes
import functools
import os
from typing import Any

from eager.ops.errors import CompileError

_loaded: list[Any] = []  # never unloaded: a thread or a caller may be inside


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


@functools.cache
def runtime() -> ctypes.CDLL:
    """The thread pool and the entry of this process."""
    from jit.compiler import runtime_object

    library = load(runtime_object(), "eager-jit-runtime")
    os.register_at_fork(after_in_child=library.ej_pool_after_fork)
    return library


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


def _quota() -> int | None:
    """Whole cores of the cgroup's CPU quota (version 2, then 1)."""
    try:
        with open("/sys/fs/cgroup/cpu.max") as file:
            limit, period = file.read().split()
        return None if limit == "max" else max(1, int(limit) // int(period))
    except (OSError, ValueError):
        pass
    try:
        with open("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") as file:
            limit_us = int(file.read())
        with open("/sys/fs/cgroup/cpu/cpu.cfs_period_us") as file:
            return None if limit_us <= 0 else max(1, limit_us // int(file.read()))
    except (OSError, ValueError):
        return None
