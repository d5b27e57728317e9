"""Containers taken apart and put together: what is a leaf, what is structure, what is named how."""

from __future__ import annotations

import dataclasses
import enum
import json
from collections import OrderedDict, defaultdict
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

import eager
import jit
from eager.engine.tensor import Tensor
from eager.ops.errors import TraceError
from jit.pytree import differences, flatten, map_leaves, paths, register_pytree, unflatten


class Pair(NamedTuple):
    left: Any
    right: Any


@dataclass(frozen=True)
class Output:
    logits: Any
    loss: Any = None


def t(*values: float) -> Tensor:
    return eager.tensor(list(values))


class Colour(enum.Enum):
    RED = 1


@dataclass(frozen=True)
class Sized(Output):
    """Inherits, is frozen, and computes a field."""

    size: int = dataclasses.field(init=False, default=0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", 7)


class Box:
    """A class of a user's own."""

    def __init__(self, content: Any, label: str) -> None:
        self.content, self.label = content, label

    def __repr__(self) -> str:
        return f"Box({self.label})"


register_pytree(Box, lambda b: ([b.content], b.label), lambda label, c: Box(c[0], label))

TREES = (t(1), np.ones(2), np.float32(3), (t(1), t(2)), [t(1), [t(2)]], {"a": t(1), "b": (t(2),)},
         Pair(t(1), 2), Output(t(1)), None, True, 1, 1.0, "mean", (), {}, [()],
         OrderedDict(a=t(1)), defaultdict(list, a=t(1)), Sized(t(1), 2), Colour.RED, slice(0, 3),
         np.dtype("int8"), 1j, b"x", eager.float32, Box(t(1), "a"), Box(t(1), "b"), range(3),
         {"deep": [{"x": (Pair(Output(t(1), "s"), None), t(3))}]})


@pytest.mark.parametrize("tree", TREES, ids=repr)
def test_a_tree_comes_back(tree: Any) -> None:
    leaves, spec = flatten(tree)
    again = unflatten(spec, iter(leaves))
    assert type(again) is type(tree)
    assert flatten(again) == (leaves, spec) and all(map(lambda a, b: a is b, flatten(again)[0],
                                                        leaves))
    assert spec.leaves == len(leaves) == len(paths(spec, "x"))
    assert hash(spec) == hash(flatten(tree)[1])
    json.dumps(spec.to_json())


def test_every_pair_of_trees_differs_in_words() -> None:
    specs = [flatten(tree)[1] for tree in TREES[2:]]  # the first ones are all a single leaf
    for i, a in enumerate(specs):
        for j, b in enumerate(specs):
            assert (a == b) == (i == j)
            assert (differences(a, b) == "no difference") == (i == j)


def test_values_count_with_their_types() -> None:
    specs = {flatten(v)[1] for v in (1, True, 1.0, "1", 0.0, -0.0, None)}
    assert len(specs) == 7
    assert flatten(float("nan"))[1] == flatten(float("nan"))[1]


@pytest.mark.parametrize(("tree", "names"), [
    (t(1), ["input"]),
    ({"mask": t(1), "ids": [t(2), t(3)]}, ["input.mask", "input.ids[0]", "input.ids[1]"]),
    (Pair(t(1), (t(2), 3)), ["input.left", "input.right[0]"]),
    (Output(None, t(1)), ["input.loss"])])
def test_leaves_have_names(tree: Any, names: list[str]) -> None:
    assert paths(flatten(tree)[1], "input") == names


def test_a_difference_is_named_by_its_path() -> None:
    want, got = flatten({"a": (1, t(1))})[1], flatten({"a": (2, t(1))})[1]
    assert differences(want, got, "arguments") == "arguments.a[0]: 1 against 2"


@pytest.mark.parametrize("value", [object(), {1, 2}, lambda: None, Output])
def test_what_has_no_structure_is_refused(value: Any) -> None:
    with pytest.raises(TraceError, match="cannot go into or out of a program"):
        flatten((value,))


def test_objects_come_back_with_all_they_hold() -> None:
    leaves, spec = flatten((Sized(t(1), 2), defaultdict(list, a=t(2)), Box(t(3), "label")))
    sized, default, box = unflatten(spec, iter(leaves))
    assert (sized.size, sized.loss) == (7, 2) and default["new"] == []
    assert (box.label, box.content.item()) == ("label", 3.0)


@pytest.mark.parametrize("cls", [dict, Tensor, int])
def test_what_is_known_is_not_registered_again(cls: type) -> None:
    with pytest.raises(TraceError, match="known already"):
        register_pytree(cls, lambda x: ([], None), lambda rest, c: None)


def test_a_dynamic_size_comes_back_as_the_int_of_the_call() -> None:
    def fn(x: Tensor) -> Any:
        return x * 2, x.shape[0], {"n": x.shape[0] * 3}

    program = jit.trace(fn, (t(1),), dynamic_shapes={"x": {0: "n"}})
    _, size, more = program(t(1, 2, 3))
    assert type(size) is int and (size, more) == (3, {"n": 9})


def test_leaves_are_mapped() -> None:
    got = map_leaves({"a": [t(1)], "n": 2}, lambda x: x.item() + 1)
    assert got == {"a": [2.0], "n": 2}
