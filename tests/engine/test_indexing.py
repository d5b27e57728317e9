"""``x[index]`` and ``x[index] = value`` against NumPy, over random indices of every kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eager
from eager.engine.mode import no_grad
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError

SHAPE = (3, 4, 5)


def bounds(size: int) -> st.SearchStrategy[int | None]:
    return st.none() | st.integers(-size - 1, size + 1)


def slices(size: int) -> st.SearchStrategy[slice]:
    return st.builds(slice, bounds(size), bounds(size), st.none() | st.integers(1, 3))


@st.composite
def basic(draw: Any) -> Any:
    """Ints, slices, None and ``...``."""
    items: list[Any] = []
    dims = list(SHAPE[:draw(st.integers(0, 3))])
    for size in dims:
        items.append(draw(st.integers(-size, size - 1) | slices(size)))
    for _ in range(draw(st.integers(0, 2))):
        items.insert(draw(st.integers(0, len(items))), None)
    if draw(st.booleans()):
        items.append(Ellipsis)
    return tuple(items) if len(items) != 1 or draw(st.booleans()) else items[0]


@st.composite
def advanced(draw: Any) -> Any:
    """Arrays of one shape, masks and slices; no ints, which NumPy takes for arrays."""
    shape = draw(st.sampled_from([(2,), (1,), (0,), (2, 2)]))
    items: list[Any] = []
    masks = 0
    for size in SHAPE[:draw(st.integers(1, 3))]:
        kind = draw(st.sampled_from(["array", "list", "slice", "mask"]))
        if kind == "slice":
            items.append(draw(slices(size)))
        elif kind == "mask" and not masks and shape == (1,):
            masks += 1
            mask = np.zeros(size, bool)
            mask[draw(st.integers(0, size - 1))] = True
            items.append(mask)
        else:
            count = int(np.prod(shape))
            places = draw(st.lists(st.integers(-size, size - 1), min_size=count, max_size=count))
            array = np.array(places, np.int64).reshape(shape)
            items.append(array.tolist() if kind == "list" else array)
    if not any(isinstance(i, (list, np.ndarray)) for i in items):
        items[0] = np.array([0, 2])
    if draw(st.booleans()):
        items.insert(draw(st.integers(0, len(items))), None)
    return tuple(items)


def masks() -> st.SearchStrategy[Any]:
    def mask(n: int, seed: int) -> Any:
        return np.random.default_rng(seed).random(SHAPE[:n]) > 0.5

    return st.builds(mask, st.integers(1, 3), st.integers(0, 99))


def ours(index: Any) -> Any:
    """The index with tensors for arrays."""
    if isinstance(index, tuple):
        return tuple(map(ours, index))
    return Tensor(index) if isinstance(index, np.ndarray) else index


def numbers() -> Any:
    return np.arange(60.0).reshape(SHAPE)


@settings(max_examples=150, deadline=None)
@given(basic() | advanced() | masks())
def test_reading(index: Any) -> None:
    x = Tensor(numbers(), requires_grad=True)
    want = numbers()[index]
    got = x[ours(index)]
    np.testing.assert_array_equal(got.detach().numpy(), want)
    assert tuple(got.shape) == np.shape(want)
    (got * got).sum().backward()
    slope = np.zeros(SHAPE)
    np.add.at(slope, index, 2 * want)
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.numpy(), slope)


@settings(max_examples=150, deadline=None)
@given(basic() | advanced() | masks(), st.sampled_from(["number", "one", "whole"]), st.booleans())
def test_writing(index: Any, kind: str, taped: bool) -> None:
    want = numbers()
    shape = want[index].shape
    value: Any = 7 if kind == "number" else np.full(() if kind == "one" else shape, 7.5)
    want[index] = value
    x = Tensor(numbers(), requires_grad=taped)
    y = x * 1.0
    y[ours(index)] = Tensor(value) if isinstance(value, np.ndarray) else value
    np.testing.assert_array_equal(y.detach().numpy(), want)
    if taped:
        y.sum().backward()
        kept = np.ones(SHAPE)
        kept[index] = 0
        assert x.grad is not None
        np.testing.assert_array_equal(x.grad.numpy(), kept)


@settings(max_examples=80, deadline=None)
@given(basic())
def test_a_basic_index_is_a_view(index: Any) -> None:
    x = Tensor(numbers())
    view = x[index]
    if view.numel():
        assert np.shares_memory(view.numpy(), x.numpy())
        view.add_(100.0)
        want = numbers()
        want[index] += 100.0
        np.testing.assert_array_equal(x.numpy(), want)


def test_ints_are_taken_before_arrays() -> None:
    """torch selects first, so an int does not separate arrays as it does for NumPy."""
    x = Tensor(numbers())
    assert tuple(x[0, :, [1, 2]].shape) == (4, 2)
    assert tuple(x[[0, 1], :, [1, 2]].shape) == (2, 4)
    x[0, :, [1, 2]] = Tensor(np.ones((4, 2)))
    assert x.numpy()[0, :, 1:3].min() == x.numpy()[0, :, 1:3].max() == 1


def test_bools_are_masks_without_dims() -> None:
    x = Tensor(numbers())
    assert tuple(x[True].shape) == (1, 3, 4, 5) and tuple(x[False].shape) == (0, 3, 4, 5)
    assert tuple(x[Tensor(np.array(True))].shape) == (1, 3, 4, 5)
    x[False] = 3.0
    np.testing.assert_array_equal(x.numpy(), numbers())


def test_an_integer_tensor_without_dims_is_an_int() -> None:
    x = Tensor(numbers())
    assert np.shares_memory(x[Tensor(np.array(1))].numpy(), x.numpy())
    assert x[np.int64(2)].shape == (4, 5) and x[range(2)].shape == (2, 4, 5)
    for dtype in (np.int8, np.int16, np.int32):
        assert tuple(x[Tensor(np.array([2, -1], dtype))].shape) == (2, 4, 5)


def test_values_are_converted_and_broadcast() -> None:
    x = eager.zeros(2, 3, dtype=eager.int64)
    x[0] = 2.0
    x[1] = Tensor(np.array([[1.0, 2.0, 3.0]]))
    assert x.tolist() == [[2, 2, 2], [1, 2, 3]]
    x[:, 1] = Tensor(np.array(True))
    assert x.tolist() == [[2, 1, 2], [1, 1, 3]]


@pytest.mark.parametrize(("index", "words"), [
    (3, "index 3 is out of range of dim 0 of size 3"), ((0, -5), "index -5 is out of range"),
    ([0, 3], "index 3 is out of range of dim 0 of size 3"), ((0, 0, 0, 0), "too many indices"),
    (slice(None, None, -1), "slice step must be positive"), (slice(0, 2, 0), "must be positive"),
    ((Ellipsis, Ellipsis), "at most one"), (1.5, "an index is an int"), ("a", "an index is"),
    (np.zeros((2, 4), bool), "mask"), (np.zeros(3, np.uint8), "uint8"),
    (np.zeros(2), "integers or bools"), (([0, 1], [0, 1, 2]), "do not broadcast")])
def test_refusals(index: Any, words: str) -> None:
    for write in (False, True):
        x = Tensor(numbers())
        with pytest.raises(OpError, match=words):
            if write:
                x[ours(index)] = 1.0
            else:
                x[ours(index)]


def test_writes_that_are_refused() -> None:
    x = eager.zeros(3)
    with pytest.raises(OpError, match="single memory location"):
        x.expand(2, 3)[0] = 1.0
    with pytest.raises(OpError, match=r"do not broadcast|does not broadcast"):
        x[:2] = eager.zeros(3)
    leaf = eager.zeros(3, requires_grad=True)
    with pytest.raises(OpError, match="leaf"):
        leaf[0] = 1.0
    with no_grad():
        leaf[0] = 1.0
    assert leaf.tolist() == [1.0, 0.0, 0.0]
    with pytest.raises(OpError, match="modified in place"):
        y = leaf * 1.0
        z = (y * y).sum()
        y[0] = 3.0
        z.backward()


# --- views that depend on memory ---------------------------------------------------------------
def test_view_aliases_or_refuses() -> None:
    x = Tensor(numbers())
    x.view(-1)[0] = 5.0
    assert x.numpy()[0, 0, 0] == 5.0
    with pytest.raises(OpError, match="use reshape"):
        x.permute(2, 0, 1).view(60)
    with pytest.raises(OpError, match="use reshape"):
        eager.from_numpy(np.asfortranarray(np.ones((2, 3)))).view(6)
    assert x.transpose(0, 1).view(4, 3, 5, 1).shape == (4, 3, 5, 1)
    made = x.permute(2, 0, 1) + 0.0  # NumPy keeps the order of dims here
    assert made.view(60).tolist() == made.reshape(60).tolist()


def test_view_of_bits() -> None:
    x = Tensor(np.array([1.0, 2.0], np.float32))
    bits = x.view(eager.int32)
    assert bits.tolist() == [0x3F800000, 0x40000000]
    bits[0] = 0
    assert x.tolist() == [0.0, 2.0]
    assert x.view(eager.uint8).shape == (8,) and x.view(eager.float64).shape == (1,)
    with pytest.raises(OpError, match="no whole number"):
        Tensor(np.zeros(3, np.float32)).view(eager.float64)


def test_writes_through_views_reach_history() -> None:
    leaf = Tensor(numbers()[0], requires_grad=True)
    for look in (lambda t: t.diagonal(), lambda t: t.unfold(1, 2, 2),
                 lambda t: t.select(0, 1), lambda t: t.as_strided((2, 2), (6, 1))):
        leaf.grad = None
        y = leaf * 1.0
        view = look(y)
        view.mul_(3.0)
        y.sum().backward()
        want = np.ones((4, 5))
        look(Tensor(want)).mul_(3.0)
        assert leaf.grad is not None
        np.testing.assert_array_equal(leaf.grad.numpy(), want)
    with pytest.raises(OpError, match="single memory location"):
        (leaf * 1.0).unfold(1, 2, 1).mul_(2.0)


def test_an_index_outside_is_an_index_error() -> None:
    x = eager.tensor([1.0, 2.0])
    for index in (2, -3, [0, 5]):
        with pytest.raises(IndexError, match="out of range"):
            x[index]
