"""Gradients as a function, and the modes that turn their recording on and off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eager.engine import spelling
from eager.engine.mode import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from eager.engine.tape import backward as _backward
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError

__all__ = ["enable_grad", "grad", "is_grad_enabled", "no_grad", "set_grad_enabled"]


def grad(outputs: Tensor | Sequence[Tensor], inputs: Tensor | Sequence[Tensor],
         grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
         retain_graph: bool | None = None, create_graph: bool = False,
         allow_unused: bool = False) -> tuple[Tensor | None, ...]:
    """The gradient of ``outputs`` (seeded by ``grad_outputs``) with respect to ``inputs``.

    ``.grad`` is left alone.  With ``create_graph`` the result can be differentiated.
    An input that the outputs do not depend on is an error, or None with ``allow_unused``.
    """
    roots = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    targets = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    given: list[Any] = ([grad_outputs] if grad_outputs is None or isinstance(grad_outputs, Tensor)
                        else list(grad_outputs))
    if len(given) == 1 and len(roots) > 1 and given[0] is None:
        given = [None] * len(roots)
    if len(given) != len(roots):
        raise OpError(f"grad: {len(roots)} outputs but {len(given)} grad_outputs")
    for i, t in enumerate(targets):
        if not t.requires_grad:
            raise OpError(f"grad: input {i} ({t.type}) does not require grad")
    seeds = [spelling.seed_for(r, g) for r, g in zip(roots, given, strict=True)]
    live = [(r, s) for r, s in zip(roots, seeds, strict=True) if r.requires_grad]
    found = _backward([r for r, _ in live], [s for _, s in live], create_graph=create_graph,
                      targets=targets)
    results: list[Tensor | None] = []
    for i, t in enumerate(targets):
        if id(t) not in found:
            if not allow_unused:
                raise OpError(f"grad: the outputs do not depend on input {i} ({t.type}); pass "
                              f"allow_unused=True to get None for it")
            results.append(None)
            continue
        g = found[id(t)][1]
        results.append(g if isinstance(g, Tensor) else Tensor(g))
    return tuple(results)
