"""Nodes whose kernels take one row along a dim after the other: scans, sorts, transforms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from eager.ops import families as fam
from eager.ops.types import F64, I64
from jit.dims import to_index
from jit.kernels import ordering, templates, transforms
from jit.kernels.context import Context, around, kernel_step
from jit.kernels.index import Index
from jit.kernels.steps import Action, Kernel, Pointer, Scratch, Step, elements
from jit.passes.fusion import Call


def _arg_reduce(call: Call, ctx: Context) -> tuple[Action, ...]:
    node = call.node
    (x,) = node.args
    assert isinstance(node.op.kernel, fam.ArgReduce)
    before, n, after = around(x.type.shape or (1,), node.attrs["dim"])
    kernel = templates.arg_reduce(x.type.dtype, node.op.kernel.better, n.constant is None)
    pointers = (ctx.pointer(x), ctx.pointer(call.result))
    return (kernel_step(call, ctx, kernel, pointers, (n, after), before * after,
                         before * n * after),)


def _along(call: Call, ctx: Context, kernel: Kernel) -> Step:
    """A step whose kernel takes the rows along attribute ``dim`` of the one operand."""
    node = call.node
    (x,) = node.args
    before, n, after = around(x.type.shape or (1,), node.attrs["dim"])
    return kernel_step(call, ctx, kernel, (ctx.pointer(x), ctx.pointer(call.result)), (n, after),
                        before * after, before * n * after)


def _scan(call: Call, ctx: Context) -> tuple[Action, ...]:
    node = call.node
    assert isinstance(node.op.kernel, fam.Scan)
    return (_along(call, ctx, ordering.scan(
        node.op.kernel, node.args[0].type.dtype, node.type.dtype, node.attrs["reverse"])),)


def _arg_scan(call: Call, ctx: Context) -> tuple[Action, ...]:
    node = call.node
    assert isinstance(node.op.kernel, fam.ArgScan)
    return (_along(call, ctx, ordering.arg_scan(node.args[0].type.dtype, node.op.kernel.better)),)


def _sort(call: Call, ctx: Context) -> tuple[Action, ...]:
    node = call.node
    assert isinstance(node.op.kernel, fam.Sort)
    if node.op.kernel.first:
        return (_foremost(call, ctx),)
    kernel = ordering.argsort(node.args[0].type.dtype, node.attrs["descending"])
    step = _along(call, ctx, kernel)
    spare = Scratch("spare", I64, elements(node.type.shape))
    args = (*step.args[:2], Pointer(spare, I64), *step.args[2:])
    return (replace(step, args=args, writes=(call.result, spare)),)


def _foremost(call: Call, ctx: Context) -> Step:
    node = call.node
    (x,) = node.args
    before, n, after = around(x.type.shape or (1,), node.attrs["dim"])
    kernel = ordering.foremost(x.type.dtype, node.attrs["descending"])
    pointers = (ctx.pointer(x), ctx.pointer(call.result))
    return kernel_step(call, ctx, kernel, pointers, (n, to_index(node.attrs["k"]), after),
                        before * after, before * n * after)


def _search(call: Call, ctx: Context) -> tuple[Action, ...]:
    node = call.node
    sequence, values = node.args
    n = to_index(sequence.type.shape[-1])
    shared = len(sequence.type.shape) == 1
    width = Index.of(1) if shared else to_index(values.type.shape[-1])
    pointers = (ctx.pointer(sequence), ctx.pointer(values), ctx.pointer(call.result))
    total = elements(values.type.shape)
    kernel = ordering.search(sequence.type.dtype, node.attrs["right"])
    return (kernel_step(call, ctx, kernel, pointers, (n, width, Index(()) if shared else n),
                         total, total * 8),)


def _transform(call: Call, ctx: Context) -> tuple[Action, ...]:
    node = call.node
    (x,) = node.args
    before, n, after = around(x.type.shape[1:], node.attrs["dim"] - 1)
    room = Scratch("room", F64, n * transforms.ROOM)
    pointers = (ctx.pointer(x), ctx.pointer(call.result), Pointer(room, F64))
    step = kernel_step(call, ctx, transforms.transform(x.type.dtype, node.attrs["inverse"]),
                       pointers, (n, after, before * n * after), before * after)
    return (replace(step, writes=(call.result, room)),)


ROWWISE: dict[type, Callable[[Call, Context], tuple[Action, ...]]] = {
    fam.ArgReduce: _arg_reduce,
    fam.Scan: _scan,
    fam.ArgScan: _arg_scan,
    fam.Sort: _sort,
    fam.Search: _search,
    fam.Transform: _transform,
}
