"""The constants of a program in memory: packed from live tensors, and again when those change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from eager.engine.tensor import Tensor
from eager.ops.errors import OpError
from jit.graph import Const, Graph, Input, Value
from jit.interpreter import interpret, run_node
from jit.lowering import Held, Module


class PackedWeights:
    """The weights blob that native code reads, at one address for the life of a program.

    ``prologue`` computes what is folded from weights; ``state`` holds the live tensors by name.
    """

    def __init__(self, module: Module, prologue: Graph, state: Mapping[str, Tensor]) -> None:
        self.module, self.prologue, self.state = module, prologue, state
        self.blob = aligned(module.layout.weights_size)
        written = {i.name for i in module.state}
        self._sources = tuple(t for n, t in state.items() if n not in written)
        self._seen: tuple[Any, ...] | None = None  #: versions at the last packing

    def forget(self) -> None:
        """Pack at the next refresh, whatever the versions say."""
        self._seen = None

    def refresh(self) -> None:
        """Pack where a tensor was written, or got other memory, since the last time."""
        now = tuple((t._version, id(t._array)) for t in self._sources)
        if now == self._seen:
            return
        values = self._folded()
        self.blob[:] = 0
        for held in self.module.held:
            if held.value is not None:
                _write(held, self._evaluate(held.value, values), self.blob)
        self._seen = now

    def _folded(self) -> dict[Value, Any]:
        """What the prologue computes, by the graph's last inputs, which stand for it."""
        count = len(self.prologue.outputs)
        if not count:
            return {}
        known = {i.name: checked(i, self.state[i.name]) for i in self.prologue.inputs}
        inputs = self.module.graph.inputs[-count:]
        return dict(zip(inputs, interpret(self.prologue, known)[0], strict=True))

    def _evaluate(self, value: Value, values: dict[Value, Any]) -> Any:
        """The array of a constant, seen through the views over it."""
        if value in values:
            return values[value]
        if value in self.module.aliases:
            return self._evaluate(self.module.aliases[value], values)
        if isinstance(value, Const):
            return value.array
        if isinstance(value, Input):
            return checked(value, self.state[value.name])
        return run_node(value, [self._evaluate(a, values) for a in value.args], {})


def checked(port: Input, t: Tensor) -> np.ndarray[Any, Any]:
    """The array of a state tensor; OpError where it is not what was traced any more."""
    if t.dtype is not port.type.dtype or tuple(t.shape) != port.type.shape:
        raise OpError(f"{port.role} {port.name!r} was traced as {port.type} and is {t.spec} now; "
                      f"trace again")
    array: np.ndarray[Any, Any] = t._array
    return array


def _write(held: Held, array: np.ndarray[Any, Any], blob: np.ndarray[Any, Any]) -> None:
    """Put one constant into its place."""
    room = blob[held.offset:held.offset + held.size].view(held.dtype.numpy)
    if held.packing == "panels":
        inner, columns = held.shape
        panels = -(-columns // 16)
        padded = np.zeros((inner, panels * 16), held.dtype.numpy)
        padded[:, :columns] = array
        room[:] = padded.reshape(inner, panels, 16).transpose(1, 0, 2).reshape(-1)
    else:
        room[:array.size] = array.reshape(-1)


def aligned(size: int) -> np.ndarray[Any, Any]:
    """Zeroed bytes at a multiple of 64, which the microkernels rely on."""
    room = np.zeros(size + 64, np.uint8)
    start = -room.ctypes.data % 64
    return room[start:start + size]
