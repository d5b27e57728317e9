"""Pools of one, two and three dims: maxima, means, norms; fixed windows and equal parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eager.ops.composite import Composite
from eager.ops.errors import OpError
from eager.ops.moments import mean
from eager.ops.op import Spelling
from eager.ops.types import I64, product
from eager.ops.unfolding import tuple_of


# --- windows and their ends --------------------------------------------------------------------
def _steps(F: Any, name: str, x: Any, n: int, kernel_size: Any, stride: Any, padding: Any,
           dilation: Any = 1) -> tuple[tuple[int, ...], ...]:
    t = F.typeof(x)
    if t.ndim not in (n + 1, n + 2):
        raise OpError(f"{name}: wants an input of {n + 1} or {n + 2} dims, got {t}")
    kernel = tuple_of(kernel_size, n, f"{name}: kernel_size")
    return (kernel, kernel if stride is None or stride == [] or stride == ()
            else tuple_of(stride, n, f"{name}: stride"),
            tuple_of(padding, n, f"{name}: padding"), tuple_of(dilation, n, f"{name}: dilation"))


def _overhang(size: Any, kernel: int, stride: int, padding: int, dilation: int) -> Any:
    """How far the last window of ``ceil_mode`` reaches beyond the padded end."""
    span = dilation * (kernel - 1) + 1
    count = -(-(size + 2 * padding - span) // stride) + 1
    if (count - 1) * stride >= size + padding:  # it would begin in the padding behind the end
        count = count - 1
    return (count - 1) * stride + span - (size + 2 * padding)


def _extended(F: Any, x: Any, extra: Sequence[Any], value: float) -> Any:
    if all(type(e) is int and e <= 0 for e in extra):
        return x
    n = F.typeof(x).ndim
    high = (0,) * (n - len(extra)) + tuple(max(e, 0) for e in extra)
    return F.pad(x, low=(0,) * n, high=high, value=value)


def _pad_front(F: Any, x: Any, dims: int) -> Any:
    """A spatial dim of size 1 put before the last ``dims`` dims."""
    shape = F.typeof(x).shape
    return F.reshape(x, shape=(*shape[:-dims], 1, *shape[-dims:]))


# --- maxima ------------------------------------------------------------------------------------
def _max2(F: Any, x: Any, steps: tuple[Any, ...], ceil_mode: bool,
          indices: bool) -> tuple[Any, Any]:
    kernel, stride, padding, dilation = steps
    width = F.typeof(x).shape[-1]
    if ceil_mode:
        extra = [_overhang(F.typeof(x).shape[k - 2], kernel[k], stride[k], padding[k],
                           dilation[k]) for k in (0, 1)]
        x = _extended(F, x, extra, float("-inf"))
    window = {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation}
    out = F.max_pool2d(x, **window)
    if not indices:
        return out, None
    place, wide = F.max_pool2d_indices(x, **window), F.typeof(x).shape[-1]
    if wide is not width and wide != width:
        row = F.floor_divide(place, wide)
        place = F.add(F.mul(row, width), F.sub(place, F.mul(row, wide)))
    return out, place


def _both(found: tuple[Any, Any], return_indices: bool) -> Any:
    return found if return_indices else found[0]


def max_pool2d(F: Any, input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
               dilation: Any = 1, ceil_mode: bool = False, return_indices: bool = False) -> Any:
    """The largest element of each window of images [..., H, W], and where in its plane it lies."""
    window = _steps(F, "max_pool2d", input, 2, kernel_size, stride, padding, dilation)
    return _both(_max2(F, input, window, ceil_mode, return_indices), return_indices)


def max_pool1d(F: Any, input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
               dilation: Any = 1, ceil_mode: bool = False, return_indices: bool = False) -> Any:
    """The largest element of each window of lines [..., L]."""
    window = _steps(F, "max_pool1d", input, 1, kernel_size, stride, padding, dilation)
    flat = tuple((first, *w) for first, w in zip((1, 1, 0, 1), window, strict=True))
    found = _max2(F, _pad_front(F, input, 1), flat, ceil_mode, return_indices)
    out, place = (None if f is None else F.reshape(f, shape=(*F.typeof(f).shape[:-2],
                                                             F.typeof(f).shape[-1]))
                  for f in found)
    return _both((out, place), return_indices)


def max_pool3d(F: Any, input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
               dilation: Any = 1, ceil_mode: bool = False, return_indices: bool = False) -> Any:
    """The largest element of each window of volumes [..., D, H, W]: of planes, then along depth."""
    window = _steps(F, "max_pool3d", input, 3, kernel_size, stride, padding, dilation)
    shape = F.typeof(input).shape
    lead, (d, h, w) = shape[:-3], shape[-3:]
    planes = F.reshape(input, shape=(1, product(lead) * d, h, w))
    out, inner = _max2(F, planes, tuple(v[1:] for v in window), ceil_mode, return_indices)
    oh, ow = F.typeof(out).shape[-2:]
    columns = F.reshape(out, shape=(1, product(lead), d, oh * ow))
    deep = tuple((v[0], one) for v, one in zip(window, (1, 1, 0, 1), strict=True))
    out, outer = _max2(F, columns, deep, ceil_mode, return_indices)
    final = (*lead, F.typeof(out).shape[-2], oh, ow)
    if not return_indices:
        return F.reshape(out, shape=final)
    rows = product(lead)
    line = F.reshape(inner, shape=(rows, d * oh * ow))
    at = F.reshape(outer, shape=(rows, product(F.typeof(outer).shape[-2:])))
    place = F.add(F.mul(F.floor_divide(at, oh * ow), h * w), F.gather(line, at, dim=1))
    return F.reshape(out, shape=final), F.reshape(place, shape=final)


# --- means and norms ---------------------------------------------------------------------------
def _sums(F: Any, x: Any, kernel: Any, stride: Any) -> Any:
    """Sums of windows of the last dims of ``x``, which is padded already."""
    n = len(kernel)
    shape = F.typeof(x).shape
    lead = shape[:-n]
    if n == 1:
        out = _sums(F, _pad_front(F, x, 1), (1, *kernel), (1, *stride))
        return F.reshape(out, shape=(*lead, F.typeof(out).shape[-1]))
    ones = F.full(shape=(1, 1, *kernel[-2:]), value=1.0, dtype=F.typeof(x).dtype)
    planes = F.reshape(x, shape=(product(shape[:-2]), 1, *shape[-2:]))
    out = F.conv2d(planes, ones, stride=tuple(stride[-2:]), padding=(0, 0), dilation=(1, 1))
    size = F.typeof(out).shape[-2:]
    if n == 2:
        return F.reshape(out, shape=(*lead, *size))
    columns = F.reshape(out, shape=(*lead, shape[-3], size[0] * size[1]))
    deep = _sums(F, columns, (kernel[0], 1), (stride[0], 1))
    return F.reshape(deep, shape=(*lead, F.typeof(deep).shape[-2], *size))


def _averaged(F: Any, name: str, n: int, x: Any, kernel_size: Any, stride: Any, padding: Any,
              ceil_mode: bool, count_include_pad: bool, divisor_override: int | None) -> Any:
    kernel, step, pad, one = _steps(F, name, x, n, kernel_size, stride, padding)
    if any(2 * p > k for p, k in zip(pad, kernel, strict=True)):
        raise OpError(f"{name}: padding {pad} is at most half of the window {kernel}")
    if divisor_override == 0:
        raise OpError(f"{name}: divisor_override is not 0")
    size = F.typeof(x).shape[-n:]
    extra = [_overhang(*v) if ceil_mode else 0
             for v in zip(size, kernel, step, pad, one, strict=True)]
    lead = F.typeof(x).ndim - n

    def padded(t: Any, value: float) -> Any:
        if any(pad):
            k = F.typeof(t).ndim - n
            t = F.pad(t, low=(0,) * k + pad, high=(0,) * k + pad, value=value)
        return _extended(F, t, extra, 0.0)

    total = _sums(F, padded(x, 0.0), kernel, step)
    if divisor_override is not None:
        return F.mul(total, 1.0 / divisor_override)
    whole = not any(type(e) is not int or e > 0 for e in extra)
    if whole and (count_include_pad or not any(pad)):
        return F.mul(total, 1.0 / product(kernel))
    ones = F.full(shape=(1,) * min(lead, 1) + tuple(size), value=1.0, dtype=F.typeof(x).dtype)
    counts = _sums(F, padded(ones, 1.0 if count_include_pad else 0.0), kernel, step)
    return F.div(total, counts)


def avg_pool1d(F: Any, input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
               ceil_mode: bool = False, count_include_pad: bool = True) -> Any:
    """The mean of each window of lines [..., L]."""
    return _averaged(F, "avg_pool1d", 1, input, kernel_size, stride, padding, ceil_mode,
                     count_include_pad, None)


def avg_pool2d(F: Any, input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
               ceil_mode: bool = False, count_include_pad: bool = True,
               divisor_override: int | None = None) -> Any:
    """The mean of each window of images [..., H, W]."""
    return _averaged(F, "avg_pool2d", 2, input, kernel_size, stride, padding, ceil_mode,
                     count_include_pad, divisor_override)


def avg_pool3d(F: Any, input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
               ceil_mode: bool = False, count_include_pad: bool = True,
               divisor_override: int | None = None) -> Any:
    """The mean of each window of volumes [..., D, H, W]."""
    return _averaged(F, "avg_pool3d", 3, input, kernel_size, stride, padding, ceil_mode,
                     count_include_pad, divisor_override)


def lp_pool(F: Any, name: str, n: int, x: Any, norm_type: float, kernel_size: Any, stride: Any,
            ceil_mode: bool) -> Any:
    """The p-norm of each window, as torch has it: of sums of signed powers."""
    kernel, step, _, one = _steps(F, name, x, n, kernel_size, stride, 0)
    x = F.pow(x, float(norm_type))
    if ceil_mode:
        size = F.typeof(x).shape[-n:]
        extra = [_overhang(*v) for v in zip(size, kernel, step, (0,) * n, one, strict=True)]
        x = _extended(F, x, extra, 0.0)
    total = _sums(F, x, kernel, step)
    return F.pow(F.mul(F.sign(total), F.relu(F.abs(total))), 1.0 / norm_type)


def lp_pool1d(F: Any, input: Any, norm_type: float, kernel_size: Any, stride: Any = None,
              ceil_mode: bool = False) -> Any:
    """``(sum x^p)^(1/p)`` of each window of lines [..., L]."""
    return lp_pool(F, "lp_pool1d", 1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(F: Any, input: Any, norm_type: float, kernel_size: Any, stride: Any = None,
              ceil_mode: bool = False) -> Any:
    """``(sum x^p)^(1/p)`` of each window of images [..., H, W]."""
    return lp_pool(F, "lp_pool2d", 2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(F: Any, input: Any, norm_type: float, kernel_size: Any, stride: Any = None,
              ceil_mode: bool = False) -> Any:
    """``(sum x^p)^(1/p)`` of each window of volumes [..., D, H, W]."""
    return lp_pool(F, "lp_pool3d", 3, input, norm_type, kernel_size, stride, ceil_mode)


# --- equal parts -------------------------------------------------------------------------------
def _wanted(F: Any, name: str, x: Any, n: int, output_size: Any) -> tuple[Any, ...]:
    t = F.typeof(x)
    if t.ndim not in (n + 1, n + 2):
        raise OpError(f"{name}: wants an input of {n + 1} or {n + 2} dims, got {t}")
    want = (output_size,) * n if output_size is None or isinstance(output_size, int) \
        else tuple(output_size)
    if len(want) != n:
        raise OpError(f"{name}: output_size is an int or {n} of them, got {output_size!r}")
    return tuple(d if w is None else w for w, d in zip(want, t.shape[-n:], strict=True))


def _edges(F: Any, size: Any, out: int) -> tuple[Any, Any]:
    """Where each of ``out`` parts of ``size`` elements begins and ends, int64 [out, 1]."""
    k = F.iota(start=0, step=1, size=out, dtype=I64)
    begin = F.floor_divide(F.mul(k, size), out)
    end = F.floor_divide(F.add(F.mul(F.add(k, 1), size), out - 1), out)
    return F.reshape(begin, shape=(out, 1)), F.reshape(end, shape=(out, 1))


def _mean_parts(F: Any, x: Any, out: int) -> Any:
    """The last dim averaged in ``out`` parts, as a product with a matrix of weights."""
    t = F.typeof(x)
    size = t.shape[-1]
    begin, end = _edges(F, size, out)
    at = F.iota(start=0, step=1, size=size, dtype=I64)
    inside = F.logical_and(F.ge(at, begin), F.lt(at, end))
    weight = F.div(F.cast(inside, dtype=t.dtype), F.cast(F.sub(end, begin), dtype=t.dtype))
    rows = F.reshape(x, shape=(product(t.shape[:-1]), size))
    total = F.matmul(rows, F.permute(weight, dims=(1, 0)))
    return F.reshape(total, shape=(*t.shape[:-1], out))


def _last(F: Any, x: Any, dim: int) -> Any:
    """``x`` with a dim swapped to the end (and back)."""
    n = F.typeof(x).ndim
    order = list(range(n))
    order[dim], order[n - 1] = order[n - 1], order[dim]
    return F.permute(x, dims=tuple(order))


def _adaptive_mean(F: Any, name: str, n: int, x: Any, output_size: Any) -> Any:
    want = _wanted(F, name, x, n, output_size)
    shape = F.typeof(x).shape
    lead = shape[:-n]
    if all(type(w) is int and w == 1 for w in want):
        return mean(F, x, tuple(range(len(lead), len(shape))), True)
    if all(type(d) is int and d % w == 0 if type(w) is int else w is d
           for d, w in zip(shape[-n:], want, strict=True)):
        split = tuple(v for d, w in zip(shape[-n:], want, strict=True) for v in (w, d // w))
        parts = F.reshape(x, shape=(*lead, *split))
        return mean(F, parts, tuple(len(lead) + 2 * k + 1 for k in range(n)))
    for k, w in enumerate(want):
        x = _last(F, _mean_parts(F, _last(F, x, len(lead) + k), w), len(lead) + k)
    return x


def adaptive_avg_pool1d(F: Any, input: Any, output_size: Any) -> Any:
    """Means of ``output_size`` equal parts of lines [..., L]; parts may share elements."""
    return _adaptive_mean(F, "adaptive_avg_pool1d", 1, input, output_size)


def adaptive_avg_pool2d(F: Any, input: Any, output_size: Any) -> Any:
    """Means of equal parts of images [..., H, W]."""
    return _adaptive_mean(F, "adaptive_avg_pool2d", 2, input, output_size)


def adaptive_avg_pool3d(F: Any, input: Any, output_size: Any) -> Any:
    """Means of equal parts of volumes [..., D, H, W]."""
    return _adaptive_mean(F, "adaptive_avg_pool3d", 3, input, output_size)


def _adaptive_max(F: Any, name: str, n: int, x: Any, output_size: Any,
                  indices: bool) -> tuple[Any, Any]:
    """The largest of each part: windows as long as the longest part, ends repeated."""
    want = _wanted(F, name, x, n, output_size)
    shape = F.typeof(x).shape
    lead = len(shape) - n
    places: Any = None
    for k, (w, d) in enumerate(zip(want, shape[lead:], strict=True)):
        begin, end = _edges(F, d, w)
        longest = -(-d // w) + (0 if type(d) is int and d % w == 0 else 1)
        at = F.add(begin, F.iota(start=0, step=1, size=longest, dtype=I64))
        at = F.minimum(at, F.sub(end, 1))
        at = F.reshape(at, shape=(w * longest,))
        x = F.index_select(x, at, dim=lead + 2 * k)
        now = F.typeof(x).shape
        x = F.reshape(x, shape=(*now[:lead + 2 * k], w, longest, *now[lead + 2 * k + 1:]))
        line = F.reshape(at, shape=(1,) * (2 * k) + (w, longest) + (1,) * (2 * (n - k - 1)))
        places = line if places is None else F.add(F.mul(places, d), line)
    kept = tuple(range(lead)) + tuple(lead + 2 * k for k in range(n))
    windows = F.permute(x, dims=kept + tuple(lead + 2 * k + 1 for k in range(n)))
    now = F.typeof(windows).shape
    flat = F.reshape(windows, shape=(*now[:lead + n], product(now[lead + n:])))
    best = F.argmax(flat, dim=lead + n, keepdim=True)
    out = F.reshape(F.gather(flat, best, dim=lead + n), shape=now[:lead + n])
    if not indices:
        return out, None
    order = tuple(2 * k for k in range(n)) + tuple(2 * k + 1 for k in range(n))
    sizes = tuple(now[lead:lead + n]) + (product(now[lead + n:]),)
    spots = F.broadcast_to(F.reshape(F.permute(places, dims=order), shape=sizes),
                           shape=F.typeof(flat).shape)
    return out, F.reshape(F.gather(spots, best, dim=lead + n), shape=now[:lead + n])


def adaptive_max_pool1d(F: Any, input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """The largest of equal parts of lines [..., L]."""
    return _both(_adaptive_max(F, "adaptive_max_pool1d", 1, input, output_size, return_indices),
                 return_indices)


def adaptive_max_pool2d(F: Any, input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """The largest of equal parts of images [..., H, W]."""
    return _both(_adaptive_max(F, "adaptive_max_pool2d", 2, input, output_size, return_indices),
                 return_indices)


def adaptive_max_pool3d(F: Any, input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """The largest of equal parts of volumes [..., D, H, W]."""
    return _both(_adaptive_max(F, "adaptive_max_pool3d", 3, input, output_size, return_indices),
                 return_indices)


# --- back to the place -------------------------------------------------------------------------
def _unpooled(F: Any, name: str, n: int, x: Any, indices: Any, kernel_size: Any, stride: Any,
              padding: Any, output_size: Any) -> Any:
    kernel, step, pad, _ = _steps(F, name, x, n, kernel_size, stride, padding)
    shape = F.typeof(x).shape
    size = tuple((d - 1) * s - 2 * p + k
                 for d, k, s, p in zip(shape[-n:], kernel, step, pad, strict=True))
    if output_size is not None:
        size = tuple(output_size)[-n:]
    plane = (*shape[:-n], product(size))
    zero = F.full(shape=plane, value=0.0, dtype=F.typeof(x).dtype)
    flat = (*shape[:-n], product(shape[-n:]))
    out = F.scatter_add(zero, F.reshape(indices, shape=flat), F.reshape(x, shape=flat),
                        dim=len(plane) - 1)
    return F.reshape(out, shape=(*shape[:-n], *size))


def max_unpool1d(F: Any, input: Any, indices: Any, kernel_size: Any, stride: Any = None,
                 padding: Any = 0, output_size: Sequence[int] | None = None) -> Any:
    """Zeros with each element of lines at the place that `max_pool1d` found it."""
    return _unpooled(F, "max_unpool1d", 1, input, indices, kernel_size, stride, padding,
                     output_size)


def max_unpool2d(F: Any, input: Any, indices: Any, kernel_size: Any, stride: Any = None,
                 padding: Any = 0, output_size: Sequence[int] | None = None) -> Any:
    """Zeros with each element of images at the place that `max_pool2d` found it."""
    return _unpooled(F, "max_unpool2d", 2, input, indices, kernel_size, stride, padding,
                     output_size)


def max_unpool3d(F: Any, input: Any, indices: Any, kernel_size: Any, stride: Any = None,
                 padding: Any = 0, output_size: Sequence[int] | None = None) -> Any:
    """Zeros with each element of volumes at the place that `max_pool3d` found it."""
    return _unpooled(F, "max_unpool3d", 3, input, indices, kernel_size, stride, padding,
                     output_size)


_POOLS = (max_pool1d, max_pool2d, max_pool3d, avg_pool1d, avg_pool2d, avg_pool3d, lp_pool1d,
          lp_pool2d, lp_pool3d, adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d,
          adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d, max_unpool1d,
          max_unpool2d, max_unpool3d)
FUNCTIONS = tuple(Composite(f.__name__, f, Spelling(("nn.functional",))) for f in _POOLS)
