"""Programs that write an argument: the caller sees it, or is told why not."""

from __future__ import annotations

import array

import numpy as np
import pytest

import eager
import export
import jit
from export.runner import Array, ArtifactError, Runner, load
from tests.export.surgery import rebuilt


def accumulate(total, x):
    total.add_(x)
    return total * 2


@pytest.fixture(scope="module")
def path(folder) -> str:
    program = jit.trace(accumulate, (eager.zeros(3), eager.ones(3)))
    assert program.writes == ("total",)
    export.save(program, folder / "accumulate.art", levels=("v2",))
    return str(folder / "accumulate.art")


@pytest.fixture
def runner(path) -> Runner:
    return load(path, trust=True)


def test_the_caller_sees_it(runner):
    assert runner.writes == ["total"]
    total, x = np.zeros(3, np.float32), np.arange(3, dtype=np.float32)
    for k in range(1, 4):
        np.testing.assert_array_equal(runner(total, x), 2 * k * x)
        np.testing.assert_array_equal(total, k * x)
    np.testing.assert_array_equal(x, [0, 1, 2])


@pytest.mark.parametrize("make", [
    lambda: Array("f32", (3,), bytearray(12)), lambda: array.array("f", bytes(12)),
    lambda: memoryview(bytearray(12)).cast("f")], ids=["Array", "array", "memoryview"])
def test_so_do_other_owners(make, runner):
    total = make()
    assert runner(total, memoryview(np.ones(3, np.float32).tobytes()).cast("f")).tolist() == [2] * 3
    assert total.tolist() == [1, 1, 1]


def read_only() -> np.ndarray:
    x = np.zeros(3, np.float32)
    x.flags.writeable = False
    return x


WRONG = {
    "read only": read_only,
    "bytes": lambda: memoryview(bytes(12)).cast("f"),
    "every second": lambda: np.zeros(6, np.float32)[::2],
    "every second of a view": lambda: memoryview(np.zeros(6, np.float32))[::2],
    "crooked": lambda: np.frombuffer(bytearray(13), np.float32, offset=1),
}


@pytest.mark.parametrize("form", WRONG)
def test_what_would_have_to_be_copied_is_refused(form, runner):
    given = WRONG[form]()
    with pytest.raises(ArtifactError, match=r"argument 'total': wanted float32 \[3\]; the program "
                                            r"writes it, so it must be contiguous and writable"):
        runner(given, np.ones(3, np.float32))
    np.testing.assert_array_equal(given, [0, 0, 0])
    assert runner(np.zeros(3, np.float32), given).tolist() == [0, 0, 0]  # to be read it is fine


@pytest.mark.parametrize("shift", [0, 1, 2])
def test_shared_memory_is_refused(shift, runner):
    room = np.ones(8, np.float32)
    with pytest.raises(ArtifactError, match="argument 'total' is written by the program and shares "
                                            "memory with 'x'; pass a copy of one of them"):
        runner(room[2:5], room[2 - shift:5 - shift])
    np.testing.assert_array_equal(room, np.ones(8))
    runner(room[3:6], room[:3])  # neighbours
    np.testing.assert_array_equal(room, [1, 1, 1, 2, 2, 2, 1, 1])


def test_the_example_stays_as_it_is(runner):
    assert [runner.verify() for _ in range(3)] == [0, 0, 0]


@pytest.mark.parametrize("writes", [["y"], [0], [None], "total", None])
def test_a_manifest_that_names_no_input(writes, path, tmp_path):
    def edit(manifest):
        manifest["entries"]["main"]["writes"] = writes

    with pytest.raises(ArtifactError, match=r"there is no input|writes is missing"):
        load(rebuilt(path, tmp_path / "a.art", manifest=edit), trust=True)
