"""Activations: modules that hold only the settings of a function of `eager.nn.functional`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from eager.engine.tensor import Tensor
from eager.nn import functional as F
from eager.nn.module import Module


class Activation(Module):
    """``function(input, **settings)``; the settings are attributes with the function's names."""

    function: ClassVar[Callable[..., Any]]
    settings: ClassVar[tuple[str, ...]] = ()

    def forward(self, input: Tensor) -> Tensor:
        result: Tensor = type(self).function(input, **{n: getattr(self, n) for n in self.settings})
        return result

    def extra_repr(self) -> str:
        return ", ".join(f"{n}={getattr(self, n)!r}" for n in self.settings)


class ReLU(Activation):
    """max(x, 0)."""

    function = staticmethod(F.relu)
    settings = ("inplace",)

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class ReLU6(Activation):
    """x kept within [0, 6]."""

    function = staticmethod(F.relu6)


class Tanh(Activation):
    """The hyperbolic tangent."""

    function = staticmethod(F.tanh)


class Sigmoid(Activation):
    """1 / (1 + exp(-x))."""

    function = staticmethod(F.sigmoid)


class LogSigmoid(Activation):
    """The logarithm of the sigmoid."""

    function = staticmethod(F.logsigmoid)


class SiLU(Activation):
    """x sigmoid(x)."""

    function = staticmethod(F.silu)


class Mish(Activation):
    """x tanh(softplus(x))."""

    function = staticmethod(F.mish)


class Hardswish(Activation):
    """x hardsigmoid(x)."""

    function = staticmethod(F.hardswish)


class Hardsigmoid(Activation):
    """x / 6 + 1/2 kept within [0, 1]."""

    function = staticmethod(F.hardsigmoid)


class Softsign(Activation):
    """x / (1 + |x|)."""

    function = staticmethod(F.softsign)


class GELU(Activation):
    """x times the normal distribution at x, or its tanh approximation."""

    function = staticmethod(F.gelu)
    settings = ("approximate",)

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate


class LeakyReLU(Activation):
    """x where positive, else ``negative_slope`` x."""

    function = staticmethod(F.leaky_relu)
    settings = ("negative_slope",)

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__()
        self.negative_slope = negative_slope


class ELU(Activation):
    """x where positive, else ``alpha`` (exp(x) - 1)."""

    function = staticmethod(F.elu)
    settings = ("alpha",)

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__()
        self.alpha = alpha


class Softplus(Activation):
    """log(1 + exp(beta x)) / beta; x itself where ``beta x`` is above ``threshold``."""

    function = staticmethod(F.softplus)
    settings = ("beta", "threshold")

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta, self.threshold = beta, threshold


class Hardtanh(Activation):
    """x kept within [min_val, max_val]."""

    function = staticmethod(F.hardtanh)
    settings = ("min_val", "max_val")

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0) -> None:
        super().__init__()
        self.min_val, self.max_val = min_val, max_val


class Softmax(Activation):
    """exp(x) over its sum along ``dim``."""

    function = staticmethod(F.softmax)
    settings = ("dim",)

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim


class LogSoftmax(Softmax):
    """The logarithm of `Softmax`."""

    function = staticmethod(F.log_softmax)
