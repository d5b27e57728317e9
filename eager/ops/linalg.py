"""The functions of ``linalg``: factors taken apart, and what is made of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from eager.ops import factorizations as factors
from eager.ops import products
from eager.ops.composite import Composite
from eager.ops.errors import OpError
from eager.ops.factorizations import adjoint, rows
from eager.ops.op import Spelling
from eager.ops.types import F32, F64, I64, as_dtype, normalize_dim


class qr_result(NamedTuple):
    Q: Any
    R: Any


class svd_result(NamedTuple):
    U: Any
    S: Any
    Vh: Any


class eigh_result(NamedTuple):
    eigenvalues: Any
    eigenvectors: Any


class slogdet_result(NamedTuple):
    sign: Any
    logabsdet: Any


class lstsq_result(NamedTuple):
    solution: Any
    residuals: Any
    rank: Any
    singular_values: Any


def _drop(F: Any, x: Any) -> Any:
    """A matrix of one row as a vector."""
    shape = F.typeof(x).shape
    return F.reshape(x, shape=(*shape[:-2], shape[-1]))


def _sides(F: Any, name: str, A: Any) -> tuple[Any, Any]:
    t = F.typeof(A)
    if t.ndim < 2:
        raise OpError(f"{name}: wants matrices [..., m, n], got {t}")
    return t.shape[-2], t.shape[-1]


def _part(F: Any, x: Any) -> Any:
    return F.real(x) if F.typeof(x).dtype.kind == "c" else x


# --- factorisations ----------------------------------------------------------------------------
def cholesky(F: Any, A: Any, *, upper: bool = False) -> Any:
    """The triangular factor of positive definite matrices: ``A = L L*`` (or ``U* U``)."""
    low = F.cholesky(A)
    return adjoint(F, low) if upper else low


def qr(F: Any, A: Any, mode: str = "reduced") -> Any:
    """``A = Q R`` with orthonormal columns of Q and upper triangular R; mode ``r``: R alone."""
    if mode not in ("reduced", "complete", "r"):
        raise OpError(f"qr: mode is 'reduced', 'complete' or 'r', got {mode!r}")
    m, n = _sides(F, "qr", A)
    if mode == "complete" and m > n:
        raise OpError("qr: mode='complete' of tall matrices is not supported; 'reduced' spans "
                      "the same columns")
    packed = F.qr(A)
    r = adjoint(F, rows(F, packed, m, m + n))
    if mode == "r":
        return qr_result(F.full(shape=(0,), value=0.0, dtype=F.typeof(A).dtype), r)
    return qr_result(rows(F, packed, 0, m), r)


def svd(F: Any, A: Any, full_matrices: bool = True) -> Any:
    """``A = U diag(S) Vh``, singular values descending.

    With ``full_matrices`` U and Vh are square, which is built for square matrices alone.
    """
    m, n = _sides(F, "svd", A)
    if full_matrices and m != n:
        raise OpError(f"svd: full_matrices=True of {F.typeof(A)} is not supported; pass "
                      f"full_matrices=False")
    packed = F.svd(A)
    return svd_result(rows(F, packed, 0, m), _part(F, _drop(F, rows(F, packed, m, m + 1))),
                      adjoint(F, rows(F, packed, m + 1, m + 1 + n)))


def svdvals(F: Any, A: Any) -> Any:
    """The singular values, descending."""
    return svd(F, A, full_matrices=False).S


def eigh(F: Any, A: Any, UPLO: str = "L") -> Any:
    """Eigenvalues (ascending) and eigenvectors of Hermitian matrices, read from one triangle."""
    packed = F.eigh(_half(F, A, UPLO))
    n = F.typeof(A).shape[-1]
    return eigh_result(_part(F, _drop(F, rows(F, packed, 0, 1))), rows(F, packed, 1, n + 1))


def _half(F: Any, A: Any, UPLO: str) -> Any:
    if UPLO not in ("L", "U"):
        raise OpError(f"eigh: UPLO is 'L' or 'U', got {UPLO!r}")
    return A if UPLO == "L" else adjoint(F, A)


def eigvalsh(F: Any, A: Any, UPLO: str = "L") -> Any:
    """The eigenvalues of Hermitian matrices, ascending."""
    return eigh(F, A, UPLO).eigenvalues


# --- determinants, inverses, equations ---------------------------------------------------------
def det(F: Any, A: Any) -> Any:
    """The determinant of square matrices."""
    return F.det(A)


def slogdet(F: Any, A: Any) -> Any:
    """Sign and logarithm of the absolute value of the determinant."""
    packed = F.slogdet(A)
    shape = F.typeof(packed).shape
    n = len(shape)
    sign, log = (F.reshape(F.slice(packed, starts=(0,) * (n - 1) + (k,),
                                   stops=(*shape[:-1], k + 1), steps=(1,) * n), shape=shape[:-1])
                 for k in (0, 1))
    return slogdet_result(sign, log)


def logdet(F: Any, input: Any) -> Any:
    """The logarithm of the determinant; NaN of a negative one."""
    sign, log = slogdet(F, input)
    nan = F.full(shape=(), value=math.nan, dtype=F.typeof(log).dtype)
    return F.where(F.lt(sign, 0), nan, log)


def _eye(F: Any, A: Any) -> Any:
    return F.cast(factors.eye_like(F, A), dtype=F.typeof(A).dtype)


def inv(F: Any, A: Any) -> Any:
    """The inverse of square matrices; a singular one is refused."""
    t = F.typeof(A)
    if t.ndim < 2 or t.shape[-1] != t.shape[-2]:
        raise OpError(f"inv: wants square matrices, got {t}")
    return F.solve(A, _eye(F, A))


def solve(F: Any, A: Any, B: Any, *, left: bool = True) -> Any:
    """The X with ``A X = B`` (or ``X A = B``); B is vectors where its dims say so."""
    a, b = F.typeof(A), F.typeof(B)
    vectors = b.ndim == 1 or (b.ndim == a.ndim - 1 and b.shape == a.shape[:-1])
    if vectors:
        B = F.reshape(B, shape=(*b.shape, 1))
    out = F.solve(A, B) if left else adjoint(F, F.solve(adjoint(F, A), adjoint(F, B)))
    return F.reshape(out, shape=F.typeof(out).shape[:-1]) if vectors else out


def solve_triangular(F: Any, A: Any, B: Any, *, upper: bool, left: bool = True,
                     unitriangular: bool = False) -> Any:
    """The X with ``A X = B`` (or ``X A = B``), of A its upper or lower triangle alone."""
    if left:
        return F.solve_triangular(A, B, upper=upper, unitriangular=unitriangular)
    return adjoint(F, F.solve_triangular(adjoint(F, A), adjoint(F, B), upper=not upper,
                                         unitriangular=unitriangular))


def cholesky_solve(F: Any, input: Any, L: Any, upper: bool = False) -> Any:
    """The X with ``A X = input``, given the triangular factor of A."""
    low = adjoint(F, L) if upper else L
    y = F.solve_triangular(low, input, upper=False, unitriangular=False)
    return F.solve_triangular(adjoint(F, low), y, upper=True, unitriangular=False)


def cholesky_inverse(F: Any, L: Any, upper: bool = False) -> Any:
    """The inverse of A, given its triangular factor."""
    return cholesky_solve(F, _eye(F, L), L, upper)


def pinv(F: Any, A: Any, *, atol: Any = None, rtol: Any = None, hermitian: bool = False) -> Any:
    """Moore and Penrose's inverse; singular values up to ``max(atol, rtol S[0])`` count as 0."""
    if hermitian:
        values, vectors = eigh(F, A)
        size, left, right = F.abs(values), vectors, vectors
        largest = F.amax(size, dims=(F.typeof(size).ndim - 1,), keepdim=True)
    else:
        left, size, vh = svd(F, A, full_matrices=False)
        values, right = size, adjoint(F, vh)
        n = F.typeof(size).ndim
        largest = F.slice(size, starts=(0,) * n, stops=(*F.typeof(size).shape[:-1], 1),
                          steps=(1,) * n)
    limit = _limit(F, A, largest, atol, rtol)
    counted = F.gt(size, limit)
    inverse = F.where(counted, F.reciprocal(F.where(counted, values, F.add(F.mul(values, 0), 1.0))),
                      F.mul(values, 0))
    shape = F.typeof(inverse).shape
    scaled = F.mul(right, F.reshape(inverse, shape=(*shape[:-1], 1, shape[-1])))
    return F.matmul(scaled, adjoint(F, left))


def _limit(F: Any, A: Any, largest: Any, atol: Any, rtol: Any) -> Any:
    t = F.typeof(A)
    if rtol is None:
        spacing = 2.0 ** -52 if t.dtype.to_real() is F64 else 2.0 ** -23
        rtol = 0.0 if atol is not None else max(t.shape[-2:]) * spacing
    return F.maximum(F.mul(largest, rtol), 0.0 if atol is None else atol)


def matrix_rank(F: Any, A: Any, *, atol: Any = None, rtol: Any = None,
                hermitian: bool = False) -> Any:
    """How many singular values lie above ``max(atol, rtol S[0])``."""
    size = F.abs(eigvalsh(F, A)) if hermitian else svdvals(F, A)
    n = F.typeof(size).ndim
    largest = F.amax(size, dims=(n - 1,), keepdim=True)
    counted = F.gt(size, _limit(F, A, largest, atol, rtol))
    return F.sum(F.cast(counted, dtype=I64), dims=(n - 1,), keepdim=False)


def lstsq(F: Any, A: Any, B: Any, rcond: Any = None, *, driver: str | None = None) -> Any:
    """The X of least ``|A X - B|`` (and, of wide A, least ``|X|``), for A of full rank."""
    if driver not in (None, "gels", "gelsy", "gelsd", "gelss"):
        raise OpError(f"lstsq: driver is gels, gelsy, gelsd or gelss, got {driver!r}")
    t = F.typeof(A)
    m, n = t.shape[-2:]
    vectors = F.typeof(B).ndim == t.ndim - 1
    b = F.reshape(B, shape=(*F.typeof(B).shape, 1)) if vectors else B
    if m >= n:
        q, r = qr(F, A)
        x = F.solve_triangular(r, F.matmul(adjoint(F, q), b), upper=True, unitriangular=False)
    else:
        q, r = qr(F, adjoint(F, A))
        x = F.matmul(q, F.solve_triangular(adjoint(F, r), b, upper=False, unitriangular=False))
    none = F.full(shape=(0,), value=0.0, dtype=t.dtype)
    residuals = none
    if m > n:
        gap = F.abs(F.sub(F.matmul(A, x), b))
        residuals = F.sum(F.mul(gap, gap), dims=(F.typeof(gap).ndim - 2,), keepdim=False)
        residuals = F.reshape(residuals, shape=F.typeof(residuals).shape[:-1]) if vectors \
            else residuals
    rank = F.full(shape=t.shape[:-2], value=min(m, n), dtype=I64)
    if vectors:
        x = F.reshape(x, shape=F.typeof(x).shape[:-1])
    return lstsq_result(x, residuals, rank, none)


def matrix_power(F: Any, A: Any, n: int) -> Any:
    """The product of ``n`` copies of A; a negative ``n`` takes the inverse."""
    if n < 0:
        return matrix_power(F, inv(F, A), -n)
    if n == 0:
        return F.add(F.mul(A, 0), _eye(F, A))
    result, square = None, A
    while n:
        if n & 1:
            result = square if result is None else F.matmul(result, square)
        n >>= 1
        square = F.matmul(square, square) if n else square
    return result


def matrix_exp(F: Any, A: Any) -> Any:
    """The matrix exponential."""
    return F.matrix_exp(A)


def multi_dot(F: Any, tensors: Sequence[Any]) -> Any:
    """The product of matrices in the order that costs least; the ends may be vectors."""
    parts = list(tensors)
    if len(parts) < 2:
        raise OpError(f"multi_dot: wants two tensors or more, got {len(parts)}")
    first, last = F.typeof(parts[0]), F.typeof(parts[-1])
    if first.ndim == 1:
        parts[0] = F.reshape(parts[0], shape=(1, *first.shape))
    if last.ndim == 1:
        parts[-1] = F.reshape(parts[-1], shape=(*last.shape, 1))
    out = products.chain_matmul(F, *parts)
    shape = F.typeof(out).shape
    kept = (() if first.ndim == 1 else shape[:1]) + (() if last.ndim == 1 else shape[1:])
    return F.reshape(out, shape=kept)


# --- norms -------------------------------------------------------------------------------------
def vector_norm(F: Any, x: Any, ord: Any = 2, dim: Any = None, keepdim: bool = False, *,
                dtype: Any = None) -> Any:
    """The vector norm of order ``ord`` over ``dim``: all of them if None, as of one vector."""
    from eager.ops.moments import norm as p_norm

    x = F.cast(x, dtype=as_dtype(dtype)) if dtype is not None else x
    x = F.abs(x) if F.typeof(x).dtype.kind == "c" else x
    every = tuple(range(F.typeof(x).ndim))
    return p_norm(F, x, float(ord), every if dim is None else dim, keepdim)


def matrix_norm(F: Any, A: Any, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *,
                dtype: Any = None) -> Any:
    """The matrix norm over two dims: 'fro', 'nuc', or 1, -1, 2, -2, inf, -inf."""
    A = F.cast(A, dtype=as_dtype(dtype)) if dtype is not None else A
    n = F.typeof(A).ndim
    r, c = (normalize_dim(d, n) for d in dim)
    if ord == "fro":
        return vector_norm(F, A, 2, (r, c), keepdim)
    if ord in (1, -1, math.inf, -math.inf):
        across, along = (r, c) if abs(ord) == 1 else (c, r)
        sums = F.sum(F.abs(A), dims=(across,), keepdim=True)
        out = (F.amax if ord > 0 else F.amin)(sums, dims=(along,), keepdim=True)
    elif ord in (2, -2, "nuc"):
        order = (*(k for k in range(n) if k not in (r, c)), r, c)
        s = svdvals(F, F.permute(A, dims=order))
        last = (F.typeof(s).ndim - 1,)
        fold = F.sum if ord == "nuc" else F.amax if ord == 2 else F.amin
        out = fold(s, dims=last, keepdim=False)
        kept = tuple(1 if k in (r, c) else d for k, d in enumerate(F.typeof(A).shape))
        return F.reshape(out, shape=kept) if keepdim else out
    else:
        raise OpError(f"matrix_norm: ord is 'fro', 'nuc', 1, -1, 2, -2, inf or -inf, got {ord!r}")
    kept = tuple(d for k, d in enumerate(F.typeof(out).shape) if k not in (r, c))
    return out if keepdim else F.reshape(out, shape=kept)


def norm(F: Any, A: Any, ord: Any = None, dim: Any = None, keepdim: bool = False, *,
         dtype: Any = None) -> Any:
    """`matrix_norm` where ``ord`` or two dims ask for it, else `vector_norm`."""
    if ord is None:
        return vector_norm(F, A, 2, dim, keepdim, dtype=dtype)
    pair = isinstance(dim, (tuple, list)) and len(dim) == 2
    if isinstance(ord, str) or pair or (dim is None and F.typeof(A).ndim == 2):
        return matrix_norm(F, A, ord, dim if dim is not None else (-2, -1), keepdim, dtype=dtype)
    return vector_norm(F, A, ord, dim, keepdim, dtype=dtype)


def cond(F: Any, A: Any, p: Any = None) -> Any:
    """The condition number: by the 2-norm the ratio of the outer singular values."""
    if p is None or p in (2, -2):
        high, low = matrix_norm(F, A, 2), matrix_norm(F, A, -2)
        return F.div(low, high) if p == -2 else F.div(high, low)
    return F.mul(matrix_norm(F, A, p), matrix_norm(F, inv(F, A), p))


# --- further products --------------------------------------------------------------------------
def vecdot(F: Any, x: Any, y: Any, *, dim: int = -1) -> Any:
    """The sums of conj(x) y along ``dim``."""
    x = F.conj(x) if F.typeof(x).dtype.kind == "c" else x
    out = F.mul(x, y)
    return F.sum(out, dims=(normalize_dim(dim, F.typeof(out).ndim),), keepdim=False)


def cross(F: Any, input: Any, other: Any, *, dim: int = -1) -> Any:
    """The vector product along ``dim``, of size 3."""
    return products.cross(F, input, other, dim)


def _matmul(F: Any, input: Any, other: Any) -> Any:
    """The product of matrices; a vector is a row on the left and a column on the right."""
    from eager.ops.contraction import matrix_product

    return matrix_product(F, input, other)


def vander(F: Any, x: Any, *, N: int | None = None) -> Any:
    """Powers 0, 1, ... of each element: [..., n] to [..., n, N]."""
    t = F.typeof(x)
    dtype = t.dtype if t.dtype.kind == "f" else F32
    powers = F.iota(start=0, step=1, size=t.shape[-1] if N is None else N, dtype=dtype)
    return F.pow(F.reshape(x, shape=(*t.shape, 1)), powers)


def _at(where: tuple[str, ...], *functions: Any) -> tuple[Composite, ...]:
    return tuple(Composite(f.__name__, f, Spelling(where)) for f in functions)


def _svd_of_torch(F: Any, input: Any, some: bool = True, compute_uv: bool = True) -> Any:
    """``input = U diag(S) V*``: the older function, which gives V and not its adjoint."""
    if not some or not compute_uv:
        raise OpError("svd: some=False and compute_uv=False are not supported; use linalg.svd or "
                      "linalg.svdvals")
    u, s, vh = svd(F, input, full_matrices=False)
    return u, s, adjoint(F, vh)


def _cholesky_of_torch(F: Any, input: Any, upper: bool = False) -> Any:
    """The triangular factor of positive definite matrices."""
    return cholesky(F, input, upper=upper)


def _qr_of_torch(F: Any, input: Any, some: bool = True) -> Any:
    """``input = Q R``, reduced where ``some``."""
    return qr(F, input, "reduced" if some else "complete")


FUNCTIONS = (
    *_at(("linalg", "eager", "method"), det, slogdet, matrix_power, matrix_exp),
    *_at(("linalg",), cholesky, qr, svd, svdvals, eigh, eigvalsh, solve, solve_triangular,
         matrix_rank, lstsq, multi_dot, vector_norm, matrix_norm, norm, cond, vecdot, cross,
         vander),
    *_at(("eager", "method"), logdet, cholesky_solve, cholesky_inverse),
    Composite("inv", inv, Spelling(("linalg",))),
    Composite("inverse", inv, Spelling(("eager", "method"))),
    Composite("pinv", pinv, Spelling(("linalg",))),
    Composite("pinverse", pinv, Spelling(("eager", "method"))),
    Composite("matmul", _matmul, Spelling(("linalg",))),
    Composite("svd", _svd_of_torch, Spelling(("eager", "method"))),
    Composite("cholesky", _cholesky_of_torch, Spelling(("eager", "method"))),
    Composite("qr", _qr_of_torch, Spelling(("eager", "method"))),
)
