"""Damaged files: every fault is an ArtifactError that names it, and nothing else happens."""

from __future__ import annotations

import json
import random
import shutil
import struct
import warnings
import zipfile

import numpy as np
import pytest

from export.artifact import stored_zip
from export.runner import ArtifactError, load
from export.runner.archive import Archive
from tests.export.surgery import headers_of, members_of, rebuilt

GRAPH = "graph.txt"


def patched(data: bytes, at: int, form: str, *values: int) -> bytes:
    return data[:at] + struct.pack(form, *values) + data[at + struct.calcsize(form):]


def both(data: bytes, name: str, offset: int, form: str, *values: int) -> bytes:
    """A field of the local and of the central header; offsets are the local one's."""
    local, central = headers_of(data, name)
    data = patched(data, local + offset, form, *values)
    return patched(data, central + offset + 2, form, *values)


def central(offset: int, form: str, *values: int):
    return lambda d: patched(d, headers_of(d, GRAPH)[1] + offset, form, *values)


def local(offset: int, form: str, *values: int):
    return lambda d: patched(d, headers_of(d, GRAPH)[0] + offset, form, *values)


def end(offset: int, form: str, *values: int):
    return lambda d: patched(d, len(d) - 22 + offset, form, *values)


def renamed(name: bytes):
    """The graph's member under another name of the same length."""
    assert len(name) == len(GRAPH)
    return lambda d: d.replace(GRAPH.encode(), name)


def second_directory_entry_over_the_first(data: bytes) -> bytes:
    """Both entries' names, sizes and headers are right, and the members lie over each other."""
    start, stop = headers_of(data, GRAPH)[0], headers_of(data, "golden.safetensors")[0]
    inner = data[start:stop]
    at = headers_of(data, GRAPH)[1]
    own = headers_of(data, "manifest.json")[1]
    grown = inner.replace(GRAPH.encode(), b"grown.txt", 1)
    # The new member lies inside the old one's bytes.
    offset = struct.unpack_from("<HH", data, start + 26)
    body = start + 30 + sum(offset)
    size = struct.unpack_from("<I", data, start + 22)[0]
    header = grown[:18] + struct.pack("<IIHH", 4, 4, 9, 0) + b"grown.txt"
    data = data[:body] + header + b"over" + data[body + len(header) + 4:]
    assert len(header) + 4 < size
    entry = (data[at:at + 20] + struct.pack("<IIHHHHHII", 4, 4, 9, 0, 0, 0, 0, 0, body)
             + b"grown.txt")
    count, _, length, directory = struct.unpack_from("<HHII", data, len(data) - 14)
    data = data[:own] + entry + data[own:]
    return patched(data, len(data) - 14, "<HHII", count + 1, count + 1, length + len(entry),
                   directory)


FAULTS = {
    "empty": (lambda d: b"", "too short to be an artifact: 0 bytes"),
    "no zip": (lambda d: b"x" * 100, "does not end like a zip"),
    "cut in the directory": (lambda d: d[:-30], "truncated, or something was appended"),
    "cut in the members": (lambda d: d[:len(d) // 2], "truncated, or something was appended"),
    "bytes missing": (lambda d: d[:5000] + d[6000:], "the central directory does not end where"),
    "garbage after": (lambda d: d + b"garbage", "something was appended"),
    "garbage before": (lambda d: b"garbage" + d, "something was put before it"),
    "another first line": (lambda d: d.replace(b"#!/usr/bin/env p", b"#!/usr/bin/env q"),
                           "bytes 0 to 23 belong to no member"),
    "a comment": (end(20, "<H", 1), "with a comment"),
    "several disks": (end(4, "<H", 1), "several disks"),
    "zip64": (end(16, "<I", 0xFFFFFFFF), "zip64 archive"),
    "too many members": (end(8, "<HH", 5000, 5000), "5000 members, more than 4096"),
    "a member too many": (end(8, "<HH", 99, 99), "the central directory is damaged"),
    "a member too few": (lambda d: end(8, "<HH", *(struct.unpack_from("<H", d, len(d) - 12)[0] - 1,)
                                       * 2)(d), "holds other bytes than its members"),
    "encrypted": (lambda d: both(d, GRAPH, 6, "<H", 1), "'graph.txt' is encrypted"),
    "streamed": (lambda d: both(d, GRAPH, 6, "<H", 8), "has its sizes after it"),
    "unknown flags": (lambda d: both(d, GRAPH, 6, "<H", 0x40), "has the flags 0x40"),
    "compressed": (lambda d: both(d, GRAPH, 8, "<H", 8), "is compressed; members are stored"),
    "a zip64 member": (central(24, "<I", 0xFFFFFFFF), "is a zip64 member"),
    "two sizes": (central(20, "<I", 5), "is stored and has two sizes"),
    "a member's comment": (lambda d: central(32, "<H", 1)(d), "has a comment, an extra field"),
    "another disk": (central(34, "<H", 1), "another disk"),
    "a long name": (central(28, "<H", 60000), "entry of the central directory is truncated"),
    "an offset outside": (central(42, "<I", 1 << 30), "has no local header where it should be"),
    "an offset beside": (lambda d: central(42, "<I", headers_of(d, GRAPH)[0] + 1)(d),
                         "has no local header"),
    "local CRC": (local(14, "<I", 1), "local and central header disagree"),
    "local size": (local(22, "<I", 1), "local and central header disagree"),
    "local name": (local(30, "<B", ord("x")), "local and central header disagree"),
    "a size past the end": (lambda d: both(d, GRAPH, 18, "<II", 1 << 30, 1 << 30),
                            "runs past the end of the members"),
    "a size into the next": (lambda d: both(d, GRAPH, 18, "<II", 9000, 9000), "members overlap"),
    "a size too small": (lambda d: both(d, GRAPH, 18, "<II", 1, 1), "belong to no member"),
    "a member in a member": (second_directory_entry_over_the_first, "members overlap"),
    "absolute": (renamed(b"/raph.txt"), "'/raph.txt' is not a plain relative path"),
    "dot dot": (renamed(b"a/../b.tx"), "'a/../b.tx' is not a plain relative path"),
    "backslash": (renamed(b"a\\..\\b.tx"), "is not a plain relative path"),
    "drive": (renamed(b"c:/ph.txt"), "is not a plain relative path"),
    "a control character": (renamed(b"graph\ntxt"), "is not a plain relative path"),
    "zero byte": (renamed(b"graph\0txt"), "is not a plain relative path"),
    "not ASCII": (renamed(b"graph\xfftxt"), "which is not ASCII"),
    "an unknown member": (lambda d: central(46, "<B", ord("G"))(local(30, "<B", ord("G"))(d)),
                          "has no member 'graph.txt', which the manifest names"),
    "twice": (lambda d: d.replace(b"runner/golden.pyc", b"runner/format.pyc"),
              "'runner/format.pyc' is there twice"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_named(fault, model_art, tmp_path):
    damage, words = FAULTS[fault]
    path = tmp_path / "damaged.art"
    with open(model_art, "rb") as file:
        path.write_bytes(damage(file.read()))
    with pytest.raises(ArtifactError) as caught:
        load(path, trust=True)
    assert words in str(caught.value) and str(path) in str(caught.value)


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_written_by_others(compression, model_art, tmp_path):
    path = tmp_path / "a.art"
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, data in members_of(model_art).items():
            file.writestr(name, data)
    with pytest.raises(ArtifactError, match=r"'manifest.json' is compressed"):
        load(path, trust=True)


def test_stored_by_others_and_with_a_duplicate(model_art, tmp_path):
    path = tmp_path / "a.art"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        for name, data in members_of(model_art).items():
            file.writestr(name, data)
    assert load(path, trust=True).verify() < 1e-6  # alignment is speed, not meaning
    with warnings.catch_warnings(), zipfile.ZipFile(path, "a") as file:
        warnings.simplefilter("ignore")
        file.writestr(GRAPH, "other")
    with pytest.raises(ArtifactError, match=r"'graph.txt' is there twice"):
        load(path, trust=True)


def test_a_member_that_the_manifest_does_not_name(model_art, tmp_path):
    held = {**members_of(model_art), "more.txt": b"more"}
    path = tmp_path / "a.art"
    path.write_bytes(b"".join(stored_zip(held)))
    with pytest.raises(ArtifactError, match=r"'more.txt', which the manifest does not name"):
        load(path, trust=True)


def test_a_folder_and_a_missing_file(tmp_path):
    with pytest.raises(ArtifactError, match="cannot be read: Is a directory"):
        Archive(str(tmp_path))
    with pytest.raises(ArtifactError, match="cannot be read: No such file"):
        Archive(str(tmp_path / "none"))


@pytest.mark.parametrize("name", ["native/x86_64-linux/program.so", "runner/session.py",
                                  "__main__.py", "weights.safetensors", "golden.safetensors"])
def test_an_altered_member_does_not_run(name, model_art, tmp_path):
    start, size = Archive(model_art).members[name]
    path = tmp_path / "altered.art"
    with open(model_art, "rb") as file:
        data = bytearray(file.read())
    data[start + size // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ArtifactError, match=f"'{name}' is not what the manifest says"):
        load(path, trust=True)
    if name.endswith("safetensors"):  # the caller may leave data out, never code
        load(path, trust=True, verify="code")
    else:
        with pytest.raises(ArtifactError, match="is not what the manifest says"):
            load(path, trust=True, verify="code")


def test_an_altered_manifest_is_noticed(model_art, tmp_path):
    with open(model_art, "rb") as file:
        data = file.read()
    path = tmp_path / "altered.art"
    path.write_bytes(data.replace(b'"max": 64', b'"max": 96'))
    with pytest.raises(ArtifactError, match=r"'manifest.json' is damaged: its CRC differs"):
        load(path, trust=True)


@pytest.fixture(scope="module")
def small(model_art, tmp_path_factory):
    """The model for this machine alone, its bytes, and what it gives."""
    members = members_of(model_art)
    del members["native/aarch64-linux/program.so"]
    path = tmp_path_factory.mktemp("small") / "small.art"
    manifest = json.loads(members.pop("manifest.json"))
    del manifest["targets"]["aarch64-linux"]
    del manifest["members"]["native/aarch64-linux/program.so"]
    path.write_bytes(b"".join(stored_zip({"manifest.json": json.dumps(manifest).encode(),
                                          **members})))
    x = np.linspace(-2, 2, 40, dtype=np.float32).reshape(5, 8)
    return path.read_bytes(), x, load(path, trust=True)(x)


def mutated(data: bytes, random_: random.Random) -> bytes:
    """One to four flipped bytes (half of the time in what is parsed), or a piece cut out."""
    parsed = [(0, 8000), (len(data) - 4000, len(data))]
    if random_.random() < 0.2:
        at = random_.randrange(len(data))
        return data[:at] + data[at + random_.randrange(1, 5000):]
    changed = bytearray(data)
    for _ in range(random_.randint(1, 4)):
        low, high = random_.choice([*parsed, (0, len(data)), (0, len(data))])
        changed[random_.randrange(low, high)] ^= random_.randrange(1, 256)
    return bytes(changed)


@pytest.mark.parametrize("seed", range(10))
def test_random_damage_is_an_error_or_does_not_matter(seed, small, tmp_path):
    data, x, wanted = small
    random_ = random.Random(seed)
    refused = 0
    for k in range(50):
        path = tmp_path / f"{k}.art"
        path.write_bytes(mutated(data, random_))
        try:
            found = load(path, trust=True)(x)
        except ArtifactError as error:
            assert str(path) in str(error)
            refused += 1
        else:
            np.testing.assert_array_equal(found, wanted)
        path.unlink()
    assert refused > 25


def test_without_trust_no_code_runs(model_art, monkeypatch):
    from export.runner import native

    monkeypatch.setattr(native, "load", lambda *a: pytest.fail("native code was loaded"))
    with pytest.raises(ArtifactError, match=r"holds native code.*trust=True.*--trust"):
        load(model_art)


def test_another_machine(model_art, tmp_path, monkeypatch):
    from export.runner import native

    monkeypatch.setattr(native, "target_here", lambda: "riscv64-linux")
    with pytest.raises(ArtifactError, match=r"holds code for aarch64-linux, x86_64-linux, and this "
                                            r"is riscv64-linux"):
        load(model_art, trust=True)

    def none_inside(manifest):
        manifest["targets"] = {}

    path = rebuilt(model_art, tmp_path / "a.art", manifest=none_inside)
    with pytest.raises(ArtifactError, match="holds code for no machine"):
        load(path, trust=True)


def test_code_that_is_none(model_art, tmp_path):
    path = rebuilt(model_art, tmp_path / "a.art",
                   members={"native/x86_64-linux/program.so": b"\x7fELF" + bytes(100),
                            "native/aarch64-linux/program.so": b"\x7fELF" + bytes(100)})
    with pytest.raises(ArtifactError, match="the native code cannot be loaded"):
        load(path, trust=True)


def test_a_temporary_folder_where_there_is_no_memory_file(model_art, x, monkeypatch, tmp_path):
    import os
    import tempfile

    from export.runner import native

    wanted = load(model_art, trust=True)(x)
    monkeypatch.setattr(native, "_loaded", {})
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def denied(name, flags=0):
        raise OSError(1, "not permitted")

    monkeypatch.setattr(os, "memfd_create", denied)
    np.testing.assert_array_equal(load(model_art, trust=True)(x), wanted)
    assert not list(tmp_path.iterdir())


def test_a_copy_is_the_same(model_art, x, tmp_path):
    copy = shutil.copy(model_art, tmp_path / "copy.art")
    np.testing.assert_array_equal(load(copy, trust=True)(x), load(model_art, trust=True)(x))
