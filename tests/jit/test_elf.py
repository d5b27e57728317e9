"""The linker: what it makes loads and runs, and what it cannot make it names."""

from __future__ import annotations

import ctypes
import struct
import subprocess
import sys
from collections import Counter
from itertools import pairwise

import pytest

from eager.ops.errors import CompileError
from jit.native import elf, loader
from jit.native.elf_object import AARCH64, X86_64, read_object
from jit.native.relocations import MACHINES
from jit.targets.isa import ISAS, host_level
from jit.targets.machine import compile_ir

here = pytest.mark.skipif(host_level() == "aarch64", reason="loads x86-64 objects")


def emit(text: str, level: str = "v2", effort: int = 1) -> bytes:
    return compile_ir(text, ISAS[level], level=effort)


def segments(image: bytes) -> list[tuple[int, int, int, int, int, int]]:
    """(kind, flags, offset, address, bytes in the file, bytes in memory)."""
    (count,) = struct.unpack_from("<H", image, 56)
    rows = [struct.unpack_from("<IIQQQQQQ", image, 64 + 56 * k) for k in range(count)]
    return [(kind, flags, at, address, size, memory)
            for kind, flags, at, address, _, size, memory, _ in rows]


#: Every sort of reference: to code, constants, data, zeros, tables of addresses, other objects.
FIRST = """
@table = internal constant [3 x ptr] [ptr @one, ptr @two, ptr @three]
@wide = internal constant [8 x i64] [i64 1, i64 2, i64 3, i64 4,
                                     i64 5, i64 6, i64 7, i64 8], align 64
@counter = internal global i64 40
@zeros = internal global [5000 x i64] zeroinitializer
@shared = external global i64
declare i64 @other(i64)
define internal i64 @one(i64 %x) noinline { ret i64 %x }
define internal i64 @two(i64 %x) noinline { %r = mul i64 %x, 2  ret i64 %r }
define internal i64 @three(i64 %x) noinline { %r = mul i64 %x, 3  ret i64 %r }
define i64 @pick(i64 %k, i64 %x) {
  %p = getelementptr ptr, ptr @table, i64 %k
  %f = load ptr, ptr %p
  %r = call i64 %f(i64 %x)
  ret i64 %r
}
define i64 @count() {
  %v = load i64, ptr @counter
  %n = add i64 %v, 1
  store i64 %n, ptr @counter
  ret i64 %n
}
define i64 @zero(i64 %k) {
  %p = getelementptr i64, ptr @zeros, i64 %k
  %v = load i64, ptr %p
  store i64 7, ptr %p
  ret i64 %v
}
define i64 @far(i64 %x) { %r = call i64 @other(i64 %x)  ret i64 %r }
define i64 @wide_at(i64 %k) {
  %p = getelementptr i64, ptr @wide, i64 %k
  %v = load volatile i64, ptr %p
  ret i64 %v
}
define ptr @address_of_wide() { ret ptr @wide }
define i64 @read_shared() { %v = load i64, ptr @shared  ret i64 %v }
"""
SECOND = """
@shared = global i64 123
define i64 @other(i64 %x) {
  switch i64 %x, label %d [ i64 0, label %a i64 1, label %b i64 2, label %c i64 3, label %e ]
a: ret i64 50
b: ret i64 61
c: ret i64 72
e: ret i64 83
d: ret i64 -1
}
"""
NAMES = ["pick", "count", "zero", "far", "wide_at", "address_of_wide", "read_shared"]


@here
@pytest.mark.parametrize("effort", [0, 1, 3])
def test_linked_code_reaches_code_constants_data_and_zeros(effort: int) -> None:
    library = loader.load(elf.link([emit(FIRST, effort=effort), emit(SECOND, effort=effort)],
                                   NAMES, "first.so"))
    for name in NAMES:
        getattr(library, name).restype = ctypes.c_int64
    assert [library.pick(k, ctypes.c_int64(7)) for k in range(3)] == [7, 14, 21]
    assert [library.count(), library.count()] == [41, 42]
    assert [library.zero(4999), library.zero(4999), library.zero(0)] == [0, 7, 0]
    assert [library.far(k) for k in range(5)] == [50, 61, 72, 83, -1]
    assert [library.wide_at(k) for k in range(8)] == [*range(1, 9)]
    assert library.address_of_wide() % 64 == 0
    assert library.read_shared() == 123


@here
def test_two_images_of_the_same_bytes_have_data_of_their_own() -> None:
    image = elf.link([emit(FIRST), emit(SECOND)], NAMES, "twice.so")
    first, second = loader.load(image), loader.load(image)
    assert [first.count(), first.count(), second.count()] == [41, 42, 41]


@pytest.mark.parametrize("level", ["v2", "aarch64"])
def test_no_page_is_written_and_run_and_the_stack_is_not_run(level: str) -> None:
    image = elf.link([emit(FIRST, level), emit(SECOND, level)], NAMES, "x.so")
    found = segments(image)
    loads = [s for s in found if s[0] == 1]
    assert Counter(flags for _, flags, *_ in loads) == {4: 1, 5: 1, 6: 1}
    assert [flags for kind, flags, *_ in found if kind == 0x6474E551] == [6]
    page = MACHINES[{"v2": X86_64, "aarch64": AARCH64}[level]].page
    pages = [range(address // page, (address + memory + page - 1) // page)
             for _, _, _, address, _, memory in loads]
    assert all(a.stop <= b.start for a, b in pairwise(pages))
    assert all(at == address and at + size <= len(image) for _, _, at, address, size, _ in loads)


@pytest.mark.parametrize("level", ["v2", "aarch64"])
def test_the_same_objects_give_the_same_bytes(level: str) -> None:
    objects = [emit(FIRST, level), emit(SECOND, level)]
    assert elf.link(objects, NAMES, "x.so") == elf.link(objects, NAMES, "x.so")


LEVEL = """
@state = internal global i64 {0}
define i64 @value() {{ ret i64 {0} }}
define i64 @program() {{ %v = call i64 @value()  %w = call i64 @helper()  %r = add i64 %v, %w
  ret i64 %r }}
declare i64 @helper()
"""
SHARED = """
define i64 @helper() { ret i64 1000 }
declare extern_weak i64 @program__a()
declare extern_weak i64 @program__b()
declare extern_weak i64 @program__c()
define i64 @first() { %r = call i64 @program__a()  ret i64 %r }
define i64 @second() { %r = call i64 @program__b()  ret i64 %r }
define i1 @third() { %r = icmp ne ptr @program__c, null  ret i1 %r }
"""


@here
def test_levels_are_name_spaces_and_an_absent_one_is_null() -> None:
    image = elf.link([emit(LEVEL.format(1)), emit(LEVEL.format(2)), emit(SHARED)],
                     ["first", "second", "third"], "levels.so", groups=["__a", "__b", ""])
    library = loader.load(image)
    library.third.restype = ctypes.c_bool
    assert (library.first(), library.second(), library.third()) == (1001, 1002, False)
    with pytest.raises(AttributeError):
        library.helper  # noqa: B018 - what is not exported cannot be found


@here
def test_a_strong_definition_wins_over_a_weak_one() -> None:
    weak = "define weak i64 @f() { ret i64 1 }\ndefine i64 @g() { %r = call i64 @f()  ret i64 %r }"
    strong = "define i64 @f() { ret i64 2 }"
    for objects in ([weak, strong], [strong, weak]):
        library = loader.load(elf.link([emit(t) for t in objects], ["g"], "weak.so"))
        assert library.g() == 2


@here
def test_allowed_names_are_found_in_the_process() -> None:
    text = ("declare ptr @malloc(i64)\ndeclare void @free(ptr)\n@held = global ptr @free\n"
            "define i64 @f() { %p = call ptr @malloc(i64 100)  %v = ptrtoint ptr %p to i64\n"
            "  %g = load ptr, ptr @held  call void %g(ptr %p)  ret i64 %v }")
    library = loader.load(elf.link([emit(text)], ["f"], "alloc.so", allowed=("malloc", "free")))
    library.f.restype = ctypes.c_int64
    assert library.f() != 0


def test_an_undefined_symbol_is_named() -> None:
    text = "declare i64 @nowhere()\ndefine i64 @f() { %r = call i64 @nowhere()  ret i64 %r }"
    with pytest.raises(CompileError, match="nowhere"):
        elf.link([emit(text)], ["f"], "x.so")


def test_a_symbol_defined_twice_is_named() -> None:
    text = "define i64 @again() { ret i64 1 }"
    with pytest.raises(CompileError, match="'again' is defined twice"):
        elf.link([emit(text), emit(text)], ["again"], "x.so")


def test_an_export_that_is_not_there_is_named() -> None:
    with pytest.raises(CompileError, match="'absent'"):
        elf.link([emit("define i64 @f() { ret i64 1 }")], ["absent"], "x.so")


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"MZ" + bytes(100)])
def test_what_is_no_object_is_refused(data: bytes) -> None:
    with pytest.raises(CompileError, match="no 64-bit ELF object"):
        elf.link([data], [], "x.so")


def test_a_linked_file_is_no_object() -> None:
    image = elf.link([emit("define i64 @f() { ret i64 1 }")], ["f"], "x.so")
    with pytest.raises(CompileError, match="no 64-bit ELF object"):
        elf.link([image], ["f"], "x.so")


def test_nothing_and_mixed_machines_are_refused() -> None:
    with pytest.raises(CompileError, match="nothing to link"):
        elf.link([], [], "x.so")
    text = "define i64 @f() { ret i64 1 }"
    with pytest.raises(CompileError, match="cannot be linked together"):
        elf.link([emit(text), emit(text.replace("@f", "@g"), "aarch64")], ["f"], "x.so")


def test_thread_local_data_and_functions_run_at_load_are_refused() -> None:
    with pytest.raises(CompileError, match="thread-local"):
        elf.link([emit("@t = thread_local global i64 1")], [], "x.so")
    constructor = ("@llvm.global_ctors = appending global [1 x { i32, ptr, ptr }] "
                   "[{ i32, ptr, ptr } { i32 65535, ptr @f, ptr null }]\n"
                   "define void @f() { ret void }")
    with pytest.raises(CompileError, match="nothing runs when a program is loaded"):
        elf.link([emit(constructor, effort=0)], ["f"], "x.so")


def test_an_address_among_read_only_bytes_is_refused() -> None:
    text = ('@held = constant ptr @f, section ".rodata.mine"\n'
            "define i64 @f() { ret i64 1 }\n")
    made = bytearray(emit(text))
    parsed = read_object(bytes(made))
    number = next(k for k, s in enumerate(parsed.sections) if s.name == ".rodata.mine")
    table = struct.unpack_from("<Q", made, 40)[0]
    struct.pack_into("<Q", made, table + 64 * number + 8, 2)  # flags: allocated, not writable
    with pytest.raises(CompileError, match=r"'\.rodata\.mine' holds an address"):
        elf.link([bytes(made)], ["f"], "x.so")


# --- the rows of relocations -------------------------------------------------------------------
def test_x86_rows_write_what_the_abi_says() -> None:
    rules = MACHINES[X86_64].rules
    image = bytearray(32)
    rules[2].patch(image, 8, 0x1000, -4)
    assert struct.unpack_from("<i", image, 8) == (0x1000 - 4 - 8,)
    rules[24].patch(image, 16, 0x10, 3)
    assert struct.unpack_from("<q", image, 16) == (3,)
    with pytest.raises(CompileError, match="does not fit 32 bits"):
        rules[4].patch(image, 0, 1 << 31, 0)


def test_aarch64_rows_write_what_the_abi_says() -> None:
    rules = MACHINES[AARCH64].rules
    cases = [
        (283, 0x94000000, 0x100, 0x200, 0x94000040),  # bl +0x100
        (282, 0x14000000, 0x200, 0x100, 0x17FFFFC0),  # b -0x100
        (275, 0x90000000, 0x0, 0x5000, 0xB0000020),  # adrp x0, +5 pages
        (277, 0x91000000, 0x0, 0x5123, 0x91048C00),  # add x0, x0, 0x123
        (286, 0xF9400000, 0x0, 0x5128, 0xF9409400),  # ldr x0, [x0, 0x128]
        (299, 0x3DC00000, 0x0, 0x5040, 0x3DC01000),  # ldr q0, [x0, 0x40]
    ]
    for kind, word, place, target, want in cases:
        image = bytearray(0x400)
        struct.pack_into("<I", image, place, word)
        rules[kind].patch(image, place, target, 0)
        assert struct.unpack_from("<I", image, place) == (want,), kind
    with pytest.raises(CompileError, match="no multiple of 8"):
        rules[286].patch(bytearray(8), 0, 0x5124, 0)
    with pytest.raises(CompileError, match="does not fit 28 bits"):
        rules[283].patch(bytearray(8), 0, 1 << 28, 0)


def test_an_unknown_relocation_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(MACHINES[X86_64].rules, 4)
    with pytest.raises(CompileError, match="x86-64 relocation 4 is unknown"):
        elf.link([emit(FIRST, effort=0), emit(SECOND)], NAMES, "x.so")


@here
def test_the_linker_needs_no_compiler() -> None:
    done = subprocess.run([sys.executable, "-c", "import sys, jit.native.elf, jit.native.cache; "
                           "print(sorted({'numba', 'llvmlite'} & set(sys.modules)))"],
                          capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
