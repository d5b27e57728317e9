"""The aarch64 code of an artifact, run by an emulator from a plain C program."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

from export.runner.format import evaluate
from export.runner.tensors import read_safetensors
from tests.export.surgery import members_of

HERE = Path(__file__).parent
HEADERS = HERE.parent.parent / "jit" / "native" / "c"
COMPILER, EMULATOR, LIBC = "aarch64-linux-gnu-gcc", "qemu-aarch64", Path("/usr/aarch64-linux-gnu")

missing = [what for what, there in (
    ("qemu-user", shutil.which(EMULATOR)), ("gcc-aarch64-linux-gnu", shutil.which(COMPILER)),
    ("libc6-arm64-cross", LIBC.exists())) if not there]
pytestmark = pytest.mark.skipif(
    bool(missing), reason=f"aarch64 code is not run: apt-get install {' '.join(missing)}")


@pytest.fixture(scope="module")
def driver(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("driver") / "driver"
    subprocess.run([COMPILER, "-O1", "-Wall", "-Wextra", "-Werror", f"-I{HEADERS}", "-o", path,
                    HERE / "driver.c", "-ldl", "-lpthread"], check=True)
    return path


def packed_call(members: dict[str, bytes], x: np.ndarray) -> bytes:
    """What the driver reads, for a program of one input and one output."""
    entry = json.loads(members["manifest.json"])["entries"]["main"]
    tensors = read_safetensors(memoryview(members["weights.safetensors"]), "weights")
    sizes = {d["name"]: len(x) for d in entry["dims"]}
    (output,) = entry["outputs"]
    shape = [evaluate(s, sizes) for s in output["shape"]]
    weights, data = bytes(tensors["weights"].memory), x.tobytes()
    return b"".join([
        struct.pack("<6q", evaluate(entry["arena"], sizes), 1, 1, 1, 0, len(x)),
        struct.pack("<q", len(weights)), weights, struct.pack("<q", len(data)), data,
        struct.pack("<q", 4 * int(np.prod(shape)))])


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("batch", [0, 1, 3, 64])
def test_the_same_within_rounding(network, batch, threads, driver, tmp_path):
    members = members_of(network.path)
    library, call, results = (tmp_path / n for n in ("program.so", "call.bin", "results.bin"))
    x = network.batch(batch)
    library.write_bytes(members["native/aarch64-linux/program.so"])
    call.write_bytes(packed_call(members, x))
    done = subprocess.run([EMULATOR, "-L", LIBC, driver, library, str(threads), call, results],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = np.frombuffer(results.read_bytes(), np.float32).reshape(network.exact(x).shape)
    network.check(x, found)
