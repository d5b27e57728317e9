"""The C ABI is written down three times, for C, for the compiler and for the runner: alike."""

from __future__ import annotations

import re
from pathlib import Path

from export.runner import native
from export.runner.format import ABI
from jit.native import abi

HEADER = (Path(__file__).parent.parent / "jit/native/c/ej.h").read_text()
RENAMED = {"in": "inputs", "out": "outputs"}


def fields_of(name: str) -> list[str]:
    """The members of a C structure, in order, under the names that Python uses."""
    body = re.search(rf"typedef struct {name} \{{(.*?)\}}", HEADER, re.S).group(1)
    body = re.sub(r"/\*.*?\*/", "", body, flags=re.S)
    names = [re.findall(r"\w+", part)[-1] for line in body.split(";") if line.strip()
             for part in line.split(",")]
    return [RENAMED.get(n, n) for n in names]


def test_compiler_and_runner_agree() -> None:
    for mine, theirs in ((abi.Call, native.Call), (abi.Error, native.Error)):
        assert list(mine._fields_) == list(theirs._fields_)
    assert abi.ABI == ABI == int(re.search(r"#define EJ_ABI (\d+)", HEADER).group(1))


def test_the_header_has_the_same_members() -> None:
    assert fields_of("ej_call") == [n for n, _ in abi.Call._fields_]
    assert fields_of("ej_error") == [n for n, _ in abi.Error._fields_]
