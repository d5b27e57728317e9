"""Tensors and models, run and differentiated as they are written, under PyTorch's names.

Names are found when they are first asked for, so ``import eager`` loads nothing else.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

__version__ = "0.1.0"

#: Where names live that are not rows of the op table.
PACKAGES = ("autograd", "data", "nn", "optim")
HOMES = {
    "eager.engine.tensor": ("Tensor", "Size"),
    "eager.engine.creation": ("tensor", "as_tensor", "from_numpy", "zeros", "ones", "full",
                              "empty", "arange", "eye", "linspace"),
    "eager.engine.streams": ("Generator", "manual_seed", "default_generator", "rand", "randn",
                             "randint", "randperm", "rand_like", "randn_like", "bernoulli"),
    "eager.engine.mode": ("no_grad", "enable_grad", "set_grad_enabled", "is_grad_enabled"),
    "eager.ops.errors": ("OpError",),
}
#: torch's further names of dtypes.
DTYPE_ALIASES = {"float": "float32", "double": "float64", "short": "int16", "int": "int32",
                 "long": "int64"}
_HOME_OF = {name: home for home, names in HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    found = _find(name)
    if found is None:
        raise AttributeError(f"module 'eager' has no attribute {name!r}")
    globals()[name] = found
    return found


def _find(name: str) -> Any:
    if name.startswith("_"):
        return None
    if name in PACKAGES:
        return importlib.import_module(f"eager.{name}")
    if name in _HOME_OF:
        return getattr(importlib.import_module(_HOME_OF[name]), name)
    for names in (_dtypes(), _functions()):
        if name in names:
            return names[name]
    return None


def _dtypes() -> dict[str, Any]:
    from eager.ops.types import DTYPES, DType

    named = {d.public: d for d in DTYPES.values()}
    return {"dtype": DType, **named, **{a: named[n] for a, n in DTYPE_ALIASES.items()}}


def _functions() -> dict[str, Any]:
    from eager.engine import spelling
    from eager.engine.tensor import TAPED

    return spelling.namespace("eager", TAPED)


def __dir__() -> Iterable[str]:
    return {"__version__", *PACKAGES, *_HOME_OF, *_dtypes(), *_functions()}
