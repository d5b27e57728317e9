"""Adam and its relatives, step for step as torch computes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from eager.engine.tensor import Tensor
from eager.ops.types import F32
from eager.optim.arithmetic import (
    advanced,
    average,
    check,
    check_betas,
    decayed,
    either,
    number,
    put,
    scalar,
    shrink,
    zeros_like,
)
from eager.optim.optimizer import Optimizer


class _Moments(Optimizer):
    """What Adam's relatives share: a mean of gradients and one of their squares."""

    def init_parameter(self, p: Tensor, group: Mapping[str, Any]) -> dict[str, Tensor]:
        return {"step": scalar(), "exp_avg": zeros_like(p), "exp_avg_sq": zeros_like(p)}

    @staticmethod
    def _moved(p: Any, grad: Any, state: dict[str, Any], group: Mapping[str, Any],
               ) -> tuple[Any, Any, Any, Any]:
        """The step's number, the gradient with weight decay and both means, moved."""
        beta1, beta2 = group["betas"]
        if group["decoupled_weight_decay"]:
            shrink(p, group)
        else:
            grad = decayed(p, grad, group)
        mean, square = state["exp_avg"], state["exp_avg_sq"]
        average(mean, grad, 1.0 - beta1)
        fresh = grad * grad
        fresh *= 1.0 - beta2
        square *= beta2
        square += fresh
        return advanced(state["step"]), grad, mean, square


class Adam(_Moments):
    """Adaptive moments (Kingma and Ba, 2015); weight decay is added to the gradient, or shrinks
    the parameter itself if ``decoupled_weight_decay``.
    """

    def __init__(self, params: Iterable[Any], lr: Any = 1e-3,
                 betas: tuple[Any, Any] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: Any = 0.0, amsgrad: bool = False, *,
                 foreach: bool | None = None, maximize: bool = False, capturable: bool = False,
                 differentiable: bool = False, fused: bool | None = None,
                 decoupled_weight_decay: bool = False) -> None:
        check(type(self), lr=lr, eps=eps, weight_decay=weight_decay)
        super().__init__(params, {
            "lr": lr, "betas": check_betas(type(self), betas), "eps": eps,
            "weight_decay": weight_decay, "amsgrad": amsgrad, "maximize": maximize,
            "foreach": foreach, "capturable": capturable, "differentiable": differentiable,
            "fused": fused, "decoupled_weight_decay": decoupled_weight_decay})

    def init_parameter(self, p: Tensor, group: Mapping[str, Any]) -> dict[str, Tensor]:
        state = super().init_parameter(p, group)
        if group["amsgrad"]:
            state["max_exp_avg_sq"] = zeros_like(p)
        return state

    def update(self, F: Any, p: Any, grad: Any, state: dict[str, Any],
               group: Mapping[str, Any]) -> None:
        beta1, beta2 = group["betas"]
        step, grad, mean, square = self._moved(p, grad, state, group)
        if group["amsgrad"]:
            put(state["max_exp_avg_sq"], F.maximum(state["max_exp_avg_sq"], square))
            square = state["max_exp_avg_sq"]
        # Bias corrections in float64: 1 - beta2**step is small at first.
        size, scale = group["lr"] / (1.0 - beta1**step), (1.0 - beta2**step) ** 0.5
        width = F.sqrt(square)
        width /= scale
        width += group["eps"]
        move = mean / width
        move *= size
        p -= move


class AdamW(Adam):
    """Adam whose weight decay is apart from the gradient (Loshchilov and Hutter, 2019)."""

    def __init__(self, params: Iterable[Any], lr: Any = 1e-3,
                 betas: tuple[Any, Any] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: Any = 1e-2, amsgrad: bool = False, *, maximize: bool = False,
                 foreach: bool | None = None, capturable: bool = False,
                 differentiable: bool = False, fused: bool | None = None) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, foreach=foreach,
                         maximize=maximize, capturable=capturable,
                         differentiable=differentiable, fused=fused,
                         decoupled_weight_decay=True)


class NAdam(_Moments):
    """Adam with Nesterov's momentum (Dozat, 2016)."""

    def __init__(self, params: Iterable[Any], lr: Any = 2e-3,
                 betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: Any = 0.0, momentum_decay: float = 4e-3,
                 decoupled_weight_decay: bool = False, *, foreach: bool | None = None,
                 maximize: bool = False, capturable: bool = False,
                 differentiable: bool = False) -> None:
        check(NAdam, lr=lr, eps=eps, weight_decay=weight_decay, momentum_decay=momentum_decay)
        super().__init__(params, {
            "lr": lr, "betas": check_betas(NAdam, betas), "eps": eps,
            "weight_decay": weight_decay, "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay, "maximize": maximize,
            "foreach": foreach, "capturable": capturable, "differentiable": differentiable})

    def init_parameter(self, p: Tensor, group: Mapping[str, Any]) -> dict[str, Tensor]:
        return {**super().init_parameter(p, group), "mu_product": scalar(1.0)}

    def update(self, F: Any, p: Any, grad: Any, state: dict[str, Any],
               group: Mapping[str, Any]) -> None:
        (beta1, beta2), lr, decay = group["betas"], group["lr"], group["momentum_decay"]
        step, grad, mean, square = self._moved(p, grad, state, group)
        now, following = (beta1 * (1.0 - 0.5 * 0.96 ** (t * decay)) for t in (step, step + 1.0))
        state["mu_product"] *= now.to(F32) if isinstance(now, Tensor) else now
        product = number(state["mu_product"])
        width = F.sqrt(square / (1.0 - beta2**step)) + group["eps"]
        p -= grad / width * (lr * (1.0 - now) / (1.0 - product))
        p -= mean / width * (lr * following / (1.0 - product * following))


class RAdam(_Moments):
    """Rectified Adam (Liu et al., 2020): plain momentum until the variance can be trusted."""

    def __init__(self, params: Iterable[Any], lr: Any = 1e-3,
                 betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: Any = 0.0, decoupled_weight_decay: bool = False, *,
                 foreach: bool | None = None, maximize: bool = False, capturable: bool = False,
                 differentiable: bool = False) -> None:
        check(RAdam, lr=lr, eps=eps, weight_decay=weight_decay)
        super().__init__(params, {
            "lr": lr, "betas": check_betas(RAdam, betas), "eps": eps,
            "weight_decay": weight_decay, "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize, "foreach": foreach, "capturable": capturable,
            "differentiable": differentiable})

    def update(self, F: Any, p: Any, grad: Any, state: dict[str, Any],
               group: Mapping[str, Any]) -> None:
        beta1, beta2 = group["betas"]
        step, grad, mean, square = self._moved(p, grad, state, group)
        left = 1.0 - beta2**step
        top = 2.0 / (1.0 - beta2) - 1.0
        length = top - 2.0 * step * beta2**step / left
        trusted = length > 5.0
        safe = either(F, trusted, length, step * 0.0 + 6.0)  # no root of a negative number
        rectified = ((safe - 4.0) * (safe - 2.0) * top
                     / ((top - 4.0) * (top - 2.0) * safe)) ** 0.5
        adaptive = left ** 0.5 * rectified / (F.sqrt(square) + group["eps"])
        factor = either(F, trusted, adaptive, 1.0)
        p -= mean * factor * (group["lr"] / (1.0 - beta1**step))


class Adamax(Optimizer):
    """Adam by the largest gradient instead of the mean square (Kingma and Ba, 2015)."""

    def __init__(self, params: Iterable[Any], lr: Any = 2e-3,
                 betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: Any = 0.0, foreach: bool | None = None, *,
                 maximize: bool = False, differentiable: bool = False,
                 capturable: bool = False) -> None:
        check(Adamax, lr=lr, eps=eps, weight_decay=weight_decay)
        super().__init__(params, {
            "lr": lr, "betas": check_betas(Adamax, betas), "eps": eps,
            "weight_decay": weight_decay, "foreach": foreach, "maximize": maximize,
            "differentiable": differentiable, "capturable": capturable})

    def init_parameter(self, p: Tensor, group: Mapping[str, Any]) -> dict[str, Tensor]:
        return {"step": scalar(), "exp_avg": zeros_like(p), "exp_inf": zeros_like(p)}

    def update(self, F: Any, p: Any, grad: Any, state: dict[str, Any],
               group: Mapping[str, Any]) -> None:
        beta1, beta2 = group["betas"]
        step = advanced(state["step"])
        grad = decayed(p, grad, group)
        average(state["exp_avg"], grad, 1.0 - beta1)
        largest = F.maximum(state["exp_inf"] * beta2, F.abs(grad) + group["eps"])
        put(state["exp_inf"], largest)
        p -= state["exp_avg"] / largest * (group["lr"] / (1.0 - beta1**step))
