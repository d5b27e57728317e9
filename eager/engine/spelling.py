"""How users reach the table: operators, methods and functions made from its rows."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from eager.engine.dispatch import apply, apply_pair
from eager.engine.inplace import apply_inplace, write, write_out
from eager.engine.mode import MODE, mode_set
from eager.ops.composite import Composite
from eager.ops.errors import OpError
from eager.ops.families import Pointwise
from eager.ops.op import Op, Spelling
from eager.ops.table import FUNCTIONS, TABLE

if TYPE_CHECKING:
    from eager.engine.tensor import Tensor


# --- functions ---------------------------------------------------------------------------------
def function_of(row: Op | Composite, F: Any) -> Callable[..., Any]:
    """The public function of a row: torch's signature where the row has one."""
    body = row.body if isinstance(row, Composite) else row.public
    if body is None:
        assert isinstance(row, Op)
        return _operands_of(row)

    if "inplace" in _parameters(body):
        return _writing(row, body, F)

    fused = row.fused if isinstance(row, Composite) else None
    renamed = _numpy_names(body)

    def call(*args: Any, **kwargs: Any) -> Any:
        if kwargs and not renamed.isdisjoint(kwargs):
            kwargs = {NUMPY_NAMES.get(name, name): value for name, value in kwargs.items()}
        if fused is not None and not kwargs and MODE.get().recorder is None:
            return apply(fused, args if args[-1] is not None else args[:-1])
        return body(F, *args, **kwargs)

    return _presented(call, row, body, F)


def _presented(call: Any, row: Op | Composite, body: Callable[..., Any],
               F: Any) -> Callable[..., Any]:
    """The function under its row's name, with the signature of its body without ``F``."""
    call.__name__ = call.__qualname__ = row.name
    call.__module__, call.__doc__ = body.__module__, row.doc
    call.__wrapped__ = functools.partial(body, F)  # where ``inspect.signature`` looks
    return call  # type: ignore[no-any-return]


def _parameters(body: Callable[..., Any]) -> tuple[str, ...]:
    """The names of a function's parameters, at a hundredth of what ``inspect`` takes."""
    code = body.__code__
    return code.co_varnames[:code.co_argcount + code.co_kwonlyargcount]


#: NumPy's names of arguments, which torch takes too.
NUMPY_NAMES = {"axis": "dim", "keepdims": "keepdim"}


def _numpy_names(body: Callable[..., Any]) -> frozenset[str]:
    """The NumPy names that stand for parameters of a function."""
    parameters = _parameters(body)
    return frozenset(theirs for theirs, ours in NUMPY_NAMES.items()
                     if ours in parameters and theirs not in parameters)


def _writing(row: Op | Composite, body: Callable[..., Any], F: Any) -> Callable[..., Any]:
    """The function of a row that takes ``inplace``: where that is true, the input is written."""
    place = _parameters(body).index("inplace") - 2  # after F and the input

    def call(input: Any, *args: Any, **kwargs: Any) -> Any:
        if not (args[place] if len(args) > place else kwargs.get("inplace")):
            return body(F, input, *args, **kwargs)
        return write(input, lambda old: body(F, old, *args, **kwargs), row.name)

    return _presented(call, row, body, F)


def _operands_of(op: Op) -> Callable[..., Any]:
    if op.arity == 1:
        def call(input: Any) -> Any:
            return apply(op, (input,))
    elif op.arity == 2:
        def call(input: Any, other: Any) -> Any:  # type: ignore[misc]
            return apply(op, (input, other))
    else:
        def call(*operands: Any) -> Any:  # type: ignore[misc]
            return apply(op, operands)
    call.__name__ = call.__qualname__ = op.name
    call.__doc__ = op.doc
    return call


def _with_out(call: Callable[..., Any]) -> Callable[..., Any]:
    """The function with ``out=``: a tensor (or a tuple of them) that the result is written to."""
    @functools.wraps(call)
    def wrapped(*args: Any, out: Any = None, **kwargs: Any) -> Any:
        if out is None:
            return call(*args, **kwargs)
        with mode_set(grad=False):
            return write_out(out, call(*args, **kwargs))

    return wrapped


def rows() -> Iterable[Op | Composite]:
    """Every row that users can spell."""
    every: tuple[Op | Composite, ...] = (*TABLE.values(), *FUNCTIONS.values())
    return (r for r in every if r.spelling is not None)


def spelled(row: Op | Composite) -> Spelling:
    assert row.spelling is not None
    return row.spelling


def namespace(where: str, F: Any) -> dict[str, Callable[..., Any]]:
    """The functions of one namespace (``eager`` or ``nn.functional``) by name."""
    found: dict[str, Callable[..., Any]] = {}
    for row in rows():
        if where in spelled(row).where:
            call = function_of(row, F)
            writes = _inplace(row, call) if writes_as(row, where) else None
            if where in _WITH_OUT:
                call = _with_out(call)
            for name in (row.name, *spelled(row).names):
                found[name] = call
                if writes is not None:
                    found[f"{name}_"] = writes
    return found


def writes_as(row: Op | Composite, where: str) -> bool:
    """Whether a namespace also has a row's function that writes its input: ``relu_``."""
    if where == "eager":
        return "inplace" in spelled(row).where
    body = row.body if isinstance(row, Composite) else row.public
    return where == "nn.functional" and body is not None and "inplace" in _parameters(body)


#: The namespaces whose functions take ``out=``.
_WITH_OUT = ("eager", "linalg", "fft", "special")


def module_hooks(where: str, F: Any) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a module that is one namespace of the table."""
    found = namespace(where, F)

    def get(name: str) -> Any:
        try:
            return found[name]
        except KeyError:
            raise AttributeError(f"module 'eager.{where}' has no attribute {name!r}") from None

    return get, lambda: sorted(found)


# --- methods -----------------------------------------------------------------------------------
def lay_on(tensor: Any, F: Any) -> None:
    """Give the class its operators, methods and in-place methods."""
    for row in rows():
        where = spelled(row).where
        call = function_of(row, F)
        for name in (row.name, *spelled(row).names):
            if "method" in where:
                setattr(tensor, name, call)
            if "inplace" in where:
                setattr(tensor, f"{name}_", _inplace(row, call))
        for operator in (w for w in where if w.startswith("__")):
            setattr(tensor, operator, _operator(row, operator, call))
    for operator, row_name in _AUGMENTED.items():
        setattr(tensor, operator, _augmented(TABLE[row_name]))
    tensor.__invert__ = _invert
    tensor.T = property(_reversed_dims)


_AUGMENTED = {
    "__iadd__": "add", "__isub__": "sub", "__imul__": "mul", "__itruediv__": "div",
    "__ifloordiv__": "floor_divide", "__imod__": "remainder", "__ipow__": "pow",
    "__iand__": "bitwise_and", "__ior__": "bitwise_or", "__ixor__": "bitwise_xor",
    "__ilshift__": "bitwise_left_shift", "__irshift__": "bitwise_right_shift"}


def _operator(row: Op | Composite, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    reflected = name.startswith("__r") and name not in ("__round__", "__rshift__")
    if not isinstance(row, Op) or row.arity == 1 or not isinstance(row.kernel, Pointwise):
        return (lambda self, other: call(other, self)) if reflected else call
    op = row
    if reflected:
        def operate(self: Any, other: Any) -> Any:
            return apply(op, (other, self)) if _operable(other) else NotImplemented
    else:
        powers = name == "__pow__"  # of which some numbers have ops of their own

        def operate(self: Any, other: Any) -> Any:
            try:
                return call(self, other) if powers else apply_pair(op, self, other)
            except OpError:
                if _operable(other):
                    raise
                return NotImplemented
    operate.__name__ = operate.__qualname__ = name
    operate.__doc__ = op.doc
    return operate


def _operable(other: Any) -> bool:
    return (hasattr(other, "_needs") or hasattr(other, "__dim__") or hasattr(other, "__real__")
            or isinstance(other, (bool, int, float, np.ndarray, np.generic)))


def _inplace(row: Op | Composite, call: Callable[..., Any]) -> Callable[..., Any]:
    """The method with a trailing underscore: an op in NumPy's own way, else by its new value."""
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(row, Op) and not kwargs and len(args) == row.arity - 1:
            return apply_inplace(row, self, args, {})
        return write(self, lambda old: call(old, *args, **kwargs), f"{row.name}_")

    method.__name__ = method.__qualname__ = f"{row.name}_"
    method.__doc__ = f"In place: {row.doc}"
    return method


def _augmented(op: Op) -> Callable[..., Any]:
    def method(self: Any, other: Any) -> Any:
        return apply_inplace(op, self, (other,), {}) if _operable(other) else NotImplemented

    method.__name__ = method.__qualname__ = f"__i{op.name}__"
    method.__doc__ = f"In place: {op.doc}"
    return method


def _invert(self: Tensor) -> Tensor:
    """``~x``: logical for bool, bitwise for integers."""
    if self.dtype.kind == "b":
        return apply(TABLE["logical_not"], (self,))
    return apply(TABLE["bitwise_xor"], (self, -1))


def _reversed_dims(self: Tensor) -> Tensor:
    """The tensor with its dims in reverse order."""
    return apply(TABLE["permute"], (self,), {"dims": tuple(reversed(range(self.ndim)))})


# --- small print of Tensor ---------------------------------------------------------------------
def single(t: Tensor, array: np.ndarray[Any, Any], what: str) -> Any:
    """The only element of ``array``."""
    if array.size != 1:
        raise OpError(f"{what}() wants one element, this is {t.spec}")
    return array.item()


def rebuild(cls: type[Tensor], array: np.ndarray[Any, Any], requires_grad: bool) -> Tensor:
    """A leaf of class ``cls`` over ``array``."""
    result = cls.__new__(cls)
    result._array = array
    result._node = result._storage = result._view = result.grad = None
    result._needs = requires_grad
    return result
