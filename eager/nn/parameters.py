"""Containers of parameters, by number and by name."""

from __future__ import annotations

import operator
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from typing import Any, Self

from eager.engine.tensor import Tensor
from eager.nn.module import Module
from eager.nn.parameter import Parameter
from eager.ops.errors import OpError

#: torch's names of tensor classes, as `ParameterDict` prints them.
_KINDS = {"float32": "Float", "float64": "Double", "float16": "Half", "bfloat16": "BFloat16",
          "int64": "Long", "int32": "Int", "int16": "Short", "int8": "Char", "uint8": "Byte",
          "bool": "Bool", "complex64": "ComplexFloat", "complex128": "ComplexDouble"}


def _as_parameter(value: Any) -> Any:
    """Tensors that need a home are made parameters; all else stays what it is."""
    if isinstance(value, Tensor) and not isinstance(value, Parameter):
        return Parameter(value)
    return value


def _line(key: Any, value: Any, kind: str) -> str:
    if not isinstance(value, Tensor):
        return f"  ({key}): Object of type: {type(value).__name__}"
    what = "Parameter" if isinstance(value, Parameter) else "Tensor"
    return f"  ({key}): {what} containing: [{kind} of size {'x'.join(map(str, value.shape))}]"


class ParameterList(Module):
    """A list of parameters; tensors become parameters, and anything else is held as it is."""

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self._size = 0
        self.extend(values or ())

    def _key(self, index: Any) -> str:
        k = operator.index(index)
        if not -len(self) <= k < len(self):
            raise IndexError(f"index {k} is out of range of {len(self)} parameters")
        return str(k % len(self))

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)([getattr(self, str(k)) for k in range(len(self))[index]])
        return getattr(self, self._key(index))

    def __setitem__(self, index: int, value: Any) -> None:
        setattr(self, self._key(index), _as_parameter(value))

    def append(self, value: Any) -> Self:
        """Add one at the end."""
        self._size += 1
        self[self._size - 1] = value
        return self

    def extend(self, values: Iterable[Any]) -> Self:
        """Add several at the end."""
        if isinstance(values, Tensor) or not isinstance(values, Iterable):
            raise OpError(f"ParameterList.extend wants an iterable of parameters, got "
                          f"{type(values).__name__}")
        for value in list(values):
            self.append(value)
        return self

    def __iadd__(self, values: Iterable[Any]) -> Self:
        return self.extend(values)

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Any]:
        return (getattr(self, str(k)) for k in range(len(self)))

    def extra_repr(self) -> str:
        return "\n".join(_line(k, v, str(getattr(v, "dtype", ""))) for k, v in enumerate(self))

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        raise OpError("a ParameterList is not called")


class ParameterDict(Module):
    """Parameters by name, in the order they were added; tensors become parameters."""

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self._keys: dict[str, None] = {}
        if parameters is not None:
            self.update(parameters)

    def __getitem__(self, key: str) -> Any:
        if key not in self._keys:
            raise KeyError(key)
        return getattr(self, key)

    def __setitem__(self, key: str, value: Any) -> None:
        if not isinstance(key, str):
            raise OpError(f"a ParameterDict has names as keys, got {key!r}")
        if key not in self._keys and hasattr(self, key):
            raise OpError(f"ParameterDict: {key!r} is the name of something else of it")
        self._keys[key] = None
        setattr(self, key, _as_parameter(value))

    def __delitem__(self, key: str) -> None:
        del self._keys[key]
        delattr(self, key)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __reversed__(self) -> Iterator[str]:
        return reversed(list(self._keys))

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def copy(self) -> ParameterDict:
        """Another dictionary of the same parameters."""
        return ParameterDict(dict(self.items()))

    def setdefault(self, key: str, default: Any = None) -> Any:
        """What is there by a name, or else ``default``, which is added."""
        if key not in self:
            self[key] = default
        return self[key]

    def get(self, key: str, default: Any = None) -> Any:
        """What is there by a name, or else ``default``."""
        return getattr(self, key) if key in self._keys else default

    def clear(self) -> None:
        """Remove all."""
        for key in list(self._keys):
            del self[key]

    def pop(self, key: str) -> Any:
        """Remove one and return it."""
        value = self[key]
        del self[key]
        return value

    def popitem(self) -> tuple[str, Any]:
        """Remove the last one, and return its name and itself."""
        key = next(reversed(self))
        return key, self.pop(key)

    def fromkeys(self, keys: Iterable[str], default: Any = None) -> ParameterDict:
        """A dictionary of these names, all with ``default``."""
        return ParameterDict((k, default) for k in keys)

    def keys(self) -> KeysView[str]:
        """The names."""
        return self._keys.keys()

    def items(self) -> ItemsView[str, Any]:
        """Names and parameters."""
        return {k: self[k] for k in self._keys}.items()

    def values(self) -> ValuesView[Any]:
        """The parameters."""
        return {k: self[k] for k in self._keys}.values()

    def update(self, parameters: Any) -> None:
        """Add parameters by name, from a dictionary or from pairs."""
        pairs = (parameters.items() if isinstance(parameters, (Mapping, ParameterDict))
                 else parameters)
        for key, value in pairs:
            self[key] = value

    def __or__(self, other: ParameterDict) -> ParameterDict:
        both = self.copy()
        both.update(other)
        return both

    def __ior__(self, other: ParameterDict) -> Self:
        self.update(other)
        return self

    def extra_repr(self) -> str:
        return "\n".join(_line(k, v, _typename(v)) for k, v in self.items())

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        raise OpError("a ParameterDict is not called")


def _typename(value: Any) -> str:
    dtype = str(getattr(value, "dtype", "")).rpartition(".")[2]
    return f"eager.{_KINDS.get(dtype, dtype)}Tensor"
