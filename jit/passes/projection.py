"""Convolutions that look at one pixel at a time are matrix products."""

from __future__ import annotations

from typing import Any

from eager.ops.families import Convolution
from jit.builder import Builder
from jit.dims import same_size
from jit.graph import Graph, Node, rewrite
from jit.passes.regions import everywhere


@everywhere
def project(graph: Graph) -> Graph:
    """``conv2d(x, w)`` with a window of 1 x 1 and no padding => ``w @ x`` over the pixels.

    The product reads the image as it lies, where a convolution copies patches of it first; of
    larger strides, only the pixels that count are taken.
    """
    return rewrite(graph, _projected)


def _projected(node: Node) -> Any:
    if not isinstance(node.op.kernel, Convolution) or not _is_pointwise(node):
        return node
    F = Builder(node.location)
    x, w = node.args
    images, channels, height, width = x.type.shape
    out = node.type.shape
    steps = node.attrs["stride"]
    seen: Any = x
    if not all(same_size(s, 1) for s in steps):
        seen = F.slice(x, starts=(0, 0, 0, 0), stops=(images, channels, height, width),
                       steps=(1, 1, *steps))
    flat = F.reshape(seen, shape=(images, channels, out[2] * out[3]))
    product = F.matmul(F.reshape(w, shape=(out[1], channels)), flat)
    return F.up_to(F.reshape(product, shape=out))


def _is_pointwise(node: Node) -> bool:
    window = node.args[1].type.shape[2:]
    return all(same_size(k, 1) for k in window) and all(
        same_size(p, 0) for p in node.attrs["padding"])
