"""Products and factorisations."""

from __future__ import annotations

import math

import numpy as np

from tests.ops.cases.case import C, F, L, M, f, i

A, B, V, W = f(3, 4), f(4, 2), f(4), f(3)
S = f(3, 3) + 3 * np.eye(3)
BATCH = f(2, 3, 3) + 3 * np.eye(3)


def _spd(*batch: int) -> np.ndarray:
    a = f(*batch, 3, 3)
    return a @ a.swapaxes(-1, -2) + np.eye(3)


_PRODUCTS = (
    C("mm", A, B, numpy=np.matmul), C("bmm", f(2, 3, 4), f(2, 4, 2), numpy=np.matmul),
    C("mv", A, V, numpy=np.matmul), C("dot", V, V * 2, numpy=np.dot), C("vdot", V, V),
    C("inner", A, f(2, 4), numpy=np.inner), C("inner", V, V), C("inner", A, np.array(2.0)),
    C("outer", V, W, numpy=np.outer), C("ger", V, W),
    C("addmm", f(2), A, B, beta=0.5, alpha=2.0), C("addmm", f(2), A, B),
    C("addmm", np.full(2, np.nan).astype("f4"), A.astype("f4"), B.astype("f4"), beta=0),
    C("addmv", W, A, V, alpha=2.0), C("addr", A, W, V, beta=0.5),
    C("baddbmm", f(2, 3, 2), f(2, 3, 4), f(2, 4, 2), beta=0.5),
    C("addbmm", f(3, 2), f(2, 3, 4), f(2, 4, 2)),
    C("kron", A, f(2, 3), numpy=np.kron), C("kron", V, A, numpy=np.kron),
    C("tensordot", f(2, 3, 4), f(3, 4, 5), numpy=np.tensordot),
    C("tensordot", f(2, 3, 4), f(4, 3, 5), ([1, 2], [1, 0]), numpy=np.tensordot),
    C("tensordot", V, W, 0, numpy=np.tensordot),
    C("chain_matmul", A, B, f(2, 5)).but(peer=False), C("trace", A, numpy=np.trace),
    C("cross", f(2, 3), f(2, 3), 1, numpy=lambda x, y, d: np.cross(x, y)),
    C("cross", W, W + 1).but(peer=False),
    L("cross", f(2, 3), f(1, 3)),
    *(C("cdist", A, f(2, 4), p).but(second=False) for p in (1.0, 2.0, 3.0, math.inf)),
    C("cdist", f(2, 3, 4), f(2, 5, 4)).but(second=False),
    C("einsum", "ij,jk->ik", A, B, numpy=np.einsum),
    C("einsum", "bij,bjk->bik", f(2, 3, 4), f(2, 4, 5),
    numpy=np.einsum), C("einsum", "ij->ji", A, numpy=np.einsum),
    C("einsum", "ii", S, numpy=np.einsum),
    C("einsum", "ii->i", S, numpy=np.einsum), C("einsum", "ij,kl", A, B, numpy=np.einsum),
    C("einsum", "...ij,...jk->...ik", f(2, 3, 4), f(4, 5), numpy=np.einsum),
    C("einsum", "bhqd,bhkd->bhqk", f(2, 2, 3, 4), f(2, 2, 5, 4), numpy=np.einsum),
    C("einsum", "i,j,k->ijk", V, W, V, numpy=np.einsum), C("einsum", "ij,i,j->", A, W, V,
    numpy=np.einsum), C("einsum", "ij,j", A, V, numpy=np.einsum),
    C("einsum", "b...,...->b", f(2, 3, 4),
    f(3, 4)), C("einsum", "ij,ij->ij", A, f(1, 4)), C("einsum", "bn,anm,bm->ba",
    f(2, 3), f(5, 3, 4), f(2, 4), numpy=np.einsum), C("einsum", "i,i->", V, V, numpy=np.einsum),
    *(F("grouped_mm", a, b, offs=np.array(ends, np.int32)).but(peer=False) for a, b, ends in (
        (f(8, 4), f(2, 4, 4), [2, 8]), (f(2, 4, 8), f(8, 8), [4, 8]), (f(4, 8), f(8, 4), [2, 8]))),
    F("grouped_mm", f(2, 4, 8), f(2, 8, 4)).but(peer=False),
    L("multi_dot", (A, B, f(2, 3))), L("multi_dot", (W, A, B, f(2))), L("vecdot", A, f(3, 4)),
    L("vecdot", A, f(3, 4), dim=0), L("matmul", A, B), L("vander", W, N=4), L("vander", W),
    L("vector_norm", A), L("vector_norm", A, 1, 0), L("vector_norm", A, math.inf, (0, 1), True),
    L("vector_norm", A, 3.5, 1), L("vector_norm", A, -math.inf), L("vector_norm", A, 0, 1).but(
        second=False),
    L("matrix_norm", A), L("matrix_norm", f(2, 3, 4), 1), L("matrix_norm", f(2, 3, 4), -math.inf,
    keepdim=True), L("matrix_norm", f(2, 3, 4), math.inf, (0, 2)), L("norm", A),
    L("norm", A, "fro"),
    L("norm", A, 2.0, 1), L("norm", V, 3), L("norm", A, 1),
    C("matrix_power", S, 3, numpy=np.linalg.matrix_power),
    C("matrix_power", S, 0),
)
_FACTORS = (
    L("cholesky", _spd(2), numpy=np.linalg.cholesky).but(slopes=False),
    L("cholesky", _spd(), upper=True).but(slopes=False),
    L("qr", f(4, 3)), L("qr", f(3, 4)), L("qr", BATCH), L("qr", f(4, 3), "r").but(peer=False),
    L("svdvals", A), L("svdvals", BATCH), L("svd", S),
    L("svd", f(4, 3), False).but(peer=False),
    L("eigvalsh", _spd()).but(slopes=False), L("eigh", _spd(2)).but(slopes=False, peer=False),
    L("matrix_norm", A, 2), L("matrix_norm", A, "nuc"), L("matrix_norm", BATCH, -2, keepdim=True),
    L("cond", S), L("cond", S, 1).but(peer=False),
    L("det", S, numpy=np.linalg.det), C("det", BATCH), L("slogdet", BATCH), C("slogdet", -S),
    C("logdet", _spd()), C("logdet", _spd(2)),
    L("inv", BATCH, numpy=np.linalg.inv), C("inverse", S), M("inverse", S),
    L("solve", S, f(3, 2), numpy=np.linalg.solve), L("solve", S, W, numpy=np.linalg.solve),
    L("solve", BATCH, f(2, 3)), L("solve", BATCH, f(3, 2)), L("solve", S, f(2, 3), left=False),
    L("solve_triangular", S, f(3, 2), upper=True),
    L("solve_triangular", S, f(3, 2), upper=False, unitriangular=True),
    L("solve_triangular", S, f(2, 3), upper=True, left=False),
    C("cholesky_solve", f(3, 2), np.linalg.cholesky(_spd())).but(peer=False),
    C("cholesky_inverse", np.linalg.cholesky(_spd())).but(peer=False),
    L("pinv", A, numpy=np.linalg.pinv), L("pinv", f(4, 3)),
    L("pinv", _spd(), hermitian=True).but(slopes=False),
    C("pinverse", A), L("matrix_rank", A), L("matrix_rank", np.ones((3, 3))),
    L("lstsq", f(4, 3), f(4, 2), driver="gelsd").but(peer=False),
    C("matrix_power", S, -2), L("matrix_exp", A[:, :3], numpy=None), C("matrix_exp", BATCH),
    C("cholesky", _spd()).but(slopes=False, peer=False), C("qr", S).but(peer=False),
)
CASES = (*_PRODUCTS, *_FACTORS)
REJECTS = (
    C("mm", A, A), C("mm", A, V), C("bmm", f(2, 3, 4), f(3, 4, 2)), C("mv", A, W), C("dot", V, W),
    C("dot", A, A),
    C("einsum", "ij,jk", A, A), C("einsum", "ij", V), C("einsum", "ij->k", A),
    C("einsum", "ij,jk", A),
    C("tensordot", A, B, 2), C("cdist", A, B), C("trace", V), L("inv", A),
    L("inv", np.zeros((2, 2))),
    L("cholesky", -np.eye(2)), L("cholesky", i([1, 2], [2, 1])), L("det", A),
    L("solve", S, f(2, 2)), L("qr", V), L("eigvalsh", A),
    L("matrix_norm", V), L("matrix_norm", A, "max"), L("multi_dot", (A,)), C("outer", A, V),
    L("svd", V),
)
