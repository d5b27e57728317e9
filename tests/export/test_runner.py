"""Calling an artifact: the same as eager, every argument checked, nothing shared."""

from __future__ import annotations

import array
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import eager
from export.artifact import safetensors
from export.runner import Array, ArtifactError, Runner, load
from export.runner.golden import compare
from tests.export.surgery import rebuilt

F32 = np.float32


@pytest.fixture(scope="module")
def runner(model_art) -> Runner:
    return load(model_art, trust=True)


@pytest.mark.parametrize("batch", [1, 2, 3, 17, 64])
def test_as_eager(batch, model, runner):
    x = np.random.default_rng(batch).standard_normal((batch, 8)).astype(F32)
    with eager.no_grad():
        wanted = model[0](eager.tensor(x)).numpy()
    np.testing.assert_allclose(runner(x), wanted, rtol=0, atol=1e-6 * np.abs(wanted).max())


def test_as_the_compiled_program_bit_for_bit(model, runner, x, monkeypatch):
    with eager.no_grad():
        compiled = model[1](eager.tensor(x)).numpy()
    np.testing.assert_array_equal(runner(x), compiled)


def test_what_it_is(runner, model_art):
    assert [p["name"] for p in runner.inputs] == ["input"]
    assert [p["name"] for p in runner.outputs] == ["output0"]
    assert runner.dims == [{"name": "B", "min": 1, "max": 64}]
    assert repr(runner) == f"<Runner {model_art}: (input: f32[B, 8]) -> (output0: f32[B, 4])>"
    assert runner.verify() < 1e-6


# --- arguments ---------------------------------------------------------------------------------
def crooked(x: np.ndarray) -> memoryview:
    """The same numbers at an odd address."""
    room = bytearray(x.nbytes + 8)
    start = 1 + -np.frombuffer(room, np.uint8).ctypes.data % 8
    view = memoryview(room)[start:start + x.nbytes]
    view[:] = x.tobytes()
    return view.cast("B").cast("f", x.shape)


FORMS = {
    "read only": lambda x: np.frombuffer(x.tobytes(), F32).reshape(x.shape),
    "column by column": np.asfortranarray,
    "every second row": lambda x: np.repeat(x, 2, axis=0)[::2],
    "backwards": lambda x: x[::-1].copy()[::-1],
    "a subclass": lambda x: x.view(np.matrix),
    "a memory view": lambda x: memoryview(x),
    "a strided memory view": lambda x: memoryview(np.repeat(x, 2, axis=0)[::2]),
    "shaped bytes": lambda x: memoryview(x.tobytes()).cast("f", x.shape),
    "at an odd address": crooked,
    "crooked NumPy": lambda x: np.frombuffer(b"." + x.tobytes(), F32, offset=1).reshape(x.shape),
    "an Array": lambda x: Array("float32", x.shape, x.tobytes()),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_forms_of_an_argument(form, runner, x):
    given = FORMS[form](x)
    found = runner(given)
    assert isinstance(found, np.ndarray if isinstance(given, np.ndarray) else Array)
    np.testing.assert_array_equal(np.asarray(found), runner(input=x))
    np.testing.assert_array_equal(np.asarray(given), x)


def zeros(*shape, dtype=F32):
    return np.zeros(shape, dtype)


WRONG = [
    ((), {}, r"the program takes input; got 0 by position"),
    ((zeros(1, 8), zeros(1, 8)), {}, "takes input; got 2 by position"),
    ((), {"x": zeros(1, 8)}, "takes input; got 0 by position and x by name"),
    ((zeros(1, 8),), {"input": zeros(1, 8)}, "got 1 by position and input by name"),
    ((zeros(1, 8, dtype=np.float64),), {}, "'input': wanted float32 \\[B, 8\\]; got float64"),
    ((zeros(1, 8, dtype=">f4"),), {}, "got dtype >f4"),
    ((zeros(1, 8, dtype=np.complex64),), {}, "got complex64"),
    ((np.array([["a"] * 8]),), {}, "got dtype <U1"),
    ((zeros(8),), {}, "got 1 dims: \\[8\\]"),
    ((zeros(1, 1, 8),), {}, "got 3 dims"),
    ((zeros(1, 7),), {}, "dim 1 is 7, wanted 8"),
    ((zeros(0, 8),), {}, "dim 0 is 0, and 'B' lies in \\[1, 64\\]"),
    ((zeros(65, 8),), {}, "dim 0 is 65, and 'B' lies in \\[1, 64\\]"),
    (([[0.0] * 8],), {}, "got list, which has no buffer"),
    ((None,), {}, "got NoneType, which has no buffer"),
    ((bytes(32),), {}, "got uint8"),
    ((memoryview(bytes(32)).cast("d"),), {}, "got float64"),
    ((memoryview(bytes(32)).cast("I"),), {}, "got a buffer of format 'I'"),
    ((array.array("f", range(8)),), {}, "got 1 dims: \\[8\\]"),
]


@pytest.mark.parametrize("args, kwargs, words", WRONG, ids=[row[2][-24:] for row in WRONG])
def test_each_wrong_argument_is_named(args, kwargs, words, runner):
    with pytest.raises(ArtifactError, match=words):
        runner(*args, **kwargs)


def test_an_array_that_was_bent(runner):
    bent = Array("f32", (1, 8), bytes(32))
    bent.shape = (9, 8)
    with pytest.raises(ArtifactError, match=r"got a buffer of 32 bytes for \[9, 8\]"):
        runner(bent)


def test_a_flat_buffer_for_a_fixed_shape(pick_art):
    pick = load(pick_art, trust=True)
    found = pick(array.array("f", range(12)), np.array([[3, 0, 1]]))
    assert found.tolist() == [[9, 1, 5]]
    with pytest.raises(ArtifactError, match=r"float32 \[4, 3\]; got a buffer of 11 elements"):
        pick(array.array("f", range(11)), np.array([[3, 0, 1]]))


def test_dims_that_disagree(model_art, tmp_path):
    """Another port of the same dim: no native code runs."""
    def more(manifest):
        main = manifest["entries"]["main"]
        main["inputs"] += [{"name": "mask", "dtype": "bool", "shape": ["B"]},
                           {"name": "twice", "dtype": "u8", "shape": [["*", 2, "B"]]}]

    runner = load(rebuilt(model_art, tmp_path / "a.art", manifest=more), trust=True)
    with pytest.raises(ArtifactError, match=r"'mask': wanted bool \[B\]; dim 0 is 3, and 'B' is 2 "
                                            r"in 'input'"):
        runner(zeros(2, 8), zeros(3, dtype=bool), bytes(4))
    with pytest.raises(ArtifactError, match=r"'twice': wanted uint8 \[\(2 \* B\)\]; dim 0 is 5, "
                                            r"wanted 4"):
        runner(zeros(2, 8), zeros(2, dtype=bool), bytes(5))


# --- errors of a run ---------------------------------------------------------------------------
@pytest.mark.parametrize("index", [4, -5, 1 << 40])
def test_an_index_out_of_range_names_the_line(index, pick_art):
    pick = load(pick_art, trust=True)
    with pytest.raises(ArtifactError, match=rf"gather: index {index} is out of range \(at .*"
                                            rf"conftest.py:\d+"):
        pick(zeros(4, 3), np.array([[0, 1, index]]))
    np.testing.assert_array_equal(pick(zeros(4, 3), np.array([[0, 1, 2]])), zeros(1, 3))


def test_memory_that_there_is_not(model_art, tmp_path):
    def vast(manifest):
        manifest["entries"]["main"]["arena"] = 1 << 40

    if os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") > 1 << 40:
        pytest.skip("this machine has a TiB")
    path = rebuilt(model_art, tmp_path / "a.art", manifest=vast)
    code = ("import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (1 << 32, 1 << 32));"
            "from export.runner import Array, load;"
            "load(sys.argv[1], trust=True)(Array('f32', (1, 8), bytes(32)))")
    done = subprocess.run([sys.executable, "-c", code, path], text=True, capture_output=True)
    assert "ArtifactError: out of memory: a call needs 1099511627776 bytes" in done.stderr


def test_an_arena_that_is_negative(model_art, tmp_path):
    def negative(manifest):
        manifest["entries"]["main"]["arena"] = ["-", "B", 64]

    runner = load(rebuilt(model_art, tmp_path / "a.art", manifest=negative), trust=True)
    with pytest.raises(ArtifactError, match=r"the size \(B - 64\) is -62 where B = 2"):
        runner(zeros(2, 8))


# --- results and state -------------------------------------------------------------------------
def test_results_belong_to_the_caller(runner):
    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal((k % 9 + 1, 8)).astype(F32) for k in range(100)]
    held = [runner(x) for x in inputs]
    for x, y in zip(inputs, held, strict=True):
        np.testing.assert_array_equal(runner(x), y)
        assert y.flags.writeable


def test_callers_at_once(runner):
    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal((8 * k + 1, 8)).astype(F32) for k in range(8)]
    wanted = [runner(x) for x in inputs]
    wrong = []

    def call(k):
        for _ in range(200):
            if not np.array_equal(runner(inputs[k]), wanted[k]):
                wrong.append(k)

    threads = [threading.Thread(target=call, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_state_is_the_runners_own(tally_art):
    one, two = load(tally_art, trust=True), load(tally_art, trust=True)
    x = np.ones(3, F32)
    for k in range(1, 4):
        doubled, total = one(x)
        np.testing.assert_array_equal(doubled, 2 * (np.array([1, 2, 3], F32) + k))
        assert total.shape == () and total == 3
    assert two.state["total"].tolist() == [1, 2, 3] and one.state["total"].tolist() == [4, 5, 6]
    assert one.verify() == 0  # on the state as exported
    assert one.state["total"].tolist() == [4, 5, 6]
    one.state["total"].memory[:] = np.zeros(3, F32).tobytes()
    np.testing.assert_array_equal(one(x)[0], [2, 2, 2])
    with pytest.raises(TypeError):
        one.state["total"] = Array("f32", (1,), bytes(4))


def test_callers_of_a_state_take_turns(tally_art):
    runner = load(tally_art, trust=True)
    one = np.ones(3, F32)

    def call():
        for _ in range(500):
            runner(one)

    threads = [threading.Thread(target=call) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert runner.state["total"].tolist() == [2001, 2002, 2003]


# --- the environment ---------------------------------------------------------------------------
@pytest.mark.parametrize("level", ["v2", "v3"])
def test_a_pinned_level(level, model_art, runner, x, monkeypatch):
    monkeypatch.setenv("EAGER_JIT_LEVEL", level)
    pinned = load(model_art, trust=True)
    assert pinned._level == int(level[1])
    np.testing.assert_allclose(pinned(x), runner(x), atol=1e-6)


@pytest.mark.parametrize("variable, value, words", [
    ("EAGER_JIT_LEVEL", "v9", "EAGER_JIT_LEVEL=v9 is not in the artifact, which has v2, v3"),
    ("EAGER_JIT_LEVEL", "v4", "EAGER_JIT_LEVEL=v4 is not in the artifact, which has v2, v3"),
    ("EAGER_JIT_THREADS", "0", "EAGER_JIT_THREADS is a number from 1, got '0'"),
    ("EAGER_JIT_THREADS", "two", "EAGER_JIT_THREADS is a number from 1, got 'two'"),
])
def test_a_variable_that_makes_no_sense(variable, value, words, pick_art, monkeypatch):
    monkeypatch.setenv(variable, value)
    with pytest.raises(ArtifactError, match=words):
        load(pick_art, trust=True)


class Slow:
    """A library on an older CPU."""

    @staticmethod
    def ej_level() -> int:
        return 2


def test_levels_above_the_cpu(monkeypatch):
    from export.runner.native import chosen_level

    monkeypatch.delenv("EAGER_JIT_LEVEL", raising=False)
    assert chosen_level(Slow, ["v2", "v3"]) == 0
    with pytest.raises(ArtifactError, match=r"this CPU has level v2, and the artifact has only v3, "
                                            r"v4; export it with a lower level"):
        chosen_level(Slow, ["v3", "v4"])
    monkeypatch.setenv("EAGER_JIT_LEVEL", "v3")
    with pytest.raises(ArtifactError, match=r"EAGER_JIT_LEVEL=v3 is above this CPU's level v2"):
        chosen_level(Slow, ["v2", "v3"])


def test_verify_is_one_of_two(model_art):
    with pytest.raises(ArtifactError, match="verify is 'always' or 'code', got 'never'"):
        load(model_art, trust=True, verify="never")


# --- the example -------------------------------------------------------------------------------
def test_another_example_is_noticed(tally_art, tmp_path):
    arrays = {"input.x": np.ones(3, F32), "output.output0": np.array([4, 6, 8.1], F32),
              "output.output1": np.array(3, F32)}
    path = rebuilt(tally_art, tmp_path / "a.art",
                   members={"golden.safetensors": safetensors(arrays)})
    with pytest.raises(ArtifactError, match=r"output 'output0' of the example: element 2 is 8\.0, "
                                            r"and was 8\.1"):
        load(path, trust=True).verify()
    del arrays["output.output1"]
    arrays["output.output0"] = np.array([4, 6, 8], F32)
    path = rebuilt(tally_art, tmp_path / "b.art",
                   members={"golden.safetensors": safetensors(arrays)})
    with pytest.raises(ArtifactError, match=r"there is no tensor 'output.output1'"):
        load(path, trust=True).verify()


def of(dtype: str, values) -> Array:
    found = np.array(values, dtype)
    return Array(dtype, found.shape, found.tobytes())


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("dtype, found, wanted", [
    ("float32", [1.0, 100.001], [1.0, 100.0]), ("float32", [NAN, INF, 1], [NAN, INF, 1.00001]),
    ("int64", [1, 1 << 62], [1, 1 << 62]), ("bool", [True], [True]), ("float32", [], []),
    ("float32", [-0.0], [0.0]),
])
def test_what_is_within_rounding(dtype, found, wanted):
    assert compare("y", of(dtype, found), of(dtype, wanted)) <= 0.0011


@pytest.mark.parametrize("dtype, found, wanted", [
    ("float32", [1.0, 100.1], [1.0, 100.0]), ("float32", [NAN], [1.0]), ("float32", [1.0], [NAN]),
    ("float32", [INF], [-INF]), ("float32", [1.0, 2.0], [INF, 2.0]), ("float32", [INF], [2.0]),
    ("float64", [1.0001], [1.0]), ("int64", [(1 << 62) + 1], [1 << 62]), ("bool", [True], [False]),
    ("float32", [1.0], [1.0, 1.0]), ("float32", [1e-30], [0.0]),
])
def test_what_is_not(dtype, found, wanted):
    with pytest.raises(ArtifactError, match="output 'y' of the example"):
        compare("y", of(dtype, found), of(dtype, wanted))
