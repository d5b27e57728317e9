"""Networks trained on the digits reach the accuracy that such networks reach."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import eager
from eager import nn, optim
from eager.data import DataLoader, TensorDataset

DIGITS = Path(__file__).parents[2] / "samples" / "data" / "digits.npz"


def multilayer() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))


def convolutional() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.25), nn.Linear(128, 10))


@pytest.mark.slow
@pytest.mark.parametrize(("build", "epochs", "wanted"), [(multilayer, 30, 0.97),
                                                         (convolutional, 12, 0.98)])
def test_accuracy_on_held_out_digits(build: Callable[[], nn.Module], epochs: int,
                                     wanted: float) -> None:
    with np.load(DIGITS) as file:
        images = eager.tensor(file["images"][:, None] / 16, dtype="float32")
        labels = eager.tensor(file["labels"], dtype="int64")
    held = eager.arange(len(labels)) % 3 == 0
    loader = DataLoader(TensorDataset(images[~held], labels[~held]), batch_size=32, shuffle=True)
    eager.manual_seed(0)
    model = build()
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.1)
    optimizer = optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(epochs):
        for x, y in loader:
            optimizer.zero_grad()
            loss_of(model(x), y).backward()
            optimizer.step()
    model.eval()
    with eager.no_grad():
        found = model(images[held]).argmax(1)
    assert (found == labels[held]).float().mean().item() >= wanted
