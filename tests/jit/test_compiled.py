"""`jit.compile`: how many programs, why each, and that all of them give what the function gives."""

from __future__ import annotations

import copy
import logging
import threading
from typing import Any

import numpy as np
import pytest

import eager
import jit
from eager import nn
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError, TraceError
from jit.tracer import trace_graph

RNG = np.random.default_rng(0)


def floats(*shape: int) -> Tensor:
    return Tensor(RNG.normal(size=shape).astype(np.float32))


def same(got: Tensor, want: Tensor) -> None:
    assert got.shape == want.shape and got.dtype is want.dtype
    np.testing.assert_allclose(got.numpy(), want.numpy(), rtol=1e-6, atol=1e-6)


def double(x: Tensor, scale: float = 2.0) -> Tensor:
    """Twice."""
    return x * scale


# --- counts ------------------------------------------------------------------------------------
def test_ragged_batches_need_two_programs() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).eval()
    compiled = jit.compile(model)
    with eager.no_grad():
        for batch in (4, 7, 1, 0, 64, 3, 4, 1):
            x = floats(batch, 3)
            same(compiled(x), model(x))
    assert len(compiled.programs) == 2
    assert compiled.reasons == ["Sequential: argument 'input' dim 0 is 7, was 4 in variant 1: "
                                "traced with it dynamic"]


def test_ragged_batches_and_lengths_need_two_programs() -> None:
    def pooled(x: Tensor, mask: Tensor) -> Tensor:
        return (x * mask[:, :, None]).sum(1)

    compiled = jit.compile(pooled)
    for batch, length in ((2, 3), (3, 5), (1, 1), (0, 4), (8, 2), (5, 5)):
        x, mask = floats(batch, length, 2), floats(batch, length)
        same(compiled(x, mask), pooled(x, mask))
    assert len(compiled.programs) == 2
    assert [str(r) for r in compiled.programs[1].graph.relations] == [
        "mask_0 == x_0", "mask_1 == x_1"]


def test_a_growing_cache_needs_two_programs() -> None:
    def decode(x: Tensor, cache: Tensor, mask: Tensor, pos: int) -> tuple[Tensor, Tensor]:
        keys = eager.cat([cache, x], 1)
        at = eager.arange(pos, pos + x.shape[1])[None, :, None] / keys.shape[1]
        scores = ((x + at) @ keys.transpose(1, 2)).masked_fill(mask, -1e9)
        return eager.softmax(scores, -1) @ keys, keys

    compiled = jit.compile(decode)
    mine = its = floats(2, 3, 4)
    for pos in range(3, 9):
        x, mask = floats(2, 1, 4), eager.zeros(1, pos + 1, dtype=eager.bool)
        want, mine = decode(x, mine, mask, pos)
        got, its = compiled(x, its, mask, pos)
        same(got, want), same(its, mine)
    assert len(compiled.programs) == 2
    assert compiled.reasons == [
        "decode: argument 'cache' dim 1 is 4, was 3 and argument 'mask' dim 1 is 5, was 4 and "
        "argument 'pos' is 4, was 3 in variant 1: traced with it dynamic"]
    assert "mask_1 == cache_1 + 1" in map(str, compiled.programs[1].graph.relations)


def test_an_int_that_varies_is_a_size() -> None:
    def part(x: Tensor, n: int) -> Tensor:
        return x[:n].sum(0) / (n + 1) if n > 0 else x.sum(0)

    compiled = jit.compile(part)
    x = floats(9, 2)
    for n in (5, 3, 7, 1, 8):
        same(compiled(x, n), part(x, n))
    assert len(compiled.programs) == 2
    for n in (0, -1):  # another branch, and no size
        same(compiled(x, n), part(x, n))
    assert len(compiled.programs) == 4


def test_declared_sizes_are_dynamic_from_the_start() -> None:
    compiled = jit.compile(double, dynamic_shapes={"x": {0: "batch"}})
    for batch in (3, 1, 0, 5):
        x = floats(batch, 2)
        same(compiled(x), double(x))
    assert len(compiled.programs) == 1


@pytest.mark.parametrize(("calls", "reason"), [
    ([(floats(3),), (floats(3, 1),)], "argument 'x' is float32 of 2 dims, was float32 of 1 dims"),
    ([(floats(3),), (floats(3).double(),)], "argument 'x' is float64 of 1 dims, was float32"),
    ([(floats(3), 2.0), (floats(3), 3.0)], "argument 'scale': 3.0 against 2.0 in variant 1"),
    ([(floats(3), 2), (floats(3), 2.0)], "argument 'scale': a static against a leaf"),
])
def test_what_is_no_size_has_a_program_of_its_own(calls: Any, reason: str) -> None:
    compiled = jit.compile(double)
    for call in (*calls, *calls):
        same(compiled(*call), double(*call))
    assert len(compiled.programs) == 2
    (said,) = compiled.reasons
    assert said.startswith(f"double: {reason}")


def test_a_size_that_the_function_fixes_has_a_program_of_its_own() -> None:
    def alone(x: Tensor) -> Tensor:
        return x * 2 if x.shape[0] == 1 else x

    compiled = jit.compile(alone)
    for n in (3, 1, 5, 1, 7, 0):
        x = floats(n)
        same(compiled(x), alone(x))
    assert len(compiled.programs) == 3
    assert "traced for it alone, since test_compiled.py:" in compiled.reasons[0]
    assert compiled.reasons[1].endswith("traced with it dynamic")


def test_a_call_that_a_relation_excludes_says_so() -> None:
    def grown(x: Tensor) -> Tensor:
        return x * 2 if x.shape[0] > 4 else x

    compiled = jit.compile(grown)
    for n in (5, 7, 9, 2, 3, 0):
        x = floats(n)
        same(compiled(x), grown(x))
    assert len(compiled.programs) == 3
    assert "argument 'x' dim 0 is 2, was 7 in variant 2" in compiled.reasons[1]


def test_a_flag_that_changes_has_a_program_of_its_own() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    other = copy.deepcopy(model)
    compiled = jit.compile(model)
    with eager.no_grad():
        for training in (True, False, True, False):
            model.train(training), other.train(training)
            x = floats(5, 3)
            same(compiled(x), other(x))
    same(model[1].running_mean, other[1].running_mean)
    assert len(compiled.programs) == 2 and "training" in compiled.reasons[0]


SETTING = {"scale": 1.0}


def test_a_global_that_changes_has_programs_up_to_the_limit() -> None:
    compiled = jit.compile(lambda x: x * SETTING["scale"], max_variants=3)
    x = floats(3)
    for scale in (1.0, 2.0, 3.0, 2.0, 1.0):
        SETTING["scale"] = scale
        same(compiled(x), x * scale)
    assert len(compiled.programs) == 3
    SETTING["scale"] = 4.0
    with pytest.raises(TraceError, match=r"max_variants.*SETTING"):
        compiled(x)


# --- limits ------------------------------------------------------------------------------------
def test_too_many_programs_are_explained() -> None:
    compiled = jit.compile(double, max_variants=2)
    compiled(floats(3), 1.0), compiled(floats(3), 2.0)
    with pytest.raises(TraceError, match=r"double has 2 programs \(max_variants\), and this call "
                                         r"fits none: argument 'scale': 3.0 .*The last reasons: "
                                         r".*'scale': 2.0 against 1.0 in variant 1.*tensors"):
        compiled(floats(3), 3.0)
    same(compiled(floats(3) * 0, 2.0), floats(3) * 0)


def test_wrong_arguments_make_no_program() -> None:
    compiled = jit.compile(double)
    with pytest.raises(OpError, match=r"double\(x.*missing a required argument: 'x'"):
        compiled()
    with pytest.raises(OpError):
        compiled(floats(3), floats(4))
    assert compiled.programs == [] and compiled.reasons == []


def test_why_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    compiled = jit.compile(double)
    with caplog.at_level(logging.INFO, "jit"):
        compiled(floats(3)), compiled(floats(4)), compiled(floats(5))
    assert [r.getMessage() for r in caplog.records] == compiled.reasons != []


# --- where it may stand ------------------------------------------------------------------------
def test_as_decorator_with_settings() -> None:
    @jit.compile(max_variants=3)
    def triple(x: Tensor) -> Tensor:
        """Thrice."""
        return x * 3

    x = floats(3)
    same(triple(x), x * 3)
    assert triple.__doc__ == "Thrice." and triple.__name__ == "triple"
    assert triple.program(x) is triple.program(x=x) is triple.programs[0]


class Head(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2)

    @jit.compile
    def score(self, x: Tensor, *, bias: float = 0.0) -> Tensor:
        return self.linear(x) + bias


def test_a_method_is_compiled_for_each_object() -> None:
    one, two = Head(), Head()
    x = floats(4, 3)
    with eager.no_grad():
        for head in (one, two, one):
            same(head.score(x), head.linear(x))
        same(one.score(x, bias=1.0), one.linear(x) + 1.0)
    assert len(one.score.programs) == 2 and len(two.score.programs) == 1
    assert Head.score.programs == []


def test_a_module_stays_one() -> None:
    model = nn.Linear(3, 2)
    compiled = jit.compile(model)
    x = floats(4, 3)
    with eager.no_grad():
        same(compiled(x), model(x))
        assert list(compiled.parameters()) == list(model.parameters())
        other = copy.deepcopy(compiled)
        other.weight.zero_()
        same(compiled(x), model(x))
        same(other(x), (x @ other.weight.T) + other.bias)


def test_inside_a_trace_it_is_the_function() -> None:
    compiled = jit.compile(nn.Linear(3, 2))
    graph = trace_graph(lambda x: compiled(x) * 2, (floats(4, 3),)).graph
    assert {i.name: i.role for i in graph.inputs} == {
        "x": "argument", "weight": "parameter", "bias": "parameter"}
    assert compiled.programs == []


def test_threads_share_the_programs() -> None:
    compiled = jit.compile(double)
    wrong: list[int] = []

    def work(k: int) -> None:
        for n in (1, 2, 3, 4):
            x = Tensor(np.full(n, k, np.float32))
            if not np.array_equal(compiled(x).numpy(), np.full(n, 2 * k, np.float32)):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong and len(compiled.programs) == 2


# --- dims from examples ------------------------------------------------------------------------
def test_two_examples_show_what_varies() -> None:
    def fn(x: Tensor, y: Tensor, w: Tensor) -> Tensor:
        return eager.cat([x, x[:, :1]], 1) @ w + y[:, :, None]

    program = jit.trace(fn, (floats(1, 4, 3), floats(1, 5), floats(3, 2)),
                        examples=[(floats(2, 6, 3), floats(2, 7), floats(3, 2))])
    graph = program.graph
    assert [str(i.type) for i in graph.inputs] == [
        "f32[x_0, x_1, 3]", "f32[x_0, x_1 + 1]", "f32[3, 2]"]
    assert "y_1 == x_1 + 1" in map(str, graph.relations)
    x, y, w = floats(5, 2, 3), floats(5, 3), floats(3, 2)
    same(program(x, y, w), fn(x, y, w))


def test_examples_differ_in_sizes_alone() -> None:
    with pytest.raises(TraceError, match="differ in more than sizes"):
        jit.trace(double, (floats(3),), examples=[(floats(3, 1),)])
    with pytest.raises(TraceError, match="not both"):
        jit.trace(double, (floats(3),), examples=[(floats(4),)], dynamic_shapes={"x": {0: "n"}})
