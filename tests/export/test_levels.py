"""The runner gives the compiled program's bits at every level, for any number of threads."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

import eager
from export import runner
from export.runner import ArtifactError
from jit.program import Program
from jit.targets.isa import host_levels

BATCHES = (0, 1, 3, 64)
X86 = pytest.mark.skipif("v2" not in host_levels(), reason="levels are of x86-64")


def run_file(path: str, x: np.ndarray, tmp_path, *before: str, **environment: str):
    """A process that is given the artifact itself and no packages."""
    np.save(tmp_path / "x.npy", x)
    done = subprocess.run(
        [*before, sys.executable, "-I", "-S", path, "--input", str(tmp_path / "x.npy"), "--output",
         str(tmp_path / "y.npy")], env={**os.environ, **environment}, capture_output=True, text=True)
    return done, np.load(tmp_path / "y.npy") if done.returncode == 0 else None


@pytest.fixture(scope="module", params=host_levels())
def level(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def program(network, level) -> Program:
    return Program(network.program.traced, level=level)


@pytest.mark.parametrize("threads", ["1", "3"])
@pytest.mark.parametrize("batch", BATCHES)
def test_runner_is_compiled_bit_for_bit(network, program, level, batch, threads, tmp_path):
    x = network.batch(batch)
    done, found = run_file(network.path, x, tmp_path, EAGER_JIT_LEVEL=level,
                           EAGER_JIT_THREADS=threads)
    assert found is not None, done.stderr
    network.check(x, found)
    compiled = program(eager.from_numpy(x)).numpy()
    assert (found.dtype, found.shape) == (compiled.dtype, compiled.shape)
    assert found.tobytes() == compiled.tobytes()


@pytest.mark.parametrize("batch", BATCHES)
def test_numpy_in_and_out(network, batch):
    x = network.batch(batch)
    found = runner.load(network.path, trust=True)(x)
    assert found.tobytes() == network.program(eager.from_numpy(x)).numpy().tobytes()
    network.check(x, found)


@X86
def test_the_file_chooses_by_the_cpu_it_meets(network, tmp_path):
    """On an emulated CPU without AVX it gives what the level v2 gives, and below v2 it refuses."""
    emulator = shutil.which("qemu-x86_64")
    if emulator is None:
        pytest.skip("no other CPU is emulated: apt-get install qemu-user")
    x = network.batch(3)
    _, wanted = run_file(network.path, x, tmp_path, EAGER_JIT_LEVEL="v2")
    done, found = run_file(network.path, x, tmp_path, emulator, "-cpu", "Nehalem")
    assert found is not None, done.stderr
    assert found.tobytes() == wanted.tobytes()
    done, _ = run_file(network.path, x, tmp_path, emulator, "-cpu", "core2duo")
    assert done.returncode == 1
    assert "this CPU has level v1, and the artifact has only v2, v3, v4" in done.stderr


@X86
def test_levels_that_are_not_there(pick_art, model_art, monkeypatch):
    monkeypatch.setenv("EAGER_JIT_LEVEL", "v4")  # this artifact has v2 and v3
    with pytest.raises(ArtifactError, match="EAGER_JIT_LEVEL=v4 is not in the artifact, which has "
                                            "v2, v3"):
        runner.load(pick_art, trust=True)
    monkeypatch.setenv("EAGER_JIT_LEVEL", "v9")
    with pytest.raises(ArtifactError, match="EAGER_JIT_LEVEL=v9 is not in the artifact"):
        runner.load(model_art, trust=True)
    if "v4" not in host_levels():
        monkeypatch.setenv("EAGER_JIT_LEVEL", "v4")
        with pytest.raises(ArtifactError, match="EAGER_JIT_LEVEL=v4 is above this CPU's level v"):
            runner.load(model_art, trust=True)


@pytest.mark.parametrize("threads", ["0", "-1", "many", "1.5", "\u00b2"])
def test_a_wrong_number_of_threads(threads, model_art, monkeypatch):
    monkeypatch.setenv("EAGER_JIT_THREADS", threads)
    with pytest.raises(ArtifactError, match="EAGER_JIT_THREADS is a number from 1"):
        runner.load(model_art, trust=True)
