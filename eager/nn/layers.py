"""Layers that hold a weight and a bias."""

from __future__ import annotations

import math
from typing import Any

from eager.engine import creation
from eager.engine.device import check_device
from eager.engine.tensor import Tensor
from eager.nn import functional as F
from eager.nn import init
from eager.nn.module import Module, Parameter


def parameter(*shape: int, dtype: Any = None) -> Parameter:
    """A parameter whose values are still to come."""
    return Parameter(creation.zeros(*shape, dtype=dtype))


class Weighted(Module):
    """A weight [out, in, ...] and perhaps a bias [out], initialised as torch does."""

    weight: Parameter
    bias: Parameter | None

    def _hold(self, shape: tuple[int, ...], bias: bool, dtype: Any) -> None:
        self.weight = parameter(*shape, dtype=dtype)
        self.register_parameter("bias", parameter(shape[0], dtype=dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Uniform numbers within 1 / sqrt(inputs of one output)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in = self.weight.numel() // max(self.weight.shape[0], 1)
            bound = 1 / math.sqrt(fan_in) if fan_in else 0.0
            init.uniform_(self.bias, -bound, bound)


class Linear(Weighted):
    """``x @ weight.T + bias`` over the last dim; weight [out_features, in_features]."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True,
                 device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        check_device(device)
        self.in_features, self.out_features = in_features, out_features
        self._hold((out_features, in_features), bias, dtype)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (f"in_features={self.in_features}, out_features={self.out_features}, "
                f"bias={self.bias is not None}")
