"""Twelve programs as people write them for torch, run with the import line changed.

The parameters are torch's; loss, gradients and buffers must then be torch's too.
"""

from __future__ import annotations

import re
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eager

torch = pytest.importorskip("torch")

FOLDER = Path(__file__).parents[1] / "programs"
PROGRAMS = sorted(p.stem for p in FOLDER.glob("*.py"))


def loaded(name: str, library: str) -> Any:
    """The program as a module, its imports of torch changed to ``library``."""
    text = (FOLDER / f"{name}.py").read_text()
    if library != "torch":
        text = re.sub(r"^import torch$", f"import {library} as torch", text, flags=re.M)
        text = re.sub(r"^import torch\.(\S+) as", rf"import {library}.\1 as", text, flags=re.M)
        text = re.sub(r"^from torch(\.\S+)? import", rf"from {library}\1 import", text, flags=re.M)
    module = types.ModuleType(f"{library}_{name}")
    exec(compile(text, f"{library}:{name}.py", "exec"), module.__dict__)
    return module


@pytest.mark.parametrize("name", PROGRAMS)
def test_program(name: str) -> None:
    ours, theirs = loaded(name, "eager"), loaded(name, "torch")
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


def test_there_are_twelve() -> None:
    assert len(PROGRAMS) == 12
