"""What the steps of a node need of the program round it, and what most of them begin with."""

from __future__ import annotations

from typing import Any, Protocol

from jit.dims import to_index
from jit.graph import Value
from jit.kernels.index import Index, product
from jit.kernels.steps import Kernel, Memory, Pointer, Step
from jit.passes.fusion import Call


class Context(Protocol):
    """What the steps of a node need to know of the program round it."""

    def pointer(self, value: Value) -> Pointer:
        """Where a value lies, row-major."""

    def name_kernel(self, words: str, kernel: Kernel) -> Kernel:
        """The kernel under its final name; equal kernels are one."""

    def packed(self, value: Value, packing: str) -> Memory | None:
        """A constant of the weights blob in a layout; None where the value is no constant."""

    def zeros(self, n: int) -> Memory:
        """At least ``n`` float32 zeros of the weights blob."""


def around(shape: tuple[Any, ...], dim: int) -> tuple[Index, Index, Index]:
    """Elements before, in and after a dim."""
    sizes = list(map(to_index, shape))
    return product(sizes[:dim]), sizes[dim], product(sizes[dim + 1:])


def kernel_step(call: Call, ctx: Context, kernel: Kernel, pointers: tuple[Pointer, ...],
                 sizes: tuple[Index, ...], total: Index, work: Index | None = None) -> Step:
    """The step of a kernel made for this call: rows ``[0, total)``, forked for much ``work``."""
    named = ctx.name_kernel(call.node.op.name, kernel)
    tasks = f"pieces({work}, 16384)" if work is not None else None
    return Step(named.name, (*pointers, *sizes), (call.result,), named, tasks, total,
                node=call.node, reports=named.reports)
