"""The kernel families: the closed set of computations a target implements.

A target knows these and never an op by name.  An op names its family with the
little that tells it from its siblings: a scalar body, an index map, a combiner.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from eager.ops import scalar


@dataclass(frozen=True)
class Pointwise:
    """``out[i] = body(x[i], y[i], ...)`` with NumPy's broadcasting."""

    body: Callable[..., scalar.Scalar]


@dataclass(frozen=True)
class Reduce:
    """Fold attribute ``dims`` of the one operand with a scalar instruction.

    ``start`` is the neutral element: a number, or ``lowest``/``highest`` of the dtype.
    """

    combine: str
    start: int | str


@dataclass(frozen=True)
class ArgReduce:
    """Index of the first element along attribute ``dim`` that ``better`` holds for."""

    better: str  #: ``gt`` or ``lt``; NaN beats everything, as in NumPy and torch


@dataclass(frozen=True)
class Softmax:
    """Softmax along attribute ``dim``; ``log`` gives its logarithm."""

    log: bool


@dataclass(frozen=True)
class Scan:
    """Running folds along attribute ``dim``, from its end where attribute ``reverse`` says so.

    ``body(total, x)`` is the next total; floats are totalled in float64.  ``start`` is its
    neutral element as in `Reduce`.
    """

    body: Callable[[scalar.Scalar, scalar.Scalar], scalar.Scalar]
    start: int | str


@dataclass(frozen=True)
class ArgScan:
    """The position of the latest element along attribute ``dim`` that is as good as any before.

    ``better`` is ``ge`` or ``le``; every NaN is as good as any.
    """

    better: str


@dataclass(frozen=True)
class Sort:
    """The positions along attribute ``dim`` in ascending order, or ``descending``.

    Equal elements keep their order; NaN is larger than any number.  ``first``: the first ``k``
    (an attribute) of them alone.
    """

    first: bool = False


@dataclass(frozen=True)
class Search:
    """Where each value belongs in a sorted sequence; ``right``: after what is equal to it."""


@dataclass(frozen=True)
class View:
    """``out[i] = x[index(i)]``: pure movement, fused into whoever reads it.

    ``index(i, in_shape, out_shape, **attrs)`` maps an output index (a tuple of
    values that do integer arithmetic) to an index of the operand.  With ``valid``
    (same arguments) giving conditions, elements where one fails are ``attrs[fill]``.
    """

    index: Callable[..., tuple[Any, ...]]
    valid: Callable[..., tuple[Any, ...]] | None = None
    fill: str = "value"
    #: Whether row-major order is kept, so that a contiguous buffer is simply renamed.
    renames: bool = False


@dataclass(frozen=True)
class Concat:
    """Join operands along attribute ``dim``."""


@dataclass(frozen=True)
class SliceUpdate:
    """A copy of ``base`` whose strided region (``starts stops steps``) is ``value``."""


@dataclass(frozen=True)
class Gather:
    """``out[i] = x[i with coordinate dim replaced by index[i]]``; range-checked.

    ``select``: the index is 1-d and picks whole slices (``index_select``).
    """

    select: bool = False


@dataclass(frozen=True)
class Scatter:
    """A copy of ``x`` with ``src`` folded in at ``index`` along ``dim``; range-checked.

    ``combine`` is a scalar instruction, or "" where the last value written stays.
    """

    select: bool = False
    combine: str = "add"


@dataclass(frozen=True)
class Contract:
    """Matrix product of the last two dims, leading dims broadcast."""


@dataclass(frozen=True)
class Convolution:
    """2-d cross-correlation, attributes as ``conv2d``."""


@dataclass(frozen=True)
class Pool:
    """2-d window maximum; ``indices`` gives the flat position in the plane instead."""

    indices: bool


@dataclass(frozen=True)
class Iota:
    """``out[i] = start + step * i``: made from attributes alone."""


@dataclass(frozen=True)
class Fill:
    """Every element is attribute ``value``."""


@dataclass(frozen=True)
class DimValue:
    """The value of a dimension as a 0-d int64."""


@dataclass(frozen=True)
class Random:
    """Numbers drawn from the Philox stream whose state is the operand."""

    distribution: str


@dataclass(frozen=True)
class Bitcast:
    """The bytes of the operand, read as attribute ``dtype``."""


@dataclass(frozen=True)
class Library:
    """One routine of its own: ``routine`` says which; a target has it or refuses."""

    routine: str


@dataclass(frozen=True)
class Transform:
    """Fourier's sums along attribute ``dim`` of planes of parts [2, ...]; attribute ``inverse``."""


@dataclass(frozen=True)
class Control:
    """An op with regions, lowered by the driver; or one that picks a result of such a node.

    ``form``: a ``choice`` of two regions, a ``scan`` or a ``repeat`` of one, a ``pick``.
    """

    form: str


Family = (
    Pointwise | Reduce | ArgReduce | Softmax | Scan | ArgScan | Sort | Search | View | Concat
    | SliceUpdate | Gather | Scatter | Contract | Convolution | Pool | Iota | Fill | DimValue
    | Random | Bitcast | Library | Transform | Control
)
