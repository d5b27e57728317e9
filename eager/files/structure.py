"""Nested values as JSON, with tensors taken out by name."""

from __future__ import annotations

import base64
import json
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from eager.engine.tensor import Size, Tensor
from eager.nn import Parameter
from eager.ops.errors import OpError
from eager.ops.types import DType, as_dtype

Array = np.ndarray[Any, Any]


class _Encoder:
    """Walks a value; collects the arrays in it under dotted names."""

    def __init__(self) -> None:
        self.arrays: dict[str, Array] = {}
        self._names: dict[int, str] = {}
        self._open: set[int] = set()

    def encode(self, value: Any, path: tuple[str, ...]) -> Any:
        """The JSON of a value: itself, a list, or one tag with what stands behind it."""
        if value is None or type(value) in (bool, int, str):
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {"float": repr(value)}
        if isinstance(value, Tensor):
            return self._tensor(value, path)
        for kind, tag, content in _LEAVES:
            if type(value) is kind:
                return {tag: content(value)}
        if isinstance(value, np.ndarray):
            return {"array": self._stored(value, value, path)}
        if isinstance(value, DType):
            return {"dtype": value.public}
        return self._inside(value, path)

    def _inside(self, value: Any, path: tuple[str, ...]) -> Any:
        if type(value) not in _CONTAINERS:
            raise OpError(f"save: {'.'.join(path) or 'the object'} is a {type(value).__name__}, "
                          f"which a file cannot hold; save tensors, dicts, lists, tuples and "
                          f"plain values, of a model its state_dict()")
        if id(value) in self._open:
            raise OpError(f"save: {'.'.join(path)} contains itself")
        self._open.add(id(value))
        if isinstance(value, Mapping):
            inner: list[Any] = [[self._key(k, path), self.encode(v, (*path, str(k)))]
                                for k, v in value.items()]
        else:
            inner = [self.encode(v, (*path, str(k))) for k, v in enumerate(value)]
        self._open.discard(id(value))
        tag = _CONTAINERS[type(value)]
        return inner if tag == "list" else {tag: inner}

    def _key(self, key: Any, path: tuple[str, ...]) -> Any:
        found = self.encode(key, path)
        if isinstance(key, Tensor):
            raise OpError(f"save: a key of {'.'.join(path) or 'the object'} is a tensor")
        return found

    def _tensor(self, value: Tensor, path: tuple[str, ...]) -> Any:
        array = value.detach().numpy()
        flags = {"requires_grad": True} if value.requires_grad else {}
        if isinstance(value, Parameter):
            flags["parameter"] = True
        return {"tensor": self._stored(value, array, path), **flags}

    def _stored(self, owner: Any, array: Array, path: tuple[str, ...]) -> str:
        if id(owner) in self._names:
            return self._names[id(owner)]
        first = name = ".".join(path) or "tensor"
        number = 1
        while name in self.arrays or name == "__metadata__":
            number += 1
            name = f"{first}#{number}"
        self._names[id(owner)] = name
        self.arrays[name] = array
        return name


_LEAVES: tuple[tuple[type, str, Callable[[Any], Any]], ...] = (
    (complex, "complex", lambda v: [repr(v.real), repr(v.imag)]),
    (bytes, "bytes", lambda v: base64.b64encode(v).decode()),
)
_CONTAINERS: dict[type, str] = {
    list: "list", tuple: "tuple", dict: "dict", OrderedDict: "OrderedDict", Size: "size",
    set: "set"}


def encode(obj: Any) -> tuple[dict[str, Array], str]:
    """Arrays by name and the JSON that says where they belong."""
    encoder = _Encoder()
    value, arrays = encoder.encode(obj, ()), encoder.arrays
    pairs = [name for name, a in arrays.items() if a.dtype == np.complex128]
    for name in pairs:  # which the format does not know: as pairs of float64
        arrays[name] = np.array(arrays[name], order="C")[..., None].view(np.float64)
    return arrays, json.dumps({"value": value, "complex128": pairs}, separators=(",", ":"))


def decode(description: str, arrays: Mapping[str, Array]) -> Any:
    """The value of which `encode` made these."""
    made: dict[str, Tensor] = {}

    pairs_of: list[str] = []

    def array(name: str) -> Array:
        found = arrays[name]
        return found.view(np.complex128)[..., 0] if name in pairs_of else found

    def tensor(name: str, requires_grad: bool = False, parameter: bool = False) -> Tensor:
        if name not in made:
            made[name] = (Parameter if parameter else Tensor)(array(name), requires_grad)
        return made[name]

    def pairs(rows: Any) -> Any:
        return [(value(k), value(v)) for k, v in rows]

    builders: dict[str, Callable[[Any], Any]] = {
        "float": float, "complex": lambda v: complex(float(v[0]), float(v[1])),
        "bytes": lambda v: base64.b64decode(v), "dtype": as_dtype, "array": array,
        "tuple": lambda v: tuple(map(value, v)), "size": lambda v: Size(map(value, v)),
        "set": lambda v: set(map(value, v)), "dict": lambda v: dict(pairs(v)),
        "OrderedDict": lambda v: OrderedDict(pairs(v))}

    def value(node: Any) -> Any:
        if isinstance(node, list):
            return [value(v) for v in node]
        if not isinstance(node, dict):
            return node
        if "tensor" in node:
            return tensor(node["tensor"], node.get("requires_grad", False),
                          node.get("parameter", False))
        (tag, inner), = node.items()
        return builders[tag](inner)

    try:
        whole = json.loads(description)
        pairs_of += whole["complex128"]
        return value(whole["value"])
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise OpError(f"load: the structure in the file is damaged: {error!r}") from None


def wrapped(arrays: Mapping[str, Array]) -> dict[str, Tensor]:
    """Tensors over arrays, by name."""
    return {name: Tensor(array) for name, array in arrays.items()}
