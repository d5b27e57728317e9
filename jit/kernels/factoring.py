"""Kernels that factorise one matrix by elimination or reflections, or solve with it.

What has no answer (a pivot of 0, a matrix that is not positive definite) leaves code 8.
"""

from __future__ import annotations

from typing import Any

from eager.ops.types import DType
from jit.kernels.matrices import Maker, Routine, load, matrix_kernel, store

#: Gauss's elimination with row exchanges, in ``w``: L below the diagonal, U from it on.  A row of
#: ``w`` is ``wide`` long: right sides, if any, stand behind the matrix and are eliminated too.
_ELIMINATE = """\
    sign = 1.0
    for p in range(n):
        best = p
        for i in range(p + 1, n):
            if abs_f64(w[i * wide + p]) > abs_f64(w[best * wide + p]):
                best = i
        if best != p:
            sign = -sign
            for j in range(wide):
                kept = w[p * wide + j]
                w[p * wide + j] = w[best * wide + j]
                w[best * wide + j] = kept
        pivot = w[p * wide + p]
        if pivot != 0.0:
            for i in range(p + 1, n):
                factor = w[i * wide + p] / pivot
                w[i * wide + p] = factor
                for j in range(p + 1, wide):
                    w[i * wide + j] = w[i * wide + j] - factor * w[p * wide + j]
"""


def _read_into_room(dtype: DType) -> str:
    return f"""\
    for i in range(n):
        for j in range(n):
            w[i * wide + j] = {load("a[i * ar + j * ac]", dtype)}
"""


def _solve(dtype: DType, attrs: dict[str, Any]) -> Routine:
    body = f"""\
    wide = n + k
{_read_into_room(dtype)}\
        for j in range(k):
            w[i * wide + n + j] = {load("b[i * br + j * bc]", dtype)}
{_ELIMINATE}\
    for q in range(n):
        p = n - 1 - q
        pivot = w[p * wide + p]
        if pivot == 0.0:
            err[0] = 8
            return
        for j in range(n, wide):
            total = w[p * wide + j]
            for i in range(p + 1, n):
                total = total - w[p * wide + i] * w[i * wide + j]
            w[p * wide + j] = total / pivot
            out[p * k + j - n] = {store("total / pivot", dtype)}
"""
    return Routine(matrix_kernel(body, dtype, 2), lambda m, n, k: n * (n + k))


def _det(dtype: DType, attrs: dict[str, Any]) -> Routine:
    body = f"""\
    wide = n
{_read_into_room(dtype)}{_ELIMINATE}\
    for p in range(n):
        sign = sign * w[p * n + p]
    out[0] = {store("sign", dtype)}
"""
    return Routine(matrix_kernel(body, dtype, 1), lambda m, n, k: n * n)


def _slogdet(dtype: DType, attrs: dict[str, Any]) -> Routine:
    body = f"""\
    wide = n
{_read_into_room(dtype)}{_ELIMINATE}\
    total = 0.0
    for p in range(n):
        pivot = w[p * n + p]
        if pivot < 0.0:
            sign = -sign
        if pivot == 0.0:
            sign = 0.0
        total = total + log_f64(abs_f64(pivot))
    out[0] = {store("sign", dtype)}
    out[1] = {store("total", dtype)}
"""
    return Routine(matrix_kernel(body, dtype, 1), lambda m, n, k: n * n)


def _triangular(dtype: DType, attrs: dict[str, Any]) -> Routine:
    upper = attrs["upper"]
    at = load("a[p * ar + i * ac]", dtype)
    divide = "" if attrs["unitriangular"] else f"""\
            pivot = {load("a[p * ar + p * ac]", dtype)}
            if pivot == 0.0:
                err[0] = 8
                return
            total = total / pivot
"""
    body = f"""\
    for q in range(n):
        p = {"n - 1 - q" if upper else "q"}
        for j in range(k):
            total = {load("b[p * br + j * bc]", dtype)}
            for i in range({"p + 1, n" if upper else "0, p"}):
                total = total - {at} * w[i * k + j]
{divide}\
            w[p * k + j] = total
            out[p * k + j] = {store("total", dtype)}
"""
    return Routine(matrix_kernel(body, dtype, 2), lambda m, n, k: n * k)


def _cholesky(dtype: DType, attrs: dict[str, Any]) -> Routine:
    body = f"""\
    for i in range(n):
        for j in range(n):
            out[i * n + j] = {store("0.0", dtype)}
        for j in range(i + 1):
            total = {load("a[i * ar + j * ac]", dtype)}
            for p in range(j):
                total = total - w[i * n + p] * w[j * n + p]
            if i == j:
                if not total > 0.0:
                    err[0] = 8
                    return
                total = sqrt_f64(total)
            else:
                total = total / w[j * n + j]
            w[i * n + j] = total
            out[i * n + j] = {store("total", dtype)}
"""
    return Routine(matrix_kernel(body, dtype, 1), lambda m, n, k: n * n)


def _qr(dtype: DType, attrs: dict[str, Any]) -> Routine:
    """Householder's reflections, in LAPACK's signs: Q [m, k] above the transpose of R [n, k].

    ``w`` holds the matrix (R above the diagonal, the vectors below it, scaled to begin with 1),
    then the factors of the reflections.
    """
    body = f"""\
    short = imin(m, n)
    for i in range(m):
        for j in range(n):
            w[i * n + j] = {load("a[i * ar + j * ac]", dtype)}
    for p in range(short):
        rest = 0.0
        for i in range(p + 1, m):
            rest = rest + w[i * n + p] * w[i * n + p]
        alpha = w[p * n + p]
        factor = 0.0
        if rest > 0.0:
            beta = sqrt_f64(alpha * alpha + rest)
            if alpha > 0.0:
                beta = -beta
            factor = (beta - alpha) / beta
            for i in range(p + 1, m):
                w[i * n + p] = w[i * n + p] / (alpha - beta)
            w[p * n + p] = beta
        w[m * n + p] = factor
        for j in range(p + 1, n):
            total = w[p * n + j]
            for i in range(p + 1, m):
                total = total + w[i * n + p] * w[i * n + j]
            total = total * factor
            w[p * n + j] = w[p * n + j] - total
            for i in range(p + 1, m):
                w[i * n + j] = w[i * n + j] - w[i * n + p] * total
    base = m * n + short
    for i in range(m):
        for j in range(short):
            w[base + i * short + j] = 1.0 if i == j else 0.0
    for q in range(short):
        p = short - 1 - q
        factor = w[m * n + p]
        for j in range(short):
            total = w[base + p * short + j]
            for i in range(p + 1, m):
                total = total + w[i * n + p] * w[base + i * short + j]
            total = total * factor
            w[base + p * short + j] = w[base + p * short + j] - total
            for i in range(p + 1, m):
                w[base + i * short + j] = w[base + i * short + j] - w[i * n + p] * total
    for i in range(m):
        for j in range(short):
            out[i * short + j] = {store("w[base + i * short + j]", dtype)}
    for i in range(n):
        for j in range(short):
            total = w[j * n + i] if j <= i else 0.0
            out[(m + i) * short + j] = {store("total", dtype)}
"""
    return Routine(matrix_kernel(body, dtype, 1),
                   lambda m, n, k: m * n + m + m * n)  # the matrix, the factors, Q


FACTORINGS: dict[str, Maker] = {
    "solve": _solve, "det": _det, "slogdet": _slogdet, "solve_triangular": _triangular,
    "cholesky": _cholesky, "qr": _qr,
}
