"""The two graphs of a model's gradient, interpreted, give what eager gives at another size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eager
from eager.engine.tensor import Tensor
from eager.ops.errors import TraceError
from jit import pytree
from jit.interpreter import interpret
from jit.joint import Joint, trace_joint
from jit.passes.partitioning import partition
from jit.verifier import verify
from tests.models.cases import BY_NAME, CASES, Built, Case, arguments, built, sizes
from tests.models.measure import tensors, traces

#: Models that have no gradient as they are traced, and why.
REFUSED = {"llama": "cache_k is written in the function with a value that gradients flow through",
           "whisper": "depends on the sizes of the call"}
QUICK = ("vae", "pinn", "mixtral")
SLOW = [c.name for c in CASES if c.name not in (*QUICK, *REFUSED)]


def joint_of(case: Case, live: Built) -> tuple[Joint, list[Tensor]]:
    """The joint graph of the first entry, and the tensors that gradients were asked for."""
    traced = traces(case, live)[0]
    learning = [t for _, t in traced.state if t._needs]
    return trace_joint(traced, (), learning), learning


def gradients(case: Case, live: Built, args: Any, seeds: dict[int, Any]) -> dict[int, Any]:
    """The gradient of each parameter, by its id."""
    joint, learning = joint_of(case, live)
    parts = partition(joint.graph, joint.results, joint.seeds)
    state = {i: t for i, t in joint.state}
    given: dict[str, Any] = {i.name: t._array.copy() for i, t in state.items()}
    free = [i for i in parts.forward.inputs if i not in state]
    given.update(zip((i.name for i in free), pytree.flatten(args)[0], strict=True))
    outs, _ = interpret(verify(parts.forward), {i.name: given[i.name]
                                                for i in parts.forward.inputs})
    kept = outs[joint.results:]
    given.update(zip((i.name for i in parts.backward.inputs), kept, strict=False))
    given.update({i.name: seeds[k] for i, k in zip(joint.seeds, joint.roots, strict=True)})
    found, _ = interpret(verify(parts.backward), {i.name: given[i.name]
                                                  for i in parts.backward.inputs})
    return {id(learning[k]): g for k, g in zip(joint.reached, found, strict=True)}


@pytest.mark.parametrize("name", [*QUICK, *(pytest.param(n, marks=pytest.mark.slow)
                                            for n in SLOW)])
def test_of_every_parameter(name: str) -> None:
    case = BY_NAME[name]
    live, peer = built(case), built(case)
    args = arguments(case, *sizes(case)[-1], seed=1)[0]
    eager.manual_seed(1)
    results = pytree.flatten(next(iter(peer.entries.values()))(*tensors(args)))[0]
    rng = np.random.default_rng(0)
    seeds = {k: rng.standard_normal(r.shape).astype(np.float32)
             for k, r in enumerate(results) if r.requires_grad}
    parameters = list(peer.model.parameters())
    want = eager.autograd.grad([results[k] for k in seeds], parameters,
                               [eager.tensor(s) for s in seeds.values()], allow_unused=True)
    eager.manual_seed(1)
    found = gradients(case, live, args, seeds)
    for p, w in zip(live.model.parameters(), want, strict=True):
        if w is None:
            assert id(p) not in found or not found[id(p)].any()
            continue
        size = max(np.abs(w.numpy()).max(), 1e-3)
        assert np.abs(found[id(p)] - w.numpy()).max() <= 1e-4 * size


@pytest.mark.slow
@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    with pytest.raises(TraceError, match=REFUSED[name]):
        joint_of(BY_NAME[name], built(BY_NAME[name]))
