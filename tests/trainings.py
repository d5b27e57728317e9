"""Three trainings: what the tests of whole steps and the benchmark of them run over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import eager
from eager import nn, optim
from eager.engine.stateful import reach
from eager.engine.tensor import Tensor


@dataclass(frozen=True)
class Training:
    """A model, its optimiser, one step of it, and batches by their number."""

    model: nn.Module
    optimizer: optim.Optimizer
    step: Callable[..., Tensor]
    batch: Callable[[int], tuple[Tensor, ...]]

    def state(self) -> list[Tensor]:
        """Every tensor that a step may write, and the random stream."""
        found = {id(t): t for s in reach(self.step).stateful for _, _, t in s.traced_state()}
        return [*found.values(), eager.engine.streams.default_generator.state]


def classifier(model: nn.Module, optimizer: optim.Optimizer, clip: float | None = None
               ) -> Callable[[Tensor, Tensor], Tensor]:
    """The step of a model that gives class scores: forward, backward, clipping, update."""
    loss_of = nn.CrossEntropyLoss()

    def step(x: Tensor, y: Tensor) -> Tensor:
        optimizer.zero_grad()
        scores = model(x)
        loss = loss_of(scores.reshape(-1, scores.shape[-1]), y.reshape(-1))
        loss.backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        return loss

    return step


def images(dtype: Any, shape: Sequence[int], classes: int) -> Callable[[int], tuple[Tensor, ...]]:
    """Noise round one picture a class."""
    pictures = np.random.default_rng(0).normal(size=(classes, *shape[1:]))

    def batch(k: int) -> tuple[Tensor, ...]:
        rng = np.random.default_rng(k + 1)
        y = rng.integers(0, classes, shape[0])
        x = pictures[y] + 0.5 * rng.normal(size=shape)
        return eager.tensor(x.astype(np.float32)).to(dtype), eager.tensor(y)

    return batch


def mlp(dtype: Any = eager.float32, batch: int = 32) -> Training:
    """64-128-128-10, ReLU, SGD with momentum and Nesterov's step."""
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(),
                          nn.Linear(128, 10)).to(dtype)
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    return Training(model, optimizer, classifier(model, optimizer),
                    images(dtype, (batch, 64), 10))


def convnet(dtype: Any = eager.float32, batch: int = 32) -> Training:
    """Two convolutions with BatchNorm on 8 x 8 pictures, Dropout, Adam.

    The convolutions have no bias: before BatchNorm its true gradient is 0, so rounding alone
    would move it.
    """
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32),
        nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.25), nn.Linear(128, 10)).to(dtype)
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    return Training(model, optimizer, classifier(model, optimizer),
                    images(dtype, (batch, 1, 8, 8), 10))


class Language(nn.Module):
    """Two encoder layers over embedded symbols; each place sees those before it.

    Without biases: of a key's bias, too, the true gradient is 0.
    """

    def __init__(self, symbols: int, width: int, length: int) -> None:
        super().__init__()
        self.symbol, self.place = nn.Embedding(symbols, width), nn.Embedding(length, width)
        layer = nn.TransformerEncoderLayer(width, 4, 4 * width, dropout=0.1, batch_first=True,
                                           bias=False)
        self.layers = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(width, symbols)
        self.register_buffer("later", eager.ones(length, length).triu(1).bool())

    def forward(self, x: Tensor) -> Tensor:
        h = self.symbol(x) + self.place(eager.arange(x.shape[1]))
        return self.head(self.layers(h, mask=self.later))


def transformer(dtype: Any = eager.float32, batch: int = 8) -> Training:
    """A causal model of 2 layers, width 64, 4 heads, 16 symbols in a row; AdamW, clipping."""
    model = Language(32, 64, 16).to(dtype)
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim == 1]
    optimizer = optim.AdamW([{"params": decayed, "weight_decay": 0.1},
                             {"params": others, "weight_decay": 0.0}], lr=1e-3, eps=1e-6)

    def rows(k: int) -> tuple[Tensor, ...]:
        rng = np.random.default_rng(k + 1)
        counted = rng.integers(0, 32, (batch, 1)) + np.arange(17) * rng.integers(1, 4, (batch, 1))
        return tuple(eager.tensor(counted[:, i:i + 16] % 32) for i in (0, 1))

    return Training(model, optimizer, classifier(model, optimizer, clip=1.0), rows)


TRAININGS: dict[str, Callable[..., Training]] = {
    "MLP": mlp, "conv net": convnet, "transformer": transformer}
