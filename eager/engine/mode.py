"""What the current context does with ops: record gradients, hand them to a recorder, or neither."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ContextDecorator, contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from eager.engine.tensor import Tensor
    from eager.ops.op import Op


class Recorder(Protocol):
    """Sees every op of a context instead of the eager engine.

    `apply` performs an op and returns its result, `write` is told the whole new
    value of a tensor that is written in place, `read` answers (or refuses) a read
    of data by Python; ``how`` is the spelling, such as ``item`` or ``bool``.
    `made` is told of a tensor that Python made of an array.  `aliases` says whether the result
    of a view op looks into the memory of its source.
    """

    def apply(self, op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> Tensor: ...

    def write(self, target: Tensor, value: Tensor) -> None: ...

    def read(self, tensor: Tensor, how: str) -> Any: ...

    def made(self, tensor: Tensor) -> None: ...

    def aliases(self, op: Op, source: Tensor, result: Tensor) -> bool: ...


@dataclass(frozen=True, slots=True)
class Mode:
    """``scope`` is the path of modules being called, outermost first."""

    grad: bool = True
    recorder: Recorder | None = None
    scope: tuple[str, ...] = ()


#: A context variable, so that worker threads start clean.
MODE: ContextVar[Mode] = ContextVar("eager mode", default=Mode())  # noqa: B039 (frozen)


@contextmanager
def mode_set(**changes: Any) -> Iterator[None]:
    """Change fields of the mode inside a block."""
    token = MODE.set(replace(MODE.get(), **changes))
    try:
        yield
    finally:
        MODE.reset(token)


class set_grad_enabled(ContextDecorator):
    """Turn recording of gradients on or off: at once, in a block, or round a function."""

    def __init__(self, mode: bool) -> None:
        self._grad = bool(mode)
        self._tokens: list[Token[Mode]] = [MODE.set(replace(MODE.get(), grad=self._grad))]

    def __call__(self, func: Callable[..., Any]) -> Callable[..., Any]:
        MODE.reset(self._tokens.pop())  # used as a decorator: the change is not for here
        return super().__call__(func)

    def _recreate_cm(self) -> set_grad_enabled:
        return type(self)(self._grad) if type(self) is set_grad_enabled else type(self)()

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        MODE.reset(self._tokens.pop())


class no_grad(set_grad_enabled):
    """A block or function inside which no gradients are recorded."""

    def __init__(self) -> None:
        self._grad = False
        self._tokens = []

    def __call__(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return ContextDecorator.__call__(self, func)

    def __enter__(self) -> None:
        self._tokens.append(MODE.set(replace(MODE.get(), grad=self._grad)))


class enable_grad(no_grad):
    """A block or function inside which gradients are recorded."""

    def __init__(self) -> None:
        super().__init__()
        self._grad = True


def is_grad_enabled() -> bool:
    """Whether ops record gradients here."""
    return MODE.get().grad
