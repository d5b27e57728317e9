"""Kernels that are no loop nest over expressions: one source a family and dtype.

An index that is out of range leaves code 6 and the index in ``err`` and touches nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eager.ops import philox
from eager.ops.types import BOOL, F64, I64, DType
from jit.dims import to_index
from jit.kernels.index import Index, Var, linear
from jit.kernels.printer import literal
from jit.kernels.steps import Kernel


def _kernel(body: str, buffers: Sequence[DType], sizes: Sequence[str],
            reports: bool = False) -> Kernel:
    return Kernel("kernel", body, tuple(buffers), tuple(sizes), reports)


def _decomposed(shape: Sequence[Any], counter: str) -> tuple[list[str], list[Index]]:
    """Lines that take a row-major counter apart into ``i0 i1 ...``, and the indices."""
    lines, sizes = [f"    rest = {counter}"], [to_index(d) for d in shape]
    for k in range(len(sizes)):
        below = Index.of(1)
        for d in sizes[k + 1:]:
            below = below * d
        lines.append(f"    i{k} = rest // ({below})")
        lines.append(f"    rest = rest - i{k} * ({below})")
    return lines, [Index.of(Var(f"i{k}")) for k in range(len(sizes))]


def _names(*shapes: Sequence[Any]) -> tuple[str, ...]:
    """The dims that shapes are made of."""
    return tuple(sorted({n for s in shapes for d in s for n in to_index(d).variables()}))


def _head(buffers: str, sizes: Sequence[str], err: bool = False) -> str:
    names = [buffers, *sizes, *(["err"] if err else []), "lo", "hi"]
    return f"def kernel({', '.join(names)}):"


# --- products of other dtypes than float32 -----------------------------------------------------
def product(dtype: DType) -> Kernel:
    """``out[m, n] = sum over k of a[m, k] * b[k, n]``, folded in order of k."""
    t = dtype.name
    return _kernel(f'''\
def kernel(a, b, out, am, ak, bk, bn, N, K, lo, hi):
    for m in range(lo, hi):
        for n in range(N):
            out[m * N + n] = {literal(0, dtype)}
        for k in range(K):
            left = a[m * am + k * ak]
            for n in range(N):
                out[m * N + n] = add_{t}(out[m * N + n], mul_{t}(left, b[k * bk + n * bn]))
''', (dtype,) * 3, ("am", "ak", "bk", "bn", "N", "K"))


def convolution(dtype: DType) -> Kernel:
    """2-d cross-correlation by its definition; a row ``lo, hi`` is one image and channel."""
    t = dtype.name
    sizes = ("N", "C", "H", "W", "O", "KH", "KW", "OH", "OW", "sh", "sw", "ph", "pw", "dh", "dw")
    return _kernel(f'''\
{_head("x, w, out", sizes)}
    for row in range(lo, hi):
        n = row // O
        o = row - n * O
        for y in range(OH):
            for z in range(OW):
                total = {literal(0, dtype)}
                for c in range(C):
                    for i in range(KH):
                        r = y * sh - ph + i * dh
                        if r >= 0 and r < H:
                            for j in range(KW):
                                q = z * sw - pw + j * dw
                                if q >= 0 and q < W:
                                    total = add_{t}(total, mul_{t}(
                                        x[((n * C + c) * H + r) * W + q],
                                        w[((o * C + c) * KH + i) * KW + j]))
                out[(row * OH + y) * OW + z] = total
''', (dtype,) * 3, sizes)


# --- by index ----------------------------------------------------------------------------------
def select(dtype: DType, index: DType) -> Kernel:
    """``out[a, k, b] = x[a, index[k], b]``; a row is one ``a, k``."""
    return _kernel('''\
def kernel(x, index, out, n, count, after, err, lo, hi):
    for row in range(lo, hi):
        a = row // count
        j = index[row - a * count]
        if j < 0 or j >= n:
            err[0] = 6
            err[2] = j
        else:
            for q in range(after):
                out[row * after + q] = x[(a * n + j) * after + q]
''', (dtype, index, dtype), ("n", "count", "after"), reports=True)


def _folded(combine: str, dtype: DType, place: str, value: str) -> str:
    """What is stored at a place: the value folded into what is there, or it alone."""
    return f"{combine}_{dtype.name}({place}, {value})" if combine else value


def select_scatter(dtype: DType, index: DType, combine: str) -> Kernel:
    """A copy of ``x[a, n, b]`` with ``src[a, k, b]`` folded in at ``[a, index[k], b]``."""
    stored = _folded(combine, dtype, "out[p]", "src[(a * count + k) * after + q]")
    return _kernel(f'''\
def kernel(x, index, src, out, before, n, count, after, err, lo, hi):
    for i in range(before * n * after):
        out[i] = x[i]
    for a in range(before):
        for k in range(count):
            j = index[k]
            if j < 0 or j >= n:
                err[0] = 6
                err[2] = j
            else:
                for q in range(after):
                    p = (a * n + j) * after + q
                    out[p] = {stored}
''', (dtype, index, dtype, dtype), ("before", "n", "count", "after"), reports=True)


def gather(dtype: DType, index: DType, shape: Sequence[Any], taken: Sequence[Any],
           dim: int) -> Kernel:
    """``out[i] = x[i with coordinate dim replaced by index[i]]``."""
    lines, at = _decomposed(taken, "row")
    sizes = [to_index(d) for d in shape]
    place = linear([Index.of(Var("j")) if k == dim else i for k, i in enumerate(at)], sizes)
    names = _names(shape, taken)
    steps = "\n".join("    " + line for line in lines)
    return _kernel(f'''\
{_head("x, index, out", names, err=True)}
    for row in range(lo, hi):
{steps}
        j = index[row]
        if j < 0 or j >= {sizes[dim]}:
            err[0] = 6
            err[2] = j
        else:
            out[row] = x[{place}]
''', (dtype, index, dtype), names, reports=True)


def scatter(dtype: DType, index: DType, shape: Sequence[Any], taken: Sequence[Any],
            source: Sequence[Any], dim: int, combine: str) -> Kernel:
    """A copy of ``x``; ``src[i]`` goes to ``i with coordinate dim replaced by index[i]``."""
    lines, at = _decomposed(taken, "row")
    sizes = [to_index(d) for d in shape]
    place = linear([Index.of(Var("j")) if k == dim else i for k, i in enumerate(at)], sizes)
    origin = linear(at, [to_index(d) for d in source])
    names = _names(shape, taken, source)
    stored = _folded(combine, dtype, f"out[{place}]", f"src[{origin}]")
    steps = "\n".join("    " + line for line in lines)
    whole, count = Index.of(1), Index.of(1)
    for d in sizes:
        whole = whole * d
    for d in taken:
        count = count * to_index(d)
    return _kernel(f'''\
{_head("x, index, src, out", names, err=True)}
    for i in range({whole}):
        out[i] = x[i]
    for row in range({count}):
{steps}
        j = index[row]
        if j < 0 or j >= {sizes[dim]}:
            err[0] = 6
            err[2] = j
        else:
            out[{place}] = {stored}
''', (dtype, index, dtype, dtype), names, reports=True)


# --- joining and writing into ------------------------------------------------------------------
def concat(dtype: DType) -> Kernel:
    """One operand's rows of ``width`` go to ``offset`` in rows of ``whole``."""
    return _kernel('''\
def kernel(x, out, width, whole, offset, lo, hi):
    for row in range(lo, hi):
        for q in range(width):
            out[row * whole + offset + q] = x[row * width + q]
''', (dtype, dtype), ("width", "whole", "offset"))


def slice_update(dtype: DType, shape: Sequence[Any], taken: Sequence[Any],
                 starts: Sequence[Any], steps: Sequence[Any]) -> Kernel:
    """A copy of ``base`` whose region ``starts + steps * i`` is ``value[i]``."""
    lines, at = _decomposed(taken, "row")
    place = linear([i * to_index(s) + to_index(a)
                    for i, a, s in zip(at, starts, steps, strict=True)],
                   [to_index(d) for d in shape])
    names = _names(shape, taken, starts)
    whole, count = Index.of(1), Index.of(1)
    for d in shape:
        whole = whole * to_index(d)
    for d in taken:
        count = count * to_index(d)
    walk = "\n".join("    " + line for line in lines)
    return _kernel(f'''\
{_head("base, value, out", names)}
    for i in range({whole}):
        out[i] = base[i]
    for row in range({count}):
{walk}
        out[{place}] = value[row]
''', (dtype,) * 3, names)


# --- windows and positions ---------------------------------------------------------------------
def arg_reduce(dtype: DType, better: str, dynamic: bool) -> Kernel:
    """The first position along a dim that ``better`` holds for; NaN is better than all.

    A dynamic dim may be empty: then there is no position 0.
    """
    t = dtype.name
    nan = f" or (ne_{t}(v, v) and eq_{t}(best, best))" if dtype.kind == "f" else ""
    load = "x[{}] != 0" if dtype is BOOL else "x[{}]"
    empty = """
        if n == 0:
            err[0] = 6
            err[2] = 0
            return""" if dynamic else ""
    return _kernel(f'''\
{_head("x, out", ("n", "after"), dynamic)}
    for row in range(lo, hi):{empty}
        a = row // after
        first = a * n * after + row - a * after
        best = {load.format("first")}
        position = 0
        for k in range(1, n):
            v = {load.format("first + k * after")}
            if {better}_{t}(v, best){nan}:
                best = v
                position = k
        out[row] = position
''', (dtype, I64), ("n", "after"), dynamic)


def pool(dtype: DType, indices: bool, window: dict[str, tuple[int, int]]) -> Kernel:
    """The largest element of each window, or its position in the plane; a row is a plane.

    Windows that never leave the plane are written out without branches.
    """
    area = window["kernel"][0] * window["kernel"][1]
    if not indices and window["padding"] == (0, 0) and area <= 16:
        return _inner_pool(dtype, window)
    (kh, kw), (sh, sw), (ph, pw), (dh, dw) = (
        window[n] for n in ("kernel", "stride", "padding", "dilation"))
    t = dtype.name
    lowest = literal(float("-inf") if dtype.kind == "f" else 0, dtype)
    nan = f" or ne_{t}(v, v)" if dtype.kind == "f" else ""
    result = "position" if indices else "best"
    return _kernel(f'''\
{_head("x, out", _PLANES)}
    for plane in range(lo, hi):
        for y in range(OH):
            for z in range(OW):
                best = {lowest}
                position = -1
                for i in range({kh}):
                    r = y * {sh} - {ph} + i * {dh}
                    if r >= 0 and r < H:
                        for j in range({kw}):
                            q = z * {sw} - {pw} + j * {dw}
                            if q >= 0 and q < W:
                                v = x[(plane * H + r) * W + q]
                                if position < 0 or gt_{t}(v, best){nan}:
                                    best = v
                                    position = r * W + q
                out[(plane * OH + y) * OW + z] = {result}
''', (dtype, I64 if indices else dtype), _PLANES)


_PLANES = ("H", "W", "OH", "OW")


def _inner_pool(dtype: DType, window: dict[str, tuple[int, int]]) -> Kernel:
    (kh, kw), (sh, sw), _, (dh, dw) = (
        window[n] for n in ("kernel", "stride", "padding", "dilation"))
    taps = [f"x[first + {i * dh} * W + {j * dw}]" for i in range(kh) for j in range(kw)]
    lines = [f"best = {taps[0]}"] + [f"best = maximum_{dtype.name}(best, {tap})"
                                     for tap in taps[1:]]
    body = "\n".join("                " + line for line in lines)
    return _kernel(f'''\
{_head("x, out", _PLANES)}
    for plane in range(lo, hi):
        for y in range(OH):
            for z in range(OW):
                first = (plane * H + y * {sh}) * W + z * {sw}
{body}
                out[(plane * OH + y) * OW + z] = best
''', (dtype, dtype), _PLANES)


# --- random numbers ----------------------------------------------------------------------------
_PHILOX = '''\
    for block in range(lo, hi):
        c0 = uint64(state[2] + 1 + block)
        c1 = uint64(0)
        c2 = uint64(0)
        c3 = uint64(0)
        k0 = uint64(state[0])
        k1 = uint64(state[1])
        for turn in range(10):
            h0 = mulhi_u64(c0, uint64(0xD2E7470EE14C6C93))
            l0 = c0 * uint64(0xD2E7470EE14C6C93)
            h1 = mulhi_u64(c2, uint64(0xCA5A826395121157))
            l1 = c2 * uint64(0xCA5A826395121157)
            c0 = h1 ^ c1 ^ k0
            c1 = l1
            c2 = h0 ^ c3 ^ k1
            c3 = l0
            k0 = k0 + uint64(0x9E3779B97F4A7C15)
            k1 = k1 + uint64(0xBB67AE8584CAA73B)
        words = stack_u64_4()
        words[0] = c0
        words[1] = c1
        words[2] = c2
        words[3] = c3
'''


class _Written:
    """A float64 value that writes itself down, one statement an operation."""

    def __init__(self, text: str, lines: list[str]) -> None:
        self.text, self.lines = text, lines

    def _then(self, text: str) -> _Written:
        name = f"t{len(self.lines)}"
        self.lines.append(f"{name} = {text}")
        return _Written(name, self.lines)

    def __add__(self, o: Any) -> _Written:
        return self._then(f"{self.text} + {_text(o)}")

    def __radd__(self, o: Any) -> _Written:
        return self._then(f"{_text(o)} + {self.text}")

    def __sub__(self, o: Any) -> _Written:
        return self._then(f"{self.text} - {_text(o)}")

    def __rsub__(self, o: Any) -> _Written:
        return self._then(f"{_text(o)} - {self.text}")

    def __mul__(self, o: Any) -> _Written:
        return self._then(f"{self.text} * {_text(o)}")

    def __rmul__(self, o: Any) -> _Written:
        return self._then(f"{_text(o)} * {self.text}")

    def __truediv__(self, o: Any) -> _Written:
        return self._then(f"{self.text} / {_text(o)}")

    def __neg__(self) -> _Written:
        return self._then(f"-{self.text}")

    def __lt__(self, o: Any) -> _Written:
        return self._then(f"{self.text} < {_text(o)}")


def _text(value: Any) -> str:
    return value.text if isinstance(value, _Written) else repr(float(value))


def _normal_lines(u: str) -> tuple[list[str], str]:
    """The statements of `philox.normal` of a variable, and the name of the result."""
    lines: list[str] = []
    start = _Written(u, lines)
    out = philox.normal(
        start, lambda c, a, b: start._then(f"select_f64({_text(c)}, {_text(a)}, {_text(b)})"),
        lambda x: start._then(f"sqrt_f64({_text(x)})"))
    return lines, out.text


def random(distribution: str, dtype: DType) -> Kernel:
    """Numbers of a stream, a row ``lo, hi`` a block: eight halves in float32, four words in
    float64; ``advance`` gives the state after ``count`` halves."""
    if distribution == "advance":
        return _kernel('''\
def kernel(state, out, count, lo, hi):
    out[0] = state[0]
    out[1] = state[1]
    out[2] = state[2] + (count + 7) // 8
''', (I64, I64), ("count",))
    double = dtype is F64
    per = philox.WORDS if double else philox.HALVES
    bits = ("words[k] >> uint64({})" if double else
            "((words[k // 2] >> uint64(32 * (k % 2))) & uint64(0xFFFFFFFF)) >> uint64({})")
    body = [f"for k in range(imin({per}, n - block * {per})):"]
    if distribution == "uniform":
        scale = "1.1102230246251565e-16" if double else "float32(5.960464477539063e-08)"
        number = f"cast_i64_{dtype.name}(int64({bits.format(11 if double else 8)}))"
        body.append(f"    out[block * {per} + k] = {number} * {scale}")
    else:
        scale = "2.220446049250313e-16" if double else "2.3283064365386963e-10"
        body.append(f"    u = (cast_i64_f64(int64({bits.format(12 if double else 0)})) + 0.5) "
                    f"* {scale}")
        lines, result = _normal_lines("u")
        body += ["    " + line for line in lines]
        value = result if double else f"cast_f64_f32({result})"
        body.append(f"    out[block * {per} + k] = {value}")
    text = "def kernel(state, out, n, lo, hi):\n" + _PHILOX + "".join(
        f"        {line}\n" for line in body)
    return _kernel(text, (I64, dtype), ("n",))
