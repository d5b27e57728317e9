"""Module: a function with parameters, buffers and modules inside it, by name."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, NamedTuple, Self

from eager.engine.inplace import touch
from eager.engine.mode import MODE, mode_set, no_grad
from eager.engine.stateful import keep_attributes
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError
from eager.ops.types import DType, as_dtype

_HOLDERS = ("_parameters", "_buffers", "_modules")


class Parameter(Tensor):
    """A leaf tensor that a module registers as its parameter when it is assigned."""

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        super().__init__(data._array if isinstance(data, Tensor) else data, requires_grad)

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()


class IncompatibleKeys(NamedTuple):
    """What `Module.load_state_dict` found missing and unexpected."""

    missing_keys: list[str]
    unexpected_keys: list[str]


#: The module whose ``forward`` is running, while a recorder wants the paths of modules.
_RUNNING: ContextVar[Module | None] = ContextVar("running module", default=None)


class Module:
    """The base class of everything with parameters; subclasses define ``forward``."""

    training: bool
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Module | None]
    _non_persistent: set[str]  #: the buffers that ``state_dict`` leaves out

    def __init__(self) -> None:
        holders = self.__dict__
        holders["training"] = True
        for kind in _HOLDERS:
            holders[kind] = {}
        holders["_non_persistent"] = set()

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not define forward()")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if MODE.get().recorder is None:
            return self.forward(*args, **kwargs)
        return self._recorded_call(args, kwargs)

    def _recorded_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The same, with the path of modules in the mode's scope; the outermost has none."""
        outer = _RUNNING.get()
        path = () if outer is None else outer._path_to(self)
        token = _RUNNING.set(self)
        try:
            with mode_set(scope=(*MODE.get().scope, *path)):
                return self.forward(*args, **kwargs)
        finally:
            _RUNNING.reset(token)

    def _path_to(self, inner: Module) -> tuple[str, ...]:
        for name, module in self.named_modules():
            if module is inner:
                return tuple(name.split(".")) if name else ()
        return (type(inner).__name__,)

    # --- attributes ----------------------------------------------------------------------------
    def __setattr__(self, name: str, value: Any) -> None:
        home = ("_parameters" if isinstance(value, Parameter) else
                "_modules" if isinstance(value, Module) else None)
        holders = self.__dict__
        if "_parameters" not in holders:
            if home is not None:
                raise OpError(f"{type(self).__name__}.{name}: call super().__init__() before "
                              f"parameters and modules are assigned")
            object.__setattr__(self, name, value)
            return
        kind = next((k for k in _HOLDERS if name in holders[k]), None)
        if home is not None:
            holders.pop(name, None)
            if kind not in (None, home):
                del holders[kind][name]
            holders[home][name] = value
        elif kind is not None:
            self._replace(kind, name, value)
        else:
            object.__setattr__(self, name, value)

    def _replace(self, kind: str, name: str, value: Any) -> None:
        if value is None or (kind == "_buffers" and isinstance(value, Tensor)):
            self.__dict__[kind][name] = value
            return
        wanted = {"_parameters": "a Parameter", "_modules": "a Module", "_buffers": "a tensor"}
        raise OpError(f"{type(self).__name__}.{name}: wanted {wanted[kind]} or None, got "
                      f"{type(value).__name__}")

    def __getattr__(self, name: str) -> Any:
        holders = self.__dict__
        for kind in _HOLDERS:
            if kind in holders and name in holders[kind]:
                return holders[kind][name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __delattr__(self, name: str) -> None:
        for kind in _HOLDERS:
            if name in self.__dict__[kind]:
                del self.__dict__[kind][name]
                self._non_persistent.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._parameters, *self._buffers, *self._modules})

    def _register(self, kind: str, name: str, value: Any, wanted: type) -> None:
        words = f"{type(self).__name__}: {kind.strip('_')} {name!r}"
        if "_parameters" not in self.__dict__:
            raise OpError(f"{words}: call super().__init__() first")
        if not isinstance(name, str) or not name or "." in name:
            raise OpError(f"{words}: a name is a string that is not empty and has no dot")
        if hasattr(self, name) and name not in self.__dict__[kind]:
            raise OpError(f"{words}: the attribute exists already")
        if value is not None and not isinstance(value, wanted):
            raise OpError(f"{words}: wanted {wanted.__name__} or None, got "
                          f"{type(value).__name__}")
        self.__dict__[kind][name] = value

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Register a parameter, or None for one that may come."""
        self._register("_parameters", name, param, Parameter)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Register a tensor that is state but no parameter; in ``state_dict`` if persistent."""
        self._register("_buffers", name, tensor, Tensor)
        (self._non_persistent.discard if persistent else self._non_persistent.add)(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Register a module under a name."""
        self._register("_modules", name, module, Module)

    register_module = add_module

    # --- walking -------------------------------------------------------------------------------
    def named_modules(self, memo: set[int] | None = None, prefix: str = "",
                      ) -> Iterator[tuple[str, Module]]:
        """This module and all inside it by dotted name, each once."""
        memo = set() if memo is None else memo
        if id(self) in memo:
            return
        memo.add(id(self))
        yield prefix, self
        for name, child in self._modules.items():
            if child is not None:
                yield from child.named_modules(memo, f"{prefix}.{name}" if prefix else name)

    def modules(self) -> Iterator[Module]:
        """This module and all inside it, each once."""
        return (m for _, m in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly inside by name."""
        return ((n, m) for n, m in self._modules.items() if m is not None)

    def children(self) -> Iterator[Module]:
        """The modules directly inside."""
        return (m for _, m in self.named_children())

    def _named(self, kind: str, prefix: str, recurse: bool) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        for path, module in self.named_modules() if recurse else [("", self)]:
            for name, value in module.__dict__[kind].items():
                if value is not None and id(value) not in seen:
                    seen.add(id(value))
                    yield ".".join(p for p in (prefix, path, name) if p), value

    def named_parameters(self, prefix: str = "", recurse: bool = True,
                         ) -> Iterator[tuple[str, Parameter]]:
        """Parameters by dotted name, each once."""
        return self._named("_parameters", prefix, recurse)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Parameters, each once."""
        return (p for _, p in self.named_parameters(recurse=recurse))

    def named_buffers(self, prefix: str = "", recurse: bool = True,
                      ) -> Iterator[tuple[str, Tensor]]:
        """Buffers by dotted name, each once."""
        return self._named("_buffers", prefix, recurse)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Buffers, each once."""
        return (b for _, b in self.named_buffers(recurse=recurse))

    def get_submodule(self, target: str) -> Module:
        """The module at a dotted path; AttributeError names the part that is missing."""
        module = self
        for name in filter(None, target.split(".")):
            child = module._modules.get(name)
            if child is None:
                raise AttributeError(f"{type(module).__name__} has no module {name!r} (of "
                                     f"{target!r})")
            module = child
        return module

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a dotted path."""
        path, _, name = target.rpartition(".")
        found = self.get_submodule(path)._parameters.get(name)
        if found is None:
            raise AttributeError(f"{type(self).__name__} has no parameter {target!r}")
        return found

    # --- state ---------------------------------------------------------------------------------
    def state_dict(self, *, prefix: str = "", keep_vars: bool = False,
                   ) -> OrderedDict[str, Tensor]:
        """Parameters and persistent buffers by dotted name.

        They share memory with the module's own, which ``keep_vars`` gives themselves.
        """
        found: OrderedDict[str, Tensor] = OrderedDict()
        for kind in ("_parameters", "_buffers"):
            for name, t in self.__dict__[kind].items():
                if t is not None and name not in self._non_persistent:
                    found[prefix + name] = t if keep_vars else t.detach()
        for name, child in self.named_children():
            found.update(child.state_dict(prefix=f"{prefix}{name}.", keep_vars=keep_vars))
        return found

    def load_state_dict(self, state_dict: Mapping[str, Any],
                        strict: bool = True) -> IncompatibleKeys:
        """Copy tensors or arrays in by name, in place.

        OpError lists all missing and unexpected keys (if ``strict``) and all shapes that do not
        fit; nothing is changed then.
        """
        own = self.state_dict(keep_vars=True)
        missing = [k for k in own if k not in state_dict]
        unexpected = [k for k in state_dict if k not in own]
        wrong = [f"size mismatch for {k}: copying a param with shape "
                 f"{list(state_dict[k].shape)} from checkpoint, the shape in current model is "
                 f"{list(t.shape)}" for k, t in own.items()
                 if k in state_dict and tuple(state_dict[k].shape) != tuple(t.shape)]
        if strict:
            wrong += [f"{what} key(s) in state_dict: {', '.join(map(repr, keys))}"
                      for what, keys in (("Missing", missing), ("Unexpected", unexpected)) if keys]
        if wrong:
            raise OpError(f"Error(s) in loading state_dict for {type(self).__name__}:\n\t"
                          + "\n\t".join(wrong))
        with no_grad():
            for k, t in own.items():
                if k in state_dict:
                    t.copy_(state_dict[k])
        return IncompatibleKeys(missing, unexpected)

    def traced_state(self) -> Iterator[tuple[str, str, Tensor]]:
        """``(role, name, tensor)`` of all parameters and buffers, persistent or not."""
        for name, p in self.named_parameters():
            yield "parameter", name, p
        for name, b in self.named_buffers():
            yield "buffer", name, b

    def snapshot(self) -> Callable[[], list[str]]:
        """A function that brings back every attribute of every module inside, and names those
        that had changed.
        """
        kept = [keep_attributes(m.__dict__, ".".join(filter(None, (type(self).__name__, name))))
                for name, m in self.named_modules()]

        def restore() -> list[str]:
            return [changed for undo in kept for changed in undo()]

        return restore

    # --- changing all at once ------------------------------------------------------------------
    def train(self, mode: bool = True) -> Self:
        """Set training behaviour (dropout, batch statistics) here and in all modules inside."""
        for m in self.modules():
            m.__dict__["training"] = bool(mode)
        return self

    def eval(self) -> Self:
        """The behaviour of inference: ``train(False)``."""
        return self.train(False)

    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Call ``fn`` on every module inside, then on this one."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set whether gradients reach the parameters."""
        for p in self.parameters():
            p.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or fill them with zeros."""
        for p in self.parameters():
            if set_to_none:
                p.grad = None
            elif p.grad is not None:
                p.grad.zero_()

    def to(self, *args: Any, dtype: Any = None, device: Any = None) -> Self:
        """Convert all floating parameters and buffers to a dtype, in place."""
        for a in args:
            if isinstance(a, str) and a == "cpu":
                device = a
            else:
                dtype = a.dtype if isinstance(a, Tensor) else a
        if device not in (None, "cpu"):
            raise OpError(f"device {device!r} is not available; modules live on 'cpu'")
        if dtype is not None:
            self._convert(as_dtype(dtype))
        return self

    def _convert(self, dtype: DType) -> None:
        if dtype.kind != "f":
            raise OpError(f"a module is converted to a floating dtype, got {dtype.public}")
        for t in (*self.parameters(), *self.buffers()):
            for part in (t, t.grad):
                if part is not None and part.dtype.kind == "f" and part.dtype is not dtype:
                    part._array = part._array.astype(dtype.numpy)
                    touch(part)  # what holds the old values must look again

    def float(self) -> Self:
        """All floating state as float32."""
        return self.to("float32")

    def double(self) -> Self:
        """All floating state as float64."""
        return self.to("float64")

    def cpu(self) -> Self:
        """This module: all live on the CPU."""
        return self

    # --- printing ------------------------------------------------------------------------------
    def extra_repr(self) -> str:
        """The settings, for the brackets of ``repr``."""
        return ""

    def __repr__(self) -> str:
        name, words = type(self).__name__, self.extra_repr()
        inside = [f"({n}): {m!r}" for n, m in self.named_children()]
        if not inside:
            return f"{name}({words})"
        lines = [*words.splitlines(), *inside]
        return f"{name}(\n  " + "\n".join(lines).replace("\n", "\n  ") + "\n)"
