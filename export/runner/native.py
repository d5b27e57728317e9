"""Native code of an artifact: mapping it, choosing its level, calling it."""

from __future__ import annotations

import ctypes
import os

from .errors import ArtifactError
from .format import LINE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: What EAGER_JIT_LEVEL may say, and the number that ``ej_call.level`` takes.
LEVELS = {"v2": 2, "v3": 3, "v4": 4, "aarch64": 2}

#: By SHA-256 of the code: never unloaded, since a thread or a caller may be inside.
_loaded: dict[str, ctypes.CDLL] = {}
#: The pool of this process, from the first artifact that wanted one; all others share it.
_pool: list[int] = []


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
    system = os.uname()
    machine = {"AMD64": "x86_64", "arm64": "aarch64"}.get(system.machine, system.machine)
    return f"{machine}-{system.sysname.lower()}"


def load(image: bytes, digest: str, where: str) -> ctypes.CDLL:
    """Map a shared object from memory, once for the same code; it stays mapped.

    ``digest`` is its SHA-256.  Raises ArtifactError where it is none, or lacks a symbol.
    """
    if digest not in _loaded:
        try:
            library = _load_from_memory(image) or _load_from_disk(image)
        except OSError as error:
            raise ArtifactError(f"{where}: the native code cannot be loaded: {error}") from None
        for symbol in ("ej_run", "ej_level", "ej_pool_start"):
            if not hasattr(library, symbol):
                raise ArtifactError(f"{where}: the native code does not export {symbol}")
        library.ej_run.restype, library.ej_run.argtypes = ctypes.c_int32, [ctypes.c_void_p]
        library.ej_level.restype = ctypes.c_int64
        library.ej_pool_start.restype = ctypes.c_void_p
        library.ej_pool_start.argtypes = [ctypes.c_int64]
        _loaded[digest] = library
    return _loaded[digest]


def _load_from_memory(image: bytes) -> ctypes.CDLL | None:
    """Through a file that only this process sees; None without memfd or /proc."""
    try:
        descriptor = os.memfd_create("artifact", os.MFD_CLOEXEC)
    except (AttributeError, OSError):
        return None
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(image)
        # The descriptor stays open while the code is mapped: the loader knows objects by their
        # path, and the number must not come to mean another file.
        return ctypes.CDLL(f"/proc/self/fd/{descriptor}", mode=os.RTLD_NOW | os.RTLD_LOCAL)
    except OSError:
        os.close(descriptor)
        return None


def _load_from_disk(image: bytes) -> ctypes.CDLL:
    """Through a folder that only this user sees (0700), gone once the code is mapped."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="artifact-") as folder:
        path = os.path.join(folder, "program.so")
        with open(path, "wb") as file:
            file.write(image)
        return ctypes.CDLL(path, mode=os.RTLD_NOW | os.RTLD_LOCAL)


def chosen_level(library: ctypes.CDLL, inside: list[str]) -> int:
    """The level to run: 0 for the best, or what EAGER_JIT_LEVEL pins."""
    wanted = os.environ.get("EAGER_JIT_LEVEL")
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
        if not (wanted.isascii() and wanted.isdigit()) or int(wanted) < 1:
            raise ArtifactError(f"EAGER_JIT_THREADS is a number from 1, got {wanted!r}")
        return int(wanted)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    try:
        with open("/sys/fs/cgroup/cpu.max") as file:
            limit, period = file.read().split()
        if limit != "max":
            cores = min(cores, int(limit) // int(period))
    except (OSError, ValueError):
        pass
    return max(1, cores)


def pool(library: ctypes.CDLL) -> int | None:
    """The address of the process's thread pool; None for one thread."""
    threads = thread_count()
    if threads == 1:
        return None
    if not _pool:
        _pool.append(int(library.ej_pool_start(min(threads, 1 << 16))))
        if hasattr(library, "ej_pool_after_fork"):  # a child has none of the threads
            os.register_at_fork(after_in_child=library.ej_pool_after_fork)
    return _pool[0]


def addresses(values: list[int]) -> Any:
    """A C array of addresses."""
    return (ctypes.c_void_p * max(1, len(values)))(*values)


def aligned(size: int) -> tuple[Any, int]:
    """Zeroed memory of a size at a multiple of 64: (what keeps it, address)."""
    try:
        room = ctypes.create_string_buffer(size + LINE)
    except (MemoryError, OverflowError):
        raise ArtifactError(f"out of memory: a call needs {size} bytes of temporaries") from None
    start = ctypes.addressof(room)
    return room, start + -start % LINE


def place(memory: memoryview, alignment: int) -> tuple[int, Any] | None:
    """Where memory lies, and what keeps it there; None of read-only or crooked memory."""
    if not memory.nbytes:
        return 0, None
    if memory.readonly:
        return None
    held = (ctypes.c_char * memory.nbytes).from_buffer(memory)
    start = ctypes.addressof(held)
    return (start, held) if start % alignment == 0 else None


def address(memory: memoryview, alignment: int) -> tuple[int, Any]:
    """As `place`; what it has no answer for is copied."""
    found, size = place(memory, alignment), memory.nbytes
    if found is not None:
        return found
    room, start = aligned(size)
    ctypes.memmove(start, bytes(memory), size)
    return start, room
