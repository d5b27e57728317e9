"""Public functions that are only compositions of ops: torch's signatures over ``F``."""

from __future__ import annotations

import math
from typing import Any

from eager.ops.composite import Composite
from eager.ops.errors import OpError
from eager.ops.getitem import getitem, setitem
from eager.ops.op import Spelling
from eager.ops.reductions import values_indices
from eager.ops.types import (
    I64,
    as_dtype,
    broadcast_shapes,
    normalize_dim,
    normalize_dims,
    product,
)
from eager.ops.windows import pair


# --- shape -------------------------------------------------------------------------------------
def transpose(F: Any, input: Any, dim0: int, dim1: int) -> Any:
    """``input`` with two dims swapped."""
    n = F.typeof(input).ndim
    a, b = normalize_dim(dim0, n), normalize_dim(dim1, n)
    dims = list(range(n))
    if n:
        dims[a], dims[b] = dims[b], dims[a]
    return F.permute(input, dims=tuple(dims))


def t(F: Any, input: Any) -> Any:
    """The transpose of a matrix; fewer dims stay as they are."""
    n = F.typeof(input).ndim
    if n > 2:
        raise OpError(f"t: at most 2 dims, got {F.typeof(input)}")
    return F.permute(input, dims=(1, 0)) if n == 2 else input


def squeeze(F: Any, input: Any, dim: Any = None) -> Any:
    """``input`` without its dims of size 1 (all, or those of ``dim`` that are)."""
    shape = F.typeof(input).shape
    chosen = normalize_dims(dim, len(shape))
    kept = tuple(d for k, d in enumerate(shape)
                 if not (k in chosen and type(d) is int and d == 1))
    return F.reshape(input, shape=kept)


def unsqueeze(F: Any, input: Any, dim: int) -> Any:
    """``input`` with a new dim of size 1 at ``dim``."""
    shape = F.typeof(input).shape
    k = normalize_dim(dim, len(shape) + 1)
    return F.reshape(input, shape=(*shape[:k], 1, *shape[k:]))


def flatten(F: Any, input: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """``input`` with the dims from ``start_dim`` to ``end_dim`` joined."""
    shape = F.typeof(input).shape
    if not shape:
        return F.reshape(input, shape=(1,))
    a, b = normalize_dim(start_dim, len(shape)), normalize_dim(end_dim, len(shape))
    if a > b:
        raise OpError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    return F.reshape(input, shape=(*shape[:a], product(shape[a:b + 1]), *shape[b + 1:]))


def narrow(F: Any, input: Any, dim: int, start: int, length: int) -> Any:
    """``length`` elements of a dim, from ``start``."""
    shape = F.typeof(input).shape
    k = normalize_dim(dim, len(shape))
    begin = start + shape[k] if start < 0 else start
    starts = tuple(begin if j == k else 0 for j in range(len(shape)))
    stops = tuple(begin + length if j == k else d for j, d in enumerate(shape))
    return F.slice(input, starts=starts, stops=stops, steps=(1,) * len(shape))


def select(F: Any, input: Any, dim: int, index: int) -> Any:
    """One slice of a dim, without that dim."""
    shape = F.typeof(input).shape
    k = normalize_dim(dim, len(shape))
    part = narrow(F, input, k, index, 1)
    return F.reshape(part, shape=shape[:k] + shape[k + 1:])


def stack(F: Any, tensors: Any, dim: int = 0) -> Any:
    """Tensors of one shape joined along a new dim."""
    tensors = tuple(tensors)
    if not tensors:
        raise OpError("stack: nothing to join")
    k = normalize_dim(dim, F.typeof(tensors[0]).ndim + 1)
    return F.concat(*(unsqueeze(F, x, k) for x in tensors), dim=k)


def split(F: Any, input: Any, split_size_or_sections: Any, dim: int = 0) -> Any:
    """Parts of a dim: of one size (the last may be smaller), or of the given sizes."""
    shape = F.typeof(input).shape
    k = normalize_dim(dim, len(shape))
    size = split_size_or_sections
    if isinstance(size, int):
        if size < 1:
            raise OpError(f"split: the size is positive, got {size}")
        if type(shape[k]) is not int:
            raise OpError(f"split: dim {dim} of {F.typeof(input)} is dynamic; give the sections")
        count = max(-(-shape[k] // size), 1)
        sizes = [min(size, shape[k] - j * size) for j in range(count)]
    else:
        sizes = list(size)
        if sum(sizes) != shape[k]:
            raise OpError(f"split: sections {sizes} do not add up to {shape[k]}")
    starts = [sum(sizes[:j]) for j in range(len(sizes))]
    return tuple(narrow(F, input, k, a, n) for a, n in zip(starts, sizes, strict=True))


def chunk(F: Any, input: Any, chunks: int, dim: int = 0) -> Any:
    """At most ``chunks`` parts of a dim, of equal size but for the last."""
    if chunks < 1:
        raise OpError(f"chunk: chunks is positive, got {chunks}")
    size = F.typeof(input).shape[normalize_dim(dim, F.typeof(input).ndim)]
    return split(F, input, max(-(-size // chunks), 1), dim)


def repeat(F: Any, input: Any, *repeats: Any) -> Any:
    """``input`` repeated along each dim; more numbers than dims add leading dims."""
    if len(repeats) == 1 and isinstance(repeats[0], (tuple, list)):
        repeats = tuple(repeats[0])
    shape = F.typeof(input).shape
    extra = len(repeats) - len(shape)
    if extra < 0:
        raise OpError(f"repeat: {len(repeats)} numbers for {len(shape)} dims")
    whole = (1,) * extra + tuple(shape)
    apart = tuple(d for pair_ in ((1, d) for d in whole) for d in pair_)
    wide = tuple(d for pair_ in zip(repeats, whole, strict=True) for d in pair_)
    spread = F.broadcast_to(F.reshape(input, shape=apart), shape=wide)
    return F.reshape(spread, shape=tuple(r * d for r, d in zip(repeats, whole, strict=True)))


# --- arithmetic --------------------------------------------------------------------------------
def clamp(F: Any, input: Any, min: Any = None, max: Any = None) -> Any:
    """``input`` cut off below ``min`` and above ``max``."""
    if min is None and max is None:
        raise OpError("clamp: give min, max or both")
    if min is not None:
        input = F.maximum(input, min)
    return input if max is None else F.minimum(input, max)


def addcmul(F: Any, input: Any, tensor1: Any, tensor2: Any, *, value: float = 1) -> Any:
    """``input + value * tensor1 * tensor2``."""
    return F.add(input, F.mul(F.mul(tensor1, tensor2), value))


def addcdiv(F: Any, input: Any, tensor1: Any, tensor2: Any, *, value: float = 1) -> Any:
    """``input + value * tensor1 / tensor2``."""
    return F.add(input, F.mul(F.div(tensor1, tensor2), value))


def lerp(F: Any, input: Any, end: Any, weight: Any) -> Any:
    """``input + weight * (end - input)``."""
    return F.add(input, F.mul(F.sub(end, input), weight))


def isfinite(F: Any, input: Any) -> Any:
    """Where ``input`` is neither infinite nor NaN."""
    return F.lt(F.abs(input), math.inf)


def isinf(F: Any, input: Any) -> Any:
    """Where ``input`` is an infinity."""
    return F.eq(F.abs(input), math.inf)


def zeros_like(F: Any, input: Any, *, dtype: Any = None) -> Any:
    """Zeros of the shape and dtype of ``input``."""
    return full_like(F, input, 0, dtype=dtype)


def ones_like(F: Any, input: Any, *, dtype: Any = None) -> Any:
    """Ones of the shape and dtype of ``input``."""
    return full_like(F, input, 1, dtype=dtype)


def full_like(F: Any, input: Any, fill_value: Any, *, dtype: Any = None) -> Any:
    """One value in the shape and dtype of ``input``."""
    kind = F.typeof(input)
    return F.full(shape=kind.shape, value=fill_value,
                  dtype=kind.dtype if dtype is None else as_dtype(dtype))


# --- reductions --------------------------------------------------------------------------------
def _count(F: Any, input: Any, dims: tuple[int, ...]) -> Any:
    shape = F.typeof(input).shape
    return product(shape[d] for d in dims)


def mean(F: Any, input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The mean over dims."""
    if dtype is not None:
        input = F.cast(input, dtype=as_dtype(dtype))
    kind = F.typeof(input)
    if kind.dtype.kind != "f":
        raise OpError(f"mean: the operand must be floating, got {kind}; pass dtype=")
    dims = normalize_dims(dim, kind.ndim)
    return F.div(F.sum(input, dims=dims, keepdim=keepdim), _count(F, input, dims))


def var(F: Any, input: Any, dim: Any = None, unbiased: bool = True, keepdim: bool = False, *,
        correction: int | None = None) -> Any:
    """The variance over dims, by ``n - correction`` (1, or 0 with ``unbiased=False``)."""
    dims = normalize_dims(dim, F.typeof(input).ndim)
    rest = (1 if unbiased else 0) if correction is None else correction
    centred = F.sub(input, mean(F, input, dims, True))
    total = F.sum(F.square(centred), dims=dims, keepdim=keepdim)
    count = _count(F, input, dims) - rest
    return F.div(total, max(count, 0) if type(count) is int else count)


def std(F: Any, input: Any, dim: Any = None, unbiased: bool = True, keepdim: bool = False, *,
        correction: int | None = None) -> Any:
    """The square root of the variance."""
    return F.sqrt(var(F, input, dim, unbiased, keepdim, correction=correction))


def logsumexp(F: Any, input: Any, dim: Any, keepdim: bool = False) -> Any:
    """log(sum(exp(input))) over dims, without overflow."""
    dims = normalize_dims(dim, F.typeof(input).ndim)
    top = F.amax(input, dims=dims, keepdim=True)
    finite = F.where(F.lt(F.abs(top), math.inf), top, F.mul(F.sign(top), 0))
    total = F.log(F.sum(F.exp(F.sub(input, finite)), dims=dims, keepdim=True))
    out = F.add(total, finite)
    shape = F.typeof(input).shape
    return out if keepdim else F.reshape(
        out, shape=tuple(d for k, d in enumerate(shape) if k not in dims))


def norm(F: Any, input: Any, p: float = 2, dim: Any = None, keepdim: bool = False) -> Any:
    """The p-norm over dims, for p = 1, 2 or infinity."""
    dims = normalize_dims(dim, F.typeof(input).ndim)
    if p == 2:
        return F.sqrt(F.sum(F.square(input), dims=dims, keepdim=keepdim))
    if p == 1:
        return F.sum(F.abs(input), dims=dims, keepdim=keepdim)
    if p == math.inf:
        return F.amax(F.abs(input), dims=dims, keepdim=keepdim)
    raise OpError(f"norm: p is 1, 2 or inf, got {p}")


def _extreme(reduce: str, locate: str, pairwise: str) -> Any:
    def body(F: Any, input: Any, dim: Any = None, keepdim: bool = False) -> Any:
        if dim is None:
            return getattr(F, reduce)(input, dims=tuple(range(F.typeof(input).ndim)),
                                      keepdim=False)
        if type(dim) is not int:
            return getattr(F, pairwise)(input, dim)
        shape = F.typeof(input).shape
        k = normalize_dim(dim, len(shape))
        place = getattr(F, locate)(input, dim=k, keepdim=True)
        values = F.gather(input, place, dim=k) if shape else input
        if not keepdim:
            kept = tuple(d for j, d in enumerate(shape) if j != k)
            values, place = F.reshape(values, shape=kept), F.reshape(place, shape=kept)
        return values_indices(values, place)
    return body


_max = _extreme("amax", "argmax", "maximum")
_max.__doc__ = "The largest element; with ``dim`` (values, indices); of two tensors, the larger."
_min = _extreme("amin", "argmin", "minimum")
_min.__doc__ = "The smallest element; with ``dim`` (values, indices); of two tensors, the smaller."


def allclose(F: Any, input: Any, other: Any, rtol: float = 1e-5, atol: float = 1e-8) -> bool:
    """Whether all elements are equal within ``atol + rtol * |other|``."""
    near = F.le(F.abs(F.sub(input, other)), F.add(F.mul(F.abs(other), rtol), atol))
    same = F.logical_or(near, F.eq(input, other))
    return bool(F.all(same, dims=tuple(range(F.typeof(same).ndim)), keepdim=False))


def equal(F: Any, input: Any, other: Any) -> bool:
    """Whether shapes and all elements are equal."""
    if F.typeof(input).shape != F.typeof(other).shape:
        return False
    same = F.eq(input, other)
    return bool(F.all(same, dims=tuple(range(F.typeof(same).ndim)), keepdim=False))


# --- products ----------------------------------------------------------------------------------
def _matrices(name: str, ndim: int) -> Any:
    def body(F: Any, input: Any, mat2: Any) -> Any:
        for x in (input, mat2):
            if F.typeof(x).ndim != ndim:
                raise OpError(f"{name}: operands have {ndim} dims, got {F.typeof(x)}")
        return F.matmul(input, mat2)
    return body


_mm, _bmm = _matrices("mm", 2), _matrices("bmm", 3)
_mm.__doc__, _bmm.__doc__ = "The product of two matrices.", "The products of two stacks of matrices."


def addmm(F: Any, input: Any, mat1: Any, mat2: Any, *, beta: float = 1, alpha: float = 1) -> Any:
    """``beta * input + alpha * mat1 @ mat2``."""
    out = F.matmul(mat1, mat2)
    out = out if alpha == 1 else F.mul(out, alpha)
    return F.add(input if beta == 1 else F.mul(input, beta), out)


def outer(F: Any, input: Any, vec2: Any) -> Any:
    """All products of elements of two vectors."""
    a, b = F.typeof(input).shape, F.typeof(vec2).shape
    return F.mul(F.reshape(input, shape=(*a, 1)), F.reshape(vec2, shape=(1, *b)))


def linear(F: Any, input: Any, weight: Any, bias: Any = None) -> Any:
    """``input @ weight.T + bias``; weight [out, in]."""
    x, w = F.typeof(input), F.typeof(weight)
    if w.ndim != 2 or not x.ndim or x.shape[-1] != w.shape[1]:
        raise OpError(f"linear: weight is [out, in] and input [..., in], got {w} and {x}")
    rows = F.reshape(input, shape=(1, *x.shape)) if x.ndim == 1 else input
    out = F.matmul(rows, F.permute(weight, dims=(1, 0)))
    if x.ndim == 1:
        out = F.reshape(out, shape=(w.shape[0],))
    return out if bias is None else F.add(out, bias)


def embedding(F: Any, input: Any, weight: Any, padding_idx: int | None = None) -> Any:
    """Rows of ``weight`` by integer ``input``."""
    kind = F.typeof(input)
    flat = F.reshape(input, shape=(kind.numel,))
    rows = F.index_select(weight, flat, dim=0)
    return F.reshape(rows, shape=(*kind.shape, F.typeof(weight).shape[1]))


def one_hot(F: Any, input: Any, num_classes: int) -> Any:
    """Integer classes as rows of 0 and 1 (int64)."""
    shape = F.typeof(input).shape
    classes = F.iota(start=0, step=1, size=num_classes, dtype=F.typeof(input).dtype)
    return F.cast(F.eq(F.reshape(input, shape=(*shape, 1)), classes), dtype=I64)


# --- windows -----------------------------------------------------------------------------------
def conv2d(F: Any, input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0,
           dilation: Any = 1, groups: int = 1) -> Any:
    """2-d cross-correlation of images [N, C, H, W] with weights [O, C / groups, KH, KW]."""
    x, w = F.typeof(input), F.typeof(weight)
    if x.ndim == 3:
        out = conv2d(F, F.reshape(input, shape=(1, *x.shape)), weight, bias, stride, padding,
                     dilation, groups)
        return F.reshape(out, shape=F.typeof(out).shape[1:])
    steps = {"stride": pair(stride, "stride"), "dilation": pair(dilation, "dilation")}
    if padding == "same":
        input, padding = _pad_same(F, input, w, steps), 0
    elif padding == "valid":
        padding = 0
    steps["padding"] = pair(padding, "padding")
    if groups == 1:
        out = F.conv2d(input, weight, **steps)
    else:
        if x.shape[1] % groups or w.shape[0] % groups:
            raise OpError(f"conv2d: groups={groups} divides neither all channels of {x} nor {w}")
        parts = zip(split(F, input, x.shape[1] // groups, 1),
                    split(F, weight, w.shape[0] // groups, 0), strict=True)
        out = F.concat(*(F.conv2d(a, b, **steps) for a, b in parts), dim=1)
    return out if bias is None else F.add(out, F.reshape(bias, shape=(w.shape[0], 1, 1)))


def _pad_same(F: Any, input: Any, w: Any, steps: Any) -> Any:
    if steps["stride"] != (1, 1):
        raise OpError("conv2d: padding='same' wants stride 1")
    total = [steps["dilation"][k] * (w.shape[2 + k] - 1) for k in (0, 1)]
    low = (0, 0, *(n // 2 for n in total))
    return F.pad(input, low=low, high=(0, 0, *(n - n // 2 for n in total)), value=0.0)


def avg_pool2d(F: Any, input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0) -> Any:
    """The mean of each window (padding counts as zeros)."""
    kernel = pair(kernel_size, "kernel_size")
    shape = F.typeof(input).shape
    planes = (product(shape[:-2]), 1, *shape[-2:])
    weight = F.full(shape=(1, 1, *kernel), value=1.0 / (kernel[0] * kernel[1]),
                    dtype=F.typeof(input).dtype)
    out = F.conv2d(F.reshape(input, shape=planes), weight, dilation=(1, 1),
                   stride=kernel if stride is None else pair(stride, "stride"),
                   padding=pair(padding, "padding"))
    return F.reshape(out, shape=(*shape[:-2], *F.typeof(out).shape[2:]))


# --- activations -------------------------------------------------------------------------------
def gelu(F: Any, input: Any, approximate: str = "none") -> Any:
    """``x * Phi(x)``, or its tanh approximation (Hendrycks and Gimpel, 2016)."""
    if approximate == "none":
        return F.mul(F.mul(input, 0.5), F.add(F.erf(F.mul(input, math.sqrt(0.5))), 1.0))
    if approximate != "tanh":
        raise OpError(f"gelu: approximate is 'none' or 'tanh', got {approximate!r}")
    cube = F.mul(F.mul(input, input), input)
    inner = F.mul(F.add(input, F.mul(cube, 0.044715)), math.sqrt(2 / math.pi))
    return F.mul(F.mul(input, 0.5), F.add(F.tanh(inner), 1.0))


def silu(F: Any, input: Any) -> Any:
    """``x * sigmoid(x)``."""
    return F.mul(input, F.sigmoid(input))


def leaky_relu(F: Any, input: Any, negative_slope: float = 0.01) -> Any:
    """``x`` where positive, else ``negative_slope * x``."""
    return F.where(F.gt(input, 0), input, F.mul(input, negative_slope))


def softplus(F: Any, input: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """``log(1 + exp(beta x)) / beta``; x itself above ``threshold``."""
    scaled = F.mul(input, beta)
    capped = F.minimum(scaled, threshold)
    return F.where(F.gt(scaled, threshold), input, F.div(F.log1p(F.exp(capped)), beta))


# --- normalisation -----------------------------------------------------------------------------
def layer_norm(F: Any, input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None,
               eps: float = 1e-5) -> Any:
    """``(x - mean) / sqrt(var + eps) * weight + bias`` over the last dims (Ba et al., 2016)."""
    n = F.typeof(input).ndim
    dims = tuple(range(n - len(tuple(normalized_shape)), n))
    if F.typeof(input).shape[dims[0]:] != tuple(normalized_shape):
        raise OpError(f"layer_norm: {F.typeof(input)} does not end in {list(normalized_shape)}")
    centred = F.sub(input, mean(F, input, dims, True))
    spread = mean(F, F.square(centred), dims, True)
    out = F.mul(centred, F.rsqrt(F.add(spread, eps)))
    out = out if weight is None else F.mul(out, weight)
    return out if bias is None else F.add(out, bias)


def normalise_channels(F: Any, input: Any, centre: Any, spread: Any, weight: Any, bias: Any,
                       eps: float) -> Any:
    """``(x - centre) / sqrt(spread + eps) * weight + bias`` for every channel (dim 1)."""
    kind = F.typeof(input)
    shape = (kind.shape[1],) + (1,) * (kind.ndim - 2)
    scale = F.rsqrt(F.add(spread, eps))
    scale = scale if weight is None else F.mul(scale, weight)
    out = F.mul(F.sub(input, F.reshape(centre, shape=shape)), F.reshape(scale, shape=shape))
    return out if bias is None else F.add(out, F.reshape(bias, shape=shape))


# --- losses ------------------------------------------------------------------------------------
def _reduced(F: Any, losses: Any, reduction: str) -> Any:
    if reduction == "none":
        return losses
    dims = tuple(range(F.typeof(losses).ndim))
    if reduction == "sum":
        return F.sum(losses, dims=dims, keepdim=False)
    if reduction == "mean":
        return mean(F, losses)
    raise OpError(f"reduction is 'none', 'mean' or 'sum', got {reduction!r}")


def nll_loss(F: Any, input: Any, target: Any, weight: Any = None, ignore_index: int = -100,
             reduction: str = "mean") -> Any:
    """The negative log-likelihood of classes: input [N, C], target [N] of int64."""
    x, y = F.typeof(input), F.typeof(target)
    if x.ndim != 2 or y.ndim != 1 or x.shape[0] != y.shape[0]:
        raise OpError(f"nll_loss: input is [N, C] and target [N], got {x} and {y}")
    keep = F.ne(target, F.full(shape=(), value=ignore_index, dtype=y.dtype))
    safe = F.where(keep, target, F.full(shape=(), value=0, dtype=y.dtype))
    picked = F.gather(input, F.reshape(safe, shape=(y.shape[0], 1)), dim=1)
    counted = F.cast(keep, dtype=x.dtype)
    if weight is not None:
        counted = F.mul(counted, F.index_select(weight, safe, dim=0))
    losses = F.neg(F.mul(F.reshape(picked, shape=y.shape), counted))
    if reduction != "mean":
        return _reduced(F, losses, reduction)
    return F.div(F.sum(losses, dims=(0,), keepdim=False), F.sum(counted, dims=(0,), keepdim=False))


def cross_entropy(F: Any, input: Any, target: Any, weight: Any = None, ignore_index: int = -100,
                  reduction: str = "mean", label_smoothing: float = 0.0) -> Any:
    """``nll_loss(log_softmax(input), target)``; target of class indices, or probabilities."""
    x, y = F.typeof(input), F.typeof(target)
    logs = F.log_softmax(input, dim=1 if x.ndim > 1 else 0)
    if y.dtype.kind == "f":
        soft = F.add(F.mul(target, 1 - label_smoothing), label_smoothing / x.shape[1])
        losses = F.neg(F.sum(F.mul(logs, soft), dims=(1,), keepdim=False))
        return _reduced(F, losses, reduction)
    if label_smoothing:
        raise OpError("cross_entropy: label_smoothing wants a target of probabilities")
    if x.ndim == 1:
        logs, target = F.reshape(logs, shape=(1, *x.shape)), F.reshape(target, shape=(1,))
    elif x.ndim > 2:  # [N, C, d1 ...] with target [N, d1 ...]
        logs = F.permute(logs, dims=(0, *range(2, x.ndim), 1))
        logs = F.reshape(logs, shape=(y.numel, x.shape[1]))
        target = F.reshape(target, shape=(y.numel,))
    return nll_loss(F, logs, target, weight, ignore_index, reduction)


def mse_loss(F: Any, input: Any, target: Any, reduction: str = "mean") -> Any:
    """The squared difference."""
    _same_shape(F, "mse_loss", input, target)
    return _reduced(F, F.square(F.sub(input, target)), reduction)


def l1_loss(F: Any, input: Any, target: Any, reduction: str = "mean") -> Any:
    """The absolute difference."""
    _same_shape(F, "l1_loss", input, target)
    return _reduced(F, F.abs(F.sub(input, target)), reduction)


def binary_cross_entropy_with_logits(F: Any, input: Any, target: Any,
                                     reduction: str = "mean") -> Any:
    """``max(x, 0) - x t + log(1 + exp(-|x|))``."""
    _same_shape(F, "binary_cross_entropy_with_logits", input, target)
    rest = F.log1p(F.exp(F.neg(F.abs(input))))
    return _reduced(F, F.add(F.sub(F.relu(input), F.mul(input, target)), rest), reduction)


def _same_shape(F: Any, name: str, input: Any, target: Any) -> None:
    x, y = F.typeof(input).shape, F.typeof(target).shape
    if x != y:
        broadcast_shapes(x, y)
        raise OpError(f"{name}: input is {list(x)} and target {list(y)}; reshape one of them, "
                      f"broadcasting a loss is nearly always a mistake")


_BOTH = Spelling(("eager", "method"))
_EAGER = Spelling(("eager",))
_NN = Spelling(("nn.functional",))
_EVERYWHERE = Spelling(("eager", "nn.functional"))

FUNCTIONS = (
    *(Composite(f.__name__, f, _BOTH) for f in (
        t, squeeze, unsqueeze, flatten, narrow, select, split, chunk, addcmul,
        addcdiv, lerp, isfinite, isinf, mean, var, std, logsumexp, norm, allclose, equal, addmm,
        outer)),
    Composite("repeat", repeat, Spelling(("method",))),
    Composite("transpose", transpose, Spelling(("eager", "method"), ("swapaxes",))),
    Composite("clamp", clamp, Spelling(("eager", "method"), ("clip",))),
    Composite("stack", stack, _EAGER),
    Composite("max", _max, _BOTH), Composite("min", _min, _BOTH),
    Composite("mm", _mm, _BOTH), Composite("bmm", _bmm, _BOTH),
    *(Composite(f.__name__, f, _EAGER) for f in (zeros_like, ones_like, full_like)),
    *(Composite(f.__name__, f, _NN) for f in (
        linear, embedding, one_hot, avg_pool2d, gelu, silu, leaky_relu, softplus, layer_norm,
        nll_loss, cross_entropy, mse_loss, l1_loss, binary_cross_entropy_with_logits)),
    Composite("conv2d", conv2d, _EVERYWHERE),
    Composite("normalise_channels", normalise_channels, Spelling(())),
    Composite("getitem", getitem, Spelling(())), Composite("setitem", setitem, Spelling(())),
)
