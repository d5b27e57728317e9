"""Folds: sums, means, spreads, norms, extremes and running totals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.ops.cases.case import C, Case, I, M, f, i

X, CUBE, V = f(3, 4), f(2, 3, 4), f(5)
NAN, INF = np.nan, np.inf
HOLES = i([1.0, NAN, 3.0], [NAN, NAN, NAN], [0.5, -1.0, 2.0])
GAPS = HOLES.astype(np.float32)
ZERO = i([1.0, 0.0, 3.0, 2.0], [0.0, 0.0, 3.0, 2.0], [0.5, -1.0, 2.0, 0.0])
INTS = i([3, 1, 2], [0, 0, 5])
MASK = i([True, False], [False, False])
SINGLE = X.astype(np.float32)
EMPTY = np.zeros((2, 0))


def _unsloped(*cases: Case) -> tuple[Case, ...]:
    """Points where the gradient is no slope: NaN, ties, or integers only."""
    return tuple(replace(c, slopes=False) for c in cases)


_SUMS = (
    C("sum", CUBE, numpy=np.sum), C("sum", CUBE, 1), C("sum", CUBE, (0, -1), True),
    C("sum", CUBE, ()), C("sum", CUBE, axis=1, keepdims=True), M("mean", CUBE, axis=(0, 2)),
    C("sum", MASK), C("sum", INTS.astype(np.uint8), 0),
    C("sum", INTS.astype(np.int32), dtype="dtype:float64"), C("sum", EMPTY, 1),
    C("sum", np.array(2.0), 0, numpy=lambda x, d: x), M("sum", X, 1, True),
    M("sum_to_size", CUBE, 3, 1), M("sum_to_size", X, (1, 4)), M("sum_to_size", X, 3, 4),
    M("sum_to_size", CUBE, 1),
    C("sum", SINGLE, 0, dtype="dtype:float64"), C("sum", INTS, dtype="dtype:int32"),
    C("prod", X), C("prod", X, 1, True), C("prod", ZERO), C("prod", ZERO, 1),
    C("prod", ZERO, 0, True), C("prod", INTS, 1), C("prod", MASK), C("prod", EMPTY, 1),
    C("prod", INTS.astype(np.int32), dtype="dtype:float64"),
    C("mean", X, numpy=np.mean), C("mean", X, 1, True), C("mean", CUBE, (0, 2)),
    C("mean", INTS, dtype="dtype:float64", numpy=lambda x, dtype: x.mean()),
    C("mean", INTS, 1, dtype="dtype:float32"), C("mean", np.array(2.0)),
    C("nanmean", X, 1), C("nansum", X), C("nansum", INTS, 0),
    C("nansum", INTS.astype(np.int32), dtype="dtype:float64"),
    *_unsloped(C("nansum", HOLES, 1, numpy=np.nansum), C("nanmean", HOLES[::2], 1, True),
               C("nanmean", HOLES[::2], numpy=np.nanmean), C("nansum", HOLES, (0, 1), True),
               C("nanmean", HOLES[::2], (0,), dtype="dtype:float64")),
)
_SPREADS = tuple(
    C(name, *args, **kwargs) for name in ("var", "std", "var_mean", "std_mean")
    for args, kwargs in (((X,), {}), ((X, 1), {}), ((CUBE, (0, 2)), {"keepdim": True}),
                         ((X, False), {}), ((X, 1, False), {}), ((X, 1, True, True), {}),
                         ((X,), {"correction": 0}), ((X, 0), {"correction": 2, "keepdim": True}),
                         ((X, None), {"correction": 0.5}), ((X,), {"unbiased": False}))
) + (C("var", X, 1, numpy=lambda x, d: x.var(1, ddof=1)),
     C("std", X, numpy=lambda x: x.std(ddof=1)), M("var", X, unbiased=False),
     *_unsloped(C("std", np.ones((2, 3)), 1)))
_NORMS = tuple(
    C("norm", X, p, *dims) for p in (1, 2, 0, 3, 0.5, -1, -2.5, INF, -INF, "fro", None)
    for dims in ((), (1,), ((0, 1), True))
) + (C("norm", X, numpy=np.linalg.norm), C("norm", X, p="fro", dim=1), M("norm", CUBE, 2, (0, 2)),
     C("norm", SINGLE, dtype="dtype:float64"), C("norm", X, p=1, dim=0, keepdim=True),
     *_unsloped(C("norm", np.zeros(3), 3.0), C("norm", ZERO, 1, 1), C("norm", ZERO, INF, 0)),
     *(replace(c, slopes=False, second=False)  # torch's second gradient there is NaN
       for c in (C("norm", np.zeros(3)), C("norm", np.zeros((2, 2)), 2, 1))),
     C("norm", SINGLE, 0), C("norm", SINGLE, 0, 1, True),
     C("dist", X, f(3, 4)), C("dist", X, f(4), 1), C("dist", X, f(3, 4), INF),
     C("dist", X, f(3, 4), 3.0), C("renorm", X, 2, 0, 1.0), C("renorm", CUBE, 1, -1, 2.5),
     C("renorm", X, 2.5, 1, 100.0), I("renorm", X, 2, 1, 0.5),
     C("logsumexp", X, 1, numpy=lambda x, d: np.log(np.exp(x).sum(1))),
     C("logsumexp", X * 400, (0, 1), True), C("logsumexp", INTS, 1), C("logsumexp", EMPTY, 1),
     C("logsumexp", np.array(2.0), 0), C("logsumexp", CUBE, (0, -1)),
     C("count_nonzero", i([0, 1], [2, 3]), numpy=np.count_nonzero),
     C("count_nonzero", X > 0, 1), C("count_nonzero", ZERO, (0, 1)),
     C("cov", X, numpy=np.cov), C("cov", X, correction=0), C("cov", V),
     C("cov", np.ones(1, np.float32)),
     C("cov", X, fweights=i(1, 2, 0, 3)), C("cov", X, aweights=f(4, low=0.1)),
     C("cov", X, correction=0, fweights=i(1, 2, 0, 3), aweights=f(4, low=0.1)),
     C("cov", X, fweights=i(1, 2, 1, 3), aweights=f(4, low=0.1)), C("cov", INTS),
     C("corrcoef", X, numpy=np.corrcoef), C("corrcoef", V))
_EXTREMES = (
    C("max", X, numpy=np.max), C("max", X, 1), C("max", X, 0, True), C("max", X, f(4)),
    C("min", X, 1), C("min", CUBE, -2, True), C("min", X, f(4), numpy=np.minimum),
    M("max", X, dim=1, keepdim=True), C("max", X, other=f(4)), C("max", np.array(2.0), 0),
    C("max", INTS, 1), C("min", MASK, 0), C("max", np.zeros((0, 3)), 1), C("max", INTS),
    *_unsloped(C("max", ZERO), C("min", ZERO, 1), C("amax", ZERO, 1), C("amin", ZERO),
               C("max", HOLES, 1), C("min", HOLES, 0), C("amax", GAPS, (0,)), C("min", GAPS),
               C("aminmax", ZERO, dim=1), C("argmax", HOLES, 1)),
    C("amax", X, numpy=np.max), C("amax", CUBE, (0, 2), True), C("amin", X, 1),
    C("amin", INTS, 0), C("amax", MASK, ()), C("aminmax", X), C("aminmax", X, dim=1),
    C("aminmax", INTS, dim=0, keepdim=True), C("argmax", X), C("argmax", X, 1, True),
    C("argmax", X, keepdim=True), C("argmin", CUBE, -2), C("argmin", INTS, 1),
    C("argmax", np.array(3.0), 0), C("argmin", i(2, 1, 1)),
    C("any", MASK), C("any", X > 1, 1, True), C("any", INTS.astype(np.uint8), 1),
    C("all", CUBE > -1, (0, 2)), C("all", INTS.astype(np.uint8)), C("any", EMPTY, 1),
    C("all", EMPTY, (0, 1), True), C("any", ZERO, (0, 1)), C("all", np.array(2.0), 0),
    M("all", MASK, dim=0),
)
_RUNNING = (
    C("cumsum", X, 1, numpy=np.cumsum), C("cumsum", CUBE, -2), C("cumsum", MASK, 0),
    C("cumsum", INTS.astype(np.int32), 1, dtype="dtype:float64"), C("cumsum", np.array(2.0), 0),
    C("cumsum", SINGLE, 1, dtype="dtype:float64"), C("cumsum", EMPTY, 1), I("cumsum", X, 0),
    C("cumprod", X, 1, numpy=np.cumprod), C("cumprod", CUBE, 0), C("cumprod", ZERO, 1),
    C("cumprod", ZERO.T.copy(), 1), C("cumprod", i(0.0, 0.0, 2.0, 0.0), 0),
    C("cumprod", INTS.astype(np.int32), 1), C("cumprod", INTS, 0, dtype="dtype:float64"),
    I("cumprod", X, 1),
    C("logcumsumexp", X, 1, numpy=np.logaddexp.accumulate), C("logcumsumexp", CUBE, 0),
    C("logcumsumexp", X * 300, -1), C("logcumsumexp", np.array(2.0), 0),
    *_unsloped(C("logcumsumexp", i(-1.0, INF, 2.0).astype(np.float32), 0)),
    C("cummax", X, 1), C("cummin", CUBE, 0), C("cummax", INTS, 1), C("cummin", MASK, 0),
    C("cummax", np.array(1.0), 0), C("cummin", EMPTY, 1),
    *_unsloped(C("cummax", ZERO, 1), C("cummin", ZERO, 0),
               C("cummax", i(1.0, 1.0, NAN, 3.0, NAN, 5.0), 0), C("cummin", HOLES, 1)),
    C("diff", X, numpy=np.diff), C("diff", X, 2, 0), C("diff", MASK), C("diff", INTS, 3),
    C("diff", X, dim=0, prepend=f(1, 4), append=f(2, 4)), M("diff", V, n=1, append=f(2)),
    C("trapezoid", X), C("trapezoid", X, dx=0.5, dim=0), C("trapezoid", X, f(4)),
    C("trapezoid", X, f(3, 4), dim=0), C("trapezoid", INTS), C("trapezoid", X, f(3), dim=0),
    C("trapz", X, dim=0), C("cumulative_trapezoid", X), C("cumulative_trapezoid", X, f(4)),
    C("cumulative_trapezoid", CUBE, dx=2.0, dim=1), C("cumulative_trapezoid", X, f(3, 4)),
)

CASES = (*_SUMS, *_SPREADS, *_NORMS, *_EXTREMES, *_RUNNING)
REJECTS = (
    C("sum", X, 2), C("sum", X, (0, 0)), C("sum", X, True),
    C("sum", np.array(2.0), 1), C("mean", INTS), C("nanmean", INTS), C("std", INTS),
    C("var", MASK), C("var_mean", INTS, 1), C("norm", INTS), C("norm", X, "nuclear"),
    C("norm", X, 2, 5), C("norm", EMPTY, INF, 1), C("amax", EMPTY, 1), C("max", EMPTY),
    C("min", EMPTY, 1), C("max", X, 3), C("argmax", MASK), C("argmax", EMPTY, 1),
    C("argmin", EMPTY), C("cumsum", X), C("cumsum", X, 2), C("cumprod", X, -3),
    C("logcumsumexp", INTS, 1), C("cummax", X, 2), C("diff", np.array(1.0)), C("diff", X, -1),
    C("renorm", V, 2, 0, 1.0), C("renorm", X, 0, 0, 1.0), C("renorm", X, 2, 0, -1.0),
    C("cov", CUBE), C("cov", MASK), C("cov", X, fweights=f(4)), C("cov", X, aweights=f(3)),
    C("trapezoid", np.array(1.0)), C("trapezoid", X, f(3)), C("trapezoid", MASK),
    M("sum_to_size", X, 2, 4), M("sum_to_size", X, 1, 3, 4),
    C("logsumexp", X), C("any", X, 2), C("all", X, (0, 2)),
)
