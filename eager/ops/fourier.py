"""Discrete Fourier transforms, of which one along one dim is an op and all others are made."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from eager.ops import cartesian
from eager.ops.composite import Composite
from eager.ops.errors import OpError
from eager.ops.families import Library, Transform
from eager.ops.op import Example, Op, Spelling
from eager.ops.types import C64, C128, F32, F64, Type, as_dtype, normalize_dim, product


def _transformed(x: Type, /, *, dim: int, inverse: bool) -> Type:
    if x.dtype not in (C64, C128) or not 0 <= dim < x.ndim:
        raise OpError(f"wants complex numbers along a dim, got {x} and dim {dim}")
    if type(x.shape[dim]) is int and x.shape[dim] < 1:
        raise OpError(f"nothing lies along dim {dim} of {x}")
    return x


def _run(x: Any, *, dim: int, inverse: bool) -> Any:
    return (np.fft.ifft if inverse else np.fft.fft)(x, axis=dim,
                                                    norm="forward" if inverse else "backward")


def _transformed_planes(x: Type, /, *, dim: int, inverse: bool) -> Type:
    if x.dtype not in (F32, F64) or not 1 <= dim < x.ndim or x.shape[0] != 2:
        raise OpError(f"wants two planes [2, ...] along a later dim, got {x} and dim {dim}")
    _transformed(Type(x.dtype.to_complex(), x.shape[1:]), dim=dim - 1, inverse=inverse)
    return x


def _run_planes(x: Any, *, dim: int, inverse: bool) -> Any:
    _transformed_planes(Type.of(x), dim=dim, inverse=inverse)
    out = _run(np.asarray(x[0] + 1j * x[1], Type.of(x).dtype.to_complex().numpy), dim=dim - 1,
               inverse=inverse)
    return np.stack((out.real, out.imag))


_SIGNAL = (Example((((4, 3), "c64"),), {"dim": 0, "inverse": False}),
           Example((((5,), "c128"),), {"dim": 0, "inverse": True}))
# The matrix of the transform is symmetric, so its gradient is the transform again.
dft = Op("dft", "The sums of x[n] exp(-2 pi i n k / N) along a dim (+ if inverse), not scaled.",
         _transformed, Library("dft"), forward=_run,
         precheck=lambda x, **attrs: _transformed(Type.of(x), **attrs), complex=True,
         split=cartesian.dft, spelling=None,
         grad=lambda F, g, out, x, **attrs: (F.dft(g, **attrs),), examples=_SIGNAL,
         rejects=(Example(((3,),), {"dim": 0, "inverse": False}),))
dft_planes = Op("dft_planes", "The same of real parts and imaginary parts [2, ...].",
                _transformed_planes, Transform(), forward=_run_planes, spelling=None,
                examples=(Example(((2, 3, 4),), {"dim": 2, "inverse": False}),
                          Example(((2, 30, 2),), {"dim": 1, "inverse": True}),
                          Example(((2, 1, 7),), {"dim": 2, "inverse": False})),
                rejects=(Example(((3, 4),), {"dim": 1, "inverse": False}),))

OPS = (dft, dft_planes)


# --- one dim -----------------------------------------------------------------------------------
def _scaled(F: Any, x: Any, count: Any, norm: str | None, inverse: bool) -> Any:
    if norm not in (None, "backward", "ortho", "forward"):
        raise OpError(f"norm is 'backward', 'ortho' or 'forward', got {norm!r}")
    if norm == "ortho":
        return F.mul(x, 1.0 / math.sqrt(count))
    return F.mul(x, 1.0 / count) if (norm == "forward") != inverse else x


def _as_complex(F: Any, x: Any) -> Any:
    dtype = F.typeof(x).dtype
    if dtype.kind not in "fc":
        dtype = F32
    return F.cast(x, dtype=dtype.to_complex()) if F.typeof(x).dtype.kind != "c" else x


def _resized(F: Any, x: Any, dim: int, n: int | None) -> Any:
    """``x`` cut or filled with zeros to ``n`` elements of ``dim``."""
    shape = F.typeof(x).shape
    if n is None or n == shape[dim]:
        return x
    if n < 1:
        raise OpError(f"a transform has at least one point, got n={n}")
    zero = (0,) * len(shape)
    return F.pad(x, low=zero, high=tuple(n - d if k == dim else 0 for k, d in enumerate(shape)),
                 value=0.0)


def _transform(F: Any, x: Any, n: int | None, dim: int, norm: str | None, inverse: bool) -> Any:
    at = normalize_dim(dim, F.typeof(x).ndim)
    x = _resized(F, _as_complex(F, x), at, n)
    return _scaled(F, F.dft(x, dim=at, inverse=inverse), F.typeof(x).shape[at], norm, inverse)


def fft(F: Any, input: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Any:
    """The discrete Fourier transform along ``dim``."""
    return _transform(F, input, n, dim, norm, False)


def ifft(F: Any, input: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Any:
    """The inverse transform along ``dim``."""
    return _transform(F, input, n, dim, norm, True)


def _part(F: Any, x: Any, dim: int, start: Any, stop: Any) -> Any:
    shape = F.typeof(x).shape
    return F.slice(x, starts=tuple(start if k == dim else 0 for k in range(len(shape))),
                   stops=tuple(stop if k == dim else d for k, d in enumerate(shape)),
                   steps=(1,) * len(shape))


def rfft(F: Any, input: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Any:
    """The transform of real numbers: its first ``n // 2 + 1`` points, which tell the others."""
    if F.typeof(input).dtype.kind == "c":
        raise OpError(f"rfft: wants real numbers, got {F.typeof(input)}")
    at = normalize_dim(dim, F.typeof(input).ndim)
    whole = fft(F, input, n, at, norm)
    return _part(F, whole, at, 0, F.typeof(whole).shape[at] // 2 + 1)


def irfft(F: Any, input: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Any:
    """The real numbers, ``n`` along ``dim``, whose `rfft` this is."""
    at = normalize_dim(dim, F.typeof(input).ndim)
    count = 2 * (F.typeof(input).shape[at] - 1) if n is None else n
    half = _resized(F, _as_complex(F, input), at, count // 2 + 1)
    # Only the real part of the ends counts; each point between stands for two.
    twice = (count + 1) // 2
    inner = F.conj(F.flip(_part(F, half, at, 1, twice), dims=(at,)))
    whole = F.concat(half, inner, dim=at)
    return F.real(_transform(F, whole, None, at, norm, True))


def hfft(F: Any, input: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Any:
    """The real transform of a signal that is its own conjugate turned round."""
    return irfft(F, F.conj(_as_complex(F, input)), n, dim, _other(norm))


def ihfft(F: Any, input: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Any:
    """The inverse of `hfft`."""
    return F.conj(rfft(F, input, n, dim, _other(norm)))


def _other(norm: str | None) -> str:
    return {"forward": "backward", "ortho": "ortho"}.get(norm or "", "forward")


# --- several dims ------------------------------------------------------------------------------
def _over(F: Any, x: Any, s: Any, dim: Any) -> list[tuple[int, int | None]]:
    """Dims and their numbers of points."""
    n = F.typeof(x).ndim
    if dim is None:
        dims = list(range(n)) if s is None else list(range(n - len(s), n))
    else:
        dims = [normalize_dim(d, n) for d in ([dim] if isinstance(dim, int) else dim)]
    sizes: Sequence[Any] = [None] * len(dims) if s is None else [s] if isinstance(s, int) else s
    if len(sizes) != len(dims):
        raise OpError(f"as many sizes as dims: got {len(sizes)} and {len(dims)}")
    return [(d, None if k in (None, -1) else k) for d, k in zip(dims, sizes, strict=True)]


def fftn(F: Any, input: Any, s: Any = None, dim: Any = None, norm: str | None = None) -> Any:
    """The transform along several dims: all, if None."""
    for at, n in _over(F, input, s, dim):
        input = fft(F, input, n, at, norm)
    return input


def ifftn(F: Any, input: Any, s: Any = None, dim: Any = None, norm: str | None = None) -> Any:
    """The inverse transform along several dims."""
    for at, n in _over(F, input, s, dim):
        input = ifft(F, input, n, at, norm)
    return input


def rfftn(F: Any, input: Any, s: Any = None, dim: Any = None, norm: str | None = None) -> Any:
    """The transform of real numbers along several dims; halved along the last of them."""
    *others, (last, n) = _over(F, input, s, dim)
    out = rfft(F, input, n, last, norm)
    for at, n in others:
        out = fft(F, out, n, at, norm)
    return out


def irfftn(F: Any, input: Any, s: Any = None, dim: Any = None, norm: str | None = None) -> Any:
    """The real numbers whose `rfftn` this is."""
    *others, (last, n) = _over(F, input, s, dim)
    for at, k in others:
        input = ifft(F, input, k, at, norm)
    return irfft(F, input, n, last, norm)


def _plane(name: str, whole: Any, doc: str) -> Composite:
    def body(F: Any, input: Any, s: Any = None, dim: Any = (-2, -1),
             norm: str | None = None) -> Any:
        return whole(F, input, s, dim, norm)

    body.__doc__ = doc
    return Composite(name, body, Spelling(("fft",)))


def fftshift(F: Any, input: Any, dim: Any = None) -> Any:
    """The point of frequency 0 brought to the middle."""
    return _shifted(F, input, dim, lambda n: n // 2)


def ifftshift(F: Any, input: Any, dim: Any = None) -> Any:
    """The inverse of `fftshift`."""
    return _shifted(F, input, dim, lambda n: n - n // 2)


def _shifted(F: Any, x: Any, dim: Any, by: Any) -> Any:
    for at, _ in _over(F, x, None, dim):
        n = F.typeof(x).shape[at]
        cut = (n - by(n)) % n if n else 0
        x = F.concat(_part(F, x, at, cut, n), _part(F, x, at, 0, cut), dim=at)
    return x


def fftfreq(F: Any, n: int, d: float = 1.0, *, dtype: Any = None) -> Any:
    """The frequencies of the points of a transform of ``n`` samples ``d`` apart."""
    kind = as_dtype(dtype or F32)
    positive = F.iota(start=0, step=1, size=(n + 1) // 2, dtype=kind)
    negative = F.iota(start=-(n // 2), step=1, size=n // 2, dtype=kind)
    return F.mul(F.concat(positive, negative, dim=0), 1.0 / (n * d))


def rfftfreq(F: Any, n: int, d: float = 1.0, *, dtype: Any = None) -> Any:
    """The frequencies of the points of `rfft`."""
    return F.mul(F.iota(start=0, step=1, size=n // 2 + 1, dtype=as_dtype(dtype or F32)),
                 1.0 / (n * d))


# --- windows and short-time transforms ---------------------------------------------------------
def _cosines(F: Any, size: int, periodic: bool, dtype: Any, *weights: float) -> Any:
    """``sum (-1)^k a_k cos(2 pi k n / N)``."""
    kind = as_dtype(dtype or F32)
    if size == 1:
        return F.full(shape=(1,), value=1.0, dtype=kind)
    turn = F.mul(F.iota(start=0, step=1, size=size, dtype=kind),
                 2.0 * math.pi / (size if periodic else size - 1))
    total: Any = weights[0]
    for k, a in enumerate(weights[1:], 1):
        total = F.add(F.mul(F.cos(F.mul(turn, float(k))), a * (-1) ** k), total)
    return total


def hann_window(F: Any, window_length: int, periodic: bool = True, *, dtype: Any = None) -> Any:
    """Hann's window: one arch of a raised cosine."""
    return _cosines(F, window_length, periodic, dtype, 0.5, 0.5)


def hamming_window(F: Any, window_length: int, periodic: bool = True, alpha: float = 0.54,
                   beta: float = 0.46, *, dtype: Any = None) -> Any:
    """Hamming's window ``alpha - beta cos``."""
    return _cosines(F, window_length, periodic, dtype, alpha, beta)


def blackman_window(F: Any, window_length: int, periodic: bool = True, *,
                    dtype: Any = None) -> Any:
    """Blackman's window of two cosines."""
    return _cosines(F, window_length, periodic, dtype, 0.42, 0.5, 0.08)


def bartlett_window(F: Any, window_length: int, periodic: bool = True, *,
                    dtype: Any = None) -> Any:
    """Bartlett's window: a triangle."""
    kind = as_dtype(dtype or F32)
    if window_length == 1:
        return F.full(shape=(1,), value=1.0, dtype=kind)
    span = window_length if periodic else window_length - 1
    ramp = F.mul(F.iota(start=0, step=1, size=window_length, dtype=kind), 2.0 / span)
    return F.sub(1.0, F.abs(F.sub(ramp, 1.0)))


def _frames(F: Any, x: Any, size: int, hop: int) -> Any:
    """Overlapping pieces of the last dim: [..., T] to [..., frames, size]."""
    shape = F.typeof(x).shape
    count = (shape[-1] - size) // hop + 1
    from eager.ops.types import I64

    start = F.reshape(F.iota(start=0, step=hop, size=count, dtype=I64), shape=(count, 1))
    at = F.reshape(F.add(start, F.iota(start=0, step=1, size=size, dtype=I64)),
                   shape=(count * size,))
    return F.reshape(F.index_select(x, at, dim=len(shape) - 1), shape=(*shape[:-1], count, size))


def _window(F: Any, window: Any, win_length: int | None, n_fft: int, dtype: Any) -> Any:
    """The window in the middle of ``n_fft`` points."""
    length = n_fft if win_length is None else win_length
    if window is None:
        window = F.full(shape=(length,), value=1.0, dtype=dtype)
    left = (n_fft - length) // 2
    return F.pad(window, low=(left,), high=(n_fft - length - left,), value=0.0)


def stft(F: Any, input: Any, n_fft: int, hop_length: int | None = None,
         win_length: int | None = None, window: Any = None, center: bool = True,
         pad_mode: str = "reflect", normalized: bool = False, onesided: bool | None = None,
         return_complex: bool | None = None) -> Any:
    """The transforms of overlapping windows of a signal: [..., T] to [..., points, frames]."""
    from eager.ops.padding import pad

    t = F.typeof(input)
    if not return_complex:
        raise OpError("stft: pass return_complex=True; use view_as_real for pairs of reals")
    if t.ndim not in (1, 2):
        raise OpError(f"stft: wants a signal [T] or signals [B, T], got {t}")
    hop = n_fft // 4 if hop_length is None else hop_length
    x = input if t.ndim == 2 else F.reshape(input, shape=(1, *t.shape))
    if center:
        padded = pad(F, F.reshape(x, shape=(F.typeof(x).shape[0], 1, t.shape[-1])),
                     (n_fft // 2, n_fft // 2), pad_mode)
        x = F.reshape(padded, shape=(F.typeof(x).shape[0], F.typeof(padded).shape[-1]))
    frames = F.mul(_frames(F, x, n_fft, hop),
                   _window(F, window, win_length, n_fft, t.dtype.to_real()))
    half = onesided if onesided is not None else t.dtype.kind != "c"
    out = (rfft if half else fft)(F, frames, None, -1, "ortho" if normalized else None)
    out = F.permute(out, dims=(0, 2, 1))
    return out if t.ndim == 2 else F.reshape(out, shape=F.typeof(out).shape[1:])


def istft(F: Any, input: Any, n_fft: int, hop_length: int | None = None,
          win_length: int | None = None, window: Any = None, center: bool = True,
          normalized: bool = False, onesided: bool | None = None, length: int | None = None,
          return_complex: bool = False) -> Any:
    """The signal of least squares of a short-time transform.

    D. Griffin and J. Lim, "Signal estimation from modified short-time Fourier transform" (1984).
    """
    t = F.typeof(input)
    hop = n_fft // 4 if hop_length is None else hop_length
    x = input if t.ndim == 3 else F.reshape(input, shape=(1, *t.shape))
    x = F.permute(x, dims=(0, 2, 1))
    norm = "ortho" if normalized else None
    half = onesided if onesided is not None else t.shape[-2] != n_fft
    frames = irfft(F, x, n_fft, -1, norm) if half else ifft(F, x, None, -1, norm)
    if not return_complex and F.typeof(frames).dtype.kind == "c":
        frames = F.real(frames)
    shape, real = F.typeof(frames).shape, t.dtype.to_real()
    w = _window(F, window, win_length, n_fft, real)
    total = n_fft + hop * (shape[1] - 1)
    signal = _overlapped(F, F.mul(frames, w), total, hop)
    weight = _overlapped(F, F.broadcast_to(F.reshape(F.mul(w, w), shape=(1, 1, n_fft)),
                                           shape=(1, *shape[1:])), total, hop)
    start = n_fft // 2 if center else 0
    stop = min(start + length, total) if length is not None else total - start
    signal, weight = (_part(F, v, 1, start, stop) for v in (signal, weight))
    out = F.div(signal, weight)
    if length is not None and length > stop - start:
        out = F.pad(out, low=(0, 0), high=(0, length - (stop - start)), value=0.0)
    return out if t.ndim == 3 else F.reshape(out, shape=F.typeof(out).shape[1:])


def _overlapped(F: Any, frames: Any, total: Any, hop: int) -> Any:
    """The sum of frames laid ``hop`` apart: [B, frames, size] to [B, total]."""
    from eager.ops.types import I64

    batch, count, size = F.typeof(frames).shape
    start = F.reshape(F.iota(start=0, step=hop, size=count, dtype=I64), shape=(count, 1))
    at = F.reshape(F.add(start, F.iota(start=0, step=1, size=size, dtype=I64)),
                   shape=(product((count, size)),))
    zero = F.full(shape=(batch, total), value=0.0, dtype=F.typeof(frames).dtype)
    return F.index_add(zero, at, F.reshape(frames, shape=(batch, count * size)), dim=1)


_LINE = (fft, ifft, rfft, irfft, hfft, ihfft, fftn, ifftn, rfftn, irfftn, fftshift, ifftshift,
         fftfreq, rfftfreq)
_SHORT = (hann_window, hamming_window, blackman_window, bartlett_window)
FUNCTIONS = (
    *(Composite(f.__name__, f, Spelling(("fft",))) for f in _LINE),
    _plane("fft2", fftn, "The transform along two dims."),
    _plane("ifft2", ifftn, "The inverse transform along two dims."),
    _plane("rfft2", rfftn, "The transform of real numbers along two dims."),
    _plane("irfft2", irfftn, "The real numbers whose `rfft2` this is."),
    *(Composite(f.__name__, f, Spelling(("eager",))) for f in _SHORT),
    *(Composite(f.__name__, f, Spelling()) for f in (stft, istft)))
