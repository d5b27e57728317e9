"""L-BFGS with a strong Wolfe line search; it calls its closure several times a step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from eager.engine import creation
from eager.engine.mode import MODE, enable_grad, no_grad
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError, TraceError
from eager.optim.optimizer import Optimizer

Array = np.ndarray[Any, Any]
#: What is remembered between steps, with torch's names.
_MEMORY = ("d", "t", "old_dirs", "old_stps", "ro", "H_diag", "prev_flat_grad", "prev_loss",
           "func_evals", "n_iter")


@dataclass(frozen=True)
class Point:
    """A place on the line searched: step, value, gradient and slope along the line."""

    t: float
    f: float
    g: Array
    slope: float


class LBFGS(Optimizer):
    """The limited-memory quasi-Newton method (Nocedal and Wright, algorithm 7.5).

    One group only; ``step(closure)`` wants a closure that zeroes gradients, computes the loss
    and calls ``backward()``.  ``line_search_fn`` is None or ``"strong_wolfe"``.
    """

    def __init__(self, params: Iterable[Any], lr: Any = 1, max_iter: int = 20,
                 max_eval: int | None = None, tolerance_grad: float = 1e-7,
                 tolerance_change: float = 1e-9, history_size: int = 100,
                 line_search_fn: str | None = None) -> None:
        if float(lr) < 0:
            raise OpError(f"LBFGS: lr is not negative, got {float(lr)}")
        if line_search_fn not in (None, "strong_wolfe"):
            raise OpError(f"LBFGS: line_search_fn is None or 'strong_wolfe', got "
                          f"{line_search_fn!r}")
        super().__init__(params, {
            "lr": lr, "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change,
            "history_size": history_size, "line_search_fn": line_search_fn})
        if len(self.param_groups) != 1:
            raise OpError("LBFGS: one group of parameters, as the directions span all of them")
        self.memory: dict[str, Any] = {}

    # --- flat vectors --------------------------------------------------------------------------
    def _flat_grad(self) -> Array:
        return np.concatenate([
            np.zeros(p.numel(), p.dtype.numpy) if p.grad is None
            else np.array(p.grad.detach().numpy()).reshape(-1) for p in self._parameters()])

    def _flat(self) -> Array:
        return np.concatenate([np.array(p.detach().numpy()).reshape(-1)
                               for p in self._parameters()])

    def _move_to(self, flat: Array) -> None:
        at = 0
        with no_grad():
            for p in self._parameters():
                p.copy_(Tensor(flat[at:at + p.numel()].reshape(tuple(p.shape))))
                at += p.numel()

    # --- the method ----------------------------------------------------------------------------
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Up to ``max_iter`` iterations; returns the loss before the first."""
        if closure is None:
            raise OpError("LBFGS: step(closure) wants a function that computes loss and gradients")
        if MODE.get().recorder is not None:
            raise TraceError("LBFGS: how many iterations a step takes depends on the data, which "
                             "a trace cannot follow; call it eagerly")
        self.hooks.run("step_pre", self, (closure,), {})
        with enable_grad():
            first = closure()
        memory, group = self.memory, self.param_groups[0].numbers()
        evaluations = 1
        memory["func_evals"] = memory.get("func_evals", 0) + 1
        loss, grad = float(first), self._flat_grad()
        if np.abs(grad).max() > group["tolerance_grad"]:
            self._iterate(closure, loss, grad, evaluations, group)
        self.hooks.run("step_post", self, (closure,), {})
        return first

    def _iterate(self, closure: Callable[[], Any], loss: float, grad: Array, evaluations: int,
                 group: Mapping[str, Any]) -> None:
        memory, iterations = self.memory, 0
        change = group["tolerance_change"]
        while iterations < group["max_iter"]:
            iterations += 1
            memory["n_iter"] = memory.get("n_iter", 0) + 1
            d = memory["d"] = self._direction(grad, group["history_size"])
            first = memory["n_iter"] == 1
            t = min(1.0, 1.0 / float(np.abs(grad).sum())) * group["lr"] if first else group["lr"]
            memory["prev_flat_grad"], memory["prev_loss"], before = grad.copy(), loss, loss
            slope = float(grad @ d)
            if slope > -change:
                memory["t"] = t
                return
            calls = 0
            if group["line_search_fn"] is not None:
                start = self._flat()
                look = partial(self._look, closure, start, d)
                found, calls = strong_wolfe(look, Point(0.0, loss, grad, slope), t, d, change)
                t, loss, grad = found.t, found.f, found.g
                self._move_to(start + t * d)
            else:
                self._move_to(self._flat() + t * d)
                if iterations != group["max_iter"]:
                    with enable_grad():
                        loss = float(closure())
                    grad, calls = self._flat_grad(), 1
            memory["t"] = t
            evaluations += calls
            memory["func_evals"] += calls
            if (evaluations >= group["max_eval"]
                    or np.abs(grad).max() <= group["tolerance_grad"]
                    or np.abs(d * t).max() <= change or abs(loss - before) < change):
                return

    def _look(self, closure: Callable[[], Any], start: Array, d: Array, t: float) -> Point:
        """The loss and its gradient a step of ``t`` along ``d``; parameters go back."""
        self._move_to(start + t * d)
        with enable_grad():
            loss = float(closure())
        grad = self._flat_grad()
        self._move_to(start)
        return Point(t, loss, grad, float(grad @ d))

    def _direction(self, grad: Array, history: int) -> Array:
        """The two-loop recursion over the last differences of places and gradients."""
        m = self.memory
        if m["n_iter"] == 1:
            m.update(old_dirs=[], old_stps=[], ro=[], H_diag=1.0)
            return -grad
        y, s = grad - m["prev_flat_grad"], m["d"] * m["t"]
        curvature = float(y @ s)
        if curvature > 1e-10:
            if len(m["old_dirs"]) == history:
                for name in ("old_dirs", "old_stps", "ro"):
                    m[name].pop(0)
            m["old_dirs"].append(y)
            m["old_stps"].append(s)
            m["ro"].append(1.0 / curvature)
            m["H_diag"] = curvature / float(y @ y)
        rows = list(zip(m["old_dirs"], m["old_stps"], m["ro"], strict=True))
        q, shares = -grad, []
        for y, s, ro in reversed(rows):
            shares.append(float(s @ q) * ro)
            q = q - shares[-1] * y
        r: Array = q * m["H_diag"]
        for (y, s, ro), share in zip(rows, reversed(shares), strict=True):
            r = r + s * (share - float(y @ r) * ro)
        return r

    # --- state ---------------------------------------------------------------------------------
    def _numbered_state(self) -> dict[int, dict[str, Any]]:
        return {0: {k: _public(self.memory[k]) for k in _MEMORY if k in self.memory}} \
            if self.memory else {}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over settings and memory."""
        given = state_dict["state"]
        super().load_state_dict({**state_dict, "state": {}})
        self.memory = {k: _private(v) for k, v in dict(given.get(0, {})).items()}


def _public(value: Any) -> Any:
    """Arrays of the memory as tensors, copied."""
    if isinstance(value, list):
        return [_public(v) for v in value]
    return creation.tensor(value) if isinstance(value, np.ndarray) else value


def _private(value: Any) -> Any:
    if isinstance(value, list):
        return [_private(v) for v in value]
    if not hasattr(value, "shape"):
        return value
    array = np.array(value)
    return float(array) if array.ndim == 0 else array


# --- the line search -----------------------------------------------------------------------------
def cubic(a: Point, b: Point, low: float | None = None, high: float | None = None) -> float:
    """Where the cubic through two points with their slopes is least (Nocedal and Wright, 3.59).

    The middle of the bounds where it has no minimum.
    """
    if low is None or high is None:
        low, high = min(a.t, b.t), max(a.t, b.t)
    if a.t > b.t:
        a, b = b, a
    d1 = a.slope + b.slope - 3 * (a.f - b.f) / (a.t - b.t)
    square = d1 * d1 - a.slope * b.slope
    if not square >= 0:
        return (low + high) / 2.0
    d2 = math.sqrt(square)
    place = b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2))
    return min(max(place, low), high)


def strong_wolfe(look: Callable[[float], Point], start: Point, t: float, d: Array,
                 change: float, c1: float = 1e-4, c2: float = 0.9, most: int = 25,
                 ) -> tuple[Point, int]:
    """A point with enough descent and a flat enough slope, and how often ``look`` was called.

    Nocedal and Wright, algorithms 3.5 (bracketing) and 3.6 (zoom), with the safeguards of
    Schmidt's minFunc.
    """
    calls, size = 1, float(np.abs(d).max())
    previous, now = start, look(t)

    def enough(p: Point) -> bool:
        return p.f <= start.f + c1 * p.t * start.slope

    def flat(p: Point) -> bool:
        return abs(p.slope) <= -c2 * start.slope

    bracket: list[Point] = []
    rounds = 0
    while rounds < most:
        if not enough(now) or (rounds > 1 and now.f >= previous.f):
            bracket = [previous, now]
            break
        if flat(now):
            return now, calls
        if now.slope >= 0:
            bracket = [previous, now]
            break
        least, largest = now.t + 0.01 * (now.t - previous.t), now.t * 10
        following = cubic(previous, now, least, largest)
        previous, now = now, look(following)
        calls += 1
        rounds += 1
    if not bracket:
        bracket = [start, now]
    stalled = False
    low, high = (0, 1) if bracket[0].f <= bracket[1].f else (1, 0)
    while rounds < most:
        a, b = bracket
        width = abs(b.t - a.t)
        if width * size < change:
            break
        place = cubic(a, b)
        first, last = min(a.t, b.t), max(a.t, b.t)
        margin = 0.1 * (last - first)
        if min(last - place, place - first) < margin:
            if stalled or place >= last or place <= first:
                place = last - margin if abs(place - last) < abs(place - first) else first + margin
                stalled = False
            else:
                stalled = True
        else:
            stalled = False
        now = look(place)
        calls += 1
        rounds += 1
        if not enough(now) or now.f >= bracket[low].f:
            bracket[high] = now
            low, high = (0, 1) if bracket[0].f <= bracket[1].f else (1, 0)
            continue
        if flat(now):
            bracket[low] = now
            break
        if now.slope * (bracket[high].t - bracket[low].t) >= 0:
            bracket[high] = bracket[low]
        bracket[low] = now
    return bracket[low], calls
