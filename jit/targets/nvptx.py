"""Fused kernels as PTX: the same portable IR, with one thread for every row of the range."""

from __future__ import annotations

import re

from jit.compiler import Piece, pieces, portable_ir
from jit.lowering import Module
from jit.targets.isa import ISAS

_SPECIAL = ("ctaid", "ntid", "nctaid", "tid")


def kernel_text(ir: str, piece: Piece) -> str:
    """The IR of a kernel with a grid-stride entry ``<name>_gpu(arguments..., total)``.

    The portable body runs for ``[row, row + 1)``; the task form that CPUs use is left out.
    """
    name = piece.name
    body = re.split(r"^define .*@\"?" + re.escape(name) + r"\.task\"?\(", ir, flags=re.M)[0]
    arguments = piece.signature[:-2]
    types = ["ptr" if t.endswith("*") or t == "ptr" else t for t in arguments]
    typed = "".join(f"{t} %v{k}, " for k, t in enumerate(types))
    reads = "\n".join(f"  %{r} = call i32 @llvm.nvvm.read.ptx.sreg.{r}.x()\n"
                      f"  %{r}w = zext i32 %{r} to i64" for r in _SPECIAL)
    declared = "\n".join(f"declare i32 @llvm.nvvm.read.ptx.sreg.{r}.x()" for r in _SPECIAL)
    return f"""{body}
{declared}
define ptx_kernel void @{name}_gpu({typed}i64 %total) {{
entry:
{reads}
  %first = mul i64 %ctaidw, %ntidw
  %start = add i64 %first, %tidw
  %step = mul i64 %nctaidw, %ntidw
  br label %check
check:
  %row = phi i64 [ %start, %entry ], [ %next, %body ]
  %more = icmp slt i64 %row, %total
  br i1 %more, label %body, label %done
body:
  %end = add i64 %row, 1
  call void @{name}({typed}i64 %row, i64 %end)
  %next = add i64 %row, %step
  br label %check
done:
  ret void
}}
"""


def ptx_of(module: Module, cpu: str = "sm_80") -> dict[str, str]:
    """PTX by kernel name of every fused kernel of a module."""
    from dataclasses import replace

    from jit.targets.machine import ptx_isolated

    isa = replace(ISAS["nvptx"], cpu=cpu)
    parts = {p.name: p for p in pieces(module)}
    names = [k.name for k in module.kernels]
    return {n: ptx_isolated(kernel_text(portable_ir(parts[n], parts), parts[n]), isa)
            for n in names}
