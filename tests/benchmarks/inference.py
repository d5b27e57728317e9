"""Inference side by side: eager, compiled, onnxruntime and NumPy in one interleaved run.

    python tests/benchmarks/inference.py

One thread each.  Prints medians in microseconds and the ratio to the peer; needs the extra
``peers`` (onnx, onnxruntime).
"""

from __future__ import annotations

import os

os.environ.update(EAGER_JIT_THREADS="1", OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")

import sys
import time
import timeit
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import eager
import jit
from eager import nn


def interleaved(calls: dict[str, Callable[[], object]], seconds: float = 2.0) -> dict[str, float]:
    """Median microseconds of each call, taken in turns."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        for _ in range(3):
            call()
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    return {name: float(np.median(t)) * 1e6 for name, t in times.items()}


def session(nodes: list[onnx.NodeProto], weights: dict[str, np.ndarray], shape: list[object],
            outputs: int) -> onnxruntime.InferenceSession:
    """An onnxruntime session of one thread over a list of nodes from ``x`` to ``y``."""
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", outputs])],
        [numpy_helper.from_array(v, k) for k, v in weights.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options,
                                        providers=["CPUExecutionProvider"])


def onnx_of(model: nn.Sequential, shape: list[object]) -> onnxruntime.InferenceSession:
    """A Sequential of linear, convolution, norm, pooling and ReLU layers as ONNX."""
    nodes, weights, at = [], {}, "x"
    layers = [m for m in model if not isinstance(m, nn.Dropout)]
    for k, m in enumerate(layers):
        out = "y" if k + 1 == len(layers) else f"h{k}"
        own = {n: p.detach().numpy() for n, p in (*m.named_parameters(), *m.named_buffers())}
        names = {n: f"{k}.{n}" for n in own}
        weights.update({names[n]: v for n, v in own.items() if v.dtype == np.float32})
        if isinstance(m, nn.Linear):
            node = helper.make_node("Gemm", [at, names["weight"], names["bias"]], [out], transB=1)
        elif isinstance(m, nn.Conv2d):
            p = m.padding
            node = helper.make_node("Conv", [at, names["weight"], names["bias"]], [out],
                                    pads=[p[0], p[1], p[0], p[1]])
        elif isinstance(m, nn.BatchNorm2d):
            order = ("weight", "bias", "running_mean", "running_var")
            node = helper.make_node("BatchNormalization", [at, *(names[n] for n in order)], [out])
        elif isinstance(m, nn.MaxPool2d):
            node = helper.make_node("MaxPool", [at], [out], kernel_shape=[2, 2], strides=[2, 2])
        else:
            node = helper.make_node({"ReLU": "Relu", "Flatten": "Flatten"}[type(m).__name__],
                                    [at], [out])
        nodes.append(node)
        at = out
    return session(nodes, weights, shape, 10)


def mlp(*sizes: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for a, b in pairwise(sizes):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def convolutional() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.25), nn.Linear(128, 10))


def compare(title: str, model: nn.Sequential, batches: tuple[int, ...], *image: int) -> None:
    """One row a batch size."""
    model.eval()
    example = eager.randn(1, *image)
    program = jit.trace(model, (example,),
                        dynamic_shapes={"input": {0: jit.Dim("batch", max=4096)}})
    peer = onnx_of(model, ["n", *image])
    for n in batches:
        x = eager.randn(n, *image)
        fed = {"x": x.numpy()}
        with eager.no_grad():
            found = interleaved({
                "compiled": partial(program, x), "onnxruntime": partial(peer.run, None, fed),
                "eager": partial(model, x)})
            gap = np.abs(program(x).numpy() - peer.run(None, fed)[0]).max()
        print(f"{title} batch {n:>3}: compiled {found['compiled']:8.1f}  onnxruntime "
              f"{found['onnxruntime']:8.1f}  eager {found['eager']:8.1f} us; compiled takes "
              f"{found['compiled'] / found['onnxruntime']:.2f} of onnxruntime's time "
              f"(difference {gap:.1e})", flush=True)


def matmul(n: int = 512) -> None:
    a, b = eager.randn(n, n), eager.randn(n, n)
    program = jit.trace(lambda a, b: a @ b, (a, b))
    x, y = a.numpy(), b.numpy()
    found = interleaved({"compiled": lambda: program(a, b), "numpy": lambda: x @ y})
    rate = {k: 2 * n**3 / t / 1e3 for k, t in found.items()}
    print(f"matmul {n}x{n}x{n}: compiled {rate['compiled']:.1f}, NumPy {rate['numpy']:.1f} GFLOP/s;"
          f" compiled has {rate['compiled'] / rate['numpy']:.2f} of NumPy's rate", flush=True)


def alone() -> None:
    """One small call with nothing between, all checks on, tensor in and out."""
    x = eager.randn(1, 64)
    program = jit.trace(mlp(64, 128, 128, 10), (x,),
                        dynamic_shapes={"input": {0: jit.Dim("batch", max=4096)}})
    with eager.no_grad():
        times = timeit.repeat(partial(program, x), number=2000, repeat=15)
    print(f"MLP 64-128-128-10 batch 1, alone: median {np.median(times) / 2e-3:.2f} us a call",
          flush=True)


def main() -> None:
    eager.manual_seed(0)
    alone()
    compare("MLP 64-128-128-10  ", mlp(64, 128, 128, 10), (1, 32), 64)
    compare("MLP 784-512-512-10 ", mlp(784, 512, 512, 10), (1, 32, 256), 784)
    compare("conv net 1x8x8     ", convolutional(), (1, 32), 1, 8, 8)
    matmul()


if __name__ == "__main__":
    main()
