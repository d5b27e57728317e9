"""Distances and angles between rows."""

from __future__ import annotations

from typing import Any

from eager.ops.composite import Composite
from eager.ops.errors import OpError
from eager.ops.moments import Dims, norm
from eager.ops.op import Spelling
from eager.ops.types import I64, broadcast_shapes, normalize_dim, normalize_dims


def normalize(F: Any, input: Any, p: float = 2.0, dim: Dims = 1, eps: float = 1e-12) -> Any:
    """The input over its norm along ``dim``, which counts as at least ``eps``."""
    size = norm(F, input, p, normalize_dims(dim, F.typeof(input).ndim), True)
    return F.div(input, F.where(F.lt(size, eps), eps, size))


def cosine_similarity(F: Any, x1: Any, x2: Any, dim: int = 1, eps: float = 1e-08) -> Any:
    """The cosine of the angle between slices along ``dim``; norms count as at least ``eps``.

    As in torch, the gradient knows nothing of ``eps``.
    """
    a, b = F.typeof(x1), F.typeof(x2)
    if a.dtype.kind != "f" or b.dtype.kind != "f":
        raise OpError(f"cosine_similarity: operands are floating, got {a} and {b}")
    shape = broadcast_shapes(a.shape, b.shape)
    x1, x2 = (x if F.typeof(x).shape == shape else F.broadcast_to(x, shape=shape)
              for x in (x1, x2))
    at = (normalize_dim(dim, len(shape)),)
    sizes = [F.where(F.lt(s, eps), F.add(F.sub(s, F.detach(s)), eps), s)
             for s in (norm(F, x1, 2.0, at, True), norm(F, x2, 2.0, at, True))]
    return F.sum(F.mul(F.div(x1, sizes[0]), F.div(x2, sizes[1])), dims=at, keepdim=False)


def pairwise_distance(F: Any, x1: Any, x2: Any, p: float = 2.0, eps: float = 1e-06,
                      keepdim: bool = False) -> Any:
    """The norm of x1 - x2 + eps over the last dim."""
    gap = F.add(F.sub(x1, x2), eps)
    return norm(F, gap, p, (F.typeof(gap).ndim - 1,), keepdim)


def pdist(F: Any, input: Any, p: float = 2.0) -> Any:
    """The distances of all pairs of rows of [N, D]: [N (N - 1) / 2], in the order of the rows."""
    t = F.typeof(input)
    if t.ndim != 2 or t.dtype.kind != "f" or p < 0:
        raise OpError(f"pdist: wanted floating rows [N, D] and p at least 0, got {t} and p={p}")
    if type(t.shape[0]) is not int:
        raise OpError(f"pdist: the number of rows of {t} is dynamic")
    left, right = _pairs(F, t.shape[0])
    gap = F.sub(F.index_select(input, left, dim=0), F.index_select(input, right, dim=0))
    return norm(F, gap, p, (1,))


def _pairs(F: Any, n: int) -> tuple[Any, Any]:
    """The two members of each pair of ``n``: row i's pairs start at i (2 n - i - 1) / 2."""
    row = F.iota(start=0, step=1, size=n, dtype=I64)
    starts = F.floor_divide(F.mul(row, F.sub(2 * n - 1, row)), 2)
    place = F.iota(start=0, step=1, size=n * (n - 1) // 2, dtype=I64)
    if n < 2:
        return place, place
    left = F.sub(F.searchsorted(starts, place, right=True), 1)
    left = F.minimum(left, n - 2)  # the last row begins no pair
    right = F.add(F.add(F.sub(place, F.index_select(starts, left, dim=0)), left), 1)
    return left, right


_NN = Spelling(("nn.functional",))
FUNCTIONS = (
    Composite("normalize", normalize, _NN),
    Composite("cosine_similarity", cosine_similarity, Spelling(("eager", "nn.functional"))),
    Composite("pairwise_distance", pairwise_distance, Spelling(("eager", "nn.functional"))),
    Composite("pdist", pdist, Spelling(("eager", "nn.functional"))),
)
