"""Losses: modules that hold only the settings of a function of `eager.nn.functional`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

from eager.engine.tensor import Tensor
from eager.nn import functional as F
from eager.nn.module import Module
from eager.ops.errors import OpError
from eager.ops.losses import asked


class Loss(Module):
    """``function(*operands, **settings)``; the settings are attributes of the same names.

    A class names its settings with their defaults, in torch's order; those in ``tensors`` are
    buffers.  ``size_average`` and ``reduce`` become a ``reduction``.
    """

    function: ClassVar[Callable[..., Any]]
    settings: ClassVar[dict[str, Any]] = {}
    named: ClassVar[bool] = False  #: whether settings go by name only
    tensors: ClassVar[tuple[str, ...]] = ("weight", "pos_weight")

    def __init_subclass__(cls) -> None:
        kind = (inspect.Parameter.KEYWORD_ONLY if cls.named
                else inspect.Parameter.POSITIONAL_OR_KEYWORD)
        cls.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [inspect.Parameter(n, kind, default=d) for n, d in cls.settings.items()])

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        signature: inspect.Signature = type(self).__signature__  # type: ignore[attr-defined]
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        values = dict(given.arguments)
        values["reduction"] = asked(values.pop("size_average", None), values.pop("reduce", None),
                                    values["reduction"])
        for name, value in values.items():
            if name in self.tensors:
                self.register_buffer(name, value)
            else:
                setattr(self, name, value)
        self._names = tuple(values)

    def forward(self, *operands: Tensor) -> Tensor:
        settings = {n: getattr(self, n) for n in self._names}
        result: Tensor = type(self).function(*operands, **settings)
        return result


_OLD: dict[str, Any] = {"size_average": None, "reduce": None}
_REDUCED: dict[str, Any] = {**_OLD, "reduction": "mean"}
_WEIGHTED: dict[str, Any] = {"weight": None, **_REDUCED}
_CLASSES: dict[str, Any] = {"weight": None, "size_average": None, "ignore_index": -100,
                            "reduce": None, "reduction": "mean"}


# --- differences -------------------------------------------------------------------------------
class MSELoss(Loss):
    """The mean squared difference."""

    function, settings = staticmethod(F.mse_loss), _REDUCED


class L1Loss(Loss):
    """The mean absolute difference."""

    function, settings = staticmethod(F.l1_loss), _REDUCED


class HuberLoss(Loss):
    """Half the squared difference up to ``delta``, growing linearly beyond."""

    function = staticmethod(F.huber_loss)
    settings: ClassVar[dict[str, Any]] = {"reduction": "mean", "delta": 1.0}


class SmoothL1Loss(Loss):
    """`HuberLoss` over ``beta``."""

    function, settings = staticmethod(F.smooth_l1_loss), {**_REDUCED, "beta": 1.0}


# --- likelihoods -------------------------------------------------------------------------------
class NLLLoss(Loss):
    """Minus the log-probability of each target class; ``weight`` counts each class."""

    function, settings = staticmethod(F.nll_loss), _CLASSES


class CrossEntropyLoss(Loss):
    """Minus the log-probability of each target class under softmax of the scores."""

    function, settings = staticmethod(F.cross_entropy), {**_CLASSES, "label_smoothing": 0.0}


class BCELoss(Loss):
    """Minus the log-likelihood of targets in [0, 1] under probabilities."""

    function, settings = staticmethod(F.binary_cross_entropy), _WEIGHTED


class BCEWithLogitsLoss(Loss):
    """Minus the log-likelihood of targets in [0, 1] under the sigmoid of the scores."""

    function = staticmethod(F.binary_cross_entropy_with_logits)
    settings: ClassVar[dict[str, Any]] = {**_WEIGHTED, "pos_weight": None}


class KLDivLoss(Loss):
    """The divergence of targets from log-probabilities."""

    function, settings = staticmethod(F.kl_div), {**_REDUCED, "log_target": False}


class GaussianNLLLoss(Loss):
    """Minus the log-likelihood of targets under normal distributions; called with a variance."""

    function, named = staticmethod(F.gaussian_nll_loss), True
    settings: ClassVar[dict[str, Any]] = {"full": False, "eps": 1e-06, "reduction": "mean"}


class PoissonNLLLoss(Loss):
    """Minus the log-likelihood of counts under Poisson rates."""

    function = staticmethod(F.poisson_nll_loss)
    settings: ClassVar[dict[str, Any]] = {
        "log_input": True, "full": False, "size_average": None, "eps": 1e-08, "reduce": None,
        "reduction": "mean"}


class CTCLoss(Loss):
    """Minus the log-likelihood of labels under all their alignments."""

    function = staticmethod(F.ctc_loss)
    settings: ClassVar[dict[str, Any]] = {"blank": 0, "reduction": "mean", "zero_infinity": False}


# --- margins -----------------------------------------------------------------------------------
class MarginRankingLoss(Loss):
    """How much the wrong one of two is ranked first; called with two inputs and a target."""

    function, settings = staticmethod(F.margin_ranking_loss), {"margin": 0.0, **_REDUCED}


class HingeEmbeddingLoss(Loss):
    """Distances of what is alike, and hinges of what is not."""

    function, settings = staticmethod(F.hinge_embedding_loss), {"margin": 1.0, **_REDUCED}


class CosineEmbeddingLoss(Loss):
    """Angles between rows that are alike (1) or not (-1)."""

    function, settings = staticmethod(F.cosine_embedding_loss), {"margin": 0.0, **_REDUCED}


class TripletMarginLoss(Loss):
    """How much nearer than the negative the positive is not, by ``margin``."""

    function = staticmethod(F.triplet_margin_loss)
    settings: ClassVar[dict[str, Any]] = {"margin": 1.0, "p": 2.0, "eps": 1e-06, "swap": False,
                                          **_REDUCED}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _positive(self)


class TripletMarginWithDistanceLoss(Loss):
    """`TripletMarginLoss` by any distance."""

    function, named = staticmethod(F.triplet_margin_with_distance_loss), True
    settings: ClassVar[dict[str, Any]] = {"distance_function": None, "margin": 1.0, "swap": False,
                                          "reduction": "mean"}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        _positive(self)


def _positive(loss: Any) -> None:
    if loss.margin <= 0:
        raise OpError(f"{type(loss).__name__}: the margin is positive, got {loss.margin}")


class SoftMarginLoss(Loss):
    """log(1 + exp(-target input)), where the target is 1 or -1."""

    function, settings = staticmethod(F.soft_margin_loss), _REDUCED


class MultiMarginLoss(Loss):
    """How little the class of each row stands out from the others."""

    function = staticmethod(F.multi_margin_loss)
    settings: ClassVar[dict[str, Any]] = {"p": 1, "margin": 1.0, **_WEIGHTED}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.p not in (1, 2):
            raise OpError(f"MultiMarginLoss: p is 1 or 2, got {self.p}")


class MultiLabelMarginLoss(Loss):
    """How little the classes of each row stand out from the others."""

    function, settings = staticmethod(F.multilabel_margin_loss), _REDUCED


class MultiLabelSoftMarginLoss(Loss):
    """`BCEWithLogitsLoss`, averaged over classes first."""

    function, settings = staticmethod(F.multilabel_soft_margin_loss), _WEIGHTED
