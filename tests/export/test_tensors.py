"""Arrays of the runner, and .npy files, against NumPy."""

from __future__ import annotations

import array
import io

import numpy as np
import pytest

from export.runner import Array, ArtifactError
from export.runner.tensors import read_npy, write_npy

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float32", "float64"]
SHAPES = [(), (1,), (3,), (2, 3), (2, 1, 3), (0,), (0, 3)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_npy_files_are_numpys(dtype, shape, tmp_path):
    wanted = np.arange(np.prod(shape, dtype=int)).astype(dtype).reshape(shape)
    np.save(tmp_path / "a.npy", wanted)
    found = read_npy(str(tmp_path / "a.npy"))
    assert found.tolist() == wanted.tolist()
    found.save(str(tmp_path / "b.npy"))
    again = np.load(tmp_path / "b.npy")
    assert (again.dtype, again.shape) == (wanted.dtype, wanted.shape)
    np.testing.assert_array_equal(again, wanted)
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()


def npy(array_, version=None) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array_, version)
    return file.getvalue()


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version(version, tmp_path):
    (tmp_path / "a.npy").write_bytes(npy(np.arange(6.0).reshape(2, 3), version))
    assert read_npy(str(tmp_path / "a.npy")).tolist() == [[0, 1, 2], [3, 4, 5]]


PLAIN = npy(np.arange(6.0).reshape(2, 3))


@pytest.mark.parametrize("data, words", [
    (b"", "is no .npy file"), (b"PK\3\4" * 10, "is no .npy file"),
    (npy(np.arange(6.0).reshape(2, 3).T), r"column by column; save np.ascontiguousarray\(x\)"),
    (npy(np.zeros(2, ">f4")), "dtype '>f4' is not supported; there are bool, uint8"),
    (npy(np.zeros(2, np.float16)), "dtype '<f2' is not supported"),
    (npy(np.zeros(2, [("a", "f4")])), "damaged, or of a structured dtype"),
    (PLAIN[:-1], r"float64 \[2, 3\] has 48 bytes, the buffer has 47"),
    (PLAIN + b"x", "the buffer has 49"),
    (PLAIN.replace(b"descr", b"descx"), "header is damaged"),
    (PLAIN.replace(b"False", b"Fals_"), "header is damaged"),
    (PLAIN.replace(b"(2, 3)", b"(2, x)"), "header is damaged"),
    (PLAIN.replace(b"(2, 3)", b"(-2,3)"), "there is no array of f64"),
    (PLAIN[:10] + bytes(10), "header is damaged"),
])
def test_each_fault_of_a_npy_file_is_named(data, words, tmp_path):
    path = tmp_path / "a.npy"
    path.write_bytes(data)
    with pytest.raises(ArtifactError, match=words) as caught:
        read_npy(str(path))
    assert str(path) in str(caught.value)


def test_files_that_cannot_be(tmp_path):
    with pytest.raises(ArtifactError, match="cannot be read: No such file"):
        read_npy(str(tmp_path / "none.npy"))
    with pytest.raises(ArtifactError, match="cannot be written: No such file"):
        write_npy(str(tmp_path / "none" / "a.npy"), Array("f32", (0,), b""))


def test_an_array():
    a = Array("float32", (2, 3), array.array("f", range(6)))
    assert (a.dtype, a.shape, a.format, len(a)) == ("f32", (2, 3), "f", 2)
    assert a.tolist() == [[0, 1, 2], [3, 4, 5]] == a.view.tolist()
    assert a.view.shape == (2, 3) and a.view.format == "f" and a.view[1, 2] == 5
    assert repr(a) == "Array(float32, [2, 3], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0])"
    seen = np.asarray(a)
    seen[1, 2] = 7  # the same memory
    assert a.tolist()[1][2] == 7
    empty = Array("i64", (0, 2), b"")
    assert empty.tolist() == [] and empty.view.tolist() == [] and np.asarray(empty).shape == (0, 2)
    assert repr(Array("bool", (9,), bytes(9))).endswith("False, ...])")


def test_a_number():
    a = Array("i32", (), np.int32(5))
    assert a.tolist() == 5 and np.asarray(a) == 5
    with pytest.raises(TypeError, match="no length"):
        len(a)


@pytest.mark.parametrize("dtype, shape, memory, words", [
    ("f32", (2,), b"1234567", "float32 \\[2\\] has 8 bytes, the buffer has 7"),
    ("f32", (2, 2), b"", "the buffer has 0"),
    ("f16", (1,), b"12", "there is no array of f16"),
    ("f32", (-1, -1), b"1234", "there is no array"),
])
def test_no_array_reaches_past_its_memory(dtype, shape, memory, words):
    with pytest.raises(ArtifactError, match=words):
        Array(dtype, shape, memory)
