"""Sparse matrices as coordinates and values: what graph networks multiply by.

The values take part in gradients; the coordinates are data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from eager.engine.creation import tensor
from eager.engine.tensor import TAPED, Size, Tensor
from eager.ops.errors import OpError
from eager.ops.types import I64


class SparseTensor:
    """A tensor that is zero but at ``indices`` [dims, entries], where it holds ``values``.

    An entry given twice counts as the sum.
    """

    is_sparse = True

    def __init__(self, indices: Tensor, values: Tensor, size: Sequence[int]) -> None:
        self._at, self._held, self.shape = indices, values, Size(size)

    @property
    def dtype(self) -> Any:
        return self._held.dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def dim(self) -> int:
        return self.ndim

    def size(self, dim: int | None = None) -> Any:
        return self.shape if dim is None else self.shape[dim]

    def _indices(self) -> Tensor:
        return self._at

    def _values(self) -> Tensor:
        return self._held

    def indices(self) -> Tensor:
        """The coordinates [dims, entries]."""
        return self._at

    def values(self) -> Tensor:
        """The entries."""
        return self._held

    def _nnz(self) -> int:
        return int(self._at.shape[1])

    def coalesce(self) -> SparseTensor:
        """Entries of one place added up, in row-major order."""
        flat = np.ravel_multi_index(tuple(self._at.numpy()), tuple(self.shape))
        places, inverse = np.unique(flat, return_inverse=True)
        zero = TAPED.full(shape=(len(places),), value=0, dtype=self.dtype)
        held = TAPED.index_add(zero, Tensor(inverse), self._held, dim=0)
        return SparseTensor(Tensor(np.stack(np.unravel_index(places, tuple(self.shape)))), held,
                            self.shape)

    def to_dense(self) -> Tensor:
        """The same numbers with the zeros written out."""
        flat = np.ravel_multi_index(tuple(self._at.numpy()), tuple(self.shape))
        zero = TAPED.full(shape=(self.shape.numel(),), value=0, dtype=self.dtype)
        whole = TAPED.index_add(zero, Tensor(flat.astype(np.int64)), self._held, dim=0)
        dense: Tensor = whole.reshape(tuple(self.shape))
        return dense

    def t(self) -> SparseTensor:
        """The transpose of a matrix."""
        rows, columns = self._matrix("t")
        return SparseTensor(Tensor(np.stack([columns, rows])), self._held, self.shape[::-1])

    def _matrix(self, what: str) -> tuple[Any, Any]:
        if self.ndim != 2:
            raise OpError(f"sparse {what}: wants a matrix, this is {list(self.shape)}")
        rows, columns = self._at.numpy()
        return rows, columns

    def __matmul__(self, other: Tensor) -> Tensor:
        return mm(self, other)

    def __repr__(self) -> str:
        return (f"tensor(indices={self._at!r},\n       values={self._held!r},\n       "
                f"size={tuple(self.shape)}, nnz={self._nnz()}, layout=eager.sparse_coo)")


def sparse_coo_tensor(indices: Any, values: Any, size: Sequence[int] | None = None, *,
                      dtype: Any = None, device: Any = None) -> SparseTensor:
    """A sparse tensor of entries ``values`` [n] at ``indices`` [dims, n]."""
    at = indices if isinstance(indices, Tensor) else tensor(indices)
    held = values if isinstance(values, Tensor) else tensor(values)
    held = held if dtype is None else held.to(dtype)
    if at.ndim != 2 or at.dtype.kind != "i" or held.ndim != 1 or at.shape[1] != held.shape[0]:
        raise OpError(f"sparse_coo_tensor: wants integer indices [dims, n] and values [n], got "
                      f"{list(at.shape)} and {list(held.shape)}")
    at = at.to(I64)
    places = at.numpy()
    if size is None:
        size = tuple(int(k) + 1 for k in places.max(1)) if places.size else (0,) * places.shape[0]
    limits = np.asarray(size, np.int64)
    if len(size) != places.shape[0] or (places < 0).any() or (places >= limits[:, None]).any():
        raise OpError(f"sparse_coo_tensor: an index lies outside of size {tuple(size)}")
    return SparseTensor(at, held, size)


def mm(mat1: SparseTensor, mat2: Tensor) -> Tensor:
    """The product of a sparse matrix [m, k] and a dense one [k, n] (or a vector [k])."""
    if not isinstance(mat1, SparseTensor):
        return mat1 @ mat2
    rows, columns = mat1._matrix("mm")
    if mat2.shape[0] != mat1.shape[1] or mat2.ndim not in (1, 2):
        raise OpError(f"sparse mm: {list(mat1.shape)} has no product with {list(mat2.shape)}")
    held = mat1._held if mat2.ndim == 1 else mat1._held.reshape(-1, 1)
    picked = TAPED.index_select(mat2, Tensor(np.ascontiguousarray(columns)), dim=0)
    zero = TAPED.full(shape=(mat1.shape[0], *mat2.shape[1:]), value=0, dtype=mat2.dtype)
    result: Tensor = TAPED.index_add(zero, Tensor(np.ascontiguousarray(rows)),
                                     TAPED.mul(picked, held), dim=0)
    return result
