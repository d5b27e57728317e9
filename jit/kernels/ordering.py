"""Kernels of one row at a time: running folds, positions of them, sorting and searching.

A row ``lo, hi`` is every element that differs in the kernel's dim alone, at stride ``after``.
"""

from __future__ import annotations

from eager.ops.families import Scan
from eager.ops.types import BOOL, F64, I64, DType
from jit.kernels.groups import scalar_body, start_of
from jit.kernels.nest import Name
from jit.kernels.printer import expression, literal
from jit.kernels.steps import Kernel

#: Neighbours that are put in order by insertion before runs are merged.
RUN = 16


def _kernel(body: str, buffers: tuple[DType, ...], sizes: tuple[str, ...]) -> Kernel:
    return Kernel("kernel", body, buffers, sizes)


def _load(buffer: str, at: str, dtype: DType) -> str:
    return f"({buffer}[{at}] != 0)" if dtype is BOOL else f"{buffer}[{at}]"


def _converted(text: str, have: DType, want: DType) -> str:
    return text if have is want else f"cast_{have.name}_{want.name}({text})"


_ROW = """\
    for row in range(lo, hi):
        a = row // after
        first = a * n * after + row - a * after"""


# --- scans -------------------------------------------------------------------------------------
def scan(family: Scan, dtype: DType, result: DType, reverse: bool) -> Kernel:
    """Every intermediate total of a row; floats are totalled in float64."""
    total = F64 if result.kind == "f" else result
    x = _converted(_load("x", "p", dtype), dtype, total)
    body = expression(scalar_body(family.body, (Name("total", total), Name("v", total)), total))
    step = "(n - 1 - k)" if reverse else "k"
    return _kernel(f'''\
def kernel(x, out, n, after, lo, hi):
{_ROW}
        total = {literal(start_of(family.start, total), total)}
        for k in range(n):
            p = first + {step} * after
            v = {x}
            total = {body}
            out[p] = {_converted("total", total, result)}
''', (dtype, result), ("n", "after"))


def arg_scan(dtype: DType, better: str) -> Kernel:
    """The latest position up to each element that ``better`` holds for; NaN is better than all."""
    t = dtype.name
    nan = f" or ne_{t}(v, v)" if dtype.kind == "f" else ""
    return _kernel(f'''\
def kernel(x, out, n, after, lo, hi):
{_ROW}
        best = {literal(0, dtype)}
        position = 0
        for k in range(n):
            p = first + k * after
            v = {_load("x", "p", dtype)}
            if k == 0 or {better}_{t}(v, best){nan}:
                best = v
                position = k
            out[p] = position
''', (dtype, I64), ("n", "after"))


# --- sorting -----------------------------------------------------------------------------------
def _precedes(dtype: DType, descending: bool, v: str, u: str) -> str:
    """Whether ``v`` comes before ``u`` for sure; NaN is larger than any number."""
    t = dtype.name
    text = f"{'gt' if descending else 'lt'}_{t}({v}, {u})"
    if dtype.kind != "f":
        return text
    first, last = (v, u) if descending else (u, v)
    return f"({text} or (ne_{t}({first}, {first}) and eq_{t}({last}, {last})))"


def argsort(dtype: DType, descending: bool) -> Kernel:
    """A stable merge sort of positions: short runs by insertion, then twice as long each turn.

    ``spare`` has room for as many positions as the result.
    """
    def element(position: str) -> str:
        return _load("x", f"first + {position} * after", dtype)

    return _kernel(f'''\
def kernel(x, out, spare, n, after, lo, hi):
{_ROW}
        for begin in range(0, n, {RUN}):
            for k in range(begin, imin(begin + {RUN}, n)):
                v = {element("k")}
                j = k
                while j > begin:
                    before = out[first + (j - 1) * after]
                    u = {element("before")}
                    if not {_precedes(dtype, descending, "v", "u")}:
                        break
                    out[first + j * after] = before
                    j = j - 1
                out[first + j * after] = k
        width = {RUN}
        while width < n:
            for begin in range(0, n, 2 * width):
                middle = imin(begin + width, n)
                end = imin(begin + 2 * width, n)
                i = begin
                j = middle
                for k in range(begin, end):
                    right = i >= middle
                    if i < middle and j < end:
                        v = {element("out[first + j * after]")}
                        u = {element("out[first + i * after]")}
                        right = {_precedes(dtype, descending, "v", "u")}
                    if right:
                        spare[first + k * after] = out[first + j * after]
                        j = j + 1
                    else:
                        spare[first + k * after] = out[first + i * after]
                        i = i + 1
            for k in range(n):
                out[first + k * after] = spare[first + k * after]
            width = 2 * width
''', (dtype, I64, I64), ("n", "after"))


def foremost(dtype: DType, descending: bool) -> Kernel:
    """The first ``most`` positions of a stable sort: kept in order while the row goes by."""
    def element(position: str) -> str:
        return _load("x", f"first + {position} * after", dtype)

    precedes = _precedes(dtype, descending, "v", "u")
    return _kernel(f'''\
def kernel(x, out, n, most, after, lo, hi):
{_ROW}
        place = a * most * after + row - a * after
        for k in range(n if most > 0 else 0):
            v = {element("k")}
            j = imin(k, most)
            taken = k < most
            if not taken:
                u = {element("out[place + (most - 1) * after]")}
                taken = {precedes}
                j = most - 1
            if taken:
                while j > 0:
                    before = out[place + (j - 1) * after]
                    u = {element("before")}
                    if not {precedes}:
                        break
                    out[place + j * after] = before
                    j = j - 1
                out[place + j * after] = k
''', (dtype, I64), ("n", "most", "after"))


# --- searching ---------------------------------------------------------------------------------
def search(dtype: DType, right: bool) -> Kernel:
    """The first place of a sorted sequence whose element is not before the value (``right``:
    is after it); a row is one value, ``width`` of them share the sequence of ``step``."""
    t = dtype.name
    stops = f"{'gt' if right else 'ge'}_{t}(u, v)"
    return _kernel(f'''\
def kernel(sequence, values, out, n, width, step, lo, hi):
    for row in range(lo, hi):
        first = row // width * step
        v = {_load("values", "row", dtype)}
        low = 0
        high = n
        while low < high:
            middle = (low + high) // 2
            u = {_load("sequence", "first + middle", dtype)}
            if {stops}:
                high = middle
            else:
                low = middle + 1
        out[row] = low
''', (dtype, dtype, I64), ("n", "width", "step"))
