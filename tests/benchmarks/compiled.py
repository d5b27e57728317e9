"""Compiled programs beside eager calls, torch and torch.compile, in one interleaved run.

    python tests/benchmarks/compiled.py [part of a workload's name ...]

One thread each.  Prints medians in microseconds, compiled's time over each other's, and how long
`jit.trace` takes in a new process, with an empty cache and again.  Needs torch, and for
torch.compile a C++ compiler.
"""

from __future__ import annotations

import os

os.environ.update(EAGER_JIT_THREADS="1", OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import eager
import jit

#: Of one library (`eager` or torch): a function and its arguments.
Workload = tuple[Callable[..., Any], tuple[Any, ...]]


# --- models ------------------------------------------------------------------------------------
def mlp(nn: Any, *sizes: int) -> Any:
    layers: list[Any] = []
    for a, b in pairwise(sizes):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def lenet(nn: Any) -> Any:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84),
        nn.ReLU(), nn.Linear(84, 10))


def normed(nn: Any) -> Any:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.25), nn.Linear(128, 10))


def encoder(nn: Any, width: int = 256) -> Any:
    return nn.TransformerEncoderLayer(width, 4, 4 * width, dropout=0.0, batch_first=True)


# --- workloads ---------------------------------------------------------------------------------
def of(fn: Callable[..., Any], *shape: int) -> Callable[[Any], Workload]:
    """``fn(library, x)``."""
    def build(L: Any) -> Workload:
        return lambda x: fn(L, x), (L.randn(*shape),)
    return build


def forward(model: Callable[[Any], Any], *shape: int) -> Callable[[Any], Workload]:
    def build(L: Any) -> Workload:
        return model(L.nn).eval(), (L.randn(*shape),)
    return build


def lstm(batch: int) -> Callable[[Any], Workload]:
    def build(L: Any) -> Workload:
        model = L.nn.LSTM(128, 128)
        return lambda x: model(x)[0], (L.randn(50, batch, 128),)
    return build


def step(model: Callable[[Any], Any], method: str, shape: tuple[int, ...], **settings: Any
         ) -> Callable[[Any], Workload]:
    """Forward, backward and update of a classifier of 10."""
    def build(L: Any) -> Workload:
        net = model(L.nn)
        optimizer = getattr(L.optim, method)(net.parameters(), lr=1e-3, **settings)
        loss_of = L.nn.CrossEntropyLoss()

        def train(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = loss_of(net(x), y)
            loss.backward()
            optimizer.step()
            return loss

        return train, (L.randn(*shape), L.arange(shape[0]) % 10)
    return build


def blocks(nn: Any) -> Any:
    class First(nn.Module):  # type: ignore[misc, name-defined]
        def forward(self, x: Any) -> Any:
            return x[:, 0]

    return nn.Sequential(encoder(nn, 64), encoder(nn, 64), First(), nn.Linear(64, 10))


def chain(L: Any, x: Any) -> Any:
    return L.tanh(x * 2 + 1) * L.sigmoid(x) - L.exp(-x * x)


WORKLOADS: dict[str, Callable[[Any], Workload]] = {
    **{f"pointwise chain, {n}": of(chain, n) for n in (1_000, 100_000, 1_000_000)},
    "gelu, 100000": of(lambda L, x: L.nn.functional.gelu(x), 100_000),
    "softmax 128x1000": of(lambda L, x: L.softmax(x, dim=1), 128, 1000),
    "layer norm 512x768": of(lambda L, x: L.nn.functional.layer_norm(x, (768,)), 512, 768),
    **{f"MLP 64-128-128-10, batch {n}": forward(lambda nn: mlp(nn, 64, 128, 128, 10), n, 64)
       for n in (1, 32)},
    "MLP 784-512-512-10, batch 64": forward(lambda nn: mlp(nn, 784, 512, 512, 10), 64, 784),
    **{f"LeNet, batch {n}": forward(lenet, n, 1, 28, 28) for n in (1, 32)},
    "LSTM 128, 50 steps, batch 1": lstm(1),
    "encoder layer 256, 128 places": forward(encoder, 1, 128, 256),
    "step: MLP 784-512-512-10, batch 64, SGD": step(
        lambda nn: mlp(nn, 784, 512, 512, 10), "SGD", (64, 784), momentum=0.9),
    "step: the same, Adam": step(lambda nn: mlp(nn, 784, 512, 512, 10), "Adam", (64, 784)),
    "step: LeNet, batch 32, Adam": step(lenet, "Adam", (32, 1, 28, 28)),
    "step: conv net with norms, batch 32, Adam": step(normed, "Adam", (32, 1, 8, 8)),
    "step: 2 encoder layers 64, batch 8, AdamW": step(blocks, "AdamW", (8, 16, 64)),
}


# --- measuring ---------------------------------------------------------------------------------
def interleaved(calls: dict[str, Callable[[], object]], seconds: float = 0.8) -> dict[str, float]:
    """Median microseconds of each call, taken in turns of several."""
    number = {}
    for name, call in calls.items():
        for _ in range(3):
            call()
        start = time.perf_counter()
        call()
        number[name] = max(1, min(200, int(2e-4 / (time.perf_counter() - start))))
    times: dict[str, list[float]] = {name: [] for name in calls}
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or len(times[name]) < 5:
        for name, call in calls.items():
            start = time.perf_counter()
            for _ in range(number[name]):
                call()
            times[name].append((time.perf_counter() - start) / number[name])
    return {name: float(np.median(t)) * 1e6 for name, t in times.items()}


def alone(name: str, cache: str) -> float:
    """Seconds of `jit.trace` in a process of its own."""
    made = subprocess.run([sys.executable, __file__, "--trace", name], text=True, check=True,
                          stdout=subprocess.PIPE, env={**os.environ, "EAGER_JIT_CACHE": cache})
    return float(made.stdout)


def trace_alone(name: str) -> None:
    eager.manual_seed(0)
    fn, args = WORKLOADS[name](eager)
    start = time.perf_counter()
    jit.trace(fn, args)
    print(time.perf_counter() - start)


def quiet(fn: Callable[..., Any], args: Any, no_grad: Any, name: str) -> Callable[[], object]:
    """The call; without gradients where it is no step."""
    if name.startswith("step"):
        return lambda: fn(*args)

    def call() -> object:
        with no_grad():
            return fn(*args)
    return call


def measure(name: str, torch: Any) -> dict[str, float]:
    """Medians of all four, and the seconds that torch.compile's first call took."""
    eager.manual_seed(0)
    fn, args = WORKLOADS[name](eager)
    program = jit.trace(fn, args)
    if not name.startswith("step"):  # steps are compared in tests/benchmarks/training.py
        with eager.no_grad():
            np.testing.assert_allclose(program(*args).numpy(), fn(*args).numpy(), 1e-3, 1e-4)
    calls = {"compiled": quiet(program, args, eager.no_grad, name),
             "eager": quiet(fn, args, eager.no_grad, name)}
    theirs, inputs = WORKLOADS[name](torch)
    torch._dynamo.reset()
    calls["torch"] = quiet(theirs, inputs, torch.no_grad, name)
    calls["torch.compile"] = quiet(torch.compile(theirs), inputs, torch.no_grad, name)
    start = time.perf_counter()
    calls["torch.compile"]()
    took = time.perf_counter() - start
    return {**interleaved(calls), "torch.compile takes": took}


def main(parts: list[str]) -> None:
    import torch

    torch.set_num_threads(1)
    columns = ("compiled", "eager", "torch", "torch.compile")
    print("| | " + " | ".join(columns) + " | compiled over the best other | trace, new | "
          "again | torch.compile's first call |\n" + "|---" * 9 + "|")
    slower, ratios = [], []
    for name in WORKLOADS:
        if parts and not any(p in name for p in parts):
            continue
        with tempfile.TemporaryDirectory() as cache:
            cold, warm = alone(name, cache), alone(name, cache)
        found = measure(name, torch)
        ratio = found["compiled"] / min(found[c] for c in columns[1:])
        ratios.append(ratio)
        if found["compiled"] > found["eager"]:
            slower.append(name)
        print(f"| {name} | " + " | ".join(f"{found[c]:.1f} us" for c in columns)
              + f" | {ratio:.2f} | {cold:.2f} s | {warm:.3f} s | "
              f"{found['torch.compile takes']:.1f} s |", flush=True)
    print(f"\ngeometric mean of compiled over the best other: "
          f"{np.exp(np.mean(np.log(ratios))):.2f}; slower than eager: "
          f"{', '.join(slower) or 'none'}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--trace"]:
        trace_alone(sys.argv[2])
    else:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["TORCHINDUCTOR_CACHE_DIR"] = folder
            main(sys.argv[1:])
