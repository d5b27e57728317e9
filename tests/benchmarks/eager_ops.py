"""Eager calls on small tensors side by side with NumPy and torch, in one interleaved run.

    python tests/benchmarks/eager_ops.py

Prints microseconds (the best of many rounds, since these times are all overhead) and ratios;
needs the extra ``peers`` for torch.
"""

from __future__ import annotations

import sys
import timeit
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import eager


def best(calls: dict[str, Callable[[], object]], rounds: int = 40,
         number: int = 2000) -> dict[str, float]:
    """The shortest mean time of a call over interleaved rounds."""
    found = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in calls.items():
            found[name] = min(found[name], timeit.timeit(call, number=number) / number * 1e6)
    return found


def mlp(library: object) -> Callable[[], object]:
    nn = library.nn  # type: ignore[attr-defined]
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(),
                          nn.Linear(16, 4))
    x = library.randn(4, 8)  # type: ignore[attr-defined]

    def run() -> None:
        model(x).sum().backward()
    return run


def main() -> None:
    torch.set_num_threads(1)
    a = np.ones(16, np.float32)
    ours, theirs = eager.ones(16), torch.ones(16)
    grad, their_grad = eager.ones(16, requires_grad=True), torch.ones(16, requires_grad=True)
    found = best({
        "np.add": lambda: np.add(a, a),
        "add": lambda: ours + ours, "torch add": lambda: theirs + theirs,
        "taped add": lambda: grad + ours, "torch taped add": lambda: their_grad + theirs,
        "taped mul": lambda: grad * ours, "torch taped mul": lambda: their_grad * theirs})
    for name, t in found.items():
        print(f"{name:16} {t:6.2f} us  {t / found['np.add']:5.2f} of np.add")
    found = best({"tiny MLP": mlp(eager), "torch tiny MLP": mlp(torch)}, 20, 100)
    for name, t in found.items():
        print(f"{name:16} {t:6.1f} us forward and backward")


if __name__ == "__main__":
    main()
