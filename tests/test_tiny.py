"""The whole stack in a few seconds: train, trace, compile, export, run the file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import eager
import export
import jit
from eager import nn, optim


@pytest.fixture
def model() -> nn.Module:
    eager.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))


def test_the_whole_way(model: nn.Module, tmp_path: Path) -> None:
    images = eager.randn(30, 4)
    labels = images[:, :3].argmax(dim=1)
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    loss_of = nn.CrossEntropyLoss()
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = loss_of(model(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2

    program = jit.trace(model, (images[:1],),
                        dynamic_shapes={"input": {0: jit.Dim("batch", max=64)}})
    with eager.no_grad():
        expected = model(images).numpy()
        compiled = program(images).numpy()
    np.testing.assert_allclose(compiled, expected, rtol=1e-5, atol=1e-6)
    assert "matmul" in str(program.graph) and "gemm" in program.kernels["ej_program"]

    path = tmp_path / "tiny.art"
    export.save(program, path)
    from export import runner

    loaded = runner.load(path, trust=True)
    assert np.array_equal(loaded(images.numpy()), compiled)
    np.save(tmp_path / "x.npy", images.numpy())
    subprocess.run([sys.executable, str(path), "--input", str(tmp_path / "x.npy"), "--output",
                    str(tmp_path / "y.npy")], check=True, timeout=60)
    assert np.array_equal(np.load(tmp_path / "y.npy"), compiled)
