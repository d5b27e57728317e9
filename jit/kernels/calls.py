"""Nodes with kernels of their own: the steps of each family."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eager.ops import families as fam
from eager.ops import philox
from eager.ops.errors import CompileError
from eager.ops.types import F32, F64, broadcast_shapes
from jit.dims import to_index
from jit.graph import Node, Value
from jit.kernels import templates
from jit.kernels.context import Context, around, kernel_step
from jit.kernels.factoring import FACTORINGS
from jit.kernels.index import Index, Var, product
from jit.kernels.reading import matrix_strides
from jit.kernels.rowwise import ROWWISE
from jit.kernels.spectra import SPECTRA
from jit.kernels.steps import Action, Kernel, Loop, Pointer, Scratch, Step, as_bytes, elements
from jit.passes.fusion import Call

#: Most tasks that a routine of the library is split into.
MOST_TASKS = 8
_ROUTINES = {**FACTORINGS, **SPECTRA}


def lower_call(call: Call, ctx: Context) -> tuple[Action, ...]:
    """The steps that compute a unit with a kernel of its own."""
    return _FAMILIES[type(call.node.op.kernel)](call, ctx)


# --- matrix product ----------------------------------------------------------------------------
class _Operand:
    """A matrix operand: its memory and the strides of its last two dims and of the batch."""

    def __init__(self, value: Value, batch: tuple[Any, ...], ctx: Context) -> None:
        shape = value.type.shape
        seen = matrix_strides(value)
        if seen is None:
            strides: list[Index] = []
            step = Index.of(1)
            for d in reversed(shape):
                strides.insert(0, step)
                step = step * to_index(d)
            offset, pointer = Index(()), ctx.pointer(value)
        else:
            memory, offset, found = seen
            strides, pointer = list(found), ctx.pointer(memory)
        self.pointer = Pointer(pointer.memory, pointer.dtype, pointer.offset + offset)
        self.rows, self.columns = strides[-2:]
        missing = len(batch) - (len(shape) - 2)
        self.batch = [Index(())] * missing + [
            Index(()) if type(d) is int and d == 1 else s
            for d, s in zip(shape[:-2], strides[:-2], strict=True)]

    def at(self, variables: list[Index]) -> Pointer:
        """The matrix of one batch item."""
        offset = self.pointer.offset
        for v, s in zip(variables, self.batch, strict=True):
            offset = offset + v * s
        return Pointer(self.pointer.memory, self.pointer.dtype, offset)


def _product(call: Call, ctx: Context) -> tuple[Action, ...]:
    node = call.node
    a, b = node.args
    batch = node.type.shape[:-2]
    rows, columns = map(to_index, node.type.shape[-2:])
    inner = to_index(a.type.shape[-1])
    left, right = _Operand(a, batch, ctx), _Operand(b, batch, ctx)
    if batch and len(b.type.shape) == 2 and _rows_follow(left, node):
        rows, batch = product(map(to_index, node.type.shape[:-1])), ()
        left.batch = right.batch = []
    variables = [Index.of(Var(f"b{k}", to_index(d))) for k, d in enumerate(batch)]
    item = Index(())
    for v, d in zip(variables, batch, strict=True):
        item = item * to_index(d) + v
    out = ctx.pointer(call.result)
    target = Pointer(out.memory, out.dtype, out.offset + item * rows * columns)
    shape = (rows, columns, inner)
    if node.type.dtype is F32:
        body = _gemm(call, ctx, left, right, variables, target, shape)
    else:
        kernel = ctx.name_kernel(node.op.name, templates.product(node.type.dtype))
        body = (Step(kernel.name, (left.at(variables), right.at(variables), target, left.rows,
                                   left.columns, right.rows, right.columns, columns, inner),
                     (call.result,), kernel, f"pieces(({rows * columns * inner}), 65536)", rows,
                     node=node),)
    return _looped(body, variables, batch)


def _rows_follow(left: _Operand, node: Node) -> bool:
    """Whether the rows of all batch items lie at one stride, so that they are one matrix."""
    stride = left.rows
    for d, s in zip(reversed(node.type.shape[:-1]), reversed([*left.batch, left.rows]),
                    strict=True):
        if s != stride:
            return False
        stride = stride * to_index(d)
    return True


def _gemm(call: Call, ctx: Context, left: _Operand, right: _Operand, variables: list[Index],
          target: Pointer, shape: tuple[Index, Index, Index]) -> tuple[Action, ...]:
    rows, columns, inner = shape
    body: list[Action] = []
    a, lda = left.at(variables), left.rows
    if left.columns != Index.of(1):
        packed = Scratch("rows", F32, rows * inner)
        body.append(Step("pack_rows", (a, left.rows, left.columns, rows, inner,
                                       Pointer(packed, F32)), (packed,)))
        a, lda = Pointer(packed, F32), inner
    panels = ctx.packed(call.node.args[1], "panels") if len(
        call.node.args[1].type.shape) == 2 else None
    if panels is None:
        panels = Scratch("panels", F32, (columns + 15) // 16 * 16 * inner)
        body.append(Step("pack_panels", (right.at(variables), right.rows, right.columns, inner,
                                         columns, Pointer(panels, F32)), (panels,)))
    bias = _row_of(call.bias, columns, ctx, body)
    body.append(Step(
        "gemm", (a, lda, Pointer(panels, F32), inner * 16, bias, target, columns, rows, columns,
                 inner, _lowest(call)), (call.result,),
        tasks=f"gemm_tasks({rows}, {columns}, {inner})", node=call.node))
    return tuple(body)


def _lowest(call: Call) -> str:
    return "float32(0.0)" if call.clamp else "float32(-inf)"


def _row_of(bias: Value | None, n: Index, ctx: Context, body: list[Action]) -> Pointer:
    """A bias of ``n`` numbers padded to whole panels; zeros for none."""
    whole = (n + 15) // 16 * 16
    if bias is None and n.constant is not None:
        return Pointer(ctx.zeros(n.constant), F32)
    held = ctx.packed(bias, "row") if bias is not None else None
    if held is not None:
        return Pointer(held, F32)
    padded = Scratch("bias", F32, whole)
    source = Pointer(None, F32) if bias is None else ctx.pointer(bias)
    body.append(Step("pad_row", (source, Index(()) if bias is None else n, whole,
                                 Pointer(padded, F32)), (padded,)))
    return Pointer(padded, F32)


# --- convolution -------------------------------------------------------------------------------
def _convolution(call: Call, ctx: Context) -> tuple[Action, ...]:
    node = call.node
    x, w = node.args
    n, c, h, width = map(to_index, x.type.shape)
    o, _, kh, kw = map(to_index, w.type.shape)
    oh, ow = map(to_index, node.type.shape[2:])
    numbers = [to_index(v) for name in ("stride", "padding", "dilation")
               for v in node.attrs[name]]
    out = ctx.pointer(call.result)
    geometry = (n, c, h, width, o, kh, kw, oh, ow, *numbers)
    if node.type.dtype is not F32:
        kernel = ctx.name_kernel(node.op.name, templates.convolution(node.type.dtype))
        return (Step(kernel.name, (ctx.pointer(x), ctx.pointer(w), out, *geometry),
                     (call.result,), kernel, f"pieces({n * o}, 4)", n * o, node=node),)
    bias = ctx.pointer(call.bias) if call.bias is not None else Pointer(
        ctx.zeros(_static(o)), F32)
    inner = c * kh * kw
    image = c * (h + numbers[2] * 2) * (width + numbers[3] * 2)
    per_task = (image + 15) // 16 * 16 + inner * 64
    work = (n * o * inner * oh * ow).constant
    small = work is not None and work < 262144
    room = Scratch("patches", F32, per_task * (1 if small else MOST_TASKS))
    return (Step("conv", (ctx.pointer(x), ctx.pointer(w), bias, out, *geometry, _lowest(call),
                          Pointer(room, F32), per_task), (call.result, room),
                 tasks=f"conv_tasks({n}, {o}, {inner}, {oh * ow})", node=node),)


def _static(size: Index) -> int:
    value = size.constant
    assert value is not None, "channels are static"
    return value


# --- index families ----------------------------------------------------------------------------
def _gather(call: Call, ctx: Context) -> tuple[Action, ...]:
    node = call.node
    x, index = node.args
    pointers = (ctx.pointer(x), ctx.pointer(index), ctx.pointer(call.result))
    before, n, after = around(x.type.shape, node.attrs["dim"])
    kinds = (x.type.dtype, index.type.dtype)
    assert isinstance(node.op.kernel, fam.Gather)
    if node.op.kernel.select:
        count = to_index(index.type.shape[0])
        return (kernel_step(call, ctx, templates.select(*kinds), pointers, (n, count, after),
                             before * count, before * count * after),)
    kernel = templates.gather(*kinds, x.type.shape, index.type.shape, node.attrs["dim"])
    total = elements(index.type.shape)
    return (kernel_step(call, ctx, kernel, pointers, _sizes(kernel), total, total),)


def _sizes(kernel: Kernel) -> tuple[Index, ...]:
    return tuple(Index.of(Var(s)) for s in kernel.sizes)


def _scatter(call: Call, ctx: Context) -> tuple[Action, ...]:
    node = call.node
    x, index, src = node.args
    pointers = (*map(ctx.pointer, node.args), ctx.pointer(call.result))
    kinds = (x.type.dtype, index.type.dtype)
    family = node.op.kernel
    assert isinstance(family, fam.Scatter)
    if family.select:
        before, n, after = around(x.type.shape, node.attrs["dim"])
        sizes = (before, n, to_index(index.type.shape[0]), after)
        return (kernel_step(call, ctx, templates.select_scatter(*kinds, family.combine), pointers,
                             sizes, Index.of(1)),)
    kernel = templates.scatter(*kinds, x.type.shape, index.type.shape, src.type.shape,
                               node.attrs["dim"], family.combine)
    return (kernel_step(call, ctx, kernel, pointers, _sizes(kernel), Index.of(1)),)


def _concat(call: Call, ctx: Context) -> tuple[Action, ...]:
    node = call.node
    dim = node.attrs["dim"]
    rows, whole, after = around(node.type.shape, dim)
    offset = Index(())
    steps: list[Action] = []
    for a in node.args:
        width = to_index(a.type.shape[dim]) * after
        steps.append(kernel_step(
            call, ctx, templates.concat(node.type.dtype),
            (ctx.pointer(a), ctx.pointer(call.result)), (width, whole * after, offset), rows,
            rows * width))
        offset = offset + width
    return tuple(steps)


def _slice_update(call: Call, ctx: Context) -> tuple[Action, ...]:
    node = call.node
    base, value = node.args
    kernel = templates.slice_update(node.type.dtype, base.type.shape, value.type.shape,
                                    node.attrs["starts"], node.attrs["steps"])
    pointers = (ctx.pointer(base), ctx.pointer(value), ctx.pointer(call.result))
    return (kernel_step(call, ctx, kernel, pointers, _sizes(kernel), Index.of(1)),)


def _bitcast(call: Call, ctx: Context) -> tuple[Action, ...]:
    (x,) = call.node.args
    target, source = (as_bytes(ctx.pointer(v)) for v in (call.result, x))
    count = elements(x.type.shape) * x.type.dtype.itemsize
    return (Step("copy_bytes", (target, source, count), (call.result,), node=call.node),)


def _library(call: Call, ctx: Context) -> tuple[Action, ...]:
    """One matrix after the other through its routine."""
    node = call.node
    assert isinstance(node.op.kernel, fam.Library)
    make = _ROUTINES.get(node.op.kernel.routine)
    if make is None:
        raise CompileError(f"no kernel is written for {node.op.name}")
    found = make(node.type.dtype, dict(node.attrs))
    a = node.args[0]
    batch = broadcast_shapes(*(v.type.shape[:-2] for v in node.args))
    operands = [_Operand(v, batch, ctx) for v in node.args]
    variables = [Index.of(Var(f"b{k}", to_index(d))) for k, d in enumerate(batch)]
    item = Index(())
    for v, d in zip(variables, batch, strict=True):
        item = item * to_index(d) + v
    out = ctx.pointer(call.result)
    target = Pointer(out.memory, out.dtype,
                     out.offset + item * product(map(to_index, node.type.shape[len(batch):])))
    m, n = map(to_index, a.type.shape[-2:])
    k = to_index(node.args[-1].type.shape[-1])
    room = Scratch("room", F64, found.room(m, n, k))
    sizes: list[Index] = [m, n, operands[0].rows, operands[0].columns]
    if len(operands) == 2:
        sizes += [k, operands[1].rows, operands[1].columns]
    kernel = ctx.name_kernel(node.op.name, found.kernel)
    step = Step(kernel.name, (*(o.at(variables) for o in operands), target, Pointer(room, F64),
                              *sizes), (call.result, room), kernel, None, Index.of(1), node=node,
                reports=True)
    return _looped((step,), variables, batch)


def _looped(body: tuple[Action, ...], variables: list[Index],
            batch: tuple[Any, ...]) -> tuple[Action, ...]:
    """The steps once for every item of a batch."""
    for v, d in reversed(list(zip(variables, batch, strict=True))):
        (atom,), _ = v.terms[0]
        assert isinstance(atom, Var)
        body = (Loop(Var(atom.name, to_index(d)), body),)
    return body


def _pool(call: Call, ctx: Context) -> tuple[Action, ...]:
    node = call.node
    (x,) = node.args
    assert isinstance(node.op.kernel, fam.Pool)
    h, w = map(to_index, x.type.shape[-2:])
    oh, ow = map(to_index, node.type.shape[-2:])
    window = {n: node.attrs[n] for n in ("kernel", "stride", "padding", "dilation")}
    planes = product(map(to_index, x.type.shape[:-2]))
    kernel = templates.pool(x.type.dtype, node.op.kernel.indices, window)
    pointers = (ctx.pointer(x), ctx.pointer(call.result))
    area = window["kernel"][0] * window["kernel"][1]
    return (kernel_step(call, ctx, kernel, pointers, (h, w, oh, ow), planes,
                         planes * oh * ow * area),)


def _random(call: Call, ctx: Context) -> tuple[Action, ...]:
    node = call.node
    assert isinstance(node.op.kernel, fam.Random)
    kernel = templates.random(node.op.kernel.distribution, node.type.dtype)
    pointers = (ctx.pointer(node.args[0]), ctx.pointer(call.result))
    if node.op.kernel.distribution == "advance":
        return (kernel_step(call, ctx, kernel, pointers, (to_index(node.attrs["count"]),),
                             Index.of(1)),)
    total = elements(node.type.shape)
    per = philox.WORDS if node.type.dtype is F64 else philox.HALVES
    return (kernel_step(call, ctx, kernel, pointers, (total,), (total + (per - 1)) // per,
                         total * 8),)


_FAMILIES: dict[type, Callable[[Call, Context], tuple[Action, ...]]] = {
    fam.Contract: _product,
    fam.Convolution: _convolution,
    fam.Gather: _gather,
    fam.Scatter: _scatter,
    fam.Concat: _concat,
    fam.SliceUpdate: _slice_update,
    fam.Bitcast: _bitcast,
    fam.Library: _library,
    fam.Pool: _pool,
    fam.Random: _random,
    **ROWWISE,
}
