"""Complex numbers: parts, conjugates, arithmetic and its gradients."""

from __future__ import annotations

import numpy as np

from tests.ops.cases.case import C, f

Z = f(2, 3) + 1j * f(2, 3)
W = f(3, low=0.5) + 1j * f(3)


CASES = (
    C("complex", f(2, 3), f(2, 3)), C("polar", f(3, low=0.1), f(3)),
    C("real", Z, numpy=np.real), C("imag", Z, numpy=np.imag), C("angle", Z, numpy=np.angle),
    C("abs", Z, numpy=np.abs), C("conj", Z, numpy=np.conj),
    C("view_as_real", Z), C("view_as_complex", f(3, 2)),
    C("mul", Z, W, numpy=np.multiply), C("div", Z, W, numpy=np.divide), C("add", Z, W),
    C("sub", Z, 2.5), C("mul", Z, f(3)), C("exp", Z, numpy=np.exp), C("log", W, numpy=np.log),
    C("sqrt", W, numpy=np.sqrt), C("sin", W, numpy=np.sin), C("tanh", W), C("square", W),
    C("sum", Z, 1), C("matmul", Z, Z.T.copy()), C("reciprocal", W), C("eq", Z, Z),
)
REJECTS = (C("lt", Z, Z), C("floor", Z), C("complex", f(2), f(2).astype(np.float32)),
           C("view_as_complex", f(3)), C("imag", f(3)), C("maximum", Z, Z))
