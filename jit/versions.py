"""What compiled code depends on besides its source: our emitters and the tools below them.

All of it is found without importing a compiler or ``importlib.metadata``, which costs more than
the rest of a start from the cache.
"""

from __future__ import annotations

import functools
import hashlib
import os
import sys
from collections.abc import Iterator

#: The sources whose change makes every cached object stale.
_EMITTERS = ("numba_bridge.py", "compiler.py", "kernels", "targets", "native")


@functools.cache
def tool_versions() -> dict[str, str]:
    """Versions of numba and llvmlite, by the names of their installed metadata."""
    found = {"numba": "none", "llvmlite": "none"}
    for folder in sys.path:
        try:
            names = os.listdir(folder or ".")
        except OSError:
            continue
        for entry in names:
            name, dash, rest = entry.partition("-")
            if dash and entry.endswith(".dist-info") and found.get(name) == "none":
                found[name] = rest.removesuffix(".dist-info")
    return found


@functools.cache
def fingerprint() -> tuple[str, ...]:
    """A part of every cache key."""
    root = os.path.dirname(os.path.abspath(__file__))
    digest = hashlib.sha256()
    for name in _EMITTERS:
        for path in sorted(_files(os.path.join(root, name))):
            with open(path, "rb") as file:
                digest.update(os.path.basename(path).encode() + b"\0" + file.read())
    return (*tool_versions().values(), digest.hexdigest())


def _files(path: str) -> Iterator[str]:
    if os.path.isfile(path):
        yield path
        return
    for entry in os.scandir(path):
        if entry.is_dir():
            yield from _files(entry.path)
        elif entry.name.endswith((".py", ".ll")):
            yield entry.path
