"""Native code of an artifact: mapping it, choosing its level, calling it."""

from __future__ import annotations

import ctypes
import os
import platform
from typing import Any

from .errors import ArtifactError

#: What EAGER_JIT_LEVEL may say, and the number that ``ej_call.level`` takes.
LEVELS = {"v2": 2, "v3": 3, "v4": 4, "aarch64": 2}


class Error(ctypes.Structure):
    """``ej_error``."""

    _fields_ = (("code", ctypes.c_int64), ("node", ctypes.c_int64), ("value", ctypes.c_int64))


class Call(ctypes.Structure):
    """``ej_call``."""

    _fields_ = (
        ("size", ctypes.c_uint32), ("abi", ctypes.c_uint32), ("weights", ctypes.c_void_p),
        ("state", ctypes.c_void_p), ("arena", ctypes.c_void_p), ("arena_bytes", ctypes.c_int64),
        ("inputs", ctypes.c_void_p), ("outputs", ctypes.c_void_p), ("dims", ctypes.c_void_p),
        ("out_dims", ctypes.c_void_p), ("pool", ctypes.c_void_p), ("error", ctypes.c_void_p),
        ("level", ctypes.c_int64))


def target_here() -> str:
    """The target of this machine, as the manifest names it."""
    machine = {"AMD64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
    return f"{machine}-{platform.system().lower()}"


def load(image: memoryview, where: str) -> ctypes.CDLL:
    """Map a shared object from memory; it stays mapped."""
    descriptor = -1
    try:
        if hasattr(os, "memfd_create"):
            descriptor = os.memfd_create("artifact", 1)
            with os.fdopen(os.dup(descriptor), "wb") as file:
                file.write(image)
            # The descriptor stays open: the loader knows objects by path, and this one is its own.
            return ctypes.CDLL(f"/proc/{os.getpid()}/fd/{descriptor}", mode=os.RTLD_NOW | os.RTLD_LOCAL)
        return _load_from_disk(image)
    except OSError as error:
        raise ArtifactError(f"{where}: the native code cannot be loaded: {error}") from None


def _load_from_disk(image: memoryview) -> ctypes.CDLL:
    import tempfile

    handle, path = tempfile.mkstemp(suffix=".so")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(image)
        return ctypes.CDLL(path, mode=os.RTLD_NOW | os.RTLD_LOCAL)
    finally:
        os.unlink(path)


def chosen_level(library: ctypes.CDLL, inside: list[str]) -> int:
    """The level to run: 0 for the best, or what EAGER_JIT_LEVEL pins."""
    wanted = os.environ.get("EAGER_JIT_LEVEL")
    library.ej_level.restype = ctypes.c_int64
    have = int(library.ej_level())
    if wanted:
        if wanted not in inside or wanted not in LEVELS:
            raise ArtifactError(f"EAGER_JIT_LEVEL={wanted} is not in the artifact, which has "
                                f"{', '.join(inside)}")
        if LEVELS[wanted] > have:
            raise ArtifactError(f"EAGER_JIT_LEVEL={wanted} is above this CPU's level v{have}")
        return LEVELS[wanted]
    if all(LEVELS.get(name, 99) > have for name in inside):
        raise ArtifactError(f"this CPU has level v{have}, and the artifact has only "
                            f"{', '.join(inside)}; export it with a lower level")
    return 0


def thread_count() -> int:
    """EAGER_JIT_THREADS, or the cores that affinity and the cgroup leave."""
    wanted = os.environ.get("EAGER_JIT_THREADS")
    if wanted:
        if not wanted.isdigit() or int(wanted) < 1:
            raise ArtifactError(f"EAGER_JIT_THREADS is a number from 1, got {wanted!r}")
        return int(wanted)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    try:
        with open("/sys/fs/cgroup/cpu.max") as file:
            limit, period = file.read().split()
        if limit != "max":
            cores = min(cores, max(1, int(limit) // int(period)))
    except (OSError, ValueError):
        pass
    return max(1, cores)


def start_pool(library: ctypes.CDLL) -> int | None:
    """The artifact's own thread pool; None for one thread."""
    threads = thread_count()
    if threads == 1:
        return None
    library.ej_pool_start.restype = ctypes.c_void_p
    library.ej_pool_start.argtypes = [ctypes.c_int64]
    return int(library.ej_pool_start(threads))


def addresses(values: list[int]) -> Any:
    """A C array of addresses."""
    return (ctypes.c_void_p * max(1, len(values)))(*values)


def aligned(size: int) -> tuple[Any, int]:
    """Zeroed memory of a size at a multiple of 64: (what keeps it, address)."""
    room = ctypes.create_string_buffer(size + 64)
    start = ctypes.addressof(room)
    return room, start + -start % 64
