"""Operators that fold dims away, and softmax, which normalises along one."""

from __future__ import annotations

import builtins
from typing import Any, NamedTuple

import numpy as np

from eager.ops import cartesian
from eager.ops.errors import OpError
from eager.ops.families import ArgReduce, Reduce, Softmax
from eager.ops.op import Example, Op, Spelling
from eager.ops.types import BOOL, I64, U8, Shape, Type, as_dtype, normalize_dim, normalize_dims


class values_indices(NamedTuple):
    """What a reduction along one dim with positions returns."""

    values: Any
    indices: Any


def reduced_shape(shape: Shape, dims: tuple[int, ...], keepdim: bool) -> Shape:
    """The shape after folding ``dims`` away."""
    for d in dims:
        if not 0 <= d < len(shape):
            raise OpError(f"dim {d} is out of range of a {len(shape)}-d tensor")
    if keepdim:
        return tuple(1 if k in dims else d for k, d in enumerate(shape))
    return tuple(d for k, d in enumerate(shape) if k not in dims)


# --- contracts ---------------------------------------------------------------------------------
def _summed(x: Type, /, *, dims: tuple[int, ...], keepdim: bool) -> Type:
    dtype = x.dtype if x.dtype.kind in "fc" else I64
    return Type(dtype, reduced_shape(x.shape, dims, keepdim))


def _extreme(x: Type, /, *, dims: tuple[int, ...], keepdim: bool) -> Type:
    if builtins.any(type(x.shape[d]) is int and x.shape[d] == 0 for d in dims):
        raise OpError(f"{x} has no elements along dims {dims}: there is no extreme of nothing")
    return Type(x.dtype, reduced_shape(x.shape, dims, keepdim))


def _truth(x: Type, /, *, dims: tuple[int, ...], keepdim: bool) -> Type:
    return Type(BOOL, reduced_shape(x.shape, dims, keepdim))


def _position(x: Type, /, *, dim: int, keepdim: bool) -> Type:
    if x.ndim and type(x.shape[dim]) is int and x.shape[dim] == 0:
        raise OpError(f"{x} has no elements along dim {dim}")
    return Type(I64, reduced_shape(x.shape, (dim,) if x.ndim else (), keepdim))


def _normalised(x: Type, /, *, dim: int) -> Type:
    if x.dtype.kind != "f":
        raise OpError(f"the operand must be floating, got {x}")
    if not 0 <= dim < max(x.ndim, 1):
        raise OpError(f"dim {dim} is out of range of {x}")
    return x


def _floats(x: Any, *, dim: int) -> None:
    if x.dtype.kind != "f":
        _normalised(Type.of(x), dim=dim)


# --- forwards ----------------------------------------------------------------------------------
_add: Any = np.add.reduce
_multiply: Any = np.multiply.reduce


def run_sum(x: Any, *, dims: Any, keepdim: bool) -> Any:
    """The sum of an array; of integers as int64, of many rows in blocks."""
    if x.size > _LONG and x.dtype.kind in "fc" and x.ndim - 1 not in dims and dims:
        return _sum_in_blocks(x, dims, keepdim)
    return _add(x, dims, None if x.dtype.kind in "fc" else np.int64, None, keepdim)


#: Elements from which the order of a float sum is worth a thought.
_LONG = 1 << 16


def _sum_in_blocks(x: Any, dims: Any, keepdim: bool) -> Any:
    """NumPy folds pairwise along the last dim alone; along another one it adds row after row.

    Sums of about sqrt(n) rows, then their sum: the error grows with sqrt(n), not with n.
    """
    dim = max(dims, key=lambda d: x.shape[d])
    n = x.shape[dim]
    rows = int(n ** 0.5)
    if rows < 8:
        return _add(x, dims, keepdims=keepdim)
    head, tail = np.split(x, (n // rows * rows,), dim)
    head = head.reshape(*x.shape[:dim], -1, rows, *x.shape[dim + 1:])
    partial = _add(head, dim + 1)
    return _add(partial, dims, keepdims=keepdim) + _add(tail, dims, keepdims=keepdim)


def _run_prod(x: Any, *, dims: Any, keepdim: bool) -> Any:
    return _multiply(x, dims, None if x.dtype.kind in "fc" else np.int64, keepdims=keepdim)


def _run_fold(ufunc: Any) -> Any:
    reduce = ufunc.reduce

    def run(x: Any, *, dims: Any, keepdim: bool) -> Any:
        return reduce(x, dims, None, None, keepdim)
    return run


def _run_arg(find: Any) -> Any:
    def run(x: Any, *, dim: int, keepdim: bool) -> Any:
        return find(x, axis=dim, keepdims=keepdim) if x.ndim else np.asarray(0, np.int64)
    return run


def _run_softmax(x: Any, *, dim: int) -> Any:
    if not x.ndim:
        return np.where(np.isfinite(x), 1, np.nan).astype(x.dtype)
    if not x.size:
        return x.copy()
    e = np.exp(x - np.maximum.reduce(x, dim, keepdims=True))
    return e / np.add.reduce(e, dim, keepdims=True)


def _run_log_softmax(x: Any, *, dim: int) -> Any:
    if not x.ndim:
        return np.where(np.isfinite(x), 0, np.nan).astype(x.dtype)
    if not x.size:
        return x.copy()
    shifted = x - np.maximum.reduce(x, dim, keepdims=True)
    return shifted - np.log(np.add.reduce(np.exp(shifted), dim, keepdims=True))


# --- gradients ---------------------------------------------------------------------------------
def spread(F: Any, g: Any, x: Any, dims: tuple[int, ...]) -> Any:
    """A value of the reduced shape, repeated along the folded dims of ``x``."""
    shape = F.typeof(x).shape
    kept = tuple(1 if k in dims else d for k, d in enumerate(shape))
    return F.broadcast_to(F.reshape(g, shape=kept), shape=shape)


def _grad_sum(F: Any, g: Any, out: Any, x: Any, *, dims: Any, keepdim: bool) -> tuple[Any, ...]:
    return (spread(F, g, x, dims),)


def _grad_prod(F: Any, g: Any, out: Any, x: Any, *, dims: Any, keepdim: bool) -> tuple[Any, ...]:
    # The product of the others: by division where the factor is not 0; at one zero the product of
    # the rest; at two 0, written so that it still has its slope along the other zero.
    zero = F.eq(x, 0)
    nothing = F.mul(x, 0)
    number = spread(F, F.sum(zero, dims=dims, keepdim=True), x, dims)
    rest = spread(F, F.prod(F.where(zero, F.add(nothing, 1), x), dims=dims, keepdim=True), x, dims)
    zeros = F.where(zero, x, nothing)
    other = F.sub(spread(F, F.sum(zeros, dims=dims, keepdim=True), x, dims), x)
    others = F.where(
        zero, F.where(_is(F, number, 1), rest,
                      F.where(_is(F, number, 2), F.mul(rest, other), F.mul(rest, 0))),
        F.div(spread(F, out, x, dims), F.where(zero, F.add(nothing, 1), x)))
    return (F.mul(spread(F, g, x, dims), others),)


def _is(F: Any, count: Any, number: int) -> Any:
    return F.eq(count, F.full(shape=(), value=number, dtype=I64))


def _grad_extreme(F: Any, g: Any, out: Any, x: Any, *, dims: Any, keepdim: bool) -> tuple[Any, ...]:
    # Ties share the gradient equally, as torch's amax and amin.
    wins = F.eq(x, spread(F, out, x, dims))
    dtype = F.typeof(x).dtype
    share = F.cast(wins, dtype=dtype)
    total = F.sum(share, dims=dims, keepdim=True)
    return (F.mul(spread(F, g, x, dims), F.div(share, total)),)


def _grad_softmax(F: Any, g: Any, out: Any, x: Any, *, dim: int) -> tuple[Any, ...]:
    dims = (dim,) if F.typeof(out).ndim else ()
    weighted = F.mul(g, out)
    return (F.sub(weighted, F.mul(out, F.sum(weighted, dims=dims, keepdim=True))),)


def _grad_log_softmax(F: Any, g: Any, out: Any, x: Any, *, dim: int) -> tuple[Any, ...]:
    dims = (dim,) if F.typeof(out).ndim else ()
    return (F.sub(g, F.mul(F.exp(out), F.sum(g, dims=dims, keepdim=True))),)


# --- decompositions ----------------------------------------------------------------------------
def _softmax_parts(F: Any, x: Any, *, dim: int) -> Any:
    dims = (dim,) if F.typeof(x).ndim else ()
    e = F.exp(F.sub(x, F.amax(x, dims=dims, keepdim=True)))
    return F.div(e, F.sum(e, dims=dims, keepdim=True))


def _log_softmax_parts(F: Any, x: Any, *, dim: int) -> Any:
    dims = (dim,) if F.typeof(x).ndim else ()
    shifted = F.sub(x, F.amax(x, dims=dims, keepdim=True))
    return F.sub(shifted, F.log(F.sum(F.exp(shifted), dims=dims, keepdim=True)))


# --- public signatures -------------------------------------------------------------------------
def in_dtype(F: Any, fold: Any, input: Any, dtype: Any) -> Any:
    """``fold`` of the input converted to ``dtype``; narrow integers are folded as int64."""
    if dtype is None:
        return fold(input)
    want = as_dtype(dtype)
    found = fold(F.cast(input, dtype=want))
    return found if F.typeof(found).dtype is want else F.cast(found, dtype=want)


def _sum(F: Any, input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    dims = normalize_dims(dim, input.ndim)
    if dtype is None:
        return F.sum(input, dims=dims, keepdim=keepdim)
    return in_dtype(F, lambda x: F.sum(x, dims=dims, keepdim=keepdim), input, dtype)


def _prod(F: Any, input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    dims = normalize_dims(dim, input.ndim)
    return in_dtype(F, lambda x: F.prod(x, dims=dims, keepdim=keepdim), input, dtype)


def _folding(name: str) -> Any:
    def public(F: Any, input: Any, dim: Any = (), keepdim: bool = False) -> Any:
        return getattr(F, name)(input, dims=normalize_dims(dim, input.ndim), keepdim=keepdim)
    return public


def _testing(name: str) -> Any:
    def public(F: Any, input: Any, dim: Any = None, keepdim: bool = False) -> Any:
        found = getattr(F, name)(input, dims=normalize_dims(dim, input.ndim), keepdim=keepdim)
        return F.cast(found, dtype=U8) if input.dtype is U8 else found  # as torch has it
    return public


def _locating(name: str) -> Any:
    def public(F: Any, input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
        if input.dtype is BOOL:
            raise OpError(f"{name}: bools are not searched, got {F.typeof(input)}; convert them, "
                          f"for example to uint8")
        find = getattr(F, name)
        if dim is not None:
            return find(input, dim=normalize_dim(dim, input.ndim), keepdim=keepdim)
        t = F.typeof(input)
        found = find(F.reshape(input, shape=(t.numel,)), dim=0, keepdim=False)
        return F.reshape(found, shape=(1,) * t.ndim) if keepdim else found
    return public


def _normalising(name: str) -> Any:
    def public(F: Any, input: Any, dim: int | None = None, dtype: Any = None) -> Any:
        if dim is None:
            raise OpError(f"{name}: dim is not given; say along which dim, for example dim=-1")
        if dtype is not None:
            input = F.cast(input, dtype=as_dtype(dtype))
        return getattr(F, name)(input, dim=normalize_dim(dim, F.typeof(input).ndim))
    return public


FOLDS = (Example(((2, 3),), {"dims": (1,), "keepdim": False}),
          Example(((2, 3, 4),), {"dims": (0, 2), "keepdim": True}),
          Example(((3, 5),), {"dims": (0,), "keepdim": False}),
          Example(((4, 150),), {"dims": (0, 1), "keepdim": False}),
          Example(((),), {"dims": (), "keepdim": False}))
_EMPTY = (Example(((0, 3),), {"dims": (0,), "keepdim": False}),)
_INTS = (Example((((3, 4), "i64"),), {"dims": (1,), "keepdim": False}),
         Example((((3, 4), "bool"),), {"dims": (0,), "keepdim": False}))
_SPELLED = Spelling(("eager", "method"))
_ROWS = (Example(((3, 5),), {"dim": 1}), Example(((2, 3, 4),), {"dim": 1}),
         Example(((2, 300),), {"dim": 1}))

sum = Op("sum", "The sum over dims; integers and bools are summed as int64.", _summed,
         Reduce("add", 0),
         complex=True, split=cartesian.each, forward=run_sum, grad=_grad_sum, public=_sum,
         spelling=_SPELLED, onnx="ReduceSum", examples=FOLDS + _EMPTY + _INTS,
         rejects=(Example(((2,),), {"dims": (1,), "keepdim": False}),))
prod = Op("prod", "The product over dims.", _summed, Reduce("mul", 1), complex=True,
          forward=_run_prod, grad=_grad_prod, saves=(0, "out"), public=_prod,
          spelling=_SPELLED, domain=(0.5, 1.5), onnx="ReduceProd", examples=FOLDS[:3] + _EMPTY)
amax = Op("amax", "The largest element over dims; NaN if any is NaN.", _extreme,
          Reduce("maximum", "lowest"), grad=_grad_extreme, saves=(0, "out"),
          forward=_run_fold(np.maximum),
          public=_folding("amax"), spelling=_SPELLED, onnx="ReduceMax", examples=FOLDS,
          rejects=_EMPTY)
amin = Op("amin", "The smallest element over dims; NaN if any is NaN.", _extreme,
          Reduce("minimum", "highest"), grad=_grad_extreme, saves=(0, "out"),
          forward=_run_fold(np.minimum),
          public=_folding("amin"), spelling=_SPELLED, onnx="ReduceMin", examples=FOLDS,
          rejects=_EMPTY)
any = Op("any", "Whether any element over dims is nonzero.", _truth, Reduce("or", False),
         complex=True, split=cartesian.of_truth, forward=_run_fold(np.logical_or),
         public=_testing("any"), spelling=_SPELLED, examples=FOLDS + _EMPTY + _INTS)
all = Op("all", "Whether every element over dims is nonzero.", _truth, Reduce("and", True),
         complex=True, split=cartesian.of_truth, forward=_run_fold(np.logical_and),
         public=_testing("all"), spelling=_SPELLED, examples=FOLDS + _EMPTY + _INTS)
argmax = Op("argmax", "The first position of the largest element; of the first NaN if any.",
            _position, ArgReduce("gt"), forward=_run_arg(np.argmax), public=_locating("argmax"),
            spelling=_SPELLED, onnx="ArgMax",
            examples=(Example(((3, 4),), {"dim": 1, "keepdim": False}),
                      Example(((3, 4),), {"dim": 0, "keepdim": True})))
argmin = Op("argmin", "The first position of the smallest element; of the first NaN if any.",
            _position, ArgReduce("lt"), forward=_run_arg(np.argmin), public=_locating("argmin"),
            spelling=_SPELLED, onnx="ArgMin",
            examples=(Example(((3, 4),), {"dim": 1, "keepdim": False}),))
softmax = Op("softmax", "exp(x) over its sum along dim.", _normalised, Softmax(log=False),
             forward=_run_softmax, precheck=_floats, grad=_grad_softmax, saves=("out",),
             decompose=_softmax_parts, public=_normalising("softmax"), onnx="Softmax",
             examples=_ROWS,
             spelling=Spelling(("eager", "method", "nn.functional")))
log_softmax = Op("log_softmax", "The logarithm of softmax, without its underflow.", _normalised,
                 Softmax(log=True), forward=_run_log_softmax, precheck=_floats,
                 grad=_grad_log_softmax, saves=("out",), decompose=_log_softmax_parts,
                 public=_normalising("log_softmax"), onnx="LogSoftmax", examples=_ROWS,
                 spelling=Spelling(("eager", "method", "nn.functional")))

OPS = (sum, prod, amax, amin, any, all, argmax, argmin, softmax, log_softmax)
