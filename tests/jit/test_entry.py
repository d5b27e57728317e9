"""The native entry: takes exactly what its descriptor says, hands on all else, leaks nothing."""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import eager
import jit
from eager import nn
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError
from jit.native import abi, elf, entry, loader
from jit.targets.isa import ISAS
from jit.targets.machine import compile_ir

pytestmark = pytest.mark.skipif(not entry.available(), reason="no native entry for this Python")


def field(name: str) -> int:
    return int(getattr(abi.Call, name).offset)


#: x: f32[N, 4], k: i64[3] -> f32[N, 4] = 2 x, i64[] = N.  Spins k[0] turns; fails where k[1] is 1.
PROGRAM = f"""
define ptr @at(ptr %call, i64 %field, i64 %k) alwaysinline {{
  %p = getelementptr i8, ptr %call, i64 %field
  %table = load ptr, ptr %p
  %q = getelementptr ptr, ptr %table, i64 %k
  %r = load ptr, ptr %q
  ret ptr %r
}}
define i32 @run(ptr %call) {{
  %x = call ptr @at(ptr %call, i64 {field("inputs")}, i64 0)
  %ks = call ptr @at(ptr %call, i64 {field("inputs")}, i64 1)
  %y = call ptr @at(ptr %call, i64 {field("outputs")}, i64 0)
  %count = call ptr @at(ptr %call, i64 {field("outputs")}, i64 1)
  %dp = getelementptr i8, ptr %call, i64 {field("dims")}
  %dims = load ptr, ptr %dp
  %n = load i64, ptr %dims
  %size = mul i64 %n, 4
  store i64 %n, ptr %count
  %turns = load i64, ptr %ks
  br label %spin
spin:
  %s = phi i64 [ 0, %0 ], [ %s1, %spin ]
  %again = load volatile i64, ptr %count
  %s1 = add i64 %s, 1
  %spun = icmp sge i64 %s1, %turns
  br i1 %spun, label %check, label %spin
check:
  %fp = getelementptr i64, ptr %ks, i64 1
  %f = load i64, ptr %fp
  %bad = icmp eq i64 %f, 1
  br i1 %bad, label %fail, label %head
fail:
  %ep = getelementptr i8, ptr %call, i64 {field("error")}
  %e = load ptr, ptr %ep
  store i64 6, ptr %e
  %en = getelementptr i64, ptr %e, i64 1
  store i64 3, ptr %en
  %ev = getelementptr i64, ptr %e, i64 2
  store i64 -99, ptr %ev
  ret i32 6
head:
  %i = phi i64 [ 0, %check ], [ %i1, %body ]
  %more = icmp slt i64 %i, %size
  br i1 %more, label %body, label %done
body:
  %xp = getelementptr float, ptr %x, i64 %i
  %v = load float, ptr %xp
  %w = fmul float %v, 2.0
  %yp = getelementptr float, ptr %y, i64 %i
  store float %w, ptr %yp
  %i1 = add i64 %i, 1
  br label %head
done:
  ret i32 0
}}
"""
F32, I64 = np.dtype(np.float32), np.dtype(np.int64)
PLAIN = np.zeros(3, np.int64)


class Failed(Exception):
    pass


class Bench:
    """An entry over the program above, open for N up to 50 of 100."""

    def __init__(self) -> None:
        self.fallen: list[tuple[Any, ...]] = []
        self.epoch = np.zeros(1, np.int64)
        self.library = loader.load(elf.link([compile_ir(PROGRAM, ISAS["v2"])], ["run"], "x.so"))
        made = entry.make_entry(
            loader.address(self.library, "run"),
            [entry.EntryPort(F32, (-1, 4)), entry.EntryPort(I64, (3,))],
            [entry.EntryPort(F32, (-1, 4)), entry.EntryPort(I64, ())],
            [(1, 100)], self.epoch.ctypes.data, 0, 0, self.fall, self.fail)
        assert made is not None
        self.call, self.descriptor, self.keep = made.call, made.descriptor, made
        self.descriptor[entry.SEEN] = 0
        self.descriptor[entry.ROOMY] = 50

    def fall(self, *args: Any) -> str:
        self.fallen.append(args)
        return "fallen"

    def fail(self, code: int, node: int, value: int) -> None:
        raise Failed(code, node, value)


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    assert bench.descriptor[entry.BUSY] == 0


def x_of(n: int) -> np.ndarray[Any, Any]:
    return np.arange(n * 4, dtype=np.float32).reshape(n, 4)


@pytest.mark.parametrize("n", [1, 2, 50])
def test_arrays_go_in_and_new_arrays_come_out(bench: Bench, n: int) -> None:
    x = x_of(n)
    y, count = bench.call(x, PLAIN)
    np.testing.assert_array_equal(y, x * 2)
    assert type(y) is np.ndarray and y.dtype is F32 and y.flags.owndata and y.flags.writeable
    assert count.shape == () and count[()] == n
    again, _ = bench.call(x, PLAIN)
    assert not np.shares_memory(y, again) and not bench.fallen
    assert sys.getrefcount(y) == 2


class Mine(np.ndarray):  # type: ignore[type-arg]
    pass


def unaligned() -> np.ndarray[Any, Any]:
    return np.zeros(33, np.uint8)[1:].view(np.float32).reshape(2, 4)


BAD: dict[str, Callable[[], tuple[Any, ...]]] = {
    "f64": lambda: (x_of(2).astype(np.float64), PLAIN),
    "swapped bytes": lambda: (x_of(2).astype(">f4"), PLAIN),
    "i32 of the same width": lambda: (x_of(2).view(np.int32), PLAIN),
    "uint64 for int64": lambda: (x_of(2), PLAIN.view(np.uint64)),
    "every other row": lambda: (x_of(4)[::2], PLAIN),
    "reversed": lambda: (x_of(4)[::-1], PLAIN),
    "Fortran": lambda: (np.asfortranarray(x_of(3)), PLAIN),
    "broadcast": lambda: (np.broadcast_to(x_of(1), (3, 4)), PLAIN),
    "unaligned": lambda: (unaligned(), PLAIN),
    "a subclass": lambda: (x_of(2).view(Mine), PLAIN),
    "a list": lambda: ([[1.0] * 4], PLAIN),
    "None": lambda: (None, PLAIN),
    "a number": lambda: (1, PLAIN),
    "a scalar of NumPy": lambda: (np.float32(1), PLAIN),
    "a tensor": lambda: (Tensor(x_of(2)), PLAIN),
    "another rank": lambda: (x_of(2).reshape(2, 2, 2), PLAIN),
    "rank 0": lambda: (np.float32(1).reshape(()), PLAIN),
    "a fixed dim": lambda: (x_of(2).reshape(4, 2), PLAIN),
    "another fixed dim": lambda: (x_of(2), np.zeros(4, np.int64)),
    "below the least": lambda: (x_of(0), PLAIN),
    "over the most": lambda: (x_of(101), PLAIN),
    "over the room": lambda: (x_of(51), PLAIN),
    "too few": lambda: (x_of(2),),
    "too many": lambda: (x_of(2), PLAIN, PLAIN),
    "none at all": lambda: (),
}


@pytest.mark.parametrize("name", BAD)
def test_everything_else_goes_to_the_fallback(bench: Bench, name: str) -> None:
    args = BAD[name]()
    assert bench.call(*args) == "fallen"
    (got,) = bench.fallen
    assert len(got) == len(args) and all(a is b for a, b in zip(got, args, strict=True))
    y, _ = bench.call(x_of(2), PLAIN)
    np.testing.assert_array_equal(y, x_of(2) * 2)


def test_keywords_are_refused(bench: Bench) -> None:
    with pytest.raises(TypeError, match="keyword"):
        bench.call(x_of(2), k=PLAIN)


def test_two_ports_of_one_dim_must_agree() -> None:
    made = entry.make_entry(0, [entry.EntryPort(F32, (-1,)), entry.EntryPort(F32, (-1,))],
                            [entry.EntryPort(F32, (-1,))], [(0, 9)], PLAIN.ctypes.data, 0, 0,
                            lambda *a: "fallen", lambda *a: None)
    assert made is not None
    made.descriptor[entry.SEEN], made.descriptor[entry.ROOMY] = 0, 9
    assert made.call(np.zeros(3, F32), np.zeros(4, F32)) == "fallen"  # else it would run address 0


def test_a_write_sends_the_next_call_the_long_way(bench: Bench) -> None:
    bench.epoch[0] = 1
    assert bench.call(x_of(2), PLAIN) == "fallen"
    bench.descriptor[entry.SEEN] = 1
    assert bench.call(x_of(2), PLAIN)[1] == 2


def test_a_run_that_fails_is_told_and_not_run_again(bench: Bench) -> None:
    with pytest.raises(Failed) as caught:
        bench.call(x_of(2), np.array([0, 1, 0]))
    assert caught.value.args == (6, 3, -99)
    assert not bench.fallen
    assert bench.call(x_of(2), PLAIN)[1] == 2


def test_references_balance_and_memory_does_not_grow(bench: Bench) -> None:
    x, bad, failing = x_of(20), x_of(20).astype(np.float64), np.array([0, 1, 0])
    held = (x, bad, failing, PLAIN, F32, I64, bench.descriptor, bench.keep.keep[1],
            bench.keep.keep[2])

    def rounds(n: int) -> None:
        for _ in range(n):
            bench.call(x, PLAIN)
            bench.call(bad, PLAIN)
            bench.fallen.clear()
            with contextlib.suppress(Failed):
                bench.call(x, failing)

    rounds(1000)
    gc.collect()
    counts = [sys.getrefcount(h) for h in held]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rounds(50_000)
    gc.collect()
    assert [sys.getrefcount(h) for h in held] == counts
    # One array of 20 x 4 lost a round would be over 20 MB.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 4096


def test_a_long_call_lets_others_run_and_they_go_the_long_way(bench: Bench) -> None:
    bench.descriptor[entry.RELEASE_FROM] = 0
    results: list[Any] = []
    slow = np.array([300_000_000, 0, 0])
    thread = threading.Thread(target=lambda: results.append(bench.call(x_of(3), slow)))
    thread.start()
    while not bench.descriptor[entry.BUSY] and thread.is_alive():
        pass
    answers = [bench.call(x_of(2), PLAIN) for _ in range(10)]
    inside = thread.is_alive()
    thread.join()
    assert inside and answers == ["fallen"] * 10
    np.testing.assert_array_equal(results[0][0], x_of(3) * 2)


@pytest.mark.parametrize(("inputs", "outputs", "ranges"), [
    ([(1,)], [], []), ([(1,)] * 65, [(1,)], []), ([(1,)], [(1,)] * 65, []),
    ([(1,)], [(1,)], [(0, 1)] * 9), ([(1,) * 9], [(1,)], []), ([(1,)], [(1,) * 9], []),
])
def test_what_the_descriptor_cannot_say_has_no_entry(inputs: Any, outputs: Any,
                                                     ranges: Any) -> None:
    made = entry.make_entry(0, [entry.EntryPort(F32, s) for s in inputs],
                            [entry.EntryPort(F32, s) for s in outputs], ranges, 0, 0, 0,
                            print, print)
    assert made is None


# --- with programs -----------------------------------------------------------------------------
class Tally(nn.Module):
    """Counts its calls, and fails where an index is out of range."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", eager.zeros(1))

    def forward(self, x: Tensor, i: Tensor) -> Tensor:
        self.count.add_(1.0)
        return x.index_select(0, i) + self.count


def test_a_failed_call_runs_once_and_leaves_the_next_ones_right() -> None:
    tally = Tally()
    x, good = eager.tensor(np.zeros((3, 1), F32)), eager.tensor(np.array([0, 2]))
    bad = eager.tensor(np.array([0, 7]))
    program = jit.trace(lambda x, i: tally(x, i), (x, good))
    for turn in range(60):
        if turn % 3 == 1:
            with pytest.raises(OpError, match=r"index 7 .*test_entry\.py:\d+ forward"):
                program(x, bad)
        else:
            assert program(x, good).numpy()[0, 0] == turn + 1
        assert tally.count.item() == turn + 1
        filler = [np.full(turn % 7 + 1, -1, np.int64) for _ in range(50)]  # takes what was freed
    del filler


def test_an_arena_that_grew_for_a_call_that_failed_stays() -> None:
    def two(x: Tensor, i: Tensor) -> Tensor:
        hidden = x @ x.transpose(0, 1)
        return (hidden @ hidden).index_select(0, i)

    rng = np.random.default_rng(0)
    small = eager.tensor(rng.standard_normal((4, 3)).astype(np.float32))
    large = eager.tensor(rng.standard_normal((300, 3)).astype(np.float32))
    good, bad = eager.tensor(np.array([1])), eager.tensor(np.array([999]))
    program = jit.trace(two, (small, good), dynamic_shapes={"x": {0: jit.Dim("n", 1, 300)}})
    want = program(small, good).numpy().copy()
    for _ in range(20):
        with pytest.raises(OpError, match="index 999"):
            program(large, bad)
        filler = np.full((300, 300), np.nan, np.float32)
        np.testing.assert_array_equal(program(small, good).numpy(), want)
        del filler


ROADS = """
import numpy as np, eager, jit
from eager import nn
eager.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
x = eager.tensor(np.random.default_rng(0).standard_normal((5, 8)).astype(np.float32))
program = jit.trace(lambda x: model(x), (x,), dynamic_shapes={"x": {0: jit.Dim("n", 0, 9)}})
outs = [program(x[:n]).detach().numpy() for n in (5, 0, 3, 5)]
with eager.no_grad():
    model[0].weight.mul_(2.0)
    outs.append(program(x).numpy())
print(program._binding.entry is None, b"".join(o.tobytes() for o in outs).hex())
"""


def test_without_the_entry_the_results_are_the_same() -> None:
    found = {}
    for road in ("native", "ctypes"):
        done = subprocess.run([sys.executable, "-c", ROADS], capture_output=True, text=True,
                              env={**os.environ, "EAGER_JIT_ENTRY": road}, check=True)
        found[road] = done.stdout.split()
    assert found["native"][0] == "False" and found["ctypes"][0] == "True"
    assert found["native"][1] == found["ctypes"][1]


@pytest.mark.slow
def test_the_committed_ir_is_what_the_sources_give() -> None:
    pytest.importorskip("ziglang", reason="pip install eager-jit[native]")
    done = subprocess.run([sys.executable, "-m", "jit.native.c", "--check"], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
