"""A zip reader that trusts nothing: only stored members, and every header checked.

The file is mapped, so opening it costs nothing and members are read where they lie.
"""

from __future__ import annotations

import mmap
import struct

from .errors import ArtifactError

_END, _CENTRAL, _LOCAL = b"PK\x05\x06", b"PK\x01\x02", b"PK\x03\x04"
MOST_MEMBERS = 4096


class Archive:
    """The members of an artifact by name, as memory of the mapped file."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            with open(path, "rb") as file:
                size = file.seek(0, 2)
                if size < 22:
                    raise self.error("is too short to be an artifact")
                # A private copy of the pages: nothing is copied until somebody writes, and
                # nobody else's write shows.
                self.map = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY)
        except OSError as error:
            raise ArtifactError(f"{path}: cannot be read: {error.strerror}") from None
        self.members: dict[str, tuple[int, int]] = {}
        self._read()

    def error(self, words: str) -> ArtifactError:
        return ArtifactError(f"{self.path}: {words}")

    def view(self, name: str) -> memoryview:
        """A member's bytes, without a copy."""
        if name not in self.members:
            raise self.error(f"has no member {name!r}")
        start, size = self.members[name]
        return memoryview(self.map)[start:start + size]

    def offset(self, name: str) -> int:
        """Where a member's bytes start in the file."""
        return self.members[name][0]

    # --- headers -------------------------------------------------------------------------------
    def _read(self) -> None:
        size = len(self.map)
        end = size - 22
        if self.map[end:end + 4] != _END:
            raise self.error("does not end like a zip: truncated, or something was appended")
        disk, start_disk, here, count, length, start, comment = struct.unpack_from(
            "<HHHHIIH", self.map, end + 4)
        if disk or start_disk or here != count or comment:
            raise self.error("is a zip of several disks or with a comment, which no artifact is")
        if count == 0xFFFF or start == 0xFFFFFFFF or length == 0xFFFFFFFF:
            raise self.error("is a zip64 archive, which no artifact is")
        if count > MOST_MEMBERS:
            raise self.error(f"has {count} members, more than {MOST_MEMBERS}")
        if start + length != end:
            raise self.error("the central directory does not end where the file says it does")
        spans = []
        at = start
        for _ in range(count):
            at, span = self._member(at, end, start)
            spans.append(span)
        if at != end:
            raise self.error("the central directory holds other bytes than its members")
        spans.sort()
        if any(a[1] > b[0] for a, b in zip(spans, spans[1:], strict=False)):
            raise self.error("members overlap")

    def _member(self, at: int, end: int, limit: int) -> tuple[int, tuple[int, int]]:
        """Read one entry of the central directory and check it against its local header."""
        if at + 46 > end or self.map[at:at + 4] != _CENTRAL:
            raise self.error("the central directory is damaged")
        (flags, method, crc, packed, size, name_length, extra, comment, disk,
         start) = struct.unpack_from("<HH4xIIIHHHH6xI", self.map, at + 8)
        stop = at + 46 + name_length + extra + comment
        if stop > end:
            raise self.error("an entry of the central directory is truncated")
        name = self._name(self.map[at + 46:at + 46 + name_length])
        if flags & ~0x800 or disk or comment:
            raise self.error(f"member {name!r} is encrypted, streamed or has a comment")
        if method != 0 or packed != size:
            raise self.error(f"member {name!r} is compressed; members are stored")
        if start + 30 > limit or self.map[start:start + 4] != _LOCAL:
            raise self.error(f"member {name!r} has no local header where it should be")
        local = struct.unpack_from("<HH4xIIIHH", self.map, start + 6)
        begin = start + 30 + local[5] + local[6]
        if local[:5] != (flags, method, crc, packed, size) or self.map[
                start + 30:start + 30 + local[5]] != self.map[at + 46:at + 46 + name_length]:
            raise self.error(f"member {name!r}: local and central header disagree")
        if begin + size > limit:
            raise self.error(f"member {name!r} runs past the end of the members: truncated")
        self.members[name] = (begin, size)
        return stop, (start, begin + size)

    def _name(self, raw: bytes) -> str:
        try:
            name = raw.decode("ascii")
        except UnicodeDecodeError:
            raise self.error(f"a member has the name {raw!r}, which is not ASCII") from None
        parts = name.split("/")
        if (not name or name.startswith("/") or "\\" in name or "\0" in name or ":" in name
                or any(p in ("", ".", "..") for p in parts)):
            raise self.error(f"member name {name!r} is not a plain relative path")
        if name in self.members:
            raise self.error(f"member {name!r} is there twice")
        return name
