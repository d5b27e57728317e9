"""Comparisons that a trace cannot prove: answered by the example, kept as relations of the graph.

An equation is solved for one of its dims, and the trace starts again with that dim replaced, so
that all types agree; a bound narrows the range of its dim.  A relation that would leave a dim
one size, or only 0 and 1, is refused: the program would be for the example alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from eager.ops.errors import TraceError
from jit.dims import LARGEST, Dim, of_index, to_index
from jit.kernels.index import Index, Quotient, Var
from jit.relations import Facts, Relation, assuming, common_factor, solve

MOST_ATTEMPTS = 200  #: traces of one function
T = TypeVar("T")


class Restart(BaseException):
    """The trace goes on with other types; no ``except Exception`` of the user's stops it."""


@dataclass(eq=False)
class Assumptions(Facts):
    """What one trace takes its sizes to be.

    ``dims`` are free, ``replaced`` gives the others by name, ``example`` the sizes of all.
    """

    dims: dict[str, Dim] = field(default_factory=dict)
    example: dict[str, int] = field(default_factory=dict)
    relations: list[Relation] = field(default_factory=list)
    replaced: dict[str, Index] = field(default_factory=dict)
    locate: Callable[[], Any] = str
    changed: bool = False

    def shape(self, shape: Sequence[Any]) -> tuple[Any, ...]:
        """Declared sizes, in the dims that are left."""
        return tuple(of_index(to_index(d).substitute(self._values())) for d in shape)

    def settle(self, run: Callable[[], T]) -> T:
        """The result of the first trace that finds no new relation."""
        for _ in range(MOST_ATTEMPTS):
            self.changed = False
            self._rewrite()
            try:
                with assuming(self):
                    found = run()
            except Restart:
                continue
            if not self.changed:
                return found
        raise TraceError(f"a trace found {MOST_ATTEMPTS} relations between its sizes; the last: "
                         f"{', '.join(map(str, self.relations[-4:]))}")

    def here(self) -> str:
        return f"{self.locate()}: "

    # --- answers -------------------------------------------------------------------------------
    def ask(self, op: str, left: Index, right: Index) -> bool:
        """The answer of the example, which calls will be held to."""
        gap = left - right
        answer = gap.evaluate(self.example) >= 0 if op == ">=" else (
            gap.evaluate(self.example) == 0)
        place = str(self.locate())
        question = f"whether {left} {op} {right}"
        if op == "==" and answer:
            self._equate(self._reduced(gap), place, question)
        elif op == "==" and (odd := _other_half(gap)) is not None:
            self._equate(odd, place, question)
        elif op == "==":
            self._exclude(gap, place, question)
        else:
            self._bound(gap if answer else -gap - 1, place, question)
        return answer

    def _equate(self, gap: Index, place: str, question: str) -> None:
        solved = solve(gap)
        if solved is not None:
            raise self._pins(solved[0].name, place, question)
        var, value = self._divisible(gap) or self._solution(gap) or (None, None)
        if var is None or value is None:
            self.relations.append(Relation.of("==", gap, place))
            return
        self._replace(var, value, place, question)
        self.changed = True
        raise Restart

    def _exclude(self, gap: Index, place: str, question: str) -> None:
        """``gap != 0``: at an end of a range that is a bound."""
        solved = solve(gap)
        if solved is not None:
            var, c, k = solved
            dim = self.dims[var.name]
            if -k == c * dim.min or -k == c * dim.max:
                self._bound((Index.of(var) - dim.min - 1) if -k == c * dim.min else
                            (dim.max - 1 - Index.of(var)), place, question)
                return
        self.relations.append(Relation.of("!=", gap, place))

    def _bound(self, gap: Index, place: str, question: str) -> None:
        """``gap >= 0``."""
        gap = _undivided(gap)
        solved = solve(gap)
        if solved is None:
            self.relations.append(Relation.of(">=", gap, place))
            return
        var, c, k = solved
        dim = self.dims[var.name]
        low = max(dim.min, -(k // c)) if c > 0 else dim.min
        high = min(dim.max, k // -c) if c < 0 else dim.max
        if low >= high or high <= 1 < dim.max:
            raise self._pins(dim.name, place, question)
        self.dims[dim.name] = Dim(dim.name, low, high)
        wanted = Index.of(var) - low if c > 0 else high - Index.of(var)
        self.relations.append(Relation.of(">=", wanted, place))
        self.changed = True

    def _pins(self, name: str, place: str, question: str) -> TraceError:
        size = self.example[name]
        return TraceError(
            f"{place}: {question} is decided by the example, where {name} is {size}, and would "
            f"make a program for that size alone (or for 0 and 1); leave the dimension out of "
            f"dynamic_shapes to declare it static, or write the function without the question")

    # --- equations -----------------------------------------------------------------------------
    def _reduced(self, gap: Index) -> Index:
        """The equation without the factors that all its terms have."""
        _, made, _ = common_factor(gap, gap)
        return made if made.evaluate(self.example) == 0 else gap

    def _solution(self, gap: Index) -> tuple[str, Index] | None:
        """A dim of the equation and what it is by it: the dim that was declared last."""
        for name in reversed(self.dims):
            factor = gap.coefficient(name)
            k = factor.constant if factor is not None else None
            if k in (1, -1):
                return name, (Index.of(self._var(name)) * k - gap) * k
        return None

    def _divisible(self, gap: Index) -> tuple[str, Index] | None:
        """Of ``(c * d + k) % n == r``: d as a multiple, of a dim of its own, and a rest."""
        found = _remainder(gap)
        solved = solve(found[0]) if found is not None else None
        if found is None or solved is None:
            return None
        (_, by, rest), (var, c, k) = found, solved
        common = math.gcd(c, by)
        by = by // common
        rest = (rest - k) // common * pow(c // common, -1, by) % by
        dim = self.dims[var.name]
        low, high = max(0, -((rest - dim.min) // by)), (dim.max - rest) // by
        if low >= high:
            return None
        name = f"{var.name}_{by}"
        while name in self.example:
            name += "_"
        self.dims[name] = Dim(name, low, high)
        self.example[name] = (self.example[var.name] - rest) // by
        return var.name, Index.of(self._var(name)) * by + rest

    def _replace(self, name: str, value: Index, place: str, question: str) -> None:
        dim = self.dims.pop(name)
        self.replaced[name] = value
        self.relations.append(Relation(Index.of(Var(name)), "==", value, place))
        for gap in (value - dim.min, *([dim.max - value] if dim.max < LARGEST else ())):
            if self.proves(">=", gap) is None:
                self._bound(gap, place, question)

    def _rewrite(self) -> None:
        """Write everything in the dims that are left, with the ranges that they have now."""
        values = self._values()
        free = tuple(self.dims.values())
        self.replaced = {n: v.substitute(values) for n, v in self.replaced.items()}
        found = [replace(r, right=r.right.substitute(values)) if r.defines(free)
                 else r.substitute(values) for r in self.relations]
        self.relations = [r for r in found if r.defines(free) or not _goes_without(r)]

    def _var(self, name: str) -> Var:
        dim = self.dims[name]
        return Var(name, None, dim.min, dim.max)

    def _values(self) -> Mapping[str, Any]:
        """What the dims stand for now: another expression, or a narrower range."""
        return {**{name: self._var(name) for name in self.dims}, **self.replaced}


def _undivided(gap: Index) -> Index:
    """``u >= n * k`` for ``u // n >= k``, and ``u < n * (k + 1)`` for ``u // n <= k``."""
    k = sum(c for m, c in gap.terms if not m)
    rest = [(m[0], c) for m, c in gap.terms if len(m) == 1]
    if len(rest) != 1 or len(gap.terms) != 1 + (k != 0):
        return gap
    (atom, c), = rest
    by = atom.bottom.constant if isinstance(atom, Quotient) and atom.kind == "//" else None
    if by is None or not isinstance(atom, Quotient) or by <= 0 or abs(c) != 1:
        return gap
    return _undivided(atom.top + by * k if c == 1 else by * (k + 1) - 1 - atom.top)


def _goes_without(relation: Relation) -> bool:
    """Whether ranges prove a relation that did not narrow one of them."""
    if solve(relation.gap) is not None or relation.op == "!=":
        return False
    op = "==" if relation.op == "==" else ">="
    return Facts().proves(op, relation.gap) is True


def _other_half(gap: Index) -> Index | None:
    """Where the equation that does not hold says ``top % 2 == r``: the one that does."""
    found = _remainder(gap)
    if found is None or found[1] != 2:
        return None
    top, _, rest = found
    return top % 2 - (1 - rest)


def _remainder(gap: Index) -> tuple[Index, int, int] | None:
    """``(top, n, r)`` where the equation says ``top % n == r``, also as ``top == top // n * n``."""
    for atom in gap.atoms():
        by = atom.bottom.constant if isinstance(atom, Quotient) else None
        if not isinstance(atom, Quotient) or by is None or by <= 0:
            continue
        whole = Index.of(atom) if atom.kind == "%" else atom.top - Index.of(atom) * by
        for sign in (1, -1):
            rest = (gap * sign - whole).constant
            if rest is not None and 0 <= -rest < by:
                return atom.top, by, -rest
    return None
