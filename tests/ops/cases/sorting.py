"""Order: sorting, ranks, quantiles, searching and counting."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tests.ops.cases.case import C, Case, M, f, i

X, CUBE, V = f(3, 5), f(2, 3, 4), f(7)
NAN, INF = np.nan, np.inf
HOLES = i([1.0, NAN, 3.0, -2.0], [4.0, NAN, NAN, NAN], [0.5, -1.0, 2.0, INF])
INTS = i([3, 1, 2, 1], [0, 0, 5, 0])
MASK = i([True, False, True], [False, False, True])
EDGES = i(-1.0, 0.0, 0.5, 1.5)
LONG = np.random.default_rng(3).permutation(700).reshape(2, 350) * 0.25


def _unsloped(*cases: Case) -> tuple[Case, ...]:
    """Points where the gradient is no slope."""
    return tuple(replace(c, slopes=False) for c in cases)


_SORTS = (
    C("sort", X), C("sort", X, 0), C("sort", CUBE, 1, True), C("sort", X, dim=0, descending=True),
    C("sort", V, stable=True), C("sort", INTS, dim=1, stable=True), C("sort", np.array(2.0)),
    C("sort", MASK, dim=1, descending=True, stable=True), C("sort", np.zeros((0, 3)), 0),
    *_unsloped(C("sort", HOLES[:1], 1), C("sort", HOLES[:1], 1, True)),
    M("sort", X, descending=True),
    C("argsort", X, numpy=np.argsort), C("argsort", X, 0, True), C("argsort", np.array(2.0)),
    C("argsort", INTS, dim=1, descending=True, stable=True),
    M("argsort", X, -2), C("msort", X), C("msort", INTS), C("msort", CUBE),
    C("topk", X, 2), C("topk", X, 3, 0), C("topk", X, 2, largest=False), C("topk", CUBE, 1, 1),
    C("topk", X, k=5, dim=-1, largest=True, sorted=True), C("topk", np.array(2.0), 1),
    C("topk", LONG, 9), C("topk", LONG, 9, largest=False), C("topk", X, 0),
    C("topk", LONG.T.copy(), 5, 0), M("topk", V, 3), C("topk", LONG.astype(np.int64), 1),
    *_unsloped(C("topk", HOLES[0], 2), C("topk", HOLES[0], 4, largest=False)),
)
_RANKS = (
    C("kthvalue", X, 2), C("kthvalue", X, 3, 0), C("kthvalue", CUBE, 1, 1, True),
    C("kthvalue", V, k=7, dim=0, keepdim=True), C("kthvalue", np.array(2.0), 1),
    *_unsloped(C("kthvalue", HOLES[0], 4), C("kthvalue", HOLES[0], 2)),
    C("median", X), C("median", X, 1), C("median", X, 0, True), C("median", f(2, 4), dim=-1),
    C("median", V, numpy=np.median), C("median", i(3, 1, 2)), C("median", np.zeros(0, np.float32)),
    C("median", i([3, 1, 2], [7, 5, 9]), 1), C("median", np.array(2.0), 0),
    C("nanmedian", X), C("nanmedian", X, 1, True), C("nanmedian", i(3, 1, 2, 8)),
    *_unsloped(C("median", HOLES[::2], 1), C("nanmedian", HOLES[::2], 1), C("median", HOLES[0]),
               C("nanmedian", HOLES), C("nanmedian", HOLES, 1)),
    C("mode", INTS), C("mode", i([2, 1, 1, 2, 3], [5, 5, 4, 4, 4]), 1),
    C("mode", i([2, 1], [2, 3], [1, 1]), 0, True), C("mode", MASK, 1), C("mode", np.array(2.0)),
    *_unsloped(C("mode", i(2.0, 1.5, 1.5, 0.0))), C("mode", X, 0), C("mode", np.ones((3, 1)), 1),
    *(C("quantile", X, q, *dim, interpolation=between)
      for between in ("linear", "lower", "higher", "midpoint", "nearest")
      for q in (0.3, i(0.05, 0.27, 0.61, 0.9)) for dim in ((), (1,), (0, True))),
    C("quantile", X, 0.3, numpy=np.quantile), C("quantile", CUBE, 0.5, dim=1, keepdim=True),
    C("quantile", X, i(0.1, 0.9), keepdim=True), C("quantile", V, np.array(0.4)),
    C("nanquantile", X, 0.3), C("nanquantile", V, i(0.2, 0.7), 0),
    *_unsloped(C("quantile", HOLES, 0.3, 1), C("nanquantile", HOLES[:2], i(0.25, 0.7), 1, True),
               C("nanquantile", HOLES[:2], 0.3, 0), C("nanquantile", HOLES[:2], 0.6)),
)
_SEARCHES = (
    *(C("searchsorted", EDGES, X, **options) for options in (
        {}, {"right": True}, {"side": "right"}, {"side": "left"}, {"out_int32": True})),
    C("searchsorted", EDGES, i(-1.0, 0.0, 1.5, NAN, -INF), numpy=lambda a, v: i(0, 1, 3, 4, 0)),
    C("searchsorted", EDGES, 0.25), C("searchsorted", i(1, 3, 5), i(3, 6), right=True),
    C("searchsorted", i(1, 3, 5), i(3.5, 6.0)), C("searchsorted", i(1, 3, 5), 3.5),
    C("searchsorted", np.sort(X, 1), f(3, 2)), C("searchsorted", np.sort(CUBE, 2), f(2, 3, 5)),
    C("searchsorted", V, X, sorter=np.argsort(V)), C("searchsorted", np.zeros(0), X),
    C("bucketize", X, EDGES, numpy=lambda x, e: np.digitize(x, e, right=True)),
    C("bucketize", X, EDGES, right=True), C("bucketize", i(2, 9), i(1, 2, 3), out_int32=True),
    C("bucketize", 0.25, EDGES),
    C("isin", INTS, i(1, 5, 9), numpy=np.isin), C("isin", INTS, 1), C("isin", 2, INTS),
    C("isin", INTS, i(1, 5), invert=True), C("isin", i(1.0, NAN), i(NAN, 1.0)),
    C("isin", INTS, i(0.0, 2.5)), C("isin", INTS, i(3, 1), assume_unique=True),
    C("isin", INTS, np.zeros(0)), C("isin", INTS, i(1, 1), invert=False),
)
_COUNTS = (
    *(C("unique", x, **options) for x in (INTS, i(2.5, 1.0, 2.5), MASK, np.zeros(0), INTS[:, :0])
      for options in ({}, {"return_inverse": True}, {"return_counts": True},
                      {"return_inverse": True, "return_counts": True})),
    *(C("unique", i([1, 2, 1], [1, 2, 1], [0, 1, 0]), dim=d, return_inverse=True,
        return_counts=True) for d in (0, 1, -1)),
    C("unique", i(1.0, NAN, NAN), return_counts=True), M("unique", INTS), C("unique", np.array(3)),
    C("unique", CUBE.round(), sorted=True, dim=1),
    *(C("unique_consecutive", x, **options) for x in (i(1, 1, 2, 2, 1), INTS, np.zeros(0))
      for options in ({}, {"return_inverse": True}, {"return_counts": True})),
    *(C("unique_consecutive", i([1, 1, 2], [1, 1, 2], [0, 0, 1]), return_inverse=True,
        return_counts=True, dim=d) for d in (0, 1)),
    M("unique_consecutive", i(3, 3, 1)),
    C("bincount", i(0, 1, 1, 4), numpy=np.bincount), C("bincount", i(0, 1), minlength=5),
    C("bincount", i(0, 1, 1), i(1, 2, 3)),
    C("bincount", i(1, 1), i(1.0, 2.0).astype(np.float32)), C("bincount", np.zeros(0, np.int64)),
    M("bincount", i(2, 2)),
    C("histc", X, 4), C("histc", X, 5, -1, 1), C("histc", V, bins=3, min=0, max=2),
    C("histc", i(1.0, 2.0, 1.0, NAN), 4, 0, 3), C("histc", np.ones(3), 4), M("histc", X),
    C("histogram", X, 4), C("histogram", X, 5, range=(-1.0, 1.5)), C("histogram", V, EDGES),
    C("histogram", X.astype(np.float32), 3, density=True), C("histogram", np.ones(3), 2),
    C("histogram", X, EDGES, weight=np.abs(X) + 0.5), M("histogram", V, 7, density=True),
    C("histogram", i(0.0, 1.0, 2.0, 3.0), 3, numpy=None), C("histogram", X, 1),
    C("histc", np.zeros(0), 3), C("histc", X.astype(np.float32), 6),
)


def _counting(case: Case) -> Case:
    """A count has no history (some of torch's say they have one): in float32.  Those whose size
    depends on the data read it, so that no trace has them."""
    def narrow(value: Any) -> Any:
        floats = isinstance(value, np.ndarray) and value.dtype == np.float64
        return value.astype(np.float32) if floats else value

    return replace(case, args=tuple(map(narrow, case.args)),
                   kwargs={k: narrow(v) for k, v in case.kwargs.items()},
                   reads=not case.name.startswith("hist"))


CASES = (*_SORTS, *_RANKS, *_SEARCHES, *map(_counting, _COUNTS))
REJECTS = (
    C("sort", X, 2), C("argsort", X, -3), C("topk", X, 6), C("topk", X, -1), C("topk", X, 1, 2),
    C("kthvalue", X, 0), C("kthvalue", X, 6), C("median", MASK), C("median", np.zeros((2, 0)), 1),
    C("nanmedian", MASK), C("mode", np.zeros((2, 0)), 1), C("quantile", INTS, 0.5),
    C("quantile", X, 1.5), C("quantile", X, 0.5, interpolation="cubic"),
    C("quantile", np.zeros(0), 0.5), C("quantile", X, i(0.5).astype(np.float32)),
    C("searchsorted", EDGES, X, side="left", right=True), C("searchsorted", EDGES, X, side="up"),
    C("searchsorted", np.sort(X, 1), f(2, 2)),
    C("searchsorted", V, X, sorter=i(0, 1)), C("bucketize", X, np.sort(X, 1)),
    C("isin", 1, 2), C("bincount", i(0, -1)), C("bincount", i(0.5)), C("bincount", INTS),
    C("bincount", i(0, 1), minlength=-1), C("bincount", i(0, 1), i(1.0)),
    C("histc", INTS), C("histc", X, 0), C("histc", X, 3, 2, 1),
    C("histogram", INTS, 3), C("histogram", X, 0), C("histogram", X, X),
    C("histogram", X, 3, weight=V), C("unique", X, dim=2),
)
