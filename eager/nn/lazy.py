"""Modules that learn how many features come in from their first input."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar

from eager.engine.mode import no_grad
from eager.nn import convolution, layers, norms
from eager.nn.module import Module
from eager.nn.parameter import UninitializedBuffer, UninitializedParameter, is_lazy
from eager.ops.errors import OpError


class LazyModuleMixin(Module):
    """Goes before a module class whose first argument is to be inferred.

    The arguments are those of that class without the first.  Parameters and buffers have no shape
    until the first call, or until a state is loaded; then the module is one of that class.
    """

    cls_to_become: ClassVar[Any]
    features: ClassVar[str]  #: the attribute that is inferred
    dim: ClassVar[int]  #: of the input that it is the size of

    def __init_subclass__(cls) -> None:
        parameters = list(inspect.signature(cls.cls_to_become).parameters.values())
        cls.__signature__ = inspect.Signature(parameters[1:])  # type: ignore[attr-defined]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        given = inspect.signature(self.cls_to_become).bind(0, *args, **kwargs).arguments
        super().__init__(given.get("groups", 1), *args, **kwargs)
        self._given: dict[str, Any] = dict(list(given.items())[1:])
        setattr(self, self.features, 0)
        for name, p in self._parameters.items():
            if p is not None:
                self._parameters[name] = UninitializedParameter(p.requires_grad, dtype=p.dtype)
        for name, b in self._buffers.items():
            if b is not None and b.ndim:
                self._buffers[name] = UninitializedBuffer(dtype=b.dtype)
        self.register_forward_pre_hook(_infer)

    def has_uninitialized_params(self) -> bool:
        """Whether a parameter or buffer has no shape yet."""
        return any(map(is_lazy, (*self._parameters.values(), *self._buffers.values())))

    def initialize_parameters(self, input: Any) -> None:
        """Take the shape of the input; a state that was loaded stays."""
        size = int(input.shape[self.dim])
        setattr(self, self.features, size)
        made = self.cls_to_become(size, **self._given)
        with no_grad():
            for kind in ("_parameters", "_buffers"):
                for name, t in self.__dict__[kind].items():
                    if is_lazy(t):
                        new = getattr(made, name)
                        t.materialize(new.shape, dtype=new.dtype)
                        t.copy_(new)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *others: Any) -> None:
        for name, t in self._own_state().items():
            new = state_dict.get(prefix + name)
            if is_lazy(t) and new is not None and not is_lazy(new):
                t.materialize(new.shape)  # type: ignore[attr-defined]
        super()._load_from_state_dict(state_dict, prefix, *others)


def _infer(module: Any, args: tuple[Any, ...]) -> None:
    """Called before the first forward: the last time that the module is lazy."""
    if not args or not hasattr(args[0], "shape"):
        raise OpError(f"{module._get_name()} infers its shapes from its first argument, a tensor")
    module.initialize_parameters(args[0])
    hooks = module._call_hooks
    for number in [k for k, entry in hooks.before.items() if entry.hook is _infer]:
        del hooks.before[number]
    del module._given
    if hooks.is_empty():
        del module._call_hooks
    module.__class__ = module.cls_to_become


class LazyLinear(LazyModuleMixin, layers.Linear):
    """`Linear` whose ``in_features`` is inferred."""

    cls_to_become, features, dim = layers.Linear, "in_features", -1


class LazyConv1d(LazyModuleMixin, convolution.Conv1d):
    """`Conv1d` whose ``in_channels`` is inferred."""

    cls_to_become, features, dim = convolution.Conv1d, "in_channels", -2


class LazyConv2d(LazyModuleMixin, convolution.Conv2d):
    """`Conv2d` whose ``in_channels`` is inferred."""

    cls_to_become, features, dim = convolution.Conv2d, "in_channels", -3


class LazyConv3d(LazyModuleMixin, convolution.Conv3d):
    """`Conv3d` whose ``in_channels`` is inferred."""

    cls_to_become, features, dim = convolution.Conv3d, "in_channels", -4


class LazyConvTranspose1d(LazyModuleMixin, convolution.ConvTranspose1d):
    """`ConvTranspose1d` whose ``in_channels`` is inferred."""

    cls_to_become, features, dim = convolution.ConvTranspose1d, "in_channels", -2


class LazyConvTranspose2d(LazyModuleMixin, convolution.ConvTranspose2d):
    """`ConvTranspose2d` whose ``in_channels`` is inferred."""

    cls_to_become, features, dim = convolution.ConvTranspose2d, "in_channels", -3


class LazyConvTranspose3d(LazyModuleMixin, convolution.ConvTranspose3d):
    """`ConvTranspose3d` whose ``in_channels`` is inferred."""

    cls_to_become, features, dim = convolution.ConvTranspose3d, "in_channels", -4


class LazyBatchNorm1d(LazyModuleMixin, norms.BatchNorm1d):
    """`BatchNorm1d` whose ``num_features`` is inferred."""

    cls_to_become, features, dim = norms.BatchNorm1d, "num_features", 1


class LazyBatchNorm2d(LazyModuleMixin, norms.BatchNorm2d):
    """`BatchNorm2d` whose ``num_features`` is inferred."""

    cls_to_become, features, dim = norms.BatchNorm2d, "num_features", 1


class LazyBatchNorm3d(LazyModuleMixin, norms.BatchNorm3d):
    """`BatchNorm3d` whose ``num_features`` is inferred."""

    cls_to_become, features, dim = norms.BatchNorm3d, "num_features", 1


def _affine(self: Any, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True,
            track_running_stats: bool = True, device: Any = None, dtype: Any = None) -> None:
    """The lazy ones learn and keep running moments where the others do not, as in torch."""
    LazyModuleMixin.__init__(self, eps, momentum, affine, track_running_stats, device, dtype)


class LazyInstanceNorm1d(LazyModuleMixin, norms.InstanceNorm1d):
    """`InstanceNorm1d` whose ``num_features`` is inferred."""

    cls_to_become, features, dim = norms.InstanceNorm1d, "num_features", 1
    __init__ = _affine


class LazyInstanceNorm2d(LazyModuleMixin, norms.InstanceNorm2d):
    """`InstanceNorm2d` whose ``num_features`` is inferred."""

    cls_to_become, features, dim = norms.InstanceNorm2d, "num_features", 1
    __init__ = _affine


class LazyInstanceNorm3d(LazyModuleMixin, norms.InstanceNorm3d):
    """`InstanceNorm3d` whose ``num_features`` is inferred."""

    cls_to_become, features, dim = norms.InstanceNorm3d, "num_features", 1
    __init__ = _affine
