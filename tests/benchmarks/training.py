"""Three trainings, compiled beside eager: what they compute, and how fast.

    python tests/benchmarks/training.py

Each compiled step from the eager state, against float64; 100 losses from one start; in float64
all parameters after 100 steps; medians of interleaved steps on one thread.
"""

from __future__ import annotations

import os

os.environ.update(EAGER_JIT_THREADS="1", OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")

import sys
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import eager
import jit
from tests.benchmarks.compiled import interleaved
from tests.jit.test_training import follow, made, worst_step
from tests.replay import Compiled
from tests.trainings import TRAININGS


def main() -> None:
    print("| | error of a step, over what is allowed (at most 1) | largest difference of 100 "
          "losses (at most 1e-5) | in float64 of a parameter (at most 1e-8) | eager | compiled | "
          "eager / compiled |\n" + "|---" * 7 + "|")
    for name in TRAININGS:
        worst = worst_step(name, Compiled, 20)
        losses, wanted, _ = follow(name, Compiled, eager.float32, 100)
        _, _, gap = follow(name, Compiled, eager.float64, 100)
        mine, other = made(name), made(name)
        program = jit.trace(other.step, other.batch(0))
        times = interleaved({"eager": partial(mine.step, *mine.batch(0)),
                             "compiled": partial(program, *mine.batch(0))}, seconds=3.0)
        print(f"| {name} | {worst:.2f} | {np.abs(losses - wanted).max():.1e} (from {wanted[0]:.2f} "
              f"to {wanted[-1]:.2f}) | {gap:.1e} | {times['eager']:.0f} us | "
              f"{times['compiled']:.0f} us | {times['eager'] / times['compiled']:.1f} |",
              flush=True)


if __name__ == "__main__":
    main()
