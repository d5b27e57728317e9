"""Ready parametrizations: weights of a given length, of spectral norm 1, and orthogonal ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from eager.engine import creation, streams
from eager.engine.mode import no_grad
from eager.engine.tensor import TAPED, Tensor
from eager.nn import functional as F
from eager.nn.module import Module
from eager.nn.utils.parametrize import register_parametrization
from eager.ops.errors import OpError

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]


def _weight_of(module: Module, name: str, what: str) -> Tensor:
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise OpError(f"{what}: module {module._get_name()} has no parameter or buffer with name "
                      f"{name!r}")
    return weight


# --- length and direction ----------------------------------------------------------------------
def norm_except_dim(v: Tensor, dim: int | None) -> Tensor:
    """The 2-norm over all dims but one, which are kept; over all of them for None and -1."""
    if dim is None or dim == -1:
        return v.norm()
    dims = tuple(k for k in range(v.ndim) if k != dim % v.ndim)
    return (v * v).sum(dims, keepdim=True).sqrt() if dims else v.abs()


class _WeightNorm(Module):
    """``g v / |v|``: a length and a direction (Salimans and Kingma, 2016)."""

    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return weight_v * (weight_g / norm_except_dim(weight_v, self.dim))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return norm_except_dim(weight, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Split a weight into its norms (over all dims but ``dim``) and its direction.

    They are ``original0`` and ``original1`` of ``module.parametrizations.<name>``.
    """
    _weight_of(module, name, "weight_norm")
    return register_parametrization(module, name, _WeightNorm(dim), unsafe=True)


# --- spectral norm -----------------------------------------------------------------------------
def as_matrix(weight: Tensor, dim: int) -> Tensor:
    """A weight as a matrix whose rows run along ``dim``."""
    if dim != 0:
        weight = weight.movedim(dim, 0)
    return weight.flatten(1)


def power_iteration(matrix: Tensor, u: Tensor, v: Tensor, times: int, eps: float) -> None:
    """Move ``u`` and ``v`` in place towards the first singular vectors of a matrix."""
    with no_grad():
        for _ in range(times):
            u.copy_(F.normalize(matrix @ v, dim=0, eps=eps))
            v.copy_(F.normalize(matrix.mT @ u, dim=0, eps=eps))


class _SpectralNorm(Module):
    """A weight over its largest singular value, found by power iteration (Miyato et al., 2018)."""

    _u: Tensor
    _v: Tensor

    def __init__(self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0,
                 eps: float = 1e-12) -> None:
        super().__init__()
        if not -weight.ndim <= dim < weight.ndim:
            raise OpError(f"spectral_norm: dim {dim} is out of range of {weight.spec}")
        if n_power_iterations <= 0:
            raise OpError(f"Expected n_power_iterations to be positive, but got "
                          f"n_power_iterations={n_power_iterations}")
        self.dim, self.eps, self.n_power_iterations = dim % weight.ndim, eps, n_power_iterations
        if weight.ndim > 1:
            with no_grad():
                matrix = as_matrix(weight.detach(), self.dim)
                for name, size in zip(("_u", "_v"), matrix.shape, strict=True):
                    drawn = streams.randn(size, dtype=weight.dtype)
                    self.register_buffer(name, F.normalize(drawn, dim=0, eps=eps))
                power_iteration(matrix, self._u, self._v, 15, eps)

    def forward(self, weight: Tensor) -> Tensor:
        if weight.ndim == 1:
            result: Tensor = F.normalize(weight, dim=0, eps=self.eps)
            return result
        matrix = as_matrix(weight, self.dim)
        if self.training:
            power_iteration(matrix, self._u, self._v, self.n_power_iterations, self.eps)
        u, v = self._u.clone(), self._v.clone()
        return weight / (u * (matrix @ v)).sum()

    def right_inverse(self, value: Tensor) -> Tensor:
        return value


def default_dim(module: Module) -> int:
    """The dim of a weight that counts outputs: 1 in transposed convolutions, else 0."""
    return int(any(c.__name__.startswith("ConvTranspose") for c in type(module).__mro__))


def spectral_norm(module: Module, name: str = "weight", n_power_iterations: int = 1,
                  eps: float = 1e-12, dim: int | None = None) -> Module:
    """Keep the spectral norm of a weight, as a matrix with rows along ``dim``, at 1.

    Each forward in training does ``n_power_iterations`` steps.
    """
    weight = _weight_of(module, name, "spectral_norm")
    where = default_dim(module) if dim is None else dim
    return register_parametrization(
        module, name, _SpectralNorm(weight, n_power_iterations, where, eps))


# --- orthogonal matrices -----------------------------------------------------------------------
class _Orthogonal(Module):
    """A matrix with orthonormal columns (rows where it is wider than high).

    ``matrix_exp`` and ``cayley`` map skew-symmetric matrices (Lezcano-Casado, 2019),
    ``householder`` multiplies reflections.  With ``use_trivialization`` the map starts at
    ``base``, the matrix that was there.
    """

    base: Tensor | None

    def __init__(self, weight: Tensor, orthogonal_map: str, *, use_trivialization: bool = True,
                 ) -> None:
        super().__init__()
        if orthogonal_map == "householder" and weight.dtype.kind == "c":
            raise OpError("orthogonal: householder does not support complex tensors")
        self.shape, self.orthogonal_map = tuple(weight.shape), orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, x: Tensor) -> Tensor:
        wide = x.shape[-2] < x.shape[-1]
        x = x.mT if wide else x
        q = _reflected(x) if self.orthogonal_map == "householder" else _rotated(
            x, self.orthogonal_map)
        base = self._buffers.get("base")
        q = q if base is None else base @ q
        return q.mT if wide else q

    def right_inverse(self, q: Tensor) -> Tensor:
        if tuple(q.shape) != self.shape:
            raise OpError(f"Expected a matrix or batch of matrices of shape {self.shape}. Got a "
                          f"tensor of shape {tuple(q.shape)}.")
        wide = q.shape[-2] < q.shape[-1]
        tall = q.detach().mT if wide else q.detach()
        if "base" not in self._buffers:
            if self.orthogonal_map != "householder":
                raise NotImplementedError(
                    "It is not possible to assign to the matrix exponential or the Cayley "
                    "parametrizations when use_trivialization=False.")
            start = _reflections(tall)
        else:
            self.base = _orthogonalized(tall)
            start = _negated_identity(tall)
        return start.mT.contiguous() if wide else start


def _rotated(x: Tensor, kind: str) -> Tensor:
    """Of a matrix [..., n, k], k columns of the rotation that its lower triangle names."""
    n, k = x.shape[-2:]
    lower = x.tril()
    if n != k:
        zeros = creation.zeros(*x.shape[:-2], n, n - k, dtype=x.dtype)
        lower = TAPED.concat(lower, zeros, dim=lower.ndim - 1)
    skew = lower - lower.mH
    if kind == "matrix_exp":
        q: Tensor = _linalg("matrix_exp", skew)
    else:
        one = creation.eye(n, dtype=x.dtype)
        q = _linalg("solve", one - 0.5 * skew, one + 0.5 * skew)
    return q if n == k else q[..., :k]


def _reflected(x: Tensor) -> Tensor:
    """The product of the reflections below the diagonal, with the signs on it.

    Reflection k is ``1 - tau v v^T``, v being column k with 1 on the diagonal.
    """
    n, k = x.shape[-2:]
    one = creation.eye(n, k, dtype=x.dtype)
    a = x.tril(-1) + one
    tau = 2.0 / (a * a).sum(-2)
    q = one
    for j in reversed(range(k)):
        v = a[..., :, j:j + 1]
        q = q - tau[..., None, j:j + 1] * (v @ (v.mT @ q))
    signs: Tensor = x.detach().diagonal(0, -2, -1).trunc()
    return q * signs.unsqueeze(-2)


def _reflections(q: Tensor) -> Tensor:
    """The reflections [..., n, k] whose product is an orthogonal matrix."""
    array = q._read("orthogonal")
    found = np.empty_like(array)
    for k in np.ndindex(array.shape[:-2]):
        h, tau = np.linalg.qr(array[k], mode="raw")
        a = np.ascontiguousarray(h.T)
        signs = np.where(np.diagonal(a) < 0, -1, 1) * np.where(tau == 0, -1, 1)
        np.fill_diagonal(a, signs)
        found[k] = a
    return Tensor(found)


def _orthogonalized(q: Tensor) -> Tensor:
    """An orthogonal matrix [..., n, n] that begins with the k columns of ``q``."""
    array = q._read("orthogonal")
    n, k = array.shape[-2:]
    if n != k:
        rest = streams.randn(*array.shape[:-2], n, n - k, dtype=q.dtype).numpy()
        array = np.concatenate([array, rest], -1)
    unit, r = np.linalg.qr(array)
    return Tensor((unit * np.sign(np.diagonal(r, 0, -2, -1))[..., None, :]).astype(array.dtype))


def _negated_identity(q: Tensor) -> Tensor:
    start = np.zeros(q.shape, q.dtype.numpy)
    k = np.arange(q.shape[-1])
    start[..., k, k] = -1
    return Tensor(start)


def _linalg(name: str, *args: Any) -> Any:
    from eager import linalg

    return getattr(linalg, name)(*args)


def orthogonal(module: Module, name: str = "weight", orthogonal_map: str | None = None, *,
               use_trivialization: bool = True) -> Module:
    """Keep a weight [..., n, k] orthogonal: columns, or rows if there are fewer, of length 1.

    ``orthogonal_map``: ``matrix_exp`` (of square ones by default), ``cayley`` or ``householder``.
    """
    weight = _weight_of(module, name, "orthogonal")
    if weight.ndim < 2:
        raise OpError(f"Expected a matrix or batch of matrices. Got a tensor of {weight.ndim} "
                      f"dimensions.")
    square = weight.shape[-2] == weight.shape[-1] or weight.dtype.kind == "c"
    kind = orthogonal_map or ("matrix_exp" if square else "householder")
    if kind not in ("matrix_exp", "cayley", "householder"):
        raise OpError(f'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". '
                      f"Got: {orthogonal_map}")
    return register_parametrization(
        module, name, _Orthogonal(weight, kind, use_trivialization=use_trivialization),
        unsafe=True)
