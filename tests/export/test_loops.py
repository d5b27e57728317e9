"""Loops in an artifact: the runner gives what the program gives, for any length."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import eager
import export.runner
import jit
from eager.engine.tensor import Tensor
from jit.control.loops import scan, while_loop


def test_a_scan_and_a_while_loop_run_without_us(tmp_path: Path) -> None:
    w = eager.tensor(np.linspace(-1, 1, 9, dtype=np.float32).reshape(3, 3))

    def fn(xs: Tensor) -> Any:
        last, ys = scan(lambda c, x: ((c @ w + x).tanh(), c), eager.zeros(3), xs)
        return while_loop(lambda c: c.abs().sum() < 10, lambda c: c * 2, last + 0.5), ys

    xs = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    program = jit.trace(fn, (eager.tensor(xs),), dynamic_shapes={"xs": {0: jit.Dim("n")}})
    path = tmp_path / "loop.art"
    export.save(program, path)
    loaded = export.runner.load(path, trust=True)
    for n in (5, 0, 1):
        with eager.no_grad():
            wanted = program(eager.tensor(xs[:n]))
        for got, want in zip(loaded(xs[:n]), wanted, strict=True):
            np.testing.assert_array_equal(np.asarray(got), want.numpy())
