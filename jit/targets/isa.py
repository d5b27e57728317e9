"""The CPU levels that code is emitted for, and which of them this machine has.

Nothing here imports llvmlite: the level is asked for on the way of a cache hit.
"""

from __future__ import annotations

import functools
import os
import platform
from dataclasses import dataclass, field
from pathlib import Path

from eager.ops.errors import CompileError

_LINUX, _ARM, _CUDA = "x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu", "nvptx64-nvidia-cuda"

#: Columns of a panel of packed floats: one line of 64 bytes, on every level.
PANEL = 16


@dataclass(frozen=True)
class Isa:
    """One target of LLVM, and the register tiles of its float32 microkernels.

    A tile of ``mr`` rows may cover any of ``panels[mr]`` panels of 16 columns at once; the
    counts are those whose accumulators fit the register file.
    """

    name: str
    triple: str
    cpu: str
    features: str = ""
    width: int = 1  #: floats in a vector register
    rows: int = 0  #: the most rows of a tile (MR); 0: no microkernels
    fma: bool = True
    panels: dict[int, tuple[int, ...]] = field(default_factory=dict, hash=False)
    unroll: int = 4  #: steps of k in one turn of the loop, a power of two


_AVX512 = {1: (1, 2, 4, 8), **dict.fromkeys(range(2, 7), (1, 2, 4))}
_SIXTEEN_OR_32 = {1: (1, 2, 4), 2: (1, 2), **dict.fromkeys(range(3, 7), (1,))}

ISAS = {isa.name: isa for isa in (
    Isa("v2", _LINUX, "x86-64-v2", "", 4, 2, False, {1: (1, 2), 2: (1,)}),
    Isa("v3", _LINUX, "x86-64-v3", "", 8, 6, True, _SIXTEEN_OR_32),
    # LLVM prefers 256 bit on generic AVX-512 CPUs; fused arithmetic is 1.4-1.7x faster at 512.
    Isa("v4", _LINUX, "x86-64-v4", "-prefer-256-bit", 16, 6, True, _AVX512),
    # Four steps of 24 accumulators spill where LLVM hoists the loads of all four.
    Isa("aarch64", _ARM, "generic", "", 4, 6, True, _SIXTEEN_OR_32, unroll=2),
    Isa("nvptx", _CUDA, "sm_80", "+ptx70"),
)}

#: What a CPU must say in ``/proc/cpuinfo`` for each x86-64 level, beyond the level below.
_FLAGS = {
    "v2": "cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3",
    "v3": "abm avx avx2 bmi1 bmi2 f16c fma movbe",
    "v4": "avx512f avx512bw avx512cd avx512dq avx512vl",
}


def levels_of(flags: set[str]) -> tuple[str, ...]:
    """The x86-64 levels that a CPU with these flags of ``/proc/cpuinfo`` runs, lowest first."""
    found: list[str] = []
    for level, needed in _FLAGS.items():
        if not flags.issuperset(needed.split()):
            break
        found.append(level)
    return tuple(found)


@functools.cache
def host_levels() -> tuple[str, ...]:
    """Every level that this machine runs, lowest first; CompileError if there is none."""
    machine = platform.machine()
    if machine in ("aarch64", "arm64"):
        return ("aarch64",)
    found: tuple[str, ...] = ()
    if machine in ("x86_64", "AMD64"):
        found = levels_of(_cpu_flags())
    if not found:
        raise CompileError(f"compiled code needs an x86-64-v2 or aarch64 CPU, this is {machine} "
                           "without it; run the program eagerly")
    return found


def _cpu_flags() -> set[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() == "flags":
            return set(value.split())
    return _llvm_flags()


def _llvm_flags() -> set[str]:
    """Where there is no ``/proc``: LLVM's own look at the CPU, in the kernel's spelling."""
    import llvmlite.binding as llvm

    spelled = {"64bit": "lm", "sahf": "lahf_lm", "lzcnt": "abm", "bmi": "bmi1",
               "sse4.1": "sse4_1", "sse4.2": "sse4_2"}
    return {spelled.get(k, k) for k, v in llvm.get_host_cpu_features().items() if v}


def host_level() -> str:
    """The level to compile for: the best this CPU has, or the one ``EAGER_JIT_LEVEL`` pins.

    CompileError where the pinned level is unknown or above this CPU.
    """
    have = host_levels()
    pinned = os.environ.get("EAGER_JIT_LEVEL", "")
    if not pinned:
        return have[-1]
    if pinned not in have:
        what = "this CPU does not run it" if pinned in ISAS else "there is no such level"
        raise CompileError(f"EAGER_JIT_LEVEL={pinned}: {what}; this CPU runs {', '.join(have)}")
    return pinned
