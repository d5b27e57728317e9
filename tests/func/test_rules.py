"""Every op of the table mapped over a batch does what a loop over the batch does."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from eager.engine.dispatch import apply
from eager.engine.tensor import Tensor
from eager.func import vmap
from eager.ops import table
from eager.ops.families import Control, Random
from eager.ops.op import Example, Op, operand_arrays

CASES = [(op, k) for op in table.TABLE.values() if not isinstance(op.kernel, (Control, Random))
         for k, e in enumerate(op.examples) if e.operands]


def members(op: Op, example: Example) -> list[list[Any]]:
    """Two values for each operand: drawn anew, or an index and its reverse."""
    rng = np.random.default_rng(7)
    once, again = (operand_arrays(op, example, rng) for _ in range(2))
    return [[a, np.flip(b).copy() if isinstance(x, np.ndarray) else b]
            for a, b, x in zip(once, again, example.operands, strict=True)]


def patterns(count: int) -> list[tuple[bool, ...]]:
    """Which operands are mapped: any of up to three, else all."""
    if count > 3:
        return [(True,) * count]
    return [p for p in itertools.product((True, False), repeat=count) if any(p)]


@pytest.mark.parametrize(("op", "number"), CASES, ids=lambda v: getattr(v, "name", v))
def test_a_map_is_a_loop(op: Op, number: int) -> None:
    example = op.examples[number]
    pairs = members(op, example)
    attrs = dict(example.attrs)
    for mapped in patterns(len(pairs)):
        operands = [Tensor(np.stack(p) if m else p[0]) for p, m in zip(pairs, mapped, strict=True)]
        got = vmap(lambda *xs: apply(op, xs, attrs),
                   in_dims=tuple(0 if m else None for m in mapped))(*operands)
        for k in range(2):
            row = tuple(Tensor(p[k if m else 0]) for p, m in zip(pairs, mapped, strict=True))
            want = apply(op, row, attrs).numpy()
            have = got.numpy()[k]
            assert have.shape == want.shape and have.dtype == want.dtype, mapped
            np.testing.assert_allclose(have, want, rtol=2e-5, atol=2e-6, err_msg=str(mapped))
