"""How users reach the table: operators, methods and functions made from its rows."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from eager.engine.dispatch import apply, apply_pair
from eager.engine.inplace import apply_inplace, write
from eager.engine.mode import MODE
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

    @functools.wraps(body)
    def call(*args: Any, **kwargs: Any) -> Any:
        return body(F, *args, **kwargs)

    call.__name__ = call.__qualname__ = row.name
    call.__doc__ = row.doc
    return call


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


def rows() -> Iterable[Op | Composite]:
    """Every row that users can spell."""
    return (r for r in (*TABLE.values(), *FUNCTIONS.values()) if r.spelling is not None)


def spelled(row: Op | Composite) -> Spelling:
    assert row.spelling is not None
    return row.spelling


def namespace(where: str, F: Any) -> dict[str, Callable[..., Any]]:
    """The functions of one namespace (``eager`` or ``nn.functional``) by name."""
    found: dict[str, Callable[..., Any]] = {}
    for row in rows():
        if where in spelled(row).where:
            call = function_of(row, F)
            for name in (row.name, *spelled(row).names):
                found[name] = call
    return found


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


_AUGMENTED = {"__iadd__": "add", "__isub__": "sub", "__imul__": "mul", "__itruediv__": "div"}


def _operator(row: Op | Composite, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    reflected = name.startswith("__r") and name != "__round__"
    if not isinstance(row, Op) or row.arity == 1 or not isinstance(row.kernel, Pointwise):
        return (lambda self, other: call(other, self)) if reflected else call
    op = row
    if reflected:
        def operate(self: Any, other: Any) -> Any:
            return apply(op, (other, self)) if _operable(other) else NotImplemented
    else:
        def operate(self: Any, other: Any) -> Any:
            try:
                return apply_pair(op, self, other)
            except OpError:
                if _operable(other):
                    raise
                return NotImplemented
    operate.__name__ = operate.__qualname__ = name
    operate.__doc__ = op.doc
    return operate


def _operable(other: Any) -> bool:
    return (hasattr(other, "_needs") or hasattr(other, "__dim__")
            or isinstance(other, (bool, int, float, np.ndarray, np.generic)))


def _inplace(row: Op | Composite, call: Callable[..., Any]) -> Callable[..., Any]:
    """The method with a trailing underscore: an op in NumPy's own way, else by its new value."""
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(row, Op) and not kwargs:
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


# --- indexing ----------------------------------------------------------------------------------
def assign(target: Tensor, index: Any, value: Any) -> None:
    """``target[index] = value``."""
    from eager.engine.tensor import TAPED

    body = FUNCTIONS["setitem"].body
    write(target, lambda old: body(TAPED, old, index, value), "__setitem__")


# --- small print of Tensor ---------------------------------------------------------------------
def single(t: Tensor, array: np.ndarray[Any, Any], what: str) -> Any:
    """The only element of ``array``."""
    if array.size != 1:
        raise OpError(f"{what}() wants one element, this is {t.type}")
    return array.item()


def rebuild(cls: type[Tensor], array: np.ndarray[Any, Any], requires_grad: bool) -> Tensor:
    """A leaf of class ``cls`` over ``array``."""
    result = cls.__new__(cls)
    result._array = array
    result._node = result._storage = result._view = result.grad = None
    result._needs = requires_grad
    return result


def seed_for(root: Tensor, gradient: Any) -> Tensor:
    """The gradient to start from: given, or 1 for a single element."""
    from eager.engine.tensor import Tensor

    if gradient is None:
        if tuple(root.shape) != () and root.type.numel != 1:
            raise OpError(f"backward() of {root.type} needs a gradient of the same shape; only a "
                          f"single element has an implied one")
        return apply(TABLE["full"], (), {"shape": tuple(root.shape), "value": 1.0,
                                         "dtype": root.dtype})
    if not isinstance(gradient, Tensor):
        raise OpError(f"the gradient is a tensor, got {type(gradient).__name__}")
    if tuple(gradient.shape) != tuple(root.shape) or gradient.dtype is not root.dtype:
        raise OpError(f"the gradient of {root.type} has its type, got {gradient.type}")
    return gradient


def accumulate_grads(found: Iterable[tuple[Tensor, Any]], seed: Tensor) -> None:
    """Add each gradient into its leaf's ``.grad``."""
    from eager.engine.tensor import Tensor

    recorded = MODE.get().recorder is not None
    # Arrays that somebody else holds: one array may be the gradient of several leaves.
    taken = set() if recorded else {id(seed._array)}
    for leaf, g in found:
        if isinstance(g, Tensor):
            leaf.grad = g if leaf.grad is None else leaf.grad + g
        elif leaf.grad is not None:
            leaf.grad.add_(Tensor(g))
        else:
            shared = id(g) in taken or g.base is not None
            taken.add(id(g))
            leaf.grad = rebuild(Tensor, g.copy() if shared else np.asarray(g), False)
