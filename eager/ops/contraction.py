"""The matrix product."""

from __future__ import annotations

from typing import Any

import numpy as np

from eager.ops import cartesian
from eager.ops.errors import OpError
from eager.ops.families import Contract
from eager.ops.op import Example, Op, Spelling
from eager.ops.types import BOOL, Type, broadcast_shapes


def _multiplied(x: Type, y: Type, /) -> Type:
    if x.ndim < 2 or y.ndim < 2:
        raise OpError(f"operands are matrices, got {x} and {y}")
    if x.dtype is not y.dtype:
        raise OpError(f"operands differ in dtype: {x} and {y}")
    if x.dtype is BOOL:
        raise OpError(f"bool matrices have no product: {x} and {y}")
    if x.shape[-1] != y.shape[-2]:
        raise OpError(f"{x} has {x.shape[-1]} columns and {y} has {y.shape[-2]} rows")
    batch = broadcast_shapes(x.shape[:-2], y.shape[:-2])
    return Type(x.dtype, (*batch, x.shape[-2], y.shape[-1]))


def _alike(x: Any, y: Any) -> None:
    if x.dtype is not y.dtype or x.dtype.kind == "b" or min(x.ndim, y.ndim) < 2:
        _multiplied(Type.of(x), Type.of(y))


def transposed(F: Any, x: Any) -> Any:
    """``x`` with its last two dims swapped."""
    n = F.typeof(x).ndim
    return F.permute(x, dims=(*range(n - 2), n - 1, n - 2))


def _by_left(F: Any, g: Any, out: Any, x: Any, y: Any) -> Any:
    return F.matmul(g, transposed(F, y))


def _by_right(F: Any, g: Any, out: Any, x: Any, y: Any) -> Any:
    return F.matmul(transposed(F, x), g)


def matrix_product(F: Any, input: Any, other: Any) -> Any:
    """The matrix product; a vector is a row on the left and a column on the right."""
    x, y = F.typeof(input), F.typeof(other)
    if not x.ndim or not y.ndim:
        raise OpError(f"matmul: operands have at least one dim, got {x} and {y}")
    left = F.reshape(input, shape=(1, *x.shape)) if x.ndim == 1 else input
    right = F.reshape(other, shape=(*y.shape, 1)) if y.ndim == 1 else other
    out = F.matmul(left, right)
    shape = F.typeof(out).shape
    if y.ndim == 1:
        shape = shape[:-1]
        out = F.reshape(out, shape=shape)
    if x.ndim == 1:
        out = F.reshape(out, shape=shape[:-2] + shape[-1:] if y.ndim > 1 else shape[:-1])
    return out


matmul = Op("matmul", "The matrix product of the last two dims; leading dims broadcast.",
            _multiplied, Contract(), forward=np.matmul, partials=(_by_left, _by_right),
            saves=(0, 1), precheck=_alike, public=matrix_product, promote="none", onnx="MatMul",
            complex=True, split=cartesian.matmul,
            spelling=Spelling(("eager", "method", "__matmul__", "__rmatmul__")),
            examples=(Example(((2, 3), (3, 4))), Example(((5, 2, 3), (5, 3, 4))),
                      Example(((5, 2, 3), (3, 4))), Example(((2, 1, 2, 3), (4, 3, 2))),
                      Example(((0, 3), (3, 2))), Example(((2, 0), (0, 3))),
                      Example(((7, 20), (20, 33)))),
            rejects=(Example(((2, 3), (4, 5))), Example(((2, 3), ((3, 4), "f64")))))

OPS = (matmul,)
