"""Integer expressions of loop variables and dims: the index maps of a kernel.

An `Index` is a polynomial with integer coefficients.  Division and remainder
simplify where ranges prove it, and stay as opaque factors where they do not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Var:
    """A loop variable in ``[0, size)``, or a dim (``size`` None) in ``[low, high]``."""

    name: str
    size: Any = None
    low: int = 0
    high: int | None = None

    def __hash__(self) -> int:
        return hash(self.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Var) and self.name == other.name


@dataclass(frozen=True, slots=True)
class Quotient:
    """``top // bottom`` or ``top % bottom`` that no range could simplify."""

    kind: str
    top: Index
    bottom: Index

    @property
    def name(self) -> str:
        return f"({self.top}) {self.kind} {_factor(self.bottom)}"


Atom = Var | Quotient
Monomial = tuple[Atom, ...]


def _key(m: Monomial) -> tuple[int, list[str]]:
    return len(m), [a.name for a in m]


@dataclass(frozen=True, slots=True)
class Index:
    """A polynomial: ``{monomial: coefficient}``, the empty monomial for the constant."""

    terms: tuple[tuple[Monomial, int], ...]

    @staticmethod
    def of(value: Any) -> Index:
        if isinstance(value, Index):
            return value
        if isinstance(value, (Var, Quotient)):
            return Index((((value,), 1),))
        if hasattr(value, "__dim__"):  # a symbolic size of the tracer
            inner: Index = value.index
            return inner
        return Index((((), int(value)),)) if value else Index(())

    @staticmethod
    def build(terms: Iterable[tuple[Monomial, int]]) -> Index:
        total: dict[Monomial, int] = {}
        for m, c in terms:
            total[m] = total.get(m, 0) + c
        kept = [(m, c) for m, c in total.items() if c]
        return Index(tuple(sorted(kept, key=lambda t: _key(t[0]))))

    @property
    def constant(self) -> int | None:
        """The value, if it has no variables."""
        if not self.terms:
            return 0
        (m, c), *rest = self.terms
        return c if not m and not rest else None

    def atoms(self) -> set[Atom]:
        """Every variable and quotient, also inside quotients."""
        found: set[Atom] = set()
        for m, _ in self.terms:
            for a in m:
                found.add(a)
                if isinstance(a, Quotient):
                    found |= a.top.atoms() | a.bottom.atoms()
        return found

    def variables(self) -> set[str]:
        return {a.name for a in self.atoms() if isinstance(a, Var)}

    def __add__(self, other: Any) -> Index:
        return Index.build(self.terms + Index.of(other).terms)

    __radd__ = __add__

    def __neg__(self) -> Index:
        return Index(tuple((m, -c) for m, c in self.terms))

    def __sub__(self, other: Any) -> Index:
        return self + -Index.of(other)

    def __rsub__(self, other: Any) -> Index:
        return Index.of(other) - self

    def __mul__(self, other: Any) -> Index:
        other = Index.of(other)
        return Index.build(
            (tuple(sorted(m + n, key=lambda a: a.name)), c * d)
            for m, c in self.terms for n, d in other.terms)

    __rmul__ = __mul__

    def __floordiv__(self, other: Any) -> Index:
        return self._divide(Index.of(other))[0]

    def __rfloordiv__(self, other: Any) -> Index:
        return Index.of(other)._divide(self)[0]

    def __mod__(self, other: Any) -> Index:
        return self._divide(Index.of(other))[1]

    def __rmod__(self, other: Any) -> Index:
        return Index.of(other)._divide(self)[1]

    def _divide(self, by: Index) -> tuple[Index, Index]:
        exact = _divide_exactly(self, by)
        if exact is not None:
            return exact, Index(())
        whole: list[tuple[Monomial, int]] = []
        rest: list[tuple[Monomial, int]] = []
        for m, c in self.terms:
            divided = _divide_term(m, c, by)
            if divided is None:
                rest.append((m, c))
            else:
                whole.append(divided)
        q, r = Index.build(whole), Index.build(rest)
        if r.within(by):
            return q, r
        k = r.constant
        if k is not None and by.constant is not None:
            return q + k // by.constant, Index.of(k % by.constant)
        return (q + Index.of(Quotient("//", r, by)), Index.of(Quotient("%", r, by)))

    def within(self, bound: Index) -> bool:
        """Whether ``0 <= self < bound`` holds for every value of the variables."""
        low, high = self.bounds()
        return low is not None and low >= 0 and high is not None and (bound - high - 1).nonnegative

    def bounds(self) -> tuple[int | None, Index | None]:
        """A lower bound (a number) and an upper bound (of dims), or None where unknown."""
        low: int | None = 0
        high: Index | None = Index(())
        for m, c in self.terms:
            top = Index.of(1)
            for a in m:
                limit = _largest(a)
                if limit is None:
                    return None, None
                top = top * limit
            if c > 0:
                high = high + top * c if high is not None else None
                low = low + c if not m and low is not None else low
            elif not m:
                low = low + c if low is not None else None
                high = high + c if high is not None else None
            else:
                k = top.constant
                low = None if k is None or low is None else low + c * k
        return low, high

    @property
    def nonnegative(self) -> bool:
        """Provably >= 0 for all dims at their smallest and above."""
        if any(isinstance(a, Quotient) for a in self.atoms()):
            return False
        positive = 0
        for m, c in self.terms:
            lows = 1
            for a in m:
                assert isinstance(a, Var)
                lows *= a.low
            if m and c < 0:
                return False
            positive += c * lows if m else c
        return positive >= 0

    def evaluate(self, values: Mapping[str, int]) -> int:
        """The number, given every variable."""
        total = 0
        for m, c in self.terms:
            for a in m:
                if isinstance(a, Var):
                    c *= values[a.name]
                else:
                    top, bottom = a.top.evaluate(values), a.bottom.evaluate(values)
                    c *= top // bottom if a.kind == "//" else top % bottom
            total += c
        return total

    def coefficient(self, var: str) -> Index | None:
        """What the variable is multiplied by, or None if it is not affine in it."""
        picked = []
        for m, c in self.terms:
            here = [a for a in m if isinstance(a, Var) and a.name == var]
            if len(here) > 1 or any(
                isinstance(a, Quotient) and var in Index.of(a).variables() for a in m
            ):
                return None
            if here:
                rest = list(m)
                rest.remove(here[0])
                picked.append((tuple(rest), c))
        return Index.build(picked)

    def substitute(self, values: Mapping[str, Any]) -> Index:
        """The expression with variables replaced."""
        total = Index(())
        for m, c in self.terms:
            product = Index.of(c)
            for a in m:
                if isinstance(a, Var):
                    product = product * Index.of(values.get(a.name, a))
                else:
                    top, bottom = a.top.substitute(values), a.bottom.substitute(values)
                    product = product * (top // bottom if a.kind == "//" else top % bottom)
            total = total + product
        return total

    def __str__(self) -> str:
        if not self.terms:
            return "0"
        words = ""
        for m, c in reversed(self.terms):
            factors = [a.name if isinstance(a, Var) else f"({a.name})" for a in m]
            text = " * ".join(([str(abs(c))] if abs(c) != 1 or not m else []) + factors)
            words += (" - " if c < 0 else " + ") + text
        return words[3:] if words.startswith(" + ") else "-" + words[3:]


def _factor(index: Index) -> str:
    text = str(index)
    return text if text.isidentifier() or text.isdigit() else f"({text})"


def _largest(atom: Atom) -> Index | None:
    """The largest value of an atom, as an index over dims."""
    if isinstance(atom, Var):
        return Index.of(atom) if atom.size is None else Index.of(atom.size) - 1
    if atom.kind == "%":
        return atom.bottom - 1
    low, high = atom.top.bounds()
    k = atom.bottom.constant
    if low is None or low < 0 or high is None or k is None:
        return None
    top = high.constant
    return Index.of(top // k) if top is not None else high


def _divide_exactly(top: Index, by: Index) -> Index | None:
    """The quotient of two polynomials that leave no remainder; 0 divided by any size is 0."""
    found: list[tuple[Monomial, int]] = []
    while top.terms and by.terms:
        lead = _divide_term(*top.terms[-1], Index(by.terms[-1:]))
        if lead is None:
            return None
        found.append(lead)
        top = top - by * Index((lead,))
    return None if top.terms else Index.build(found)


def _divide_term(m: Monomial, c: int, by: Index) -> tuple[Monomial, int] | None:
    if len(by.terms) != 1:
        return None
    (bm, bc), = by.terms
    if c % bc:
        return None
    rest = list(m)
    for a in bm:
        if a not in rest:
            return None
        rest.remove(a)
    return tuple(rest), c // bc


def linear(index: Sequence[Any], shape: Sequence[Any]) -> Index:
    """The row-major element offset of ``index`` in ``shape``."""
    offset = Index(())
    for i, d in zip(index, shape, strict=True):
        offset = offset * Index.of(d) + Index.of(i)
    return offset


def product(dims: Iterable[Any]) -> Index:
    total = Index.of(1)
    for d in dims:
        total = total * Index.of(d)
    return total
