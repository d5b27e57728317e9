"""Discrete Fourier transforms, under the names of ``torch.fft``."""

from eager.engine.spelling import module_hooks
from eager.engine.tensor import TAPED

__getattr__, __dir__ = module_hooks("fft", TAPED)
