"""Models traced from a batch of one give what eager gives at other batches and lengths."""

from __future__ import annotations

import pytest

from tests.models.cases import BY_NAME, CASES, built, sizes
from tests.models.measure import compiled, deviations, interpreted, traces

NAMES = [case.name for case in CASES]


@pytest.mark.parametrize("name", NAMES)
def test_interpreted(name: str) -> None:
    case = BY_NAME[name]
    live = built(case)
    programs = [interpreted(t) for t in traces(case, live)]
    for found in deviations(case, live, programs, sizes(case)[::-2]):
        assert found.right, found


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_compiled(name: str) -> None:
    case = BY_NAME[name]
    live = built(case)
    programs = [compiled(t) for t in traces(case, live)]
    for found in deviations(case, live, programs, sizes(case)):
        assert found.right, found
