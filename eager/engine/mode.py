"""What the current context does with ops: record gradients, hand them to a recorder, or neither."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import ContextDecorator, contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

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
    #: What the storage of a result begins as: in inference mode one that counts no writes.
    storage: Any = None


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


Function = TypeVar("Function", bound=Callable[..., Any])


class set_grad_enabled(ContextDecorator):
    """Turn recording of gradients on or off: at once, in a block, or round a function."""

    def __init__(self, mode: bool) -> None:
        self._grad = bool(mode)
        self._tokens: list[Token[Mode]] = [MODE.set(replace(MODE.get(), grad=self._grad))]

    def __call__(self, func: Function) -> Function:
        MODE.reset(self._tokens.pop())  # used as a decorator: the change is not for here
        return _decorated(self, func)

    def _recreate_cm(self) -> set_grad_enabled:
        return set_grad_enabled(self._grad)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        MODE.reset(self._tokens.pop())


def _decorated(block: set_grad_enabled, func: Function) -> Function:
    """The function in a block of its own at every call; of a generator, at every step."""
    if not inspect.isgeneratorfunction(func):
        return ContextDecorator.__call__(block, func)

    @functools.wraps(func)
    def generate(*args: Any, **kwargs: Any) -> Any:
        generator = func(*args, **kwargs)
        step, value = generator.send, None
        try:
            while True:
                with block._recreate_cm():
                    result = step(value)
                try:
                    step, value = generator.send, (yield result)
                except GeneratorExit:
                    generator.close()
                    raise
                except BaseException as error:
                    step, value = generator.throw, error
        except StopIteration as end:
            return end.value

    return generate  # type: ignore[return-value]


class no_grad(set_grad_enabled):
    """A block or function inside which no gradients are recorded."""

    def __new__(cls, func: Any = None) -> Any:
        if callable(func):  # @no_grad without parentheses
            return cls()(func)
        return super().__new__(cls)

    def __init__(self) -> None:
        self._grad = False
        self._tokens = []

    def __call__(self, func: Function) -> Function:
        return _decorated(self, func)

    def _recreate_cm(self) -> no_grad:
        return type(self)()

    def __enter__(self) -> None:
        self._tokens.append(MODE.set(self._changed(MODE.get())))

    def _changed(self, mode: Mode) -> Mode:
        return replace(mode, grad=self._grad)


class enable_grad(no_grad):
    """A block or function inside which gradients are recorded."""

    def __init__(self) -> None:
        super().__init__()
        self._grad = True


def is_grad_enabled() -> bool:
    """Whether ops record gradients here."""
    return MODE.get().grad
