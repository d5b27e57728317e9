"""No liar ends wrong, and what a program can say it says."""

from __future__ import annotations

import pytest

from tests.liars import LIARS
from tests.liars.table import REFUSED, RIGHT, Liar, outcome


@pytest.mark.parametrize("liar", LIARS, ids=lambda liar: liar.name)
def test_a_liar_ends_right_or_refused(liar: Liar) -> None:
    found = outcome(liar)
    assert found.verdict in ((RIGHT,) if liar.expressible else (RIGHT, REFUSED)), found.words


def test_there_are_enough_of_them() -> None:
    assert len(LIARS) >= 60 and sum(liar.expressible for liar in LIARS) >= 35
    assert len({liar.name for liar in LIARS}) == len(LIARS)
