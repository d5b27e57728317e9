"""Parametrizations: a parameter of a module computed from others whenever it is read."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from eager.engine.mode import no_grad
from eager.engine.tensor import Tensor
from eager.nn.containers import ModuleDict, ModuleList
from eager.nn.module import Module
from eager.nn.parameter import Parameter
from eager.ops.errors import OpError
from eager.ops.types import Type

#: What was computed inside `cached`, by module and name.
_CACHE: ContextVar[dict[tuple[int, str], Any] | None] = ContextVar("parametrized", default=None)


@contextmanager
def cached() -> Iterator[None]:
    """Inside the block every parametrized tensor is computed once."""
    if _CACHE.get() is not None:
        yield
        return
    token = _CACHE.set({})
    try:
        yield
    finally:
        _CACHE.reset(token)


class ParametrizationList(ModuleList):
    """The parametrizations of one tensor, applied one after another to what it is made of.

    That is the parameter ``original``, or ``original0``, ``original1`` and so on where the
    ``right_inverse`` of the first parametrization returns several tensors.
    """

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        if not modules:
            raise OpError("ParametrizationList requires one or more modules")
        super().__init__(modules)
        self.unsafe, was = unsafe, original.spec
        with no_grad():
            new = self._inverted(original)
        self.is_tensor = isinstance(new, Tensor)
        self.ntensors = 1 if self.is_tensor else len(new)
        if self.is_tensor:
            if new.dtype is not original.dtype:
                raise OpError(f"right_inverse turned {original.spec} into {new.spec}; it keeps "
                              f"the dtype")
            original.data = new
            self._hold("original", original, isinstance(original, Parameter))
        else:
            for k, part in enumerate(new):
                held = Parameter(part.detach(), original.requires_grad) if isinstance(
                    original, Parameter) else part
                self._hold(f"original{k}", held, isinstance(original, Parameter))
        if not unsafe:
            self._check(was)

    def _hold(self, name: str, tensor: Any, is_parameter: bool) -> None:
        (self.register_parameter if is_parameter else self.register_buffer)(name, tensor)

    def _check(self, was: Type) -> None:
        result = self()
        if not isinstance(result, Tensor):
            raise OpError(f"a parametrization must return a tensor, got {type(result).__name__}")
        if result.spec != was:
            raise OpError(f"a parametrization may not change the dtype or shape of the tensor "
                          f"unless `unsafe=True`: it was {was}, now {result.spec}")

    def _inverted(self, value: Any) -> Any:
        for module in reversed(list(self)):
            inverse = getattr(module, "right_inverse", None)
            if inverse is not None:
                value = inverse(value)
        return value

    def right_inverse(self, value: Tensor) -> None:
        """Write what gives ``value`` into the originals."""
        with no_grad():
            new = self._inverted(value)
            parts = [new] if self.is_tensor else list(new)
            for original, part in zip(self._originals(), parts, strict=True):
                if part.dtype is not original.dtype:
                    raise OpError(f"the tensor {part.spec} returned by right_inverse does not fit "
                                  f"into {original.spec}")
                if tuple(part.shape) == tuple(original.shape):
                    original.copy_(part)
                else:
                    original.data = part

    def _originals(self) -> list[Any]:
        names = (["original"] if self.is_tensor
                 else [f"original{k}" for k in range(self.ntensors)])
        return [getattr(self, n) for n in names]

    def forward(self) -> Any:
        first, *rest = self
        x = first(*self._originals())
        for module in rest:
            x = module(x)
        return x


# --- the class of a parametrized module --------------------------------------------------------
def _parametrized_class(module: Module) -> type[Module]:
    """A class of this module's own, for the properties in place of its parameters."""
    base = type(module)

    def refuse(self: Any) -> Any:
        raise OpError("parametrized modules are saved by their state_dict()")

    def deepcopied(self: Any, memo: dict[int, Any]) -> Any:
        twin = memo[id(self)] = base.__new__(base)
        twin.__dict__.update(copy.deepcopy(self.__dict__, memo))
        twin.__class__ = _parametrized_class(twin)
        for name in twin.parametrizations:
            _lay_property(type(twin), name)
        return twin

    made = type(f"Parametrized{base.__name__}", (base,),
                {"__getstate__": refuse, "__deepcopy__": deepcopied,
                 "__module__": base.__module__})
    made.parametrized_from = base  # type: ignore[attr-defined]
    return made


def _lay_property(cls: Any, name: str) -> None:
    def read(self: Any) -> Any:
        cache = _CACHE.get()
        if cache is None:
            return self.parametrizations[name]()
        key = id(self), name
        if key not in cache:
            cache[key] = self.parametrizations[name]()
        return cache[key]

    def assign(self: Any, value: Any) -> None:
        self.parametrizations[name].right_inverse(value)

    setattr(cls, name, property(read, assign))


def register_parametrization(module: Module, tensor_name: str, parametrization: Module, *,
                             unsafe: bool = False) -> Module:
    """Compute ``module.<tensor_name>`` by ``parametrization(original)`` from now on.

    A ``right_inverse`` of it, if defined, says where the originals start and what an assignment
    sets them to.  A second one is applied to what the first returns.  It may not change the dtype
    or shape unless ``unsafe``.
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        _append(module, tensor_name, parametrization, unsafe)
        return module
    held = tensor_name in module._parameters
    original = (module._parameters if held else module._buffers).get(tensor_name)
    if original is None:
        raise OpError(f"module {module._get_name()} does not have a parameter, a buffer, or a "
                      f"parametrized element with name {tensor_name!r}")
    parametrizations = ParametrizationList([parametrization], original, unsafe)
    delattr(module, tensor_name)
    if not is_parametrized(module):
        module.__class__ = _parametrized_class(module)
        module.parametrizations = ModuleDict()
    _lay_property(type(module), tensor_name)
    module.parametrizations[tensor_name] = parametrizations
    return module


def _append(module: Module, name: str, parametrization: Module, unsafe: bool) -> None:
    chain = module.parametrizations[name]
    before = getattr(module, name)
    if not unsafe:
        after = parametrization(before)
        if not isinstance(after, Tensor) or after.spec != before.spec:
            raise OpError(f"a parametrization of {before.spec} may not change its dtype or shape "
                          f"unless `unsafe=True`, got {getattr(after, 'type', after)}")
    chain.append(parametrization)
    chain.unsafe = chain.unsafe or unsafe


def is_parametrized(module: Any, tensor_name: str | None = None) -> bool:
    """Whether a module, or one tensor of it, is parametrized."""
    chains = module.__dict__["_modules"].get("parametrizations")
    if not isinstance(chains, ModuleDict):
        return False
    return len(chains) > 0 if tensor_name is None else tensor_name in chains


def remove_parametrizations(module: Module, tensor_name: str,
                            leave_parametrized: bool = True) -> Module:
    """Make a tensor a plain one again: its present value, or what it was computed from."""
    if not is_parametrized(module, tensor_name):
        raise OpError(f"module {module._get_name()} does not have a parametrization on "
                      f"{tensor_name!r}")
    chain = module.parametrizations[tensor_name]
    originals = chain._originals()
    if not leave_parametrized and len(originals) > 1:
        raise OpError("leave_parametrized=False needs a tensor that is made of one; it is made of "
                      f"{len(originals)}")
    plain = originals[0]
    if leave_parametrized:
        with no_grad():
            value = getattr(module, tensor_name).detach()
        if len(originals) > 1:
            plain = (Parameter(value, plain.requires_grad) if isinstance(plain, Parameter)
                     else value)
        else:
            plain.data = value  # the parameter stays the same, for optimisers that hold it
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    if not is_parametrized(module):
        del module.parametrizations
        module.__class__ = type_before_parametrizations(module)
    put = (module.register_parameter if isinstance(plain, Parameter) else module.register_buffer)
    put(tensor_name, plain)
    return module


def type_before_parametrizations(module: Any) -> type[Module]:
    """The class of a module before it was parametrized."""
    cls = type(module)
    made: type[Module] = cls.__dict__.get("parametrized_from", cls)
    return made


def transfer_parametrizations_and_params(from_module: Module, to_module: Module,
                                         tensor_name: str | None = None) -> Module:
    """Give copies of the parametrizations of a module, and what they compute from, to another."""
    if not is_parametrized(from_module, tensor_name):
        return to_module
    names: list[str] = list(from_module.parametrizations) if tensor_name is None else [tensor_name]
    for name in names:
        if not hasattr(to_module, name):
            setattr(to_module, name, Parameter(getattr(from_module, name).detach().clone()))
        source = from_module.parametrizations[name]
        for step in source:
            register_parametrization(to_module, name, copy.deepcopy(step), unsafe=True)
        with no_grad():
            for mine, theirs in zip(to_module.parametrizations[name]._originals(),
                                    source._originals(), strict=True):
                mine.data = theirs.detach().clone()
    return to_module


