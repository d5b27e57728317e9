"""Eager calls side by side with torch, in one interleaved run, one thread each.

    python tests/benchmarks/eager_ops.py

Prints the median of interleaved rounds in microseconds, and the ratio of each round's pair;
without torch (the extra ``peers``) our times alone.
"""

from __future__ import annotations

import os
import statistics
import sys
import timeit
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")  # before NumPy starts its pool

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import eager


def mlp(L: Any) -> Callable[[], object]:
    """Forward and backward of three layers, 8-16-16-4, on four rows."""
    nn = L.nn
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(),
                          nn.Linear(16, 4))
    return step(model, L.randn(4, 8))


def lenet(L: Any) -> Callable[[], object]:
    """Forward and backward of LeNet on 32 digits of 28 x 28."""
    nn = L.nn
    model = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84),
        nn.ReLU(), nn.Linear(84, 10))
    return step(model, L.randn(32, 1, 28, 28))


def step(model: Any, x: Any) -> Callable[[], object]:
    def run() -> None:
        model.zero_grad()
        model(x).sum().backward()
    return run


def with_grad(L: Any, size: int = 16) -> tuple[Any, Any]:
    return L.ones(size, requires_grad=True), L.ones(size)


def unary(name: str) -> Callable[[Any], Callable[[], object]]:
    def prepare(L: Any) -> Callable[[], object]:
        x = L.ones(16)
        return getattr(x, name)
    return prepare


def on(operate: Callable[..., object], grad: bool = False) -> Callable[[Any], Any]:
    def prepare(L: Any) -> Callable[[], object]:
        a, b = with_grad(L) if grad else (L.ones(16), L.ones(16))
        return lambda: operate(a, b)
    return prepare


#: What is timed, how often in a round, and the most it may take of torch's time.
ROWS: dict[str, tuple[Callable[[Any], Callable[[], object]], int, float | None]] = {
    "add of 16": (on(lambda a, b: a + b), 2000, 1.0),
    "add of 16, recorded": (on(lambda a, b: a + b, grad=True), 2000, 1.0),
    "mul of 16 by a number": (on(lambda a, b: a * 2.0), 2000, None),
    "exp of 16": (unary("exp"), 2000, None),
    "sum of 16": (unary("sum"), 2000, None),
    "x[3] of 16": (on(lambda a, b: a[3]), 1000, None),
    "tiny MLP, forward and backward": (mlp, 100, 1.0),
    "LeNet, batch 32, forward and backward": (lenet, 2, 2.0),
}


def main() -> None:
    try:
        import torch

        torch.set_num_threads(1)
        libraries: list[Any] = [eager, torch]
    except ImportError:
        print("torch is not installed: our times alone")
        libraries = [eager]
    print("| | eager | torch | eager / torch | at most |\n|---|---|---|---|---|")
    for name, (prepare, number, most) in ROWS.items():
        calls = [prepare(L) for L in libraries]
        rounds = [[timeit.timeit(c, number=number) / number * 1e6 for c in calls]
                  for _ in range(31)]
        times = [statistics.median(r[k] for r in rounds) for k in range(len(calls))]
        ratio = statistics.median(r[0] / r[-1] for r in rounds)
        print(f"| {name} | {times[0]:.2f} us | {times[-1]:.2f} us | {ratio:.2f} | "
              f"{'' if most is None else most} |")


if __name__ == "__main__":
    np.seterr(all="ignore")
    main()
