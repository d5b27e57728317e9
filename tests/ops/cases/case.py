"""What a case is: one call that torch has too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

RNG = np.random.default_rng(11)


def f(*shape: int, low: float = -2.0, high: float = 2.0) -> np.ndarray[Any, Any]:
    """Numbers of float64, which are differentiated."""
    return RNG.uniform(low, high, shape)


def i(*values: Any) -> np.ndarray[Any, Any]:
    return np.array(values)


@dataclass(frozen=True)
class Case:
    """``name(*args, **kwargs)``; arrays of float64 are differentiated.

    ``numpy`` says the same where NumPy can in a line.  ``slopes`` is off where the gradient is no
    slope by intention, ``second`` where torch has no second gradient or ours is documented.
    """

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    numpy: Callable[..., Any] | None = None
    where: str = "eager"  #: the namespace both libraries have it in
    slopes: bool = True
    second: bool = True
    peer: bool = True  #: whether torch's values are comparable at all
    reads: bool = False  #: whether it reads data (or is not compiled), so that a trace refuses it

    def but(self, **flags: bool) -> Case:
        """The same case with other flags."""
        return replace(self, **flags)

    def __str__(self) -> str:
        words = [a.shape if isinstance(a, np.ndarray) else a for a in self.args]
        return f"{self.name}{words}{self.kwargs or ''}".replace(" ", "")[:60]


def F(name: str, *args: Any, numpy: Any = None, **kwargs: Any) -> Case:
    """A function of ``nn.functional``."""
    return Case(name, args, kwargs, numpy, "nn.functional")


def C(name: str, *args: Any, numpy: Any = None, **kwargs: Any) -> Case:
    """A function of the package."""
    return Case(name, args, kwargs, numpy)


def M(name: str, *args: Any, numpy: Any = None, **kwargs: Any) -> Case:
    """A method of the first argument."""
    return Case(name, args, kwargs, numpy, "method")


def I(name: str, *args: Any, numpy: Any = None, **kwargs: Any) -> Case:  # noqa: E743
    """An in-place method (``name`` with its underscore) of a copy of the first argument."""
    return Case(name, args, kwargs, numpy, "inplace")


def L(name: str, *args: Any, numpy: Any = None, **kwargs: Any) -> Case:
    """A function of ``linalg``."""
    return Case(name, args, kwargs, numpy, "linalg")


def S(name: str, *args: Any, numpy: Any = None, **kwargs: Any) -> Case:
    """A function of ``special``."""
    return Case(name, args, kwargs, numpy, "special")
