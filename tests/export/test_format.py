"""The manifest and safetensors headers: what is not of the form is refused, and nothing else."""

from __future__ import annotations

import copy
import json
import random

import numpy as np
import pytest

from export.artifact import safetensors
from export.runner import ArtifactError, strictjson
from export.runner.format import check_manifest, evaluate, shape_words
from export.runner.tensors import read_safetensors
from tests.export.surgery import members_of


@pytest.fixture(scope="module")
def manifest(pick_art, model_art):
    """A manifest with every kind of row."""
    found = json.loads(members_of(model_art)["manifest.json"])
    places = json.loads(members_of(pick_art)["manifest.json"])["entries"]["main"]["places"]
    main = found["entries"]["main"]
    main["places"] = places
    main["state"] = [{"name": "s", "dtype": "i64", "shape": [2], "role": "buffer"}]
    assert all(main[k] for k in ("dims", "inputs", "outputs", "state", "weights", "places"))
    return found


def at(tree, path):
    for key in path:
        tree = tree[key]
    return tree


def edited(manifest, path, value):
    found = copy.deepcopy(manifest)
    at(found, path[:-1])[path[-1]] = value
    return json.dumps(found).encode()


MAIN = ("entries", "main")
FAULTS = [
    (("format",), 2, r"has format 2, this runner reads 1; use the runner of the version"),
    (("format",), True, "has format True"),
    (("abi",), "1", "has abi '1', this runner reads 1"),
    (("producer",), None, "producer is missing or no dict"),
    (("producer", "numba"), 1, "version of 'numba' is missing or no str"),
    (("members",), [], "members is missing or no dict"),
    (("members", "graph.txt", "size"), -1, "size of 'graph.txt' is no size: -1"),
    (("members", "graph.txt", "size"), 1.0, "is no size: 1.0"),
    (("members", "graph.txt", "sha256"), "00", "is no SHA-256"),
    (("entries",), {}, "there is no entry point 'main'"),
    ((*MAIN, "dims", 0, "min"), 65, "dim 'B' has min 65 above max 64"),
    ((*MAIN, "dims", 0, "max"), 1 << 60, "max of a dim is no size"),
    ((*MAIN, "dims", 0, "name"), "C", "names the dim 'B', which is not declared"),
    ((*MAIN, "inputs", 0, "shape"), [3, 8], "no input has dim 'B' as a size"),
    ((*MAIN, "inputs", 0, "dtype"), "f16", "'input' has the unknown dtype 'f16'"),
    ((*MAIN, "inputs", 0, "dtype"), ["f32"], "dtype of 'input' is missing or no str"),
    ((*MAIN, "inputs", 0, "shape"), "B", "shape of 'input' is missing or no list"),
    ((*MAIN, "inputs", 0, "shape"), [1] * 99, "'input' has 99 dims"),
    ((*MAIN, "inputs", 0, "shape", 1), 1 << 50, "is out of range"),
    ((*MAIN, "inputs", 0, "shape", 1), None, "a size is a number, a dim, or"),
    ((*MAIN, "inputs", 0, "shape", 1), True, "a size is a number, a dim, or"),
    ((*MAIN, "arena"), ["^", 2, "B"], "a size is a number, a dim, or"),
    ((*MAIN, "arena"), ["+", 2], "a size is a number, a dim, or"),
    ((*MAIN, "arena"), [["+"], 2, 3], "a size is a number, a dim, or"),
    ((*MAIN, "state", 0, "shape", 0), "B", "names the dim 'B'"),
    ((*MAIN, "weights_size"), 10, "lies behind the weights"),
    ((*MAIN, "places", 0), "gather", "a place is missing or no dict"),
    ((*MAIN, "places", 0, "location"), None, "location of a place is missing"),
    (("targets",), None, "targets is missing"),
    (("targets", "x86_64-linux", "member"), "golden.safetensors", "which is no native code"),
    (("targets", "x86_64-linux", "member"), "native/none.so", "which is no native code"),
    (("targets", "x86_64-linux", "levels"), [2], "a level of target 'x86_64-linux'"),
]


@pytest.mark.parametrize("path, value, words", FAULTS, ids=lambda x: str(x)[:40])
def test_each_fault_of_a_manifest_is_named(manifest, path, value, words):
    check_manifest(json.dumps(manifest).encode())
    with pytest.raises(ArtifactError, match=words):
        check_manifest(edited(manifest, path, value))


def test_a_name_twice(manifest):
    found = copy.deepcopy(manifest)
    found["entries"]["main"]["inputs"] *= 2
    with pytest.raises(ArtifactError, match="inputs has 'input' twice"):
        check_manifest(json.dumps(found).encode())


@pytest.fixture(params=["scanner", "module"])
def parser(request, monkeypatch):
    """Both ways to read JSON."""
    if request.param == "module":
        monkeypatch.setattr(strictjson, "_from_scanner", lambda: None)
    else:
        assert strictjson._from_scanner() is not None
        monkeypatch.setattr(strictjson, "_from_module", lambda: pytest.fail("json was imported"))


@pytest.mark.parametrize("text, words", [
    (b"", "is no JSON"), (b"{", "is no JSON"), (b"[]", "is no JSON object"),
    (b"\xff", "is no JSON"), (b'{"format": 1, "format": 1}', "a key is there twice"),
    (b"[" * 100_000, "is no JSON"), (b'{"format": ' + b"9" * 5000 + b"}", "is no JSON"),
    (b'{"a": NaN}', "NaN is no number"), (b'{"a": -Infinity}', "-Infinity is no number"),
    (b"{} {}", "is no JSON"), (b"{}x", "is no JSON"), (b'{"a": "\n"}', "is no JSON"),
    (b'{"a": 01}', "is no JSON"), (b"{'a': 1}", "is no JSON"), (b'{"a": }', "is no JSON"),
    (b"\xef\xbb\xbf{}", "is no JSON"), (b"nul", "is no JSON"),
])
def test_what_is_no_json(text, words, parser):
    with pytest.raises(ArtifactError, match=words):
        check_manifest(text)


def test_what_is_json(parser):
    text = ' {"a": [1, -2.5e3, true, null, "\\u00e9\\n"], "b": {"": {}}} \n'
    assert strictjson.parse_json(text.encode(), "it") == json.loads(text)


def places_of(tree, path=()):
    """The paths of everything in a tree."""
    if path:
        yield path
    rows = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(
        tree, list) else ()
    for key, value in rows:
        yield from places_of(value, (*path, key))


JUNK = [None, -1, 0, 1 << 70, 1.5, True, "", "x", [], {}, [[]], ["*", "B", "B"], {"a": []}]


def test_junk_anywhere_in_a_manifest(manifest):
    """Refused, or of a kind that the runner does not look at; never another exception."""
    refused = 0
    for path in places_of(manifest):
        for junk in JUNK:
            try:
                check_manifest(edited(manifest, path, junk))
            except ArtifactError:
                refused += 1
    assert refused > 1000


def test_a_deep_size(manifest):
    size: object = 1
    for depth in range(40):
        if depth == 32:
            check_manifest(edited(manifest, (*MAIN, "arena"), size))
        size = ["+", 1, size]
    with pytest.raises(ArtifactError, match="nested 32 deep at most"):
        check_manifest(edited(manifest, (*MAIN, "arena"), size))


def test_sizes():
    dims = {"B": 5, "S": 3}
    assert evaluate(["-", ["*", "B", ["//", "S", 2]], ["%", "B", 3]], dims) == 3
    assert shape_words([1, "B", ["*", 2, ["+", "S", 1]]]) == "[1, B, (2 * (S + 1))]"
    for size, words in ((["//", 1, ["-", "B", 5]], "divides by zero"), (["-", 1, "B"], "is -4"),
                        (["*", ["*", 1 << 30, 1 << 30], "B"], "where B = 5")):
        with pytest.raises(ArtifactError, match=words):
            evaluate(size, dims)


# --- safetensors -------------------------------------------------------------------------------
def safetensors_file(header, body: bytes = bytes(16)) -> memoryview:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return memoryview(len(text).to_bytes(8, "little") + text + body)


def row(start=0, stop=16, dtype="F32", shape=(4,)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, stop]}


@pytest.mark.parametrize("data, words", [
    (memoryview(b"123"), "too short"),
    (memoryview((1 << 40).to_bytes(8, "little")), "more than there are"),
    (safetensors_file(b"{"), "is no JSON"),
    (safetensors_file([]), "is no JSON object"),
    (safetensors_file({"a": 1}), "tensor 'a' has a malformed entry"),
    (safetensors_file({"a": {"dtype": "F32"}}), "malformed entry"),
    (safetensors_file({"a": row(dtype="F16")}), "malformed entry"),
    (safetensors_file({"a": row(dtype=[])}), "malformed entry"),
    (safetensors_file({"a": row(shape=(3,))}), r"f32 \[3\] is not bytes 0 to 16"),
    (safetensors_file({"a": row(shape=(-4, -1))}), "is not bytes"),
    (safetensors_file({"a": row(shape=(4, *[1] * 32))}), "is not bytes"),
    (safetensors_file({"a": row(shape=(True, 4))}), "is not bytes"),
    (safetensors_file({"a": row(0, 32, shape=(8,))}), "is not bytes 0 to 32 of 16"),
    (safetensors_file({"a": row(16, 0)}), "is not bytes"),
    (safetensors_file({"a": row(-16, 0)}), "is not bytes"),
    (safetensors_file({"a": row(), "b": row()}), "tensors overlap"),
    (safetensors_file({"a": row(8, 16, shape=(2,))}), "bytes 0 to 8 are no tensor"),
    (safetensors_file({"a": row(0, 8, shape=(2,))}), "bytes 8 to 16 are no tensor"),
])
def test_each_fault_of_safetensors_is_named(data, words):
    with pytest.raises(ArtifactError, match=words):
        read_safetensors(data, "file")


ARRAYS = {
    "f": np.arange(6, dtype=np.float32).reshape(2, 3), "d": np.float64(2.5).reshape(()),
    "b": np.array([True, False]), "l": np.array([[1 << 40]]), "none": np.zeros((0, 3), np.int16),
    "t": np.arange(6, dtype=np.int32).reshape(2, 3).T, "u": np.array([255], np.uint8),
    "i": np.array([-128], np.int8),
}


def test_safetensors_of_every_dtype():
    found = read_safetensors(memoryview(safetensors(ARRAYS)), "file")
    for name, array in ARRAYS.items():
        assert found[name].tolist() == array.tolist()
        assert np.asarray(found[name]).dtype == array.dtype
        assert np.asarray(found[name]).shape == array.shape


@pytest.mark.parametrize("seed", range(4))
def test_random_damage_of_safetensors(seed):
    data, random_ = safetensors(ARRAYS), random.Random(seed)
    header = 8 + int.from_bytes(data[:8], "little")
    for _ in range(200):
        changed = bytearray(data)
        for _ in range(random_.randint(1, 3)):
            changed[random_.randrange(header)] = random_.randrange(256)
        try:
            for array in read_safetensors(memoryview(changed), "file").values():
                assert array.memory.nbytes == np.asarray(array).nbytes
        except ArtifactError:
            pass
