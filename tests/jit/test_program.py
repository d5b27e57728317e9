"""Programs as users call them: live state, results of their own, words for what does not fit."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eager
import jit
from eager import nn, optim
from eager.engine.tensor import Tensor
from eager.nn import functional as F
from eager.ops.errors import OpError, TraceError
from jit.targets.isa import host_levels
from tests.replay import close

ROOT = Path(__file__).parents[2]
rng = np.random.default_rng(0)


def floats(*shape: int) -> Tensor:
    return Tensor(rng.standard_normal(shape).astype(np.float32))


def mlp() -> nn.Module:
    eager.manual_seed(3)
    return nn.Sequential(nn.Linear(6, 40), nn.ReLU(), nn.Linear(40, 5))


def run(*args: Any) -> Tensor:
    with eager.no_grad():
        return args[0](*args[1:])


@pytest.fixture(scope="module")
def doubling() -> jit.Program:
    return jit.trace(lambda x: x * 2.0 + 1.0, (floats(3, 4),))


# --- what it is --------------------------------------------------------------------------------
def test_the_text_of_a_kernel_is_what_runs(doubling: jit.Program) -> None:
    (name,) = (n for n in doubling.kernels if n != "ej_program")
    text = doubling.kernels[name]
    assert text in str(doubling.kernels) and name in repr(doubling.kernels)
    edited = doubling.with_kernel(name, text.replace("float32(2.0)", "float32(-5.0)"))
    x = floats(3, 4)
    np.testing.assert_array_equal(edited(x).numpy(), x.numpy() * -5 + 1)
    np.testing.assert_array_equal(doubling(x).numpy(), x.numpy() * 2 + 1)
    assert "-5.0" in edited.kernels[name] and "-5.0" not in doubling.kernels[name]
    with pytest.raises(TraceError, match=f"no kernel 'other'; there are {name}"):
        doubling.with_kernel("other", text)


def test_the_driver_can_be_edited(doubling: jit.Program) -> None:
    lines = doubling.kernels["ej_program"].splitlines()
    silent = "\n".join(line for line in lines if "fork_" not in line) + "\n"
    program = doubling.with_kernel("ej_program", silent + "")
    assert program(floats(3, 4)).shape == (3, 4)  # nothing was computed, and nothing failed


def test_it_prints_and_reports(doubling: jit.Program) -> None:
    assert repr(doubling).startswith("<Program <lambda>(x: f32[3, 4]), 1 kernels, level v")
    assert "mul" in doubling.graph_text and "mul" in str(doubling.graph)
    assert isinstance(doubling.report(), str)
    (name,) = (n for n in doubling.kernels if n != "ej_program")
    assert "define" in doubling.kernels.llvm[name] and name in doubling.kernels.asm[name]


# --- what does not fit -------------------------------------------------------------------------
@pytest.mark.parametrize(("args", "words"), [
    ((floats(3, 5),), r"argument 'x': wanted shape \[3, 4\], got \[3, 5\]: dim 1 is 5 and was 4"),
    ((floats(3, 4).double(),), "argument 'x': wanted float32 .* got dtype float64; convert it"),
    ((floats(12),), "argument 'x': wanted 2 dims"),
    (([floats(3, 4)],), "another structure"),
    ((floats(3, 4), floats(3, 4)), "too many positional arguments"),
    ((), "missing a required argument"),
    ((1.0,), "structure"),
    ((None,), "structure"),
])
def test_arguments_that_do_not_fit_are_named(doubling: jit.Program, args: Any,
                                             words: str) -> None:
    for _ in range(2):
        with pytest.raises(OpError, match=words):
            doubling(*args)
        doubling(floats(3, 4))


def test_dims_that_do_not_fit_are_named() -> None:
    n = jit.Dim("n", max=5)
    program = jit.trace(lambda x, y: x + y, (floats(3), floats(3)),
                        dynamic_shapes={"x": {0: n}, "y": {0: n}})
    assert program(floats(5), floats(5)).shape == (5,)
    with pytest.raises(OpError, match=r"'n' was declared in \[0, 5\]; trace with a wider"):
        program(floats(6), floats(6))
    with pytest.raises(OpError, match="argument 'y': dim 0 is 3, but 'n' is 4 in an earlier"):
        program(floats(4), floats(3))


def test_arguments_may_be_arrays_of_any_layout(doubling: jit.Program) -> None:
    x = rng.standard_normal((4, 3)).astype(np.float32)
    wide = rng.standard_normal((6, 8)).astype(np.float32)
    doubling(Tensor(x.T.copy()))
    for array in (x.T, wide[::2, ::2], np.asfortranarray(x.T), x.T.astype(">f4").astype("f4")):
        np.testing.assert_array_equal(doubling(array).numpy(), array * 2 + 1)
        np.testing.assert_array_equal(doubling(Tensor(array)).numpy(), array * 2 + 1)


# --- results -----------------------------------------------------------------------------------
def test_results_of_earlier_calls_stay(doubling: jit.Program) -> None:
    first = doubling(floats(3, 4))
    kept = first.numpy().copy()
    for _ in range(5):
        doubling(floats(3, 4))
    np.testing.assert_array_equal(first.numpy(), kept)


def test_results_of_every_kind_share_no_memory() -> None:
    w = floats(3, 4)

    def fn(x: Tensor, y: Tensor) -> Any:
        z = x * y
        return {"argument": x, "view": x.T, "twice": (z, z), "of views": z[1],
                "flat": z.reshape(-1), "state": w, "seen state": w[0], "constant": eager.ones(2),
                "number": 3, "scalar": z.sum(), "empty": z[:0], "nothing": None}

    program = jit.trace(fn, (floats(3, 4), floats(3, 4)))
    for _ in range(3):
        x, y = floats(3, 4), floats(3, 4)
        got, want = program(x, y), fn(x, y)
        close(got, want)
        before = want["twice"][1].numpy().copy()
        for leaf in (got["argument"], got["twice"][0], got["view"], got["state"], got["flat"]):
            leaf.numpy()[...] = 7
        close(got["twice"][1], before)
        assert not (x.numpy() == 7).any() and not (w.numpy() == 7).any()


def test_a_program_without_state_or_arguments() -> None:
    program = jit.trace(lambda: (eager.arange(5) * 2, eager.full((2,), True)), ())
    for _ in range(2):
        close(program(), (eager.arange(5) * 2, eager.full((2,), True)))


# --- state -------------------------------------------------------------------------------------
def test_writes_to_weights_are_seen_by_the_next_call() -> None:
    model, x = mlp(), floats(2, 6)
    program = jit.trace(model, (x,))

    def check() -> None:
        close(program(x), run(model, x), 1e-5)

    check()
    with eager.no_grad():
        model[0].weight.mul_(0.5)
    check()
    model.load_state_dict({k: v * 2 for k, v in mlp().state_dict().items()})
    check()
    optimizer = optim.SGD(model.parameters(), lr=0.5)
    model(x).sum().backward()
    optimizer.step()
    check()
    model[0].weight.detach().numpy()[...] = 0.25  # NumPy tells nobody
    program.refresh()
    check()
    with eager.no_grad():
        model[0].weight[1, 2] = 30.0
    check()


class Swap(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("a", eager.arange(4).float())
        self.register_buffer("b", -eager.arange(4).float())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        old = self.a.clone()
        self.a.copy_(self.b)
        self.b.copy_(old + x)
        return self.a, old


def test_buffers_that_swap() -> None:
    mine, its = Swap(), Swap()
    program = jit.trace(its, (floats(4),))
    for _ in range(4):
        x = floats(4)
        close(program(x), mine(x))
        close([its.a, its.b], [mine.a, mine.b])


def test_state_is_read_before_and_after_it_is_written() -> None:
    def step(total: Tensor, x: Tensor) -> Any:
        before = total * 1
        total.add_(x)
        middle = total.sum()
        total.mul_(0.5)
        return before, middle, total, total.T

    mine, its = eager.zeros(3, 3), eager.zeros(3, 3)
    program = jit.trace(lambda x: step(its, x), (floats(3, 3),))
    for _ in range(3):
        x = floats(3, 3)
        close(program(x), step(mine, x))
        close(its, mine)


def test_arguments_are_written_in_place() -> None:
    def fn(x: Tensor, y: Tensor) -> Tensor:
        x.add_(y)
        y.zero_()
        return x * 2

    program = jit.trace(fn, (floats(2, 3), floats(2, 3)))
    for _ in range(3):
        x, y = floats(2, 3), floats(2, 3)
        want = (x + y).numpy().copy()
        close(program(x, y), want * 2)
        close((x, y), (want, np.zeros((2, 3), np.float32)))
    both = floats(2, 3)
    with pytest.raises(OpError, match="'x' is written by the program and shares memory with 'y'"):
        program(both, both)


def test_a_written_argument_is_written_where_it_lies() -> None:
    program = jit.trace(lambda x: x.mul_(2), (floats(2, 3),))
    for wrong in (floats(3, 2).T, floats(2, 6)[:, ::2]):
        with pytest.raises(OpError, match=r"'x' is written .* must be contiguous and writable"):
            program(wrong)
    x, leaf = floats(2, 3), floats(2, 3).requires_grad_()
    product = leaf * x
    program(x)
    with pytest.raises(OpError, match="in place since by <lambda>"):
        product.sum().backward()


def test_a_saved_tensor_that_a_program_writes_is_noticed() -> None:
    total = eager.ones(3)
    program = jit.trace(lambda x: total.add_(x), (floats(3),))
    leaf = floats(3).requires_grad_()
    product = leaf * total
    program(floats(3))
    with pytest.raises(eager.OpError, match=r"in.place|written"):
        product.sum().backward()


# --- training ----------------------------------------------------------------------------------
def training(model: nn.Module, optimizer: Any) -> Any:
    def step(x: Tensor, y: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def batches(n: int, *shape: int) -> list[tuple[Tensor, Tensor]]:
    return [(floats(*shape), Tensor(rng.integers(0, 5, shape[0]))) for _ in range(n)]


def pair_of(make: Any) -> tuple[nn.Module, nn.Module]:
    mine, its = make(), make()
    its.load_state_dict(mine.state_dict())
    return mine, its


def test_a_training_step_with_adam() -> None:
    mine, its = pair_of(mlp)
    steps = [training(m, optim.Adam(m.parameters(), lr=0.01)) for m in (mine, its)]
    data = batches(6, 8, 6)
    for x, y in data[:2]:  # Adam has its state now
        for step in steps:
            step(x, y)
    program = jit.trace(steps[1], data[0])
    for x, y in data:
        close(program(x, y), steps[0](x, y), 1e-5)
        close(list(its.state_dict().values()), list(mine.state_dict().values()), 1e-4, 1e-5)


def test_fifty_steps_in_f64() -> None:
    mine, its = pair_of(lambda: mlp().double())
    steps = [training(m, optim.Adam(m.parameters(), lr=0.01)) for m in (mine, its)]
    data = [(x.double(), y) for x, y in batches(50, 8, 6)]
    program = jit.trace(steps[1], data[0])
    for x, y in data:
        close(program(x, y), steps[0](x, y), 1e-8, 1e-8)
    close(list(its.state_dict().values()), list(mine.state_dict().values()), 1e-8, 1e-8)


def conv_net() -> nn.Module:
    eager.manual_seed(4)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Dropout(0.4), nn.Conv2d(4, 6, 3), nn.Flatten(), nn.Linear(24, 5))


def test_a_step_with_batch_norm_and_dropout_draws_the_same_bits() -> None:
    mine, its = pair_of(conv_net)
    steps = [training(m, optim.SGD(m.parameters(), lr=0.05, momentum=0.9)) for m in (mine, its)]
    data = batches(4, 6, 1, 8, 8)
    eager.manual_seed(11)
    want = []
    for x, y in data:
        want.append((steps[0](x, y), eager.rand(3)))
    program = jit.trace(steps[1], data[0])
    eager.manual_seed(11)
    for (x, y), (loss, drawn) in zip(data, want, strict=True):
        close(program(x, y), loss, 1e-5)
        np.testing.assert_array_equal(eager.rand(3).numpy(), drawn.numpy())
    close(list(its.state_dict().values()), list(mine.state_dict().values()), 1e-4, 1e-5)


# --- roads, levels, threads, processes ---------------------------------------------------------
PROBE = """
import sys
import numpy as np
import eager, jit
from eager import nn
eager.manual_seed(1)
model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(1152, 300))
total = eager.zeros(300, 300)
def step(x):
    h = model(x)
    total.add_(h.T @ h)
    return h.softmax(1), total.sum(0), (h * h).exp().sum(), h.sum(0)
program = jit.trace(step, (eager.randn(2, 3, 12, 12),),
                    dynamic_shapes={"x": {0: jit.Dim("n", max=512)}})
found = []
for n in (2, 200, 1, 0, 64, 200):
    with eager.no_grad():
        found += [a.numpy().copy() for a in program(eager.randn(n, 3, 12, 12))]
np.savez(sys.argv[1], *found)
print(sorted(m for m in ("numba", "llvmlite") if m in sys.modules))
"""


def probe(path: Path, **settings: str) -> tuple[list[np.ndarray[Any, Any]], str]:
    """Results of one process, and which compilers it imported."""
    done = subprocess.run([sys.executable, "-c", PROBE, str(path)], cwd=ROOT, timeout=120,
                          env={**os.environ, **settings}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with np.load(path) as held:
        return [held[k] for k in held.files], done.stdout.strip()


@pytest.fixture(scope="module")
def one_thread(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    folder = tmp_path_factory.mktemp("probe")
    settings = {"EAGER_JIT_CACHE": str(folder / "cache"), "EAGER_JIT_THREADS": "1"}
    found, imported = probe(folder / "first.npz", **settings)
    assert imported == "['llvmlite', 'numba']"
    return folder, found


def test_a_second_process_compiles_nothing(one_thread: tuple[Path, list[Any]]) -> None:
    folder, want = one_thread
    blobs = set((folder / "cache").iterdir())
    got, imported = probe(folder / "second.npz", EAGER_JIT_CACHE=str(folder / "cache"),
                          EAGER_JIT_THREADS="1")
    assert imported == "[]"
    assert set((folder / "cache").iterdir()) == blobs
    assert all(map(np.array_equal, got, want))


@pytest.mark.parametrize("settings", [
    {"EAGER_JIT_THREADS": "2"}, {"EAGER_JIT_THREADS": "4"}, {"EAGER_JIT_ENTRY": "ctypes"},
], ids=str)
def test_the_bits_do_not_depend_on(one_thread: tuple[Path, list[Any]],
                                   settings: dict[str, str]) -> None:
    folder, want = one_thread
    got, _ = probe(folder / "other.npz", EAGER_JIT_CACHE=str(folder / "cache"), **settings)
    assert all(map(np.array_equal, got, want))


@pytest.mark.parametrize("level", host_levels())
def test_every_level_agrees(level: str) -> None:
    model, x = mlp(), floats(33, 6)
    traced = jit.trace(model, (x,)).traced
    program = jit.Program(traced, level=level)
    assert program.level == level
    close(program(x), run(model, x), 1e-5)


def test_threads_may_call_one_program() -> None:
    weight = floats(64, 64)
    program = jit.trace(lambda x: (x @ weight).tanh() @ weight, (floats(4, 64),),
                        dynamic_shapes={"x": {0: jit.Dim("n", max=600)}})
    arguments = [floats(n, 64) for n in (1, 40, 7, 500)]
    want = [program(x).numpy().copy() for x in arguments]
    wrong: list[Any] = []

    def work(k: int) -> None:
        for j in range(60):
            at = (k + j) % len(arguments)
            if not np.array_equal(program(arguments[at]).numpy(), want[at]):
                wrong.append((k, j))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


# --- imports -----------------------------------------------------------------------------------
FOUND: dict[str, int] = {}


class Finder:
    """A hook of imports that keeps what it was asked for, as pytest's does."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        FOUND[name] = len(FOUND)


def test_what_an_import_looks_at_is_no_guard(tmp_path: Path,
                                             monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "imported_late.py").write_text("FACTOR = 3.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])

    def fn(x: Tensor) -> Tensor:
        import imported_late

        return x * imported_late.FACTOR

    x = floats(3)
    program = jit.trace(fn, (x,))
    assert sys.modules.pop("imported_late").FACTOR == 3.0 and "imported_late" in FOUND
    FOUND["another"] = -1
    np.testing.assert_array_equal(program(x).numpy(), x.numpy() * 3)


def test_an_array_in_a_list_that_a_function_reads_is_guarded_by_its_numbers() -> None:
    table = [np.array([1.0, 2.0])]
    program = jit.trace(lambda x: x * len(table), (eager.ones(2),))
    np.testing.assert_array_equal(program(eager.ones(2)).numpy(), [1, 1])
    table[0][0] = 3.0
    with pytest.raises(OpError, match="trace again"):
        program(eager.ones(2))
