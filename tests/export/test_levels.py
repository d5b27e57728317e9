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
from jit.program import Program
from jit.targets.isa import host_levels

BATCHES = (0, 1, 3, 64)
X86 = pytest.mark.skipif("v2" not in host_levels(), reason="levels are of x86-64")


def run_file(path: str, x: np.ndarray, tmp_path, *before: str, **environment: str):
    """A process that is given the artifact itself and no packages."""
    np.save(tmp_path / "x.npy", x)
    x_npy, y_npy = str(tmp_path / "x.npy"), str(tmp_path / "y.npy")
    done = subprocess.run(
        [*before, sys.executable, "-I", "-S", path, "--input", x_npy, "--output", y_npy],
        env={**os.environ, **environment}, capture_output=True, text=True)
    return done, np.load(y_npy) if done.returncode == 0 else None


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
    compiled = program(eager.from_numpy(x)).detach().numpy()
    assert (found.dtype, found.shape) == (compiled.dtype, compiled.shape)
    assert found.tobytes() == compiled.tobytes()


@pytest.mark.parametrize("batch", BATCHES)
def test_numpy_in_and_out(network, batch):
    x = network.batch(batch)
    found = runner.load(network.path, trust=True)(x)
    assert found.tobytes() == network.program(eager.from_numpy(x)).detach().numpy().tobytes()
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
