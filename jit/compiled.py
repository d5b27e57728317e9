"""`jit.compile`: a function that is traced and compiled when it is called."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from eager.engine.tensor import Tensor
from eager.ops.errors import TraceError
from jit import pytree
from jit.program import Program, trace

#: Shapes and settings that one function is compiled for, before it says why there are so many.
MAX_VARIANTS = 16


def compile(fn: Callable[..., Any] | None = None, *, dynamic_shapes: Any = None,
            state: Sequence[Any] = (), max_variants: int = MAX_VARIANTS) -> Any:
    """A function that runs as native code; use it as a decorator or as a call.

    It is compiled once for each set of shapes, dtypes and Python values it is called with,
    at most ``max_variants`` of them; declare what varies in ``dynamic_shapes``.
    """
    if fn is None:
        return functools.partial(compile, dynamic_shapes=dynamic_shapes, state=state,
                                 max_variants=max_variants)
    return Compiled(fn, dynamic_shapes, tuple(state), max_variants)


class Compiled:
    """A function and the programs it was compiled to."""

    def __init__(self, fn: Callable[..., Any], dynamic_shapes: Any, state: tuple[Any, ...],
                 max_variants: int) -> None:
        functools.update_wrapper(self, fn, updated=())
        self.name = getattr(fn, "__name__", type(fn).__name__)
        self.fn, self.dynamic_shapes, self.state = fn, dynamic_shapes, state
        self.max_variants = max_variants
        self.programs: dict[Any, Program] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        key = self._signature(args, kwargs)
        program = self.programs.get(key)
        if program is None:
            program = self._compiled(key, args, kwargs)
        return program(*args, **kwargs)

    def program(self, *args: Any, **kwargs: Any) -> Program:
        """The program that a call with these arguments runs."""
        key = self._signature(args, kwargs)
        return self.programs.get(key) or self._compiled(key, args, kwargs)

    def _compiled(self, key: Any, args: Any, kwargs: Any) -> Program:
        if len(self.programs) >= self.max_variants:
            raise TraceError(
                f"{self.name} was compiled for {len(self.programs)} different sets of "
                f"arguments (max_variants); the last was {key[1]}: declare the sizes that vary "
                f"in dynamic_shapes={{name: {{axis: jit.Dim(...)}}}}, or pass values that vary "
                f"as tensors")
        made = trace(self.fn, args, kwargs, dynamic_shapes=self.dynamic_shapes, state=self.state)
        self.programs[key] = made
        return made

    def _signature(self, args: Any, kwargs: Any) -> Any:
        leaves, spec = pytree.flatten((args, kwargs))
        dynamic = self.dynamic_shapes is not None
        return spec, tuple((_dtype(x), x.ndim if dynamic else tuple(x.shape)) for x in leaves)


def _dtype(x: Any) -> str:
    return x.dtype.name if isinstance(x, Tensor) else np.asarray(x).dtype.name
