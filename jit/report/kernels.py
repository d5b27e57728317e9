"""The kernels of a program as text, at every stage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from jit.lowering import Module


class Kernels(Mapping[str, str]):
    """Name to Python source: just what is compiled.  The driver is ``ej_program``.

    ``llvm`` and ``asm`` are the optimised IR and the assembly of the program's level.
    """

    def __init__(self, module: Module, level: str) -> None:
        self._module, self._level = module, level
        self._sources = {k.name: k.source for k in module.kernels} | {
            "ej_program": module.driver}

    def __getitem__(self, name: str) -> str:
        return self._sources[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sources)

    def __len__(self) -> int:
        return len(self._sources)

    def __str__(self) -> str:
        return "\n".join(self._sources.values())

    def __repr__(self) -> str:
        return f"<Kernels {', '.join(self._sources)}>"

    @property
    def llvm(self) -> dict[str, str]:
        """Optimised LLVM IR by kernel."""
        return self._emitted("optimised_ir")

    @property
    def asm(self) -> dict[str, str]:
        """Assembly by kernel."""
        return self._emitted("assembly")

    def _emitted(self, stage: str) -> dict[str, str]:
        from jit.compiler import pieces, portable_ir
        from jit.targets import machine
        from jit.targets.isa import ISAS

        parts = {p.name: p for p in pieces(self._module)}
        emit = getattr(machine, stage)
        return {n: emit(portable_ir(parts[n], parts), ISAS[self._level]) for n in self._sources}

    @property
    def ptx(self) -> dict[str, str]:
        """PTX for NVIDIA GPUs (sm_80) by fused kernel."""
        from jit.targets.nvptx import ptx_of

        return ptx_of(self._module)
