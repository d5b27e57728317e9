"""Weights normalised before every call: the older form of `parametrizations`, with its keys."""

from __future__ import annotations

import warnings
from typing import Any, TypeVar

from eager.engine import streams
from eager.engine.mode import no_grad
from eager.engine.tensor import Tensor
from eager.nn import functional as F
from eager.nn.module import Module
from eager.nn.parameter import Parameter
from eager.nn.utils.parametrizations import (
    as_matrix,
    default_dim,
    norm_except_dim,
    power_iteration,
)
from eager.ops.errors import OpError

M = TypeVar("M", bound=Module)


class WeightNorm:
    """The hook of `weight_norm`: ``weight = weight_g weight_v / |weight_v|``."""

    def __init__(self, name: str, dim: int | None) -> None:
        self.name, self.dim = name, -1 if dim is None else dim

    def compute(self, module: Module) -> Tensor:
        """The weight of the present parameters."""
        g, v = getattr(module, f"{self.name}_g"), getattr(module, f"{self.name}_v")
        result: Tensor = v * (g / norm_except_dim(v, self.dim))
        return result

    def __call__(self, module: Module, args: Any) -> None:
        setattr(module, self.name, self.compute(module))

    def remove(self, module: Module) -> None:
        """One parameter again."""
        weight = self.compute(module).detach()
        for name in (self.name, f"{self.name}_g", f"{self.name}_v"):
            delattr(module, name)
        setattr(module, self.name, Parameter(weight))


class SpectralNorm:
    """The hook of `spectral_norm`: the weight over its largest singular value."""

    def __init__(self, name: str, n_power_iterations: int, dim: int, eps: float) -> None:
        if n_power_iterations <= 0:
            raise OpError(f"Expected n_power_iterations to be positive, but got "
                          f"n_power_iterations={n_power_iterations}")
        self.name, self.dim, self.eps = name, dim, eps
        self.n_power_iterations = n_power_iterations

    def compute(self, module: Module, steps: int) -> Tensor:
        """The weight of the present parameters, after some steps of power iteration."""
        weight = getattr(module, f"{self.name}_orig")
        u, v = getattr(module, f"{self.name}_u"), getattr(module, f"{self.name}_v")
        matrix = as_matrix(weight, self.dim)
        power_iteration(matrix.mT, v, u, steps, self.eps)  # this form moves v first
        result: Tensor = weight / (u.clone() * (matrix @ v.clone())).sum()
        return result

    def __call__(self, module: Module, args: Any) -> None:
        steps = self.n_power_iterations if module.training else 0
        setattr(module, self.name, self.compute(module, steps))

    def remove(self, module: Module) -> None:
        """One parameter again."""
        with no_grad():
            weight = self.compute(module, 0)
        for suffix in ("", "_u", "_v", "_orig"):
            delattr(module, self.name + suffix)
        module.register_parameter(self.name, Parameter(weight))


def _parameter_of(module: Module, name: str) -> Parameter:
    weight = module._parameters.get(name)
    if weight is None:
        raise OpError(f"{module._get_name()} has no parameter {name!r}")
    return weight


def _hook(module: Module, hook: WeightNorm | SpectralNorm) -> None:
    hooks = module._hooks_made().before.values()
    if any(type(h.hook) is type(hook) and h.hook.name == hook.name for h in hooks):
        raise OpError(f"Cannot register two {type(hook).__name__} hooks on the same parameter "
                      f"{hook.name}")
    module.register_forward_pre_hook(hook)


def weight_norm(module: M, name: str = "weight", dim: int | None = 0) -> M:
    """Split a weight into ``<name>_g``, its norms over all dims but ``dim``, and ``<name>_v``."""
    warnings.warn("nn.utils.weight_norm is deprecated in favor of "
                  "nn.utils.parametrizations.weight_norm.", FutureWarning, stacklevel=2)
    hook = WeightNorm(name, dim)
    _hook(module, hook)
    weight = _parameter_of(module, name).detach()
    delattr(module, name)
    module.register_parameter(f"{name}_g", Parameter(norm_except_dim(weight, hook.dim)))
    module.register_parameter(f"{name}_v", Parameter(weight))
    setattr(module, name, hook.compute(module))
    return module


def spectral_norm(module: M, name: str = "weight", n_power_iterations: int = 1,
                  eps: float = 1e-12, dim: int | None = None) -> M:
    """Divide a weight by its spectral norm before every call (Miyato et al., 2018).

    The parameter becomes ``<name>_orig``; ``<name>_u`` and ``<name>_v`` are buffers.
    """
    hook = SpectralNorm(name, n_power_iterations, default_dim(module) if dim is None else dim, eps)
    _hook(module, hook)
    weight = _parameter_of(module, name)
    with no_grad():
        rows, columns = as_matrix(weight.detach(), hook.dim).shape
        u, v = (F.normalize(streams.randn(n, dtype=weight.dtype), dim=0, eps=eps)
                for n in (rows, columns))
    delattr(module, name)
    module.register_parameter(f"{name}_orig", weight)
    setattr(module, name, weight.detach())
    module.register_buffer(f"{name}_u", u)
    module.register_buffer(f"{name}_v", v)
    return module


def _remove(module: M, kind: type[Any], name: str) -> M:
    hooks = module._hooks_made().before
    for number, entry in list(hooks.items()):
        if isinstance(entry.hook, kind) and entry.hook.name == name:
            entry.hook.remove(module)
            del hooks[number]
            return module
    raise OpError(f"{kind.__name__} of {name!r} not found in {module._get_name()}")


def remove_weight_norm(module: M, name: str = "weight") -> M:
    """Undo `weight_norm`: the weight is one parameter again, with its present value."""
    return _remove(module, WeightNorm, name)


def remove_spectral_norm(module: M, name: str = "weight") -> M:
    """Undo `spectral_norm`: the normalised weight is the parameter."""
    return _remove(module, SpectralNorm, name)
