"""What an operator is.  One `Op` serves every layer; nothing else describes it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from eager.ops import cartesian, scalar
from eager.ops.errors import OpError
from eager.ops.families import (
    Concat,
    Control,
    Family,
    Fill,
    Gather,
    Pointwise,
    Scatter,
    SliceUpdate,
    View,
)
from eager.ops.types import DType, Type, scalar_dtype


@dataclass(frozen=True)
class Example:
    """Operands and attributes on which the laws run an op.

    ``operands`` are shapes (drawn from the op's ``domain`` in float), arrays
    taken as they are, or ``(shape, dtype name)`` pairs.
    """

    operands: tuple[Any, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Spelling:
    """How users reach an op or a composite.

    ``where`` lists the namespaces: ``eager``, ``nn.functional``, ``method``,
    ``inplace`` (the method with a trailing underscore) and operators such as
    ``__add__``.  ``names`` are further names for the same thing.
    """

    where: tuple[str, ...] = ("eager", "method")
    names: tuple[str, ...] = ()


#: Families to which an element is an element, of whatever dtype.
_MOVERS = (View, Concat, SliceUpdate, Gather, Scatter, Fill, Control)


@dataclass(frozen=True)
class Op:
    """One operator: its contract, its meaning, its derivative, its kernel and its examples."""

    name: str
    doc: str
    #: ``(*types, /, **attrs) -> Type``; positional-only parameters are the operands,
    #: keyword-only ones the typed attribute schema.  Raises OpError.
    infer: Callable[..., Any]
    kernel: Family
    #: ``(*arrays, **attrs) -> array``; default: the pointwise body with NumPy.
    forward: Callable[..., Any] | None = None
    #: ``(F, g, out, *inputs, **attrs) -> one gradient or None per input``.  Pure, in
    #: terms of ``F``; gradients of broadcast operands are summed to shape by the caller.
    grad: Callable[..., tuple[Any, ...]] | None = None
    #: The same apart, one rule an operand (or None), where each is dear: only those whose gradient
    #: goes somewhere are run.
    partials: tuple[Callable[..., Any] | None, ...] | None = None
    #: ``(F, *inputs, **attrs) -> value`` in terms of other ops, for targets without the family.
    decompose: Callable[..., Any] | None = None
    #: What ``grad`` reads besides shapes: operand positions, and "out".
    saves: tuple[int | str, ...] = ()
    #: How operands of different dtypes meet: ``same`` (promoted together), ``numbers`` (the same,
    #: bools refused), ``float`` (promoted, integers become float32), ``floats`` (integers
    #: refused) or ``none`` (taken as they are).
    promote: str = "none"
    #: Where NumPy is laxer than the contract: ``(*arrays, **attrs)`` raises OpError.
    precheck: Callable[..., object] | None = None
    #: ``(F, base, value, **attrs) -> base``: writes through a view (views that alias only).
    put: Callable[..., Any] | None = None
    #: torch's signature over the op: ``(F, input, ..., dim=...) -> value``; None: the operands.
    public: Callable[..., Any] | None = None
    spelling: Spelling | None = Spelling()
    #: Whether operands may be complex; None: what only moves elements takes any dtype.
    complex: bool | None = None
    #: ``(F, *operands, **attrs) -> value``: what kernels compute of complex operands, which come as
    #: `eager.ops.cartesian.Parts`; None: each part apart if the op but moves elements, else not.
    split: Callable[..., Any] | None = None
    #: Whether the gradient of complex operands is the rule's with conjugates round it.
    holomorphic: bool = True
    #: ``(F, operands, mapped, size, **attrs) -> value`` for `func.vmap` where the family does not
    #: say it: ``mapped`` operands have a leading dim of ``size``, and so has the value.
    batch: Callable[..., Any] | None = None
    commutative: bool = False
    variadic: bool = False  #: takes any number of operands
    domain: tuple[float, float] = (-2.0, 2.0)
    examples: tuple[Example, ...] = (Example(((2, 3),)),)
    #: Operands and attributes that eager, interpreter, compiled and runner refuse alike.
    rejects: tuple[Example, ...] = ()
    #: Why no target compiles it, or None.
    not_compiled: str | None = None
    onnx: str | None = None
    #: ``saves`` taken apart, for the tape, which asks at every op.
    saved_inputs: tuple[int, ...] = field(init=False)
    saves_out: bool = field(init=False)

    def __post_init__(self) -> None:
        saved = tuple(sorted(s for s in self.saves if isinstance(s, int)))
        object.__setattr__(self, "saved_inputs", saved)
        object.__setattr__(self, "saves_out", "out" in self.saves)
        if self.partials is not None:
            object.__setattr__(self, "grad", functools.partial(_together, self.partials))
        if self.complex is None:
            object.__setattr__(self, "complex", isinstance(self.kernel, _MOVERS))
        if self.split is None and isinstance(self.kernel, _MOVERS) and _adds(self.kernel):
            object.__setattr__(self, "split", cartesian.each)

    def of_parts(self, F: Any, operands: Sequence[Any], attrs: Mapping[str, Any]) -> Any:
        """The op on complex operands as `Parts`, over reals."""
        assert self.split is not None, self.name
        if self.split in (cartesian.each, cartesian.of_truth):
            return self.split(F, self.name, *operands, **attrs)
        return self.split(F, *operands, **attrs)

    @cached_property
    def _parameters(self) -> Mapping[str, inspect.Parameter]:
        return inspect.signature(self.infer, eval_str=True).parameters

    @cached_property
    def arity(self) -> int:
        """Number of operands (of a variadic op: 0)."""
        return sum(p.kind is p.POSITIONAL_ONLY for p in self._parameters.values())

    @cached_property
    def attrs(self) -> dict[str, inspect.Parameter]:
        """The attribute schema: keyword-only parameters of ``infer``."""
        return {n: p for n, p in self._parameters.items() if p.kind is p.KEYWORD_ONLY}

    @cached_property
    def expr(self) -> scalar.Scalar:
        """The body of a pointwise op as an expression of its operands."""
        assert isinstance(self.kernel, Pointwise)
        return self.kernel.body(*map(scalar.arg, range(self.arity)))

    @cached_property
    def run(self) -> Callable[..., Any]:
        """``(*arrays, **attrs) -> array``: the op on NumPy arrays."""
        if self.forward is not None:
            return self.forward
        expr = self.expr
        if isinstance(expr, scalar.Expr) and expr.args == tuple(
            map(scalar.arg, range(self.arity))
        ):
            return scalar.INSTRS[expr.instr].numpy
        return scalar.evaluator(expr, self.arity)

    def run_wide(self, arrays: Sequence[Any], attrs: Mapping[str, Any]) -> Any:
        """`run` on half floats: computed in float32, rounded once; views are taken as they are."""
        if isinstance(self.kernel, View) or self.put is not None:
            return self.run(*arrays, **attrs)
        types = [Type(scalar_dtype(a), ()) if not isinstance(a, np.ndarray) else Type.of(a)
                 for a in arrays]
        wide = [a.astype(t.dtype.wide.numpy) if t.dtype.wide is not t.dtype else a
                for a, t in zip(arrays, types, strict=True)]
        out = np.asarray(self.run(*wide, **attrs))
        half = next(t.dtype for t in types if t.dtype.wide is not t.dtype)
        types = [Type(half, ()) if not isinstance(a, np.ndarray) else t
                 for a, t in zip(arrays, types, strict=True)]
        result: Type = self.infer(*types, **attrs)
        return out.astype(result.dtype.numpy, copy=False)

    def result_type(self, types: Sequence[Type], attrs: Mapping[str, Any]) -> Type:
        """Check one application against the contract and type its result."""
        if not self.variadic and len(types) != self.arity:
            raise OpError(f"{self.name}: takes {self.arity} operands, got {len(types)}")
        for name in attrs:
            if name not in self.attrs:
                known = ", ".join(self.attrs) or "none"
                raise OpError(f"{self.name}: has no attribute {name!r}; it has {known}")
        for name, parameter in self.attrs.items():
            if name not in attrs and parameter.default is parameter.empty:
                raise OpError(f"{self.name}: attribute {name!r} is missing")
        for name, value in attrs.items():
            _check_attribute(self.name, name, self.attrs[name].annotation, value)
        try:
            self.refuse_complex(types)
            result: Type = self.infer(*types, **attrs)
        except OpError as e:
            raise OpError(f"{self.name}: {e}") from None
        return result

    def refuse_complex(self, operands: Sequence[Any]) -> None:
        """Raise OpError for a complex operand (a type or an array) of an op of reals."""
        if not self.complex and any(o.dtype.kind == "c" for o in operands if hasattr(o, "dtype")):
            raise OpError(f"operands are real, got {', '.join(map(str, map(_typed, operands)))}")


def _adds(kernel: Family) -> bool:
    """Whether what meets in one element is added, or does not meet."""
    return not isinstance(kernel, Scatter) or kernel.combine in ("", "add")


def _together(partials: tuple[Any, ...], *args: Any, **attrs: Any) -> tuple[Any, ...]:
    return tuple(None if p is None else p(*args, **attrs) for p in partials)


def _typed(operand: Any) -> Any:
    return Type.of(operand) if isinstance(operand, np.ndarray) else operand


def _is_dim(value: Any) -> bool:
    return type(value) is int or hasattr(value, "__dim__")


_CHECKS: dict[Any, tuple[str, Callable[[Any], bool]]] = {
    int: ("an int", _is_dim),
    float: ("a number", lambda v: type(v) in (int, float, complex)),
    bool: ("a bool", lambda v: type(v) is bool),
    str: ("a string", lambda v: type(v) is str),
    DType: ("a dtype", lambda v: isinstance(v, DType)),
    tuple[int, ...]: ("a tuple of ints", lambda v: type(v) is tuple and all(map(_is_dim, v))),
}


def _check_attribute(op: str, name: str, annotation: Any, value: Any) -> None:
    words, accepts = _CHECKS.get(annotation, ("anything", lambda v: True))
    if not accepts(value):
        raise OpError(f"{op}: attribute {name!r} is {words}, got {value!r}")


def operand_arrays(op: Op, example: Example, rng: np.random.Generator,
                   dtype: str = "f32") -> list[np.ndarray[Any, Any]]:
    """Draw the operands of an example: shapes from the op's domain, arrays as they are."""
    from eager.ops.types import dtype_named

    low, high = op.domain
    drawn: list[np.ndarray[Any, Any]] = []
    for operand in example.operands:
        if isinstance(operand, np.ndarray):
            drawn.append(operand)
            continue
        shape, name = operand, dtype
        if len(operand) == 2 and isinstance(operand[1], str):
            shape, name = operand
        target = dtype_named(name)
        values = rng.uniform(low, high, shape)
        if target.kind == "c":
            values = values + 1j * rng.uniform(low, high, shape)
        elif target.kind == "b":
            values = values > (low + high) / 2
        elif target.kind == "i":
            values = np.round(values)
        drawn.append(np.asarray(values).astype(target.numpy))
    return drawn
