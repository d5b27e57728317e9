"""The machinery of modules against torch: one scenario, run on both, gives the same story."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import eager
from eager import nn

torch = pytest.importorskip("torch")

Scenario = Callable[[Any, Any], Iterator[Any]]
SCENARIOS: list[Scenario] = []


def scenario(fn: Scenario) -> Scenario:
    """``fn(lib, nn)`` yields what must be the same."""
    SCENARIOS.append(fn)
    return fn


def told(value: Any) -> Any:
    """A value in words that do not depend on the library."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return value.replace("torch.", "eager.").replace("float32", "f32")
    if isinstance(value, dict):
        return [(told(k), told(v)) for k, v in value.items()]
    if isinstance(value, (list, tuple)) and not hasattr(value, "numel"):
        return [told(v) for v in value]
    if hasattr(value, "detach"):
        return value.detach().numpy().round(5).tolist()
    return type(value).__name__


def outcome(fn: Callable[[], Any]) -> str:
    """Whether a call is refused."""
    try:
        fn()
    except Exception:
        return "refused"
    return "done"


def pair(lib: Any, of: Any) -> Any:
    """Two layers with weights that both libraries share."""
    model = of.Sequential(of.Linear(3, 4), of.ReLU(), of.Linear(4, 2))
    with lib.no_grad():
        for k, p in enumerate(model.parameters()):
            p.copy_(lib.arange(p.numel()).reshape(p.shape) * 0.1 - 0.2 * k)
    return model


def data(lib: Any) -> Any:
    x = lib.tensor((np.arange(6.0).reshape(2, 3) / 3 - 0.7).astype("f").tolist())
    return x.requires_grad_()


# --- hooks -------------------------------------------------------------------------------------
@scenario
def forward_hooks(lib: Any, of: Any) -> Iterator[Any]:
    model, log = pair(lib, of), []
    model[0].register_forward_pre_hook(lambda m, a: log.append(("pre", a)))
    model[0].register_forward_pre_hook(lambda m, a: (a[0] * 2,))
    model[0].register_forward_pre_hook(lambda m, a: log.append(("first", a)), prepend=True)
    handle = model[2].register_forward_hook(lambda m, a, out: out + 1)
    model[2].register_forward_hook(lambda m, a, out: log.append(("after", a, out)))
    yield model(data(lib))
    yield log
    handle.remove()
    handle.remove()
    yield model(data(lib))
    with model[2].register_forward_hook(lambda m, a, out: out * 0):
        yield model(data(lib))
    yield model(data(lib))


@scenario
def hooks_with_kwargs(lib: Any, of: Any) -> Iterator[Any]:
    class Scaled(of.Module):  # type: ignore[misc]
        def forward(self, x: Any, *, by: float = 1.0) -> Any:
            return {"out": x * by}

    m, log = Scaled(), []
    m.register_forward_pre_hook(lambda m, a, k: (a, {"by": 3.0}), with_kwargs=True)
    m.register_forward_pre_hook(lambda m, a: log.append(a))
    m.register_forward_hook(lambda m, a, k, out: log.append((a, k, out)), with_kwargs=True)
    m.register_forward_hook(lambda m, a, out: list(out))
    yield m(data(lib), by=2.0)
    yield log
    m.register_forward_pre_hook(lambda m, a, k: a, with_kwargs=True)
    yield outcome(lambda: m(data(lib)))


@scenario
def hooks_that_are_always_called(lib: Any, of: Any) -> Iterator[Any]:
    class Fails(of.Module):  # type: ignore[misc]
        def forward(self, x: Any) -> Any:
            raise KeyError("as planned")

    m, log = Fails(), []
    m.register_forward_hook(lambda m, a, out: log.append("sometimes"))
    m.register_forward_hook(lambda m, a, out: log.append(("always", out)), always_call=True)
    with pytest.raises(KeyError, match="as planned"):
        m(1)
    yield log


@scenario
def backward_hooks(lib: Any, of: Any) -> Iterator[Any]:
    model, log, x = pair(lib, of), [], data(lib)
    for k in (0, 2):
        model[k].register_full_backward_hook(
            lambda m, gi, go, k=k: log.append((k, gi, go)))
    model[1].register_full_backward_pre_hook(lambda m, go: log.append(("pre", go)))
    handle = model[2].register_full_backward_hook(lambda m, gi, go: (gi[0] * 3,))
    model(x).sum().backward()
    yield log
    yield [p.grad for p in model.parameters()], x.grad
    handle.remove()
    log.clear()
    model[2].register_full_backward_pre_hook(lambda m, go: (go[0] * 2,), prepend=True)
    model.zero_grad()
    model(x.detach()).sum().backward()
    yield log
    yield [p.grad for p in model.parameters()]


@scenario
def backward_hooks_of_several(lib: Any, of: Any) -> Iterator[Any]:
    class Mixed(of.Module):  # type: ignore[misc]
        def forward(self, x: Any, n: Any, y: Any) -> Any:
            return x * y * n, 5, x + 1

    m, log, x, y = Mixed(), [], data(lib), data(lib)
    m.register_full_backward_hook(lambda m, gi, go: log.append((gi, go)))
    a, five, b = m(x, 3, y)
    yield five, b.requires_grad
    a.sum().backward()
    yield log, x.grad


# --- state -------------------------------------------------------------------------------------
@scenario
def state_hooks(lib: Any, of: Any) -> Iterator[Any]:
    model, log = pair(lib, of), []
    model[0].register_state_dict_pre_hook(lambda m, prefix, keep: log.append((prefix, keep)))
    model[0].register_state_dict_post_hook(
        lambda m, s, prefix, meta: log.append((list(s), prefix, meta)))

    def rename(m: Any, s: Any, prefix: str, *rest: Any) -> None:
        log.append((prefix, *rest[1:]))
        if prefix + "w" in s:
            s[prefix + "weight"] = s.pop(prefix + "w")

    model[2].register_load_state_dict_pre_hook(rename)
    model.register_load_state_dict_post_hook(lambda m, keys: log.append(tuple(keys)))
    state = model.state_dict()
    state["2.w"] = state.pop("2.weight") + 1
    state["2.more"], state["deep.er"] = lib.zeros(1), lib.zeros(1)
    result = model.load_state_dict(state, strict=False)
    yield list(result), log, model[2].weight
    yield str(pair(lib, of).load_state_dict(pair(lib, of).state_dict()))


@scenario
def extra_state_and_metadata(lib: Any, of: Any) -> Iterator[Any]:
    class Counted(of.Module):  # type: ignore[misc]
        _version = 3

        def __init__(self) -> None:
            super().__init__()
            self.n = 7

        def get_extra_state(self) -> Any:
            return {"n": self.n}

        def set_extra_state(self, state: Any) -> None:
            self.n = state["n"] + 1

    m = of.Sequential(Counted(), of.Linear(1, 1))
    state = m.state_dict(prefix="p.")
    yield [k for k in state], state["p.0._extra_state"], dict(state._metadata)
    m.load_state_dict(m.state_dict())
    yield m[0].n
    state = m.state_dict()
    del state["0._extra_state"]
    yield outcome(lambda: m.load_state_dict(state)), m.load_state_dict(state, strict=False)
    own = OrderedDict(there=lib.zeros(1))
    yield m.state_dict(destination=own, prefix="x.") is own, list(own)


@scenario
def assigned_state(lib: Any, of: Any) -> Iterator[Any]:
    m = of.BatchNorm1d(3)
    m.weight.requires_grad_(False)
    state = {k: lib.ones_like(v) * 4 for k, v in m.state_dict().items()}
    m.load_state_dict(state, assign=True)
    yield m.running_mean is state["running_mean"], type(m.weight).__name__
    yield m.weight.requires_grad, m.bias.requires_grad, m.weight, m.num_batches_tracked


@scenario
def wrong_states(lib: Any, of: Any) -> Iterator[Any]:
    m = pair(lib, of)
    for change in ({"0.weight": lib.zeros(2, 2)}, {"9.x": lib.zeros(1)}, {"0.bias": "text"}):
        yield outcome(lambda c=change: m.load_state_dict({**m.state_dict(), **c}))
    try:
        m.load_state_dict({"0.weight": lib.zeros(2, 2), "9.x": lib.zeros(1)})
    except Exception as error:
        lines = str(error).replace("torch.Size", "eager.Size").split("\n\t")
        yield lines


# --- attributes --------------------------------------------------------------------------------
@scenario
def registering(lib: Any, of: Any) -> Iterator[Any]:
    m = of.Module()
    m.a = of.Parameter(lib.zeros(2))
    m.b = of.Buffer(lib.zeros(2))
    m.c = of.Buffer(lib.zeros(2), persistent=False)
    m.d = of.Linear(1, 1)
    m.e = lib.zeros(3)
    m.register_parameter("f", None)
    m.register_buffer("g", None)
    yield list(m.state_dict()), [n for n, _ in m.named_buffers()]
    for bad in (lambda: setattr(m, "a", lib.zeros(2)), lambda: setattr(m, "a", 3),
                lambda: setattr(m, "d", 3), lambda: setattr(m, "b", 3),
                lambda: m.register_buffer("a", lib.zeros(1)),
                lambda: m.register_parameter("h", lib.zeros(1)),
                lambda: m.register_parameter("e", of.Parameter(lib.zeros(1))),
                lambda: m.register_parameter("", of.Parameter(lib.zeros(1))),
                lambda: m.register_parameter(
                    "i", of.Parameter(lib.zeros(1)) * of.Parameter(lib.zeros(1))),
                lambda: m.add_module("x.y", of.ReLU()), lambda: m.add_module("x", 3),
                lambda: m.register_buffer("training", None), lambda: m.train(3),
                lambda: delattr(m, "none")):
        yield outcome(bad)
    m.b = lib.ones(2)
    m.c = of.Parameter(lib.ones(1))
    m.d = of.Parameter(lib.ones(1))
    m.e = of.ReLU()
    m.f = None
    yield list(m.state_dict()), [n for n, _ in m.named_modules()], sorted(
        n for n in dir(m) if len(n) == 1)
    del m.a, m.e
    yield list(m.state_dict()), hasattr(m, "a"), hasattr(m, "e")


@scenario
def walking(lib: Any, of: Any) -> Iterator[Any]:
    shared = of.Linear(2, 2)
    m = of.Sequential(OrderedDict(a=shared, b=of.Sequential(shared, of.ReLU()), c=of.Tanh()))
    m.b[0].extra = shared.weight
    for once in (True, False):
        yield [n for n, _ in m.named_modules(remove_duplicate=once)]
        yield [n for n, _ in m.named_parameters("p", remove_duplicate=once)]
    yield [n for n, _ in m.named_modules(prefix="q")]
    yield [n for n, _ in m.named_children()], [n for n, _ in m.named_parameters(recurse=False)]
    yield len(list(m.children())), len(list(m.modules())), len(list(m.parameters()))
    yield m.get_submodule("b.0") is shared, m.get_parameter("b.0.weight") is shared.weight
    m.set_submodule("b.1", of.Sigmoid())
    m.set_submodule("b.new", of.Tanh())
    yield repr(m)
    for path in ("b.9", "b.1.x", "a.weight"):
        yield outcome(lambda p=path: m.get_submodule(p))
    yield outcome(lambda: m.get_buffer("a.weight")), outcome(lambda: m.get_parameter("a.none"))
    yield outcome(lambda: m.set_submodule("b.zzz", of.Tanh(), strict=True))


@scenario
def converting(lib: Any, of: Any) -> Iterator[Any]:
    m = of.BatchNorm1d(2)
    weight = m.weight
    m(lib.ones(2, 2) * data(lib)[:, :2]).sum().backward()
    for change in ("double", "half", "bfloat16", "float"):
        getattr(m, change)()
        yield change, [str(t.dtype) for t in m.state_dict().values()], str(m.weight.grad.dtype)
    for args, kwargs in (((lib.float64,), {}), (("cpu",), {}), (("cpu", lib.float16), {}),
                         ((lib.zeros(1, dtype=lib.float32),), {}), ((), {"dtype": lib.float64})):
        yield [str(t.dtype) for t in m.to(*args, **kwargs).state_dict().values()]
    yield outcome(lambda: m.to(lib.int64)), m.weight is weight
    m.to(device="cpu", dtype=lib.float32, non_blocking=True)
    yield [str(t.dtype) for t in m.type(lib.float64).state_dict().values()]


@scenario
def training_is_set_by_the_modules_own_method(lib: Any, of: Any) -> Iterator[Any]:
    class Frozen(of.Module):  # type: ignore[misc]
        def train(self, mode: bool = True) -> Any:
            return super().train(False)

    m = of.Sequential(Frozen(), of.ReLU())
    m[0].add_module("inner", of.ReLU())
    yield [k.training for k in m.train().modules()], [k.training for k in m.eval().modules()]


@scenario
def copies(lib: Any, of: Any) -> Iterator[Any]:
    m = pair(lib, of)
    m.register_buffer("state", lib.zeros(1))
    m[0].register_forward_hook(lambda m, a, out: out * 2)
    m.tied = m[0].weight
    twin, shallow = copy.deepcopy(m), copy.copy(m)
    yield twin.tied is twin[0].weight, twin[0].weight is m[0].weight, shallow[0] is m[0]
    yield type(twin.tied).__name__, twin(data(lib)), m(data(lib))
    m[0]._parameters["bias"].grad = lib.ones(4)
    m.zero_grad(set_to_none=False)
    yield m[0].bias.grad
    m.zero_grad()
    yield m[0].bias.grad, m.share_memory() is m, m.cpu() is m
    yield m.requires_grad_(False)(data(lib).detach()).requires_grad


# --- containers --------------------------------------------------------------------------------
@scenario
def sequentials(lib: Any, of: Any) -> Iterator[Any]:
    m = of.Sequential(of.ReLU(), of.Tanh(), of.Sigmoid())
    yield repr(m[1:]), repr(m + of.Sequential(of.GELU())), repr(m * 2), repr(2 * m)
    m.append(of.ELU())
    m.insert(1, of.SiLU())
    m.insert(-1, of.CELU())
    m.extend([of.Mish(), of.SELU()])
    yield repr(m), len(m)
    yield repr(m.pop(2)), repr(m)
    del m[0], m[1:3]
    m[-1] = of.Softmax(1)
    yield repr(m), [type(k).__name__ for k in m]
    for bad in (lambda: m[9], lambda: m + [of.ReLU()], lambda: m * 0, lambda: m.insert(0, 3)):
        yield outcome(bad)
    m *= 2
    m += of.Sequential(of.ReLU())
    yield repr(m)
    yield repr(of.Sequential(OrderedDict(a=of.ReLU(), b=of.Tanh()))[:1]), repr(of.Sequential())


@scenario
def module_lists(lib: Any, of: Any) -> Iterator[Any]:
    m = of.ModuleList([of.ReLU(), of.ReLU(), of.Linear(1, 1)])
    yield repr(m), repr(m[1:]), repr(m + [of.Tanh()]), repr(of.ModuleList())
    m += [of.Tanh()]
    m.insert(0, of.Sequential(of.ReLU(), of.ReLU()))
    m.extend(of.ModuleList([of.GELU()]))
    m[1] = of.ELU()
    del m[-2]
    yield repr(m), len(m), repr(m.pop(-1)), list(m.state_dict())
    yield outcome(lambda: m(1)), outcome(lambda: m[7]), outcome(lambda: m.append(3))


@scenario
def module_dicts(lib: Any, of: Any) -> Iterator[Any]:
    m = of.ModuleDict([("a", of.ReLU()), ("b", of.Linear(1, 1))])
    m.update({"c": of.Tanh(), "a": of.ELU()})
    m["d"] = of.GELU()
    yield repr(m), list(m), list(m.keys()), [repr(v) for v in m.values()], len(m), "b" in m
    yield repr(m.pop("b")), [k for k, _ in m.items()]
    del m["a"]
    m.update(of.ModuleDict({"e": of.ReLU()}))
    yield repr(m), outcome(lambda: m["zzz"])
    m.clear()
    yield repr(m), outcome(lambda: m.update({"f": 3}))


@scenario
def parameter_lists(lib: Any, of: Any) -> Iterator[Any]:
    m = of.ParameterList([lib.zeros(2, 3), of.Parameter(lib.ones(1)), "text"])
    yield repr(m), list(m.state_dict()), len(m), type(m[0]).__name__, repr(m[:2])
    m.append(lib.ones(2))
    m += [lib.zeros(1)]
    m[0] = lib.ones(3)
    yield repr(m), [n for n, _ in m.named_parameters()], m[-1], [told(v) for v in m]
    yield outcome(lambda: m[9]), outcome(lambda: m(1)), outcome(lambda: m.extend(3))


@scenario
def parameter_dicts(lib: Any, of: Any) -> Iterator[Any]:
    m = of.ParameterDict({"x": lib.zeros(2), "y": of.Parameter(lib.ones(1))})
    m["z"] = lib.ones(2, 2)
    yield repr(m), list(m.state_dict()), list(m), list(m.keys()), len(m), "x" in m
    yield m.pop("x"), m.setdefault("w", lib.ones(1)), m.get("none", 5), list(reversed(m))
    yield repr(m | of.ParameterDict({"q": lib.zeros(1)})), m.popitem()[0], list(m.copy())
    m.update([("k", lib.zeros(3))])
    del m["y"]
    yield repr(m), outcome(lambda: m["y"]), outcome(lambda: m(1))
    yield list(m.fromkeys(["a", "b"], 1).items())
    m.clear()
    yield repr(m)


@pytest.mark.parametrize("fn", SCENARIOS, ids=lambda f: f.__name__)
@pytest.mark.filterwarnings("ignore")
def test_scenario(fn: Scenario) -> None:
    ours, theirs = list(fn(eager, nn)), list(fn(torch, torch.nn))
    assert len(ours) == len(theirs)
    for k, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        assert told(a) == told(b), f"step {k}"
