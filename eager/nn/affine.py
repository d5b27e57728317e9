"""Bilinear maps of two inputs."""

from __future__ import annotations

import math
from typing import Any

from eager.engine import creation
from eager.engine.device import check_device
from eager.engine.tensor import Tensor
from eager.nn import functional as F
from eager.nn import init
from eager.nn.module import Module, Parameter
from eager.ops.errors import OpError


class Bilinear(Module):
    """x1 W[k] x2 + bias[k]; weight [out_features, in1_features, in2_features]."""

    weight: Parameter
    bias: Parameter | None

    def __init__(self, in1_features: int, in2_features: int, out_features: int, bias: bool = True,
                 device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        check_device(device)
        if in1_features <= 0:
            raise OpError(f"Bilinear: in1_features is positive, got {in1_features}")
        self.in1_features, self.in2_features = in1_features, in2_features
        self.out_features = out_features
        self.weight = Parameter(creation.zeros(out_features, in1_features, in2_features,
                                               dtype=dtype))
        self.register_parameter("bias", Parameter(creation.zeros(out_features, dtype=dtype))
                                if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Uniform numbers within 1 / sqrt(in1_features)."""
        bound = 1 / math.sqrt(self.in1_features)
        for p in self.parameters():
            init.uniform_(p, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
                f"out_features={self.out_features}, bias={self.bias is not None}")
