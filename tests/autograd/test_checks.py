"""gradcheck finds wrong gradients; anomaly mode finds the line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eager
from eager.autograd import Function, detect_anomaly, gradcheck, gradgradcheck, set_detect_anomaly
from eager.autograd.gradcheck import GradcheckError
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError


def leaf(*shape: int) -> Tensor:
    return Tensor(np.random.default_rng(0).uniform(0.5, 1.5, shape), requires_grad=True)


class Wrong(Function):
    """x * x with a gradient of x."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return g * ctx.saved_tensors[0]


@pytest.mark.parametrize("fast", [False, True])
def test_slopes_pass(fast: bool) -> None:
    x, w = leaf(2, 3), leaf(3)
    f = lambda x, w: (x * w.exp(), (x.sin() @ w))  # noqa: E731
    assert gradcheck(f, (x, w), fast_mode=fast)
    assert gradgradcheck(f, (x, w), fast_mode=fast)
    assert gradcheck(lambda x: x.softmax(1), x, check_grad_dtypes=True, fast_mode=fast)


@pytest.mark.parametrize("fast", [False, True])
def test_complex_slopes_pass(fast: bool) -> None:
    rng = np.random.default_rng(1)
    z = Tensor(rng.normal(size=3) + 1j * rng.normal(size=3), requires_grad=True)
    x = leaf(3)
    assert gradcheck(lambda z, x: (z * z.exp() * x, z.abs()), (z, x), fast_mode=fast)
    assert gradgradcheck(lambda z: z * z * z, z, fast_mode=fast)
    with pytest.raises(GradcheckError):
        gradcheck(Wrong.apply, z, fast_mode=fast)


@pytest.mark.parametrize("fast", [False, True])
def test_a_wrong_gradient_fails(fast: bool) -> None:
    with pytest.raises(GradcheckError, match="is no slope"):
        gradcheck(Wrong.apply, leaf(2, 3), fast_mode=fast)
    assert gradcheck(Wrong.apply, leaf(2, 3), fast_mode=fast, raise_exception=False) is False


def test_a_wrong_second_gradient_fails() -> None:
    class HalfWrong(Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * 2.0 * ctx.saved_tensors[0].detach()

    assert gradcheck(HalfWrong.apply, leaf(3))
    with pytest.raises(GradcheckError):
        gradgradcheck(HalfWrong.apply, leaf(3))


@pytest.mark.parametrize(("inputs", "words"), [
    (Tensor(np.ones(3, np.float32), requires_grad=True), "float64"),
    (Tensor(np.ones(3)), "requires grad")])
def test_what_cannot_be_checked(inputs: Any, words: str) -> None:
    with pytest.raises(OpError, match=words):
        gradcheck(lambda x: x * x, inputs)


# --- anomaly mode ------------------------------------------------------------------------------
def test_a_nan_names_the_op_and_the_line() -> None:
    x = Tensor(np.zeros(2), requires_grad=True)
    with detect_anomaly():
        y = x.sqrt() * 0.0  # the line
        with pytest.raises(OpError, match=r"(?s)SqrtBackward returned NaN.*# the line"):
            y.sum().backward()
    assert not eager.is_anomaly_enabled()


def test_a_nan_from_outside_has_no_line() -> None:
    x = Tensor(np.zeros(2), requires_grad=True)
    y = x.sqrt() * 0.0
    with detect_anomaly(), pytest.raises(OpError, match="its line is not known"):
        y.sum().backward()


def test_a_write_is_blamed_with_the_line() -> None:
    x = leaf(3)
    with detect_anomaly():
        y = x * 1.0
        z = y.exp().sin()
        w = y * y  # saved here
        y.zero_()
        with pytest.raises(OpError, match=r"(?s)modified in place since by zero_.*# saved here"):
            (w + z).sum().backward()


def test_the_mode_goes_on_until_it_is_turned_off() -> None:
    set_detect_anomaly(True, check_nan=False)
    try:
        assert eager.is_anomaly_enabled()
        x = Tensor(np.zeros(2), requires_grad=True)
        (x.sqrt() * 0.0).sum().backward()
        assert x.grad is not None and np.isnan(x.grad.numpy()).all()
    finally:
        set_detect_anomaly(False)
    assert not eager.is_anomaly_enabled()
