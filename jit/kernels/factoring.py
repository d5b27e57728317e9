"""Kernels that factorise one matrix or solve with it; computed in float64 whatever the dtype.

Operands come with the strides of their rows and columns; the result lies row-major.  What has no
answer (a pivot of 0, a matrix that is not positive definite) leaves code 8.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from eager.ops.types import F64, DType
from jit.kernels.steps import Kernel


@dataclass(frozen=True)
class Routine:
    """The kernel of a routine, and how many float64 of room it needs for [m, n] and [n, k]."""

    kernel: Kernel
    room: Callable[[Any, Any, Any], Any]


def routine(name: str, dtype: DType, attrs: dict[str, Any]) -> Routine | None:
    """The routine of a library op on matrices of a dtype; None where there is none."""
    make = _ROUTINES.get(name)
    return None if make is None else make(dtype, attrs)


def _load(text: str, dtype: DType) -> str:
    return text if dtype is F64 else f"cast_{dtype.name}_f64({text})"


def _store(text: str, dtype: DType) -> str:
    return text if dtype is F64 else f"cast_f64_{dtype.name}({text})"


def _kernel(body: str, dtype: DType, operands: int, room: bool) -> Kernel:
    buffers = (dtype,) * (operands + 1) + ((F64,) if room else ())
    sizes = ("m", "n", "ar", "ac") + (("k", "br", "bc") if operands == 2 else ())
    names = ", ".join(("a", "b")[:operands] + ("out",) + (("w",) if room else ()) + sizes)
    return Kernel("kernel", f"def kernel({names}, err, lo, hi):\n{body}", buffers, sizes,
                  reports=True)


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
            w[i * wide + j] = {_load("a[i * ar + j * ac]", dtype)}
"""


def _solve(dtype: DType, attrs: dict[str, Any]) -> Routine:
    body = f"""\
    wide = n + k
{_read_into_room(dtype)}\
        for j in range(k):
            w[i * wide + n + j] = {_load("b[i * br + j * bc]", dtype)}
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
            out[p * k + j - n] = {_store("total / pivot", dtype)}
"""
    return Routine(_kernel(body, dtype, 2, True), lambda m, n, k: n * (n + k))


def _det(dtype: DType, attrs: dict[str, Any]) -> Routine:
    body = f"""\
    wide = n
{_read_into_room(dtype)}{_ELIMINATE}\
    for p in range(n):
        sign = sign * w[p * n + p]
    out[0] = {_store("sign", dtype)}
"""
    return Routine(_kernel(body, dtype, 1, True), lambda m, n, k: n * n)


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
    out[0] = {_store("sign", dtype)}
    out[1] = {_store("total", dtype)}
"""
    return Routine(_kernel(body, dtype, 1, True), lambda m, n, k: n * n)


def _triangular(dtype: DType, attrs: dict[str, Any]) -> Routine:
    upper = attrs["upper"]
    at = _load("a[p * ar + i * ac]", dtype)
    divide = "" if attrs["unitriangular"] else f"""\
            pivot = {_load("a[p * ar + p * ac]", dtype)}
            if pivot == 0.0:
                err[0] = 8
                return
            total = total / pivot
"""
    body = f"""\
    for q in range(n):
        p = {"n - 1 - q" if upper else "q"}
        for j in range(k):
            total = {_load("b[p * br + j * bc]", dtype)}
            for i in range({"p + 1, n" if upper else "0, p"}):
                total = total - {at} * w[i * k + j]
{divide}\
            w[p * k + j] = total
            out[p * k + j] = {_store("total", dtype)}
"""
    return Routine(_kernel(body, dtype, 2, True), lambda m, n, k: n * k)


def _cholesky(dtype: DType, attrs: dict[str, Any]) -> Routine:
    body = f"""\
    for i in range(n):
        for j in range(n):
            out[i * n + j] = {_store("0.0", dtype)}
        for j in range(i + 1):
            total = {_load("a[i * ar + j * ac]", dtype)}
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
            out[i * n + j] = {_store("total", dtype)}
"""
    return Routine(_kernel(body, dtype, 1, True), lambda m, n, k: n * n)


def _qr(dtype: DType, attrs: dict[str, Any]) -> Routine:
    """Householder's reflections, in LAPACK's signs: Q [m, k] above the transpose of R [n, k].

    ``w`` holds the matrix (R above the diagonal, the vectors below it, scaled to begin with 1),
    then the factors of the reflections.
    """
    body = f"""\
    short = imin(m, n)
    for i in range(m):
        for j in range(n):
            w[i * n + j] = {_load("a[i * ar + j * ac]", dtype)}
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
            out[i * short + j] = {_store("w[base + i * short + j]", dtype)}
    for i in range(n):
        for j in range(short):
            total = w[j * n + i] if j <= i else 0.0
            out[(m + i) * short + j] = {_store("total", dtype)}
"""
    return Routine(_kernel(body, dtype, 1, True),
                   lambda m, n, k: m * n + m + m * n)  # the matrix, the factors, Q


_ROUTINES: dict[str, Callable[[DType, dict[str, Any]], Routine]] = {
    "solve": _solve, "det": _det, "slogdet": _slogdet, "solve_triangular": _triangular,
    "cholesky": _cholesky, "qr": _qr,
}
