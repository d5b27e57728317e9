"""Lists and dictionaries of modules and of parameters."""

from __future__ import annotations

from typing import Any

import pytest

import eager
from eager import nn
from eager.ops.errors import OpError


def kinds(modules: Any) -> list[str]:
    return [type(m).__name__ for m in modules]


def test_a_sequential_is_changed_like_a_list() -> None:
    model = nn.Sequential(nn.ReLU(), nn.Tanh())
    model.insert(1, nn.GELU()).append(nn.ELU()).extend([nn.Mish()])
    assert kinds(model) == ["ReLU", "GELU", "Tanh", "ELU", "Mish"]
    assert type(model.pop(1)) is nn.GELU
    del model[1:3]
    assert kinds(model) == ["ReLU", "Mish"] and list(dict(model.named_children())) == ["0", "1"]
    assert kinds(model + nn.Sequential(nn.Tanh())) == ["ReLU", "Mish", "Tanh"]
    assert kinds(model * 2) == kinds(2 * model) == ["ReLU", "Mish"] * 2
    model += nn.Sequential(nn.SELU())
    model *= 2
    assert kinds(model) == ["ReLU", "Mish", "SELU"] * 2
    for bad, words in ((lambda: model * 0, "positive number"), (lambda: model + [], "joined to"),
                       (lambda: model.insert(0, 3), "wanted a Module, got int")):
        with pytest.raises(OpError, match=words):
            bad()


def test_a_list_prints_neighbours_that_are_alike_once() -> None:
    model = nn.ModuleList([nn.ReLU(), nn.ReLU(), nn.Sequential(nn.Tanh())])
    assert repr(model) == """\
ModuleList(
  (0-1): 2 x ReLU()
  (2): Sequential(
    (0): Tanh()
  )
)"""
    assert kinds(model + [nn.ELU()])[-1] == "ELU" and kinds(model[::2]) == ["ReLU", "Sequential"]


def test_a_dictionary_of_modules() -> None:
    model = nn.ModuleDict([("a", nn.ReLU())])
    model.update(nn.ModuleDict({"b": nn.Tanh()}))
    assert list(model.items()) == [("a", model["a"]), ("b", model.b)] and len(model) == 2
    assert type(model.pop("a")) is nn.ReLU and list(model.keys()) == ["b"]
    with pytest.raises(OpError, match="the attribute exists already"):
        model["items"] = nn.ReLU()
    model.clear()
    assert not len(model) and "b" not in model


def test_a_list_of_parameters() -> None:
    values = nn.ParameterList([eager.ones(2), nn.Parameter(eager.zeros(1)), "text"])
    values.append(eager.ones(3))
    values += [eager.ones(4)]
    values[0] = eager.zeros(5)
    assert [n for n, _ in values.named_parameters()] == ["0", "1", "3", "4"]
    assert values[0].shape == (5,) and values[-1].requires_grad and values[2] == "text"
    assert len(values[1:3]) == 2 and isinstance(values[1:3], nn.ParameterList)
    assert "(0): Parameter containing: [eager.float32 of size 5]" in repr(values)
    with pytest.raises(IndexError, match="index 5 is out of range of 5 parameters"):
        _ = values[5]
    with pytest.raises(OpError, match="is not called"):
        values()
    with pytest.raises(OpError, match="wants an iterable of parameters, got Tensor"):
        values.extend(eager.ones(2))


def test_a_dictionary_of_parameters() -> None:
    values = nn.ParameterDict({"x": eager.ones(2)})
    values.update([("y", eager.ones(1))])
    assert list(values.state_dict()) == ["x", "y"] == list(values) and values.x.requires_grad
    assert values.get("none", 3) == 3 and values.setdefault("z", 4) == 4
    assert values.popitem() == ("z", 4) and list(values | nn.ParameterDict({"q": 1})) == [
        "x", "y", "q"]
    for bad, words in ((3, "names as keys"), ("update", "something else")):
        with pytest.raises(OpError, match=words):
            values[bad] = eager.ones(1)
    del values["x"]
    with pytest.raises(KeyError):
        _ = values["x"]
    assert [n for n, _ in values.named_parameters()] == ["y"]


def test_buffers_that_register_themselves() -> None:
    model = nn.Module()
    model.kept, model.lost = nn.Buffer(eager.ones(1)), nn.Buffer(eager.ones(1), persistent=False)
    assert list(model.state_dict()) == ["kept"]
    assert [n for n, _ in model.named_buffers()] == ["kept", "lost"]
    model.lost = eager.zeros(1)
    assert list(model.state_dict()) == ["kept"] and model.get_buffer("lost") is model.lost
    model.kept = nn.Parameter(eager.ones(1))
    assert [n for n, _ in model.named_parameters()] == ["kept"]
