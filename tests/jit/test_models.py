"""Models traced from a batch of one give what eager gives at other batches and lengths."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eager
import jit
from eager import nn
from tests.models.cases import BY_NAME, CASES, built, sizes
from tests.models.measure import compiled, deviations, interpreted, traces
from tests.replay import Compiled, agrees, close

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


def test_a_network_over_a_dynamic_length_is_a_scan_of_its_cell() -> None:
    """The error says it, and what it says is right at each length and batch."""
    eager.manual_seed(3)
    network, cell = nn.GRU(4, 5), nn.GRUCell(4, 5)
    cell.load_state_dict({k.removesuffix("_l0"): v for k, v in network.state_dict().items()})

    def scanned(x: Any) -> Any:
        def step(h: Any, now: Any) -> Any:
            h = cell(now, h)
            return h, h

        return jit.scan(step, eager.zeros(x.shape[1], 5), x)

    dims = {"x": {0: jit.Dim("length"), 1: jit.Dim("batch")}}
    inputs = [np.linspace(-2, 2, 4 * n * b, dtype=np.float32).reshape(n, b, 4)
              for n, b in ((3, 1), (6, 3), (1, 8))]
    with pytest.raises(eager.OpError, match=r"gru: the length .* jit\.scan runs a cell"):
        jit.trace(network, (inputs[0],), dynamic_shapes={"input": dims["x"]})
    agrees(scanned, *[(x,) for x in inputs], run=Compiled, dynamic_shapes=dims)
    with eager.no_grad():
        for x in map(eager.tensor, inputs):
            out, final = network(x)
            close(scanned(x)[::-1], (out, final[0]))


def test_there_are_ten_and_twelve() -> None:
    files = {case.file for case in CASES}
    assert sum(file.startswith("models/") for file in files) >= 10
    assert sum(file.startswith("programs/") for file in files) == 12
