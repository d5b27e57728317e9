"""Batch normalisation, which in inference is a line, folded into the layer before it."""

from __future__ import annotations

import copy
from typing import Any

from eager.engine.mode import no_grad
from eager.engine.tensor import Tensor
from eager.nn.module import Module
from eager.nn.parameter import Parameter
from eager.ops.errors import OpError

Weights = tuple[Parameter, Parameter]


def fuse_conv_bn_weights(conv_w: Tensor, conv_b: Tensor | None, bn_rm: Tensor, bn_rv: Tensor,
                         bn_eps: float, bn_w: Tensor | None, bn_b: Tensor | None,
                         transpose: bool = False) -> Weights:
    """Weight and bias of the convolution that does both.

    ``transpose``: the outputs are in dim 1 of the weight.
    """
    with no_grad():
        scale = (bn_rv + bn_eps).rsqrt()
        scale = scale if bn_w is None else bn_w * scale
        shift = -bn_rm * scale if conv_b is None else (conv_b - bn_rm) * scale
        shift = shift if bn_b is None else shift + bn_b
        shape = [1] * conv_w.ndim
        shape[1 if transpose else 0] = -1
        weight = (conv_w * scale.reshape(shape)).to(conv_w.dtype)
        bias = shift.to(conv_w.dtype)
    return (Parameter(weight, conv_w.requires_grad),
            Parameter(bias, conv_w.requires_grad if conv_b is None else conv_b.requires_grad))


def fuse_linear_bn_weights(linear_w: Tensor, linear_b: Tensor | None, bn_rm: Tensor,
                           bn_rv: Tensor, bn_eps: float, bn_w: Tensor, bn_b: Tensor) -> Weights:
    """Weight and bias of the linear layer that does both."""
    return fuse_conv_bn_weights(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b)


def fuse_conv_bn_eval(conv: Any, bn: Any, transpose: bool = False) -> Any:
    """A convolution that does what a convolution and a batch normalisation do, both in eval."""
    return _fused(conv, bn, transpose)


def fuse_linear_bn_eval(linear: Any, bn: Any) -> Any:
    """A linear layer that does what a linear layer and a batch normalisation do, both in eval."""
    if linear.out_features != bn.num_features and bn.num_features != 1:
        raise OpError("To fuse, linear.out_features == bn.num_features or bn.num_features == 1")
    return _fused(linear, bn, False)


def _fused(layer: Module, bn: Module, transpose: bool) -> Module:
    if layer.training or bn.training:
        raise OpError("Fusion only for eval!")
    if bn.running_mean is None or bn.running_var is None:
        raise OpError("a batch normalisation that tracks no statistics cannot be fused")
    fused = copy.deepcopy(layer)
    fused.weight, fused.bias = fuse_conv_bn_weights(
        layer.weight, layer.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias,
        transpose)
    return fused
