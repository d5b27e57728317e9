"""Artifacts taken apart and put together again with something changed."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from export.artifact import stored_zip
from export.runner.archive import Archive


def members_of(path: str) -> dict[str, bytes]:
    archive = Archive(path)
    return {name: bytes(archive.view(name)) for name in archive.members}


def rebuilt(path: str, to: Path, *, manifest: Callable[[dict[str, Any]], Any] | None = None,
            members: Mapping[str, bytes] | None = None) -> str:
    """The artifact with its manifest edited and members replaced, everything consistent again."""
    held = {**members_of(path), **(members or {})}
    described = json.loads(held.pop("manifest.json"))
    described["members"] = {n: {"size": len(d), "sha256": hashlib.sha256(d).hexdigest()}
                            for n, d in held.items()}
    if manifest is not None:
        manifest(described)
    to.write_bytes(b"".join(stored_zip({"manifest.json": json.dumps(described).encode(), **held})))
    return str(to)


def headers_of(data: bytes, name: str) -> tuple[int, int]:
    """Where the local header and the central entry of a member start."""
    count, _, at = struct.unpack_from("<HII", data, len(data) - 12)
    for _ in range(count):
        sizes = struct.unpack_from("<HHH", data, at + 28)
        if data[at + 46:at + 46 + sizes[0]] == name.encode():
            return struct.unpack_from("<I", data, at + 42)[0], at
        at += 46 + sum(sizes)
    raise KeyError(name)
