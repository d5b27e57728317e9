"""Modules made of modules."""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from itertools import chain
from typing import Any, Self, overload

from eager.engine.inplace import count_change
from eager.nn.module import Module, indented
from eager.ops.errors import OpError


class _Numbered(Module):
    """Modules by number, as a list holds them."""

    def append(self, module: Module) -> Self:
        """Add a module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add modules at the end."""
        for module in list(modules):
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> Self:
        """Add a module before the one at ``index``."""
        if not isinstance(module, Module):
            raise OpError(f"{self._get_name()}.insert: wanted a Module, got "
                          f"{type(module).__name__}")
        modules = list(self)
        modules.insert(index, module)
        self._renumber(modules)
        return self

    def pop(self, key: int | slice = -1) -> Any:
        """Remove a module, the last one by default, and return it."""
        module = self[key]
        del self[key]
        return module

    def _renumber(self, modules: Iterable[Any]) -> None:
        count_change()
        modules = list(modules)
        self._modules.clear()
        self._modules.update((str(k), m) for k, m in enumerate(modules))

    def _key(self, index: Any) -> str:
        k = operator.index(index)
        if not -len(self) <= k < len(self):
            raise IndexError(f"index {k} is out of range of {len(self)} modules")
        return list(self._modules)[k]

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return self._made(OrderedDict(list(self._modules.items())[index]))
        return self._modules[self._key(index)]

    def _made(self, modules: Mapping[str, Module]) -> Self:
        raise NotImplementedError

    def __setitem__(self, index: int, module: Module) -> None:
        setattr(self, self._key(index), module)

    def __delitem__(self, index: int | slice) -> None:
        gone = (list(self._modules)[index] if isinstance(index, slice) else [self._key(index)])
        self._renumber(m for name, m in self._modules.items() if name not in gone)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules.values())

    def __iadd__(self, other: Iterable[Module]) -> Self:
        return self.extend(other)


class Sequential(_Numbered):
    """Modules one after another, each called with what the last returned."""

    def __init__(self, *args: Module | Mapping[str, Module]) -> None:
        super().__init__()
        first = args[0] if len(args) == 1 else None
        named = (first.items() if isinstance(first, Mapping)
                 else ((str(k), m) for k, m in enumerate(args)))
        for name, module in named:
            self.add_module(name, module)  # type: ignore[arg-type]

    def _made(self, modules: Mapping[str, Module]) -> Self:
        return type(self)(modules)

    def __add__(self, other: Sequential) -> Sequential:
        if not isinstance(other, Sequential):
            raise OpError(f"a Sequential is joined to a Sequential, got {type(other).__name__}")
        return Sequential(*self, *other)

    def __mul__(self, times: int) -> Sequential:
        return Sequential(*self._repeated(times))

    __rmul__ = __mul__

    def __imul__(self, times: int) -> Self:
        modules = self._repeated(times)
        return self.extend(modules[len(self):])

    def _repeated(self, times: int) -> list[Any]:
        if not isinstance(times, int) or times < 1:
            raise OpError(f"a Sequential is repeated a positive number of times, got {times!r}")
        return list(self) * times

    def forward(self, input: Any) -> Any:
        for module in self:
            input = module(input)
        return input


class ModuleList(_Numbered):
    """A list of modules, which their owner calls."""

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        self.extend(modules or ())

    def _made(self, modules: Mapping[str, Module]) -> Self:
        return type(self)(modules.values())

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList(chain(self, other))

    def __repr__(self) -> str:
        """Neighbours that print alike are printed once."""
        runs: list[tuple[int, int, str]] = []
        for k, text in enumerate(map(repr, self)):
            if runs and runs[-1][2] == text:
                runs[-1] = runs[-1][0], k, text
            else:
                runs.append((k, k, text))
        if not runs:
            return f"{self._get_name()}()"
        lines = [f"({a}): {text}" if a == b else f"({a}-{b}): {b - a + 1} x {text}"
                 for a, b, text in runs]
        return f"{self._get_name()}(\n  " + "\n  ".join(map(indented, lines)) + "\n)"


class ModuleDict(Module):
    """Modules by name, which their owner calls."""

    def __init__(self, modules: Mapping[str, Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add modules by name, in place of those that are there."""
        pairs = modules.items() if isinstance(modules, (Mapping, ModuleDict)) else modules
        for name, module in pairs:
            self[name] = module

    def __getitem__(self, key: str) -> Any:
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        count_change()
        del self._modules[key]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: str) -> bool:
        return key in self._modules

    def clear(self) -> None:
        """Remove all."""
        self._modules.clear()

    def pop(self, key: str) -> Any:
        """Remove a module and return it."""
        count_change()
        return self._modules.pop(key)

    def keys(self) -> KeysView[str]:
        """The names."""
        return self._modules.keys()

    def values(self) -> ValuesView[Any]:
        """The modules."""
        return self._modules.values()

    def items(self) -> ItemsView[str, Any]:
        """Names and modules."""
        return self._modules.items()
