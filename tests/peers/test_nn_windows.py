"""Modules of windows, borders, sizes and norms against torch's: values, states and words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eager
from eager import nn

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(0)
IMAGE = RNG.normal(size=(2, 4, 9, 8)).astype(np.float32)
LINE, VOLUME = IMAGE[:, :, 0], RNG.normal(size=(1, 4, 5, 6, 7)).astype(np.float32)
RANKS = ((1, LINE), (2, IMAGE), (3, VOLUME))

MODULES: list[tuple[str, tuple[Any, ...], dict[str, Any], Any]] = [
    ("BatchNorm2d", (4,), {}, IMAGE), ("BatchNorm3d", (4,), {}, VOLUME),
    ("InstanceNorm1d", (4,), {}, LINE), ("InstanceNorm3d", (4,), {}, VOLUME),
    ("InstanceNorm2d", (4,), {"affine": True, "track_running_stats": True}, IMAGE),
    ("GroupNorm", (2, 4), {}, IMAGE), ("LayerNorm", (8,), {}, IMAGE), ("RMSNorm", (8,), {}, IMAGE),
    ("LocalResponseNorm", (3,), {}, IMAGE),
    ("Upsample", (), {"scale_factor": 2, "mode": "bilinear"}, IMAGE),
    ("UpsamplingNearest2d", ((5, 6),), {}, IMAGE),
    ("UpsamplingBilinear2d", (), {"scale_factor": 3}, IMAGE),
    ("PixelShuffle", (2,), {}, IMAGE), ("PixelUnshuffle", (2,), {}, IMAGE[:, :, :8]),
    ("ChannelShuffle", (2,), {}, IMAGE), ("Unfold", (2,), {"stride": 2}, IMAGE),
    ("Fold", ((4, 3), 2), {}, IMAGE[:, :, :6, 0].reshape(1, 8, 6)),
    ("Conv1d", (4, 6, 3), {"padding_mode": "reflect", "padding": 2}, LINE),
    ("Conv2d", (4, 6, (3, 2)), {"padding": "same", "padding_mode": "circular", "groups": 2}, IMAGE),
    ("Conv3d", (4, 2, 2), {"stride": (1, 2, 1), "bias": False}, VOLUME),
    ("ConvTranspose1d", (4, 2, 3), {"stride": 2, "output_padding": 1}, LINE),
    ("ConvTranspose2d", (4, 6, 3), {"stride": 2, "groups": 2, "dilation": 2}, IMAGE),
    ("ConvTranspose3d", (4, 2, 2), {"stride": 2}, VOLUME),
    ("LPPool1d", (2, 3), {}, LINE), ("LPPool2d", (2, 3), {}, IMAGE),
    *((f"ConstantPad{n}d", (1, 2.5), {}, x) for n, x in RANKS),
    *((f"{kind}Pad{n}d", (1,), {}, x)
      for kind in ("Zero", "Reflection", "Replication", "Circular") for n, x in RANKS),
    *((f"MaxPool{n}d", (2,), {"ceil_mode": True}, x) for n, x in RANKS),
    *((f"AvgPool{n}d", (3, 2, 1), {"count_include_pad": False}, x) for n, x in RANKS),
    *((f"AdaptiveAvgPool{n}d", (3,), {}, x) for n, x in RANKS),
    *((f"AdaptiveMaxPool{n}d", (4,), {}, x) for n, x in RANKS)]


@pytest.mark.parametrize(("name", "args", "kwargs", "x"), MODULES, ids=lambda v: str(v)[:20])
def test_module(name: str, args: Any, kwargs: Any, x: Any) -> None:
    ours, theirs = getattr(nn, name)(*args, **kwargs), getattr(torch.nn, name)(*args, **kwargs)
    assert repr(ours) == repr(theirs)
    state = theirs.state_dict()
    assert list(ours.state_dict()) == list(state)
    ours.load_state_dict({k: eager.tensor(v.numpy()) for k, v in state.items()})
    for training in (True, False):
        got = ours.train(training)(eager.tensor(x)).detach().numpy()
        want = theirs.train(training)(torch.tensor(x)).detach().numpy()
        assert got.dtype == want.dtype and np.allclose(got, want, atol=2e-5)
    for key, value in theirs.state_dict().items():
        assert np.allclose(ours.state_dict()[key].numpy(), value.numpy(), atol=1e-5), key


@pytest.mark.parametrize(("n", "x"), RANKS)
def test_maxima_return_to_their_places(n: int, x: Any) -> None:
    def both(library: Any, tensor: Any) -> Any:
        out, places = getattr(library, f"MaxPool{n}d")(2, return_indices=True)(tensor)
        unpool = getattr(library, f"MaxUnpool{n}d")(2)
        return places.numpy(), unpool(out, places, tensor.shape).numpy(), repr(unpool)

    ours, theirs = both(nn, eager.tensor(x)), both(torch.nn, torch.tensor(x))
    assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_a_transposed_convolution_of_a_wanted_size() -> None:
    ours, theirs = (m.ConvTranspose2d(4, 2, 3, 2, 1) for m in (nn, torch.nn))
    ours.load_state_dict({k: eager.tensor(v.numpy()) for k, v in theirs.state_dict().items()})
    got = ours(eager.tensor(IMAGE), output_size=(18, 16)).detach().numpy()
    want = theirs(torch.tensor(IMAGE), output_size=(18, 16)).detach().numpy()
    assert np.allclose(got, want, atol=1e-5)
    with pytest.raises(eager.OpError, match="output_size"):
        ours(eager.tensor(IMAGE), output_size=(30, 30))
