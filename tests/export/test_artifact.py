"""What is written: an ordinary zip, aligned, reproducible, whole or not at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load

import eager
import export
import jit
from export import ArtifactError
from tests.export.surgery import members_of


def test_a_zip_that_others_read(model_art):
    with zipfile.ZipFile(model_art) as file:
        assert file.testzip() is None
        assert {i.compress_type for i in file.infolist()} == {zipfile.ZIP_STORED}
        assert set(file.namelist()) >= {
            "manifest.json", "graph.txt", "weights.safetensors", "golden.safetensors",
            "__main__.py", "native/x86_64-linux/program.so", "native/aarch64-linux/program.so",
            "runner/__init__.py", "runner/session.py"}
        assert {i.date_time for i in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_offsets(model_art):
    from export.runner.archive import Archive

    archive = Archive(model_art)
    for name, (start, _) in archive.members.items():
        mapped = name.startswith("native/") or name == "weights.safetensors"
        assert start % (4096 if mapped else 64) == 0, name


def test_tensors_start_at_cache_lines_and_safetensors_reads_them(model_art, tally_art, tmp_path):
    members = members_of(tally_art)
    weights = load(members["weights.safetensors"])
    np.testing.assert_array_equal(weights["state.total"], [1.0, 2.0, 3.0])
    golden = load(members["golden.safetensors"])
    np.testing.assert_array_equal(golden["input.x"], np.ones(3, np.float32))
    np.testing.assert_array_equal(golden["output.output0"], [4.0, 6.0, 8.0])
    assert golden["output.output1"].shape == () and golden["output.output1"] == 3.0
    data = members_of(model_art)["weights.safetensors"]
    header = int.from_bytes(data[:8], "little")
    rows = json.loads(data[8:8 + header])
    assert (8 + header) % 64 == 0
    assert all(r["data_offsets"][0] % 64 == 0 for n, r in rows.items() if "padding" not in n)
    (tmp_path / "w").write_bytes(data)
    with safe_open(tmp_path / "w", "numpy") as file:
        assert "weights" in set(file.keys())


def test_manifest_says_what_is_inside(model_art):
    manifest = json.loads(members_of(model_art)["manifest.json"])
    assert (manifest["format"], manifest["abi"]) == (1, 1)
    assert set(manifest["producer"]) == {"eager-jit", "numba", "llvmlite", "numpy"}
    assert manifest["targets"]["x86_64-linux"]["levels"] == ["v2", "v3", "v4"]
    entry = manifest["entries"]["main"]
    assert [(p["name"], p["dtype"], p["shape"]) for p in entry["inputs"]] == [
        ("input", "f32", ["B", 8])]
    assert entry["dims"] == [{"name": "B", "min": 1, "max": 64}]
    assert entry["in_spec"]["kind"] == "tuple" and entry["out_spec"] == "leaf"


def test_constants_without_a_name_and_a_weight_in_two_layouts(tmp_path):
    weight = eager.randn(3, 3)

    def fn(x):
        return x @ weight + weight + eager.tensor([1.0, 2.0, 3.0]) * eager.tensor([4.0, 5.0, 6.0])

    program = jit.trace(fn, (eager.ones(3, 3),))
    names = [w.name for w in program.layout.weights]
    assert len(set(names)) == len(names) > 2 and "" not in names
    export.save(program, tmp_path / "file.art", targets=("x86_64-linux",), levels=("v2",))
    loaded = export.runner.load(tmp_path / "file.art", trust=True)
    x = np.ones((3, 3), np.float32)
    np.testing.assert_allclose(np.asarray(loaded(x)), fn(eager.tensor(x)).numpy(), rtol=1e-6)


def test_same_program_same_bytes(model, model_art, tmp_path):
    again = tmp_path / "again.art"
    export.save(model[1], again)
    with open(model_art, "rb") as file:
        assert file.read() == again.read_bytes()


def test_runner_bytes_do_not_depend_on_the_process():
    code = ("import hashlib; from export.artifact import runner_members; "
            "print(hashlib.sha256(repr(sorted(runner_members().items())).encode()).hexdigest())")
    found = {subprocess.run([sys.executable, "-c", code], check=True, capture_output=True,
                            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.getcwd()},
                            text=True).stdout for seed in ("1", "2", "3")}
    assert len(found) == 1


@pytest.mark.parametrize("options, words", [
    ({"targets": ("sparc-linux",)}, "targets are some of x86_64-linux, aarch64-linux"),
    ({"targets": ()}, "targets are some of"),
    ({"targets": "x86_64-linux"}, "targets are some of"),
    ({"levels": ("v5",)}, "levels are some of v2, v3, v4"),
])
def test_unknown_targets_and_levels(model, tmp_path, options, words):
    with pytest.raises(ArtifactError, match=words):
        export.save(model[1], tmp_path / "a.art", **options)
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_nothing(model, tmp_path, monkeypatch):
    path = tmp_path / "a.art"
    path.write_bytes(b"old")

    def full(a, b):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ArtifactError, match="cannot be written: No space left"):
        export.save(model[1], path)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("umask, mode", [(0o022, 0o755), (0o077, 0o700)])
def test_the_umask_says_who_may_read_it(umask, mode, model, tmp_path):
    before = os.umask(umask)
    try:
        export.save(model[1], tmp_path / "a.art")
    finally:
        os.umask(before)
    assert (tmp_path / "a.art").stat().st_mode & 0o777 == mode


WITHOUT_TOOLS = """
import shutil, sys
import eager, export, jit
assert not any(map(shutil.which, ("cc", "gcc", "clang", "ld", "as", "ld.lld", "zig")))
layer = eager.nn.Linear(3, 2)
export.save(jit.trace(layer, (eager.ones(4, 3),)), sys.argv[1])
"""


def test_no_compiler_is_needed(tmp_path):
    """With nothing on the PATH, and nothing that was compiled before."""
    (tmp_path / "bin").mkdir()
    env = {"PATH": str(tmp_path / "bin"), "PYTHONPATH": os.getcwd(),
           "EAGER_JIT_CACHE": str(tmp_path / "cache")}
    path = str(tmp_path / "a.art")
    subprocess.run([sys.executable, "-c", WITHOUT_TOOLS, path], env=env, check=True)
    done = subprocess.run([sys.executable, "-I", "-S", path, "--verify"], env=env, check=True,
                          capture_output=True, text=True)
    assert done.stdout.startswith("the example is reproduced within ")


def test_a_folder_that_is_not_there(model, tmp_path):
    with pytest.raises(ArtifactError, match="cannot be written: No such file"):
        export.save(model[1], tmp_path / "no" / "a.art")
    with pytest.raises(ArtifactError, match="cannot be written: "):
        export.save(model[1], tmp_path)
    assert not list(tmp_path.iterdir())


def test_four_gibibytes_are_refused(monkeypatch):
    from export import artifact

    monkeypatch.setattr(artifact, "_MOST", 1000)
    with pytest.raises(ArtifactError, match="at most 4 GiB"):
        artifact.stored_zip({"a": bytes(500), "b": bytes(501)})
