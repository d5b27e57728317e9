"""``python -m tests.models [names]``: each model traced at batch 1, compiled, compared, timed.

Each runs in two processes with a cache folder of their own: the first compiles, the second
finds what the first compiled.  Errors are largest distances from float64, as parts of an output's
magnitude, at each batch and length; eager's own stands behind them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from typing import Any

import jit
from tests.models.cases import BY_NAME, CASES, arguments, built, dynamic_shapes, sizes
from tests.models.measure import deviations, tensors


def main(names: list[str]) -> None:
    print("| model | nodes | kernels | compiled in | from the cache | "
          "largest error at batch x length (eager's own) | |\n|---|---|---|---|---|---|---|")
    for name in names or [case.name for case in CASES]:
        with tempfile.TemporaryDirectory() as folder:
            cold, warm = (_in_process(name, folder) for _ in range(2))
        print(_row(name, cold, warm), flush=True)


def _in_process(name: str, folder: str) -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-m", "tests.models", "--one", name], text=True,
                          env={**os.environ, "EAGER_JIT_CACHE": folder}, capture_output=True)
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or ["?"])[-1]}
    return dict(json.loads(done.stdout))


def _row(name: str, cold: dict[str, Any], warm: dict[str, Any]) -> str:
    if "failed" in cold:
        return f"| {name} | | | | | {cold['failed']} | wrong |"
    errors = ", ".join(f"{b}x{n}: {ours:.1e} ({own:.1e})" for b, n, ours, own in cold["errors"])
    return (f"| {name} | {cold['nodes']} | {cold['kernels']} | {cold['seconds']:.1f} s | "
            f"{warm['seconds']:.2f} s | {errors} | {'right' if cold['right'] else 'wrong'} |")


def one(name: str) -> dict[str, Any]:
    """What a process measures: the trace and all that follows until the program can be called."""
    case = BY_NAME[name]
    live = built(case)
    example, dims = arguments(case, *sizes(case)[0]), dynamic_shapes(case)
    start = time.perf_counter()
    programs = [jit.trace(fn, tensors(args), dynamic_shapes=of_one)
                for fn, args, of_one in zip(live.entries.values(), example, dims, strict=True)]
    seconds = time.perf_counter() - start
    found = list(deviations(case, live, programs, sizes(case)))
    return {"nodes": sum(len(p.graph.nodes) for p in programs),
            "kernels": sum(len(p.kernels) for p in programs), "seconds": seconds,
            "errors": [(d.batch, d.length, d.ours, d.eagers) for d in found],
            "right": all(d.right for d in found)}


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(one(sys.argv[2])))
    else:
        main(sys.argv[1:])
