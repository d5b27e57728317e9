"""Steps scaled by squares of past gradients: Adagrad, Adadelta, RMSprop, Adafactor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from eager.engine import creation
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError
from eager.optim.arithmetic import (
    advanced,
    average,
    check,
    decayed,
    either,
    scalar,
    shrink,
    zeros_like,
)
from eager.optim.optimizer import Optimizer


class Adagrad(Optimizer):
    """Steps over the root of the sum of squares (Duchi, Hazan and Singer, 2011)."""

    def __init__(self, params: Iterable[Any], lr: Any = 1e-2, lr_decay: float = 0.0,
                 weight_decay: Any = 0.0, initial_accumulator_value: float = 0.0,
                 eps: float = 1e-10, foreach: bool | None = None, *, maximize: bool = False,
                 differentiable: bool = False, fused: bool | None = None) -> None:
        check(Adagrad, lr=lr, lr_decay=lr_decay, weight_decay=weight_decay, eps=eps,
              initial_accumulator_value=initial_accumulator_value)
        super().__init__(params, {
            "lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "fused": fused})
        self.init_state()

    def init_parameter(self, p: Tensor, group: Mapping[str, Any]) -> dict[str, Tensor]:
        first = group["initial_accumulator_value"]
        return {"step": scalar(), "sum": creation.full(tuple(p.shape), first, dtype=p.dtype)}

    def update(self, F: Any, p: Any, grad: Any, state: dict[str, Any],
               group: Mapping[str, Any]) -> None:
        step, total = advanced(state["step"]), state["sum"]
        grad = decayed(p, grad, group)
        total += grad * grad
        rate = group["lr"] / (1.0 + (step - 1.0) * group["lr_decay"])
        p -= grad / (F.sqrt(total) + group["eps"]) * rate


class Adadelta(Optimizer):
    """Steps in the parameter's own units (Zeiler, 2012)."""

    def __init__(self, params: Iterable[Any], lr: Any = 1.0, rho: float = 0.9,
                 eps: float = 1e-6, weight_decay: Any = 0.0, foreach: bool | None = None, *,
                 capturable: bool = False, maximize: bool = False,
                 differentiable: bool = False) -> None:
        check(Adadelta, lr=lr, eps=eps, weight_decay=weight_decay)
        if not 0.0 <= rho <= 1.0:
            raise OpError(f"Adadelta: rho lies in [0, 1], got {rho}")
        super().__init__(params, {
            "lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay,
            "maximize": maximize, "capturable": capturable, "foreach": foreach,
            "differentiable": differentiable})

    def init_parameter(self, p: Tensor, group: Mapping[str, Any]) -> dict[str, Tensor]:
        return {"step": scalar(), "square_avg": zeros_like(p), "acc_delta": zeros_like(p)}

    def update(self, F: Any, p: Any, grad: Any, state: dict[str, Any],
               group: Mapping[str, Any]) -> None:
        square, moved = state["square_avg"], state["acc_delta"]
        rho, eps = group["rho"], group["eps"]
        state["step"] += 1
        grad = decayed(p, grad, group)
        square *= rho
        square += grad * grad * (1.0 - rho)
        delta = F.sqrt(moved + eps) / F.sqrt(square + eps) * grad
        moved *= rho
        moved += delta * delta * (1.0 - rho)
        p -= delta * group["lr"]


class RMSprop(Optimizer):
    """Steps over the root of a running mean of squares (Tieleman and Hinton, 2012).

    ``centered`` takes the variance instead of the mean square (Graves, 2013).
    """

    def __init__(self, params: Iterable[Any], lr: Any = 1e-2, alpha: float = 0.99,
                 eps: float = 1e-8, weight_decay: Any = 0.0, momentum: float = 0.0,
                 centered: bool = False, capturable: bool = False,
                 foreach: bool | None = None, maximize: bool = False,
                 differentiable: bool = False) -> None:
        check(RMSprop, lr=lr, eps=eps, momentum=momentum, weight_decay=weight_decay, alpha=alpha)
        super().__init__(params, {
            "lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered,
            "weight_decay": weight_decay, "capturable": capturable, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable})

    def init_parameter(self, p: Tensor, group: Mapping[str, Any]) -> dict[str, Tensor]:
        state = {"step": scalar(), "square_avg": zeros_like(p)}
        if group["momentum"] > 0:
            state["momentum_buffer"] = zeros_like(p)
        if group["centered"]:
            state["grad_avg"] = zeros_like(p)
        return state

    def update(self, F: Any, p: Any, grad: Any, state: dict[str, Any],
               group: Mapping[str, Any]) -> None:
        square, alpha = state["square_avg"], group["alpha"]
        state["step"] += 1
        grad = decayed(p, grad, group)
        square *= alpha
        square += grad * grad * (1.0 - alpha)
        if "grad_avg" in state:
            average(state["grad_avg"], grad, 1.0 - alpha)
            square = square - state["grad_avg"] * state["grad_avg"]
        move = grad / (F.sqrt(square) + group["eps"])
        if "momentum_buffer" in state:
            velocity = state["momentum_buffer"]
            velocity *= group["momentum"]
            velocity += move
            move = velocity
        p -= move * group["lr"]


class Adafactor(Optimizer):
    """Adam's squares kept as their rows' and columns' means (Shazeer and Stern, 2018)."""

    def __init__(self, params: Iterable[Any], lr: Any = 1e-2, beta2_decay: float = -0.8,
                 eps: tuple[float | None, float] = (None, 1e-3), d: float = 1.0,
                 weight_decay: Any = 0.0, *, foreach: bool | None = None,
                 maximize: bool = False) -> None:
        check(Adafactor, lr=lr, weight_decay=weight_decay)
        if beta2_decay > 0 or d < 1.0 or eps[1] < 0 or (eps[0] is not None and eps[0] < 0):
            raise OpError(f"Adafactor: wanted beta2_decay <= 0, d >= 1 and eps that are not "
                          f"negative, got {beta2_decay}, {d} and {eps}")
        super().__init__(params, {
            "lr": lr, "beta2_decay": beta2_decay, "eps": tuple(eps), "d": d,
            "weight_decay": weight_decay, "foreach": foreach, "maximize": maximize})

    def init_parameter(self, p: Tensor, group: Mapping[str, Any]) -> dict[str, Tensor]:
        if p.ndim < 2:
            return {"step": scalar(), "variance": zeros_like(p)}
        *outer, rows, columns = p.shape
        return {"step": scalar(), "row_var": creation.zeros(*outer, rows, 1, dtype=p.dtype),
                "col_var": creation.zeros(*outer, 1, columns, dtype=p.dtype)}

    def update(self, F: Any, p: Any, grad: Any, state: dict[str, Any],
               group: Mapping[str, Any]) -> None:
        lr, (tiny, least) = group["lr"], group["eps"]
        tiny = _epsilon(p) if tiny is None else tiny
        step = advanced(state["step"])
        forget, slow = step ** group["beta2_decay"], step ** -0.5
        rate = either(F, lr < slow, lr, slow)
        size = F.maximum(_root_mean_square(F, p), least) * rate
        shrink(p, group)
        square = grad * grad
        if "variance" in state:
            average(state["variance"], square, forget)
            estimate = state["variance"]
        else:
            rows, columns = state["row_var"], state["col_var"]
            average(rows, _mean(F, square, -1), forget)
            average(columns, _mean(F, square, -2), forget)
            estimate = F.matmul(rows, columns) / F.maximum(_mean(F, rows, -2), tiny)
        move = grad / F.sqrt(F.maximum(estimate, tiny * tiny))
        excess = F.maximum(_root_mean_square(F, move) / group["d"], 1.0)
        p -= move * (size / excess)


class SparseAdam(Optimizer):
    """torch's Adam for sparse gradients; gradients are dense here, so it refuses."""

    def __init__(self, params: Iterable[Any], lr: Any = 1e-3,
                 betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 maximize: bool = False) -> None:
        raise OpError("SparseAdam: gradients are dense tensors here; use Adam")


def _epsilon(p: Any) -> float:
    """The distance from 1 to the next number of a dtype."""
    dtype = getattr(p.dtype, "numpy", p.dtype)
    if dtype.itemsize < 4 and dtype.kind != "f":
        return 2.0**-7  # bfloat16
    return float(np.finfo(dtype).eps)


def _mean(F: Any, x: Any, dim: int) -> Any:
    """The mean over a dim, which stays with size 1."""
    count = x.shape[dim]
    return F.sum(x, dims=(len(x.shape) + dim,), keepdim=True) / count


def _root_mean_square(F: Any, x: Any) -> Any:
    count = 1
    for d in x.shape:
        count = count * d
    return F.sqrt(F.sum(F.mul(x, x), dims=tuple(range(len(x.shape))), keepdim=False) / count)
