"""Fourier transforms, windows and short-time transforms."""

from __future__ import annotations

import numpy as np

from tests.ops.cases.case import C, Case, f


def T(name: str, *args: object, numpy: object = None, **kwargs: object) -> Case:
    """A function of ``fft``."""
    return Case(name, args, kwargs, numpy, "fft")  # type: ignore[arg-type]


X, ODD, Z = f(3, 8), f(2, 7), f(3, 6) + 1j * f(3, 6)
WINDOW = np.hanning(8)
SHORT = {"normalized": True, "return_complex": True}

CASES = (
    T("fft", X, numpy=np.fft.fft), T("fft", Z, 4, 0, "ortho"), T("fft", ODD, 9, norm="forward"),
    T("ifft", Z, numpy=np.fft.ifft), T("ifft", X, norm="forward"), T("rfft", X, numpy=np.fft.rfft),
    T("rfft", ODD, norm="ortho"), T("rfft", X, 5, 0), T("irfft", Z, numpy=np.fft.irfft),
    T("irfft", Z, 7), T("irfft", Z, 6, 0, "ortho"), T("hfft", Z), T("ihfft", X),
    T("fft2", f(2, 4, 6), numpy=np.fft.fft2), T("ifft2", Z), T("rfft2", f(2, 4, 6)),
    T("irfft2", Z), T("fftn", f(2, 3, 4)), T("fftn", X, (4, 4)), T("ifftn", Z, dim=(0,)),
    T("rfftn", f(2, 3, 4), dim=(1, 2), norm="ortho"), T("irfftn", Z, (3, 8)),
    T("fftshift", ODD), T("ifftshift", ODD, 1),
    T("fftfreq", 7, 0.5), T("rfftfreq", 8),
    C("hann_window", 8), C("hann_window", 7, False), C("hamming_window", 6),
    C("blackman_window", 9),
    C("bartlett_window", 6), C("hann_window", 1),
    C("stft", f(2, 40), 8, window=WINDOW, return_complex=True),
    C("stft", f(40), 8, 3, 6, WINDOW[:6], False, **SHORT),
    C("stft", f(40), 8, onesided=False, return_complex=True),
    C("istft", f(2, 5, 6) + 1j * f(2, 5, 6), 8, window=WINDOW + 0.1),
)
REJECTS = (T("rfft", Z), T("fft", X, 0), T("fft", X, norm="best"), T("fft", X, dim=3))
