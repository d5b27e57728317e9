"""The committed list of names is covered, and the README's counts are what is counted."""

from __future__ import annotations

from pathlib import Path

from tests.peers import coverage
from tests.peers.elsewhere import ELSEWHERE
from tests.peers.names import GROUPS

ROOT = Path(__file__).parents[2]


def test_every_name_is_there_and_compared() -> None:
    assert coverage.missing() == []


def test_the_tests_that_are_named_are_there() -> None:
    assert set(ELSEWHERE) <= {n for names in GROUPS.values() for n in names}
    assert all((ROOT / path).exists() for path in ELSEWHERE.values())


def test_the_readme_counts_what_is_counted() -> None:
    readme = (ROOT / "README.md").read_text()
    for line in coverage.table().split("\n")[2:]:
        assert line.strip("| ") in readme, line
