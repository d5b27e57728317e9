"""Methods of Tensor that give it another dtype or say what it is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from eager.engine.device import CPU, check_device, device
from eager.engine.dispatch import apply
from eager.ops.errors import OpError
from eager.ops.table import TABLE
from eager.ops.types import (
    BF16,
    BOOL,
    C64,
    C128,
    F16,
    F32,
    F64,
    I8,
    I16,
    I32,
    I64,
    U8,
    as_dtype,
)

if TYPE_CHECKING:
    from eager.engine.tensor import Tensor


#: torch's names of tensors by dtype, which programs compare and pass.
_NAMES = {F32: "FloatTensor", F64: "DoubleTensor", F16: "HalfTensor", BF16: "BFloat16Tensor",
          U8: "ByteTensor", I8: "CharTensor", I16: "ShortTensor", I32: "IntTensor",
          I64: "LongTensor", BOOL: "BoolTensor", C64: "ComplexFloatTensor",
          C128: "ComplexDoubleTensor"}
_OF_NAME = {name: dtype for dtype, name in _NAMES.items()}


class Conversions:
    """The part of `Tensor` that converts; a mixin without state."""

    __slots__ = ()

    # --- to another dtype ------------------------------------------------------------------
    def to(self: Tensor, *args: Any, dtype: Any = None, device: Any = None,
           non_blocking: bool = False, copy: bool = False, memory_format: Any = None) -> Tensor:
        """This tensor in another dtype (``dtype``, or that of another tensor), or itself.

        The only device is the CPU; ``copy`` gives a new tensor in any case.
        """
        for a in args:
            if hasattr(a, "_needs"):
                dtype, device = a.dtype, None
            elif a is None or isinstance(a, str):
                device = a
            elif not isinstance(a, bool):  # else it says whether to wait, which is always
                dtype = a
        check_device(device)
        if dtype is None or as_dtype(dtype) is self.dtype:
            return self.clone() if copy else self
        return apply(TABLE["cast"], (self,), {"dtype": as_dtype(dtype)})

    def type(self: Tensor, dtype: Any = None, non_blocking: Any = False) -> Any:
        """torch's name of the type; with ``dtype``, the tensor in that dtype."""
        if dtype is not None:
            named = dtype.rpartition(".")[2] if isinstance(dtype, str) else dtype
            return self.to(_OF_NAME.get(named, dtype))
        return f"torch.{_NAMES[self.dtype]}"

    def half(self: Tensor) -> Tensor:
        return self.to(F16)

    def bfloat16(self: Tensor) -> Tensor:
        return self.to(BF16)

    def float(self: Tensor) -> Tensor:
        return self.to(F32)

    def double(self: Tensor) -> Tensor:
        return self.to(F64)

    def cfloat(self: Tensor) -> Tensor:
        return self.to(C64)

    def cdouble(self: Tensor) -> Tensor:
        return self.to(C128)

    def byte(self: Tensor) -> Tensor:
        return self.to(U8)

    def char(self: Tensor) -> Tensor:
        return self.to(I8)

    def short(self: Tensor) -> Tensor:
        return self.to(I16)

    def int(self: Tensor) -> Tensor:
        return self.to(I32)

    def long(self: Tensor) -> Tensor:
        return self.to(I64)

    def bool(self: Tensor) -> Tensor:
        return self.to(BOOL)

    def type_as(self: Tensor, other: Tensor) -> Tensor:
        return self.to(other.dtype)

    def cpu(self: Tensor) -> Tensor:
        return self

    def cuda(self: Tensor, device: Any = None, non_blocking: Any = False) -> Tensor:
        """Refused: eager tensors live on the CPU."""
        check_device("cuda" if device is None else device)
        return self

    def clone(self: Tensor, *, memory_format: Any = None) -> Tensor:
        """A copy that gradients flow through."""
        return apply(TABLE["clone"], (self,))

    def contiguous(self: Tensor, memory_format: Any = None) -> Tensor:
        """This tensor if its elements lie in order, else a copy that does."""
        return self if self.is_contiguous() else self.clone()

    # --- what it is ------------------------------------------------------------------------
    @property
    def device(self) -> device:
        return CPU

    @property
    def itemsize(self: Tensor) -> Any:
        return self.dtype.itemsize

    @property
    def nbytes(self: Tensor) -> Any:
        return self.dtype.itemsize * self.numel()

    def element_size(self: Tensor) -> Any:
        return self.dtype.itemsize

    def nelement(self: Tensor) -> Any:
        return self.numel()

    def dim(self: Tensor) -> Any:
        return self.ndim

    def ndimension(self: Tensor) -> Any:
        return self.ndim

    def is_floating_point(self: Tensor) -> Any:
        return self.dtype.kind == "f"

    def is_complex(self: Tensor) -> Any:
        return self.dtype.kind == "c"

    def is_signed(self: Tensor) -> Any:
        return self.dtype.is_signed

    def is_contiguous(self: Tensor, memory_format: Any = None) -> Any:
        return self._array.flags.c_contiguous

    def storage_offset(self: Tensor) -> Any:
        """How many elements into its memory it starts."""
        base = self._array
        while isinstance(base.base, np.ndarray):
            base = base.base
        return (self._array.ctypes.data - base.ctypes.data) // self._array.itemsize

    def get_device(self) -> Any:
        """-1: the CPU."""
        return -1

    @property
    def is_cuda(self) -> Any:
        return False

    @property
    def is_sparse(self) -> Any:
        return False

    @property
    def is_quantized(self) -> Any:
        return False

    @property
    def is_nested(self) -> Any:
        return False

    @property
    def is_meta(self) -> Any:
        return False

    # --- turned and taken apart ------------------------------------------------------------
    @property
    def mT(self: Tensor) -> Tensor:
        """The matrices of the last two dims, transposed."""
        n = self.ndim
        if n < 2:
            raise OpError(f"mT: wants two dims or more, this is {n}-d")
        return apply(TABLE["permute"], (self,), {"dims": (*range(n - 2), n - 1, n - 2)})

    @property
    def mH(self: Tensor) -> Tensor:
        """The adjoint matrices of the last two dims."""
        return self.mT if self.dtype.kind != "c" else apply(TABLE["conj"], (self.mT,))

    @property
    def H(self: Tensor) -> Tensor:
        """The adjoint of a matrix."""
        if self.ndim not in (0, 2):
            raise OpError(f"H: wants a matrix, this is {self.ndim}-d; use mH")
        return self.mH if self.ndim else self

    @property
    def real(self: Tensor) -> Tensor:
        """The real part; a real tensor is its own."""
        return self if self.dtype.kind != "c" else apply(TABLE["real"], (self,))

    @property
    def imag(self: Tensor) -> Tensor:
        """The imaginary part of a complex tensor."""
        if self.dtype.kind != "c":
            raise OpError("imag: wants a complex tensor")
        return apply(TABLE["imag"], (self,))
