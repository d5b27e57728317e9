"""From a lowered module to a shared object: Numba once for all levels, LLVM once a level.

Every piece (a kernel, the driver, a routine of the library, the microkernels of a level) is
an object of its own, cached on disk under its text, so programs share what they have in common.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from jit.kernels import straight
from jit.kernels.driver import PARAMETERS, pointer_type
from jit.kernels.library import RESULTS, ROUTINES, Routine
from jit.kernels.steps import Kernel
from jit.lowering import Module
from jit.native import cache, sources
from jit.versions import fingerprint


@dataclass(frozen=True)
class Piece:
    """One unit of compilation: Python source, its signature, and what it calls."""

    name: str
    source: str
    signature: tuple[str, ...]
    returns: str = "void"
    aliases: bool = False
    granule: int = 0  #: of a kernel: its range is split in multiples of this
    split: bool = False  #: a routine that takes ``task, ntasks``
    calls: tuple[str, ...] = ()


def kernel_piece(kernel: Kernel) -> Piece:
    """A fused kernel as a unit of compilation."""
    pointers = tuple(f"{pointer_type(d)}*" for d in kernel.buffers)
    err = ("i64*",) if kernel.reports else ()
    return Piece(kernel.name, kernel.source,
                 (*pointers, *("i64",) * len(kernel.sizes), *err, "i64", "i64"),
                 aliases=kernel.aliases, granule=kernel.granule)


def routine_piece(routine: Routine) -> Piece:
    """A routine of the portable library as a unit of compilation."""
    return Piece(routine.name, routine.source, routine.signature,
                 RESULTS.get(routine.name, "void"), aliases=not routine.apart, split=routine.split,
                 calls=routine.calls)


def routine_closure(names: Iterable[str]) -> tuple[Routine, ...]:
    """Routines and everything they call."""
    found: dict[str, Routine] = {}
    stack = list(names)
    while stack:
        name = stack.pop()
        if name not in found:
            found[name] = ROUTINES[name]
            stack.extend(ROUTINES[name].calls)
    return tuple(found[n] for n in sorted(found))


def pieces(module: Module) -> tuple[Piece, ...]:
    """Everything of a module that Numba lowers; the driver comes last."""
    kernels = tuple(map(kernel_piece, module.kernels))
    routines = tuple(map(routine_piece, routine_closure({*module.routines, "pieces"})))
    driver = Piece("ej_program", module.driver, tuple(t for _, t in PARAMETERS), "i64",
                   aliases=True, calls=tuple(p.name for p in (*kernels, *routines)))
    return (*kernels, *routines, driver)


def portable_ir(piece: Piece, known: dict[str, Piece]) -> str:
    """Scalar IR of one piece that serves every level, from the cache or from Numba."""
    called = [known[c].signature for c in piece.calls]
    key = cache.digest("ir", fingerprint(), repr(_bare(piece)), called)
    held = cache.get(key)
    if held is not None:
        return held.decode()
    text = _straight(piece, known) or _by_numba(piece, known)
    cache.put(key, text.encode())
    return text


def _straight(piece: Piece, known: dict[str, Piece]) -> str:
    """IR of a driver as it is printed; empty for anything else."""
    if piece.name != "ej_program":
        return ""
    try:
        return straight.lower(
            piece.source, PARAMETERS,
            {n: (known[n].returns, known[n].signature) for n in piece.calls
             if not _is_forked(known[n])},
            {n: _fork_types(known[n]) for n in piece.calls if _is_forked(known[n])})
    except (straight.NotStraight, SyntaxError):
        return ""


def _by_numba(piece: Piece, known: dict[str, Piece]) -> str:
    from jit import numba_bridge as bridge

    externs = {n: bridge.Extern(known[n].returns, known[n].signature) for n in piece.calls
               if not _is_forked(known[n])}
    forks = {n: _fork_types(known[n]) for n in piece.calls if _is_forked(known[n])}
    text = bridge.lower(piece.source, piece.name, piece.signature, returns=piece.returns,
                        noalias=not piece.aliases, externs=externs, forks=forks)
    if piece.granule:
        text += bridge.task_wrapper(piece.name, piece.signature[:-2], piece.granule)
    elif piece.split:
        text += bridge.raw_task(piece.name, piece.signature[:-2])
    return text


def _is_forked(piece: Piece) -> bool:
    return piece.granule > 0 or piece.split


def _fork_types(piece: Piece) -> tuple[str, ...]:
    """The table of a task: a kernel's arguments and its total, or a routine's arguments."""
    return (*piece.signature[:-2], "i64") if piece.granule else piece.signature[:-2]


def _bare(piece: Piece) -> Piece:
    """The piece without its comments, which hold places of the user's code."""
    return replace(piece, source=re.sub(r"  #.*", "", piece.source))


def objects(texts: Sequence[str], level: str) -> list[bytes]:
    """The pieces of one level, its microkernels and what every level needs, as objects."""
    from jit.targets.isa import ISAS
    from jit.targets.microkernels import kernel_module

    isa = ISAS[level]
    found = [_object(t, level, 3) for t in texts]
    found.append(_object(kernel_module(isa), level, 1))
    found.append(_object(sources.text("memory", sources.machine_of(isa.triple)), level, 0))
    return found


def _object(text: str, level: str, effort: int) -> bytes:
    key = cache.digest("object", fingerprint(), text, level, effort)
    held = cache.get(key)
    if held is not None:
        return held
    from jit.targets import machine
    from jit.targets.isa import ISAS, host_levels

    # LLVM may abort the process on another machine's code: that happens in a child.
    emit = machine.compile_ir if host_levels() and level in ("v2", "v3", "v4") else (
        machine.compile_ir_isolated)
    made = emit(text, ISAS[level], level=effort)
    cache.put(key, made)
    return made


def shared_object(module: Module, levels: Sequence[str], *, runtime: bool = False) -> bytes:
    """A linked ``.so`` that exports ``ej_run`` for the levels of one architecture.

    ``runtime`` puts the thread pool in, for a file that stands alone.
    """
    parts = pieces(module)
    exports = ["ej_run", "ej_level", *(["ej_pool_start", "ej_pool_after_fork"] if runtime else [])]
    key = cache.digest("so", fingerprint(), [repr(_bare(p)) for p in parts], tuple(levels), exports)
    held = cache.get(key)
    if held is not None:
        return held
    from jit.native import elf

    known = {p.name: p for p in parts}
    texts = [portable_ir(p, known) for p in parts]
    found: list[bytes] = []
    groups: list[str] = []
    for level in levels:
        own = objects(texts, level)
        found += own
        groups += [f"__{level}"] * len(own)
    base = levels[0]
    shared = ["dispatch", "memory", *(["pool"] if runtime else [])]
    found += [_native(name, base) for name in shared]
    groups += [""] * len(shared)
    linked = elf.link(found, exports, "program.so", groups=groups)
    cache.put(key, linked)
    return linked


def _native(name: str, level: str) -> bytes:
    """One of the C pieces for the machine of a level."""
    from jit.targets.isa import ISAS

    # `memory` must stay loops; the others are optimised already.
    return _object(sources.text(name, sources.machine_of(ISAS[level].triple)), level,
                   0 if name == "memory" else 1)


#: What the process has when it is Python: the entry calls these.
_PYTHON = ("PyObject_Vectorcall", "Py_IncRef", "Py_DecRef", "PyEval_SaveThread",
           "PyEval_RestoreThread", "PyLong_FromLongLong", "PyTuple_New", "PyTuple_SetItem")


def runtime_object() -> bytes:
    """The ``.so`` with the pool and, on x86-64, the native entry of this process."""
    from jit.targets.isa import host_level

    level = "aarch64" if host_level() == "aarch64" else "v2"
    names = ["memory", "pool", *(["entry"] if level == "v2" else [])]
    exports = ["ej_pool_start", "ej_pool_after_fork",
               *(["ej_entry", "ej_entry_slots"] if level == "v2" else [])]
    key = cache.digest("runtime", fingerprint(), level)
    held = cache.get(key)
    if held is None:
        from jit.native import elf

        held = elf.link([_native(n, level) for n in names], exports, "eager-jit-runtime.so",
                        allowed=(*elf.ALLOWED_UNDEFINED, *_PYTHON))
        cache.put(key, held)
    return held
