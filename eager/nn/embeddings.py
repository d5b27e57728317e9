"""Tables of vectors that are looked up by integer."""

from __future__ import annotations

from typing import Any, Self

from eager.engine import creation
from eager.engine.device import check_device
from eager.engine.mode import no_grad
from eager.engine.tensor import Tensor
from eager.nn import functional as F
from eager.nn import init
from eager.nn.module import Module, Parameter
from eager.ops.errors import OpError


class _Table(Module):
    """A weight [num_embeddings, embedding_dim] of which the row ``padding_idx`` is 0."""

    weight: Parameter

    def __init__(self, num_embeddings: int, embedding_dim: int, padding_idx: int | None,
                 max_norm: float | None, norm_type: float, scale_grad_by_freq: bool, sparse: bool,
                 weight: Tensor | None, freeze: bool, device: Any, dtype: Any) -> None:
        super().__init__()
        check_device(device)
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise OpError(f"{type(self).__name__}: padding_idx={padding_idx} is not one of "
                              f"{num_embeddings} rows")
            padding_idx %= num_embeddings
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx, self.max_norm, self.norm_type = padding_idx, max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        if weight is None:
            weight = creation.zeros(num_embeddings, embedding_dim, dtype=dtype)
            self.weight = Parameter(weight, requires_grad=not freeze)
            self.reset_parameters()
        elif tuple(weight.shape) != (num_embeddings, embedding_dim):
            raise OpError(f"{type(self).__name__}: the weight is [{num_embeddings}, "
                          f"{embedding_dim}], got {weight.spec}")
        else:
            self.weight = Parameter(weight, requires_grad=not freeze)

    def reset_parameters(self) -> None:
        """Normal numbers."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx] = 0.0

    def _shown(self, **usual: Any) -> str:
        """The sizes, and the settings that are not what they usually are."""
        return f"{self.num_embeddings}, {self.embedding_dim}" + "".join(
            f", {name}={getattr(self, name)!r}" for name, value in usual.items()
            if getattr(self, name) != value)


class Embedding(_Table):
    """Rows of a table by integer; the row ``padding_idx`` is 0 and gets no gradient."""

    def __init__(self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None,
                 max_norm: float | None = None, norm_type: float = 2.0,
                 scale_grad_by_freq: bool = False, sparse: bool = False,
                 _weight: Tensor | None = None, _freeze: bool = False, device: Any = None,
                 dtype: Any = None) -> None:
        super().__init__(num_embeddings, embedding_dim, padding_idx, max_norm, norm_type,
                         scale_grad_by_freq, sparse, _weight, _freeze, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        return F.embedding(input, self.weight, self.padding_idx, self.max_norm, self.norm_type,
                           self.scale_grad_by_freq, self.sparse)

    def extra_repr(self) -> str:
        return self._shown(padding_idx=None, max_norm=None, norm_type=2.0,
                           scale_grad_by_freq=False, sparse=False)

    @classmethod
    def from_pretrained(cls, embeddings: Tensor, freeze: bool = True,
                        padding_idx: int | None = None, max_norm: float | None = None,
                        norm_type: float = 2.0, scale_grad_by_freq: bool = False,
                        sparse: bool = False) -> Self:
        """A module over the memory of ``embeddings``, which gets no gradient unless thawed."""
        count, size = _pretrained(embeddings)
        return cls(count, size, padding_idx, max_norm, norm_type, scale_grad_by_freq,
                   sparse, embeddings, freeze)


class EmbeddingBag(_Table):
    """Sums, means or maxima of the rows of bags of integers."""

    def __init__(self, num_embeddings: int, embedding_dim: int, max_norm: float | None = None,
                 norm_type: float = 2.0, scale_grad_by_freq: bool = False, mode: str = "mean",
                 sparse: bool = False, _weight: Tensor | None = None,
                 include_last_offset: bool = False, padding_idx: int | None = None,
                 device: Any = None, dtype: Any = None) -> None:
        super().__init__(num_embeddings, embedding_dim, padding_idx, max_norm, norm_type,
                         scale_grad_by_freq, sparse, _weight, False, device, dtype)
        self.mode, self.include_last_offset = mode, include_last_offset

    def forward(self, input: Tensor, offsets: Tensor | None = None,
                per_sample_weights: Tensor | None = None) -> Tensor:
        return F.embedding_bag(input, self.weight, offsets, self.max_norm, self.norm_type,
                               self.scale_grad_by_freq, self.mode, self.sparse,
                               per_sample_weights, self.include_last_offset, self.padding_idx)

    def extra_repr(self) -> str:
        return self._shown(max_norm=None, norm_type=2.0, scale_grad_by_freq=False, mode=None,
                           padding_idx=None)

    @classmethod
    def from_pretrained(cls, embeddings: Tensor, freeze: bool = True,
                        max_norm: float | None = None, norm_type: float = 2.0,
                        scale_grad_by_freq: bool = False, mode: str = "mean",
                        sparse: bool = False, include_last_offset: bool = False,
                        padding_idx: int | None = None) -> Self:
        """A module over the memory of ``embeddings``, which gets no gradient unless thawed."""
        count, size = _pretrained(embeddings)
        made = cls(count, size, max_norm, norm_type, scale_grad_by_freq, mode, sparse,
                   embeddings, include_last_offset, padding_idx)
        made.weight.requires_grad = not freeze
        return made


def _pretrained(embeddings: Tensor) -> tuple[int, int]:
    if embeddings.ndim != 2:
        raise OpError(f"from_pretrained: embeddings are [count, size], got {embeddings.spec}")
    count, size = embeddings.shape
    return count, size
