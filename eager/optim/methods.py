"""SGD, Adam and AdamW, step for step as torch computes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from eager.engine import creation
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError
from eager.ops.types import F32
from eager.optim.optimizer import Group, Optimizer


def _check(method: type, **numbers: Any) -> None:
    for name, value in numbers.items():
        if float(value) < 0:
            raise OpError(f"{method.__name__}: {name} is not negative, got {float(value)}")


def _zeros(p: Tensor) -> Tensor:
    return creation.zeros(*p.shape, dtype=p.dtype)


def _counter() -> Tensor:
    return creation.zeros((), dtype=F32)


class SGD(Optimizer):
    """Gradient descent with momentum, torch's way: v = momentum v + g; p = p - lr v.

    (Sutskever et al., "On the importance of initialization and momentum in deep learning", 2013.)
    """

    def __init__(self, params: Iterable[Any], lr: Any = 1e-3, momentum: float = 0.0,
                 dampening: float = 0.0, weight_decay: Any = 0.0, nesterov: bool = False, *,
                 maximize: bool = False) -> None:
        _check(SGD, lr=lr, momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise OpError(f"SGD: nesterov wants a momentum above 0 and no dampening, got "
                          f"momentum={momentum} and dampening={dampening}")
        super().__init__(params, {
            "lr": lr, "momentum": momentum, "dampening": dampening,
            "weight_decay": weight_decay, "nesterov": nesterov, "maximize": maximize})

    def init_parameter(self, p: Tensor, group: Group) -> dict[str, Tensor]:
        if group["momentum"] == 0:
            return {}
        state = {"momentum_buffer": _zeros(p)}
        if group["dampening"] != 0:
            state["step"] = _counter()  # the first gradient is not dampened
        return state

    def loaded_parameter(self, made: dict[str, Any], given: Mapping[str, Any]) -> None:
        if "step" in made and "step" not in given and given.get("momentum_buffer") is not None:
            made["step"] = 1.0

    def update(self, p: Tensor, grad: Tensor, state: dict[str, Tensor], group: Group) -> None:
        momentum, decay = group["momentum"], group["weight_decay"]
        if isinstance(decay, Tensor):
            grad = grad + p * decay
        if momentum != 0:
            if "momentum_buffer" not in state:
                state.update(self.init_parameter(p, group))
            velocity = state["momentum_buffer"]
            velocity.mul_(momentum).add_(self._dampened(grad, state, group))
            grad = grad + velocity * momentum if group["nesterov"] else velocity
        p.sub_(grad * group["lr"])

    @staticmethod
    def _dampened(grad: Tensor, state: dict[str, Tensor], group: Group) -> Tensor:
        if "step" not in state:
            return grad
        later = (state["step"] > 0).to(grad.dtype)
        state["step"].add_(1)
        kept: Tensor = 1.0 - later * group["dampening"]
        return grad * kept


class Adam(Optimizer):
    """Adaptive moments (Kingma and Ba, 2015); weight decay is added to the gradient."""

    decoupled = False  #: whether weight decay shrinks the parameter itself

    def __init__(self, params: Iterable[Any], lr: Any = 1e-3,
                 betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: Any = 0.0, amsgrad: bool = False, *,
                 maximize: bool = False) -> None:
        _check(type(self), lr=lr, eps=eps, weight_decay=weight_decay)
        if not all(0 <= b < 1 for b in betas):
            raise OpError(f"{type(self).__name__}: betas lie in [0, 1), got {betas}")
        super().__init__(params, {"lr": lr, "betas": tuple(betas), "eps": eps,
                                  "weight_decay": weight_decay, "amsgrad": amsgrad,
                                  "maximize": maximize})

    def init_parameter(self, p: Tensor, group: Group) -> dict[str, Tensor]:
        state = {"step": _counter(), "exp_avg": _zeros(p), "exp_avg_sq": _zeros(p)}
        if group["amsgrad"]:
            state["max_exp_avg_sq"] = _zeros(p)
        return state

    def update(self, p: Tensor, grad: Tensor, state: dict[str, Tensor], group: Group) -> None:
        (beta1, beta2), lr = group["betas"], group["lr"]
        grad = self._decayed(p, grad, group)
        step = state["step"].add_(1).double()
        mean, square = state["exp_avg"], state["exp_avg_sq"]
        mean.add_((grad - mean) * (1.0 - beta1))
        square.mul_(beta2).add_(grad * (1.0 - beta2) * grad)
        if group["amsgrad"]:
            square = state["max_exp_avg_sq"].copy_(state["max_exp_avg_sq"].maximum(square))
        # Bias corrections in float64: 1 - beta2**step is small at first.
        size = (lr / (1.0 - beta1**step)).to(p.dtype)
        scale = (1.0 - beta2**step).sqrt().to(p.dtype)
        p.sub_(mean * size / (square.sqrt() / scale + group["eps"]))

    def _decayed(self, p: Tensor, grad: Tensor, group: Group) -> Tensor:
        decay = group["weight_decay"]
        if not isinstance(decay, Tensor):
            return grad
        if not self.decoupled:
            return grad + p * decay
        p.mul_((1.0 - group["lr"] * decay).to(p.dtype))
        return grad


class AdamW(Adam):
    """Adam whose weight decay is apart from the gradient (Loshchilov and Hutter, 2019)."""

    decoupled = True

    def __init__(self, params: Iterable[Any], lr: Any = 1e-3,
                 betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: Any = 1e-2, amsgrad: bool = False, *,
                 maximize: bool = False) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)
