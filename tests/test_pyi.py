"""The public surface: lazy, complete, and typed by stub files that say what is there."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import eager
from eager.engine.pyi import PACKAGE, stubs
from eager.engine.tensor import Tensor
from eager.nn import functional

STUBS = stubs()


@pytest.mark.parametrize("path", STUBS, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_stubs_are_what_the_table_gives(path: Path) -> None:
    assert path.read_text() == STUBS[path], (
        f"{path.name} is out of date: run python -m eager.engine.pyi")


def declared(path: str) -> dict[str, ast.stmt]:
    """Functions and names that a stub declares, by name."""
    found: dict[str, ast.stmt] = {}
    for node in ast.parse((PACKAGE / path).read_text()).body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.AnnAssign):
            found[ast.unparse(node.target)] = node
        elif isinstance(node, ast.Assign):
            found[ast.unparse(node.targets[0])] = node
        elif isinstance(node, ast.ImportFrom):
            found |= {a.name: node for a in node.names if a.asname == a.name}
    return found


@pytest.mark.parametrize(("path", "module"), [("__init__.pyi", eager),
                                              ("nn/functional.pyi", functional)])
def test_stub_and_module_have_the_same_names(path: str, module: Any) -> None:
    assert set(declared(path)) == {n for n in dir(module) if n == "__version__" or n[0] != "_"}
    for name in declared(path):
        assert getattr(module, name) is not None


def test_parameters_of_a_stub_are_those_that_the_function_takes() -> None:
    x = eager.ones(2, 3)
    text = (PACKAGE / "__init__.pyi").read_text()
    assert "def flatten(input: Tensor, start_dim: _int = 0, end_dim: _int = -1, *" in text
    assert eager.flatten(input=x, start_dim=0, end_dim=-1).shape == (6,)
    assert "def add(input: Tensor, other: Tensor | _float, *, alpha: _float = 1" in text
    assert eager.add(input=x, other=1.0, alpha=2)[0, 0].item() == 3


def test_every_method_of_the_stub_is_on_the_class_and_the_reverse() -> None:
    tree = ast.parse((PACKAGE / "engine" / "tensor.pyi").read_text())
    stub = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "Tensor")
    names = {n.name for n in stub.body if isinstance(n, ast.FunctionDef)}
    assert names <= {n for n in dir(Tensor)}
    own = {n for n, v in vars(Tensor).items() if callable(v) or isinstance(v, property)}
    assert own <= names | {"__init__"}


def test_doc_and_signature_survive() -> None:
    assert inspect.getdoc(eager.softmax)
    assert inspect.getdoc(Tensor.flatten) == inspect.getdoc(eager.flatten)


def test_unknown_names_are_attribute_errors() -> None:
    for name in ("rleu", "_private", "__path_to__"):
        with pytest.raises(AttributeError, match=f"module 'eager' has no attribute '{name}'"):
            getattr(eager, name)


def test_dtypes() -> None:
    assert eager.float is eager.float32 and eager.long is eager.int64
    assert eager.zeros(1, dtype=eager.double).dtype is eager.float64
    assert isinstance(eager.bool, eager.dtype)


def loaded_by(code: str) -> set[str]:
    """The packages that a fresh process has loaded after some code."""
    words = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}; print(*sys.modules)"], check=True,
        capture_output=True, text=True, cwd=PACKAGE.parent).stdout.split()
    return {w.split(".")[0] for w in words}


def test_importing_eager_loads_nothing_heavy() -> None:
    assert not loaded_by("import eager") & {"numpy", "numba", "llvmlite", "jit", "export"}
    used = loaded_by("import eager; eager.ones(2); eager.nn.Linear(1, 1); eager.optim.SGD; "
                     "eager.data.DataLoader; eager.autograd.grad")
    assert "numpy" in used and not used & {"numba", "llvmlite", "jit", "export"}


def test_tensors_need_no_generators_of_numpys() -> None:
    code = "import sys, eager; eager.ones(2).sum(); assert 'numpy.random' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=PACKAGE.parent)


def test_packages_hand_out_what_they_list() -> None:
    for name in ("nn", "optim", "data", "autograd", "nn.utils"):
        module = importlib.import_module(f"eager.{name}")
        assert all(getattr(module, n) is not None for n in module.__all__)
