"""What each machine's relocations do to the bytes: one row a kind."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from eager.ops.errors import CompileError
from jit.native.elf_object import AARCH64, X86_64

Image = bytearray

#: What a relocation needs the address of: the symbol, its slot in the GOT, or something callable.
SYMBOL, GOT, CALL, POINTER = "symbol", "got", "call", "pointer"


@dataclass(frozen=True)
class Rule:
    """``patch(image, place, target, addend)``; ``pointer`` rules are left to the loader."""

    needs: str
    patch: Callable[[Image, int, int, int], None]


@dataclass(frozen=True)
class Machine:
    """Relocation rules and the numbers that the loader knows."""

    name: str
    page: int
    rules: dict[int, Rule]
    relative: int  #: R_*_RELATIVE
    glob_dat: int  #: R_*_GLOB_DAT
    absolute: int  #: R_*_64 against a symbol of another file
    stub: Callable[[int, int], bytes]  #: (address, address of the GOT slot) -> jump through it


def _fit(value: int, bits: int) -> int:
    if not -(1 << (bits - 1)) <= value < 1 << (bits - 1):
        raise CompileError(f"a relocation of {value} does not fit {bits} bits")
    return value


# --- x86-64 ------------------------------------------------------------------------------------
def _relative32(image: Image, place: int, target: int, addend: int) -> None:
    struct.pack_into("<i", image, place, _fit(target + addend - place, 32))


def _relative64(image: Image, place: int, target: int, addend: int) -> None:
    struct.pack_into("<q", image, place, target + addend - place)


def _nothing(image: Image, place: int, target: int, addend: int) -> None:
    pass


def _stub_x86(at: int, slot: int) -> bytes:
    return b"\xff\x25" + struct.pack("<i", slot - (at + 6)) + b"\xcc" * 10


# --- aarch64 -----------------------------------------------------------------------------------
def _word(image: Image, place: int) -> int:
    (value,) = struct.unpack_from("<I", image, place)
    return int(value)


def _put(image: Image, place: int, value: int) -> None:
    struct.pack_into("<I", image, place, value & 0xFFFFFFFF)


def _branch26(image: Image, place: int, target: int, addend: int) -> None:
    delta = _fit(target + addend - place, 28)
    _put(image, place, _word(image, place) & 0xFC000000 | (delta >> 2) & 0x3FFFFFF)


def _page21(image: Image, place: int, target: int, addend: int) -> None:
    pages = _fit(((target + addend) >> 12) - (place >> 12), 21)
    _put(image, place, _word(image, place) & 0x9F00001F | (pages & 3) << 29
         | ((pages >> 2) & 0x7FFFF) << 5)


def _low12(shift: int) -> Callable[[Image, int, int, int], None]:
    def patch(image: Image, place: int, target: int, addend: int) -> None:
        low = (target + addend) & 0xFFF
        if low & ((1 << shift) - 1):
            raise CompileError(f"address {target + addend:#x} is no multiple of {1 << shift}, "
                               f"which the instruction that reads it needs")
        _put(image, place, _word(image, place) | low >> shift << 10)
    return patch


def _stub_aarch64(at: int, slot: int) -> bytes:
    pages = (slot >> 12) - (at >> 12)
    return struct.pack(
        "<IIII",
        0x90000010 | (pages & 3) << 29 | ((pages >> 2) & 0x7FFFF) << 5,  # adrp x16, slot
        0xF9400211 | ((slot & 0xFFF) >> 3) << 10,  # ldr x17, [x16, slot]
        0xD61F0220, 0xD503201F)  # br x17; nop


MACHINES = {
    X86_64: Machine("x86-64", 0x1000, {
        1: Rule(POINTER, _nothing),  # R_X86_64_64
        2: Rule(CALL, _relative32),  # PC32
        4: Rule(CALL, _relative32),  # PLT32
        9: Rule(GOT, _relative32),  # GOTPCREL
        24: Rule(SYMBOL, _relative64),  # PC64
        41: Rule(GOT, _relative32),  # GOTPCRELX
        42: Rule(GOT, _relative32),  # REX_GOTPCRELX
    }, relative=8, glob_dat=6, absolute=1, stub=_stub_x86),
    AARCH64: Machine("aarch64", 0x10000, {
        257: Rule(POINTER, _nothing),  # R_AARCH64_ABS64
        261: Rule(SYMBOL, _relative32),  # PREL32
        275: Rule(SYMBOL, _page21),  # ADR_PREL_PG_HI21
        277: Rule(SYMBOL, _low12(0)),  # ADD_ABS_LO12_NC
        278: Rule(SYMBOL, _low12(0)),  # LDST8
        282: Rule(CALL, _branch26),  # JUMP26
        283: Rule(CALL, _branch26),  # CALL26
        284: Rule(SYMBOL, _low12(1)),  # LDST16
        285: Rule(SYMBOL, _low12(2)),  # LDST32
        286: Rule(SYMBOL, _low12(3)),  # LDST64
        299: Rule(SYMBOL, _low12(4)),  # LDST128
        311: Rule(GOT, _page21),  # ADR_GOT_PAGE
        312: Rule(GOT, _low12(3)),  # LD64_GOT_LO12_NC
    }, relative=1027, glob_dat=1025, absolute=257, stub=_stub_aarch64),
}
