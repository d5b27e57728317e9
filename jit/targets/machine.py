"""From IR text to objects, by llvmlite alone: parse, retarget, verify, optimise, emit.

The same text, target and LLVM give the same bytes.
As a program (``python -m jit.targets.machine NAME LEVEL OUTPUT``) it compiles standard input to
standard output: an abort of LLVM then ends a child process, not the caller.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from eager.ops.errors import CompileError
from jit.targets.isa import ISAS, Isa

if TYPE_CHECKING:
    import llvmlite.binding as llvm

_TARGET_LINES = re.compile(r'^target (triple|datalayout) = ".*"\n?', re.M)


# --- the public functions ----------------------------------------------------------------------
def compile_ir(text: str, isa: Isa, *, level: int = 3, keep: Iterable[str] = ()) -> bytes:
    """An ELF object of a module of IR text.

    ``level`` is LLVM's: 3 vectorises, 1 is for code that is explicit already, 0 runs no passes
    (a ``memcpy`` written as a loop must stay one).  ``keep``: if given, the only functions that
    stay visible.  CompileError where the text is no valid module.
    """
    machine, module = _optimised(text, isa, level, keep)
    return bytes(machine.emit_object(module))


def assembly(text: str, isa: Isa, *, level: int = 3, keep: Iterable[str] = ()) -> str:
    """The assembly that `compile_ir` would assemble."""
    machine, module = _optimised(text, isa, level, keep)
    return str(machine.emit_assembly(module))


def optimised_ir(text: str, isa: Isa, *, level: int = 3, keep: Iterable[str] = ()) -> str:
    """The IR that `compile_ir` would emit code for."""
    return str(_optimised(text, isa, level, keep)[1])


def ptx(text: str, isa: Isa | None = None, *, level: int = 3) -> str:
    """PTX of a module whose kernels are ``ptx_kernel`` functions."""
    return assembly(text, isa or ISAS["nvptx"], level=level)


def compile_ir_isolated(text: str, isa: Isa, *, level: int = 3, timeout: float = 300) -> bytes:
    """`compile_ir` in a child process, for targets where LLVM may abort."""
    return _child(text, isa, level, "object", timeout)


def ptx_isolated(text: str, isa: Isa | None = None, *, level: int = 3,
                 timeout: float = 300) -> str:
    """`ptx` in a child process."""
    return _child(text, isa or ISAS["nvptx"], level, "assembly", timeout).decode()


# --- how ---------------------------------------------------------------------------------------
def _optimised(text: str, isa: Isa, level: int, keep: Iterable[str]) -> tuple[Any, Any]:
    machine = target_machine(isa, level)
    module = parse(text, isa, machine)
    kept = set(keep)
    if kept:
        _hide_others(module, kept)
    if level:
        _run_passes(module, machine, level)
    return machine, module


def target_machine(isa: Isa, level: int = 3) -> llvm.TargetMachine:
    """LLVM's machine of a target, position-independent."""
    import llvmlite.binding as llvm

    _initialize(isa)
    try:
        target = llvm.Target.from_triple(isa.triple)
    except RuntimeError as e:
        raise CompileError(f"this LLVM has no target {isa.triple} ({isa.name}): {e}") from e
    return target.create_target_machine(cpu=isa.cpu, features=isa.features, opt=max(level, 1),
                                        reloc="pic", codemodel="default")


def _initialize(isa: Isa) -> None:
    """Idempotent in LLVM; only foreign targets pay for all of them."""
    import llvmlite.binding as llvm

    if isa.triple.startswith("x86_64"):
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        llvm.initialize_native_asmparser()
    else:
        llvm.initialize_all_targets()
        llvm.initialize_all_asmprinters()


def parse(text: str, isa: Isa, machine: llvm.TargetMachine) -> llvm.ModuleRef:
    """A verified module of the text, its target replaced by ``isa``'s."""
    import llvmlite.binding as llvm

    head = f'target triple = "{isa.triple}"\ntarget datalayout = "{machine.target_data}"\n'
    try:
        module = llvm.parse_assembly(head + _TARGET_LINES.sub("", text))
        module.verify()
    except RuntimeError as e:
        raise CompileError(f"LLVM refuses the IR of {isa.name}: {e}") from e
    return module


def _hide_others(module: llvm.ModuleRef, kept: set[str]) -> None:
    missing = kept - {f.name for f in module.functions if not f.is_declaration}
    if missing:
        raise CompileError(f"the IR defines no {', '.join(sorted(missing))}")
    for f in module.functions:
        if not f.is_declaration and f.name not in kept:
            f.linkage = "internal"


def _run_passes(module: llvm.ModuleRef, machine: llvm.TargetMachine, level: int) -> None:
    import llvmlite.binding as llvm

    options = llvm.create_pipeline_tuning_options(speed_level=level)
    wide = level >= 2
    options.loop_vectorization = options.slp_vectorization = wide
    options.loop_unrolling = options.loop_interleaving = wide
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)


# --- in a child process ------------------------------------------------------------------------
def _child(text: str, isa: Isa, level: int, output: str, timeout: float) -> bytes:
    if isa != ISAS.get(isa.name):
        raise CompileError(f"only the targets {', '.join(ISAS)} are compiled apart, got {isa.name}")
    command = [sys.executable, "-m", __name__, isa.name, str(level), output]
    try:
        done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=timeout,
                              cwd=_package_root(), check=False)
    except subprocess.TimeoutExpired:
        raise CompileError(f"LLVM took over {timeout:.0f} s for {isa.name}") from None
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip()[-2000:]
        raise CompileError(f"LLVM failed for {isa.name} (exit {done.returncode}): {words}")
    return done.stdout


def _package_root() -> str:
    from pathlib import Path

    return str(Path(__file__).resolve().parents[2])


def _main(name: str, level: str, output: str) -> int:
    text = sys.stdin.buffer.read().decode()
    try:
        result = (compile_ir(text, ISAS[name], level=int(level)) if output == "object"
                  else assembly(text, ISAS[name], level=int(level)).encode())
    except CompileError as e:
        print(e, file=sys.stderr)
        return 1
    sys.stdout.buffer.write(result)
    return 0


if __name__ == "__main__":
    raise SystemExit(_main(*sys.argv[1:]))
