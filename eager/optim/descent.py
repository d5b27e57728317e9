"""Methods without second moments: SGD, ASGD, Rprop and Muon, step for step as torch's."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from eager.engine import creation
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError
from eager.optim.arithmetic import (
    advanced,
    average,
    check,
    decayed,
    either,
    number,
    put,
    scalar,
    shrink,
    zeros_like,
)
from eager.optim.optimizer import Optimizer


class SGD(Optimizer):
    """Gradient descent with momentum, torch's way: v = momentum v + g; p = p - lr v.

    (Sutskever et al., "On the importance of initialization and momentum in deep learning", 2013.)
    """

    def __init__(self, params: Iterable[Any], lr: Any = 1e-3, momentum: float = 0.0,
                 dampening: float = 0.0, weight_decay: Any = 0.0, nesterov: bool = False, *,
                 maximize: bool = False, foreach: bool | None = None,
                 differentiable: bool = False, fused: bool | None = None) -> None:
        check(SGD, lr=lr, momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise OpError(f"SGD: nesterov wants a momentum above 0 and no dampening, got "
                          f"momentum={momentum} and dampening={dampening}")
        super().__init__(params, {
            "lr": lr, "momentum": momentum, "dampening": dampening,
            "weight_decay": weight_decay, "nesterov": nesterov, "maximize": maximize,
            "foreach": foreach, "differentiable": differentiable, "fused": fused})

    def init_parameter(self, p: Tensor, group: Mapping[str, Any]) -> dict[str, Tensor]:
        if group["momentum"] == 0:
            return {}
        state = {"momentum_buffer": zeros_like(p)}
        if group["dampening"] != 0:
            state["step"] = scalar()  # the first gradient is not dampened
        return state

    def loaded_parameter(self, made: dict[str, Any], given: Mapping[str, Any]) -> None:
        if "step" in made and "step" not in given and given.get("momentum_buffer") is not None:
            made["step"] = 1.0

    def update(self, F: Any, p: Any, grad: Any, state: dict[str, Any],
               group: Mapping[str, Any]) -> None:
        momentum = group["momentum"]
        grad = decayed(p, grad, group)
        if momentum != 0 and "momentum_buffer" in state:
            velocity, fresh = state["momentum_buffer"], grad
            if "step" in state:
                before = number(state["step"])
                later = either(F, before > 0, before * 0.0 + 1.0, before)
                fresh = grad * (1.0 - later * group["dampening"])
                state["step"] += 1
            velocity *= momentum
            velocity += fresh
            grad = grad + velocity * momentum if group["nesterov"] else velocity
        p -= grad * group["lr"]


class ASGD(Optimizer):
    """Averaged stochastic gradient descent (Polyak and Juditsky, 1992); the mean is ``ax``."""

    def __init__(self, params: Iterable[Any], lr: Any = 1e-2, lambd: float = 1e-4,
                 alpha: float = 0.75, t0: float = 1e6, weight_decay: Any = 0.0,
                 foreach: bool | None = None, maximize: bool = False,
                 differentiable: bool = False, capturable: bool = False) -> None:
        check(ASGD, lr=lr, weight_decay=weight_decay)
        super().__init__(params, {
            "lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay,
            "foreach": foreach, "maximize": maximize, "differentiable": differentiable,
            "capturable": capturable})

    def init_parameter(self, p: Tensor, group: Mapping[str, Any]) -> dict[str, Tensor]:
        return {"step": scalar(), "eta": scalar(float(group["lr"])), "mu": scalar(1.0),
                "ax": zeros_like(p)}

    def update(self, F: Any, p: Any, grad: Any, state: dict[str, Any],
               group: Mapping[str, Any]) -> None:
        lr, lambd = group["lr"], group["lambd"]
        step, eta, mean = advanced(state["step"]), number(state["eta"]), state["ax"]
        grad = decayed(p, grad, group)
        p *= 1.0 - eta * lambd
        p -= grad * eta
        average(mean, p, number(state["mu"]))
        put(state["eta"], lr / (1.0 + lr * step * lambd) ** group["alpha"])
        past = step - group["t0"]
        put(state["mu"], 1.0 / either(F, past > 1, past, past * 0.0 + 1.0))


class Rprop(Optimizer):
    """Resilient backpropagation: steps by the sign alone (Riedmiller and Braun, 1993)."""

    def __init__(self, params: Iterable[Any], lr: Any = 1e-2,
                 etas: tuple[float, float] = (0.5, 1.2),
                 step_sizes: tuple[float, float] = (1e-6, 50), *, capturable: bool = False,
                 foreach: bool | None = None, maximize: bool = False,
                 differentiable: bool = False) -> None:
        check(Rprop, lr=lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise OpError(f"Rprop: etas lie below and above 1, got {etas}")
        super().__init__(params, {
            "lr": lr, "etas": tuple(etas), "step_sizes": tuple(step_sizes), "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "capturable": capturable})

    def init_parameter(self, p: Tensor, group: Mapping[str, Any]) -> dict[str, Tensor]:
        return {"step": scalar(), "prev": zeros_like(p),
                "step_size": creation.full(tuple(p.shape), float(group["lr"]), dtype=p.dtype)}

    def update(self, F: Any, p: Any, grad: Any, state: dict[str, Any],
               group: Mapping[str, Any]) -> None:
        (less, more), (low, high) = group["etas"], group["step_sizes"]
        state["step"] += 1
        product, size = grad * state["prev"], state["step_size"]
        ones = product * 0.0 + 1.0
        factor = F.where(F.gt(product, 0.0), ones * more,
                         F.where(F.lt(product, 0.0), ones * less, ones))
        put(size, F.minimum(F.maximum(size * factor, low), high))
        grad = F.where(F.lt(product, 0.0), grad * 0.0, grad)
        p -= F.sign(grad) * size
        put(state["prev"], grad)


class Muon(Optimizer):
    """Momentum whose update is made orthogonal (Jordan et al., 2024), for matrices only.

    The Newton-Schulz iteration runs in the parameter's dtype; torch's runs in bfloat16, so the
    two agree to that type's precision.
    """

    def __init__(self, params: Iterable[Any], lr: Any = 1e-3, weight_decay: Any = 0.1,
                 momentum: float = 0.95, nesterov: bool = True,
                 ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
                 eps: float = 1e-7, ns_steps: int = 5,
                 adjust_lr_fn: str | None = None) -> None:
        check(Muon, lr=lr, momentum=momentum, weight_decay=weight_decay)
        if adjust_lr_fn not in (None, *_ADJUSTMENTS):
            raise OpError(f"Muon: adjust_lr_fn is one of {', '.join(_ADJUSTMENTS)}, got "
                          f"{adjust_lr_fn!r}")
        if not 0 < ns_steps < 100:
            raise OpError(f"Muon: ns_steps lies between 1 and 99, got {ns_steps}")
        super().__init__(params, {
            "lr": lr, "weight_decay": weight_decay, "momentum": momentum, "nesterov": nesterov,
            "ns_coefficients": tuple(ns_coefficients), "eps": eps, "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn})
        for p in self._parameters():
            if p.ndim != 2:
                raise OpError(f"Muon: parameters are matrices, got {p.spec}; give the others to "
                              f"AdamW")

    def init_parameter(self, p: Tensor, group: Mapping[str, Any]) -> dict[str, Tensor]:
        return {"momentum_buffer": zeros_like(p)}

    def update(self, F: Any, p: Any, grad: Any, state: dict[str, Any],
               group: Mapping[str, Any]) -> None:
        velocity, momentum = state["momentum_buffer"], group["momentum"]
        average(velocity, grad, 1.0 - momentum)
        grad = grad + (velocity - grad) * momentum if group["nesterov"] else velocity
        rows, columns = p.shape
        adjusted = _ADJUSTMENTS[group["adjust_lr_fn"] or "original"](rows, columns)
        direction = _orthogonal(F, grad, group)
        shrink(p, group)
        p -= direction * (group["lr"] * adjusted)


_ADJUSTMENTS = {
    "original": lambda rows, columns: math.sqrt(max(1.0, rows / columns)),
    "match_rms_adamw": lambda rows, columns: 0.2 * math.sqrt(max(rows, columns)),
}


def _orthogonal(F: Any, x: Any, group: Mapping[str, Any]) -> Any:
    """Near the closest orthogonal matrix: X := aX + (bA + cA^2)X with A = XX^T, a few times."""
    a, b, c = group["ns_coefficients"]
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / F.maximum(F.sqrt(F.sum(F.mul(x, x), dims=(0, 1), keepdim=False)), group["eps"])
    for _ in range(group["ns_steps"]):
        gram = F.matmul(x, x.T)
        x = x * a + F.matmul(gram * b + F.matmul(gram, gram) * c, x)
    return x.T if tall else x
