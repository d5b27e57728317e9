"""What compiled code depends on besides its source: our emitters and the tools below them."""

from __future__ import annotations

import functools
import hashlib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

#: The sources whose change makes every cached object stale.
_EMITTERS = ("numba_bridge.py", "kernels", "targets", "native")


def tool_versions() -> dict[str, str]:
    """Versions of numba and llvmlite, from their metadata: neither is imported."""
    found = {}
    for name in ("numba", "llvmlite"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    return found


@functools.cache
def fingerprint() -> tuple[str, ...]:
    """A part of every cache key."""
    root = Path(__file__).parent
    digest = hashlib.sha256()
    for name in _EMITTERS:
        path = root / name
        files = [path] if path.is_file() else sorted(
            p for p in path.rglob("*") if p.suffix in (".py", ".ll"))
        for file in files:
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return (*tool_versions().values(), digest.hexdigest())
