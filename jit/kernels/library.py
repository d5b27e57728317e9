"""The portable library: tile loops shared by every program, as Python that Numba lowers once.

The sources below are compiled as they stand, in the namespace of intrinsics of
`jit.numba_bridge`.  What depends on the CPU level is behind three symbols that the
microkernel object of the level defines: ``isa_MR`` rows of a tile, ``isa_np`` panels
offered, ``isa_tab`` the microkernels.  So one text serves every level.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Routine:
    """One library function; ``split`` routines take ``task, ntasks`` last and are forked."""

    name: str
    parameters: tuple[str, ...]  #: types of the arguments
    source: str
    calls: tuple[str, ...] = ()  #: other routines
    split: bool = False
    apart: bool = False  #: no memory is reached through two of its pointers

    @property
    def signature(self) -> tuple[str, ...]:
        return self.parameters + (("i64", "i64") if self.split else ())


# C[r0:r1, 16 p0 : 16 p1] = max(A @ B + bias, lo).  B lies in panels of 16 columns, [panel][K][16].
# Rows are cut into near-equal tiles of at most MR; K into blocks of 1024 that stay in cache.
_GEMM_CORE = '''\
def gemm_core(A, lda, B, ps, bias, ldb, C, ldc, N, K, lo, r0, r1, p0, p1):
    MR = isa_MR()
    rows = r1 - r0
    if rows <= 0:
        return
    nt = (rows + MR - 1) // MR
    base = rows // nt
    extra = rows - base * nt
    most = base + (1 if extra > 0 else 0)
    whole = imin(p1, N // 16)
    k0 = 0
    more = True
    while more:
        kc = imin(1024, K - k0)
        last = k0 + kc >= K
        p = p0
        while p < whole:
            np_ = isa_np((most - 1) * 9 + imin(whole - p, 8))
            r = r0
            for t in range(nt):
                mr = base + (1 if t < extra else 0)
                c = at_f32(C, r * ldc + p * 16)
                first = at_f32(bias, r * ldb + p * 16)
                micro(isa_tab((mr - 1) * 9 + np_), at_f32(A, r * lda + k0), lda,
                      at_f32(B, p * ps + k0 * 16), ps, kc,
                      first if k0 == 0 else c, ldb if k0 == 0 else ldc,
                      c, ldc, lo if last else float32(-inf))
                r += mr
            p += np_
        k0 += kc
        more = not last
    if p1 * 16 > N:
        p = p1 - 1
        gemm_ragged(A, lda, at_f32(B, p * ps), ps, at_f32(bias, p * 16), ldb,
                    at_f32(C, p * 16), ldc, N - p * 16, K, lo, r0, r1)
'''

# The last panel, of fewer than 16 columns, goes through a tile on the stack.
_GEMM_RAGGED = '''\
def gemm_ragged(A, lda, B, ps, bias, ldb, C, ldc, columns, K, lo, r0, r1):
    MR = isa_MR()
    rows = r1 - r0
    nt = (rows + MR - 1) // MR
    base = rows // nt
    extra = rows - base * nt
    tile = stack_f32_96()
    r = r0
    for t in range(nt):
        mr = base + (1 if t < extra else 0)
        if ldb != 0:
            for i in range(mr):
                for j in range(columns):
                    tile[i * 16 + j] = bias[(r + i) * ldb + j]
        micro(isa_tab((mr - 1) * 9 + 1), at_f32(A, r * lda), lda, B, ps, K,
              bias if ldb == 0 else tile, 0 if ldb == 0 else 16, tile, 16, lo)
        for i in range(mr):
            for j in range(columns):
                C[(r + i) * ldc + j] = tile[i * 16 + j]
        r += mr
'''

# Split by groups of four panels; by rows where there are many rows and few columns.
_GEMM = '''\
def gemm(A, lda, B, ps, bias, C, ldc, M, N, K, lo, task, ntasks):
    panels = (N + 15) // 16
    if M >= 96 and N < 256:
        gemm_core(A, lda, B, ps, bias, 0, C, ldc, N, K, lo,
                  M * task // ntasks, M * (task + 1) // ntasks, 0, panels)
    else:
        groups = (panels + 3) // 4
        gemm_core(A, lda, B, ps, bias, 0, C, ldc, N, K, lo, 0, M,
                  groups * task // ntasks * 4, imin(panels, groups * (task + 1) // ntasks * 4))
'''

_GEMM_TASKS = '''\
def gemm_tasks(M, N, K):
    if M * N * K < 131072:
        return 1
    parts = M // 24 if M >= 96 and N < 256 else (N + 63) // 64
    return imin(8, imax(parts, 1))
'''

# Where columns follow one another, eight rows at a time are read as they lie: reading a panel
# down its rows misses a line a step.
_PACK_PANELS = '''\
def pack_panels(B, sk, sn, K, N, packed):
    if sn == 1:
        for k0 in range(0, K, 8):
            last = imin(K, k0 + 8)
            for p in range(N // 16):
                for k in range(k0, last):
                    for j in range(16):
                        packed[(p * K + k) * 16 + j] = B[k * sk + p * 16 + j]
    else:
        for p in range(N // 16):
            for j in range(16):
                for k in range(K):
                    packed[(p * K + k) * 16 + j] = B[k * sk + (p * 16 + j) * sn]
    p = N // 16
    columns = N - p * 16
    if columns > 0:
        for k in range(K):
            row = (p * K + k) * 16
            for j in range(columns):
                packed[row + j] = B[k * sk + (p * 16 + j) * sn]
            for j in range(columns, 16):
                packed[row + j] = float32(0.0)
'''

_PACK_ROWS = '''\
def pack_rows(A, sm, sk, M, K, packed):
    for m in range(M):
        for k in range(K):
            packed[m * K + k] = A[m * sm + k * sk]
'''

_PAD_ROW = '''\
def pad_row(x, n, whole, padded):
    for j in range(n):
        padded[j] = x[j]
    for j in range(n, whole):
        padded[j] = float32(0.0)
'''

# A convolution is a product: out[o, pixel] = W[o, (c, kh, kw)] @ patch[(c, kh, kw), pixel].
# Four panels of 16 pixels are laid out at a time, from an image with zero borders.
_CONV = '''\
def conv(x, w, bias, out, N, C, H, W, O, KH, KW, OH, OW, sh, sw, ph, pw, dh, dw, lo,
         scratch, per_task, task, ntasks):
    pixels = OH * OW
    blocks = (pixels + 63) // 64
    HP = H + 2 * ph
    WP = W + 2 * pw
    K = C * KH * KW
    image = at_f32(scratch, task * per_task)
    patches = at_f32(image, (C * HP * WP + 15) // 16 * 16)
    ready = -1
    for job in range(N * blocks * task // ntasks, N * blocks * (task + 1) // ntasks):
        n = job // blocks
        if n != ready:
            conv_border(at_f32(x, n * C * H * W), C, H, W, ph, pw, image)
            ready = n
        p0 = (job - n * blocks) * 64
        columns = imin(64, pixels - p0)
        conv_patches(image, C, HP, WP, KH, KW, OW, sh, sw, dh, dw, p0, columns, K, patches)
        tile = at_f32(out, n * O * pixels + p0)
        for o in range(O):
            for j in range(columns):
                tile[o * pixels + j] = bias[o]
        gemm_core(w, K, patches, K * 16, tile, pixels, tile, pixels, columns, K, lo,
                  0, O, 0, (columns + 15) // 16)
'''

_CONV_BORDER = '''\
def conv_border(x, C, H, W, ph, pw, image):
    HP = H + 2 * ph
    WP = W + 2 * pw
    for c in range(C):
        plane = c * HP * WP
        for j in range(ph * WP):
            image[plane + j] = float32(0.0)
            image[plane + (HP - ph) * WP + j] = float32(0.0)
        for i in range(H):
            row = plane + (i + ph) * WP
            for j in range(pw):
                image[row + j] = float32(0.0)
                image[row + pw + W + j] = float32(0.0)
            for j in range(W):
                image[row + pw + j] = x[(c * H + i) * W + j]
'''

# Pixels of a panel that lie side by side in the image are copied as runs of 16, 8 or 4.
_CONV_PATCHES = '''\
def conv_patches(image, C, HP, WP, KH, KW, OW, sh, sw, dh, dw, p0, columns, K, patches):
    start = stack_i64_64()
    for j in range(columns):
        row = (p0 + j) // OW
        start[j] = row * sh * WP + (p0 + j - row * OW) * sw
    for j in range(columns, 64):
        start[j] = 0
    for p in range((columns + 15) // 16):
        conv_panel(image, at_i64(start, p * 16), C, HP, WP, KH, KW, dh, dw,
                   at_f32(patches, p * K * 16))
'''

_CONV_PANEL = '''\
def conv_panel(image, start, C, HP, WP, KH, KW, dh, dw, panel):
    run = 16
    for q in range(1, 16):
        if start[q] != start[q - 1] + 1:
            run = imin(run, q & -q)
    k = 0
    for c in range(C):
        for i in range(KH):
            for j in range(KW):
                source = (c * HP + i * dh) * WP + j * dw
                if run == 16:
                    for q in range(16):
                        panel[k + q] = image[source + start[0] + q]
                elif run == 8:
                    for q in range(8):
                        panel[k + q] = image[source + start[0] + q]
                    for q in range(8):
                        panel[k + 8 + q] = image[source + start[8] + q]
                elif run == 4:
                    for r in range(4):
                        for q in range(4):
                            panel[k + 4 * r + q] = image[source + start[4 * r] + q]
                else:
                    for q in range(16):
                        panel[k + q] = image[source + start[q]]
                k += 16
'''

_CONV_TASKS = '''\
def conv_tasks(N, O, K, pixels):
    jobs = N * ((pixels + 63) // 64)
    if N * O * K * pixels < 262144:
        return 1
    return imin(8, imax(jobs, 1))
'''

_PIECES = '''\
def pieces(work, grain):
    return imin(8, imax(work // grain, 1))
'''

_COPY_BYTES = '''\
def copy_bytes(target, source, n):
    for i in range(n):
        target[i] = source[i]
'''

_P, _I = "f32*", "i64"
ROUTINES = {r.name: r for r in (
    Routine("gemm_ragged", (_P, _I, _P, _I, _P, _I, _P, _I, _I, _I, "f32", _I, _I), _GEMM_RAGGED),
    Routine("gemm_core", (_P, _I, _P, _I, _P, _I, _P, _I, _I, _I, "f32", _I, _I, _I, _I),
            _GEMM_CORE, ("gemm_ragged",)),
    Routine("gemm", (_P, _I, _P, _I, _P, _P, _I, _I, _I, _I, "f32"), _GEMM, ("gemm_core",), True),
    Routine("gemm_tasks", (_I, _I, _I), _GEMM_TASKS),
    Routine("pack_panels", (_P, _I, _I, _I, _I, _P), _PACK_PANELS, apart=True),
    Routine("pack_rows", (_P, _I, _I, _I, _I, _P), _PACK_ROWS, apart=True),
    Routine("pad_row", (_P, _I, _I, _P), _PAD_ROW, apart=True),
    Routine("conv_border", (_P, _I, _I, _I, _I, _I, _P), _CONV_BORDER, apart=True),
    Routine("conv_patches", (_P, *(_I,) * 13, _P), _CONV_PATCHES, ("conv_panel",)),
    Routine("conv_panel", (_P, "i64*", *(_I,) * 7, _P), _CONV_PANEL, apart=True),
    Routine("conv", (_P, _P, _P, _P, *(_I,) * 15, "f32", _P, _I), _CONV,
            ("gemm_core", "conv_border", "conv_patches"), True),
    Routine("conv_tasks", (_I, _I, _I, _I), _CONV_TASKS),
    Routine("pieces", (_I, _I), _PIECES),
    Routine("copy_bytes", ("u8*", "u8*", _I), _COPY_BYTES, apart=True),
)}

#: Routines that give a number.
RESULTS = {"gemm_tasks": "i64", "conv_tasks": "i64", "pieces": "i64"}
