"""An artifact where nothing is installed: another process, with the standard library alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from ast import literal_eval
from pathlib import Path

import numpy as np
import pytest

import eager
import export
import jit
from export.runner import load

ROOT = Path(__file__).parents[2]
BARE = [sys.executable, "-I", "-S"]  # neither site-packages, nor PYTHONPATH, nor this folder
#: What takes long to import, and what no runner may need.
UNWANTED = {"numpy", "numba", "llvmlite", "safetensors", "eager", "jit", "export", "typing",
            "argparse", "json", "dataclasses", "inspect", "threading", "tempfile", "subprocess"}


def bare(*arguments: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run([*BARE, *arguments], capture_output=True, text=True, env={},
                          cwd=options.pop("cwd", "/"), **options)


def test_an_artifact_alone(model_art, x, tmp_path):
    np.save(tmp_path / "x.npy", x)
    alone = shutil.copy(model_art, tmp_path / "alone.art")
    done = bare("alone.art", "--input", "x.npy", "--output", "y.npy", "--verify", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("the example is reproduced within ")
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), load(alone, trust=True)(x))


def test_an_artifact_is_executable(model_art, x, tmp_path):
    np.save(tmp_path / "x.npy", x)
    env = {"PATH": os.path.dirname(sys.executable) + os.pathsep + os.defpath}
    done = subprocess.run([model_art, "--input", str(tmp_path / "x.npy")], env=env,
                          capture_output=True, text=True)
    assert done.stdout.startswith("output0: float32 [5, 4]"), done.stderr


def test_a_start_is_short(model_art, x, tmp_path, record_property):
    """From the start of the process to the printed result, beside a Python that does nothing."""
    np.save(tmp_path / "x.npy", x)

    def fastest(*arguments: str) -> float:
        times = []
        for _ in range(7):
            start = time.perf_counter()
            assert bare(*arguments).returncode == 0
            times.append(time.perf_counter() - start)
        return 1e3 * min(times)

    floor = fastest("-c", "pass")
    run = fastest(model_art, "--input", str(tmp_path / "x.npy"))
    print(f"process start to first result: {run:.1f} ms; an empty Python takes {floor:.1f} ms")
    record_property("start_ms", run)
    assert run < 8 * floor


def test_what_a_run_imports(model_art, x, tmp_path):
    np.save(tmp_path / "x.npy", x)
    done = bare("-X", "importtime", model_art, "--input", str(tmp_path / "x.npy"))
    assert done.returncode == 0
    modules = {line.rpartition("|")[2].strip().partition(".")[0]
               for line in done.stderr.splitlines()}
    assert {"runner", "ctypes"} <= modules and not modules & UNWANTED


def test_bytecode_is_used_and_is_the_sources(model_art):
    """Without it a start takes twice as long; a runner of another Python reads the sources."""
    code = ("import sys; sys.path.insert(0, sys.argv[1]); import runner.session as s;"
            "print(s.__cached__ or s.__file__, s.__loader__.get_source('runner.session')[:40])")
    done = bare("-c", code, model_art)
    assert done.stdout.startswith(f"{model_art}/runner/session.pyc"), done.stderr
    assert '"""Runner: an artifact' in done.stdout


@pytest.mark.parametrize("version", ["3.12", "3.13", "3.14"])
def test_another_python(version, model_art, x, tmp_path):
    python = shutil.which(f"python{version}")
    if python is None or subprocess.run([python, "-c", ""], capture_output=True).returncode:
        pytest.skip(f"there is no python{version} here")
    np.save(tmp_path / "x.npy", x)
    y = str(tmp_path / "y.npy")
    subprocess.run([python, "-I", "-S", model_art, "--input", str(tmp_path / "x.npy"), "--output",
                    y], check=True)
    np.testing.assert_array_equal(np.load(y), load(model_art, trust=True)(x))


IN_PLACE = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from export.runner import Array, load
model = load(sys.argv[1], trust=True)
found = model(Array("float32", (2, 8), bytes(64)))
print([found.tolist(), sorted(sys.modules)])
"""


def test_the_installed_runner_needs_nothing_either(model_art):
    done = bare("-c", IN_PLACE, model_art)
    found, modules = literal_eval(done.stdout)
    np.testing.assert_array_equal(found, load(model_art, trust=True)(np.zeros((2, 8), np.float32)))
    assert not {m.partition(".")[0] for m in modules} & (UNWANTED - {"export"})
    assert {m for m in modules if m.startswith("export.") and not m.startswith(
        "export.runner")} == set()


def test_the_command_needs_nothing_either(model_art):
    code = (f"import runpy, sys; sys.path.insert(0, {str(ROOT)!r}); sys.argv = ['', 'verify', "
            f"sys.argv[1], '--trust']\ntry: runpy.run_module('export', run_name='__main__')\n"
            f"finally: print([m for m in ('numpy', 'numba', 'eager', 'jit') if m in sys.modules])")
    assert bare("-c", code, model_art).stdout.splitlines()[1:] == ["[]"]


FORKED = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from export.runner import Array, load
model = load(sys.argv[1], trust=True)
x = Array("float32", (256, 256), bytes(range(256)) * 4 * 256)
assert model._pool
wanted = bytes(model(x).memory)
child = os.fork()
if child == 0:
    os._exit(bytes(model(x).memory) != wanted)
assert os.waitpid(child, 0)[1] == 0
assert bytes(model(x).memory) == wanted
print("done")
"""


def test_threads_and_a_fork(tmp_path):
    """The child has none of the pool's threads, and starts its own."""
    layer = eager.nn.Linear(256, 512)
    program = jit.trace(layer, (eager.zeros(256, 256),))
    path = tmp_path / "wide.art"
    export.save(program, path, targets=("x86_64-linux", "aarch64-linux"))
    done = subprocess.run([*BARE, "-c", FORKED, path], capture_output=True, text=True, timeout=60,
                          env={"EAGER_JIT_THREADS": "3"})
    assert done.stdout == "done\n", done.stderr


MANY = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from export.runner import Array, load
import resource
model = load(sys.argv[1], trust=True)
inputs = [Array("float32", (b, 8), bytes(32 * b)) for b in range(1, 65)]
for x in inputs * 3:
    model(x)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for k in range(20000):
    model(inputs[k * 37 % 64])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_does_not_grow(model_art):
    done = bare("-c", MANY, model_art, timeout=120)
    assert int(done.stdout) < 512, done.stderr  # KiB
