"""Artifacts that the tests of this folder read: written once, by the real compiler."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import eager
import export
import jit
from eager import nn
from tests.export import networks


class Tally(nn.Module):
    """Adds what it is given to a total, and gives the total and the sum of the argument."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("total", eager.tensor([1.0, 2.0, 3.0]))

    def forward(self, x):
        self.total.add_(x)
        return self.total * 2, x.sum()


def pick(table, rows):
    return eager.gather(table, 0, rows)


@pytest.fixture(scope="session")
def model():
    """A layer whose batch is dynamic, and its program."""
    eager.manual_seed(0)
    layer = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    x = eager.tensor(np.linspace(-1, 1, 24, dtype=np.float32).reshape(3, 8))
    return layer, jit.trace(layer, (x,), dynamic_shapes={"input": {0: jit.Dim("B", 1, 64)}})


def _saved(folder: Path, name: str, program, **options) -> str:
    path = folder / name
    export.save(program, path, targets=("x86_64-linux", "aarch64-linux"), **options)
    return str(path)


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("artifacts")


@pytest.fixture(scope="session")
def model_art(folder, model) -> str:
    """The layer: f32 [B, 8] -> f32 [B, 4]."""
    return _saved(folder, "model.art", model[1])


@pytest.fixture(scope="session")
def pick_art(folder) -> str:
    """Rows of a table: f32 [4, 3], i64 [n, 3] -> f32 [n, 3]; an index can be out of range."""
    example = (eager.tensor(np.arange(12, dtype=np.float32).reshape(4, 3)),
               eager.tensor(np.array([[0, 1, 2], [3, 2, 1]])))
    program = jit.trace(pick, example, dynamic_shapes={"rows": {0: jit.Dim("n", 1, 4)}})
    return _saved(folder, "pick.art", program, levels=("v2", "v3"))


@pytest.fixture(scope="session")
def tally_art(folder) -> str:
    """State: f32 [3] -> f32 [3], f32 []; state total f32 [3]."""
    return _saved(folder, "tally.art", jit.trace(Tally(), (eager.ones(3),)), levels=("v2",))


@pytest.fixture(scope="session", params=["perceptron", "convolutional"])
def network(folder, request) -> networks.Network:
    """A model with its formula, for what is true of every model."""
    make = {"perceptron": networks.perceptron, "convolutional": networks.convolutional}
    return make[request.param](folder)


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(1).standard_normal((5, 8)).astype(np.float32)
