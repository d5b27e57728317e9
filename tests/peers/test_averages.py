"""Weight averaging and loss scaling against torch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eager
from eager import amp, nn, optim
from eager.ops.errors import OpError
from eager.optim import swa_utils

torch = pytest.importorskip("torch")


def pair() -> tuple[Any, Any]:
    ours = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    theirs.load_state_dict({k: torch.tensor(np.array(v.numpy()))
                            for k, v in ours.state_dict().items()})
    return ours, theirs


def same(ours: Any, theirs: Any) -> None:
    mine, other = ours.state_dict(), theirs.state_dict()
    assert set(mine) == set(other)
    for name, value in other.items():
        np.testing.assert_allclose(mine[name].numpy(), value.numpy(), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("settings", [
    lambda s: {}, lambda s: {"use_buffers": True},
    lambda s: {"multi_avg_fn": s.get_ema_multi_avg_fn(0.8)},
    lambda s: {"avg_fn": s.get_ema_avg_fn(0.7), "use_buffers": True}])
def test_averaged_models(settings: Any) -> None:
    ours, theirs = pair()
    peer = torch.optim.swa_utils
    mine = swa_utils.AveragedModel(ours, **settings(swa_utils))
    other = peer.AveragedModel(theirs, **settings(peer))
    rng = np.random.default_rng(0)
    for _ in range(4):
        x = rng.normal(size=(6, 3)).astype(np.float32)
        ours(eager.tensor(x))
        theirs(torch.tensor(x))
        with eager.no_grad(), torch.no_grad():
            for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
                step = rng.normal(size=p.shape).astype(np.float32)
                p.add_(eager.tensor(step))
                q.add_(torch.tensor(step))
        mine.update_parameters(ours)
        other.update_parameters(theirs)
        same(mine, other)
    batches = [rng.normal(size=(5, 3)).astype(np.float32) for _ in range(3)]
    swa_utils.update_bn([(eager.tensor(x), 0) for x in batches], mine)
    peer.update_bn([(torch.tensor(x), 0) for x in batches], other)
    same(mine, other)


@pytest.mark.parametrize("settings", [
    {}, {"anneal_epochs": 4, "anneal_strategy": "linear"}, {"anneal_epochs": 0}])
def test_swalr(settings: dict[str, Any]) -> None:
    mine = optim.SGD([nn.Parameter(eager.ones(1))], lr=0.3)
    other = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.3)
    a = swa_utils.SWALR(mine, 0.05, **settings)
    b = torch.optim.swa_utils.SWALR(other, 0.05, **settings)
    for _ in range(13):
        np.testing.assert_allclose(a.get_last_lr(), b.get_last_lr(), rtol=1e-9)
        other.step()
        a.step()
        b.step()


def test_loss_scaling() -> None:
    settings = {"init_scale": 8.0, "growth_interval": 2}
    p, q = nn.Parameter(eager.ones(2)), torch.nn.Parameter(torch.ones(2))
    mine, other = optim.SGD([p], lr=0.1), torch.optim.SGD([q], lr=0.1)
    a, b = amp.GradScaler("cpu", **settings), torch.amp.GradScaler("cpu", **settings)
    for factor in (1.0, 2.0, float("inf"), 1.0, float("nan"), 3.0, 1.0, 2.0):
        for scaler, x, optimizer in ((a, p, mine), (b, q, other)):
            optimizer.zero_grad()
            scaler.scale((x * factor).sum()).backward()
            scaler.step(optimizer)
            scaler.update()
        assert a.get_scale() == b.get_scale()
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-6)
    assert a.state_dict() == b.state_dict()


def test_refusals() -> None:
    optimizer = optim.SGD([nn.Parameter(eager.ones(1))], lr=0.1)
    scaler = amp.GradScaler()
    scaler.unscale_(optimizer)
    with amp.autocast("cpu", enabled=False):
        pass
    for call, words in ((lambda: amp.autocast("cpu"), "dtype of their operands"),
                        (lambda: amp.GradScaler("cuda"), "live on 'cpu'"),
                        (lambda: scaler.unscale_(optimizer), "divided already"),
                        (lambda: amp.GradScaler().update(), "came before"),
                        (lambda: swa_utils.get_ema_avg_fn(2.0), r"\[0, 1\]")):
        with pytest.raises(OpError, match=words):
            call()
