"""Normalisation layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from eager.engine import creation
from eager.engine.device import check_device
from eager.engine.mode import no_grad
from eager.engine.tensor import Tensor
from eager.nn import functional as F
from eager.nn.module import Module, Parameter
from eager.ops.errors import OpError
from eager.ops.types import I64


def _filled(shape: tuple[int, ...], value: float, dtype: Any) -> Tensor:
    return creation.full(shape, float(value), dtype=dtype)


class Affine(Module):
    """A weight of ones and a bias of zeros, or None for those that are not wanted."""

    weight: Parameter | None
    bias: Parameter | None

    def _hold(self, shape: tuple[int, ...], weight: bool, bias: bool, dtype: Any) -> None:
        for name, wanted, value in (("weight", weight, 1), ("bias", bias, 0)):
            self.register_parameter(name, Parameter(_filled(shape, value, dtype))
                                    if wanted else None)


class BatchNorm(Affine):
    """Every channel of [N, C, ...] normalised over the batch (Ioffe and Szegedy, 2015).

    Training moves the running moments towards the batch's, in place, by ``momentum`` (None: so
    that they are the plain average of all batches); ``eval()`` normalises by them.
    """

    ranks: tuple[int, ...] = ()  #: how many dims an input may have
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1,
                 affine: bool = True, track_running_stats: bool = True, device: Any = None,
                 dtype: Any = None, *, bias: bool = True) -> None:
        super().__init__()
        check_device(device)
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self._hold((num_features,), affine, affine and bias, dtype)
        running = {"running_mean": _filled((num_features,), 0, dtype),
                   "running_var": _filled((num_features,), 1, dtype),
                   "num_batches_tracked": creation.zeros((), dtype=I64)}
        for name, value in running.items():
            self.register_buffer(name, value if track_running_stats else None)

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim not in self.ranks or input.shape[1] != self.num_features:
            raise OpError(f"{type(self).__name__}: wanted {self.num_features} channels in dim 1 of "
                          f"{' or '.join(map(str, self.ranks))} dims, got {input.spec}")
        momentum = self._count_batch() if self.training else 0.0
        batch = self.training or self.running_mean is None
        return F.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias,
                            batch, momentum, self.eps)

    def _count_batch(self) -> Any:
        """How far this batch moves the running moments."""
        if self.num_batches_tracked is None:
            return 0.0
        with no_grad():
            self.num_batches_tracked.add_(1)
            if self.momentum is not None:
                return self.momentum
            assert self.running_mean is not None
            return 1.0 / self.num_batches_tracked.to(self.running_mean.dtype)

    def extra_repr(self) -> str:
        return (f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
                f"affine={self.affine}, bias={self.bias is not None}, "
                f"track_running_stats={self.track_running_stats}")


class BatchNorm1d(BatchNorm):
    """`BatchNorm` of [N, C] or [N, C, L]."""

    ranks = (2, 3)


class BatchNorm2d(BatchNorm):
    """`BatchNorm` of images [N, C, H, W]."""

    ranks = (4,)


class BatchNorm3d(BatchNorm):
    """`BatchNorm` of volumes [N, C, D, H, W]."""

    ranks = (5,)


class InstanceNorm(BatchNorm):
    """Every channel of every element of [N, C, ...] normalised (Ulyanov et al., 2016).

    With ``track_running_stats`` ``eval()`` normalises by the running moments.  N may be missing.
    """

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1,
                 affine: bool = False, track_running_stats: bool = False, device: Any = None,
                 dtype: Any = None) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        single = input.ndim == self.ranks[0] - 1
        x = input.unsqueeze(0) if single else input
        if x.ndim not in self.ranks or (self.affine and x.shape[1] != self.num_features):
            raise OpError(f"{type(self).__name__}: wanted {self.num_features} channels before the "
                          f"last {self.ranks[0] - 2} dims, got {input.spec}")
        own = self.training or self.running_mean is None
        out: Tensor = F.instance_norm(x, self.running_mean, self.running_var, self.weight,
                                      self.bias, own, self.momentum or 0.0, self.eps)
        return out.squeeze(0) if single else out

    def extra_repr(self) -> str:
        return (f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
                f"affine={self.affine}, bias={self.bias is not None}, "
                f"track_running_stats={self.track_running_stats}")


class InstanceNorm1d(InstanceNorm):
    """`InstanceNorm` of lines [N, C, L]."""

    ranks = (3,)


class InstanceNorm2d(InstanceNorm):
    """`InstanceNorm` of images [N, C, H, W]."""

    ranks = (4,)


class InstanceNorm3d(InstanceNorm):
    """`InstanceNorm` of volumes [N, C, D, H, W]."""

    ranks = (5,)


class LocalResponseNorm(Module):
    """The input over a power of the squares of near channels (Krizhevsky et al., 2012)."""

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, input: Tensor) -> Tensor:
        result: Tensor = F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)
        return result

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class LayerNorm(Affine):
    """The last dims of each element of the batch normalised (Ba et al., 2016)."""

    def __init__(self, normalized_shape: Any, eps: float = 1e-5, elementwise_affine: bool = True,
                 bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        check_device(device)
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else normalized_shape
        self.normalized_shape, self.eps = tuple(shape), eps
        self.elementwise_affine = elementwise_affine
        self._hold(self.normalized_shape, elementwise_affine, elementwise_affine and bias, dtype)

    def forward(self, input: Tensor) -> Tensor:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (f"{self.normalized_shape}, eps={self.eps}, "
                f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}")


class RMSNorm(Affine):
    """The last dims over their root mean square (Zhang and Sennrich, 2019)."""

    def __init__(self, normalized_shape: Any, eps: float | None = None,
                 elementwise_affine: bool = True, device: Any = None,
                 dtype: Any = None) -> None:
        super().__init__()
        check_device(device)
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else normalized_shape
        self.normalized_shape, self.eps = tuple(shape), eps
        self.elementwise_affine = elementwise_affine
        self._hold(self.normalized_shape, elementwise_affine, False, dtype)

    def forward(self, input: Tensor) -> Tensor:
        eps = float(np.finfo(input.dtype.numpy).eps) if self.eps is None else self.eps
        return F.rms_norm(input, self.normalized_shape, self.weight, eps)

    def extra_repr(self) -> str:
        return (f"{self.normalized_shape}, eps={self.eps}, "
                f"elementwise_affine={self.elementwise_affine}")


class GroupNorm(Affine):
    """Groups of channels of [N, C, ...] normalised (Wu and He, 2018)."""

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5,
                 affine: bool = True, device: Any = None, dtype: Any = None, *,
                 bias: bool = True) -> None:
        super().__init__()
        check_device(device)
        if num_channels % num_groups:
            raise OpError(f"GroupNorm: {num_groups} groups do not divide {num_channels} channels")
        self.num_groups, self.num_channels, self.eps = num_groups, num_channels, eps
        self.affine = affine
        self._hold((num_channels,), affine, affine and bias, dtype)

    def forward(self, input: Tensor) -> Tensor:
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
                f"bias={self.bias is not None}")
