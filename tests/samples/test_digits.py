"""The sample, as the README runs it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_digits_are_learnt_compiled_and_run_from_files(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "samples/digits.py", "--output", str(tmp_path)],
                          cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    for name, least in (("mlp", 97.0), ("convolutional", 98.0)):
        found = [float(x) for x in re.findall(rf"{name}: .*?([\d.]+) %", done.stdout)]
        assert len(found) == 3, done.stdout
        # eager, the compiled program and the runner agree on every image
        assert found[0] >= least and found[0] == found[1] == found[2], done.stdout
    assert {p.name for p in tmp_path.glob("*.art")} == {"mlp.art", "convolutional.art"}
