"""Laws of the integer expressions of sizes: they are what Python's integers are."""

from __future__ import annotations

import random

from jit.kernels.index import Index, Var

NAMES = ("batch", "length", "heads")
ATOMS = [Index.of(Var(name, None, 0, None)) for name in NAMES]


def polynomial(rng: random.Random, least: int) -> Index:
    total = Index.of(rng.randint(least, 4))
    for _ in range(rng.randint(1, 3)):
        term = Index.of(rng.randint(1, 4))
        for atom in rng.sample(ATOMS, rng.randint(1, 3)):
            term = term * atom
        total = total + term
    return total


def test_a_product_divides_exactly() -> None:
    rng = random.Random(0)
    for _ in range(300):
        a, b = polynomial(rng, -4), polynomial(rng, 0)
        assert (a * b) // b == a and (a * b) % b == Index(()), (a, b)


def test_quotient_and_remainder_are_pythons() -> None:
    rng = random.Random(1)
    for _ in range(300):
        a, b = polynomial(rng, -4), polynomial(rng, 1)
        q, r = a // b, a % b
        for _ in range(5):
            values = {name: rng.randint(0, 9) for name in NAMES}
            x, y = a.evaluate(values), b.evaluate(values)
            assert (q.evaluate(values), r.evaluate(values)) == divmod(x, y), (a, b, values)


def test_nothing_is_divided_by_a_size() -> None:
    for atom in ATOMS:
        assert Index(()) // atom == Index(()) == Index(()) % atom
