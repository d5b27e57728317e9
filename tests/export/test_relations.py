"""Relations between sizes travel with the file: the runner holds its calls to them."""

from __future__ import annotations

import numpy as np
import pytest

import eager
import jit
from export.artifact import save
from export.runner import ArtifactError, Runner, load
from jit.targets.isa import host_level


def f(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    def fn(x: eager.Tensor, y: eager.Tensor) -> eager.Tensor:
        z = x.view(x.shape[0] // 2, 2, 3).sum(1) + y
        return z * 2 if y.shape[0] != 5 else z

    program = jit.trace(fn, (eager.zeros(4, 3), eager.zeros(2, 3)),
                        dynamic_shapes={"x": {0: jit.Dim("n", max=64)}, "y": {0: "m"}})
    path = tmp_path_factory.mktemp("relations") / "a.art"
    save(program, path, targets=("x86_64-linux",), levels=(host_level(),))
    return load(path, trust=True)


@pytest.mark.parametrize("m", [0, 1, 2, 7])
def test_calls_that_meet_them_run(m: int, runner: Runner) -> None:
    got = runner(f(2 * m, 3), f(m, 3))
    assert np.array_equal(got, (f(2 * m, 3).reshape(m, 2, 3).sum(1) + f(m, 3)) * 2)


@pytest.mark.parametrize(("n", "m", "words"), [
    (5, 2, r"'x': wanted float32 \[\(2 \* m\), 3\]; dim 0 is 5, wanted 4"),
    (4, 3, r"'x': wanted float32 .*; dim 0 is 4, wanted 6"),
    (10, 5, r"the program is for m != 5 \(asked at test_relations.py:\d+ fn\), got m = 5"),
    (66, 33, r"the program is for m <= 32 \(asked at"),
])
def test_others_are_refused(n: int, m: int, words: str, runner: Runner) -> None:
    with pytest.raises(ArtifactError, match=words):
        runner(f(n, 3), f(m, 3))
