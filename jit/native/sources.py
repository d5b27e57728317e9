"""The C pieces of the runtime as LLVM IR; the text lies beside its source in ``c/``."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent / "c"


def machine_of(triple: str) -> str:
    """``x86_64`` or ``aarch64``."""
    return triple.split("-", 1)[0]


def text(name: str, machine: str) -> str:
    """The IR of ``dispatch``, ``memory``, ``pool`` or ``entry`` for a machine."""
    return (_FOLDER / f"{name}.{machine}.ll").read_text()
