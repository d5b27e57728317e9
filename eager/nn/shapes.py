"""Modules that change nothing, or only the shape."""

from __future__ import annotations

from typing import Any

from eager.engine.tensor import Tensor
from eager.nn.module import Module
from eager.ops.errors import OpError


class Identity(Module):
    """The input, as it is; all arguments are taken and left alone."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        return input


class Flatten(Module):
    """The dims from ``start_dim`` to ``end_dim`` made one."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Tensor) -> Tensor:
        result: Tensor = input.flatten(self.start_dim, self.end_dim)
        return result

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """One dim made the dims ``unflattened_size``, of which one may be -1."""

    def __init__(self, dim: int, unflattened_size: Any) -> None:
        super().__init__()
        if isinstance(dim, str):
            raise OpError(f"Unflatten: dims have numbers, not names, got {dim!r}")
        if not isinstance(unflattened_size, (tuple, list)) or not all(
                isinstance(d, int) for d in unflattened_size):
            raise OpError(f"unflattened_size must be tuple of ints, got {unflattened_size!r}")
        self.dim, self.unflattened_size = dim, tuple(unflattened_size)

    def forward(self, input: Tensor) -> Tensor:
        result: Tensor = input.unflatten(self.dim, self.unflattened_size)
        return result

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
