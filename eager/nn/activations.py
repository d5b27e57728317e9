"""Activations: modules that hold only the settings of a function of `eager.nn.functional`."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, ClassVar

from eager.engine import creation
from eager.engine.device import check_device
from eager.engine.tensor import Tensor
from eager.nn import functional as F
from eager.nn.module import Module
from eager.nn.parameter import Parameter
from eager.ops.errors import OpError


class Activation(Module):
    """``function(input, **settings)``; the settings are attributes with the function's names."""

    function: ClassVar[Callable[..., Any]]
    settings: ClassVar[tuple[str, ...]] = ()

    def forward(self, input: Tensor) -> Tensor:
        result: Tensor = type(self).function(input, **{n: getattr(self, n) for n in self.settings})
        return result

    def extra_repr(self) -> str:
        return ", ".join(f"{n}={getattr(self, n)!r}" for n in self.settings
                         if n != "inplace" or self.inplace)


class _InPlace(Activation):
    """One whose only setting is that it writes its input and returns it."""

    settings = ("inplace",)

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace


# --- without settings --------------------------------------------------------------------------
class ReLU(_InPlace):
    """max(x, 0)."""

    function = staticmethod(F.relu)


class ReLU6(_InPlace):
    """x kept within [0, 6]."""

    function = staticmethod(F.relu6)


class SELU(_InPlace):
    """The scaled `ELU` whose outputs keep mean 0 and variance 1 (Klambauer et al., 2017)."""

    function = staticmethod(F.selu)


class SiLU(_InPlace):
    """x sigmoid(x)."""

    function = staticmethod(F.silu)


class Mish(_InPlace):
    """x tanh(softplus(x))."""

    function = staticmethod(F.mish)


class Hardswish(_InPlace):
    """x hardsigmoid(x)."""

    function = staticmethod(F.hardswish)

    def extra_repr(self) -> str:
        return ""


class Hardsigmoid(_InPlace):
    """x / 6 + 1/2 kept within [0, 1]."""

    function = staticmethod(F.hardsigmoid)

    def extra_repr(self) -> str:
        return ""


class Tanh(Activation):
    """The hyperbolic tangent."""

    function = staticmethod(F.tanh)


class Sigmoid(Activation):
    """1 / (1 + exp(-x))."""

    function = staticmethod(F.sigmoid)


class LogSigmoid(Activation):
    """The logarithm of the sigmoid."""

    function = staticmethod(F.logsigmoid)


class Softsign(Activation):
    """x / (1 + |x|)."""

    function = staticmethod(F.softsign)


class Tanhshrink(Activation):
    """x - tanh(x)."""

    function = staticmethod(F.tanhshrink)


# --- with settings -----------------------------------------------------------------------------
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
    settings = ("negative_slope", "inplace")

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope, self.inplace = negative_slope, inplace


class _Exponential(Activation):
    settings = ("alpha", "inplace")

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha, self.inplace = alpha, inplace


class ELU(_Exponential):
    """x where positive, else ``alpha`` (exp(x) - 1)."""

    function = staticmethod(F.elu)


class CELU(_Exponential):
    """x where positive, else ``alpha`` (exp(x / alpha) - 1)."""

    function = staticmethod(F.celu)


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
    settings = ("min_val", "max_val", "inplace")

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False,
                 min_value: float | None = None, max_value: float | None = None) -> None:
        super().__init__()
        for older, value in (("min_value", min_value), ("max_value", max_value)):
            if value is not None:
                warnings.warn(f"keyword argument `{older}` is deprecated and renamed to "
                              f"`{older[:7]}`", FutureWarning, stacklevel=2)
        self.min_val = min_val if min_value is None else min_value
        self.max_val = max_val if max_value is None else max_value
        self.inplace = inplace
        if not self.min_val < self.max_val:
            raise OpError(f"Hardtanh: min_val {self.min_val} is not below max_val {self.max_val}")


class Threshold(Activation):
    """x where it is above ``threshold``, else ``value``."""

    function = staticmethod(F.threshold)
    settings = ("threshold", "value", "inplace")

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__()
        self.threshold, self.value, self.inplace = threshold, value, inplace


class _Shrink(Activation):
    settings = ("lambd",)

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def extra_repr(self) -> str:
        return str(self.lambd)


class RReLU(Activation):
    """x where positive, else x times a slope, in training drawn from [lower, upper)."""

    settings = ("lower", "upper", "inplace")

    def __init__(self, lower: float = 1.0 / 8, upper: float = 1.0 / 3,
                 inplace: bool = False) -> None:
        super().__init__()
        self.lower, self.upper, self.inplace = lower, upper, inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)


class Hardshrink(_Shrink):
    """x where |x| is above ``lambd``, else 0."""

    function = staticmethod(F.hardshrink)


class Softshrink(_Shrink):
    """x moved by ``lambd`` towards 0, and 0 where it is nearer."""

    function = staticmethod(F.softshrink)


class GLU(Activation):
    """The first half along ``dim`` times the sigmoid of the second."""

    function = staticmethod(F.glu)
    settings = ("dim",)

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim


class _Along(Activation):
    settings = ("dim",)

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim


class Softmax(_Along):
    """exp(x) over its sum along ``dim``."""

    function = staticmethod(F.softmax)


class Softmin(_Along):
    """`Softmax` of -x."""

    function = staticmethod(F.softmin)


class LogSoftmax(_Along):
    """The logarithm of `Softmax`."""

    function = staticmethod(F.log_softmax)


class Softmax2d(Module):
    """`Softmax` over the channels of [N, C, H, W] or [C, H, W]."""

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim not in (3, 4):
            raise OpError(f"Softmax2d: expected input to be 3D or 4D, got {input.spec}")
        result: Tensor = F.softmax(input, -3)
        return result


# --- with state --------------------------------------------------------------------------------
class PReLU(Module):
    """x where positive, else ``weight`` x: one slope, or one for each channel [N, C, ...]."""

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None,
                 dtype: Any = None) -> None:
        super().__init__()
        check_device(device)
        self.num_parameters, self.init = num_parameters, init
        self.weight = Parameter(creation.full((num_parameters,), init, dtype=dtype or "float32"))

    def reset_parameters(self) -> None:
        """Set every slope to the initial one."""
        self.weight.data.fill_(self.init)

    def forward(self, input: Tensor) -> Tensor:
        result: Tensor = F.prelu(input, self.weight)
        return result

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"
