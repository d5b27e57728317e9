"""Module: a function with parameters, buffers and modules inside it, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, Self

from eager.engine.device import check_device
from eager.engine.inplace import clear_grad
from eager.engine.mode import MODE, mode_set, no_grad
from eager.engine.stateful import Change, keep_attributes
from eager.engine.tensor import Tensor
from eager.nn.hooks import call_with_hooks
from eager.nn.parameter import Buffer, Parameter, is_lazy
from eager.nn.state import IncompatibleKeys, Stored
from eager.ops.errors import OpError
from eager.ops.types import BF16, F16, F32, F64, DType, as_dtype

__all__ = ["Buffer", "IncompatibleKeys", "Module", "Parameter"]

#: The module whose ``forward`` is running, while a recorder wants the paths of modules.
_RUNNING: ContextVar[Module | None] = ContextVar("running module", default=None)


class Module(Stored):
    """The base class of everything with parameters; subclasses define ``forward``."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"Module [{self._get_name()}] is missing the required "
                                  f"\"forward\" function")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._call_hooks is None and MODE.get().recorder is None:
            return self.forward(*args, **kwargs)
        if MODE.get().recorder is None:
            return call_with_hooks(self, args, kwargs)
        return self.__recorded_call(args, kwargs)

    def __recorded_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The same, with the path of modules in the mode's scope; the outermost has none."""
        outer = _RUNNING.get()
        path = () if outer is None else outer.__path_to(self)
        token = _RUNNING.set(self)
        try:
            with mode_set(scope=(*MODE.get().scope, *path)):
                if self._call_hooks is None:
                    return self.forward(*args, **kwargs)
                return call_with_hooks(self, args, kwargs)
        finally:
            _RUNNING.reset(token)

    def __path_to(self, inner: Module) -> tuple[str, ...]:
        for name, module in self.named_modules():
            if module is inner:
                return tuple(name.split(".")) if name else ()
        return (type(inner).__name__,)

    # --- for a tracer --------------------------------------------------------------------------
    def traced_state(self) -> Iterator[tuple[str, str, Tensor]]:
        """``(role, name, tensor)`` of all parameters and buffers, persistent or not."""
        for name, p in self.named_parameters():
            yield "parameter", name, p
        for name, b in self.named_buffers():
            yield "buffer", name, b

    def snapshot(self) -> Callable[[], list[Change]]:
        """A function that brings back every attribute of every module inside, and tells what
        had changed.
        """
        kept = [keep_attributes(m.__dict__, ".".join(filter(None, (type(self).__name__, name))))
                for name, m in self.named_modules()]

        def restore() -> list[Change]:
            return [changed for undo in kept for changed in undo()]

        return restore

    # --- changing all at once ------------------------------------------------------------------
    def train(self, mode: bool = True) -> Self:
        """Set training behaviour (dropout, batch statistics) here and in all modules inside."""
        if not isinstance(mode, bool):
            raise OpError(f"training mode is expected to be boolean, got {mode!r}")
        self.training = mode
        for child in self.children():
            child.train(mode)
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
            clear_grad(p, set_to_none)

    # --- other dtypes --------------------------------------------------------------------------
    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Put ``fn`` of each parameter, gradient and buffer in its place; they stay the same
        tensors, with other memory.
        """
        if recurse:
            for child in self.children():
                child._apply(fn)
        with no_grad():
            for t in (*self._parameters.values(), *self._buffers.values()):
                for part in (t, None if t is None else t.grad):
                    if part is not None and part._has_data:
                        new = fn(part.detach())
                        if new._array is not part._array:
                            part.data = new
        return self

    def to(self, *args: Any, device: Any = None, dtype: Any = None, non_blocking: bool = False,
           memory_format: Any = None) -> Self:
        """Convert all floating and complex parameters and buffers to a dtype, in place.

        ``to(dtype)``, ``to(device)``, ``to(device, dtype)`` and ``to(tensor)``.
        """
        for a in args[:2]:
            if isinstance(a, Tensor):
                dtype = a.dtype
            elif isinstance(a, DType) or (isinstance(a, str) and _is_dtype(a)):
                dtype = a
            elif a is not None and not isinstance(a, bool):
                device = a
        check_device(device)
        if dtype is None:
            return self
        kind = as_dtype(dtype)
        if kind.kind not in "fc":
            raise OpError(f"nn.Module.to only accepts floating point or complex dtypes, but got "
                          f"desired dtype={kind.public}")
        return self._apply(lambda t: t.to(kind) if t.dtype.kind in "fc" else t)

    def type(self, dst_type: Any) -> Self:
        """Convert all parameters and buffers, whatever they are, to a dtype."""
        return self._apply(lambda t: t.to(as_dtype(dst_type)))

    def __floating(self, dtype: DType) -> Self:
        return self._apply(lambda t: t.to(dtype) if t.dtype.kind == "f" else t)

    def float(self) -> Self:
        """All floating state as float32."""
        return self.__floating(F32)

    def double(self) -> Self:
        """All floating state as float64."""
        return self.__floating(F64)

    def half(self) -> Self:
        """All floating state as float16."""
        return self.__floating(F16)

    def bfloat16(self) -> Self:
        """All floating state as bfloat16."""
        return self.__floating(BF16)

    def cpu(self) -> Self:
        """This module: all live on the CPU."""
        return self

    def cuda(self, device: Any = None) -> Self:
        """Refused: there is no such device."""
        check_device("cuda" if device is None else f"cuda:{device}")
        return self

    def to_empty(self, *, device: Any, recurse: bool = True) -> Self:
        """Give all state other memory, with no values in particular."""
        check_device(device)
        return self._apply(lambda t: t if is_lazy(t) else t.clone(), recurse)

    def share_memory(self) -> Self:
        """This module: threads share it as it is."""
        return self

    # --- printing ------------------------------------------------------------------------------
    def extra_repr(self) -> str:
        """The settings, for the brackets of ``repr``."""
        return ""

    def __repr__(self) -> str:
        words = self.extra_repr()
        own = words.split("\n") if words else []
        inside = [f"({n}): " + indented(repr(m)) for n, m in self._modules.items()]
        if not inside and len(own) < 2:
            return f"{self._get_name()}({words})"
        return f"{self._get_name()}(\n  " + "\n  ".join(own + inside) + "\n)"


def indented(text: str) -> str:
    """All lines but the first two columns in."""
    return text.replace("\n", "\n  ")


def _is_dtype(name: str) -> bool:
    try:
        as_dtype(name)
    except OpError:
        return False
    return True
