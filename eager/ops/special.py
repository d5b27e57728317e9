"""Elementary functions that NumPy lacks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

_erf = np.frompyfunc(math.erf, 1, 1)


def erf(x: Any) -> Any:
    """The error function, in the dtype of ``x`` (computed in float64 by the C library)."""
    x = np.asarray(x)
    return np.asarray(_erf(x)).astype(x.dtype)
