"""The disk cache: blobs under the digest of what they were made from.

A blob is written to a temporary file and renamed, carries its own SHA-256, and is moved aside
when that does not match.  The folder belongs to the user alone.  `get` imports no compiler.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import stat
import struct
import tempfile
from pathlib import Path
from typing import Any

from eager.ops.errors import CompileError

_DIGEST = 32
_DEFAULT_SIZE = 1 << 30


@functools.cache
def folder() -> Path | None:
    """Where blobs lie; None where caching is off or the folder is not safe to use."""
    chosen = os.environ.get("EAGER_JIT_CACHE", "")
    if chosen == "off":
        return None
    if chosen:
        path = Path(chosen)
    else:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        path = Path(base) / "eager-jit"
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.stat()
    except OSError:
        return None
    # Another user's folder could hold code of theirs: it is not used.
    if found.st_uid != os.getuid():
        return None
    if stat.S_IMODE(found.st_mode) & 0o022:
        path.chmod(0o700)
    return path


def digest(*parts: Any) -> str:
    """A key of plain values and tuples or lists of them; 1, True, 1.0 and 0.0, -0.0 differ.

    TypeError for anything else, whose text may leave out what matters.
    """
    h = hashlib.sha256()
    for p in parts:
        _feed(h, p)
    return h.hexdigest()


def _feed(h: Any, value: Any) -> None:
    if isinstance(value, bytes):
        data = value
    elif isinstance(value, float):
        data = struct.pack("<d", value)
    elif isinstance(value, (tuple, list)):
        h.update(f"{type(value).__name__}:{len(value)};".encode())
        for v in value:
            _feed(h, v)
        return
    elif value is None or isinstance(value, (str, int)):
        data = repr(value).encode()
    else:
        raise TypeError(f"a cache key is made of plain values, got {type(value).__name__}")
    h.update(f"{type(value).__name__}:{len(data)};".encode() + data)


def path_of(key: str) -> Path | None:
    """Where the blob of a key lies, or would."""
    root = folder()
    return None if root is None else root / f"{key}.blob"


def get(key: str) -> bytes | None:
    """The blob of a key; None if it is not there, or was damaged (then it is moved aside)."""
    path = path_of(key)
    if path is None:
        return None
    try:
        data = path.read_bytes()
    except OSError:
        return None
    body = data[_DIGEST:]
    if len(data) < _DIGEST or hashlib.sha256(body).digest() != data[:_DIGEST]:
        with contextlib.suppress(OSError):
            path.replace(path.with_suffix(".damaged"))
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # many file systems do not note that a file was read
    return body


def put(key: str, body: bytes) -> None:
    """Keep a blob; a full disk or a folder that is read-only costs only the caching."""
    path = path_of(key)
    if path is None:
        return
    limit = size_limit()
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(body).digest() + body)
            os.replace(name, path)
        except OSError:
            os.unlink(name)
            raise
    except OSError:
        return
    if os.urandom(1)[0] < 4:  # one write in 64
        shrink(path.parent, limit)


def size_limit() -> int:
    """Bytes that the cache may hold: EAGER_JIT_CACHE_SIZE, or 1 GiB."""
    wanted = os.environ.get("EAGER_JIT_CACHE_SIZE")
    if not wanted:
        return _DEFAULT_SIZE
    if not wanted.isdigit():
        raise CompileError(f"EAGER_JIT_CACHE_SIZE is a number of bytes, got {wanted!r}")
    return int(wanted)


def shrink(root: Path, limit: int) -> None:
    """Drop the files that were used longest ago until ``limit`` bytes are left."""
    found = []
    for entry in os.scandir(root):
        try:
            info = entry.stat()
        except OSError:
            continue
        found.append((max(info.st_atime, info.st_mtime), info.st_size, entry.path))
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total <= limit:
            return
        try:
            os.unlink(path)
            total -= size
        except OSError:
            continue
