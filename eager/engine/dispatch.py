"""The one choke point: every op of every tensor passes through `apply`.

Checks are cheap and words are dear: NumPy is asked first, and only when it
refuses is the op's contract run to word the error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from eager.engine.mode import MODE
from eager.engine.raw import is_half
from eager.engine.silence import SILENT, errstate_variable
from eager.engine.tape import record, storage_of
from eager.ops.errors import OpError, OpIndexError
from eager.ops.op import Op
from eager.ops.types import BOOL, F32, I64, DType, Type, scalar_dtype, weak_promote

if TYPE_CHECKING:
    from eager.engine.tensor import Tensor

_ndarray = np.ndarray
_NUMBERS = (bool, int, float, complex)
_REALS = (float, int)
#: Kinds of NumPy dtypes that gradients flow through; ml_dtypes gives bfloat16 the kind V.
_FLOWING = "fcV"
#: Of `Op.promote`: what takes no integers, and what takes them as they are.
_FLOATING, _WHOLE = ("float", "floats"), ("same", "numbers")
_SHORTEST = _FLOATING + _WHOLE
_mode = MODE.get
_quiet, _loud = errstate_variable.set, errstate_variable.reset
_NO_ATTRS: dict[str, Any] = {}


def apply(op: Op, args: tuple[Any, ...], attrs: dict[str, Any] = _NO_ATTRS) -> Tensor:
    """Perform ``op`` on tensors (or Python numbers) and tape it where a gradient is wanted.

    Raises OpError with the op, what was wanted and what came.
    """
    mode = _mode()
    if mode.recorder is not None:
        return _recorded(mode, op, args, attrs)
    needs = False
    dtype = None
    arrays = []
    meets = op.promote
    try:
        for a in args:
            array = a._array
            arrays.append(array)
            if a._view is not None:
                a._view.refresh(a)
            if a._needs:
                needs = True
            if dtype is None:
                dtype = array.dtype
            elif array.dtype is not dtype and meets != "none":
                raise AttributeError
        if meets != "none" and (dtype is _BOOL or (meets in _FLOATING and dtype.kind in "iu")):
            raise AttributeError
    except AttributeError:
        args, arrays, needs = _met(op, args, attrs)
        dtype = None  # the first operand no longer tells
    token = _quiet(SILENT)
    try:
        if op.precheck is not None:
            op.precheck(*arrays, **attrs)
        if dtype is _F32 or not _unusual(op, arrays):
            out = op.run(*arrays, **attrs) if attrs else op.run(*arrays)
        else:
            out = op.run_wide(arrays, attrs)
    except (TypeError, ValueError, IndexError, ZeroDivisionError, OverflowError, OpError,
            AttributeError) as error:
        raise explain(op, args, attrs, error) from None
    finally:
        _loud(token)
    if type(out) is not _ndarray:
        out = np.asarray(out)
    result = _new(_Tensor)
    result._array = out
    result._storage = mode.storage
    result._view = result.grad = None
    if op.put is not None and _aliases(out, arrays[0]):
        _link_view(op, args[0], attrs, result)
    if needs and mode.grad and op.grad is not None and out.dtype.kind in _FLOWING:
        result._needs = True
        result._node = record(op, args, attrs, out)
    else:
        result._needs = False
        result._node = None
    return result


def apply_pair(op: Op, x: Any, y: Any) -> Tensor:
    """``apply(op, (x, y))`` of a pointwise op.

    Two float32 tensors that are no views, or one and a number, which most operators meet, take
    the same steps without loops: a third of the time of a small op.
    """
    mode = _mode()
    if mode.recorder is not None:  # a traced tensor has no array to look at
        return apply(op, (x, y))
    try:
        a = x._array
        if type(y) in _REALS:
            b, second = y, False
        elif y._array.dtype is _F32 and y._view is None:
            b, second = y._array, y._needs
        else:
            return apply(op, (x, y))
        if a.dtype is not _F32 or x._view is not None or op.precheck is not None:
            return apply(op, (x, y))
    except AttributeError:
        return apply(op, (x, y))
    token = _quiet(SILENT)
    try:
        out = op.run(a, b)
    except (TypeError, ValueError, OverflowError) as error:
        raise explain(op, (x, y), _NO_ATTRS, error) from None
    finally:
        _loud(token)
    if type(out) is not _ndarray:
        out = np.asarray(out)
    result = _new(_Tensor)
    result._array = out
    result._storage = mode.storage
    result._view = result.grad = None
    if (x._needs or second) and mode.grad and op.grad is not None and out.dtype is _F32:
        result._needs = True
        result._node = record(op, (x, y), _NO_ATTRS, out)
    else:
        result._needs = False
        result._node = None
    return result


def _met(op: Op, args: tuple[Any, ...], attrs: dict[str, Any]
         ) -> tuple[tuple[Any, ...], list[Any], bool]:
    """Operands of different dtypes, or numbers among them: the slower half of `apply`.

    A number beside a tensor of its own kind or above stays a number, as NumPy takes it.
    """
    for a in args:  # `apply` stops at the first number
        if getattr(a, "_view", None) is not None:
            a._view.refresh(a)
    if len(args) == 2 and op.promote in _SHORTEST:
        x, y = args
        if type(y) in _REALS and isinstance(x, _Tensor) and _takes(op, x._array, y):
            return args, [x._array, y], x._needs
        if type(x) in _REALS and isinstance(y, _Tensor) and _takes(op, y._array, x):
            return args, [x, y._array], y._needs
    elif op.promote == "where" and all(isinstance(a, _Tensor) for a in args):
        arrays = [a._array for a in args]
        if arrays[1].dtype is arrays[2].dtype:
            return args, arrays, any(a._needs for a in args)
    elif op.promote == "where" and isinstance(args[0], _Tensor):
        c, x, y = args
        if type(y) in _REALS and isinstance(x, _Tensor) and _takes(op, x._array, y):
            return args, [c._array, x._array, y], x._needs
        if type(x) in _REALS and isinstance(y, _Tensor) and _takes(op, y._array, x):
            return args, [c._array, x, y._array], y._needs
    args = coerce(op, args)
    arrays = [a._array if isinstance(a, _Tensor) else a for a in args]
    if op.promote in _WHOLE and all(getattr(a, "dtype", _BOOL) is _BOOL for a in arrays):
        op.result_type([_type(a) for a in args], attrs)  # NumPy adds bools, the contract may not
    return args, arrays, any(a._needs for a in args if isinstance(a, _Tensor))


def _takes(op: Op, array: np.ndarray[Any, Any], number: Any) -> bool:
    kind = array.dtype.kind
    return kind in _FLOWING or (type(number) is int and kind in "iu" and op.promote in _WHOLE
                                and _wrapped(number, array.dtype) == number)


def _wrapped(number: Any, dtype: np.dtype[Any]) -> Any:
    """An int as the integers of a dtype hold it: beyond their range it goes round, as in torch."""
    bits = 8 * dtype.itemsize
    if type(number) is not int or dtype.kind not in "iu" or not -(2**63) <= number < 2**63:
        return number
    number &= (1 << bits) - 1
    return number - (1 << bits) if dtype.kind == "i" and number >> (bits - 1) else number


def _unusual(op: Op, arrays: Sequence[Any]) -> bool:
    """Whether half floats are among the operands; complex ones are refused where the op is real."""
    half = False
    for a in arrays:
        if type(a) is _ndarray:
            kind = a.dtype.kind
            if kind == "c" and not op.complex:
                op.refuse_complex(arrays)
            elif kind in "fV" and is_half(a.dtype):
                half = True
    return half


def _aliases(out: np.ndarray[Any, Any], source: Any) -> bool:
    """Whether an array looks into another (its base may also be a copy made on the way)."""
    base = out.base
    if base is None or base is source or base is source.base:
        return base is not None
    if type(base) is _ndarray:
        return False
    inner = getattr(base, "base", None)  # NumPy's as_strided puts an object between
    return inner is source or (type(inner) is _ndarray and _aliases(inner, source))


def _recorded(mode: Any, op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> Tensor:
    """The same under a recorder, which performs the op in the engine's place."""
    args = coerce(op, args)
    for a in args:
        if isinstance(a, _Tensor) and a._view is not None:
            a._view.refresh(a)
    result: Tensor = mode.recorder.apply(op, args, attrs)
    if op.put is not None and mode.recorder.aliases(op, args[0], result):
        _link_view(op, args[0], attrs, result)
    if mode.grad and op.grad is not None and result.dtype.kind in "fc" and any(
        a._needs for a in args if isinstance(a, _Tensor)
    ) and result._node is None:  # a recorder may have let the engine tape it
        result._needs = True
        result._node = record(op, args, attrs, result, traced=True)
    return result


def _link_view(op: Op, parent: Tensor, attrs: dict[str, Any], view: Tensor) -> None:
    """Let ``view`` share the storage of the tensor it looks into."""
    view._storage = storage = storage_of(parent)
    view._view = View(parent, op, attrs, storage.version)


class View:
    """How a tensor came to alias another: re-derives its history after a write."""

    __slots__ = ("attrs", "op", "parent", "version")

    def __init__(self, parent: Tensor, op: Op, attrs: dict[str, Any], version: int) -> None:
        self.parent, self.op, self.attrs, self.version = parent, op, attrs, version

    def refresh(self, view: Tensor) -> None:
        """Take the parent's present value and history if the storage was written since."""
        storage = self.parent._storage
        assert storage is not None
        if self.version == storage.version:
            return
        fresh = apply(self.op, (self.parent,), self.attrs)
        recorder = MODE.get().recorder
        if recorder is not None:
            recorder.write(view, fresh)  # first: it may want to see the view as it was
        view._node, view._needs = fresh._node, fresh._needs
        self.version = storage.version


# --- promotion ---------------------------------------------------------------------------------
def coerce(op: Op, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Operands brought to the dtypes of the op's contract.

    A number beside a tensor of the promoted dtype stays a number: NumPy (and a
    recorder) gives it the tensor's dtype.
    """
    args = tuple(_operand(op, a) for a in args)
    if op.promote == "none":
        return tuple(a if isinstance(a, _Tensor) else constant(a, scalar_dtype(a)) for a in args)
    fixed = args[:1] if op.promote == "where" else ()
    rest = args[len(fixed):]
    target = result_dtype(rest)
    if op.promote == "float" and target.kind not in "fc":
        target = F32
    if (op.promote == "floats" and target.kind not in "fc") or (
            op.promote == "numbers" and any(_is_bool(a) for a in rest)):
        words = ", ".join(str(_type(a)) for a in rest)
        raise OpError(f"{op.name}: operands are {op.promote}, got {words}")
    keep = not fixed and any(isinstance(a, _Tensor) for a in rest)
    return (*fixed, *(_convert(a, target, keep) for a in rest))


def _is_bool(a: Any) -> bool:
    return type(a) is bool or (isinstance(a, _Tensor) and a.dtype is BOOL)


def result_dtype(args: tuple[Any, ...]) -> DType:
    """torch's result type of tensors and Python numbers."""
    tensors = [a for a in args if isinstance(a, _Tensor)]
    return weak_promote([t.dtype for t in tensors if t.ndim],
                        [t.dtype for t in tensors if not t.ndim],
                        [_number_dtype(a) for a in args if not isinstance(a, _Tensor)])


def _number_dtype(a: Any) -> DType:
    return F32 if hasattr(a, "__real__") else I64 if hasattr(a, "__dim__") else scalar_dtype(a)


def _operand(op: Op, a: Any) -> Any:
    if isinstance(a, _Tensor) or type(a) in _NUMBERS or _is_symbolic(a):
        return a
    if isinstance(a, (_ndarray, np.generic)):
        return _tensor_of(np.asarray(a))
    raise OpError(f"{op.name}: operands are tensors or numbers, got {type(a).__name__}: {a!r:.60}")


def _is_symbolic(a: Any) -> bool:
    """Whether a number is the tracer's: a size, or a real number made of sizes."""
    return hasattr(a, "__dim__") or hasattr(a, "__real__")


def _convert(a: Any, target: DType, keep_number: bool) -> Any:
    if isinstance(a, _Tensor):
        return a if a.dtype is target else apply(_table()["cast"], (a,), {"dtype": target})
    if type(a) in _NUMBERS:
        a = _wrapped(a, target.numpy)
        if keep_number:
            return a
    return constant(a, target)


def constant(value: Any, dtype: DType) -> Tensor:
    """A Python number, a symbolic size or a symbolic real number as a 0-d tensor."""
    table = _table()
    if hasattr(value, "__real__"):
        return _convert(value.tensor, dtype, False)
    if hasattr(value, "__dim__"):
        size = apply(table["dim"], (), {"value": value})
        return _convert(size, dtype, False)
    return apply(table["full"], (), {"shape": (), "value": value, "dtype": dtype})


# --- errors ------------------------------------------------------------------------------------
def explain(op: Op, args: tuple[Any, ...], attrs: dict[str, Any], error: Exception) -> OpError:
    """Word a failure by the op's own contract; else in the failure's words."""
    types = tuple(map(_type, args))
    try:
        op.result_type(types, attrs)
    except OpError as contract:
        return contract
    text = str(error)
    operands = ", ".join(map(str, types))
    kind = OpIndexError if isinstance(error, IndexError) else OpError
    return kind(text if text.startswith(f"{op.name}:") else f"{op.name}({operands}): {text}")


def _type(a: Any) -> Type:
    return a.spec if isinstance(a, _Tensor) else Type(scalar_dtype(a), ())


# --- late bindings: tensor.py imports this module ----------------------------------------------
_BOOL = BOOL.numpy
_F32 = F32.numpy
_Tensor: Any = None
_new: Any = object.__new__


def bind(tensor_class: type[Tensor]) -> None:
    """Told once by tensor.py which class results have."""
    global _Tensor
    _Tensor = tensor_class


def _tensor_of(array: np.ndarray[Any, Any]) -> Tensor:
    result: Tensor = _Tensor(array)
    return result


def _table() -> dict[str, Op]:
    from eager.ops.table import TABLE

    return TABLE
