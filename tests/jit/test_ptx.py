"""Fused kernels as PTX; `ptxas` assembles them where it is found."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import eager
import jit
from eager import nn


@pytest.fixture(scope="module")
def ptx() -> dict[str, str]:
    eager.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.GELU(),
                          nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 10), nn.Softmax(dim=1))
    model.eval()
    program = jit.trace(model, (eager.randn(2, 1, 8, 8),),
                        dynamic_shapes={"input": {0: jit.Dim("batch", max=64)}})
    found: dict[str, str] = program.kernels.ptx
    return found


def test_every_fused_kernel_has_an_entry_and_calls_nothing(ptx: dict[str, str]) -> None:
    assert any("exp" in n for n in ptx) and any("erf" in n for n in ptx)
    for name, text in ptx.items():
        assert f".visible .entry {name}_gpu(" in text
        assert "call" not in text.replace("call.uni", "") or ".local" not in text
        assert ".extern" not in text, name


def test_ptxas_assembles_without_spills(ptx: dict[str, str], tmp_path: Path) -> None:
    if shutil.which("ptxas") is None:
        pytest.skip("ptxas is not on this machine, so the PTX was emitted but not assembled")
    for name, text in ptx.items():
        source = tmp_path / f"{name}.ptx"
        source.write_text(text)
        done = subprocess.run(["ptxas", "-v", "-arch=sm_80", str(source), "-o",
                               str(source.with_suffix(".cubin"))], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "0 bytes spill stores, 0 bytes spill loads" in done.stderr, done.stderr
