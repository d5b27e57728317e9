"""Functions of neural networks under torch's names: the table's, and those that hold state."""

from __future__ import annotations

from typing import Any

from eager.engine import spelling
from eager.engine.dropouts import (
    alpha_dropout,
    dropout,
    dropout1d,
    dropout2d,
    dropout3d,
    feature_alpha_dropout,
)
from eager.engine.mode import no_grad
from eager.engine.tensor import TAPED, Tensor
from eager.nn.attending import multi_head_attention_forward, scaled_dot_product_attention
from eager.nn.lookups import embedding, embedding_bag
from eager.nn.noise import gumbel_softmax, rrelu
from eager.ops.errors import OpError
from eager.ops.types import product

_TABLE = spelling.namespace("nn.functional", TAPED)
#: The same op or composite, before what this module does around it.
_normalized = _TABLE["batch_norm"]
_moments = _TABLE.pop("batch_moments")
_relu = _TABLE["relu"]


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0)."""
    result: Tensor = input.relu_() if inplace else _relu(input)
    return result


def batch_norm(input: Tensor, running_mean: Tensor | None, running_var: Tensor | None,
               weight: Tensor | None = None, bias: Tensor | None = None, training: bool = False,
               momentum: float | Tensor = 0.1, eps: float = 1e-05) -> Tensor:
    """Channels of [N, C, ...] brought to mean 0 and variance 1, then scaled and shifted.

    In training by the moments of the batch, towards which the running ones, if given, are moved
    in place by ``momentum`` (the variance unbiased); else by the running ones.
    """
    mean, var = running_mean, running_var
    if training or mean is None:
        mean, var = _moments(input)
    if training and running_mean is not None:
        assert mean is not None and var is not None and running_var is not None
        count = _values_per_channel(input)
        with no_grad():
            _move(running_mean, mean, momentum)
            _move(running_var, var * count / (count - 1), momentum)
    result: Tensor = _normalized(input, mean, var, weight, bias, eps=eps)
    return result


def instance_norm(input: Tensor, running_mean: Tensor | None = None,
                  running_var: Tensor | None = None, weight: Tensor | None = None,
                  bias: Tensor | None = None, use_input_stats: bool = True,
                  momentum: float = 0.1, eps: float = 1e-05) -> Tensor:
    """Each channel of each element of [N, C, ...] brought to mean 0 and variance 1.

    By its own moments, towards whose means over the batch the running ones, if given, are moved
    in place by ``momentum`` (the variance unbiased); or without ``use_input_stats`` by those.
    """
    result: Tensor = _TABLE["instance_norm"](input, running_mean, running_var, weight, bias,
                                             use_input_stats, momentum, eps)
    if use_input_stats and running_mean is not None and running_var is not None:
        dims = tuple(range(2, input.ndim))
        with no_grad():
            _move(running_mean, input.mean(dims).mean(0), momentum)
            _move(running_var, input.var(dims).mean(0), momentum)
    return result


def _values_per_channel(input: Tensor) -> Any:
    count = product((input.shape[0], *input.shape[2:]))
    if count < 2:
        raise OpError(f"batch_norm: training wants more than one value per channel, got "
                      f"{input.spec}")
    return count


def _move(running: Tensor, now: Tensor, momentum: Any) -> None:
    running.copy_(running * (1.0 - momentum) + now * momentum)


_OWN = {f.__name__: f for f in (
    relu, batch_norm, instance_norm, dropout, dropout1d, dropout2d, dropout3d, alpha_dropout,
    feature_alpha_dropout, rrelu, gumbel_softmax, embedding, embedding_bag,
    multi_head_attention_forward, scaled_dot_product_attention)}


def __getattr__(name: str) -> Any:
    try:
        return _TABLE[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None


def __dir__() -> list[str]:
    return sorted({*_TABLE, *_OWN})
