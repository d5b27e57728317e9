"""Composites that layers are made of: products, convolutions, pools, norms and look-ups."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from eager.ops.composite import Composite
from eager.ops.contraction import transposed
from eager.ops.errors import OpError
from eager.ops.op import Spelling
from eager.ops.shapes import region
from eager.ops.statistics import Dims, mean, norm
from eager.ops.types import BOOL, I64, normalize_dim, normalize_dims, product
from eager.ops.windows import pair


# --- products ----------------------------------------------------------------------------------
def _ranks(F: Any, name: str, *wanted: tuple[Any, int]) -> None:
    for x, n in wanted:
        if F.typeof(x).ndim != n:
            raise OpError(f"{name}: wanted {' and '.join(f'{k}-d' for _, k in wanted)} operands, "
                          f"got {', '.join(str(F.typeof(a)) for a, _ in wanted)}")


def mm(F: Any, input: Any, mat2: Any) -> Any:
    """The product of two matrices."""
    _ranks(F, "mm", (input, 2), (mat2, 2))
    return F.matmul(input, mat2)


def bmm(F: Any, input: Any, mat2: Any) -> Any:
    """The products of two stacks of matrices."""
    _ranks(F, "bmm", (input, 3), (mat2, 3))
    return F.matmul(input, mat2)


def mv(F: Any, input: Any, vec: Any) -> Any:
    """The product of a matrix and a vector."""
    _ranks(F, "mv", (input, 2), (vec, 1))
    column = F.reshape(vec, shape=(F.typeof(vec).shape[0], 1))
    return F.reshape(F.matmul(input, column), shape=F.typeof(input).shape[:1])


def dot(F: Any, input: Any, tensor: Any) -> Any:
    """The inner product of two vectors."""
    _ranks(F, "dot", (input, 1), (tensor, 1))
    size = F.typeof(input).shape[0]
    row, column = F.reshape(input, shape=(1, size)), F.reshape(
        tensor, shape=(F.typeof(tensor).shape[0], 1))
    return F.reshape(F.matmul(row, column), shape=())


def outer(F: Any, input: Any, vec2: Any) -> Any:
    """All products of an element of one vector with an element of the other."""
    _ranks(F, "outer", (input, 1), (vec2, 1))
    return F.mul(F.reshape(input, shape=(F.typeof(input).shape[0], 1)), vec2)


def addmm(F: Any, input: Any, mat1: Any, mat2: Any, *, beta: float = 1, alpha: float = 1) -> Any:
    """beta input + alpha (mat1 @ mat2)."""
    _ranks(F, "addmm", (mat1, 2), (mat2, 2))
    out = F.matmul(mat1, mat2)
    if alpha != 1:
        out = F.mul(out, alpha)
    return F.add(out, input if beta == 1 else F.mul(input, beta))


def linear(F: Any, input: Any, weight: Any, bias: Any = None) -> Any:
    """``input @ weight.T + bias`` of input [..., in], weight [out, in] and bias [out]."""
    x, w = F.typeof(input), F.typeof(weight)
    if not x.ndim or w.ndim != 2 or x.shape[-1] != w.shape[1]:
        raise OpError(f"linear: wanted an input [..., in] and a weight [out, in], got {x} and {w}")
    rows = F.reshape(input, shape=(1, *x.shape)) if x.ndim == 1 else input
    out = F.matmul(rows, F.permute(weight, dims=(1, 0)))
    if x.ndim == 1:
        out = F.reshape(out, shape=w.shape[:1])
    return out if bias is None else F.add(out, bias)


def scaled_dot_product_attention(F: Any, query: Any, key: Any, value: Any, attn_mask: Any = None,
                                 dropout_p: float = 0.0, is_causal: bool = False, *,
                                 scale: float | None = None) -> Any:
    """softmax(query key^T scale + mask) value, over the last two dims.

    A bool mask holds where attention is allowed; a floating one is added.
    """
    if dropout_p:
        raise OpError("scaled_dot_product_attention: dropout_p is not supported; apply dropout "
                      "to the result")
    q, k = F.typeof(query), F.typeof(key)
    factor = 1.0 / math.sqrt(q.shape[-1]) if scale is None else scale
    scores = F.mul(F.matmul(query, transposed(F, key)), factor)
    if is_causal:
        row = F.reshape(F.iota(start=0, step=1, size=q.shape[-2], dtype=I64),
                        shape=(q.shape[-2], 1))
        attn_mask = F.le(F.iota(start=0, step=1, size=k.shape[-2], dtype=I64), row)
    if attn_mask is not None:
        masked = F.typeof(attn_mask).dtype is BOOL
        scores = (F.where(attn_mask, scores, -math.inf) if masked else F.add(scores, attn_mask))
    return F.matmul(F.softmax(scores, dim=F.typeof(scores).ndim - 1), value)


# --- windows -----------------------------------------------------------------------------------
def conv2d(F: Any, input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0,
           dilation: Any = 1, groups: int = 1) -> Any:
    """The cross-correlation of images [N, C, H, W] with weights [O, C / groups, KH, KW].

    ``padding`` is a number, one each for height and width, ``"valid"`` or ``"same"``.
    """
    strides, dilations = pair(stride, "stride"), pair(dilation, "dilation")
    x, w = F.typeof(input), F.typeof(weight)
    if x.ndim == 3:
        single = F.reshape(input, shape=(1, *x.shape))
        out = conv2d(F, single, weight, bias, stride, padding, dilation, groups)
        return F.reshape(out, shape=F.typeof(out).shape[1:])
    if w.ndim != 4:
        raise OpError(f"conv2d: weights are [O, C / groups, KH, KW], got {w}")
    if isinstance(padding, str):
        input, padding = _pad_by_name(F, input, padding, w.shape[2:], strides, dilations)
    window = {"stride": strides, "padding": pair(padding, "padding"), "dilation": dilations}
    out = (F.conv2d(input, weight, **window) if groups == 1
           else _grouped(F, input, weight, groups, window))
    return out if bias is None else F.add(out, F.reshape(bias, shape=(w.shape[0], 1, 1)))


def _pad_by_name(F: Any, x: Any, padding: str, kernel: Sequence[int], strides: Sequence[int],
                 dilations: Sequence[int]) -> tuple[Any, tuple[int, int]]:
    if padding == "valid":
        return x, (0, 0)
    if padding != "same" or tuple(strides) != (1, 1):
        raise OpError(f"conv2d: padding is numbers, 'valid', or 'same' with stride 1, "
                      f"got {padding!r} with stride {tuple(strides)}")
    total = [d * (k - 1) for d, k in zip(dilations, kernel, strict=True)]
    if all(t % 2 == 0 for t in total):
        return x, (total[0] // 2, total[1] // 2)
    low = (0, 0, total[0] // 2, total[1] // 2)
    high = (0, 0, total[0] - total[0] // 2, total[1] - total[1] // 2)
    return F.pad(x, low=low, high=high, value=0.0), (0, 0)


def _grouped(F: Any, x: Any, w: Any, groups: int, window: dict[str, Any]) -> Any:
    channels, out = F.typeof(x).shape[1], F.typeof(w).shape[0]
    if groups < 1 or channels % groups or out % groups:
        raise OpError(f"conv2d: {groups} groups do not divide {channels} channels into {out}")
    c, o = channels // groups, out // groups
    return F.concat(*(F.conv2d(region(F, x, 1, k * c, (k + 1) * c),
                               region(F, w, 0, k * o, (k + 1) * o), **window)
                      for k in range(groups)), dim=1)


def avg_pool2d(F: Any, input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
               ceil_mode: bool = False, count_include_pad: bool = True) -> Any:
    """The mean of each window of images [..., H, W]."""
    if ceil_mode or not count_include_pad:
        raise OpError("avg_pool2d: ceil_mode=True and count_include_pad=False are not supported")
    kernel = pair(kernel_size, "kernel_size")
    step = kernel if stride is None else pair(stride, "stride")
    t = F.typeof(input)
    if t.ndim not in (3, 4):
        raise OpError(f"avg_pool2d: images are [N, C, H, W] or [C, H, W], got {t}")
    planes = F.reshape(input, shape=(product(t.shape[:-2]), 1, *t.shape[-2:]))
    ones = F.full(shape=(1, 1, *kernel), value=1.0 / (kernel[0] * kernel[1]), dtype=t.dtype)
    out = F.conv2d(planes, ones, stride=step, padding=pair(padding, "padding"), dilation=(1, 1))
    return F.reshape(out, shape=(*t.shape[:-2], *F.typeof(out).shape[-2:]))


def adaptive_avg_pool2d(F: Any, input: Any, output_size: Any) -> Any:
    """Means of equal parts of images [..., H, W]; ``output_size`` divides the size."""
    t = F.typeof(input)
    want = output_size if isinstance(output_size, (tuple, list)) else (output_size, output_size)
    height, width = (n if d is None else d for d, n in zip(want, t.shape[-2:], strict=True))
    if any(n % d != 0 for d, n in zip((height, width), t.shape[-2:], strict=True)):
        raise OpError(f"adaptive_avg_pool2d: {height} x {width} does not divide the images {t}")
    lead = t.shape[:-2]
    parts = F.reshape(input, shape=(*lead, height, t.shape[-2] // height, width,
                                    t.shape[-1] // width))
    return mean(F, parts, (len(lead) + 1, len(lead) + 3))


def pad(F: Any, input: Any, pad: Sequence[int], mode: str = "constant",
        value: float | None = None) -> Any:
    """Elements of ``value`` (0) round the input: pairs of numbers from the last dim on."""
    if mode != "constant":
        raise OpError(f"pad: only mode='constant' is supported, got {mode!r}")
    t = F.typeof(input)
    if len(pad) % 2 or len(pad) // 2 > t.ndim:
        raise OpError(f"pad: wants a pair of numbers for at most {t.ndim} dims, got {tuple(pad)}")
    low, high = [0] * t.ndim, [0] * t.ndim
    for k in range(len(pad) // 2):
        low[t.ndim - 1 - k], high[t.ndim - 1 - k] = pad[2 * k], pad[2 * k + 1]
    return F.pad(input, low=tuple(low), high=tuple(high), value=0.0 if value is None else value)


# --- norms -------------------------------------------------------------------------------------
def batch_moments(F: Any, input: Any) -> tuple[Any, Any]:
    """The mean and the biased variance of each channel of [N, C, ...], both [C]."""
    n = F.typeof(input).ndim
    if n < 2:
        raise OpError(f"batch_norm: wants an input [N, C, ...], got {F.typeof(input)}")
    dims = (0, *range(2, n))
    centre = mean(F, input, dims, True)
    spread = mean(F, F.square(F.sub(input, centre)), dims)
    return F.reshape(centre, shape=F.typeof(spread).shape), spread


def batch_norm(F: Any, input: Any, running_mean: Any, running_var: Any, weight: Any = None,
               bias: Any = None, training: bool = False, momentum: float = 0.1,
               eps: float = 1e-05) -> Any:
    """Channels of [N, C, ...] brought to mean 0 and variance 1, then scaled and shifted.

    By the moments of the batch in training (or without running ones), else by the running ones.
    Those are not written: what updates them is the layer that owns them.
    """
    if training or running_mean is None:
        running_mean, running_var = batch_moments(F, input)
    n = F.typeof(input).ndim
    scale = F.rsqrt(F.add(running_var, eps))
    if weight is not None:
        scale = F.mul(scale, weight)
    out = F.mul(F.sub(input, _channels(F, running_mean, n)), _channels(F, scale, n))
    return out if bias is None else F.add(out, _channels(F, bias, n))


def _channels(F: Any, x: Any, ndim: int) -> Any:
    return F.reshape(x, shape=(F.typeof(x).shape[0],) + (1,) * (ndim - 2))


def layer_norm(F: Any, input: Any, normalized_shape: Sequence[int], weight: Any = None,
               bias: Any = None, eps: float = 1e-05) -> Any:
    """The last dims brought to mean 0 and variance 1, then scaled and shifted."""
    shape, want = F.typeof(input).shape, tuple(normalized_shape)
    if not want or shape[len(shape) - len(want):] != want:
        raise OpError(f"layer_norm: the last dims of {F.typeof(input)} are not {list(want)}")
    dims = tuple(range(len(shape) - len(want), len(shape)))
    centred = F.sub(input, mean(F, input, dims, True))
    spread = mean(F, F.square(centred), dims, True)
    out = F.mul(centred, F.rsqrt(F.add(spread, eps)))
    out = out if weight is None else F.mul(out, weight)
    return out if bias is None else F.add(out, bias)


def rms_norm(F: Any, input: Any, normalized_shape: Sequence[int], weight: Any = None,
             eps: float = 1e-05) -> Any:
    """The last dims over their root mean square, then scaled."""
    n, count = F.typeof(input).ndim, len(tuple(normalized_shape))
    power = mean(F, F.square(input), tuple(range(n - count, n)), True)
    out = F.mul(input, F.rsqrt(F.add(power, eps)))
    return out if weight is None else F.mul(out, weight)


def group_norm(F: Any, input: Any, num_groups: int, weight: Any = None, bias: Any = None,
               eps: float = 1e-05) -> Any:
    """Groups of channels of [N, C, ...] brought to mean 0 and variance 1."""
    shape = F.typeof(input).shape
    if len(shape) < 2 or shape[1] % num_groups:
        raise OpError(f"group_norm: {num_groups} groups do not divide the channels of "
                      f"{F.typeof(input)}")
    rest = product(shape[2:]) * (shape[1] // num_groups)
    flat = F.reshape(input, shape=(shape[0], num_groups, rest))
    out = F.reshape(layer_norm(F, flat, (rest,), eps=eps), shape=shape)
    n = len(shape)
    out = out if weight is None else F.mul(out, _channels(F, weight, n))
    return out if bias is None else F.add(out, _channels(F, bias, n))


def normalize(F: Any, input: Any, p: float = 2.0, dim: Dims = 1, eps: float = 1e-12) -> Any:
    """The input over its norm along ``dim``, which counts as at least ``eps``."""
    size = norm(F, input, p, normalize_dims(dim, F.typeof(input).ndim), True)
    return F.div(input, F.where(F.lt(size, eps), eps, size))


# --- look-ups ----------------------------------------------------------------------------------
def embedding(F: Any, input: Any, weight: Any, padding_idx: int | None = None) -> Any:
    """Rows of ``weight`` [count, size] at the integers of ``input``.

    The row ``padding_idx`` gets no gradient.
    """
    t, w = F.typeof(input), F.typeof(weight)
    if w.ndim != 2:
        raise OpError(f"embedding: the weight is [count, size], got {w}")
    rows = F.index_select(weight, F.reshape(input, shape=(t.numel,)), dim=0)
    out = F.reshape(rows, shape=(*t.shape, w.shape[1]))
    if padding_idx is None:
        return out
    row = padding_idx + w.shape[0] if padding_idx < 0 else padding_idx
    still = F.reshape(F.eq(input, row), shape=(*t.shape, 1))
    return F.where(still, F.detach(out), out)


def one_hot(F: Any, input: Any, num_classes: int = -1) -> Any:
    """int64 [..., num_classes]: 1 at the class each integer names, else 0."""
    t = F.typeof(input)
    if t.dtype is not I64:
        raise OpError(f"one_hot: classes are int64, got {t}")
    if num_classes == -1:
        num_classes = int(F.amax(input, dims=tuple(range(t.ndim)), keepdim=False)) + 1
    line = F.iota(start=0, step=1, size=num_classes, dtype=I64)
    checked = F.reshape(F.index_select(line, F.reshape(input, shape=(t.numel,)), dim=0),
                        shape=(*t.shape, 1))
    return F.cast(F.eq(checked, line), dtype=I64)


def cosine_similarity(F: Any, x1: Any, x2: Any, dim: int = 1, eps: float = 1e-08) -> Any:
    """The cosine of the angle between slices along ``dim``; norms count as at least ``eps``."""
    at = (normalize_dim(dim, F.typeof(x1).ndim),)
    sizes = [F.where(F.lt(s, eps), eps, s)
             for s in (norm(F, x1, 2.0, at, True), norm(F, x2, 2.0, at, True))]
    return F.sum(F.mul(F.div(x1, sizes[0]), F.div(x2, sizes[1])), dims=at, keepdim=False)


_PRODUCTS = (mm, bmm, mv, dot, outer, addmm)
_LAYERS = (linear, scaled_dot_product_attention, conv2d, avg_pool2d, adaptive_avg_pool2d, pad,
           batch_moments, batch_norm, layer_norm, rms_norm, group_norm, normalize, embedding,
           one_hot, cosine_similarity)
FUNCTIONS = (*(Composite(f.__name__, f, Spelling()) for f in _PRODUCTS),
             *(Composite(f.__name__, f, Spelling(("nn.functional",))) for f in _LAYERS))
