"""Two small networks with their formulas in float64 NumPy: what artifacts are measured against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import eager
import export
import jit
from eager import nn

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Network:
    """A model, its program for any batch from 0 to 64, and the artifact of it."""

    model: nn.Module
    item: tuple[int, ...]  #: the shape of one input
    formula: Callable[[dict[str, Array], Array], Array]  #: (weights, inputs), all float64
    program: jit.Program
    path: str

    def batch(self, size: int) -> Array:
        return np.random.default_rng(size).standard_normal((size, *self.item)).astype(np.float32)

    def exact(self, x: Array) -> Array:
        held = {n: t.numpy().astype(np.float64) for n, t in self.model.state_dict().items()}
        return self.formula(held, x.astype(np.float64))

    def check(self, x: Array, found: Array) -> None:
        """Off by twice eager's error at most, or by 1e-6 of the largest magnitude."""
        exact = self.exact(x)
        assert found.shape == exact.shape and found.dtype == np.float32
        with eager.no_grad():
            eagerly = self.model(eager.from_numpy(x)).numpy()
        scale = np.abs(exact).max(initial=0.0)
        bound = max(2 * np.abs(eagerly - exact).max(initial=0.0), 1e-6 * scale)
        assert np.abs(found - exact).max(initial=0.0) <= bound


def perceptron(folder: Path) -> Network:
    """f32 [batch, 20] -> f32 [batch, 5]; wide enough in between for every tile and its tail."""
    eager.manual_seed(1)
    model = nn.Sequential(nn.Linear(20, 67), nn.ReLU(), nn.Linear(67, 5))
    return _network(folder / "perceptron.art", model, (20,), _perceptron)


def convolutional(folder: Path) -> Network:
    """f32 [batch, 2, 8, 8] -> f32 [batch, 4]."""
    eager.manual_seed(2)
    model = nn.Sequential(nn.Conv2d(2, 9, 3, padding=1), nn.BatchNorm2d(9), nn.ReLU(),
                          nn.MaxPool2d(2), nn.Flatten(), nn.Linear(144, 4))
    model(eager.randn(8, 2, 8, 8) * 3 + 1)  # the running statistics are not 0 and 1 any more
    return _network(folder / "convolutional.art", model, (2, 8, 8), _convolutional)


def _network(path: Path, model: nn.Module, item: tuple[int, ...],
             formula: Callable[[dict[str, Array], Array], Array]) -> Network:
    model.eval()
    program = jit.trace(model, (eager.randn(2, *item),),
                        dynamic_shapes={"input": {0: jit.Dim("batch", max=64)}})
    export.save(program, path)
    return Network(model, item, formula, program, str(path))


def _perceptron(w: dict[str, Array], x: Array) -> Array:
    hidden = np.maximum(x @ w["0.weight"].T + w["0.bias"], 0)
    return hidden @ w["2.weight"].T + w["2.bias"]


def _convolutional(w: dict[str, Array], x: Array) -> Array:
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    h = np.einsum("bchwij,ocij->bohw", windows, w["0.weight"]) + w["0.bias"][:, None, None]
    scale = w["1.weight"] / np.sqrt(w["1.running_var"] + 1e-5)
    h = (h - w["1.running_mean"][:, None, None]) * scale[:, None, None] + w["1.bias"][:, None, None]
    h = np.maximum(h, 0).reshape(len(x), 9, 4, 2, 4, 2).max(axis=(3, 5)).reshape(len(x), 144)
    return h @ w["5.weight"].T + w["5.bias"]
