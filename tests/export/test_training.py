"""A whole training step as a file: it trains without Python's help, as eager would."""

from __future__ import annotations

import numpy as np

import eager
import export
import jit
from eager import nn, optim
from export import runner


def test_fifty_steps_of_adam_with_dropout(tmp_path) -> None:
    eager.manual_seed(1)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3))
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    loss_of = nn.CrossEntropyLoss()

    def step(x, y):
        optimizer.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    x = eager.randn(16, 4)
    y = x[:, :3].argmax(dim=1)
    path = tmp_path / "train.art"
    export.save(jit.trace(step, (x, y)), path, targets=("x86_64-linux",))
    trained = runner.load(path, trust=True)
    trained.verify()
    found = [float(trained(x.numpy(), y.numpy())) for _ in range(50)]
    wanted = [float(step(x, y)) for _ in range(50)]
    assert wanted[-1] < wanted[0]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)
    for name, p in model.named_parameters():
        np.testing.assert_allclose(np.asarray(trained.state[name]), p.detach().numpy(), atol=1e-5)
    assert np.asarray(trained.state["state.0.step"]) == 50
