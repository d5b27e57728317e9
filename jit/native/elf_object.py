"""Relocatable ELF64 objects as LLVM emits them: sections, symbols and relocations."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from eager.ops.errors import CompileError

X86_64, AARCH64 = 62, 183

SHT_SYMTAB, SHT_RELA, SHT_NOBITS, SHT_NOTE = 2, 4, 8, 7
SHF_WRITE, SHF_ALLOC, SHF_EXEC, SHF_TLS = 1, 2, 4, 0x400
SHN_UNDEF, SHN_ABS, SHN_COMMON = 0, 0xFFF1, 0xFFF2
STB_LOCAL, STB_GLOBAL, STB_WEAK = 0, 1, 2

_RUN_AT_LOAD = (".init_array", ".fini_array", ".ctors", ".dtors", ".preinit_array")


@dataclass(eq=False)
class Section:
    """One section; ``address`` is set by the linker."""

    name: str
    kind: int
    flags: int
    size: int
    align: int
    data: bytes
    link: int
    info: int
    address: int = -1


@dataclass(eq=False)
class Symbol:
    name: str
    binding: int
    kind: int
    section: int
    value: int
    size: int

    @property
    def is_defined(self) -> bool:
        return self.section != SHN_UNDEF


@dataclass(frozen=True)
class Relocation:
    offset: int
    kind: int
    symbol: int
    addend: int


@dataclass(eq=False)
class Object:
    """One parsed object file."""

    machine: int
    sections: list[Section]
    symbols: list[Symbol]
    relocations: dict[int, list[Relocation]] = field(default_factory=dict)  #: by section number

    def loaded(self) -> list[tuple[int, Section]]:
        """Sections that are in memory at run time, but for unwind tables, which nobody reads."""
        return [(k, s) for k, s in enumerate(self.sections)
                if s.flags & SHF_ALLOC and s.size and s.kind != SHT_NOTE
                and s.name != ".eh_frame"]


def read_object(data: bytes) -> Object:
    """Parse an object; CompileError where it is none."""
    if data[:6] != b"\x7fELF\x02\x01" or struct.unpack_from("<H", data, 16)[0] != 1:
        raise CompileError("the linker got something that is no 64-bit ELF object")
    (machine,) = struct.unpack_from("<H", data, 18)
    (table,) = struct.unpack_from("<Q", data, 40)
    count, names_at = struct.unpack_from("<HH", data, 60)
    raw = [struct.unpack_from("<IIQQQQIIQQ", data, table + 64 * k) for k in range(count)]
    names = data[raw[names_at][4]:raw[names_at][4] + raw[names_at][5]]
    sections = [
        Section(_text(names, name), kind, flags, size, max(align, 1),
                b"" if kind == SHT_NOBITS else data[offset:offset + size], link, info)
        for name, kind, flags, _, offset, size, link, info, align, _ in raw]
    found = Object(machine, sections, [])
    for s in sections:
        if s.kind == SHT_SYMTAB:
            found.symbols = _symbols(s, sections[s.link].data)
        elif s.kind == SHT_RELA:
            found.relocations[s.info] = [
                Relocation(offset, info & 0xFFFFFFFF, info >> 32, addend)
                for offset, info, addend in struct.iter_unpack("<QQq", s.data)]
        if s.flags & SHF_TLS:
            raise CompileError("thread-local storage is not linked")
        if s.name.startswith(_RUN_AT_LOAD):
            raise CompileError(f"section {s.name!r}: nothing runs when a program is loaded")
    return found


def _symbols(section: Section, strings: bytes) -> list[Symbol]:
    return [Symbol(_text(strings, name), info >> 4, info & 15, shndx, value, size)
            for name, info, _, shndx, value, size in struct.iter_unpack("<IBBHQQ", section.data)]


def _text(table: bytes, at: int) -> str:
    return table[at:table.index(b"\0", at)].decode()
