"""``_foreach_*`` against torch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eager
from eager.engine.foreach import FOREACH
from eager.ops.errors import OpError

torch = pytest.importorskip("torch")

ARRAYS = [np.array([0.25, 0.75]), np.array([[0.5], [0.9]])]
OTHERS = [np.array([2.0, 3.0]), np.array([[1.5], [0.5]])]
FURTHER: dict[str, list[tuple[Any, ...]]] = {
    **{n: [(OTHERS,), (2.0,), ([2.0, 3.0],)] for n in ("add", "sub", "mul", "div", "pow")},
    **{n: [(OTHERS,), (0.6,), ([0.3, 0.6],)] for n in ("maximum", "minimum", "clamp_min",
                                                      "clamp_max")},
    "addcmul": [(OTHERS, ARRAYS), (OTHERS, ARRAYS, 0.5), (OTHERS, ARRAYS, [0.5, 2.0])],
    "addcdiv": [(OTHERS, ARRAYS), (OTHERS, ARRAYS, 0.5), (OTHERS, ARRAYS, [0.5, 2.0])],
    "lerp": [(OTHERS, 0.3), (OTHERS, ARRAYS)], "norm": [(), (1,), (float("inf"),)],
    "powsum": [(), (3,)], "copy": [(OTHERS,)],
}


def test_all_names_are_there() -> None:
    assert set(FOREACH) == {n for n in dir(torch) if n.startswith("_foreach_")}


def given(value: Any, library: Any) -> Any:
    if isinstance(value, list):
        return [given(v, library) for v in value]
    return library.tensor(value.copy()) if isinstance(value, np.ndarray) else value


@pytest.mark.parametrize("name", sorted(FOREACH))
def test_foreach(name: str) -> None:
    kind = name.removeprefix("_foreach_").removesuffix("_")
    first = [np.eye(2), np.ones((2, 2))] if kind == "mm" else ARRAYS
    for args in [([np.ones((2, 1)), np.eye(2)],)] if kind == "mm" else FURTHER.get(kind, [()]):
        mine, theirs = given(first, eager), given(first, torch)
        found = FOREACH[name](mine, *given(list(args), eager))
        wanted = getattr(torch, name)(theirs, *given(list(args), torch))
        if name.endswith("_"):
            assert found is None
            found, wanted = mine, theirs
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12)
            assert tuple(a.shape) == tuple(b.shape)


def test_settings_and_refusals() -> None:
    x, y = given(ARRAYS, eager), given(OTHERS, eager)
    found = FOREACH["_foreach_add"](x, y, alpha=2)
    np.testing.assert_allclose(found[0].numpy(), ARRAYS[0] + 2 * OTHERS[0])
    for call, words in ((lambda: FOREACH["_foreach_add"](x, y[:1]), "one length, got 2 and 1"),
                        (lambda: FOREACH["_foreach_abs"](x[0]), "wanted a list of tensors"),
                        (lambda: FOREACH["_foreach_sqrt_"]([eager.tensor([4])]), "in place")):
        with pytest.raises(OpError, match=words):
            call()
