"""What a caller of a compiled program has to know: ports, dims, weights, memory, places.

Everything here is plain data and goes into an artifact's manifest as it is.  A
size that depends on dims is an expression ``int | dim name | [op, left, right]``
with ``+ - * // %``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from jit.dims import SymInt
from jit.graph import Graph
from jit.kernels.index import Index, Quotient

Size = int | str | list[Any]


@dataclass(frozen=True)
class Port:
    """One array that crosses the boundary: an input, an output, or state."""

    name: str
    dtype: str  #: ``f32``
    shape: tuple[Size, ...]
    role: str = "argument"


@dataclass(frozen=True)
class DimRange:
    """A dim, in the order of ``ej_call.dims``; ``[min, max]`` both included."""

    name: str
    min: int
    max: int


@dataclass(frozen=True)
class Rule:
    """What the dims of every call meet: ``left op right``, asked at ``place``.

    An ``==`` whose left is no dim only says where a dim of the user's went.
    """

    left: Size
    op: str  #: ``== != >= <=``
    right: Size
    place: str


@dataclass(frozen=True)
class Weight:
    """Where a constant lies in the weights blob.

    ``packing`` is ``plain`` (row-major) or ``panels``: a matrix ``[K, N]`` as
    ``[ceil(N / 16)][K][16]`` padded with zeros.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    packing: str = "plain"


@dataclass(frozen=True)
class Place:
    """A node that can fail at run time, as ``ej_error.node`` counts them."""

    op: str
    location: str


@dataclass(frozen=True)
class Layout:
    """The whole contract of one entry point."""

    dims: tuple[DimRange, ...]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    state: tuple[Port, ...]
    arena: Size  #: bytes
    weights: tuple[Weight, ...]
    weights_size: int  #: bytes
    places: tuple[Place, ...]
    relations: tuple[Rule, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def size_expression(size: Any) -> Size:
    """A size (int, `SymInt` or `Index`) as data."""
    if type(size) is int:
        return size
    index: Index = size.index if isinstance(size, SymInt) else size
    total: Size = 0
    for monomial, c in reversed(index.terms):
        term: Size = c
        for atom in monomial:
            factor: Size = ([atom.kind, size_expression(atom.top), size_expression(atom.bottom)]
                            if isinstance(atom, Quotient) else atom.name)
            term = factor if term == 1 else ["*", term, factor]
        total = term if total == 0 else ["+", total, term]
    return total


def port_of(name: str, value: Any) -> Port:
    """The port of a value of a graph."""
    return Port(name, value.type.dtype.name, tuple(map(size_expression, value.type.shape)),
                getattr(value, "role", "argument"))


def ranges_of(graph: Graph) -> tuple[DimRange, ...]:
    return tuple(DimRange(d.name, d.min, d.max) for d in graph.dims)


def rules_of(graph: Graph) -> tuple[Rule, ...]:
    return tuple(Rule(size_expression(r.left), r.op, size_expression(r.right), r.place)
                 for r in graph.relations)


_OPERATIONS = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__,
               "//": int.__floordiv__, "%": int.__mod__}


def evaluate_size(size: Size, dims: Mapping[str, int]) -> int:
    """The number of a size expression."""
    if isinstance(size, int):
        return size
    if isinstance(size, str):
        return dims[size]
    op, left, right = size
    return _OPERATIONS[op](evaluate_size(left, dims), evaluate_size(right, dims))
