"""Loop nests as Python a person can read; this text is what is compiled.

A reduction over the last dim folds into fixed lanes that one tree joins, so that
its bits depend on the shape alone: not on the CPU's vectors, not on threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from eager.ops.types import BOOL, F32, F64, I64, DType
from jit.kernels.index import Index, Var, product
from jit.kernels.nest import (
    Call,
    Condition,
    Fold,
    FromIndex,
    Guarded,
    Let,
    Literal,
    Load,
    Name,
    Nest,
    Pass,
    Statement,
    Store,
    Value,
)

_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/",
          "eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_COMPARISONS = {"eq", "ne", "lt", "le", "gt", "ge"}
#: dtypes whose Python arithmetic in Numba keeps their dtype.
_CLOSED = {F32, F64, I64}


@dataclass(frozen=True)
class Signature:
    """Parameters of a kernel: buffers with dtypes, then sizes, then the range ``lo, hi``."""

    name: str
    buffers: tuple[tuple[str, DType], ...]
    sizes: tuple[str, ...]
    reports: bool = False  #: takes ``err``, where a failed check is left


# --- values ------------------------------------------------------------------------------------
def literal(value: Any, dtype: DType) -> str:
    """A constant of a dtype, exact."""
    if dtype is BOOL:
        return str(bool(value))
    if dtype.kind == "i":
        return str(int(value)) if dtype is I64 else f"{dtype.public}({int(value)})"
    number = float(dtype.numpy.type(value))
    text = {"inf": "inf", "-inf": "-inf", "nan": "nan"}.get(repr(number), repr(number))
    return f"{dtype.public}({text})"


def _conditions(conditions: Sequence[Condition]) -> str:
    return " and ".join(f"{c.left} {c.relation} {c.right}" for c in conditions)


def expression(v: Value) -> str:
    """One value as a Python expression."""
    match v:
        case Load():
            text = f"{v.buffer}[{v.index}]" + (" != 0" if v.dtype is BOOL else "")
            if v.valid:
                return f"({text} if {_conditions(v.valid)} else {literal(v.fill, v.dtype)})"
            return f"({text})" if v.dtype is BOOL else text
        case Name():
            return v.name
        case Literal():
            return literal(v.value, v.dtype)
        case FromIndex():
            return f"cast_i64_{v.dtype.name}({v.index})" if v.dtype is not I64 else f"({v.index})"
        case Guarded():
            return (f"({expression(v.value)} if {_conditions(v.valid)} "
                    f"else {expression(v.fill)})")
        case Call():
            return _call(v)


def _call(v: Call) -> str:
    args = [expression(a) for a in v.args]
    if v.instr in _INFIX and len(args) == 2 and (
        v.operand in _CLOSED or (v.instr in _COMPARISONS and v.operand is not BOOL)
    ) and not (v.instr == "div" and v.operand.kind != "f"):
        return f"({args[0]} {_INFIX[v.instr]} {args[1]})"
    if v.instr == "neg" and v.operand in _CLOSED:
        return f"(-{args[0]})"
    if v.instr == "cast":
        same = v.operand is v.dtype
        return args[0] if same else f"cast_{v.operand.name}_{v.dtype.name}({args[0]})"
    return f"{v.instr}_{v.operand.name}({', '.join(args)})"


def _stored(s: Store) -> str:
    text = expression(s.value)
    return f"uint8({text})" if s.value.dtype is BOOL else text


# --- statements --------------------------------------------------------------------------------
def _lines(statements: Sequence[Statement], pad: str, fold: Any) -> Iterator[str]:
    for s in statements:
        note = f"  # {s.comment}" if not isinstance(s, Store) and s.comment else ""
        if isinstance(s, Let):
            yield from _checks(s.value, pad)
            yield f"{pad}{s.name} = {expression(s.value)}{note}"
        elif isinstance(s, Store):
            yield f"{pad}{s.buffer}[{s.index}] = {_stored(s)}"
        else:
            yield f"{pad}{fold(s)}{note}"


def _checks(v: Value, pad: str) -> Iterator[str]:
    """Statements that report what the instruction must not do."""
    if not isinstance(v, Call):
        return
    for a in v.args:
        yield from _checks(a, pad)
    if v.instr in ("floordiv", "mod", "fmod") and v.operand.kind == "i":
        yield f"{pad}if {expression(v.args[1])} == 0:"
        yield f"{pad}    err[0] = 4"


def reports(nest: Nest) -> bool:
    """Whether the nest can fail at run time."""
    return any(next(_checks(s.value, ""), None) is not None for s in nest.statements())


# --- folds -------------------------------------------------------------------------------------
def lanes_for(size: Index, repeats: Index) -> int:
    """Accumulators of a fold over ``size`` elements, ``repeats`` times; 1 folds in order."""
    n = size.constant
    if n is None:
        return 64
    shortest = 17 if repeats.constant == 1 else 16
    return 1 if n < shortest else 16 if n < 128 else 64


def _combine(f: Fold, left: str, right: str) -> str:
    return expression(Call(f.combine, (Name(left, f.dtype), Name(right, f.dtype)), f.dtype,
                           f.dtype)).removeprefix("(").removesuffix(")") \
        if f.combine in _INFIX and f.dtype in _CLOSED else expression(
            Call(f.combine, (Name(left, f.dtype), Name(right, f.dtype)), f.dtype, f.dtype))


def _fold_scalar(f: Fold) -> str:
    return f"{f.name} = " + _combine(f, f.name, expression(f.value))


def _fold_lane(f: Fold) -> str:
    slot = f"{f.name}_lanes[lane]"
    return f"{slot} = " + _combine(f, slot, expression(f.value))


# --- nests -------------------------------------------------------------------------------------
def source(signature: Signature, nest: Nest) -> str:
    """The kernel's Python source."""
    parameters = [n for n, _ in signature.buffers] + list(signature.sizes)
    if signature.reports:
        parameters.append("err")
    lines = [f"def {signature.name}({', '.join([*parameters, 'lo', 'hi'])}):"]
    lines += _columns(nest) if nest.columns else _rows(nest)
    return "\n".join(lines) + "\n"


def _split(loops: tuple[Var, ...], pad: str) -> tuple[list[str], str]:
    """One counter in ``[lo, hi)`` over all outer loops, taken apart into their variables."""
    if len(loops) == 1:
        return [f"{pad}for {loops[0].name} in range(lo, hi):"], pad + "    "
    inside = pad + "    "
    lines = [f"{pad}for row in range(lo, hi):"]
    rest = Index.of(Var("row"))
    for k, v in enumerate(loops):
        below = Index.of(1)
        for w in loops[k + 1:]:
            below = below * Index.of(w.size)
        q = rest // below if k == 0 else Index.of(Var("rest")) // below
        if below == Index.of(1):
            lines.append(f"{inside}{v.name} = {'row' if k == 0 else 'rest'}")
        else:
            lines.append(f"{inside}{v.name} = {q}")
            lines.append(f"{inside}rest = {rest if k == 0 else 'rest'} - {v.name} * ({below})")
    return lines, inside


def _rows(nest: Nest) -> list[str]:
    lines: list[str] = []
    if nest.outer:
        lines, pad = _split(nest.outer, "    ")
    else:
        lines, pad = ["    for row in range(lo, hi):"], "        "
    for p in nest.passes:
        lines += _sweep(nest.inner, p.inner, p.folds, pad) if nest.inner else list(
            _lines(p.inner, pad, _fold_scalar))
        lines += _lines(p.after, pad, _fold_scalar)
    return lines


def _sweep(inner: tuple[Var, ...], statements: Sequence[Statement], folds: tuple[Fold, ...],
           pad: str) -> list[str]:
    """One pass over the inner loops of a row."""
    if not statements:
        return []
    lines = []
    last = inner[-1]
    repeats = product(Index.of(v.size) for v in inner[:-1])
    lanes = lanes_for(Index.of(last.size), repeats) if folds else 0
    if any(f.dtype is BOOL for f in folds):
        lanes = 1
    for f in folds:
        start = literal(f.start, f.dtype)
        if lanes <= 1:
            lines.append(f"{pad}{f.name} = {start}")
        else:
            lines += [f"{pad}{f.name}_lanes = lanes_{f.dtype.name}_{lanes}()",
                      f"{pad}for lane in range({lanes}):",
                      f"{pad}    {f.name}_lanes[lane] = {start}"]
    deep = pad
    for v in inner[:-1]:
        lines.append(f"{deep}for {v.name} in range({v.size}):")
        deep += "    "
    if lanes <= 1:
        lines.append(f"{deep}for {last.name} in range({last.size}):")
        lines += _lines(statements, deep + "    ", _fold_scalar)
        return lines
    lines += _laned(last, statements, lanes, deep)
    for f in folds:
        half = lanes // 2
        while half:
            left, right = f"{f.name}_lanes[lane]", f"{f.name}_lanes[lane + {half}]"
            lines += [f"{pad}for lane in range({half}):",
                      f"{pad}    {left} = {_combine(f, left, right)}"]
            half //= 2
        lines.append(f"{pad}{f.name} = {f.name}_lanes[0]")
    return lines


def _laned(last: Var, statements: Sequence[Statement], lanes: int, pad: str) -> list[str]:
    """Whole blocks of lanes, then the tail."""
    size = Index.of(last.size)
    n = size.constant
    whole = str(n // lanes * lanes) if n is not None else f"({size}) // {lanes} * {lanes}"
    tail = str(n % lanes) if n is not None else f"({size}) % {lanes}"
    inside = pad + "        "
    lines = [f"{pad}for block in range(0, {whole}, {lanes}):",
             f"{pad}    for lane in range({lanes}):",
             f"{inside}{last.name} = block + lane",
             *_lines(statements, inside, _fold_lane)]
    if n is None or n % lanes:
        lines += [f"{pad}for lane in range({tail}):",
                  f"{pad}    {last.name} = {whole} + lane",
                  *_lines(statements, pad + "    ", _fold_lane)]
    return lines


def _columns(nest: Nest) -> list[str]:
    """Kept dims innermost: each fold's accumulators are the output itself, a row of it.

    The range ``lo, hi`` is over the last kept loop.
    """
    (p,) = nest.passes
    last = nest.outer[-1]
    stores = [s for s in p.after if isinstance(s, Store)]
    target = {s.value.name: s for s in stores if isinstance(s.value, Name)}
    if _is_long_sum(nest, p.folds):
        return _column_blocks(nest, p, target)
    lines, pad = [], "    "
    for v in nest.outer[:-1]:
        lines.append(f"{pad}for {v.name} in range({v.size}):")
        pad += "    "
    lines.append(f"{pad}for {last.name} in range(lo, hi):")
    for f in p.folds:
        out = target[f.name]
        lines.append(f"{pad}    {out.buffer}[{out.index}] = {literal(f.start, f.dtype)}")
    for v in nest.inner:
        lines.append(f"{pad}for {v.name} in range({v.size}):")
        pad += "    "
    lines.append(f"{pad}for {last.name} in range(lo, hi):")

    def fold(f: Fold) -> str:
        out = target[f.name]
        slot = f"{out.buffer}[{out.index}]"
        return f"{slot} = " + _combine(f, slot, expression(f.value))

    lines += _lines(p.inner, pad + "    ", fold)
    return lines


#: Rows that a long sum over columns adds up before it adds them to the total, and columns of a
#: block of such sums.
BLOCK, WIDTH = 128, 64


def _is_long_sum(nest: Nest, folds: Sequence[Fold]) -> bool:
    """Whether rounding errors of a sum row after row would count: many rows, or who knows."""
    rows = product(Index.of(v.size) for v in nest.inner).constant
    return all(f.combine == "add" and f.dtype.kind == "f" for f in folds) and (
        rows is None or rows > 4 * BLOCK)


def _column_blocks(nest: Nest, p: Pass, target: dict[str, Store]) -> list[str]:
    """The same for long sums: rows are summed in blocks, and the blocks' sums are summed."""
    last, inner = nest.outer[-1], nest.inner[-1]
    lines = [f"    {f.name}_lanes = lanes_{f.dtype.name}_{WIDTH}()" for f in p.folds]
    pad = "    "

    def each_column(body: Callable[[Fold], str]) -> list[str]:
        return [f"{pad}for lane in range(width):", f"{pad}    {last.name} = first + lane",
                *(f"{pad}    {body(f)}" for f in p.folds)]

    def slot(f: Fold) -> str:
        return f"{target[f.name].buffer}[{target[f.name].index}]"

    for v in nest.outer[:-1]:
        lines.append(f"{pad}for {v.name} in range({v.size}):")
        pad += "    "
    lines.append(f"{pad}for first in range(lo, hi, {WIDTH}):")
    pad += "    "
    lines.append(f"{pad}width = imin({WIDTH}, hi - first)")
    lines += each_column(lambda f: f"{slot(f)} = {literal(f.start, f.dtype)}")
    for v in nest.inner[:-1]:
        lines.append(f"{pad}for {v.name} in range({v.size}):")
        pad += "    "
    lines.append(f"{pad}for block in range(0, {inner.size}, {BLOCK}):")
    pad += "    "
    lines += each_column(lambda f: f"{f.name}_lanes[lane] = {literal(f.start, f.dtype)}")
    lines += [f"{pad}for {inner.name} in range(block, imin(block + {BLOCK}, {inner.size})):",
              f"{pad}    for lane in range(width):", f"{pad}        {last.name} = first + lane",
              *_lines(p.inner, pad + "        ", _fold_lane)]
    lines += each_column(lambda f: f"{slot(f)} = " + _combine(f, slot(f), f"{f.name}_lanes[lane]"))
    return lines
