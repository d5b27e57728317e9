"""The counted list of torch's classes is true."""

from __future__ import annotations

import pytest

from eager import nn
from tests.peers.classes import PLACES, REFUSED, rows

pytest.importorskip("torch")


def test_every_name_that_is_refused_is_torchs_and_has_no_class() -> None:
    states = {r.path: r.state for r in rows()}
    assert {p: states.get(p) for p in REFUSED} == dict.fromkeys(REFUSED, "refuse")


def test_a_refusal_has_words() -> None:
    with pytest.raises(AttributeError, match="'SyncBatchNorm': there is one process: use"):
        _ = nn.SyncBatchNorm  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match=r"module 'eager.nn' has no attribute 'Liner'$"):
        _ = nn.Liner  # type: ignore[attr-defined]


@pytest.mark.parametrize("place", ["torch.nn.init", "torch.nn.utils.parametrize",
                                   "torch.nn.utils.parametrizations"])
def test_places_that_are_whole(place: str) -> None:
    assert place in PLACES
    assert [r.path for r in rows() if r.place == place and r.state == "lack"] == []
