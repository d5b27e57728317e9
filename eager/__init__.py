"""Tensors and models, run and differentiated as they are written, under PyTorch's names.

Names are found when they are first asked for, so ``import eager`` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_MODULES = ("autograd", "data", "nn", "optim")
_HOMES = {
    "eager.engine.tensor": ("Tensor", "Size"),
    "eager.engine.creation": ("tensor", "as_tensor", "from_numpy", "zeros", "ones", "full",
                              "empty", "arange", "eye", "linspace"),
    "eager.engine.streams": ("Generator", "manual_seed", "rand", "randn", "randint", "randperm",
                             "rand_like", "randn_like", "bernoulli"),
    "eager.engine.mode": ("no_grad", "enable_grad", "set_grad_enabled", "is_grad_enabled"),
    "eager.ops.errors": ("OpError", "TraceError", "GraphError", "CompileError"),
    "eager.ops.types": ("DType",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    found = _find(name)
    globals()[name] = found
    return found


def _find(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"eager.{name}")
    if name in _HOME_OF:
        return getattr(importlib.import_module(_HOME_OF[name]), name)
    if name.startswith("_"):
        raise AttributeError(f"module 'eager' has no attribute {name!r}")
    from eager.ops.types import DTYPES

    by_public = {d.public: d for d in DTYPES.values()}
    by_public |= {"float": by_public["float32"], "double": by_public["float64"],
                  "long": by_public["int64"], "int": by_public["int32"]}
    if name in by_public:
        return by_public[name]
    from eager.engine import spelling
    from eager.engine.tensor import TAPED

    functions = spelling.namespace("eager", TAPED)
    if name not in functions:
        raise AttributeError(f"module 'eager' has no attribute {name!r}")
    return functions[name]


def __dir__() -> list[str]:
    from eager.engine import spelling
    from eager.engine.tensor import TAPED
    from eager.ops.types import DTYPES

    return sorted({*_MODULES, *_HOME_OF, *(d.public for d in DTYPES.values()),
                   *spelling.namespace("eager", TAPED)})
