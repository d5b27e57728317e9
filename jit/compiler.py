"""From a lowered module to a shared object: Numba once for all levels, LLVM once a level.

Every piece (a kernel, the driver, a routine of the library, the microkernels of a level) is
an object of its own, cached on disk under its text, so programs share what they have in common.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jit.kernels.driver import PARAMETERS, pointer_type
from jit.kernels.library import RESULTS, ROUTINES, Routine
from jit.kernels.steps import Kernel
from jit.lowering import Module
from jit.native import cache


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
                 RESULTS.get(routine.name, "void"), aliases=True, split=routine.split,
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
    key = cache.digest("ir", _versions(), _bare(piece), [known[c].signature for c in piece.calls])
    held = cache.get(key)
    if held is not None:
        return held.decode()
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
    cache.put(key, text.encode())
    return text


def _is_forked(piece: Piece) -> bool:
    return piece.granule > 0 or piece.split


def _fork_types(piece: Piece) -> tuple[str, ...]:
    """The table of a task: a kernel's arguments and its total, or a routine's arguments."""
    return (*piece.signature[:-2], "i64") if piece.granule else piece.signature[:-2]


def _bare(piece: Piece) -> Piece:
    """The piece without its comments, which hold places of the user's code."""
    import re
    from dataclasses import replace

    return replace(piece, source=re.sub(r"  #.*", "", piece.source))


def _versions() -> tuple[str, ...]:
    """What a cached text or object depends on besides its source."""
    from jit.versions import fingerprint

    return fingerprint()


def objects(texts: Sequence[str], level: str) -> list[bytes]:
    """The pieces of one level, its microkernels and what every level needs, as objects."""
    from jit.native import memory
    from jit.targets.isa import ISAS
    from jit.targets.microkernels import kernel_module

    isa = ISAS[level]
    found = [_object(t, level, 3) for t in texts]
    found.append(_object(kernel_module(isa), level, 1))
    found.append(_object(memory.text(), level, 0))
    return found


def _object(text: str, level: str, effort: int) -> bytes:
    key = cache.digest("object", _versions(), text, level, effort)
    held = cache.get(key)
    if held is not None:
        return held
    from jit.targets.isa import ISAS
    from jit.targets.machine import compile_ir

    made = compile_ir(text, ISAS[level], level=effort)
    cache.put(key, made)
    return made


def shared_object(module: Module, levels: Sequence[str], *, runtime: bool = False) -> bytes:
    """A linked ``.so`` that exports ``ej_run`` for the levels of one architecture.

    ``runtime`` puts the thread pool in, for a file that stands alone.
    """
    parts = pieces(module)
    key = cache.digest("so", _versions(), [_bare(p) for p in parts], tuple(levels), runtime)
    held = cache.get(key)
    if held is not None:
        return held
    from jit.native import dispatcher, elf, pool
    from jit.targets.isa import ISAS

    known = {p.name: p for p in parts}
    texts = [portable_ir(p, known) for p in parts]
    found: list[bytes] = []
    groups: list[str] = []
    for level in levels:
        own = objects(texts, level)
        found += own
        groups += [f"__{level}"] * len(own)
    base = levels[0]
    shared = [dispatcher.text(tuple(levels), ISAS[base].triple)]
    exports = ["ej_run", "ej_level"]
    if runtime:
        shared.append(pool.text(ISAS[base].triple))
        exports.append("ej_pool_start")
    found += [_object(t, base, 2) for t in shared]
    groups += [""] * len(shared)
    linked = elf.link(found, exports, "program.so", groups=groups)
    cache.put(key, linked)
    return linked
