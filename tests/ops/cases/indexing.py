"""Reading and writing by positions and by masks."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.ops.cases.case import C, Case, I, M, f, i

X, S = f(3, 4), f(2, 3)
K = i([0, 2], [1, 1])
#: No place twice along dim 1 and along dim 0.
ONCE, ROWS = i([0, 2], [1, 3], [2, 0]), i(2, 0)
TIES = i([1.0, 2.0], [2.0, 2.0])
MASK = f(3, 4) > 0
NUMBERS = i([1, 2, 3], [4, 5, 6])


def _reads(case: Case) -> Case:
    return case.but(reads=True)


REJECTS: tuple[Any, ...] = (
    C("gather", X, 1, i([0, 4])), C("gather", X, 1, i([0, -1])), C("gather", X, 2, K),
    C("gather", X, 1, K.astype(np.float32)), C("scatter", X, 1, i([0, 4]), 1.0),
    C("scatter", X, 1, K, f(2, 2).astype(np.float32)), C("scatter", X, 1, K, f(1, 2)),
    C("scatter_reduce", X, 1, K, f(2, 2), "median"), C("scatter_add", X, 1, i([-1]), f(1, 1)),
    C("index_select", X, 0, i(3)), C("index_select", X, 0, K), C("index_add", X, 0, i(3), f(1, 4)),
    C("index_copy", X, 0, i(0), f(2, 4)), C("index_fill", X, 0, i(3), 1.0),
    C("index_put", X, (i(3),), f(1, 4)), C("take", X, i(12)), C("take", X, i(1.0)),
    M("put", X, i(0), f(2)), C("masked_fill", X, X, 1.0), C("masked_fill", X, MASK, f(2)),
    C("masked_select", X, X), C("masked_scatter", X, MASK | True, f(3)),
    C("masked_scatter", X, MASK, NUMBERS), C("take_along_dim", X, i(0), 1),
    C("where", X > 0, X), C("where", X > 0, f(2), X), C("index_reduce", X, 0, ROWS, f(2, 4), "sum"),
)
CASES = (
    C("gather", X, 0, K, numpy=lambda x, d, k: x[k, [0, 1]]), C("gather", np.array(2.0), 0,
                                                                np.array(0)),
    C("gather", X, 1, K, sparse_grad=False), M("gather", NUMBERS, -1, K),
    C("index_select", X, 1, i(3, 3, 0), numpy=lambda x, d, k: x[:, k]),
    C("index_select", X, 0, np.array(1)), C("index_select", X, 0, ROWS.astype(np.int32)),
    C("take", X, i([0, -1], [5, 2]), numpy=np.take), C("take", NUMBERS, i(1)),
    C("take_along_dim", X, ONCE, 1, numpy=np.take_along_axis), C("take_along_dim", X, i(3, 0)),
    C("take_along_dim", X, i([1], [0], [2]), 1),
    # scatter
    C("scatter", X, 1, ONCE, f(3, 2)), C("scatter", X, 1, ONCE, f(4, 5)).but(peer=False),
    C("scatter", X, 1, K, 2.5), C("scatter", X, 1, K, value=2.5), I("scatter", X, 1, ONCE, f(3, 2)),
    C("scatter", X, 1, K, f(2, 2), reduce="add").but(peer=False),
    C("scatter", NUMBERS, 1, K, i([1, 2], [3, 4]), reduce="multiply"),
    C("scatter", NUMBERS, 1, K, 9), C("scatter", NUMBERS, 1, K, 3, reduce="add"),
    C("scatter_add", X, 1, K, f(2, 2)), I("scatter_add", X, 1, K, f(2, 2)),
    *(C("scatter_reduce", X, 1, K, f(2, 2), r, include_self=own)
      for r in ("sum", "prod", "mean", "amax", "amin") for own in (True, False)),
    *(C("scatter_reduce", NUMBERS, 1, K, i([1, 2], [3, 4]), r)
      for r in ("sum", "prod", "mean", "amax", "amin")),
    C("scatter_reduce", NUMBERS, 1, K, i([1, 2], [3, 4]), "amax", include_self=False),
    C("scatter_reduce", TIES, 1, i([0, 0], [1, 1]), TIES, "amax").but(slopes=False, second=False),
    C("scatter_reduce", i([0.0, 2.0]), 1, i([0, 1]), i([3.0, 0.0]), "prod").but(second=False),
    I("scatter_reduce", X, 0, K, f(2, 2), "sum"),
    *(C("index_reduce", X, 0, ROWS, f(2, 4), r).but(second=r in ("mean", "prod"))
      for r in ("prod", "mean", "amax", "amin")),
    C("index_reduce", X, 1, ROWS, f(3, 2), "mean", include_self=False),
    # slices
    C("index_add", X, 1, i(0, 0, 3), f(3, 3), alpha=2.0), I("index_add", X, 0, ROWS, f(2, 4)),
    C("index_copy", X, 0, ROWS, f(2, 4)), I("index_copy", X, 1, ROWS, f(3, 2)),
    C("index_copy", NUMBERS, 1, i(2), i([7], [8])), C("index_fill", X, 1, i(0, -1), 3.0),
    C("index_fill", X, 0, ROWS, np.array(2.0)), I("index_fill", NUMBERS, 0, i(1), 4),
    # index_put
    C("index_put", X, (i(0, 2), i(1, 3)), f(2)), C("index_put", X, (ROWS,), f(2, 4)),
    C("index_put", X, (i(0, 0), i(1, 1)), f(2), True), I("index_put", X, (ROWS,), f(4)),
    C("index_put", X, (i(0, 0, 2),), f(3, 4), accumulate=True), C("index_put", NUMBERS, (i(-1),),
                                                                  i(9)),
    _reads(C("index_put", X, (MASK,), np.array(2.0), True)), I("put", X, i(0, -1), f(2)),
    I("put", X, i(0, 0), f(2), True),
    # masks
    C("masked_fill", X, MASK[0], -1.0), C("masked_fill", NUMBERS, NUMBERS > 2, 0),
    C("masked_fill", X, MASK, np.array(3.0)), I("masked_fill", X, MASK, 0.5),
    _reads(C("masked_select", X, MASK, numpy=lambda x, m: x[m])),
    _reads(C("masked_select", X, MASK[:, :1])), C("masked_scatter", X, MASK, f(12)),
    C("masked_scatter", X, MASK[0], f(3, 4)), I("masked_scatter", X, MASK, f(12)),
    C("where", MASK, X, 2.0), C("where", MASK, 1, 2), C("where", MASK, 1.5, NUMBERS[0, 0]),
    C("where", MASK, X, f(4), numpy=np.where), M("where", X, MASK, f(4)), M("where", X, MASK, 0.0),
    _reads(C("where", MASK)), _reads(C("nonzero", X > 0)), _reads(C("argwhere", NUMBERS > 2,
                                                                    numpy=np.argwhere)),
    _reads(C("nonzero", NUMBERS - 2, as_tuple=True)), _reads(C("nonzero", np.array(3.0))),
)
