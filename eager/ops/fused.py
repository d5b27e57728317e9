"""Ops that say a whole composite in one node, for tensors that nobody records.

A composite is what tracers, maps and compilers see; eagerly these take its place, since small
tensors cost what their nodes cost.  The laws over composites hold them to the same values.
"""

from __future__ import annotations

from typing import Any

from eager.ops.errors import OpError
from eager.ops.families import Contract
from eager.ops.op import Op
from eager.ops.types import BOOL, Type, product


def _layer(x: Type, w: Type, /, *bias: Type) -> Type:
    if not x.ndim or w.ndim != 2 or x.shape[-1] != w.shape[1]:
        raise OpError(f"wanted an input [..., in] and a weight [out, in], got {x} and {w}")
    if any(t.dtype is not x.dtype for t in (w, *bias)) or x.dtype is BOOL:
        raise OpError(f"operands are numbers of one dtype, got {x}, "
                      f"{', '.join(map(str, (w, *bias)))}")
    if any(b.shape != w.shape[:1] for b in bias):
        raise OpError(f"the bias of a weight {w} is [{w.shape[0]}], got {bias[0]}")
    return Type(x.dtype, (*x.shape[:-1], w.shape[0]))


def _fits(x: Any, w: Any, *bias: Any) -> None:
    if w.ndim != 2 or x.dtype is not w.dtype or x.dtype.kind == "b" or (
            bias and (bias[0].dtype is not x.dtype or bias[0].shape != w.shape[:1])):
        _layer(*map(Type.of, (x, w, *bias)))


def _run(x: Any, w: Any, *bias: Any) -> Any:
    out = x @ w.T
    if bias:
        out += bias[0]
    return out


def _grad(F: Any, g: Any, out: Any, x: Any, w: Any, *bias: Any) -> tuple[Any, ...]:
    """Of the input: g w.  Of the weight: g^T x over all leading dims.  Of the bias: their sum."""
    dx = F.matmul(g, w) if len(x.shape) > 1 else _row(F, F.matmul(_rows(F, g), w))
    rows = g if len(x.shape) == 2 else _rows(F, g)
    dw = F.matmul(F.permute(rows, dims=(1, 0)), x if len(x.shape) == 2 else _rows(F, x))
    if not bias:
        return dx, dw
    return dx, dw, F.sum(rows, dims=(0,), keepdim=False)


def _rows(F: Any, x: Any) -> Any:
    shape = tuple(x.shape)
    return F.reshape(x, shape=(product(shape[:-1]), shape[-1]))


def _row(F: Any, x: Any) -> Any:
    return F.reshape(x, shape=tuple(x.shape)[1:])


LINEAR = Op("linear", "input @ weight.T + bias.", _layer, Contract(), forward=_run, grad=_grad,
            saves=(0, 1), precheck=_fits, complex=True, spelling=None, variadic=True, examples=())

FUSED: dict[str, Op] = {"linear": LINEAR}
