"""Factorisations of matrices and the equations they solve, over any leading batch dims.

Each is one op with one result: factors that belong together are stacked into one matrix, which
`eager.ops.linalg` takes apart by slices, so that the gradient of each factor arrives in its place.
Rules of differentiation: M. Giles, "Collected matrix derivative results for forward and reverse
mode algorithmic differentiation" (2008); M. Seeger et al., "Auto-differentiating linear algebra"
(2017).  They hold for complex matrices with conjugate transposes, written out here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from eager.ops import cartesian
from eager.ops.errors import OpError
from eager.ops.families import Library
from eager.ops.op import Example, Op
from eager.ops.types import I64, Type, broadcast_shapes


# --- contracts ---------------------------------------------------------------------------------
def _matrix(x: Type) -> None:
    if x.ndim < 2 or x.dtype.kind not in "fc" or x.dtype.itemsize < 4:
        raise OpError(f"wants float32, float64 or complex matrices [..., m, n], got {x}")


def _square(x: Type, /) -> Type:
    _matrix(x)
    if x.shape[-1] != x.shape[-2]:
        raise OpError(f"wants square matrices, got {x}")
    return x


def _solved(a: Type, b: Type, /) -> Type:
    _square(a)
    _matrix(b)
    if a.dtype is not b.dtype or a.shape[-1] != b.shape[-2]:
        raise OpError(f"the matrices {a} have no product with unknowns like {b}")
    return Type(a.dtype, (*broadcast_shapes(a.shape[:-2], b.shape[:-2]), *b.shape[-2:]))


def _solved_triangular(a: Type, b: Type, /, *, upper: bool, unitriangular: bool) -> Type:
    return _solved(a, b)


def _eigen(x: Type, /) -> Type:
    n = _square(x).shape[-1]
    return Type(x.dtype, (*x.shape[:-2], n + 1, n))


def _qr_packed(x: Type, /) -> Type:
    _matrix(x)
    m, n = x.shape[-2:]
    return Type(x.dtype, (*x.shape[:-2], m + n, min(m, n)))


def _svd_packed(x: Type, /) -> Type:
    _matrix(x)
    m, n = x.shape[-2:]
    return Type(x.dtype, (*x.shape[:-2], m + 1 + n, min(m, n)))


def _signed_log(x: Type, /) -> Type:
    return Type(_square(x).dtype, (*x.shape[:-2], 2))


def _determinant(x: Type, /) -> Type:
    return Type(_square(x).dtype, x.shape[:-2])


# --- NumPy -------------------------------------------------------------------------------------
def _run_triangular(a: Any, b: Any, *, upper: bool, unitriangular: bool) -> Any:
    a = np.triu(a) if upper else np.tril(a)
    if unitriangular:
        n = a.shape[-1]
        a[..., range(n), range(n)] = 1
    return np.linalg.solve(a, b)


def _run_eigh(x: Any) -> Any:
    values, vectors = np.linalg.eigh(x)
    return np.concatenate((values[..., None, :].astype(x.dtype), vectors), -2)


def _turned(x: Any) -> Any:
    return np.conjugate(np.swapaxes(x, -1, -2))


def _run_qr(x: Any) -> Any:
    q, r = np.linalg.qr(x)
    return np.concatenate((q, _turned(r)), -2)


def _run_svd(x: Any) -> Any:
    u, s, vh = np.linalg.svd(x, full_matrices=False)
    return np.concatenate((u, s[..., None, :].astype(x.dtype), _turned(vh)), -2)


def _run_slogdet(x: Any) -> Any:
    sign, log = np.linalg.slogdet(x)
    return np.stack((sign, log.astype(x.dtype)), -1)


def _run_cholesky(x: Any) -> Any:
    try:
        return np.linalg.cholesky(x)
    except np.linalg.LinAlgError:
        raise OpError("cholesky: a matrix is not positive definite") from None


def _run_matrix_exp(x: Any) -> Any:
    """Scaling and squaring round the diagonal Padé approximant of degree 13.

    N. Higham, "The scaling and squaring method for the matrix exponential revisited" (2005).
    """
    if x.size == 0:
        return x.copy()
    norm = float(np.abs(x).sum(-2).max())
    squarings = max(0, int(np.ceil(np.log2(norm / 5.371920351148152)))) if norm > 0 else 0
    a = x.astype(np.promote_types(x.dtype, np.float64)) / 2.0 ** squarings
    eye = np.broadcast_to(np.eye(x.shape[-1]), x.shape)
    a2 = a @ a
    a4, b = a2 @ a2, _PADE
    a6 = a4 @ a2
    odd = a @ (a6 @ (b[13] * a6 + b[11] * a4 + b[9] * a2) + b[7] * a6 + b[5] * a4 + b[3] * a2
               + b[1] * eye)
    even = (a6 @ (b[12] * a6 + b[10] * a4 + b[8] * a2) + b[6] * a6 + b[4] * a4 + b[2] * a2
            + b[0] * eye)
    out = np.linalg.solve(even - odd, even + odd)
    for _ in range(squarings):
        out = out @ out
    return out.astype(x.dtype)


_PADE = (64764752532480000., 32382376266240000., 7771770303897600., 1187353796428800.,
         129060195264000., 10559470521600., 670442572800., 33522128640., 1323241920., 40840800.,
         960960., 16380., 182., 1.)


# --- gradients ---------------------------------------------------------------------------------
def adjoint(F: Any, x: Any) -> Any:
    """The conjugate transpose of the last two dims."""
    t = F.typeof(x)
    n = t.ndim
    turned = F.permute(x, dims=(*range(n - 2), n - 1, n - 2))
    return F.conj(turned) if t.dtype.kind == "c" else turned


def rows(F: Any, x: Any, start: Any, stop: Any) -> Any:
    """``x[..., start:stop, :]``."""
    shape = F.typeof(x).shape
    n = len(shape)
    return F.slice(x, starts=(0,) * (n - 2) + (start, 0), stops=(*shape[:-2], stop, shape[-1]),
                   steps=(1,) * n)


def eye_like(F: Any, x: Any) -> Any:
    """Where the row of a matrix is its column: bool [n, n]."""
    n = F.typeof(x).shape[-1]
    line = F.iota(start=0, step=1, size=n, dtype=I64)
    return F.eq(F.reshape(line, shape=(n, 1)), line)


def triangle(F: Any, x: Any, upper: bool, strict: bool = False) -> Any:
    """The matrices with zeros on the other side of the diagonal (and on it if ``strict``)."""
    m, n = F.typeof(x).shape[-2:]
    row = F.reshape(F.iota(start=0, step=1, size=m, dtype=I64), shape=(m, 1))
    column = F.iota(start=0, step=1, size=n, dtype=I64)
    keep = ((F.gt if strict else F.ge)(column, row) if upper
            else (F.lt if strict else F.le)(column, row))
    return F.where(keep, x, F.mul(x, 0))


def _grad_cholesky(F: Any, g: Any, out: Any, x: Any) -> tuple[Any, ...]:
    phi = triangle(F, F.matmul(adjoint(F, out), g), upper=False)
    phi = F.where(eye_like(F, phi), F.mul(phi, 0.5), phi)
    half = F.solve_triangular(adjoint(F, out), phi, upper=True, unitriangular=False)
    s = adjoint(F, F.solve_triangular(adjoint(F, out), adjoint(F, half), upper=True,
                                      unitriangular=False))
    return (F.mul(F.add(s, adjoint(F, s)), 0.5),)


def _grad_solve(F: Any, g: Any, out: Any, a: Any, b: Any) -> tuple[Any, ...]:
    gb = F.solve(adjoint(F, a), g)
    return F.neg(F.matmul(gb, adjoint(F, out))), gb


def _grad_triangular(F: Any, g: Any, out: Any, a: Any, b: Any, *, upper: bool,
                     unitriangular: bool) -> tuple[Any, ...]:
    gb = F.solve_triangular(adjoint(F, a), g, upper=not upper, unitriangular=unitriangular)
    ga = triangle(F, F.neg(F.matmul(gb, adjoint(F, out))), upper, strict=unitriangular)
    return ga, gb


def _gaps(F: Any, values: Any, above: Any) -> Any:
    """``values[j] - values[i]``, with 1 where there is nothing to divide."""
    gaps = F.sub(values, F.permute(values, dims=_swapped(F, values)))
    idle = F.logical_or(eye_like(F, gaps), F.logical_and(F.eq(gaps, 0), F.eq(above, 0)))
    return F.where(idle, F.add(F.mul(gaps, 0), 1.0), gaps)


def _swapped(F: Any, x: Any) -> tuple[int, ...]:
    n = F.typeof(x).ndim
    return (*range(n - 2), n - 1, n - 2)


def _grad_eigh(F: Any, g: Any, out: Any, x: Any) -> tuple[Any, ...]:
    n = F.typeof(out).shape[-1]
    values, vectors = rows(F, out, 0, 1), rows(F, out, 1, n + 1)
    turn = F.matmul(adjoint(F, vectors), rows(F, g, 1, n + 1))
    inner = F.where(eye_like(F, turn), rows(F, g, 0, 1), F.div(turn, _gaps(F, values, turn)))
    return (F.matmul(F.matmul(vectors, inner), adjoint(F, vectors)),)


def _grad_qr(F: Any, g: Any, out: Any, x: Any) -> tuple[Any, ...]:
    m, n = F.typeof(x).shape[-2:]
    q, gq = rows(F, out, 0, m), rows(F, g, 0, m)
    rh, grh = rows(F, out, m, m + n), rows(F, g, m, m + n)  # adjoints of R and its gradient
    if m >= n:
        return (_qr_part(F, q, rh, gq, grh),)
    # A = [X | Y] with Q and R = [U | V] those of X: Y = Q V.
    y, gv = _columns(F, x, m, n), adjoint(F, rows(F, grh, m, n))
    gq = F.add(gq, F.matmul(y, adjoint(F, gv)))
    gx = _qr_part(F, q, rows(F, rh, 0, m), gq, rows(F, grh, 0, m))
    return (F.concat(gx, F.matmul(q, gv), dim=F.typeof(x).ndim - 1),)


def _columns(F: Any, x: Any, start: Any, stop: Any) -> Any:
    return adjoint(F, rows(F, adjoint(F, x), start, stop))


def _qr_part(F: Any, q: Any, rh: Any, gq: Any, grh: Any) -> Any:
    m = F.sub(F.matmul(adjoint(F, rh), grh), F.matmul(adjoint(F, gq), q))
    low = triangle(F, m, upper=False, strict=True)
    sym = F.add(F.add(low, adjoint(F, low)), F.where(eye_like(F, m), m, F.mul(m, 0)))
    left = F.add(gq, F.matmul(q, sym))
    return adjoint(F, F.solve_triangular(adjoint(F, rh), adjoint(F, left), upper=True,
                                         unitriangular=False))


def _grad_svd(F: Any, g: Any, out: Any, x: Any) -> tuple[Any, ...]:
    m, n = F.typeof(x).shape[-2:]
    k = F.typeof(out).shape[-1]
    (u, s, v), (gu, gs, gv) = ((rows(F, t, 0, m), rows(F, t, m, m + 1),
                                rows(F, t, m + 1, m + 1 + n)) for t in (out, g))
    skews = []
    for have, gradient in ((u, gu), (v, gv)):
        p = F.matmul(adjoint(F, have), gradient)
        p = F.sub(p, adjoint(F, p))
        skews.append(F.div(p, _gaps(F, F.mul(s, s), p)))
    column = F.permute(s, dims=_swapped(F, s))
    inner = F.add(F.mul(skews[0], s), F.mul(column, skews[1]))
    inner = F.where(eye_like(F, inner), F.add(inner, gs), inner)
    ga = F.matmul(F.matmul(u, inner), adjoint(F, v))
    if m > k:
        rest = F.div(gu, s)
        rest = F.sub(rest, F.matmul(u, F.matmul(adjoint(F, u), rest)))
        ga = F.add(ga, F.matmul(rest, adjoint(F, v)))
    if n > k:
        rest = F.div(gv, s)
        rest = F.sub(rest, F.matmul(v, F.matmul(adjoint(F, v), rest)))
        ga = F.add(ga, F.matmul(u, adjoint(F, rest)))
    return (ga,)


def _inverse_adjoint(F: Any, x: Any) -> Any:
    one = F.add(F.mul(x, 0), 1.0)
    return F.solve(adjoint(F, x), F.where(eye_like(F, x), one, F.mul(x, 0)))


def _as_matrix(F: Any, x: Any) -> Any:
    return F.reshape(x, shape=(*F.typeof(x).shape, 1, 1))


def _grad_slogdet(F: Any, g: Any, out: Any, x: Any) -> tuple[Any, ...]:
    shape = F.typeof(g).shape
    n = len(shape)
    log = F.slice(g, starts=(0,) * (n - 1) + (1,), stops=shape, steps=(1,) * n)
    return (F.mul(_as_matrix(F, F.reshape(log, shape=shape[:-1])), _inverse_adjoint(F, x)),)


def _grad_det(F: Any, g: Any, out: Any, x: Any) -> tuple[Any, ...]:
    scale = F.mul(g, F.conj(out) if F.typeof(out).dtype.kind == "c" else out)
    return (F.mul(_as_matrix(F, scale), _inverse_adjoint(F, x)),)


#: Squarings that the composed exponential has: enough for a norm of 350,000.
_MOST_SQUARINGS = 16


def _composed_matrix_exp(F: Any, x: Any) -> Any:
    """The same by a fixed number of squarings, of which as many count as the norm asks for."""
    n = F.typeof(x).ndim
    sums = F.sum(F.abs(x), dims=(n - 2,), keepdim=True)
    norm = F.amax(sums, dims=tuple(range(n)), keepdim=True)
    # log2 of what is never below 1 is the number of squarings before it is rounded up
    scaled = F.maximum(F.mul(norm, 1.0 / 5.371920351148152), 1.0)
    count = F.minimum(F.ceil(F.mul(F.log(scaled), 1.0 / float(np.log(2.0)))),
                      float(_MOST_SQUARINGS))
    a = F.mul(x, F.pow(0.5, count))
    one = F.cast(eye_like(F, x), dtype=F.typeof(x).dtype)
    a2 = F.matmul(a, a)
    a4 = F.matmul(a2, a2)
    a6, b = F.matmul(a4, a2), _PADE

    def line(*terms: tuple[float, Any]) -> Any:
        total = None
        for factor, matrix in terms:
            part = F.mul(matrix, factor)
            total = part if total is None else F.add(total, part)
        return total

    odd = F.matmul(a, F.add(F.matmul(a6, line((b[13], a6), (b[11], a4), (b[9], a2))),
                            line((b[7], a6), (b[5], a4), (b[3], a2), (b[1], one))))
    even = F.add(F.matmul(a6, line((b[12], a6), (b[10], a4), (b[8], a2))),
                 line((b[6], a6), (b[4], a4), (b[2], a2), (b[0], one)))
    out = F.solve(F.sub(even, odd), F.add(even, odd))
    for k in range(_MOST_SQUARINGS):
        out = F.where(F.gt(count, float(k)), F.matmul(out, out), out)
    return out


def _grad_matrix_exp(F: Any, g: Any, out: Any, x: Any) -> tuple[Any, ...]:
    """The block above the diagonal of ``exp [[A*, G], [0, A*]]``."""
    t = F.typeof(x)
    n, last = t.shape[-1], t.ndim - 1
    a = adjoint(F, x)
    top = F.concat(a, g, dim=last)
    low = F.concat(F.mul(a, 0), a, dim=last)
    whole = F.matrix_exp(F.concat(top, low, dim=last - 1))
    return (_columns(F, rows(F, whole, 0, n), n, 2 * n),)


def _op(name: str, doc: str, infer: Any, forward: Any, grad: Any, saves: tuple[Any, ...],
        examples: tuple[Any, ...], **columns: Any) -> Op:
    cases = tuple(Example(e) if isinstance(e, tuple) else e for e in examples)
    whole = np.ones((3, 3), np.int64)
    return Op(name, doc, infer, Library(name), forward=forward, grad=grad, saves=saves,
              complex=columns.pop("complex", True), holomorphic=False, spelling=None,
              precheck=lambda *arrays, **attrs: infer(*map(Type.of, arrays), **attrs),
              examples=cases,
              rejects=(Example((whole,) * len(cases[0].operands), cases[0].attrs),), **columns)


# Written out: drawing them would import NumPy's generators with every program.
_SPD = np.array([[4.0, 1.0, -0.5], [1.0, 3.0, 0.75], [-0.5, 0.75, 2.0]])
_RECT = np.array([[0.5, -1.25, 2.0], [1.5, 0.25, -0.75], [-2.0, 1.0, 0.5], [0.75, 1.75, 1.25]])
_LOWER = {"upper": False, "unitriangular": False}

cholesky = _op("cholesky", "The lower triangular L with L L* = x, of positive definite x.", _square,
               _run_cholesky, _grad_cholesky, ("out",), ((_SPD,),))
solve = _op("solve", "The X with A X = B.", _solved, np.linalg.solve, _grad_solve, (0, "out"),
            ((_SPD, _RECT[:3]),), split=cartesian.solve)
solve_triangular = _op("solve_triangular", "The X with A X = B, of A one triangle alone.",
                       _solved_triangular, _run_triangular, _grad_triangular, (0, "out"),
                       (Example((_SPD, _RECT[:3]), _LOWER),
                        Example((_SPD, _RECT[:3]), {"upper": True, "unitriangular": True})))
eigh = _op("eigh", "Eigenvalues, ascending, above eigenvectors of Hermitian x (its lower half).",
           _eigen, _run_eigh, _grad_eigh, ("out",), ((_SPD,),))
qr = _op("qr", "Q above R* of x = Q R, reduced.", _qr_packed, _run_qr, _grad_qr, (0, "out"),
         ((_RECT,), (_RECT.T.copy(),)))
svd = _op("svd", "U above S above V of x = U diag(S) V*, reduced.", _svd_packed, _run_svd,
          _grad_svd, (0, "out"), ((_RECT,), (_RECT.T.copy(),)))
slogdet = _op("slogdet", "Sign and logarithm of the size of the determinant.", _signed_log,
              _run_slogdet, _grad_slogdet, (0,), ((_SPD,),), complex=False)
det = _op("det", "The determinant.", _determinant, np.linalg.det, _grad_det, (0, "out"),
          ((_SPD,),))
matrix_exp = _op("matrix_exp", "The matrix exponential.", _square, _run_matrix_exp,
                 _grad_matrix_exp, (0,), ((_SPD * 0.3,), (_SPD,)), decompose=_composed_matrix_exp)

OPS = (cholesky, solve, solve_triangular, eigh, qr, svd, slogdet, det, matrix_exp)
