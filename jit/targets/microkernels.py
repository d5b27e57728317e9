"""The float32 microkernels of a CPU level, as IR text: all that matrix products need of an ISA.

A microkernel computes a tile of ``mr`` rows and ``16 * panels`` columns, any depth K::

    void micro(ptr A, i64 lda, ptr B, i64 ps, i64 K, ptr init, i64 ldi, ptr C, i64 ldc, float lo)

    C[r, c] = max(init[r, c] + sum over k of A[r, k] * B[c // 16][k][c % 16], lo)

A and C are rows ``lda`` and ``ldc`` floats long.  B is packed in panels of 16 columns,
``[panel][K][16]``, 64-byte aligned, ``ps`` floats from one to the next.  ``init`` has row
stride ``ldi``: 0 for a bias, or it is C itself, to go on after a block of K.  ``lo`` clamps from
below: 0 is relu, -inf nothing; a NaN stays NaN.

The portable loops find the kernels through three constants: ``isa_MR`` (most rows),
``isa_np[(mr-1)*9 + n]`` (the largest count of panels offered, at most n), ``isa_tab`` (its
address).
"""

from __future__ import annotations

from collections.abc import Callable

from eager.ops.errors import CompileError
from jit.targets.isa import PANEL, Isa

#: Entries of a row of the tables: 0 to 8 panels.
SPAN = 9

#: Where the accumulator of a row and a vector is found, by SSA name.
_Names = Callable[[int, int], str]


def kernel_module(isa: Isa) -> str:
    """Every microkernel of a level and its tables; CompileError for a level without any."""
    if not isa.rows:
        raise CompileError(f"{isa.name} has no microkernels")
    tiles = [(rows, n) for rows in range(1, isa.rows + 1) for n in isa.panels[rows]]
    return "\n".join([_head(isa), *(_Tile(isa, *t).text() for t in tiles), _tables(isa)]) + "\n"


def microkernel_module(isa: Isa, rows: int, panels: int) -> str:
    """One microkernel alone, ``micro_<rows>_<panels>``."""
    return f"{_head(isa)}\n{_Tile(isa, rows, panels).text()}\n"


def _head(isa: Isa) -> str:
    lines = [f'target triple = "{isa.triple}"', "attributes #0 = { nounwind }"]
    if isa.fma:
        v = f"<{isa.width} x float>"
        lines.append(f"declare {v} @llvm.fma.v{isa.width}f32({v}, {v}, {v})")
    return "\n".join(lines)


def _tables(isa: Isa) -> str:
    counts = [max(q for q in isa.panels[rows] if q <= max(n, 1))
              for rows in range(1, isa.rows + 1) for n in range(SPAN)]
    names = [f"ptr @micro_{k // SPAN + 1}_{n}" for k, n in enumerate(counts)]
    size = len(counts)
    # Plain constants: as linkonce_odr they vanished for being unused here.
    return "\n".join((
        f"@isa_MR = hidden constant i64 {isa.rows}",
        f"@isa_np = hidden constant [{size} x i64] [{', '.join(f'i64 {n}' for n in counts)}]",
        f"@isa_tab = hidden constant [{size} x ptr] [{', '.join(names)}]"))


class _Tile:
    """Writes one microkernel: ``rows`` x ``vectors`` accumulators held in registers."""

    def __init__(self, isa: Isa, rows: int, panels: int) -> None:
        self.isa, self.rows, self.panels = isa, rows, panels
        self.width, self.vector = isa.width, f"<{isa.width} x float>"
        self.per_panel = PANEL // isa.width
        self.vectors = panels * self.per_panel
        self.tile = [(r, v) for r in range(rows) for v in range(self.vectors)]
        self.lines: list[str] = []

    def text(self) -> str:
        self._head()
        self._loop("main", "entry", "0", "%whole", self.isa.unroll)
        self._join("after", ("entry", "%z{}_{}"), ("main", "%main{}_{}"))
        self._put("%odd = icmp slt i64 %whole, %K", "br i1 %odd, label %rest, label %store")
        self._loop("rest", "after", "%whole", "%K", 1)
        self._join("store", ("after", "%after{}_{}"), ("rest", "%rest{}_{}"))
        self._store()
        return "\n".join(self.lines)

    def _put(self, *lines: str) -> None:
        self.lines += [" " + line for line in lines]

    def _gep(self, name: str, base: str, offset: str | int) -> None:
        self._put(f"{name} = getelementptr inbounds float, ptr {base}, i64 {offset}")

    def _splat(self, name: str, scalar: str) -> None:
        """A vector of one number."""
        v = self.vector
        self._put(f"{name}.one = insertelement {v} poison, float {scalar}, i32 0",
                  f"{name} = shufflevector {v} {name}.one, {v} poison, "
                  f"<{self.width} x i32> zeroinitializer")

    def _rows_of(self, pointer: str, stride: str, count: int) -> None:
        """``%a0 %a1 ...``: addresses ``stride`` floats apart."""
        for k in range(count):
            self._put(f"%{pointer}{k}.off = mul nsw i64 %{stride}, {k}")
            self._gep(f"%{pointer}{k}", f"%{pointer}", f"%{pointer}{k}.off")

    def _head(self) -> None:
        """The addresses of rows and panels, and the accumulators' first values."""
        self.lines.append(
            f"define hidden void @micro_{self.rows}_{self.panels}(ptr noalias readonly %a, "
            "i64 %lda, ptr noalias readonly %b, i64 %ps, i64 %K, ptr readonly %i, i64 %ldi, "
            "ptr %c, i64 %ldc, float %lo) #0 {\nentry:")
        self._rows_of("a", "lda", self.rows)
        self._rows_of("b", "ps", self.panels)
        self._rows_of("i", "ldi", self.rows)
        self._rows_of("c", "ldc", self.rows)
        for r, v in self.tile:
            self._gep(f"%i{r}_{v}", f"%i{r}", v * self.width)
            self._put(f"%z{r}_{v} = load {self.vector}, ptr %i{r}_{v}, align 4")
        self._put(f"%whole = and i64 %K, -{self.isa.unroll}", "%any = icmp sgt i64 %whole, 0",
                  "br i1 %any, label %main, label %after")

    def _loop(self, name: str, before: str, start: str, end: str, unroll: int) -> None:
        """A block that runs k from ``start`` to ``end``, then goes to ``after`` or ``store``."""
        first = "%z{}_{}" if before == "entry" else "%after{}_{}"
        leave = "after" if name == "main" else "store"
        self.lines.append(f"{name}:")
        self._put(f"%k.{name} = phi i64 [{start}, %{before}], [%next.{name}, %{name}]")
        for r, v in self.tile:
            self._put(f"%{name}.in{r}_{v} = phi {self.vector} [{first.format(r, v)}, %{before}], "
                      f"[%{name}{r}_{v}, %{name}]")
        accumulators: _Names = lambda r, v: f"%{name}.in{r}_{v}"  # noqa: E731
        for u in range(unroll):
            accumulators = self._step(name, u, accumulators, last=u == unroll - 1)
        self._put(f"%next.{name} = add nuw nsw i64 %k.{name}, {unroll}",
                  f"%more.{name} = icmp slt i64 %next.{name}, {end}",
                  f"br i1 %more.{name}, label %{name}, label %{leave}")

    def _step(self, name: str, u: int, held: _Names, *, last: bool) -> _Names:
        """One k: each number of A's column times B's row, added to the tile."""
        tag = f"{name}.{u}"
        self._put(f"%k.{tag} = add nuw nsw i64 %k.{name}, {u}",
                  f"%row.{tag} = mul nuw nsw i64 %k.{tag}, {PANEL}")
        for v in range(self.vectors):
            panel, part = divmod(v, self.per_panel)
            self._gep(f"%bp.{tag}.{v}.row", f"%b{panel}", f"%row.{tag}")
            self._gep(f"%bp.{tag}.{v}", f"%bp.{tag}.{v}.row", part * self.width)
            self._put(f"%bv.{tag}.{v} = load {self.vector}, ptr %bp.{tag}.{v}, "
                      f"align {min(64, 4 * self.width)}")

        def result(r: int, v: int) -> str:
            return f"%{name}{r}_{v}" if last else f"%sum.{tag}.{r}_{v}"

        for r in range(self.rows):
            self._gep(f"%ap.{tag}.{r}", f"%a{r}", f"%k.{tag}")
            self._put(f"%as.{tag}.{r} = load float, ptr %ap.{tag}.{r}, align 4")
            self._splat(f"%av.{tag}.{r}", f"%as.{tag}.{r}")
            for v in range(self.vectors):
                self._accumulate(result(r, v), f"%av.{tag}.{r}", f"%bv.{tag}.{v}", held(r, v))
        return result

    def _accumulate(self, result: str, a: str, b: str, total: str) -> None:
        v = self.vector
        if self.isa.fma:
            self._put(f"{result} = call {v} @llvm.fma.v{self.width}f32({v} {a}, {v} {b}, "
                      f"{v} {total})")
        else:
            self._put(f"{result}.product = fmul {v} {a}, {b}",
                      f"{result} = fadd {v} {result}.product, {total}")

    def _join(self, name: str, *sources: tuple[str, str]) -> None:
        """A block where the accumulators of two ways meet."""
        self.lines.append(f"{name}:")
        for r, v in self.tile:
            ways = ", ".join(f"[{value.format(r, v)}, %{block}]" for block, value in sources)
            self._put(f"%{name}{r}_{v} = phi {self.vector} {ways}")

    def _store(self) -> None:
        """Clamp and write the tile: ``x < lo`` is False for NaN, which so passes."""
        self._splat("%low", "%lo")
        for r, v in self.tile:
            value = f"%store{r}_{v}"
            self._put(f"{value}.below = fcmp olt {self.vector} {value}, %low",
                      f"{value}.out = select <{self.width} x i1> {value}.below, "
                      f"{self.vector} %low, {self.vector} {value}")
            self._gep(f"%c{r}_{v}", f"%c{r}", v * self.width)
            self._put(f"store {self.vector} {value}.out, ptr %c{r}_{v}, align 4")
        self.lines += [" ret void", "}"]
