"""The bridge to Numba: every scalar instruction against NumPy, pointers, calls, tasks, errors."""

from __future__ import annotations

import ctypes
import re
import subprocess
import sys
import warnings

import numpy as np
import pytest

from eager.ops.errors import CompileError
from eager.ops.scalar import INSTRS
from eager.ops.types import NATIVE
from jit import numba_bridge as bridge
from jit.kernels import specialmath, vectormath
from jit.kernels.instructions import instruction
from jit.targets.isa import ISAS
from jit.targets.machine import assembly
from tests.jit.engine import LEVELS, Loaded

FLOATS = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 3.25,
                   -7.0, 1e-40, 300.7, -129.3, 1e10])


def values(name: str) -> np.ndarray:
    """Numbers of a dtype, its extremes among them."""
    dtype = NATIVE[name]
    if dtype.kind == "f":
        return FLOATS.astype(dtype.numpy)
    if dtype.kind == "b":
        return np.array([False, True])
    info = np.iinfo(dtype.numpy)
    some = [info.min, info.min + 1, info.max, 0, 1, 2, 3, 7, *([-1, -2, -7] if info.min else [])]
    return np.array(some, dtype.numpy)


def stored(expression: str, result: str) -> str:
    return f"uint8({expression})" if result == "bool" else expression


def loop(word: str) -> str:
    """Source of a kernel that applies an instruction to arrays."""
    made = instruction(word)
    names = ["a", "b", "c"][:len(made.operands)]
    loads = [f"{n}[i]" + (" != 0" if t == "bool" else "")
             for n, t in zip(names, made.operands, strict=True)]
    call = stored(f"{word}({', '.join(loads)})", made.result)
    return (f"def k_{word}({', '.join(names)}, out, lo, hi):\n"
            f"    for i in range(lo, hi):\n        out[i] = {call}\n")


def signature(word: str) -> tuple[str, ...]:
    made = instruction(word)
    return (*(f"{t}*" for t in (*made.operands, made.result)), "i64", "i64")


def words():
    for stem in INSTRS:
        if stem != "cast":
            yield from (f"{stem}_{d}" for d in NATIVE if instruction(f"{stem}_{d}"))
    yield from (f"cast_{a}_{b}" for a in NATIVE for b in NATIVE)


WORDS = sorted(words())


def groups() -> dict[tuple[str, ...], list[str]]:
    """Instructions by the types of their operands: one kernel computes all of a group."""
    found: dict[tuple[str, ...], list[str]] = {}
    for word in WORDS:
        found.setdefault(instruction(word).operands, []).append(word)
    return found


def computed(types: tuple[str, ...], words: list[str]) -> tuple[list[np.ndarray], dict]:
    """Every combination of values of the operands, and each instruction's results on them."""
    names = [f"a{k}" for k in range(len(types))]
    loads = [f"{n}[i]" + (" != 0" if t == "bool" else "") for n, t in zip(names, types)]
    results = [instruction(w).result for w in words]
    source = f"def group({', '.join([*names, *(f'r_{w}' for w in words)])}, lo, hi):\n"
    source += "    for i in range(lo, hi):\n" + "".join(
        f"        r_{w}[i] = " + stored(f"{w}({', '.join(loads)})", r) + "\n"
        for w, r in zip(words, results))
    kinds = (*(f"{t}*" for t in (*types, *results)), "i64", "i64")
    args = [np.ascontiguousarray(g.reshape(-1))
            for g in np.meshgrid(*map(values, types), indexing="ij")]
    found = {w: np.empty(args[0].size, NATIVE[r].numpy) for w, r in zip(words, results)}
    Loaded([bridge.lower(source, "group", kinds)], LEVELS[-1], effort=1)(
        "group", kinds, *args, *found.values(), 0, args[0].size)
    return args, found


def defined(word: str, args: list[np.ndarray]) -> np.ndarray:
    """Where NumPy's result is one to compare with: kernels refuse the rest before."""
    everywhere = np.ones(args[0].size, bool)
    if re.match(r"(floordiv|f?mod)_[iu]", word):
        return args[1] != 0
    cast = re.fullmatch(r"cast_f\d\d_([iu]\d+)", word)
    if cast:
        info = np.iinfo(NATIVE[cast[1]].numpy)
        return (args[0] > float(info.min) - 1) & (args[0] < float(info.max))
    if word.startswith(("sin_", "cos_")):
        return (abs(args[0]) < 3e9) | ~np.isfinite(args[0])
    return everywhere


def wanted(word: str, args: list[np.ndarray]) -> np.ndarray:
    made, stem = instruction(word), word.rpartition("_")[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if word.startswith("cast"):
            return args[0].astype(NATIVE[made.result].numpy)
        return np.asarray(INSTRS[stem].numpy(*args)).astype(NATIVE[made.result].numpy)


#: Of `vectormath` and `specialmath`, tested in ulp there.
ROUNDED = ("rsqrt", *vectormath.FUNCTIONS, *specialmath.FUNCTIONS)


@pytest.mark.parametrize("types", groups(), ids="-".join)
def test_every_instruction_is_numpys(types):
    args, results = computed(types, groups()[types])
    for word, out in results.items():
        there = defined(word, args)
        want, out = wanted(word, [a[there] for a in args]), out[there]
        stem = word.rpartition("_")[0]
        if stem in ROUNDED:
            np.testing.assert_allclose(out, want, rtol=1e-6, atol=1e-44, err_msg=word)
            continue
        np.testing.assert_array_equal(out, want, err_msg=word)
        # Of 0 and -0 NumPy's maximum takes either, by the vectors of the machine.
        if want.dtype.kind == "f" and stem not in ("maximum", "minimum"):
            number = ~np.isnan(want)
            assert (np.signbit(out[number]) == np.signbit(want[number])).all(), word


def test_every_instruction_of_the_table_has_code_for_the_dtypes_it_takes():
    numbers = [d for d in NATIVE if d != "bool"]
    floats = ["f32", "f64"]
    whole = [d for d in numbers if d not in floats]
    everywhere = {"eq", "ne", "lt", "le", "gt", "ge", "not", "select", "maximum", "minimum"}
    number_ops = {"add", "sub", "mul", "neg", "abs", "sign", "floordiv", "mod", "fmod", "pow",
                  "floor", "ceil", "trunc", "round"}
    for stem in INSTRS.keys() - {"cast"}:
        wants = (list(NATIVE) if stem in everywhere else numbers if stem in number_ops
                 else [*whole, "bool"] if stem in ("and", "or", "xor")
                 else whole if stem in ("left_shift", "right_shift", "gcd") else floats)
        missing = [d for d in wants if instruction(f"{stem}_{d}") is None]
        assert not missing, (stem, missing)


@pytest.mark.parametrize("source", ["f32", "f64"])
@pytest.mark.parametrize("target", [d for d in NATIVE if NATIVE[d].kind == "i"])
def test_a_float_becomes_the_nearest_integer_towards_zero_that_there_is(source, target):
    info = np.iinfo(NATIVE[target].numpy)
    kind = NATIVE[source].numpy.type
    edges = [kind(f) for f in (info.min, info.max, float(info.min) - 1, float(info.max) + 1, 0.5)]
    x = np.array([n for e in edges for n in (e, np.nextafter(e, kind(-np.inf)),
                                             np.nextafter(e, kind(np.inf)))]
                 + [np.nan, np.inf, -np.inf, -0.9, -1.0], kind)
    word = f"cast_{source}_{target}"
    found = np.empty(x.size, NATIVE[target].numpy)
    Loaded([bridge.lower(loop(word), f"k_{word}", signature(word))], LEVELS[0], effort=1)(
        f"k_{word}", signature(word), x, found, 0, x.size)
    ends = {np.inf: info.max, -np.inf: info.min}
    want = [0 if np.isnan(v) else ends[float(v)] if np.isinf(v) else
            min(max(int(v), info.min), info.max) for v in x]
    assert found.tolist() == want


def test_division_by_zero_and_the_lowest_by_minus_one_do_not_trap():
    lines = "".join(f"    out[{k}] = {op}_i64(x[{a}], x[{b}])\n" for k, (op, a, b) in enumerate(
        (op, a, b) for op in ("floordiv", "mod") for a, b in ((0, 1), (0, 2))))
    text = bridge.lower("def k(x, out):\n" + lines, "k", ("i64*", "i64*"))
    low = np.iinfo(np.int64).min
    out = np.full(4, 9)
    Loaded([text], LEVELS[0])("k", ("i64*", "i64*"), np.array([low, -1, 0]), out)
    assert out.tolist() == [low, 0, 0, 0]


def test_sums_keep_the_order_that_is_written():
    """No fast-math: 1e8 + 1 - 1e8 is 0 in float32, and x - x of infinity is NaN."""
    source = ("def k(x, out):\n"
              "    out[0] = (x[0] + x[1]) - x[0]\n    out[1] = x[2] - x[2]\n"
              "    out[2] = x[3] + float32(0.0)\n")
    text = bridge.lower(source, "k", ("f32*", "f32*"))
    out = np.empty(3, np.float32)
    Loaded([text], LEVELS[-1])("k", ("f32*", "f32*"),
                               np.array([1e8, 1, np.inf, -0.0], np.float32), out)
    assert out[0] == 0 and np.isnan(out[1]) and not np.signbit(out[2])
    assert not re.search(r"\b(fast|contract|reassoc|nsz|nnan|ninf|arcp)\b", text)


def test_wide_products_and_unsigned_words():
    source = ("def k(x, out):\n    a = uint64(x[0])\n    b = uint64(x[1])\n"
              "    out[0] = int64(mulhi_u64(a, b))\n    out[1] = int64(a * b)\n"
              "    out[2] = int64((a ^ b) >> uint64(1))\n")
    a, b = 0xD2E7470EE14C6C93, 0xCA5A826395121157
    x = np.array([a, b], np.uint64)
    out = np.empty(3, np.int64)
    Loaded([bridge.lower(source, "k", ("i64*", "i64*"))], LEVELS[0])(
        "k", ("i64*", "i64*"), x, out)
    assert out.view(np.uint64).tolist() == [a * b >> 64, a * b % 2 ** 64, (a ^ b) >> 1]


def test_pointers_views_stacks_and_nulls():
    source = '''\
def k(raw, table, out):
    x = view_f32(raw, 8)
    y = at_f32(x, 2)
    room = stack_i64_64()
    lanes = lanes_f32_16()
    for j in range(16):
        room[j] = j * j
        lanes[j] = y[0]
    out[0] = y[0] + lanes[15]
    out[1] = cast_i64_f32(room[5])
    out[2] = view_f32(table[1], 0)[0]
    out[3] = float32(1.0) if nonnull_f32(null_f32()) else float32(2.0)
    out[4] = cast_i64_f32(imin(3, 4) + imax(3, 4))
    out[5] = mul_add_f32(y[0], y[0], y[0])
'''
    types = ("ptr", "ptr*", "f32*")
    x = np.arange(8, dtype=np.float32)
    table = np.array([0, x[7:].ctypes.data], np.int64)
    out = np.empty(6, np.float32)
    Loaded([bridge.lower(source, "k", types)], LEVELS[-1])("k", types, x, table, out)
    assert out.tolist() == [8, 25, 7, 2, 7, 20]


def test_externs_forks_and_results():
    """A driver calls another object's function and forks a kernel over its total."""
    kernel = "def fill(out, v, lo, hi):\n    for i in range(lo, hi):\n        out[i] = v + lo\n"
    raw = "def mark(out, task, ntasks):\n    out[task] = ntasks\n"
    driver = '''\
def drive(pool, out, n):
    fork_fill(pool, 3, out, 10, n)
    fork_mark(pool, 2, at_i64(out, n))
    return twice(n) + 1
'''
    serial = '''
define void @ej_parallel_for(ptr %pool, ptr %task, ptr %table, i64 %n) {
entry:
 br label %loop
loop:
 %i = phi i64 [0, %entry], [%j, %loop]
 call void %task(ptr %table, i64 %i, i64 %n)
 %j = add i64 %i, 1
 %more = icmp slt i64 %j, %n
 br i1 %more, label %loop, label %done
done:
 ret void
}
'''
    fill, mark = ("i64*", "i64", "i64", "i64"), ("i64*", "i64", "i64")
    types = ("ptr", "i64*", "i64")
    texts = [
        bridge.lower(kernel, "fill", fill) + bridge.task_wrapper("fill", fill[:-2], 16),
        bridge.lower(raw, "mark", mark) + bridge.raw_task("mark", mark[:-2]),
        bridge.lower("def twice(n):\n    return n * 2\n", "twice", ("i64",), returns="i64"),
        bridge.lower(driver, "drive", types, returns="i64", noalias=False,
                     externs={"twice": bridge.Extern("i64", ("i64",))},
                     forks={"fill": (*fill[:-2], "i64"), "mark": mark[:-2]}),
        serial]
    for n in (0, 1, 40, 96, 100):
        out = np.full(n + 3, -1)
        assert Loaded(texts, LEVELS[-1])("drive", types, 0, out, n, returns="i64") == 2 * n + 1
        units = -(-n // 16)
        starts = np.zeros(n, np.int64)
        for task in range(3):
            starts[units * task // 3 * 16:units * (task + 1) // 3 * 16] = units * task // 3 * 16
        assert out.tolist() == [*(starts + 10), 2, 2, -1]


def test_an_address_is_called():
    source = "def k(f, x):\n    micro(f, x, 1, x, 2, 3, x, 4, x, 5, float32(0.5))\n"
    seen = []
    kinds = [ctypes.c_float if t == "f32" else ctypes.c_void_p if t.endswith("*")
             else ctypes.c_int64 for t in bridge.MICRO]
    callback = ctypes.CFUNCTYPE(None, *kinds)(lambda *a: seen.append(a))
    Loaded([bridge.lower(source, "k", ("ptr", "f32*"))], LEVELS[0])(
        "k", ("ptr", "f32*"), ctypes.cast(callback, ctypes.c_void_p).value, 64)
    assert seen == [(64, 1, 64, 2, 3, 64, 4, 64, 5, 0.5)]


KERNEL = '''\
def kernel(x, out, lo, hi):
    for i in range(lo, hi):
        v = exp_f32(x[i])  # net.py:3 forward
        out[i] = (v * float32(0.1)) if i < 7 else maximum_f32(v, float32(-inf))
'''


def test_text_is_portable_and_the_same_in_every_process():
    types = ("f32*", "f32*", "i64", "i64")
    here = bridge.lower(KERNEL, "kernel", types)
    assert "define hidden void @kernel(ptr %a0, ptr %a1, i64 %a2, i64 %a3)" in here
    assert "NumbaEnv" not in here and "target" not in here
    code = ("import sys; from jit import numba_bridge as b\n"
            "b.lower('def other(x):\\n    x[0] = 1\\n', 'other', ('i64*',))\n"
            f"sys.stdout.write(b.lower({KERNEL!r}, 'kernel', {types!r}))")
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert there.stdout == here


@pytest.mark.parametrize("word", ["pow_f64", "exp_f32", "mod_f64", "round_f32", "cast_f32_u8",
                                  "lgamma_f32", "erfinv_f64", "pow_i64", "gcd_i32"])
@pytest.mark.parametrize("level", ["v2", "v3", "v4"])
def test_no_instruction_calls_libm(word, level):
    text = assembly(bridge.lower(loop(word), f"k_{word}", signature(word)), ISAS[level])
    called = re.findall(r"^\s+(?:call|jmp)q?\s+([A-Za-z_]\w*)", text, re.M)
    assert set(called) <= {"ej_fmod", "ej_gcd"}, called


@pytest.mark.parametrize("body, why", [
    ("    x[0] = y\n", "name 'y' is not defined"),
    ("    x[0] = 'text'\n", ""),
    ("    z = x + x\n", "No implementation of function"),
])
def test_errors_show_the_kernel_and_its_line(body, why):
    with pytest.raises(CompileError) as caught:
        bridge.lower(f"def bad(x):\n    x[1] = float32(1.0)\n{body}", "bad", ("f32*",))
    words = str(caught.value)
    assert words.startswith("kernel bad(f32*) does not compile: ") and why in words
    assert f"-> {body.rstrip()}" in words and "Traceback" not in words
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_other_faults_are_compile_errors_too():
    with pytest.raises(CompileError, match="is no Python"):
        bridge.lower("def k(x:\n", "k", ("f32*",))
    with pytest.raises(CompileError, match="defines no function k"):
        bridge.lower("def other(x):\n    pass\n", "k", ("f32*",))
    with pytest.raises(CompileError, match="no type of the native boundary is named 'f16'"):
        bridge.lower("def k(x):\n    pass\n", "k", ("f16*",))


@pytest.mark.parametrize("line, what", [
    ("%v = load <4 x float>, ptr %p", "a vector type"),
    ("%v = call float @fmaf(float %a, float %b, float %c)", "a call of libm"),
    ("call void @NRT_decref(ptr %p)", "Numba's runtime"),
    ("call void @PyErr_Clear()", "Python's API"),
    ("call i32 @numba_unpickle(ptr %p)", "Numba's runtime"),
    ("define linkonce_odr i32 @f() {", "a copy of a library function"),
    ("%v = call i32 @llvm.x86.sse.cvtss2si()", "an intrinsic of one CPU"),
])
def test_the_lint_names_what_is_not_portable(line, what):
    with pytest.raises(CompileError, match=f"must not hold {what}, got"):
        bridge.check_portable(f"define void @f() {{\n{line}\n}}\n" if "define" not in line
                              else line, "k")


def test_numbas_own_min_is_refused():
    with pytest.raises(CompileError, match="must not hold"):
        bridge.lower("def k(x):\n    x[0] = min(x[1], x[2])\n", "k", ("i64*",))
