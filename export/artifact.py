"""Writing an artifact: one file with weights, native code for many CPUs, and its own runner."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import marshal
import os
import secrets
import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from export.runner.errors import ArtifactError
from export.runner.format import (
    ABI,
    CODE,
    DTYPES,
    FORMAT,
    GOLDEN,
    GRAPH,
    LINE,
    MANIFEST,
    MAPPED,
    PAGE,
    SHEBANG,
    WEIGHTS,
)

TARGETS = ("x86_64-linux", "aarch64-linux")
LEVELS = ("v2", "v3", "v4")
_MAIN = '''\
import sys

from runner.command import main

sys.exit(main(artifact=sys.argv[0]))
'''
_BY_NUMPY = {np.dtype(row[3]).newbyteorder("="): row[2] for row in DTYPES.values()}


def save(program: Any, path: str | os.PathLike[str], *, targets: Sequence[str] = TARGETS,
         levels: Sequence[str] = LEVELS) -> None:
    """Write a `jit.Program` to ``path``; the file appears whole or not at all.

    ``targets`` are machines, ``levels`` the x86-64 levels among which the file chooses by the
    CPU it meets.  The same program gives the same bytes.  Raises ArtifactError for an unknown
    target or level, a path that cannot be written, or more than 4 GiB.
    """
    _check(targets, TARGETS, "target")
    _check(levels, LEVELS, "level")
    members = _members(program, targets, levels)
    described = {name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
                 for name, data in members.items()}
    manifest = _manifest(program, targets, levels, described)
    text = json.dumps(manifest, indent=1, sort_keys=True).encode()
    _write(Path(path), {MANIFEST: text, **members})


def _check(given: Sequence[str], known: Sequence[str], what: str) -> None:
    if isinstance(given, str) or not given or any(g not in known for g in given):
        raise ArtifactError(f"{what}s are some of {', '.join(known)}; got {given!r}")


def _members(program: Any, targets: Sequence[str], levels: Sequence[str]) -> dict[str, bytes]:
    state = {f"state.{n}": a for n, a in program.state_arrays().items()}
    inputs, outputs = program.example
    golden = {**{f"input.{n}": a for n, a in inputs.items()},
              **{f"output.{n}": a for n, a in outputs.items()}}
    members = {
        GRAPH: program.graph_text.encode(),
        WEIGHTS: safetensors({"weights": np.asarray(program.weights()), **state}),
        GOLDEN: safetensors(golden),
        "__main__.py": _MAIN.encode(),
    }
    for target in targets:
        members[_code(target)] = program.shared_object(target, levels)
    return {**members, **runner_members()}


def runner_members() -> dict[str, bytes]:
    """The runner's sources, and their bytecode for the Python that writes: it starts faster."""
    found: dict[str, bytes] = {}
    for file in sorted((Path(__file__).parent / "runner").glob("*.py")):
        name, source = f"runner/{file.name}", file.read_bytes()
        found[name] = source
        # The form of PEP 552: an unchecked hash.  Version 2 of marshal, whose bytes do not
        # depend on who else holds the objects.
        found[f"{name}c"] = (importlib.util.MAGIC_NUMBER + struct.pack("<I", 1)
                             + importlib.util.source_hash(source)
                             + marshal.dumps(compile(source, name, "exec", dont_inherit=True), 2))
    return found


def _code(target: str) -> str:
    return f"{CODE}{target}/program.so"


def _manifest(program: Any, targets: Sequence[str], levels: Sequence[str],
              described: Mapping[str, Any]) -> dict[str, Any]:
    from eager import __version__
    from jit.versions import tool_versions

    return {
        "format": FORMAT, "abi": ABI,
        "producer": {"eager-jit": __version__, "numpy": np.__version__, **tool_versions()},
        "entries": {"main": {**program.layout.to_json(), "writes": list(program.writes),
                             "in_spec": program.in_spec.to_json(),
                             "out_spec": program.out_spec.to_json()}},
        "targets": {t: {"member": _code(t), "levels": list(levels) if t == "x86_64-linux" else
                        ["aarch64"]} for t in targets},
        "members": dict(described),
    }


def safetensors(arrays: Mapping[str, np.ndarray[Any, Any]]) -> bytes:
    """A safetensors file whose first tensor starts at a multiple of 64 bytes.

    The format forbids holes, so each tensor is followed by a tensor of padding.
    """
    header: dict[str, Any] = {}
    body: list[bytes] = []
    at = 0

    def add(name: str, kind: str, shape: Sequence[int], data: bytes) -> None:
        nonlocal at
        body.append(data)
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [at, at + len(data)]}
        at += len(data)

    for name, array in arrays.items():
        array = np.ascontiguousarray(array).reshape(array.shape)
        add(name, _BY_NUMPY[array.dtype], array.shape, array.tobytes())
        if rest := -at % LINE:
            add(f"padding.{len(header)}", "U8", (rest,), bytes(rest))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % LINE)
    return b"".join([struct.pack("<Q", len(text)), text, *body])


# --- the zip -----------------------------------------------------------------------------------
_DATE = (1 << 5 | 1)  #: 1980-01-01: the same bytes whenever it is written
_MOST = 0xFFFF0000  #: bytes of headers and members, with room for the directory


def _write(path: Path, members: Mapping[str, bytes]) -> None:
    part = path.parent / f".{secrets.token_hex(8)}.part"
    try:
        # The file is executable, for whom the user's umask says.
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o777)
        try:
            with os.fdopen(handle, "wb") as file:
                for piece in stored_zip(members):
                    file.write(piece)
            os.replace(part, path)
        except BaseException:
            os.unlink(part)
            raise
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be written: {error.strerror}") from None


def stored_zip(members: Mapping[str, bytes]) -> list[bytes]:
    """A zip of stored members, each at its alignment through an extra field of the local header."""
    pieces: list[bytes] = [SHEBANG]
    central: list[bytes] = []
    at = len(SHEBANG)
    for name, data in members.items():
        raw, size, crc = name.encode("ascii"), len(data), zlib.crc32(data)
        align = PAGE if name.startswith(MAPPED) else LINE
        if at + size >= _MOST:
            raise ArtifactError("an artifact holds at most 4 GiB")
        gap = -(at + 30 + len(raw)) % align
        if 0 < gap < 4:  # an extra field has a header of 4 bytes
            gap += align
        extra = struct.pack("<HH", 0x4A45, gap - 4) + bytes(gap - 4) if gap else b""
        common = struct.pack("<HHHHIII", 0, 0, 0, _DATE, crc, size, size)
        local = (b"PK\x03\x04" + struct.pack("<H", 20) + common
                 + struct.pack("<HH", len(raw), len(extra)) + raw + extra)
        central.append(b"PK\x01\x02" + struct.pack("<HH", 20 | 3 << 8, 20) + common
                       + struct.pack("<HHHHHII", len(raw), 0, 0, 0, 0, 0o644 << 16, at) + raw)
        pieces += [local, data]
        at += len(local) + size
    directory = b"".join(central)
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, len(central), len(central),
                      len(directory), at, 0)
    return [*pieces, directory, end]
