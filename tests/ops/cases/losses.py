"""Losses and distances, each with its settings."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.ops.cases.case import C, F, f, i

X, Y, V = f(3, 4), f(3, 4), f(4)
SIGNS = i(1.0, -1.0, 1.0).astype(np.float32)
SIGNED = np.where(Y > 0, 1, -1).astype(np.float32)
CLASSES = i(2, 0, 3)
POSITIVE = f(3, 4, low=0.3)
SHARES = POSITIVE / POSITIVE.sum(1, keepdims=True)
COUNTS = i([0, 1, 2, 5], [3, 1, 0, 0], [7, 2, 1, 1])
WEIGHTS = f(4, low=0.5)
LABELS = i([2, 0, -1, 1], [3, 3, 1, 0], [-1, 0, 0, 0])


def _log_softmax(x: Any) -> Any:
    e = np.exp(x - x.max(-1, keepdims=True))
    return np.log(e / e.sum(-1, keepdims=True))


LOGS = _log_softmax(X)
#: torch's gradient of the CTC loss is that of the scores behind the log-probabilities: test_nn
#: compares it through log_softmax.
SPOKEN = _log_softmax(f(6, 2, 5))
WRITTEN = i([1, 1, 2], [3, 4, 0])


REJECTS: tuple[Any, ...] = (
    F("mse_loss", X, Y, weight=V), F("mse_loss", X, Y, reduction="median"),
    F("huber_loss", X, Y, delta=0.0), F("smooth_l1_loss", X, Y, beta=-1.0),
    F("cross_entropy", X, CLASSES, label_smoothing=2.0), F("cross_entropy", X, CLASSES, f(3)),
    F("cross_entropy", X, SHARES, ignore_index=1), F("nll_loss", X, CLASSES, f(3)),
    F("linear_cross_entropy", V, f(5, 2, 4), CLASSES),
    F("linear_cross_entropy", f(2, 3, 4), f(5, 4), CLASSES),
    F("binary_cross_entropy", f(3, low=0.1, high=0.9), f(2, low=0.1, high=0.9)),
    F("binary_cross_entropy_with_logits", X, V),
    F("gaussian_nll_loss", X, Y, f(2, low=0.1)), F("gaussian_nll_loss", X, Y, -1.0),
    F("margin_ranking_loss", X, Y, SIGNS), F("cosine_embedding_loss", X, Y, SIGNED),
    F("triplet_margin_loss", X, Y, V), F("triplet_margin_loss", X, Y, f(3, 4), margin=0.0),
    F("multi_margin_loss", X, CLASSES, p=3), F("multi_margin_loss", X, i(1, 2)),
    F("multilabel_margin_loss", X, CLASSES), F("pdist", V),
    F("ctc_loss", SPOKEN, WRITTEN, (6, 7), (3, 2)), F("ctc_loss", SPOKEN, WRITTEN, (6, 6), (3, 4)),
    F("ctc_loss", SPOKEN, WRITTEN, (6, 6), (3, 2), blank=5),
)
CASES = (
    # --- differences
    F("mse_loss", X, Y, weight=POSITIVE), F("mse_loss", X, Y, reduction="none", weight=POSITIVE,
      numpy=lambda x, y, reduction, weight: (x - y) ** 2 * weight),
    F("mse_loss", X, Y, None, None, "sum", numpy=lambda x, y, *_: ((x - y) ** 2).sum()),
    F("l1_loss", X, Y, weight=POSITIVE), F("huber_loss", X, Y, weight=POSITIVE),
    F("huber_loss", X, Y, "none", 0.5), F("smooth_l1_loss", X, Y, None, None, "sum", 0.3),
    # --- likelihoods
    F("nll_loss", LOGS, CLASSES, WEIGHTS, None, 0, None, "none").but(second=False),
    F("cross_entropy", X, CLASSES, None, None, 2, None, "sum"),
    F("cross_entropy", X, SHARES, WEIGHTS, reduction="none"),
    F("linear_cross_entropy", X, f(5, 4), CLASSES),
    F("linear_cross_entropy", X, f(5, 2, 4), i([0, 4], [1, 1], [3, 2]), linear_bias=f(5, 2),
      label_smoothing=0.1, ignore_index=1, reduction="sum"),
    F("linear_cross_entropy", V, f(5, 4), np.array(2), linear_bias=f(5)),
    F("binary_cross_entropy", SHARES, f(3, 4, low=0.1, high=0.9),
      WEIGHTS.astype(np.float32), reduction="none"),
    F("kl_div", LOGS, SHARES, reduction="batchmean",
      numpy=lambda x, y, reduction: (y * (np.log(y) - x)).sum() / 3),
    F("kl_div", LOGS, SHARES, reduction="none"), F("kl_div", LOGS, SHARES, reduction="sum"),
    F("kl_div", LOGS, np.log(SHARES), reduction="sum", log_target=True),
    F("gaussian_nll_loss", X, Y, POSITIVE), F("gaussian_nll_loss", X, Y, f(3, low=0.3), True),
    F("gaussian_nll_loss", X, Y, f(3, 1, low=0.3), reduction="none"),
    F("gaussian_nll_loss", X, Y, 0.5, reduction="sum"),
    F("gaussian_nll_loss", X, Y, POSITIVE, eps=0.8).but(slopes=False),
    F("poisson_nll_loss", X, COUNTS), F("poisson_nll_loss", POSITIVE, COUNTS, False),
    F("poisson_nll_loss", X, COUNTS.astype(np.float32), full=True, reduction="sum"),
    F("poisson_nll_loss", X, POSITIVE * 2, full=True),
    # --- margins of pairs
    F("margin_ranking_loss", f(3), f(3), SIGNS),
    F("margin_ranking_loss", f(3), f(3), SIGNS, 0.4, reduction="none",
      numpy=lambda x, y, s, m, reduction: np.maximum(0, m - s * (x - y))),
    F("hinge_embedding_loss", X, SIGNED), F("hinge_embedding_loss", X, SIGNED, 0.3,
                                            reduction="none"),
    F("cosine_embedding_loss", X, Y, SIGNS), F("cosine_embedding_loss", X, Y, SIGNS, -0.5,
                                               reduction="none"),
    F("cosine_embedding_loss", V, f(4), np.array(1.0, np.float32)),
    F("triplet_margin_loss", X, Y, f(3, 4)),
    F("triplet_margin_loss", X, Y, f(3, 4), 3.0, 1.0, swap=True, reduction="none"),
    F("triplet_margin_with_distance_loss", X, Y, f(3, 4), swap=True, margin=2.0),
    # --- margins of classes
    F("soft_margin_loss", X, SIGNED, numpy=lambda x, y: np.log1p(np.exp(-y * x)).mean()),
    F("soft_margin_loss", X, SIGNED, reduction="sum"),
    F("multilabel_soft_margin_loss", X, (SIGNED > 0).astype(np.float32)),
    F("multilabel_soft_margin_loss", X, SHARES, WEIGHTS.astype(np.float32), reduction="none"),
    F("multi_margin_loss", X, CLASSES).but(second=False),
    F("multi_margin_loss", X.astype(np.float32), CLASSES, 1, 0.7, WEIGHTS.astype(np.float32)),
    F("multi_margin_loss", X, CLASSES, 2, 0.7, reduction="none").but(second=False),
    F("multi_margin_loss", V, np.array(1)).but(second=False),
    F("multilabel_margin_loss", X, LABELS).but(second=False),
    F("multilabel_margin_loss", X, LABELS, reduction="none").but(second=False),
    F("multilabel_margin_loss", V, LABELS[0]).but(second=False),
    # --- alignments
    F("ctc_loss", SPOKEN, WRITTEN, (6, 5), (3, 2)).but(peer=False),
    F("ctc_loss", SPOKEN, i(1, 1, 2, 3, 4), i(6, 5), i(3, 2), reduction="sum").but(peer=False),
    C("ctc_loss", SPOKEN[:, 0], i(1, 2), np.array(6), np.array(2), 4, "none").but(peer=False),
    F("ctc_loss", SPOKEN[:3], WRITTEN, (3, 3), (3, 2), zero_infinity=True).but(peer=False),
    # --- distances
    F("normalize", X, 1.0, 0), F("normalize", X, 3.0, (0, 1), 0.5),
    C("cosine_similarity", X, V, dim=-1),
    F("cosine_similarity", f(3), X[:, :3], 1, 2.0).but(slopes=False),
    C("pairwise_distance", X, Y), F("pairwise_distance", X, V, 1.0, keepdim=True),
    F("pairwise_distance", V, f(4), 3.0, 0.0),
    F("pdist", X, numpy=lambda x: np.sqrt(np.square(x[:, None] - x[None]).sum(2)
                                          )[np.triu_indices(3, 1)]).but(second=False),
    F("pdist", X, 1.0).but(second=False), C("pdist", f(5, 2), float("inf")).but(second=False),
    F("pdist", f(1, 3)).but(second=False),
)
