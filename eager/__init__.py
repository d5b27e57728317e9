"""Tensors and models, run and differentiated as they are written, under PyTorch's names.

Names are found when they are first asked for, so ``import eager`` loads nothing else.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

__version__ = "0.1.0"

#: Where names live that are not rows of the op table.
PACKAGES = ("amp", "autograd", "cuda", "data", "fft", "func", "linalg", "nn", "optim", "random",
            "sparse",
            "special",
            "vision")
HOMES = {
    "eager.engine.tensor": ("Tensor", "Size"),
    "eager.engine.creation": ("tensor", "as_tensor", "asarray", "from_numpy", "frombuffer",
                              "zeros", "ones", "full", "empty", "empty_strided", "arange", "eye",
                              "linspace", "logspace", "tril_indices", "triu_indices"),
    "eager.engine.streams": ("Generator", "manual_seed", "seed", "initial_seed", "get_rng_state",
                             "set_rng_state", "default_generator", "rand", "randn", "randint",
                             "randperm", "rand_like", "randn_like", "randint_like"),
    "eager.engine.distributions": ("normal", "bernoulli", "poisson", "multinomial"),
    "eager.files.saving": ("load", "save"),
    "eager.engine.mode": ("no_grad", "enable_grad", "set_grad_enabled", "is_grad_enabled"),
    "eager.engine.inference": ("inference_mode", "is_inference_mode_enabled"),
    "eager.autograd.anomaly": ("is_anomaly_enabled",),
    "eager.engine.interop": ("from_dlpack",),
    "eager.func.mapping": ("vmap",),
    "eager.engine.device": ("device",),
    "eager.sparse": ("sparse_coo_tensor",),
    "eager.engine.queries": ("is_tensor", "is_floating_point", "is_complex", "is_nonzero", "numel",
                             "result_type", "promote_types", "can_cast", "get_default_dtype",
                             "set_default_dtype", "iinfo", "finfo"),
    "eager.ops.errors": ("OpError",),
}
#: torch's further names of dtypes.
DTYPE_ALIASES = {"half": "float16", "float": "float32", "double": "float64", "short": "int16",
                 "int": "int32", "long": "int64", "cfloat": "complex64", "cdouble": "complex128"}
_HOME_OF = {name: home for home, names in HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    found = _find(name)
    if found is None:
        raise AttributeError(f"module 'eager' has no attribute {name!r}")
    globals()[name] = found
    return found


def _find(name: str) -> Any:
    if name.startswith("_"):
        return _foreach(name) if name.startswith("_foreach_") else None
    if name in PACKAGES:
        return importlib.import_module(f"eager.{name}")
    if name in _HOME_OF:
        return getattr(importlib.import_module(_HOME_OF[name]), name)
    for names in (_dtypes(), _functions()):
        if name in names:
            return names[name]
    return None


def _foreach(name: str) -> Any:
    from eager.engine.foreach import FOREACH

    return FOREACH.get(name)


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
