"""Twelve programs as people write them for torch, run with the import line changed.

The parameters are torch's; loss, gradients and buffers must then be torch's too.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import eager
from jit import pytree
from tests.models.cases import CASES, Case, arguments, built, loaded, sizes
from tests.models.measure import tensors
from tests.replay import close

torch = pytest.importorskip("torch")

FOLDER = Path(__file__).parents[1] / "programs"
PROGRAMS = sorted(p.stem for p in FOLDER.glob("*.py"))


@pytest.mark.parametrize("name", PROGRAMS)
def test_program(name: str) -> None:
    ours, theirs = (loaded(FOLDER / f"{name}.py", library) for library in ("eager", "torch"))
    torch.manual_seed(3)
    peer = theirs.build().double()
    model = ours.build().double()
    state = {k: eager.tensor(v.numpy()) for k, v in peer.state_dict().items()}
    model.load_state_dict(state)
    assert list(model.state_dict()) == list(state)
    arrays = theirs.inputs(np.random.default_rng(5))
    want = theirs.loss(peer, *(torch.tensor(a) for a in arrays))
    got = ours.loss(model, *(eager.tensor(a) for a in arrays))
    want.backward()
    got.backward()
    np.testing.assert_allclose(got.item(), want.item(), rtol=1e-7)  # some hold float32 constants
    gradients = {k: p.grad for k, p in peer.named_parameters()}
    assert gradients.keys() == dict(model.named_parameters()).keys()
    for key, p in model.named_parameters():
        wanted = gradients[key]
        assert (p.grad is None) == (wanted is None), key
        if wanted is not None:
            size = max(float(wanted.abs().max()), 1e-3)
            np.testing.assert_allclose(p.grad.numpy(), wanted.numpy(), rtol=1e-6,
                                       atol=1e-7 * size, err_msg=key)
    for key, b in peer.named_buffers():
        np.testing.assert_allclose(dict(model.named_buffers())[key].numpy(), b.numpy(), rtol=1e-9,
                                   err_msg=key)


@pytest.mark.parametrize("case", [c for c in CASES if not c.batch and c.build != "scanned"],
                         ids=lambda c: c.name)
def test_model(case: Case) -> None:
    """The models of ``tests/models`` with torch's parameters, in float64."""
    peer, ours = built(case, torch, double=True), built(case, double=True)
    ours.model.load_state_dict({k: eager.tensor(v.numpy())
                                for k, v in peer.model.state_dict().items()})
    for place in sizes(case)[-2:]:
        for fn, theirs, args in zip(ours.entries.values(), peer.entries.values(),
                                    arguments(case, *place), strict=True):
            args = pytree.map_leaves(args, lambda x: x.astype(np.float64)
                                     if x.dtype.kind == "f" else x)
            got = fn(*tensors(args, np.float64))
            want = torch.utils._pytree.tree_map(lambda x: x.detach().numpy(),
                                                theirs(*pytree.map_leaves(args, torch.tensor)))
            close(got, want, rtol=1e-6, atol=1e-6)


def test_there_are_twelve() -> None:
    assert len(PROGRAMS) == 12
