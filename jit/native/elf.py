"""A static linker: LLVM's ELF64 objects become one shared object that needs nothing.

Four segments: headers and read-only data, code, data, zeros; no page is both writable and
executable.  File offsets equal addresses.  Objects of one CPU level are a name space of their
own: their global symbols get the level's suffix, so that levels do not meet.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from eager.ops.errors import CompileError
from jit.native.elf_object import (
    SHF_EXEC,
    SHF_WRITE,
    SHN_ABS,
    SHN_COMMON,
    SHT_NOBITS,
    STB_GLOBAL,
    STB_LOCAL,
    STB_WEAK,
    Object,
    Section,
    Symbol,
    read_object,
)
from jit.native.relocations import CALL, GOT, MACHINES, POINTER, Machine

#: What the runtime may leave to the process it is loaded into; all else is an error.
ALLOWED_UNDEFINED = frozenset({"pthread_create", "syscall"})

Key = str | tuple[int, int]  #: a global symbol by name, a local one by object and number


def link(objects: Sequence[bytes], exports: Sequence[str], soname: str,
         groups: Sequence[str] | None = None,
         allowed: Iterable[str] = ALLOWED_UNDEFINED) -> bytes:
    """Link objects; ``groups`` gives each object its suffix ("" for the shared name space).

    Raises CompileError for duplicate symbols, and for undefined ones that are not allowed.
    """
    parsed = [read_object(o) for o in objects]
    if not parsed:
        raise CompileError("there is nothing to link")
    _rename(parsed, groups or [""] * len(parsed))
    return _Linker(parsed, list(exports), soname, frozenset(allowed)).image()


def _rename(objects: Sequence[Object], groups: Sequence[str]) -> None:
    """Give the symbols that a group defines its suffix, in all objects of the group."""
    for suffix in sorted(set(groups) - {""}):
        mine = [o for o, g in zip(objects, groups, strict=True) if g == suffix]
        own = {s.name for o in mine for s in o.symbols if s.binding != STB_LOCAL and s.is_defined}
        for s in (s for o in mine for s in o.symbols):
            if s.binding != STB_LOCAL and s.name in own:
                s.name += suffix


@dataclass
class _Linker:
    objects: list[Object]
    exports: list[str]
    soname: str
    allowed: frozenset[str]
    globals: dict[str, tuple[int, Symbol]] = field(default_factory=dict)
    undefined: dict[str, int] = field(default_factory=dict)  #: name -> binding
    got: dict[Key, int] = field(default_factory=dict)
    stubs: dict[str, int] = field(default_factory=dict)
    absent: set[Key] = field(default_factory=set)  #: weak and defined nowhere

    def __post_init__(self) -> None:
        kinds = {o.machine for o in self.objects}
        if len(kinds) != 1 or not kinds <= set(MACHINES):
            raise CompileError(f"objects of machines {sorted(kinds)} cannot be linked together")
        self.machine: Machine = MACHINES[kinds.pop()]

    # --- symbols -------------------------------------------------------------------------------
    def resolve(self) -> None:
        """Find every global symbol; what is left must be on the list."""
        for k, o in enumerate(self.objects):
            for s in o.symbols:
                if s.binding == STB_LOCAL or not s.is_defined:
                    continue
                known = self.globals.get(s.name)
                if known and known[1].binding == STB_GLOBAL and s.binding == STB_GLOBAL:
                    raise CompileError(f"symbol {s.name!r} is defined twice")
                if known is None or (known[1].binding == STB_WEAK and s.binding == STB_GLOBAL):
                    self.globals[s.name] = (k, s)
        for s in (s for o in self.objects for s in o.symbols):
            if s.name and s.binding != STB_LOCAL and not s.is_defined and (
                    s.name not in self.globals):
                self.undefined[s.name] = min(self.undefined.get(s.name, STB_WEAK), s.binding)
        # What is weak and nowhere is null: that is how the dispatcher asks for levels.
        self.absent = {n for n, b in self.undefined.items()
                       if b == STB_WEAK and n not in self.allowed}
        self.undefined = {n: b for n, b in self.undefined.items() if n not in self.absent}
        missing = sorted(n for n in self.undefined if n not in self.allowed)
        if missing:
            raise CompileError(f"undefined symbols after linking: {', '.join(missing)}; a kernel "
                               f"calls a function that no object defines")
        for name in self.exports:
            if name not in self.globals:
                raise CompileError(f"symbol {name!r} is to be exported and no object defines it")

    def key(self, k: int, number: int) -> Key:
        s = self.objects[k].symbols[number]
        return s.name if s.binding != STB_LOCAL else (k, number)

    def address(self, key: Key) -> int | None:
        """The address of a symbol; None for one of another file."""
        if isinstance(key, str):
            if key in self.absent:
                return 0
            if key not in self.globals:
                return None
            k, s = self.globals[key]
        else:
            k, s = key[0], self.objects[key[0]].symbols[key[1]]
        if s.section == SHN_ABS:
            return s.value
        if s.section == SHN_COMMON:
            raise CompileError(f"common symbol {s.name!r} cannot be linked")
        section = self.objects[k].sections[s.section]
        if section.address < 0:
            raise CompileError(f"symbol {s.name!r} lies in section {section.name!r}, which is "
                               f"not loaded")
        return section.address + s.value

    def scan(self) -> int:
        """Count GOT slots, stubs and relocations that the loader must do."""
        left = 0
        for k, o in enumerate(self.objects):
            for number, section in o.loaded():
                for r in o.relocations.get(number, ()):
                    rule = self.machine.rules.get(r.kind)
                    if rule is None:
                        raise CompileError(f"{self.machine.name} relocation {r.kind} is unknown")
                    key = self.key(k, r.symbol)
                    if rule.needs == POINTER and not section.flags & SHF_WRITE:
                        raise CompileError(f"section {section.name!r} holds an address, and the "
                                           f"loader cannot write there; compile for PIC")
                    foreign = isinstance(key, str) and key in self.undefined
                    if rule.needs == GOT:
                        self.got.setdefault(key, len(self.got))
                    elif rule.needs == CALL and foreign:
                        assert isinstance(key, str)
                        self.got.setdefault(key, len(self.got))
                        self.stubs.setdefault(key, len(self.stubs))
                    left += rule.needs == POINTER and key not in self.absent
        return left + sum(key not in self.absent for key in self.got)

    # --- layout --------------------------------------------------------------------------------
    def image(self) -> bytes:
        self.resolve()
        count = self.scan()
        tables = _Tables(self)
        layout = _Layout()
        layout.take(64 + 56 * 5, 1)  # the headers
        places = {name: layout.take(len(data), 8) for name, data in tables.fixed.items()}
        rela = layout.take(24 * count, 8)
        self._place(layout, lambda s: not s.flags & (SHF_WRITE | SHF_EXEC))
        read_end = layout.at
        code = layout.align(self.machine.page)
        self._place(layout, lambda s: bool(s.flags & SHF_EXEC))
        stubs = layout.take(16 * len(self.stubs), 16)
        code_end = layout.at
        data = layout.align(self.machine.page)
        dynamic = layout.take(16 * 11, 16)
        self.got_at = layout.take(8 * len(self.got), 8)
        self.stubs_at = stubs
        self._place(layout, lambda s: bool(s.flags & SHF_WRITE) and s.kind != SHT_NOBITS)
        data_end = layout.at
        self._place(layout, lambda s: bool(s.flags & SHF_WRITE) and s.kind == SHT_NOBITS)
        image = bytearray(data_end)
        for o in self.objects:
            for _, s in o.loaded():
                image[s.address:s.address + len(s.data)] = s.data
        relocations = self._patch(image)
        assert len(relocations) == count
        for n, row in enumerate(relocations):
            struct.pack_into("<QQq", image, rela + 24 * n, *row)
        for name, table in tables.filled().items():
            image[places[name]:places[name] + len(table)] = table
        segments = (
            (1, 4, 0, read_end, read_end), (1, 5, code, code_end - code, code_end - code),
            (1, 6, data, data_end - data, layout.at - data), (2, 6, dynamic, 16 * 11, 16 * 11),
            (0x6474E551, 6, 0, 0, 0))
        entries = ((14, tables.offset(self.soname)), (4, places["hash"]), (5, places["strings"]),
                   (6, places["symbols"]), (10, len(tables.fixed["strings"])), (11, 24),
                   (7, rela), (8, 24 * count), (9, 24), (0x6FFFFFFB, 1), (0, 0))
        for n, entry in enumerate(entries):
            struct.pack_into("<QQ", image, dynamic + 16 * n, *entry)
        self._header(image, segments)
        return bytes(image)

    def _place(self, layout: _Layout, wanted: Callable[[Section], bool]) -> None:
        for o in self.objects:
            for _, s in o.loaded():
                if wanted(s):
                    s.address = layout.take(s.size, s.align)

    def _patch(self, image: bytearray) -> list[tuple[int, int, int]]:
        """Apply every relocation; what only the loader knows is returned as its rows."""
        rows: list[tuple[int, int, int]] = []
        for k, o in enumerate(self.objects):
            for number, section in o.loaded():
                for r in o.relocations.get(number, ()):
                    rows += self._apply(image, k, section, r.kind, r.symbol, r.offset, r.addend)
        for name, n in self.stubs.items():
            at = self.stubs_at + 16 * n
            image[at:at + 16] = self.machine.stub(at, self.got_at + 8 * self.got[name])
        for key, n in self.got.items():
            if key in self.absent:
                continue
            address = self.address(key)
            slot = self.got_at + 8 * n
            rows.append((slot, self.machine.relative, address) if address is not None else
                        (slot, self._index(key) << 32 | self.machine.glob_dat, 0))
        return rows

    def _apply(self, image: bytearray, k: int, section: Section, kind: int, number: int,
               offset: int, addend: int) -> list[tuple[int, int, int]]:
        rule, key = self.machine.rules[kind], self.key(k, number)
        place = section.address + offset
        address = self.address(key)
        if rule.needs == POINTER and key in self.absent:
            return []  # null, and the loader must not add where the image lies
        if rule.needs == POINTER:
            return [(place, self.machine.relative, address + addend) if address is not None else
                    (place, self._index(key) << 32 | self.machine.absolute, addend)]
        if rule.needs == GOT:
            address = self.got_at + 8 * self.got[key]
        elif address is None:
            if rule.needs != CALL or not isinstance(key, str):
                raise CompileError(f"{key!r} of another file is reached directly")
            address = self.stubs_at + 16 * self.stubs[key]
        rule.patch(image, place, address, addend)
        return []

    def _index(self, key: Key) -> int:
        """The number of a foreign symbol in the dynamic symbol table."""
        assert isinstance(key, str)
        return 1 + list(self.undefined).index(key)

    def _header(self, image: bytearray, segments: Sequence[tuple[int, ...]]) -> None:
        code = next(m for m, row in MACHINES.items() if row is self.machine)
        struct.pack_into("<16sHHIQQQIHHHHHH", image, 0, b"\x7fELF\x02\x01\x01" + b"\0" * 9, 3,
                         code, 1, 0, 64, 0, 0, 64, 56, len(segments), 64, 0, 0)
        for n, (kind, flags, at, size, memory) in enumerate(segments):
            align = self.machine.page if kind == 1 else 16
            struct.pack_into("<IIQQQQQQ", image, 64 + 56 * n, kind, flags, at, at, at, size,
                             memory, align)


class _Layout:
    """Hands out addresses in rising order."""

    def __init__(self) -> None:
        self.at = 0

    def align(self, n: int) -> int:
        self.at = (self.at + n - 1) // n * n
        return self.at

    def take(self, size: int, align: int) -> int:
        start = self.align(align)
        self.at += size
        return start


class _Tables:
    """The dynamic symbols with their strings and hash table."""

    def __init__(self, linker: _Linker) -> None:
        self.linker = linker
        self.names = [*linker.undefined, *linker.exports]
        strings = b"\0"
        self.offsets: dict[str, int] = {}
        for name in [*self.names, linker.soname]:
            if name not in self.offsets:
                self.offsets[name] = len(strings)
                strings += name.encode() + b"\0"
        self.fixed = {"hash": self._hash(), "symbols": bytes(24 * (1 + len(self.names))),
                      "strings": strings}

    def offset(self, name: str) -> int:
        return self.offsets[name]

    def filled(self) -> dict[str, bytes]:
        """The tables once addresses are known."""
        symbols = bytearray(24)
        for name in self.linker.undefined:
            symbols += struct.pack("<IBBHQQ", self.offsets[name],
                                   self.linker.undefined[name] << 4, 0, 0, 0, 0)
        for name in self.linker.exports:
            s = self.linker.globals[name][1]
            address = self.linker.address(name)
            assert address is not None
            # Any section number but 0 makes it defined; the loader looks at nothing else.
            symbols += struct.pack("<IBBHQQ", self.offsets[name], STB_GLOBAL << 4 | s.kind, 0, 1,
                                   address, s.size)
        return {**self.fixed, "symbols": bytes(symbols)}

    def _hash(self) -> bytes:
        count = max(1, len(self.names) // 2)
        buckets, chain = [0] * count, [0] * (1 + len(self.names))
        for n, name in enumerate(self.names, 1):
            b = _sysv_hash(name) % count
            chain[n], buckets[b] = buckets[b], n
        return struct.pack(f"<II{count}I{len(chain)}I", count, len(chain), *buckets, *chain)


def _sysv_hash(name: str) -> int:
    h = 0
    for c in name.encode():
        h = (h << 4) + c
        high = h & 0xF0000000
        h ^= high >> 24
        h &= ~high & 0xFFFFFFFF
    return h
