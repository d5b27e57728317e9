"""The laws over the whole table, and over a table that is longer by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eager.engine.dispatch import apply
from eager.engine.tensor import Tensor
from eager.ops import complexes, fourier, scalar
from eager.ops.errors import OpError
from eager.ops.families import Control, Pointwise, View
from eager.ops.op import Example, Op
from eager.ops.table import FUNCTIONS, TABLE
from tests.ops import laws

ROWS = [op for op in TABLE.values() if not isinstance(op.kernel, Control)]


#: Of complex numbers the peers have the gradients: they have no slope.
REAL = [op for op in ROWS if op not in (*complexes.OPS, *fourier.OPS)]
#: They read one half of a symmetric matrix, and share its gradient between both.
SYMMETRIC = {"cholesky", "eigh"}


def over(rows: Any) -> Any:
    return pytest.mark.parametrize("op", [pytest.param(op, id=op.name) for op in rows])


@over(TABLE.values())
def test_documented(op: Op) -> None:
    laws.is_documented(op)


@over(ROWS)
def test_contract(op: Op) -> None:
    laws.has_its_inferred_type(op)
    laws.applies_to_tensors(op)
    laws.leaves_its_operands_alone(op)
    laws.refuses_its_rejects(op)
    laws.refuses_what_its_contract_refuses(op)
    laws.refuses_a_wrong_call(op)


@over(op for op in REAL if op.grad and op.name not in SYMMETRIC)
def test_gradient(op: Op) -> None:
    laws.gradient_is_the_slope(op)
    laws.gradient_needs_no_other_gradient(op)
    laws.gradient_is_one_on_every_way(op, TABLE)


@over(op for op in REAL if op.grad and op.name not in SYMMETRIC)
def test_second_gradient(op: Op) -> None:
    laws.gradient_has_a_gradient(op)


@over(op for op in ROWS if op.decompose)
def test_decomposition(op: Op) -> None:
    laws.decomposition_says_the_same(op, TABLE)


@over(op for op in ROWS if op.commutative)
def test_commutative(op: Op) -> None:
    laws.commutes(op)


@over(op for op in ROWS if isinstance(op.kernel, View))
def test_index_map(op: Op) -> None:
    laws.index_map_says_the_same(op)


@over(op for op in ROWS if op.put)
def test_put(op: Op) -> None:
    laws.put_is_seen_through_the_view(op, TABLE)


def test_every_scalar_instruction_is_used() -> None:
    used = set().union(*(scalar.instructions(op.expr) for op in ROWS
                         if isinstance(op.kernel, Pointwise)))
    combined = {op.kernel.combine for op in ROWS if hasattr(op.kernel, "combine")}
    assert set(scalar.INSTRS) == used | combined - {""}


def test_compiled_scalar_bodies_are_the_tree() -> None:
    for op in ROWS:
        if isinstance(op.kernel, Pointwise) and op.forward is None:
            arrays = laws.drawn(op, op.examples[0], "f32")
            np.testing.assert_array_equal(op.run(*arrays), scalar.evaluate(op.expr, arrays))


def test_composites_are_documented_and_named_apart() -> None:
    for name, f in FUNCTIONS.items():
        assert f.doc.strip().endswith("."), name
        assert name == f.key
    spelled = [n for row in (*TABLE.values(), *FUNCTIONS.values()) if row.spelling
               for where in row.spelling.where if not where.startswith("__")
               for n in [(where, n) for n in (row.name, *row.spelling.names)]]
    assert len(spelled) == len(set(spelled)), "a public name means two things"


# --- a longer table ----------------------------------------------------------------------------
CUBE = Op("cube", "x * x * x.", lambda x, /: x, Pointwise(lambda x: x * x * x), saves=(0,),
          grad=lambda F, g, out, x: (F.mul(g, F.mul(F.mul(x, x), 3.0)),))
WRONG = Op("cube", "x * x * x.", lambda x, /: x, Pointwise(lambda x: x * x * x), saves=(0,),
           grad=lambda F, g, out, x: (F.mul(g, F.mul(x, 3.0)),))
FORGETFUL = Op("cube", "x * x * x.", lambda x, /: x, Pointwise(lambda x: x * x * x),
               grad=lambda F, g, out, x: (F.mul(g, F.mul(F.mul(x, x), 3.0)),))


def test_a_new_op_works_by_existing() -> None:
    table = {**TABLE, "cube": CUBE}
    x = Tensor(np.array([1.0, 2.0, -3.0]), requires_grad=True)
    out = apply(CUBE, (x,))
    np.testing.assert_array_equal(out.detach().numpy(), [1, 8, -27])
    out.backward(Tensor(np.ones(3)))
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.numpy(), [3, 12, 27])
    for op in (table["cube"],):
        laws.has_its_inferred_type(op)
        laws.gradient_is_the_slope(op)
        laws.gradient_is_one_on_every_way(op, table)
        laws.gradient_has_a_gradient(op)


@pytest.mark.parametrize("op", [WRONG, FORGETFUL])
def test_laws_catch_a_wrong_gradient(op: Op) -> None:
    with pytest.raises((AssertionError, OpError, TypeError, AttributeError)):
        laws.gradient_is_the_slope(op)


def test_laws_catch_a_wrong_type() -> None:
    op = Op("twice", "x twice.", lambda x, /: laws.Type(x.dtype, x.shape * 2),
            Pointwise(lambda x: x + x), examples=(Example(((2, 3),)),))
    with pytest.raises(AssertionError, match="inferred"):
        laws.has_its_inferred_type(op)
