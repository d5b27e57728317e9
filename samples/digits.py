"""Handwritten digits, the whole way: train eagerly, trace, compile, export, run from one file.

    python samples/digits.py [--epochs N] [--output FOLDER]

Trains an MLP and a small convolutional net on two thirds of the UCI digits, tests them on
the held-out third, exports each to ``<name>.art`` and runs that file in a process of its own.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import eager
import export
import jit
from eager import nn, optim
from eager.data import DataLoader, TensorDataset

DIGITS = Path(__file__).parent / "data" / "digits.npz"


def load_digits(channels: bool) -> tuple[TensorDataset, TensorDataset]:
    """Training and held-out images in [0, 1] with their labels; every third image is held out."""
    with np.load(DIGITS) as file:
        images, labels = file["images"].astype(np.float32) / 16, file["labels"].astype(np.int64)
    images = images.reshape((-1, 1, 8, 8) if channels else (-1, 64))
    held = np.arange(len(labels)) % 3 == 0
    return tuple(  # type: ignore[return-value]
        TensorDataset(eager.from_numpy(images[part].copy()), eager.from_numpy(labels[part].copy()))
        for part in (~held, held))


def build_mlp() -> nn.Module:
    """64 pixels to 10 digits through one hidden layer."""
    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))


def build_convolutional() -> nn.Module:
    """Two convolutions with batch norm, then one linear layer."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.25), nn.Linear(128, 10))


def progress(steps: int, label: str) -> Iterator[int]:
    """Count with a bar on standard error; one line at the end where that is no terminal."""
    live = sys.stderr.isatty()
    for k in range(steps):
        yield k
        if live or k + 1 == steps:
            done = (k + 1) * 30 // steps
            bar = "#" * done + "." * (30 - done)
            print(f"\r{label} [{bar}] {k + 1}/{steps}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)


def train(model: nn.Module, data: TensorDataset, epochs: int, label: str) -> float:
    """An ordinary loop; returns the mean loss of the last epoch."""
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.1)
    optimizer = optim.Adam(model.parameters(), lr=2e-3)
    loader = DataLoader(data, batch_size=32, shuffle=True)
    model.train()
    losses: list[float] = []
    for _ in progress(epochs, label):
        losses.clear()
        for images, labels in loader:
            optimizer.zero_grad()
            loss = loss_of(model(images), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return sum(losses) / len(losses)


def accuracy(model: Callable[..., eager.Tensor], data: TensorDataset) -> float:
    """The share of images whose largest logit is the label's."""
    images, labels = data.tensors
    with eager.no_grad():
        return float((model(images).argmax(dim=1) == labels).float().mean())


def microseconds(call: Callable[[], object], seconds: float = 0.2) -> float:
    """The median time of a call."""
    times = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2] * 1e6


def run(name: str, model: nn.Module, epochs: int, folder: Path) -> None:
    """Everything for one model."""
    training, held_out = load_digits(channels=name == "convolutional")
    train(model, training, epochs, f"training {name}")
    model.eval()
    print(f"{name}: accuracy on {len(held_out)} held-out images "
          f"{100 * accuracy(model, held_out):.2f} %")

    example = held_out.tensors[0][:1]
    batch = jit.Dim("batch", max=4096)
    program = jit.trace(model, (example,), dynamic_shapes={"input": {0: batch}})
    print(f"{name}: the same from the compiled program "
          f"{100 * accuracy(program, held_out):.2f} %")

    path = folder / f"{name}.art"
    export.save(program, path)
    np.save(folder / "x.npy", held_out.tensors[0].numpy())
    result = folder / "y.npy"
    subprocess.run([sys.executable, "-m", "export", "run", str(path), "--trust", "--input",
                    str(folder / "x.npy"), "--output", str(result)], check=True,
                   cwd=Path(__file__).resolve().parent.parent)
    found = (np.load(result).argmax(axis=1) == held_out.tensors[1].numpy()).mean()
    print(f"{name}: the same from {path.name} ({path.stat().st_size / 1e3:.0f} kB) in a process "
          f"of its own {100 * found:.2f} %")

    from export import runner

    ready = runner.load(path, trust=True)
    array = example.numpy()
    with eager.no_grad():
        times = [microseconds(lambda: model(example)), microseconds(lambda: program(example)),
                 microseconds(lambda: ready(array))]
    print(f"{name}: one image takes eager {times[0]:.1f} us, compiled {times[1]:.1f} us, "
          f"runner {times[2]:.1f} us")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--output", type=Path, help="folder of the artifacts (default: a new one)")
    options = parser.parse_args()
    eager.manual_seed(0)
    folder = options.output or Path(tempfile.mkdtemp(prefix="digits-"))
    folder.mkdir(parents=True, exist_ok=True)
    run("mlp", build_mlp(), options.epochs, folder)
    run("convolutional", build_convolutional(), options.epochs, folder)
    print(f"artifacts are in {folder}")


if __name__ == "__main__":
    main()
