"""Operators that fold dims away, and softmax, which normalises along one."""

from __future__ import annotations

import builtins
from typing import Any, NamedTuple

import numpy as np

from eager.ops.errors import OpError
from eager.ops.families import ArgReduce, Reduce, Softmax
from eager.ops.op import Example, Op, Spelling
from eager.ops.types import BOOL, I64, Shape, Type, as_dtype, normalize_dim, normalize_dims


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
    dtype = x.dtype if x.dtype.kind == "f" else I64
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


def _run_sum(x: Any, *, dims: Any, keepdim: bool) -> Any:
    return _add(x, dims, None if x.dtype.kind == "f" else np.int64, keepdims=keepdim)


def _run_prod(x: Any, *, dims: Any, keepdim: bool) -> Any:
    return _multiply(x, dims, None if x.dtype.kind == "f" else np.int64, keepdims=keepdim)


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
    # The product of the others: by division where no factor is 0, else with the zero left out.
    zero = F.eq(x, 0)
    zeros = F.sum(zero, dims=dims, keepdim=True)
    rest = F.prod(F.where(zero, F.add(F.mul(x, 0), 1.0), x), dims=dims, keepdim=True)
    whole = F.broadcast_to(rest, shape=F.typeof(x).shape)
    count = F.broadcast_to(zeros, shape=F.typeof(x).shape)
    none = F.eq(count, F.full(shape=(), value=0, dtype=I64))
    one = F.eq(count, F.full(shape=(), value=1, dtype=I64))
    nothing = F.mul(whole, 0)
    others = F.where(none, F.div(whole, F.where(zero, F.add(nothing, 1.0), x)),
                     F.where(F.logical_and(one, zero), whole, nothing))
    return (F.mul(spread(F, g, x, dims), others),)


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
def _dims_of(F: Any, input: Any, dim: Any) -> tuple[int, ...]:
    return normalize_dims(dim, F.typeof(input).ndim)


def _sum(F: Any, input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    if dtype is not None:
        input = F.cast(input, dtype=as_dtype(dtype))
    return F.sum(input, dims=_dims_of(F, input, dim), keepdim=keepdim)


def _prod(F: Any, input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    if dtype is not None:
        input = F.cast(input, dtype=as_dtype(dtype))
    return F.prod(input, dims=_dims_of(F, input, dim), keepdim=keepdim)


def _folding(name: str) -> Any:
    def public(F: Any, input: Any, dim: Any = None, keepdim: bool = False) -> Any:
        return getattr(F, name)(input, dims=_dims_of(F, input, dim), keepdim=keepdim)
    return public


def _locating(name: str) -> Any:
    def public(F: Any, input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
        t = F.typeof(input)
        if dim is None:
            input, dim = F.reshape(input, shape=(t.numel,)), 0
            found = getattr(F, name)(input, dim=0, keepdim=False)
            return F.reshape(found, shape=(1,) * t.ndim) if keepdim else found
        return getattr(F, name)(input, dim=normalize_dim(dim, t.ndim), keepdim=keepdim)
    return public


def _normalising(name: str) -> Any:
    def public(F: Any, input: Any, dim: int | None = None, dtype: Any = None) -> Any:
        if dim is None:
            raise OpError(f"{name}: dim is not given; say along which dim, for example dim=-1")
        if dtype is not None:
            input = F.cast(input, dtype=as_dtype(dtype))
        return getattr(F, name)(input, dim=normalize_dim(dim, F.typeof(input).ndim))
    return public


_FOLDS = (Example(((2, 3),), {"dims": (1,), "keepdim": False}),
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
         Reduce("add", 0), forward=_run_sum, grad=_grad_sum, public=_sum, spelling=_SPELLED,
         onnx="ReduceSum", examples=_FOLDS + _EMPTY + _INTS,
         rejects=(Example(((2,),), {"dims": (1,), "keepdim": False}),))
prod = Op("prod", "The product over dims.", _summed, Reduce("mul", 1), forward=_run_prod,
          grad=_grad_prod, saves=(0,), public=_prod, spelling=_SPELLED, domain=(0.5, 1.5),
          onnx="ReduceProd", examples=_FOLDS[:3] + _EMPTY)
amax = Op("amax", "The largest element over dims; NaN if any is NaN.", _extreme,
          Reduce("maximum", "lowest"), grad=_grad_extreme, saves=(0, "out"),
          forward=lambda x, *, dims, keepdim: np.maximum.reduce(x, dims, keepdims=keepdim),
          public=_folding("amax"), spelling=_SPELLED, onnx="ReduceMax", examples=_FOLDS,
          rejects=_EMPTY)
amin = Op("amin", "The smallest element over dims; NaN if any is NaN.", _extreme,
          Reduce("minimum", "highest"), grad=_grad_extreme, saves=(0, "out"),
          forward=lambda x, *, dims, keepdim: np.minimum.reduce(x, dims, keepdims=keepdim),
          public=_folding("amin"), spelling=_SPELLED, onnx="ReduceMin", examples=_FOLDS,
          rejects=_EMPTY)
any = Op("any", "Whether any element over dims is nonzero.", _truth, Reduce("or", False),
         forward=lambda x, *, dims, keepdim: np.any(x, axis=dims, keepdims=keepdim),
         public=_folding("any"), spelling=_SPELLED, examples=_FOLDS + _EMPTY + _INTS)
all = Op("all", "Whether every element over dims is nonzero.", _truth, Reduce("and", True),
         forward=lambda x, *, dims, keepdim: np.all(x, axis=dims, keepdims=keepdim),
         public=_folding("all"), spelling=_SPELLED, examples=_FOLDS + _EMPTY + _INTS)
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
