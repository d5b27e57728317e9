"""Microkernels of every level this machine runs, against float64 products."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from eager.ops.errors import CompileError
from jit.targets import isa as isas
from jit.targets import microkernels
from jit.targets.isa import ISAS
from jit.targets.machine import (
    assembly,
    compile_ir,
    compile_ir_isolated,
    optimised_ir,
    ptx_isolated,
)
from tests.jit.engine import LEVELS, Loaded

MICRO = ("f32*", "i64", "f32*", "i64", "i64", "f32*", "i64", "f32*", "i64", "f32")
MINUS_INF = float("-inf")


@pytest.fixture(scope="module", params=LEVELS)
def kernels(request):
    return request.param, Loaded([microkernels.kernel_module(ISAS[request.param])],
                                 request.param, effort=1)


def packed(b: np.ndarray) -> np.ndarray:
    """[K, 16 n] as 64-byte aligned panels [n][K][16]."""
    k, n = b.shape
    room = np.empty(k * n + 16, np.float32)
    start = -room.ctypes.data % 64 // 4
    panels = room[start:start + k * n].reshape(n // 16, k, 16)
    panels[:] = b.reshape(k, n // 16, 16).transpose(1, 0, 2)
    return panels


def tiles():
    for level in LEVELS:
        for rows in range(1, ISAS[level].rows + 1):
            for panels in ISAS[level].panels[rows]:
                yield level, rows, panels


@pytest.mark.parametrize("depth", [1, 3, 4, 64, 101])
def test_every_tile_is_the_product(kernels, depth):
    level, loaded = kernels
    rng = np.random.default_rng(depth)
    for _, rows, panels in (t for t in tiles() if t[0] == level):
        a = rng.standard_normal((rows, depth + 3), np.float32)
        b = rng.standard_normal((depth, 16 * panels), np.float32)
        bias = rng.standard_normal(16 * panels, np.float32)
        c = np.full((rows, 16 * panels + 5), 7, np.float32)
        loaded(f"micro_{rows}_{panels}", MICRO, a, a.shape[1], packed(b), depth * 16, depth,
               bias, 0, c, c.shape[1], MINUS_INF)
        exact = a[:, :depth].astype(float) @ b.astype(float) + bias
        np.testing.assert_allclose(c[:, :16 * panels], exact, rtol=0, atol=1e-6 * depth ** 0.5 * 5)
        assert (c[:, 16 * panels:] == 7).all()


def test_a_second_block_of_k_goes_on_from_the_first(kernels):
    _, loaded = kernels
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 12), np.float32), rng.standard_normal((12, 16), np.float32)
    whole, halves, p = np.empty((2, 16), np.float32), np.zeros((2, 16), np.float32), packed(b)
    zero = np.zeros(16, np.float32)
    loaded("micro_2_1", MICRO, a, 12, p, 192, 12, zero, 0, whole, 16, MINUS_INF)
    for k in (0, 8):
        loaded("micro_2_1", MICRO, a.ravel()[k:], 12, p.ravel()[k * 16:], 192, 8 if k == 0 else 4,
               zero if k == 0 else halves, 0 if k == 0 else 16, halves, 16, MINUS_INF)
    assert (whole == halves).all()


@pytest.mark.parametrize("low", [0.0, MINUS_INF])
def test_the_clamp_is_relu_and_lets_nan_pass(kernels, low):
    _, loaded = kernels
    a = np.array([[1.0]], np.float32)
    b = np.array([[np.nan, -2, 3, np.inf, -np.inf, 0, -1e-40] + [0] * 9], np.float32)
    c = np.empty((1, 16), np.float32)
    loaded("micro_1_1", MICRO, a, 1, packed(b), 16, 1, np.zeros(16, np.float32), 0, c, 16, low)
    np.testing.assert_array_equal(c, b if low else np.where(b < 0, np.float32(0), b))


def test_the_tables_name_the_largest_tile_offered(kernels):
    level, loaded = kernels
    isa = ISAS[level]
    size = isa.rows * microkernels.SPAN
    read = loaded.engine.get_global_value_address
    counts = (ctypes.c_int64 * size).from_address(read("isa_np"))
    table = (ctypes.c_int64 * size).from_address(read("isa_tab"))
    assert ctypes.c_int64.from_address(read("isa_MR")).value == isa.rows
    for k in range(size):
        rows, n = k // microkernels.SPAN + 1, k % microkernels.SPAN
        want = max(q for q in isa.panels[rows] if q <= max(n, 1))
        assert counts[k] == want
        assert table[k] == loaded.address(f"micro_{rows}_{want}")


def test_levels_with_fma_agree_bit_for_bit():
    fused = [v for v in LEVELS if ISAS[v].fma]
    if len(fused) < 2:
        pytest.skip("this CPU has one level with fma")
    rng = np.random.default_rng(3)
    a, b = rng.standard_normal((1, 77), np.float32), rng.standard_normal((77, 16), np.float32)
    results = []
    for level in fused:
        c = np.empty((1, 16), np.float32)
        loaded = Loaded([microkernels.kernel_module(ISAS[level])], level, effort=1)
        loaded("micro_1_1", MICRO, a, 77, packed(b), 77 * 16, 77, np.zeros(16, np.float32), 0, c,
               16, 0.0)
        results.append(c.tobytes())
    assert len(set(results)) == 1


@pytest.mark.parametrize("name", [n for n in ISAS if ISAS[n].rows])
def test_accumulators_stay_in_registers(name):
    """Of the largest tile; the stack may hold the clamp (a load, a store), once a call."""
    isa = ISAS[name]
    tile = isa.rows, isa.panels[isa.rows][-1]
    text = assembly(microkernels.microkernel_module(isa, *tile), isa, level=1)
    stack = [s for s in text.splitlines() if "sp)" in s or "[sp" in s]
    vectors = [s for s in stack if any(r in s for r in ("xmm", "ymm", "zmm", "\tq", "\td"))]
    outside = 8 if name == "aarch64" else 0  # d8-d15 are the caller's
    assert len(vectors) <= 2 + outside, vectors


@pytest.mark.parametrize("name", [n for n in ISAS if ISAS[n].rows])
def test_objects_are_elf_of_the_machine_and_deterministic(name):
    text = microkernels.kernel_module(ISAS[name])
    made = compile_ir_isolated(text, ISAS[name], level=1)
    assert made[:4] == b"\x7fELF"
    assert int.from_bytes(made[18:20], "little") == (183 if name == "aarch64" else 62)
    assert made == compile_ir_isolated(text, ISAS[name], level=1)


def test_ptx_has_no_microkernels_but_compiles():
    with pytest.raises(CompileError, match="nvptx has no microkernels"):
        microkernels.kernel_module(ISAS["nvptx"])
    kernel = "define ptx_kernel void @k(ptr %p) {\n store float 1.0, ptr %p\n ret void\n}"
    assert ".visible .entry k(" in ptx_isolated(kernel)


def test_broken_ir_is_a_compile_error():
    with pytest.raises(CompileError, match="LLVM refuses"):
        compile_ir("define void @f() { ret i32 %x }", ISAS["v2"])
    with pytest.raises(CompileError, match="exit 1"):
        compile_ir_isolated("define nonsense", ISAS["v2"])


def test_only_kept_functions_stay_visible():
    text = "define void @f() { ret void }\ndefine void @g() { ret void }"
    kept = optimised_ir(text, ISAS["v2"], keep=("f",))
    assert "@f(" in kept and "@g(" not in kept
    with pytest.raises(CompileError, match="defines no h"):
        compile_ir(text, ISAS["v2"], keep=("h",))


def test_levels_follow_the_flags_of_the_cpu():
    v2 = {"cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3"}
    v3 = v2 | {"abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe"}
    v4 = v3 | {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}
    assert isas.levels_of(set()) == ()
    assert isas.levels_of(v2) == ("v2",)
    assert isas.levels_of(v3 - {"fma"}) == ("v2",)
    assert isas.levels_of(v3) == ("v2", "v3")
    assert isas.levels_of(v4) == ("v2", "v3", "v4")
    assert isas.levels_of(v4 - v3 | v2) == ("v2",)


def test_a_level_can_be_pinned(monkeypatch):
    monkeypatch.setenv("EAGER_JIT_LEVEL", LEVELS[0])
    assert isas.host_level() == LEVELS[0]
    monkeypatch.setenv("EAGER_JIT_LEVEL", "v9")
    with pytest.raises(CompileError, match="there is no such level"):
        isas.host_level()
    monkeypatch.setenv("EAGER_JIT_LEVEL", "nvptx")
    with pytest.raises(CompileError, match="this CPU does not run it"):
        isas.host_level()
    monkeypatch.delenv("EAGER_JIT_LEVEL")
    assert isas.host_level() == LEVELS[-1]
