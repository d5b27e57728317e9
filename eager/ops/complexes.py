"""Complex numbers: taken apart, put together and conjugated.

A real result of a complex operand has no complex derivative, so these rules give torch's
gradient (the conjugate Wirtinger derivative) themselves and are marked as not holomorphic.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from eager.ops import cartesian
from eager.ops.composite import Composite
from eager.ops.errors import OpError
from eager.ops.families import Library, Pointwise
from eager.ops.op import Example, Op, Spelling
from eager.ops.types import F32, F64, Type, broadcast_shapes


def _kept(x: Type, /) -> Type:
    return x


def _part(x: Type, /) -> Type:
    return Type(x.dtype.to_real(), x.shape)


def _imaginary(x: Type, /) -> Type:
    if x.dtype.kind != "c":
        raise OpError(f"wants complex numbers, got {x}")
    return _part(x)


def _put_together(x: Type, y: Type, /) -> Type:
    if x.dtype is not y.dtype or x.dtype not in (F32, F64):
        raise OpError(f"the parts are float32 or float64, both alike, got {x} and {y}")
    return Type(x.dtype.to_complex(), broadcast_shapes(x.shape, y.shape))


def _run_complex(x: Any, y: Any) -> Any:
    out = np.empty(np.broadcast_shapes(x.shape, y.shape),
                   np.complex64 if x.dtype == np.float32 else np.complex128)
    out.real, out.imag = x, y  # a sum with 1j y would turn infinities into NaN
    return out


def _is_complex(F: Any, x: Any) -> bool:
    return bool(F.typeof(x).dtype.kind == "c")


def _grad_real(F: Any, g: Any, out: Any, x: Any) -> tuple[Any, ...]:
    return (F.complex(g, F.mul(g, 0.0)) if _is_complex(F, x) else g,)


def _grad_imag(F: Any, g: Any, out: Any, x: Any) -> tuple[Any, ...]:
    return (F.complex(F.mul(g, 0.0), g),)


def _typed_complex(x: Any, y: Any) -> None:
    _put_together(Type.of(x), Type.of(y))


_PARTS = (Example((((2, 3), "c64"),)), Example((((), "c128"),)), Example(((3,),)))

conj = Op("conj", "The complex conjugate of x; a real x as it is.", _kept, Pointwise(lambda x: x),
          forward=lambda x: np.conjugate(x) if x.dtype.kind == "c" else x,
          grad=lambda F, g, out, x: (F.conj(g),), complex=True, split=cartesian.conj,
          holomorphic=False, examples=_PARTS,
          spelling=Spelling(names=("conj_physical", "resolve_conj")))
real = Op("real", "The real part of x.", _part, Pointwise(lambda x: x), grad=_grad_real,
          forward=lambda x: x.real, complex=True, split=cartesian.real, holomorphic=False,
          examples=_PARTS, spelling=Spelling(("eager",)))
imag = Op("imag", "The imaginary part of x.", _imaginary, Library("imag"), grad=_grad_imag,
          forward=lambda x: x.imag.copy(), complex=True, split=cartesian.imag,
          holomorphic=False, examples=_PARTS[:2], spelling=None,
          precheck=lambda x: _imaginary(Type.of(x)), rejects=_PARTS[2:])
complex = Op("complex", "The complex numbers x + iy.", _put_together, Library("complex"),
             forward=_run_complex, precheck=_typed_complex, complex=True, holomorphic=False,
             split=cartesian.put_together,
             grad=lambda F, g, out, x, y: (F.real(g), F.imag(g)),
             spelling=Spelling(("eager",)),
             examples=(Example(((2, 3), (2, 3))), Example(((3,), ()))),
             rejects=(Example(((2,), ((2,), "f64"))), Example((((2,), "i64"), ((2,), "i64")))))

OPS = (conj, real, imag, complex)


# --- composites --------------------------------------------------------------------------------
def _imag(F: Any, input: Any) -> Any:
    """The imaginary part of a complex tensor."""
    if not _is_complex(F, input):
        raise OpError(f"imag: wants a complex tensor, got {F.typeof(input)}")
    return F.imag(input)


def view_as_real(F: Any, input: Any) -> Any:
    """The parts of complex [...] as [..., 2]; a copy."""
    if not _is_complex(F, input):
        raise OpError(f"view_as_real: wants a complex tensor, got {F.typeof(input)}")
    shape = F.typeof(input).shape
    parts = (F.reshape(p, shape=(*shape, 1)) for p in (F.real(input), F.imag(input)))
    return F.concat(*parts, dim=len(shape))


def view_as_complex(F: Any, input: Any) -> Any:
    """Pairs [..., 2] as complex numbers [...]; a copy."""
    shape = F.typeof(input).shape
    if not shape or shape[-1] != 2:
        raise OpError(f"view_as_complex: the last dim holds two parts, got {F.typeof(input)}")
    n = len(shape)
    x, y = (F.reshape(F.slice(input, starts=(0,) * (n - 1) + (k,), stops=(*shape[:-1], k + 1),
                              steps=(1,) * n), shape=shape[:-1]) for k in (0, 1))
    return F.complex(x, y)


def polar(F: Any, abs: Any, angle: Any) -> Any:
    """The complex numbers of given absolute values and angles in radians."""
    return F.complex(F.mul(abs, F.cos(angle)), F.mul(abs, F.sin(angle)))


def angle(F: Any, input: Any) -> Any:
    """The angle of each element in radians: of a real one 0 or pi."""
    t = F.typeof(input)
    if t.dtype.kind == "c":
        return F.atan2(F.imag(input), F.real(input))
    if t.dtype.kind != "f":
        input = F.cast(input, dtype=F32)
    bent = F.where(F.lt(input, 0), F.add(F.mul(input, 0.0), np.pi), F.mul(input, 0.0))
    return F.where(F.isnan(input), input, bent)


FUNCTIONS = (
    Composite("imag", _imag, Spelling(("eager",))),
    *(Composite(f.__name__, f, Spelling(("eager",)))
      for f in (view_as_real, view_as_complex, polar)),
    Composite("angle", angle, Spelling()))
