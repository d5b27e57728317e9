"""Module: names, state, copies and the path of calls."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import eager
from eager import nn
from eager.ops.errors import OpError
from tests.watcher import watched


class Branch(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.rest = nn.ModuleList([nn.Linear(4, 4, bias=False), nn.Tanh()])
        self.scale = nn.Parameter(eager.ones(4))
        self.register_buffer("offset", eager.zeros(4))
        self.register_buffer("cache", eager.zeros(1), persistent=False)
        self.calls = 0
        self.log: list[int] = []

    def forward(self, x: Any) -> Any:
        self.calls += 1
        self.log.append(self.calls)
        x = self.first(x)
        for module in self.rest:
            x = module(x)
        return x * self.scale + self.offset


KEYS = ["scale", "offset", "first.weight", "first.bias", "rest.0.weight"]


def test_names() -> None:
    model = Branch()
    assert list(model.state_dict()) == KEYS
    assert [n for n, _ in model.named_modules()] == ["", "first", "rest", "rest.0", "rest.1"]
    assert [n for n, _ in model.named_parameters(prefix="m")] == [
        "m.scale", "m.first.weight", "m.first.bias", "m.rest.0.weight"]
    assert [n for n, _ in model.named_buffers()] == ["offset", "cache"]
    assert model.get_submodule("rest.0") is model.rest[0]
    assert model.get_parameter("rest.0.weight") is model.rest[0].weight
    with pytest.raises(AttributeError, match=r"has no attribute `none` \(of 'rest.none'\)"):
        model.get_submodule("rest.none")


def test_a_shared_module_has_every_name_in_the_state_but_is_walked_once() -> None:
    shared = nn.Linear(2, 2)
    model = nn.Sequential(shared, nn.ReLU(), shared)
    assert len(list(model.parameters())) == 2
    assert list(model.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    model.load_state_dict(model.state_dict())


def test_state_dict_shares_memory_and_loads() -> None:
    model, other = Branch(), Branch()
    assert model.state_dict(keep_vars=True)["scale"] is model.scale
    result = other.load_state_dict({k: v.numpy() for k, v in model.state_dict().items()})
    assert result == ([], [])
    x = eager.randn(2, 3)
    assert eager.equal(model(x), other(x))
    with eager.no_grad():
        model.scale.mul_(2.0)
    assert model.state_dict()["scale"].tolist() == [2.0] * 4


def test_load_state_dict_says_everything_that_is_wrong_and_changes_nothing() -> None:
    model = Branch()
    before = model.scale.detach().clone()
    state = {k: v + 1 for k, v in model.state_dict().items()}
    del state["offset"]
    state["extra"] = eager.zeros(1)
    state["first.weight"] = eager.zeros(4, 5)
    with pytest.raises(OpError) as error:
        model.load_state_dict(state)
    for words in ("loading state_dict for Branch", "Missing key(s) in state_dict: \"offset\".",
                  "Unexpected key(s) in state_dict: \"extra\".", "size mismatch for first.weight",
                  "[4, 5]", "[4, 3]"):
        assert words in str(error.value)
    assert eager.equal(model.scale, before)
    state["first.weight"] = eager.zeros(4, 3)
    assert model.load_state_dict(state, strict=False) == (["offset"], ["extra"])
    assert eager.equal(model.scale, before + 1)


def test_attributes() -> None:
    model = Branch()
    model.scale = None
    assert model.scale is None and "scale" not in model.state_dict()
    with pytest.raises(OpError, match="cannot assign a int as child module 'first'"):
        model.first = 3
    with pytest.raises(OpError, match="cannot assign a list as buffer 'offset'"):
        model.offset = []
    model.first = nn.Parameter(eager.zeros(1))
    assert "first" not in dict(model.named_children()) and "first" in model.state_dict()
    del model.first
    with pytest.raises(AttributeError, match="'Branch' object has no attribute 'first'"):
        _ = model.first
    for name in ("a.b", ""):
        with pytest.raises(OpError, match="no dot"):
            model.register_buffer(name, eager.zeros(1))
    with pytest.raises(OpError, match="exists already"):
        model.register_buffer("training", eager.zeros(1))
    with pytest.raises(OpError, match=r"'p': a Tensor \(a Parameter or None"):
        model.register_parameter("p", eager.zeros(1))


def test_assigning_before_init_is_told() -> None:
    class Early(nn.Module):
        def __init__(self) -> None:
            self.width = 3
            self.layer = nn.ReLU()

    with pytest.raises(OpError, match=r"'layer' of Early before Module.__init__\(\) call"):
        Early()


def test_train_apply_freeze_and_zero_grad() -> None:
    model = Branch()
    assert not any(m.training for m in model.eval().modules())
    assert all(m.training for m in model.train().modules())
    seen: list[str] = []
    assert model.apply(lambda m: seen.append(type(m).__name__)) is model
    assert seen == ["Linear", "Linear", "Tanh", "ModuleList", "Branch"]
    model(eager.ones(2, 3)).sum().backward()
    model.zero_grad(set_to_none=False)
    assert all(p.grad is not None and not p.grad.any() for p in model.parameters())
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())
    assert not model.requires_grad_(False)(eager.ones(2, 3)).requires_grad


def test_conversion_is_in_place_and_leaves_integers_alone() -> None:
    model = nn.BatchNorm1d(3)
    weight, view = model.weight, model.weight.detach()
    version = weight._version
    model.double()
    assert model.weight is weight and weight.dtype is eager.float64
    assert weight._version > version and view.dtype is eager.float32
    assert model.num_batches_tracked.dtype is eager.int64
    assert model.to(eager.zeros(1)).weight.dtype is eager.float32
    with pytest.raises(OpError, match=r"or complex dtypes, but got desired dtype=int64"):
        model.to(eager.int64)
    with pytest.raises(OpError, match="'cuda' is not available"):
        model.to(device="cuda")


def test_deepcopy_is_independent_and_keeps_sharing() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight
    twin = copy.deepcopy(model)
    assert twin[1].weight is twin[0].weight and twin[0].weight is not model[0].weight
    assert isinstance(twin[0].weight, nn.Parameter)
    with eager.no_grad():
        twin[0].weight.zero_()
    assert model[0].weight.any()


def test_a_parameter_is_a_floating_leaf() -> None:
    parameter = nn.Parameter(eager.ones(2) * 3)
    assert parameter.requires_grad and parameter.is_leaf
    assert repr(parameter).startswith("Parameter containing:\ntensor(")
    with pytest.raises(OpError, match="only floating and complex tensors"):
        nn.Parameter(eager.arange(3))


def test_a_recorder_sees_the_path_of_modules() -> None:
    model = nn.Sequential(Branch(), nn.ReLU())
    with watched() as watcher:
        model(eager.ones(2, 3))
    scopes = dict.fromkeys(scope for _, scope in watcher.ops)
    assert list(scopes) == [(), ("0", "first"), ("0", "rest", "0"), ("0", "rest", "1"), ("0",),
                            ("1",)]


def test_snapshot_brings_every_attribute_back() -> None:
    model = Branch().eval()
    first, scale = model.first, model.scale
    restore = model.snapshot()
    model.train()
    model(eager.ones(1, 3))
    model.first = nn.ReLU()
    model.scale = None
    model.offset = eager.ones(4)
    model.rest.append(nn.ReLU())
    model.extra = nn.Parameter(eager.zeros(1))
    restore()
    assert (model.calls, model.log, model.training) == (0, [], False)
    assert model.first is first and model.scale is scale and not model.offset.any()
    assert list(model.state_dict()) == KEYS and len(model.rest) == 2


def test_traced_state() -> None:
    model = Branch()
    found = [(role, name) for role, name, _ in model.traced_state()]
    assert found == [("parameter", n) for n, _ in model.named_parameters()] + [
        ("buffer", "offset"), ("buffer", "cache")]


def test_containers() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU()).append(nn.Linear(3, 1))
    assert len(model) == 3 and model[-1] is model[2] and isinstance(model[:2], nn.Sequential)
    model[1] = nn.Tanh()
    del model[0]
    assert [type(m).__name__ for m in model] == ["Tanh", "Linear"]
    assert list(dict(model.named_children())) == ["0", "1"]
    named = nn.Sequential({"a": nn.ReLU(), "b": nn.Linear(1, 1)})
    assert list(named.state_dict()) == ["b.weight", "b.bias"]
    with pytest.raises(IndexError, match="index 5 is out of range of 2 modules"):
        _ = model[5]
    table = nn.ModuleDict({"x": nn.ReLU()})
    table["y"] = nn.Linear(1, 2)
    assert "x" in table and list(table) == ["x", "y"] and len(list(table.parameters())) == 2
    with pytest.raises(NotImplementedError, match=r"Module \[ModuleList\] is missing the required"):
        nn.ModuleList()(1)


def test_repr_nests() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.ReLU(), nn.Dropout(0.1)))
    assert repr(model) == """\
Sequential(
  (0): Linear(in_features=2, out_features=3, bias=True)
  (1): Sequential(
    (0): ReLU()
    (1): Dropout(p=0.1, inplace=False)
  )
)"""


def test_arrays_of_state_are_the_modules_own() -> None:
    layer = nn.Linear(2, 2)
    layer.state_dict()["weight"].numpy()[:] = 7.0
    np.testing.assert_array_equal(layer.weight.detach().numpy(), np.full((2, 2), 7.0))


def test_other_bases_are_initialised_only_when_asked() -> None:
    class Named:
        def __init__(self, name: str = "none") -> None:
            self.name = name

    class Apart(nn.Module, Named):
        pass

    class Joined(nn.Module, Named):
        call_super_init = True

    assert not hasattr(Apart(), "name") and Joined("x").name == "x"
    with pytest.raises(TypeError, match="of Apart takes no arguments, got 'x'"):
        Apart("x")


def test_modules_are_pickled_for_other_processes() -> None:
    model = nn.Sequential(nn.Linear(2, 1), nn.ReLU()).eval()
    twin = pickle.loads(pickle.dumps(model))
    assert repr(twin) == repr(model) and not twin.training
    assert eager.equal(twin[0].weight, model[0].weight) and twin[0].weight.requires_grad


def test_a_subclass_may_use_short_private_names() -> None:
    class Own(nn.Module):
        _named = _register = _take = _found = _replace = _loaded = _floating = 3

    model = nn.Sequential(Own(), nn.Linear(1, 1)).double()
    model[0].weight = nn.Parameter(eager.ones(1))
    assert list(dict(model.named_parameters())) == ["0.weight", "1.weight", "1.bias"]
    model.load_state_dict(model.state_dict())
    assert model[0].get_parameter("weight").tolist() == [1]
