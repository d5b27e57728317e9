"""`program.explain()` and the files of `EAGER_JIT_DUMP`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import eager
import jit
from eager import nn
from jit.report.source import code_of
from jit.text import arrays_beside, parse_graph, print_graph


def program() -> jit.Program:
    table = eager.tensor(np.arange(40, dtype=np.float32) / 7)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)
            self.last = nn.Linear(36, 40)

        def forward(self, x: eager.Tensor) -> eager.Tensor:
            x = nn.functional.max_pool2d(self.norm(self.conv(x)).relu(), 2).flatten(1)
            return nn.functional.softmax(self.last(x) * eager.tensor(table.numpy()), 1)

    eager.manual_seed(0)
    return jit.trace(Net().eval(), (eager.ones(2, 1, 8, 8),),
                     dynamic_shapes={"x": {0: jit.Dim("batch", min=1)}})


@pytest.fixture(scope="module")
def text() -> str:
    return program().explain()


@pytest.mark.parametrize("line", [
    # what passes did
    "decompose              20 -> 24; without softmax; with sub, amax, exp, sum, div",
    "fold_constants     nothing to do",
    # what is computed once
    "folded.0: f32[4, 1, 3, 3]",
    # 9 multiplications and additions for each of 144 results
    "conv: (2880 * batch) flops, (256 * batch + 160) bytes read, (576 * batch) written",
    "relu f32[batch, 4, 6, 6]",
    # 2 * 36 * 40, and the bias
    "gemm: (2920 * batch) flops",
    "apart from 1: matmul has a kernel of its own, which reads memory",
    "apart from 2: matmul has a kernel of its own, which takes in one bias and one clamp at most",
    "arena: ",
])
def test_it_says_what_was_done(text: str, line: str) -> None:
    assert line in text


def test_reasons_between_loops() -> None:
    def fn(x: eager.Tensor) -> tuple[eager.Tensor, eager.Tensor]:
        a = x.exp()
        return a.t() + x.abs(), a.cumsum(0).sin() + a

    found = jit.trace(fn, (eager.ones(3, 3),)).explain()
    assert "its elements are read in another order than they are made in" in found
    assert "reads it too, and has to run before this" in found


def test_every_stage_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EAGER_JIT_DUMP", str(tmp_path / "dumps"))
    made = program()
    program()  # the same again
    (folder,) = (tmp_path / "dumps").iterdir()
    files = {f.name: f.read_text() for f in folder.iterdir() if f.suffix != ".npz"}
    assert folder.name.startswith("Net-") and all(t.endswith("\n") for t in files.values())
    stages = sorted(n for n in files if n[0].isdigit())
    assert stages == ["00-trace.txt", *(f"{k:02}-{c.name}.txt"
                                        for k, c in enumerate(made.history, 1))]
    with np.load(folder / "constants.npz") as beside:
        again = parse_graph(files["00-trace.txt"], list(beside.values()))
    assert print_graph(again) == print_graph(made.graph).strip()
    assert len(arrays_beside(again)) == 1
    assert files["code.py"] == str(code_of(made.graph))
    assert files["kernels.py"].strip() == str(made.kernels).strip()
    assert files["explain.txt"].strip() == made.explain()
    for kernel in made.kernels:
        assert f" @{kernel}(" in files[f"{kernel}.ll"]
        assert f"{kernel}:" in files[f"{kernel}.s"]
