"""Every stage of a program as files, for who sets ``EAGER_JIT_DUMP`` to a folder."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eager.ops.errors import GraphError
from jit.text import arrays_beside, print_graph

if TYPE_CHECKING:
    from jit.program import Program


def dump(program: Program, folder: str) -> Path:
    """Write the stages into a folder of their own inside ``folder``, and return it.

    It is called ``name-digest`` and appears whole or not at all; a program that is made twice
    is written once.  ``00-trace.txt`` to ``11-hoist.txt`` are the graph after each pass,
    ``constants.npz`` the arrays beside the first, ``code.py`` the same as Python, ``report.txt``
    and ``explain.txt`` what those methods say, ``kernels.py`` the kernels and the driver,
    and ``*.ll`` and ``*.s`` what LLVM made of each.
    """
    texts = dict(_texts(program))
    digest = hashlib.sha256(repr([*texts.items(), program.level]).encode()).hexdigest()[:12]
    name = re.sub(r"\W", "_", program.graph.name)
    target = Path(folder) / f"{name}-{digest}"
    if target.exists():
        return target
    Path(folder).mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder))
    try:
        for file, text in (*texts.items(), *_native(program)):
            (temporary / file).write_text(text if text.endswith("\n") else text + "\n")
        beside = arrays_beside(program.graph)
        if beside:
            np.savez(temporary / "constants.npz", *(c.array for c in beside))
        temporary.chmod(0o755)
        temporary.rename(target)
    except OSError:
        if not target.exists():  # else another process was faster
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def _texts(program: Program) -> Iterator[tuple[str, str]]:
    history = program.history
    yield "00-trace.txt", print_graph(program.graph)
    for k, change in enumerate(history, 1):
        yield f"{k:02}-{change.name}.txt", print_graph(change.after)
    yield "report.txt", program.report()
    yield "explain.txt", program.explain()
    yield "kernels.py", str(program.kernels)


def _native(program: Program) -> Iterator[tuple[str, str]]:
    yield "code.py", _code(program)
    yield from ((f"{name}.ll", text) for name, text in program.kernels.llvm.items())
    yield from ((f"{name}.s", text) for name, text in program.kernels.asm.items())


def _code(program: Program) -> str:
    try:
        return str(program.code)
    except GraphError as error:
        return f"# {error}"
