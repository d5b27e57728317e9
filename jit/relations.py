"""What is known of sizes beyond their ranges: relations such as ``other == batch``, ``rows >= 3``.

A comparison of symbolic sizes is proved from ranges and relations.  What neither decides is
refused, or, inside a trace, answered by the example and kept as a relation of the graph
(`jit.assumptions`).
"""

from __future__ import annotations

import math
import operator
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from eager.ops.errors import TraceError
from jit.kernels.index import Index, Quotient, Var

#: How two sizes may be related.
OPERATORS: dict[str, Callable[[int, int], bool]] = {
    "==": operator.eq, "!=": operator.ne, ">=": operator.ge, "<=": operator.le}
_DEEPEST = 4  #: quotients that a proof takes apart


@dataclass(frozen=True, slots=True)
class Relation:
    """``left op right``, which every call must meet; ``place`` is the user's line that asked.

    An ``==`` whose left is a dim that the graph does not declare defines that dim.
    """

    left: Index
    op: str
    right: Index
    place: str = ""

    @staticmethod
    def of(op: str, gap: Index, place: str = "") -> Relation:
        """``gap op 0``, written with every term on the side where it is positive."""
        left = Index(tuple((m, c) for m, c in gap.terms if m and c > 0))
        right = Index(tuple((m, -c) for m, c in gap.terms if m and c < 0))
        k = sum(c for m, c in gap.terms if not m)
        if not left.terms:
            flipped = {">=": "<=", "<=": ">="}.get(op, op)
            return Relation(right, flipped, Index.of(k), place)
        return Relation(left, op, right - k, place)

    @property
    def gap(self) -> Index:
        """What is 0 for ``==``, not 0 for ``!=``, and at least 0 for an order."""
        return self.right - self.left if self.op == "<=" else self.left - self.right

    def holds(self, values: Mapping[str, int]) -> bool:
        return OPERATORS[self.op](self.left.evaluate(values), self.right.evaluate(values))

    def defines(self, dims: Sequence[Any]) -> bool:
        """Whether this gives a name, which is no dim, to an expression over ``dims``."""
        left = str(self.left)
        return self.op == "==" and left.isidentifier() and all(d.name != left for d in dims)

    def substitute(self, values: Mapping[str, Any]) -> Relation:
        return Relation(self.left.substitute(values), self.op, self.right.substitute(values),
                        self.place)

    def __str__(self) -> str:
        return f"{self.left} {self.op} {self.right}"


@dataclass(eq=False)
class Facts:
    """Relations that hold; what they do not decide is refused."""

    relations: Sequence[Relation] = ()

    def proves(self, op: str, gap: Index) -> bool | None:
        """Whether ``gap op 0`` (``==`` or ``>=``) holds for all sizes, or for none; else None."""
        if op == ">=":
            return (True if self._at_least(gap, 0) else
                    False if self._at_least(-gap, 1) else None)
        gap = without_remainders(gap)
        if not gap.terms:
            return True
        bare = lowest(gap)
        for r in self.relations:
            if r.op in ("==", "!=") and lowest(without_remainders(r.gap)) in (bare, -bare):
                return r.op == "=="
        if self._at_least(gap, 1) or self._at_least(-gap, 1):
            return False
        low, high = spread(gap)
        return True if low == high == 0 else None

    def _at_least(self, gap: Index, least: int) -> bool:
        """Whether ``gap >= least`` follows from ranges and at most one relation."""
        return _reaches(gap, least) or any(
            _reaches(gap - r.gap, least) for r in self.relations if r.op in (">=", "<="))

    def ask(self, op: str, left: Index, right: Index) -> bool:
        """Answer what cannot be proved."""
        raise TraceError(
            f"{self.here()}whether {left} {op} {right} depends on the sizes of the call, so it "
            f"cannot be decided; declare the dimension static, or give its Dim a range that "
            f"decides, for example jit.Dim(name, min=2)")


    def here(self) -> str:
        """The user's line, if a trace knows it, as the beginning of a message."""
        return ""


FACTS: ContextVar[Facts] = ContextVar("relations of sizes", default=Facts())  # noqa: B039 (never written)


@contextmanager
def assuming(relations: Facts | Sequence[Relation]) -> Iterator[None]:
    """Comparisons of symbolic sizes inside may use these relations."""
    facts = relations if isinstance(relations, Facts) else Facts(relations)
    token = FACTS.set(facts)
    try:
        yield
    finally:
        FACTS.reset(token)


def decide(op: str, left: Index, right: Index) -> bool:
    """Whether ``left op right`` (``==`` or ``>=``): proved, answered by an example, or refused."""
    facts = FACTS.get()
    known = facts.proves(op, left - right)
    return facts.ask(op, left, right) if known is None else known


def here() -> str:
    """The user's line of the trace that is going on, as the beginning of a message."""
    return FACTS.get().here()


# --- ranges ------------------------------------------------------------------------------------
def spread(index: Index) -> tuple[int | None, int | None]:
    """The smallest and largest value for dims in their ranges; None where unknown."""
    low = high = 0
    for monomial, c in index.terms:
        ends = (c, c)
        for atom in monomial:
            a, b = _range(atom)
            if a is None or b is None:
                return None, None
            products = (ends[0] * a, ends[0] * b, ends[1] * a, ends[1] * b)
            ends = min(products), max(products)
        low, high = low + ends[0], high + ends[1]
    return low, high


def _range(atom: Var | Quotient) -> tuple[int | None, int | None]:
    if isinstance(atom, Var):
        return atom.low, atom.high
    least, most = spread(atom.bottom)
    if least is None or most is None or least <= 0:
        return None, None
    if atom.kind == "%":
        return 0, most - 1
    low, high = spread(atom.top)
    if low is None or high is None:
        return None, None
    return min(low // least, low // most), max(high // least, high // most)


def _reaches(gap: Index, least: int, depth: int = 0) -> bool:
    """Whether ``gap >= least`` for dims in their ranges."""
    low, _ = spread(gap)
    if low is not None and low >= least:
        return True
    # n - n // 2 reaches 0, which shows where n is written as 2 * quotient + remainder.
    return depth < _DEEPEST and any(
        _reaches(split, least, depth + 1) for split in _splits(gap, depth))


def _splits(gap: Index, depth: int) -> Iterator[Index]:
    """Expressions that are no larger, or the same with a dim taken apart by a division of it."""
    for monomial, c in gap.terms:
        (atom, *others) = monomial or (None,)
        if isinstance(atom, Quotient) and not others and atom.kind == "%" and c < 0:
            low, _ = spread(atom.bottom)
            if low is not None and low > 0:  # a remainder is below what divides
                yield gap + (Index.of(atom) - atom.bottom + 1) * -c
    for atom in gap.atoms():
        if not isinstance(atom, Quotient):
            continue
        by, solved = atom.bottom.constant, solve(atom.top)
        if by is None or by <= 0 or solved is None:
            continue
        var, sign, k = solved
        if sign != 1 or var.high is None:
            continue
        q = Var(f"{var.name} quotient{depth}", None, (var.low + k) // by, (var.high + k) // by)
        r = Var(f"{var.name} remainder{depth}", None, 0, by - 1)
        if q.low >= 0:
            yield _replaced(gap, {var.name: Index.of(q) * by + r - k}, atom.top, by, q, r)


def _replaced(gap: Index, values: Mapping[str, Index], top: Index, by: int, q: Var, r: Var
              ) -> Index:
    """``gap`` with ``top // by`` and ``top % by`` named, and the dim in what is left replaced."""
    total = Index(())
    for monomial, c in gap.terms:
        product = Index.of(c)
        for atom in monomial:
            if isinstance(atom, Quotient) and atom.top == top and atom.bottom.constant == by:
                product = product * (q if atom.kind == "//" else r)
            else:
                product = product * Index.of(atom).substitute(values)
        total = total + product
    return total


def without_remainders(index: Index, by: int | None = None) -> Index:
    """The expression with ``u - n * (u // n)`` for ``u % n``, of every n (or of ``by`` alone)."""
    total = Index(())
    for monomial, c in index.terms:
        product = Index.of(c)
        for atom in monomial:
            n = atom.bottom.constant if isinstance(atom, Quotient) and atom.kind == "%" else None
            if isinstance(atom, Quotient) and n is not None and by in (None, n):
                top = without_remainders(atom.top, by)
                product = product * (top - top // n * n)
            else:
                product = product * atom
        total = total + product
    return total


def common_factor(a: Index, b: Index) -> tuple[Index, Index, Index]:
    """``(f, x, y)`` with ``a == f * x`` and ``b == f * y``, f one term as large as can be."""
    terms = a.terms + b.terms
    shared: Counter[Any] = Counter(terms[0][0])
    for m, _ in terms:
        shared &= Counter(m)
    factor = Index(((tuple(sorted(shared.elements(), key=lambda x: x.name)),
                     math.gcd(*(c for _, c in terms))),))
    return factor, a // factor, b // factor


def lowest(index: Index) -> Index:
    """The expression without an int that divides all of its terms."""
    factor = math.gcd(*(c for _, c in index.terms))
    return Index(tuple((m, c // factor) for m, c in index.terms)) if factor > 1 else index


def solve(index: Index) -> tuple[Var, int, int] | None:
    """``(d, c, k)`` of an expression ``c * d + k`` with c not 0, or None."""
    k = sum(c for m, c in index.terms if not m)
    rest = [(m, c) for m, c in index.terms if m]
    if len(rest) != 1 or len(rest[0][0]) != 1 or not isinstance(rest[0][0][0], Var):
        return None
    return rest[0][0][0], rest[0][1], k
