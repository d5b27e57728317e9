"""Products of vectors and matrices, all of them in terms of one matrix product."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eager.ops.composite import Composite
from eager.ops.errors import OpError
from eager.ops.op import Spelling
from eager.ops.types import I64, as_dtype, normalize_dim, product


def ranks(F: Any, name: str, *wanted: tuple[Any, int]) -> None:
    """Refuse operands of other ranks than wanted."""
    for x, n in wanted:
        if F.typeof(x).ndim != n:
            raise OpError(f"{name}: wanted {' and '.join(f'{k}-d' for _, k in wanted)} operands, "
                          f"got {', '.join(str(F.typeof(a)) for a, _ in wanted)}")


def mm(F: Any, input: Any, mat2: Any) -> Any:
    """The product of two matrices."""
    ranks(F, "mm", (input, 2), (mat2, 2))
    return F.matmul(input, mat2)


def bmm(F: Any, input: Any, mat2: Any) -> Any:
    """The products of two stacks of matrices, as many of the one as of the other."""
    ranks(F, "bmm", (input, 3), (mat2, 3))
    x, y = F.typeof(input), F.typeof(mat2)
    if x.shape[0] != y.shape[0]:
        raise OpError(f"bmm: wanted as many matrices on both sides, got {x} and {y}")
    return F.matmul(input, mat2)


def mv(F: Any, input: Any, vec: Any) -> Any:
    """The product of a matrix and a vector."""
    ranks(F, "mv", (input, 2), (vec, 1))
    column = F.reshape(vec, shape=(F.typeof(vec).shape[0], 1))
    return F.reshape(F.matmul(input, column), shape=F.typeof(input).shape[:1])


def dot(F: Any, input: Any, tensor: Any) -> Any:
    """The sum of the products of the elements of two vectors."""
    ranks(F, "dot", (input, 1), (tensor, 1))
    row, column = (F.reshape(v, shape=shape) for v, shape in (
        (input, (1, F.typeof(input).shape[0])), (tensor, (F.typeof(tensor).shape[0], 1))))
    return F.reshape(F.matmul(row, column), shape=())


def vdot(F: Any, input: Any, other: Any) -> Any:
    """`dot` with the conjugate of the first vector."""
    return dot(F, F.conj(input) if F.typeof(input).dtype.kind == "c" else input, other)


def inner(F: Any, input: Any, other: Any) -> Any:
    """The sums of products over the last dims: of vectors their `dot`."""
    x, y = F.typeof(input), F.typeof(other)
    if not x.ndim or not y.ndim:
        return F.mul(input, other)
    return tensordot(F, input, other, ([x.ndim - 1], [y.ndim - 1]))


def outer(F: Any, input: Any, vec2: Any) -> Any:
    """All products of an element of one vector with an element of the other."""
    ranks(F, "outer", (input, 1), (vec2, 1))
    return F.mul(F.reshape(input, shape=(F.typeof(input).shape[0], 1)), vec2)


def _plus(F: Any, input: Any, out: Any, beta: float, alpha: float) -> Any:
    """``beta input + alpha out``; a ``beta`` of 0 leaves even a NaN of the input out."""
    if alpha != 1:
        out = F.mul(out, alpha)
    if beta == 0:
        return out
    return F.add(out, input if beta == 1 else F.mul(input, beta))


def addmm(F: Any, input: Any, mat1: Any, mat2: Any, *, beta: float = 1, alpha: float = 1) -> Any:
    """beta input + alpha (mat1 @ mat2)."""
    ranks(F, "addmm", (mat1, 2), (mat2, 2))
    return _plus(F, input, F.matmul(mat1, mat2), beta, alpha)


def addmv(F: Any, input: Any, mat: Any, vec: Any, *, beta: float = 1, alpha: float = 1) -> Any:
    """beta input + alpha (mat @ vec)."""
    return _plus(F, input, mv(F, mat, vec), beta, alpha)


def addr(F: Any, input: Any, vec1: Any, vec2: Any, *, beta: float = 1, alpha: float = 1) -> Any:
    """beta input + alpha (the `outer` product of two vectors)."""
    return _plus(F, input, outer(F, vec1, vec2), beta, alpha)


def baddbmm(F: Any, input: Any, batch1: Any, batch2: Any, *, beta: float = 1,
            alpha: float = 1) -> Any:
    """beta input + alpha (batch1 @ batch2), matrix by matrix."""
    return _plus(F, input, bmm(F, batch1, batch2), beta, alpha)


def addbmm(F: Any, input: Any, batch1: Any, batch2: Any, *, beta: float = 1,
           alpha: float = 1) -> Any:
    """beta input + alpha (the sum of batch1 @ batch2 over the matrices)."""
    total = F.sum(bmm(F, batch1, batch2), dims=(0,), keepdim=False)
    return _plus(F, input, total, beta, alpha)


def kron(F: Any, input: Any, other: Any) -> Any:
    """Kronecker's product: each element of the first times the whole second."""
    x, y = F.typeof(input).shape, F.typeof(other).shape
    n = max(len(x), len(y))
    x, y = (1,) * (n - len(x)) + x, (1,) * (n - len(y)) + y
    left = F.reshape(input, shape=tuple(d for s in x for d in (s, 1)))
    right = F.reshape(other, shape=tuple(d for s in y for d in (1, s)))
    return F.reshape(F.mul(left, right), shape=tuple(a * b for a, b in zip(x, y, strict=True)))


def tensordot(F: Any, a: Any, b: Any, dims: Any = 2) -> Any:
    """Sums of products over ``dims``: the last and first so many, or a list for each operand."""
    x, y = F.typeof(a), F.typeof(b)
    if isinstance(dims, int):
        left, right = list(range(x.ndim - dims, x.ndim)), list(range(dims))
    else:
        left = [normalize_dim(d, x.ndim) for d in dims[0]]
        right = [normalize_dim(d, y.ndim) for d in dims[1]]
    if len(left) != len(right) or min((*left, 0)) < 0 or any(
            x.shape[p] != y.shape[q] for p, q in zip(left, right, strict=True)):
        raise OpError(f"tensordot: dims {dims} do not pair dims of {x} and {y} of equal sizes")
    rows = [k for k in range(x.ndim) if k not in left]
    columns = [k for k in range(y.ndim) if k not in right]
    deep = product(x.shape[k] for k in left)
    kept = [x.shape[k] for k in rows], [y.shape[k] for k in columns]
    p = F.reshape(F.permute(a, dims=(*rows, *left)), shape=(product(kept[0]), deep))
    q = F.reshape(F.permute(b, dims=(*right, *columns)), shape=(deep, product(kept[1])))
    return F.reshape(F.matmul(p, q), shape=(*kept[0], *kept[1]))


def chain_matmul(F: Any, *matrices: Any) -> Any:
    """The product of matrices in the order that costs least.

    T. Cormen et al., "Introduction to Algorithms", 15.2: matrix-chain multiplication.
    """
    if len(matrices) == 1:
        return matrices[0]
    sizes = [F.typeof(m).shape[0] for m in matrices] + [F.typeof(matrices[-1]).shape[1]]
    if any(type(d) is not int for d in sizes):
        total = matrices[0]
        for m in matrices[1:]:
            total = F.matmul(total, m)
        return total
    n = len(matrices)
    cost: dict[tuple[int, int], tuple[int, int]] = {(k, k): (0, k) for k in range(n)}
    for span in range(1, n):
        for i in range(n - span):
            j = i + span
            cost[i, j] = min((cost[i, k][0] + cost[k + 1, j][0]
                              + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j))

    def multiply(i: int, j: int) -> Any:
        if i == j:
            return matrices[i]
        k = cost[i, j][1]
        return F.matmul(multiply(i, k), multiply(k + 1, j))

    return multiply(0, n - 1)


def trace(F: Any, input: Any) -> Any:
    """The sum of the diagonal of a matrix."""
    ranks(F, "trace", (input, 2))
    m, n = F.typeof(input).shape
    row = F.reshape(F.iota(start=0, step=1, size=m, dtype=I64), shape=(m, 1))
    on = F.eq(row, F.iota(start=0, step=1, size=n, dtype=I64))
    zero = F.full(shape=(), value=0, dtype=F.typeof(input).dtype)
    return F.sum(F.where(on, input, zero), dims=(0, 1), keepdim=False)


def cross(F: Any, input: Any, other: Any, dim: int | None = None) -> Any:
    """The vector product along ``dim``, of size 3 (the first such dim if None)."""
    shape = F.typeof(input).shape
    if dim is None:
        dim = next((k for k, d in enumerate(shape) if type(d) is int and d == 3), -1)
    n = max(len(shape), F.typeof(other).ndim)
    at = normalize_dim(dim, n)
    parts = []
    for x in (input, other):
        own = F.typeof(x).shape
        k = at - (n - len(own))
        if k < 0 or own[k] != 3:
            raise OpError(f"cross: dim {dim} is of size 3 in both operands, got "
                          f"{F.typeof(input)} and {F.typeof(other)}")
        parts.append([F.slice(x, starts=(0,) * k + (c,) + (0,) * (len(own) - k - 1),
                              stops=(*own[:k], c + 1, *own[k + 1:]), steps=(1,) * len(own))
                      for c in range(3)])
    x, y = parts
    out = [F.sub(F.mul(x[a], y[b]), F.mul(x[b], y[a])) for a, b in ((1, 2), (2, 0), (0, 1))]
    return F.concat(*out, dim=at)


def cdist(F: Any, x1: Any, x2: Any, p: float = 2.0, compute_mode: str = "") -> Any:
    """The p-norm distances of all pairs of rows: [..., P, M] and [..., R, M] to [..., P, R]."""
    from eager.ops.moments import norm

    a, b = F.typeof(x1).shape, F.typeof(x2).shape
    if len(a) < 2 or len(b) < 2 or a[-1] != b[-1]:
        raise OpError(f"cdist: wants rows of one length, got {F.typeof(x1)} and {F.typeof(x2)}")
    left = F.reshape(x1, shape=(*a[:-1], 1, a[-1]))
    right = F.reshape(x2, shape=(*b[:-2], 1, *b[-2:]))
    return norm(F, F.sub(left, right), p, -1)


def grouped_mm(F: Any, mat_a: Any, mat_b: Any, *, offs: Any = None, bias: Any = None,
               out_dtype: Any = None) -> Any:
    """One product a group: of stacks of matrices, or of a matrix cut at the ends ``offs``.

    ``[m, k] @ [g, k, n]`` cuts rows, ``[g, m, k] @ [k, n]`` columns, ``[m, k] @ [k, n]`` the sum
    into ``[g, m, n]``.  What lies beyond the last end counts as 0.
    """
    a, b = F.typeof(mat_a), F.typeof(mat_b)
    if a.ndim not in (2, 3) or b.ndim not in (2, 3) or (offs is None) != (a.ndim + b.ndim == 6):
        raise OpError(f"grouped_mm: wants two stacks without offs, or a matrix and offs, got {a}, "
                      f"{b} and {'no ' if offs is None else ''}offs")
    if offs is None:
        out = bmm(F, mat_a, mat_b)
    else:
        count = F.typeof(offs).shape[0]
        size = b.shape[1] if a.ndim == 3 else a.shape[0] if b.ndim == 3 else a.shape[1]
        inside = _groups(F, offs, count, size)
        parts = []
        for k in range(count):
            left, right = (_item(F, m, k) if F.typeof(m).ndim == 3 else m for m in (mat_a, mat_b))
            own = _item(F, inside, k)
            if a.ndim == 3:
                right = F.where(own, right, F.mul(right, 0))
            else:
                kept = F.reshape(own, shape=(size, 1)) if b.ndim == 3 else own
                left = F.where(kept, left, F.mul(left, 0))
            parts.append(F.matmul(left, right))
        if a.ndim == b.ndim == 2:
            shape = F.typeof(parts[0]).shape
            out = F.concat(*(F.reshape(p, shape=(1, *shape)) for p in parts), dim=0)
        else:
            out = parts[0]
            for p in parts[1:]:
                out = F.add(out, p)
    out = out if bias is None else F.add(out, bias)
    return out if out_dtype is None else F.cast(out, dtype=as_dtype(out_dtype))


def _item(F: Any, x: Any, k: int) -> Any:
    shape = F.typeof(x).shape
    part = F.slice(x, starts=(k,) + (0,) * (len(shape) - 1), stops=(k + 1, *shape[1:]),
                   steps=(1,) * len(shape))
    return F.reshape(part, shape=shape[1:])


def _groups(F: Any, offs: Any, count: int, size: Any) -> Any:
    """Which of ``size`` places lie in each group: bool [count, size]."""
    ends = F.cast(offs, dtype=I64)
    zero = F.full(shape=(1,), value=0, dtype=I64)
    starts = F.concat(zero, F.slice(ends, starts=(0,), stops=(count - 1,), steps=(1,)), dim=0)
    line = F.iota(start=0, step=1, size=size, dtype=I64)
    return F.logical_and(F.ge(line, F.reshape(starts, shape=(count, 1))),
                         F.lt(line, F.reshape(ends, shape=(count, 1))))


_METHODS = (mm, bmm, mv, dot, vdot, inner, outer, kron, trace, cross)
_IN_PLACE = (addmm, addmv, addr, addbmm, baddbmm)
_FUNCTIONS: Sequence[Any] = (tensordot, chain_matmul, cdist)
_NAMES: dict[Any, tuple[str, ...]] = {outer: ("ger",)}
FUNCTIONS = (
    *(Composite(f.__name__, f, Spelling(("eager", "method"), _NAMES.get(f, ()))) for f in _METHODS),
    *(Composite(f.__name__, f, Spelling(("eager", "method", "inplace"))) for f in _IN_PLACE),
    *(Composite(f.__name__, f, Spelling(("eager",))) for f in _FUNCTIONS),
    Composite("grouped_mm", grouped_mm, Spelling(("nn.functional",))))
