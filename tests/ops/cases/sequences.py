"""Products with weights, look-ups, attention and recurrence."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.ops.cases.case import C, F, f, i

X, TABLE = f(3, 4), f(5, 3)
Q, K, V = f(2, 3, 4), f(2, 5, 4), f(2, 5, 3)
ALLOWED = f(3, 5) > -0.5
NEVER = np.array([[True] * 5, [False] * 5, [True, False, True, True, False]])
ADDED = np.where(ALLOWED, 0.0, -np.inf)
WORDS = i([1, 4, 1], [0, 2, 2])
LINE, STARTS = i(1, 4, 1, 0, 2, 2), i(0, 2, 2, 5)
T, N, IN, H = 4, 2, 3, 2
SPOKEN = f(T, N, IN)
STATE = f(1, N, H)


def _weights(gates: int, width: int = IN, out: int = H, bias: bool = True) -> list[Any]:
    bias_shapes = ((gates * H,), (gates * H,)) if bias else ()
    return [f(*s) for s in ((gates * H, width), (gates * H, out), *bias_shapes)]


def _layers(gates: int, out: int = H) -> list[Any]:
    """Two layers of two directions, whose weights are projected where ``out`` is not H."""
    hr = [(out, H)] if out != H else []
    return [w for width in (IN, 2 * out) for _ in range(2)
            for w in (*_weights(gates, width, out), *(f(*s) for s in hr))]


REJECTS: tuple[Any, ...] = (
    F("linear", X, f(2, 3)), F("bilinear", X, X, f(2, 4, 3)), C("bilinear", X, f(2, 4), f(2, 4, 4)),
    F("embedding", WORDS, f(3)), F("embedding", WORDS.astype(np.float64), TABLE),
    F("embedding", WORDS + 3, TABLE),
    F("embedding_bag", LINE, TABLE), F("embedding_bag", WORDS, TABLE, STARTS),
    F("embedding_bag", WORDS, TABLE, mode="min"),
    F("embedding_bag", WORDS, TABLE, per_sample_weights=f(2, 3)),
    F("embedding_bag", WORDS, TABLE, mode="sum", per_sample_weights=f(2, 2)),
    F("embedding_bag", WORDS, TABLE, mode="max", scale_grad_by_freq=True),
    F("scaled_dot_product_attention", Q, K, V, np.zeros((3, 5)), is_causal=True),
    F("scaled_dot_product_attention", Q, f(2, 5, 3), V),
    C("lstm_cell", X, (f(2, 2), f(2, 2)), f(8, 4), f(8, 2)),
    C("gru_cell", X, f(3, 2), f(8, 4), f(8, 2)),
)
CASES = (
    F("linear", f(2, 3, 4), f(2, 4), f(2)), F("linear", f(4), f(2, 4)),
    F("bilinear", X, f(3, 2), f(5, 4, 2), f(5),
      numpy=lambda x, y, w, b: np.einsum("ni,oij,nj->no", x, w, y) + b),
    C("bilinear", f(2, 3, 4), f(2, 3, 2), f(5, 4, 2)),
    # --- look-ups
    F("embedding", WORDS, TABLE, numpy=lambda k, w: w[k]), F("embedding", np.array(2), TABLE),
    F("embedding", WORDS.astype(np.int32), TABLE, -1),
    F("embedding", WORDS, TABLE, scale_grad_by_freq=True).but(second=False),
    F("embedding_bag", WORDS, TABLE, numpy=lambda k, w: w[k].mean(1)).but(second=False),
    F("embedding_bag", WORDS, TABLE, mode="sum", per_sample_weights=f(2, 3)).but(second=False),
    F("embedding_bag", LINE, TABLE, STARTS).but(second=False),
    F("embedding_bag", LINE, TABLE, STARTS, mode="max").but(second=False),
    F("embedding_bag", LINE, TABLE, i(0, 2, 2, 6), include_last_offset=True,
      mode="sum").but(second=False),
    F("embedding_bag", LINE, TABLE, STARTS, padding_idx=1).but(second=False),
    F("embedding_bag", LINE, TABLE, STARTS, mode="max", padding_idx=-3).but(second=False),
    # torch 2.13 mistakes the counts of rows in bags.
    F("embedding_bag", WORDS, TABLE, mode="sum", scale_grad_by_freq=True).but(
        peer=False, slopes=False),
    # --- attention
    F("scaled_dot_product_attention", Q, K, V),
    F("scaled_dot_product_attention", Q, K, V, ALLOWED),
    F("scaled_dot_product_attention", Q, K, V, NEVER).but(second=False),
    F("scaled_dot_product_attention", Q, K, V, ADDED.astype(np.float64)).but(
        slopes=False, second=False),
    F("scaled_dot_product_attention", Q, K, V, f(2, 3, 5), scale=0.7),
    F("scaled_dot_product_attention", Q, K, V, is_causal=True),
    F("scaled_dot_product_attention", f(1, 4, 3, 2), f(1, 2, 3, 2), f(1, 2, 3, 2),
      is_causal=True, enable_gqa=True).but(second=False),
    # --- cells
    *(C(f"{name}_cell", f(N, IN), f(N, H), *_weights(g))
      for name, g in (("rnn_tanh", 1), ("rnn_relu", 1), ("gru", 3))),
    C("gru_cell", f(IN), f(H), *_weights(3, bias=False)).but(peer=False),
    C("lstm_cell", f(N, IN), (f(N, H), f(N, H)), *_weights(4)),
    C("lstm_cell", f(N, IN), (f(N, H), f(N, H)), *_weights(4, bias=False)),
    # --- networks along time
    *(C(name, SPOKEN, STATE, _weights(g), True, 1, 0.0, True, False, False)
      for name, g in (("rnn_tanh", 1), ("rnn_relu", 1), ("gru", 3))),
    C("gru", f(N, T, IN), f(4, N, H), _layers(3), True, 2, 0.0, False, True, True).but(
        second=False),
    C("lstm", SPOKEN, (STATE, f(1, N, H)), _weights(4, bias=False), False, 1, 0.3, False, False,
      False),
    C("lstm", SPOKEN, (f(4, N, H), f(4, N, H)), _layers(4), True, 2, 0.0, True, True, False).but(
        second=False),
    C("lstm", SPOKEN, (f(4, N, 1), f(4, N, H)), _layers(4, 1), True, 2, 0.0, True, True,
      False).but(second=False),
)
