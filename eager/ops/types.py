"""Element types, tensor types and promotion: what every layer agrees on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eager.ops.errors import OpError

#: A dimension: an int, or a symbolic integer of the tracer that does Python arithmetic.
Dim = Any
Shape = tuple[Dim, ...]


@dataclass(frozen=True, slots=True, eq=False)
class DType:
    """One element type.  Interned: compare with ``is``."""

    name: str  #: in graphs and kernels: ``f32``
    public: str  #: as users spell it: ``float32``
    kind: str  #: ``b`` bool, ``i`` integer, ``f`` floating, ``c`` complex
    itemsize: int

    @property
    def numpy(self) -> np.dtype[Any]:
        """NumPy's dtype; bfloat16's comes with the package ml_dtypes."""
        return _NUMPY[self.name] if self.name in _NUMPY else _bfloat16()

    @property
    def is_floating_point(self) -> bool:
        return self.kind == "f"

    @property
    def is_complex(self) -> bool:
        return self.kind == "c"

    @property
    def is_signed(self) -> bool:
        return self.kind in "fc" or self.name[0] == "i"

    @property
    def wide(self) -> DType:
        """What arithmetic is done in: float32 for the half types, else this."""
        return F32 if self.kind == "f" and self.itemsize == 2 else self

    def to_complex(self) -> DType:
        """The complex dtype whose parts hold numbers of this one."""
        return self if self.kind == "c" else C128 if self is F64 else C64

    def to_real(self) -> DType:
        """The dtype of the parts of a complex one; a real dtype is its own."""
        return {"c64": F32, "c128": F64}.get(self.name, self)

    def __repr__(self) -> str:
        return f"eager.{self.public}"

    def __reduce__(self) -> tuple[Any, ...]:
        return dtype_named, (self.name,)


# Ordered by torch's promotion lattice within each kind.
_ROWS = (
    ("bool", "bool", "b", 1),
    ("u8", "uint8", "i", 1),
    ("i8", "int8", "i", 1),
    ("i16", "int16", "i", 2),
    ("i32", "int32", "i", 4),
    ("i64", "int64", "i", 8),
    ("f16", "float16", "f", 2),
    ("bf16", "bfloat16", "f", 2),
    ("f32", "float32", "f", 4),
    ("f64", "float64", "f", 8),
    ("c64", "complex64", "c", 8),
    ("c128", "complex128", "c", 16),
)
DTYPES: dict[str, DType] = {row[0]: DType(*row) for row in _ROWS}
BOOL, U8, I8, I16, I32, I64, F16, BF16, F32, F64, C64, C128 = DTYPES.values()
#: What kernels compute in.
NATIVE: dict[str, DType] = {d.name: d for d in (BOOL, U8, I8, I16, I32, I64, F32, F64)}
#: The kinds of dtype, weakest first.
KINDS = "bifc"

_NUMPY: dict[str, np.dtype[Any]] = {d.name: np.dtype(d.public) for d in DTYPES.values()
                                    if d is not BF16}
_BY_NUMPY: dict[np.dtype[Any], DType] = {n: DTYPES[name] for name, n in _NUMPY.items()}
_BY_PUBLIC: dict[str, DType] = {d.public: d for d in DTYPES.values()}
_BY_PYTHON: dict[type, DType] = {bool: BOOL, int: I64, float: F32, complex: C64}


def _bfloat16() -> np.dtype[Any]:
    try:
        import ml_dtypes
    except ImportError:
        raise OpError("bfloat16 needs the package ml_dtypes: pip install 'eager-jit[half]'"
                      ) from None
    dtype: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
    _NUMPY["bf16"] = dtype
    _BY_NUMPY[dtype] = BF16
    return dtype


def dtype_named(name: str) -> DType:
    """The dtype called ``name`` in graphs (``f32``)."""
    try:
        return DTYPES[name]
    except KeyError:
        raise OpError(f"no dtype is named {name!r}; there are {', '.join(DTYPES)}") from None


def dtype_of(dtype: np.dtype[Any]) -> DType:
    """The DType of a NumPy dtype."""
    try:
        return _BY_NUMPY[dtype]
    except KeyError:
        if dtype.name == "bfloat16":
            _bfloat16()
            return BF16
        known = ", ".join(d.public for d in DTYPES.values())
        raise OpError(f"arrays of dtype {dtype} are not supported; convert to {known}") from None


def as_dtype(value: Any) -> DType:
    """A DType from what users write: a DType, ``float``, ``"float32"`` or a NumPy dtype."""
    if isinstance(value, DType):
        return value
    if isinstance(value, type) and value in _BY_PYTHON:
        return _BY_PYTHON[value]
    if isinstance(value, str) and value in _BY_PUBLIC:
        return _BY_PUBLIC[value]
    try:
        return dtype_of(np.dtype(value))
    except TypeError:
        raise OpError(f"expected a dtype such as eager.float32, got {value!r}") from None


@dataclass(frozen=True, slots=True)
class Type:
    """Element type and shape of one tensor value."""

    dtype: DType
    shape: Shape

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def numel(self) -> Dim:
        """Number of elements."""
        return product(self.shape)

    @staticmethod
    def of(array: np.ndarray[Any, Any]) -> Type:
        return Type(dtype_of(array.dtype), array.shape)

    def __str__(self) -> str:
        return f"{self.dtype.name}[{', '.join(map(str, self.shape))}]"


def product(dims: Iterable[Dim]) -> Dim:
    """Product of dims; 1 for none."""
    result: Dim = 1
    for d in dims:
        result = result * d
    return result


def broadcast_shapes(*shapes: Sequence[Dim]) -> Shape:
    """NumPy's broadcast of shapes; a symbolic dim never counts as 1."""
    rank = max(map(len, shapes), default=0)
    result: list[Dim] = [1] * rank
    for shape in shapes:
        for i, d in enumerate(shape, rank - len(shape)):
            if result[i] is d or (type(d) is int and d == 1):
                continue
            if type(result[i]) is int and result[i] == 1:
                result[i] = d
            elif result[i] != d:
                words = " and ".join(str(list(s)) for s in shapes)
                raise OpError(f"shapes {words} do not broadcast: {result[i]} against {d}")
    return tuple(result)


def normalize_dim(dim: int, ndim: int) -> int:
    """``dim`` counted from the front; a 0-d tensor has the dims 0 and -1, as in PyTorch."""
    span = max(ndim, 1)
    if not -span <= dim < span:
        raise OpError(f"dim {dim} is out of range [{-span}, {span - 1}] of a {ndim}-d tensor")
    return dim % span


def normalize_dims(dim: int | Sequence[int] | None, ndim: int) -> tuple[int, ...]:
    """Ascending dims counted from the front; None and () mean all of them."""
    if dim is None or (not isinstance(dim, int) and len(dim) == 0):
        return tuple(range(ndim))
    if isinstance(dim, int):
        if isinstance(dim, bool):
            raise OpError(f"dim is a number or numbers, got {dim}; for all dims name what it is "
                          f"meant for, as in keepdim={dim}")
        at = normalize_dim(dim, ndim)
        return (at,) if ndim else ()
    dims = sorted(normalize_dim(d, ndim) for d in dim)
    if len(set(dims)) != len(dims):
        raise OpError(f"dim {tuple(dim)} names a dimension twice")
    return tuple(dims) if ndim else ()


def promote(a: DType, b: DType) -> DType:
    """torch's promotion of two dtypes of equal priority (int64 with float32 is float32)."""
    if a is b:
        return a
    if a.kind != b.kind:
        low, high = sorted((a, b), key=lambda d: KINDS.index(d.kind))
        return C128 if high.kind == "c" and low is F64 else high
    pair = {a.name, b.name}
    if pair in ({"u8", "i8"}, {"f16", "bf16"}):
        return I16 if a.kind == "i" else F32
    return max(a, b, key=lambda d: (d.itemsize, d is not U8))


def scalar_dtype(value: bool | int | float | complex) -> DType:
    """The dtype a bare Python number has where nothing else decides."""
    return _BY_PYTHON[type(value)]


def weak_promote(strong: Sequence[DType], zero_dim: Sequence[DType],
                 numbers: Sequence[DType]) -> DType:
    """torch's result type: tensors first, then 0-d tensors, then Python numbers.

    A weaker group only counts where its kind is above the stronger groups' kind; a complex
    number beside reals takes the precision of the reals.
    """
    result: DType | None = None
    for group in (strong, zero_dim, numbers):
        if not group:
            continue
        joined = group[0]
        for d in group[1:]:
            joined = promote(joined, d)
        if result is None:
            result = joined
        elif KINDS.index(joined.kind) > KINDS.index(result.kind):
            complexed = joined.kind == "c" and result.kind == "f"
            result = result.to_complex() if complexed else joined
    assert result is not None, "promotion of no operands"
    return result
