"""What ``torch.save`` writes, key for key as ``torch.load`` gives it."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eager
from eager import nn, optim
from eager.files import load
from eager.ops.errors import OpError

torch = pytest.importorskip("torch")


def same(mine: Any, theirs: Any) -> None:
    """Equal in kind, order and every bit."""
    if isinstance(theirs, torch.Tensor):
        assert mine.dtype.public == str(theirs.dtype).removeprefix("torch.")
        assert tuple(mine.shape) == tuple(theirs.shape)
        assert mine.stride() == theirs.stride() or theirs.numel() == 0
        assert mine.requires_grad == theirs.requires_grad
        raw = theirs.detach().contiguous().reshape(-1).view(torch.uint8).numpy()
        assert np.ascontiguousarray(mine.detach().numpy()).tobytes() == raw.tobytes()
    elif isinstance(theirs, dict):
        assert type(mine).__name__ == type(theirs).__name__ and list(mine) == list(theirs)
        for key in theirs:
            same(mine[key], theirs[key])
    elif isinstance(theirs, (list, tuple)):
        assert type(mine).__name__ == type(theirs).__name__ and len(mine) == len(theirs)
        for a, b in zip(mine, theirs, strict=True):
            same(a, b)
    elif isinstance(theirs, torch.dtype):
        assert mine.public == str(theirs).removeprefix("torch.")
    else:
        assert mine == theirs and type(mine) is type(theirs)


def written(path: Path, value: Any) -> tuple[Any, Any]:
    torch.save(value, path)
    return load(path), torch.load(path)


def test_a_training_checkpoint(tmp_path: Path) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    model(torch.randn(5, 3)).sum().backward()
    optimizer.step()
    mine, theirs = written(tmp_path / "a.pt", {
        "model": model.state_dict(), "optim": optimizer.state_dict(), "epoch": 3,
        "best": float("inf"), "name": "run", "done": False, "history": [1, 2.5, None, (1,)]})
    same(mine, theirs)
    ours = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    ours.load_state_dict(mine["model"])
    follower = optim.Adam(ours.parameters(), lr=1.0)
    follower.load_state_dict(mine["optim"])
    assert float(follower.param_groups[0]["lr"]) == 0.1


def test_dtypes_and_values(tmp_path: Path) -> None:
    kinds = (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64,
             torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64,
             torch.complex128)
    same(*written(tmp_path / "a.pt", {str(k): torch.arange(5).to(k) for k in kinds}))
    same(*written(tmp_path / "b.pt", [
        torch.tensor(3), torch.zeros(0, 3), torch.nn.Parameter(torch.ones(2)),
        torch.float16, 10**30, b"bytes", {1, 2}, torch.ones(2, requires_grad=True),
        OrderedDict(a=1)]))


def test_views_share_their_storage(tmp_path: Path) -> None:
    base = torch.arange(12.0).reshape(3, 4)
    mine, theirs = written(tmp_path / "a.pt", [base, base.t(), base[1:, ::2],
                                               base[0].expand(2, 4)])
    same(mine, theirs)
    with eager.no_grad():
        mine[0].fill_(7.0)
    assert mine[1].tolist() == [[7.0] * 3] * 4 and mine[2].tolist() == [[7.0] * 2] * 2


def test_a_whole_module_is_refused(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "a.pt")
    with pytest.raises(OpError, match=r"torch\.nn\.modules\.linear\.Linear, which could run"):
        load(tmp_path / "a.pt")
