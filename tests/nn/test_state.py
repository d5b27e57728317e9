"""The state of modules: hooks on it, more than tensors in it, and tensors taken as they are."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pytest

import eager
from eager import nn
from eager.ops.errors import OpError


class Counted(nn.Module):
    _version = 2

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(eager.zeros(2))
        self.calls = 7

    def get_extra_state(self) -> Any:
        return {"calls": self.calls}

    def set_extra_state(self, state: Any) -> None:
        self.calls = state["calls"]


def test_extra_state_goes_along() -> None:
    model, other = nn.Sequential(Counted()), nn.Sequential(Counted())
    model[0].calls = 9
    state = model.state_dict()
    assert list(state) == ["0.weight", "0._extra_state"]
    assert state._metadata == {"": {"version": 1}, "0": {"version": 2}}
    other.load_state_dict(state)
    assert other[0].calls == 9
    del state["0._extra_state"]
    with pytest.raises(OpError, match=r'Missing key\(s\) in state_dict: "0._extra_state"'):
        other.load_state_dict(state)
    with pytest.raises(OpError, match=r'Unexpected key\(s\) in state_dict: "_extra_state"'):
        nn.ReLU().load_state_dict({"_extra_state": 3})


def test_a_state_that_is_wrong_changes_nothing_at_all() -> None:
    model = nn.Sequential(Counted(), nn.Linear(1, 1))
    state = model.state_dict()
    state.update({"0.weight": eager.ones(2), "0._extra_state": {"calls": 1},
                  "1.weight": eager.zeros(3, 3)})
    with pytest.raises(OpError, match=r"size mismatch for 1\.weight"):
        model.load_state_dict(state)
    assert model[0].calls == 7 and not model[0].weight.any()


def test_hooks_before_and_after() -> None:
    model, log = nn.Linear(2, 1), []
    model.register_state_dict_pre_hook(lambda m, prefix, keep: log.append((prefix, keep)))
    model.register_state_dict_post_hook(lambda m, s, prefix, meta: log.append(list(s)))
    handle = model.register_load_state_dict_pre_hook(
        lambda m, s, prefix, *rest: s.update({prefix + "bias": s.pop(prefix + "b")}))
    model.register_load_state_dict_post_hook(lambda m, keys: keys.missing_keys.clear())
    state = OrderedDict(weight=eager.ones(1, 2), b=eager.ones(1))
    assert str(model.load_state_dict(state)) == "<All keys matched successfully>"
    assert model.bias.tolist() == [1] and list(state) == ["weight", "b"]
    handle.remove()
    assert model.load_state_dict(state, strict=False) == ([], ["b"])
    model.state_dict(prefix="p.", keep_vars=True)
    assert log == [("p.", True), ["p.weight", "p.bias"]]
    model.register_load_state_dict_post_hook(lambda m, keys: keys)
    with pytest.raises(OpError, match="return nothing"):
        model.load_state_dict(model.state_dict())


def test_tensors_are_taken_as_they_are() -> None:
    model = nn.BatchNorm1d(2)
    model.weight.requires_grad_(False)
    state = {k: eager.ones(*v.shape, dtype="float64") for k, v in model.state_dict().items()}
    model.load_state_dict(state, assign=True)
    assert model.running_mean is state["running_mean"]
    assert type(model.weight) is nn.Parameter and not model.weight.requires_grad
    assert model.bias.requires_grad and model.bias.dtype is eager.float64


def test_what_is_no_state_is_told() -> None:
    with pytest.raises(OpError, match="wants a dictionary, got list"):
        nn.ReLU().load_state_dict([])
    with pytest.raises(OpError, match=r"expected a tensor or array .* but received str"):
        nn.Linear(1, 1).load_state_dict({"weight": "text", "bias": eager.zeros(1)})
    with pytest.raises(OpError, match="defines no get_extra_state"):
        nn.ReLU().get_extra_state()


def test_older_order_of_arguments() -> None:
    own: OrderedDict[str, Any] = OrderedDict()
    model = nn.Linear(1, 1, bias=False)
    assert model.state_dict(own, "a.") is own and list(own) == ["a.weight"]
    assert model.state_dict(own, "b.", True)["b.weight"] is model.weight
