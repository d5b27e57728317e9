"""The names inside a module: parameters, buffers and modules, and the walks over them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from eager.engine.inplace import count_change
from eager.engine.tensor import Tensor
from eager.nn.parameter import Buffer, Parameter
from eager.ops.errors import OpError

PARAMETERS, BUFFERS, MODULES = "_parameters", "_buffers", "_modules"
_HOLDERS = (PARAMETERS, BUFFERS, MODULES)


class Tree:
    """What a module holds by name.  The dictionaries have torch's names."""

    training: bool
    call_super_init = False  #: whether ``__init__`` calls that of the bases after Module
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Any]
    _non_persistent_buffers_set: set[str]  #: the buffers that ``state_dict`` leaves out

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if (args or kwargs) and not self.call_super_init:
            raise TypeError(f"Module.__init__() of {self._get_name()} takes no arguments, got "
                            f"{', '.join([*map(repr, args), *kwargs])}")
        holders = self.__dict__
        holders["training"] = True
        for kind in _HOLDERS:
            holders[kind] = {}
        holders["_non_persistent_buffers_set"] = set()
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    def _get_name(self) -> str:
        return type(self).__name__

    # --- attributes ----------------------------------------------------------------------------
    def __setattr__(self, name: str, value: Any) -> None:
        count_change()
        home = _home_of(value)
        holders = self.__dict__
        if PARAMETERS not in holders:
            if home is not None:
                raise OpError(f"cannot assign {name!r} of {self._get_name()} before "
                              f"Module.__init__() call: call super().__init__() first")
            object.__setattr__(self, name, value)
            return
        kind = next((k for k in _HOLDERS if name in holders[k]), None)
        if home is not None:
            self.__leave_all_but(home, name)
            self.__register(home, name, value)
            if home is BUFFERS:
                self.__keep_persistent(name, value.persistent)
        elif kind is not None:
            self.__replace(kind, name, value)
        else:
            object.__setattr__(self, name, value)

    def __leave_all_but(self, home: str, name: str) -> None:
        """A name that is registered as one thing is no other."""
        self.__dict__.pop(name, None)
        for kind in _HOLDERS:
            if kind != home:
                self.__dict__[kind].pop(name, None)
        if home != BUFFERS:
            self._non_persistent_buffers_set.discard(name)

    def __replace(self, kind: str, name: str, value: Any) -> None:
        if value is not None and not (kind == BUFFERS and isinstance(value, Tensor)):
            what, wanted = _WORDS[kind]
            raise OpError(f"cannot assign a {type(value).__name__} as {what} {name!r} of "
                          f"{self._get_name()} ({wanted} or None expected)")
        self.__dict__[kind][name] = value

    def __getattr__(self, name: str) -> Any:
        holders = self.__dict__
        for kind in _HOLDERS:
            if kind in holders and name in holders[kind]:
                return holders[kind][name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __delattr__(self, name: str) -> None:
        count_change()
        for kind in _HOLDERS:
            if name in self.__dict__[kind]:
                del self.__dict__[kind][name]
                self._non_persistent_buffers_set.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        names = {*super().__dir__(), *self._parameters, *self._buffers, *self._modules}
        return sorted(n for n in names if not n[:1].isdigit())

    def __register(self, kind: str, name: str, value: Any) -> None:
        what, wanted = _WORDS[kind]
        words = f"{self._get_name()}: cannot register the {what} {name!r}"
        if PARAMETERS not in self.__dict__:
            raise OpError(f"{words} before Module.__init__() call: call super().__init__() first")
        if not isinstance(name, str) or not name or "." in name:
            raise OpError(f"{words}: a name is a string that is not empty and has no dot")
        if hasattr(self, name) and name not in self.__dict__[kind]:
            raise OpError(f"{words}: the attribute exists already")
        if value is not None and not isinstance(value, _CLASSES[kind]):
            raise OpError(f"{words}: a {type(value).__name__} ({wanted} or None expected)")
        if isinstance(value, Parameter) and not value.is_leaf:
            raise OpError(f"{words}: it was computed by an op, and a parameter is a leaf; compute "
                          f"it from parameters in forward()")
        count_change()
        self.__dict__[kind][name] = value

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Register a parameter, or None for one that may come."""
        self.__register(PARAMETERS, name, param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Register a tensor that is state but no parameter; in ``state_dict`` if persistent."""
        self.__register(BUFFERS, name, tensor)
        self.__keep_persistent(name, persistent)

    def __keep_persistent(self, name: str, persistent: bool) -> None:
        left_out = self._non_persistent_buffers_set
        (left_out.discard if persistent else left_out.add)(name)

    def add_module(self, name: str, module: Tree | None) -> None:
        """Register a module under a name."""
        self.__register(MODULES, name, module)

    def register_module(self, name: str, module: Tree | None) -> None:
        """The same as `add_module`."""
        self.add_module(name, module)

    # --- walking -------------------------------------------------------------------------------
    def named_modules(self, memo: set[Any] | None = None, prefix: str = "",
                      remove_duplicate: bool = True) -> Iterator[tuple[str, Any]]:
        """This module and all inside it by dotted name, each once unless told otherwise."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, child in self._modules.items():
            if child is not None:
                yield from child.named_modules(memo, f"{prefix}.{name}" if prefix else name,
                                               remove_duplicate)

    def modules(self) -> Iterator[Any]:
        """This module and all inside it, each once."""
        return (m for _, m in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, Any]]:
        """The modules directly inside by name, each once."""
        seen: set[int] = set()
        for name, child in self._modules.items():
            if child is not None and id(child) not in seen:
                seen.add(id(child))
                yield name, child

    def children(self) -> Iterator[Any]:
        """The modules directly inside, each once."""
        return (m for _, m in self.named_children())

    def __named(self, kind: str, prefix: str, recurse: bool,
                once: bool) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        walk = (self.named_modules(prefix=prefix, remove_duplicate=once) if recurse
                else [(prefix, self)])
        for path, module in walk:
            for name, value in module.__dict__[kind].items():
                if value is not None and id(value) not in seen:
                    if once:
                        seen.add(id(value))
                    yield f"{path}.{name}" if path else name, value

    def named_parameters(self, prefix: str = "", recurse: bool = True,
                         remove_duplicate: bool = True) -> Iterator[tuple[str, Parameter]]:
        """Parameters by dotted name, each once unless told otherwise."""
        return self.__named(PARAMETERS, prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Parameters, each once."""
        return (p for _, p in self.named_parameters(recurse=recurse))

    def named_buffers(self, prefix: str = "", recurse: bool = True,
                      remove_duplicate: bool = True) -> Iterator[tuple[str, Tensor]]:
        """Buffers by dotted name, each once unless told otherwise."""
        return self.__named(BUFFERS, prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Buffers, each once."""
        return (b for _, b in self.named_buffers(recurse=recurse))

    # --- by path -------------------------------------------------------------------------------
    def get_submodule(self, target: str) -> Any:
        """The module at a dotted path; AttributeError names the part that is missing."""
        module: Any = self
        for name in target.split(".") if target else ():
            child = getattr(module, name, None)
            if child is None:
                raise AttributeError(f"{module._get_name()} has no attribute `{name}` (of "
                                     f"{target!r})")
            if not isinstance(child, Tree):
                raise AttributeError(f"`{name}` (of {target!r}) is not an nn.Module")
            module = child
        return module

    def set_submodule(self, target: str, module: Tree, strict: bool = False) -> None:
        """Put a module at a dotted path; with ``strict`` one must be there already."""
        if not target:
            raise OpError("set_submodule: the path is empty, and a module is not inside itself")
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if strict or hasattr(parent, name):
            self.get_submodule(target)
        setattr(parent, name, module)

    def get_parameter(self, target: str) -> Any:
        """The parameter at a dotted path."""
        return self.__found(PARAMETERS, target)

    def get_buffer(self, target: str) -> Any:
        """The buffer at a dotted path."""
        return self.__found(BUFFERS, target)

    def __found(self, kind: str, target: str) -> Any:
        path, _, name = target.rpartition(".")
        found = self.get_submodule(path).__dict__[kind].get(name)
        if found is None:
            raise AttributeError(f"{self._get_name()} has no {_WORDS[kind][0]} `{target}`")
        return found


_CLASSES = {PARAMETERS: Parameter, BUFFERS: Tensor, MODULES: Tree}
#: What a thing is called, and what is expected in its place.
_WORDS = {PARAMETERS: ("parameter", "a Parameter"), BUFFERS: ("buffer", "a Buffer or Tensor"),
          MODULES: ("child module", "a Module")}


def _home_of(value: Any) -> str | None:
    """Where a value registers itself when it is assigned."""
    return (PARAMETERS if isinstance(value, Parameter) else
            MODULES if isinstance(value, Tree) else
            BUFFERS if isinstance(value, Buffer) else None)
