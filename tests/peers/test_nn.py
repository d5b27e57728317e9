"""Modules against torch: outputs, gradients and state of every layer from the same weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eager
from eager import nn

torch = pytest.importorskip("torch")

IMAGES, ROWS = (4, 6, 8, 8), (5, 6)
#: class name, arguments, keyword arguments, input shape
LAYERS = [
    ("Linear", (6, 3), {}, ROWS),
    ("Linear", (6, 3), {"bias": False}, (2, 5, 6)),
    ("Conv2d", (6, 4, 3), {}, IMAGES),
    ("Conv2d", (6, 4, (3, 2)), {"stride": (2, 1), "padding": (1, 0), "dilation": (1, 2)}, IMAGES),
    ("Conv2d", (6, 9, 3), {"groups": 3, "padding": "same", "bias": False}, IMAGES),
    ("MaxPool2d", (2,), {}, IMAGES),
    ("MaxPool2d", (3,), {"stride": 2, "padding": 1}, IMAGES),
    ("AvgPool2d", (2,), {}, IMAGES),
    ("AvgPool2d", (3,), {"stride": 2, "padding": 1}, IMAGES),
    ("AdaptiveAvgPool2d", (2,), {}, IMAGES),
    ("BatchNorm1d", (6,), {}, ROWS),
    ("BatchNorm1d", (6,), {"momentum": None}, (3, 6, 4)),
    ("BatchNorm2d", (6,), {"momentum": 0.3, "eps": 1e-3}, IMAGES),
    ("BatchNorm2d", (6,), {"affine": False}, IMAGES),
    ("BatchNorm2d", (6,), {"track_running_stats": False}, IMAGES),
    ("LayerNorm", (6,), {}, ROWS),
    ("LayerNorm", ([8, 8],), {"bias": False}, IMAGES),
    ("RMSNorm", (6,), {}, ROWS),
    ("GroupNorm", (3, 6), {}, IMAGES),
    ("Flatten", (), {}, IMAGES),
    ("Identity", (7,), {"any": 3}, ROWS),
    ("Unflatten", (1, (2, 3)), {}, ROWS),
    ("Unflatten", (-1, (-1, 2)), {}, IMAGES),
    ("Softmin", (1,), {}, ROWS),
    ("Softmax2d", (), {}, IMAGES),
    ("GLU", (1,), {}, IMAGES),
    ("PReLU", (), {}, ROWS),
    ("PReLU", (6, 0.1), {}, IMAGES),
    ("Threshold", (0.3, -2.0), {}, ROWS),
    ("Hardtanh", (-0.4, 0.6), {}, ROWS),
    ("CELU", (), {"alpha": 0.7}, ROWS),
    ("ELU", (0.7,), {}, ROWS),
    ("Hardshrink", (0.3,), {}, ROWS),
    ("Softshrink", (0.3,), {}, ROWS),
    ("Softplus", (), {}, ROWS),
    ("Softmax", (1,), {}, ROWS),
    ("LogSoftmax", (-1,), {}, ROWS),
    ("GELU", (), {"approximate": "tanh"}, ROWS),
    ("Softplus", (), {"beta": 2.0, "threshold": 1.0}, ROWS),
    ("LeakyReLU", (0.2,), {}, ROWS),
    *((name, (), {}, ROWS) for name in (
        "ReLU", "GELU", "Tanh", "Sigmoid", "SiLU", "ELU", "ReLU6", "Hardtanh", "Hardsigmoid",
        "Hardswish", "Mish", "Softsign", "LogSigmoid", "CELU", "SELU", "Tanhshrink", "GLU",
        "Hardshrink", "Softshrink", "LeakyReLU")),
]


def pair_of(name: str, args: Any, kwargs: Any) -> tuple[nn.Module, Any]:
    """The layer of both, with the weights of ours."""
    ours, theirs = getattr(nn, name)(*args, **kwargs), getattr(torch.nn, name)(*args, **kwargs)
    rng = np.random.default_rng(1)
    state = {k: rng.uniform(0.5, 1.5, t.shape).astype(t.numpy().dtype)
             for k, t in ours.state_dict().items()}
    ours.load_state_dict(state)
    theirs.load_state_dict({k: torch.tensor(v) for k, v in state.items()})
    return ours, theirs


def close(ours: Any, theirs: Any, what: str = "") -> None:
    theirs = theirs.detach().numpy()
    largest = np.abs(theirs).max(initial=1.0)
    assert tuple(ours.shape) == theirs.shape, what
    np.testing.assert_allclose(ours.detach().numpy(), theirs, rtol=2e-5, atol=2e-6 * largest,
                               err_msg=what)


@pytest.mark.parametrize(("name", "args", "kwargs", "shape"), LAYERS)
def test_printing(name: str, args: Any, kwargs: Any, shape: Any) -> None:
    ours, theirs = pair_of(name, args, kwargs)
    assert repr(ours) == repr(theirs)


INPLACE: tuple[tuple[Any, ...], ...] = (
    *((name,) for name in ("ReLU", "ReLU6", "SELU", "SiLU", "Mish", "Hardswish", "Hardsigmoid",
                           "LeakyReLU", "ELU", "CELU", "Hardtanh")), ("Threshold", 0.2, -1.0))


@pytest.mark.parametrize(("name", "args"), [(n, a) for n, *a in INPLACE])
def test_written_in_place(name: str, args: Any) -> None:
    ours, theirs = (getattr(of, name)(*args, inplace=True) for of in (nn, torch.nn))
    assert repr(ours) == repr(theirs) and ours.inplace
    data = np.random.default_rng(0).normal(size=ROWS).astype(np.float32)
    x, y = eager.tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
    middle, wanted = x * 2, y * 2
    out = ours(middle)
    assert out is middle
    close(out, theirs(wanted), "output")
    out.square().sum().backward()
    wanted.square().sum().backward()
    close(x.grad, y.grad, "gradient")


def test_older_names_of_hardtanh() -> None:
    for of in (nn, torch.nn):
        with pytest.warns(FutureWarning, match="`min_value` is deprecated and renamed"):
            layer = of.Hardtanh(min_value=-0.3)
        assert (layer.min_val, layer.max_val) == (-0.3, 1.0)


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("name", ["Dropout", "Dropout1d", "Dropout2d", "Dropout3d",
                                  "AlphaDropout", "FeatureAlphaDropout", "RReLU"])
def test_random_ones_print_alike_and_rest_in_eval(name: str, inplace: bool) -> None:
    ours, theirs = (getattr(of, name)(0.2, inplace=inplace).eval() for of in (nn, torch.nn))
    assert repr(ours) == repr(theirs)
    shape = {"Dropout2d": (2, 3, 4, 5), "Dropout3d": (2, 3, 4, 5, 2)}.get(name, (2, 3, 4))
    data = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    close(ours(eager.tensor(data)), theirs(torch.tensor(data)))
    for of in (nn, torch.nn):
        if name != "RReLU":
            with pytest.raises(Exception, match=r"between 0 and 1, but got 1\.5"):
                getattr(of, name)(1.5)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("name", "args", "kwargs", "shape"), LAYERS)
def test_layer(name: str, args: Any, kwargs: Any, shape: Any, training: bool) -> None:
    ours, theirs = pair_of(name, args, kwargs)
    ours.train(training), theirs.train(training)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    data = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    for _ in range(2):  # running moments see two batches
        x, y = eager.tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
        out, wanted = ours(x), theirs(y)
        close(out, wanted, "output")
        seed = np.random.default_rng(2).normal(size=wanted.shape).astype(np.float32)
        out.backward(eager.tensor(seed))
        wanted.backward(torch.tensor(seed))
        close(x.grad, y.grad, "gradient of the input")
    for (key, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        close(p.grad, q.grad, f"gradient of {key}")
    for key, b in theirs.named_buffers():
        close(dict(ours.named_buffers())[key], b, key)


CLASSES, TARGETS = np.array([0, 3, 5, 2, 2]), np.random.default_rng(3).uniform(size=ROWS)
LOSSES = [
    ("CrossEntropyLoss", {}, CLASSES),
    ("CrossEntropyLoss", {"label_smoothing": 0.2, "reduction": "sum"}, CLASSES),
    ("CrossEntropyLoss", {"weight": np.arange(1, 7), "ignore_index": 2}, CLASSES),
    ("NLLLoss", {"reduction": "none"}, CLASSES),
    ("NLLLoss", {"weight": np.arange(1, 7)}, CLASSES),
    ("MSELoss", {}, TARGETS), ("L1Loss", {"reduction": "sum"}, TARGETS),
    ("SmoothL1Loss", {"beta": 0.5}, TARGETS), ("HuberLoss", {"delta": 0.7}, TARGETS),
    ("BCEWithLogitsLoss", {"pos_weight": np.arange(1, 7)}, TARGETS),
]


@pytest.mark.parametrize(("name", "kwargs", "target"), LOSSES)
def test_loss(name: str, kwargs: dict[str, Any], target: np.ndarray[Any, Any]) -> None:
    def built(module: Any, tensor: Any, dtype: Any) -> Any:
        return getattr(module, name)(**{k: tensor(v, dtype=dtype) if isinstance(v, np.ndarray)
                                        else v for k, v in kwargs.items()})

    ours = built(nn, eager.tensor, eager.float32)
    theirs = built(torch.nn, torch.tensor, torch.float32)
    data = np.random.default_rng(0).normal(size=ROWS).astype(np.float32)
    if target.dtype == np.float64:
        target = target.astype(np.float32)
    x, y = eager.tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
    out, wanted = ours(x, eager.tensor(target)), theirs(y, torch.tensor(target))
    close(out, wanted, "loss")
    out.sum().backward()
    wanted.sum().backward()
    close(x.grad, y.grad, "gradient")


@pytest.mark.parametrize("padding_idx", [None, 0, -1])
def test_embedding(padding_idx: int | None) -> None:
    ours = nn.Embedding(7, 3, padding_idx=padding_idx)
    theirs = torch.nn.Embedding(7, 3, padding_idx=padding_idx)
    theirs.load_state_dict({"weight": torch.tensor(ours.weight.detach().numpy())})
    index = np.array([[0, 6, 2], [6, 1, 0]])
    out, wanted = ours(eager.tensor(index)), theirs(torch.tensor(index))
    close(out, wanted)
    out.square().sum().backward()
    wanted.square().sum().backward()
    close(ours.weight.grad, theirs.weight.grad)


@pytest.mark.parametrize(("norm_type", "max_norm"), [(2.0, 0.5), (1.0, 3.0), (float("inf"), 0.1),
                                                     (2.0, 100.0)])
def test_clip_grad_norm(norm_type: float, max_norm: float) -> None:
    ours, theirs = pair_of("Linear", (6, 3), {})
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        data = np.random.default_rng(0).normal(size=p.shape).astype(np.float32)
        p.grad, q.grad = eager.tensor(data), torch.tensor(data)
    close(nn.utils.clip_grad_norm_(ours.parameters(), max_norm, norm_type),
          torch.nn.utils.clip_grad_norm_(theirs.parameters(), max_norm, norm_type))
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        close(p.grad, q.grad)


def network(of: Any) -> Any:
    return of.Sequential(of.Conv2d(1, 4, 3, padding=1), of.BatchNorm2d(4), of.ReLU(inplace=True),
                         of.Sequential(of.MaxPool2d(2), of.Flatten()), of.Dropout(0.5),
                         of.Linear(64, 10))


def test_names_and_printing_are_torchs() -> None:
    ours, theirs = network(nn), network(torch.nn)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [n for n, _ in ours.named_modules()] == [n for n, _ in theirs.named_modules()]
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]


@pytest.mark.parametrize(("name", "args"), [("Linear", (400, 300)), ("Conv2d", (40, 30, 5)),
                                            ("Embedding", (300, 400))])
def test_initial_values_have_torchs_spread(name: str, args: Any) -> None:
    eager.manual_seed(0)
    torch.manual_seed(0)
    ours, theirs = getattr(nn, name)(*args), getattr(torch.nn, name)(*args)
    a, b = ours.weight.detach().numpy(), theirs.weight.detach().numpy()
    assert a.std() == pytest.approx(b.std(), rel=0.02)
    if name != "Embedding":
        bound = 1 / np.sqrt(a[0].size)
        assert 0.99 * bound < np.abs(a).max() <= bound
        assert 0.8 * bound < np.abs(ours.bias.detach().numpy()).max() <= bound


@pytest.mark.parametrize(("name", "shape", "args"), [
    ("eye_", (3, 5), ()), ("dirac_", (4, 2, 3), ()), ("dirac_", (6, 2, 3, 4), (3,)),
    ("dirac_", (2, 4, 3, 3, 3), ()), ("ones_", (2, 3), ()), ("constant_", (2,), (0.3,))])
def test_fixed_initial_values(name: str, shape: Any, args: Any) -> None:
    ours = getattr(nn.init, name)(eager.full(shape, 7.0), *args)
    theirs = getattr(torch.nn.init, name)(torch.full(shape, 7.0), *args)
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


@pytest.mark.parametrize("nonlinearity", ["linear", "conv1d", "conv_transpose3d", "sigmoid",
                                          "tanh", "relu", "selu", "leaky_relu"])
def test_gains(nonlinearity: str) -> None:
    for param in (None, 0.3):
        assert nn.init.calculate_gain(nonlinearity, param) == pytest.approx(
            torch.nn.init.calculate_gain(nonlinearity, param), rel=1e-12)


#: lazy class, arguments, the shape of the first input
LAZY = [("LazyLinear", (3,), {"bias": False}, ROWS), ("LazyConv2d", (4, 3), {}, IMAGES),
        ("LazyConv2d", (6, 3), {"groups": 2, "stride": 2}, IMAGES),
        ("LazyConv1d", (4, 3), {}, (2, 3, 7)), ("LazyConv3d", (4, 2), {}, (2, 3, 4, 5, 4)),
        ("LazyConv1d", (4, 3), {}, (3, 7)), ("LazyConvTranspose1d", (4, 3), {}, (2, 3, 7)),
        ("LazyConvTranspose2d", (4, 3, 2), {"groups": 2}, IMAGES),
        ("LazyConvTranspose3d", (4, 2), {"bias": False}, (2, 3, 4, 5, 4)),
        ("LazyBatchNorm1d", (), {}, ROWS), ("LazyBatchNorm2d", (1e-3,), {}, IMAGES),
        ("LazyBatchNorm3d", (), {}, (2, 3, 4, 5, 4)), ("LazyInstanceNorm1d", (), {}, (2, 3, 7)),
        ("LazyInstanceNorm2d", (), {"affine": True}, IMAGES),
        ("LazyInstanceNorm3d", (), {}, (2, 3, 4, 5, 4))]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "args", "kwargs", "shape"), LAZY)
def test_lazy_ones(name: str, args: Any, kwargs: Any, shape: Any) -> None:
    ours, theirs = getattr(nn, name)(*args, **kwargs), getattr(torch.nn, name)(*args, **kwargs)
    assert repr(ours) == repr(theirs) and list(ours.state_dict()) == list(theirs.state_dict())
    data = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    ours(eager.tensor(data)), theirs(torch.tensor(data))
    assert repr(ours) == repr(theirs) and type(ours).__name__ == type(theirs).__name__
    fresh = getattr(nn, name)(*args, **kwargs)
    fresh.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    close(fresh.eval()(eager.tensor(data)), theirs.eval()(torch.tensor(data)))


@pytest.mark.parametrize(("name", "args"), [
    ("uniform_", (-1.0, 3.0)), ("normal_", (1.0, 2.0)), ("trunc_normal_", ()),
    ("trunc_normal_", (1.0, 2.0, -1.0, 2.0)), ("kaiming_uniform_", (0.5, "fan_out")),
    ("kaiming_normal_", (0, "fan_in", "relu")), ("xavier_uniform_", (2.0,)),
    ("xavier_normal_", ()), ("orthogonal_", (3.0,)), ("sparse_", (0.3,))])
def test_random_initial_values_have_torchs_distribution(name: str, args: Any) -> None:
    eager.manual_seed(0)
    torch.manual_seed(0)
    a = getattr(nn.init, name)(eager.zeros(300, 200), *args).numpy()
    b = getattr(torch.nn.init, name)(torch.zeros(300, 200), *args).numpy()
    assert a.std() == pytest.approx(b.std(), rel=0.02)
    quantiles = np.linspace(0.05, 0.95, 7)
    np.testing.assert_allclose(np.quantile(a, quantiles), np.quantile(b, quantiles),
                               atol=0.04 * b.std())
