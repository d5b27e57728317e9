"""Losses: modules that hold only the settings of a function of `eager.nn.functional`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from eager.engine.tensor import Tensor
from eager.nn import functional as F
from eager.nn.module import Module


class Loss(Module):
    """``function(input, target, **settings)``; the settings are attributes of the same names."""

    function: ClassVar[Callable[..., Any]]
    settings: ClassVar[tuple[str, ...]] = ("reduction",)

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        settings = {n: getattr(self, n) for n in self.settings}
        result: Tensor = type(self).function(input, target, **settings)
        return result


class MSELoss(Loss):
    """The mean squared difference."""

    function = staticmethod(F.mse_loss)


class L1Loss(Loss):
    """The mean absolute difference."""

    function = staticmethod(F.l1_loss)


class HuberLoss(Loss):
    """Half the squared difference up to ``delta``, growing linearly beyond."""

    function = staticmethod(F.huber_loss)
    settings = ("reduction", "delta")

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        self.delta = delta


class SmoothL1Loss(Loss):
    """`HuberLoss` over ``beta``."""

    function = staticmethod(F.smooth_l1_loss)
    settings = ("reduction", "beta")

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        self.beta = beta


class NLLLoss(Loss):
    """Minus the log-probability of each target class; ``weight`` counts each class."""

    function = staticmethod(F.nll_loss)
    settings: ClassVar[tuple[str, ...]] = ("weight", "ignore_index", "reduction")

    def __init__(self, weight: Tensor | None = None, ignore_index: int = -100,
                 reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index


class CrossEntropyLoss(NLLLoss):
    """Minus the log-probability of each target class under softmax of the scores."""

    function = staticmethod(F.cross_entropy)
    settings = ("weight", "ignore_index", "reduction", "label_smoothing")

    def __init__(self, weight: Tensor | None = None, ignore_index: int = -100,
                 reduction: str = "mean", label_smoothing: float = 0.0) -> None:
        super().__init__(weight, ignore_index, reduction)
        self.label_smoothing = label_smoothing


class BCELoss(Loss):
    """Minus the log-likelihood of targets in [0, 1] under probabilities."""

    function = staticmethod(F.binary_cross_entropy)
    settings = ("weight", "reduction")

    def __init__(self, weight: Tensor | None = None, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)


class BCEWithLogitsLoss(Loss):
    """Minus the log-likelihood of targets in [0, 1] under the sigmoid of the scores."""

    function = staticmethod(F.binary_cross_entropy_with_logits)
    settings = ("weight", "reduction", "pos_weight")

    def __init__(self, weight: Tensor | None = None, reduction: str = "mean",
                 pos_weight: Tensor | None = None) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)
