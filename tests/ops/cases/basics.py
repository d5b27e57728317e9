"""Calls of the functions that models use most, with what NumPy says in a line."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tests.ops.cases.case import C, F, M, f, i


def _softmax(x: Any, axis: int) -> Any:
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def _nll(x: Any, y: Any) -> Any:
    return -np.log(_softmax(x, 1))[np.arange(len(y)), y]


def _norm(x: Any, axes: Any, eps: float = 1e-5) -> Any:
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


X, V = f(3, 4), f(4)
LABELS = i(1, 0, 3)
IMAGE = f(2, 4, 6, 5)

REJECTS: tuple[Any, ...] = ()
CASES = (
    # shapes
    C("squeeze", f(1, 3, 1), numpy=np.squeeze), C("squeeze", f(1, 3, 1), 0),
    C("squeeze", f(1, 3, 1), (0, 1)), C("unsqueeze", X, 1, numpy=lambda x, d: x[:, None]),
    C("unsqueeze", X, -1), C("flatten", f(2, 3, 4), 1, numpy=lambda x, s: x.reshape(2, 12)),
    C("flatten", np.array(2.0)), C("unflatten", f(6, 2), 0, (2, -1)),
    C("transpose", f(2, 3, 4), 0, -1, numpy=lambda x, a, b: x.swapaxes(a, b)),
    C("t", X, numpy=np.transpose), C("movedim", f(2, 3, 4), 0, 2, numpy=np.moveaxis),
    C("stack", (X, X * 2), 1, numpy=np.stack), C("split", f(7, 2), 3), C("split", f(7, 2), [2, 5]),
    C("chunk", f(7, 2), 3), C("unbind", X, 1), C("select", X, 1, -2, numpy=lambda x, d, k: x[:, k]),
    C("narrow", X, 1, 1, 2, numpy=lambda x, d, s, n: x[:, 1:3]),
    M("repeat", X, 2, 1, 3, numpy=lambda x, *n: np.tile(x, n)),
    C("repeat_interleave", X, 2, 1, numpy=np.repeat), C("repeat_interleave", X, 2),
    M("expand_as", V, X, numpy=lambda v, x: np.broadcast_to(v, x.shape)),
    M("view_as", f(12), X), C("roll", X, 1, 0, numpy=np.roll), C("roll", X, (2, -1), (0, 1)),
    C("roll", X, 3), C("tril", X, 1, numpy=np.tril), C("triu", X, -1, numpy=np.triu),
    C("masked_fill", X, X > 0, 7.0, numpy=lambda x, m, v: np.where(m, v, x)),
    C("zeros_like", X, numpy=np.zeros_like), C("ones_like", X, numpy=np.ones_like),
    C("full_like", X, 2.5, numpy=np.full_like), C("empty_like", np.zeros((0, 2))),
    M("new_empty", np.zeros((1, 2)), (0, 2)),
    # statistics
    C("mean", X, numpy=np.mean), C("mean", X, 1, True), C("mean", f(2, 3, 4), (0, 2)),
    C("var", X, numpy=lambda x: x.var(ddof=1)), C("var", X, 1, unbiased=False),
    C("var", X, 0, correction=2), C("std", X, 1, numpy=lambda x, d: x.std(1, ddof=1)),
    C("logsumexp", X, 1, numpy=lambda x, d: np.log(np.exp(x).sum(1))),
    C("logsumexp", X * 400, (0, 1), True), C("max", X, numpy=np.max), C("max", X, 1),
    C("max", X, 0, True), C("max", X, V, numpy=np.maximum), C("min", X, 1),
    C("norm", X, numpy=np.linalg.norm), C("norm", X, 1, 1), C("norm", X, math.inf, 0),
    C("norm", X, 3.0, 1, True), C("norm", np.zeros(3)).but(second=False), C("norm", X, 0, 1),
    C("count_nonzero", i([0, 1], [2, 3]), numpy=np.count_nonzero), C("count_nonzero", X > 0, 1),
    # layers
    F("linear", f(2, 3, 4), f(5, 4), f(5), numpy=lambda x, w, b: x @ w.T + b),
    F("linear", V, f(5, 4)), F("scaled_dot_product_attention", f(2, 3, 4), f(2, 5, 4), f(2, 5, 4)),
    F("scaled_dot_product_attention", f(2, 3, 4), f(2, 3, 4), f(2, 3, 4), is_causal=True),
    F("scaled_dot_product_attention", f(3, 4), f(3, 4), f(3, 4), X[:, :3] > -1.9, scale=0.3),
    F("conv2d", IMAGE, f(6, 4, 3, 2), f(6), stride=2, padding=(1, 0)),
    F("conv2d", IMAGE, f(6, 2, 3, 3), None, padding=1, groups=2),
    F("conv2d", IMAGE, f(3, 4, 3, 3), padding="same", dilation=2),
    F("conv2d", IMAGE, f(3, 4, 2, 3), padding="same"), F("conv2d", IMAGE[0], f(3, 4, 2, 2)),
    F("avg_pool2d", IMAGE, 2), F("avg_pool2d", IMAGE, (3, 2), 1, 1), F("avg_pool2d", IMAGE[0], 2),
    F("adaptive_avg_pool2d", IMAGE, 1, numpy=lambda x, n: x.mean((2, 3), keepdims=True)),
    F("adaptive_avg_pool2d", IMAGE, (3, None)), F("pad", X, (1, 2)), F("pad", X, (1, 0, -1, 2),
    value=3.0),
    F("batch_norm", IMAGE, None, None, f(4), f(4), True,
      numpy=lambda x, m, v, w, b, t: _norm(x, (0, 2, 3)) * w[:, None, None] + b[:, None, None]),
    F("batch_norm", IMAGE, f(4), f(4, low=0.5), eps=1e-3), F("batch_norm", X, f(4), f(4, low=0.5)),
    F("layer_norm", X, (4,), V, f(4), numpy=lambda x, s, w, b: _norm(x, 1) * w + b),
    F("layer_norm", f(2, 3, 4), (3, 4)), F("rms_norm", X, (4,), V, eps=1e-5),
    F("group_norm", IMAGE, 2, f(4), f(4)), F("normalize", X, numpy=lambda x: x / np.linalg.norm(
        x, axis=1, keepdims=True)), F("normalize", np.zeros((2, 3)), 2.0, 1).but(second=False),
    F("embedding", i([0, 2], [1, 1]), X, numpy=lambda k, w: w[k]),
    F("embedding", i(0, 2), X, padding_idx=2), F("one_hot", LABELS, 5, numpy=lambda k, n: np.eye(
        n, dtype=np.int64)[k]), F("one_hot", LABELS).but(reads=True),
    F("cosine_similarity", X, f(3, 4)),
    # losses
    F("cross_entropy", X, LABELS, numpy=lambda x, y: _nll(x, y).mean()),
    F("cross_entropy", X, LABELS, reduction="none", numpy=lambda x, y, **k: _nll(x, y)),
    F("cross_entropy", X, i(1, -100, 3), label_smoothing=0.1),
    F("cross_entropy", X, LABELS, f(4, low=0.5), label_smoothing=0.2, ignore_index=3),
    F("cross_entropy", X, LABELS, f(4, low=0.5), reduction="sum"),
    F("cross_entropy", V, np.array(2)),
    F("cross_entropy", f(2, 3, 4), i([0, 1, 2, 0], [2, 2, 1, 0])),
    F("cross_entropy", X, _softmax(f(3, 4), 1), V, label_smoothing=0.1),
    F("nll_loss", X, LABELS), F("nll_loss", X, LABELS, f(4, low=0.5), ignore_index=0),
    F("mse_loss", X, V * np.ones((3, 4)), numpy=lambda x, y: ((x - y) ** 2).mean()),
    F("l1_loss", X, f(3, 4), reduction="sum", numpy=lambda x, y, reduction: np.abs(x - y).sum()),
    F("huber_loss", X, f(3, 4), delta=0.7), F("smooth_l1_loss", X, f(3, 4), beta=0.5),
    F("smooth_l1_loss", X, f(3, 4), beta=0.0),
    F("binary_cross_entropy_with_logits", X, f(3, 4, low=0, high=1)),
    F("binary_cross_entropy_with_logits", np.zeros((3, 4)), f(3, 4, low=0, high=1), f(4, low=0),
      pos_weight=f(4, low=0)),
    F("binary_cross_entropy", f(3, low=0.1, high=0.9), f(3, low=0, high=1)),
    # public signatures of ops
    C("sum", f(2, 3, 4), (0, 2), True), C("sum", i(True, False), dtype="dtype:float64"),
    C("prod", X, 1),
    C("amax", X, (0,)), C("any", X > 1.9), C("argmax", X), C("argmax", X, 1, True),
    C("softmax", X, 1, numpy=_softmax), C("log_softmax", X, -1), F("log_softmax", X, 0),
    C("matmul", V, X.T.copy()),
    C("matmul", X, V), C("matmul", V, V), C("matmul", f(2, 3, 4), V), C("cat", (X, X), -1),
    C("add", X, V, alpha=3), C("div", X, V, rounding_mode="floor"),
    C("div", X, V, rounding_mode="trunc"),
    C("gather", X, 1, i([0, 1], [2, 2])), C("index_select", X, 0, i(2, 0, 2)),
    C("scatter_add", X, 1, i([0, 1], [2, 2]), f(2, 3)), C("index_add", X, 0, i(2, 0, 2), f(3, 4)),
    C("permute", f(2, 3, 4), (2, 0, 1)), C("flip", X, (0, 1)), M("expand", V, 3, -1),
    M("reshape", X, 2, -1), M("view", X, (6, 2)), C("where", X > 0, X, V),
    F("max_pool2d", IMAGE, 2), F("max_pool2d", IMAGE, 3, 2, 1), F("relu", X), F("softmax", X, 1),
)
