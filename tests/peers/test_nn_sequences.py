"""Recurrence, attention, look-ups and losses against torch: keys, values and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eager
from eager import nn
from eager.engine.tensor import Tensor
from eager.nn.utils import rnn
from eager.ops.errors import OpError

torch = pytest.importorskip("torch")
RNG = np.random.default_rng(5)


def _draw(*shape: int) -> np.ndarray[Any, Any]:
    return RNG.uniform(-1, 1, shape)


def _flat(result: Any) -> list[Any]:
    if isinstance(result, (tuple, list)):
        return [t for r in result for t in _flat(r)]
    return [] if result is None else [result]


def pair(name: str, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
    """A module of ours and torch's of the same settings and weights, in float64."""
    peer = getattr(torch.nn, name)(*args, **kwargs).double().train()
    ours = getattr(nn, name)(*args, **kwargs).double().train()
    state = peer.state_dict()
    assert [(k, tuple(v.shape)) for k, v in ours.state_dict().items()] == [
        (k, tuple(v.shape)) for k, v in state.items()]
    ours.load_state_dict({k: Tensor(v.numpy().copy()) for k, v in state.items()})
    return ours, peer


def _leaf(value: Any, torch_too: bool) -> Any:
    if isinstance(value, (tuple, list)):
        return tuple(_leaf(v, torch_too) for v in value)
    if not isinstance(value, np.ndarray):
        return value
    wanted = value.dtype == np.float64 and np.all(np.isfinite(value))
    if torch_too:
        return torch.tensor(value, requires_grad=bool(wanted))
    return Tensor(value.copy(), requires_grad=bool(wanted))


def agree(ours: Any, peer: Any, *args: Any, **kwargs: Any) -> None:
    """Compare what both give out, and the gradients of operands and weights."""
    mine = [_leaf(a, False) for a in args], {k: _leaf(v, False) for k, v in kwargs.items()}
    theirs = [_leaf(a, True) for a in args], {k: _leaf(v, True) for k, v in kwargs.items()}
    got, want = _flat(ours(*mine[0], **mine[1])), _flat(peer(*theirs[0], **theirs[1]))
    assert len(got) == len(want)
    total, whole = 0.0, 0.0
    for a, b in zip(got, want, strict=True):
        assert tuple(a.shape) == tuple(b.shape)
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-9, atol=1e-11)
        if b.requires_grad:
            total, whole = total + (a * a).sum(), whole + (b * b).sum()
    if isinstance(whole, float):
        return
    total.backward()  # type: ignore[union-attr]
    whole.backward()
    leaves = zip(_flat([*mine[0], *mine[1].values()]), _flat([*theirs[0], *theirs[1].values()]),
                 strict=True)
    pairs = [(a, b) for a, b in leaves if torch.is_tensor(b)]
    if hasattr(peer, "named_parameters"):
        named = dict(ours.named_parameters())
        pairs += [(named[n], p) for n, p in peer.named_parameters()]
    for a, b in pairs:
        have = None if a.grad is None else a.grad.numpy()
        need = None if b.grad is None else b.grad.numpy()
        if have is None or need is None:
            assert not np.any(0.0 if have is None else have)
            assert not np.any(0.0 if need is None else need)
        else:
            np.testing.assert_allclose(have, need, rtol=1e-7, atol=1e-9)


# --- recurrence --------------------------------------------------------------------------------
NETWORKS = [
    ("RNN", {}), ("RNN", {"nonlinearity": "relu", "num_layers": 2}), ("GRU", {}), ("LSTM", {}),
    ("GRU", {"num_layers": 2, "bidirectional": True, "batch_first": True, "bias": False}),
    ("LSTM", {"num_layers": 2, "bidirectional": True, "proj_size": 2}),
    ("LSTM", {"proj_size": 1, "bias": False}),
]


@pytest.mark.parametrize(("name", "settings"), NETWORKS, ids=str)
def test_networks(name: str, settings: dict[str, Any]) -> None:
    ours, peer = pair(name, 4, 3, **settings)
    agree(ours, peer, _draw(5, 2, 4))
    rows = settings.get("num_layers", 1) * (2 if settings.get("bidirectional") else 1)
    out = settings.get("proj_size") or 3
    for batch in ((5 if settings.get("batch_first") else 2,), ()):
        state: Any = _draw(rows, *batch, out)
        if name == "LSTM":
            state = (state, _draw(rows, *batch, 3))
        ours.zero_grad()
        peer.zero_grad()
        agree(ours, peer, _draw(5, *((2,) if batch else ()), 4), state)
    assert repr(ours) == repr(peer)
    assert [[tuple(w.shape) for w in ws] for ws in ours.all_weights] == [
        [tuple(w.shape) for w in ws] for ws in peer.all_weights]


@pytest.mark.parametrize(("name", "settings"), NETWORKS, ids=str)
@pytest.mark.parametrize("lengths", [[4, 2, 2, 1], [1, 4, 2, 4]])
def test_packed_networks(name: str, settings: dict[str, Any], lengths: list[int]) -> None:
    ours, peer = pair(name, 4, 3, **settings)

    def run(module: Any, utils: Any) -> Any:
        def call(x: Any) -> Any:
            packed = utils.pack_padded_sequence(x, lengths, enforce_sorted=lengths[0] == 4)
            out, state = module(packed)
            return *utils.pad_packed_sequence(out, total_length=6, padding_value=0.5), state
        return call

    agree(run(ours, rnn), run(peer, torch.nn.utils.rnn), _draw(4, 4, 4))
    rows = settings.get("num_layers", 1) * (2 if settings.get("bidirectional") else 1)
    state: Any = _draw(rows, 4, settings.get("proj_size") or 3)
    state = (state, _draw(rows, 4, 3)) if name == "LSTM" else state
    sequences = [_draw(n, 4) for n in lengths]

    def last(module: Any, utils: Any) -> Any:
        return lambda xs, hx: module(utils.pack_sequence(xs, lengths[0] == 4), hx)[1]

    agree(last(ours, rnn), last(peer, torch.nn.utils.rnn), sequences, state)


@pytest.mark.parametrize(("name", "settings"), [
    ("RNNCell", {}), ("RNNCell", {"nonlinearity": "relu"}), ("GRUCell", {}), ("LSTMCell", {}),
    ("GRUCell", {"bias": False}), ("LSTMCell", {"bias": False})], ids=str)
def test_cells(name: str, settings: dict[str, Any]) -> None:
    ours, peer = pair(name, 4, 3, **settings)
    agree(ours, peer, _draw(2, 4))
    for batch in ((2,), ()):
        state: Any = _draw(*batch, 3)
        ours.zero_grad()
        peer.zero_grad()
        agree(ours, peer, _draw(*batch, 4),
              (state, _draw(*batch, 3)) if name == "LSTMCell" else state)


def test_dropout_between_layers() -> None:
    eager.manual_seed(0)
    ours = nn.LSTM(4, 3, 2, dropout=0.9)
    x = eager.randn(5, 2, 4)
    assert not np.allclose(ours(x)[0].detach().numpy(), ours(x)[0].detach().numpy())
    ours.eval()
    np.testing.assert_array_equal(ours(x)[0].detach().numpy(), ours(x)[0].detach().numpy())


@pytest.mark.parametrize("make", [
    lambda n: n.LSTM(4, 3, proj_size=3), lambda n: n.GRU(4, 3, dropout=2.0),
    lambda n: n.RNN(4, 3, nonlinearity="sin"), lambda n: n.GRU(4, 0),
    lambda n: n.MultiheadAttention(5, 2), lambda n: n.Embedding(3, 2, padding_idx=3),
    lambda n: n.TripletMarginLoss(margin=0.0), lambda n: n.MultiMarginLoss(p=3),
    lambda n: n.AdaptiveLogSoftmaxWithLoss(4, 5, [3, 2]),
    lambda n: n.TransformerEncoderLayer(4, 2, activation="sin")])
def test_settings_that_torch_refuses_too(make: Any) -> None:
    with pytest.raises(Exception):  # noqa: B017
        make(torch.nn)
    with pytest.raises(OpError):
        make(nn)


@pytest.mark.parametrize("call", [
    lambda n, t: n.LSTM(4, 3)(t(5, 2, 3)), lambda n, t: n.LSTM(4, 3)(t(4)),
    lambda n, t: n.LSTM(4, 3)(t(5, 2, 4), (t(1, 3, 3), t(1, 2, 3))),
    lambda n, t: n.GRUCell(4, 3)(t(2, 2, 4)),
    lambda n, t: n.utils.rnn.pack_padded_sequence(t(3, 2, 4), [1, 2]),
    lambda n, t: n.utils.rnn.pack_padded_sequence(t(3, 2, 4), [2, 0]),
    lambda n, t: n.utils.rnn.pad_packed_sequence(
        n.utils.rnn.pack_padded_sequence(t(3, 2, 4), [3, 2]), total_length=2),
    lambda n, t: n.MultiheadAttention(4, 2)(t(3, 2, 4), t(3, 2, 4), t(3, 2, 4), is_causal=True),
    lambda n, t: n.MultiheadAttention(4, 2)(t(3, 2, 4), t(3, 2, 4), t(3, 2, 4),
                                            attn_mask=t(2, 2)),
    lambda n, t: n.Transformer(4, 2, 1, 1, 4)(t(3, 2, 4), t(3, 1, 4))])
def test_calls_that_torch_refuses_too(call: Any) -> None:
    with pytest.raises(Exception):  # noqa: B017
        call(torch.nn, torch.randn)
    with pytest.raises(OpError):
        call(nn, eager.randn)


def test_padding() -> None:
    parts = [_draw(n, 2) for n in (2, 4, 1)]
    for settings in ({}, {"batch_first": True, "padding_value": 3.0}, {"padding_side": "left"}):
        agree(lambda xs, s=settings: rnn.pad_sequence(xs, **s),
              lambda xs, s=settings: torch.nn.utils.rnn.pad_sequence(list(xs), **s), parts)
    packed = rnn.pack_sequence([Tensor(p) for p in parts], enforce_sorted=False)
    for have, want in zip(rnn.unpack_sequence(packed), parts, strict=True):
        np.testing.assert_array_equal(have.numpy(), want)
    peer = torch.nn.utils.rnn.pack_sequence([torch.tensor(p) for p in parts], False)
    for have, want in zip(packed, peer, strict=True):
        np.testing.assert_array_equal(have.numpy(), want.numpy())


# --- attention ---------------------------------------------------------------------------------
CAUSAL = np.triu(np.full((3, 3), -np.inf), 1)
PADDED = np.array([[False, False, True], [False, True, True]])


@pytest.mark.parametrize(("settings", "call"), [
    ({}, {}), ({"bias": False}, {"average_attn_weights": False}),
    ({"add_bias_kv": True, "add_zero_attn": True}, {"key_padding_mask": PADDED}),
    ({"add_bias_kv": True}, {"attn_mask": CAUSAL, "need_weights": False}),
    ({}, {"attn_mask": CAUSAL, "is_causal": True}),
    ({"add_zero_attn": True}, {"attn_mask": np.isinf(CAUSAL), "key_padding_mask": PADDED}),
    ({"kdim": 5, "vdim": 3}, {"attn_mask": _draw(8, 3, 3)}),
    ({"batch_first": True}, {"key_padding_mask": PADDED.astype(bool)})], ids=str)
def test_heads(settings: dict[str, Any], call: dict[str, Any]) -> None:
    ours, peer = pair("MultiheadAttention", 8, 4, **settings)
    shape = (2, 3) if settings.get("batch_first") else (3, 2)
    q = _draw(*shape, 8)
    k, v = _draw(*shape, settings.get("kdim", 8)), _draw(*shape, settings.get("vdim", 8))
    agree(ours, peer, q, k, v, **call)
    if not call or "is_causal" in call:
        ours.zero_grad()
        peer.zero_grad()
        agree(ours, peer, q[:, 0], k[:, 0], v[:, 0], **call)


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize("settings", [
    {}, {"norm_first": True, "activation": "gelu"}, {"batch_first": True, "bias": False}], ids=str)
def test_transformers(settings: dict[str, Any]) -> None:
    ours, peer = pair("Transformer", 8, 2, 2, 1, 12, 0.0, **settings)
    shape = (2, 3) if settings.get("batch_first") else (3, 2)
    mask = nn.Transformer.generate_square_subsequent_mask(3).numpy().astype(np.float64)
    np.testing.assert_array_equal(
        mask, torch.nn.Transformer.generate_square_subsequent_mask(3).numpy())
    agree(ours, peer, _draw(*shape, 8), _draw(*shape, 8), tgt_mask=mask,
          src_key_padding_mask=PADDED, memory_key_padding_mask=PADDED, tgt_is_causal=True)
    ours.eval()
    peer.eval()
    agree(ours.encoder, peer.encoder, _draw(*shape, 8))
    layer, other = pair("TransformerDecoderLayer", 8, 2, 12, dropout=0.0, **settings)
    agree(layer, other, _draw(*shape, 8), _draw(*shape, 8))


def test_dropout_of_attention() -> None:
    eager.manual_seed(0)
    q = eager.randn(2, 5, 4)
    ones = eager.ones(2, 5, 1)
    sums = nn.functional.scaled_dot_product_attention(q, q, ones, dropout_p=0.5)
    assert np.std(sums.numpy()) > 0.05
    full = nn.functional.scaled_dot_product_attention(q, q, ones)
    np.testing.assert_allclose(full.numpy(), 1.0, rtol=1e-6)


# --- look-ups ----------------------------------------------------------------------------------
WORDS = np.array([[1, 4, 1], [0, 2, 2]])


@pytest.mark.parametrize(("name", "settings"), [
    ("Embedding", {}), ("Embedding", {"padding_idx": -1, "max_norm": 0.6}),
    ("Embedding", {"max_norm": 1.0, "norm_type": 1.0, "scale_grad_by_freq": True}),
    ("EmbeddingBag", {}), ("EmbeddingBag", {"mode": "max", "padding_idx": 2}),
    ("EmbeddingBag", {"mode": "sum", "max_norm": 0.5, "include_last_offset": True})], ids=str)
def test_tables(name: str, settings: dict[str, Any]) -> None:
    ours, peer = pair(name, 5, 3, **settings)
    agree(ours, peer, WORDS)
    np.testing.assert_allclose(ours.weight.detach().numpy(), peer.weight.detach().numpy())
    if name == "EmbeddingBag":
        ours.zero_grad()
        peer.zero_grad()
        ends = [6] if settings.get("include_last_offset") else []
        agree(ours, peer, WORDS.ravel(), np.array([0, 2, 2, *ends]))
    assert repr(ours) == repr(peer)


def test_tables_from_pretrained() -> None:
    weight = eager.randn(4, 3)
    for kind in (nn.Embedding, nn.EmbeddingBag):
        table = kind.from_pretrained(weight, padding_idx=1)
        assert not table.weight.requires_grad and table.padding_idx == 1
        np.testing.assert_array_equal(table.weight.numpy(), weight.numpy())
        assert kind.from_pretrained(weight, freeze=False).weight.requires_grad
    assert np.all(nn.Embedding(4, 3, padding_idx=2).weight.detach().numpy()[2] == 0)


def test_products() -> None:
    agree(*pair("Bilinear", 3, 4, 5), _draw(2, 3), _draw(2, 4))
    agree(*pair("Bilinear", 3, 4, 5, bias=False), _draw(3), _draw(4))
    agree(*pair("CosineSimilarity", dim=0), _draw(3, 4), _draw(3, 4))
    agree(*pair("PairwiseDistance", 3.0, keepdim=True), _draw(3, 4), _draw(3, 4))


# --- losses ------------------------------------------------------------------------------------
X, Y, Z = _draw(3, 4), _draw(3, 4), _draw(3, 4)
CLASSES = np.array([1, 0, 3])
SIGNS = np.array([1, -1, 1])
SHARES = np.abs(Y) / np.abs(Y).sum(1, keepdims=True)
WHOLE = (Y > 0).astype(np.float32)


@pytest.mark.parametrize(("name", "settings", "operands"), [
    ("MSELoss", {}, (X, Y)), ("L1Loss", {"reduction": "sum"}, (X, Y)),
    ("HuberLoss", {"delta": 0.4}, (X, Y)), ("SmoothL1Loss", {"beta": 0.5}, (X, Y)),
    ("NLLLoss", {"ignore_index": 0}, (X, CLASSES)),
    ("CrossEntropyLoss", {"label_smoothing": 0.1, "reduction": "none"}, (X, CLASSES)),
    ("BCELoss", {}, (SHARES, SHARES[::-1].copy())),
    ("BCEWithLogitsLoss", {}, (X, SHARES)), ("KLDivLoss", {"reduction": "batchmean"}, (X, SHARES)),
    ("GaussianNLLLoss", {"full": True}, (X, Y, np.abs(Z) + 0.1)),
    ("PoissonNLLLoss", {"full": True, "log_input": False}, (np.abs(X) + 0.1, np.abs(Y) * 3)),
    ("MarginRankingLoss", {"margin": 0.1}, (X[:, 0], Y[:, 0], SIGNS)),
    ("HingeEmbeddingLoss", {"margin": 0.5}, (X[:, 0], SIGNS)),
    ("CosineEmbeddingLoss", {"margin": 0.1}, (X, Y, SIGNS)),
    ("TripletMarginLoss", {"swap": True, "p": 1.0}, (X, Y, Z)),
    ("TripletMarginWithDistanceLoss", {"margin": 2.0}, (X, Y, Z)),
    ("SoftMarginLoss", {}, (X[:, 0], SIGNS)), ("MultiMarginLoss", {"p": 2}, (X, CLASSES)),
    ("MultiLabelMarginLoss", {}, (X, np.array([[1, 2, -1, 0], [-1, 0, 0, 0], [0, 1, 2, 3]]))),
    ("MultiLabelSoftMarginLoss", {}, (X, WHOLE))], ids=str)
def test_losses(name: str, settings: dict[str, Any], operands: Any) -> None:
    agree(*pair(name, **settings), *operands)


def test_weighted_losses_hold_buffers() -> None:
    weight = np.array([0.5, 1.0, 2.0, 0.1])
    for name, target in (("CrossEntropyLoss", CLASSES), ("MultiMarginLoss", CLASSES),
                         ("BCEWithLogitsLoss", SHARES)):
        ours = getattr(nn, name)(weight=Tensor(weight))
        peer = getattr(torch.nn, name)(weight=torch.tensor(weight))
        assert list(ours.state_dict()) == list(peer.state_dict()) == ["weight"]
        agree(ours, peer, X, target)


def test_arguments_of_the_first_years() -> None:
    for flags, word in (((False,), "sum"), ((True,), "mean"), ((None, False), "none")):
        with pytest.warns(DeprecationWarning, match=word):
            assert nn.MSELoss(*flags).reduction == word
        with pytest.warns(UserWarning):
            assert torch.nn.MSELoss(*flags).reduction == word


@pytest.mark.parametrize("settings", [
    {}, {"reduction": "sum", "blank": 3}, {"reduction": "none", "zero_infinity": True}], ids=str)
@pytest.mark.parametrize("padded", [True, False])
def test_ctc(settings: dict[str, Any], padded: bool) -> None:
    """Through log_softmax, since torch's gradient is that of what it is taken of."""
    targets = np.array([[1, 2, 2], [4, 0, 0], [2, 4, 0]])
    if settings.get("blank") is None:
        targets[1:, 1:] = 1
    counts = np.array([3, 1, 2])
    if not padded:
        targets = np.concatenate([t[:n] for t, n in zip(targets, counts, strict=True)])
    for lengths in ((6, 5, 6), np.array([6, 1, 4])):
        agree(lambda x, y, n, m: nn.functional.ctc_loss(
            nn.functional.log_softmax(x, 2), y, n, m, **settings),
            lambda x, y, n, m: torch.nn.functional.ctc_loss(
                torch.nn.functional.log_softmax(x, 2), y, n, m, **settings),
            _draw(6, 3, 5) * 3, targets, lengths,
            tuple(counts.tolist()) if isinstance(lengths, tuple) else counts)


def test_ctc_of_what_does_not_fit() -> None:
    x = eager.randn(3, 1, 4).log_softmax(2)
    target = eager.tensor([[1, 1, 2]])  # needs four frames, for the blank between equals
    assert float(nn.CTCLoss()(x, target, (3,), (3,))) == float("inf")
    assert float(nn.CTCLoss(zero_infinity=True)(x, target, (3,), (3,))) == 0.0


def test_adaptive_softmax() -> None:
    ours, peer = pair("AdaptiveLogSoftmaxWithLoss", 8, 20, [5, 10, 15], 2.0, True)
    targets = np.array([1, 7, 19, 12, 4])
    agree(ours, peer, _draw(5, 8), targets)
    x = _draw(40, 8) * 4
    agree(ours.log_prob, peer.log_prob, x)
    np.testing.assert_array_equal(ours.predict(Tensor(x)).numpy(),
                                  peer.predict(torch.tensor(x)).numpy())
    with pytest.raises(OpError):
        ours(Tensor(x), Tensor(np.full(40, 20)))


def test_linear_cross_entropy() -> None:
    ours, peer = pair("LinearCrossEntropyLoss", 4, 5, bias=True, label_smoothing=0.1)
    agree(ours, peer, _draw(3, 4), CLASSES)
    ours, peer = pair("LinearCrossEntropyLoss", 4, 5, out_features=(2,), reduction="none",
                      weight=None, ignore_index=1)
    agree(ours, peer, _draw(3, 4), np.array([[1, 0], [4, 1], [2, 2]]))


def test_half_floats() -> None:
    """Nothing of a batch of half floats is computed in another dtype's terms."""
    for dtype in (eager.bfloat16, eager.float16):
        x = eager.randn(3, 4, 8).to(dtype).requires_grad_()
        layer = nn.TransformerEncoderLayer(8, 2, 16).to(dtype)
        out = nn.GRU(8, 5).to(dtype)(layer(x))[0]
        loss = nn.functional.cross_entropy(out.flatten(0, 1), eager.zeros(12, dtype=eager.int64))
        loss.backward()
        assert out.dtype is dtype and loss.dtype is dtype and x.grad is not None
        assert x.grad.dtype is dtype and bool(x.grad.isfinite().all())
