"""Operators that draw from a Philox stream, whose state is an operand: ``int64[3]``."""

from __future__ import annotations

from typing import Any

import numpy as np

from eager.ops import philox
from eager.ops.errors import OpError
from eager.ops.families import Random
from eager.ops.op import Example, Op
from eager.ops.types import F32, F64, I64, DType, Type, product


def _state(state: Type) -> None:
    if state != Type(I64, (3,)):
        raise OpError(f"the state of a stream is i64[3], got {state}")


def _drawn(state: Type, /, *, shape: tuple[int, ...], dtype: DType) -> Type:
    _state(state)
    if dtype not in (F32, F64):
        raise OpError(f"numbers are drawn as float32 or float64, got {dtype.public}")
    return Type(dtype, shape)


def _advanced(state: Type, /, *, count: int) -> Type:
    _state(state)
    return state


def _run_uniform(state: Any, *, shape: Any, dtype: DType) -> Any:
    return philox.uniform(state, product(shape), dtype is F64).reshape(shape)


def _run_normal(state: Any, *, shape: Any, dtype: DType) -> Any:
    return philox.normal(state, product(shape)).astype(dtype.numpy).reshape(shape)


def _run_advance(state: Any, *, count: int) -> Any:
    return np.array([state[0], state[1], state[2] + count], np.int64)


def _none(F: Any, g: Any, out: Any, state: Any, **attrs: Any) -> tuple[Any, ...]:
    return (None,)


_SEED = np.array([5, -7, 3])
_SHAPES = (Example((_SEED,), {"shape": (3, 7), "dtype": F32}),
           Example((_SEED,), {"shape": (9,), "dtype": F64}),
           Example((_SEED,), {"shape": (0,), "dtype": F32}))

rand_uniform = Op("rand_uniform", "Numbers in [0, 1) at the position of a stream.", _drawn,
                  Random("uniform"), forward=_run_uniform, grad=_none, spelling=None,
                  examples=_SHAPES)
rand_normal = Op("rand_normal", "Standard normal numbers at the position of a stream.", _drawn,
                 Random("normal"), forward=_run_normal, grad=_none, spelling=None,
                 examples=(*_SHAPES, Example((_SEED,), {"shape": (4000,), "dtype": F64})))
rand_advance = Op("rand_advance", "The state of a stream after `count` more blocks.", _advanced,
                  Random("advance"), forward=_run_advance, spelling=None,
                  examples=(Example((_SEED,), {"count": 17}),))

OPS = (rand_uniform, rand_normal, rand_advance)
