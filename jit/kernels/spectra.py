"""Kernels that find eigenvalues and singular values, by Jacobi's rotations.

Each rotation makes one pair of rows orthogonal; sweeps over all pairs converge quadratically and
to high relative accuracy.  G. Golub and C. Van Loan, "Matrix Computations" (2013), 8.5 and 8.6;
J. Demmel and K. Veselic, "Jacobi's method is more accurate than QR" (1992).  The time of a
sweep grows with the cube of the size.

Vectors come in the order of NumPy's, and with signs of their own: what is first of at least a
third of the largest component is positive.
"""

from __future__ import annotations

from typing import Any

from eager.ops.types import DType
from jit.kernels.matrices import Maker, Routine, load, matrix_kernel, store

#: Sweeps after which it ends; random matrices of 500 rows need ten.
_MOST_SWEEPS = 40

#: The rotation that makes what has squares ``alpha``, ``beta`` and product ``gamma`` orthogonal.
_ANGLE = """\
            zeta = (beta - alpha) / (2.0 * gamma)
            slope = 1.0 / (abs_f64(zeta) + sqrt_f64(1.0 + zeta * zeta))
            if zeta < 0.0:
                slope = -slope
            cosine = 1.0 / sqrt_f64(1.0 + slope * slope)
            sine = cosine * slope
"""


def _rotate(rows: str, length: str) -> str:
    """Rows ``p`` and ``q`` of a matrix in ``w`` turned by the angle."""
    return f"""\
            for i in range({length}):
                x = w[{rows} + p * {length} + i]
                y = w[{rows} + q * {length} + i]
                w[{rows} + p * {length} + i] = cosine * x - sine * y
                w[{rows} + q * {length} + i] = sine * x + cosine * y
"""


def _sign_of(rows: str, length: str) -> str:
    """``sign`` and the row ``best`` of it: see the module's first words."""
    return f"""\
        largest = 0.0
        for i in range({length}):
            if abs_f64(w[{rows} + best * {length} + i]) > largest:
                largest = abs_f64(w[{rows} + best * {length} + i])
        sign = 0.0
        for i in range({length}):
            x = w[{rows} + best * {length} + i]
            if sign == 0.0 and abs_f64(x) > 0.34 * largest:
                sign = -1.0 if x < 0.0 else 1.0
"""


def _eigh(dtype: DType, attrs: dict[str, Any]) -> Routine:
    """The matrix (its lower half) becomes diagonal; the rotations' product has the vectors as rows.

    ``w`` holds the matrix, scaled to at most 1, then the vectors.  What is not finite gives NaN.
    """
    body = f"""\
    size = 0.0
    fault = 0.0
    for i in range(n):
        for j in range(i + 1):
            x = {load("a[i * ar + j * ac]", dtype)}
            fault = fault + (x - x)
            if abs_f64(x) > size:
                size = abs_f64(x)
    scale = size if size > 0.0 else 1.0
    total = 0.0
    for i in range(n):
        for j in range(n):
            x = {load("a[imax(i, j) * ar + imin(i, j) * ac]", dtype)} / scale
            total = total + x * x
            w[i * n + j] = x
            w[n * n + i * n + j] = 1.0 if i == j else 0.0
    rest = total if fault == 0.0 else 0.0
    sweep = 0
    while rest > 1e-40 * total and sweep < {_MOST_SWEEPS}:
        sweep = sweep + 1
        for p in range(n):
          for q in range(p + 1, n):
            gamma = w[p * n + q]
            if gamma == 0.0:
                continue
            alpha = w[p * n + p]
            beta = w[q * n + q]
{_ANGLE}{_rotate("0", "n")}{_rotate("n * n", "n")}\
            for i in range(n):
                w[i * n + p] = w[p * n + i]
                w[i * n + q] = w[q * n + i]
            w[p * n + p] = alpha - slope * gamma
            w[q * n + q] = beta + slope * gamma
            w[p * n + q] = 0.0
            w[q * n + p] = 0.0
        rest = 0.0
        for i in range(n):
            for j in range(i):
                rest = rest + w[i * n + j] * w[i * n + j]
    for j in range(n):
        w[j] = w[j * n + j]
    for j in range(n):
        best = j
        for i in range(j + 1, n):
            if w[i] < w[best]:
                best = i
        out[j] = {store("w[best] * scale + fault", dtype)}
{_sign_of("n * n", "n")}\
        for i in range(n):
            x = w[n * n + best * n + i]
            out[(1 + i) * n + j] = {store("x * sign + fault", dtype)}
            w[n * n + best * n + i] = w[n * n + j * n + i]
        w[best] = w[j]
"""
    return Routine(matrix_kernel(body, dtype, 1), lambda m, n, k: n * n + n * n)


#: A row of nothing but rounding becomes a unit vector orthogonal to the rows already taken: what
#: they leave of one of the axes, of which at least one keeps enough.
_COMPLETE = """\
        if length == 0.0:
            for axis in range(long):
                if length > 0.0:
                    continue
                for i in range(long):
                    w[best * long + i] = 1.0 if i == axis else 0.0
                for again in range(2):
                    for q in range(short):
                        if w[order + q] < 0.0:
                            gamma = 0.0
                            for i in range(long):
                                gamma = gamma + w[best * long + i] * w[q * long + i]
                            for i in range(long):
                                w[best * long + i] = (w[best * long + i]
                                                      - gamma * w[q * long + i])
                rest = 0.0
                for i in range(long):
                    rest = rest + w[best * long + i] * w[best * long + i]
                if rest * 2.0 * cast_i64_f64(long) >= 1.0:
                    length = sqrt_f64(rest)
"""


def _scaled_columns(dtype: DType) -> str:
    """``w`` begins with the columns (of a wide matrix the rows), scaled to at most 1, and the
    product of no rotations."""
    return f"""\
    long = imax(m, n)
    short = imin(m, n)
    tall = m >= n
    turns = short * long
    order = turns + short * short
    size = 0.0
    for i in range(m):
        for j in range(n):
            x = {load("a[i * ar + j * ac]", dtype)}
            if x - x != 0.0:
                err[0] = 9
                return
            if abs_f64(x) > size:
                size = abs_f64(x)
    scale = size if size > 0.0 else 1.0
    for i in range(m):
        for j in range(n):
            at = j * long + i if tall else i * long + j
            w[at] = {load("a[i * ar + j * ac]", dtype)} / scale
    for i in range(short):
        for j in range(short):
            w[turns + i * short + j] = 1.0 if i == j else 0.0
"""


def _made_orthogonal() -> str:
    """Sweeps over all pairs of rows, until a sweep turns none."""
    return f"""\
    turned = 1
    sweep = 0
    while turned > 0 and sweep < {_MOST_SWEEPS}:
        sweep = sweep + 1
        turned = 0
        for p in range(short):
          for q in range(p + 1, short):
            alpha = 0.0
            beta = 0.0
            gamma = 0.0
            for i in range(long):
                x = w[p * long + i]
                y = w[q * long + i]
                alpha = alpha + x * x
                beta = beta + y * y
                gamma = gamma + x * y
            if gamma == 0.0 or abs_f64(gamma) <= 1e-15 * sqrt_f64(alpha) * sqrt_f64(beta):
                continue
            turned = 1
{_ANGLE}{_rotate("0", "long")}{_rotate("turns", "short")}\
"""


def _largest_first(dtype: DType) -> str:
    """The rows' lengths and directions into the result, the largest first."""
    return f"""\
    for p in range(short):
        total = 0.0
        for i in range(long):
            total = total + w[p * long + i] * w[p * long + i]
        w[order + p] = sqrt_f64(total)
    first = 0 if tall else m + 1
    second = m + 1 if tall else 0
    floor = 0.0
    for j in range(short):
        best = 0
        for p in range(short):
            if w[order + p] > w[order + best]:
                best = p
        taken = w[order + best]
        if j == 0:
            floor = 2.3e-16 * cast_i64_f64(long) * taken
        length = taken if taken > floor else 0.0
        out[m * short + j] = {store("taken * scale", dtype)}
{_COMPLETE}\
        for i in range(long):
            w[best * long + i] = w[best * long + i] / length
        w[order + best] = -1.0
{_sign_of("0", "long")}\
        for i in range(long):
            x = w[best * long + i]
            out[(first + i) * short + j] = {store("x * sign", dtype)}
        for i in range(short):
            x = w[turns + best * short + i]
            out[(second + i) * short + j] = {store("x * sign", dtype)}
"""


def _svd(dtype: DType, attrs: dict[str, Any]) -> Routine:
    """The shorter side's rows turned until they are orthogonal: their lengths are the values.

    ``w`` holds the columns (of a wide matrix the rows), scaled to at most 1, then the product of
    the rotations, then the values, negative once they are taken.
    """
    body = _scaled_columns(dtype) + _made_orthogonal() + _largest_first(dtype)
    return Routine(matrix_kernel(body, dtype, 1),
                   # the shorter side's rows fit in [m, n]; of its square the product has room
                   lambda m, n, k: m * n + n * n + n)


SPECTRA: dict[str, Maker] = {"eigh": _eigh, "svd": _svd}
