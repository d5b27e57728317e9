"""Runs IR text in the test's process, by LLVM's own loader."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import llvmlite.binding as llvm
import numpy as np

from jit.targets.isa import ISAS, host_levels
from jit.targets.machine import compile_ir

LEVELS = host_levels()
_KINDS = {"i64": ctypes.c_int64, "f32": ctypes.c_float, "f64": ctypes.c_double, "void": None}


class Loaded:
    """Objects of one or more modules; holds the engine alive."""

    def __init__(self, texts: Sequence[str], level: str, effort: int = 3) -> None:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        machine = llvm.Target.from_default_triple().create_target_machine()
        self.engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
        for text in texts:
            # A loaded object hides what is hidden; the tests want to call it.
            visible = text.replace("define hidden", "define").replace("hidden constant", "constant")
            made = compile_ir(visible, ISAS[level], level=effort)
            self.engine.add_object_file(llvm.ObjectFileRef.from_data(made))
        self.engine.finalize_object()

    def __call__(self, name: str, signature: Sequence[str], *args: Any,
                 returns: str = "void") -> Any:
        """Call a function with arrays and numbers."""
        address = self.engine.get_function_address(name)
        assert address, name
        kinds = [_KINDS.get(t, ctypes.c_void_p) for t in signature]
        function = ctypes.CFUNCTYPE(_KINDS[returns], *kinds)(address)
        return function(*(a.ctypes.data if isinstance(a, np.ndarray) else a for a in args))

    def address(self, name: str) -> int:
        return int(self.engine.get_function_address(name))
