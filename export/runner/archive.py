"""A zip reader that trusts nothing: only stored members, and every header checked.

The file is mapped, so opening it costs nothing and members are read where they lie.  Every
byte of it belongs to the first line, to a header or to a member, so nothing hides in between.
"""

from __future__ import annotations

import binascii
import mmap
import struct

from .errors import ArtifactError
from .format import SHEBANG

_END, _CENTRAL, _LOCAL = b"PK\x05\x06", b"PK\x01\x02", b"PK\x03\x04"
_END_SIZE, _CENTRAL_SIZE, _LOCAL_SIZE = 22, 46, 30
_FULL = 0xFFFFFFFF  #: what a zip64 archive has where a size does not fit
MOST_MEMBERS = 4096


class Archive:
    """The members of an artifact by name, as memory of the mapped file."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            with open(path, "rb") as file:
                size = file.seek(0, 2)
                if size < _END_SIZE:
                    raise self.error(f"is too short to be an artifact: {size} bytes")
                # Private pages, so that ctypes may have their address and no write reaches the
                # file.  Whoever rewrites the file in place is seen: replace it instead.
                self.map = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY)
        except OSError as error:
            raise ArtifactError(f"{path}: cannot be read: {error.strerror}") from None
        self.members: dict[str, tuple[int, int]] = {}
        self._sums: dict[str, int] = {}
        self._read()

    def error(self, words: str) -> ArtifactError:
        return ArtifactError(f"{self.path}: {words}")

    def view(self, name: str) -> memoryview:
        """A member's bytes, without a copy."""
        if name not in self.members:
            raise self.error(f"has no member {name!r}")
        start, size = self.members[name]
        return memoryview(self.map)[start:start + size]

    def summed(self, name: str) -> bytes:
        """A copy of a member, whose CRC is right."""
        data = bytes(self.view(name))
        if binascii.crc32(data) != self._sums[name]:
            raise self.error(f"member {name!r} is damaged: its CRC differs; copy the file again")
        return data

    # --- headers -------------------------------------------------------------------------------
    def _read(self) -> None:
        end = len(self.map) - _END_SIZE
        if self.map[end:end + 4] != _END:
            raise self.error("does not end like a zip: truncated, or something was appended")
        disk, start_disk, here, count, length, start, comment = struct.unpack_from(
            "<HHHHIIH", self.map, end + 4)
        if disk or start_disk or here != count or comment:
            raise self.error("is a zip of several disks or with a comment, which no artifact is")
        if count == 0xFFFF or _FULL in (start, length):
            raise self.error("is a zip64 archive, which no artifact is")
        if count > MOST_MEMBERS:
            raise self.error(f"has {count} members, more than {MOST_MEMBERS}")
        if start + length != end:
            raise self.error("the central directory does not end where the file says it does: "
                             "truncated, or something was put before it")
        spans, at = [], start
        for _ in range(count):
            at, span = self._member(at, end, start)
            spans.append(span)
        if at != end:
            raise self.error("the central directory holds other bytes than its members")
        self._check_spans(sorted(spans), start)

    def _check_spans(self, spans: list[tuple[int, int]], directory: int) -> None:
        """Members follow each other from the first line to the directory."""
        at = len(SHEBANG) if self.map[:len(SHEBANG)] == SHEBANG else 0
        for start, stop in [*spans, (directory, directory)]:
            if start < at:
                raise self.error(f"members overlap at byte {start}")
            if start > at:
                raise self.error(f"bytes {at} to {start} belong to no member")
            at = stop

    def _member(self, at: int, end: int, limit: int) -> tuple[int, tuple[int, int]]:
        """Read one entry of the central directory and check it against its local header."""
        if at + _CENTRAL_SIZE > end or self.map[at:at + 4] != _CENTRAL:
            raise self.error("the central directory is damaged")
        (flags, method, crc, packed, size, name_length, extra, comment, disk,
         start) = struct.unpack_from("<HH4xIIIHHHH6xI", self.map, at + 8)
        names = at + _CENTRAL_SIZE
        stop = names + name_length + extra + comment
        if stop > end:
            raise self.error("an entry of the central directory is truncated")
        raw = self.map[names:names + name_length]
        name = self._name(raw)
        for fault, words in (
                (flags & 1, "is encrypted"),
                (flags & 8, "has its sizes after it, not in its header"),
                (flags & ~0x800, f"has the flags {flags:#x}, which no artifact has"),
                (method, "is compressed; members are stored"),
                (_FULL in (size, packed, start), "is a zip64 member, which no artifact has"),
                (packed != size, "is stored and has two sizes"),
                (disk or comment or extra, "has a comment, an extra field or another disk"),
                (start + _LOCAL_SIZE > limit or self.map[start:start + 4] != _LOCAL,
                 "has no local header where it should be")):
            if fault:
                raise self.error(f"member {name!r} {words}")
        local = struct.unpack_from("<HH4xIIIHH", self.map, start + 6)
        own_name = start + _LOCAL_SIZE
        begin = own_name + local[5] + local[6]
        if (local[:5] != (flags, method, crc, packed, size)
                or self.map[own_name:own_name + local[5]] != raw):
            raise self.error(f"member {name!r}: local and central header disagree")
        if begin + size > limit:
            raise self.error(f"member {name!r} runs past the end of the members: truncated")
        self.members[name], self._sums[name] = (begin, size), crc
        return stop, (start, begin + size)

    def _name(self, raw: bytes) -> str:
        try:
            name = raw.decode("ascii")
        except UnicodeDecodeError:
            raise self.error(f"a member has the name {raw!r}, which is not ASCII") from None
        parts = name.split("/")
        if (not name.isprintable() or "\\" in name or ":" in name
                or any(p in ("", ".", "..") for p in parts)):
            raise self.error(f"member name {name!r} is not a plain relative path")
        if name in self.members:
            raise self.error(f"member {name!r} is there twice")
        return name
