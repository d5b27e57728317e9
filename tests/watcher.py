"""A recorder that performs every op and lets Python see no data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from eager.engine import dispatch
from eager.engine.mode import MODE, mode_set
from eager.engine.tensor import Tensor
from eager.ops.op import Op


class Watcher:
    """Notes each op with the modules it ran in, and each write."""

    def __init__(self) -> None:
        self.ops: list[tuple[str, tuple[str, ...]]] = []
        self.written: list[Tensor] = []

    def apply(self, op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> Tensor:
        self.ops.append((op.name, MODE.get().scope))
        with mode_set(recorder=None, grad=False):
            return dispatch.apply(op, args, attrs)

    def write(self, target: Tensor, value: Tensor) -> None:
        self.written.append(target)
        np.copyto(target._array, value._array)

    def read(self, tensor: Tensor, how: str) -> Any:
        raise AssertionError(f"{how}() read the data of {tensor.spec}")

    def made(self, tensor: Tensor) -> None:
        pass

    def aliases(self, op: Op, source: Tensor, result: Tensor) -> bool:
        return True


@contextmanager
def watched() -> Iterator[Watcher]:
    """A block in which no data may be read."""
    watcher = Watcher()
    with mode_set(recorder=watcher):
        yield watcher
