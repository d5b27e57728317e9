"""Kernels of Fourier transforms, computed in float64 whatever the dtype.

Stockham's form of the mixed-radix algorithm, which needs no reordering: C. Van Loan,
"Computational Frameworks for the Fast Fourier Transform" (1992).  N points take N times the sum
of N's prime factors; large primes are taken care of in `eager.ops.cartesian`.
"""

from __future__ import annotations

import math

from eager.ops.types import F64, DType
from jit.kernels.matrices import load, store
from jit.kernels.steps import Kernel

#: How many float64 of room there are for a point: its root of unity, and two complex numbers.
ROOM = 6


def transform(dtype: DType, inverse: bool) -> Kernel:
    """Rows of ``n`` points ``after`` apart; imaginary parts lie ``plane`` behind real ones.

    A stage takes a factor ``f`` off the length: each of ``f`` results is the sum of ``f`` numbers,
    turned by roots of unity, which ``w`` holds first.
    """
    turn = (2.0 if inverse else -2.0) * math.pi
    source = f"""\
def kernel(x, out, w, n, after, plane, lo, hi):
    for i in range(n):
        angle = {turn!r} * cast_i64_f64(i) / cast_i64_f64(n)
        w[2 * i] = cos_f64(angle)
        w[2 * i + 1] = sin_f64(angle)
    for row in range(lo, hi):
        start = row // after * n * after + row % after
        here = 2 * n
        there = 4 * n
        for i in range(n):
            w[here + 2 * i] = {load("x[start + i * after]", dtype)}
            w[here + 2 * i + 1] = {load("x[plane + start + i * after]", dtype)}
        length = n
        stride = 1
        factor = 2
        while length > 1:
            while length % factor != 0:
                factor = factor + 1
            length = length // factor
            for k in range(length):
                for j in range(factor):
                    at = there + 2 * stride * (factor * k + j)
                    for i in range(2 * stride):
                        w[at + i] = 0.0
                    for r in range(factor):
                        root = 2 * (j * (r * (n // factor) + k * stride) % n)
                        cosine = w[root]
                        sine = w[root + 1]
                        point = here + 2 * stride * (k + length * r)
                        for i in range(stride):
                            a = w[point + 2 * i]
                            b = w[point + 2 * i + 1]
                            w[at + 2 * i] = w[at + 2 * i] + (a * cosine - b * sine)
                            w[at + 2 * i + 1] = w[at + 2 * i + 1] + (a * sine + b * cosine)
            stride = stride * factor
            other = here
            here = there
            there = other
        for i in range(n):
            out[start + i * after] = {store("w[here + 2 * i]", dtype)}
            out[plane + start + i * after] = {store("w[here + 2 * i + 1]", dtype)}
"""
    return Kernel("kernel", source, (dtype, dtype, F64), ("n", "after", "plane"))
