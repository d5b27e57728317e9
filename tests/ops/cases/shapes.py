"""Shapes, joining, splitting, tiling, triangles, grids and likenesses."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.ops.cases.case import C, Case, I, M, f, i

X, V, T = f(3, 4), f(4), f(2, 3, 4)


def _reads(case: Case) -> Case:
    return case.but(reads=True)


N, B = i([1, 2, 3], [4, 5, 6]), i([True, False], [False, True])

REJECTS: tuple[Any, ...] = (
    C("movedim", T, (0, 0), (1, 2)), C("movedim", T, (0, 1), 2), C("unflatten", X, 0, (2, 2)),
    C("adjoint", V), C("broadcast_tensors", f(2), f(3)), C("cat", (np.array(1.0), np.array(1.0))),
    C("cat", (X, f(2, 3, 4))), C("stack", (X, V)), C("split", X, 0), C("split", X, [1, 1]),
    C("tensor_split", X, 0), C("hsplit", X, 3), C("vsplit", V, 2), C("dsplit", X, 2),
    C("unbind", np.array(1.0)), C("select", X, 0, 3), C("narrow", X, 0, 2, 2),
    C("select_scatter", X, V, 1, 0), C("slice_scatter", X, X, 0, 0, 2), M("repeat", X, 2),
    C("repeat_interleave", X, i(1, 2), 0), C("roll", X, (1, 2), (0,)), C("fliplr", V),
    C("rot90", X, 1, (0, 0)), C("diag", T), C("diag_embed", V, 0, 1, 1), C("diagonal", V),
    C("diagonal_scatter", X, V), I("fill_diagonal", V, 1.0), C("tril", V),
    C("meshgrid", X, V), C("block_diag", T), M("view", f(3, 4), (5, 2)), M("unfold", V, 0, 5, 1),
    C("as_strided", V, (3,), (2,)), M("expand", V, 3, 5), C("flatten", T, 2, 1), C("t", T),
)
CASES = (
    C("ravel", T, numpy=np.ravel), C("swapaxes", T, 0, 2, numpy=np.swapaxes),
    C("swapdims", T, 0, -1), C("moveaxis", T, (0, 1), (2, 0), numpy=np.moveaxis),
    C("movedim", T, (0, 2), (-1, 0)), C("adjoint", T, numpy=lambda x: x.swapaxes(1, 2)),
    C("narrow", X, -1, -2, 2), M("reshape_as", f(12), X), C("broadcast_tensors", X, V, f(3, 1)),
    C("broadcast_to", V, (3, 4), numpy=np.broadcast_to),
    C("atleast_1d", np.array(2.0)), C("atleast_2d", V, X), C("atleast_3d", (X, V)),
    C("atleast_3d", V, numpy=np.atleast_3d), C("atleast_2d", T), C("squeeze", f(1, 2), -1),
    C("unflatten", f(2, 6), -1, (3, 2)), C("unflatten", f(2, 6), 1, (-1, 2)),
    # joining
    C("cat", (X, N[:, :2].astype(np.float32)[:1].repeat(2, 1)), 0), C("cat", (X, f(0)), 1),
    C("concat", (N, X[:2, :3]), 0), C("concatenate", (X, X), 1), C("cat", (B, N[:, :2])),
    C("vstack", (V, X), numpy=np.vstack), C("row_stack", (X, X)), C("hstack", (V, f(2)),
    numpy=np.hstack), C("hstack", (X, f(3, 1)), numpy=np.hstack),
    C("dstack", (X, X), numpy=np.dstack), C("column_stack", (f(3), X), numpy=np.column_stack),
    C("block_diag", X, V, np.array(2.0)), C("block_diag", N, N), C("stack", (N, N), -1),
    # splitting
    M("split", f(7, 2), [3, 4]), C("split", f(2, 7), 3, 1), C("split_with_sizes", f(7), [3, 0, 4]),
    C("tensor_split", f(7, 2), 3), C("tensor_split", f(7), (2, -2)),
    C("tensor_split", f(2, 7), [1, 9], 1), C("hsplit", f(2, 4), 2), C("hsplit", f(4), [1, 3]),
    C("vsplit", f(4, 2), 2), C("dsplit", f(2, 1, 4), [1]), C("chunk", f(2, 5), 2, 1),
    C("unbind", T, -1), C("select", T, 1, -1), C("select_scatter", X, f(3), 1, -1),
    C("slice_scatter", X, f(3, 2), 1, 1, None, 2), C("slice_scatter", X, f(1, 4), 0, -1),
    # tiling
    M("repeat", X, (2, 1, 1)), C("tile", X, (2,), numpy=np.tile), C("tile", X, (2, 1, 2)),
    _reads(C("repeat_interleave", X, i(2, 0, 1), 0, numpy=np.repeat)),
    _reads(C("repeat_interleave", V, i(1, 2, 0, 1))), _reads(C("repeat_interleave", i(2, 0, 3))),
    C("fliplr", X, numpy=np.fliplr), C("flipud", X, numpy=np.flipud),
    C("rot90", X, numpy=np.rot90), C("rot90", T, 3, (1, 2)), C("rot90", X, 2), C("rot90", X, 0),
    C("roll", T, (1, -2), (0, 2)), C("roll", X, -1, 1, numpy=np.roll),
    # triangles and diagonals
    C("tril", B), C("triu", N, 1, numpy=np.triu), C("tril", T, -1), I("triu", X, 1),
    I("tril", X), C("diag", V, numpy=np.diag), C("diag", V, -1, numpy=np.diag),
    C("diag", X, 1, numpy=np.diag), C("diagflat", X, 1, numpy=np.diagflat),
    C("diag_embed", X), C("diag_embed", X, 1, 0, 2), C("diag_embed", X, -1, 2, 1),
    C("diagonal", X, 1, numpy=np.diagonal), C("diagonal", T, -1, 2, 0), C("diagonal", X, 5),
    C("diagonal_scatter", X, f(3)), C("diagonal_scatter", T, f(3, 1), 1, 2, 0),
    I("fill_diagonal", X, 2.0), I("fill_diagonal", f(7, 2), 3.0, True),
    I("fill_diagonal", f(2, 2, 2), 1.0), I("fill_diagonal", f(5, 2), 3.0),
    # grids
    C("meshgrid", V, f(3), indexing="ij"), C("meshgrid", (V, f(3), f(2)), indexing="xy"),
    C("cartesian_prod", f(2), f(3)), C("cartesian_prod", f(2)), C("combinations", V),
    C("combinations", V, 3), C("combinations", f(3), 2, True),
    # views
    M("view", X, 2, 6), M("view", X, -1), M("view", np.zeros((0, 2)), 2, 0),
    M("unfold", f(7), 0, 3, 2), M("unfold", f(2, 7), 1, 2, 1), M("unfold", f(5, 2), -2, 2, 3),
    C("as_strided", f(12), (2, 3), (5, 2), 1), C("as_strided", f(4), (3, 2), (1, 1)),
    M("expand", f(3, 1), (2, -1, 4)), C("select", N, 0, 1), M("view", N, "dtype:float64"),
    # likenesses
    C("zeros_like", X, dtype="dtype:int32"), C("ones_like", N, dtype="dtype:bool"),
    C("full_like", N, 3, device="cpu"), C("full_like", X, 2, dtype="dtype:float32"),
    M("new_zeros", X, (2, 3)), M("new_ones", N, 2, 1), M("new_full", X, (2,), 1.5),
    M("new_full", N, (2, 2), 7, dtype="dtype:float32"), M("new_ones", X, 3, dtype="dtype:int64"),
    M("new_zeros", B, 2),
)
