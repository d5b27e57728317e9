"""Regenerates the LLVM IR beside the C sources: ``python -m jit.native.c [--check]``.

Needs clang from the package ziglang (extra ``native``).  What depends on the generating machine
is stripped, so the text is the same everywhere; with ``--check`` nothing is written and the exit
status says whether the committed text is what the sources give.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
TARGETS = {"x86_64": ("x86_64-linux-gnu", "x86_64_v2"), "aarch64": ("aarch64-linux-gnu", "generic")}
SOURCES = {"dispatch": ("x86_64", "aarch64"), "memory": ("x86_64", "aarch64"),
           "pool": ("x86_64", "aarch64"), "entry": ("x86_64",)}


def generate(name: str, machine: str) -> str:
    """The IR of one source for one machine."""
    triple, cpu = TARGETS[machine]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.ll"
        subprocess.run(
            [sys.executable, "-m", "ziglang", "cc", "-target", triple, f"-mcpu={cpu}", "-Os",
             "-S", "-emit-llvm", "-std=c11", "-ffreestanding", "-fno-builtin", "-fPIC",
             "-fno-stack-protector", "-fno-sanitize=all", "-fomit-frame-pointer", "-g0",
             "-fno-vectorize", "-fno-slp-vectorize", "-Wall", "-Wextra", "-Werror",
             "-Wno-unused-command-line-argument",
             "-o", str(out), str(HERE / f"{name}.c")], check=True)
        return strip(out.read_text(), name)


def strip(text: str, name: str) -> str:
    """Drop attributes that bind the text to a CPU, metadata, and the path of the source."""
    text = re.sub(r'^source_filename = .*$', f'source_filename = "{name}.c"', text, flags=re.M)
    text = re.sub(r"^; ModuleID.*\n", "", text, flags=re.M)
    text = re.sub(r"^attributes #\d+ = .*\n", "", text, flags=re.M)
    text = re.sub(r"^.*@llvm\.experimental\.noalias\.scope\.decl.*\n", "", text, flags=re.M)
    text = re.sub(r"^!.*\n", "", text, flags=re.M)
    text = re.sub(r"(, )?![a-z.]+ !\d+", "", text)
    text = re.sub(r" #\d+(?=[ ,\n])", "", text)
    return text.strip() + "\n"


def main() -> int:
    stale = []
    for name, machines in SOURCES.items():
        for machine in machines:
            path = HERE / f"{name}.{machine}.ll"
            text = generate(name, machine)
            if "--check" not in sys.argv:
                path.write_text(text)
            elif not path.exists() or path.read_text() != text:
                stale.append(path.name)
    if stale:
        print("stale: " + ", ".join(stale))
    return bool(stale)


if __name__ == "__main__":
    sys.exit(main())
