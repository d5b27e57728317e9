"""``save`` and ``load``: what goes in comes out, and files that lie are refused."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eager
from eager import nn, optim
from eager.files import load, save
from eager.ops.errors import OpError

ROOT = Path(__file__).parents[2]


def again(value: Any) -> Any:
    buffer = io.BytesIO()
    save(value, buffer)
    buffer.seek(0)
    return load(buffer)


def test_a_checkpoint_resumes(tmp_path: Path) -> None:
    model = nn.Linear(3, 2)
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    model(eager.ones(4, 3)).sum().backward()
    optimizer.step()
    path = tmp_path / "checkpoint"
    save({"model": model.state_dict(), "optim": optimizer.state_dict(), "epoch": 3}, path)
    found = load(path, map_location="cpu")
    other = nn.Linear(3, 2)
    other.load_state_dict(found["model"])
    resumed = optim.Adam(other.parameters(), lr=9.0)
    resumed.load_state_dict(found["optim"])
    assert eager.equal(other.weight, model.weight) and found["epoch"] == 3
    assert resumed.state[other.weight]["step"].item() == 1 and float(
        resumed.param_groups[0]["lr"]) == 0.1
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint"]


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int16", "int32", "int64", "float16",
                                   "bfloat16", "float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3)])
def test_every_dtype(dtype: str, shape: tuple[int, ...]) -> None:
    t = eager.tensor(np.arange(int(np.prod(shape))).reshape(shape) % 2, dtype=dtype)
    found = again({"t": t, "u": t})
    assert found["t"].dtype is t.dtype and tuple(found["t"].shape) == shape
    assert found["t"].numpy().tobytes() == t.numpy().tobytes() and found["u"] is found["t"]
    found["t"].numpy()[...] = 1  # what was loaded may be written to


def test_containers_and_plain_values() -> None:
    value = OrderedDict([("a", [1, (2.5, None)]), (3, {"x": float("-inf"), "y": "\n"}),
                         ("c", 1 + 2j), ("b", b"\x00"), ("s", {1, 2}), ("d", eager.float16),
                         ("n", 10**30), ((1, 2), True), ("tensor", {"tensor": 1})])
    found = again(value)
    assert found == value and type(found) is OrderedDict and list(found) == list(value)
    assert type(found["a"][1]) is tuple and found["d"] is eager.float16
    p = again([nn.Parameter(eager.ones(2)), eager.ones(2, requires_grad=True), np.ones(2)])
    assert isinstance(p[0], nn.Parameter) and p[1].requires_grad and type(p[2]) is np.ndarray
    assert again(eager.ones(3).t()).tolist() == [1, 1, 1]


def test_names_that_meet_are_kept_apart() -> None:
    found = again({"a": {"b": eager.zeros(1)}, "a.b": eager.ones(1)})
    assert found["a"]["b"].item() == 0 and found["a.b"].item() == 1


def test_the_safetensors_library_reads_it_and_is_read(tmp_path: Path) -> None:
    numpy = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "model.safetensors"
    save(nn.Linear(3, 2).state_dict(), path)
    assert {k: v.shape for k, v in numpy.load_file(path).items()} == {
        "weight": (2, 3), "bias": (2,)}
    arrays = {"x": np.arange(6, dtype=np.int16).reshape(2, 3), "flag": np.array([True]),
              "y": np.ones(3, np.float16)}
    numpy.save_file(arrays, path)
    found = load(path)
    assert set(found) == set(arrays)
    for name, array in arrays.items():
        assert found[name].numpy().dtype == array.dtype and (found[name].numpy() == array).all()


def test_what_cannot_be_saved() -> None:
    loop: list[Any] = []
    loop.append(loop)
    for value, words in (({"m": nn.Linear(1, 1)}, r"m is a Linear, .* its state_dict\(\)"),
                         (loop, "contains itself"), ({eager.ones(1): 1}, "is a tensor"),
                         ([len], "0 is a builtin_function_or_method")):
        with pytest.raises(OpError, match=words):
            again(value)


def test_a_failed_save_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    save({"a": 1}, path)
    with pytest.raises(OpError):
        save({"a": object()}, path)
    assert load(path) == {"a": 1} and len(list(tmp_path.iterdir())) == 1


def forged(header: Any, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


@pytest.mark.parametrize(("blob", "words"), [
    (b"", "neither"), (b"\xff" * 40, "neither"), (forged(b"{"), "damaged"),
    (forged({"x": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}, b"1234"), "fit"),
    (forged({"x": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}, b"1234"), "fit"),
    (forged({"x": {"dtype": "F8_E5M2", "shape": [1], "data_offsets": [0, 1]}}, b"1"), "F8_E5M2"),
    (forged({"__metadata__": {"format": "eager", "structure": '{"run": 1}'}}), "structure"),
    (b"PK\x03\x04", "zip is damaged")])
def test_damaged_files(blob: bytes, words: str) -> None:
    with pytest.raises(OpError, match=words):
        load(io.BytesIO(blob))


def test_settings_that_are_refused() -> None:
    for settings, words in (({"map_location": "cuda"}, "live on the cpu"),
                            ({"weights_only": False}, "would run code")):
        with pytest.raises(OpError, match=words):
            load(io.BytesIO(b""), **settings)


# --- zips of torch, written by hand ----------------------------------------------------------
def zipped(description: bytes, compress: int = zipfile.ZIP_STORED, **records: bytes) -> Any:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compress) as archive:
        archive.writestr("a/data.pkl", description)
        for key, raw in records.items():
            archive.writestr(f"a/data/{key[1:]}", raw)
    buffer.seek(0)
    return buffer


def floats(count: int, offset: int, size: int, stride: int) -> bytes:
    """``_rebuild_tensor_v2(storage "0" of count floats, ...)`` in protocol 0's words."""
    return (b"ctorch._utils\n_rebuild_tensor_v2\n((S'storage'\nctorch\nFloatStorage\n"
            b"S'0'\nS'cpu'\nI%d\ntQI%d\n(I%d\nt(I%d\ntI00\nNtR." % (count, offset, size, stride))


def test_a_tensor_by_hand() -> None:
    raw = np.arange(4, dtype=np.float32).tobytes()
    assert load(zipped(floats(4, 1, 2, 2), _0=raw)).tolist() == [1, 3]


@pytest.mark.parametrize(("file", "words"), [
    (zipped(b"cposix\nsystem\n(S'true'\ntR."), r"posix\.system, which could run code"),
    (zipped(b"cbuiltins\neval\n(S'1'\ntR."), r"builtins\.eval"),
    (zipped(b"ctorch\nfloat32\n(lp0\nb."), "sets attributes of a DType"),
    (zipped(b"N.", zipfile.ZIP_DEFLATED), "is compressed"),
    (zipped(b"I1"), "damaged"),
    (zipped(floats(4, 0, 4, 1), _0=b"1234"), "has 4 bytes, wanted 16"),
    (zipped(floats(1, 0, 2, 1), _0=b"1234"), "reaches out"),
    (zipped(floats(1, -1, 1, 1), _0=b"1234"), "reaches out"),
    (zipped(floats(1, 0, 1, 1)), "has no data/0")])
def test_zips_that_lie(file: Any, words: str) -> None:
    with pytest.raises(OpError, match=words):
        load(file)


def test_one_module_reads_pickles_and_none_writes_them() -> None:
    users = {f.relative_to(ROOT).as_posix() for top in ("eager", "jit", "export")
             for f in (ROOT / top).rglob("*.py")
             if re.search(r"^\s*(import|from) pickle", f.read_text(), re.M)}
    assert users == {"eager/files/torch_zip.py"}
