"""Who may import whom: the arrows point one way."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = ("eager", "jit", "export")
COMPILERS = ("numba", "llvmlite")
#: Where the compilers may be imported at the top of a module; these are loaded late themselves.
LATE = ("jit/numba_bridge.py", "jit/targets/")

#: The longest prefix of a file's path rules: what of ours, and what besides the standard library.
MAY_IMPORT: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "eager/ops/": (("eager.ops",), ("numpy", "ml_dtypes")),
    "eager/": (("eager",), ("numpy", "safetensors", "ml_dtypes")),
    "jit/": (("jit", "eager.ops", "eager.engine"), ("numpy", *COMPILERS)),
    "export/": (("export", "jit", "eager"), ("numpy", "safetensors", "onnx")),
    "export/runner/": (("export.runner",), ("numpy",)),
}
FILES = sorted(f.relative_to(ROOT) for top in OURS for f in (ROOT / top).rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """``(module, whether at the top)`` for each import, ``from a import b`` as ``a.b`` too."""
    tree = ast.parse((ROOT / path).read_text())
    inside = {id(n) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef)
              for n in ast.walk(f)}
    typing = {id(n) for i in ast.walk(tree) if isinstance(i, ast.If)
              and ast.unparse(i.test) == "TYPE_CHECKING" for n in ast.walk(i)}
    for node in ast.walk(tree):
        top = id(node) not in inside and id(node) not in typing
        if isinstance(node, ast.Import):
            yield from ((a.name, top) for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:  # the runner travels inside an artifact, under another name
                assert path.parent.name == "runner", f"{path}: imports are absolute"
                yield f"export.runner.{node.module or ''}".rstrip("."), top
                continue
            yield from ((f"{node.module}.{a.name}" if node.module in (*OURS, "eager.engine")
                         else str(node.module), top) for a in node.names)


def rule_for(path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    text = path.as_posix()
    return MAY_IMPORT[max((p for p in MAY_IMPORT if text.startswith(p)), key=len)]


def is_within(module: str, allowed: tuple[str, ...]) -> bool:
    return any(module == a or module.startswith(a + ".") for a in allowed)


def faults(path: Path) -> list[str]:
    """What a file imports against the rules."""
    ours, others = rule_for(path)
    found = []
    for module, top in imports(path):
        first = module.split(".")[0]
        if first in OURS:
            wrong = not is_within(module, ours)
        elif first in sys.stdlib_module_names:
            wrong = False
        else:
            late = path.as_posix().startswith(LATE)
            heavy = first in COMPILERS or "runner" in path.parts or first == "onnx"
            wrong = first not in others or (top and heavy and not late)
        if wrong:
            found.append(f"{path}: {module}{' at the top' if top else ''}")
    return found


@pytest.mark.parametrize("path", FILES, ids=str)
def test_imports_point_one_way(path: Path) -> None:
    assert not faults(path)


def test_a_wrong_arrow_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place, line in (("eager/ops/a.py", "import jit.graph"),
                        ("jit/a.py", "from eager import nn"), ("jit/b.py", "import numba"),
                        ("export/runner/a.py", "import numpy"),
                        ("export/runner/b.py", "def f():\n    import eager"),
                        ("eager/a.py", "import torch")):
        file = tmp_path / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(line)
        monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
        assert faults(Path(place)), line


def test_nothing_reaches_outside_of_the_repository() -> None:
    for path in (*FILES, *(f.relative_to(ROOT) for top in ("tests", "samples")
                           for f in (ROOT / top).rglob("*.py"))):
        text = (ROOT / path).read_text()
        assert "../" + "shared" not in text and "/work/" + "shared" not in text, path


@pytest.mark.parametrize("module, absent", [
    ("export.runner", ("numpy", "numba", "llvmlite", "eager", "jit")),
    ("eager", ("numba", "llvmlite", "jit")),
    ("jit", ("numba", "llvmlite", "export")),
    ("jit.passes", ("numba", "llvmlite", "export")),
])
def test_an_import_loads_no_more_than_it_says(module: str, absent: tuple[str, ...]) -> None:
    if not list((ROOT / module.replace(".", "/")).glob("__init__.py")):
        pytest.skip(f"{module} is not there")
    code = f"import sys, {module}; print(sorted(set({absent!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True,
                          check=True)
    assert done.stdout.strip() == "[]"
