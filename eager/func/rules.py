"""How ops are mapped over a batch: one rule a kernel family, pure over ``F``.

A rule gets the operands, which of them have a leading dim of the batch, and its size; the value
has that dim too.  What no rule says is done by a loop over the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eager.ops import families
from eager.ops.errors import OpError
from eager.ops.op import Op
from eager.ops.types import I64, Type, product


@dataclass(frozen=True)
class Mapped:
    """One application: ``batched[i]`` says whether operand i leads with the dim of the batch."""

    F: Any
    op: Op
    operands: tuple[Any, ...]
    batched: tuple[bool, ...]
    size: Any
    attrs: Mapping[str, Any]

    def call(self, operands: Sequence[Any], **attrs: Any) -> Any:
        """The op itself."""
        return getattr(self.F, self.op.name)(*operands, **attrs)

    def shape(self, i: int) -> tuple[Any, ...]:
        """The shape of operand i, as the mapped function sees it."""
        x = self.operands[i]
        shape = tuple(x.shape) if hasattr(x, "shape") else ()  # a number has none
        return shape[1:] if self.batched[i] else shape

    def full(self, i: int) -> Any:
        """Operand i with the dim of the batch, repeated where it had none."""
        x = self.operands[i]
        if self.batched[i]:
            return x
        if not hasattr(x, "shape"):
            beside = next(y.dtype for y in self.operands if hasattr(y, "dtype"))
            return self.F.full(shape=(self.size,), value=x, dtype=beside)
        return self.F.broadcast_to(x, shape=(self.size, *self.shape(i)))

    def all_full(self) -> list[Any]:
        """Every operand with the dim of the batch."""
        return [self.full(i) for i in range(len(self.operands))]


def apply_mapped(mapped: Mapped) -> Any:
    """The value of an op over a batch."""
    if mapped.op.batch is not None:
        return mapped.op.batch(mapped.F, mapped.operands, mapped.batched, mapped.size,
                               **mapped.attrs)
    rule = _RULES.get(type(mapped.op.kernel))
    guarded = type(mapped.op.kernel) in _LOOSE
    try:
        value = None if rule is None else rule(mapped)
    except OpError:
        if not guarded:
            raise
        value = None  # the rule is not this op's; if the call is wrong, the loop will say it
    if value is None or (guarded and not _fits(mapped, value)):
        return _loop(mapped)
    return value


def _fits(m: Mapped, value: Any) -> bool:
    """Whether a value has the shape of the op's contract for one member, behind the batch."""
    if not all(hasattr(x, "dtype") for x in m.operands):
        return True  # a number beside a tensor: element by element
    members = [Type(x.dtype, m.shape(i)) for i, x in enumerate(m.operands)]
    shape: tuple[Any, ...] = m.op.result_type(members, m.attrs).shape
    return tuple(value.shape)[1:] == shape


# --- element by element, and matrices: dims are counted from the right -------------------------
def _aligned(m: Mapped) -> Any:
    """Operands of one rank, so that the batch stays in front."""
    tensors = [hasattr(x, "dtype") for x in m.operands]
    rank = max(len(m.shape(i)) for i, t in enumerate(tensors) if t)
    operands = list(m.operands)
    for i, x in enumerate(operands):
        if m.batched[i] and len(m.shape(i)) < rank:
            shape = (m.size, *(1,) * (rank - len(m.shape(i))), *m.shape(i))
            operands[i] = m.F.reshape(x, shape=shape)
    return m.call(operands, **m.attrs)


# --- attributes that name dims: each moves by one ----------------------------------------------
_SHIFTS: dict[str, Callable[[Any, Any], Any]] = {
    "shape": lambda v, size: (size, *v), "starts": lambda v, size: (0, *v),
    "stops": lambda v, size: (size, *v), "steps": lambda v, size: (1, *v),
    "low": lambda v, size: (0, *v), "high": lambda v, size: (0, *v),
    "dim": lambda v, size: v + 1, "dims": lambda v, size: tuple(d + 1 for d in v)}
_PLAIN = ("value", "keepdim", "dtype", "reverse", "descending", "inverse", "correction", "k",
          "squeeze")


def _shifted(m: Mapped) -> Any:
    """The same op one dim further to the right."""
    if any(k not in _SHIFTS and k not in _PLAIN for k in m.attrs):
        return None
    attrs = {k: _SHIFTS[k](v, m.size) if k in _SHIFTS else v for k, v in m.attrs.items()}
    if not any(m.shape(i) for i in range(len(m.operands))) and "dim" in m.attrs:
        return _of_numbers(m, attrs)
    return m.call(m.all_full(), **attrs)


def _of_numbers(m: Mapped, attrs: Mapping[str, Any]) -> Any:
    """An op along a dim of operands that have none: it takes them for one element."""
    rows = [m.F.reshape(x, shape=(m.size, 1)) for x in m.all_full()]
    return m.F.reshape(m.call(rows, **attrs), shape=(m.size,))


# --- reads and writes by index -----------------------------------------------------------------
def _gather(m: Mapped) -> Any:
    return _shifted(m) if not m.op.kernel.select else _select(m)  # type: ignore[union-attr]


def _select(m: Mapped) -> Any:
    """Slices by an index: of the batch laid out as one dim, if the index differs."""
    F, (x, index), dim = m.F, m.operands, m.attrs["dim"]
    if not m.batched[1]:
        return m.call((x, index), dim=dim + 1)
    shape, picks = m.shape(0), m.shape(1)[0]
    flat = F.reshape(index, shape=(m.size * picks,))
    if not m.batched[0]:
        out = F.reshape(m.call((x, flat), dim=dim),
                        shape=(*shape[:dim], m.size, picks, *shape[dim + 1:]))
        return _to_front(F, out, dim)
    rows = m.call((_joined(F, x, dim), _offset(F, index, m.size, shape[dim], picks)), dim=0)
    out = F.reshape(rows, shape=(m.size, picks, *shape[:dim], *shape[dim + 1:]))
    return moved(F, out, 1, dim + 1)


def _scatter(m: Mapped) -> Any:
    if not m.op.kernel.select:  # type: ignore[union-attr]
        return _shifted(m)
    F, dim = m.F, m.attrs["dim"]
    x, src = m.full(0), m.full(2)
    if not m.batched[1]:
        return m.call((x, m.operands[1], src), dim=dim + 1)
    shape, picks = m.shape(0), m.shape(1)[0]
    where = _offset(F, m.operands[1], m.size, shape[dim], picks)
    out = m.call((_joined(F, x, dim), where, _joined(F, src, dim)), dim=0)
    out = F.reshape(out, shape=(m.size, shape[dim], *shape[:dim], *shape[dim + 1:]))
    return moved(F, out, 1, dim + 1)


def _joined(F: Any, x: Any, dim: int) -> Any:
    """``[batch, ...]`` with dim ``dim`` (of the rest) and the batch as one dim in front."""
    x = moved(F, x, dim + 1, 1)
    shape = F.typeof(x).shape
    return F.reshape(x, shape=(shape[0] * shape[1], *shape[2:]))


def _offset(F: Any, index: Any, size: Any, step: Any, picks: Any) -> Any:
    """The positions of an index in its part of the joined dim."""
    part = F.reshape(F.iota(start=0, step=1, size=size, dtype=I64), shape=(size, 1))
    if F.typeof(index).dtype is not I64:
        index = F.cast(index, dtype=I64)
    return F.reshape(F.add(index, F.mul(part, step)), shape=(size * picks,))


def moved(F: Any, x: Any, source: int, target: int) -> Any:
    """``x`` with a dim taken to another place."""
    dims = list(range(len(F.typeof(x).shape)))
    dims.insert(target, dims.pop(source))
    return x if dims == sorted(dims) else F.permute(x, dims=tuple(dims))


def _to_front(F: Any, x: Any, dim: int) -> Any:
    return moved(F, x, dim, 0)


def _search(m: Mapped) -> Any:
    """One sequence for all values takes any number of dims; else the dims before the last agree."""
    if not m.batched[0] and len(m.shape(0)) == 1:
        return m.call(m.operands, **m.attrs)
    sequence, values = m.all_full()
    have = m.F.typeof(values).shape
    if len(m.shape(0)) != len(m.shape(1)):  # a 1-d sequence, and values of any shape
        values = m.F.reshape(values, shape=(m.size, product(have[1:])))
    return m.F.reshape(m.call((sequence, values), **m.attrs), shape=have)


def _library(m: Mapped) -> Any:
    """Routines over the last dims, or along one; some are of elements."""
    return _shifted(m) if "dim" in m.attrs else _aligned(m)


# --- images ------------------------------------------------------------------------------------
def _convolution(m: Mapped) -> Any:
    """The batch joins the images, or the output channels."""
    F, (x, w) = m.F, m.operands
    if not m.batched[1]:
        shape = F.typeof(x).shape
        out = m.call((F.reshape(x, shape=(shape[0] * shape[1], *shape[2:])), w), **m.attrs)
        return F.reshape(out, shape=(m.size, shape[1], *F.typeof(out).shape[1:]))
    if m.batched[0] or m.attrs.get("groups", 1) != 1 or "output_padding" in m.attrs:
        return None
    shape = F.typeof(w).shape
    out = m.call((x, F.reshape(w, shape=(shape[0] * shape[1], *shape[2:]))), **m.attrs)
    have = F.typeof(out).shape
    return _to_front(F, F.reshape(out, shape=(have[0], m.size, shape[1], *have[2:])), 1)


def _pool(m: Mapped) -> Any:
    """Windows over planes: the batch joins whatever stands before them."""
    F, shape = m.F, m.F.typeof(m.operands[0]).shape
    out = m.call((F.reshape(m.operands[0], shape=(shape[0] * shape[1], *shape[2:])),), **m.attrs)
    return F.reshape(out, shape=(*shape[:2], *F.typeof(out).shape[1:]))


# --- everything else ---------------------------------------------------------------------------
def _loop(m: Mapped) -> Any:
    """One application a member of the batch, joined."""
    if type(m.size) is not int:
        raise OpError(f"vmap: {m.op.name} is mapped one by one, which a dynamic batch cannot be")
    if m.size == 0:
        raise OpError(f"vmap: {m.op.name} is mapped one by one, and the batch is empty")
    rows = []
    for k in range(m.size):
        out = m.call([_member(m, i, k) for i in range(len(m.operands))], **m.attrs)
        rows.append(m.F.reshape(out, shape=(1, *m.F.typeof(out).shape)))
    return m.F.concat(*rows, dim=0)


def _member(m: Mapped, i: int, k: int) -> Any:
    if not m.batched[i]:
        return m.operands[i]
    shape = m.shape(i)
    zeros = (0,) * len(shape)
    row = m.F.slice(m.operands[i], starts=(k, *zeros), stops=(k + 1, *shape),
                    steps=(1,) * (len(shape) + 1))
    return m.F.reshape(row, shape=shape)


#: Families of many ops, of which a rule may not be everyone's.
_LOOSE = (families.Convolution, families.Library)
_RULES: dict[type, Callable[[Mapped], Any]] = {
    families.Pointwise: _aligned, families.Contract: _aligned,
    families.View: _shifted, families.Reduce: _shifted, families.ArgReduce: _shifted,
    families.Scan: _shifted, families.ArgScan: _shifted, families.Sort: _shifted,
    families.Softmax: _shifted, families.Concat: _shifted, families.SliceUpdate: _shifted,
    families.Gather: _gather, families.Scatter: _scatter, families.Search: _search,
    families.Library: _library,
    families.Convolution: _convolution, families.Pool: _pool}
