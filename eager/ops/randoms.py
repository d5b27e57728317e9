"""Random numbers as pure functions of a stream's state ``[key, key, position]``, int64."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from eager.ops import philox
from eager.ops.errors import OpError
from eager.ops.families import Random
from eager.ops.op import Example, Op
from eager.ops.types import F32, F64, I64, DType, Type


def _stream(state: Type) -> None:
    if state != Type(I64, (3,)):
        raise OpError(f"the state of a stream is i64[3], got {state}")


def _drawn(state: Type, /, *, shape: tuple[int, ...], dtype: DType) -> Type:
    _stream(state)
    if dtype not in (F32, F64):
        raise OpError(f"numbers are drawn as f32 or f64, not {dtype.name}")
    return Type(dtype, shape)


def _advanced(state: Type, /, *, count: int) -> Type:
    _stream(state)
    return state


def _check(state: Any, *, shape: Any, dtype: DType) -> None:
    _drawn(Type.of(state), shape=shape, dtype=dtype)


def _run_uniform(state: Any, *, shape: Any, dtype: DType) -> Any:
    return philox.uniform_array(state, math.prod(shape), dtype is F64).reshape(shape)


def _run_normal(state: Any, *, shape: Any, dtype: DType) -> Any:
    return philox.normal_array(state, math.prod(shape), dtype is F64).reshape(shape)


def _run_advance(state: Any, *, count: int) -> Any:
    return state + np.array([0, 0, -(-count // philox.HALVES)])


def halves_of(numel: Any, dtype: DType) -> Any:
    """How many u32 halves a draw of ``numel`` numbers uses up."""
    return numel * (dtype.itemsize // 4)


_STATE = np.array([67, 0, 5])
_DRAWS = tuple(Example((_STATE,), {"shape": s, "dtype": d})
               for s, d in (((3, 5), F32), ((7,), F64), ((), F32), ((0, 2), F64)))
_REFUSED = (Example((_STATE,), {"shape": (2,), "dtype": I64}),
            Example((_STATE[:2],), {"shape": (2,), "dtype": F32}))

rand_uniform = Op("rand_uniform", "Numbers from [0, 1), all equally likely.", _drawn,
                  Random("uniform"), forward=_run_uniform, precheck=_check, spelling=None,
                  examples=_DRAWS, rejects=_REFUSED)
rand_normal = Op("rand_normal", "Numbers of the standard normal distribution.", _drawn,
                 Random("normal"), forward=_run_normal, precheck=_check, spelling=None,
                 examples=_DRAWS, rejects=_REFUSED)
rand_advance = Op("rand_advance", "The state after a draw of count 32-bit numbers.", _advanced,
                  Random("advance"), forward=_run_advance, spelling=None,
                  precheck=lambda state, *, count: _stream(Type.of(state)),
                  examples=tuple(Example((_STATE,), {"count": n}) for n in (0, 1, 8, 9)))

OPS = (rand_uniform, rand_normal, rand_advance)
