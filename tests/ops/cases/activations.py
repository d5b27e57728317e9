"""Activations, each with its settings."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.ops.cases.case import C, F, M, f, i

X, IMAGE = f(3, 4), f(2, 3, 2, 2)
WIDE = X * 4
SINGLE = X.astype(np.float32)
WHOLE = i(3, -4, 0, 7)


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


REJECTS: tuple[Any, ...] = (
    F("gelu", X, approximate="sin"), F("gelu", WHOLE), F("silu", WHOLE), F("glu", f(3)),
    F("glu", np.array(1.0)), F("prelu", X, f(3)), F("prelu", X, f(1).astype(np.float32)),
    F("softshrink", X, -1.0), F("celu", X, 0.0), F("leaky_relu", WHOLE), F("elu", WHOLE),
    F("mish", WHOLE), F("hardshrink", WHOLE), F("softplus", WHOLE), F("hardsigmoid", WHOLE),
)
CASES = (
    F("gelu", X), F("gelu", X, approximate="tanh"), F("silu", X, numpy=lambda x: x * _sigmoid(x)),
    F("softplus", WIDE * 5, 2.0, 20.0), F("softplus", X, beta=0.5),
    F("softplus", X, numpy=lambda x: np.log1p(np.exp(x))), F("softplus", i(0.0, 0.5)),
    F("logsigmoid", X, numpy=lambda x: -np.log1p(np.exp(-x))), F("logsigmoid", i(0.0, -900.0)),
    F("relu", WIDE), F("relu6", WIDE, numpy=lambda x: np.clip(x, 0, 6)),
    F("leaky_relu", X, 0.2, numpy=lambda x, s: np.where(x > 0, x, s * x)),
    F("prelu", X, f(1)), F("prelu", X, f(4)),
    F("prelu", IMAGE, f(3)),
    C("prelu", f(5), f(1)), M("prelu", X, f(4)), F("elu", X), F("elu", X, 0.7),
    F("selu", X), C("selu", X), F("celu", X, 0.6), C("celu", X),
    F("hardtanh", X), F("hardtanh", X, -0.5, 0.7), F("hardtanh", WHOLE, -2, 2),
    F("threshold", X, 0.3, 20.0), C("threshold", X, 0.3, 20.0),
    F("threshold", WHOLE, 1, 9), F("hardsigmoid", WIDE).but(second=False),
    F("hardswish", WIDE), F("hardshrink", X), C("hardshrink", X, 1.0), M("hardshrink", X, 0.2),
    F("softshrink", X),
    F("softshrink", X, 1.0), F("tanhshrink", X, numpy=lambda x: x - np.tanh(x)), F("softsign", X),
    F("softsign", WHOLE), F("mish", X), F("glu", X), F("glu", f(4, 3), 0),
    F("softmin", X, 1), F("softmin", SINGLE, -1, dtype="dtype:float64"),
)
