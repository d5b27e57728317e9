"""Programs of one module that share its weights and its state."""

from __future__ import annotations

import pytest

import eager
import jit
from eager import nn
from eager.engine.tensor import Tensor
from eager.ops.errors import TraceError


class Decoder(nn.Module):
    """Attention over what it was shown, with a cache of keys and values in buffers."""

    keys: Tensor
    length: Tensor

    def __init__(self, width: int = 4, longest: int = 8) -> None:
        super().__init__()
        self.project = nn.Linear(width, width)
        self.register_buffer("keys", eager.zeros(longest, width))
        self.register_buffer("length", eager.zeros((), dtype=eager.int64))

    def prefill(self, x: Tensor) -> Tensor:
        rows = self.project(x)
        self.keys.zero_()
        self.keys[:x.shape[0]] = rows
        self.length.fill_(x.shape[0])
        return rows[-1]

    def decode(self, token: Tensor) -> Tensor:
        row = self.project(token)
        at = eager.arange(self.keys.shape[0]) == self.length
        self.keys.copy_(eager.where(at[:, None], row, self.keys))
        self.length.add_(1)
        return (self.keys @ row).softmax(0) @ self.keys


def test_one_writes_what_the_other_reads() -> None:
    with eager.no_grad():
        eager.manual_seed(0)
        model, twin = Decoder(), Decoder()
        twin.load_state_dict(model.state_dict())
        points = jit.trace_module(
            model, {"prefill": (eager.randn(1, 4),), "decode": {"token": eager.randn(4)}},
            dynamic_shapes={"prefill": {"x": {0: jit.Dim("length", min=1, max=8)}}})
        assert list(points) == ["prefill", "decode"] and len(points) == 2
        for length in (3, 1, 4):
            x = eager.randn(length, 4)
            assert eager.allclose(points.prefill(x), twin.prefill(x), atol=1e-6)
            for _ in range(2):
                token = eager.randn(4)
                assert eager.allclose(points["decode"](token=token), twin.decode(token), atol=1e-6)
            assert int(model.length) == int(twin.length) == length + 2
        model.project.weight.mul_(2.0)
        twin.project.weight.mul_(2.0)
        assert eager.allclose(points.decode(token=token), twin.decode(token), atol=1e-5)
    assert "buffer keys" in points.report() and "prefill" in repr(points)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(TraceError, match="no method 'encode'"):
        jit.trace_module(Decoder(), {"encode": ()})
    with pytest.raises(TraceError, match="'decoder', which is no entry point"):
        jit.trace_module(Decoder(), {"decode": (eager.zeros(4),)}, dynamic_shapes={"decoder": {}})
    with pytest.raises(AttributeError, match="there are"):
        _ = jit.EntryPoints("Decoder", {}).forward
