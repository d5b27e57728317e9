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


@pytest.mark.parametrize("name", [n if n in ("bert", "vae") else pytest.param(
    n, marks=pytest.mark.slow) for n in NAMES])
def test_compiled(name: str) -> None:
    case = BY_NAME[name]
    live = built(case)
    programs = [compiled(t) for t in traces(case, live)]
    for found in deviations(case, live, programs, sizes(case)):
        assert found.right, found


def test_there_are_ten_and_twelve() -> None:
    files = {case.file for case in CASES}
    assert sum(file.startswith("models/") for file in files) >= 10
    assert sum(file.startswith("programs/") for file in files) == 12
